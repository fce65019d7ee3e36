#!/bin/sh
# Goal:   every exercise can be solved, by what docs/labs/answers.md says, and a wrong answer is refused with a hint.
# Method: each "seam lab LAB N --check ..." of the answers is carried out. Every exercise there is must have one that holds
#         (exit 0) and one that does not (exit 1, with what was measured and a hint); one without what it needs is usage.
set -u
build=${BUILD:-build}
[ -x "$build/seam" ] || { echo "skipped: $build/seam is not built (make all)"; exit 77; }
case $build in *notrace*) echo 'skipped: this build has no trace'; exit 77 ;; esac
PATH="$(pwd)/$build:$PATH"; export PATH
dir=$(mktemp -d "${TMPDIR:-/tmp}/seam-exercises-XXXXXX")
trap 'rm -rf "$dir"' EXIT
bad=0
fail() { echo "FAIL: $*"; bad=1; }

sed -n 's/^<!-- output: \(seam lab [a-z]* [0-9]* --check .*\) -->$/\1/p' docs/labs/answers.md >"$dir/answers"
: >"$dir/right"; : >"$dir/wrong"
while IFS= read -r answer; do
  name=$(echo "$answer" | awk '{print $3, $4}')
  eval "$answer" </dev/null >"$dir/said" 2>&1
  rc=$?
  case $rc in
    0) echo "$name" >>"$dir/right"; grep -q '^it holds: ' "$dir/said" || fail "$answer: $(cat "$dir/said")" ;;
    1) echo "$name" >>"$dir/wrong"
       [ "$(sed -n 's/^not yet: //p' "$dir/said" | wc -c)" -gt 60 ] || fail "$answer: no hint: $(cat "$dir/said")" ;;
    *) fail "$answer: exit $rc: $(cat "$dir/said")" ;;
  esac
done <"$dir/answers"

count=0
for lab in $(seam lab </dev/null | awk 'NR > 1 {print $1}'); do
  seam lab "$lab" --check >"$dir/list" || fail "seam lab $lab --check: exit $?"
  n=0
  while grep -q "^$lab $((n + 1)) " "$dir/list"; do
    n=$((n + 1)) count=$((count + 1))
    grep -qx "$lab $n" "$dir/right" || fail "exercise $lab $n: no answer in docs/labs/answers.md holds"
    grep -qx "$lab $n" "$dir/wrong" || fail "exercise $lab $n: docs/labs/answers.md has no wrong answer"
    seam lab "$lab" "$n" --check >/dev/null 2>&1; [ $? = 2 ] || fail "exercise $lab $n without an answer is no usage error"
  done
  [ $n -ge 1 ] || fail "lab $lab has no exercise"
  grep -q "seam lab $lab --check" docs/labs/*-"$lab".md || fail "the sheet of $lab does not name its exercises"
  seam lab "$lab" 99 --check >/dev/null 2>&1; [ $? = 2 ] || fail "exercise $lab 99 is no usage error"
done
seam lab btree 1 --check --keys 1,2 --json | grep -q '"holds":false' || fail '--json does not say whether it holds'
# Right by luck: a query that stops early skips nothing, a column is the same in capitals, an added row is no change.
refused() { seam lab "$@" </dev/null >/dev/null 2>&1; [ $? = 1 ] || fail "accepted: seam lab $*"; }
refused columnar 1 --check --sql 'SELECT * FROM sales LIMIT 1'
refused columnar 2 --check --sql 'SELECT id FROM sales LIMIT 0'
refused columnar 2 --check --sql "SELECT id FROM sales WHERE CITY = 'zzz'"
refused reconcile 2 --check --row '{"customer_id":99999,"name":"X"}' --answer 33
echo "$count exercises, $(wc -l <"$dir/answers") answers"
exit $bad
