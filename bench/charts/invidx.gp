# Queries a second over Lucene's two modes, by class. Variables: tsv, out.
set terminal svg size 860,460 font 'sans,12' background rgb 'white'
set output out.'/invidx-ratios.svg'
set title 'Text search, top 10: queries a second, ours over Lucene (1 = equal), one thread'
set ylabel 'ratio'
set logscale y
set yrange [0.5:*]
set style data histograms
set style fill solid 0.8
set xtics nomirror noenhanced font ',10'
set grid ytics
set arrow from graph 0, first 2 to graph 1, first 2 nohead dashtype 2 linecolor rgb 'gray'
set label 'target' at graph 0.01, first 2.2
set key top right
rows(peer) = "< awk -F '\t' '$2 ~ / top-10 / && $3 == \"queries\" && $10 == \"".peer."\" && $12 != \"n.a.\" { split($2, w, \" \"); print w[1], $12 }' ".tsv
plot rows('lucene') using 2:xtic(1) title 'over block-max skipping', \
     rows('lucene exhaustive') using 2 title 'over exhaustive'
