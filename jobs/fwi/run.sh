#!/usr/bin/env bash
# The verified problem whole: what the data can tell, cheap pairs, pretraining, refinement with the wave equation, once more about the mean that it
# finds, samples, trust, report.
#
#   bash jobs/fwi/run.sh [-n RANKS] [-out DIR] [-seed N] [-noise STD] [-unknown K] [-small] [-scratch]     (build/ must be there: bash jobs/demo.sh)
#
#   -noise     standard deviation of the noise; the data's root mean square is .021: .0066 is 10 dB (default), .0021 20 dB
#   -unknown   which of the held-out models (0 to 19) is to be found
#   -small     the demo's: fewer pairs and steps, minutes on two cores
#   -scratch   also the baseline: the same flow from random weights, in coordinates whitened by the prior
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
ranks=2 out=$root/out/fwi seed=1 noise=0.0066 unknown=0 small=no scratch=no
while [[ $# -gt 0 ]]; do
  case $1 in
    -n) ranks=${2:?$1 needs a value}; shift 2 ;;
    -out) out=${2:?$1 needs a value}; shift 2 ;;
    -seed) seed=${2:?$1 needs a value}; shift 2 ;;
    -noise) noise=${2:?$1 needs a value}; shift 2 ;;
    -unknown) unknown=${2:?$1 needs a value}; shift 2 ;;
    -small) small=yes; shift ;;
    -scratch) scratch=yes; shift ;;
    *) echo "jobs/fwi/run.sh knows -n RANKS, -out DIR, -seed N, -noise STD, -unknown K, -small and -scratch, not '$1'" >&2; exit 2 ;;
  esac
done
options=(-seed "$seed")
# shellcheck source=jobs/fwi/job.inc
source "$root/jobs/fwi/job.inc"


problem=() informed_rank=() pairs=() pretrain=()
mapfile -t problem < <(use problem)
problem+=(-noise_std "$noise")
if [[ $small == yes ]]; then
  informed_rank=(-informed_rank 250) pairs=(-pairs_count 1000) pretrain=(-epochs 12)
fi

rm -f "$out/log"
echo "verified inversion on $ranks rank(s), noise $noise, results in $out"
begin=$SECONDS
run informed "${problem[@]}" $(use informed) "${informed_rank[@]}" -out "$out/informed"
problem+=(-acoustic_informed "$out/informed/informed.h5")
run simulate "${problem[@]}" $(use truth) -acoustic_informed '' -out "$out/truth"
run simulate "${problem[@]}" $(use pairs) "${pairs[@]}" -out "$out/pairs"
run pretrain $(use network pretrain) "${pretrain[@]}" -pairs "$out/pairs/pairs.h5" -out "$out/pretrain"
problem+=(-observed "$out/truth/pairs.h5:/y[$unknown]")
run refine "${problem[@]}" $(use network refine first) -warm_start "$out/pretrain/checkpoint.h5" -out "$out/first/refine"
run sample "${problem[@]}" -warm_start "$out/first/refine/checkpoint.h5" -samples 200 -out "$out/first/samples"
# what the data tell at the mean of these samples: coordinates in which the posterior is white once more, for the same pretrained flow
first=("${problem[@]}")
problem+=(-acoustic_linearize_at "$out/first/samples/maps.h5:/mean")
run informed "${problem[@]}" $(use informed) "${informed_rank[@]}" -acoustic_informed '' -out "$out/informed-again"
problem+=(-acoustic_informed "$out/informed-again/informed.h5")
run refine "${problem[@]}" $(use network refine) -warm_start "$out/pretrain/checkpoint.h5" -out "$out/refine"
run sample "${problem[@]}" -samples 1000 -warm_start "$out/refine/checkpoint.h5" -truth_model "$out/truth/pairs.h5:/model[$unknown]" -out "$out/flow-samples"
run sample "${problem[@]}" $(use sample) -warm_start "$out/refine/checkpoint.h5" -truth_model "$out/truth/pairs.h5:/model[$unknown]" -out "$out/samples"
run evaluate "${problem[@]}" $(use refine evaluate) -moved "$out/samples/moves.h5" -warm_start "$out/refine/checkpoint.h5" -out "$out/evaluate"
report=(-report_simulate "$out/pairs" -report_pretrain "$out/pretrain" -report_refine "$out/refine" -report_samples "$out/samples"
  -report_evaluate "$out/evaluate" -truth_model "$out/truth/pairs.h5:/model[$unknown]")
if [[ $scratch == yes ]]; then
  # the same flow pretrained on the prior alone, without data
  run pretrain $(use network pretrain) -flow_conditional false -pairs "$out/pairs/pairs.h5" -out "$out/pretrain-prior"
  run refine "${first[@]}" $(use network refine) -warm_start "$out/pretrain-prior/checkpoint.h5" -epochs 60 -evaluate_every 120 -out "$out/prior-only"
  # the same flow from random weights, x = w itself: white by the prior; three rates, the best by J counts
  for rate in 3e-4 1e-3 3e-3; do
    run refine "${first[@]}" $(use network refine) $(use informed) -acoustic_informed '' -learning_rate $rate -epochs 60 -evaluate_every 120 \
      -max_failed_fraction 0.5 -out "$out/scratch-$rate"
  done
  report+=(-report_scratch "$out/scratch-1e-3")
fi
run report "${report[@]}" -report_title "Verified inversion, noise $noise" -out "$out/report"

echo
row "directions of the model that the data resolve" "$(value informed n_eff) of 2048"
rows_of_samples
row "shots linearised for the pairs, J and J^T" "$(value pairs solves_F) and $(value pairs solves_JT)"
row "shots linearised for the coordinates, J and J^T each" "$(value informed solves_J) and $(value informed-again solves_J)"
grep -h '^verdict:' "$out/log" | tail -1
echo
echo "result seconds $((SECONDS - begin)) s"
collect "jobs/fwi/run.sh -n $ranks -noise $noise -unknown $unknown$([[ $small == no ]] || echo ' -small')" $((SECONDS - begin)) \
  informed pairs pretrain first/refine first/samples informed-again refine flow-samples samples evaluate
echo "report: $out/report/report.html"
