#!/usr/bin/env bash
# tests/long_killed.sh, a few times each.
export FATHOM_KILLS=${FATHOM_KILLS:-4} FATHOM_FLIPS=${FATHOM_FLIPS:-8} FATHOM_CUTS=${FATHOM_CUTS:-4} FATHOM_FULL=${FATHOM_FULL:-2}
exec bash "$(dirname "${BASH_SOURCE[0]}")/long_killed.sh" "$@"
