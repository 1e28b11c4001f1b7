#!/usr/bin/env bash
# The job compressed_sensing and its gold at their smallest: they end, report and draw.
# shellcheck source=tests/journey.inc
source "$(dirname "${BASH_SOURCE[0]}")/journey.inc"

FATHOM_BUILD=$build bash "$root/jobs/compressed_sensing/run.sh" -n 1 -small -out "$work/job" >job.log 2>&1 || bad "run.sh -small: $(tail -n 3 job.log)"
for name in own_eq6_over_control own_eq6_coverage across_eq3_snr own0_best_minus_elbo; do
  check "the job reports $name" grep -q "^result $name " job.log
done
if command -v gnuplot >/dev/null; then
  for name in own across own_curves; do check "the job draws $name.png" test -s "$work/job/$name.png"; done
fi
FATHOM_BUILD=$build bash "$root/jobs/compressed_sensing/gold.sh" -n 1 -small -out "$work/gold" >gold.log 2>&1 || bad "gold.sh -small: $(tail -n 3 gold.log)"
check "the gold reports its errors" grep -q '^result projector_std_error_max' gold.log
verdict
