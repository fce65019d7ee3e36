#!/bin/sh
# Goal:   a platform that format generation 1 wrote is refused by name, converted by `seam upgrade`, and then whole.
# Method: the kept sample (tests/samples/format-1): every reading command before; a dry run that changes nothing; the
#         upgrade; its rows by number and by content, verify, a commit, all sinks again, reconciliation; a second upgrade.
set -u
. "$(dirname "$0")/../common/expect.sh"

sum_of() { (cd "$1" && find . -type f ! -name shared ! -name lock -exec cksum {} + | sort | cksum); }

tar xzf tests/samples/format-1/platform.tar.gz -C "$dir" || { echo 'FAIL: the sample does not unpack'; exit 1; }
mv "$dir/platform" "$p"
expect 0 '--dry-run' "$seam" upgrade --help
expect 3 '' "$seam" upgrade "$dir/nowhere"
expect 2 'version 1; this program reads' "$seam" scan "$p" products
expect 2 'seam upgrade' "$seam" put "$p" customers '{"customer_id":9}'
before=$(sum_of "$p")
expect 0 'would be built again at LSN' "$seam" upgrade "$p" --dry-run
checks=$((checks + 1))
[ "$before" = "$(sum_of "$p")" ] || { echo 'FAIL: a dry run changed something'; bad=$((bad + 1)); }
expect 0 'entries in 10 trees' "$seam" upgrade "$p"
expect 0 '30' "$seam" scan "$p" products --count
expect 0 'a@example.org' "$seam" scan "$p" customers
expect 0 'as of LSN 12752' "$seam" scan "$p" customers
expect 0 'rows       ok' "$seam" verify "$p" --only rows
expect 0 'log        ok' "$seam" verify "$p" --only log
expect 0 'committed 1 change' "$seam" put "$p" customers '{"customer_id":2,"email":"b@example.org"}'
timeout 120 "$seam" run "$p" --until-caught-up -q || { echo 'FAIL: the sinks are not made again'; bad=$((bad + 1)); }
expect 0 'every checksum and invariant holds' "$seam" verify "$p"
expect 0 'no drift' "$seam" check "$p" reconcile
expect 0 'nothing to do' "$seam" upgrade "$p"
expect 0 'b@example.org' "$seam" scan "$p" customers

echo "$checks checks, $bad failed"
[ $bad -eq 0 ]
