#!/usr/bin/env bash
# Every test: sets up (jobs/setup.sh), builds in build/ and runs CTest. Ends with CTest's summary and its exit code.
#
#   bash jobs/test.sh [--sanitize] [CTest options]          for instance: bash jobs/test.sh -R unit -j 2
#
#   --sanitize   unit, contract and mpi suites in build-sanitize/, under AddressSanitizer and UndefinedBehaviorSanitizer
set -euo pipefail
# shellcheck source=jobs/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

chosen=(-LE long)
setup=(--tests)
if [[ ${1:-} == --sanitize ]]; then
  shift
  setup+=(--sanitize)
  chosen=(-L '^(unit|contract|mpi)$')
fi
fathom_setup "${setup[@]}"
exec ctest --test-dir "$fathom_build" --output-on-failure --no-tests=error -j "$(($(nproc) + 2))" "${chosen[@]}" "$@"
