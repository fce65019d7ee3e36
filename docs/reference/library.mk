# The public door: what a program that uses a store of ours may include and link, and how it is installed.
#
#   make doors        the headers, one a line
#   make library      build/library/: libseam.a, one archive a store, the shared library, what pkg-config reads
#   make amalgamate   build/amalgamation/: one store as two files (STORE=oltp)
#   make install      the above and the program, under PREFIX (DESTDIR is put before it); make uninstall takes it back
#
# DOORS is the list of headers that are installed. What they declare is what the libraries export, and nothing else is a
# promise. tests/library holds it: each door compiles alone as C11 and C++17, includes doors only, bears its prefix.
DOORS_engine   := engine/base/version.h engine/base/status.h engine/base/bytes.h engine/base/buf.h engine/base/arena.h \
                  engine/base/bitset.h engine/base/hash.h engine/base/histogram.h engine/base/rng.h engine/base/lsn.h \
                  engine/base/clock.h engine/base/trace.h engine/io/io.h engine/values/value.h engine/values/schema.h \
                  engine/values/row.h engine/values/key.h engine/text/json.h
DOORS_wal      := wal/wal.h wal/change.h
DOORS_oltp     := oltp/oltp.h
DOORS_columnar := columnar/columnar.h columnar/format/vector.h columnar/exec/expr.h columnar/exec/query.h \
                  columnar/sql/sql_ast.h columnar/sql/sql.h
DOORS_invidx   := invidx/invidx.h
DOORS_hnsw     := hnsw/hnsw.h hnsw/tune.h hnsw/vecfile.h
DOORS_stream   := pipeline/stream/stream.h
# What each library is made of: the rooms it opens, lowest last.
STORES         := wal oltp columnar invidx hnsw
OPENS_wal      := wal engine
OPENS_oltp     := oltp wal engine
OPENS_columnar := columnar engine
OPENS_invidx   := invidx engine
OPENS_hnsw     := hnsw engine
OPENS_all      := stream oltp wal columnar invidx hnsw engine
doors_of        = $(foreach r,$(OPENS_$(1)),$(DOORS_$(r)))
DOORS          := $(call doors_of,all)

VERSION := $(shell awk '/^\#define SEAM_VERSION_(MAJOR|MINOR|PATCH)/ {printf "%s%s", dot, $$3; dot = "."}' engine/base/version.h)
MAJOR   := $(firstword $(subst ., ,$(VERSION)))
OBJCOPY ?= objcopy
LIBRARY := $(BUILD)/library

.PHONY: doors library amalgamate install uninstall
doors:
	@printf '%s\n' $(DOORS)

