#!/usr/bin/env bash
# The main job on a small case: sets up (jobs/setup.sh), builds in build/, runs a full-waveform inversion with its uncertainty
# (jobs/fwi/run.sh -small: simulate, pretrain, refine, sample, evaluate, report) and says where its report is. Minutes on two cores.
#
#   bash jobs/demo.sh [-n RANKS] [-out DIR]       default: as many ranks as cores, at most 4; out/fwi
set -euo pipefail
# shellcheck source=jobs/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

ranks=$(nproc)
((ranks <= 4)) || ranks=4
out=$fathom_root/out/fwi
while [[ $# -gt 0 ]]; do
  case $1 in
    -n | -out)
      if [[ $# -lt 2 ]]; then
        fathom_say "$1 needs a value" >&2
        exit 2
      fi
      if [[ $1 == -n ]]; then ranks=$2; else out=$2; fi
      shift 2 ;;
    *)
      fathom_say "jobs/demo.sh knows -n RANKS and -out DIR, not '$1'" >&2
      exit 2 ;;
  esac
done
if [[ ! $ranks =~ ^[1-9][0-9]*$ ]]; then
  fathom_say "-n $ranks: the number of ranks is 1 or more" >&2
  exit 2
fi
fathom_setup

fathom_say "running jobs/fwi/run.sh -small on $ranks ranks"
bash "$fathom_root/jobs/fwi/run.sh" -small -n "$ranks" -out "$out"

fathom_say "open the report in a browser: $out/report/report.html"
fathom_say "results in $out:"
find "$out" \( -name '*.html' -o -name 'results.tsv' -o -name '*.h5' \) -type f | sort | sed 's/^/    /'
