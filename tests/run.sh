#!/bin/sh
# Runs the test programs and scripts given, JOBS (default: processors) at a time, and closes with a line
# of totals. A script or program that exits 77 is skipped. Logs: $BUILD/test-logs/.
set -u
build=${BUILD:-build}
logs=$build/test-logs
rm -rf "$logs"; mkdir -p "$logs"
jobs=${JOBS:-$( (nproc || sysctl -n hw.ncpu || echo 2) 2>/dev/null | head -n 1)}
export BUILD="$build"
run_one() {
  name=$(echo "$1" | sed "s|^$build/||; s|/|.|g")
  log=$logs/$name.log
  start=$(date +%s)
  case $1 in *.sh) sh "$1" >"$log" 2>&1 ;; *) "$1" >"$log" 2>&1 ;; esac
  rc=$?
  took=$(( $(date +%s) - start ))
  sum=$(grep -E '^[0-9]+%: Checks: ' "$log" | tail -n 1)
  if [ -n "$sum" ]; then
    n=$(echo "$sum" | sed 's/.*Checks: \([0-9]*\).*/\1/'); f=$(echo "$sum" | sed 's/.*Failures: \([0-9]*\).*/\1/'); e=$(echo "$sum" | sed 's/.*Errors: \([0-9]*\).*/\1/')
    p=$((n - f - e)); b=$((f + e)); s=0
    [ $rc -ne 0 ] && [ $b -eq 0 ] && b=1
  elif [ $rc -eq 0 ]; then p=1 b=0 s=0
  elif [ $rc -eq 77 ]; then p=0 b=0 s=1
  else p=0 b=1 s=0; fi
  echo "$p $b $s" >"$logs/$name.count"
  if [ $b -gt 0 ]; then printf 'FAIL  %s (%ss)\n' "$name" $took; tail -n 25 "$log" | sed 's/^/      /'
  elif [ $s -gt 0 ]; then printf 'skip  %s: %s\n' "$name" "$(tail -n 1 "$log")"
  else printf 'ok    %s (%s, %ss)\n' "$name" "$p" $took; grep -E '^skipped:' "$log" | sort -u | sed 's/^/      /'; fi
}
running=0
for t in "$@"; do
  run_one "$t" &
  running=$((running + 1))
  if [ $running -ge "$jobs" ]; then wait; running=0; fi
done
wait
[ $# -eq 0 ] && { echo 'no tests'; exit 1; }
cat "$logs"/*.count | awk '{p += $1; f += $2; s += $3} END {printf "%d passed, %d failed, %d skipped\n", p, f, s; exit f > 0}'
