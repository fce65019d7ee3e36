#!/bin/sh
# The trace off against compiled out, in turns: sh bench/ground/trace.sh WITH WITHOUT [ROUNDS]. Prints the best of each and the ratio.
set -u
with=$1 without=$2 rounds=${3:-9}
i=0
while [ $i -lt "$rounds" ]; do
  echo "with $("$with")"; echo "without $("$without")"
  i=$((i + 1))
done | awk '
  NF != 4 { bad = 1 }
  sum == "" { sum = $4 } $4 != sum { bad = 1 }
  { for (k = 2; k <= 3; k++) { if (!(($1, k) in best) || $k < best[$1, k]) best[$1, k] = $k
                               if ($k > worst[$1, k]) worst[$1, k] = $k } }
  END {
    if (bad) { print "the two builds disagree, or one failed"; exit 1 }
    name[2] = "hnsw search, ef 64"; name[3] = "oltp insert, 100 a commit"
    printf "%-26s %12s %12s %8s %s\n", "loop", "off ns", "out ns", "off/out", "spread of compiled-out"
    for (k = 2; k <= 3; k++)
      printf "%-26s %12d %12d %8.3f %.3f\n", name[k], best["with", k], best["without", k], best["with", k] / best["without", k], worst["without", k] / best["without", k]
  }'
