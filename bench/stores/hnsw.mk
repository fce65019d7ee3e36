# make bench-hnsw: the vector graph against hnswlib, FAISS and usearch, where they are installed.
$(BUILD)/bench_hnsw: $(BUILD)/obj/bench/corpora/sets.o
# The object comes after the library on the line, so the library is named once more.
$(BUILD)/bench_hnsw: LDLIBS := $(BUILD)/libseam.a $(LDLIBS)
