# Speed against DuckDB by question, and share of bytes read. Variables: tsv, out.
set terminal svg size 900,460 font 'sans,12' background rgb 'white'
set output out.'/columnar-ratio.svg'
set datafile separator '\t'
set title 'The warehouse against DuckDB, one run, answers compared (above 1: faster)'
set ylabel 'their time / ours'
set logscale y
set yrange [0.5:*]
set grid ytics
set style fill solid 0.8
set boxwidth 0.38
set xtics rotate by -40 noenhanced
set xrange [3:41] # the questions: rows between loading and changing
set key left top
one(s, v, t) = (s eq 'ms' && t == 1) ? v : NaN
two(s, v, t) = (s eq 'ms' && t == 2) ? v : NaN
plot tsv every ::1 using ($0 - 0.2):(one(strcol(4), $12, $6)):xtic($6 == 1 && strcol(4) eq 'ms' ? strcol(2) : '') with boxes title '1 thread', \
     tsv every ::1 using ($0 - 0.8):(two(strcol(4), $12, $6)) with boxes title '2 threads', 1 with lines lt -1 notitle
