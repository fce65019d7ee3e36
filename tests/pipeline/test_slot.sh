#!/usr/bin/env bash
# Goal:   a slot that cannot be read keeps the whole log, and everybody who is asked says so; dropping it mends that.
# Method: one bit of relay.slot; slot, status, doctor, Prometheus, verify; drop; the relay goes on.
set -u
. tests/common/expect.sh
must() { timeout 120 "$@" >"$dir/out" 2>&1 || { echo "FAIL: $*"; tail -n 3 "$dir/out"; bad=$((bad + 1)); }; }
must "$seam" init "$p" -q
must "$seam" generate "$p" --orders 20 -q
must "$seam" run "$p" --until-caught-up -q
expect 0 '1 slots, 0 damaged' "$seam" slot "$p"
expect 0 '"state":"free"' "$seam" slot "$p" list --json
expect 2 'none of list, drop' "$seam" slot "$p" keep
expect 2 'which slot' "$seam" slot "$p" drop
expect 3 'no such slot' "$seam" slot "$p" drop nobody
expect 0 'would drop relay' "$seam" slot "$p" drop relay --dry-run
expect 0 "slot 'relay'" "$seam" dump "$p/wal/relay.slot"
expect 0 'closed cleanly by history' "$seam" dump "$p/wal/log.meta"
printf x | dd of="$p/wal/relay.slot" bs=1 seek=100 conv=notrunc 2>/dev/null
expect 4 'checksum of the slot is wrong' "$seam" slot "$p"
expect 0 'slot damaged: seam slot' "$seam" status "$p"
expect 0 'seam_log_slots_damaged 1' "$seam" status "$p" --format prometheus
expect 1 'the whole log is kept' "$seam" doctor "$p"
expect 4 'the slot is damaged' "$seam" verify "$p"
expect 0 'dropped relay' "$seam" slot "$p" drop relay
must "$seam" put "$p" products '{"product_id":101,"price":"7.5"}'
must "$seam" run "$p" --until-caught-up -q
expect 0 '1 slots, 0 damaged' "$seam" slot "$p"
expect 0 'every checksum and invariant holds' "$seam" verify "$p"
echo "$checks checks, $bad failed"
exit $((bad > 0))
