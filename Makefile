# seam - GNU make, gcc or clang, libc and pthreads.
#
#   make            the library build/libseam.a and the program build/seam
#   make demo       build, then the whole story in a fresh folder
#   make check      install Check when missing, then run every test
#   make help       everything else

CC       ?= cc
AR       ?= ar
PREFIX   ?= /usr/local
DESTDIR  ?=
SAN      ?=
DEBUG    ?=
TRACE    ?= 1

comma := ,
empty :=
space := $(empty) $(empty)

# One build folder a variant, so that switching costs nothing and nothing stale is linked.
variant := $(if $(DEBUG),-debug)$(if $(SAN),-$(subst $(comma),-,$(SAN)))$(if $(filter 0,$(TRACE)),-notrace)
ifneq ($(filter clang%,$(notdir $(firstword $(CC)))),)
variant := $(variant)-clang
endif
BUILD ?= build$(variant)

CSTD     := -std=c11 -D_GNU_SOURCE
# Under sanitizers the optimiser sees less, and warns of what cannot happen: shown there, not fatal.
WARN     := -Wall -Wextra $(if $(SAN),,-Werror) -Wstrict-prototypes -Wmissing-prototypes -Wvla
OPT      := $(if $(DEBUG),-O0,$(if $(SAN),-O1,-O3)) -g
OPT      += -fno-omit-frame-pointer -ffp-contract=off
SANFLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all)
# DEBUG=1 also runs the walks: whole-structure invariants and assertions in hot loops (engine/base/walk.h).
CPPFLAGS += -I. $(if $(DEBUG),-DSEAM_WALKS) $(if $(filter 0,$(TRACE)),-DSEAM_NO_TRACE)
override CFLAGS += $(CSTD) $(OPT) $(WARN) $(SANFLAGS) -pthread
override LDFLAGS += $(SANFLAGS) -pthread
LDLIBS   := -lm

# lab/ is a room of pipeline/'s, with an archive of its own: the program shows it, the library has nothing of it.
ROOMS := engine wal oltp columnar invidx hnsw pipeline lab

# The arrows: what each room's tests may link. A missing symbol here is an include in the wrong direction.
NEEDS_engine   := engine
NEEDS_wal      := wal engine
NEEDS_oltp     := oltp wal engine
NEEDS_columnar := columnar engine
NEEDS_invidx   := invidx engine
NEEDS_hnsw     := hnsw engine
NEEDS_all      := lab pipeline oltp wal columnar invidx hnsw engine
archives        = $(foreach r,$(NEEDS_$(1)),$(BUILD)/lib/$(r).a)
ALL_ARCHIVES   := $(call archives,all)

folder_of    = $(if $(filter lab,$(1)),pipeline/lab,$(1))
room_sources = $(sort $(filter-out pipeline/cli/% $(if $(filter pipeline,$(1)),pipeline/lab/%),\
                 $(foreach d,$(call folder_of,$(1)),$(wildcard $(d)/*.c $(d)/*/*.c $(d)/*/*/*.c))))
