# J against applications of A, from pretrained and from random weights; from, to, n, what: report.sh
# Logarithms know no zero: J before the first application is said in the key, and the best J of both runs is a triangle at the lower edge.
set terminal pngcairo size 760,520 font "Sans,13" linewidth 1.4
set output to
set border 3; set tics nomirror; set grid lc rgb "#e6e6e6" lw 0.6
set logscale xy; set format "%g"; set xlabel "applications of A"; set ylabel "J above the best, nats an unknown"
pretrained = from.'/eq6_long.tsv'; random = from.'/scratch_long.tsv'
least(a, b) = a < b ? a : b
most(a, b) = a > b ? a : b
stats pretrained using 2 nooutput; best = STATS_min
stats random using 2 nooutput; best = least(best, STATS_min)
start(file) = real(system("awk 'NR == 1 {print $2}' '".file."'"))
# the first and the last place, and the least J that is not the best
places(x) = x > 0 ? x : NaN
above(j) = j > best ? (j - best) / n : NaN
stats pretrained using (places($1)):(above($2)) nooutput
left = STATS_min_x; right = STATS_max_x; low = STATS_min_y; high = STATS_max_y
stats random using (places($1)):(above($2)) nooutput
left = least(left, STATS_min_x); right = most(right, STATS_max_x); low = least(low, STATS_min_y); high = most(high, STATS_max_y)
floor_ = most(least(low, 0.02) / 2, 1e-4) # below are differences that no one would read
set xrange [left / 1.15:right * 1.15]; set yrange [floor_:most(high, 0.02) * 1.3]
height(j) = most((j - best) / n, floor_)
at_best(j) = j > best ? NaN : floor_ * 1.04
blue = "#1f5fa8"; orange = "#d95f02"
title(words, file) = sprintf("%s; at 0: %.3g", words, (start(file) - best) / n)
set title sprintf("Unknown of kind \"%s\": reverse KL with the projector in the loop", what)
plot pretrained using (places($1)):(height($2)) with linespoints pt 7 ps 0.4 lc rgb blue title title("pretrained, eq. (6)", pretrained), \
     random using (places($1)):(height($2)) with linespoints pt 7 ps 0.4 lc rgb orange title title("random weights, eq. (2)", random), \
     pretrained using (places($1)):(at_best($2)) with points pt 11 ps 1.4 lc rgb blue notitle, \
     random using (places($1)):(at_best($2)) with points pt 11 ps 1.4 lc rgb orange notitle, \
     0.02 with lines dt 2 lc rgb "#555555" title ".02 nats an unknown"
