#!/usr/bin/env bash
# Refinements beside the x lane's: the latent correction through the programs (sample, evaluate, reference and a further refinement see
# it), tempering, which prior the pairs were drawn from, cycle skipping, and the model discrepancy in the noise of pairs.
# shellcheck source=tests/journey.inc
source "$(dirname "${BASH_SOURCE[0]}")/journey.inc"

small=(-flow_depth 2 -flow_hidden 8)
refine=(refine -options_file_yaml "$toy/refine.yaml" "${small[@]}" -evaluate_every 0 -evaluation_latents 512 -clip_norm 100)
run 1 double simulate -options_file_yaml "$toy/pairs.yaml" -pairs_count 2000 -out pairs
run 1 double pretrain -options_file_yaml "$toy/pretrain.yaml" "${small[@]}" -pairs pairs/pairs.h5 -epochs 3 -out pre

# ---- the latent correction ----

latent=("${refine[@]}" -warm_start pre/checkpoint.h5 -train latent -epochs 10 -learning_rate 0.01)
run 1 double "${latent[@]}" -out latent
check "two numbers an unknown" test "$(value latent parameters)" = 4
check "KL falls" awk -v a="$(value latent kl_start)" -v b="$(value latent kl)" 'BEGIN {exit !(b > 0 && b < a / 2)}'
for ranks in 2 3; do
  run $ranks double "${latent[@]}" -out latent$ranks
  same "$ranks ranks" latent{,$ranks}/checkpoint.h5 "${trained[@]}" /frozen
done
run 1 double "${latent[@]}" -stop_after 70 -out stopped
run 2 double "${latent[@]}" -resume -out stopped
same "stopped and resumed" {latent,stopped}/checkpoint.h5 "${trained[@]}" /frozen
refused "another -train cannot resume it" "cannot resume: -train was latent in the checkpoint" \
  1 double "${latent[@]}" -train xlane -resume -epochs 11 -out stopped
refused "a correction of nothing" "error: -train latent corrects a flow that is trained already: give it with -warm_start" \
  1 double "${refine[@]}" -train latent -out refused

problem=(-options_file_yaml "$toy/refine.yaml" -evaluation_latents 512)
run 1 double evaluate "${problem[@]}" -warm_start latent/checkpoint.h5 -out evaluated
check "evaluate sees it: the same KL, digit by digit" test "$(value evaluated kl)" = "$(value latent kl)"
run 1 double evaluate "${problem[@]}" -warm_start pre/checkpoint.h5 -observed 1.2012965787640182,2.9983887300461785 -out without
check "without it the KL is that of the start" test "$(value without kl)" = "$(value latent kl_start)"
for name in pre latent; do
  run 1 double sample -warm_start $name/checkpoint.h5 -observed 1.2012965787640182,2.9983887300461785 -samples 4000 -out sample_$name
done
check "sample sees it" awk -v a="$(value sample_pre mean_2)" -v b="$(value sample_latent mean_2)" 'BEGIN {exit !((b - a) ^ 2 > 1e-3)}'
check "and agrees with evaluate" awk -v a="$(value evaluated mean_2)" -v b="$(value sample_latent mean_2)" 'BEGIN {exit !((b - a) ^ 2 < 4e-3)}'
run 1 double reference "${problem[@]}" -latent latent/checkpoint.h5 -warmup 300 -iterations 1500 -out chains
figure "reference in its latent space: mean 2 (gold 3.477)" "$(value chains mean_2)" 3.39 3.56
run 1 double "${refine[@]}" -warm_start latent/checkpoint.h5 -train xlane -epochs 4 -out further
check "a further refinement begins where it ended" test "$(value further kl_start)" = "$(value latent kl)"
check "the correction is kept" same "" {latent,further}/checkpoint.h5 /whitening
run 1 double evaluate "${problem[@]}" -warm_start further/checkpoint.h5 -out evaluated_further
check "and evaluated with" test "$(value evaluated_further kl)" = "$(value further kl)"
run 1 double "${refine[@]}" -warm_start further/checkpoint.h5 -train latent -epochs 2 -learning_rate 1e-3 -out again
check "corrected again it begins there, too" test "$(value again kl_start)" = "$(value further kl)"
for name in latent further; do
  refused "pretraining would lose it ($name)" "has a latent correction" \
    1 double pretrain -options_file_yaml "$toy/pretrain.yaml" "${small[@]}" -pairs pairs/pairs.h5 -warm_start $name/checkpoint.h5 -out refused
  refused "another network would ($name)" "has a latent correction|do not fit this network" \
    1 double "${refine[@]}" -flow_variant official -warm_start $name/checkpoint.h5 -out refused
done

# ---- tempering ----

