#!/usr/bin/env bash
# Recorded shots by the programs: SEG-Y and HDF5 to what the operator acoustic reads (fathom shots), and data and models to SEG-Y
# (fathom export). A filter on data and wavelet changes nothing that the operator would not; noise is what is left of it; what
# is dead, missing or muted does not count; what a user can get wrong is one sentence.
# shellcheck source=tests/journey.inc
source "$(dirname "${BASH_SOURCE[0]}")/journey.inc"

cat >model.yaml <<'YAML'
operator: acoustic
acoustic: {shape: 41x61, spacing: 10, dt: 0.0015, steps: 1000, layers: 12, velocity_min: 1700, velocity_max: 2300, unknown: scaled,
           background: 2000, scale: 300}
YAML
places=(-acoustic_sources 20,100,20,300,20,500 -acoustic_receivers 30,50,30,203,30,407,30,550)
distances='50 103 307 450 250 97 107 250 450 297 93 50' # along x; 10 m in depth
operator=(-acoustic_wavelet_frequency 15 -acoustic_wavelet_delay 0.4)
wavelet=(-shots_wavelet_frequency 15 -shots_wavelet_delay 0.4)
noise=(-shots_noise_std 1e-4)
model=(-options_file_yaml model.yaml)
run 1 double simulate "${model[@]}" "${places[@]}" "${operator[@]}" -prior gaussian -gaussian_std 0.3 -noise_std 0.01 -pairs_count 1 -out noisy
truth=(-models noisy/pairs.h5:/x)
run 1 double forward "${model[@]}" "${places[@]}" "${operator[@]}" "${truth[@]}" -out truth
array=(-shots truth/data.h5:/y -shots_dt 0.0015 "${places[@]}")

# misfit SHOTS OPTION... - |F(truth) - data| / |data| over what counts; SHOTS is a folder of `fathom shots`
misfit() {
  local shots=$1
  shift
  run 1 double forward "${model[@]}" -options_file_yaml "$shots/shots.yaml" "${truth[@]}" "$@" -gradient -out "$shots.forward" || return
  awk -v j="$(value "$shots.forward" misfit_mean)" -v snr="$(value "$shots" snr)" -v muted="$(value "$shots" muted_share)" \
    -v n="$(value "$shots" samples)" -v shots="$(value "$shots" shots)" -v receivers="$(value "$shots" receivers)" \
    'BEGIN {print sqrt(2 * j / (n * shots * receivers * (1 - muted) * (10 ^ (snr / 10) + 1)))}'
}

# ---- there and back ----

run 1 double export -images truth/data.h5:/y -export_shots 1 "${places[@]}" -segy_dt 0.0015 -segy_format ieee -export_origin -7,5000 -out segy
segy=(-shots segy/shots.sgy -shots_origin -7,5000)
run 1 double shots "${model[@]}" "${segy[@]}" "${wavelet[@]}" "${noise[@]}" -out back
check "sources" test "$(series back/shots.h5 /sources | tr '\t\n' '  ')" = '20 100 20 300 20 500 '
check "receivers" test "$(series back/shots.h5 /receivers | tr '\t\n' '  ')" = '30 50 30 203 30 407 30 550 '
# the layers are tuned to the maximum of the wavelet's samples, 37.43 Hz, not to Ricker's 37.5
figure "SEG-Y: modelled again" "$(misfit back)" 0 5e-5
run 2 double shots "${model[@]}" "${segy[@]}" "${wavelet[@]}" "${noise[@]}" -out back2
same "2 ranks" back/shots.h5 back2/shots.h5 /y /noise_std /mask /wavelet
run 1 double shots "${model[@]}" "${array[@]}" "${operator[@]}" "${noise[@]}" -out array
figure "HDF5, the operator's own wavelet: the samples themselves" "$(misfit array "${operator[@]}")" 0 1e-12
check "samples a period are said" grep -q 'warning: 17.8 samples a period at 37.43 Hz.*-acoustic_record_every 5 keeps' array.log

