#!/usr/bin/env bash
# Makes docs/measured/evidence/*.txt (chaos 1, 3, 4) and docs/measured/lineage-walk.md from real runs; paths are written as DIR and SEAM.
# usage: evidence.sh SEAM OUT        environment: SEED
set -u
seam=$1 out=$2; SEED=${SEED:-1}
here=docs/measured/evidence
mkdir -p "$here" "$out"
clean() { sed -e "s#$out/[a-z_]*#DIR#g; s#$seam#seam#g; s#/[^ ]*/docs#docs#g" -e 's/[0-9a-f]\{32\}/ID/g'; }
transcript() { # NAME SCENARIO FILES...
    local to=$here/$1.txt scenario=$2 f; shift 2
    { echo "\$ make chaos SEED=$SEED CHAOS=$scenario"
      SEED=$SEED ROUNDS=200 bash tests/chaos/chaos.sh "$seam" "$out" "$scenario" || exit 1
      echo; echo "-- the dossier"; cat "$out/$scenario.dossier.txt"
      for f in "$@"; do [ -f "$out/$scenario.$f" ] && { echo; echo "-- $f"; cat "$out/$scenario.$f"; }; done; } 2>&1 | clean >"$to"
    grep -q 'every invariant held' "$to" || { echo "evidence: $scenario failed, see $to"; exit 1; }
    echo "$to"
}
transcript relay-killed relay_kills contracts.txt reconcile.txt
transcript deleted-but-searchable deleted_searchable still.txt after.txt repair.json
transcript stalled-feed stalled_feed late.txt expect.txt

# ---- a million rows, three differences (only with MILLION=1: it takes half a minute) ----
if [ "${MILLION:-}" = 1 ]; then
    D=$out/million; rm -rf "$D"
    {
        echo "\$ MILLION=1 make evidence     # 380,000 orders; the warehouse loses three deletes of order lines"
        "$seam" init "$D" -q && "$seam" generate "$D" --orders 380000 --seed "$SEED" -q && "$seam" relay "$D" --until-caught-up -q
        echo "making silver from the stream, for comparison:"; t=$(date +%s%N)
        "$seam" sink "$D" warehouse --until-caught-up
        echo "$(( ($(date +%s%N) - t) / 1000000 )) ms"; echo
        for o in 1000 200000 379999; do "$seam" del "$D" order_lines $o 1; done
        "$seam" relay "$D" --until-caught-up -q; SEAM_FAULT=warehouse:drop-deletes "$seam-chaos" sink "$D" warehouse --until-caught-up -q
        "$seam" check "$D" reconcile -q; true
    } 2>&1 | grep -vE '^(view|search|vectors) |^(view|gold) ' | clean >$here/reconcile-million.txt
    grep -qE '^warehouse +order_lines.* 3$' $here/reconcile-million.txt || { echo "evidence: not three differences"; exit 1; }
    echo "$here/reconcile-million.txt"; rm -rf "$D"
fi

# ---- the lineage walk: a dashboard number is wrong; which layer is to blame? ----
D=$out/walk; rm -rf "$D"
parts=()
trap 'for p in "${parts[@]}"; do kill -KILL "$p" 2>/dev/null; done' EXIT
run() { printf '$ seam'; for a in "$@"; do case $a in *[\ \{]*) printf " '%s'" "${a//\'/\'\\\'\'}" ;; *) printf ' %s' "$a" ;; esac; done; echo; timeout 60 "$seam" "$@"; echo; }
walk() {
    "$seam" init "$D" -q && "$seam" generate "$D" --orders 1000 --seed "$SEED" -q && "$seam" run "$D" --until-caught-up -q
    for p in relay $("$seam" sink --list); do
        if [ $p = relay ]; then "$seam" relay "$D" -q & else "$seam" sink "$D" $p -q & fi
        parts+=($!)
    done >/dev/null 2>&1
    sleep 0.7
    kill -STOP "${parts[1]}" # the warehouse hangs; nobody is told
    local order; order=$("$seam" sql "$D" "SELECT order_id FROM orders WHERE status = 'placed' ORDER BY order_id LIMIT 1" --format csv -q | tail -1)
    cat <<TEXT
# A wrong number, traced back

Made by \`make evidence\`; every block is the program's own output, run on a fresh platform (seed $SEED).

An order is shipped. The dashboard's view shows it at once; the funnel in gold goes on counting the order as placed. Nobody
has declared that anything is late.

\`\`\`
TEXT
    run put "$D" orders "{\"order_id\":$order,\"status\":\"shipped\"}"
    sleep 1
    run view "$D" orders_by_status placed
    run sql "$D" "SELECT * FROM gold_order_funnel WHERE status = 'placed'"
    cat <<TEXT
\`\`\`

Two numbers for one question. \`seam why\` asks gold's own query of each layer, each at its own LSN, and the row store AS OF
those same LSNs; the first layer whose answer is right *for then* and wrong *for now* has stopped:

\`\`\`
TEXT
    run why "$D" gold_order_funnel placed
    cat <<TEXT
\`\`\`

So the change is in the row store, in the log, and in the stream; bronze does not have it: the warehouse stopped, and gold,
fed by silver, repeats it faithfully. The two AS OF answers one byte apart are the proof that this commit, and no other,
made the difference. Freshness says the same once the contract's time is over:

\`\`\`
TEXT
    sleep 15
    run check "$D" freshness
    cat <<TEXT
\`\`\`

The warehouse is let go on, and the same walk ends well:

\`\`\`
TEXT
    kill -CONT "${parts[1]}"; sleep 1.5
    run why "$D" gold_order_funnel placed
    run check "$D" freshness
    echo '```'
}
walk 2>&1 | sed -e 's/[[:space:]]*$//' | clean >docs/measured/lineage-walk.md
grep -q 'silver STOPPED' docs/measured/lineage-walk.md && grep -q 'the number is right' docs/measured/lineage-walk.md || { echo "evidence: the walk does not show what it should"; exit 1; }
echo docs/measured/lineage-walk.md
