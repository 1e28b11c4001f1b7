# KL to the exact posterior against solves of F, warm start and scratch; out: the folder of jobs/toy/run.sh.
set terminal pngcairo size 960,640 font "Sans,13" linewidth 1.5
set output out.'/kl_against_solves.png'
set logscale y
set format y "10^{%T}"
set yrange [5e-4:100]
set xrange [0:*]
set format x "%'.0f"
set grid ytics xtics lc rgb "#dddddd" lw 0.6
set border 3; set tics nomirror
set key top right samplen 2
set xlabel "solves of the forward operator F (useful)"
set ylabel "KL(q || posterior)  [nats]"
set title "The warm start saves forward solves: 2-D toy, experiment A1"
set arrow from graph 0, first 0.1 to graph 1, first 0.1 nohead dt 2 lc rgb "#888888" lw 0.8
set label "KL = 0.1" at graph 0.985, first 0.125 right tc rgb "#666666"
plot out.'/scratch.tsv' using 1:3 with lines lc rgb "#f2b48f" lw 0.8 notitle, \
     out.'/refine.tsv'  using 1:3 with lines lc rgb "#9dbbe0" lw 0.8 notitle, \
     out.'/scratch.tsv' using 1:2 with lines lc rgb "#d95f02" lw 1.8 title "from scratch (averaged weights; thin: last)", \
     out.'/refine.tsv'  using 1:2 with lines lc rgb "#1f5fa8" lw 1.8 title "from pretrained weights"