# ---- bands: the filter of the wavelet is the filter of the data ----

later=(-shots_delay 0.06)
run 1 double shots "${model[@]}" "${array[@]}" "${wavelet[@]}" "${noise[@]}" "${later[@]}" -shots_band 3,8,20,30 -out band
figure "a band: modelled with the filtered wavelet" "$(misfit band)" 0 1e-3
figure "the comparison can fail: another wavelet" "$(misfit band -acoustic_wavelet array/shots.h5:/wavelet)" 0.1 2
run 1 double shots "${model[@]}" "${segy[@]}" "${wavelet[@]}" "${noise[@]}" "${later[@]}" -shots_band 8,20 -acoustic_record_every 7 -out coarse
figure "fewer samples, LOW,HIGH" "$(misfit coarse -acoustic_record_every 7)" 0 1e-2
check "no warning then" test "$(grep -c 'samples a period at' coarse.log)" = 0
early=(-acoustic_steps 420) # the records end while waves arrive: what the filter makes of that is masked
run 1 double forward "${model[@]}" "${places[@]}" "${operator[@]}" "${truth[@]}" "${early[@]}" -out early
run 1 double shots "${model[@]}" "${array[@]}" -shots early/data.h5:/y "${wavelet[@]}" "${noise[@]}" "${early[@]}" -shots_band 3,8,20,30 \
  -out ends
figure "records that end early" "$(misfit ends "${early[@]}")" 0 1e-2
other=(-acoustic_dt 0.0011 -acoustic_steps 1360 -acoustic_record_every 3)
run 1 double shots "${model[@]}" "${array[@]}" "${wavelet[@]}" "${noise[@]}" "${other[@]}" -out other
figure "another sample rate" "$(misfit other "${other[@]}")" 0 5e-3
# a wavelet of a file, at another rate
run 1 double shots "${model[@]}" "${array[@]}" "${wavelet[@]}" "${noise[@]}" -acoustic_dt 0.0005 -acoustic_steps 2998 \
  -acoustic_record_every 3 -out fine
run 1 double shots "${model[@]}" "${array[@]}" -shots_wavelet fine/shots.h5:/wavelet -shots_wavelet_dt 0.0005 "${noise[@]}" -out file
figure "a wavelet from HDF5" "$(misfit file)" 0 5e-5
run 1 double export -images fine/shots.h5:/wavelet -export_shots 1 -acoustic_sources 0,0 -acoustic_receivers 0,1 -segy_dt 0.0005 -out wave
run 1 double shots "${model[@]}" "${array[@]}" -shots_wavelet wave/shots.sgy "${noise[@]}" -out wave_segy
figure "a wavelet from SEG-Y" "$(misfit wave_segy)" 0 5e-5

# ---- noise ----

noisy=(-shots noisy/pairs.h5:/y -shots_dt 0.0015 "${places[@]}" "${wavelet[@]}" -shots_band 3,8,20,30)
for std in 0.01 estimate; do
  run 1 double shots "${model[@]}" "${noisy[@]}" -shots_noise_std $std -shots_noise_velocity 2300 -acoustic_record_every 7 -out "noise.$std"
done
# int gain^2 is 12 + 3/8 (5 + 10) Hz of 333.3 Hz
figure "white noise through the band" "$(value noise.0.01 noise_std)" 0.0022994 0.0022995
figure "estimated before the first arrival" "$(value noise.estimate noise_std)" 0.0019 0.0027

# ---- what does not count ----

