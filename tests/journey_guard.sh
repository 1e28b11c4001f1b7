#!/usr/bin/env bash
# What guards a posterior, through the programs on a small acoustic problem: data unlike those of the held-out pairs, a truth given as
# velocities, calibrations of different problems, and pairs of a coarser grid with lower frequencies than the flow's even sides divide by.
# shellcheck source=tests/journey.inc
source "$(dirname "${BASH_SOURCE[0]}")/journey.inc"
[[ -x $python ]] && "$python" -c 'import h5py' 2>/dev/null || skip "no h5py"

cat >problem.yaml <<'YAML'
operator: acoustic
acoustic: {shape: 16x24, spacing: 20, dt: 0.0025, steps: 141, record_every: 5, layers: 8, wavelet_frequency: 5, unknown: bounded,
           velocity_min: 1400, velocity_max: 3400, background: 1800, background_gradient: 0.6, scale: 150, coordinates: matern}
acoustic_sources_line: 3,20,60,400
acoustic_receivers_line: 12,20,20,440
matern_correlation: 6
prior: gaussian
gaussian_std: 1
noise_std: 0.01
YAML
problem=(-options_file_yaml problem.yaml -condition migration)
network=(-flow_squeezes 1 -flow_depth 2 -flow_hidden 8 -flow_variant bounded)
training=(-batch_size 4 -shots_per_sample 1 -steps_per_epoch 5 -epochs 1 -evaluation_latents 8)

run 1 single simulate "${problem[@]}" -condition data -pairs_count 22 -pairs_model true -pairs_first 1000000 -out truth

# ---- pairs of a coarser grid, 9x13 nodes for 16x24, and its discrepancy ----

coarse=(-acoustic_coarsen 2 -acoustic_layers 4 -acoustic_allow_dispersion true)
run 1 single forward "${problem[@]}" -models truth/pairs.h5:/x -out fine
run 1 single forward "${problem[@]}" "${coarse[@]}" -models truth/pairs.h5:/x -out coarse
run 1 single simulate "${problem[@]}" "${coarse[@]}" -pairs_count 40 -pairs_noise_inflation fine/data.h5:/y,coarse/data.h5:/y \
  -out cheap
check "solved on a coarser grid" bash -c "h5dump -a operator cheap/pairs.h5 | grep -q 'solved on 9x13'"
figure "what the coarser grid misses, beside data of .03" "$(value cheap discrepancy_rms)" 1e-4 0.02
run 1 single simulate "${problem[@]}" "${coarse[@]}" -acoustic_wavelet_frequency 3 -acoustic_sources_line 2,20,60,400 -pairs_count 2 -out lower
check "lower frequency, fewer shots: images of one size" test "$(h5ls lower/pairs.h5/y)" = "$(h5ls cheap/pairs.h5/y | sed 's/{40/{2/')"

# ---- data unlike the pairs' ----

run 1 single simulate "${problem[@]}" -operator born -born_data total -pairs_count 300 -out pairs
for ranks in 1 2; do
  run $ranks single pretrain "${network[@]}" -pairs pairs/pairs.h5 -validation_fraction 0.4 -batch_size 20 -epochs 2 -learning_rate 3e-3 -out fit.$ranks
done
same "the range of held-out pairs on 1 and 2 ranks" fit.1/checkpoint.h5 fit.2/checkpoint.h5 /whitening/typical_range /whitening/typical
"$python" - <<'END'
import h5py

with h5py.File("truth/pairs.h5") as f, h5py.File("made.h5", "w") as g:
    y, c = f["y"][0], f["model"][0]
    g["loud"] = y[None] * 3
    for name, value in {"m": c, "km": c / 1000, "fast": c + 2500, "unit": c, "spacing": c, "turned": c.T.copy()}.items():
        g[name] = value
    g["unit"].attrs["unit"] = "ft/s"
    g["spacing"].attrs["spacing_x"] = 10.0
END
problem+=(-observed 'truth/pairs.h5:/y[0]')
run 1 single sample "${problem[@]}" -warm_start fit.1/checkpoint.h5 -samples 10 -out alike
check "data like the pairs': no warning" bash -c "! grep -q 'unlike those of the pretraining' alike.log"
low=$(value alike data_latent_low) high=$(value alike data_latent_high)
figure "their |z_y|^2 / m" "$(value alike data_latent)" "$low" "$high"
run 1 single sample "${problem[@]}" -observed made.h5:/loud -warm_start fit.1/checkpoint.h5 -samples 10 -out loud
check "three times as loud: value, range and what to do" \
  grep -Eq "^warning: the observed data are unlike those of the pretraining: .* above .* of 120 held-out pairs .* fitted.*refine" loud.log
