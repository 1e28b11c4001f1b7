#!/usr/bin/env bash
# Shots of a SEG-Y file inverted from low frequencies up (jobs/fwi/bands.sh) on a small grid: the second band is linearised at the first
# one's mean, its prior stays where it was, and its maps go out as SEG-Y at the line's own coordinates.
# shellcheck source=tests/journey.inc
source "$(dirname "${BASH_SOURCE[0]}")/journey.inc"

bands=$root/jobs/fwi
places=(-acoustic_sources 20,60,20,230,20,400)
places+=(-acoustic_receivers "$(awk 'BEGIN {for (i = 0; i < 12; i++) printf "%s20,%d", i ? "," : "", 20 + 38 * i}')")
small=(-acoustic_shape 16x24 -acoustic_layers 8)
run 1 single simulate -options_file_yaml "$bands/bands.yaml" "${small[@]}" "${places[@]}" -acoustic_wavelet_frequency 8 -prior gaussian \
  -gaussian_std 1 -condition data -acoustic_steps 441 -noise_std 0.0187 -pairs_model true -pairs_count 1 -seed 5 -out truth
run 1 single export -images 'truth/pairs.h5:/y[0]' -export_shots true "${places[@]}" -segy_dt 0.0025 -segy_format ieee -export_origin 0,5000 -out segy
small+=(-acoustic_steps 361 -shots_noise_std 0.0187 -informed_rank 30 -pairs_count 200 -epochs 3 -samples 100 -evaluation_latents 20)
FATHOM_BUILD=$build bash "$bands/bands.sh" -n 1 -out out -shots segy/shots.sgy -origin 0,5000 -- "${small[@]}" >bands.log 2>&1 \
  || bad "bands.sh: $(tail -n 3 bands.log)"
grep -E '^(noise|directions|traces|chi|verdict)' bands.log
check "a report" test -s out/report/report.html
check "a verdict" grep -q '^verdict: ' bands.log
figure "chi^2" "$(value out/evaluate chi2)" 0.8 1.2
figure "directions that the low band resolves" "$(value out/band1/informed n_eff)" 5 16
figure "and all" "$(value out/band2/informed n_eff)" 18 40
# white noise of std .0187: int gain^2 is 3 + 3/8 5 Hz of 200 Hz, and 16 + 3/8 4 Hz
figure "noise that the low band leaves" "$(value out/band1/shots noise_std)" 0.002919 0.00292
figure "and the full one" "$(value out/band2/shots noise_std)" 0.005531 0.005532

# the same draws of the prior, whatever it is linearised at
for at in '' out/band1/samples/maps.h5:/mean; do
  run 1 single simulate -options_file_yaml "$bands/bands.yaml" -options_file_yaml out/band2/shots/shots.yaml "${small[@]}" \
    -acoustic_record_every 10 -acoustic_informed out/band2/informed/informed.h5 -acoustic_linearize_at "$at" -pairs_model true -pairs_count 3 \
    -out "prior${at:+.at}"
done
far() { paste <(series "$1" "$3" | tr '\t' '\n') <(series "$2" "$3" | tr '\t' '\n') | awk '{d = $1 - $2; s += d * d} END {print sqrt(s / NR)}'; }
figure "models of the prior, about another point, m/s rms" "$(far prior/pairs.h5 prior.at/pairs.h5 /model)" 0 0.05
figure "their unknowns differ" "$(far prior/pairs.h5 prior.at/pairs.h5 /x)" 0.1 10
figure "the prior's mean is that of the first band" "$(far out/band1/samples/maps.h5 out/band2/samples/maps.h5 /prior_mean)" 0 0.05
figure "the posterior's is not" "$(far out/band1/samples/maps.h5 out/band2/samples/maps.h5 /mean)" 5 150
refused "another prior" 'the prior gaussian would be about that model' 1 single refine -options_file_yaml "$bands/bands.yaml" \
  -options_file_yaml out/band2/shots/shots.yaml "${small[@]}" -acoustic_record_every 10 -prior gaussian -gaussian_std 1 \
  -acoustic_linearize_at out/band1/samples/maps.h5:/mean -out x

# sections with the line's coordinates: CDP X of the second trace in mm, 20 m a sample
number() { od -An -tu1 -j $(($2 - 1)) -N "$3" "$1" | awk '{for (i = 1; i <= NF; i++) v = 256 * v + $i; print v}'; }
for map in mean std p10 p50 p90; do
  check "section of $map" test "$(number out/sections/$map/section.sgy $((3600 + 240 + 4 * 16 + 181)) 4)" = 5020000
done
check "and of 10 samples" test "$(number out/sections/samples/section.sgy 3217 2)" = 20000 -a \
  "$(stat -c %s out/sections/samples/section.sgy)" = $((3600 + 10 * 24 * (240 + 4 * 16)))
verdict
