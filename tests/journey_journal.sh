#!/usr/bin/env bash
# The journal of solves: refine with the laplace operator, killed in the middle of steps and resumed on other numbers of ranks. What
# was solved and kept is not solved again - PETSc's solver says each solve - and the end is that of a run that never was killed.
# shellcheck source=tests/journey.inc
source "$(dirname "${BASH_SOURCE[0]}")/journey.inc"

# 8 steps of 16 samples, each a solve and an adjoint; a checkpoint every 3 steps
problem=(refine -options_file_yaml "$root/jobs/laplace64/small.yaml" -laplace_cells 96 -laplace_ksp_converged_reason
  -batch_size 16 -micro_batch 1 -steps_per_epoch 4 -epochs 2 -evaluation_latents 2 -checkpoint_every 3)
journal=("${problem[@]}" -journal_min_seconds 0)

solves() { cat "$@" | grep -c '^Linear laplace_ solve converged' || true; }
ledger() { "$build/fathom-double" inspect "$1/checkpoint.h5" | awk -v name="$2" '$1 == name && $2 == "=" {print $3}'; }

run 1 double "${problem[@]}" -out whole
whole=$(($(solves whole.log) - 1)) # one at set-up, on each rank
figure "solves of the whole run" "$whole" 262 262
check "quick solves make no journal" test ! -e whole/journal
run 2 double "${journal[@]}" -out kept
check "a finished run leaves no journal" test ! -e kept/journal
same "with a journal, on 2 ranks: the same run" whole/checkpoint.h5 kept/checkpoint.h5 "${trained[@]}"

# enough COUNT LOG - so many solves have been made
enough() { (($(solves "$2") >= $1)); }
# killed COUNT RANKS DIR ARGUMENT... - the run, all ranks killed after so many solves of this job
killed() {
  local count=$1 ranks=$2 dir=$3 job n
  shift 3
  mkdir -p "$dir"
  n=$(find . -maxdepth 1 -name "$dir.*.part" | wc -l)
  mpirun -q -n "$ranks" --oversubscribe "$build/fathom-double" "$@" -out "$dir" </dev/null >"$dir.$n.part" 2>&1 &
  job=$!
  await 60 enough "$count" "$dir.$n.part" || true
  # shellcheck disable=SC2046
  kill -KILL $(ps -o pid= --ppid "$job") 2>/dev/null || true
  wait "$job" 2>/dev/null || true
}
# finish DIR NAME RANKS WASTE ARGUMENT... - resume DIR to its end and compare; WASTE: solves that may have been made twice
finish() {
  local dir=$1 name=$2 ranks=$3 waste=$4 extra
  shift 4
  run "$ranks" double "$@" -resume -out "$dir"
  same "$name: the uninterrupted run" whole/checkpoint.h5 "$dir/checkpoint.h5" "${trained[@]}"
  extra=$(($(solves "$dir".*.part "$dir.log") - whole - ranks))
  figure "$name: solves made twice, set-up of killed ranks among them" "$extra" 0 "$waste"
  for kind in F JT; do
    figure "$name: useful $kind" "$(ledger "$dir" "useful_$kind")" 128 128
    figure "$name: spent $kind" "$(ledger "$dir" "spent_$kind")" 128 $((128 + waste / 2))
  done
  check "$name: no journal is left" test ! -e "$dir/journal"
}

# a kill costs the set-up solve of each rank, the solve that each was in (F and adjoint), and where there was no checkpoint yet the 2
# solves of the evaluation
killed 20 2 early "${journal[@]}"
check "killed in the first step: a file of each rank" test "$(find early/journal -type f | wc -l)" = 2
finish early "2 ranks, then 3" 3 $((2 * 3 + 2)) "${journal[@]}"
check "2 ranks, then 3: it says what it took" grep -Eq '^journal: [0-9]+ solves were taken from it' early.log
killed 150 3 late "${journal[@]}"
finish late "3 ranks, then 1, past a checkpoint" 1 $((3 * 3)) "${journal[@]}"
killed 60 4 often "${journal[@]}"
killed 30 2 often "${journal[@]}" -resume
killed 40 3 often "${journal[@]}" -resume
finish often "killed three times, on 4, 2 and 3 ranks" 2 $((9 * 3 + 4)) "${journal[@]}"

# a damaged record is left out, and only that
killed 20 1 torn "${journal[@]}"
file=$(find torn/journal -type f | head -n 1)
printf '\377' | dd of="$file" bs=1 seek=200 conv=notrunc status=none
truncate -s -5 "$file"
finish torn "a flipped byte and a torn end" 2 $((3 + 2 + 4)) "${journal[@]}"
check "a torn end: it says so" grep -Eq '^journal: [0-9]+ finished solves found .*, [12] damaged' torn.log

# another setting of the physics: nothing is taken; without -resume the journal goes
killed 20 1 other "${journal[@]}"
run 1 double "${journal[@]}" -laplace_pc_factor_mat_ordering_type rcm -resume -out other
check "another option of the solver: found, but nothing taken" \
  bash -c "grep -q '^journal: .* found' other.log && ! grep -q 'were taken' other.log"
killed 20 1 anew "${journal[@]}"
run 1 double "${journal[@]}" -out anew
check "without -resume: nothing found" bash -c "! grep -q '^journal:' anew.log"
figure "without -resume: all solves are made" "$(solves anew.log)" $((whole + 1)) $((whole + 1))

# without a journal the comparison fails: the solves since the checkpoint are made again; there is none, for a kill just after one repeats few
problem+=(-checkpoint_every 1000)
killed 100 2 without "${problem[@]}"
run 2 double "${problem[@]}" -resume -out without
figure "without a journal: more solves are made twice" "$(($(solves without.*.part without.log) - whole - 4))" 80 300
refused "a journal of less than nothing" 'journal_gib -1 is outside' 1 double "${problem[@]}" -journal_gib -1 -out refused
verdict