muted() { # RULE - the share of muted data for an awk expression of t and d
  awk -v all="$distances" "BEGIN {n = split(all, x, \" \"); for (i = 1; i <= n; i++) {d = sqrt(x[i]^2 + 100)
    for (k = 0; k < 1000; k++) {t = k * 0.0015; if ($1) m++}} printf \"%.10g\", m / (1000 * n)}"
}
mute() { # TEXT RULE OPTION...
  local text=$1 rule=$2
  shift 2
  run 1 double shots "${model[@]}" "${array[@]}" "${operator[@]}" "${noise[@]}" "$@" -out mute
  check "muted: $text, $(muted "$rule")" test "$(value mute muted_share)" = "$(muted "$rule")"
}
mute "before a velocity" 't < d / 1500 + 0.2' -shots_mute_velocity 1500 -shots_mute_delay 0.2
mute "the direct wave" '(t - d / 2000 - 0.15)^2 <= 0.0025' -shots_mute_direct 2000,0.1 -shots_mute_delay 0.15
mute "offsets" 'd < 100 || d > 300' -shots_mute_offset 100,300
mute "weights 0" 'i == 2 || i == 12' -shots_weights 1,0,2,1,1,1,1,1,1,1,1,0
figure "a weight divides the noise" "$(series mute/shots.h5 /noise_std | sed -n 2001p)" 4.99999e-5 5.00001e-5

each=4240 # bytes of a trace
dead() { printf '\0\2' | dd of="$1" bs=1 seek=$((3600 + $2 * each + 28)) conv=notrunc status=none; }
cp segy/shots.sgy dead.sgy
dead dead.sgy 5
run 1 double shots "${model[@]}" "${segy[@]}" -shots dead.sgy "${wavelet[@]}" "${noise[@]}" -out dead
figure "a dead trace of 12" "$(value dead muted_share)" 0.08333 0.08334
check "live traces" test "$(value dead live_traces)" = 11
# a trace less: its place stays; the last shot first: sorted
some() { head -c $((3600 + ($1 + $2) * each)) segy/shots.sgy | tail -c $(($2 * each)); } # FIRST COUNT
{ head -c 3600 segy/shots.sgy; some 8 4; some 0 5; some 6 2; } >unequal.sgy
run 1 double shots "${model[@]}" "${segy[@]}" -shots unequal.sgy "${wavelet[@]}" "${noise[@]}" -out unequal
check "a common layout is said" grep -q '^shots have 3 to 4 receivers at 4 common places' unequal.log
check "sources are sorted" test "$(series unequal/shots.h5 /sources | tr '\t\n' '  ')" = '20 100 20 300 20 500 '
figure "modelled again" "$(misfit unequal)" 0 5e-5
check "the mask has its place" test "$(series unequal/shots.h5 /mask | tr -d '\n' | cut -c 4999-5002,6000-6001)" = 110001

# ---- headers of other kinds ----

# put FILE TRACE BYTE COUNT VALUE - a big-endian number into a trace header; bytes from 1
put() {
  local i text=''
  for ((i = $4 - 1; i >= 0; i--)); do text+=$(printf '\\x%02x' $((($5 >> 8 * i) & 255))); done
  printf '%b' "$text" | dd of="$1" bs=1 seek=$((3600 + $2 * each + $3 - 1)) conv=notrunc status=none
}
# number FILE BYTE COUNT - from anywhere in a file
number() { od -An -tu1 -j $(($2 - 1)) -N "$3" "$1" | awk '{for (i = 1; i <= NF; i++) v = 256 * v + $i; print v}'; }

# a line to the north-east (3, 4, 5), and recorded from 60 ms before the shot
cp segy/shots.sgy turned.sgy
for ((i = 0; i < 12; i++)); do
  for byte in 73 81; do
    x=$(number turned.sgy $((3600 + i * each + byte)) 4)
    put turned.sgy $i $byte 4 $((x * 3 / 5))
    put turned.sgy $i $((byte + 4)) 4 $((x * 4 / 5))
  done
  put turned.sgy $i 109 2 -60
done
run 1 double shots "${model[@]}" "${segy[@]}" -shots turned.sgy -shots_delay 0.06 "${wavelet[@]}" "${noise[@]}" -out turned
check "recorded from before the shot, and later by as much" cmp <(series back/shots.h5 /y) <(series turned/shots.h5 /y)
check "the line is said" grep -q 'the line runs along azimuth 36.870 degrees' turned.log
check "places along it" test "$(series turned/shots.h5 /receivers | awk '{printf "%.6f %.6f ", $1, $2}')" = \
  "$(series back/shots.h5 /receivers | awk '{printf "%.6f %.6f ", $1, $2}')"
