#!/usr/bin/env bash
# Goal:   every reading command answers from what is on the disk when nobody writes: beside a shared page that is lost or older, in a
#         copy, without permission to write; and it makes no file.
# Method: a small platform is copied; the copy's shared pages go, or come back older; the answers are those of before.
set -u
. tests/common/expect.sh
must() { timeout 120 "$@" >"$dir/out" 2>&1 || { echo "FAIL: $*"; tail -n 3 "$dir/out"; bad=$((bad + 1)); }; }
must "$seam" init "$p" -q
must "$seam" generate "$p" --orders 30 -q
must "$seam" run "$p" --until-caught-up -q
cp "$p/wal/shared" "$dir/older"
for i in 1 2 3 4 5; do must "$seam" put "$p" products "{\"product_id\":101,\"price\":\"$i.5\"}"; done

reads() { # COMMAND... : what it answers in the copy
  (cd "$c" && find . | sort) >"$dir/before"
  expect 0 '"price":"5.5000"' "$@" get "$c" products 101
  expect 0 '446' "$@" scan "$c" products --count
  expect 0 '446' "$@" sql "$c" 'SELECT COUNT(*) FROM products'
  expect 0 'every checksum and invariant holds' "$@" verify "$c"
  expect 0 'row store' "$@" status "$c"
  expect 0 'LSN' "$@" log "$c"
  expect 0 'history' "$@" stats "$c"
  expect 0 'holds back' "$@" doctor "$c"
  expect 0 'Kettle' "$@" search "$c" kettle
  expect 0 'as of LSN' "$@" view "$c" orders_by_status
  rm -rf "$dir/out.d"; mkdir "$dir/out.d"; chmod 777 "$dir/out.d"
  expect 0 'holds 552 rows' "$@" clone "$c" "$dir/out.d/clone"
  (cd "$c" && find . | sort) | diff "$dir/before" - >"$dir/made" || { echo "FAIL: files were made:"; cat "$dir/made"; bad=$((bad + 1)); }
}
c=$dir/lost; cp -r "$p" "$c"; find "$c" -name shared -o -name consumers | xargs rm -f
reads "$seam"
c=$dir/zeros; cp -r "$p" "$c"; truncate -s 0 "$c/wal/shared"; truncate -s 4096 "$c/wal/shared"
reads "$seam"
c=$dir/old; cp -r "$p" "$c"; cp "$dir/older" "$c/wal/shared"
reads "$seam"
# Nor does the relay miss what the older page does not tell.
must "$seam" run "$c" --until-caught-up -q
expect 0 'no drift' "$seam" check "$c" reconcile
# The log's last segment gone, the page with it: said, not answered from a shorter log.
c=$dir/cut; cp -r "$p" "$c"; rm -f "$c/wal/shared" "$c"/wal/*.seg
expect 4 'a segment of the log is missing' "$seam" get "$c" products 101
expect 4 'a segment of the log is missing' "$seam" put "$c" products '{"product_id":101,"price":"9.5"}'
expect 4 'a segment of the log is missing' "$seam" verify "$c"
# Without permission to write.
c=$dir/sealed; cp -r "$p" "$c"; chmod -R a-w "$c"; chmod -R a+rX "$dir"
if [ "$(id -u)" != 0 ]; then
  reads "$seam"
elif setpriv --reuid=65534 --regid=65534 --clear-groups test -x "$seam" 2>/dev/null; then
  reads setpriv --reuid=65534 --regid=65534 --clear-groups "$seam"
else
  echo "skipped: nobody to be without permission (setpriv)"
fi
chmod -R u+w "$c"
echo "$checks checks, $bad failed"
exit $((bad > 0))
