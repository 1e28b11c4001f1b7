#!/usr/bin/env bash
# Experiment A1 through the programs, in double, seeds 1 and 2 (FATHOM_SEEDS="1 2 3"): every figure beside its bar. Golds: tests/golds/toy_gold.py.
# shellcheck source=tests/journey.inc
source "$(dirname "${BASH_SOURCE[0]}")/journey.inc"

low=(-operator dense -dense_matrix '1,0,0,1' -noise_std 0.4 -prior rosenbrock) # A = I
latents=50000

# near NAME VALUE GOLD TOLERANCE - a figure within a distance of its gold
near() { figure "$1" "$2" "$(awk -v g="$3" -v t="$4" 'BEGIN {print g - t}')" "$(awk -v g="$3" -v t="$4" 'BEGIN {print g + t}')"; }
# moments NAME DIR MEAN1 MEAN2 STD1 STD2 MEAN_TOLERANCE STD_PERCENT - a posterior against its gold
moments() {
  local name=$1 dir=$2 tolerance=$7 percent=$8 i
  local mean=("$3" "$4") std=("$5" "$6")
  for i in 1 2; do
    near "$name: mean $i" "$(value "$dir" mean_$i)" "${mean[i - 1]}" "$tolerance"
    near "$name: std $i" "$(value "$dir" std_$i)" "${std[i - 1]}" "$(awk -v s="${std[i - 1]}" -v p="$percent" 'BEGIN {print s * p / 100}')"
  done
}
# kl_after CHECKPOINT STEP - the KL of the averaged weights at that step
kl_after() {
  paste <(series "$1" /history/evaluation_step) <(series "$1" /history/kl) | awk -v step="$2" '$1 == step {print $2}'
}
# least CHECKPOINT SERIES - the least of KL in standard errors over a history
least() {
  paste <(series "$1" "/history/$2") <(series "$1" "/history/${2}_se") |
    awk '{t = $1 / $2; if (NR == 1 || t < least) least = t} END {print least}'
}

# twice SEED NAME CHECKPOINT [OPTION...] - the low-fidelity posterior as prior, which counts the data twice. Its gold is that of
# the exact low-fidelity posterior: the refinement converges to what the flow holds (ESS), and a flow of many pairs holds the gold.
twice() {
  local s=$1 name=$2 flow=$3
  shift 3
  local prior=(-options_file_yaml "$toy/refine.yaml" -prior prior_low_posterior -prior_flow "$flow" "$@")
  run 1 double refine "${prior[@]}" -warm_start "$flow" -seed "$s" -epochs 15 -evaluate_every 0 -out "$s/refine_$name"
  run 1 double evaluate "${prior[@]}" -warm_start "$s/refine_$name/checkpoint.h5" -evaluation_latents $latents -seed $((2000 + s)) \
    -out "$s/twice_$name"
  figure "seed $s: prior_low_posterior ($name): ESS fraction" "$(value "$s/twice_$name" ess_fraction)" 0.9 1
}

