# make results        runs every bench below at its full size (long: keep the machine quiet), keeps the
#                     TSV and the charts in bench/results/NAME/, and writes docs/measured/benchmarks.md from them
# make results-NAME   one of them
# make results-page   the page alone; a test holds it to the committed TSV
RESULTS := oltp wal cdc pipeline columnar invidx hnsw hybrid
RESULTS_OPTIONS_columnar := --full
.PHONY: results results-page
results:
	@for n in $(RESULTS); do $(MAKE) --no-print-directory results-$$n || exit 1; done
	@$(MAKE) --no-print-directory results-page
results-page:
	sh bench/common/report.sh $(RESULTS) > docs/measured/benchmarks.md
results-%: peers $(BUILD)/bench_%
	@mkdir -p bench/results/$*
	$(BUILD)/bench_$* $(RESULTS_OPTIONS_$*) --tsv bench/results/$*/$*.tsv
	@sh bench/common/run_line.sh 'build/bench_$* $(RESULTS_OPTIONS_$*)' > bench/results/$*/run.txt
	@OUT=bench/results/$* sh bench/common/draw.sh $* bench/results/$*/$*.tsv
