#!/usr/bin/env bash
# Images behind the operators romberg and mask: simulate by draws of a Gaussian field or by models of a file, the same bytes on any
# number of ranks, noise in the operator's range; the exact posterior of jobs/compressed_sensing/exact.py, which trusts the
# operator's columns alone, is calibrated on such pairs; forward counts the measurements.
# shellcheck source=tests/journey.inc
source "$(dirname "${BASH_SOURCE[0]}")/journey.inc"
"$python" -c 'import h5py' 2>/dev/null || skip "no h5py"

field=(-prior field -field_shape 16x12 -field_correlation 3 -field_nugget 0.05)
romberg=(-operator romberg -romberg_shape 16x12 -romberg_subsampling 2.5 -noise_std 0.3)
mask=(-operator mask -mask_shape 16x12 -mask_kind traces -noise_std 0.3)

# ---- simulate ----

for p in double single; do
  run 1 "$p" simulate "${romberg[@]}" "${field[@]}" -pairs_count 300 -out "$p/one"
  run 3 "$p" simulate "${romberg[@]}" "${field[@]}" -pairs_count 300 -out "$p/three"
  run 4 "$p" simulate "${romberg[@]}" "${field[@]}" -pairs_count 300 -ranks_per_sample 2 -out "$p/four"
  run 2 "$p" simulate "${romberg[@]}" -models "$p/one/pairs.h5:/x" -out "$p/models"
  for other in three four models; do same "$p: $other" "$p/one/pairs.h5" "$p/$other/pairs.h5" /x /y; done
  run 2 "$p" simulate "${romberg[@]}" "${field[@]}" -models "$p/one/pairs.h5:/x" -pairs_first 290 -out "$p/last"
  run 1 "$p" simulate "${romberg[@]}" "${field[@]}" -pairs_first 290 -pairs_count 10 -out "$p/drawn"
  same "$p: the last ten" "$p/last/pairs.h5" "$p/drawn/pairs.h5" /x /y
  run 1 "$p" simulate "${mask[@]}" "${field[@]}" -pairs_count 20 -out "$p/mask"
done
run 1 double simulate "${romberg[@]}" "${field[@]}" -pairs_count 300 -romberg_seed 2 -out other
differs "another seed of the operator" double/one/pairs.h5 other/pairs.h5 /y

# ---- what lies in the pairs ----

exact=$root/jobs/compressed_sensing/exact.py
"$python" "$exact" identity 16x12 identity.h5
run 2 double forward "${romberg[@]}" -models identity.h5:/x -out columns
"$python" "$exact" posterior columns/data.h5 double/one/pairs.h5 --sigma 0.3 --correlation 3 --nugget 0.05 --out exact.h5 >exact.txt
"$python" - >figures.txt <<'END'
import h5py
import numpy as np

def images(name, data):
    with h5py.File(name) as f:
        return f[data][:].astype(float)

pairs = {p: [images(f"{p}/one/pairs.h5", d) for d in ("x", "y")] for p in ("double", "single")}
x, y = pairs["double"]
a = images("columns/data.h5", "y").T
flat = [v.reshape(len(v), -1) for v in (x, y)]
noise = flat[1] - flat[0] @ a.T
print("shape", x.shape == y.shape == (300, 1, 16, 12))
print("outside", np.abs(flat[1] - flat[1] @ a.T).max())
print("noise", (noise**2).sum() / (300 * 77 * 0.09))
for i, name in enumerate("xy"):
    print(f"single_{name}", np.abs(pairs["single"][i] - pairs["double"][i]).max())
z = (x - images("exact.h5", "mean")) / images("exact.h5", "std")
print("z_std", z.std())
print("z_mean", abs(z.mean()))
print("evidence", images("exact.h5", "log_evidence").mean())
e = images("double/mask/pairs.h5", "y") - images("double/mask/pairs.h5", "x")
gone = (images("double/mask/pairs.h5", "y") == 0).all(axis=(0, 1, 2))
print("traces_gone", gone.sum())
print("mask_noise", e[..., ~gone].std() / 0.3)
with h5py.File("one.h5", "w") as f:
    f["x"], f["y"], f["null"] = x[0], y[0], y[0] + (np.eye(192) - a)[5].reshape(1, 16, 12)
print("misfit", ((flat[1][0] - a @ flat[0][0]) ** 2).sum() / (2 * 0.09))
END
found() { awk -v name="$1" '$1 == name {print $2}' figures.txt; }
check "pairs are images of one channel" test "$(found shape)" = True
figure "part of y outside of range(A)" "$(found outside)" 0 1e-13
figure "variance of the noise a measurement" "$(found noise)" 0.97 1.03
figure "x in float and double" "$(found single_x)" 1e-9 1e-5
figure "y in float and double" "$(found single_y)" 1e-9 1e-5
figure "std of (x - mean)/std, exact posterior" "$(found z_std)" 0.98 1.02
figure "traces that the mask leaves out" "$(found traces_gone)" 6 6
figure "std of the noise on the others" "$(found mask_noise)" 0.97 1.03
check "exact.py finds a projector of rank 77" grep -Eq 'rank 77; \|A - A.T\| [0-9.]+e-1[4-9], \|A.2 - A\| [0-9.]+e-1[3-9]' exact.txt

