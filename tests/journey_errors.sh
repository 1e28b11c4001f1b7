#!/usr/bin/env bash
# What a user can get wrong: one sentence beginning "fathom: error: " from rank 0, a non-zero exit of mpirun within seconds, no
# trace, and a checkpoint in the output folder that stays what it is - on one rank and on three.
# shellcheck source=tests/journey.inc
source "$(dirname "${BASH_SOURCE[0]}")/journey.inc"
# shellcheck source=tests/errors.inc
source "$tests/errors.inc"

flow=(-flow_depth 1 -flow_hidden 8)

# ---- good files, and bad ones made of them ----

run 1 double simulate -options_file_yaml "$toy/pairs.yaml" -pairs_count 200 -out made
run 1 double pretrain -pairs made/pairs.h5 "${flow[@]}" -epochs 1 -out made
run 1 double simulate -options_file_yaml "$toy/pairs.yaml" -pairs_count 200 -seed 2 -out other
good_pairs=made/pairs.h5 good_checkpoint=made/checkpoint.h5
mkdir there
cp $good_checkpoint there/checkpoint.h5
truth=(-operator dense -dense_matrix '1,0.5,0,1' -noise_std 0.4 -prior rosenbrock -observed '1,2')
run 1 double refine "${truth[@]}" "${flow[@]}" -epochs 1 -steps_per_epoch 2 -warm_start $good_checkpoint -out refined
run 1 double simulate -operator dense -dense_rows 1 -dense_matrix 1,2 -noise_std 0.4 -prior rosenbrock -pairs_count 50 -out narrow
run 1 double simulate -operator dense -dense_matrix 1,0,0,0,1,0,0,0,1 -noise_std 1 -prior gaussian -gaussian_std 1 -pairs_count 50 \
  -out wide

cat >waves.yaml <<'YAML'
operator: acoustic
acoustic: {shape: 8x9, spacing: 10, dt: 0.0015, steps: 30, layers: 4, unknown: scaled, background: 2000, scale: 60, velocity_min: 1700}
acoustic_sources: 15,15,5,22
acoustic_receivers: 5,25,28,12
prior: gaussian
gaussian_std: 1
noise_std: 0.05
YAML
ricker=(-acoustic_wavelet_frequency 15 -acoustic_wavelet_delay 0.02)
run 1 double simulate -options_file_yaml waves.yaml "${ricker[@]}" -pairs_count 1 -out shots
waves=(-options_file_yaml waves.yaml -observed shots/pairs.h5:/y -flow triangular -flow_conditional 0)
diffusion=(-operator laplace -laplace_cells 4 -laplace_blocks 1 -laplace_points 1 -laplace_unknown value -prior gaussian -noise_std 1)

printf 'prior: rosenbrock\n  operator: [dense\n' >syntax.yaml
printf -- '- prior\n- operator\n' >list.yaml
printf 'prior: rosenbrock\nseed: [[1, 2], 3]\n' >nested.yaml
printf 'priors: rosenbrock\n' >unknown.yaml
printf 'this is no HDF5 file, whatever its name says\n' >foreign.h5
: >empty.h5
mkdir folder.h5
head -c 5000 $good_pairs >truncated_pairs.h5
head -c 9000 $good_checkpoint >truncated.h5
length=$(tail -c 64 $good_checkpoint | sed -n 's/.*length \([0-9]*\)$/\1/p')
head -c "$length" $good_checkpoint >no_checksum.h5
head -c 40 $good_checkpoint >stub.h5
cp $good_checkpoint flipped.h5
byte=$(od -An -tu1 -j 6000 -N 1 $good_checkpoint)
printf '%b' "\\x$(printf '%02x' $((byte ^ 16)))" | dd of=flipped.h5 bs=1 seek=6000 conv=notrunc status=none
printf 'a regular file\n' >regular

# files that only a library makes: NaN, shapes, a newer schema; without h5py those cases are left out
made_by_hand=no
if $python -c 'import h5py, numpy' 2>/dev/null; then
  made_by_hand=yes
  $python - <<'PYTHON'
