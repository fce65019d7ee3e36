# Outside oracles of the warehouse's SQL: the same questions to SQLite and DuckDB where they are installed, and
# sqllogictest files. tests/columnar/oracle/README.md says what they need.
SEEDS   ?= 5
QUERIES ?= 400
.PHONY: oracle-sql oracle-slt
$(BUILD)/oracle_driver: $(BUILD)/obj/tests/columnar/oracle/driver.o $(call archives,columnar)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) $^ $(LDLIBS) -o $@
oracle-sql: $(BUILD)/oracle_driver
	@node tests/columnar/oracle/differential.mjs $(BUILD)/oracle_driver $(SEEDS) $(QUERIES) $(SEED)
oracle-slt: $(BUILD)/oracle_driver
	@node tests/columnar/oracle/slt.mjs $(BUILD)/oracle_driver '$(DIR)'
