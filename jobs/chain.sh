#!/usr/bin/env bash
# A whole case as a chain of Slurm jobs - simulate, pretrain, refine, sample, evaluate, report - each of which waits for the one before and
# goes on by itself where it is killed (jobs/run.sbatch). Prints the job ids.
#
#   bash jobs/chain.sh [-seeds LIST] [-out DIR] CASE [-option VALUE ...]          for instance: bash jobs/chain.sh -seeds 1-3 jobs/toy
#
#   CASE      a folder with pairs.yaml, pretrain.yaml and refine.yaml (jobs/toy, jobs/linear_gaussian, jobs/fwi); where it has them,
#             problem.yaml and network.yaml are for all of these, truth.yaml makes unknown models of which the first is to be found, and
#             informed.yaml asks which directions the data inform (fathom informed), and with first.yaml a first refinement is made whose
#             mean model the operator is linearised at for all that follows; evaluate.yaml adds to refine.yaml, and
#             sample.yaml says how many samples there are (1,000), and how they are moved
#   -out      for the results (out/NAME of the case); with -seeds in seed-N of it
#   -seeds    array jobs, one task a seed: 1-3 or 1,5,7
#   -option   for every command of the chain, such as -seed 7
#   -STEP.option   for one step of it alone: informed, truth, pairs, pretrain, first, mean, again, refine, sample, evaluate or report.
#             The case of jobs/fwi in a small version: bash jobs/chain.sh jobs/fwi -informed.informed_rank 250 -again.informed_rank 250 -pairs.pairs_count 1000 -pretrain.epochs 12
#
#   FATHOM_SBATCH   the line to set: options of sbatch for every job, such as
#                   "--account=A --partition=P --nodes=2 --ntasks-per-node=24 --time=4:00:00"
#   FATHOM_PROGRAM, FATHOM_RANKS_PER_SAMPLE, FATHOM_LAUNCH   as in jobs/run.sbatch
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
seeds='' out='' case='' words=()
steps='informed truth pairs pretrain first mean again refine sample evaluate report'
declare -A own=() # the words of -STEP.option, a line each
step=
# word WORD - an option or its value, for every step or for one
word() {
  if [[ $1 == -[a-z]* ]]; then
    step=
    if [[ $1 =~ ^-([a-z]+)\.(.+)$ ]]; then
      step=${BASH_REMATCH[1]}
      [[ " $steps " == *" $step "* ]] || { echo "jobs/chain.sh: $1: there is no step '$step', but $steps" >&2; exit 2; }
      own[$step]+=-${BASH_REMATCH[2]}$'\n'
      return
    fi
  fi
  if [[ -n $step ]]; then own[$step]+=$1$'\n'; else words+=("$1"); fi
}
while [[ $# -gt 0 ]]; do
  case $1 in
    -h | -help | --help) sed -n '2,/^set /s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit ;;
    -seeds | -out)
      [[ $# -ge 2 ]] || { echo "jobs/chain.sh: $1 needs a value" >&2; exit 2; }
      if [[ $1 == -seeds ]]; then seeds=$2; else out=$2; fi
      shift ;;
    -*) word "$1" ;;
    *) if [[ -z $case && ${#words[@]} == 0 && ${#own[@]} == 0 ]]; then case=$1; else word "$1"; fi ;;
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
# a mistyped option is told here, and not by the first of the jobs; %a of an array is some number
asked=("${words[@]}")
for step in "${!own[@]}"; do
  mapfile -t -O "${#asked[@]}" asked <<<"${own[$step]%$'\n'}"
done
wrong=$("$program" help "${asked[@]//%a/1}" 2>&1 >/dev/null | grep '^fathom: error') || true
if [[ -n $wrong ]]; then
  echo "jobs/chain.sh: ${wrong#fathom: error: }" >&2
  exit 2
fi
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

# submit STEP COMMAND OPTION... - after the job before; its id in $before
before=
submit() {
  local step=$1 command=$2 options=("${chosen[@]}" --parsable --job-name="$name.$1") mine=() id
  shift 2
  [[ -z ${own[$step]:-} ]] || mapfile -t mine <<<"${own[$step]%$'\n'}"
  if [[ -n $seeds ]]; then
    options+=(--array="$seeds" --output="$logs/$step-%a.log")
  else
    options+=(--output="$logs/$step.log")
  fi
  [[ -z $before ]] || options+=(--dependency="$depend:$before" --kill-on-invalid-dep=yes)
  id=$(sbatch "${options[@]}" "$here/run.sbatch" "$command" "$@" "${each[@]}" "${mine[@]}")
  before=${id%%;*}
  printf '%-10s job %s%s\n' "$step" "$before" "${seeds:+ (array $seeds)}"
}
# options_of NAME... - the files of the case that are there, as options
options_of() {
  local file
  for file in "$@"; do
    if [[ -f $case/$file.yaml ]]; then printf -- '-options_file_yaml\n%s\n' "$case/$file.yaml"; fi
  done
}
mapfile -t problem < <(options_of problem)
mapfile -t network < <(options_of network)
mapfile -t refining < <(options_of problem network refine)
mapfile -t evaluating < <(options_of problem network refine evaluate)
mapfile -t sampling < <(options_of sample)
[[ ${#sampling[@]} != 0 ]] || sampling=(-samples 1000)
moved=()
if grep -qs '^moves: *[1-9]' "$case/sample.yaml" && [[ " ${words[*]} ${own[sample]:-}" != *-moves* ]]; then
  moved=(-moved "$dir/samples/moves.h5")
fi
informed=() observed=() truth=()
if [[ -f $case/informed.yaml ]]; then
  submit informed informed "${problem[@]}" -options_file_yaml "$case/informed.yaml" -out "$dir/informed"
  informed=(-acoustic_informed "$dir/informed/informed.h5")
fi
if [[ -f $case/truth.yaml ]]; then
  submit truth simulate "${problem[@]}" -options_file_yaml "$case/truth.yaml" -out "$dir/truth"
  observed=(-observed "$dir/truth/pairs.h5:/y[0]")
  truth=(-truth_model "$dir/truth/pairs.h5:/model[0]")
fi
submit pairs simulate "${problem[@]}" -options_file_yaml "$case/pairs.yaml" "${informed[@]}" -out "$dir/pairs"
submit pretrain pretrain "${network[@]}" -options_file_yaml "$case/pretrain.yaml" -pairs "$dir/pairs/pairs.h5" -out "$dir/pretrain"
if [[ -f $case/first.yaml && -f $case/informed.yaml ]]; then
  submit first refine "${refining[@]}" -options_file_yaml "$case/first.yaml" "${informed[@]}" "${observed[@]}" \
    -warm_start "$dir/pretrain/checkpoint.h5" -out "$dir/first/refine"
  submit mean sample "${problem[@]}" "${informed[@]}" "${observed[@]}" -warm_start "$dir/first/refine/checkpoint.h5" -samples 200 -out "$dir/first/samples"
  problem+=(-acoustic_linearize_at "$dir/first/samples/maps.h5:/mean")
  submit again informed "${problem[@]}" -options_file_yaml "$case/informed.yaml" -out "$dir/informed-again"
  informed=(-acoustic_linearize_at "$dir/first/samples/maps.h5:/mean" -acoustic_informed "$dir/informed-again/informed.h5")
fi
submit refine refine "${refining[@]}" "${informed[@]}" "${observed[@]}" -warm_start "$dir/pretrain/checkpoint.h5" -out "$dir/refine"
submit sample sample "${problem[@]}" "${informed[@]}" "${observed[@]}" "${truth[@]}" "${sampling[@]}" -warm_start "$dir/refine/checkpoint.h5" \
  -out "$dir/samples"
submit evaluate evaluate "${evaluating[@]}" "${informed[@]}" "${observed[@]}" "${moved[@]}" -warm_start "$dir/refine/checkpoint.h5" -out "$dir/evaluate"
submit report report -report_simulate "$dir/pairs" -report_pretrain "$dir/pretrain" -report_refine "$dir/refine" -report_samples "$dir/samples" \
  -report_evaluate "$dir/evaluate" "${truth[@]}" -report_title "$name" -out "$dir/report"
printf 'results in %s, logs in %s/STEP%s.log; watch: squeue --me\n' "${dir/\%a/SEED}" "$logs" "${seeds:+-SEED}"