import h5py
import numpy as np

def pairs(name, **members):
    with h5py.File(name, "w") as f:
        for key, value in members.items():
            f[key] = value

x = np.random.default_rng(1).normal(size=(30, 2))
bad = x.copy()
bad[17, 1] = np.nan
pairs("nan_x.h5", x=bad, y=x)
pairs("inf_y.h5", x=x, y=np.where(np.arange(60).reshape(30, 2) == 44, np.inf, x))
pairs("no_x.h5", models=x, y=x)
pairs("unequal.h5", x=x, y=x[:29])
pairs("no_rows.h5", x=x[:0], y=x[:0])
pairs("text.h5", x="words", y=x)
pairs("five.h5", x=x.reshape(30, 2, 1, 1, 1), y=x)
pairs("waves.h5", nan=np.where(np.arange(72).reshape(8, 9) == 21, np.nan, 2000), minus=np.where(np.arange(72).reshape(8, 9) == 21, -1, 2000),
      turned=np.zeros((4, 9, 8)), places=np.array([[10, np.nan]]), triples=np.ones((2, 3)))
pairs("data.h5", nan=np.array([1.0, np.nan]), three=np.ones(3), cube=np.ones((2, 2, 2)), matrix=np.array([[1, 0], [np.inf, 1]]))
with h5py.File("made/checkpoint.h5") as old, h5py.File("newer.h5", "w") as new:
    for key, value in old.attrs.items():
        if key != "fathom_checksum":
            new.attrs[key] = value
    for key in old:
        old.copy(key, new)
    new.attrs["schema_version"] = np.int64(1000)
with h5py.File("made/checkpoint.h5") as old, h5py.File("unfinished.h5", "w") as new:
    for key, value in old.attrs.items():
        if key != "fathom_checksum":
            new.attrs[key] = value
    for key in old:
        if key not in ("theta", "theta_average", "theta_best"):
            old.copy(key, new)
PYTHON
else
  echo "no h5py: files with NaN, odd shapes and a newer schema are not tried"
fi

pretrain=(pretrain "${flow[@]}" -epochs 1 -out @)
refine=(refine "${flow[@]}" -epochs 1 -steps_per_epoch 2 -out @)
evaluate=(evaluate -out @ -evaluation_latents 100)

# the words themselves
wrong yaml_missing "cannot open the options file 'nowhere.yaml': No such file" "${pretrain[@]}" -options_file_yaml nowhere.yaml
wrong yaml_syntax "'syntax.yaml' line 2: " "${pretrain[@]}" -options_file_yaml syntax.yaml
wrong yaml_list "'list.yaml' line 1: expected lines 'option: value'" "${pretrain[@]}" -options_file_yaml list.yaml
wrong yaml_nested "'nested.yaml' line 2: " "${pretrain[@]}" -options_file_yaml nested.yaml
wrong yaml_folder "'folder.h5'" "${pretrain[@]}" -options_file_yaml folder.h5
wrong yaml_no_name "-options_file_yaml needs the name of a file" "${pretrain[@]}" -options_file_yaml
wrong option_unknown "unknown option -learning_rat; the nearest known one is -learning_rate " "${pretrain[@]}" -learning_rat 1
wrong option_in_yaml "unknown option -priors; the nearest known one is -prior " "${pretrain[@]}" -options_file_yaml unknown.yaml
wrong command_unknown "unknown command 'pretain'; did you mean 'pretrain'\?" pretain -out @
wrong command_nonsense "unknown command 'qqqqqqqq' \(see: fathom help\)" qqqqqqqq -out @
wrong word_unexpected "unexpected word 'extra'" "${pretrain[@]}" -seed 1 extra
wrong word_of_no_use "unexpected word 'pairs.h5'" pretrain pairs.h5 -out @
wrong help_unknown "no help on 'nothing'" help nothing
wrong operator_unknown "'dens'" "${refine[@]}" "${truth[@]}" -operator dens
wrong prior_unknown "'rosenbrok'" "${refine[@]}" "${truth[@]}" -prior rosenbrok
wrong prior_likelihood "-prior likelihood would count the data twice" "${refine[@]}" "${truth[@]}" -prior likelihood
wrong network_unknown "'hynt'" "${pretrain[@]}" -pairs $good_pairs -flow hynt
wrong choice_decay "-learning_rate_decay 'linear' is not one of constant\|" "${pretrain[@]}" -pairs $good_pairs -learning_rate_decay linear
wrong choice_weights "-weights 'first' is not one of " "${evaluate[@]}" "${truth[@]}" -weights first
wrong choice_estimator "-estimator 'score' is not one of total\|path" "${refine[@]}" "${truth[@]}" -estimator score
wrong choice_variant "'unofficial'" "${pretrain[@]}" -pairs $good_pairs -flow_variant unofficial
wrong choice_train "-train 'ylane' is not one of xlane\|all" "${refine[@]}" "${truth[@]}" -train ylane

