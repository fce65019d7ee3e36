#!/bin/sh
# The debugger's printers (tests/gdb/seam.py) say what the structs hold.
set -u
build=${BUILD:-build}
command -v gdb >/dev/null 2>&1 || { echo 'skipped: gdb is not installed (apt-get install gdb)'; exit 77; }
gdb -batch -ex 'python print(1)' 2>/dev/null | grep -q '^1$' || { echo 'skipped: this gdb has no Python'; exit 77; }
dir=$(mktemp -d "${TMPDIR:-/tmp}/seam-gdb-XXXXXX"); trap 'rm -rf "$dir"' EXIT
${CC:-cc} -std=c11 -D_GNU_SOURCE -g -O0 -I. tests/gdb/shapes.c "$build/libseam.a" -lm -pthread -o "$dir/shapes" 2>"$dir/cc" ||
  { echo 'skipped: the library of this build does not link without its sanitizer'; exit 77; }
gdb -batch -nx -ex 'source tests/gdb/seam.py' -ex 'break stop_here' -ex run -ex 'print *f' -ex 'print *bytes' -ex 'print *buf' \
  -ex 'print values[0]' -ex 'print values[1]' -ex 'print values[2]' -ex 'print *node' -ex 'print *postings' \
  -ex 'seam-page page' "$dir/shapes" >"$dir/out" 2>&1
grep -q 'Cannot\|ptrace: Operation not permitted' "$dir/out" && ! grep -q '\$1 = ' "$dir/out" &&
  { echo 'skipped: gdb may not trace programs here'; exit 77; }
bad=0
for want in 'SEAM_CORRUPT: rows/pages: 8192: page 1 is another' "5 bytes: 'words'" "4 bytes: 'kept'" '= null' '= int 42' \
  "text 'teapot'" 'node key 7 level 2, alive from LSN 64' 'postings of 300 documents, block 1 of 3 decoded' \
  'page 9 of file .*: leaf, level 0'; do
  grep -q "$want" "$dir/out" || { echo "FAIL: gdb does not print: $want"; bad=1; }
done
[ $bad -eq 0 ] || cat "$dir/out"
exit $bad
