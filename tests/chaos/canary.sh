#!/usr/bin/env bash
# Goal:   the gate passes when every seam keeps its promise, and fails when one does not.
# Method: seeded canary data goes through the whole platform; contracts, freshness, reconciliation, views and gold against
#         their queries, and the search's answers are checked. Then one undeclared staleness and one unrepaired drift are
#         injected, and the gate must fail on each; repaired, it must pass again.
# usage:  canary.sh SEAM DIR          environment: SEED; SEAM-chaos, which plants faults, lies beside SEAM
set -u
seam=$1 D=$2/platform; SEED=${SEED:-1}
bad=0
mkdir -p "$2"; rm -rf "$D" "$D".*
parts=()
trap 'for p in "${parts[@]}"; do kill -KILL "$p" 2>/dev/null; done' EXIT
say() { printf '%-34s %s\n' "$1" "$2"; }
seam() { timeout 60 "$seam" "$@"; }
part() { # NAME [FAULT]: a fault needs the program that plants one
    if [ "$1" = relay ]; then "$seam" relay "$D" -q >>"$D.log" 2>&1 & else SEAM_FAULT=${2:-} "$seam${2:+-chaos}" sink "$D" "$1" -q >>"$D.log" 2>&1 & fi
    started=$!; parts+=("$started")
}
stop() { kill -TERM "$1" 2>/dev/null; wait "$1" 2>/dev/null; }
gate() { # every check; names the first that fails
    local what
    for what in contracts freshness reconcile recall; do
        seam check "$D" "$what" -q >"$D.gate.txt" 2>&1 || { gate_said="$what: $(grep -E 'first seam behind|^[a-z]+ [a-z_]+ .*: (extra|missing|stale|corrupt|duplicated) |[1-9][0-9]* (broken|differ)$' "$D.gate.txt" | head -1)"; return 1; }
    done
    seam verify "$D" >"$D.gate.txt" 2>&1 || { gate_said="verify: $(tail -1 "$D.gate.txt")"; return 1; }
    seam search "$D" "cordless kettle" --mode bm25 -q >"$D.gate.txt" 2>&1 && grep -qE '^1 +[0-9.]+ +101 ' "$D.gate.txt" ||
        { gate_said="search: the canary query does not find the canary"; return 1; }
    gate_said=passed
}
must() { # pass|fail WHAT [PATTERN]
    gate; local code=$?
    if { [ "$1" = pass ] && [ $code = 0 ]; } || { [ "$1" = fail ] && [ $code != 0 ] && [[ $gate_said =~ $3 ]]; }; then
        say "$2" "the gate says $1, as it should: $gate_said"
    else
        say "$2" "WRONG: the gate should $1, it said: $gate_said"; bad=1
    fi
}
seam init "$D" -q && seam generate "$D" --orders 2000 --seed "$SEED" -q || exit 1
part relay; relay=$started
for p in $("$seam" sink --list); do [ "$p" = search ] || part "$p"; done
part search; search=$started
for ((i = 0; i < 200; i++)); do # until all has arrived
    seam status "$D" --json | grep -qE '"applied_lsn":null|"lag_bytes":[1-9]|"lag_bytes":null' || break; sleep 0.1
done
must pass "seeded data, everything running"
kill -STOP "$relay"; seam put "$D" products '{"product_id":102,"stock":7}' -q
sleep 10.6
must fail "an undeclared staleness (relay)" "freshness: source-stream is the first"
kill -CONT "$relay"; sleep 0.7
must pass "the feed goes on"
stop "$search"; part search search:drop-deletes; search=$started
seam del "$D" products 103 -q; sleep 0.5
must fail "an unrepaired drift (lost delete)" "reconcile: search products 103: extra"
stop "$search"; part search
seam check "$D" reconcile --repair -q >"$D.repair.txt" 2>&1 || bad=1
must pass "repaired"
[ $bad = 0 ] && echo "canary: the gate passes and fails exactly when it must" || echo "canary: FAILED, see $D.*"
exit $bad
