# The row store beside its peers: how many times each peer we are, a workload a group; and commit latencies.
# Variables: tsv, out.
set terminal svg size 1100,560 font 'sans,12' background rgb 'white'
set datafile separator '\t'
set key outside right
set grid ytics
set style fill solid 0.7
set xtics rotate by -35

# ratio = column 12 (above 1: better than the peer), peer = column 10, workload = 2, metric = 3, threads = 6
peers = "sqlite lmdb rocksdb wiredtiger"
rates = "cut -f2,3,6,10,12 '".tsv."' | awk -F'\t' 'NR>1 && $2==\"rate\" && $5!=\"n.a.\"'"
set output out.'/oltp-ratios.svg'
set title 'Row store: rate over the peer''s rate, the same run (1 = equal, log scale)'
set logscale y
set ylabel 'times the peer'
set arrow 1 from graph 0, first 1 to graph 1, first 1 nohead linewidth 2
set style data linespoints
plot for [p in peers] '< '.rates.' | awk -F"\t" -v p='.p.' ''$4==p''' \
     using 0:5:xtic(sprintf('%s, %sT', strcol(1), strcol(3))) with points pointtype 7 pointsize 1.4 title p

unset arrow 1
set output out.'/oltp-latency.svg'
set title 'Single-row durable commits: latency (log scale)'
set ylabel 'microseconds'
lat = "awk -F'\t' '$2==\"single-row commits, durable\" && $4==\"us\"' '".tsv."'"
plot '< '.lat.' | awk -F"\t" ''!seen[$3 $6]++''' using 0:7:xtic(sprintf('%s, %sT', strcol(3), strcol(6))) with linespoints linewidth 2 title 'seam', \
     for [p in peers] '< '.lat.' | awk -F"\t" -v p='.p.' ''$10==p && $11!="n.a."''' using 0:11 with linespoints title p
