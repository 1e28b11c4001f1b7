#!/usr/bin/env bash
# Flows of images end to end: pretrain, refine, sample on the operator romberg; the same theta on 1 to 4 ranks and after a stop;
# stored against recomputed activations; scales, a linear layer, bf16; SNR against a known truth; warnings of a mismatch;
# what is wrong is refused.
# shellcheck source=tests/journey.inc
source "$(dirname "${BASH_SOURCE[0]}")/journey.inc"

problem=(-operator romberg -romberg_shape 16x16 -prior reflectivity -reflectivity_shape 16x16)
net=(-flow_squeezes 1 -flow_depth 3 -flow_hidden 16 -flow_variant bounded -batch_size 5 -learning_rate 1e-3 -clip_norm 100)
run 2 double simulate "${problem[@]}" -noise_std 0.1 -pairs_count 60 -out pairs
run 1 double simulate "${problem[@]}" -noise_std 0.2 -pairs_count 3 -seed 7 -out truth

# ---- the same weights on any number of ranks ----

for p in double single; do
  fit=("$p" pretrain -pairs pairs/pairs.h5 "${net[@]}" -epochs 2)
  counts="2 3 4"
  [[ $p == double ]] || counts=3
  for ranks in 1 $counts; do run "$ranks" "${fit[@]}" -out "$p/$ranks"; done
  for ranks in $counts; do same "$p: theta on $ranks ranks" "$p/1/checkpoint.h5" "$p/$ranks/checkpoint.h5" "${trained[@]}"; done
  if [[ $p == double ]]; then
    run 3 "${fit[@]}" -stop_after 9 -out "$p/stopped"
    run 2 "${fit[@]}" -resume -out "$p/stopped"
    same "$p: stopped on 3, resumed on 2 ranks" "$p/1/checkpoint.h5" "$p/stopped/checkpoint.h5" "${trained[@]}" /whitening
  fi
  run 2 "${fit[@]}" -flow_memory store -out "$p/store"
  run 1 "${fit[@]}" -flow_memory store -out "$p/store1"
  same "$p: stored, on 1 and 2 ranks" "$p/store1/checkpoint.h5" "$p/store/checkpoint.h5" "${trained[@]}"
  differs "$p: stored is not recomputed" "$p/1/checkpoint.h5" "$p/store/checkpoint.h5" /theta
done
stored() { awk -v a="$(value "$1/1" nll_validation)" -v b="$(value "$1/store" nll_validation)" 'BEGIN {d = (a - b) / a; print d < 0 ? -d : d}'; }
figure "stored against recomputed NLL, double" "$(stored double)" 0 1e-8
figure "stored against recomputed NLL, float" "$(stored single)" 0 1e-3
figure "float against double NLL" \
  "$(awk -v a="$(value single/1 nll_validation)" -v b="$(value double/1 nll_validation)" 'BEGIN {d = (a - b) / b; print d < 0 ? -d : d}')" 0 1e-3

# ---- refine, sample ----

run 2 double pretrain -pairs pairs/pairs.h5 "${net[@]}" -flow_conditional false -epochs 6 -out prior
refine=(double refine -operator romberg -romberg_shape 16x16 -noise_std 0.2 -prior flow -prior_flow prior/checkpoint.h5
  -observed "truth/pairs.h5:/y[1]" "${net[@]}" -epochs 1 -steps_per_epoch 12 -evaluation_latents 8)
for ranks in 1 3; do run $ranks "${refine[@]}" -warm_start double/1/checkpoint.h5 -out "refine$ranks"; done
same "refined on 1 and 3 ranks" refine1/checkpoint.h5 refine3/checkpoint.h5 "${trained[@]}" /observation
run 2 "${refine[@]}" -warm_start double/1/checkpoint.h5 -flow_memory store -estimator total -out total
run 2 "${refine[@]}" -flow_linear elementwise -out scratch
check "J falls from random weights" awk -v a="$(series scratch/checkpoint.h5 /history/kl | head -n 1)" \
  -v b="$(series scratch/checkpoint.h5 /history/kl | tail -n 1)" 'BEGIN {exit !(b < a)}'
run 2 double sample -warm_start refine1/checkpoint.h5 -truth "truth/pairs.h5:/x[1]" -samples 40 -out samples
for name in snr coverage_2std std_rms error_rms data_surprise; do
  check "sample says $name" test -n "$(value samples $name)"
done
if "$python" -c 'import h5py' 2>/dev/null; then
  "$python" - <<'END'
import h5py

with h5py.File("pairs/pairs.h5") as f, h5py.File("turned.h5", "w") as g:
    for name in "xy":
        g[name] = f[name][:].reshape(-1, 1, 32, 8)
