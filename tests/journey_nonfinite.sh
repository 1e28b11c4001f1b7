#!/usr/bin/env bash
# Samples whose solve fails are dropped, counted and said; too many stop the run with its checkpoint kept; `check -at` shows one
# again, whatever checkpoint is near. The operator takes the coefficient itself, and the prior lets it be negative.
# shellcheck source=tests/journey.inc
source "$(dirname "${BASH_SOURCE[0]}")/journey.inc"

fit=(-operator laplace -laplace_cells 8 -laplace_blocks 2 -laplace_points 3 -laplace_unknown value -prior gaussian
  -gaussian_mean 1 -gaussian_std 0.7 -noise_std 0.05 -observed 0.3,0.4,0.3,0.4,0.6,0.4,0.3,0.4,0.3 -flow_depth 2 -flow_hidden 16
  -batch_size 32 -micro_batch 8 -epochs 3 -steps_per_epoch 10 -evaluation_latents 64)
allow=(-max_failed_fraction 0.6)

# ---- dropped, counted, said ----
run 2 double refine "${fit[@]}" "${allow[@]}" -checkpoint_every 7 -out all
check "some samples were dropped, not all" awk -v f="$(value all failed_fraction)" 'BEGIN {exit !(f > 0 && f < 0.6)}'
check "the run says that it is conditional" grep -q "samples were dropped: objective and flow are conditional" all.log
check "progress says it too" grep -q "conditional: [0-9]* dropped" all.log
at=$(grep -o 'check -at [0-9]*,[0-9]*' all.log | tail -n 1 | cut -d' ' -f3)
check "each dropped sample is named, the last one $at" test -n "$at"

# ---- and seen again ----
run 1 double check "${fit[@]}" "${allow[@]}" -at "$at" -run all -out at
check "with the operator's reason, and a command" \
  grep -q "sample [0-9]* is dropped: the coefficient of block [0-9] is -[0-9.e+-]*: it must be positive.* -run all -out all/at, with" all.log
check "$at is dropped again" test "$(value at kept)" = 0
check "with the operator's reason" grep -q "the coefficient of block [0-9]* is -[0-9.e+-]*: it must be positive" at.log
check "its model is kept for h5py" h5dump -d /x at/examined.h5
refused "a model that cannot be solved" "the solve for model 0 failed: the coefficient of block" 1 double forward "${fit[@]}" -models at/examined.h5:/x -out forward

# a kept sample has the same energies from a checkpoint shortly before as from the start of the run
mkdir empty
run 1 double check "${fit[@]}" "${allow[@]}" -at 29,3 -run all -out near
check "weights came from the checkpoint of step 28" grep -q "weights of step 28" near.log
run 2 double check "${fit[@]}" "${allow[@]}" -at 29,3 -run empty -out far
check "weights came from the start" grep -q "from the start of the run" far.log
for name in kept likelihood prior logdet model_min; do
  check "check -at 29,3: $name is the same from both" test "$(value near $name)" = "$(value far $name)"
done
refused "half a name" "takes STEP,SAMPLE" 1 double check "${fit[@]}" -at 29 -run all -out x
refused "a step that was not made" "beyond the run.s 30 steps" 1 double check "${fit[@]}" -at 30,0 -run all -out x
refused "a sample that was not made" "beyond the batch of 32" 1 double check "${fit[@]}" -at 3,32 -run all -out x
refused "no run" "at needs -run FOLDER" 1 double check "${fit[@]}" -at 3,2 -out x

refused "a folder that is not there" "-run 'nowhere': there is no such folder" 1 double check "${fit[@]}" -at 3,2 -run nowhere -out x

# the run's own settings are asked for
warm=("${fit[@]}" "${allow[@]}" -steps_per_epoch 2)
run 1 double refine "${warm[@]}" -warm_start all/checkpoint.h5 -out warm
run 1 double check "${warm[@]}" -noise_std 0.06 -at 1,3 -run warm -out forgotten
check "a forgotten -warm_start is said" grep -q "the run had -warm_start all/checkpoint.h5, here it is not given" forgotten.log
check "another noise, too" grep -q "setting than the run's: -noise_std 0.06 (the run: -noise_std 0.05)" forgotten.log
check "and nothing else" test "$(grep -Ec '^warning: (the run|another)' forgotten.log)" = 2
check "where all is given, nothing" bash -c "! grep 'the run' near.log"
run 2 double refine "${warm[@]}" -warm_start all/checkpoint.h5 -epochs 5 -resume -out warm
check "resumed: no word of random weights" bash -c "grep -q '^resumed' warm.log && ! grep -q 'from scratch' warm.log"

# ---- pairs ----
refused "a pair without a solve" "the solve for pair [0-9]+ failed: the coefficient .* bounded unknown, or the prior a smaller spread" 2 \
  double simulate "${fit[@]}" -pairs_count 40 -out pairs
check "no half file stays behind" test ! -e pairs/pairs.h5.tmp -a ! -e pairs/pairs.h5

# ---- too many ----
run 2 double refine "${fit[@]}" "${allow[@]}" -stop_after 12 -out stop
cp stop/checkpoint.h5 kept.h5
refused "too many" "samples failed or are not finite, more than -max_failed_fraction 0.001" 2 double refine "${fit[@]}" -resume \
  -max_failed_fraction 0.001 -out stop
check "the last good checkpoint is kept" cmp kept.h5 stop/checkpoint.h5

verdict
