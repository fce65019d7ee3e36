# Recall against speed and latency, one picture a data set, as ann-benchmarks draws them: up and to the right is
# better. Variables: tsv (its curves are in tsv.curves.tsv), out.
curves = tsv.'.curves.tsv'
set terminal svg noenhanced size 860,480 font 'sans,12' background rgb 'white'
set datafile separator '\t'
set key outside right
set grid
set logscale y
set xrange [0.8:1.002]
sets = system("cut -f1 '".curves."' | tail -n +2 | sort -u")
engines = "seam-f32 seam-i8+rerank hnswlib-f32 faiss-flat faiss-sq8 usearch-i8raw usearch-bf16"
# the rows of one engine on one set; others give no point
of(set, engine, column) = (strcol(1) eq set && strcol(2) eq engine) ? column : NaN
do for [s in sets] {
  n = system("awk -F'\t' -v s=".s." '$1==s {print $10\" x \"$11; exit}' '".curves."'")
  exact = system("awk -F'\t' -v s=".s." '$1==s && $2==\"exact scan\" {print $7; exit}' '".curves."'")
  set title s.' ('.n.'), recall@10 against queries a second, one thread'
  set xlabel 'recall@10'
  set ylabel 'queries a second'
  set output out.'/hnsw-'.s.'-qps.svg'
  set arrow 1 from graph 0, first exact+0 to graph 1, first exact+0 nohead dashtype 2
  set label 1 'exact scan' at graph 0.02, first exact*1.1
  plot for [e in engines] curves every ::1 using (of(s, e, $4)):7 with linespoints linewidth 2 title e
  unset arrow 1
  unset label 1
  set ylabel 'p99 latency, us'
  set title s.' ('.n.'), recall@10 against p99 latency, one thread'
  set output out.'/hnsw-'.s.'-p99.svg'
  plot for [e in engines] curves every ::1 using (of(s, e, $4)):9 with linespoints linewidth 2 title e
  set ylabel 'recall@10 of the worst 5% of queries'
  unset logscale y
  set title s.' ('.n.'), mean recall against the tail of recall'
  set output out.'/hnsw-'.s.'-tail.svg'
  plot for [e in engines] curves every ::1 using (of(s, e, $4)):5 with linespoints linewidth 2 title e
  set logscale y
}
