#!/usr/bin/env bash
# The linear-Gaussian row: a closed-form posterior in 8 unknowns, by the HINT flow (pretrained, refined) and by one dense triangular layer.
#
#   bash jobs/linear_gaussian/run.sh [-n RANKS] [-out DIR] [-seed N] [-double]     (build/ must be there: bash jobs/demo.sh)
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
here=$root/jobs/linear_gaussian
ranks=2 out=$root/out/linear_gaussian seed=1 program=fathom
while [[ $# -gt 0 ]]; do
  case $1 in
    -n) ranks=$2; shift 2 ;;
    -out) out=$2; shift 2 ;;
    -seed) seed=$2; shift 2 ;;
    -double) program=fathom-double; shift ;;
    *) echo "jobs/linear_gaussian/run.sh knows -n RANKS, -out DIR, -seed N and -double, not '$1'" >&2; exit 2 ;;
  esac
done
fathom=${FATHOM_BUILD:-$root/build}/$program
[[ -x $fathom ]] || { echo "no program '$fathom': run bash jobs/demo.sh, which builds it" >&2; exit 1; }
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OPENBLAS_NUM_THREADS=1
mkdir -p "$out"
rm -f "$out/log"
run() {
  echo "+ $program $*" | sed "s#$root/##g"
  mpirun -n "$ranks" --oversubscribe "$fathom" "$@" -seed "$seed" >>"$out/log" 2>&1 || { tail -5 "$out/log" >&2; exit 1; }
}
value() { awk -F '\t' -v name="$2" '$1 == name {print $2}' "$out/$1/results.tsv"; }

run refine -options_file_yaml "$here/triangular.yaml" -out "$out/triangular"
run simulate -options_file_yaml "$here/pairs.yaml" -out "$out/pairs"
run pretrain -options_file_yaml "$here/pretrain.yaml" -pairs "$out/pairs/pairs.h5" -out "$out/pretrain"
run refine -options_file_yaml "$here/refine.yaml" -warm_start "$out/pretrain/checkpoint.h5" -out "$out/refine"
echo
echo "result kl_triangular $(value triangular kl) nats"
echo "result kl_hint_start $(value refine kl_start) nats"
echo "result kl_hint $(value refine kl) nats"
echo "result ess_fraction_hint $(value refine ess_fraction) 1"
