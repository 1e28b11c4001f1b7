#!/usr/bin/env bash
# The tables and figures of a finished run.sh: DIR/table.tsv (a line an unknown and method), DIR/results.tsv (means, paired differences,
# applications until J is within .02 nats an unknown of the best), PNGs.
#
#   bash jobs/compressed_sensing/report.sh -out DIR [-no-plots]
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
here=$root/jobs/compressed_sensing
out=$root/out/compressed_sensing/generated plots=yes
while [[ $# -gt 0 ]]; do
  case $1 in
    -out) out=$2; shift 2 ;;
    -no-plots) plots=no; shift ;;
    *) echo "jobs/compressed_sensing/report.sh knows -out DIR and -no-plots, not '$1'" >&2; exit 2 ;;
  esac
done
fathom=${FATHOM_BUILD:-$root/build}/fathom
[[ -f $out/table.tsv ]] || { echo "no '$out/table.tsv': run jobs/compressed_sensing/run.sh first" >&2; exit 1; }
methods="eq3 control eq6 eq6_low_posterior scratch"
n=$("$fathom" inspect "$out/own/pairs.h5" | sed -n 's/^x  *\[[0-9]*\]\[1\]\[\([0-9]*\)\]\[\([0-9]*\)\]$/\1 \2/p' | awk '{print $1 * $2}')

# columns: kind number method snr coverage std_rms error_rms minus_elbo applications prior_energy
summary() { # KIND
  awk -F '\t' -v kind="$1" -v methods="$methods" -v n="$n" '
    $1 == kind {
      m = $3; count[m]++; snr[m, $2] = $4; s[m] += $4; s2[m] += $4 * $4; cover[m] += $5; std[m] += $6; error[m] += $7; j[m] += $8 / n
      f[m] += $9; if (!($2 in seen)) { seen[$2] = 1; number[++numbers] = $2 }
    }
    END {
      split(methods, name, " ")
      for (k = 1; k in name; k++) {
        m = name[k]; c = count[m]; if (!c) continue
        printf "%s_%s_snr\t%.4g\tdB\n", kind, m, s[m] / c
        printf "%s_%s_coverage\t%.4g\t1\n", kind, m, cover[m] / c
        printf "%s_%s_std\t%.4g\tmodel\n", kind, m, std[m] / c
        printf "%s_%s_error\t%.4g\tmodel\n", kind, m, error[m] / c
        if (f[m]) printf "%s_%s_minus_elbo\t%.4g\tnats/unknown\n", kind, m, j[m] / c
        if (f[m]) printf "%s_%s_applications\t%d\t1\n", kind, m, f[m] / c
      }
      split("control eq3 scratch eq6_low_posterior", other, " ")
      for (k = 1; k in other; k++) {
        sum = square = 0
        for (i = 1; i <= numbers; i++) { d = snr["eq6", number[i]] - snr[other[k], number[i]]; sum += d; square += d * d }
        mean = sum / numbers
        printf "%s_eq6_over_%s\t%.3f\tdB\n", kind, other[k], mean
        if (numbers > 1) printf "%s_eq6_over_%s_se\t%.3f\tdB\n", kind, other[k], sqrt((square / numbers - mean * mean) / (numbers - 1))
      }
    }' "$out/table.tsv"
}
series() { "$fathom" inspect "$out/$1/checkpoint.h5:/history/$2"; }
curve() { paste <(series "$1" evaluation_F) <(series "$1" kl) >"$out/$1.tsv"; }
# applications at which a curve first comes within .02 nats an unknown of the best of the two
reached() { # KIND NUMBER
  awk -v n="$n" -v label="$1$2" '
    FNR == NR { if (FNR == 1 || $2 < best) best = $2; warm[FNR] = $1; a[FNR] = $2; na = FNR; next }
    { if ($2 < best) best = $2; cold[FNR] = $1; b[FNR] = $2; nb = FNR }
    END {
      for (i = na; i >= 1; i--) if (a[i] <= best + .02 * n) w = warm[i]
      for (i = nb; i >= 1; i--) if (b[i] <= best + .02 * n) c = cold[i]
      printf "%s_best_minus_elbo\t%.4g\tnats/unknown\n", label, best / n
      if (w) printf "%s_applications_eq6\t%s\t1\n", label, w
      if (c) printf "%s_applications_scratch\t%s\t1\n", label, c
      if (!w || !c) printf "%s_within_02_nats\t0\tof both runs\n", label
      if (w && c) printf "%s_applications_scratch_over_eq6\t%.2f\t1\n", label, c / w
    }' "$out/$1$2/eq6_long.tsv" "$out/$1$2/scratch_long.tsv"
}
: >"$out/results.tsv"
for kind in own across; do
  summary "$kind" >>"$out/results.tsv"
  for folder in "$out/$kind"[0-9]*/scratch_long; do
    [[ -d $folder ]] || continue
    u=$(basename "$(dirname "$folder")")
    curve "$u/eq6_long"
    curve "$u/scratch_long"
    reached "$kind" "${u#"$kind"}" >>"$out/results.tsv"
  done
done
awk -F '\t' '{print "result", $1, $2, $3}' "$out/results.tsv"

[[ $plots == yes ]] || exit 0
command -v gnuplot >/dev/null || { echo "no gnuplot: no figures (apt-get install gnuplot-nox)"; exit 0; }
side=$("$fathom" inspect "$out/own/pairs.h5" | sed -n 's/^x  *\[[0-9]*\]\[1\]\[\([0-9]*\)\]\[\([0-9]*\)\]$/\1 \2/p')
read -r rows columns <<<"$side"
# an image as a text matrix: inspect prints an image a line, NUMBER is the how many-th (from 0); what follows is not waited for
image() { # FILE:/dataset NUMBER TO
  { "$fathom" inspect "$1" 2>/dev/null || true; } | awk -v k="$2" 'NR == k + 1 { print; exit }' | tr '\t' '\n' \
    | awk -v w="$columns" '{ printf "%s%s", $1, NR % w ? " " : "\n" }' >"$3"
}
for kind in own across; do
  u=${kind}0
  mkdir -p "$out/figures"
  image "$out/$kind/pairs.h5:/x" 0 "$out/figures/truth.txt"
  image "$out/$kind/pairs.h5:/y" 0 "$out/figures/data.txt"
  for method in eq3 eq6; do
    image "$out/$u/$method/samples/maps.h5:/mean" 0 "$out/figures/${method}_mean.txt"
    image "$out/$u/$method/samples/maps.h5:/std" 0 "$out/figures/${method}_std.txt"
    for k in 0 1 2; do image "$out/$u/$method/samples/samples.h5:/x" $k "$out/figures/${method}_sample$k.txt"; done
    paste -d ' ' "$out/figures/truth.txt" "$out/figures/${method}_mean.txt" \
      | awk -v w="$columns" '{ for (i = 1; i <= w; i++) printf "%g%s", $i - $(i + w), i < w ? " " : "\n" }' >"$out/figures/${method}_error.txt"
  done
  gnuplot -e "from='$out/figures'; to='$out/$kind.png'; rows=$rows; columns=$columns; what='$kind'" "$here/images.gp"
  echo "figure: $out/$kind.png"
  if [[ -f $out/$u/scratch_long.tsv ]]; then
    gnuplot -e "from='$out/$u'; to='$out/${kind}_curves.png'; n=$n; what='$kind'" "$here/curves.gp"
    echo "figure: $out/${kind}_curves.png"
  fi
done
