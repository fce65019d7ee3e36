# Unpacking speed by width, ours and scalar. Variables: tsv, out.
set terminal svg size 760,420 font 'sans,12' background rgb 'white'
set output out.'/engine-unpack.svg'
set datafile separator '\t'
set title 'Unpacking bit-packed integers, one thread, in cache'
set xlabel 'width, bits'
set ylabel 'G values a second'
set yrange [0:*]
set key outside right
at(s, what) = strstrt(s, what.' width ') # the rows of one kind; others give no point
width(s, what) = at(s, what) > 0 ? real(substr(s, strstrt(s, 'width ') + 6, strlen(s))) : NaN
set grid ytics
plot tsv every ::1 using (width(strcol(2), 'u32 run 1024')):7 with linespoints title 'u32, runs of 1,024', \
     tsv every ::1 using (width(strcol(2), 'u32 run 128')):7 with linespoints title 'u32, runs of 128', \
     tsv every ::1 using (width(strcol(2), 'u64 run 1024')):7 with linespoints title 'u64, runs of 1,024', \
     tsv every ::1 using (width(strcol(2), 'u64 run 128')):7 with linespoints title 'u64, runs of 128', \
     tsv every ::1 using (width(strcol(2), 'u32 run 1024')):11 with lines dashtype 2 title 'u32, scalar'
