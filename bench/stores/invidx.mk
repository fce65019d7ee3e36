# make bench-invidx: the search index against SQLite FTS5, Xapian and Lucene, where they are installed.
$(BUILD)/bench_invidx: $(BUILD)/obj/bench/corpora/texts.o
# The object comes after the library on the line, so the library is named once more.
$(BUILD)/bench_invidx: LDLIBS := $(BUILD)/libseam.a $(LDLIBS)

# Lucene runs in a JVM: a folder of classes and a two-line starter stand in for a program.
LUCENE_JARS := $(wildcard /usr/share/java/lucene-core-8*.jar /usr/share/java/lucene-analyzers-common-8*.jar)
peers: peer-lucene
.PHONY: peer-lucene
peer-lucene: bench/peers/invidx_lucene.java
	@mkdir -p $(BUILD)/peers/lucene
	@if [ -z "$(LUCENE_JARS)" ] || ! command -v javac >/dev/null 2>&1; then \
	  rm -f $(BUILD)/peers/invidx_lucene; \
	  echo 'peer invidx_lucene: absent, needs a JDK and Lucene 8 (apt-get install default-jdk-headless liblucene8-java)'; \
	elif [ ! -x $(BUILD)/peers/invidx_lucene ] || [ $< -nt $(BUILD)/peers/invidx_lucene ]; then \
	  cp $< $(BUILD)/peers/lucene/InvidxLucene.java && \
	  javac -cp '$(subst $(space),:,$(LUCENE_JARS))' -d $(BUILD)/peers/lucene $(BUILD)/peers/lucene/InvidxLucene.java && \
	  printf '#!/bin/sh\nexec java -Xmx4g -cp "$(abspath $(BUILD)/peers/lucene):$(subst $(space),:,$(LUCENE_JARS))" InvidxLucene "$$@"\n' \
	    > $(BUILD)/peers/invidx_lucene && chmod +x $(BUILD)/peers/invidx_lucene && echo 'peer invidx_lucene: built'; fi
