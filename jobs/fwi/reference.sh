#!/usr/bin/env bash
# The small case with a reference: 16 Karhunen-Loeve modes of a smoother Matern prior, three shots; the refined flow beside Hamiltonian
# Monte Carlo from four over-dispersed chains (fathom reference, in the flow's latent space). Numbers go to jobs/fwi/reference.tsv.
#
#   bash jobs/fwi/reference.sh [-n RANKS] [-out DIR]     (build/ must be there: bash jobs/demo.sh)
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
ranks=2 out=$root/out/fwi-modes
while [[ $# -gt 0 ]]; do
  case $1 in
    -n) ranks=${2:?$1 needs a value}; shift 2 ;;
    -out) out=${2:?$1 needs a value}; shift 2 ;;
    *) echo "jobs/fwi/reference.sh knows -n RANKS and -out DIR, not '$1'" >&2; exit 2 ;;
  esac
done
options=()
# shellcheck source=jobs/fwi/job.inc
source "$root/jobs/fwi/job.inc"

mapfile -t problem < <(use problem modes)
rm -f "$out/log"
run informed "${problem[@]}" $(use informed) -informed_rank 16 -informed_passes 2 -out "$out/informed"
run simulate "${problem[@]}" $(use truth) -acoustic_informed '' -pairs_count 1 -out "$out/truth"
problem+=(-acoustic_informed "$out/informed/informed.h5")
run simulate "${problem[@]}" $(use pairs) -out "$out/pairs"
run pretrain $(use modes_network) -pairs "$out/pairs/pairs.h5" -epochs 20 -learning_rate_decay cosine -out "$out/pretrain"
problem+=(-observed "$out/truth/pairs.h5:/y[0]")
run refine "${problem[@]}" $(use modes_network) -batch_size 32 -shots_per_sample 1 -steps_per_epoch 25 -epochs 36 -evaluate_every 100 \
  -evaluation_latents 256 -learning_rate 1e-3 -learning_rate_decay cosine -warm_start "$out/pretrain/checkpoint.h5" -out "$out/refine"
run evaluate "${problem[@]}" -evaluation_latents 10000 -trust_latents 256 -warm_start "$out/refine/checkpoint.h5" -out "$out/evaluate"
run reference "${problem[@]}" -latent "$out/refine/checkpoint.h5" -chains 4 -warmup 200 -iterations 1500 -out "$out/reference"

# flow beside reference, mode after mode
{
  printf '# %s, %s; reference: rhat_max %s, ess_bulk_min %s, mcse_over_std_max %s; flow: ess_fraction %s, k_hat %s\n' \
    'bash jobs/fwi/reference.sh' "$("$fathom" help 2>&1 | grep -om1 'fathom [0-9.]*' || echo fathom)" "$(value reference rhat_max)" \
    "$(value reference ess_bulk_min)" "$(value reference mcse_over_std_max)" "$(value evaluate ess_fraction)" "$(value evaluate k_hat)"
  printf 'mode\tmean_reference\tstd_reference\tmean_flow\tstd_flow\tdifference_of_means_over_std\tratio_of_stds\n'
  for k in $(seq 1 16); do
    printf '%s\t%s\t%s\t%s\t%s\n' "$k" "$(value reference mean_$k)" "$(value reference std_$k)" "$(value evaluate mean_$k)" "$(value evaluate std_$k)"
  done | awk -F '\t' -v OFS='\t' '{print $0, ($4 - $2) / $3, $5 / $3}'
} >"$out/reference.tsv"
cat "$out/reference.tsv"
awk -F '\t' '/^[0-9]/ {d = $6 < 0 ? -$6 : $6; if (d > most) most = d; r = $7 > 1 ? $7 - 1 : 1 - $7; if (r > worst) worst = r}
  END {printf "result mean_difference_max %.4g std\nresult std_difference_max %.4g 1\n", most, worst}' "$out/reference.tsv"
printf 'result ess_fraction %s 1\nresult k_hat %s 1\nresult rhat_max %s 1\nresult ess_bulk_min %s 1\n' "$(value evaluate ess_fraction)" \
  "$(value evaluate k_hat)" "$(value reference rhat_max)" "$(value reference ess_bulk_min)"
