#!/usr/bin/env bash
# fathom reference: the toy's posterior within the errors that it reports, in the user's units and in a flow's latent space; the
# same bytes on 1, 2, 3 and 4 ranks and after kills; what it refuses. Golds by quadrature: golds/toy_gold.py.
# shellcheck source=tests/journey.inc
source "$(dirname "${BASH_SOURCE[0]}")/journey.inc"
RANDOM=${FATHOM_JOURNEY_SEED:-$(date +%N | sed 's/^0*//')}
seed=$RANDOM
RANDOM=$seed
printf 'moments of the kills: FATHOM_JOURNEY_SEED gave %s\n' "$seed"

problem=(-options_file_yaml "$toy/refine.yaml")
short=(reference "${problem[@]}" -warmup 200 -iterations 150 -chains 3 -thin 2 -expectation exp)
numbers=(/x /energy /mean /std /mcse /rhat /ess_bulk /ess_tail /quantiles_05_50_95 /exp)
state=(/chain /draws)

# ---- the posterior ----

run 1 single refine "${problem[@]}" -flow_depth 2 -flow_hidden 16 -epochs 10 -evaluation_latents 100 -out flow
run 2 single reference "${problem[@]}" -iterations 6000 -out long
run 2 single reference "${problem[@]}" -iterations 6000 -latent flow/checkpoint.h5 -out latent
# within TEXT DIR NAME GOLD - a mean beside its gold, in standard errors (the largest of all: mcse_over_std_max)
within() {
  local error
  error=$(awk -v m="$(value "$2" mcse_over_std_max)" -v s="$(value "$2" "std_$3")" 'BEGIN {print m * s}')
  figure "$1: mean of x$3" "$(value "$2" "mean_$3")" "$(awk -v g="$4" -v e="$error" 'BEGIN {print g - 4 * e}')" \
    "$(awk -v g="$4" -v e="$error" 'BEGIN {print g + 4 * e}')"
}
for dir in long latent; do
  within "$dir" $dir 1 1.82896
  within "$dir" $dir 2 3.47695
  figure "$dir: std of x1" "$(value $dir std_1)" 0.206 0.220
  figure "$dir: std of x2" "$(value $dir std_2)" 0.492 0.526
  figure "$dir: R-hat" "$(value $dir rhat_max)" 0.99 1.01
  figure "$dir: bulk ESS" "$(value $dir ess_bulk_min)" 4000 60000
  figure "$dir: acceptance" "$(value $dir acceptance)" 0.5 0.98
  figure "$dir: an adjoint a solve" "$(value $dir solves_JT)" "$(value $dir solves_F)" "$(value $dir solves_F)"
done
check "in the latent space: it says so" grep -q "in the latent space of 'flow/checkpoint.h5'" latent.log

# ---- ranks ----

for p in double single; do
  for n in 1 2 3 4; do run "$n" $p "${short[@]}" -out $p.$n; done
  for n in 2 3 4; do
    same "$p: $n ranks as 1" $p.1/reference.h5 $p.$n/reference.h5 "${numbers[@]}"
    same "$p: $n ranks as 1, state" $p.1/chains.h5 $p.$n/chains.h5 "${state[@]}"
    check "$p: its figures are the same text" cmp <(grep -v ^seconds $p.1/results.tsv) <(grep -v ^seconds $p.$n/results.tsv)
  done
  check "$p: three chains on 4 ranks: it says that one is idle" grep -q '^1 of 4 sample ranks are idle: ' $p.4.log