# ---- objects that can stand in a shared library too -------------------------------------------------------------
DOOR_ROOMS     := engine wal oltp columnar invidx hnsw stream
door_sources    = $(if $(filter stream,$(1)),$(sort $(wildcard pipeline/stream/*.c)),$(call room_sources,$(1)))
$(BUILD)/pic/%.o: %.c docs/reference/library.mk
	@mkdir -p $(@D)
	$(call say,PIC,$<)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(CFLAGS_$(firstword $(subst /,$(space),$*))) -fPIC -fno-semantic-interposition \
	  -MMD -MP -c $< -o $@
define pic_archive_rule
$(BUILD)/pic/$(1).a: $(patsubst %.c,$(BUILD)/pic/%.o,$(call door_sources,$(1)))
	@rm -f $$@
	$$(call say,AR,$$@)
	$$(Q)$$(AR) rcs $$@ $$^
endef
$(foreach r,$(DOOR_ROOMS),$(eval $(call pic_archive_rule,$(r))))
-include $(shell find $(BUILD)/pic -name '*.d' 2>/dev/null)

# ---- one archive a store, and one of all ------------------------------------------------------------------------
# NAME.symbols: what the doors of this library declare. NAME.o: the members of its rooms' archives that those symbols
# need, linked into one object of which nothing else can be seen: no name of ours meets one of the program's. In a
# store's archive, what belongs to the rooms below is weak, so that two stores' archives can stand in one program.
pic_archives = $(foreach r,$(OPENS_$(1)),$(BUILD)/pic/$(r).a)
define library_rule
$(LIBRARY)/$(1).symbols: $(call doors_of,$(1)) $(call pic_archives,$(1)) $(addprefix docs/reference/library/,symbols.sh names.awk)
	@mkdir -p $$(@D)
	$$(Q)CC='$$(CC)' sh docs/reference/library/symbols.sh $$@ $(call doors_of,$(1)) -- $(call pic_archives,$(1))
$(LIBRARY)/$(1).o: $(LIBRARY)/$(1).symbols $(call pic_archives,$(1))
	$$(call say,LD,$$@)
	$$(Q)$$(LD) -r -o $$@ $$$$(sed 's/^/-u /' $$<) --start-group $(call pic_archives,$(1)) --end-group
	$$(Q)$$(OBJCOPY) --keep-global-symbols=$$< $$@
	$(if $(filter all,$(1)),,$$(Q)grep -v '^$(1)_' $$< >$$<.weak; $$(OBJCOPY) --weaken-symbols=$$<.weak $$@; rm -f $$<.weak)
$(LIBRARY)/libseam$(if $(filter all,$(1)),,-$(1)).a: $(LIBRARY)/$(1).o
	@rm -f $$@
	$$(call say,AR,$$@)
	$$(Q)$$(AR) rcs $$@ $$<
endef
$(foreach s,$(STORES) all,$(eval $(call library_rule,$(s))))

LIBRARY_ARCHIVES := $(LIBRARY)/libseam.a $(STORES:%=$(LIBRARY)/libseam-%.a)
SHARED           := libseam.so.$(VERSION)
$(LIBRARY)/$(SHARED): $(LIBRARY)/all.o
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -shared -Wl,-soname,libseam.so.$(MAJOR) $(if $(SAN),,-Wl$(comma)-z$(comma)defs) -Wl,-Bsymbolic-functions $< $(LDLIBS) -o $@
	@ln -sf $(SHARED) $(LIBRARY)/libseam.so.$(MAJOR)
	@ln -sf libseam.so.$(MAJOR) $(LIBRARY)/libseam.so
library: $(LIBRARY_ARCHIVES) $(LIBRARY)/$(SHARED)

# ---- installing -------------------------------------------------------------------------------------------------
bindir     ?= $(PREFIX)/bin
libdir     ?= $(PREFIX)/lib
includedir ?= $(PREFIX)/include
datadir    ?= $(PREFIX)/share
INSTALL    ?= install

# FROM:TO, all of it: read by install and by uninstall, so that one takes back what the other put.
under      = $(foreach f,$(2),$(f):$(1)/$(notdir $(f)))
INSTALLED := $(BUILD)/seam:$(bindir)/seam $(call under,$(libdir),$(LIBRARY_ARCHIVES) $(LIBRARY)/$(SHARED)) \
  $(call under,$(libdir)/pkgconfig,$(LIBRARY)/seam.pc $(STORES:%=$(LIBRARY)/seam-%.pc)) \
  $(foreach h,$(DOORS),$(h):$(includedir)/seam/$(h)) \
  $(call under,$(datadir)/man/man1,$(wildcard docs/reference/manual/*.1)) \
  $(call under,$(datadir)/man/man5,$(wildcard docs/reference/manual/*.5)) \
  docs/reference/manual/seam.bash:$(datadir)/bash-completion/completions/seam \
  docs/reference/manual/_seam:$(datadir)/zsh/site-functions/_seam \
  $(call under,$(datadir)/doc/seam,LICENSE README.md docs/howto/link-a-store.md) \
  $(call under,$(datadir)/doc/seam/examples,$(wildcard docs/examples/*.c))
install: all library
	@sh docs/reference/library/pc.sh $(LIBRARY) '$(PREFIX)' '$(libdir)' '$(includedir)' $(VERSION) $(STORES)
	@for pair in $(INSTALLED); do from=$${pair%%:*}; to='$(DESTDIR)'$${pair#*:}; \
	  mode=644; case $$from in */seam|*.so.*) mode=755 ;; esac; \
	  $(INSTALL) -d "$${to%/*}" && $(INSTALL) -m $$mode "$$from" "$$to" || exit 1; done
	@ln -sf $(SHARED) '$(DESTDIR)$(libdir)/libseam.so.$(MAJOR)'
	@ln -sf libseam.so.$(MAJOR) '$(DESTDIR)$(libdir)/libseam.so'
	@echo 'installed under $(DESTDIR)$(PREFIX): $(words $(INSTALLED)) files'
uninstall:
	@for pair in $(INSTALLED); do rm -f '$(DESTDIR)'"$${pair#*:}"; done
	@rm -f '$(DESTDIR)$(libdir)/libseam.so' '$(DESTDIR)$(libdir)/libseam.so.$(MAJOR)'
	@for d in '$(DESTDIR)$(includedir)/seam' '$(DESTDIR)$(datadir)/doc/seam'; do \
	  [ -d "$$d" ] && find "$$d" -depth -type d -exec rmdir {} + 2>/dev/null; done; true

# ---- one store as two files -------------------------------------------------------------------------------------
# make amalgamate STORE=oltp: build/amalgamation/seam_oltp.h, seam_oltp.c and example_oltp.c. Without STORE: all five.
AMALGAMATION := $(BUILD)/amalgamation
door_objects  = $(foreach r,$(OPENS_$(1)),$(patsubst %.c,$(BUILD)/pic/%.o,$(call door_sources,$(r))))
define amalgamation_rule
$(AMALGAMATION)/seam_$(1).c: $(LIBRARY)/$(1).symbols $(call doors_of,$(1)) $(call pic_archives,$(1)) docs/examples/amalgamation/$(1).c \
  $(addprefix docs/reference/library/,amalgamate.sh amalgamate.awk names.awk)
	$$(Q)CC='$$(CC)' sh docs/reference/library/amalgamate.sh $(1) $(AMALGAMATION) '$(call doors_of,$(1))' $$< $(call door_objects,$(1))
endef
$(foreach s,$(STORES),$(eval $(call amalgamation_rule,$(s))))
ifneq ($(filter-out $(STORES),$(STORE)),)
amalgamate:
	@echo 'make amalgamate: no store $(filter-out $(STORES),$(STORE)); there are $(STORES)' >&2; exit 2
else
amalgamate: $(foreach s,$(or $(STORE),$(STORES)),$(AMALGAMATION)/seam_$(s).c)
endif
