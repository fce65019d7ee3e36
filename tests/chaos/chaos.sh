#!/usr/bin/env bash
# Goal:   whatever breaks, nothing is lost, repeated or reordered; what a store got wrong is found, named and mended.
# Method: each scenario breaks one thing on a platform that works, asserts its invariants, and leaves a dossier (JSON and
#         text) with seed, fault, first detector, drift, repair and times.
# usage:  chaos.sh SEAM OUT [SCENARIO...]       environment: SEED, ROUNDS (kills of the relay). SEAM-chaos, which plants the faults
#         that SEAM_FAULT names (tests/chaos/faults.h), lies beside SEAM
set -u
seam=$1 out=$2; shift 2
SEED=${SEED:-1} ROUNDS=${ROUNDS:-100}
RANDOM=$SEED
mkdir -p "$out"
parts=() failed=0 D= name=
mapfile -t sinks < <("$seam" sink --list)

# ---- running things ----
seam() { timeout 60 "$seam${SEAM_FAULT:+-chaos}" "$@"; }
now_ms() { echo $(( $(date +%s%N) / 1000000 )); }
nap() { sleep "$(printf '0.%03d' $((RANDOM % $1)))"; }
part() { # NAME [FAULT]: the relay or a sink in the background; its pid in $started
    local what=$1 fault=${2:-}
    if [ "$what" = relay ]; then set -- relay "$D"; else set -- sink "$D" "$what"; fi
    SEAM_FAULT=$fault "$seam${fault:+-chaos}" "$@" --quiet >>"$D.log" 2>&1 &
    started=$!
    parts+=("$started")
}
all_parts() { local p; for p in relay "${sinks[@]}"; do part "$p" "${1:-}"; done; }
sinks_but() { # NAME|"": every sink, without this one
    local p; for p in "${sinks[@]}"; do [ "$p" = "$1" ] || part "$p"; done
}
stop_parts() { for p in "${parts[@]}"; do kill "${1:--TERM}" "$p" 2>/dev/null; done; for p in "${parts[@]}"; do wait "$p" 2>/dev/null; done; parts=(); }
trap 'stop_parts -KILL' EXIT
platform() { # NAME ORDERS [init's options]
    name=$1 D=$out/$1; stop_parts -KILL
    rm -rf "$D" "$D".*
    seam init "$D" -q "${@:3}" && seam generate "$D" --orders "$2" --seed "$SEED" -q || fail "no platform"
}
load() { ( "$seam" generate "$D" --no-catalogue --orders "$1" --seed "$((SEED + RANDOM))" -q >>"$D.log" 2>&1 ) & writer=$!; }
converge() { stop_parts -KILL; seam run "$D" --until-caught-up -q >>"$D.log" 2>&1 || fail "the platform does not converge: $(tail -2 "$D.log")"; }

