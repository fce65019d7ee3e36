# Rules that every bench shares. A bench's own go beside it.
#
#   make peers         the programs of bench/peers/ whose libraries are here; one line for each that is not
#   make bench-NAME    runs build/bench_NAME (OPTIONS="--quick ...") and draws bench/charts/NAME*.gp
#
# A peer names what it needs in its head comment:
#     peer-libs: -lsqlite3            what it links, besides -lm -lpthread
#     peer-package: libsqlite3-dev    where a Debian has it
#     peer-flags: -I/usr/include/x    optional, for the compiler

CXX ?= c++
PEER_SOURCES := $(sort $(wildcard bench/peers/*.c bench/peers/*.cc))
PEER_PROGRAMS := $(addprefix $(BUILD)/peers/,$(basename $(notdir $(PEER_SOURCES))))

.PHONY: peers
peers: $(PEER_SOURCES)
	@mkdir -p $(BUILD)/peers
	@for s in $(PEER_SOURCES); do \
	  BUILD=$(BUILD) CC='$(CC)' CXX='$(CXX)' sh bench/common/build_peer.sh "$$s"; done

OPTIONS ?= --quick
.PHONY: bench-%
bench-%: peers $(BUILD)/bench_%
	$(BUILD)/bench_$* $(OPTIONS) --tsv $(BUILD)/bench-$*.tsv
	@BUILD=$(BUILD) sh bench/common/draw.sh $* $(BUILD)/bench-$*.tsv
# Objects reached only through pattern rules are worth keeping.
.PRECIOUS: $(BUILD)/obj/%.o
