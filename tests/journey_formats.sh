#!/usr/bin/env bash
# The files: what fathom writes is read by h5dump, h5py and its own inspect; what others write is taken as pairs, models, data and
# matrices; forward agrees with arithmetic done elsewhere.
# shellcheck source=tests/journey.inc
source "$(dirname "${BASH_SOURCE[0]}")/journey.inc"

flow=(-flow_depth 2 -flow_hidden 8)
for p in double single; do
  run 2 "$p" simulate -options_file_yaml "$toy/pairs.yaml" -pairs_count 500 -out "$p/pairs"
  run 2 "$p" pretrain -pairs "$p/pairs/pairs.h5" "${flow[@]}" -epochs 2 -out "$p/pre"
  run 2 "$p" refine -options_file_yaml "$toy/refine.yaml" "${flow[@]}" -warm_start "$p/pre/checkpoint.h5" -epochs 1 \
    -evaluation_latents 100 -out "$p/fit"
  run 2 "$p" sample -warm_start "$p/fit/checkpoint.h5" -samples 30 -out "$p/samples"
  run 2 "$p" evaluate -options_file_yaml "$toy/refine.yaml" -warm_start "$p/fit/checkpoint.h5" -evaluation_latents 100 -out "$p/ev"
done

# ---- h5dump ----

