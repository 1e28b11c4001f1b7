#!/usr/bin/env bash
# Pairs that no rank holds, and pairs that one does: the same bytes on any number of ranks; a file that is cut off under a run.
# SEG-Y to patches, on one rank and three; what patches refuses.
# shellcheck source=tests/journey.inc
source "$(dirname "${BASH_SOURCE[0]}")/journey.inc"

# ---- pairs ----

run 1 single simulate -options_file_yaml "$toy/pairs.yaml" -pairs_count 2001 -out pairs
train=(-pairs pairs/pairs.h5 -flow_depth 2 -flow_hidden 16 -epochs 2 -batch_size 48 -evaluate_every 0 -checkpoint_every 1000)
run 1 single pretrain "${train[@]}" -out held.1
for n in 1 2 3; do
  run "$n" single pretrain "${train[@]}" -pairs_memory 10K -out read.$n
  same "pairs read where they are needed, $n ranks, as pairs held on 1" held.1/checkpoint.h5 read.$n/checkpoint.h5 \
    "${trained[@]}" /theta_best
done
check "the settings say -pairs_memory" grep -q -e '-pairs_memory 10K' read.1.log
for m in 1G 10K; do
  run 2 single evaluate -warm_start held.1/checkpoint.h5 -pairs pairs/pairs.h5 -pairs_memory $m -out loss.$m
done
check "the loss over pairs is the same" diff <(grep nll loss.1G/results.tsv) <(grep nll loss.10K/results.tsv)
refused "-pairs_memory without a number" '-pairs_memory takes bytes, such as 500M or 1G, not .much.' 1 single pretrain "${train[@]}" \
  -pairs_memory much -out bad
refused "-pairs_memory in light years" 'not .3L' 1 single pretrain "${train[@]}" -pairs_memory 3L -out bad

# cut_off RANKS - cut the file off under a run: it ends soon, not with 0, with one sentence a rank at most
cut_off() {
  local n=$1 status=0 begin
  cp pairs/pairs.h5 cut.h5
  launch "$n" single pretrain -pairs cut.h5 -pairs_memory 0 -flow_depth 2 -flow_hidden 16 -epochs 100000 -batch_size 48 \
    -report_seconds 0.2 -out cut.$n </dev/null >cut.$n.log 2>&1 &
  await 30 grep -Eq '^step +[1-9]' cut.$n.log
  truncate -s 5000 cut.h5
  begin=$SECONDS
  wait $! || status=$?
  check "$n rank(s): cut off under a run: not 0 ($status), within 20 s ($((SECONDS - begin)) s)" \
    test "$status" != 0 -a $((SECONDS - begin)) -lt 20
  check "$n rank(s): $(grep -hm 1 'error' cut.$n.log)" grep -Eq "cut.h5' was cut off while it was in use: it has 5000 bytes" cut.$n.log
}
cut_off 1
cut_off 3

# ---- patches ----

section=${FATHOM_SHARED:-$root/../shared}/data/seismic/penobscot_xl1155.sgy
if [[ ! -r $section ]]; then
  echo "no $section: patches of field data are not cut"
  verdict
  exit
fi
window=(-segy "$section" -patch_shape 64x64 -patch_traces 0:300 -patch_samples 0:750)
for n in 1 3; do
  run "$n" single patches "${window[@]}" -patch_stride 16x16 -out regular.$n
  run "$n" single patches "${window[@]}" -patch_count 100 -out random.$n
done
same "patches on a stride, 3 ranks as 1" regular.{1,3}/patches.h5 /x /corner
same "patches at random places, 3 ranks as 1" random.{1,3}/patches.h5 /x /corner
differs "patches of another seed" random.1/patches.h5 regular.1/patches.h5 /corner
# (750 - 64)/16 + 1 = 43 rows of (300 - 64)/16 + 1 = 15 patches
figure "patches on a stride" "$(value regular.1 patches)" 645 645
# numpy, IBM floats decoded by hand: 2058.5783858248897
figure "root mean square of these" "$(value regular.1 scale)" 2058.578 2058.579
run 1 single patches -segy "$section" -patch_traces 301:601 -patch_samples 750:1501 -patch_count 8 \
  -patch_scale_from regular.1/patches.h5 -out unknown
figure "the scale of the training set, for unknowns" "$(value unknown scale)" 2058.578 2058.579
run 1 single pretrain -pairs regular.1/patches.h5 -pairs_memory 1M -flow elementwise -flow_conditional false -flow_depth 1 -epochs 1 \
  -out on_patches

