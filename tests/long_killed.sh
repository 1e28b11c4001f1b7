#!/usr/bin/env bash
# What may happen to a job, many times at random moments: a rank or all of them killed, a bit of the newest checkpoint flipped, the
# file cut off, the disk full. FATHOM_KILLS, FATHOM_FLIPS, FATHOM_CUTS, FATHOM_FULL: how often (100, 200, 50, 16);
# FATHOM_JOURNEY_SEED: the moments.
# shellcheck source=tests/journey.inc
source "$(dirname "${BASH_SOURCE[0]}")/journey.inc"
kills=${FATHOM_KILLS:-100} flips=${FATHOM_FLIPS:-200} cuts=${FATHOM_CUTS:-50} full=${FATHOM_FULL:-16}
RANDOM=${FATHOM_JOURNEY_SEED:-$(date +%N | sed 's/^0*//')}
seed=$RANDOM
RANDOM=$seed
printf 'moments: FATHOM_JOURNEY_SEED gave %s\n' "$seed"

# a full-waveform inversion in miniature: 4 shots, a rank a sample
wave=(-operator acoustic -acoustic_shape 14x18 -acoustic_spacing 10 -acoustic_dt 0.002 -acoustic_steps 400 -acoustic_layers 6
  -acoustic_wavelet_frequency 12 -acoustic_unknown bounded -acoustic_velocity_min 1400 -acoustic_velocity_max 2600
  -acoustic_sources 20,20,20,60,20,100,20,150 -acoustic_receivers 30,20,30,83,30,140)
{ printf '0'; for ((i = 1; i < 14 * 18; i++)); do printf ',%s' "$((i % 7 > 3))"; done; } >model.txt
run 1 double forward "${wave[@]}" -models "$(cat model.txt)" -out truth
refine=(refine "${wave[@]}" -prior gaussian -gaussian_mean 0 -gaussian_std 1 -noise_std 0.05 -observed truth/data.h5:/y
  -flow elementwise -batch_size 4 -micro_batch 1 -epochs 1 -steps_per_epoch 24 -evaluation_latents 8 -checkpoint_every 2)
begin=$(date +%s%N)
run 1 double "${refine[@]}" -out whole
whole=$((($(date +%s%N) - begin) / 1000000))
printf 'a run that nothing happens to takes %s ms\n' "$whole"

cat >rank.sh <<'RANK'
echo $$ >"$1/pid.${OMPI_COMM_WORLD_RANK:-0}"
shift
exec "$@"
RANK
ledger() { "$build/fathom-double" inspect "$1/checkpoint.h5" | awk -v name="$2" '$1 == name && $2 == "=" {print $3}'; }
# start RANKS DIR OPTION... - in the background, taking up what is there; its job in $job
start() {
  local ranks=$1 dir=$2
  shift 2
  mkdir -p "$dir"
  rm -f "$dir"/pid.*
  : >>"$dir.log"
  lines=$(wc -l <"$dir.log")
  timeout -s KILL 120 mpirun -q -n "$ranks" --oversubscribe bash rank.sh "$dir" "$build/fathom-double" "${refine[@]}" -resume -out "$dir" "$@" \
    </dev/null >>"$dir.log" 2>&1 &
  job=$!
}
# up DIR - the job's ranks are through MPI_Init (an mpirun whose ranks are all killed in it may wait for ever)
up() { (($(wc -l <"$1.log") > lines)); }
# finished JOB - wait for it; its status in $status
finished() {
  status=0
  wait "$1" || status=$?
}
# gone JOB DIR - the same of one that something has happened to
gone() {
  local since=$SECONDS
  finished "$1"
  ((SECONDS - since <= 10)) || bad "$2: ended within 10 s, not $((SECONDS - since))"
}
identical() { [[ $(print_of "$1/checkpoint.h5" "${trained[@]}") == "$reference" ]]; }
reference=$(print_of whole/checkpoint.h5 "${trained[@]}")

# ---- SIGKILL ----

