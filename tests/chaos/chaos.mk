# Break things on purpose, keep the evidence.
SEED   ?=
ROUNDS ?=
CHAOS  ?=
.PHONY: chaos canary evidence
chaos:
	@$(MAKE) --no-print-directory all
	@SEED=$(or $(SEED),1) ROUNDS=$(or $(ROUNDS),100) bash tests/chaos/chaos.sh $(BUILD)/seam $(BUILD)/chaos $(CHAOS)
# The gate: a seeded dataset through the whole platform, and proof that the gate fails when it must.
canary:
	@$(MAKE) --no-print-directory all
	@SEED=$(or $(SEED),1) bash tests/chaos/canary.sh $(BUILD)/seam $(BUILD)/canary
# Makes docs/measured/evidence/ and docs/measured/lineage-walk.md again from real runs.
evidence:
	@$(MAKE) --no-print-directory all
	@SEED=$(or $(SEED),1) bash tests/chaos/evidence.sh $(BUILD)/seam $(BUILD)/evidence
