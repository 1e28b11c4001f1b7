#!/usr/bin/env bash
# Timings against other programs, on the same core in the same run. Sets up and builds like the other scripts.
#
#   bash jobs/bench.sh toy | acoustic | flow [--torch PYTHON] | checkpoint [FOLDER]
#
# toy: seconds a training step (forward KL, batch 64, depth 8, hidden 64, float, Adam, micro-batches of 16, exact sum) of
# experiment A1, against the same network in PyTorch (bench/toy_torch.py), where PyTorch is installed. Both are pinned to one
# core with one thread and run in turn, three times; the median of the three is taken of each. toy_step_vs_torch compares with
# the network written layer by layer, toy_step_vs_torch_fastest with the quickest of five variants of it.
# On a machine that does other work the ratio flatters the shorter step: look at the load that is printed.
#
# acoustic: the wave equation of operators/wave2d.h in float, 200x200 nodes and 20 absorbing cells a side, 1000 steps, 4 shots,
# 200 receivers, 8th order in space and 2nd in time, on one core (bench/acoustic.c, bench/task.c). Mpoint/s counts all 240x240
# points; a gradient is a forward that keeps its tape and an adjoint. Then the whole operator "acoustic", its transforms and
# vectors included; then two ranks over one, in the same rounds: shots split, and the domain split at 400x400. Beside it the
# core's own peak of float multiply-adds and its memory bandwidth (a = b + f c), which say how far the machine is off.
# Medians of several rounds, the least and the most below each.
#
# flow: a training step (forward KL, both lanes, exact sum and Adam) of a flow of images: depth 12, hidden 64, three
# reflections, 4x32x32 in batches of 4 and (_128) 4x128x128 in batches of 1, with activations stored, recomputed, and stored
# with bf16 conditioners; against the same network in PyTorch (bench/flow_torch.py), whose losses and images must first agree,
# on one core, and on two: two ranks over one (flow_two_ranks). Then generating images at one y, the convolutions' share of a
# step, those of reading and of the exact reduction, and the memory that a step takes beyond its parameters' at 4x64x64
# against depth. _vs_ is the other's time over ours. --torch PYTHON: beside Debian's PyTorch that of another python
# (_vs_other_torch). FATHOM_BENCH_ROUNDS: rounds (5).
#
# checkpoint: a checkpoint of 100 MB as training writes it (bench/checkpoint.c), against dd of as many bytes with conv=fsync into the
# same FOLDER (a temporary one) in the same rounds: how long training stands still, and dd's seconds over the writing thread's.
set -euo pipefail
# shellcheck source=jobs/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

# shellcheck source=jobs/bench/flow.sh
source "$fathom_root/jobs/bench/flow.sh"

python=/usr/bin/python3
rounds=3
flow_rounds=${FATHOM_BENCH_ROUNDS:-5}

# field NAME - the value of a "result NAME VALUE UNIT" line on standard input
field() { awk -v name="$1" '$1 == "result" && $2 == name { print $3; found = 1 } END { exit !found }'; }

median() { printf '%s\n' "$@" | sort -g | sed -n "$((($# + 1) / 2))p"; }

ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }

# the last core that this process may use
last_core() {
  local list
  list=$(taskset -cp $$)
  printf '%s' "${list##*[ ,-]}"
}

fathom_step() { # WORK ROUND
  taskset -c "$core" "$fathom_build/fathom" pretrain -pairs "$1/pairs/pairs.h5" -flow_depth 8 -flow_hidden 64 \
    -batch_size 64 -micro_batch 16 -epochs 8 -seed 1 -out "$1/pretrain$2" >"$1/fathom.log" 2>&1 \
    || { cat "$1/fathom.log" >&2; return 1; }
  field step_seconds <"$1/fathom.log"
}

torch_step() { # WORK
  OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 taskset -c "$core" "$python" "$fathom_root/jobs/bench/toy_torch.py" \
    >"$1/torch.log" 2>&1 || { cat "$1/torch.log" >&2; return 1; }
  field torch_step_seconds <"$1/torch.log"
}