done
run 4 double "${short[@]}" -ranks_per_sample 2 -out space
same "2 ranks a sample: 4 ranks as 1" double.1/reference.h5 space/reference.h5 "${numbers[@]}"
run 1 double "${short[@]}" -latent flow/checkpoint.h5 -out latent.1
run 3 double "${short[@]}" -latent flow/checkpoint.h5 -out latent.3
same "in the latent space: 3 ranks as 1" latent.{1,3}/reference.h5 "${numbers[@]}"
run 2 double "${short[@]}" -tilt 155 -out tilted.2
run 1 double "${short[@]}" -tilt 155 -out tilted.1
same "with a tilt: 2 ranks as 1" tilted.{1,2}/reference.h5 "${numbers[@]}" /weight
same "with a tilt: 2 ranks as 1, state" tilted.{1,2}/chains.h5 "${state[@]}" /tilt
run 3 double "${short[@]}" -tilt 155 -stop_after 273 -out tilted.3
run 2 double "${short[@]}" -tilt 155 -resume -out tilted.3
same "stopped while the tilt learns" tilted.{1,3}/reference.h5 "${numbers[@]}" /weight
run 1 double "${short[@]}" -seed 2 -out other
differs "another seed gives other bytes" double.1/reference.h5 other/reference.h5 /x

# ---- stopped, killed, taken up, extended ----

run 3 double "${short[@]}" -stop_after 123 -out stopped
check "stopped: it says how to go on" grep -q '^stopped at iteration 123 of 500: continue with -resume' stopped.log
run 1 double "${short[@]}" -resume -stop_after 200 -out stopped
check "it says where it went on" grep -q "^resumed 'stopped/chains.h5' at iteration 123" stopped.log
run 2 double "${short[@]}" -resume -out stopped
same "stopped twice" double.1/reference.h5 stopped/reference.h5 "${numbers[@]}"
same "stopped twice, state" double.1/chains.h5 stopped/chains.h5 "${state[@]}"
ledger() { "$build/fathom-double" inspect "$1/chains.h5" | awk -v name="$2" '$1 == name && $2 == "=" {print $3}'; }
figure "stopped twice: useful F" "$(ledger stopped useful_F)" "$(ledger double.1 useful_F)" "$(ledger double.1 useful_F)"
run 2 double "${short[@]}" -resume -iterations 250 -out stopped
run 1 double "${short[@]}" -iterations 250 -out extended
same "asked for more draws" {extended,stopped}/reference.h5 "${numbers[@]}"

cat >rank.sh <<'RANK'
echo $$ >"$1/pid.${OMPI_COMM_WORLD_RANK:-0}"
shift
exec "$@"
RANK
slow=(reference "${problem[@]}" -warmup 3000 -iterations 30000 -chains 3 -leapfrog_steps 6)
run 2 double "${slow[@]}" -out whole
mkdir -p killed
kills=0 ranks=3
for _ in 1 2 3; do
  rm -f killed/pid.*
  before=$(stat -c %Y%i killed/chains.h5 2>/dev/null || true)
  mpirun -q -n "$ranks" --oversubscribe bash rank.sh killed "$build/fathom-double" "${slow[@]}" -resume -checkpoint_every 97 \
    -out killed </dev/null >>killed.log 2>&1 &
  job=$!
  while kill -0 $job 2>/dev/null && [[ $(stat -c %Y%i killed/chains.h5 2>/dev/null || true) == "$before" ]]; do sleep 0.01; done
  sleep "0.$(printf '%03d' $((RANDOM % 200)))"
  mapfile -t pids < <(cat killed/pid.*)
  kill -KILL "${pids[@]}" 2>/dev/null || true
  if wait $job; then break; fi
  kills=$((kills + 1))
  ranks=$((1 + RANDOM % 4))
done
printf 'killed %s times\n' "$kills"
((kills >= 1)) || bad "killed at least once"
run "$ranks" double "${slow[@]}" -resume -out killed
same "killed: draws and figures of the uninterrupted run" {whole,killed}/reference.h5 /x /energy /mean /mcse /rhat /ess_bulk
check "killed: the previous file is kept and reads" "$build/fathom-double" inspect killed/chains.previous.h5
figure "killed: useful F" "$(ledger killed useful_F)" "$(ledger whole useful_F)" "$(ledger whole useful_F)"
figure "killed: spent F, not less" "$(ledger killed spent_F)" "$(ledger whole useful_F)" 1e9