put turned.sgy 7 85 4 4500000
refused "a crooked line" "the line is crooked: source or receiver of trace 7 .* lies [0-9.]* m off .*, more than the model's spacing of 10 m" \
  1 double shots "${model[@]}" "${segy[@]}" -shots turned.sgy "${wavelet[@]}" "${noise[@]}" -out refused
put turned.sgy 2 115 2 999
refused "a trace of another length" "trace 2 of 'turned.sgy' says that it has 999 samples" \
  1 double shots "${model[@]}" "${segy[@]}" -shots turned.sgy "${wavelet[@]}" "${noise[@]}" -out refused
# a line of receivers that moves along: other places for each shot
cp segy/shots.sgy moving.sgy
for ((i = 8; i < 12; i++)); do put moving.sgy $i 81 4 $((5060000 + 100000 * (i - 8))); done
run 1 double shots "${model[@]}" "${segy[@]}" -shots moving.sgy "${wavelet[@]}" "${noise[@]}" -out moving
check "moving receivers" test "$(series moving/shots.h5 /receivers | tr '\t\n' '  ' | awk '{for (i = NF - 9; i <= NF; i++) printf "%s ", $i}')" = \
  '30 550 30 60 30 160 30 260 30 360 '

# ---- models in depth ----

run 1 double export -images array/shots.h5:/receivers -export_spacing 12.5,25 -export_origin 30,1000 -out section
check "depth: 12.5 m" test "$(number section/section.sgy 3217 2)" = 12500
check "depth: CDP X of the second trace in mm" test "$(number section/section.sgy $((3600 + 240 + 16 + 181)) 4)" = 1025000
check "depth: the first sample" test "$(number section/section.sgy $((3600 + 109)) 2)" = 30
check "said in the text header" grep -q 'DEPTH SECTION' <(head -c 3200 section/section.sgy | dd conv=ascii status=none)

# the spacing that a map says of itself
if $python -c 'import h5py' 2>/dev/null; then
  $python -c 'import h5py
d = h5py.File("maps.h5", "w").create_dataset("mean", data=[[1, 2, 3], [4, 5, 6]])
d.attrs["spacing_z"], d.attrs["spacing_x"] = 5.0, 8.0'
  run 1 double export -images maps.h5:/mean -out map
  check "spacing_z" test "$(number map/section.sgy 3217 2)" = 5000
  check "spacing_x" test "$(number map/section.sgy $((3600 + 2 * (240 + 8) + 181)) 4)" = 16000
  refused "a time step in depth" "-segy_dt is for sections in time, the image has a spacing of 5 m" 1 double export -images maps.h5:/mean \
    -segy_dt 0.004 -out map
fi

# ---- what is refused ----

bad=(double shots "${model[@]}" "${segy[@]}" "${wavelet[@]}" "${noise[@]}" -out refused)
refused "geometry outside" "source 0 of -shots at \(z, x\) = \(13, 5100\) m is outside the model: z is 0 to 400 m, x 0 to 600 m, .*-shots_origin 0,5000 would move all in" \
  1 "${bad[@]}" -shots_origin 0,0
head -c 20000 segy/shots.sgy >cut.sgy
refused "a truncated file" "'cut.sgy' is truncated" 2 "${bad[@]}" -shots cut.sgy
refused "a model too small" "the model is too small for a survey of 10 x 500 m" 1 "${bad[@]}" -acoustic_shape 41x31
refused "elevations are depths" "-shots_elevation down" 1 "${bad[@]}" -shots_origin 100,5000
refused "a sample rate below the wavelet" "sampled every 0.02 s, which holds 25 Hz at the most, the wavelet has up to 37.* Hz: take -shots_band" \
  1 "${bad[@]}" -shots_dt 0.02
