#!/usr/bin/env bash
# The benchmark's posterior by Hamiltonian Monte Carlo: in phi (DIR/reference), and with -tails, by chains under a tilt, the
# means of theta = exp(phi), which rare values make (DIR/tails), beside the published ones where these are at hand.
#
#   bash jobs/laplace64/reference.sh [-n RANKS] [-out DIR] [-seed N] [-double] [-tails] [-data FOLDER]
#                                                                  (build/ must be there: bash jobs/demo.sh)
# The data are z_hat.txt of FOLDER (default ../shared/data/laplace64; deal.II code gallery, MCMC-Laplace), else our own: truth.yaml.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
here=$root/jobs/laplace64
ranks=2 out=$root/out/laplace64 seed=1 program=fathom tails=no data=$root/../shared/data/laplace64
while [[ $# -gt 0 ]]; do
  case $1 in
    -n) ranks=$2; shift 2 ;;
    -out) out=$2; shift 2 ;;
    -seed) seed=$2; shift 2 ;;
    -data) data=$2; shift 2 ;;
    -double) program=fathom-double; shift ;;
    -tails) tails=yes; shift ;;
    *) echo "jobs/laplace64/reference.sh knows -n RANKS, -out DIR, -seed N, -double, -tails and -data FOLDER, not '$1'" >&2; exit 2 ;;
  esac
done
fathom=${FATHOM_BUILD:-$root/build}/$program
[[ -x $fathom ]] || { echo "no program '$fathom': run bash jobs/demo.sh, which builds it" >&2; exit 1; }
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OPENBLAS_NUM_THREADS=1
mkdir -p "$out"
rm -f "$out/reference.log"
run() {
  echo "+ $program $1 -options_file_yaml $2 ... -out $out" | sed "s#$root/##g"
  mpirun -n "$ranks" --oversubscribe "$fathom" "$1" -options_file_yaml "$2" "${@:3}" -seed "$seed" >>"$out/reference.log" 2>&1 ||
    { tail -5 "$out/reference.log" >&2; exit 1; }
}
show() { awk -F '\t' -v dir="$1" 'NR > 1 {printf "result %s_%s %s %s\n", dir, $1, $2, $3}' "$out/$1/results.tsv"; }

if [[ -f $data/z_hat.txt ]]; then
  observed=$(paste -sd, "$data/z_hat.txt")
else
  echo "no '$data/z_hat.txt': data of our own at the benchmark's exact coefficient"
  run forward "$here/truth.yaml" -out "$out/truth"
  observed=$out/truth/data.h5:/y
fi
run reference "$here/reference.yaml" -observed "$observed" -out "$out/reference"
show reference
[[ $tails == yes ]] || exit 0
run reference "$here/reference.yaml" -observed "$observed" -chains 8 -warmup 500 -tilt 4000 -iterations 8500 \
  -out "$out/tails"
show tails
[[ -f $data/z_hat.txt && -f $data/reference_posterior_mean.txt ]] || exit 0

# our means and their standard errors beside the published ones, k = i + 8 j
series() { "$fathom" inspect "$out/tails/reference.h5:$1"; }
paste <(series /exp/mean) <(series /exp/mcse) "$data/reference_posterior_mean.txt" |
  awk '{z = ($1 - $3) / $2; if (z < 0) z = -z; if (z > most) most = z; if (z > 3) beyond++; square += z * z;
        d = $1 / $3 - 1; if (d < 0) d = -d; if (d > off) off = d; n++}
       END {printf "result tails_z_max %.3g 1\nresult tails_z_rms %.3g 1\nresult tails_beyond_3 %d 1\nresult tails_relative_max %.3g 1\n",
            most, sqrt(square / n), beyond, off}'
