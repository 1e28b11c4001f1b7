#!/usr/bin/env bash
# The main job's case (jobs/fwi) as a chain of Slurm jobs, on a smaller grid: refinement is stopped in its middle and requeued, as are the
# moves of the samples, and all that the chain makes has the bytes of the same commands without Slurm and without a stop, on one rank.
# shellcheck source=tests/journey.inc
source "$(dirname "${BASH_SOURCE[0]}")/journey.inc"
# shellcheck source=tests/slurm.inc
source "$tests/slurm.inc"
slurm_start
export FATHOM_PROGRAM=$build/fathom FATHOM_SBATCH="--nodes=2 --ntasks=2 --time=00:10:00"
export OMPI_MCA_mpi_yield_when_idle=1 OMPI_MCA_hwloc_base_binding_policy=none
small=(-acoustic_shape 16x24 -acoustic_sources_line 2,20,60,400 -acoustic_receivers_line 12,20,20,440 -acoustic_steps 121
  -informed.informed_rank 20 -truth.pairs_count 1 -pairs.pairs_count 60 -again.informed_rank 20 -pretrain.epochs 2 -first.epochs 1 -mean.samples 20 -refine.epochs 3 -refine.report_seconds 0
  -refine.checkpoint_every 40 -sample.samples 40 -sample.report_seconds 0 -evaluate.evaluation_latents 20)

refused_chain() { # TEXT PATTERN WORD... - by chain.sh itself
  local text=$1 pattern=$2 status=0
  shift 2
  bash "$root/jobs/chain.sh" -out refused "$@" >refused.log 2>&1 || status=$?
  check "$text: $(head -n 1 refused.log)" test $status = 2 -a "$(grep -Ec -e "$pattern" refused.log)" = 1
}
refused_chain "a step that is none" "there is no step 'train', but informed truth" "$root/jobs/fwi" -train.epochs 3
refused_chain "no case" "name a folder with pairs.yaml" "$work"

bash "$root/jobs/chain.sh" -out chain "$root/jobs/fwi" "${small[@]}" >chain.log
check "chain.sh prints eleven job ids" test "$(grep -Ec '^[a-z]+ +job [0-9]+$' chain.log)" = 11
mapfile -t ids < <(sed -n 's/^[a-z]* *job \([0-9]*\)$/\1/p' chain.log)
steps() { (($(grep -c '^step ' chain/refine.log) > 3)); }
await 120 steps
scancel --batch --signal=USR1 "${ids[7]}"
moves() { (($(grep -c '^move ' chain/sample.log) > 2)); }
await 120 moves
scancel --batch --signal=USR1 "${ids[8]}"
slurm_over 240 "${ids[@]}"
check "all were completed" test "$(for id in "${ids[@]}"; do slurm_state "$id"; done | tr -d '\n')" \
  = "$(for id in "${ids[@]}"; do printf 'COMPLETED '; done)"
check "refinement was requeued once" test "$(slurm_restarts "${ids[7]}")" = 1
check "and went on" grep -q "^resumed '.*refine/checkpoint.h5' at step [1-9]" chain/refine.log
check "the moves of the samples were requeued once" test "$(slurm_restarts "${ids[8]}")" = 1
check "and went on" grep -q "^resumed '.*samples/moves.h5' after [0-4] whole moves" chain/sample.log
check "a report" grep -q '<html' chain/report/report.html
check "a verdict" grep -q '^verdict: ' chain/evaluate.log
check "of the moved samples" test "$(value chain/evaluate moved_samples)" = 40

# the same words, which each job's log begins with
for step in informed truth pairs pretrain first mean again refine sample; do
  read -ra words < <(sed -n "s#^run.sbatch: job .*, start 1: $build/fathom ##p" chain/$step.log | sed "s#$work/chain#$work/plain#g")
  run 1 single "${words[@]}"
done
same "eigenpairs" {plain,chain}/informed/informed.h5 /vectors /values
same "pairs" {plain,chain}/pairs/pairs.h5 /x /y
same "refined weights" {plain,chain}/refine/checkpoint.h5 "${trained[@]}"
same "models" {plain,chain}/samples/samples.h5 /model
same "maps" {plain,chain}/samples/maps.h5 /mean /std /p10 /p90 /prior_std
verdict