refused "recorded too seldom" "-acoustic_record_every 20 .* holds 16.6667 Hz at the most, the wavelet has up to 37.* take -acoustic_record_every <= 8" \
  1 "${bad[@]}" -acoustic_record_every 20
refused "shorter than the modelling" "end 1.4985 s after the shot, the modelling goes on to 1.7985 s: take -acoustic_steps <= 1000" \
  1 "${bad[@]}" -acoustic_steps 1200
refused "a wavelet that is too high" "the wavelet is at odds with the data: .* centroid" 1 "${bad[@]}" -shots_wavelet_frequency 45
refused "a wavelet that is too low" "the wavelet is at odds with the data: .* of the data's energy" 1 "${bad[@]}" -shots_wavelet_frequency 4
refused "noise level zero" "the noise level of shot 0 is 0, it must be positive" 1 "${bad[@]}" -shots_noise_std 0
bad+=(-shots_wavelet_delay 0.05) # the wavelet begins at once
refused "a cut wavelet" "of the filtered wavelet's energy comes before time 0, at most 0.001 may: take -shots_delay" 1 "${bad[@]}" -shots_band 1,3,5,8
for velocity in 9000 90000; do
  case $velocity in
    9000) says='shot 0 is silent before its first arrival, 69 samples: its noise level is zero' ;;
    *) says='shot 0 has [0-9]+ samples before a first arrival at 90000 m/s .* at least 50 are needed' ;;
  esac
  refused "estimated at $velocity m/s" "$says" 1 "${bad[@]}" -shots_noise_std estimate -shots_noise_velocity $velocity
done
refused "unequal shots, few places" "shot 1 at .* has 3 receivers, others up to 4, .* 4 places, more than the 3" 1 "${bad[@]}" -shots unequal.sgy \
  -shots_receivers_most 3
{ cat segy/shots.sgy; some 3 1; } >twice.sgy
refused "a trace twice" "traces 3 and 12 .* have the same source" 1 "${bad[@]}" -shots twice.sgy
refused "nothing left" "leave none of the 12000 data" 1 "${bad[@]}" -shots_mute_offset 1000,2000
refused "corners out of order" "corners are 0 or more and in order" 1 "${bad[@]}" -shots_band 5,3,20,30
refused "no noise that is a number" "-shots_noise_std has 2 numbers" 1 "${bad[@]}" -shots_noise_std 1,2
refused "encoding of unequal shots" "-shots_encode: noise or mask of shot 1 differs" 1 double refine "${model[@]}" \
  -options_file_yaml unequal/shots.yaml -prior gaussian -flow elementwise -shots_encode 1 -out refused

# ---- a shot of another program ----

data=${FATHOM_SHARED:-$root/../shared}/data/seismic/shot_250m.segy
if [[ -r $data ]]; then
  cat >judi.yaml <<'YAML'
operator: acoustic
acoustic: {shape: 101x101, spacing: 10, dt: 0.00075, steps: 667, velocity_min: 1500, velocity_max: 3500, unknown: scaled,
           background: 1500, scale: 2000}
YAML
  { printf '0'; for ((i = 1; i < 101 * 101; i++)); do printf ',%s' "$((i >= 50 * 101))"; done; } >two_layers.txt
  # its source is not divided by h^2, its elevations are depths
  run 1 double shots -options_file_yaml judi.yaml -shots "$data" -shots_elevation down -shots_factor 0.01 -shots_wavelet_frequency 15 \
    -shots_wavelet_delay 0.0666666667 -shots_noise_std 1e-3 -out judi
  model=(-options_file_yaml judi.yaml)
  truth=(-models "$(cat two_layers.txt)")
  figure "shot_250m: relative L2, sqrt(1 - .999^2) the most" "$(misfit judi)" 0.03 0.0447
  refused "as the standard has elevations" "-shots_elevation down" 1 double shots -options_file_yaml judi.yaml -shots "$data" \
    -shots_wavelet_frequency 15 "${noise[@]}" -out refused
else
  printf 'skipped: the shot of another program is absent, %s\n' "$data"
fi
verdict
