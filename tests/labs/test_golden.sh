#!/bin/sh
# Goal:   two labs are exactly what they were, and the lab sheets show what the program says.
# Method: the plays against tests/labs/golden/, and the sheets' outputs made again. `make labs-update` writes both anew.
set -u
build=${BUILD:-build}
[ -x "$build/seam" ] || { echo "skipped: $build/seam is not built (make all)"; exit 77; }
case $build in *notrace*) echo 'skipped: this build has no trace'; exit 77 ;; esac
bad=0
for g in tests/labs/golden/*.txt; do
  name=$(basename "$g" .txt)
  "$build/seam" lab "$name" --all --plain </dev/null | diff -u "$g" - >"$build/golden.diff" || {
    echo "FAIL: seam lab $name --all --plain is no longer $g (make labs-update, and look at the difference):"
    head -n 20 "$build/golden.diff"; bad=1; }
done
BUILD=$build sh docs/labs/update.sh --check || bad=1
exit $bad
