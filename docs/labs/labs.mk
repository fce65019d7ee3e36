# make labs          every lab as a page, with an index, in build/labs/
# make labs-update   the golden plays and the outputs in the lab sheets, made again
.PHONY: labs labs-update
labs: all
	@mkdir -p $(BUILD)/labs
	@$(BUILD)/seam lab --quiet --html $(BUILD)/labs/index.html
	@for l in $$($(BUILD)/seam lab | awk 'NR > 1 {print $$1}'); do \
	  $(BUILD)/seam lab $$l --quiet --html $(BUILD)/labs/$$l.html || exit 1; done
	@echo 'open $(BUILD)/labs/index.html'
labs-update: all
	@BUILD=$(BUILD) sh tests/labs/golden.sh --update
	@BUILD=$(BUILD) sh docs/labs/update.sh
