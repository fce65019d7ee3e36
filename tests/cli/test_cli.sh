#!/bin/sh
# Goal:   every command answers bad input with the documented exit code and a sentence, never a crash; good input
#         with its position.
# Method: the program itself, on a small platform of its own.
set -u
. "$(dirname "$0")/../common/expect.sh"

# usage
expect 2 'usage: seam COMMAND' "$seam"
expect 0 'exit codes' "$seam" help
expect 2 "did you mean 'search'" "$seam" serach
for c in demo init import generate put get del scan run relay sink status sql view search verify; do
  expect 0 'options:' "$seam" "$c" --help
  expect 2 '' "$seam" "$c" --no-such-option
done
expect 2 'an argument is missing' "$seam" get
expect 2 'one argument too many' "$seam" status a b

# init
expect 3 'no platform here' "$seam" status "$p"
echo '{"tables":["no_such"],"sinks":{}}' >"$dir/bad.json"
expect 3 'no shipped schema' "$seam" init "$p" --shop "$dir/bad.json"
[ -e "$p" ] && { echo 'FAIL: a refused init left a folder behind'; bad=$((bad + 1)); }
echo '{"tables":[' >"$dir/bad.json"
expect 2 '' "$seam" init "$p" --shop "$dir/bad.json"
expect 0 'an empty platform' "$seam" init "$p"
expect 6 '' "$seam" init "$p" || true

# rows
expect 0 '300 orders' "$seam" generate "$p" --orders 300
expect 0 '"sku"' "$seam" get "$p" products 101
expect 3 'no row with this key' "$seam" get "$p" products 4711
expect 3 '' "$seam" get "$p" no_table 1
expect 2 'is no int64' "$seam" get "$p" products many
expect 0 'committed 1 change' "$seam" put "$p" products '{"product_id":101,"price":"12.5"}'
expect 0 '"version":2' "$seam" get "$p" products 101
expect 6 '' "$seam" put "$p" products '{"product_id":101,"price":"1"}' --expect-version 1
expect 0 '12.5000' "$seam" get "$p" products 101
expect 2 '' "$seam" put "$p" products '{"product_id":101,"no_such_column":1}'
expect 2 '' "$seam" put "$p" products '{"product_id":101'
expect 2 '' "$seam" put "$p" products '[1]'
expect 2 'key column' "$seam" put "$p" products '{"price":"1"}'
expect 0 '"error"' sh -c "$seam get $p products 4711 --json; test \$? = 3"
expect 0 'committed 1 change' "$seam" del "$p" products 103
expect 3 '' "$seam" del "$p" products 103
expect 0 '300' "$seam" scan "$p" orders --count
expect 2 'neither an LSN nor a time' "$seam" get "$p" products 101 --as-of yesterday
for moment in 0 1970-01-01; do # moments like others, of which nothing is kept
    expect 3 'nothing earlier is kept' "$seam" get "$p" products 101 --as-of "$moment"
    expect 3 'nothing earlier is kept' "$seam" scan "$p" products --count --as-of "$moment"
    expect 3 'nothing earlier is kept' "$seam" clone "$p" "$dir/then" --as-of "$moment"
done
[ -e "$dir/then" ] && { echo 'FAIL: a refused clone left a folder behind'; bad=$((bad + 1)); }
expect 3 'nothing earlier is kept' "$seam" sql "$p" 'SELECT count(*) FROM products AS OF LSN 0'
expect 3 'nothing earlier is kept' "$seam" sql "$p" "SELECT count(*) FROM products AS OF TIME '1970-01-01'"

# many writers: each waits its turn, none is lost
i=0
while [ $i -lt 12 ]; do
    "$seam" put "$p" products "{\"product_id\":101,\"price\":\"$i\"}" --wait 60 >"$dir/put.$i" 2>&1 &
    i=$((i + 1))
done
wait
expect 0 '12' sh -c "cat $dir/put.* | grep -c 'committed 1 change'"
expect 0 '"version":14' "$seam" get "$p" products 101
expect 2 'seconds from 0' "$seam" del "$p" products 101 --wait -1

# vacuum says what AS OF loses, and keeps what is promised
v="$dir/v"
"$seam" init "$v" -q && "$seam" generate "$v" --orders 50 -q
expect 0 'committed' "$seam" put "$v" products '{"product_id":101,"price":"7"}'
then=$("$seam" put "$v" products '{"product_id":101,"price":"8"}' --json | sed 's/.*"lsn":\([0-9]*\).*/\1/')
"$seam" generate "$v" --orders 20 --seed 2 --no-catalogue -q
expect 0 'become unreadable' "$seam" vacuum "$v" --dry-run
expect 0 '"price":"8' "$seam" get "$v" products 101 --as-of "$then"
sed 's/"shop": *{/"shop":{"log":{"checkpoints_seconds":3600},/' "$v/seam.json" >"$dir/seam.json" && cp "$dir/seam.json" "$v/seam.json"
expect 0 'no kept state becomes unreadable' "$seam" vacuum "$v"
expect 0 '"price":"8' "$seam" get "$v" products 101 --as-of "$then"
sed 's/"checkpoints_seconds":3600/"checkpoints_kept":1/' "$v/seam.json" >"$dir/seam.json" && cp "$dir/seam.json" "$v/seam.json"
expect 0 'become unreadable' "$seam" vacuum "$v"
expect 3 'nothing earlier is kept' "$seam" get "$v" products 101 --as-of "$then"
sed 's/"checkpoints_kept":1/"checkpoints_kept":1000/' "$v/seam.json" >"$dir/seam.json" && cp "$dir/seam.json" "$v/seam.json"
expect 2 'from 0 to 256' "$seam" vacuum "$v"

