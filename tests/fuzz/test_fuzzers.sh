#!/bin/sh
# Every fuzzer, shortly: FUZZ_RUNS (1000) seeded mutations of its own samples, from the seed it is
# told (SEED=...). The long runs are `make fuzz CC=clang SAN=fuzzer-no-link,address,undefined`.
set -u
build=${BUILD:-build}
runs=${FUZZ_RUNS:-1000} seed=${SEED:-20261124} failed=0 count=0
for f in "$build"/fuzz/fuzz_*; do
  [ -x "$f" ] || continue
  count=$((count + 1))
  if ! "$f" "$runs" "$seed"; then echo "FAILED: $f $runs $seed"; failed=1; fi
done
[ $count -eq 0 ] && { echo 'no fuzzers are built (make fuzz)'; exit 77; }
exit $failed
