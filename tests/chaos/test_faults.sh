#!/bin/sh
# Goal:   what is shipped cannot be told to lose anything; the program that can says so when it is.
# Method: SEAM_FAULT with both, one delete, and reconciliation as the judge.
set -u
. "$(dirname "$0")/../common/expect.sh"
chaos=$seam-chaos
[ -x "$chaos" ] || { echo "skipped: $chaos is not built (make tests)"; exit 77; }
SEAM_FAULT=search:drop-deletes; export SEAM_FAULT

expect 0 'an empty platform' "$seam" init "$p"
expect 0 '20 orders' "$seam" generate "$p" --orders 20
expect 0 'running the relay' "$seam" run "$p" --until-caught-up
expect 0 'committed 1 change' "$seam" del "$p" products 101
expect 0 'running the relay' "$seam" run "$p" --until-caught-up
grep -q 'planted' "$dir/out" && { echo 'FAIL: the release program speaks of faults'; bad=$((bad + 1)); }
expect 0 'differ' "$seam" check "$p" reconcile

expect 0 'committed 1 change' "$chaos" del "$p" products 102
expect 0 'a fault is planted: search:drop-deletes' "$chaos" run "$p" --until-caught-up
expect 1 'search products 102: extra' "$seam" check "$p" reconcile

# the same sinks, by the same names
expect 0 "$("$seam" sink --list)" "$chaos" sink --list
nm "$seam" 2>/dev/null | grep -q 'chaos_' && { echo 'FAIL: the release program has the chaos tests in it'; bad=$((bad + 1)); }

echo "$checks checks of planted faults, $bad failed"
[ $bad -eq 0 ]