# numbers
wrong number_words "-batch_size takes an integer, not 'many'" "${pretrain[@]}" -pairs $good_pairs -batch_size many
wrong number_fraction "-epochs takes an integer, not '1.5'" "${pretrain[@]}" -pairs $good_pairs -epochs 1.5
wrong number_real "-learning_rate takes a finite number, not 'fast'" "${pretrain[@]}" -pairs $good_pairs -learning_rate fast
wrong number_nan "-learning_rate takes a finite number, not 'nan'" "${pretrain[@]}" -pairs $good_pairs -learning_rate nan
wrong number_flag "-resume takes true or false, not 'perhaps'" "${pretrain[@]}" -pairs $good_pairs -resume perhaps
wrong batch_zero "-batch_size 0 is outside " "${pretrain[@]}" -pairs $good_pairs -batch_size 0
wrong micro_batch_negative "-micro_batch -1 is outside " "${refine[@]}" "${truth[@]}" -micro_batch -1
wrong epochs_negative "-epochs -1 is outside " "${pretrain[@]}" -pairs $good_pairs -epochs -1
wrong seed_negative "-seed -3 is outside " "${pretrain[@]}" -pairs $good_pairs -seed -3
wrong depth_zero "-flow_depth 0 is outside " "${pretrain[@]}" -pairs $good_pairs -flow_depth 0
wrong rate_negative "-learning_rate -0.1 is outside " "${pretrain[@]}" -pairs $good_pairs -learning_rate -0.1
wrong fraction_large "-validation_fraction 1.5 is outside " "${pretrain[@]}" -pairs $good_pairs -validation_fraction 1.5
wrong space_ranks "ranks_per_sample" "${refine[@]}" "${truth[@]}" -ranks_per_sample 2
wrong latents_path "-latents 100 with -estimator path" "${refine[@]}" "${truth[@]}" -latents 100
wrong samples_zero "-samples 0 is outside " sample -warm_start refined/checkpoint.h5 -samples 0 -out @
wrong pieces_many "at most 4096 fit the exact sum" "${refine[@]}" "${truth[@]}" -batch_size 100000 -micro_batch 1
wrong array_words "-observed: entry 1, 'two', is not a number" "${refine[@]}" "${truth[@]}" -observed 1,two
wrong array_nan "-observed: entry \[1\] is nan" "${refine[@]}" "${truth[@]}" -observed 1,nan
wrong matrix_nan "-dense_matrix: entry \[3\] is nan" "${refine[@]}" "${truth[@]}" -dense_matrix 1,0,0,nan

