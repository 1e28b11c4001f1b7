#!/usr/bin/env bash
# The acoustic operator in a training run: all shots, drawn shots and encoded shots give the same weights on any number of ranks
# and in either split; solves are counted; what reports needs all shots.
# shellcheck source=tests/journey.inc
source "$(dirname "${BASH_SOURCE[0]}")/journey.inc"

wave=(-operator acoustic -acoustic_shape 14x18 -acoustic_spacing 10 -acoustic_dt 0.002 -acoustic_steps 90 -acoustic_layers 6
  -acoustic_wavelet_frequency 12 -acoustic_unknown bounded -acoustic_velocity_min 1400 -acoustic_velocity_max 2600
  -acoustic_sources 20,20,20,60,20,100,20,150 -acoustic_receivers 30,20,30,83,30,140)
fit=("${wave[@]}" -prior gaussian -gaussian_mean 0 -gaussian_std 1 -noise_std 0.05 -observed truth/data.h5:/y -flow elementwise
  -batch_size 4 -micro_batch 2 -epochs 1 -steps_per_epoch 3 -evaluation_latents 4)
{ printf '0'; for ((i = 1; i < 14 * 18; i++)); do printf ',%s' "$((i % 7 > 3))"; done; } >model.txt
run 1 double forward "${wave[@]}" -models "$(cat model.txt)" -out truth

# ---- the same weights whoever does the work ----
for way in all drawn encoded; do
  case $way in
  all) how=() ;;
  drawn) how=(-shots_per_sample 2) ;;
  encoded) how=(-shots_encode 1) ;;
  esac
  run 1 double refine "${fit[@]}" "${how[@]}" -out $way/1
  run 2 double refine "${fit[@]}" "${how[@]}" -out $way/2
  same "$way: 1 and 2 sample ranks" $way/{1,2}/checkpoint.h5 "${trained[@]}"
  run 2 double refine "${fit[@]}" "${how[@]}" -ranks_per_sample 2 -acoustic_split shots -out $way/shots
  same "$way: 2 ranks that share the shots" $way/{1,shots}/checkpoint.h5 "${trained[@]}"
done
for name in F JT; do
  check "all: 4 shots x 12 samples of $name" test "$(value all/1 solves_$name)" = 48
  check "all: counted once where ranks share" test "$(value all/shots solves_$name)" = 48
  check "drawn: 2 of 4 shots of $name" test "$(value drawn/1 solves_$name)" = 24
  check "encoded: 1 supershot of $name" test "$(value encoded/2 solves_$name)" = 12
done
differs "drawn shots are another estimate" all/1/checkpoint.h5 drawn/1/checkpoint.h5 /theta
differs "encoded shots too" all/1/checkpoint.h5 encoded/1/checkpoint.h5 /theta

# the other ledgers count shots, too
run 2 double simulate "${wave[@]}" -prior gaussian -gaussian_std 1 -noise_std 0.05 -pairs_count 5 -out pairs
check "simulate: 4 shots x 5 pairs" test "$(value pairs solves_F)" = 20
check "evaluations: 4 latents x 4 shots at the start, of two weights at the end; 4 traces of a mean model at both" \
  test "$(value all/2 diagnostic_F)" = 56
check "counted once where ranks share" test "$(value all/shots diagnostic_F)" = 56

# rows of the grid shared out: gradients have the same bits, and so have the weights
fit+=(-acoustic_shape 28x9 -acoustic_sources 20,20,20,30,20,40,20,50 -acoustic_receivers 30,20,30,33,200,40)
run 2 double refine "${fit[@]}" -acoustic_layers 2 -ranks_per_sample 1 -out strips/1
run 2 double refine "${fit[@]}" -acoustic_layers 2 -ranks_per_sample 2 -acoustic_split domain -out strips/2
same "2 ranks that share the grid" strips/{1,2}/checkpoint.h5 "${trained[@]}"

# a tape with a bound changes nothing
run 1 double refine "${fit[@]}" -acoustic_layers 2 -tape_memory 100000 -out tape
same "a bounded tape" strips/1/checkpoint.h5 tape/checkpoint.h5 "${trained[@]}"

# ---- what reports needs all shots ----
for option in -shots_per_sample -shots_encode; do
  run 1 double evaluate "${fit[@]}" $option 2 -warm_start all/1/checkpoint.h5 -evaluation_latents 8 -out all/of$option
  check "evaluate says that it does not take $option" grep -q "evaluate uses all shots" all/of$option.log
done
refused "more shots than there are" "shots_per_sample.*5" 1 double refine "${fit[@]}" -shots_per_sample 5 -out x
refused "two ways at once" "give one" 2 double refine "${fit[@]}" -shots_per_sample 2 -shots_encode 1 -out x
verdict
