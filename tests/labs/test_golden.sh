#!/bin/sh
# Goal:   every lab plays exactly what its golden file says, and the lab sheets show what the program says.
# Method: tests/labs/golden/NAME.txt holds each lab's scenarios and traces: played again and compared; the sheets' outputs
#         are made again and compared. `make labs-update` writes both anew.
set -u
build=${BUILD:-build}
[ -x "$build/seam" ] || { echo "skipped: $build/seam is not built (make all)"; exit 77; }
case $build in *notrace*) echo 'skipped: this build has no trace'; exit 77 ;; esac
bad=0
for lab in $("$build/seam" lab </dev/null | awk 'NR > 1 {print $1}'); do
  g=tests/labs/golden/$lab.txt
  [ -f "$g" ] || { echo "FAIL: lab $lab has no $g (make labs-update)"; bad=1; continue; }
  grep -q "^\$ seam lab $lab " "$g" || { echo "FAIL: $g plays nothing of lab $lab"; bad=1; }
  BUILD=$build sh tests/labs/golden.sh "$g" | diff -u "$g" - >"$build/golden.diff" || {
    echo "FAIL: $g is stale (make labs-update, and look at the difference):"
    head -n 20 "$build/golden.diff"; bad=1; }
done
for g in tests/labs/golden/*.txt; do
  "$build/seam" lab </dev/null | grep -q "^$(basename "$g" .txt) " || { echo "FAIL: $g belongs to no lab"; bad=1; }
done
BUILD=$build sh docs/labs/update.sh --check || bad=1
exit $bad