# the problem
wrong noise_zero "-noise_std must be positive: got 0" "${refine[@]}" "${truth[@]}" -noise_std 0
wrong noise_negative "-noise_std must be positive: got -0.4" "${refine[@]}" "${truth[@]}" -noise_std -0.4
wrong noise_absent "needs -noise_std" "${refine[@]}" -operator dense -dense_matrix 1,0,0,1 -prior rosenbrock -observed 1,2
wrong noise_count "-noise_std has 3 numbers" "${refine[@]}" "${truth[@]}" -noise_std 1,1,1
wrong noise_simulate "-noise_std must be positive: got -1" simulate "${truth[@]}" -noise_std -1 -out @
wrong mask_count "-data_mask has 3 entries" "${refine[@]}" "${truth[@]}" -data_mask 1,0,1
wrong mask_values "-data_mask takes 0 and 1: got 0.5" "${refine[@]}" "${truth[@]}" -data_mask 1,0.5
wrong mask_empty "-data_mask leaves out every one" "${refine[@]}" "${truth[@]}" -data_mask 0,0
wrong matrix_ragged "-dense_matrix has 3 numbers, which fill no square matrix" "${refine[@]}" "${truth[@]}" -dense_matrix 1,2,3
wrong matrix_absent "the operator dense needs -dense_matrix" "${refine[@]}" -operator dense -prior rosenbrock -noise_std 1 -observed 1,2
wrong observed_count "-observed has 3 values" "${refine[@]}" "${truth[@]}" -observed 1,2,3
wrong observed_absent "no observed data" "${refine[@]}" -operator dense -dense_matrix 1,0,0,1 -prior rosenbrock -noise_std 1
wrong operator_absent "no operator" "${refine[@]}" -prior rosenbrock -noise_std 1 -observed 1,2
wrong prior_absent "no prior" "${refine[@]}" -operator dense -dense_matrix 1,0,0,1 -noise_std 1 -observed 1,2
wrong prior_size "unknowns" "${refine[@]}" "${truth[@]}" -dense_matrix 1,0,0,0,1,0,0,0,1 -observed 1,2,3
wrong covariance "-gaussian_covariance is not positive definite" "${refine[@]}" "${truth[@]}" -prior gaussian -gaussian_covariance 1,2,2,1
wrong covariance_odd "-gaussian_covariance is not symmetric" "${refine[@]}" "${truth[@]}" -prior gaussian -gaussian_covariance 1,0,0.5,1
wrong gaussian_twice "exactly one of" "${refine[@]}" "${truth[@]}" -prior gaussian -gaussian_covariance 1,0,0,1 -gaussian_std 1
wrong gaussian_std "-gaussian_std must be positive: got -1" "${refine[@]}" "${truth[@]}" -prior gaussian -gaussian_std -1
wrong flow_prior "needs -prior_flow" "${refine[@]}" "${truth[@]}" -prior prior_low_posterior
wrong flow_prior_kind "this one is conditional" "${refine[@]}" "${truth[@]}" -prior flow -prior_flow $good_checkpoint
wrong evidence "-log_evidence takes a finite number" "${refine[@]}" "${truth[@]}" -log_evidence=nan
wrong diverges "lower -learning_rate" "${refine[@]}" "${truth[@]}" -learning_rate 1e5 -steps_per_epoch 50
wrong nothing_to_evaluate "nothing to evaluate on" "${evaluate[@]}"
wrong models_absent "no models" forward "${truth[@]}" -out @
wrong models_count "-models has 3 numbers in rows of 3; the operator .* takes 2 unknowns" forward "${truth[@]}" -models 1,2,3 -out @
wrong gradient_observed "-gradient needs -observed with 2 data" forward -operator dense -dense_matrix 1,0,0,1 -noise_std 1 -models 1,2 -gradient -out @

# waves and diffusion: each fault with another command
check=(check -out @) reference=(reference -iterations 4 -warmup 2 -out @) with=("${waves[@]}" "${ricker[@]}")
simulate=(simulate -pairs_count 4 -out @)
wrong waves_dt "-acoustic_dt 0.01 s is unstable: with 2000 m/s its CFL number is 2, the limit .* take -acoustic_dt <= 0.00277" \
  "${check[@]}" "${with[@]}" -acoustic_dt 0.01
wrong waves_points "1700 m/s has 0.68 points per wavelength .* needs 3.4 .* take a spacing <= 1.999 m" \
  "${reference[@]}" "${waves[@]}" -acoustic_wavelet_frequency 100
