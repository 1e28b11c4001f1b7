#!/usr/bin/env bash
# A run that is asked to stop leaves a checkpoint and exits with 75: signals to one rank, to all, through mpirun; a time limit; in
# a step and in an evaluation. What goes on with -resume ends with the bytes of a run that was never stopped. Older checkpoints
# are kept, damaged ones are skipped, and one of another run is not lost.
# shellcheck source=tests/journey.inc
source "$(dirname "${BASH_SOURCE[0]}")/journey.inc"

refine=(refine -options_file_yaml "$toy/scratch.yaml" -flow_depth 3 -flow_hidden 32 -evaluate_every 400 -evaluation_latents 500
  -epochs 125 -checkpoint_every 100)
run 1 double "${refine[@]}" -out whole

# slow RANKS DIR OPTION... - in the background, each micro-batch a little late, so that there is time to stop it; its job in $job
cat >rank.sh <<'RANK'
echo $$ >"$1/pid.${OMPI_COMM_WORLD_RANK:-0}"
shift
exec "$@"
RANK
begin() {
  local ranks=$1 dir=$2
  shift 2
  mkdir -p "$dir"
  rm -f "$dir"/pid.* "$dir.log"
  mpirun -q -n "$ranks" --oversubscribe bash rank.sh "$dir" "$build/fathom-double" "${refine[@]}" -report_seconds 0 -out "$dir" "$@" \
    </dev/null >"$dir.log" 2>&1 &
  job=$!
}
# ended DIR STATUS SENTENCE - the job ends with it, within 10 s
ended() {
  local status=0 since=$SECONDS
  wait "$job" || status=$?
  check "$1: exit status $status, wanted $2" test "$status" = "$2"
  check "$1: within 10 s" test $((SECONDS - since)) -le 10
  check "$1: says '$3'" grep -Eq "$3" "$1.log"
}
go_on() { # RANKS DIR
  run "$1" double "${refine[@]}" -resume -out "$2"
  check "$2: resumed at a step above 0" grep -q "^resumed '.*' at step [1-9]" "$2.log"
  same "$2: theta, moments and history of the uninterrupted run" whole/checkpoint.h5 "$2/checkpoint.h5" "${trained[@]}"
}

# ---- signals ----

stopped='^stopped by (SIG[A-Z0-9]*|another rank.s wish) at step [0-9]+ of 2000 with a checkpoint.*: continue with -resume'
one_rank() { # SIGNAL RANK
  local dir=one-$1
  begin 3 "$dir" -epochs 125
  await 60 grep -q '^step [1-9]' "$dir.log"
  kill "-$1" "$(cat "$dir/pid.$2")"
  ended "$dir" 75 "$stopped"
  go_on 2 "$dir"
}
one_rank USR1 2
one_rank TERM 0
through_mpirun() {
  begin 2 through
  await 60 grep -q '^step [1-9]' through.log
  kill -USR1 "$job"
  ended through 75 'stopped by SIGUSR1 at step [0-9]+ of 2000 with a checkpoint, [0-9.]+ s after the signal'
  go_on 4 through
}
through_mpirun

# in a long evaluation: it is left, and made by the job that goes on
begin 2 evaluating -evaluation_latents 3000000
await 60 grep -q '^evaluating' evaluating.log
kill -USR1 "$job"
ended evaluating 75 'stopped by SIGUSR1 at step 0 of 2000'
check "the evaluation that was left is not in the history" bash -c \
  "! h5dump -n evaluating/checkpoint.h5 | grep -q '/history/kl$'"
run 2 double "${refine[@]}" -resume -out evaluating
same "evaluating: theta, moments and history of the uninterrupted run" whole/checkpoint.h5 evaluating/checkpoint.h5 "${trained[@]}"

