#!/usr/bin/env bash
# jobs/laplace64 in small: the spline flow by reverse KL against Hamiltonian Monte Carlo on the same energies, 4 unknowns.
# shellcheck source=tests/journey.inc
source "$(dirname "${BASH_SOURCE[0]}")/journey.inc"
small=$root/jobs/laplace64/small.yaml

run 1 single refine -options_file_yaml "$small" -out flow
run 1 single reference -options_file_yaml "$small" -out chains
run 1 single evaluate -options_file_yaml "$small" -warm_start flow/checkpoint.h5 -evaluation_latents 20000 -out evaluate
for i in 1 2 3 4; do
  read -r mean std < <(awk -v m="$(value evaluate mean_$i)" -v s="$(value evaluate std_$i)" -v rm="$(value chains mean_$i)" \
    -v rs="$(value chains std_$i)" 'BEGIN {print (m - rm) / rs, s / rs - 1}')
  figure "mean of unknown $i against the chains [std]" "$mean" -0.1 0.1
  figure "std of unknown $i against the chains, relative" "$std" -0.1 0.1
done
figure "ESS fraction of the flow's weights" "$(value evaluate ess_fraction)" 0.9 1
figure "k-hat of the flow's weights" "$(value evaluate k_hat)" -2 0.7
figure "-log evidence above -ELBO [nats]" \
  "$(awk -v a="$(value evaluate minus_elbo)" -v b="$(value evaluate log_evidence)" 'BEGIN {print a + b}')" -0.01 0.1
# the comparison can fail: data known twice as badly have another posterior
run 1 single evaluate -options_file_yaml "$small" -noise_std 0.1 -warm_start flow/checkpoint.h5 -evaluation_latents 2000 -out other
figure "with other noise the weights are poor" "$(value other ess_fraction)" 0 0.5
verdict
