#!/usr/bin/env bash
# Trust through the programs: the linear-Gaussian row with a triangular flow that becomes exact, its verdicts, and calibration on held-out
# models whose exact posterior is sampled by numpy.
# shellcheck source=tests/journey.inc
source "$(dirname "${BASH_SOURCE[0]}")/journey.inc"

case=$root/jobs/linear_gaussian
problem=(-options_file_yaml "$case/refine.yaml" -warm_start tri/checkpoint.h5 -evaluation_latents 512)
truth=$(awk '$1 == "x_true" {print $2}' "$tests/golds/linear_gaussian.txt")
says() { grep -Eq "^verdict: $2" "$1.log"; }

run 1 double refine -options_file_yaml "$case/triangular.yaml" -out tri

# ---- the verdict ----
run 1 double evaluate "${problem[@]}" -truth "$truth" -out good
figure "Fisher divergence per unknown" "$(value good fisher_per_unknown)" 0 1e-3
figure "Stein scale" "$(value good stein_scale_mean)" 0.99 1.01
figure "n_eff (closed form 5.780)" "$(value good n_eff)" 4.9 6.9
figure "directions that the data inform" "$(value good modes)" 6 6
figure "ESS fraction in them" "$(value good modes_ess_fraction)" 0.98 1
figure "excess of chi^2 over the truth, nats" "$(value good chi2_excess_of_truth)" -7.3 7.3
figure "excess of chi^2 over the mean model, nats" "$(value good chi2_excess_of_mean_model)" 2 4
figure "F of a verdict: 64 + 256 + mean model + truth" "$(value good trust_F)" 322 322
figure "adjoints of a verdict" "$(value good trust_JT)" 64 64
figure "F of J and KL alone" "$(value good diagnostic_F)" 512 512
check "consistent, for want of a calibration" says good 'consistent - .*not verified: no -calibration'
check "ESS of 512 samples takes no part" grep -q 'ess_fraction, k_hat and log_evidence are not to be relied on' good.log
run 3 double evaluate "${problem[@]}" -truth "$truth" -out ranks
same "evaluation.h5 on 1 and 3 ranks" good/evaluation.h5 ranks/evaluation.h5 /fisher /stein_bias /stein_scale /informed /predicted /chi2_shot \
  /chi2_shot_mean_model /observed
check "and one verdict, the same figures" cmp good/results.tsv ranks/results.tsv
run 1 double evaluate "${problem[@]}" -noise_std 1.2 -out bad
check "another noise: not trusted, by divergence and scale" says bad 'not trusted - Fisher divergence [^;]*at most 0.05.*Stein scale'
run 1 double evaluate "${problem[@]}" -trust_latents 0 -out none
check "nothing measured" says none 'not trusted - nothing was measured'
refused "one gradient has no spread" "-trust_latents 1" 1 double evaluate "${problem[@]}" -trust_latents 1 -out no

# ---- calibration ----
$python -c 'import h5py, numpy' 2>/dev/null || { echo "no h5py and numpy: no held-out models"; verdict; exit 0; }
$python - "$tests/golds/linear_gaussian.txt" <<'PYTHON'
import sys
import h5py
import numpy as np

gold = dict(line.split(" ", 1) for line in open(sys.argv[1]))
a = np.array([float(v) for v in gold["A"].split(",")]).reshape(6, 8)
sigma = np.array([float(v) for v in gold["Sigma"].split(",")]).reshape(8, 8)
root = np.linalg.cholesky(sigma)
rng = np.random.default_rng(7)
truth = 3.14 + 3 * rng.standard_normal((96, 8))
lists = {f: [] for f in (1, 0.8)}
for k in range(96):
    y = a @ truth[k] + np.sqrt(0.1) * rng.standard_normal(6)
    mu = sigma @ (a.T @ y / 0.1 + 3.14 / 9)
    z = rng.standard_normal((200, 8))
    for f in lists:
        with h5py.File(f"model{k}_{f}.h5", "w") as out:
            out["x"] = mu + f * z @ root.T
        lists[f].append(f"model{k}_{f}.h5:/x truth.h5:/x[{k}]")
with h5py.File("truth.h5", "w") as out:
    out["x"] = truth
open("exact.txt", "w").write("# SAMPLES TRUTH\n\n" + "\n".join(lists[1]) + "\n")
open("narrow.txt", "w").write("\n".join(f"{line} 3.14/3  # MEAN/STD" for line in lists[0.8]))
open("few.txt", "w").write("\n".join(f"{line} 3.14/3" for line in lists[1][:8]))
open("short.txt", "w").write("model0_1.h5:/x\n")
for name, what in (("row", "truth.h5:/x[96]"), ("all", "truth.h5:/x")):
    open(f"{name}.txt", "w").write(f"model0_1.h5:/x {what}\nmodel1_1.h5:/x {what}\n")
