#!/usr/bin/env bash
# The realistic problem whole: models of a geology; a flow of the training models, judged on models held out, as prior energy; cheap pairs of the same
# models; pretraining; refinement with the wave equation, once more about the mean that it finds; samples moved on to the posterior, trust, report.
#
#   bash jobs/fwi/realistic.sh [-n RANKS] [-out DIR] [-seed N] [-geology basin|thrust|windows] [-noise STD] [-unknown K] [-small]
#
#   -geology   basin, thrust: generated layers and faults; windows: those of ../shared/data/seismic/marmousi.h5 (-model FILE:/dataset for another)
#   -noise     standard deviation of the noise; default .0066, about 10 dB
#   -unknown   which of the held-out models is to be found
#   -small     fewer models and steps: minutes on two cores
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
ranks=2 out='' seed=1 geology=basin noise='' unknown=0 small=no section=$root/../shared/data/seismic/marmousi.h5:/vp
while [[ $# -gt 0 ]]; do
  case $1 in
    -n) ranks=${2:?$1 needs a value}; shift 2 ;;
    -out) out=${2:?$1 needs a value}; shift 2 ;;
    -seed) seed=${2:?$1 needs a value}; shift 2 ;;
    -geology) geology=${2:?$1 needs a value}; shift 2 ;;
    -noise) noise=${2:?$1 needs a value}; shift 2 ;;
    -unknown) unknown=${2:?$1 needs a value}; shift 2 ;;
    -model) section=${2:?$1 needs a value}; shift 2 ;;
    -small) small=yes; shift ;;
    *) echo "jobs/fwi/realistic.sh knows -n RANKS, -out DIR, -seed N, -geology basin|thrust|windows, -noise STD, -unknown K, -model FILE:/dataset" \
            "and -small, not '$1'" >&2; exit 2 ;;
  esac
done
[[ -f $root/jobs/fwi/realistic_$geology.yaml ]] || { echo "-geology is basin, thrust or windows, not '$geology'" >&2; exit 2; }
options=(-seed "$seed")
# shellcheck source=jobs/fwi/job.inc
source "$root/jobs/fwi/job.inc"
out=${out:-$root/out/realistic-$geology}


problem=() informed=() prior=() pretrain=() refine=()
mapfile -t problem < <(use realistic "realistic_$geology")
[[ -z $noise ]] || problem+=(-noise_std "$noise")
train=2000 held=200 samples=1000 informed=(-informed_rank 200) first=(-epochs 4) refine=(-epochs 16) moves=()
if [[ $small == yes ]]; then
  train=600 held=60 samples=400
  informed=(-informed_rank 120) prior=(-epochs 6) pretrain=(-epochs 6) first=(-epochs 2) refine=(-epochs 4) moves=(-moves 1)
fi

rm -f "$out/log"
echo "realistic inversion, $geology, on $ranks rank(s), results in $out"
begin=$SECONDS
# the two splits: draws of two ranges of numbers, or windows of two parts of the file
models=(-prior layers -pairs_count "$train")
held_out=(-prior layers -pairs_first 1000000 -pairs_count "$held")
if [[ $geology == windows ]]; then
  windows=("${problem[@]}" -section "$section")
  run patches "${windows[@]}" -patch_exclude 500:760 -patch_samples 40:301 -patch_count "$train" -out "$out/windows"
  run patches "${windows[@]}" -patch_traces 500:760 -patch_samples 40:301 -patch_count "$held" -out "$out/windows-held"
  run smooth "${problem[@]}" -models "$out/windows/patches.h5:/x" -out "$out/models"
  run smooth "${problem[@]}" -models "$out/windows-held/patches.h5:/x" -smooth_first 1000000 -out "$out/models-held"
  models=(-models "$out/models/model.h5:/model")
  held_out=(-models "$out/models-held/model.h5:/model")