END
  refused "resumed with pairs of another shape" "x was 1x16x16 and is 1x32x8 now" 1 double pretrain "${net[@]}" -epochs 2 -resume -out double/1 \
    -pairs turned.h5
  refused "a truth that lies otherwise" "of -truth are \[32\]\[8\], expected an image \[16\]\[16\]" 1 double sample \
    -warm_start refine1/checkpoint.h5 -truth "turned.h5:/x[1]" -out no
  "$python" - >maps.txt <<'END'
import h5py
import numpy as np

x = h5py.File("samples/samples.h5")["x"][:].astype(float)
m = {k: v[:] for k, v in h5py.File("samples/maps.h5").items()}
truth = h5py.File("truth/pairs.h5")["x"][1].astype(float)
e = truth - m["mean"]
print("mean", np.abs(x.mean(0) - m["mean"]).max())
print("std", np.abs(x.std(0) - m["std"]).max())
print("snr", 20 * np.log10(np.linalg.norm(truth) / np.linalg.norm(e)))
print("coverage", (np.abs(e) <= 2 * m["std"]).mean())
END
  figure "mean map against numpy" "$(awk '$1 == "mean" {print $2}' maps.txt)" 0 1e-6
  figure "std map against numpy" "$(awk '$1 == "std" {print $2}' maps.txt)" 0 1e-6
  figure "SNR less numpy's" "$(awk -v a="$(value samples snr)" '$1 == "snr" {print a - $2}' maps.txt)" -1e-4 1e-4
  figure "coverage less numpy's" "$(awk -v a="$(value samples coverage_2std)" '$1 == "coverage" {print a - $2}' maps.txt)" -1e-9 1e-9
fi
quiet=(-operator mask -mask_shape 8x8 -mask_keep 0.9 -prior field -field_shape 8x8 -noise_std 0.2)
run 1 double simulate "${quiet[@]}" -field_std 8 -pairs_count 1 -out loud
run 1 double simulate "${quiet[@]}" -pairs_count 1 -out quiet
fit=(-flow_squeezes 1 -flow_depth 1 -flow_hidden 8 -flow_linear elementwise -batch_size 8 -epochs 1 -steps_per_epoch 100
  -learning_rate 0.05 -clip_norm 100 -evaluation_latents 8)
for truth in loud quiet; do
  run 2 double refine "${quiet[@]}" -observed "$truth/pairs.h5:/y" "${fit[@]}" -out "${truth}_fit"
done
check "a prior mismatch is warned of" grep -q "prior mismatch" loud_fit.log
check "no mismatch, no warning" bash -c "! grep -q 'prior mismatch' quiet_fit.log"

# ---- check, at a trained flow and with a flow as prior, whose ReLUs have kinks ----

for p in double single; do
  for start in "" double/1/checkpoint.h5; do
    run 1 "$p" check "${refine[@]:2}" ${start:+-warm_start "$start"} -out "check_$p"
    check "$p: check is good${start:+, -warm_start}" test "$(grep -c '^check .* ok ' "check_$p.log")" = 4
  done
  check "$p: the weights were loaded" grep -q "^warm start from 'double/1/checkpoint.h5'" "check_$p.log"
done

# ---- scales, bf16, inspect ----

run 2 double pretrain -pairs pairs/pairs.h5 "${net[@]}" -flow_depth 4 -flow_scales 2 -flow_linear elementwise -epochs 1 -out scales
launch 1 double inspect scales/checkpoint.h5 >scales.txt
check "inspect: the second scale has half of the channels, squeezed" grep -Eq '^ +block3\.x\.hint +hint +x +8x4x4 +[0-9]+ +[0-9.e+]+$' scales.txt
check "inspect: a row for all" grep -Eq '^ +all +[0-9]+ +[0-9.e+]+$' scales.txt
run 1 double sample -warm_start scales/checkpoint.h5 -observed "truth/pairs.h5:/y[0]" -samples 5 -out scales_samples
if grep -q avx512_bf16 /proc/cpuinfo; then
  run 2 single pretrain -pairs pairs/pairs.h5 "${net[@]}" -flow_precision bf16 -epochs 2 -out bf16
  figure "bf16 against float NLL" "$(awk -v a="$(value single/1 nll_validation)" -v b="$(value bf16 nll_validation)" \
    'BEGIN {d = (a - b) / a; print d < 0 ? -d : d}')" 0 0.05
  run 1 single sample -warm_start bf16/checkpoint.h5 -observed "truth/pairs.h5:/y[0]" -samples 5 -out bf16_samples
  run 1 double sample -warm_start bf16/checkpoint.h5 -observed "truth/pairs.h5:/y[0]" -samples 5 -out bf16_double
