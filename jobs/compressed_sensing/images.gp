# Truth, data, mean, std, error and three samples of one unknown, before and after refinement; from, to, rows, columns, what: report.sh
set terminal pngcairo size 1500,470 font "Sans,11"
set output to
unset key; unset tics; unset colorbox; set size ratio -1
# a std that a few pixels have does not set the scale
robust(x) = STATS_max <= 0 ? 1 : (STATS_mean + 2*STATS_stddev < STATS_max ? STATS_mean + 2*STATS_stddev : STATS_max)
stats from.'/truth.txt' matrix using 3 nooutput
top = 2.5*(STATS_stddev > 0 ? STATS_stddev : 1)
stats from.'/eq3_std.txt' matrix using 3 nooutput
most_eq3 = robust(0)
stats from.'/eq6_std.txt' matrix using 3 nooutput
most_eq6 = robust(0)
set xrange [-0.5:columns-0.5]; set yrange [rows-0.5:-0.5]
set multiplot layout 2,8 margins 0.01,0.99,0.02,0.86 spacing 0.008,0.09 \
  title sprintf("Compressed sensing, an unknown of kind \"%s\": pretrained flow, eq. (3), above; refined, eq. (6), below", what)
do for [m in "eq3 eq6"] {
  most = m eq "eq3" ? most_eq3 : most_eq6
  set palette gray; set cbrange [-top:top]
  set title "truth"; plot from.'/truth.txt' matrix with image
  set title "data Aᵀy"; plot from.'/data.txt' matrix with image
  set title m.": mean"; plot from.'/'.m.'_mean.txt' matrix with image
  set cbrange [-top/2:top/2]
  set title "error x 2"; plot from.'/'.m.'_error.txt' matrix with image
  set palette defined (0 "#000004", 0.35 "#781c6d", 0.65 "#ed6925", 1 "#fcffa4"); set cbrange [0:most]
  set title sprintf("std, 0 to %.2g", most); plot from.'/'.m.'_std.txt' matrix with image
  set palette gray; set cbrange [-top:top]
  do for [k=0:2] { set title sprintf("sample %d", k+1); plot from.'/'.m.sprintf('_sample%d.txt', k) matrix with image }
}
unset multiplot
