# nDCG@10 on the held-out half of the shipped queries, by class: each side alone, and hybrid.
set terminal svg size 860,420 font "sans,12" background "#ffffff"
set output out."/hybrid.svg"
set title "Held-out queries of the shipped catalogue: nDCG\\@10 by class"
set style data histogram
set style histogram clustered gap 1
set style fill solid 0.9 noborder
set boxwidth 0.9
set yrange [0:1.05]
set grid ytics lc rgb "#dddddd"
set key outside bottom center horizontal
set ylabel "nDCG\\@10"
side(peer, column) = sprintf("< awk -F'\\t' '$2 ~ /^shop-(exact|paraphrase|misspelling|attribute|brand|code)$/ && $10 == \"%s\" {sub(/shop-/, \"\", $2); print $2, $%d}' %s", peer, column, tsv)
plot side("bm25 alone", 11) using 2:xtic(1) title "words alone (BM25)" lc rgb "#7a8aa0", \
     side("vector alone", 11) using 2 title "meaning alone (learned vectors)" lc rgb "#d9a441", \
     side("bm25 alone", 7) using 2 title "hybrid" lc rgb "#2f7d5b"
