#!/usr/bin/env bash
# A run that was stopped or killed and goes on with -resume, on other numbers of ranks, ends with the bytes of one that never was:
# pretraining with validation, refinement with KL evaluations, fixed latents. One writer at a time in an output folder.
# shellcheck source=tests/journey.inc
source "$(dirname "${BASH_SOURCE[0]}")/journey.inc"
RANDOM=${FATHOM_JOURNEY_SEED:-$(date +%N | sed 's/^0*//')}
seed=$RANDOM
RANDOM=$seed
printf 'moments of the kills: FATHOM_JOURNEY_SEED gave %s\n' "$seed"

flow=(-flow_depth 3 -flow_hidden 32)
run 2 double simulate -options_file_yaml "$toy/pairs.yaml" -pairs_count 2000 -out pairs
pretrain=(pretrain -options_file_yaml "$toy/pretrain.yaml" -pairs pairs/pairs.h5 "${flow[@]}" -epochs 12
  -validation_fraction 0.2)
problem=(-options_file_yaml "$toy/refine.yaml" "${flow[@]}" -evaluate_every 20 -evaluation_latents 500)
refine=(refine "${problem[@]}" -epochs 19)
scratch=(refine "${problem[@]}" -epochs 19)
fixed=(refine "${problem[@]}" -latents 300 -estimator total -epochs 61)

# ---- uninterrupted ----

run 1 double "${pretrain[@]}" -resume -out whole/pretrain
check "-resume without a checkpoint starts fresh and says so" \
  grep -q '^-resume: no checkpoint .*: starting fresh' whole/pretrain.log
refine+=(-warm_start whole/pretrain/checkpoint.h5)
fixed+=(-warm_start whole/pretrain/checkpoint.h5)
run 1 double "${refine[@]}" -out whole/refine
run 1 double "${scratch[@]}" -out whole/scratch
run 1 double "${fixed[@]}" -out whole/fixed
differs "fixed latents are another run than fresh ones" whole/fixed/checkpoint.h5 whole/refine/checkpoint.h5 /theta

# ledger DIR NAME - a count of DIR/checkpoint.h5
ledger() { "$build/fathom-double" inspect "$1/checkpoint.h5" | awk -v name="$2" '$1 == name && $2 == "=" {print $3}'; }

# compare NAME DIR - the end of DIR against the uninterrupted run
compare() {
  local name=$1 dir=$2 groups=("${trained[@]}") useful spent
  [[ $name == pretrain ]] && groups+=(/theta_best)
  same "$dir: theta, moments and history of the uninterrupted run" "whole/$name/checkpoint.h5" "$dir/checkpoint.h5" "${groups[@]}"
  check "$dir: the previous checkpoint is kept and reads" "$build/fathom-double" inspect "$dir/checkpoint.previous.h5"
  [[ $name == pretrain ]] && return
  useful=$(ledger "$dir" useful_F)
  spent=$(ledger "$dir" spent_F)
  figure "$dir: useful F, those of the uninterrupted run" "$useful" "$(ledger "whole/$name" useful_F)" "$(ledger "whole/$name" useful_F)"
  figure "$dir: useful J^T" "$(ledger "$dir" useful_JT)" "$(ledger "whole/$name" useful_JT)" "$(ledger "whole/$name" useful_JT)"
  figure "$dir: spent F, not less" "$spent" "$useful" 1e9
}

# ---- a kill while the last evaluation runs ----

# the steps are in the checkpoint before it, and the end is that of a run that was not killed
late=(refine "${problem[@]}" -epochs 1 -steps_per_epoch 100 -evaluate_every 0 -evaluation_latents 1000000 -checkpoint_every 40)
run 1 double "${late[@]}" -out whole/late
"$build/fathom-double" "${late[@]}" -out late </dev/null >late.first 2>&1 &
job=$!
at_the_end() { [[ $("$build/fathom-double" inspect late/checkpoint.h5 | awk '$1 == "step" && $2 == "=" {print $3}') == 100 ]]; }
await 60 at_the_end
kill -KILL "$job" 2>/dev/null || true
wait "$job" 2>/dev/null || true
check "killed in the last evaluation: the steps are saved, the evaluation is not" \
  test "$(series late/checkpoint.h5 /history/evaluation_step)" = 0
check "the first evaluation was announced" grep -q '^evaluating: 1000000 latents x 1 part = 1000000 solves' late.first
run 2 double "${late[@]}" -resume -out late
compare late late
check "resumed from scratch: no word of random weights" bash -c "! grep -q 'from scratch' late.log"
series whole/late/checkpoint.previous.h5 /history/objective >late.previous
check "the previous checkpoint is of an earlier step" test "$(wc -l <late.previous)" = 80
rate=$(sed -n 's#^step 100/100 .* \([0-9.]*\) steps/s.*#\1#p' whole/late.log)
figure "steps/s x seconds a step: no evaluation in it" \
  "$(awk -v r="$rate" -v s="$(value whole/late step_seconds)" 'BEGIN {print r * s}')" 0.009 5

# ---- one writer at a time ----