open("again.txt", "w").write("\n".join(lists[1][:3] + lists[1][:1]) + "\n")

# the same figures by numpy
z, c50, c95, crps = [], [], [], []
for k in range(96):
    x = np.sort(h5py.File(f"model{k}_1.h5")["x"][...], axis=0)
    s = len(x)
    z.append((truth[k] - x.mean(0)) / x.std(0, ddof=1))
    u = (x < truth[k]).sum(0)
    for p, c in ((0.5, c50), (0.95, c95)):
        lo, hi = np.maximum(u / (s + 1), (1 - p) / 2), np.minimum((u + 1) / (s + 1), (1 + p) / 2)
        c.append(np.maximum(0, hi - lo) * (s + 1))
    pairs = np.abs(x[:, None] - x[None]).sum((0, 1)) / (2 * s * (s - 1))
    crps.append(np.abs(x - truth[k]).mean(0) - pairs)
for name, v in (("rms_z", np.sqrt(np.mean(np.square(z)))), ("coverage_50", np.mean(c50)), ("coverage_95", np.mean(c95)), ("crps", np.mean(crps))):
    print(name, f"{v:.9g}", file=open("numpy.txt", "a"))
PYTHON
prior=(-prior gaussian -gaussian_mean 3.14 -gaussian_std 3)
run 1 double calibrate -calibrate exact.txt "${prior[@]}" -out exact
while read -r name gold; do
  figure "exact posterior: $name as numpy has it" "$(value exact "$name")" "$(awk -v g="$gold" 'BEGIN {print g - 1e-6}')" \
    "$(awk -v g="$gold" 'BEGIN {print g + 1e-6}')"
done <numpy.txt
figure "exact posterior: CRPS of the prior (3 / sqrt(pi))" "$(value exact crps_prior)" 1.4 2.0
figure "exact posterior: p-value of the ranks" "$(value exact rank_p_value)" 0.01 1
check "exact posterior: passed" grep -q '^calibration passed' exact.log
run 2 double calibrate -calibrate exact.txt "${prior[@]}" -out exact2
same "calibration on 1 and 2 ranks" exact/calibration.h5 exact2/calibration.h5 /z /rank /models /z_histogram /rank_histogram_thinned
run 1 single calibrate -calibrate exact.txt "${prior[@]}" -out exact.single
figure "in single precision" "$(value exact.single calibration_passed)" 1 1
run 1 double calibrate -calibrate narrow.txt -out narrow
figure "std 20 % too small: rms z" "$(value narrow rms_z)" 1.15 1.4
check "std 20 % too small: fails by z-score and both coverages, not by CRPS" \
  grep -Eq '^calibration failed: rms z-score .*50 % interval .*95 % interval [^,]*$' narrow.log
run 1 double calibrate -calibrate few.txt -out few
check "8 models are too few" grep -q '^calibration failed: held-out models 8 (at least 16)' few.log

run 1 double evaluate "${problem[@]}" -calibration exact/calibration.h5 -out verified
check "verified" says verified 'verified - '
"$python" - <<'PYTHON'
import h5py

with h5py.File("exact/calibration.h5") as f, h5py.File("elsewhere.h5", "w") as g:
    for name in ("calibration_passed", "models", "calibration_faults"):
        g.attrs[name] = f.attrs[name]
    g["problem_settings"] = "-operator dense\n-noise_std 0.5\n"
PYTHON
run 1 double evaluate "${problem[@]}" -calibration elsewhere.h5 -out elsewhere
check "not verified by a calibration of another problem" \
  says elsewhere 'consistent - .*the calibration is of another problem: -noise_std 0.5, here -noise_std 0.316'
run 1 double evaluate "${problem[@]}" -calibration narrow/calibration.h5 -out failed
check "not trusted, by its calibration" says failed 'not trusted - calibration on 96 held-out models: rms z-score'
refused "no list" "give -calibrate FILE" 1 double calibrate -out no
refused "a list that is not there" "no list of models in 'gone.txt'" 1 double calibrate -calibrate gone.txt -out no
refused "a line of one word" "line 1 of 'short.txt' has one word" 1 double calibrate -calibrate short.txt -out no
refused "a model twice" "line 4 of 'again.txt' names samples and truth of line 1 again" 2 double calibrate -calibrate again.txt "${prior[@]}" -out no
refused "a row that is not there" "'truth.h5:/x\[96\]' has 96 rows, counted from 0" 1 double calibrate -calibrate row.txt "${prior[@]}" -out no
refused "truths of all models for one" "has 768 numbers where the samples have 8 unknowns" 1 double calibrate -calibrate all.txt "${prior[@]}" -out no
refused "nothing to compare with" "nothing to compare the CRPS with" 1 double calibrate -calibrate exact.txt -out no
refused "no calibration file" "is not what calibrate writes" 1 double evaluate "${problem[@]}" -calibration good/evaluation.h5 -out no
verdict
