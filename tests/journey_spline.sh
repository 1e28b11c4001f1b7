#!/usr/bin/env bash
# The spline network through the programs, on the toy: the refinement reaches its gold from pretrained weights and from scratch; the
# same bytes on 1 and 2 ranks and after a stop; another bound is another flow.
# shellcheck source=tests/journey.inc
source "$(dirname "${BASH_SOURCE[0]}")/journey.inc"

flow=(-flow spline -flow_depth 4 -flow_hidden 32)
pretrain=(-options_file_yaml "$toy/pretrain.yaml" "${flow[@]}" -pairs pairs/pairs.h5)
refine=(-options_file_yaml "$toy/refine.yaml" "${flow[@]}" -evaluate_every 0)

run 1 single simulate -options_file_yaml "$toy/pairs.yaml" -out pairs
run 1 single pretrain "${pretrain[@]}" -out pre
run 1 single refine "${refine[@]}" -warm_start pre/checkpoint.h5 -out warm
run 1 single refine -options_file_yaml "$toy/scratch.yaml" "${flow[@]}" -evaluate_every 0 -out scratch
figure "pretrained on y = x + e: KL at the start" "$(value warm kl_start)" 1 2.5
figure "refined: KL (last of 5 epochs)" "$(value warm kl)" -0.01 0.05
figure "from scratch: KL (25 epochs)" "$(value scratch kl)" -0.01 0.05
run 1 single evaluate "${refine[@]}" -warm_start scratch/checkpoint.h5 -out evaluate
figure "log evidence (gold -4.00060)" "$(value evaluate log_evidence)" -4.02 -3.98
figure "mean 1 (gold 1.82896)" "$(value evaluate mean_1)" 1.81 1.85
figure "std 2 (gold .50927)" "$(value evaluate std_2)" 0.49 0.53

short=(-epochs 3 -stop_after 40 -checkpoint_every 1000)
for n in 1 2; do
  run $n single pretrain "${pretrain[@]}" "${short[@]}" -out pre.$n
  run $n single refine "${refine[@]}" "${short[@]}" -warm_start pre/checkpoint.h5 -out refine.$n
done
same "pretrain, 40 steps, 2 ranks as 1" pre.{1,2}/checkpoint.h5 "${trained[@]}"
same "refine, 40 steps, 2 ranks as 1" refine.{1,2}/checkpoint.h5 "${trained[@]}"
run 1 single refine "${refine[@]}" "${short[@]}" -stop_after 15 -warm_start pre/checkpoint.h5 -out stopped
run 2 single refine "${refine[@]}" "${short[@]}" -stop_after 25 -warm_start pre/checkpoint.h5 -resume -out stopped
same "refine, stopped at 15 and gone on" refine.1/checkpoint.h5 stopped/checkpoint.h5 "${trained[@]}"

refused "a bin more" "-flow_bins is 9, the checkpoint.s is [0-9]+$" 1 single refine "${refine[@]}" -flow_bins 9 -warm_start pre/checkpoint.h5 -out more
refused "one bin" "flow_bins 1 is outside" 1 single pretrain "${pretrain[@]}" -flow_bins 1 -out one
refused "no bound" "flow_bound 0 is outside" 1 single pretrain "${pretrain[@]}" -flow_bound 0 -out none
verdict