CLI_SOURCES := $(sort $(wildcard pipeline/cli/*.c))
objects      = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))

LIB_OBJECTS := $(foreach r,$(filter-out lab,$(ROOMS)),$(call objects,$(call room_sources,$(r))))
CLI_OBJECTS := $(call objects,$(CLI_SOURCES))

TEST_SOURCES  := $(sort $(wildcard tests/*/test_*.c))
TEST_PROGRAMS := $(patsubst %.c,$(BUILD)/%,$(TEST_SOURCES))
TEST_SCRIPTS  := $(sort $(wildcard tests/*/test_*.sh))
BENCH_COMMON  := $(call objects,$(sort $(wildcard bench/common/*.c)))
BENCH_SOURCES := $(sort $(wildcard bench/*/bench_*.c))
BENCH_PROGRAMS := $(patsubst %.c,$(BUILD)/%,$(notdir $(BENCH_SOURCES)))
EXAMPLES      := $(patsubst docs/examples/%.c,$(BUILD)/examples/%,$(sort $(wildcard docs/examples/*.c)))
FUZZERS       := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))

# One short line a step; V=1 shows the commands.
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-4s %s\n' $(1) $(2))

.PHONY: all
all: $(BUILD)/libseam.a $(if $(CLI_SOURCES),$(BUILD)/seam)

# Rooms' own rules (demo, chaos, labs, ...) live beside what they run.
-include $(wildcard mk.d/*.mk) $(sort $(wildcard tests/*/*.mk bench/*/*.mk docs/*/*.mk pipeline/*.mk))

# ---- objects, with dependencies tracked -----------------------------------------------------------
$(BUILD)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(CFLAGS_$(firstword $(subst /,$(space),$*))) -MMD -MP -c $< -o $@

# The shipped shop is compiled in.
$(BUILD)/obj/pipeline/shop/assets.o: $(wildcard pipeline/shop/*.json pipeline/shop/*.jsonl pipeline/shop/*.tsv pipeline/shop/*.txt pipeline/shop/*/*.json pipeline/trust/contracts/*.json)

define archive_rule
$(BUILD)/lib/$(1).a: $$(call objects,$$(call room_sources,$(1)))
	@mkdir -p $$(@D)
	@rm -f $$@
	$$(call say,AR,$$@)
	$$(Q)$$(AR) rcs $$@ $$^
endef
$(foreach r,$(ROOMS),$(eval $(call archive_rule,$(r))))

$(BUILD)/libseam.a: $(LIB_OBJECTS)
	@mkdir -p $(@D)
	@rm -f $@
	$(call say,AR,$@)
	$(Q)$(AR) rcs $@ $^

$(BUILD)/seam: $(CLI_OBJECTS) $(BUILD)/lib/lab.a $(BUILD)/libseam.a
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) $^ $(LDLIBS) -o $@

# ---- tests ----------------------------------------------------------------------------------------
CHECK_LIBS = $(shell pkg-config --libs check 2>/dev/null || echo -lcheck -lsubunit -lrt -lm)
CHECK_CFLAGS = $(shell pkg-config --cflags check 2>/dev/null)
TEST_COMMON := $(call objects,$(sort $(wildcard tests/common/*.c)))
# tests/common/fail_malloc.h: allocations of our code go through it, where the linker can do that.
comma_wrap = -Wl$(comma)--wrap=$(1)
TEST_WRAP := $(if $(filter Linux,$(shell uname -s)),$(foreach f,malloc calloc realloc aligned_alloc strdup,$(call comma_wrap,$(f))))

# What the tests of one room share stands beside them, in files that are not called test_*.c. BESIDE_test_x: objects of one
# test's own, from elsewhere. CHECK_NEEDS_room: programs that a room's scripts run.
test_helpers = $(call objects,$(filter-out tests/$(1)/test_%,$(sort $(wildcard tests/$(1)/*.c))))

define test_rule
$(BUILD)/$(1): $(BUILD)/obj/$(1).o $(BESIDE_$(notdir $(1))) $(call test_helpers,$(2)) $(TEST_COMMON) $(call archives,$(if $(NEEDS_$(2)),$(2),all))
	@mkdir -p $$(@D)
	$$(call say,LD,$$@)
	$$(Q)$$(CC) $$(LDFLAGS) $(TEST_WRAP) $$^ $$(CHECK_LIBS) $$(LDLIBS) -o $$@
endef
$(foreach t,$(TEST_SOURCES),$(eval $(call test_rule,$(basename $(t)),$(word 2,$(subst /,$(space),$(t))))))

.PHONY: check check-deps tests
check-deps:
	@sh tests/install-deps.sh
tests: $(TEST_PROGRAMS) $(EXAMPLES)
check: check-deps
	@$(MAKE) --no-print-directory all tests fuzz $(if $(SAN),,library amalgamate)
	@BUILD=$(BUILD) sh tests/run.sh $(TEST_PROGRAMS) $(TEST_SCRIPTS)
# One room's tests: make check-engine
check-%: check-deps
	@$(MAKE) --no-print-directory $(filter $(BUILD)/tests/$*/%,$(TEST_PROGRAMS)) $(CHECK_NEEDS_$*)
	@BUILD=$(BUILD) sh tests/run.sh $(filter $(BUILD)/tests/$*/%,$(TEST_PROGRAMS)) $(filter tests/$*/%,$(TEST_SCRIPTS))

$(BUILD)/examples/%: $(BUILD)/obj/docs/examples/%.o $(BUILD)/libseam.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) $^ $(LDLIBS) -o $@

# Fuzzers run standalone on seeds and files with any compiler, and under libFuzzer with clang.
# Coverage-guided: make fuzz CC=clang SAN=fuzzer-no-link,address,undefined; build-.../fuzz/NAME -max_total_time=60
LIBFUZZER := $(findstring fuzzer,$(SAN))
$(BUILD)/obj/tests/fuzz/%.o: CPPFLAGS += $(if $(LIBFUZZER),-DSEAM_LIBFUZZER)
$(BUILD)/fuzz/%: $(BUILD)/obj/tests/fuzz/%.o $(filter-out %/check_main.o %/fail_malloc.o %/restart.o,$(TEST_COMMON)) $(BUILD)/libseam.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) $(if $(LIBFUZZER),-fsanitize=fuzzer) $^ $(LDLIBS) -o $@
.PHONY: fuzz
fuzz: $(FUZZERS)

