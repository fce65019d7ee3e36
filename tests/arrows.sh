#!/bin/sh
# Who may know whom, against the design (docs/architecture.md): a room knows itself and the rooms below it; within a room, a
# sub-room knows itself and the sub-rooms before it in the order in which a change flows.
# Method: every include, and (given a build folder whose objects are there) every symbol that an object needs, by nm.
# usage:  arrows.sh [BUILD]
set -u
build=${1:-}
bad=0
work=$(mktemp -d "${TMPDIR:-/tmp}/arrows-XXXXXX")
trap 'rm -rf "$work"' EXIT

# ---- rooms ----
allowed() { case $1 in
  engine) echo engine ;; wal) echo wal engine ;; oltp) echo oltp wal engine ;;
  columnar|invidx|hnsw) echo "$1" engine ;; pipeline) echo engine wal oltp columnar invidx hnsw pipeline ;; esac; }
for room in engine wal oltp columnar invidx hnsw pipeline; do
  for inc in $(grep -hoE '^#include "[a-z]+/' $(find $room -name '*.[ch]') /dev/null | sed -E 's|.*"([a-z]+)/|\1|' | sort -u); do
    case " $(allowed $room) " in *" $inc "*) ;; *) echo "$room/ includes $inc/, against docs/architecture.md:"; grep -rn "#include \"$inc/" $room; bad=1 ;; esac
  done
done

# ---- sub-rooms: from the bottom up, each a name and the paths that belong to it (the first that fits counts) ----
cat >"$work/order" <<'END'
base      engine/base/
io        engine/io/
values    engine/values/
text      engine/text/
format    columnar/format/
table     columnar/table/
exec      columnar/exec/
sql       columnar/sql/
shop      pipeline/shop/
platform  pipeline/platform
stream    pipeline/stream/
relay     pipeline/relay/
import    pipeline/import/
relevance pipeline/relevance/
stores    pipeline/sinks/(warehouse|gold|search|vectors)/
list      pipeline/sinks/(sinks|open)\.
sinks     pipeline/sinks/
view      pipeline/view/
audit     pipeline/audit/
ask       pipeline/ask/
trust     pipeline/trust/
paper     pipeline/paper/
lab       pipeline/lab/
cli       pipeline/cli/
END
# ... and how high each stands. (sink.h is of sinks, below the stores; what it declares of the list is defined above them.)
ranks='base io values text format table exec sql shop platform stream relay import relevance sinks view audit stores list ask trust paper lab cli'

# What is known to point upwards, file by file: this list shrinks and never grows.
cat >"$work/known" <<'END'
END

check() { # WHAT: lines "file file [symbol]" on standard input; those that point upwards are printed
  awk -v ranks="$ranks" -v order="$work/order" -v known="$work/known" -v what="$1" '
    BEGIN { n = split(ranks, r, " "); for (i = 1; i <= n; i++) rank[r[i]] = i
            while ((getline line < order) > 0) { split(line, p, " "); names[++units] = p[1]; paths[units] = "^" p[2] }
            while ((getline line < known) > 0) { split(line, p, " "); excused[p[1] " " p[2]] = 1 } }
    function unit(path,   i) { for (i = 1; i <= units; i++) if (path ~ paths[i]) return names[i]; return "" }
    { a = unit($1); b = unit($2)
      if (a == "" || b == "" || a == b || substr($1, 1, index($1, "/")) != substr($2, 1, index($2, "/"))) next
      if (rank[b] > rank[a] && !(($1 " " $2) in excused)) { printf "%s %s %s of %s, which stands above it (%s < %s)%s\n", $1, what, $2, b, a, b, $3 == "" ? "" : ": " $3; wrong = 1 } }
    END { exit wrong }'
}
grep -rnoE '^#include "(engine|columnar|pipeline)/[^"]+"' engine columnar pipeline --include='*.[ch]' |
  sed -E 's/^([^:]+):[0-9]+:#include "([^"]+)"/\1 \2/' | check includes || bad=1
if [ -n "$build" ]; then
  for room in engine columnar pipeline; do
    for o in $(find "$build/obj/$room" -name '*.o'); do # one whose source is gone tells of the past
      c=${o#"$build/obj/"}; [ -f "${c%.o}.c" ] && echo "$o"
    done
  done | xargs nm -A | sed "s|^$build/obj/||" | awk '
    { file = $1; sub(/\.o:.*/, ".c", file); name = $NF; kind = $(NF - 1) }
    kind == "U" { needs[file SUBSEP name] = 1 }
    kind ~ /^[TDBRC]$/ { home[name] = file }
    END { for (k in needs) { split(k, p, SUBSEP); if (p[2] in home && home[p[2]] != p[1]) print p[1], home[p[2]], p[2] } }' |
    sort | check needs || bad=1
fi
[ $bad -eq 0 ] && echo "arrows: every include${build:+ and every symbol} points down, between rooms and within engine, columnar and pipeline"
exit $bad
