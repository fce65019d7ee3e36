# The whole story in a fresh folder.
DEMO_DIR ?= $(BUILD)/demo
.PHONY: demo
demo:
	@$(MAKE) --no-print-directory all
	@rm -rf $(DEMO_DIR)
	@$(BUILD)/seam demo $(DEMO_DIR)