# ---- benches --------------------------------------------------------------------------------------
.PHONY: benches
benches: $(BENCH_PROGRAMS)
define bench_rule
$(BUILD)/$(notdir $(1)): $(BUILD)/obj/$(1).o $(BENCH_COMMON) $(BUILD)/libseam.a
	$$(call say,LD,$$@)
	$$(Q)$$(CC) $$(LDFLAGS) $$^ $$(LDLIBS) -o $$@
endef
$(foreach b,$(BENCH_SOURCES),$(eval $(call bench_rule,$(basename $(b)))))

# ---- the rest -------------------------------------------------------------------------------------
.PHONY: install format format-check clean help arrows
format:
	clang-format -i $(shell git ls-files '*.c' '*.h')
format-check:
	@sh tests/format.sh

# Fails when a room includes a room it must not know, or when files of a store need one another in a circle.
arrows: all
	@sh tests/arrows.sh $(BUILD)
	@sh tests/circles.sh $(BUILD)

clean:
	rm -rf build build-*

help:
	@echo 'make                 build/libseam.a and build/seam'
	@echo 'make demo            the whole story in a fresh folder (about a minute)'
	@echo 'make check           every test (installs Check when missing); make check-oltp: one room'
	@echo 'make sim-oltp        the row store against a naive one, through crashes (SEED= STEPS=)'
	@echo 'make chaos           break things on purpose, keep the evidence (SEED= ROUNDS= CHAOS=scenario)'
	@echo 'make canary          the gate, and proof that it fails when it must'
	@echo 'make evidence        docs/measured/evidence and docs/measured/lineage-walk.md from real runs'
	@echo 'make benches         build/bench_*; make bench-NAME: run one and draw its charts'
	@echo 'make results         every bench at full size, bench/results and docs/measured/benchmarks.md (long)'
	@echo 'make fuzz            build/fuzz/*; make arrows: check who includes whom'
	@echo 'make labs            the labs as pages, build/labs/index.html; make manual: man pages, completion'
	@echo 'make library         build/library: the front doors'"'"' archives, one a store, and the shared library'
	@echo 'make amalgamate STORE=oltp   one store as two files, build/amalgamation/seam_oltp.[ch]; make doors: the headers'
	@echo 'make install PREFIX=/usr/local DESTDIR=; make uninstall'
	@echo 'make format          clang-format over the tree; make format-check: is it so?'
	@echo 'variables            V=1 (show commands)  CC=clang  DEBUG=1  SAN=address,undefined  SAN=thread  TRACE=0'

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
