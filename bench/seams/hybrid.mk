# make bench-hybrid: how good is search? Tables by query class, TREC runs in $(BUILD)/runs/, a chart.
# (docs/measured/relevance.md explains them.) OPTIONS=--full also measures the slower collections.
$(BUILD)/bench_hybrid: $(BUILD)/obj/bench/corpora/corpus.o
# The object comes after the library on the line, so the library is named once more.
$(BUILD)/bench_hybrid: LDLIBS := $(BUILD)/libseam.a $(LDLIBS)
