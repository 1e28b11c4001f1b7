#!/usr/bin/env bash
# bench_flow of jobs/bench.sh, which sources this: training, sampling and memory of flows of images.
# shellcheck disable=SC2154  # fathom_root, fathom_build, python, flow_rounds are of who sources this

declare -A seen # NAME -> its values, one a round

# keep PREFIX FILE - remember all "result NAME VALUE UNIT" lines of a log as PREFIX_NAME
keep() {
  local name value
  while read -r name value; do seen[$1_$name]+=" $value"; done < <(awk '$1 == "result" { print $2, $3 }' "$2")
}

# median_of NAME
median_of() {
  # shellcheck disable=SC2086  # a list of numbers
  median ${seen[$1]}
}

# say_ratio NAME A B - the median over rounds of A over B, and how far the rounds lie apart
say_ratio() {
  local -a a b ratios=()
  local k
  read -ra a <<<"${seen[$2]:-}"
  read -ra b <<<"${seen[$3]:-}"
  ((${#a[@]} && ${#b[@]})) || return 0
  for ((k = 0; k < ${#a[@]} && k < ${#b[@]}; k++)); do ratios+=("$(ratio "${a[k]}" "${b[k]}")"); done
  printf 'result %s %s 1\n' "$1" "$(median "${ratios[@]}")"
  printf '  %d rounds from %s to %s\n' "${#ratios[@]}" "$(printf '%s\n' "${ratios[@]}" | sort -g | head -n 1)" \
    "$(printf '%s\n' "${ratios[@]}" | sort -g | tail -n 1)"
}

say() { # NAME UNIT AWK-EXPRESSION
  printf 'result %s %s %s\n' "$1" "$(awk "BEGIN { printf \"%.4g\", $3 }")" "$2"
}

logged() { # LOG COMMAND...
  local log=$1
  shift
  "$@" >"$log" 2>&1 || { cat "$log" >&2; return 1; }
}

ours() { logged "$work/ours.log" taskset -c "$core" "$program" "$@"; } # on one core

theirs() { # PYTHON THREADS FOLDER WHAT OPTIONS...
  local cores=$core threads=$2
  ((threads == 1)) || cores=0-$(($(nproc) - 1))
  OMP_NUM_THREADS=$threads MKL_NUM_THREADS=$threads logged "$work/theirs.log" taskset -c "$cores" "$1" \
    "$fathom_root/jobs/bench/flow_torch.py" "$3" "$4" -threads "$threads" "${@:5}"
}

# the network that both time: the losses of a few steps and generated images agree to 1e-4
flow_check_same() { # PYTHON
  theirs "$1" 1 "$work/64" same -steps 4
  awk 'FNR == NR { if ($1 == "result") ours[$2] = $3; next }
       $1 == "result" && $2 == "torch_sample_difference" { print "difference of generated images", $3; bad += !($3 < 1e-4) }
       $1 == "result" && sub(/^torch_/, "", $2) && $2 in ours {
         difference = ($3 - ours[$2]) / ours[$2]; if (difference < 0) difference = -difference
         print $2, "fathom", ours[$2], "PyTorch", $3; seen++; bad += !(difference < 1e-4) }
       END { exit bad || seen != 4 }' "$work/same.log" "$work/theirs.log" \
    || { fathom_say "PyTorch and fathom do not compute the same network: no ratio would mean anything" >&2; return 1; }
}

flow_ranks() { # RANKS
  ((two)) || return 0
  logged "$work/ours.log" mpirun -n "$1" --bind-to core "$program" ranks "$work/pairs64.h5" 4 7
  keep "ranks$1" "$work/ours.log"
}

first_core() {
  local list
  list=$(taskset -cp $$)
  list=${list##* }
  printf '%s' "${list%%[,-]*}"
}

# two runs of one rank at the same time that have nothing to do with each other: what the machine itself allows two ranks.
# Kept as the seconds a step of the two together, 1 / (1 / a + 1 / b).
flow_independent() {
  local other
  ((two)) || return 0
  taskset -c "$(first_core)" "$program" ranks "$work/pairs64.h5" 4 7 >"$work/other.log" 2>&1 &
  other=$!
  ours ranks "$work/pairs64.h5" 4 7
  wait "$other" || { cat "$work/other.log" >&2; return 1; }
  awk '$1 == "result" && $2 == "ranks_step_seconds" { rate += 1 / $3 } END { print "result seconds", 1 / rate, "s" }' \
    "$work/ours.log" "$work/other.log" >"$work/both.log"
  keep independent "$work/both.log"
}

flow_round() { # one round of the steps of SIDE, batch BATCH
  local side=$1 batch=$2 steps=$3 k
  ours step "$work/pairs$side.h5" "$batch" "$steps"
  keep "$side" "$work/ours.log"
  for k in "${!pythons[@]}"; do
    theirs "${pythons[k]}" 1 "$work/$side" step -steps "$steps"
    keep "$side:$k:1" "$work/theirs.log"
  done
  ((side == 64)) || return 0
  flow_ranks 1
  for k in "${!pythons[@]}"; do
    ((two)) || break
    theirs "${pythons[k]}" 2 "$work/64" step -steps "$steps"
    keep "64:$k:2" "$work/theirs.log"
  done
  flow_ranks 2
  flow_independent
}

flow_sampling_round() {
  local k
  ours sample "$work/pairs64.h5" 16 5
  keep sample "$work/ours.log"
  for k in "${!pythons[@]}"; do
    theirs "${pythons[k]}" 1 "$work/64" sample -steps 5
    keep "sample:$k" "$work/theirs.log"
  done
}

flow_say_steps() { # SIDE BATCH SUFFIX
  local mode k seconds gflop
  gflop=$(median_of "$1_step_gflop")
  say "flow_step_gflop_a_sample$3" GFLOP "$gflop / $2"
  for mode in store recompute bf16; do
    [[ -n ${seen[$1_step_${mode}_seconds]:-} ]] || { fathom_say "no $mode on this CPU"; continue; }
    seconds=$(median_of "$1_step_${mode}_seconds")
    for k in "${!pythons[@]}"; do
      say_ratio "flow_step_${mode}_vs_${names[k]}$3" "$1:${k}:1_torch_step_seconds" "$1_step_${mode}_seconds"
    done
    say "flow_step_${mode}_milliseconds_a_sample$3" ms "1000 * $seconds / $2"
    say "flow_step_${mode}_rate$3" GFLOP/s "$gflop / $seconds"
    say "flow_step_${mode}_rate_over_peak$3" 1 "$gflop / $seconds / $peak"
  done
  for k in "${!pythons[@]}"; do
    say "flow_step_${names[k]}_milliseconds_a_sample$3" ms "1000 * $(median_of "$1:${k}:1_torch_step_seconds") / $2"
  done
}

flow_say_ranks() {
  local k step
  ((two)) || { fathom_say "one core: two ranks are not compared with one"; return 0; }
  say_ratio flow_two_ranks ranks1_ranks_step_seconds ranks2_ranks_step_seconds
  say_ratio flow_two_independent ranks1_ranks_step_seconds independent_seconds
  say_ratio flow_two_ranks_of_limit independent_seconds ranks2_ranks_step_seconds
  for k in "${!pythons[@]}"; do
    say_ratio "flow_two_ranks_vs_${names[k]}_two_threads" "64:${k}:2_torch_step_seconds" ranks2_ranks_step_seconds
    say "flow_step_${names[k]}_two_threads_milliseconds_a_sample" ms "250 * $(median_of "64:${k}:2_torch_step_seconds")"
  done
  step=$(median_of ranks2_ranks_step_seconds)
  say flow_two_ranks_milliseconds_a_sample ms "250 * $step"
  say flow_reduction_share 1 "$(median_of ranks2_ranks_reduction_seconds) / $step"
  awk "BEGIN { exit !($(median_of ranks2_ranks_reduction_seconds) > .02 * $step) }" \
    && fathom_say "the reduction costs more than 2 % of a step"
  say flow_read_share 1 "$(median_of ranks1_ranks_read_seconds) / $(median_of ranks1_ranks_step_seconds)"
  awk "BEGIN { exit !($(median_of ranks1_ranks_read_seconds) > .02 * $(median_of ranks1_ranks_step_seconds)) }" \
    && fathom_say "reading costs more than 2 % of a step"
  return 0
}

flow_say_sampling() {
  local k
  say flow_sampling_images_a_second 1/s "16 / $(median_of sample_sample_seconds)"
  for k in "${!pythons[@]}"; do
    say_ratio "flow_sampling_vs_${names[k]}" "sample:${k}_torch_sample_seconds" sample_sample_seconds
  done
}

# every run is a process of its own; images as of 4x64x64
flow_memory() {
  local memory depth rest first
  for memory in recompute store; do
    for depth in 4 8 16 32 64; do
      ours memory "$work/pairs128.h5" 4 2 "$depth" "$memory"
      rest=$(field memory_rest <"$work/ours.log")
      say "flow_memory_${memory}_depth_$depth" MiB "$rest"
      printf '  and %s MiB for the parameters\n' "$(field memory_parameters <"$work/ours.log")"
      ((depth == 4)) && first=$rest
    done
    [[ $memory == recompute ]] && say flow_memory_depth_64_over_4 1 "$rest / $first"
    [[ $memory == store ]] && say flow_memory_store_depth_64_over_4 1 "$rest / $first"
  done
  return 0
}

flow_setup() {
  fathom_say "building bench_flow"
  cmake --build "$fathom_build" -j "$(nproc)" --target bench_flow >"$fathom_build/bench.log" 2>&1 \
    || { cat "$fathom_build/bench.log" >&2; return 1; }
  mkdir "$work/64" "$work/256"
  ours pairs "$work/pairs64.h5" 64 256
  ours pairs "$work/pairs128.h5" 128 4
  ours pairs "$work/pairs256.h5" 256 4
  ours same "$work/pairs256.h5" 1 1 "$work/256"
  ours same "$work/pairs64.h5" 4 4 "$work/64"
  cp "$work/ours.log" "$work/same.log"
}

bench_flow() { # [--torch PYTHON]
  local work core two program=$fathom_build/bench_flow peak k pythons=() names=()
  work=$(mktemp -d)
  # shellcheck disable=SC2064  # the folder of now
  trap "rm -rf '$work'" EXIT
  core=$(last_core)
  two=$(($(nproc) > 1))
  if "$python" -c 'import torch' 2>/dev/null; then
    pythons+=("$python") names+=(torch)
  else
    fathom_say "PyTorch is not installed (Debian: apt-get install python3-torch): timing fathom alone"
  fi
  [[ -z ${other_python:-} ]] || { pythons+=("$other_python"); names+=(other_torch); }
  flow_setup
  say_machine "$core"
  for k in "${!pythons[@]}"; do
    flow_check_same "${pythons[k]}"
    printf '%s is PyTorch %s\n' "${names[k]}" "$(field torch_version <"$work/theirs.log")"
  done
  ours peak
  peak=$(field machine_multiply_add_peak <"$work/ours.log")
  cat "$work/ours.log"
  for ((k = 0; k < flow_rounds; k++)); do flow_round 64 4 5; done
  flow_say_steps 64 4 ""
  flow_say_ranks
  ours convolutions "$work/pairs64.h5" 4
  cat "$work/ours.log"
  for ((k = 0; k < flow_rounds; k++)); do flow_sampling_round; done
  flow_say_sampling
  for ((k = 0; k < (flow_rounds + 1) / 2; k++)); do flow_round 256 1 2; done
  flow_say_steps 256 1 _128
  flow_memory
  say_machine "$core"
}
