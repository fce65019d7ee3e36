# Latency of a durable commit by percentile, alone and in company. Variables: tsv, out.
set terminal svg size 760,420 font 'sans,12' background rgb 'white'
set output out.'/wal-commit-latency.svg'
set datafile separator '\t'
set title 'Durable commit: latency by percentile'
set ylabel 'microseconds'
set logscale y
set grid ytics
set key outside right
set xrange [0.5:4.5]
set xtics ('p50' 1, 'p99' 2, 'p99.9' 3, 'max' 4)
place(m) = m eq 'p50' ? 1 : m eq 'p99' ? 2 : m eq 'p99.9' ? 3 : m eq 'max' ? 4 : NaN
row(threads) = strcol(2) eq 'durable commit' && column(6) == threads ? place(strcol(3)) : NaN
plot tsv every ::1 using (row(1)):7 with linespoints title '1 thread', \
     tsv every ::1 using (row(8)):7 with linespoints title '8 threads'
