#!/usr/bin/env bash
# The operators acoustic and born by the programs: data are the same bytes on 1, 2 and 4 ranks in both splits, the adjoint is the
# transpose, and what a user can get wrong is one sentence that says what would do.
# shellcheck source=tests/journey.inc
source "$(dirname "${BASH_SOURCE[0]}")/journey.inc"

cat >survey.yaml <<'YAML'
operator: acoustic
acoustic: {shape: 60x50, spacing: 10, dt: 0.0015, steps: 160, layers: 10, wavelet_frequency: 15, unknown: scaled,
           background: 2000, scale: 60, velocity_min: 1700, velocity_max: 2400}
acoustic_sources: 50,100,50,250,50.5,333,52,405
acoustic_receivers: 20,100,20,207.5,300,250,581,444
prior: gaussian
gaussian_std: 1
noise_std: 1e-3
YAML
survey=(-options_file_yaml survey.yaml)
run 1 double simulate "${survey[@]}" -pairs_count 2 -out pairs
models=(-models pairs/pairs.h5:/x)

# ---- the same bytes ----

for precision in double single; do
  run 1 $precision forward "${survey[@]}" "${models[@]}" -out "$precision/one"
  for ranks in 2 4; do
    for split in domain shots; do
      run "$ranks" $precision forward "${survey[@]}" "${models[@]}" -ranks_per_sample "$ranks" -acoustic_split $split \
        -out "$precision/$split.$ranks"
      same "$precision: data, $ranks ranks, $split" "$precision/one/data.h5" "$precision/$split.$ranks/data.h5" /y
    done
  done
done
differs "data in float are others" double/one/data.h5 single/one/data.h5 /y
run 1 double forward "${survey[@]}" "${models[@]}" -acoustic_dt 0.00151 -out other
differs "another dt gives other data" double/one/data.h5 other/data.h5 /y
check "the numbers of the preflight are said" grep -q \
  '^acoustic: CFL number 0.36 at 2400 m/s (limit 0.555), 4.53 points per wavelength at 37.5 Hz in 1700 m/s; shots of 4 receivers: 4' \
  double/one.log
check "the memory too" grep -Eq 'memory of a rank [0-9.]+ MiB and [0-9.]+ MiB of tape' double/one.log

# ---- derivatives ----

cat >small.yaml <<'YAML'
acoustic: {shape: 8x9, spacing: 10, dt: 0.0015, steps: 30, layers: 4, wavelet_frequency: 15, wavelet_delay: 0.02, unknown: scaled,
           background: 2000, scale: 60, velocity_min: 1700}
acoustic_sources: 15,15,5,22
acoustic_receivers: 5,25,28,12
prior: gaussian
gaussian_std: 1
noise_std: 0.05
YAML
run 1 double simulate -options_file_yaml small.yaml -operator acoustic -pairs_count 1 -out small_pairs
for operator in acoustic born; do
  run 1 double check -options_file_yaml small.yaml -operator $operator -observed small_pairs/pairs.h5:/y -flow triangular \
    -flow_conditional 0 -out check_$operator
  figure "$operator: adjoint_error" "$(value check_$operator adjoint_error)" 0 1e-12
  figure "$operator: taylor_slope" "$(value check_$operator taylor_slope)" 1.9 2.1
done

# in float with the bars of float; a draw that is no model is left out without a warning
for operator in acoustic born; do
  run 1 single check -options_file_yaml small.yaml -operator $operator -observed small_pairs/pairs.h5:/y -flow triangular \
    -flow_conditional 0 -out check_float_$operator
  figure "$operator in float: adjoint_error" "$(value check_float_$operator adjoint_error)" 1e-12 1e-5
  figure "$operator in float: gradient_error" "$(value check_float_$operator gradient_error)" 0 0.024
done
# an unknown of another size than 1: steps are taken in the prior's own spread
slowness=(-acoustic_background 2500 -acoustic_unknown slowness2 -gaussian_mean 1.6e-7 -gaussian_std 1e-8)
for precision in single double; do
  run 1 $precision check -options_file_yaml small.yaml -operator acoustic "${slowness[@]}" -observed small_pairs/pairs.h5:/y \
    -flow triangular -flow_conditional 0 -out check_slowness_$precision
  check "squared slowness in $precision: all checks" test "$(grep -c '^check .* ok ' check_slowness_$precision.log)" = 4
done

# the twin with the background's data: acoustic's own at the background, x = 0, and no others elsewhere
run 1 double forward -options_file_yaml small.yaml -operator acoustic -models "$(printf '0%.0s,' {1..71})0" -out at_background
run 1 double forward -options_file_yaml small.yaml -operator born -born_data total -models "$(printf '0%.0s,' {1..71})0" -out born_total
same "born, total: acoustic's data at the background" at_background/data.h5 born_total/data.h5 /y
run 1 double simulate -options_file_yaml small.yaml -operator born -born_data total -pairs_count 1 -out born_pairs
differs "elsewhere it is linear" small_pairs/pairs.h5 born_pairs/pairs.h5 /y
check "the bar is said" grep -q '^check adjoint_error .*bar 1e-05 in float' check_float_born.log
run 1 double check -options_file_yaml small.yaml -operator acoustic -observed small_pairs/pairs.h5:/y -flow triangular \
  -flow_conditional 0 -gaussian_std 11 -acoustic_allow_dispersion -out check_wide
