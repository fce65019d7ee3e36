# `seam` with faults planted in its sinks and its clock (tests/chaos/faults.h): no part of what is shipped.
CHAOS_OBJECTS := $(call objects,tests/chaos/main.c tests/chaos/faulty_sinks.c tests/chaos/faulty_clock.c)
$(BUILD)/seam-chaos: $(CHAOS_OBJECTS) $(filter-out %/cli/main.o,$(CLI_OBJECTS)) $(BUILD)/lib/lab.a $(BUILD)/libseam.a
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) $^ $(LDLIBS) -o $@
all tests: $(BUILD)/seam-chaos
# Tests that plant faults: the wrapped list comes before the library's.
BESIDE_test_seams := $(call objects,tests/chaos/faulty_sinks.c)
BESIDE_test_kept  := $(BESIDE_test_seams)
# The example of docs/howto/add-a-sink.md, with the command line over it.
BESIDE_test_add_a_sink := $(call objects,docs/howto/tally.c) $(filter-out %/cli/main.o,$(CLI_OBJECTS)) $(BUILD)/lib/lab.a
CHECK_NEEDS_chaos := $(BUILD)/seam $(BUILD)/seam-chaos
# Break things on purpose, keep the evidence.
SEED   ?=
ROUNDS ?=
CHAOS  ?=
.PHONY: chaos canary evidence
chaos:
	@$(MAKE) --no-print-directory all $(BUILD)/seam-chaos
	@SEED=$(or $(SEED),1) ROUNDS=$(or $(ROUNDS),100) bash tests/chaos/chaos.sh $(BUILD)/seam $(BUILD)/chaos $(CHAOS)
# The gate: a seeded dataset through the whole platform, and proof that the gate fails when it must.
canary:
	@$(MAKE) --no-print-directory all $(BUILD)/seam-chaos
	@SEED=$(or $(SEED),1) bash tests/chaos/canary.sh $(BUILD)/seam $(BUILD)/canary
# Makes docs/measured/evidence/ and docs/measured/lineage-walk.md again from real runs.
evidence:
	@$(MAKE) --no-print-directory all $(BUILD)/seam-chaos
	@SEED=$(or $(SEED),1) bash tests/chaos/evidence.sh $(BUILD)/seam $(BUILD)/evidence