chain() {
  local s=$1
  local pre=$s/pre/checkpoint.h5 refined=$s/refine/checkpoint.h5 name
  run 1 double simulate -options_file_yaml "$toy/pairs.yaml" -seed "$s" -out "$s/pairs"
  run 1 double simulate -options_file_yaml "$toy/pairs.yaml" -seed $((1000 + s)) -pairs_count 20000 -out "$s/test"

  # amortised pretraining
  run 1 double pretrain -options_file_yaml "$toy/pretrain.yaml" -pairs "$s/pairs/pairs.h5" -seed "$s" -out "$s/pre"
  run 1 double evaluate -pairs "$s/test/pairs.h5" -warm_start "$pre" -out "$s/nll"
  figure "seed $s: test NLL (floor 3.4966)" "$(value "$s/nll" nll)" 3.47 3.55
  run 1 double pretrain -options_file_yaml "$toy/pretrain.yaml" -pairs "$s/pairs/pairs.h5" -seed "$s" -flow_variant official \
    -out "$s/official"
  run 1 double evaluate -pairs "$s/test/pairs.h5" -warm_start "$s/official/checkpoint.h5" -out "$s/nll_official"
  figure "seed $s: test NLL, official variant" "$(value "$s/nll_official" nll)" 3.47 3.72
  for name in a,0,1,0,0.80052,0.42090,0.35251 b,1.5,2.5,1.44455,2.41319,0.23495,0.38361 c,-1,0,-0.66818,0.12909,0.29329,0.36064; do
    local case
    IFS=, read -ra case <<<"$name"
    run 1 double evaluate "${low[@]}" -observed "${case[1]},${case[2]}" -evaluation_latents $latents -warm_start "$pre" \
      -out "$s/amortised_${case[0]}"
    moments "seed $s: amortised at y = (${case[1]}, ${case[2]})" "$s/amortised_${case[0]}" "${case[@]:3}" 0.06 10
  done

  # refinement
  run 1 double refine -options_file_yaml "$toy/refine.yaml" -warm_start "$pre" -seed "$s" -evaluate_every 4 -out "$s/refine"
  figure "seed $s: KL at the start" "$(value "$s/refine" kl_start)" 1.2 2.0
  figure "seed $s: KL after 1 epoch, averaged weights" "$(kl_after "$refined" 16)" -0.01 0.25
  figure "seed $s: KL after 5 epochs, averaged weights" "$(kl_after "$refined" 80)" -0.01 0.02
  run 1 double evaluate -options_file_yaml "$toy/refine.yaml" -warm_start "$refined" -evaluation_latents $latents -seed $((2000 + s)) \
    -out "$s/posterior"
  moments "seed $s: refined" "$s/posterior" 1.82896 3.47695 0.21315 0.50927 0.04 6
  figure "seed $s: ESS fraction" "$(value "$s/posterior" ess_fraction)" 0.9 1
  near "seed $s: log evidence" "$(value "$s/posterior" log_evidence)" -4.00060 0.02
  figure "seed $s: solves of F" "$(value "$s/refine" solves_F)" 5120 5120
  figure "seed $s: solves of J^T" "$(value "$s/refine" solves_JT)" 5120 5120

  twice "$s" own "$pre"
  printf 'note seed %s: prior_low_posterior of that flow (5,000 pairs): mean %.3f, %.3f, std %.3f, %.3f\n' "$s" \
    "$(value "$s/twice_own" mean_1)" "$(value "$s/twice_own" mean_2)" "$(value "$s/twice_own" std_1)" "$(value "$s/twice_own" std_2)"
  run 1 double simulate -options_file_yaml "$toy/pairs.yaml" -seed "$s" -pairs_count 100000 -out "$s/many"
  run 1 double pretrain -options_file_yaml "$toy/pretrain.yaml" -pairs "$s/many/pairs.h5" -seed "$s" -flow_hidden 32 -epochs 8 \
    -learning_rate 2e-3 -learning_rate_decay cosine -out "$s/close"
  twice "$s" close "$s/close/checkpoint.h5" -flow_hidden 32
  moments "seed $s: prior_low_posterior" "$s/twice_close" 1.650 3.112 0.186 0.309 0.04 6
  run 1 double evaluate -options_file_yaml "$toy/refine.yaml" -warm_start "$s/refine_close/checkpoint.h5" -seed $((2000 + s)) \
    -out "$s/against_truth"
  near "seed $s: its KL to the posterior [nats]" "$(value "$s/against_truth" kl)" 0.5755 0.1

  for name in kl kl_last; do
    figure "seed $s: least $name in standard errors" "$(least "$refined" $name)" -4 1e9
  done
}

for s in ${FATHOM_SEEDS:-1 2}; do
  while (($(jobs -rp | wc -l) >= 2)); do wait -n || true; done
  chain $s &
done
wait
for s in ${FATHOM_SEEDS:-1 2}; do check "seed $s came to its end" test -e $s/against_truth/results.tsv; done

# the bars can fail: the KL of the pretrained weights is no KL of refined ones
out=$(figure control "$(value 1/refine kl_start)" -0.01 0.02)
sed -i '/control/d' verdicts
check "a figure above its bar is bad" test "${out:0:3}" = bad
verdict