fi
run informed "${problem[@]}" $(use informed) "${informed[@]}" -out "$out/informed"
problem+=(-acoustic_informed "$out/informed/informed.h5")
run simulate "${problem[@]}" "${held_out[@]}" -condition data -pairs_model true -out "$out/truth"
run simulate "${problem[@]}" "${models[@]}" -operator born -born_data total -pairs_model true -out "$out/pairs"
truth=(-truth_model "$out/truth/pairs.h5:/model[$unknown]")
# the prior, and whether it describes what it has not seen
run pretrain $(use realistic_prior) "${prior[@]}" -pairs "$out/pairs/pairs.h5" -out "$out/prior"
run judge $(use realistic_prior) -warm_start "$out/prior/checkpoint.h5" -pairs "$out/truth/pairs.h5" -judge_training "$out/pairs/pairs.h5" \
  "${truth[@]}" -out "$out/judge"
run sample -warm_start "$out/prior/checkpoint.h5" -samples 16 -out "$out/prior-samples"
# the posterior
run pretrain $(use network pretrain) "${pretrain[@]}" -pairs "$out/pairs/pairs.h5" -out "$out/pretrain"
problem+=(-prior flow -prior_flow "$out/prior/checkpoint.h5" -observed "$out/truth/pairs.h5:/y[$unknown]")
run refine "${problem[@]}" $(use network refine first) "${first[@]}" -warm_start "$out/pretrain/checkpoint.h5" -out "$out/first/refine"
run sample "${problem[@]}" -warm_start "$out/first/refine/checkpoint.h5" -samples 200 -out "$out/first/samples"
# what the data tell at the mean of these samples; the prior is of velocities and stays what it is
problem+=(-acoustic_linearize_at "$out/first/samples/maps.h5:/mean")
run informed "${problem[@]}" $(use informed) "${informed[@]}" -acoustic_informed '' -out "$out/informed-again"
problem+=(-acoustic_informed "$out/informed-again/informed.h5")
run refine "${problem[@]}" $(use network refine) "${refine[@]}" -warm_start "$out/pretrain/checkpoint.h5" -out "$out/refine"
run sample "${problem[@]}" -warm_start "$out/refine/checkpoint.h5" -samples "$samples" "${truth[@]}" -out "$out/flow-samples"
run sample "${problem[@]}" $(use sample) "${moves[@]}" -warm_start "$out/refine/checkpoint.h5" "${truth[@]}" -out "$out/samples"
run evaluate "${problem[@]}" $(use refine evaluate) -moved "$out/samples/moves.h5" -warm_start "$out/refine/checkpoint.h5" "${truth[@]}" \
  -out "$out/evaluate"
run report -report_simulate "$out/pairs" -report_pretrain "$out/pretrain" -report_refine "$out/refine" -report_samples "$out/samples" \
  -report_evaluate "$out/evaluate" "${truth[@]}" -report_title "Realistic inversion, $geology" -out "$out/report"

echo
row "-log density of held-out models, nats per unknown" "$(value judge nll_held_out) +- $(value judge nll_held_out_se)"
row "  under a Gaussian fitted to the same training models" "$(value judge nll_gaussian) (without correlations $(value judge nll_diagonal_gaussian))"
row "held-out models in the range of the training's" "$(value judge held_out_inside)"
row "percentile of the truth under the prior, %" "$(value judge truth_percentile) (among the prior's draws $(value judge truth_percentile_of_draws))"
row "directions of the model that the data resolve" "$(value informed n_eff)"
rows_of_samples
grep -h '^verdict:' "$out/log" | tail -1
echo
echo "result seconds $((SECONDS - begin)) s"
collect "jobs/fwi/realistic.sh -n $ranks -geology $geology -unknown $unknown$([[ $small == no ]] || echo ' -small')" $((SECONDS - begin)) \
  informed truth pairs prior judge pretrain first/refine informed-again refine flow-samples samples evaluate
echo "report: $out/report/report.html"