# dumped TEXT FILE OBJECT PATTERN... - the dump of an object's header has each pattern
dumped() {
  local text=$1 file=$2 object=$3 pattern
  shift 3
  for pattern in "$@"; do
    check "$text: $object of $file: $pattern" bash -c "h5dump -w 0 -N '$object' '$file' | tr -s ' \n' ' ' | grep -Eq '$pattern'"
  done
}
for p in double:H5T_IEEE_F64LE single:H5T_IEEE_F32LE; do
  type=${p#*:} p=${p%:*}
  dumped "$p" "$p/fit/checkpoint.h5" /theta/block1.x.actnorm.shift "$type DATASPACE SIMPLE \{ \( 2 \)"
  dumped "$p" "$p/fit/checkpoint.h5" /theta/block2.x.conditional.w2 "$type DATASPACE SIMPLE \{ \( 8, 8 \)"
  dumped "$p" "$p/fit/checkpoint.h5" /history/minus_elbo 'H5T_IEEE_F64LE DATASPACE SIMPLE \{ \( 16 \)'
  dumped "$p" "$p/fit/checkpoint.h5" /settings 'H5T_STRING' '"-out .*-learning_rate 1e-3'
  dumped "$p" "$p/fit/checkpoint.h5" /operator 'dense'
  dumped "$p" "$p/fit/checkpoint.h5" schema_version '\(0\): 1 '
  dumped "$p" "$p/pairs/pairs.h5" /x "$type DATASPACE SIMPLE \{ \( 500, 2 \)"
  dumped "$p" "$p/samples/samples.h5" /x "$type DATASPACE SIMPLE \{ \( 30, 2 \)"
  dumped "$p" "$p/ev/evaluation.h5" /quantiles_05_50_95 'DATASPACE SIMPLE \{ \( 2, 3 \)'
done

# ---- inspect ----

# inspected FILE PATTERN... - inspect tells of a file
inspected() {
  local file=$1 pattern
  shift
  if ! launch 2 double inspect "$file" >inspected.txt 2>&1; then bad "inspect $file: $(tail -n 1 inspected.txt)"; fi
  for pattern in "$@"; do check "inspect $file: $pattern" grep -Eq "$pattern" inspected.txt; done
}
inspected double/fit/checkpoint.h5 '^command = refine$' '^precision = double$' '^theta/$' '^ledger/$' '^  useful_F = 1024$' \
  '^  y  *\[2\]$' '^  z_y  *\[2\]$' '^settings  *text' '^  all  *[0-9]+  *[0-9.e+]+$' 'streams = '
inspected single/pre/checkpoint.h5 '^command = pretrain$' '^precision = float$' '^  useful_F = 0$'
inspected double/pairs/pairs.h5 '^x  *\[500\]\[2\]$' '^y  *\[500\]\[2\]$' '^settings = '
inspected double/samples/samples.h5 '^x  *\[30\]\[2\]$'
inspected double/ev/evaluation.h5 '^covariance  *\[2\]\[2\]$' '^kl  *a number$'
check "inspect FILE:/dataset prints rows" \
  test "$(series double/samples/samples.h5 /x | awk -F '\t' 'NF == 2 {n++} END {print n}')" = 30
check "inspect FILE:/dataset prints text" bash -c \
  "'$build/fathom-double' inspect double/fit/checkpoint.h5:/settings | grep -q '^-flow_depth 2$'"
check "the settings in the checkpoint are those that were printed" bash -c \
  "diff <(sed -n '/^settings:$/,/^$/p' double/fit.log | sed '1d' | grep .) \
        <('$build/fathom-double' inspect double/fit/checkpoint.h5:/settings | grep .)"
check "results.tsv holds the lines that were printed" bash -c \
  "diff <(sed -n 's/^result //p' double/fit.log) <(tail -n +2 double/fit/results.tsv | tr '\t' ' ')"

# ---- forward, by awk ----

matrix=(0.97184667938860603 -0.23559919500329846 0.17669939625247383 0.73624748438530763 1.5 -2.25)
join() { local IFS=,; printf '%s' "$*"; }
# close TEXT TOLERANCE - lines "got want" on the input, relative
close() {
  local worst
  worst=$(awk '{d = $1 - $2; if (d < 0) d = -d; s = $2 < 0 ? -$2 : $2; e = d / (s > 1 ? s : 1); if (e > w) w = e; n++}
    END {print n ? w + 0 : "none"}')
  figure "$1" "$worst" 0 "$2"
}
for p in double:1e-11 single:1e-5; do
  tolerance=${p#*:} p=${p%:*}
  run 3 "$p" forward -operator dense -dense_rows 3 -dense_matrix "$(join "${matrix[@]}")" -models "$p/pairs/pairs.h5:/x" \
    -observed 0.5,-1,2 -noise_std 0.4,0.5,2 -data_mask 1,1,0 -gradient -out "$p/forward"
  paste <(series "$p/pairs/pairs.h5" /x) <(series "$p/forward/data.h5" /y) <(series "$p/forward/data.h5" /misfit) \
    <(series "$p/forward/data.h5" /gradient) |
    awk -v a="${matrix[*]}" -v y="0.5 -1 2" -v s="0.4 0.5 2" -v mask="1 1 0" 'BEGIN {split(a, A, " "); split(y, Y, " ");
      split(s, S, " "); split(mask, M, " ")} {misfit = 0; for (j = 1; j <= 2; j++) g[j] = 0
      for (i = 1; i <= 3; i++) {
        d = A[2 * i - 1] * $1 + A[2 * i] * $2; r = M[i] * (d - Y[i]) / S[i]; misfit += r * r / 2
        for (j = 1; j <= 2; j++) g[j] += A[2 * (i - 1) + j] * r / S[i]
        printf "y %s %.17g\n", $(2 + i), d
      }
      printf "misfit %s %.17g\n", $6, misfit
      for (j = 1; j <= 2; j++) printf "gradient %s %.17g\n", $(6 + j), g[j]}' >"$p/forward.txt"
  check "$p: forward: 500 models" test "$(grep -c '^misfit' "$p/forward.txt")" = 500
  for name in y misfit gradient; do
    sed -n "s/^$name //p" "$p/forward.txt" | close "$p: forward: $name against arithmetic elsewhere" "$tolerance"
  done
done
run 1 double forward -operator dense -dense_rows 3 -dense_matrix "$(join "${matrix[@]}")" -models 1,-2 -out one
check "forward without -gradient writes no misfit" bash -c "! '$build/fathom' inspect one/data.h5:/misfit"
series one/data.h5 /y | tr '\t' '\n' | paste - <(printf '%s\n' 1.4430450693952029 -1.2957955725181415 6) | close "forward of a list" 1e-14

# the comparison can fail
out=$(sed -n 's/^gradient //p' double/forward.txt | awk '{print $1 + 1e-9, $2}' | close control 1e-11)
sed -i '/control/d' verdicts
check "numbers that differ by 1e-9 are bad" test "${out:0:3}" = bad

# ---- files of others ----

if ! $python -c 'import h5py, numpy' 2>/dev/null; then
  echo "no h5py: files made and read by it are left out"
  verdict
  exit 0
fi
$python - <<'PYTHON'
import h5py
import numpy as np

rng = np.random.default_rng(3)
a = rng.normal(size=(5, 3))
x = rng.normal(size=(400, 3)).astype("f4").astype("f8")  # numbers that float32 holds
y = (x @ a.T + 0.3 * rng.normal(size=(400, 5))).astype("f4").astype("f8")

def pairs(name, x, y, **how):
    with h5py.File(name, "w") as f:
        f.create_dataset("x", data=x, **how)
        if y is not None:
            f.create_dataset("y", data=y, **how)

pairs("f8.h5", x, y)
pairs("f4.h5", x.astype("f4"), y.astype("f4"))
pairs("big.h5", x.astype(">f8"), y.astype(">f4"))
pairs("packed.h5", x, y, chunks=True, compression="gzip", shuffle=True)
pairs("column.h5", x, y[:, 0])
pairs("column2.h5", x, y[:, :1])
pairs("whole.h5", np.rint(10 * x).astype("i4"), np.rint(10 * y).astype("i8"))
pairs("alone.h5", x, None)
with h5py.File("new.h5", "w", libver="latest") as f:
    f["x"], f["y"] = x, y
    f.attrs["who"] = "somebody"
    f["notes/table"] = np.array([(1, 2.0)], dtype=[("i", "i4"), ("v", "f8")])
    f["notes/words"] = ["one", "two"]
with h5py.File("problem.h5", "w") as f:
    f["group/matrix"] = a.astype(">f4").astype("f4")
    f["y"] = y[7]
    f["noise"] = np.full(5, 0.3, dtype="f4")
    f["mask"] = np.array([1, 1, 0, 1, 1], dtype="u1")
    f["covariance"] = np.eye(3) + 0.5
PYTHON
train=(pretrain "${flow[@]}" -epochs 2)
for name in f8 f4 big packed new column column2 whole alone; do
  run 2 double "${train[@]}" -pairs $name.h5 -out "user/$name"
  figure "pairs $name.h5: training NLL" "$(value "user/$name" nll_train)" -20 60
done
for name in f4 big packed new; do
  same "the same numbers as $name.h5" user/{f8,$name}/checkpoint.h5 /theta /history /whitening
done
same "/y [n] is /y [n][1]" user/{column,column2}/checkpoint.h5 /theta /history
inspected user/column/checkpoint.h5 '^  y_mean  *\[1\]$' '^  x_mean  *\[3\]$'
inspected new.h5 '^who = somebody$' '^  table  *neither numbers nor text$' '^x  *\[400\]\[3\]$'
run 1 single "${train[@]}" -pairs big.h5 -out user/single
run 2 double refine -operator dense -dense_matrix problem.h5:/group/matrix -observed problem.h5:/y -noise_std problem.h5:/noise \
  -data_mask problem.h5:/mask -prior gaussian -gaussian_covariance problem.h5:/covariance "${flow[@]}" -epochs 1 \
  -warm_start user/f8/checkpoint.h5 -out user/fit
figure "a problem from datasets: J^T solves" "$(value user/fit solves_JT)" 1024 1024

# ---- h5py reads what fathom writes ----

$python - >h5py.txt 2>&1 <<'PYTHON' || true
import h5py
import numpy as np

def told(text, good):
    print("good" if good else "bad ", "h5py:", text)

for precision, kind in (("double", "f8"), ("single", "f4")):
    with h5py.File(f"{precision}/fit/checkpoint.h5") as f:
        theta = {name: f["theta"][name][...] for name in f["theta"]}
        told(f"{precision}: tensors are {kind}", all(v.dtype == np.dtype("<" + kind) for v in theta.values()))
        told(f"{precision}: names and shapes", theta["block1.x.conditional.w1"].shape == (2, 8)
             and theta["block2.y.householder.vectors"].shape == (3, 2) and theta["block1.x.hint.b2"].shape == (8,))
        for group in ("theta_average", "adam_m", "adam_v"):
            told(f"{precision}: /{group} has the same names and shapes",
                 {k: v.shape for k, v in theta.items()} == {k: f[group][k].shape for k in f[group]})
        told(f"{precision}: everything is finite", all(np.isfinite(v).all() for v in theta.values()))
        h = f["history"]
        told(f"{precision}: history", len(h["objective"]) == 16 and list(h["evaluation_step"]) == list(range(0, 17, 2))
             and h["solves_F"][-1] == 1024 and len(h["kl"]) == 9)
        settings = f["settings"][()]
        settings = settings.decode() if isinstance(settings, bytes) else settings
        told(f"{precision}: settings", "-noise_std 0.4\n" in settings and "-epochs 1\n" in settings)
        told(f"{precision}: attributes", int(f.attrs["schema_version"]) == 1 and f.attrs["command"] == "refine"
             and int(f["state"].attrs["step"]) == 16 and int(f["ledger"].attrs["useful_F"]) == 1024
             and int(f["architecture"].attrs["depth"]) == 2 and f["architecture"].attrs["network"] == "hint")
        told(f"{precision}: observation", np.array_equal(f["observation/y"][...], [1.2012965787640182, 2.9983887300461785])
             and f["observation/z_y"].shape == (2,))
        told(f"{precision}: whitening", f["whitening/x_std"].shape == (2,) and (f["whitening/x_std"][...] > 0).all())
    with h5py.File(f"{precision}/samples/samples.h5") as f, h5py.File(f"{precision}/ev/evaluation.h5") as e:
        told(f"{precision}: samples", f["x"].shape == (30, 2) and f["x"].dtype == np.dtype("<" + kind) and "settings" in f.attrs)
        told(f"{precision}: moments and weights", e["covariance"].shape == (2, 2) and e["log_weight"].shape == (100,)
             and np.allclose(np.sqrt(np.diag(e["covariance"])), e["std"]))
    with h5py.File(f"{precision}/pairs/pairs.h5") as f:
        told(f"{precision}: pairs y - x is the noise", abs(np.std(f["y"][...] - f["x"][...]) - 0.4) < 0.03)
print("end")
PYTHON
grep -E '^(good|bad)' h5py.txt | tee -a verdicts
check "h5py came to its end" grep -q '^end$' h5py.txt
verdict
