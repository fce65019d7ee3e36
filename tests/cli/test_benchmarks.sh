#!/bin/sh
# Goal:   docs/measured/benchmarks.md says what the committed results say, no more and no less.
# Method: the page is made again from bench/results and compared.
set -u
cd "$(dirname "$0")/../.." || exit 1
made=$(mktemp "${TMPDIR:-/tmp}/seam-benchmarks-XXXXXX")
trap 'rm -f "$made"' EXIT
names=$(sed -n 's/^RESULTS := //p' bench/common/results.mk)
# shellcheck disable=SC2086
sh bench/common/report.sh $names >"$made" || exit 1
if ! diff -u docs/measured/benchmarks.md "$made" | head -20 | grep . ; then
  for f in bench/results/*/*.tsv; do
    case $f in *.curves.tsv) continue ;; esac
    wrong=$(awk -F'\t' 'NR > 1 && NF != 16 { print FILENAME ": line " NR " has " NF " columns" }' "$f")
    [ -z "$wrong" ] || { echo "FAIL: $wrong"; exit 1; }
  done
  exit 0
fi
echo 'FAIL: docs/measured/benchmarks.md is stale: make results-page'
exit 1
