#!/usr/bin/env bash
# Recorded shots in SEG-Y, inverted from the lowest frequencies up: each band's posterior mean is where the next band is linearised.
# jobs/fwi/FIELD.md tells how to put one's own data in the place of those that are made here.
#
#   bash jobs/fwi/bands.sh [-n RANKS] [-out DIR] [-seed N] [-small] [-shots FILE.sgy] [-origin Z,X] [-- -option VALUE ...]
#
#   -small   fewer pairs and steps, minutes on two cores
#   -shots   one's own shots; else an unknown model is modelled, and its shots are exported
#   -origin  where the model's first node lies: depth below datum, distance along the line, in m
#   --       options for every command, after those of the files
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
ranks=2 out=$root/out/bands seed=1 small=no shots='' origin=0,0 words=()
while [[ $# -gt 0 ]]; do
  case $1 in
    -n) ranks=${2:?$1 needs a value}; shift 2 ;;
    -out) out=${2:?$1 needs a value}; shift 2 ;;
    -seed) seed=${2:?$1 needs a value}; shift 2 ;;
    -shots) shots=${2:?$1 needs a value}; shift 2 ;;
    -origin) origin=${2:?$1 needs a value}; shift 2 ;;
    -small) small=yes; shift ;;
    --) shift; words=("$@"); break ;;
    *) echo "jobs/fwi/bands.sh knows -n RANKS, -out DIR, -seed N, -small, -shots FILE, -origin Z,X and -- OPTIONS, not '$1'" >&2; exit 2 ;;
  esac
done
# each band: its corners in Hz (zero to F1, one from F2 to F3, zero from F4), the steps between two data (two samples a period at F4: more
# would take noise that the filter made alike for independent), and the eigenpairs to look for
bands=('0,0,3,8' '0,0,16,20') every=(25 10) rank=(120 300)
options=(-seed "$seed" "${words[@]}")
# shellcheck source=jobs/fwi/job.inc
source "$root/jobs/fwi/job.inc"

line() { # COUNT Z FIRST LAST as z,x,z,x,...
  awk -v n="$1" -v z="$2" -v a="$3" -v b="$4" 'BEGIN {for (i = 0; i < n; i++) printf "%s%s,%.10g", i ? "," : "", z, a + i * (b - a) / (n - 1)}'
}

pairs=2000 pretrain=10 refine=12
if [[ $small == yes ]]; then rank=(100 250) pairs=1000 pretrain=8 refine=6; fi
rm -f "$out/log"
begin=$SECONDS
truth=()

# shots as an acquisition leaves them: every 2.5 ms, 1.4 s, white noise, coordinates of a line that begins at 5,000 m
if [[ -z $shots ]]; then
  origin=0,5000
  places=(-acoustic_sources "$(line 8 20 80 1200)" -acoustic_receivers "$(line 32 20 20 1260)")
  run simulate $(use problem truth) -acoustic_steps 561 -acoustic_record_every 1 -noise_std 0.0187 -pairs_count 1 -out "$out/truth"
  run export -images "$out/truth/pairs.h5:/y[0]" -export_shots true "${places[@]}" -segy_dt 0.0025 -segy_format ieee -export_origin "$origin" \
    -out "$out/segy"
  shots=$out/segy/shots.sgy truth=(-truth_model "$out/truth/pairs.h5:/model[0]")
fi

at=() # where the band is linearised: nothing is the background
for ((k = 0; k < ${#bands[@]}; k++)); do
  dir=$out/band$((k + 1))
  echo "band $((k + 1)): ${bands[k]} Hz"
  problem=($(use bands) -acoustic_record_every "${every[k]}")
  run shots "${problem[@]}" -shots "$shots" -shots_origin "$origin" -shots_band "${bands[k]}" -out "$dir/shots"
  problem+=(-options_file_yaml "$dir/shots/shots.yaml" "${at[@]}")
  run informed "${problem[@]}" -informed_rank "${rank[k]}" -out "$dir/informed"
  problem+=(-acoustic_informed "$dir/informed/informed.h5")
  run simulate "${problem[@]}" $(use pairs) -pairs_count $pairs -out "$dir/pairs"
  run pretrain $(use network pretrain) -epochs $pretrain -pairs "$dir/pairs/pairs.h5" -out "$dir/pretrain"
  run refine "${problem[@]}" $(use network refine) -epochs $refine -warm_start "$dir/pretrain/checkpoint.h5" -out "$dir/refine"
  run sample "${problem[@]}" -warm_start "$dir/refine/checkpoint.h5" -samples 1000 "${truth[@]}" -out "$dir/samples"
  at=(-acoustic_linearize_at "$dir/samples/maps.h5:/mean")
  row "noise of the shots, as estimated" "$(value "band$((k + 1))/shots" noise_std_least) to $(value "band$((k + 1))/shots" noise_std_most)"
  row "directions of the model that the data resolve" "$(value "band$((k + 1))/informed" n_eff)"
  row "traces a lag of half a period or more away, start and end" \
    "$(value "band$((k + 1))/refine" cycle_skipped_share_start), $(value "band$((k + 1))/refine" cycle_skipped_share_end)"
  [[ ${#truth[@]} == 0 ]] || row "posterior std and error of its mean, m/s, rms" \
    "$(value "band$((k + 1))/samples" std_rms), $(value "band$((k + 1))/samples" error_rms)"
done
run evaluate "${problem[@]}" $(use refine evaluate) -warm_start "$dir/refine/checkpoint.h5" -out "$out/evaluate"
run report -report_simulate "$dir/pairs" -report_pretrain "$dir/pretrain" -report_refine "$dir/refine" -report_samples "$dir/samples" \
  -report_evaluate "$out/evaluate" "${truth[@]}" -report_title "Shots in bands" -out "$out/report"
# maps and ten samples as sections with the line's own coordinates
section=(-export_origin "$origin" -segy_format ieee)
for map in mean std p10 p50 p90; do
  run export -images "$dir/samples/maps.h5:/$map" "${section[@]}" -out "$out/sections/$map"
done
run export -images "$dir/samples/samples.h5:/model" -export_images 10 "${section[@]}" -out "$out/sections/samples"
echo
[[ ${#truth[@]} == 0 ]] || row "error of the prior's mean, m/s, rms" "$(value band1/samples error_rms_prior_mean)"
row "chi^2 of the data" "$(value evaluate chi2)"
grep -h '^verdict:' "$out/log" | tail -1
echo "result seconds $((SECONDS - begin)) s"
echo "report: $out/report/report.html"
