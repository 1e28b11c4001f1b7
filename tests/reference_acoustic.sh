#!/usr/bin/env bash
# The operator acoustic against traces that we did not compute (../shared/data/seismic): exact ones of a homogeneous medium and of
# two half spaces, a shot of another finite-difference code, and the exact 2-D Green's function.
# shellcheck source=tests/journey.inc
source "$(dirname "${BASH_SOURCE[0]}")/journey.inc"

data=${FATHOM_SHARED:-$root/../shared}/data/seismic
[[ -r $data/analytic_traces.h5 && -r $data/shot_250m.segy ]] || skip "the reference traces are absent, $data"
$python -c 'import h5py, numpy, scipy' 2>/dev/null || skip "no h5py, numpy and scipy for $python"
reference=$tests/reference_acoustic.py

# compare NAME PRECISION OPTION... - make the case's model, run it, print its figures
compare() {
  local name=$1 precision=$2
  shift 2
  $python "$reference" prepare "$data" "$name" "$name.h5" >"$name.options"
  run 1 "$precision" forward -operator acoustic $(<"$name.options") -models "$name.h5:/model" "$@" -out "$name.$precision"
  $python "$reference" compare "$data" "$name" "$name.h5" "$name.$precision/data.h5" >figures
  sed "s/^/  $name: /" figures
}
value_of() { awk -v name="$1" '$1 == name {print $2}' figures; }

for precision in single double; do
  compare homogeneous $precision
  figure "$precision, homogeneous: relative L2, worst offset" "$(value_of worst)" 0 0.01
  compare half_spaces $precision
  figure "$precision, two half spaces: relative L2, worst offset" "$(value_of worst)" 0 0.02
  compare shot $precision
  figure "$precision, shot_250m: correlation" "$(value_of correlation)" 0.999 1
  figure "$precision, shot_250m: its own error to the exact solution" "$(value_of theirs)" 0.036 0.037
  figure "$precision, shot_250m: our error to the exact solution" "$(value_of ours)" 0 "$(value_of theirs)"
done
compare homogeneous double -acoustic_time_order 4
figure "fourth order in time, homogeneous: worst offset" "$(value_of worst)" 0 0.01

# the comparison can fail: with time dispersion left in, and with second order in space
compare homogeneous double -acoustic_time_dispersion false
figure "time dispersion left in is seen" "$(value_of worst)" 0.02 1
compare homogeneous double -acoustic_order 2 -acoustic_allow_dispersion
figure "second order in space is seen" "$(value_of worst)" 0.05 2
verdict