bench_toy() {
  local work torch=yes round value ours=() theirs=() layers=() step torch_value layers_value
  work=$(mktemp -d)
  # shellcheck disable=SC2064  # the folder of now
  trap "rm -rf '$work'" EXIT
  core=$(last_core)
  if ! "$python" -c 'import torch' 2>/dev/null; then
    torch=no
    fathom_say "PyTorch is not installed (Debian: apt-get install python3-torch): timing fathom alone"
  fi
  "$fathom_build/fathom" simulate -prior rosenbrock -operator dense -dense_matrix 1,0,0,1 -noise_std 0.4 \
    -pairs_count 5000 -seed 1 -out "$work/pairs" >"$work/simulate.log" 2>&1 \
    || { cat "$work/simulate.log" >&2; return 1; }
  for ((round = 1; round <= rounds; round++)); do
    value=$(fathom_step "$work" "$round")
    ours+=("$value")
    printf 'round %d: fathom %s s' "$round" "$value"
    if [[ $torch == yes ]]; then
      value=$(torch_step "$work")
      theirs+=("$value")
      layers+=("$(field torch_layers_step_seconds <"$work/torch.log")")
      printf ', PyTorch %s s (%s)' "$value" "$(awk '/^result torch_(layers|eager|script)/ {
        sub(/^torch_/, "", $2); sub(/_?step_seconds/, "", $2); printf "%s%s %s", comma, $2, $3; comma = ", " }' "$work/torch.log")"
    fi
    printf '\n'
  done
  step=$(median "${ours[@]}")
  say_machine "$core"
  printf 'result toy_step_seconds %s s\n' "$step"
  [[ $torch == yes ]] || return 0
  printf 'PyTorch %s, one thread\n' "$(field torch_version <"$work/torch.log")"
  layers_value=$(median "${layers[@]}")
  printf 'result toy_step_torch_seconds %s s\n' "$layers_value"
  printf 'result toy_step_vs_torch %s 1\n' "$(ratio "$layers_value" "$step")"
  torch_value=$(median "${theirs[@]}")
  printf 'result toy_step_torch_fastest_seconds %s s\n' "$torch_value"
  printf 'result toy_step_vs_torch_fastest %s 1\n' "$(ratio "$torch_value" "$step")"
}

# where and when, for who reads the numbers
say_machine() { # CORE
  printf 'processor: %s, %s cores, core %s\n' "$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1)" "$(nproc)" "$1"
  printf 'load of the machine (1, 5, 15 minutes): %s\n' "$(cut -d ' ' -f 1-3 /proc/loadavg)"
}

bench_acoustic() {
  local core mode program=$fathom_build/bench_acoustic
  fathom_say "building bench_acoustic"
  cmake --build "$fathom_build" -j "$(nproc)" --target bench_acoustic >"$fathom_build/bench.log" 2>&1 \
    || { cat "$fathom_build/bench.log" >&2; return 1; }
  core=$(last_core)
  say_machine "$core"
  for mode in machine core off_grid operator; do
    taskset -c "$core" "$program" "$mode"
  done
  if (($(nproc) < 2)); then
    fathom_say "one core: two ranks are not compared with one"
    return 0
  fi
  for mode in shots domain; do
    mpirun -n 2 --bind-to core "$program" "$mode"
  done
  say_machine "$core"
}

bench_checkpoint() { # [FOLDER]
  local work
  work=$(mktemp -d ${1:+-p "$1"})
  # shellcheck disable=SC2064  # the folder of now
  trap "rm -rf '$work'" EXIT
  fathom_say "building bench_checkpoint"
  cmake --build "$fathom_build" -j "$(nproc)" --target bench_checkpoint >"$fathom_build/bench.log" 2>&1 \
    || { cat "$fathom_build/bench.log" >&2; return 1; }
  say_machine "$(last_core)"
  df -h "$work" | tail -n 1
  "$fathom_build/bench_checkpoint" "$work"
}

case ${1:-} in
  checkpoint)
    fathom_setup
    bench_checkpoint "${2:-}" ;;
  toy)
    fathom_setup
    bench_toy ;;
  acoustic)
    fathom_setup
    bench_acoustic ;;
  flow)
    if [[ ${2:-} == --torch && -n ${3:-} ]]; then
      other_python=$3
      "$other_python" -c 'import torch' || { printf '%s cannot import torch\n' "$3" >&2; exit 2; }
    fi
    fathom_setup
    bench_flow ;;
  *)
    printf 'usage: bash jobs/bench.sh toy | acoustic | flow [--torch PYTHON] | checkpoint [FOLDER]\n' >&2
    exit 2 ;;
esac