wrong waves_wavelet "-acoustic_wavelet has 3 samples, -acoustic_steps is 30" "${evaluate[@]}" "${waves[@]}" -warm_start $good_checkpoint \
  -acoustic_wavelet 1,2,3
wrong waves_receiver "receiver 1 at \(z, x\) = \(28, 120\) m is outside the model: z is 0 to 70 m" "${simulate[@]}" "${with[@]}" \
  -acoustic_receivers 5,25,28,120
wrong waves_receivers_absent "'nowhere.h5': no such file" "${refine[@]}" "${with[@]}" -acoustic_receivers nowhere.h5:/places
wrong waves_sources_cut "'truncated_pairs.h5' is (truncated|damaged)" "${check[@]}" "${with[@]}" -acoustic_sources truncated_pairs.h5:/x
wrong waves_sources_foreign "'foreign.h5' is not an HDF5 file" "${reference[@]}" "${with[@]}" -acoustic_sources foreign.h5:/x
wrong waves_tape "-tape_memory 10 is too little: a gradient keeps at least [0-9]+ bytes" "${refine[@]}" "${with[@]}" -tape_memory 10
wrong waves_shots "-shots_per_sample 3 is more shots than there are, 2" "${refine[@]}" "${with[@]}" -shots_per_sample 3
wrong waves_observed "-observed has 3 values, the operator acoustic, .* gives 120" "${refine[@]}" "${with[@]}" -observed 1,2,3
wrong waves_background "-acoustic_background must be positive: it is -5 m/s" "${evaluate[@]}" "${with[@]}" -warm_start $good_checkpoint \
  -acoustic_background=-5
wrong born_dt "-acoustic_dt 0.01 s is unstable" "${simulate[@]}" "${with[@]}" -operator born -acoustic_dt 0.01
wrong born_background "-acoustic_background has 3 numbers; for the model of -acoustic_shape 8x9 give one" "${check[@]}" "${with[@]}" \
  -operator born -acoustic_background 1,2,3
wrong waves_prior "the test model: velocity .* m/s at .* is not positive" "${check[@]}" "${with[@]}" -gaussian_std 40
wrong waves_all_fail "32 of 32 samples failed or are not finite" "${refine[@]}" "${with[@]}" -gaussian_std 80 -batch_size 32
wrong diffusion_one_fails "the solve for model 2 failed: the coefficient of block 0 is -1: it must be positive" \
  forward "${diffusion[@]}" -models=1,1,-1 -out @
wrong diffusion_pair_fails "the solve for pair [0-9]+ failed: the coefficient of block 0 is -" "${simulate[@]}" "${diffusion[@]}" -gaussian_std 9
wrong diffusion_block "-laplace_blocks takes a number of blocks a side or BXxBY, such as 8 or 8x4, not '9x'" \
  "${reference[@]}" "${diffusion[@]}" -laplace_blocks 9x
wrong diffusion_observed "-observed has 3 values, the operator laplace, .* gives 1" "${check[@]}" "${diffusion[@]}" -gaussian_std 1 -observed 1,2,3

# files
wrong pairs_absent "no pairs: give -pairs" "${pretrain[@]}"
for use in pairs checkpoint; do
  for kind in missing empty foreign folder truncated stub; do
    file=$kind.h5
    case $kind in
      missing) says="cannot open 'missing.h5': no such file" ;;
      empty) says="'empty.h5' is empty" ;;
      foreign) says="'foreign.h5' is not an HDF5 file" ;;
      folder) says="'folder.h5' is a folder" ;;
      truncated)
        [[ $use == checkpoint ]] || file=truncated_pairs.h5
        says="'$file' is (truncated|damaged)" ;;
      stub) says="'stub.h5' is (truncated|damaged|not)" ;;
    esac
    if [[ $use == pairs ]]; then
      wrong "pairs_$kind" "$says" "${pretrain[@]}" -pairs "$file"
    else
      wrong "checkpoint_$kind" "$says" "${refine[@]}" "${truth[@]}" -warm_start "$file"
    fi
  done
