#!/usr/bin/env bash
# Malformed inputs for every reader of fathom, for as long as you like: sets up (jobs/setup.sh), builds in build/ and runs the
# targets of tests/fuzz one after the other. Prints how many inputs each tried; ends with 1 where a fault was found.
#
#   bash jobs/fuzz.sh [SECONDS] [TARGET...]         60 seconds each; targets: yaml words dataset checkpoint segy journal
#
# Inputs that fail are left in build/fuzz-found/: build/tests/fuzz/fuzz_TARGET FILE repeats one.
set -euo pipefail
# shellcheck source=jobs/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

seconds=${1:-60}
if [[ ! $seconds =~ ^[1-9][0-9]*$ ]]; then
  fathom_say "jobs/fuzz.sh takes a number of seconds, not '$seconds'" >&2
  exit 2
fi
shift $(($# > 0))
targets=("$@")
[[ $# -gt 0 ]] || targets=(yaml words dataset checkpoint segy journal)
fathom_setup --tests
found=$fathom_build/fuzz-found
mkdir -p "$found"
failed=0
for target in "${targets[@]}"; do
  program=$fathom_build/tests/fuzz/fuzz_$target
  log=$found/$target.log
  if [[ ! -x $program ]]; then
    fathom_say "fuzz $target: no such target, or no clang with libFuzzer (apt-get install clang libclang-rt-14-dev)" >&2
    exit 2
  fi
  verdict="no fault found"
  if ! (cd "$found" && bash "$fathom_root/tests/fuzz/run.sh" "$program" "$seconds") >"$log" 2>&1; then
    verdict="A FAULT: see $log"
    failed=1
  fi
  tried=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  fathom_say "fuzz $target: ${tried:-?} inputs in $seconds s, $verdict"
  grep '^fuzz: HDF5' "$log" | sort -k3nr || true
done
exit "$failed"