# the clock
expect 0 'commit times go on from 2' "$seam" doctor "$p" --mend-clock

# import
expect 3 '' "$seam" import "$p" "$dir/none.csv" --table products
expect 2 'either --map or --table' "$seam" import "$p" "$dir/none.csv"
printf 'customer_id,name,email,country\n900001,Ada,ada@example.org,UK\nnot a number,Bob,b@example.org,UK\n' >"$dir/c.csv"
expect 1 '1 landed, 1 rejected' "$seam" import "$p" "$dir/c.csv" --table customers
expect 0 'Ada' "$seam" get "$p" customers 900001
expect 0 '2 already there' "$seam" import "$p" "$dir/c.csv" --table customers

# moving the data
expect 3 'no sink of that name' "$seam" sink "$p" no_such_sink
expect 3 '' "$seam" view "$p" revenue_by_category
expect 0 'running the relay' "$seam" run "$p" --until-caught-up
expect 0 'warehouse' "$seam" status "$p"
expect 0 '"lag_bytes":0' "$seam" status "$p" --json
expect 0 'wrote' "$seam" status "$p" --html "$p/status.html"
expect 0 '>search<' cat "$p/status.html"
expect 0 'nothing waits' cat "$p/status.html"
expect 1 '0' grep -c '<script' "$p/status.html"
expect 3 'folder.html' "$seam" status "$p" --html "$p/no/such/folder.html"
expect 0 'Nothing has been checked yet' cat "$p/status.html"
expect 0 'Not measured yet' cat "$p/status.html"
expect 0 '<summary>category <strong>' cat "$p/status.html"
expect 0 'the number is right: every layer agrees' cat "$p/status.html"
expect 0 'no drift' "$seam" check "$p" reconcile
expect 0 'kept' "$seam" check "$p" recall
expect 0 '"result":"kept"' cat "$p/checks/reconcile.json"
expect 0 '"promised":' cat "$p/checks/recall.json"
expect 0 'wrote' "$seam" status "$p" --html "$p/status.html" --why 0
expect 0 '<th scope="row">reconcile</th><td>kept</td>' cat "$p/status.html"
expect 0 'The ring is the last check' cat "$p/status.html"
expect 1 '0' grep -c '<summary' "$p/status.html"
expect 1 '0' grep -c 'http-equiv="refresh"' "$p/status.html"
echo '{"check":' >"$p/checks/recall.json" # a damaged record is an error that names it, not a page that leaves it out
expect 2 'checks/recall.json' "$seam" status "$p" --html "$p/status.html"
expect 0 'kept' "$seam" check "$p" recall # and the next check puts it right
expect 0 'wrote' "$seam" status "$p" --html "$p/status.html"

# asking
expect 2 "did you mean 'title'" "$seam" sql "$p" 'select titel from silver_products'
expect 3 "did you mean 'silver_products'" "$seam" sql "$p" 'select * from silver_product'
expect 2 '^' "$seam" sql "$p" 'select from'
expect 0 '"row_count":1' "$seam" sql "$p" 'select count(*) from silver_orders' --json
expect 0 'as of LSN' "$seam" sql "$p" 'select count(*) from orders'
expect 0 'Kitchen' "$seam" view "$p" revenue_by_category Kitchen
expect 3 "did you mean 'revenue_by_category'" "$seam" view "$p" revenue_by_categry
expect 0 'as of LSN' "$seam" search "$p" kettle
expect 2 '--mode is' "$seam" search "$p" kettle --mode telepathy
expect 2 '' "$seam" search "$p" kettle --filter 'price:<'
expect 0 'every checksum' "$seam" verify "$p"