temper=("${refine[@]}" -warm_start pre/checkpoint.h5 -epochs 6 -tempering_first 40 -tempering_epochs 3 -report_seconds 0)
run 1 double "${temper[@]}" -out temper
series temper/checkpoint.h5 /history/temperature >temperature
figure "temperature of step 0" "$(head -1 temperature)" 39.999999 40.000001
figure "of the middle, geometric" "$(sed -n 25p temperature)" 6.3245 6.3247
check "1 from epoch 3 on" test "$(sed -n '49,$p' temperature | sort -u)" = 1
check "progress says so" grep -q 'at temperature 4[0 ]' temper.log
check "and no longer in the end" bash -c "grep '^step 96/96' temper.log | grep -qv temperature"
run 2 double "${temper[@]}" -stop_after 20 -out temper2
run 1 double "${temper[@]}" -resume -out temper2
same "tempered, stopped and resumed" temper{,2}/checkpoint.h5 "${trained[@]}"
run 1 double "${refine[@]}" -warm_start pre/checkpoint.h5 -epochs 6 -report_seconds 0 -out plain
check "evaluations are not tempered: the same KL at the start" test "$(value temper kl_start)" = "$(value plain kl_start)"
differs "steps are" {temper,plain}/checkpoint.h5 /theta
run 1 double "${temper[@]}" -stop_after 20 -out hot
run 1 double evaluate "${problem[@]}" -warm_start hot/checkpoint.h5 -out evaluated_hot
check "the verdict is not: verified" grep -Eq 'verdict: (not trusted|consistent)' evaluated_hot.log
check "the checkpoint says that its last step was tempered" bash -c "h5dump -a tempering hot/checkpoint.h5 | grep -Eq '\(0\): [1-9][0-9]?\.[0-9]'"
check "and that of one that ended was not" bash -c "h5dump -a tempering temper/checkpoint.h5 | grep -q '(0): 1$'"
check "weights of tempered steps are not kept as the best" test ! -e hot/checkpoint.best.h5
refused "a temperature below 1" "tempering_first" 1 double "${refine[@]}" -tempering_first 0.5 -out refused

# ---- which prior ----

other=("${refine[@]}" -prior gaussian -gaussian_std 2 -warm_start pre/checkpoint.h5 -epochs 1)
refused "another prior than the pairs'" "error: two priors: the flow of -warm_start is pretrained on models of 'rosenbrock" 1 double "${other[@]}" -out refused
run 1 double "${other[@]}" -prior_mismatch_ok true -out mixed
check "which is kept in the checkpoint" bash -c "h5dump -a prior_mismatch mixed/checkpoint.h5 | grep -q 'refined with the prior .gaussian'"
check "a prior of the same name is not the same" bash -c "h5dump -a pairs_prior_print mixed/checkpoint.h5 | grep -q draws"
run 1 double pretrain -options_file_yaml "$toy/pretrain.yaml" "${small[@]}" -pairs pairs/pairs.h5 -flow_conditional false -epochs 1 -out flow
run 1 double "${refine[@]}" -prior flow -prior_flow flow/checkpoint.h5 -warm_start pre/checkpoint.h5 -epochs 1 -out of_flow
check "a flow of the same pairs is their prior" test "$(grep -c 'two priors' of_flow.log)" = 0
run 1 double "${refine[@]}" -epochs 1 -out scratch
run 1 double "${refine[@]}" -epochs 1 -warm_start scratch/checkpoint.h5 -train latent -out of_scratch
check "a flow from scratch has none to say" test "$(grep -c 'priors\|see to it' of_scratch.log)" = 0
run 1 double simulate -options_file_yaml "$toy/pairs.yaml" -pairs_count 300 -models pairs/pairs.h5:/x -out of_models
run 1 double pretrain -options_file_yaml "$toy/pretrain.yaml" "${small[@]}" -pairs of_models/pairs.h5 -epochs 1 -out pre_models
refused "models of a file are no known prior" "error: two priors: .*models of 'models pairs/pairs.h5:/x'" 1 double "${refine[@]}" -warm_start pre_models/checkpoint.h5 -out refused

# ---- cycle skipping: homogeneous models, whose traces are shifted by a known part of a period ----

# 10 Hz, receivers at 400 m from the source: 2000 m/s arrives after .2 s, .04 s (.4 periods) or .06 s (.6) later at slower models
wave=(-operator acoustic -acoustic_shape 12x56 -acoustic_spacing 10 -acoustic_dt 0.002 -acoustic_steps 260 -acoustic_layers 10
  -acoustic_wavelet_frequency 10 -acoustic_unknown scaled -acoustic_background 2000 -acoustic_scale 100 -acoustic_velocity_min 1500
  -acoustic_velocity_max 2500 -acoustic_sources 50,70 -acoustic_receivers 50,470,55,475,60,480)
