#!/usr/bin/env bash
# The linear-Gaussian row through the programs, in double, seeds 1 and 2 (FATHOM_SEEDS="1 2 3"): the HINT network (pretrained for 2 epochs instead of
# 20, refined for 20 instead of 60) and the dense triangular layer, against the closed form of tests/golds/linear_gaussian.py.
# shellcheck source=tests/journey.inc
source "$(dirname "${BASH_SOURCE[0]}")/journey.inc"

case=$root/jobs/linear_gaussian
gold=$tests/golds/linear_gaussian.txt
read -ra mean < <(awk '$1 == "mu" {gsub(",", " ", $2); print $2}' "$gold")
read -ra std < <(awk '$1 == "std" {gsub(",", " ", $2); print $2}' "$gold")
exact=no
if $python -c 'import h5py, numpy' 2>/dev/null; then exact=yes; else echo "no h5py and numpy: no closed-form KL"; fi

# moments NAME DIR TOLERANCE - the largest error of the 8 means, in standard deviations, and of the 8 standard deviations, relative
moments() {
  local i
  for i in 1 2 3 4 5 6 7 8; do
    awk -v m="$(value "$2" mean_$i)" -v s="$(value "$2" std_$i)" -v gm="${mean[i - 1]}" -v gs="${std[i - 1]}" \
      'BEGIN {e = (m - gm) / gs; f = s / gs - 1; print (e < 0 ? -e : e), (f < 0 ? -f : f)}'
  done >"$2.errors"
  figure "$1: largest error of a mean [std]" "$(sort -g "$2.errors" | tail -n 1 | cut -d ' ' -f 1)" 0 "$3"
  figure "$1: largest error of a std, relative" "$(sort -g -k 2 "$2.errors" | tail -n 1 | cut -d ' ' -f 2)" 0 "$3"
}

# closed_form CHECKPOINT - KL of two Gaussians: the triangular layer's, from its parameters, and the gold
closed_form() {
  $python - "$1" "$gold" <<'PYTHON'
import sys
import h5py
import numpy as np

gold = dict(line.split(" ", 1) for line in open(sys.argv[2]))
mu = np.array([float(v) for v in gold["mu"].split(",")])
n = mu.size
sigma = np.array([float(v) for v in gold["Sigma"].split(",")]).reshape(n, n)
with h5py.File(sys.argv[1]) as f:
    part = {name.split(".")[-1]: f["theta_average"][name][...] for name in f["theta_average"]}
    mean, std = f["whitening/x_mean"][...], f["whitening/x_std"][...]
lower = np.diag(np.exp(part["log_diagonal"]))  # z = L (x - mean) / std + shift
lower[np.tril_indices(n, -1)] = part["lower"]
root = std[:, None] * np.linalg.inv(lower)     # x = mean + root (z - shift)
center = mean - root @ part["shift"]
precision = np.linalg.inv(sigma)
d = center - mu
kl = 0.5 * (np.trace(precision @ root @ root.T) - n + d @ precision @ d
            + np.linalg.slogdet(sigma)[1] - 2 * np.linalg.slogdet(root)[1])
print(f"{kl:.6e}")
PYTHON
}

chain() {
  local s=$1
  run 1 double refine -options_file_yaml "$case/triangular.yaml" -seed "$s" -out "$s/triangular"
  figure "seed $s: triangular layer: KL, estimated" "$(value "$s/triangular" kl)" -1e-4 1e-3
  if [[ $exact == yes ]]; then
    figure "seed $s: triangular layer: KL, closed form" "$(closed_form "$s/triangular/checkpoint.h5")" -1e-9 1e-3
  fi
  run 1 double simulate -options_file_yaml "$case/pairs.yaml" -seed "$s" -out "$s/pairs"
  run 1 double pretrain -options_file_yaml "$case/pretrain.yaml" -pairs "$s/pairs/pairs.h5" -seed "$s" -epochs 2 -out "$s/pre"
  run 1 double refine -options_file_yaml "$case/refine.yaml" -warm_start "$s/pre/checkpoint.h5" -seed "$s" -epochs 20 -evaluate_every 0 \
    -out "$s/hint"
  figure "seed $s: HINT network: KL at the start" "$(value "$s/hint" kl_start)" 0.02 2
  figure "seed $s: HINT network: KL" "$(value "$s/hint" kl)" -0.004 0.02
  for name in triangular hint; do
    run 1 double evaluate -options_file_yaml "$case/refine.yaml" -warm_start "$s/$name/checkpoint.h5" -evaluation_latents 20000 \
      -seed $((100 + s)) -out "$s/evaluate_$name"
    figure "seed $s: $name: log evidence (gold -13.2023)" "$(value "$s/evaluate_$name" log_evidence)" -13.2123 -13.1923
    figure "seed $s: $name: ESS fraction" "$(value "$s/evaluate_$name" ess_fraction)" 0.9 1
    moments "seed $s: $name" "$s/evaluate_$name" 0.05
  done
}

for s in ${FATHOM_SEEDS:-1 2}; do
  while (($(jobs -rp | wc -l) >= 2)); do wait -n || true; done
  chain $s &
done
wait
for s in ${FATHOM_SEEDS:-1 2}; do check "seed $s came to its end" test -e $s/evaluate_hint/results.tsv; done
check "with x known worse the evidence is another: the gold belongs to this problem" bash -c "
  '$build/fathom-double' evaluate -options_file_yaml '$case/refine.yaml' -noise_std 0.4 -warm_start 1/hint/checkpoint.h5 -out other &&
  awk -F '\t' '\$1 == \"log_evidence\" {exit !(\$2 < -13.25 || \$2 > -13.15)}' other/results.tsv"
verdict