# a second signal leaves at once, and what was saved before is still good
begin 1 twice -evaluation_latents 3000000 -ranks_per_sample 1
await 60 grep -q '^evaluating' twice.log
kill -STOP "$(cat twice/pid.0)"
kill -TERM "$(cat twice/pid.0)"
kill -INT "$(cat twice/pid.0)"
kill -CONT "$(cat twice/pid.0)"
status=0
wait "$job" || status=$?
check "a second signal: status $status, at once" test "$status" != 0 -a "$status" != 75

# ---- the time limit ----

status=0
launch 2 double "${refine[@]}" -epochs 100000 -time_limit 00:00:06 -out limit </dev/null >limit.log 2>&1 || status=$?
check "-time_limit: exit status $status" test "$status" = 75
check "-time_limit: it says so" grep -q '^stopped by the time limit at step' limit.log
status=0
FATHOM_END_TIME=$(($(date +%s) + 5)) launch 1 double "${refine[@]}" -epochs 100000 -resume -out limit </dev/null >limit.log 2>&1 \
  || status=$?
check "Slurm's own end: exit status $status" test "$status" = 75
# no time but what is set apart for leaving, however fast the machine: the third job says so
statuses=''
for k in 1 2 3; do
  status=0 since=$SECONDS
  launch 2 double "${refine[@]}" -resume -evaluation_latents 3000000 -time_limit 2 -out stalled </dev/null >stalled.log 2>&1 || status=$?
  statuses+=" $status"
  figure "a time limit in an evaluation, on 2 ranks [s]" $((SECONDS - since)) 0 12
done
check "no progress in three jobs: statuses$statuses" test "$statuses" = ' 75 75 1'
check "it says so" grep -q '^fathom: error: 3 jobs in a row ended (the time limit) at step 0 before' stalled.log
refused "a time that is none" "time_limit takes seconds or .*not '5 minutes'" 1 double "${refine[@]}" -time_limit '5 minutes' -out bad
status=0
launch 2 double reference -options_file_yaml "$toy/refine.yaml" -iterations 1000000 -time_limit 5 -out chains </dev/null \
  >chains.log 2>&1 || status=$?
check "reference -time_limit: exit status $status" test "$status" = 75
check "reference: it says so" grep -q '^stopped by the time limit at iteration [1-9][0-9]* of' chains.log

# ---- checkpoints that are kept, skipped, replaced ----

run 1 double "${refine[@]}" -stop_after 550 -checkpoint_keep 4 -out kept
step_of() { "$build/fathom-double" inspect "$1" | awk '$1 == "step" && $2 == "=" {print $3}'; }
steps=''
for k in '' .previous .previous2 .previous3; do steps+=" $(step_of "kept/checkpoint$k.h5")"; done
check "the newest four are kept:$steps" test "$steps" = ' 550 500 400 300'
check "and no more" test ! -e kept/checkpoint.previous4.h5
check "the best by its objective, too" test -e kept/checkpoint.best.h5
printf 'x' | dd of=kept/checkpoint.h5 bs=1 seek=30000 conv=notrunc status=none
truncate -s 9000 kept/checkpoint.previous.h5
go_on 2 kept
check "and leaves the row of those that are kept" test -e kept/checkpoint.damaged.h5 -a -e kept/checkpoint.previous.damaged.h5
check "what is damaged is skipped with a word each" test "$(grep -c '^warning: skipped: ' kept.log)" = 2
check "and the one before is taken" grep -q "resumed 'kept/checkpoint.previous2.h5' at step 400" kept.log

run 1 double "${refine[@]}" -stop_after 10 -out kept
check "a fresh run says what it replaces" grep -q "is of an earlier run, which -resume would continue" kept.log
check "and keeps it: step 2000" test "$(step_of kept/checkpoint.replaced.h5)" = 2000
check "but nothing that -resume might take" test ! -e kept/checkpoint.previous.h5
status=0
launch 1 double "${refine[@]}" -checkpoint_minutes 0.001 -checkpoint_every 100000 -stop_after 1000 -out minutes </dev/null \
  >minutes.log 2>&1 || status=$?
check "by minutes: there is one before the last" test "$(step_of minutes/checkpoint.previous.h5)" -gt 0

verdict
