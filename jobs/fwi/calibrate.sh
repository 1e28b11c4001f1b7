#!/usr/bin/env bash
# Calibration: the refinement of each of 16 held-out models of the verified problem, then z-scores, ranks, coverage and CRPS over them.
# After jobs/fwi/run.sh, whose eigenpairs, unknown models and pretrained flow it takes; minutes a model, as many at a time as -j says.
#
#   bash jobs/fwi/calibrate.sh [-j JOBS] [-out DIR] [-noise STD] [-models N]
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
jobs=2 out=$root/out/fwi noise=0.0066 models=16
while [[ $# -gt 0 ]]; do
  case $1 in
    -j) jobs=${2:?$1 needs a value}; shift 2 ;;
    -out) out=${2:?$1 needs a value}; shift 2 ;;
    -noise) noise=${2:?$1 needs a value}; shift 2 ;;
    -models) models=${2:?$1 needs a value}; shift 2 ;;
    *) echo "jobs/fwi/calibrate.sh knows -j JOBS, -out DIR, -noise STD and -models N, not '$1'" >&2; exit 2 ;;
  esac
done
# shellcheck source=jobs/fwi/job.inc
source "$root/jobs/fwi/job.inc"
[[ -f $out/pretrain/checkpoint.h5 ]] || { echo "no '$out/pretrain/checkpoint.h5': run bash jobs/fwi/run.sh before" >&2; exit 1; }
mkdir -p "$out/held-out"

alone() { # LOG COMMAND... - on one rank
  local log=$1
  shift
  "$fathom" "$@" >>"$log" 2>&1 || { tail -2 "$log" >&2; exit 1; }
}
one() { # model K: refined, linearised at the mean, refined and sampled
  local k=$1 dir=$out/held-out/$1
  local problem=($(use problem) -noise_std "$noise" -acoustic_informed "$out/informed/informed.h5" -observed "$out/truth/pairs.h5:/y[$k]")
  : >"$dir.log"
  alone "$dir.log" refine "${problem[@]}" $(use network refine first) -warm_start "$out/pretrain/checkpoint.h5" -out "$dir/first/refine"
  alone "$dir.log" sample "${problem[@]}" -warm_start "$dir/first/refine/checkpoint.h5" -samples 200 -out "$dir/first/samples"
  problem+=(-acoustic_linearize_at "$dir/first/samples/maps.h5:/mean")
  alone "$dir.log" informed "${problem[@]}" $(use informed) -acoustic_informed '' -out "$dir/informed"
  problem+=(-acoustic_informed "$dir/informed/informed.h5")
  alone "$dir.log" refine "${problem[@]}" $(use network refine) -evaluate_every 0 -warm_start "$out/pretrain/checkpoint.h5" -out "$dir/refine"
  alone "$dir.log" sample "${problem[@]}" $(use sample) -warm_start "$dir/refine/checkpoint.h5" -truth_model "$out/truth/pairs.h5:/model[$k]" -out "$dir/samples"
  printf 'model %2d: error of the mean %6.1f m/s, std %6.1f m/s, rms z %.3f\n' "$k" \
    $(awk -F '\t' '$1 ~ /^(error_rms|std_rms|z_rms)$/ {v[$1] = $2} END {print v["error_rms"], v["std_rms"], v["z_rms"]}' "$dir/samples/results.tsv")
}
for ((k = 0; k < models; k++)); do
  while (($(jobs -rp | wc -l) >= jobs)); do wait -n; done
  one "$k" &
done
wait

# samples of the prior, for its CRPS
"$fathom" simulate $(use problem truth) -noise_std "$noise" -pairs_first 2000000 -pairs_count 200 -out "$out/held-out/prior" \
  >"$out/held-out/prior.log" 2>&1
for ((k = 0; k < models; k++)); do
  echo "$out/held-out/$k/samples/samples.h5:/model $out/truth/pairs.h5:/model[$k] $out/held-out/prior/pairs.h5:/model"
done >"$out/held-out/list"
"$fathom" calibrate -calibrate "$out/held-out/list" -out "$out/calibrate"