check "models that are not solved are counted" grep -q '^[1-7] of 8 models of the untrained flow are not solved' check_wide.log
check "a receiver next to its source is warned of" grep -q '^warning: traces recorded within a node' check_wide.log
check "not warned of as a training step's" test "$(grep -v 'within a node' check_wide.log | grep -c 'warning\|check -at')" = 0
run 1 double refine -options_file_yaml small.yaml -operator acoustic -observed small_pairs/pairs.h5:/y -flow triangular \
  -flow_conditional 0 -epochs 1 -steps_per_epoch 1 -batch_size 4 -evaluation_latents 4 -out refined
run 2 double evaluate -options_file_yaml small.yaml -operator acoustic -observed small_pairs/pairs.h5:/y -acoustic_scale 700 -acoustic_allow_dispersion \
  -warm_start refined/checkpoint.h5 -evaluation_latents 40 -out evaluated
figure "evaluate: failed_fraction, of 40" "$(value evaluated failed_fraction)" 0.1 0.9
check "it is failed over all" awk -v a="$(value evaluated failed)" -v b="$(value evaluated failed_fraction)" 'BEGIN {exit !(a == 40 * b)}'

# ---- what is refused ----

bad=(forward "${survey[@]}" "${models[@]}" -out refused)
for ranks in 1 2; do
  refused "dt" "error: -acoustic_dt 0.003 s is unstable: with 2400 m/s its CFL number is 0.72, the limit of this scheme 0.5546: take -acoustic_dt <= 0.00231" \
    $ranks double "${bad[@]}" -acoustic_dt 0.003
  refused "a coarse grid" "error: -acoustic_spacing 20 m is too coarse: 1700 m/s has 2.27 points per wavelength at the wavelet's maximum of 37.5 Hz, order 8 needs 3.4 .* take a spacing <= 13.33" \
    $ranks double "${bad[@]}" -acoustic_spacing 20
done
refused "a receiver outside" "receiver 1 at \(z, x\) = \(20, 491\) m is outside the model: z is 0 to 590 m, x 0 to 490 m" \
  1 double "${bad[@]}" -acoustic_receivers 20,100,20,491
refused "a source outside" "source 0 at \(z, x\) = \(-3, 5\) m is outside the model" 1 double "${bad[@]}" -acoustic_sources=-3,5
refused "a wavelet of another length" "error: -acoustic_wavelet has 3 samples, -acoustic_steps is 160" \
  1 double forward -options_file_yaml survey.yaml -acoustic_wavelet 1,2,3 "${models[@]}" -out refused
refused "a background of another shape" "error: -acoustic_background is of \[2\]\[3000\]; for the model of -acoustic_shape 60x50 give one number or a dataset of shape \[60\]\[50\]" \
  1 double "${bad[@]}" -acoustic_background pairs/pairs.h5:/x
refused "no such file" "cannot open 'nowhere.h5': no such file" 1 double "${bad[@]}" -acoustic_background nowhere.h5:/c
refused "models of another size" "takes 3000 unknowns" 1 double "${bad[@]}" -models 1,2,3
refused "a tape that holds nothing" "error: -tape_memory 100 is too little" 1 double "${bad[@]}" -tape_memory 100
small=(forward -operator acoustic -acoustic_shape 8x8 -acoustic_spacing 10 -acoustic_dt 0.0015 -acoustic_steps 20
  -acoustic_wavelet_frequency 15 -acoustic_sources 5,5 -acoustic_receivers 5,20 -out refused)
# model AT VALUE - 64 nodes of 2000 m/s, but for one
model() {
  local i
  printf '2000'
  for ((i = 1; i < 64; i++)); do printf ',%s' "$([[ $i == "$1" ]] && printf '%s' "$2" || printf 2000)"; done
}
slow=$(model 0 2000)
for ranks in 1 3; do
  refused "a model that is too fast" \
    "the solve for model 1 failed: velocity 4200 m/s at \(z, x\) = \(10, 20\) m needs dt <= 0.00132 s; dt is 0.0015 s" \
    $ranks double "${small[@]}" -models "$slow,$(model 10 4200)" -ranks_per_sample $ranks
  refused "a model that is not positive" "failed: velocity -1 m/s at node \[0\]\[3\] is not positive" \
    $ranks single "${small[@]}" -models "$(model 3 -1)" -ranks_per_sample $ranks
done
run 1 double "${small[@]}" -models "$slow" -out small
# one sample rank alone fails: all ranks know at once, with one sentence (not "error on rank 1", which is the last resort)
for command in forward simulate; do
  case $command in
    forward) bad=("${small[@]}" -models "$slow,$(model 10 4200),$slow") says='model 1 failed: velocity 4200 m/s' ;;
    simulate)
      bad=(simulate -options_file_yaml small.yaml -operator acoustic -gaussian_std 11 -acoustic_allow_dispersion -seed 2 -pairs_count 3 \
        -out refused)
      says='pair 1 failed: velocity' ;;
  esac
  refused "$command: one rank of three" "^fathom: error: the solve for $says" 3 double "${bad[@]}"
done
verdict
