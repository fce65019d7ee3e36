#!/bin/sh
# Runs the test programs and scripts given, JOBS (default: processors) at a time, and closes with a line
# of totals. A script or program that exits 77 is skipped. Logs: $BUILD/test-logs/. The programs that took
# longest last time start first, so that none is left running alone at the end.
set -u
build=${BUILD:-build}
logs=$build/test-logs
export BUILD="$build"
# A program that hangs is a failure, after TEST_TIMEOUT seconds (exit code 124).
limit=
command -v timeout >/dev/null 2>&1 && limit="timeout -k 5 ${TEST_TIMEOUT:-300}"

# One test: called by xargs below as `run.sh --one TEST`, so that a new one starts whenever one ends.
run_one() {
  name=$(echo "$1" | sed "s|^$build/||; s|^/||; s|/|.|g")
  log=$logs/$name.log
  start=$(date +%s)
  case $1 in *.sh) $limit sh "$1" >"$log" 2>&1 ;; *) $limit "$1" >"$log" 2>&1 ;; esac
  rc=$?
  took=$(( $(date +%s) - start ))
  sum=$(grep -E '^[0-9]+%: Checks: ' "$log" | tail -n 1)
  if [ -n "$sum" ]; then
    n=$(echo "$sum" | sed 's/.*Checks: \([0-9]*\).*/\1/')
    f=$(echo "$sum" | sed 's/.*Failures: \([0-9]*\).*/\1/')
    e=$(echo "$sum" | sed 's/.*Errors: \([0-9]*\).*/\1/')
    p=$((n - f - e)); b=$((f + e)); s=0
    [ $rc -ne 0 ] && [ $b -eq 0 ] && b=1
  elif [ $rc -eq 0 ]; then p=1 b=0 s=0
  elif [ $rc -eq 77 ]; then p=0 b=0 s=1
  else p=0 b=1 s=0; fi
  echo "$p $b $s $took $1" >"$logs/$name.count"
  # gathered first and printed at once, so that two tests' lines do not mix
  if [ $b -gt 0 ]; then report=$(printf 'FAIL  %s (%ss)\n' "$name" $took; tail -n 25 "$log" | sed 's/^/      /')
  elif [ $s -gt 0 ]; then report=$(printf 'skip  %s: %s\n' "$name" "$(tail -n 1 "$log")")
  else report=$(printf 'ok    %s (%s, %ss)\n' "$name" "$p" $took; grep -E '^skipped:' "$log" | sort -u | sed 's/^/      /'); fi
  printf '%s\n' "$report"
}

if [ "${1-}" = --one ]; then run_one "$2"; exit 0; fi
[ $# -eq 0 ] && { echo 'no tests'; exit 1; }
jobs=${JOBS:-$( (nproc || sysctl -n hw.ncpu || echo 2) 2>/dev/null | head -n 1)}
mkdir -p "$build"; touch "$build/test-times"
rm -rf "$logs"; mkdir -p "$logs"
for t in "$@"; do
  last=$(awk -v t="$t" '$2 == t {print $1}' "$build/test-times")
  echo "${last:-5} $t"
done | sort -rn | awk '{print $2}' | xargs -n 1 -P "$jobs" sh "$0" --one
cat "$logs"/*.count | awk '{print $4, $5}' | cat - "$build/test-times" | awk '!seen[$2]++' >"$logs/times"
mv "$logs/times" "$build/test-times"
cat "$logs"/*.count | awk -v want=$# '{p += $1; f += $2; s += $3; n++}
  END {f += want - n; printf "%d passed, %d failed, %d skipped\n", p, f, s; exit f > 0}'
