#!/usr/bin/env bash
# A warm start is exact: at step 0 the KL of refine is that of the pretrained checkpoint to the last bit, whatever is trained and
# whichever weights are taken. Weights cross precisions; a run does not. Weights that do not fit are refused in readable words.
# shellcheck source=tests/journey.inc
source "$(dirname "${BASH_SOURCE[0]}")/journey.inc"

flow=(-flow_depth 4 -flow_hidden 32)
fit=(-options_file_yaml "$toy/refine.yaml" "${flow[@]}")
for p in double single; do
  run 1 "$p" simulate -options_file_yaml "$toy/pairs.yaml" -pairs_count 2000 -out "$p/pairs"
  run 2 "$p" pretrain -options_file_yaml "$toy/pretrain.yaml" "${flow[@]}" -pairs "$p/pairs/pairs.h5" -epochs 4 \
    -validation_fraction 0.2 -out "$p/pre"
done

# digits FILE DATASET - the first number of a dataset, every bit
digits() { h5dump -w 0 -y -m %a -d "$2" "$1" | awk '/DATA \{/ {getline; gsub(/[ ,]/, " "); print $1; exit}'; }

for p in double single; do
  for weights in auto last average best; do
    run 1 "$p" evaluate "${fit[@]}" -warm_start "$p/pre/checkpoint.h5" -weights $weights -out "$p/evaluate_$weights"
    kl=$(digits "$p/evaluate_$weights/evaluation.h5" /kl)
    for train in xlane all; do
      out=$p/refine_${weights}_$train
      run 2 "$p" refine "${fit[@]}" -warm_start "$p/pre/checkpoint.h5" -weights $weights -train $train -epochs 1 -out "$out"
      for name in kl kl_last; do
        check "$p, -weights $weights, -train $train: /history/${name}[0] is the pretrained KL, $kl" \
          test -n "$kl" -a "$kl" = "$(digits "$out/checkpoint.h5" /history/$name)"
      done
    done
  done
  differs "$p: last and averaged weights have another KL" "$p"/evaluate_{last,average}/evaluation.h5 /kl
  for train in xlane all; do
    run 3 "$p" evaluate "${fit[@]}" -warm_start "$p/refine_auto_$train/checkpoint.h5" -out "$p/refined_$train"
    last=$(series "$p/refine_auto_$train/checkpoint.h5" /history/kl | tail -n 1)
    check "$p, -train $train: KL of the refined checkpoint is the last of its history, $last" \
      test "$last" = "$(series "$p/refined_$train/evaluation.h5" /kl)"
  done
done

# ---- across precisions ----

run 1 double refine "${fit[@]}" -warm_start single/pre/checkpoint.h5 -epochs 1 -out double/from_single
run 1 single refine "${fit[@]}" -warm_start double/pre/checkpoint.h5 -epochs 1 -out single/from_double
figure "double from single: KL at the start against single's" \
  "$(awk -v a="$(value double/from_single kl_start)" -v b="$(value single/refine_auto_xlane kl_start)" 'BEGIN {print a - b}')" -1e-4 1e-4
figure "single from double: KL at the start against double's" \
  "$(awk -v a="$(value single/from_double kl_start)" -v b="$(value double/refine_auto_xlane kl_start)" 'BEGIN {print a - b}')" -1e-4 1e-4

cp -r double/pre resumed
refused "a resume in another precision" "error: cannot resume: precision was 'double' in the checkpoint and is 'float' now" \
  1 single pretrain -options_file_yaml "$toy/pretrain.yaml" "${flow[@]}" -pairs double/pairs/pairs.h5 -epochs 8 \
  -validation_fraction 0.2 -resume -out resumed
check "the checkpoint is what it was" cmp double/pre/checkpoint.h5 resumed/checkpoint.h5

# ---- another network ----

start=(-warm_start double/pre/checkpoint.h5 -epochs 1 -out misfit)
refused "a deeper flow" "fit this network: -flow_depth is 5, the checkpoint's is 4$" 2 double refine "${fit[@]}" "${start[@]}" -flow_depth 5
refused "a shallower flow" "-flow_depth is 3, the checkpoint's is 4$" 1 double refine "${fit[@]}" "${start[@]}" -flow_depth 3
refused "a wider flow" "-flow_hidden is 48, the checkpoint's is 32$" 1 double refine "${fit[@]}" "${start[@]}" -flow_hidden 48
refused "another network" 'do not fit this network' 1 double refine "${fit[@]}" "${start[@]}" -flow triangular
refused "another network, pretraining" 'do not fit this network' 1 double pretrain -options_file_yaml "$toy/pretrain.yaml" \
  -pairs double/pairs/pairs.h5 "${start[@]}" -flow_depth 2 -flow_hidden 32
check "nothing was written" test ! -e misfit/checkpoint.h5
run 1 double refine "${fit[@]}" "${start[@]}"
check "the same network starts there" test -e misfit/checkpoint.h5
verdict
