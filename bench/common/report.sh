#!/bin/sh
# The committed results as a page: a table a store, from bench/results/NAME/NAME.tsv, with the charts drawn from
# them. What a row means: bench/README.md.     usage: sh bench/common/report.sh > docs/measured/benchmarks.md
set -eu
title() {
  case $1 in
  oltp) echo 'Row store' ;;            wal) echo 'Log' ;;
  cdc) echo 'Log to stream (relay)' ;; pipeline) echo 'Commit to visible, every sink' ;;
  columnar) echo 'Warehouse' ;;        invidx) echo 'Search index' ;;
  hnsw) echo 'Vector graph' ;;         hybrid) echo 'Relevance' ;;
  import) echo 'Import' ;;             engine) echo 'Ground floor' ;;
  rows) echo 'Rows and inflate' ;;     *) echo "$1" ;;
  esac
}
cat <<'X'
# Benchmarks

Each table is one run of one program against the peers that were installed, interleaved in that run; the answers were
checked while they were timed. **A ratio above 1 is better for seam**, whatever the unit; bold ratios are the ones with a
target, and *missed* says so. "Of the limit" compares with the machine's own bound, measured in the same run.

To repeat one: `make bench-NAME OPTIONS=...` (the options stand above each table; `make peers` says which peers are here).
All of them, and this page: `make results`.
X
for name in "$@"; do
  dir=bench/results/$name tsv=$dir/$name.tsv
  [ -f "$tsv" ] || continue
  printf '\n## %s\n\n' "$(title "$name")"
  if [ -f "$dir/run.txt" ]; then cat "$dir/run.txt"; echo; fi
  awk -F'\t' '
    function num(x) { return x >= 1e7 ? sprintf("%.3g", x) : x >= 1000 ? sprintf("%.0f", x) : sprintf("%.3g", x) }
    function flush() {
      if (key == "") return
      if (against == "" && limit == "") { skipped++; return }
      if (!head++) print "| workload | what | threads | seam | against each peer | of the limit |\n|---|---|---|---|---|---|"
      printf "| %s | %s | %s | %s | %s | %s |\n", w, what, threads, ours, against == "" ? "" : against, limit
    }
    NR == 1 { next }
    {
      k = $2 SUBSEP $3 SUBSEP $5 SUBSEP $6
      if (k != key) {
        flush()
        key = k; w = $2; what = $3 ($4 == "" ? "" : ", " $4); threads = $6; ours = num($7); against = ""; limit = ""
      }
      mark = $16 == "no" ? " *missed* (" sprintf("%.3g", $15) ")" : ""
      if ($12 != "n.a." && $12 != "") {
        r = sprintf($12 >= 100 ? "%.0f" : "%.2f", $12)
        if ($15 != "n.a." && $15 != "" && $15 + 0 > 0) r = "**" r "**"
        against = against (against == "" ? "" : ", ") $10 " " r mark
      } else if (mark != "") {
        limit = "*missed*"
      }
      if ($14 != "n.a." && $14 != "") limit = sprintf("%.2f", $14) ($10 == "none" || $12 == "n.a." ? mark : "")
    }
    $16 == "yes" { held++ }
    $16 == "no" { missed++ }
    END {
      flush()
      if (held + missed) printf "\n%d targets held, %d missed.\n", held, missed
    }' "$tsv"
  for svg in "$dir"/*.svg; do
    [ -f "$svg" ] && printf '\n![%s](../../%s)\n' "$(basename "$svg" .svg)" "$svg"
  done
done
exit 0
