#!/usr/bin/env bash
# Experiment A2, seismic compressed sensing: images seen through a random projector with noise .2. A conditional flow is pretrained on
# pairs of one geology with noise .02 and refined at each unknown; beside it the flow without refinement, a control that was pretrained
# at noise .2, the refinement with the flow's own posterior as prior (it counts the data twice), and training from random weights.
#
#   bash jobs/compressed_sensing/run.sh [-n RANKS] [-out DIR] [-seed N] [-data generated|FILE.sgy] [-shape 64x64] [-paper]
#                                       [-images N] [-unknowns N] [-curves N] [-small] [-no-plots]
#
# -data FILE.sgy    patches of that section instead of generated images: trained on its first half at shallow times; unknowns "own" from
#                   the other half at the same times, "across" from the other half and deeper
# -low, -own, -across TRACES,SAMPLES   those windows; as they are for the crossline 1155 of Penobscot, 601 x 1501
# -shape            of the images (64x64; generated up to 256x256 and more); -paper: the paper's network, depth 12 and hidden 64
# -images N         to pretrain on (3000);  -unknowns N  of either kind (8);  -curves N  of them with long runs, J against applications (2)
# -small            16x16, seconds: to see that it runs
#
# build/ must be there (bash jobs/demo.sh). The numbers of README.md take about half an hour for either data on two cores.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
here=$root/jobs/compressed_sensing
ranks=2 out= seed=1 data=generated shape=64x64 images=3000 unknowns=8 curves=2 plots=yes
low_window=(0:300 0:750) own_window=(300:601 0:750) across_window=(300:601 750:1501)
network=() pretrain=() refine=() long=(-steps_per_epoch 4000 -evaluate_every 50) short=(-steps_per_epoch 1000 -evaluate_every 20) samples=1000
while [[ $# -gt 0 ]]; do
  case $1 in
    -n) ranks=$2; shift 2 ;;
    -out) out=$2; shift 2 ;;
    -seed) seed=$2; shift 2 ;;
    -data) data=$2; shift 2 ;;
    -low) IFS=, read -ra low_window <<<"$2"; shift 2 ;;
    -own) IFS=, read -ra own_window <<<"$2"; shift 2 ;;
    -across) IFS=, read -ra across_window <<<"$2"; shift 2 ;;
    -shape) shape=$2; shift 2 ;;
    -images) images=$2; shift 2 ;;
    -unknowns) unknowns=$2; shift 2 ;;
    -curves) curves=$2; shift 2 ;;
    -paper) network=(-flow_depth 12 -flow_hidden 64); shift ;;
    -small)
      shape=16x16 images=64 unknowns=2 curves=1 samples=20 network=(-flow_depth 2 -flow_hidden 16) pretrain=(-epochs 1)
      refine=(-steps_per_epoch 8 -evaluation_latents 4) long=(-steps_per_epoch 20 -evaluate_every 4 -evaluation_latents 4)
      short=(-steps_per_epoch 8 -evaluate_every 4 -evaluation_latents 4)
      shift ;;
    -no-plots) plots=no; shift ;;
    *) echo "jobs/compressed_sensing/run.sh does not know '$1'; its first lines say what it knows" >&2; exit 2 ;;
  esac
done
name=generated
[[ $data == generated ]] || name=field
out=${out:-$root/out/compressed_sensing/$name}
[[ $data == generated || -f $data ]] || { echo "no SEG-Y file '$data' (-data generated needs none)" >&2; exit 1; }
fathom=${FATHOM_BUILD:-$root/build}/fathom
[[ -x $fathom ]] || { echo "no program '$fathom': run bash jobs/demo.sh, which builds it" >&2; exit 1; }
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OPENBLAS_NUM_THREADS=1
mkdir -p "$out"
out=$(cd "$out" && pwd)
rm -f "$out/log" "$out/table.tsv"
begin=$SECONDS
failed() { grep -A 2 '^fathom: error' "$out/log" >&2 || tail -5 "$out/log" >&2; exit 1; }
launch() { mpirun -n "$ranks" --oversubscribe "$fathom" "$@" >>"$out/log" 2>&1 || failed; } # on all ranks; words go to DIR/log
run() { launch "$@" -seed "$seed"; }
say() { printf '%4d s  %s\n' $((SECONDS - begin)) "$*"; }
value() { awk -F '\t' -v name="$2" '$1 == name {print $2}' "$out/$1/results.tsv" 2>/dev/null; }
use() { printf -- '-options_file_yaml\n%s\n' "$here/$1.yaml"; }
mapfile -t problem < <(use problem)
mapfile -t flow < <(use flow)
problem+=(-romberg_shape "$shape")

