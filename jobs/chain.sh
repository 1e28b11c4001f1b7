#!/usr/bin/env bash
# A whole case as a chain of Slurm jobs - simulate, pretrain, refine, sample, evaluate - each of which waits for the one before and goes
# on by itself where it is killed (jobs/run.sbatch). Prints the job ids.
#
#   bash jobs/chain.sh [-seeds LIST] [-out DIR] CASE [-option VALUE ...]          for instance: bash jobs/chain.sh -seeds 1-3 jobs/toy
#
#   CASE      a folder with pairs.yaml, pretrain.yaml and refine.yaml (jobs/toy, jobs/linear_gaussian)
#   -out      for the results (out/NAME of the case); with -seeds in seed-N of it
#   -seeds    array jobs, one task a seed: 1-3 or 1,5,7
#   -option   for every command of the chain, such as -seed 7
#
#   FATHOM_SBATCH   the line to set: options of sbatch for every job, such as
#                   "--account=A --partition=P --nodes=2 --ntasks-per-node=24 --time=4:00:00"
#   FATHOM_PROGRAM, FATHOM_RANKS_PER_SAMPLE, FATHOM_LAUNCH   as in jobs/run.sbatch
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
seeds='' out='' case='' words=()
while [[ $# -gt 0 ]]; do
  case $1 in
    -seeds | -out)
      [[ $# -ge 2 ]] || { echo "jobs/chain.sh: $1 needs a value" >&2; exit 2; }
      if [[ $1 == -seeds ]]; then seeds=$2; else out=$2; fi
      shift ;;
    -*) words+=("$1") ;;
    *) if [[ -z $case && ${#words[@]} == 0 ]]; then case=$1; else words+=("$1"); fi ;;
  esac
  shift
done
program=${FATHOM_PROGRAM:-$(command -v fathom || printf '%s' build/fathom)}
[[ -x $(command -v "$program") ]] \
  || { echo "jobs/chain.sh: no program '$program': build it (bash jobs/setup.sh), put it into PATH or set FATHOM_PROGRAM" >&2; exit 1; }
command -v sbatch >/dev/null || { echo "jobs/chain.sh: no sbatch here: this is for a cluster with Slurm" >&2; exit 1; }
for file in pairs pretrain refine; do
  [[ -f $case/$file.yaml ]] || { echo "jobs/chain.sh: no '$case/$file.yaml': name a folder with pairs.yaml, pretrain.yaml, refine.yaml" >&2; exit 2; }
done
case=$(cd "$case" && pwd)
name=$(basename "$case")
out=${out:-out/$name}
mkdir -p "$out"
out=$(cd "$out" && pwd)
each=(-seed 1) depend=afterok logs=$out dir=$out
if [[ -n $seeds ]]; then
  each=(-seed %a) depend=aftercorr dir=$out/seed-%a
fi
each+=("${words[@]}")
read -ra chosen <<<"${FATHOM_SBATCH:-}"

# submit COMMAND OPTION... - after the job before; its id in $before
before=
submit() {
  local command=$1 options=("${chosen[@]}" --parsable --job-name="$name.$1") id
  shift
  if [[ -n $seeds ]]; then
    options+=(--array="$seeds" --output="$logs/$command-%a.log")
  else
    options+=(--output="$logs/$command.log")
  fi
  [[ -z $before ]] || options+=(--dependency="$depend:$before" --kill-on-invalid-dep=yes)
  id=$(sbatch "${options[@]}" "$here/run.sbatch" "$command" "$@" "${each[@]}")
  before=${id%%;*}
  printf '%-10s job %s%s\n' "$command" "$before" "${seeds:+ (array $seeds)}"
}
submit simulate -options_file_yaml "$case/pairs.yaml" -out "$dir/pairs"
submit pretrain -options_file_yaml "$case/pretrain.yaml" -pairs "$dir/pairs/pairs.h5" -out "$dir/pretrain"
submit refine -options_file_yaml "$case/refine.yaml" -warm_start "$dir/pretrain/checkpoint.h5" -out "$dir/refine"
submit sample -warm_start "$dir/refine/checkpoint.h5" -samples 1000 -out "$dir/samples"
submit evaluate -options_file_yaml "$case/refine.yaml" -warm_start "$dir/refine/checkpoint.h5" -out "$dir/evaluate"
printf 'results in %s, logs in %s/COMMAND%s.log; watch: squeue --me\n' "$dir" "$logs" "${seeds:+-SEED}"