# ---- saying what happened ----
notes=()
note() { notes+=("$1" "$2"); }
fail() { echo "FAILED $name: $*"; failed=$((failed + 1)); note failure "$*"; }
begin_notes() { notes=(); t0=$(now_ms); }
dossier() { # TITLE
    local json="$D.dossier.json" text="$D.dossier.txt" i
    note milliseconds $(( $(now_ms) - t0 ))
    { echo "$1"; echo "seed $SEED"; for ((i = 0; i < ${#notes[@]}; i += 2)); do printf '%-22s %s\n' "${notes[i]}" "${notes[i+1]}"; done; } >"$text"
    { printf '{"scenario":"%s","title":"%s","seed":%d' "$name" "$1" "$SEED"
      for ((i = 0; i < ${#notes[@]}; i += 2)); do printf ',"%s":"%s"' "${notes[i]}" "$(printf %s "${notes[i+1]}" | tr '\n"\\' "  /")"; done; echo '}'; } >"$json"
    printf '%-20s %6d ms  %s\n' "$name" "${notes[-1]}" "$1"
}
clean() { # every rule, every store, one LSN
    seam check "$D" contracts >"$D.contracts.txt" 2>&1 || fail "contracts: $(tail -3 "$D.contracts.txt" | tr '\n' ' ')"
    seam check "$D" reconcile -q >"$D.reconcile.txt" 2>&1 || fail "drift: $(grep -v ' 0$' "$D.reconcile.txt" | head -3 | tr '\n' ' ')"
    local odd
    odd=$(seam sql "$D" "SELECT count(*) - count(DISTINCT stream_offset) AS twice FROM bronze_changes" --format csv -q | tail -1)
    [ "$odd" = 0 ] || fail "$odd events are in bronze twice"
    note verified "$(tail -1 "$D.contracts.txt"); $(tail -1 "$D.reconcile.txt")"
}
expect() { # WANTED-CODE WHAT command...
    local wanted=$1 what=$2 code; shift 2
    "$@" >"$D.expect.txt" 2>&1; code=$?
    [ "$code" = "$wanted" ] || fail "$what: exit $code, not $wanted: $(tail -2 "$D.expect.txt" | tr '\n' ' ')"
}

found() { # WORDS ID [KEPT-AS]: does a search for the words answer with this product?
    seam search "$D" "$1" --mode bm25 >"$D.${3:-found}.txt" 2>&1
    grep -qE "^[0-9]+ +[0-9.]+ +$2 " "$D.${3:-found}.txt"
}

# ---- the scenarios ----
relay_kills() {
    platform relay_kills 200; begin_notes
    sinks_but ""
    load $((ROUNDS * 60))
    local k; for ((k = 0; k < ROUNDS; k++)); do
        part relay; nap 30; kill -KILL "$started" 2>/dev/null; wait "$started" 2>/dev/null; unset 'parts[-1]'
    done
    wait "$writer" || fail "the writer failed"
    note kills "$ROUNDS"; converge; clean
    note events "$(seam sql "$D" "SELECT count(*) AS n FROM bronze_changes" --format csv -q | tail -1)"
    dossier "the relay is killed mid-batch, at random instants, under load"
}
sink_kills() {
    platform sink_kills 200; begin_notes
    declare -A pid; local names=(relay "${sinks[@]}") k p n=$((ROUNDS / 4))
    for p in "${names[@]}"; do part "$p"; pid[$p]=$started; done
    load $((n * 120))
    for ((k = 0; k < n; k++)); do
        nap 60; p=${names[$((1 + RANDOM % ${#sinks[@]}))]}
        kill -KILL "${pid[$p]}" 2>/dev/null; wait "${pid[$p]}" 2>/dev/null; part "$p"; pid[$p]=$started
    done
    for ((k = 0; k < 5; k++)); do # all together
        nap 200; stop_parts -KILL; for p in "${names[@]}"; do part "$p"; pid[$p]=$started; done
    done
    wait "$writer" || fail "the writer failed"
    note kills "$n, and 5 times all of them"; converge; clean
    dossier "sinks are killed mid-apply, one by one and all together"
}
deleted_searchable() {
    platform deleted_searchable 100; begin_notes
    seam run "$D" --until-caught-up -q
    part relay; sinks_but search
    part search search:drop-deletes; local search=$started lsn t
    note fault "SEAM_FAULT=search:drop-deletes"
    lsn=$(seam del "$D" products 101 --json | grep -oE '"lsn":[0-9]+' | cut -d: -f2)
    note deleted "product 101 at LSN $lsn"
    sleep 0.3; t=$(now_ms)
    found "cordless kettle" 101 still || fail "the fault did not show"
    note drift "search still answers: $(grep -E '^[0-9]+ +[0-9.]+ +101 ' "$D.still.txt")"
    expect 1 "reconcile sees it" seam check "$D" reconcile -q
    note detector "seam check reconcile, $(( $(now_ms) - t )) ms"
    note verdict "$(grep -A2 '^search products 101' "$D.expect.txt" | tr '\n' ' ')"
    grep -q '^search products 101: extra' "$D.expect.txt" || fail "no verdict for product 101"
    kill "$search"; wait "$search" 2>/dev/null; part search; t=$(now_ms)
    expect 0 "repair" seam check "$D" reconcile --repair -q --report "$D.repair.json"
    note repair "$(grep '^repair' "$D.expect.txt"), $(( $(now_ms) - t )) ms"
    found "cordless kettle" 101 after && fail "still found after the repair"
    note search_after "clean"; converge; clean
    dossier "a deleted product is still searchable"
}
stalled_feed() {
    platform stalled_feed 50; begin_notes
    seam run "$D" --until-caught-up -q; all_parts; sleep 1
    expect 0 "fresh before" seam check "$D" freshness
    local relay=${parts[0]} t code
    kill -STOP "$relay"; note fault "the relay is stopped (SIGSTOP)"; t=$(now_ms)
    seam put "$D" products '{"product_id":102,"stock":4}' -q
    expect 0 "waiting is not yet late" seam check "$D" freshness
    while code=0; seam check "$D" freshness >"$D.late.txt" 2>&1 || code=$?; [ $code = 0 ] && [ $(( $(now_ms) - t )) -lt 20000 ]; do sleep 0.25; done
    [ $code = 7 ] || fail "freshness ended with $code, not 7"
    grep -q '^source-stream is the first seam behind' "$D.late.txt" || fail "the wrong seam: $(tail -1 "$D.late.txt")"
    note detector "seam check freshness after $(( $(now_ms) - t )) ms (promised: 10 s)"
    note located "$(tail -1 "$D.late.txt")"; t=$(now_ms)
    kill -CONT "$relay"
    while ! seam check "$D" freshness -q >/dev/null 2>&1 && [ $(( $(now_ms) - t )) -lt 10000 ]; do sleep 0.1; done
    note recovered "after $(( $(now_ms) - t )) ms"
    sleep 0.3; expect 0 "fresh after" seam check "$D" freshness
    converge; clean
    dossier "a stalled feed"
}
deliveries() {
    platform deliveries 50; begin_notes
    local all=; for p in warehouse view search vectors audit; do all+="$p:duplicate,$p:withhold,"; done
    note fault "every event twice; one in 5,000 withheld"
    load 3000; all_parts "$all"; wait "$writer" || fail "the writer failed"; sleep 1
    note refused "$(grep -c 'delivered before event' "$D.log") batches"
    converge; clean
    dossier "duplicated and reordered deliveries"
}
corrupt_segment() {
    platform corrupt_segment 200; begin_notes
    seam run "$D" --until-caught-up -q; local file at
    seam generate "$D" --no-catalogue --orders 200 --seed 9 -q; seam relay "$D" --until-caught-up -q
    file=$(ls "$D"/stream/*.seg | head -1)
    at=$(grep -abo 'OrderPlaced' "$file" | tail -1 | cut -d: -f1)
    printf '\xff\xff\xff\xff' | dd of="$file" bs=1 seek="$at" conv=notrunc status=none
    note fault "4 bytes of $(basename "$file") overwritten at byte $at"
    seam sink "$D" warehouse --until-caught-up -q >"$D.expect.txt" 2>&1; local code=$?
    [ $code = 4 ] || fail "exit $code on a damaged stream"
    note detector "$(tail -1 "$D.expect.txt")"
    rm -rf "$D/stream"; mkdir "$D/stream"; note repair "the stream is made again from the log"
    converge; clean
    dossier "a corrupted stream segment"
}
no_room() { # KIB OUTPUT command...: as on a disk on which no file may grow beyond so much
    local kib=$1 to=$2; shift 2
    ( trap '' XFSZ; ulimit -f "$kib"; exec timeout 60 "$seam" "$@" ) >"$to" 2>&1
}
full_error() { # FILE WHO CODE: what was said is an error of the disk that names a file
    grep -qiE 'too large|no space|cannot write' "$1" || fail "$2: exit $3 says $(tail -1 "$1")"
}
disk_full() {
    platform disk_full 50; begin_notes
    seam run "$D" --until-caught-up -q; seam generate "$D" --no-catalogue --orders 3000 --seed 5 -q; seam relay "$D" --until-caught-up -q
    local p code full=()
    for p in warehouse view search vectors audit gold; do # gold is fed by the warehouse, which by then has room again
        [ $p = gold ] && { seam sink "$D" warehouse --until-caught-up -q || fail "the warehouse does not go on"; }
        no_room 40 "$D.full.$p.txt" sink "$D" "$p" --until-caught-up -q; code=$?
        [ $code = 0 ] && continue
        full+=("$p"); [ $code = 5 ] || fail "$p: exit $code, not 5"
        full_error "$D.full.$p.txt" "$p" $code
    done
    note fault "no file may grow beyond 40 KiB: stopped with an error: ${full[*]}"
    note example "$(tail -1 "$D.full.${full[0]:-view}.txt")"
    for p in warehouse view vectors audit gold; do [[ " ${full[*]} " = *" $p "* ]] || fail "$p did not notice the full disk"; done
    converge; clean
    expect 0 "every checksum" seam verify "$D"
    dossier "disk full in each sink's store"
}
put_one() { # K: a row of its own, written durably
    printf '{"product_id":%d,"sku":"FULL-%d","title":"row %d","description":"%01000d","price":"1","stock":%d,"version":1}' $((9000 + $1)) "$1" "$1" 0 "$1"
}
disk_full_source() {
    small_log_shop; platform disk_full_source 100 --shop "$out/small_log.json"; begin_notes
    seam run "$D" --until-caught-up -q
    local k code acked=() size durable
    durable() { seam status "$D" --json | grep -oE '"durable_lsn":[0-9]+' | cut -d: -f2; }
    # the log: writes until one is refused; beginning low in a segment, so that some are not
    for ((k = 1; k < 300; k++)); do [ $(( $(durable) % 65536 )) -lt 20000 ] && break; seam put "$D" products "$(put_one $k)" -q; acked+=($k); done
    for ((; k < 600; k++)); do
        no_room 40 "$D.full.log.txt" put "$D" products "$(put_one $k)" -q; code=$?
        [ $code = 0 ] || break
        acked+=($k)
    done
    [ $code = 5 ] || fail "the log: exit $code, not 5"
    full_error "$D.full.log.txt" log $code
    note log "${#acked[@]} writes acknowledged, the next refused: $(tail -1 "$D.full.log.txt")"
    expect 0 "the log is unharmed" seam verify "$D"
    expect 3 "what was refused is not there" seam get "$D" products $((9000 + k))
    for k in "${acked[@]}"; do seam get "$D" products $((9000 + k)) >/dev/null || fail "an acknowledged write is lost: $k"; done
    expect 0 "room again" seam put "$D" products "$(put_one 700)" -q
    # the row store: a checkpoint that the pages have no room for; the log has what was acknowledged
    size=$(( $(stat -c %s "$D/oltp/pages") / 1024 ))
    no_room $((size + 8)) "$D.full.rows.txt" generate "$D" --no-catalogue --orders 2000 --seed 3 -q; code=$?
    [ $code = 5 ] || fail "the row store: exit $code, not 5"
    full_error "$D.full.rows.txt" "row store" $code
    note row_store "no page beyond $((size + 8)) KiB: $(tail -1 "$D.full.rows.txt")"
    expect 0 "the row store is unharmed" seam verify "$D"
    expect 0 "and has the write of before" seam get "$D" products 9700
    expect 0 "room again" seam generate "$D" --no-catalogue --orders 50 --seed 4 -q
    # the stream: the relay stops; where it stood it goes on
    no_room 160 "$D.full.stream.txt" relay "$D" --until-caught-up -q; code=$?
    [ $code = 5 ] || fail "the stream: exit $code, not 5"
    full_error "$D.full.stream.txt" stream $code
    note stream "the relay: $(tail -1 "$D.full.stream.txt")"
    expect 0 "the stream is unharmed" seam verify "$D"
    seam relay "$D" --until-caught-up -q >"$D.expect.txt" 2>&1; code=$?
    [ $code = 7 ] && { note bootstrap "the log was recycled meanwhile"; expect 0 "bootstrap" seam bootstrap "$D" -q; }
    converge; clean
    dossier "disk full under the row store, the log and the stream"
}
poison() {
    platform poison 20; begin_notes
    part relay; sinks_but search
    part search search:poison; sleep 1; seam put "$D" products '{"product_id":103,"stock":77}' -q; sleep 0.3
    note fault "SEAM_FAULT=search:poison"
    local n; n=$(seam dlq "$D" list | tail -1 | cut -d' ' -f1)
    [ "${n:-0}" -gt 0 ] || fail "no dead letters"
    note dead_letters "$n; the sink went on"; note example "$(seam dlq "$D" list --json | head -1)"
    kill "$started"; wait "$started" 2>/dev/null; part search
    expect 1 "the drift is seen" seam check "$D" reconcile -q
    note repair "$(seam dlq "$D" retry)"
    sleep 0.5; converge; clean
    dossier "poison events"
}

live_reconcile() {
    platform live_reconcile 200; begin_notes
    seam run "$D" --until-caught-up -q; all_parts; load 6000
    local k n=0 from to
    from=$(seam status "$D" --json | grep -oE '"durable_lsn":[0-9]+' | cut -d: -f2)
    for ((k = 0; k < 5; k++)); do
        seam check "$D" reconcile -q >"$D.live.$k.txt" 2>&1 || fail "a false alarm: $(grep -E 'differ$|: (extra|missing|stale|corrupt)' "$D.live.$k.txt" | grep -v ' 0 differ' | head -2 | tr '\n' ' ')"
        n=$((n + 1))
    done
    wait "$writer" || fail "the writer failed"
    to=$(seam status "$D" --json | grep -oE '"durable_lsn":[0-9]+' | cut -d: -f2)
    note reconciled "$n times while the log grew from LSN $from to $to: no false alarm"
    [ "$to" -gt "$from" ] || fail "nothing was written meanwhile"
    converge; clean
    dossier "reconciliation while writes go on"
}

clock_back() {
    platform clock_back 50; begin_notes
    local past=clock:back=3600/0 before lsn t code relay
    seam run "$D" --until-caught-up -q; all_parts clock:back=3600/1500; relay=${parts[0]}
    seam put "$D" products '{"product_id":102,"stock":1}' -q; sleep 0.3; before=$(date -u +%FT%T.%6NZ)
    expect 0 "fresh before" seam check "$D" freshness
    note fault "the wall clocks of the relay and of every sink step back an hour while they run, and so does the writer's"
    sleep 1.6 # each has stepped by now; from here on all of the machine's clocks say so
    export SEAM_FAULT=$past
    expect 0 "fresh right after the step" seam check "$D" freshness
    lsn=$(seam put "$D" products '{"product_id":102,"stock":2,"title":"Quillon Kettle"}' --json | grep -oE '"lsn":[0-9]+' | cut -d: -f2)
    t=$(now_ms); expect 0 "what is written after it arrives" seam search "$D" quillon --mode bm25 --at-least "$lsn"
    note visible "a write under the old hour was searchable after $(( $(now_ms) - t )) ms"
    sleep 1.2; expect 0 "heartbeats go on" seam check "$D" freshness
    seam sql "$D" "SELECT count(*) AS n FROM silver_products AS OF LSN $lsn" -q >/dev/null || fail "AS OF that LSN is not answered"
    seam get "$D" products 102 --as-of "$before" >"$D.asof.txt" || fail "AS OF a time before the step is not answered"
    grep -qE '"stock":[12][,}]' "$D.asof.txt" || fail "AS OF $before is no state there ever was: $(cat "$D.asof.txt")"
    note as_of_time "AS OF $before (before the step): $(grep -oE '"stock":[0-9]+' "$D.asof.txt"); by LSN exact"
    kill -STOP "$relay"; t=$(now_ms); seam put "$D" products '{"product_id":102,"stock":3}' -q
    while code=0; seam check "$D" freshness >"$D.late.txt" 2>&1 || code=$?; [ $code = 0 ] && [ $(( $(now_ms) - t )) -lt 20000 ]; do sleep 0.25; done
    [ $code = 7 ] || fail "a stalled feed goes unnoticed under the old hour: $(tail -1 "$D.late.txt")"
    note detector "a stalled relay is noticed all the same, after $(( $(now_ms) - t )) ms: $(tail -1 "$D.late.txt")"
    kill -CONT "$relay"; unset SEAM_FAULT
    converge; note recovered "the right hour again: everything caught up"
    expect 0 "fresh after" seam check "$D" freshness
    clean
    dossier "clocks step back an hour"
}
small_log_shop() { # the shipped shop, with a log of small segments of which the slot may hold back few
    sed '0,/{/s//{"log":{"segment_bytes":65536,"relay_bound_bytes":131072},/' pipeline/shop/shop.json >"$out/small_log.json"
}
slot_invalidated() {
    small_log_shop; platform slot_invalidated 200 --shop "$out/small_log.json"; begin_notes
    seam run "$D" --until-caught-up -q
    local k t deleted code
    deleted=$(seam del "$D" products 101 --json | grep -oE '"lsn":[0-9]+' | cut -d: -f2)
    seam put "$D" products '{"product_id":102,"stock":4,"title":"Quillon Kettle"}' -q
    for ((k = 1; k <= 10; k++)); do # ten checkpoints: what the eight kept ones hold back is past, too
        seam generate "$D" --no-catalogue --orders 60 --seed "$((SEED + k))" -q || fail "the writer failed"
    done
    note fault "the relay is away while product 101 is deleted (LSN $deleted), 102 renamed and 600 orders come; the log is recycled"
    note slot "$(seam doctor "$D" | grep -oE 'invalidated: [^;]*')"
    t=$(now_ms); expect 7 "the relay says that it is stale" seam relay "$D" --until-caught-up -q
    grep -q "seam bootstrap $D" "$D.expect.txt" || fail "the way out is not named: $(tail -1 "$D.expect.txt")"
    note detector "seam relay: $(tail -1 "$D.expect.txt" | cut -c1-400)"
    expect 7 "seam run gives up at once" seam run "$D" -q
    expect 7 "freshness is broken" seam check "$D" freshness
    found "cordless kettle" 101 || fail "the deleted product should still be found"
    note drift "search still answers: $(grep -E '^[0-9]+ +[0-9.]+ +101 ' "$D.found.txt")"
    sinks_but ""
    load 300; for ((k = 0; k < ${ROUNDS:-100} / 5; k++)); do # killed again and again, while orders come in
        timeout -s KILL "$(printf '0.%03d' $((1 + RANDOM % 15)))" "$seam" bootstrap "$D" -q >>"$D.log" 2>&1
    done 2>/dev/null
    wait "$writer" || fail "the writer failed"
    t=$(now_ms); expect 0 "bootstrap" seam bootstrap "$D"
    note repair "$(grep -v '^next' "$D.expect.txt" | tr '\n' ' ')($(( $(now_ms) - t )) ms, after $((${ROUNDS:-100} / 5)) that were killed)"
    converge; clean
    found "cordless kettle" 101 && fail "the deleted product is still found"
    found "quillon" 102 || fail "the renamed product is not found"
    note search_after "101 is gone, 102 has its new name"
    expect 0 "the audit proves what there is" seam audit "$D" prove
    grep -q 'NOT THE WHOLE HISTORY' "$D.expect.txt" || fail "the audit keeps silent about the gap"
    note audit "$(grep -A1 'NOT THE WHOLE' "$D.expect.txt" | tr '\n' ' ')"
    expect 0 "every checksum" seam verify "$D"
    dossier "the relay's slot is invalidated: bootstrap"
}

scenarios=("$@"); [ $# -gt 0 ] || scenarios=(relay_kills sink_kills deleted_searchable stalled_feed deliveries corrupt_segment disk_full disk_full_source poison live_reconcile slot_invalidated clock_back)
for s in "${scenarios[@]}"; do "$s"; done
[ $failed = 0 ] && echo "chaos: ${#scenarios[@]} scenarios, seed $SEED: every invariant held; dossiers in $out" || echo "chaos: $failed FAILURES, seed $SEED: see $out"
[ $failed = 0 ]
