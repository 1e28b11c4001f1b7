#!/usr/bin/env bash
# A fault on one rank alone ends all of them within 10 s, with a sentence and another status than 0, and the last checkpoint stays good:
# no memory for its operator, a crash, a rank that is gone. (The full disk is in tests/long_killed.sh.)
# shellcheck source=tests/journey.inc
source "$(dirname "${BASH_SOURCE[0]}")/journey.inc"

wave=(-operator acoustic -acoustic_shape 120x150 -acoustic_spacing 10 -acoustic_dt 0.002 -acoustic_steps 2000 -acoustic_layers 10
  -acoustic_wavelet_frequency 12 -acoustic_unknown bounded -acoustic_velocity_min 1400 -acoustic_velocity_max 2600
  -acoustic_sources 20,20,20,600 -acoustic_receivers 30,20,30,83,30,140)
{ printf '0'; for ((i = 1; i < 120 * 150; i++)); do printf ',%s' "$((i % 7 > 3))"; done; } >model.txt
run 1 double simulate "${wave[@]}" -prior gaussian -gaussian_mean 0 -gaussian_std 1 -noise_std 0.05 -pairs_count 1 -out truth
refine=(refine "${wave[@]}" -prior gaussian -gaussian_mean 0 -gaussian_std 1 -noise_std 0.05 -observed 'truth/pairs.h5:/y[0]'
  -flow elementwise -batch_size 6 -micro_batch 1 -epochs 1 -steps_per_epoch 1000 -evaluation_latents 3 -checkpoint_every 1
  -report_seconds 0)

# a rank under a limit of its own: RANK LIMIT VALUE
cat >rank.sh <<'RANK'
echo $$ >"$1/pid.${OMPI_COMM_WORLD_RANK:-0}"
if [[ ${OMPI_COMM_WORLD_RANK:-0} == "$2" && $3 != none ]]; then ulimit "$3" "$4"; fi
exec "${@:5}"
RANK
begin() { # DIR RANK LIMIT VALUE
  mkdir -p "$1"
  timeout -s KILL 100 mpirun -q -n 3 --oversubscribe bash rank.sh "$@" "$build/fathom-double" "${refine[@]}" -out "$1" </dev/null \
    >"$1.log" 2>&1 &
  job=$!
}
# ended PID - it runs no more (what nobody has asked for its status may still be listed)
ended() { [[ ! -e /proc/$1/stat || $(sed 's/.*) \(.\) .*/\1/' "/proc/$1/stat") == Z ]]; }
# over DIR TEXT PATTERN - since the fault, of which `since` is the second
over() {
  local status=0
  wait "$job" || status=$?
  figure "$2: over after [s]" $((SECONDS - since)) 0 10
  check "$2: status $status" test "$status" != 0
  [[ -z $3 ]] || check "$2: '$(grep -m 1 'fathom: error' "$1.log" || true)'" grep -Eq "^fathom: error.*$3" "$1.log"
  sleep 0.3
  for pid in "$1"/pid.*; do
    check "$2: rank ${pid##*.} is gone" ended "$(cat "$pid")"
  done
}
saved() { [[ -e $1/checkpoint.h5 ]]; }

# memory: the tape of a solve is the last large thing that a rank asks for; with a limit in the middle of it that fails
begin plain none none 0
await 60 saved plain
peak=$(awk '/VmPeak/ {print $2}' "/proc/$(cat plain/pid.1)/status")
kill -USR1 "$(cat plain/pid.0)"
wait "$job" || true
printf 'a rank has up to %s kB of addresses\n' "$peak"
begin memory 1 -v $((peak - 60000))
await 60 grep -q '^fathom: error' memory.log || true # until then it sets up, on crowded cores
since=$SECONDS
over memory "no memory on rank 1" "(out of memory|memory)"

for way in SEGV KILL; do
  begin crash none none 0
  await 60 saved crash
  kill -$way "$(cat crash/pid.2)"
  since=$SECONDS
  over crash "a rank that ends by SIG$way" ""
  check "SIG$way: the checkpoint is good" "$build/fathom-double" inspect crash/checkpoint.h5
  rm -rf crash
done
verdict
