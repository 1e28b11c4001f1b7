#!/usr/bin/env bash
# jobs/sbi in short: two_moons at the first observation with 2,000 samples by C2ST, and gaussian_linear at two observations against
# its posterior in closed form, N(y/2, 0.05 I). The whole of it: long_sbi.sh.
# shellcheck source=tests/journey.inc
source "$(dirname "${BASH_SOURCE[0]}")/journey.inc"
shared=${FATHOM_SHARED:-$root/../shared}
[[ -d $shared/data/sbi ]] || skip "no observations in '$shared/data/sbi'"
$python -c 'import numpy, h5py' 2>/dev/null || skip "no numpy and h5py"
$python -c 'import sklearn' 2>/dev/null || skip "no scikit-learn (python3-sklearn)"
export FATHOM_BUILD=$build FATHOM_SHARED=$shared

bash "$root/jobs/sbi/run.sh" -n 1 -task two_moons -observations 1 -count 2000 -out sbi >moons.log
bash "$root/jobs/sbi/run.sh" -n 1 -task gaussian_linear -observations 2 -no-c2st -out sbi >linear.log
figure "two_moons: C2ST at observation 1, 2,000 samples" "$(awk '$2 == "two_moons_c2st" {print $3}' moons.log)" 0.45 0.58
$python - "$shared/data/sbi/gaussian_linear.h5" sbi/gaussian_linear >moments <<'PYTHON'
import sys
import h5py
import numpy as np

for k in range(2):
    y = h5py.File(sys.argv[1])["observations"][k]
    x = h5py.File(f"{sys.argv[2]}/{k}/samples.h5")["x"][:].astype(float)
    std = np.sqrt(0.05)
    print(np.sqrt(np.mean(((x.mean(axis=0) - y / 2) / std) ** 2)), np.sqrt(np.mean((x.std(axis=0) / std - 1) ** 2)))
PYTHON
while read -r mean std; do
  figure "gaussian_linear: error of the means [std], rms" "$mean" 0 0.3
  figure "gaussian_linear: error of the stds, rms" "$std" 0 0.15
done <moments
# the measure itself: the reference against itself moved by half a standard deviation is told apart
$python - "$shared/data/sbi/two_moons.h5" moved.h5 <<'PYTHON'
import sys
import h5py

with h5py.File(sys.argv[1]) as reference, h5py.File(sys.argv[2], "w") as moved:
    x = reference["reference_samples"][0][2000:4000].astype(float)
    moved["x"] = x + 0.5 * x.std(axis=0)
PYTHON
figure "C2ST of the reference moved by half a std" "$($python "$tests/c2st.py" "$shared/data/sbi/two_moons.h5" 0 moved.h5 -count 2000)" 0.7 1
verdict