done
wrong checkpoint_foreign_hdf5 "is an HDF5 file but no fathom checkpoint" "${refine[@]}" "${truth[@]}" -warm_start $good_pairs
wrong checkpoint_flipped "'flipped.h5' is damaged: checksum" "${evaluate[@]}" "${truth[@]}" -warm_start flipped.h5
wrong checkpoint_no_checksum "'no_checksum.h5' is truncated: its last line" sample -warm_start no_checksum.h5 -out @
wrong inspect_flipped "'flipped.h5' is damaged" inspect flipped.h5
wrong inspect_nothing "name a file" inspect
wrong inspect_dataset "/nothing not found in 'made/pairs.h5'; it has: " inspect made/pairs.h5:/nothing
wrong inspect_group "is a group, expected a dataset" inspect made/checkpoint.h5:/theta
wrong sample_unobserved "give -observed" sample -warm_start $good_checkpoint -out @
wrong sample_observed_count "-observed has 3 values" sample -warm_start $good_checkpoint -observed 1,2,3 -out @
wrong evaluate_unobserved "no observed data" "${evaluate[@]}" -warm_start $good_checkpoint -operator dense -dense_matrix 1,0,0,1 \
  -noise_std 1 -prior rosenbrock
wrong evaluate_pairs_x "a row of /x in 'wide/pairs.h5' is 3, the flow takes 2" "${evaluate[@]}" -warm_start $good_checkpoint \
  -pairs wide/pairs.h5
wrong evaluate_pairs_y "a row of /y in 'narrow/pairs.h5' is 1, the flow takes 2" "${evaluate[@]}" -warm_start $good_checkpoint -pairs narrow/pairs.h5
wrong evaluate_operator "takes 3 unknowns, the flow has 2" "${evaluate[@]}" -warm_start $good_checkpoint "${truth[@]}" \
  -dense_matrix 1,0,0,0,1,0,0,0,1
wrong dataset_missing "/z not found in 'made/pairs.h5'; it has: " "${refine[@]}" "${truth[@]}" -observed made/pairs.h5:/z
wrong dataset_shape "-observed has 400 values" "${refine[@]}" "${truth[@]}" -observed made/pairs.h5:/y
for row in -1 x ''; do
  wrong "dataset_row$row" "'/y\[$row\]' names no row: FILE:/dataset\[ROW\] takes one number" "${refine[@]}" "${truth[@]}" \
    -observed "made/pairs.h5:/y[$row]"
done
wrong resume_pairs "cannot resume .* has other numbers \(data_crc32 .*: -pairs names another file" "${pretrain[@]}" -pairs other/pairs.h5 -resume
wrong resume_batch "cannot resume: batch was 64 .* and is 32" "${pretrain[@]}" -pairs $good_pairs -batch_size 32 -resume
wrong resume_seed "cannot resume: seed was 1 .* and is 2" "${pretrain[@]}" -pairs $good_pairs -seed 2 -resume
wrong resume_objective "cannot resume: objective was 'pairs' .* and is 'posterior'" "${refine[@]}" "${truth[@]}" -resume
mkdir flipped
cp flipped.h5 flipped/checkpoint.h5
there=$work/flipped
wrong resume_damaged "is damaged: checksum .*no file before it is whole: begin anew without -resume" "${pretrain[@]}" -pairs $good_pairs -resume
there=$work/there

# places
wrong out_in_a_file "regular" "${pretrain[@]}" -pairs $good_pairs -out regular/deeper
wrong out_is_a_file "'regular' is a file, expected a folder" "${pretrain[@]}" -pairs $good_pairs -out regular
wrong out_unwritable "/proc/fathom" "${pretrain[@]}" -pairs $good_pairs -out /proc/fathom
wrong out_without_name "characters" "${pretrain[@]}" -pairs $good_pairs -out=