run 1 single pretrain -pairs random.1/patches.h5 -flow elementwise -flow_depth 1 -epochs 1 -out on_random
run 1 single sample -warm_start on_patches/checkpoint.h5 -truth 'unknown/patches.h5:/x[0]' -samples 2 -out samples
refused "a truth of another divisor" '-truth is of numbers divided by .*, but the flow was trained on numbers divided by 2058.57' 1 single sample \
  -warm_start on_patches/checkpoint.h5 -truth 'random.1/patches.h5:/x[0]' -samples 2 -out bad
refused "a prior of another divisor" '-prior_flow is of numbers divided by' 1 single refine -operator mask -mask_shape 64x64 -noise_std 1 \
  -observed 'unknown/patches.h5:/x[0]' -prior flow -prior_flow on_random/checkpoint.h5 -warm_start on_patches/checkpoint.h5 -out bad
refused "a conditional flow of nothing" '-flow_conditional true, but there is no /y in the pairs' 1 single pretrain -pairs regular.1/patches.h5 \
  -flow_squeezes 1 -flow_conditional true -out bad
refused "a conditional flow that sees nothing" 'but -flow elementwise does not see data' 1 single pretrain -pairs pairs/pairs.h5 \
  -flow elementwise -flow_conditional true -out bad
refused "patches over those that say the scale" '-patch_scale_from .* would write over' 1 single patches "${window[@]}" \
  -patch_scale_from regular.1/patches.h5 -out regular.1

# a cube is no section; one line of it is
cube=$(dirname "$section")/f3_crop.sgy
for n in 1 3; do
  refused "a cube" 'is a cube of 23 inlines and 18 crosslines, .* such as the first, inline 111, with -patch_traces 0:18' "$n" single patches \
    -segy "$cube" -patch_shape 8x8 -out bad
done
run 2 single patches -segy "$cube" -patch_shape 8x8 -patch_traces 0:18 -out line
check "constant patches are counted" grep -q '^warning: 2 of 18 patches are constant' line.log
run 1 single pretrain -pairs line/patches.h5 -flow_squeezes 1 -flow_depth 1 -flow_hidden 4 -epochs 1 -out on_line
check "constant images too" grep -q "^warning: 2 of 18 images of 'line/patches.h5' are constant" on_line.log

# out and in again: a patch, in the section's amplitudes, cut from its own section
run 2 single export -images 'regular.1/patches.h5:/x[300]' -segy_factor 2058.5783858248897 -out back
run 1 single patches -segy back/section.sgy -patch_scale_from regular.1/patches.h5 -out again
check "a patch to SEG-Y and back" "$python" -c "
import h5py, numpy as np
a, b = h5py.File('regular.1/patches.h5')['x'][300], h5py.File('again/patches.h5')['x'][:]
assert b.shape == (1, 1, 64, 64) and np.abs(a - b).max() < 1e-5 * np.abs(a).max(), np.abs(a - b).max()"
refused "export of nothing" 'export needs -images' 1 single export -out bad

head -c 1000000 "$section" >cut.sgy
head -c 3000 "$section" >short.sgy
head -c 100000 /dev/zero >zero.sgy
cp "$section" gain.sgy && chmod +w gain.sgy && printf '\000\004' | dd of=gain.sgy bs=1 seek=3224 conv=notrunc status=none
cp "$section" little.sgy && chmod +w little.sgy && printf '\001\000' | dd of=little.sgy bs=1 seek=3224 conv=notrunc status=none
for n in 1 3; do
  refused "no section" 'no section: give -segy' "$n" single patches -out bad
  refused "no such file" 'no such file' "$n" single patches -segy absent.sgy -out bad
  refused "a truncated file" 'truncated or has traces of different lengths' "$n" single patches -segy cut.sgy -out bad
  refused "a short file" 'no SEG-Y file or truncated: its 3000 bytes' "$n" single patches -segy short.sgy -out bad
  refused "no SEG-Y" 'is no SEG-Y file' "$n" single patches -segy zero.sgy -out bad
  refused "format 4" 'SEG-Y format 4; read are 1' "$n" single patches -segy gain.sgy -out bad
  refused "little-endian" 'little-endian' "$n" single patches -segy little.sgy -out bad
  refused "traces outside" 'has 601 traces, 0:601' "$n" single patches -segy "$section" -patch_traces 300:602 -out bad
  refused "samples outside" 'has 1501 samples' "$n" single patches -segy "$section" -patch_samples -1:9 -out bad
  refused "a large patch" 'the window has 750 samples and 300 traces' "$n" single patches "${window[@]}" -patch_shape 64x301 -out bad
  refused "stride and count" 'give one of them' "$n" single patches "${window[@]}" -patch_stride 8x8 -patch_count 5 -out bad
  refused "no scale" 'scale' "$n" single patches "${window[@]}" -patch_scale_from pairs/pairs.h5 -out bad
done
check "nothing is left of what was refused" test ! -e bad/patches.h5 -a ! -e bad/patches.h5.tmp
verdict