else
  printf 'skipped: bf16, which this CPU does not have\n'
  refused "bf16 on this CPU" "bf" 1 single pretrain -pairs pairs/pairs.h5 "${net[@]}" -flow_precision bf16 -out no
fi

# ---- what is wrong ----

pre=(1 double pretrain "${net[@]}" -out no)
refused "too many squeezes" "x is 1x16x16, but -flow_squeezes 5 and -flow_scales 1 halve .* multiples of 32" "${pre[@]}" -pairs pairs/pairs.h5 -flow_squeezes 5
refused "no squeeze of one channel" "squeeze it .-flow_squeezes 1" "${pre[@]}" -pairs pairs/pairs.h5 -flow_squeezes 0
refused "bf16 in double" "float" "${pre[@]}" -pairs pairs/pairs.h5 -flow_precision bf16
refused "another precision" "full|bf16" "${pre[@]}" -pairs pairs/pairs.h5 -flow_precision fp8
refused "another linear layer" "none.elementwise.triangular" "${pre[@]}" -pairs pairs/pairs.h5 -flow_linear dense
run 1 double simulate -operator mask -mask_shape 15x16 -prior field -field_shape 15x16 -noise_std 1 -pairs_count 20 -out odd
refused "an odd side" "x is 1x15x16, but -flow_squeezes 1 .* multiples of 2" "${pre[@]}" -pairs odd/pairs.h5
run 1 double simulate -operator mask -mask_shape 8x8 -prior field -field_shape 8x8 -noise_std 1 -pairs_count 20 -out small
refused "pairs of another shape" "1x8x8, the flow takes 1x16x16" 2 double evaluate -pairs small/pairs.h5 -warm_start double/1/checkpoint.h5 -out no
refused "weights of another variant" "do not fit this network: -flow_variant is default, the checkpoint.s is bounded$" 2 "${refine[@]}" -flow_variant default -warm_start double/1/checkpoint.h5 -out no
refused "weights of a deeper and wider network" "-flow_depth is 2, the checkpoint's is 3; -flow_hidden is 8, the checkpoint's is 16$" \
  "${pre[@]}" -pairs pairs/pairs.h5 -flow_depth 2 -flow_hidden 8 -warm_start double/1/checkpoint.h5
refused "data that lie otherwise" "of -observed are \[16\]\[16\]: the data of .* are an image \[8\]\[32\]" \
  2 "${refine[@]}" -romberg_shape 8x32 -warm_start double/1/checkpoint.h5 -out no
row=$(seq -s, 1 256) # numbers alone have no sides
refused "a flow that lies otherwise" "8 x 32 for the operator" 2 "${refine[@]}" -romberg_shape 8x32 -observed "$row" -prior field \
  -field_shape 8x32 -warm_start double/1/checkpoint.h5 -out no
refused "a latent that lies otherwise" "8 x 32 for the operator" 1 double reference "${refine[@]:2}" -romberg_shape 8x32 -observed "$row" \
  -prior field -field_shape 8x32 -latent double/1/checkpoint.h5 -out no
refused "a prior flow that lies otherwise" "-prior_flow names is 16x16, but a model of .* is 8x32" 2 "${refine[@]}" -romberg_shape 8x32 \
  -observed "$row" -out no
refused "a prior that lies otherwise" "-field_shape is 8x32, but a model of .* is 16x16" 1 "${refine[@]}" -prior field -field_shape 8x32 -out no
refused "over its own prior" "-prior_flow .* would write over" 2 "${refine[@]}" -out prior
resume=(double pretrain "${net[@]}" -epochs 2 -resume -out double/1)
refused "resumed with other pairs" "other numbers .data_crc32 .* -pairs names another file, or one with other rows" 1 "${resume[@]}" -pairs truth/pairs.h5
refused "resumed with another network" "-flow_depth is 2, the checkpoint's is 3$" 2 "${resume[@]}" -flow_depth 2 -pairs pairs/pairs.h5
refused "over its own start" "would write over" 2 "${refine[@]}" -warm_start refine1/checkpoint.h5 -out refine1
refused "more scales than blocks" "a scale has a block or more" "${pre[@]}" -pairs pairs/pairs.h5 -flow_scales 4
refused "squeezes of a spline" "squeezes and scales are of -flow hint" "${pre[@]}" -pairs pairs/pairs.h5 -flow spline
refused "a row that is not there" "row 3 of /y is asked for, but it has 3 rows" 2 double sample -warm_start double/1/checkpoint.h5 \
  -observed "truth/pairs.h5:/y[3]" -out no
refused "a truth of several rows" "one row of several is named" 2 double sample -warm_start refine1/checkpoint.h5 -truth truth/pairs.h5:/x -out no

verdict