if [[ $made_by_hand == yes ]]; then
  wrong pairs_nan "row 17 of /x of 'nan_x.h5' has nan at place 1" "${pretrain[@]}" -pairs nan_x.h5
  wrong pairs_inf "row 22 of /y of 'inf_y.h5' has inf at place 0" "${pretrain[@]}" -pairs inf_y.h5
  wrong pairs_no_x "/x not found in 'no_x.h5'; it has: " "${pretrain[@]}" -pairs no_x.h5
  wrong pairs_unequal "'unequal.h5' has 30 rows in /x and 29 in /y" "${pretrain[@]}" -pairs unequal.h5
  wrong pairs_no_rows "/x of 'no_rows.h5' is empty" "${pretrain[@]}" -pairs no_rows.h5
  wrong pairs_text "/x of 'text.h5' holds text, expected numbers" "${pretrain[@]}" -pairs text.h5
  wrong pairs_five "/x of 'five.h5' has 5 dimensions" "${pretrain[@]}" -pairs five.h5
  wrong waves_nan "-acoustic_background: entry \[2\]\[3\] is nan" "${refine[@]}" "${with[@]}" -acoustic_background waves.h5:/nan
  wrong waves_minus "-acoustic_background must be positive: it is -1 m/s at node \[2\]\[3\]" "${reference[@]}" "${with[@]}" \
    -acoustic_background waves.h5:/minus
  wrong models_no_rows "-models has no rows: its shape is \[0\]\[...\], expected one \[2\] a model" forward "${truth[@]}" -models no_rows.h5:/x -out @
  wrong waves_model_nan "-models: entry \[2\]\[3\] is nan" forward "${with[@]}" -models waves.h5:/nan -out @
  wrong waves_model_turned "the last dimensions of -models are \[9\]\[8\]: a model of .* is \[8\]\[9\]" \
    forward "${with[@]}" -models waves.h5:/turned -out @
  wrong waves_places_nan "-acoustic_sources: entry \[0\]\[1\] is nan" "${check[@]}" "${with[@]}" -acoustic_sources waves.h5:/places
  wrong waves_triples "-acoustic_sources has 2 dimensions of which the last is 3" "${simulate[@]}" "${with[@]}" \
    -acoustic_sources waves.h5:/triples
  wrong data_nan "-observed: entry \[1\] is nan" "${refine[@]}" "${truth[@]}" -observed data.h5:/nan
  wrong data_shape "-observed has 3 values" "${refine[@]}" "${truth[@]}" -observed data.h5:/three
  wrong matrix_inf "-dense_matrix: entry \[1\]\[0\] is inf" "${refine[@]}" "${truth[@]}" -dense_matrix data.h5:/matrix
  wrong matrix_cube "-dense_matrix has 3 dimensions" "${refine[@]}" "${truth[@]}" -dense_matrix data.h5:/cube
  wrong schema_newer "'newer.h5' has checkpoint schema 1000, this program reads up to 1" "${evaluate[@]}" "${truth[@]}" -warm_start newer.h5
  wrong checkpoint_unfinished "has no weights under" "${evaluate[@]}" "${truth[@]}" -warm_start unfinished.h5
fi
wait

# the judge can fail: a command that is right is not refused
out=$(verdict_of 1 control 'anything' inspect made/pairs.h5)
sed -i '/control, 1 rank/d' verdicts
check "a command that is right does not pass as wrong" grep -q '^bad .*exit 0; 0 sentences;' <<<"$out"

# ---- spellings and words that are right ----

run 1 double pretrain -pairs=made/pairs.h5 --flow_depth=1 --flow_hidden 8 -epochs=1 -out=spelled
same "-option=value and --option" spelled/checkpoint.h5 made/checkpoint.h5 /theta /history
cat >shared.yaml <<'YAML'
pairs: made/pairs.h5
flow: {depth: 1, hidden: 8}   # -flow_depth, -flow_hidden
epochs: 1
samples: 20
observed: [-1, 2.5]
YAML
run 1 double pretrain -options_file_yaml shared.yaml -out shared
same "a YAML file, nested names too" shared/checkpoint.h5 made/checkpoint.h5 /theta /history
check "options of other commands are allowed and listed once" \
  test "$(grep -c '^options for other commands, not used by pretrain: -observed -samples$\|^options for other commands, not used by pretrain: -samples -observed$' shared.log)" = 1
