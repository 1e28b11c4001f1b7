#!/usr/bin/env bash
# A flow of velocities as prior: trained on the models of the pairs, judged on others, in a refinement in other coordinates; two priors in
# one run; what is left of models less their smoothing.
# shellcheck source=tests/journey.inc
source "$(dirname "${BASH_SOURCE[0]}")/journey.inc"

waves=(-acoustic_shape 16x24 -acoustic_spacing 20 -acoustic_steps 60 -acoustic_record_every 4 -acoustic_dt 0.0025 -acoustic_layers 4
  -acoustic_wavelet_frequency 8 -acoustic_sources_line 2,20,60,400 -acoustic_receivers_line 6,20,20,440 -acoustic_unknown bounded
  -acoustic_velocity_min 1400 -acoustic_velocity_max 3600 -acoustic_background 1900 -acoustic_scale 150 -acoustic_coordinates matern
  -matern_correlation 5 -noise_std 0.004 -condition migration)
layers=(-prior layers -layers_velocity_max 3400 -layers_texture 30)
network=(-flow hint -flow_squeezes 1 -flow_depth 2 -flow_hidden 16 -flow_variant bounded -batch_size 8 -epochs 2)

run 2 single simulate -operator born "${waves[@]}" "${layers[@]}" -born_data total -pairs_count 64 -pairs_model true -out pairs
run 1 single simulate -operator acoustic "${waves[@]}" "${layers[@]}" -condition data -pairs_first 1000 -pairs_count 12 -pairs_model true -out held
run 1 single pretrain "${network[@]}" -pairs pairs/pairs.h5 -pairs_x /model -flow_conditional false -out prior
run 1 single pretrain "${network[@]}" -pairs pairs/pairs.h5 -out pre

# ---- judged ----

for n in 1 3; do
  run "$n" single judge -warm_start prior/checkpoint.h5 -pairs held/pairs.h5 -pairs_x /model -judge_training pairs/pairs.h5 \
    -truth_model 'held/pairs.h5:/model[3]' -out "judge.$n"
done
same "-log q on 3 ranks as on 1" judge.{1,3}/judge.h5 /held_out /draws /truth
check "a truth that is the fourth held-out model" "$python" -c "
import csv, h5py, numpy as np
j = h5py.File('judge.1/judge.h5')
r = {k['name']: float(k['value']) for k in csv.DictReader(open('judge.1/results.tsv'), delimiter='\t')}
held, n = j['held_out'][:], 16 * 24
assert j['truth'][()] == held[3]
assert abs(r['truth_percentile'] - 100 * ((held < held[3]).sum() + .5) / 12) < 1e-6
assert abs(r['nll_held_out'] - held.mean() / n) < 1e-6
train, v = (h5py.File(f + '/pairs.h5')['model'][:].reshape(-1, n).astype(float) for f in ('pairs', 'held'))
m, s = train.mean(0), train.std(0)
nll = .5 * ((v - m) / s) ** 2 + np.log(s) + .5 * np.log(2 * np.pi)
assert abs(r['nll_diagonal_gaussian'] - nll.mean()) < 1e-6
assert r['nll_gaussian'] < r['nll_diagonal_gaussian']
"

run 1 single judge -warm_start prior/checkpoint.h5 -pairs pairs/pairs.h5 -pairs_x /model -judge_training pairs/pairs.h5 -out judge.training
check "models that it was trained on are no held-out ones" \
  grep -Eq '^warning: ([0-9]+) of the \1 models of -pairs are among those of -judge_training' judge.training.log
check "and held-out ones are not called so" bash -c "! grep -q 'are among those' judge.1.log"

# ---- as prior ----

refine=(refine -operator acoustic "${waves[@]}" -observed 'held/pairs.h5:/y[3]' -steps_per_epoch 4 -epochs 1 -batch_size 4
  -evaluation_latents 8 -shots_per_sample 1)
for n in 1 2; do
  run "$n" single "${refine[@]}" -prior flow -prior_flow prior/checkpoint.h5 -warm_start pre/checkpoint.h5 -out "refine.$n"
done
same "refined on 2 ranks as on 1" refine.{1,2}/checkpoint.h5 /theta
run 1 single sample -operator acoustic "${waves[@]}" -prior flow -prior_flow prior/checkpoint.h5 -warm_start refine.1/checkpoint.h5 \
  -samples 16 -truth_model 'held/pairs.h5:/model[3]' -out samples
check "maps beside the prior's" h5ls samples/maps.h5/prior_mean

