#!/usr/bin/env bash
# The Gaussian-field gold: with a stationary Gaussian field of known spectrum as prior the posterior is Gaussian, and exact.py knows its
# mean, pointwise std and evidence by dense algebra.
#
#   bash jobs/compressed_sensing/gold.sh [-n RANKS] [-out DIR] [-seed N] [-small]       (build/ must be there: bash jobs/demo.sh)
#
#   mask        half of the pixels of 32x32, noise .2: reverse KL from random weights, convolutions and a scale and shift a pixel
#   projector   16x16: reverse KL from random weights, convolutions behind a dense triangular layer; and without it, as it is
#   amortised   32x32, white field: forward KL on pairs, then samples at unknowns that it has not seen
#   correlated  the same for a field with correlation, as it is: convolutions cannot undo a projector that mixes all pixels
#
# Needs /usr/bin/python3 with numpy and h5py. About six minutes on two cores; -small in seconds, to see that it runs.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
here=$root/jobs/compressed_sensing
ranks=2 out=$root/out/compressed_sensing/gold seed=1 small=no
while [[ $# -gt 0 ]]; do
  case $1 in
    -n) ranks=$2; shift 2 ;;
    -out) out=$2; shift 2 ;;
    -seed) seed=$2; shift 2 ;;
    -small) small=yes; shift ;;
    *) echo "jobs/compressed_sensing/gold.sh knows -n RANKS, -out DIR, -seed N and -small, not '$1'" >&2; exit 2 ;;
  esac
done
fathom=${FATHOM_BUILD:-$root/build}/fathom
[[ -x $fathom ]] || { echo "no program '$fathom': run bash jobs/demo.sh, which builds it" >&2; exit 1; }
python=/usr/bin/python3
$python -c 'import numpy, h5py' 2>/dev/null || { echo "gold.sh needs $python with numpy and h5py (apt-get install python3-h5py)" >&2; exit 1; }
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OPENBLAS_NUM_THREADS=1
mkdir -p "$out"
out=$(cd "$out" && pwd)
rm -f "$out/log" "$out/results.tsv"
unknowns=4 steps=(-steps_per_epoch 1000) pairs=20000 epochs=4 latents=256 samples=10000
[[ $small == no ]] || { unknowns=2 steps=(-steps_per_epoch 10) pairs=64 epochs=1 latents=4 samples=100; }
run() { mpirun -n "$ranks" --oversubscribe "$fathom" "$@" >>"$out/log" 2>&1 || { tail -5 "$out/log" >&2; exit 1; }; }
value() { awk -F '\t' -v name="$2" '$1 == name {print $2}' "$out/$1/results.tsv"; }
keep() { printf '%s\t%s\t%s\n' "$1" "$2" "$3" >>"$out/results.tsv"; echo "result $1 $2 $3"; }

# prepare NAME OPERATOR SIDE CORRELATION NUGGET - truths, data and the exact posterior
prepare() {
  local side=$3
  problem=(-operator "$2" "-${2}_shape" "${side}x$side" -prior field -field_shape "${side}x$side" -field_correlation "$4"
    -field_nugget "$5" -noise_std 0.2)
  $python "$here/exact.py" identity "${side}x$side" "$out/identity$side.h5" >>"$out/log"
  run forward "${problem[@]}" -models "$out/identity$side.h5:/x" -out "$out/$1/columns"
  run simulate "${problem[@]}" -pairs_count "$unknowns" -seed $((seed + 50)) -out "$out/$1/truth"
  $python "$here/exact.py" posterior "$out/$1/columns/data.h5" "$out/$1/truth/pairs.h5" --sigma 0.2 --correlation "$4" --nugget "$5" \
    --out "$out/$1/exact.h5" >>"$out/log"
}
# compare NAME FOLDER NUMBER - errors of mean and pointwise std of the samples there
compare() {
  $python - "$out/$1/exact.h5" "$2/maps.h5" "$3" <<'PYTHON'
import sys
import h5py
import numpy as np
with h5py.File(sys.argv[1]) as e, h5py.File(sys.argv[2]) as s:
    k = int(sys.argv[3])
    mean, std = e["mean"][k].ravel(), e["std"][:].ravel()
    print(np.linalg.norm(s["mean"][:].ravel() - mean) / np.linalg.norm(mean), np.mean(np.abs(s["std"][:].ravel() / std - 1)),
          np.mean(s["std"][:]) / np.mean(std), e["log_evidence"][k])
PYTHON
}
record() { # NAME and on standard input a line an unknown: mean error, std error, ratio
  local mean std ratio
  read -r mean std ratio < <(awk '{ if ($1 > a) a = $1; if ($2 > b) b = $2; r += $3 } END { printf "%.4f %.4f %.4f\n", a, b, r / NR }')
  keep "$1_mean_error_max" "$mean" "relative L2"
  keep "$1_std_error_max" "$std" "mean |relative|"
  keep "$1_std_ratio" "$ratio" 1
}
image=(-flow_squeezes 1 -flow_variant bounded -flow_memory store -clip_norm 100 -learning_rate_decay cosine -seed "$seed")

