#!/usr/bin/env bash
# Goal:   a number is traced to the commit that made it, and the layer that stopped is named.
# Method: a small platform; all layers agree; then a change that only the relay brings on; a damaged contract folder.
set -u
seam=${BUILD:-build}/seam
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
bad=0
expect() { # CODE PATTERN command...
    local code=$1 pattern=$2 got; shift 2
    timeout 60 "$@" >"$dir/out" 2>&1; got=$?
    [ $got = "$code" ] && { [ -z "$pattern" ] || grep -qE "$pattern" "$dir/out"; } || { echo "FAILED ($got, wanted $code, /$pattern/): $*"; tail -5 "$dir/out"; bad=1; }
}
D=$dir/platform
expect 0 '' "$seam" init "$D"
expect 0 'orders' "$seam" generate "$D" --orders 100
expect 0 '' "$seam" run "$D" --until-caught-up --quiet
expect 0 'every layer agrees' "$seam" lineage "$D" products 101
expect 0 '"eventType":"COMPLETE".*"name":"bronze-silver"' "$seam" lineage "$D" --openlineage
expect 2 'which table' "$seam" lineage "$D" products
expect 0 'the number is right' "$seam" why "$D" gold_order_funnel shipped
expect 0 'the number is right' "$seam" why "$D" revenue_by_category Kitchen
expect 3 'no view or gold table' "$seam" why "$D" nothing x
expect 2 'is no int64' "$seam" lineage "$D" products kettle
expect 0 'no drift' "$seam" check "$D" reconcile
expect 0 '0 broken' "$seam" check "$D" contracts
expect 0 '^seam_lag_bytes.seam="source-stream". 0$' "$seam" status "$D" --format prometheus
expect 2 'neither table nor prometheus' "$seam" status "$D" --format xml
expect 0 '^# What each seam' "$seam" check contracts --markdown
cp -r pipeline/trust/contracts "$dir/old"
expect 0 '0 broken' "$seam" check contracts --against "$dir/old"
sed -i 's/"physicalType": "decimal(4)"/"physicalType": "double"/' "$dir/old/bronze-silver.json"
expect 1 'was double and is decimal' "$seam" check contracts --against "$dir/old"
expect 0 'committed' "$seam" put "$D" orders '{"order_id":1,"status":"cancelled"}'
expect 1 'stream does not have what|relay is behind' "$seam" lineage "$D" orders 1
expect 0 'relayed' "$seam" relay "$D" --until-caught-up
expect 1 'silver STOPPED' "$seam" why "$D" gold_order_funnel cancelled
expect 1 'warehouse has not applied' "$seam" lineage "$D" orders 1
expect 0 '' "$seam" run "$D" --until-caught-up --quiet
expect 0 'the number is right' "$seam" why "$D" gold_order_funnel cancelled
# Gold alone is behind; then data that breaks a range, a reference and the audit's contract.
expect 0 'committed' "$seam" put "$D" orders '{"order_id":2,"status":"cancelled"}'
expect 0 'relayed' "$seam" relay "$D" --until-caught-up
expect 0 'warehouse' "$seam" sink "$D" warehouse --until-caught-up
expect 1 'gold STOPPED' "$seam" why "$D" gold_order_funnel cancelled
expect 0 'committed' "$seam" put "$D" products '{"product_id":101,"price":"-1"}'
expect 0 'committed' "$seam" del "$D" orders 3
expect 0 '' "$seam" run "$D" --until-caught-up --quiet
expect 1 'bronze-silver +products.price +range +1, must be 0' "$seam" check "$D" contracts
expect 1 'bronze-silver +order_lines.order_id +reference' "$seam" check "$D" contracts
expect 1 'orders-audit +order events +sql' "$seam" check "$D" contracts
expect 0 'no drift' "$seam" check "$D" reconcile
[ $bad = 0 ] && echo "why: all as expected"
exit $bad
