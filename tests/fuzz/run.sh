#!/usr/bin/env bash
# One fuzz target for some seconds: first its corpus, then what comes of it.
#
#   bash tests/fuzz/run.sh PROGRAM SECONDS [libFuzzer's options]
#
# Ends with 0 where nothing was found. An input that fails is kept in the current folder, and `PROGRAM FILE` repeats it.
set -euo pipefail

program=$1 seconds=$2
shift 2
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
name=${program##*/fuzz_}
longest=4096 # bytes of an input
case $name in
  segy | dataset) longest=16384 ;;
  checkpoint) longest=49152 ;;
esac
scratch=$(mktemp -d)
session=$(mktemp -d) # of Open MPI: as in journey.inc
trap 'rm -rf "$scratch" "$session"' EXIT

export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OPENBLAS_NUM_THREADS=1
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_btl_vader_single_copy_mechanism=none
export OMPI_MCA_pml=ob1 OMPI_MCA_orte_tmpdir_base=$session
export OMPI_MCA_opal_signal= # an abort is libFuzzer's, which keeps the input, and not MPI's
# what asks for too much gets no memory, as with ulimit; the targets themselves bound what fathom asks for
export ASAN_OPTIONS=allocator_may_return_null=1:max_allocation_size_mb=1024:detect_leaks=1:quarantine_size_mb=16
export LSAN_OPTIONS=suppressions=$here/../sanitizers/lsan.supp:print_suppressions=0
export UBSAN_OPTIONS=print_stacktrace=1

# libFuzzer's own 77 would be a skipped test to CTest
"$program" "$scratch" "$here/corpus/$name" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 \
  -malloc_limit_mb=1024 -max_len="$longest" -print_final_stats=1 -error_exitcode=1 "$@"