model() { printf '%s' "$1"; printf ",$1%.0s" $(seq 2 $((12 * 56))); } # a number at all nodes
run 1 double forward "${wave[@]}" -models "$(model -3.333)" -out slower # 1667 m/s: 400 m in .24 s
run 1 double forward "${wave[@]}" -models "$(model -4.6)" -out slow     # 1540 m/s: 400 m in .26 s
for name in slower slow; do
  run 1 double refine "${wave[@]}" -prior gaussian -gaussian_std 0.01 -gaussian_size $((12 * 56)) -noise_std 1e-3 -flow elementwise -batch_size 2 -epochs 1 \
    -steps_per_epoch 1 -learning_rate 1e-9 -evaluation_latents 2 -observed $name/data.h5:/y -out skip_$name
done
check "a shift of .4 periods skips no cycle" test "$(value skip_slower cycle_skipped_share_start)" = 0
check "nor at the background" test "$(value skip_slower cycle_skipped_share_background)" = 0
check "no warning" test "$(grep -c 'cycle skipping:.*lag' skip_slower.log)" = 0
for name in background start end; do
  check "a shift of .6 periods does, at the $name" test "$(value skip_slow cycle_skipped_share_$name)" = 1
done
check "a warning that says what to do" grep -q 'cycle skipping: at the background 3 of 3 traces .*-shots_band.*-tempering_first' skip_slow.log

# ---- the model discrepancy ----

gauss=(-prior gaussian -gaussian_size 3 -gaussian_mean 1,2,3 -gaussian_std 2 -noise_std 0.1 -operator dense)
fine=1,0,0,0,1,0,1,1,1
coarse=1,0.2,0,0,0.7,0,1,1,0.5
run 1 double simulate "${gauss[@]}" -dense_matrix $fine -pairs_count 400 -out draws
run 1 double forward -operator dense -dense_matrix $fine -models draws/pairs.h5:/x -out fine
run 1 double forward -operator dense -dense_matrix $coarse -models draws/pairs.h5:/x -out coarse
inflated=(simulate "${gauss[@]}" -dense_matrix $coarse -pairs_count 20000 -seed 3)
run 1 double "${inflated[@]}" -pairs_noise_inflation fine/data.h5:/y,coarse/data.h5:/y -out inflated
run 3 double "${inflated[@]}" -pairs_noise_inflation fine/data.h5:/y,coarse/data.h5:/y -out inflated3
same "the same pairs on 3 ranks" inflated{,3}/pairs.h5 /x /y
run 1 double "${inflated[@]}" -out bare
# delta = (fine - coarse) x: (-.2 x2, .3 x2, .5 x3), means -.4, .6, 1.5, covariances 4 (.04, -.06, .09; .25)
series inflated/pairs.h5 /y | paste - <(series bare/pairs.h5 /y) | awk '
  {for (i = 1; i <= 3; i++) d[i] = $i - $(i + 3); for (i = 1; i <= 3; i++) {m[i] += d[i]; for (k = 1; k <= i; k++) c[i, k] += d[i] * d[k]}}
  END {for (i = 1; i <= 3; i++) print m[i] / NR; for (i = 1; i <= 3; i++) for (k = 1; k <= i; k++) print c[i, k] / NR - m[i] / NR * m[k] / NR}' >moments
i=0
for expected in "-0.44 -0.36" "0.54 0.66" "1.4 1.6" "0.13 0.19" "-0.29 -0.2" "0.29 0.44" "-0.05 0.05" "-0.07 0.07" "0.8 1.2"; do
  i=$((i + 1))
  # shellcheck disable=SC2086  # two numbers
  figure "moment $i of what is added" "$(sed -n ${i}p moments)" $expected
done
figure "its rms is said" "$(value inflated discrepancy_rms)" 1.1 1.5
figure "beside the noise's" "$(value inflated noise_rms)" 0.0999 0.1001
run 1 double forward -operator dense -dense_matrix $fine -models 1,2,3 -out one
refused "too few models" "has 1 models, at least 20 are needed" 1 double "${inflated[@]}" -pairs_noise_inflation one/data.h5:/y,coarse/data.h5:/y -out refused
refused "other data" "has 2 numbers, the operator gives 3 data" 2 double "${inflated[@]}" -pairs_noise_inflation pairs/pairs.h5:/y,coarse/data.h5:/y -out refused
refused "one file alone" "takes two datasets" 1 double "${inflated[@]}" -pairs_noise_inflation fine/data.h5:/y -out refused
refused "counts that differ" "make both from the same -models" 1 double "${inflated[@]}" \
  -pairs_noise_inflation inflated/pairs.h5:/y,coarse/data.h5:/y -out refused
verdict