# a rank that leaves its process id in a folder: it is killed by that
cat >rank.sh <<'RANK'
echo $$ >"$1/pid.${OMPI_COMM_WORLD_RANK:-0}"
shift
exec "$@"
RANK

one_writer() {
  local job pid begin status=0 waited third
  mkdir -p busy
  timeout -s KILL 120 bash rank.sh busy "$build/fathom-double" "${scratch[@]}" -epochs 100000 -out busy </dev/null >busy.log 2>&1 &
  job=$!
  await 60 grep -q '^step ' busy.log
  pid=$(cat busy/pid.0)
  begin=$SECONDS
  launch 2 double "${scratch[@]}" -out busy </dev/null >second.log 2>&1 || status=$?
  waited=$((SECONDS - begin))
  check "a second run on the folder refuses" test "$status" != 0
  figure "it waits for 10 s [s]" "$waited" 9 20
  check "it names host and pid" grep -q "^fathom: error: output folder 'busy' is in use by pid $pid on host $HOSTNAME" second.log
  check "the first one goes on" kill -0 "$pid"
  launch 2 double "${scratch[@]}" -epochs 1 -out busy </dev/null >third.log 2>&1 &
  third=$!
  await 60 grep -q '^waiting for pid' third.log
  kill -KILL "$pid"
  wait "$job" 2>/dev/null || true
  check "where the first one dies while another waits, that one runs" wait "$third"
}
one_writer & # mostly waiting
writer=$!

# ---- (a) -stop_after ----

stop_and_go() { # NAME COMMAND...
  local name=$1 dir=stopped/$1
  shift
  run 3 double "$@" -stop_after 67 -out "$dir"
  check "$dir: it says how to go on" grep -q 'stopped at step 67 of .*: continue with -resume' "$dir.log"
  run 1 double "$@" -resume -stop_after 40 -out "$dir"
  check "$dir: it says where it went on" grep -q "^resumed '$dir/checkpoint.h5' at step 67" "$dir.log"
  run 2 double "$@" -resume -out "$dir"
  compare "$name" "$dir"
}
stop_and_go pretrain "${pretrain[@]}"
stop_and_go refine "${refine[@]}"
stop_and_go scratch "${scratch[@]}"
stop_and_go fixed "${fixed[@]}"
figure "stopped twice, nothing repeated: spent F" "$(ledger stopped/refine spent_F)" "$(ledger whole/refine useful_F)" \
  "$(ledger whole/refine useful_F)"
run 1 double "${refine[@]}" -resume -out stopped/refine
compare refine stopped/refine

# ---- (b) SIGKILL ----

# got_on JOB FILE BEFORE - the file is a new one, or the job is gone
got_on() { [[ $(stat -c %Y%i "$2" 2>/dev/null || true) != "$3" ]] || ! kill -0 "$1" 2>/dev/null; }
# attempt RANKS VICTIMS DIR COMMAND... - start it, kill the victims (all, or one rank) at some moment after it got somewhere;
# 0 where it ended by itself before
attempt() {
  local ranks=$1 victims=$2 dir=$3 job status=0 before pids
  shift 3
  mkdir -p "$dir"
  rm -f "$dir"/pid.*
  before=$(stat -c %Y%i "$dir/checkpoint.h5" 2>/dev/null || true)
  mpirun -q -n "$ranks" --oversubscribe bash rank.sh "$dir" "$build/fathom-double" "$@" -resume -checkpoint_every 3 -out "$dir" \
    </dev/null >>"$dir.log" 2>&1 &
  job=$!
  await 30 got_on "$job" "$dir/checkpoint.h5" "$before" || true
  sleep "0.$(printf '%03d' $((RANDOM % 250)))"
  mapfile -t pids < <(cat "$dir"/pid.*)
  [[ $victims == all ]] || pids=("$(cat "$dir/pid.$((ranks - 1))")")
  kill -KILL "${pids[@]}" 2>/dev/null || true
  local begin=$SECONDS
  wait "$job" || status=$?
  ((SECONDS - begin <= 10)) || bad "$dir: a run with a dead rank ends within 10 s"
  return "$status"
}

kill_and_go() { # NAME COMMAND...
  local name=$1 dir=killed/$1 victims kills=0 ranks=3
  shift
  for victims in all one; do
    if attempt "$ranks" "$victims" "$dir" "$@"; then break; fi
    kills=$((kills + 1))
    ranks=$((1 + RANDOM % 4))
    [[ $victims == all ]] || ranks=$((2 + RANDOM % 3))
  done
  printf '%s was killed %s times\n' "$name" "$kills"
  ((kills >= 1)) || bad "$dir: killed at least once"
  run "$ranks" double "$@" -resume -out "$dir"
  compare "$name" "$dir"
  check "$dir: it went on at a step above 0" grep -q "^resumed '.*' at step [1-9]" "$dir.log"
}
kill_and_go pretrain "${pretrain[@]}"
kill_and_go refine "${refine[@]}"
kill_and_go fixed "${fixed[@]}"

wait "$writer"
verdict
