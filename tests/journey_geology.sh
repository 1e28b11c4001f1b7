#!/usr/bin/env bash
# Models for training: generated geology, windows of a model file, their way to unknowns, and a smoothed background.
# shellcheck source=tests/journey.inc
source "$(dirname "${BASH_SOURCE[0]}")/journey.inc"

waves=(-operator acoustic -acoustic_shape 24x30 -acoustic_spacing 20 -acoustic_steps 20 -acoustic_dt 0.001
  -acoustic_wavelet_frequency 8 -acoustic_sources 40,40 -acoustic_receivers 40,80 -acoustic_velocity_min 1400
  -acoustic_velocity_max 6000 -acoustic_allow_dispersion -noise_std 1)

# ---- generated ----

for n in 1 3; do
  run "$n" single simulate "${waves[@]}" -prior layers -layers_geology thrust -pairs_count 7 -out layers.$n
done
same "generated models, 3 ranks as 1" layers.{1,3}/pairs.h5 /x
run 1 single simulate "${waves[@]}" -prior layers -pairs_count 7 -out basin
differs "another geology" layers.1/pairs.h5 basin/pairs.h5 /x
refused "models of modes" 'coordinates that are nodes or matern' 1 single simulate "${waves[@]}" -acoustic_unknown scaled -acoustic_background 2000 -acoustic_scale 100 \
  -acoustic_coordinates modes -matern_correlation 5 -prior layers -pairs_count 2 -out bad

# ---- a model file ----

marmousi=${FATHOM_SHARED:-$root/../shared}/data/seismic/marmousi.h5
if [[ ! -r $marmousi ]]; then
  echo "no $marmousi: its windows are not cut"
  verdict
  exit
fi
section=(-section "$marmousi:/vp" -section_spacing 10 -patch_divide false)
cut=("${section[@]}" -patch_shape 24x30 -patch_every 2 -patch_exclude 300:400 -patch_mirror)
for n in 1 3; do
  run "$n" single patches "${cut[@]}" -patch_count 50 -out random.$n
done
same "windows at random places, 3 ranks as 1" random.{1,3}/patches.h5 /x /corner /mirrored
run 1 single patches "${cut[@]}" -patch_stride 20x10 -out regular
run 1 single patches "${section[@]}" -patch_shape 24x30 -patch_spacing 25 -patch_traces 0:300 -out slow
check "windows are those of the file" "$python" -c "
import h5py, numpy as np
v = h5py.File('$marmousi')['vp'][:].astype(float)
def mean(a):  # of squared slowness, over three nodes, the ends with half weight, mirrored at the edges
    for axis in 0, 1:
        p = np.pad(a, [(1, 1) if k == axis else (0, 0) for k in (0, 1)], mode='symmetric')
        a = sum(w * np.take(p, range(d, d + a.shape[axis]), axis) for d, w in ((0, .25), (1, .5), (2, .25)))
    return a
fine = mean(v ** -2.) ** -.5
for name in 'regular', 'random.1':
    f = h5py.File(name + '/patches.h5')
    assert f['x'].attrs['spacing_z'] == 20 and f['x'].attrs['spacing_x'] == 20 and f['x'].attrs['scale'] == 1
    seen = set()
    for x, (r, k), m in zip(f['x'][:, 0], f['corner'][:], f['mirrored'][:]):
        one = fine[r:r + 48:2, k:k + 60:2]
        assert abs(x - (one[:, ::-1] if m else one)).max() < 1e-3
        assert k + 58 + 1 < 300 or k - 1 >= 400, k
        seen.add(int(m))
    assert seen == {0, 1}
x = h5py.File('slow/patches.h5')['x'][:]
assert x.shape[0] == 5 * 4 and 1469 < x.min() and x.max() < 5802, x.shape
"
run 2 single simulate "${waves[@]}" -acoustic_unknown scaled -acoustic_background 2500 -acoustic_scale 400 -models regular/patches.h5:/x \
  -models_physical -pairs_count 5 -pairs_model -out unknowns
check "windows as unknowns" "$python" -c "
import h5py
x, m, p = (h5py.File(f)[d][:5].reshape(5, -1) for f, d in (('unknowns/pairs.h5', 'x'), ('unknowns/pairs.h5', 'model'),
                                                         ('regular/patches.h5', 'x')))
assert abs(m - p).max() < .01 and abs(2500 + 400 * x - p).max() < .01
"

# ---- a background ----

run 1 double smooth -models "$marmousi:/vp" -smooth_spacing 10 -smooth_length 120 -smooth_keep 20 -out smooth
check "a smooth background" "$python" -c "
import h5py, numpy as np
v, s = h5py.File('$marmousi')['vp'][:].astype(float), h5py.File('smooth/model.h5')['model'][:]
assert (s[:20] == v[:20]).all()
a = 1 / v[20:]
w = np.exp(-.5 * (np.arange(-72, 73) / 12.) ** 2)
w /= w.sum()
for axis in 0, 1:
    p = np.pad(a, [(72, 72) if k == axis else (0, 0) for k in (0, 1)], mode='symmetric')
    a = np.apply_along_axis(np.convolve, axis, p, w, 'valid')
assert abs(s[20:] * a - 1).max() < 1e-12
"
run 1 single smooth -models 'regular/patches.h5:/x[3]' -smooth_length 60 -out row
check "a row, with the spacing that its file says" h5ls row/model.h5/model

# ---- refused ----

refused "two sections" 'both name a section' 1 single patches "${cut[@]}" -segy some.sgy -out bad
refused "no place left" 'leaves no place for a patch' 1 single patches "${section[@]}" -patch_shape 24x400 -patch_exclude 350:500 -out bad
refused "resampled twice" 'both resample' 1 single patches "${cut[@]}" -patch_spacing 30 -out bad
refused "no spacing" 'give .section_spacing' 1 single patches -section "$marmousi:/vp" -patch_spacing 20 -out bad
refused "a stack of models" 'name a row as' 1 single patches -section regular/patches.h5:/x -out bad
refused "SEG-Y is not resampled" 'is not resampled' 1 single patches -segy some.sgy -patch_every 2 -out bad
refused "no length" 'needs -smooth_length' 1 single smooth -models "$marmousi:/vp" -smooth_spacing 10 -out bad
refused "no spacing to smooth by" 'give -smooth_spacing' 1 single smooth -models "$marmousi:/vp" -smooth_length 100 -out bad
refused "models to smooth" 'name a row as' 1 single smooth -models regular/patches.h5:/x -smooth_length 100 -out bad
refused "all rows kept" 'smooth_keep' 1 single smooth -models "$marmousi:/vp" -smooth_length 100 -smooth_spacing 10 -smooth_keep 301 -out bad
verdict
