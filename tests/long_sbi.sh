#!/usr/bin/env bash
# jobs/sbi whole: spline flows pretrained on 10,000 pairs, 10,000 samples at each of the ten published observations, C2ST by the
# published recipe, mean over the ten. Bars: the published figures of neural posterior estimation at 10,000 simulations (.606 and
# .552) plus .02. The classifiers take 25 minutes of one core.
# shellcheck source=tests/journey.inc
source "$(dirname "${BASH_SOURCE[0]}")/journey.inc"
shared=${FATHOM_SHARED:-$root/../shared}
[[ -d $shared/data/sbi ]] || skip "no observations in '$shared/data/sbi'"
$python -c 'import numpy, h5py' 2>/dev/null || skip "no numpy and h5py"
$python -c 'import sklearn' 2>/dev/null || skip "no scikit-learn (python3-sklearn)"
export FATHOM_BUILD=$build FATHOM_SHARED=$shared

bash "$root/jobs/sbi/run.sh" -out sbi | tee sbi.log
figure "two_moons: C2ST, mean of ten observations" "$(awk '$2 == "two_moons_c2st" {print $3}' sbi.log)" 0.45 0.626
figure "gaussian_linear: C2ST, mean of ten observations" "$(awk '$2 == "gaussian_linear_c2st" {print $3}' sbi.log)" 0.45 0.572
verdict
