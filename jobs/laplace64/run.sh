#!/usr/bin/env bash
# The 64-parameter Laplace benchmark by flows: from scratch; preconditioned by a conditional flow that was pretrained on the twin on a
# coarse mesh; and that flow corrected by Hamiltonian Monte Carlo in its latent space. Each beside the reference chains of
# reference.sh, and beside Hamiltonian Monte Carlo at as many solves as scratch had.
#
#   bash jobs/laplace64/run.sh [-n RANKS] [-out DIR] [-seed N] [-data FOLDER] [-no-reference]    (build/ must be there: bash jobs/demo.sh)
#
# The data are z_hat.txt of FOLDER (default ../shared/data/laplace64), else our own: truth.yaml. -no-reference takes what is in
# DIR/reference. About 40 minutes on two cores, whose numbers README.md has; small.yaml ends in seconds.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
here=$root/jobs/laplace64
ranks=2 out=$root/out/laplace64 seed=1 data=$root/../shared/data/laplace64 reference=yes
while [[ $# -gt 0 ]]; do
  case $1 in
    -n) ranks=$2; shift 2 ;;
    -out) out=$2; shift 2 ;;
    -seed) seed=$2; shift 2 ;;
    -data) data=$2; shift 2 ;;
    -no-reference) reference=no; shift ;;
    *) echo "jobs/laplace64/run.sh knows -n RANKS, -out DIR, -seed N, -data FOLDER and -no-reference, not '$1'" >&2; exit 2 ;;
  esac
done
fathom=${FATHOM_BUILD:-$root/build}/fathom
[[ -x $fathom ]] || { echo "no program '$fathom': run bash jobs/demo.sh, which builds it" >&2; exit 1; }
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OPENBLAS_NUM_THREADS=1
mkdir -p "$out"
out=$(cd "$out" && pwd)
rm -f "$out/log"
launch() { mpirun -n "$ranks" --oversubscribe "$fathom" "$@" -seed "$seed" >>"$out/log" 2>&1 || { tail -5 "$out/log" >&2; exit 1; }; }
run() { # COMMAND YAML ARGUMENT...
  echo "+ fathom $1 -options_file_yaml jobs/laplace64/$2.yaml ${*:3}" | sed "s#$root/##g; s#-observed [^ ]*#-observed ...#"
  launch "$1" -options_file_yaml "$here/$2.yaml" "${@:3}"
}
value() { awk -F '\t' -v name="$2" '$1 == name {print $2}' "$out/$1/results.tsv"; }
show() { # PREFIX FOLDER NAME...
  local name
  for name in "${@:3}"; do echo "result $1_$name $(value "$2" "$name") 1"; done
}
# compare PREFIX FILE... - errors against the reference chains and the published means, where they are there
compare() {
  local published=()
  [[ -f $data/reference_posterior_mean.txt ]] && published=("--published=$data/reference_posterior_mean.txt")
  if [[ -f $out/reference/reference.h5 ]] && /usr/bin/python3 -c 'import numpy, h5py' 2>/dev/null; then
    /usr/bin/python3 "$here/compare.py" "$out/reference/reference.h5" "$@" "${published[@]}"
  fi
}
# judge FOLDER - J on fresh latents, weights, and samples against the reference
judge() {
  run evaluate "$1" -observed "$observed" -warm_start "$out/$1/checkpoint.h5" -evaluation_latents 20000 -expectation exp -out "$out/$1/evaluate"
  launch sample -warm_start "$out/$1/checkpoint.h5" -samples 20000 -out "$out/$1/samples"
  show "$1" "$1/evaluate" minus_elbo kl_se ess_fraction k_hat k_hat_exp_max log_evidence diagnostic_F
  show "${1}_training" "$1" solves_F solves_JT step_seconds
  compare "$1" "$out/$1/samples/samples.h5" "--weighted=$out/$1/evaluate/evaluation.h5"
}
# chains FOLDER - a sampler's diagnostics, and its draws against the reference
chains() {
  show "$1" "$1" rhat_max ess_bulk_min solves_F solves_JT seconds
  compare "$1" "$out/$1/reference.h5"
}

if [[ -f $data/z_hat.txt ]]; then
  observed=$(paste -sd, "$data/z_hat.txt")
else
  echo "no '$data/z_hat.txt': data of our own at the benchmark's exact coefficient"
  run forward truth -out "$out/truth"
  observed=$out/truth/data.h5:/y
fi
if [[ $reference == yes ]]; then
  FATHOM_BUILD=$(dirname "$fathom") bash "$here/reference.sh" -n "$ranks" -out "$out" -seed "$seed" -data "$data"
fi
run refine scratch -observed "$observed" -out "$out/scratch"
judge scratch
run simulate pairs -out "$out/pairs"
run pretrain pretrain -pairs "$out/pairs/pairs.h5" -out "$out/pretrain"
run refine coarse -observed "$observed" -warm_start "$out/pretrain/checkpoint.h5" -out "$out/coarse"
run refine refine -observed "$observed" -warm_start "$out/coarse/checkpoint.h5" -out "$out/refine"
judge refine
echo "result coarse_solves $(awk -v a="$(value pairs solves_F)" -v b="$(value coarse solves_F)" -v c="$(value coarse solves_JT)" 'BEGIN {print a + b + c}') solves"
run reference correct -observed "$observed" -latent "$out/refine/checkpoint.h5" -out "$out/correct"
chains correct
# as many solves as scratch, less the 1,000 draws of warm-up: about 23 steps an iteration
run reference reference -observed "$observed" -iterations 4000 -warmup 1000 -seed $((seed + 1)) -out "$out/hmc"
chains hmc
