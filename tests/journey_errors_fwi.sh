#!/usr/bin/env bash
# What a user can get wrong with recorded shots and with the main job's chain: one sentence with the value, its limit and what to do, on 1
# and 3 ranks, and shots, pairs and checkpoints that are there stay what they are.
# shellcheck source=tests/journey.inc
source "$(dirname "${BASH_SOURCE[0]}")/journey.inc"
# shellcheck source=tests/errors.inc
source "$tests/errors.inc"

cat >problem.yaml <<'YAML'
operator: acoustic
acoustic: {shape: 16x24, spacing: 20, dt: 0.0025, steps: 141, record_every: 5, layers: 8, unknown: bounded, velocity_min: 1400,
           velocity_max: 3400, background: 1800, background_gradient: 0.6, scale: 150, coordinates: matern}
matern_correlation: 6
condition: migration
YAML
problem=(-options_file_yaml problem.yaml)
places=(-acoustic_sources 20,60,20,230,20,400 -acoustic_receivers 20,20,20,160,20,300,20,440)
ricker=(-acoustic_wavelet_frequency 8)
white=(-prior gaussian -gaussian_std 1)
network=(-flow_squeezes 1 -flow_depth 1 -flow_hidden 4)

# ---- good files ----

modelled=("${problem[@]}" "${places[@]}" "${ricker[@]}" "${white[@]}" -noise_std 0.01)
run 1 double simulate "${modelled[@]}" -condition data -acoustic_record_every 1 -pairs_count 1 -out observed
run 1 double export -images 'observed/pairs.h5:/y[0]' -export_shots 1 "${places[@]}" -segy_dt 0.0025 -segy_format ieee -export_origin 0,5000 -out segy
wavelet=(-shots_wavelet_frequency 8 -shots_noise_std 0.01)
segy=(-shots segy/shots.sgy -shots_origin 0,5000)
mkdir there
run 1 double shots "${problem[@]}" "${segy[@]}" "${wavelet[@]}" -out shots
recorded=("${problem[@]}" -options_file_yaml shots/shots.yaml)
run 1 double simulate "${recorded[@]}" "${white[@]}" -operator born -born_data total -pairs_count 16 -out pairs
run 1 double pretrain "${network[@]}" -pairs pairs/pairs.h5 -batch_size 8 -epochs 1 -out pretrained
cp shots/shots.* pairs/pairs.h5 pretrained/checkpoint.h5 there

# ---- shots ----

shots=(shots "${problem[@]}" "${segy[@]}" "${wavelet[@]}" -out @)
wrong outside "source 0 of -shots at \(z, x\) = \(20, 5060\) m is outside the model: z is 0 to 300 m, x 0 to 460 m, .*: -shots_origin 0,5000 would move all in" \
  "${shots[@]}" -shots_origin 0,0
wrong outside_deep "source 0 .* at \(z, x\) = \(-380, 60\) m is outside the model: .*-shots_elevation down, where elevations are depths" \
  "${shots[@]}" -shots_origin 400,5000
wrong small_model "the model is too small for a survey of 0 x 420 m" "${shots[@]}" -acoustic_shape 16x16
wrong too_seldom "sampled every 0.03 s, which holds 16.6667 Hz at the most, the wavelet has up to 19.92[0-9]* Hz: take -shots_band LOW,HIGH with HIGH <= 13.33" \
  "${shots[@]}" -shots_dt 0.03 -acoustic_steps 1400
wrong ends_early "end 0.35 s after the shot, the modelling goes on to 0.5 s: take -acoustic_steps <= 141" "${shots[@]}" -acoustic_steps 201
cp segy/shots.sgy uneven.sgy # trace 5 says 2 ms
printf '\x07\xd0' | dd of=uneven.sgy bs=1 seek=$((3600 + 5 * (240 + 4 * 141) + 116)) conv=notrunc status=none
wrong another_rate "trace 5 of 'uneven.sgy' is sampled every 0.002 s \(bytes 117\), trace 0 every 0.0025 s: one interval is needed" \
  "${shots[@]}" -shots uneven.sgy
wrong wavelet_high "the wavelet is at odds with the data: .* a share of 0.5 and a ratio of 2 are the limits: check the wavelet" \
  "${shots[@]}" -shots_wavelet_frequency 30 -acoustic_record_every 1
wrong wavelet_late "the Ricker wavelet of 3 Hz has its peak at 0.5 s, the modelling ends at 0.35 s: take another" "${shots[@]}" \
  -shots_wavelet_frequency 3
wrong wavelet_band "-shots_band 70,80,90,99 Hz leaves [0-9.e-]+ of the wavelet's energy, at least 0.0001 must be: the wavelet has [0-9.]+ to 19.92" \
  "${shots[@]}" -shots_band 70,80,90,99 -acoustic_record_every 1
wrong wavelet_cut "of the filtered wavelet's energy comes before time 0, at most 0.001 may: take -shots_delay" "${shots[@]}" -shots_band 0,0,3,4
wrong noise_zero "the noise level of shot 0 is 0, it must be positive: give -shots_noise_std a number" "${shots[@]}" -shots_noise_std 0
wrong noise_one_zero "the noise level of shot 1 is 0, it must be positive" "${shots[@]}" -shots_noise_std 1,0,1
wrong noise_few "at least 50 are needed to estimate its noise: give -shots_noise_std as a number" "${shots[@]}" -shots_noise_std estimate
head -c 9000 segy/shots.sgy >cut.sgy
wrong cut "'cut.sgy' is truncated" "${shots[@]}" -shots cut.sgy
wrong over_itself "-shots '.*shots.h5' is the file that this run would write over .*: give another -out" shots "${problem[@]}" \
  -shots @/shots.h5:/y -shots_dt 0.0125 "${places[@]}" "${wavelet[@]}" -out @

# ---- what reads them ----

training=("${network[@]}" -batch_size 4 -steps_per_epoch 2 -epochs 1 -evaluation_latents 4 "${white[@]}" -out @)
refine=(refine "${recorded[@]}" "${training[@]}" -warm_start pretrained/checkpoint.h5)
wrong refine_noise "-noise_std must be positive: got 0 at entry 0 of 1" "${refine[@]}" -noise_std 0
wrong observed_rate "is sampled every 0.0125 s, the operator acoustic, .* every 0.013 s: read the shots again" "${refine[@]}" -acoustic_dt 0.0026
wrong observed_count "-noise_std has 348 numbers: one, or one for each of the 432 data, is needed" "${refine[@]}" -acoustic_record_every 4
wrong other_size "takes 512 unknowns, the flow has 384: make pairs with this operator and pretrain" "${refine[@]}" -acoustic_shape 16x32
wrong other_shape "x is an image of 16 x 24 for the flow and of 24 x 16 for the operator" "${refine[@]}" -acoustic_shape 24x16 \
  -acoustic_sources 20,60,20,130,20,200 -acoustic_receivers 20,20,20,90,20,150,20,280
wrong other_spacing "pretrained on models of 16x24 nodes of 20x20 m, here they have 16x24 nodes of 20.5x20.5 m: make pairs on this grid" \
  "${refine[@]}" -acoustic_spacing 20.5
head -c $((3600 + 9 * (240 + 4 * 141))) segy/shots.sgy >unequal.sgy
run 1 double shots "${problem[@]}" "${segy[@]}" -shots unequal.sgy "${wavelet[@]}" -out unequal
wrong encode_unequal "-shots_encode: noise or mask of shot 2 differs" "${refine[@]}" -options_file_yaml unequal/shots.yaml -shots_encode 1
wait
verdict