# reverse NAME FOLDER ARGUMENT... - reverse KL at every unknown
reverse() {
  local u evidence sum=0
  rm -f "$out/$2.txt"
  for ((u = 0; u < unknowns; u++)); do
    evidence=$($python -c "import h5py; print(h5py.File('$out/$1/exact.h5')['log_evidence'][$u])")
    run refine "${problem[@]}" "${image[@]}" -observed "$out/$1/truth/pairs.h5:/y[$u]" -learning_rate 2e-3 -batch_size 16 -micro_batch 8 \
      -epochs 1 "${steps[@]}" -log_evidence "$evidence" -evaluation_latents $latents "${@:3}" -out "$out/$2/$u"
    run sample -warm_start "$out/$2/$u/checkpoint.h5" -samples $samples -seed "$seed" -out "$out/$2/$u/samples"
    compare "$1" "$out/$2/$u/samples" "$u" >>"$out/$2.txt"
    sum=$(awk -v a="$sum" -v b="$(value "$2/$u" kl)" 'BEGIN {print a + b}')
  done
  record "$2" <"$out/$2.txt"
  keep "$2_kl" "$(awk -v a="$sum" -v n=$unknowns 'BEGIN {printf "%.3f", a / n}')" nats
  keep "$2_applications" "$(value "$2/0" solves_F)" 1
}
# forward NAME ARGUMENT... - forward KL on pairs, then the unknowns
forward() {
  local u
  rm -f "$out/$1.txt"
  run simulate "${problem[@]}" -pairs_count $pairs -seed "$seed" -out "$out/$1/pairs"
  run pretrain "${image[@]}" -pairs "$out/$1/pairs/pairs.h5" -batch_size 16 -micro_batch 8 -epochs $epochs -learning_rate 2e-3 "${@:2}" \
    -out "$out/$1/flow"
  for ((u = 0; u < unknowns; u++)); do
    run sample -warm_start "$out/$1/flow/checkpoint.h5" -observed "$out/$1/truth/pairs.h5:/y[$u]" -samples $samples -seed "$seed" \
      -truth "$out/$1/truth/pairs.h5:/x[$u]" -out "$out/$1/samples$u"
    compare "$1" "$out/$1/samples$u" "$u" >>"$out/$1.txt"
  done
  record "$1" <"$out/$1.txt"
  keep "$1_coverage" "$(value "$1/samples0" coverage_2std)" 1
}

prepare mask mask 32 2 0.1
reverse mask mask -flow_depth 4 -flow_hidden 32 -flow_linear elementwise
dense=(-flow_depth 2 -flow_hidden 16 -learning_rate 5e-3 -batch_size 32 -micro_batch 16)
[[ $small == yes ]] || dense+=(-steps_per_epoch 1500)
prepare projector romberg 16 2 0.1
reverse projector projector "${dense[@]}" -flow_linear triangular
reverse projector projector_couplings "${dense[@]}"
prepare amortised romberg 32 1 1
forward amortised -flow_depth 2 -flow_hidden 16
prepare correlated romberg 32 2 0.1
forward correlated -flow_depth 4 -flow_hidden 32