# ---- images, pairs, unknowns ----
window() { # NAME TRACES SAMPLES COUNT SEED ARGUMENT... - patches of the section
  launch patches -segy "$data" -patch_shape "$shape" -patch_traces "$2" -patch_samples "$3" \
    -patch_count "$4" -seed "$5" "${@:6}" -out "$out/$1"
}
if [[ $data == generated ]]; then
  source_of() { # KIND SEED - arguments of simulate
    echo -prior reflectivity -reflectivity_shape "$shape" -reflectivity_geology "$([[ $1 == across ]] && echo complex || echo gentle)" -seed "$2"
  }
else
  window low_images "${low_window[@]}" "$images" $((seed + 10))
  window own_images "${own_window[@]}" "$unknowns" $((seed + 77)) -patch_scale_from "$out/low_images/patches.h5"
  window across_images "${across_window[@]}" "$unknowns" $((seed + 77)) -patch_scale_from "$out/low_images/patches.h5"
  source_of() { echo -models "$out/$([[ $1 == low ]] && echo low || echo "$1")_images/patches.h5:/x" -seed "$2"; }
fi
simulate() { # FOLDER KIND NOISE COUNT SEED
  # shellcheck disable=SC2046  # words
  launch simulate "${problem[@]}" $(source_of "$2" "$5") -noise_std "$3" -pairs_count "$4" \
    -out "$out/$1"
}
say "images of $shape ($data): $images pairs at noise .02, as many at noise .2, $unknowns unknowns of the training's kind, $unknowns of another"
simulate low_pairs low 0.02 "$images" "$seed"
simulate control_pairs low 0.2 "$images" "$seed"
simulate own own 0.2 "$unknowns" $((seed + 77))
simulate across across 0.2 "$unknowns" $((seed + 77))

# ---- pretraining ----
mapfile -t pre < <(use pretrain)
train() { # FOLDER PAIRS ARGUMENT...
  say "pretraining $1"
  run pretrain "${flow[@]}" "${pre[@]}" "${network[@]}" "${pretrain[@]}" -pairs "$out/$2/pairs.h5" "${@:3}" -out "$out/$1"
  say "  NLL on validation $(value "$1" nll_validation) nats, $(value "$1" step_seconds) s a step"
}
train low low_pairs
train control control_pairs
train prior low_pairs -flow_conditional false

# ---- unknowns ----
mapfile -t re < <(use refine)
at() { echo "$out/$1/pairs.h5:/y[$2]"; }
judge() { # KIND NUMBER METHOD CHECKPOINT SEE - samples, SNR, coverage; a line of the table
  local to=$out/$1$2/$3
  run sample "${@:5}" -warm_start "$4" -truth "$out/$1/pairs.h5:/x[$2]" -samples "$samples" -out "$to/samples"
  printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$(value "$1$2/$3/samples" snr)" \
    "$(value "$1$2/$3/samples" coverage_2std)" "$(value "$1$2/$3/samples" std_rms)" "$(value "$1$2/$3/samples" error_rms)" \
    "$(value "$1$2/$3" minus_elbo)" "$(value "$1$2/$3" solves_F)" "$(value "$1$2/$3" prior_energy)" >>"$out/table.tsv"
}
invert() { # KIND NUMBER METHOD ARGUMENT... - refine, judge
  run refine "${problem[@]}" "${flow[@]}" "${re[@]}" "${network[@]}" "${refine[@]}" -prior_flow "$out/prior/checkpoint.h5" \
    -observed "$(at "$1" "$2")" "${@:4}" -out "$out/$1$2/$3"
  judge "$1" "$2" "$3" "$out/$1$2/$3/checkpoint.h5"
}
for kind in own across; do
  for ((u = 0; u < unknowns; u++)); do
    say "$kind $u"
    judge "$kind" "$u" eq3 "$out/low/checkpoint.h5" -observed "$(at "$kind" "$u")"
    judge "$kind" "$u" control "$out/control/checkpoint.h5" -observed "$(at "$kind" "$u")"
    invert "$kind" "$u" eq6 -warm_start "$out/low/checkpoint.h5"
    invert "$kind" "$u" eq6_low_posterior -warm_start "$out/low/checkpoint.h5" -prior prior_low_posterior -prior_flow "$out/low/checkpoint.h5"
    invert "$kind" "$u" scratch -learning_rate 2e-3
  done
done

# ---- J against applications, long runs ----
for kind in own across; do
  for ((u = 0; u < curves; u++)); do
    say "long runs at $kind $u"
    invert "$kind" "$u" eq6_long "${short[@]}" -warm_start "$out/low/checkpoint.h5"
    invert "$kind" "$u" scratch_long "${long[@]}" -learning_rate 2e-3
  done
done
say "done"
FATHOM_BUILD=$(dirname "$fathom") bash "$here/report.sh" -out "$out" $([[ $plots == yes ]] || echo -no-plots)
