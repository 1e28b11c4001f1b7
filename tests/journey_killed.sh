#!/usr/bin/env bash
# tests/long_killed.sh, a few times each.
export FATHOM_KILLS=${FATHOM_KILLS:-6} FATHOM_FLIPS=${FATHOM_FLIPS:-12} FATHOM_CUTS=${FATHOM_CUTS:-6} FATHOM_FULL=${FATHOM_FULL:-3}
exec bash "$(dirname "${BASH_SOURCE[0]}")/long_killed.sh" "$@"
