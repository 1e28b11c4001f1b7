#!/usr/bin/env bash
# The main job on a small grid: what the data can tell, pairs with migrated residuals, pretraining, refinement, samples in m/s, trust and
# the report; each step the same bytes on other numbers of ranks, and in the informed coordinates the linearised posterior is white.
# shellcheck source=tests/journey.inc
source "$(dirname "${BASH_SOURCE[0]}")/journey.inc"

cat >problem.yaml <<'YAML'
operator: acoustic
acoustic: {shape: 16x24, spacing: 20, dt: 0.0025, steps: 141, record_every: 5, layers: 8, wavelet_frequency: 8, unknown: bounded,
           velocity_min: 1400, velocity_max: 3400, background: 1800, background_gradient: 0.6, scale: 150, coordinates: matern}
acoustic_sources_line: 3,20,60,400
acoustic_receivers_line: 12,20,20,440
matern_correlation: 6
prior: informed
condition: migration
noise_std: 0.01
YAML
problem=(-options_file_yaml problem.yaml)
white=(-prior gaussian -gaussian_std 1)
network=(-flow_squeezes 1 -flow_depth 3 -flow_hidden 8 -flow_variant bounded)

# ---- what the data can tell ----

for ranks in 1 2 3; do
  run $ranks single informed "${problem[@]}" "${white[@]}" -informed_rank 50 -informed_passes 2 -out informed.$ranks
  [[ $ranks == 1 ]] || same "eigenpairs on 1 and $ranks ranks" informed.1/informed.h5 informed.$ranks/informed.h5 /vectors
done
run 2 single informed "${problem[@]}" "${white[@]}" -informed_rank 50 -informed_passes 2 -ranks_per_sample 2 -out informed.space
same "and on two ranks of a sample" informed.1/informed.h5 informed.space/informed.h5 /vectors
figure "directions that the data resolve" "$(value informed.1 n_eff)" 10 100
problem+=(-acoustic_informed informed.1/informed.h5)

# ---- unknown and pairs ----

run 1 single simulate "${problem[@]}" "${white[@]}" -acoustic_informed '' -condition data -pairs_count 2 -pairs_model true -seed 7 -out truth
for ranks in 1 2; do
  run $ranks single simulate "${problem[@]}" -operator born -born_data total -pairs_count 400 -out pairs.$ranks