# the audit: optimistic concurrency, idempotence, and the proof
expect 0 'each is what the row store holds' "$seam" audit "$p" prove
expect 0 'OrderPlaced of order 77001, version 1' "$seam" audit "$p" append 77001 OrderPlaced --event-id e1 --expected-version 0 --data '{"customer_id":1}' --actor ada
expect 0 'LineAdded of order 77001, version 2' "$seam" audit "$p" append 77001 LineAdded --event-id e2 --expected-version 1 --data '{"line_no":1,"product_id":101,"quantity":2,"unit_price":"1.5"}'
expect 6 'is at version 2, not 1' "$seam" audit "$p" append 77001 Shipped --event-id e3 --expected-version 1
expect 0 'is there already' "$seam" audit "$p" append 77001 LineAdded --event-id e2 --expected-version 0
expect 3 'has not been placed' "$seam" audit "$p" append 77002 Shipped --event-id e4
expect 2 'not an event' "$seam" audit "$p" append 77001 Vanished --event-id e5
expect 2 'needs an id' "$seam" audit "$p" append 77001 Shipped
expect 0 'Shipped of order 77001, version 3' "$seam" audit "$p" append 77001 Shipped --event-id e6 --expected-version 2
expect 0 'running the relay' "$seam" run "$p" --until-caught-up
expect 0 'LineAdded' "$seam" audit "$p" show 77001
expect 0 'by ada' "$seam" audit "$p" show 77001 --to-version 1
expect 0 '"status":"shipped"' "$seam" audit "$p" show 77001
expect 0 'every chain holds' "$seam" audit "$p" verify
expect 0 'each is what the row store holds' "$seam" audit "$p" prove
"$seam" audit "$p" project orders >"$dir/m1" && "$seam" audit "$p" project orders >"$dir/m2"
cmp -s "$dir/m1" "$dir/m2" && [ -s "$dir/m1" ] || { echo 'FAIL: a read model folded twice gives other bytes'; bad=$((bad + 1)); }
expect 0 '"customer_id":1' "$seam" audit "$p" project customers
expect 0 '"type":"Shipped"' "$seam" audit "$p" project timeline
expect 3 'no such read model' "$seam" audit "$p" project nothing
expect 3 'no event of this number' "$seam" audit "$p" prove 99999999
expect 3 'no event tells' "$seam" audit "$p" show 99999999

# views are declared and dropped at run time, backfilled from what the store mirrors
expect 0 'is declared' "$seam" view "$p" by_brand --create 'SELECT brand, count(*) AS n FROM products GROUP BY brand'
expect 2 'HAVING' "$seam" view "$p" no_good --create 'SELECT brand, count(*) FROM products GROUP BY brand HAVING count(*) > 1'
expect 0 'view: applied' "$seam" sink "$p" view --until-caught-up
expect 0 'Hollin' "$seam" view "$p" by_brand Hollin
expect 0 'is dropped' "$seam" view "$p" by_brand --drop
expect 0 'view: applied' "$seam" sink "$p" view --until-caught-up
expect 3 'no such view' "$seam" view "$p" by_brand

# a sink is made again beside the one that serves, and says the same
before=$("$seam" view "$p" revenue_by_category --json | sed 's/"as_of_lsn":[0-9]*//')
# the operating point of the vector search
expect 0 'cheapest point' "$seam" tune "$p" --queries 100 --tsv "$dir/tune.tsv" --chart "$dir/tune"
expect 0 'recall' cat "$dir/tune.gp"
expect 0 'pinned' "$seam" tune "$p" --queries 100 --recall 0.9 --pin
expect 0 'kept' "$seam" check "$p" recall
expect 0 '"promised":0.95' "$seam" check "$p" recall --json
expect 2 'above 0' "$seam" tune "$p" --recall 1.5
expect 2 'neither l2' "$seam" tune "$p" --metric hamming
expect 3 'no platform' "$seam" tune "$p/nowhere"
for i in 1 2 3 4 5 6 7 8 9; do for j in 1 2 3 4 5 6 7 8 9; do echo "$i,$j,$((i * j % 7)),$((i + j))"; done; done >"$dir/v.csv"
expect 0 'cheapest point' "$seam" tune "$dir/v.csv" --queries 20 -k 3
expect 2 'is a file' "$seam" tune "$dir/v.csv" --pin
for s in $("$seam" sink --list); do expect 0 'was made again' "$seam" rebuild "$p" "$s"; done
after=$("$seam" view "$p" revenue_by_category --json | sed 's/"as_of_lsn":[0-9]*//')
[ "$before" = "$after" ] || { echo 'FAIL: the rebuilt view says something else'; bad=$((bad + 1)); }
expect 0 'every checksum' "$seam" verify "$p"
expect 0 'each is what the row store holds' "$seam" audit "$p" prove
expect 3 'no sink of that name' "$seam" rebuild "$p" nothing

# damage is named, and changes the exit code
for f in "$p"/oltp/pages "$p"/sinks/search/*.seg; do
  cp "$f" "$dir/whole"
  size=$(wc -c <"$f")
  printf '\377\377\377\377' | dd of="$f" bs=1 seek=$((size / 2)) conv=notrunc 2>/dev/null
  expect 4 "$(basename "$f")" "$seam" verify "$p"
  cp "$dir/whole" "$f"
  break
done
expect 0 'every checksum' "$seam" verify "$p"

echo "$checks checks of the command line, $bad failed"
[ $bad -eq 0 ]
