# The row store against a naive one, by seed: make sim-oltp SEED=7 STEPS=100000 (a fresh seed and 20,000 steps unless given).
.PHONY: sim-oltp
sim-oltp: $(BUILD)/tests/oltp/test_oltp_sim
	$(Q)CK_DEFAULT_TIMEOUT=0 SEED="$(SEED)" STEPS="$(or $(STEPS),20000)" $<
