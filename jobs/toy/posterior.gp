# Samples over contours of the exact posterior density, before and after the refinement; out: the folder of jobs/toy/run.sh.
a11 = 0.97184667938860603; a12 = -0.23559919500329846; a21 = 0.17669939625247383; a22 = 0.73624748438530763
y1 = 1.2012965787640182; y2 = 2.9983887300461785; s = 0.4
e(u, v) = u**2/2 + (v - u**2)**2 + ((a11*u + a12*v - y1)**2 + (a21*u + a22*v - y2)**2)/(2*s**2)
least = 1.906993   # of e, at the posterior's mode
set table $contours
set contour base; unset surface
set cntrparam levels discrete 0.5, 2, 4.5
set isosamples 241, 241
splot [0.6:2.8] [1.2:5.8] e(x, y) - least
unset table
set terminal pngcairo size 1120,560 font "Sans,13" linewidth 1.3
set output out.'/posterior.png'
set multiplot layout 1,2 title "Posterior of the 2-D toy: 1,000 samples over the exact density (1, 2, 3 sigma contours)"
set border 3; set tics nomirror; set grid lc rgb "#eeeeee" lw 0.6
set xrange [0.6:2.8]; set yrange [1.2:5.8]
set xlabel "x_1"; set ylabel "x_2"
set key bottom right samplen 1
set label 1 "x" at 2, 4 center tc rgb "#c00000" font "Sans Bold,16" front
set title "pretrained (amortised, low fidelity)"
plot out.'/amortised.tsv' using 1:2 with points pt 7 ps 0.35 lc rgb "#80d95f02" title "samples", \
     $contours using 1:2 with lines lc rgb "#333333" lw 1.1 title "exact", NaN with points pt 2 lc rgb "#c00000" title "truth"
set title "refined with the high-fidelity operator"
plot out.'/samples.tsv' using 1:2 with points pt 7 ps 0.35 lc rgb "#801f5fa8" title "samples", \
     $contours using 1:2 with lines lc rgb "#333333" lw 1.1 title "exact", NaN with points pt 2 lc rgb "#c00000" title "truth"
unset multiplot