done
same "pairs on 1 and 2 ranks: x" pairs.1/pairs.h5 pairs.2/pairs.h5 /x
same "pairs on 1 and 2 ranks: y" pairs.1/pairs.h5 pairs.2/pairs.h5 /y
# x | g ~ N(g, I) where the operator is linear: of 400 x 384 numbers the variance is 1 +- 0.011 (3 standard errors)
if [[ -x $python ]] && "$python" -c 'import h5py' 2>/dev/null; then
  read -r mean variance < <("$python" -c '
import h5py
f = h5py.File("pairs.1/pairs.h5"); r = f["y"][:] - f["x"][:]
print(r.mean(), (r ** 2).mean())')
  figure "mean of the migration less the unknown" "$mean" -0.01 0.01
  figure "its variance" "$variance" 0.985 1.015
fi

# ---- the flow ----

run 2 single pretrain "${network[@]}" -pairs pairs.1/pairs.h5 -batch_size 16 -epochs 6 -learning_rate 3e-3 -learning_rate_decay cosine -out pretrained
problem+=(-observed 'truth/pairs.h5:/y[0]')
training=(-batch_size 8 -shots_per_sample 1 -steps_per_epoch 15 -epochs 2 -learning_rate 1e-3 -evaluation_latents 16)
for ranks in 1 2; do
  run $ranks single refine "${problem[@]}" "${network[@]}" "${training[@]}" -warm_start pretrained/checkpoint.h5 -out refined.$ranks
done
same "refined on 1 and 2 ranks" refined.1/checkpoint.h5 refined.2/checkpoint.h5 "${trained[@]}"
for name in operator flow reductions idle files; do
  check "the time in: $name" grep -q "^time_$name" refined.1/results.tsv
done
run 1 single sample "${problem[@]}" -warm_start refined.1/checkpoint.h5 -samples 200 -truth_model 'truth/pairs.h5:/model[0]' -out samples
run 2 single sample "${problem[@]}" -warm_start refined.1/checkpoint.h5 -samples 200 -out samples.2
same "models of the samples on 1 and 2 ranks" samples/samples.h5 samples.2/samples.h5 /model
for name in mean std p10 p50 p90 prior_std; do
  same "maps on 1 and 2 ranks: $name" samples/maps.h5 samples.2/maps.h5 /$name
done
figure "rms of the posterior's std, of 150 m/s before" "$(value samples std_rms)" 20 140
figure "rms of z" "$(value samples z_rms)" 0.6 1.5
figure "error of the mean, m/s" "$(value samples error_rms)" 10 "$(value samples error_rms_prior_mean)"
run 1 single sample "${problem[@]}" -warm_start pretrained/checkpoint.h5 -samples 20 -out amortised
run 2 single evaluate "${problem[@]}" "${training[@]}" -warm_start refined.1/checkpoint.h5 -out evaluated
run 1 single report -report_refine refined.1 -report_pretrain pretrained -report_samples samples -report_evaluate evaluated -out report
check "a page" test -s report/report.html

# ---- coordinates ----

run 1 single simulate "${problem[@]}" -models truth/pairs.h5:/model -models_physical true -condition data -seed 7 -out again
if [[ -x $python ]] && "$python" -c 'import h5py' 2>/dev/null; then
  figure "data of the models turned back into unknowns" "$("$python" -c '
import h5py, numpy
a, b = (h5py.File(f)["y"][:] for f in ("truth/pairs.h5", "again/pairs.h5"))
print(abs(a - b).max() / a.std())')" 0 1e-3
fi

# ---- what a user can get wrong ----

refused "a prior without its file" 'give it' 1 single simulate "${problem[@]}" -acoustic_informed '' -out x
refused "coordinates without a background" 'describe a field about a background' 1 single simulate -options_file_yaml problem.yaml \
  -acoustic_unknown velocity "${white[@]}" -out x
refused "another grid" 'is for 384 unknowns, but there are 640' 1 single simulate "${problem[@]}" -acoustic_shape 16x40 -out x
refused "a file that is no informed.h5" 'is it a file of `fathom informed`' 1 single simulate "${problem[@]}" \
  -acoustic_informed truth/pairs.h5 -out x
refused "a checkpoint of another grid" '' 1 single refine "${problem[@]}" "${training[@]}" -warm_start pretrained/checkpoint.h5 \
  -acoustic_shape 16x40 -acoustic_informed '' "${white[@]}" -out x
refused "the data in the place of a migration" 'is -condition that of the pairs' 1 single refine "${problem[@]}" "${training[@]}" \
  -warm_start pretrained/checkpoint.h5 -condition data -out x
refused "a velocity beyond the bounds" 'which no unknown has' 1 single simulate "${problem[@]}" -acoustic_velocity_max 1900 \
  -acoustic_background_gradient 0 -models truth/pairs.h5:/model -models_physical true -out x
refused "a line of sources" 'takes COUNT,Z,FIRST,LAST' 1 single simulate "${problem[@]}" -acoustic_sources_line 3,20,60 -out x
refused "a gradient without a background" 'needs -acoustic_background, which it is added to' 1 single forward -operator acoustic -acoustic_shape 16x24 \
  -acoustic_spacing 20 -acoustic_dt 0.002 -acoustic_steps 20 -acoustic_wavelet_frequency 8 -acoustic_background_gradient 1 -out x
refused "the first of two options files is not there" "cannot open the options file 'absent.yaml'" 1 single simulate \
  -options_file_yaml absent.yaml "${problem[@]}" -out x
refused "modes of too many" 'at most a quarter' 1 single simulate "${problem[@]}" -acoustic_informed '' "${white[@]}" \
  -acoustic_coordinates modes -acoustic_modes 200 -out x

verdict