# ---- the target ----

# J of a flow at its start is E[-log p(x, y)] - entropy: a null(A) part of y must not change it
for y in y null; do
  run 1 double refine "${romberg[@]}" "${field[@]}" -observed "one.h5:/$y" -flow elementwise -flow_conditional false -epochs 1 \
    -steps_per_epoch 1 -evaluation_latents 50 -out "target/$y"
done
check "data in range(A): no warning" bash -c "! grep -q 'taken away\|takes away\|taken' target/y.log"
check "data outside: a warning with its share" grep -Eq 'warning: 0.0[0-9]+ of the energy of -observed' target/null.log
j() { value "target/$1" "$(awk -F '\t' '$1 ~ /elbo|kl/ {print $1; exit}' target/y/results.tsv)"; }
figure "J with a null(A) part over J without" "$(awk -v a="$(j null)" -v b="$(j y)" 'BEGIN {printf "%.12f", a / b}')" \
  0.9999999999 1.0000000001

# ---- sentences ----

refused "no models" 'simulate needs models: give -prior NAME or -models' 1 single simulate "${romberg[@]}" -out z
refused "a list" 'simulate takes -models FILE:/dataset' 2 single simulate "${romberg[@]}" -models 1,2 -out z
refused "other images" 'are \[16\]\[12\]: a model of the operator romberg 12x16' 2 single simulate "${romberg[@]}" \
  -romberg_shape 12x16 -models single/one/pairs.h5:/x -out z
refused "too few" '-pairs_count 11 from row 290 on' 2 single simulate "${romberg[@]}" -models single/one/pairs.h5:/x \
  -pairs_first 290 -pairs_count 11 -out z
refused "behind the end" '-pairs_first 300 is behind the last of the 300 rows' 1 single simulate "${romberg[@]}" \
  -models single/one/pairs.h5:/x -pairs_first 300 -out z
"$python" - <<'END'
import h5py
import numpy as np
x = np.ones((5, 192))
x[3, 17] = np.nan
with h5py.File("nan.h5", "w") as f:
    f["x"] = x
END
refused "NaN" 'row 3 of -models is not finite at entry 17' 3 single simulate "${romberg[@]}" -models nan.h5:/x -out z
refused "noise of two kinds" 'subspace of 77 dimensions' 1 single simulate "${romberg[@]}" "${field[@]}" \
  -noise_std "$(seq -s , 1 192)" -out z
refused "one row of models" '/x\[3\].: -pairs_first ROW -pairs_count 1' 1 single simulate "${romberg[@]}" -models 'single/one/pairs.h5:/x[3]' -out z
refused "a field that lies otherwise" '-field_shape is 12x16, but a model of .* is 16x12' 2 single simulate "${romberg[@]}" "${field[@]}" \
  -field_shape 12x16 -out z
refused "images that lie otherwise" '-reflectivity_shape is 12x16, but' 1 single simulate "${romberg[@]}" -prior reflectivity \
  -reflectivity_shape 12x16 -out z
refused "data that lie otherwise" 'of -observed are \[16\]\[12\], expected an image \[12\]\[16\]' 1 double forward "${romberg[@]}" \
  -romberg_shape 12x16 -models "$(seq -s, 1 192)" -gradient -observed 'double/one/pairs.h5:/y[1]' -out z
refused "noise beyond float" 'pair 0 is not finite in 0 of 192 numbers of x and [1-9][0-9]* of 192 of y' 3 single simulate "${romberg[@]}" \
  "${field[@]}" -noise_std 1e39 -pairs_count 5 -out z
check "nothing is left behind" test ! -e z/pairs.h5
cp single/one/pairs.h5 kept.h5
for models in single/one/pairs.h5 single/three/../one/pairs.h5; do
  refused "over its own models" '-models .* is the file that this run would write over' 2 single simulate "${romberg[@]}" \
    -models "$models:/x" -out single/one
done
check "they are still there" cmp kept.h5 single/one/pairs.h5
check "inspect shows one row" test "$(launch 1 double inspect 'double/one/pairs.h5:/x[7]' | wc -lw | tr -s ' ')" = " 1 192"
refused "a row that is not there" 'row 300 of /x is asked for, but it has 300 rows' 1 double inspect 'double/one/pairs.h5:/x[300]'
check "settings of other operators and priors are not listed" test "$(sed -n '/^settings:/,/^$/p' single/one.log |
  grep -Ec '^-(mask|laplace|acoustic|born|dense|gaussian|reflectivity|prior_flow)_')" = 0
check "those of the ones in use are" test "$(sed -n '/^settings:/,/^$/p' single/one.log | grep -Ec '^-(romberg|field)_')" = 9

verdict