# linearised at another model: the flow of velocities is of what it was, a flow of unknowns would not be
at=(-acoustic_linearize_at samples/maps.h5:/mean)
run 1 single "${refine[@]}" "${at[@]}" -prior flow -prior_flow prior/checkpoint.h5 -warm_start pre/checkpoint.h5 -out again
run 1 single sample -operator acoustic "${waves[@]}" "${at[@]}" -observed 'held/pairs.h5:/y[3]' -prior flow -prior_flow prior/checkpoint.h5 \
  -warm_start again/checkpoint.h5 -samples 8 -moves 1 -out moved
check "moved with a flow as prior" test "$(value moved moves_acceptance | cut -c 1-2)" = 0. -a "$(value moved moves_failed)" = 0
run 1 single pretrain "${network[@]}" -pairs pairs/pairs.h5 -flow_conditional false -out unknowns
refused "a flow of unknowns about another model" 'is a flow of unknowns, whose 0 would be that' 1 single "${refine[@]}" "${at[@]}" -prior flow \
  -prior_flow unknowns/checkpoint.h5 -warm_start pre/checkpoint.h5 -out bad

# ---- two priors ----

gauss=(-prior gaussian -gaussian_std 1 -warm_start pre/checkpoint.h5)
refused "two priors" 'two priors: the flow of -warm_start is pretrained on models of .layers of a basin' 1 single "${refine[@]}" "${gauss[@]}" -out bad
run 1 single "${refine[@]}" "${gauss[@]}" -prior_mismatch_ok true -out mixed
check "which the checkpoint says" bash -c "h5dump -a /prior_mismatch mixed/checkpoint.h5 | grep -q 'refined with the prior'"
run 1 single evaluate -operator acoustic "${waves[@]}" -prior gaussian -gaussian_std 1 -observed 'held/pairs.h5:/y[3]' -evaluation_latents 8 \
  -trust_latents 8 -warm_start mixed/checkpoint.h5 -out mixed-verdict
check "and the verdict" grep -q '^verdict: .*pretrained on models of .* and refined with the prior' mixed-verdict.log

# ---- what is left of models ----

run 1 single smooth -models pairs/pairs.h5:/model -smooth_length 60 -smooth_onto 1900 -smooth_onto_gradient 1.5 -smooth_contrast 0.7 -out left
run 1 single smooth -models pairs/pairs.h5:/model -smooth_length 60 -smooth_onto 1900 -smooth_onto_gradient 1.5 -smooth_contrast 0.7 \
  -smooth_texture 20 -smooth_first 5 -out textured
check "residuals and their texture" "$python" -c "
import h5py, numpy as np
v, left, rough = (h5py.File(f)['model'][:].astype(float) for f in ('pairs/pairs.h5', 'left/model.h5', 'textured/model.h5'))
w = np.exp(-.5 * (np.arange(-18, 19) / 3.) ** 2)
w /= w.sum()
a = 1 / v[7]
for axis in 0, 1:
    p = np.pad(a, [(18, 18) if k == axis else (0, 0) for k in (0, 1)], mode='symmetric')
    a = np.apply_along_axis(np.convolve, axis, p, w, 'valid')
z = 20. * np.arange(16)[:, None]
assert abs(left[7] - (v[7] * a) ** .7 * (1900 + 1.5 * z)).max() < 1e-8
assert left.shape == v.shape
d = (rough - left) / 20
assert abs(d.std() - 1) < .05 and abs((d[0] * d[1]).mean()) < .25
"
run 1 single simulate -operator born "${waves[@]}" -models textured/model.h5:/model -models_physical -pairs_count 3 -pairs_model true -out of_models

# ---- refused ----

refused "a flow of velocities to refine" 'is of models in m/s' 1 single "${refine[@]}" -prior flow -prior_flow prior/checkpoint.h5 \
  -warm_start prior/checkpoint.h5 -out bad
refused "a conditional flow to judge" 'this one is conditional' 1 single judge -warm_start pre/checkpoint.h5 -pairs held/pairs.h5 -out bad
refused "judged on nothing" 'was not trained on' 1 single judge -warm_start prior/checkpoint.h5 -out bad
refused "a truth of another size" 'the flow is of models of 384' 1 single judge -warm_start prior/checkpoint.h5 -pairs held/pairs.h5 \
  -pairs_x /model -truth_model held/pairs.h5:/model -out bad
refused "no such x" 'takes a dataset of -pairs' 1 single pretrain "${network[@]}" -pairs pairs/pairs.h5 -pairs_x model -out bad
refused "onto a velocity that ends below 0" 'of the last row' 1 single smooth -models pairs/pairs.h5:/model -smooth_length 60 -smooth_onto 300 \
  -smooth_onto_gradient -2 -out bad
verdict
