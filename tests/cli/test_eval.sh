#!/bin/sh
# Goal:   `seam eval` measures a platform's own search, writes runs that it judges alike, and refuses bad input.
# Method: the shipped catalogue on a small platform; the hybrid run judged again as a plain TREC file.
set -u
. "$(dirname "$0")/../common/expect.sh"

expect 0 'options:' "$seam" eval --help
expect 2 'which platform' "$seam" eval
expect 2 'go together' "$seam" eval "$p" --queries pipeline/shop/queries.tsv
expect 2 '--half is' "$seam" eval "$p" --half best
expect 3 '' "$seam" eval "$dir/nowhere"
printf 'q1 0 a 3\nq1 0 b 1\n' >"$dir/qrels"
printf 'q1 Q0 b 1 9.5 t\nq1 Q0 a 2 1 t\n' >"$dir/run"
expect 0 'recip_rank_cut_10	all	1.0000' "$seam" eval --run "$dir/run" --qrels "$dir/qrels"
expect 0 'ndcg_cut_10	all	0.7967' "$seam" eval --run "$dir/run" --qrels "$dir/qrels" # (1 + 3/log2 3) / (3 + 1/log2 3)
printf 'q1 Q0 b 1 high t\n' >"$dir/run"
expect 2 'is no score' "$seam" eval --run "$dir/run" --qrels "$dir/qrels"

"$seam" init "$p" -q && "$seam" generate "$p" -n 100 -q && timeout 120 "$seam" run "$p" --until-caught-up -q ||
  { echo 'FAIL: the platform could not be made'; exit 1; }
expect 0 '57 queries, against bm25' "$seam" eval "$p" --half held-out --compare --losses 3 --runs "$dir/runs"
expect 0 'as of LSN' "$seam" eval "$p"
shown=$("$seam" eval "$p" --json | sed -n 's/.*"name":"hybrid","ndcg_10":\([0-9.]*\).*/\1/p' | cut -c1-6)
"$seam" eval "$p" --runs "$dir/runs" >/dev/null
# Odd and even halves together: the run judged alone gives what the platform said of itself.
again=$("$seam" eval --run "$dir/runs/hybrid.run" --qrels pipeline/shop/qrels.txt | awk '$1 == "ndcg_cut_10" {print $3}')
checks=$((checks + 1))
case $again in "$shown"*) ;; *)
  # printed with four digits, rounded
  [ "$(printf '%.3f' "$again")" = "$(printf '%.3f' "$shown")" ] || { echo "FAIL: the run says $again, the platform $shown"; bad=$((bad + 1)); } ;;
esac
echo "$checks checks, $bad failed"
[ "$bad" = 0 ]
