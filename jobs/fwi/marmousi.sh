#!/usr/bin/env bash
# Marmousi whole: data on the native grid, background, what the data can tell, pairs, pretraining, refinement, once more about
# the mean that it finds, samples, trust, report. Forty minutes on two cores. The model is ../shared/data/seismic/marmousi.h5 (Marmousi's P velocity at 10 m).
#
#   bash jobs/fwi/marmousi.sh [-n RANKS] [-out DIR] [-model FILE:/dataset] [-small]     (build/ must be there: bash jobs/demo.sh)
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
ranks=2 out=$root/out/marmousi model=$root/../shared/data/seismic/marmousi.h5:/vp rank=500 pairs=300 epochs=16 first=9 steps=31
while [[ $# -gt 0 ]]; do
  case $1 in
    -n) ranks=${2:?$1 needs a value}; shift 2 ;;
    -out) out=${2:?$1 needs a value}; shift 2 ;;
    -model) model=${2:?$1 needs a value}; shift 2 ;;
    -small) rank=40 pairs=60 epochs=2 first=1 steps=1; shift ;;
    *) echo "jobs/fwi/marmousi.sh knows -n RANKS, -out DIR, -model FILE:/dataset and -small, not '$1'" >&2; exit 2 ;;
  esac
done
options=()
# shellcheck source=jobs/fwi/job.inc
source "$root/jobs/fwi/job.inc"
[[ -f ${model%%:*} ]] || { echo "no model '${model%%:*}': -model FILE:/dataset names Marmousi at 10 m" >&2; exit 1; }
numbers() { "$fathom" inspect "$1" | tr '\t' '\n'; } # of a dataset, one a line
rm -f "$out/log"
begin=$SECONDS

# the window, native and at 20 m, and the background: slowness smoothed by 500 m (full width at half maximum)
window=(-section "$model" -section_spacing 10 -patch_divide false)
run patches "${window[@]}" -patch_traces 500:883 -patch_samples 0:191 -patch_shape 191x383 -out "$out/native"
run patches "${window[@]}" -patch_traces 500:884 -patch_samples 0:192 -patch_every 2 -patch_shape 96x192 -out "$out/coarse"
run smooth -models "$out/coarse/patches.h5:/x[0]" -smooth_spacing 20 -smooth_length 212 -out "$out/background"
problem=($(use marmousi) -acoustic_background "$out/background/model.h5:/model")

# data: the native model with another order and time step; their noise, and what modelling on 20 m misses
fine=(-acoustic_shape 191x383 -acoustic_spacing 10 -acoustic_dt 0.001 -acoustic_steps 2401 -acoustic_record_every 32 -acoustic_layers 40
  -acoustic_order 6 -acoustic_unknown velocity -acoustic_coordinates nodes -prior '' -condition data)
run forward $(use marmousi) "${fine[@]}" -noise_std 1 -models "$out/native/patches.h5:/x" -out "$out/clean"
run simulate "${problem[@]}" -prior '' -condition data -noise_std 1e-9 -models "$out/coarse/patches.h5:/x" -models_physical true -out "$out/same"
read -r rms missed < <(paste <(numbers "$out/clean/data.h5:/y") <(numbers "$out/same/pairs.h5:/y") \
  | awk '{a += $1 * $1; b += ($1 - $2) * ($1 - $2); n++} END {printf "%.6g %.6g\n", sqrt(a / n), sqrt(b / n)}')
noise=$(awk -v r="$rms" 'BEGIN {printf "%.6g", r / sqrt(10)}')
sigma=$(awk -v n="$noise" -v m="$missed" 'BEGIN {printf "%.6g", sqrt(n * n + m * m)}')
printf 'data rms %s, noise %s (10 dB), modelling on 20 m misses %s: the likelihood takes %s\n' "$rms" "$noise" "$missed" "$sigma"
run simulate $(use marmousi) "${fine[@]}" -noise_std "$noise" -models "$out/native/patches.h5:/x" -out "$out/observed"

problem+=(-noise_std "$sigma")
run informed "${problem[@]}" $(use informed) -informed_rank "$rank" -out "$out/informed"
problem+=(-acoustic_informed "$out/informed/informed.h5")
run simulate "${problem[@]}" $(use pairs) -pairs_count "$pairs" -out "$out/pairs"
run pretrain $(use network pretrain) -epochs "$epochs" -batch_size 8 -pairs "$out/pairs/pairs.h5" -out "$out/pretrain"
problem+=(-observed "$out/observed/pairs.h5:/y[0]")
refine=($(use network) -batch_size 8 -shots_per_sample 1 -steps_per_epoch 20 -learning_rate 1e-3 -learning_rate_decay cosine
  -evaluation_latents 8 -warm_start "$out/pretrain/checkpoint.h5")
run refine "${problem[@]}" "${refine[@]}" -epochs "$first" -evaluate_every 0 -out "$out/first/refine"
run sample "${problem[@]}" -warm_start "$out/first/refine/checkpoint.h5" -samples 64 -out "$out/first/samples"
problem+=(-acoustic_linearize_at "$out/first/samples/maps.h5:/mean")
run informed "${problem[@]}" $(use informed) -acoustic_informed '' -informed_rank "$rank" -out "$out/informed-again"
problem+=(-acoustic_informed "$out/informed-again/informed.h5")
run refine "${problem[@]}" "${refine[@]}" -epochs "$steps" -evaluate_every 80 -out "$out/refine"
run sample "${problem[@]}" -warm_start "$out/refine/checkpoint.h5" -samples 500 -truth_model "$out/coarse/patches.h5:/x[0]" -out "$out/samples"
run evaluate "${problem[@]}" -evaluation_latents 32 -warm_start "$out/refine/checkpoint.h5" -out "$out/evaluate"
run report -report_simulate "$out/pairs" -report_pretrain "$out/pretrain" -report_refine "$out/refine" -report_samples "$out/samples" \
  -report_evaluate "$out/evaluate" -truth_model "$out/coarse/patches.h5:/x[0]" -report_title "Marmousi" -out "$out/report"
for name in error_rms_prior_mean error_rms std_rms z_rms snr; do printf 'result %s %s\n' $name "$(value samples $name)"; done
printf 'result chi2 %s\nresult shot_gradients %s and %s\nresult seconds %s\n' "$(value evaluate chi2)" "$(value first/refine solves_JT)" "$(value refine solves_JT)" $((SECONDS - begin))
grep '^verdict:' "$out/log" | tail -1
collect "jobs/fwi/marmousi.sh -n $ranks" $((SECONDS - begin)) informed pairs pretrain first/refine informed-again refine samples evaluate
echo "report: $out/report/report.html"