# the solves that a kill costs: spent beyond those of a run that was not killed
worst=0 right=0 early=0
for ((k = 0; k < kills; k++)); do
  dir=killed$k ranks=$((1 + RANDOM % 4)) journal=()
  ((k % 2)) && journal=(-journal_min_seconds 0)
  start "$ranks" "$dir" "${journal[@]}"
  await 30 up "$dir" || true
  sleep "$(awk -v ms=$((RANDOM * 7 % whole)) 'BEGIN {print ms / 1000}')"
  mapfile -t pids < <(cat "$dir"/pid.* 2>/dev/null || true)
  if ((k % 3 && ${#pids[@]})); then pids=("${pids[RANDOM % ${#pids[@]}]}"); fi
  ((${#pids[@]} == 0)) || kill -KILL "${pids[@]}" 2>/dev/null || true
  gone "$job" "$dir"
  [[ -e $dir/checkpoint.h5 ]] || early=$((early + 1))
  start $((1 + RANDOM % 4)) "$dir" "${journal[@]}"
  finished "$job"
  if [[ $status == 0 ]] && identical "$dir"; then right=$((right + 1)); else bad "$dir: see $(tail -n 3 "$dir.log")"; fi
  more=$(($(ledger "$dir" spent_F) - $(ledger whole spent_F)))
  ((k % 2 == 0 || more <= worst)) || worst=$more
  rm -rf "$dir" "$dir.log"
done
((kills)) && figure "killed and resumed on 1 to 4 ranks: of $kills identical" "$right" "$kills" "$kills"
printf '%s of them before the first checkpoint; with the journal at most %s solves of F were made twice\n' "$early" "$worst"
((kills)) && figure "with the journal: solves made twice, one a rank at most" "$worst" 0 4

# ---- damaged files ----

run 1 double "${refine[@]}" -stop_after 20 -out sound
size=$(stat -c %s sound/checkpoint.h5)
# taken_up DIR - of the one before, with a word
taken_up() {
  run 1 double "${refine[@]}" -resume -stop_after 1 -out "$1" &&
    grep -q "^warning: skipped: '$1/checkpoint.h5' is " "$1.log" &&
    grep -q "^resumed '$1/checkpoint.previous.h5' at step 18" "$1.log"
}
right=0
for ((k = 0; k < flips; k++)); do
  cp -r sound bent
  at=$((RANDOM * 32768 + RANDOM)) at=$((at % size)) bit=$((RANDOM % 8))
  byte=$(od -An -tu1 -j "$at" -N 1 bent/checkpoint.h5)
  printf '%b' "\\x$(printf '%x' $((byte ^ (1 << bit))))" | dd of=bent/checkpoint.h5 bs=1 seek="$at" conv=notrunc status=none
  if taken_up bent; then right=$((right + 1)); else bad "bit $bit of byte $at flipped: $(tail -n 2 bent.log)"; fi
  rm -rf bent
done
((flips)) && figure "a flipped bit: of $flips detected, the one before taken" "$right" "$flips" "$flips"
right=0
for ((k = 0; k < cuts; k++)); do
  cp -r sound bent
  at=$((RANDOM * 32768 + RANDOM)) at=$((at % size))
  truncate -s "$at" bent/checkpoint.h5
  if taken_up bent; then right=$((right + 1)); else bad "cut to $at bytes: $(tail -n 2 bent.log)"; fi
  rm -rf bent
done
((cuts)) && figure "cut off: of $cuts detected, the one before taken" "$right" "$cuts" "$cuts"

# ---- a full disk ----

mkdir -p disk
if ((full)) && mount -t tmpfs -o size=4m tmpfs disk 2>/dev/null; then
  trap 'umount -l "$work/disk" 2>/dev/null; rm -rf "$work"' EXIT
  right=0
  for ((k = 0; k < full; k++)); do
    rm -rf disk/* disk.log
    ranks=$((1 << (k % 3)))
    start "$ranks" disk/run -checkpoint_every 1
    await 30 test -e disk/run/checkpoint.h5 || true
    sleep "0.$(printf '%03d' $((RANDOM % 400)))"
    head -c 8000000 /dev/zero >disk/filler 2>/dev/null || true # until it is full
    gone "$job" "disk $k"
    whole_one=no
    "$build/fathom-double" inspect disk/run/checkpoint.h5 >/dev/null 2>&1 && whole_one=yes
    said=$(grep -c '^fathom: error: .*No space left' disk/run.log || true)
    if [[ $status == 0 ]]; then said=1; fi # it had ended
    rm -f disk/filler
    start $((1 + RANDOM % 4)) disk/run
    finished "$job"
    if [[ $whole_one == yes && $said == 1 && $status == 0 ]] && identical disk/run; then right=$((right + 1)); else
      bad "full disk $k on $ranks ranks: checkpoint whole: $whole_one, sentences: $said, then $status: $(tail -n 3 disk/run.log)"
    fi
  done
  figure "a full disk on 1, 2, 4 ranks: of $full said in one sentence, nothing lost" "$right" "$full" "$full"
else
  printf 'skipped: no tmpfs can be mounted here (root only), the full disk was not tried\n'
fi
verdict
