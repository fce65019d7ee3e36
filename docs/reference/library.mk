# The public door: what a program that uses a store of ours may include and link.
#
# DOORS is the list of headers that are installed; what they declare is what the libraries export, and nothing else
# is a promise. tests/library holds it: each door compiles alone as C11 and C++17 and includes doors only.
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
DOORS          := $(foreach r,engine wal oltp columnar invidx hnsw stream,$(DOORS_$(r)))

.PHONY: doors
doors:
	@printf '%s\n' $(DOORS)