# ---- weights ----

run 2 single evaluate "${problem[@]}" -warm_start flow/checkpoint.h5 -evaluation_latents 4000 -expectation exp -out weights
figure "evaluate: k-hat" "$(value weights k_hat)" -2 1.5
figure "evaluate: solves of the weights" "$(value weights diagnostic_F)" 4000 4000
figure "evaluate: weighted mean of x1" "$(series weights/evaluation.h5 /weighted/mean | head -1)" 1.78 1.88

# ---- refusals ----

# refused TEXT WORDS ARGUMENT... - one sentence with those words and a status that is not 0
refused() {
  local text=$1 words=$2 status=0
  shift 2
  launch 2 double "$@" </dev/null >refused.log 2>&1 || status=$?
  if ((status != 0)) && grep -q "^fathom: error: .*$words" refused.log && ! grep -q 'PETSC ERROR' refused.log; then
    good "$text"
  else
    bad "$text: status $status, $(grep -m 1 error refused.log || tail -n 1 refused.log)"
  fi
}
refused "no operator" 'no operator: give -operator' reference -out bad
refused "another seed on resume" 'seed was 1 in the file and is 2 now' "${short[@]}" -resume -seed 2 -out double.1
refused "another noise on resume" 'operator, data, noise, prior or flow are not those' "${short[@]}" -noise_std 0.41 -resume \
  -out double.1
refused "the other precision on resume" "precision was 'float'" "${short[@]}" -resume -out single.1
refused "fewer draws than there are" 'has 150 draws a chain already' "${short[@]}" -resume -iterations 100 -out double.1
refused "no chains" 'chains' "${short[@]}" -chains 0 -out bad
refused "an acceptance of 1" 'target_accept' "${short[@]}" -target_accept 1 -out bad
refused "too many draws to keep" 'GiB' "${short[@]}" -iterations 100000000 -out bad
refused "a tilt in a latent space" "-tilt 10 is for chains in the user's units" "${short[@]}" -tilt 10 -latent flow/checkpoint.h5 -out bad
refused "a tilt for no expectation" '-tilt 10 is for the means of exp' "${short[@]}" -tilt 10 -expectation none -out bad
refused "a latent that is not there" 'nothing.h5' "${short[@]}" -latent nothing.h5 -out bad
refused "a latent that is no flow" 'no fathom checkpoint' "${short[@]}" -latent double.1/chains.h5 -out bad
refused "an unknown expectation" 'expectation' "${short[@]}" -expectation log -out bad
refused "a posterior that is nowhere finite" 'chain [0-9]* cannot start' "${short[@]}" -dense_matrix 1e308,1e308,1e308,1e308 \
  -noise_std 1e-300 -out bad
cp double.1/chains.h5 broken.h5
head -c 20000 broken.h5 >double.1/chains.h5
cp double.2/chains.h5 double.1/chains.previous.h5
for kind in short empty; do
  [[ $kind == short ]] || : >double.1/chains.h5
  rm double.1/chains.previous.h5
  refused "a file cut short, $kind" "chains.h5' is .*; no file before it is whole: begin anew without -resume" \
    "${short[@]}" -resume -out double.1
  cp double.2/chains.h5 double.1/chains.previous.h5
done
run 1 double "${short[@]}" -resume -out double.1
check "with one before it that is taken" grep -q "^resumed 'double.1/chains.previous.h5'" double.1.log

# what is not a number is not left out of a maximum
run 1 double reference -operator dense -dense_matrix 1 -observed 800 -noise_std 1 -prior gaussian -gaussian_mean 800 -gaussian_std 1 \
  -warmup 50 -iterations 50 -expectation exp -out overflow
check "an error that is not finite is said" grep -q '^exp_mcse_over_std_max.-*nan' overflow/results.tsv
verdict
