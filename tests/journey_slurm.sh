#!/usr/bin/env bash
# fathom under a real Slurm: a chain of jobs, an array of seeds, requeued after a signal and at the end of its time, a node that goes
# down; ten chained jobs give the bytes of one.
# shellcheck source=tests/journey.inc
source "$(dirname "${BASH_SOURCE[0]}")/journey.inc"
# shellcheck source=tests/slurm.inc
source "$tests/slurm.inc"
slurm_start
export FATHOM_PROGRAM=$build/fathom-double
# both nodes are this machine: the ranks share it, and wait politely
export OMPI_MCA_mpi_yield_when_idle=1 OMPI_MCA_hwloc_base_binding_policy=none
jobs=$root/jobs
export FATHOM_SBATCH="--nodes=2 --ntasks=2 --time=00:10:00"
read -ra size <<<"$FATHOM_SBATCH"
small=(-flow_depth 3 -flow_hidden 32 -pairs_count 1000 -epochs 6 -evaluation_latents 500)

# ---- the chain, and an array of it ----

bash "$jobs/chain.sh" -out chain "$toy" "${small[@]}" >chain.log
check "chain.sh prints six job ids" test "$(grep -Ec '^[a-z]+ +job [0-9]+$' chain.log)" = 6
bash "$jobs/chain.sh" -seeds 1-2 -out seeds "$toy" "${small[@]}" >seeds.log
check "and of an array" test "$(grep -Ec '^[a-z]+ +job [0-9]+ \(array 1-2\)$' seeds.log)" = 6
mapfile -t ids < <(sed -n 's/^[a-z]* *job \([0-9]*\).*/\1/p' chain.log seeds.log)
slurm_over 240 "${ids[@]}"
check "all were completed: $(slurm_state "${ids[0]}")" test "$(for id in "${ids[@]}"; do slurm_state "$id"; done | tr -d '\n')" \
  = "$(for id in "${ids[@]}"; do printf 'COMPLETED '; done)"
run 1 double simulate -options_file_yaml "$toy/pairs.yaml" "${small[@]}" -seed 1 -out plain/pairs
run 1 double pretrain -options_file_yaml "$toy/pretrain.yaml" "${small[@]}" -seed 1 -pairs plain/pairs/pairs.h5 -out plain/pretrain
run 1 double refine -options_file_yaml "$toy/refine.yaml" "${small[@]}" -seed 1 -warm_start plain/pretrain/checkpoint.h5 \
  -out plain/refine
same "the chain's weights are those without Slurm" plain/refine/checkpoint.h5 chain/refine/checkpoint.h5 "${trained[@]}"
same "seed 1 of the array, too" plain/refine/checkpoint.h5 seeds/seed-1/refine/checkpoint.h5 "${trained[@]}"
differs "seed 2 has others" plain/refine/checkpoint.h5 seeds/seed-2/refine/checkpoint.h5 /theta
check "samples and evaluation are there" test -s chain/samples/samples.h5 -a -s chain/evaluate/results.tsv

status=0
bash "$jobs/chain.sh" -out mistyped "$toy" -pretrain.epoch 3 >mistyped.log 2>&1 || status=$?
check "a mistyped option: no job" test "$status" = 2 -a ! -e mistyped -a "$(wc -l <mistyped.log)" = 1
check "and which is near" grep -q '^jobs/chain.sh: unknown option -epoch; the nearest known one is -epochs' mistyped.log
bash "$jobs/chain.sh" -h >help.log
check "-h is the head of the script" grep -q '^  -seeds  ' help.log

# a chain whose first job fails does not wait for ever
bash "$jobs/chain.sh" -out broken "$toy" -noise_std -1 >broken.log
mapfile -t ids < <(sed -n 's/^[a-z]* *job \([0-9]*\).*/\1/p' broken.log)
slurm_over 60 "${ids[@]}"
check "after a job that fails none runs: $(slurm_state "${ids[1]}")" test ! -e broken/pretrain/checkpoint.h5

# ---- one that is stopped ----

long=(refine -options_file_yaml "$toy/scratch.yaml" -flow_depth 3 -flow_hidden 32 -evaluation_latents 500 -evaluate_every 1000
  -epochs 400 -report_seconds 0 -checkpoint_every 500)
run 1 double "${long[@]}" -out whole
sbatch_run() { sbatch --parsable "${size[@]}" --output="$1.log" "${@:3}" "$jobs/run.sbatch" "${long[@]}" -out "$2"; }
steps() { (($(grep -c '^step ' "$1") > ${2:-2})); }

# the first rank leaves a second after the other, when Slurm ends the step because that one had a status: still 75
slow=$build/tests/libslow_exit.so
cat >late <<SCRIPT
#!/bin/bash
LD_PRELOAD=$slow exec $FATHOM_PROGRAM "\$@"
SCRIPT
chmod +x late
check "a rank can be made slow to leave" test -s "$slow"
job=$(FATHOM_PROGRAM=$work/late sbatch_run signal signal)
await 60 steps signal.log
scancel --batch --signal=USR1 "$job"
slurm_over 120 "$job"
check "a signal to the batch shell: $(slurm_state "$job")" test "$(slurm_state "$job")" = 'COMPLETED '
check "it was requeued once" test "$(slurm_restarts "$job")" = 1
check "with a word of the step and the seconds" \
  grep -Eq '^stopped by SIGUSR1 at step [0-9]+ of 6400 with a checkpoint, [0-9.]+ s after the signal' signal.log
check "and went on" grep -q "^resumed '.*signal/checkpoint.h5' at step [1-9]" signal.log
check "after the other rank had left" grep -q 'CANCELLED AT' signal.log
same "signal: the uninterrupted run's bytes" whole/checkpoint.h5 signal/checkpoint.h5 "${trained[@]}"

job=$(sbatch_run ranks ranks)
await 60 steps ranks.log
scancel --signal=USR1 "$job"
slurm_over 120 "$job"
check "a signal to the ranks: $(slurm_state "$job")" test "$(slurm_state "$job")" = 'COMPLETED '
same "ranks: the uninterrupted run's bytes" whole/checkpoint.h5 ranks/checkpoint.h5 "${trained[@]}"
check "the run knew when the job ends" grep -Eq '^this job has (59[0-9]|600) s left' ranks.log

# a node goes down: Slurm requeues, the run goes on from its last checkpoint
job=$(sbatch_run down down --exclude=)
await 60 steps down.log 700
scontrol update nodename=n2 state=down reason=test
sleep 2
scontrol update nodename=n2 state=resume 2>/dev/null || true # it may have come back by itself
slurm_over 180 "$job"
check "a node set down: $(slurm_state "$job")" test "$(slurm_state "$job")" = 'COMPLETED '
check "it was started again" test "$(slurm_restarts "$job")" -ge 1
same "node down: the uninterrupted run's bytes" whole/checkpoint.h5 down/checkpoint.h5 "${trained[@]}"

# ---- ten jobs of a fixed number of steps ----

before=
ids=()
for ((k = 0; k < 10; k++)); do
  before=$(sbatch --parsable "${size[@]}" --ntasks=$((1 + k % 2)) --nodes=1 --output="ten-$k.log" \
    ${before:+--dependency=afterok:$before} "$jobs/run.sbatch" "${long[@]}" -out ten -stop_after 640)
  ids+=("$before")
done
slurm_over 180 "${ids[@]}"
check "ten jobs: $(slurm_state "$before")" test "$(slurm_state "$before")" = 'COMPLETED '
same "ten chained jobs: the bytes of one long run" whole/checkpoint.h5 ten/checkpoint.h5 "${trained[@]}"
verdict
