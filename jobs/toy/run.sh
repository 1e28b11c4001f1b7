#!/usr/bin/env bash
# Experiment A1 whole: pairs, pretraining, refinement from the pretrained weights and from scratch, samples, figures, comparison.
#
#   bash jobs/toy/run.sh [-n RANKS] [-out DIR] [-seed N] [-double] [-no-plots]     (build/ must be there: bash jobs/demo.sh)
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
here=$root/jobs/toy
ranks=2 out=$root/out/toy seed=1 program=fathom plots=yes
while [[ $# -gt 0 ]]; do
  case $1 in
    -n) ranks=$2; shift 2 ;;
    -out) out=$2; shift 2 ;;
    -seed) seed=$2; shift 2 ;;
    -double) program=fathom-double; shift ;;
    -no-plots) plots=no; shift ;;
    *) echo "jobs/toy/run.sh knows -n RANKS, -out DIR, -seed N, -double and -no-plots, not '$1'" >&2; exit 2 ;;
  esac
done
fathom=${FATHOM_BUILD:-$root/build}/$program
[[ -x $fathom ]] || { echo "no program '$fathom': run bash jobs/demo.sh, which builds it" >&2; exit 1; }
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OPENBLAS_NUM_THREADS=1
run() { # one command on all ranks; its output goes to DIR/log and its result lines are shown by the caller
  mkdir -p "$out"
  echo "+ $program $*" | sed "s#$root/##g"
  mpirun -n "$ranks" --oversubscribe "$fathom" "$@" -seed "$seed" >>"$out/log" 2>&1 || { tail -5 "$out/log" >&2; exit 1; }
}
value() { awk -F '\t' -v name="$2" '$1 == name {print $2}' "$out/$1/results.tsv"; }

rm -f "$out/log"
echo "experiment A1 (2-D toy) on $ranks rank(s), results in $out"
run simulate -options_file_yaml "$here/pairs.yaml" -out "$out/pairs"
run pretrain -options_file_yaml "$here/pretrain.yaml" -pairs "$out/pairs/pairs.h5" -out "$out/pretrain"
run refine -options_file_yaml "$here/refine.yaml" -warm_start "$out/pretrain/checkpoint.h5" -out "$out/refine"
run refine -options_file_yaml "$here/scratch.yaml" -out "$out/scratch"
run sample -warm_start "$out/pretrain/checkpoint.h5" -observed 1.2012965787640182,2.9983887300461785 -samples 1000 -out "$out/amortised"
run sample -warm_start "$out/refine/checkpoint.h5" -samples 1000 -out "$out/samples"
run evaluate -options_file_yaml "$here/refine.yaml" -warm_start "$out/refine/checkpoint.h5" -out "$out/evaluate"

curve() { # columns: solves of F, KL of the averaged weights, KL of the last weights
  paste <("$fathom" inspect "$out/$1/checkpoint.h5:/history/evaluation_F") \
        <("$fathom" inspect "$out/$1/checkpoint.h5:/history/kl") \
        <("$fathom" inspect "$out/$1/checkpoint.h5:/history/kl_last") >"$out/$1.tsv"
}
curve refine
curve scratch
for name in amortised samples; do "$fathom" inspect "$out/$name/samples.h5:/x" >"$out/$name.tsv"; done

if [[ $plots == yes ]]; then
  if command -v gnuplot >/dev/null; then
    gnuplot -e "out='$out'" "$here/curves.gp" && gnuplot -e "out='$out'" "$here/posterior.gp"
    echo "figures: $out/kl_against_solves.png $out/posterior.png"
  else
    echo "no gnuplot: no figures (apt-get install gnuplot-nox)"
  fi
fi

row() { printf '%-46s %14s %14s\n' "$1" "$2" "$3"; }
echo
row "" "warm start" "scratch"
row "KL at the start [nats]" "$(value refine kl_start)" "$(value scratch kl_start)"
row "KL at the end [nats]" "$(value refine kl)" "$(value scratch kl)"
row "solves of F in all" "$(value refine solves_F)" "$(value scratch solves_F)"
row "solves of F until KL <= 0.1, first crossing" "$(value refine solves_to_kl_first)" "$(value scratch solves_to_kl_first)"
row "solves of F until the mean over 1,000 stays" "$(value refine solves_to_kl_stay)" "$(value scratch solves_to_kl_stay)"
echo
row "posterior" "refined" "exact"
row "mean 1" "$(value evaluate mean_1)" 1.82896
row "mean 2" "$(value evaluate mean_2)" 3.47695
row "std 1" "$(value evaluate std_1)" 0.21315
row "std 2" "$(value evaluate std_2)" 0.50927
row "log evidence" "$(value evaluate log_evidence)" -4.00060
row "effective sample fraction" "$(value evaluate ess_fraction)" 1
first=$(awk -v w="$(value refine solves_to_kl_first)" -v s="$(value scratch solves_to_kl_first)" 'BEGIN {print (w > 0 ? s / w : "nan")}')
stay=$(awk -v w="$(value refine solves_to_kl_stay)" -v s="$(value scratch solves_to_kl_stay)" 'BEGIN {print (w > 0 ? s / w : "nan")}')
echo
echo "result solves_scratch_over_warm_first $first 1"
echo "result solves_scratch_over_warm_stay $stay 1"
printf 'name\tvalue\tunit\nsolves_scratch_over_warm_first\t%s\t1\nsolves_scratch_over_warm_stay\t%s\t1\n' "$first" "$stay" >"$out/results.tsv"
