#!/usr/bin/env bash
# README's examples as they stand: its acoustic.yaml and, line by line, its commands; the images' commands as one script.
# shellcheck source=tests/journey.inc
source "$(dirname "${BASH_SOURCE[0]}")/journey.inc"

# block FIRST - the indented block of README whose first line begins so, without its indentation
block() {
  awk -v first="    $1" 'index($0, first) == 1 {on = 1} on && !/^    / {exit} on {print substr($0, 5)}' "$root/README.md"
}
block 'operator: acoustic' >acoustic.yaml
block 'use="-options_file_yaml' >commands
check "an options file" grep -q '^prior: ' acoustic.yaml
check "eight commands" test "$(grep -c '^fathom ' commands)" = 8
PATH=$build:$PATH
while read -r line; do
  case $line in
    use=*) eval "$line" ;;
    *) check "$line" bash -c "use='$use'; ${line%%#*} >>log 2>&1" ;;
  esac
done <commands
check "nothing was warned of" test "$(grep -c '^warning' log)" = 0
figure "of 32 latents none failed" "$(value evaluated failed)" 0 0
figure "solves of an evaluation: latents x shots" "$(value evaluated diagnostic_F)" 64 64
figure "solves of 200 pairs" "$(value pairs solves_F)" 400 400

block 'use="-operator romberg' >images.sh
check "seven commands" test "$(grep -c '^fathom ' images.sh)" = 7
check "the images' commands" bash -e -c 'source ./images.sh >>images.log 2>&1'
check "nothing was warned of but the prior" bash -c "! grep '^warning' images.log | grep -qv 'prior mismatch'"
check "a SEG-Y file" test -s image/section.sgy
figure "SNR of the refined mean [dB]" "$(value image_samples snr)" 3 40
verdict