run 3 double sample -options_file_yaml shared.yaml -warm_start shared/checkpoint.h5 -out shared_samples
check "the same file serves sample" test "$(series shared_samples/samples.h5 /x | wc -l)" = 20
check "the settings are printed once" test "$(grep -c '^settings:$' shared_samples.log)" = 1
check "each setting stands there once" test "$(grep -c '^-observed -1,2.5$' shared_samples.log)" = 1
check "the command line wins over the file" bash -c \
  "'$build/fathom-double' sample -options_file_yaml shared.yaml -warm_start shared/checkpoint.h5 -samples 7 -out shared_samples &&
   [[ \$('$build/fathom-double' inspect shared_samples/samples.h5:/x | wc -l) == 7 ]]"
run 1 double sample -options_file_yaml shared.yaml -warm_start shared/checkpoint.h5 -out from_file
run 1 double sample -warm_start shared/checkpoint.h5 -observed -1,2.5 -samples 20 -out from_line
same "a list that begins with a negative number" from_file/samples.h5 from_line/samples.h5 /x

# in a file, progress is plain lines: the first step, one an interval, the last
run 3 double refine "${truth[@]}" "${flow[@]}" -epochs 1 -steps_per_epoch 50 -report_seconds 1000 -out progress
check "progress in a file: plain lines, also from mpirun" \
  test "$(grep -c '^step ' progress.log)" = 2 -a "$(tr -dc '\033\r' <progress.log | wc -c)" = 0
check "the last one tells step, objective, rate and solves" \
  grep -Eq '^step 50/50  objective [-0-9.]+  [0-9.]+ steps/s, 0 s left, 3200 F solves$' progress.log

# ---- help ----

"$build/fathom" help >help.txt
for command in simulate forward pretrain refine sample evaluate check inspect help; do
  check "help lists $command" grep -q "^  $command  *[a-zA-Z]" help.txt
  check "help $command" "$build/fathom" help $command
done
for words in 'pretrain -help' 'pretrain --help' '--help pretrain' 'pretrain -h -epochs 3'; do
  read -ra spelled <<<"$words"
  check "fathom $words is fathom help pretrain" bash -c "'$build/fathom' ${spelled[*]} | grep -q '^fathom pretrain - '"
done
check "fathom --help is fathom help" diff <("$build/fathom" --help) <("$build/fathom" help)
check "inspect into a closed pipe ends without a trace" bash -c \
  "! { '$build/fathom' inspect made/checkpoint.h5 2>&1 >&3 | grep .; } 3> >(head -n 1 >/dev/null)"
# what a run prints as its settings is in the help of its command, with the default where there is one
for log in made:pretrain shared_samples:sample refined:refine narrow:simulate; do
  command=${log#*:}
  "$build/fathom" help "$command" | awk '/^  -/ {printf "\n"} {printf "%s ", $0}' | tr -s ' ' >help.txt # an option a line
  missing=$(sed -n '/^settings:$/,/^$/p' "${log%:*}.log" | awk 'NR > 1 && /^-/ {print $1}' |
    while read -r option; do grep -q -- "^ $option .*[a-z]" help.txt || printf '%s ' "$option"; done)
  check "help $command tells of every setting of a run${missing:+, not of $missing}" test -z "$missing"
  [[ $command == refine ]] || continue
  for option in 'batch_size N .*\[64\]' 'learning_rate X .*\[1e-3\]' 'warm_start TEXT' 'average_power X .*\[[0-9]*\]' \
    'evaluation_latents N .*\[8192\]' 'noise_std A,B' 'dense_matrix A,B' 'gaussian_covariance A,B'; do
    check "help refine: -$option" grep -q -- "^ -$option" help.txt
  done
done
for name in operators:dense priors:rosenbrock priors:gaussian priors:prior_low_posterior; do
  check "help ${name%:*} tells of ${name#*:}" bash -c "'$build/fathom' help ${name%:*} | grep -q '^  ${name#*:} '"
done
verdict
