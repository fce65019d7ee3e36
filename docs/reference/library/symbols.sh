#!/bin/sh
# symbols.sh OUT DOOR... -- ARCHIVE...: the functions that the doors declare, sorted, into OUT. Each must be
# defined in one of the archives: a door that promises what nobody keeps is an error here, not at a stranger's link.
set -eu
out=$1
shift
doors=
while [ "$1" != -- ]; do doors="$doors $1"; shift; done
shift
for h in $doors; do printf '#include "%s"\n' "$h"; done >"$out.c"
${CC:-cc} -std=c11 -I. -E -dD "$out.c" |
  awk -v want='^(engine|wal|oltp|columnar|invidx|hnsw|pipeline)/' -f docs/reference/library/names.awk |
  awk '$1 == "function" || $1 == "object" {print $3, $2}' | sort -u >"$out.declared"
nm -g --defined-only "$@" | awk 'NF == 3 {print $3}' | sort -u >"$out.defined"
awk 'NR == FNR {defined[$1] = 1; next} !($1 in defined) {print $2 " declares " $1 ", which nobody defines"; bad = 1} END {exit bad}' \
  "$out.defined" "$out.declared" >&2
cut -d' ' -f1 "$out.declared" >"$out"
rm -f "$out.c" "$out.declared" "$out.defined"