run 1 single pretrain "${network[@]}" -pairs pairs/pairs.h5 -validation_fraction 0.02 -batch_size 20 -epochs 1 -out few
run 1 single sample "${problem[@]}" -observed made.h5:/loud -warm_start few/checkpoint.h5 -samples 10 -out few_loud
check "six held-out pairs have no range: by mean and std, and said so" \
  bash -c "grep -q 'keeps no range of its pairs' few_loud.log && grep -q 'standard deviations off its pairs' few_loud.log"

# ---- a truth in m/s ----

run 1 single refine "${problem[@]}" "${network[@]}" "${training[@]}" -warm_start fit.1/checkpoint.h5 -out refined
evaluate=(single evaluate "${problem[@]}" "${training[@]}" -warm_start refined/checkpoint.h5)
run 1 "${evaluate[@]}" -truth 'truth/pairs.h5:/x[0]' -out by_unknown
run 2 "${evaluate[@]}" -truth_model 'truth/pairs.h5:/model[0]' -out by_model
for name in chi2_excess_of_truth truth_z_rms truth_minus_log_q; do
  a=$(value by_unknown $name)
  figure "$name by the model as by the unknown" "$(value by_model $name)" "$(awk -v a="$a" 'BEGIN {print a - 0.01}')" \
    "$(awk -v a="$a" 'BEGIN {print a + 0.01}')"
done
figure "lost of the model, m/s" "$(value by_model truth_model_lost)" 0 1e-3
refused "a truth in km/s" "are these km/s?" 1 "${evaluate[@]}" -truth_model made.h5:/km -out no
refused "a truth that lies otherwise" "is \[16\]\[24\]" 1 "${evaluate[@]}" -truth_model made.h5:/turned -out no
refused "a truth that says another unit" "is in ft/s, a model of this operator in m/s" 1 "${evaluate[@]}" -truth_model made.h5:/unit -out no
refused "a truth of another spacing" "spacing_x of 10 m, the operator of 20 m" 1 "${evaluate[@]}" -truth_model made.h5:/spacing -out no
refused "a truth beyond the bounds" "which no unknown has" 1 "${evaluate[@]}" -truth_model made.h5:/fast -out no
refused "two truths" "exclude each other" 1 "${evaluate[@]}" -truth_model made.h5:/m -truth 'truth/pairs.h5:/x[0]' -out no
run 1 single evaluate "${problem[@]}" "${training[@]}" -warm_start refined/checkpoint.h5 -acoustic_frozen 1 -truth_model 'truth/pairs.h5:/model[0]' -out frozen
check "what frozen nodes lose is said" grep -q '^warning: -truth_model differs from the model of its unknown by' frozen.log

# ---- calibrations of different problems ----

run 1 single sample "${problem[@]}" -warm_start refined/checkpoint.h5 -samples 20 -out a
run 1 single sample "${problem[@]}" -noise_std 0.02 -warm_start refined/checkpoint.h5 -samples 20 -out b
run 1 single sample -warm_start refined/checkpoint.h5 -samples 20 -out c
lists() { printf '%s/samples.h5:/x truth/pairs.h5:/x[0] 0/1\n' "$@"; }
lists a c >one.txt # c is of the problem of its checkpoint
lists a b >two.txt
run 1 single calibrate -calibrate one.txt -out one
check "the problem is said" grep -q '^problem: operator acoustic, prior gaussian, noise_std 0.01$' one.log
refused "models of different problems" "line 2: 'b/samples.h5:/x' is of another problem than 'a/samples.h5:/x' of line 1: -noise_std 0.02, there -noise_std 0.01" \
  1 single calibrate -calibrate two.txt -out no
run 1 single sample "${problem[@]}" -warm_start refined/checkpoint.h5 -samples 20 -moves 1 -report_seconds 7 -out moved
lists a moved >moved.txt
refused "samples of a flow and moved ones" "'moved/samples.h5:/x' is of another problem than 'a/samples.h5:/x' of line 1: -moves 1, there -moves 0" \
  1 single calibrate -calibrate moved.txt -out refused
run 1 single calibrate -calibrate two.txt -calibrate_mixed_ok true -out mixed
check "let through with a warning" grep -q '^warning: line 2: .* is of another problem' mixed.log
run 1 "${evaluate[@]}" -noise_std 0.01 -calibration mixed/calibration.h5 -out judged
check "which the calibration keeps" bash -c "h5dump -a problem_mixed mixed/calibration.h5 | grep -q 'noise_std 0.02'"
verdict
