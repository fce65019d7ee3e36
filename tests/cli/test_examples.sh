#!/bin/sh
# Goal:   each store can be lifted out: the programs of docs/examples do what their comments say.
# Method: each is run in a scratch folder of its own; lines that must (and must not) be there are looked for.
set -u
build=${BUILD:-build}
dir=$(mktemp -d "${TMPDIR:-/tmp}/seam-examples-XXXXXX")
trap 'rm -rf "$dir"' EXIT
bad=0

# run NAME LINE...: exits 0 and prints every LINE, each on a line after the one before.
run() {
  name=$1; shift
  [ -x "$build/examples/$name" ] || { echo "skipped: $build/examples/$name is not built (make tests)"; exit 77; }
  if ! timeout 60 "$build/examples/$name" "$dir/$name" >"$dir/out" 2>&1; then
    echo "FAIL: $name failed:"; head -n 5 "$dir/out"; bad=$((bad + 1)); return
  fi
  at=0
  for line in "$@"; do
    next=$(tail -n +$((at + 1)) "$dir/out" | grep -nF -m 1 -- "$line" | cut -d: -f1)
    if [ -z "$next" ]; then
      echo "FAIL: $name does not say \"$line\" where it should:"; sed 's/^/    /' "$dir/out"; bad=$((bad + 1)); return
    fi
    at=$((at + next))
  done
}

run row_store 'now:' '"price":"21.99"' 'before the price went up:' '"price":"19.99"' 'hedge trimmer' 'refused:'
run change_log 'durable past the second record, before the third' 'the kettle is on' 'the kettle boils' \
  'after the first' 'the kettle boils' 'reopened: the same log, torn bytes 0' 'not yet synced'
run column_store 'Faro      1  5000.00' 'Lisbon  500  7505.00' 'Porto   499  7489.99' 'AS OF LSN 10' 'Porto   10.01' 'applied up to LSN 20'
run word_index 'as of LSN 20' 'document 2' 'price:<5000' 'document 2' 'as of LSN 10' 'document 1' 'document 3'
run vector_graph 'now: nearest is key' 'as of LSN 10: nearest is key 0'
run change_stream 'offset 0 LSN 100 placed' 'commit 100' 'after LSN 100:' 'offset 2 LSN 200 packed' 'commit 200'
[ "$bad" -eq 0 ] && echo "6 examples ran"
exit $((bad > 0))
