# J against applications of A, from pretrained and from random weights; from, to, n, what: report.sh
set terminal pngcairo size 760,520 font "Sans,13" linewidth 1.4
set output to
set border 3; set tics nomirror; set grid lc rgb "#e6e6e6" lw 0.6
set logscale xy; set xlabel "applications of A"; set ylabel "J above the best, nats an unknown"
stats from.'/eq6_long.tsv' using 2 nooutput; best = STATS_min
stats from.'/scratch_long.tsv' using 2 nooutput; if (STATS_min < best) best = STATS_min
set yrange [0.002:*]; set xrange [20:*]
set title sprintf("Unknown of kind \"%s\": reverse KL with the projector in the loop", what)
plot from.'/eq6_long.tsv' using ($1 > 0 ? $1 : NaN):(($2-best)/n > 0 ? ($2-best)/n : NaN) with linespoints pt 7 ps 0.4 lc rgb "#1f5fa8" title "pretrained, eq. (6)", \
     from.'/scratch_long.tsv' using ($1 > 0 ? $1 : NaN):(($2-best)/n > 0 ? ($2-best)/n : NaN) with linespoints pt 7 ps 0.4 lc rgb "#d95f02" title "random weights, eq. (2)", \
     0.02 with lines dt 2 lc rgb "#555555" title ".02 nats an unknown"
