#!/usr/bin/env bash
# Samples moved on to the posterior (sample -moves): of a flow that has hardly been trained, against the closed form of the linear-Gaussian
# row; the same bytes on other numbers of ranks, after a stop and a kill; what is refused.
# shellcheck source=tests/journey.inc
source "$(dirname "${BASH_SOURCE[0]}")/journey.inc"

gold=$tests/golds/linear_gaussian.txt
problem=(-options_file_yaml "$root/jobs/linear_gaussian/triangular.yaml")
read -ra mean < <(awk '$1 == "mu" {gsub(",", " ", $2); print $2}' "$gold")
read -ra std < <(awk '$1 == "std" {gsub(",", " ", $2); print $2}' "$gold")
# furthest DIR - the largest error of the 8 means, in standard deviations, and of the 8 standard deviations, relative
furthest() {
  for i in 1 2 3 4 5 6 7 8; do
    awk -v m="$(value "$1" mean_$i)" -v s="$(value "$1" std_$i)" -v gm="${mean[i - 1]}" -v gs="${std[i - 1]}" \
      'BEGIN {e = (m - gm) / gs; f = s / gs - 1; print (e < 0 ? -e : e), (f < 0 ? -f : f)}'
  done | awk '{if ($1 > m) m = $1; if ($2 > s) s = $2} END {print m, s}'
}

# ---- the law ----

run 1 double refine "${problem[@]}" -epochs 2 -stop_after 40 -evaluate_every 0 -out flow
from=(sample "${problem[@]}" -warm_start flow/checkpoint.h5)
run 1 double "${from[@]}" -samples 4000 -out still
run 1 double "${from[@]}" -samples 4000 -moves 30 -out moved
read -r of_mean of_std < <(furthest still)
figure "the flow: largest error of a mean or std" "$(awk -v a="$of_mean" -v b="$of_std" 'BEGIN {print (a > b ? a : b)}')" 0.25 1e9
read -r of_mean of_std < <(furthest moved)
figure "moved: largest error of a mean [std]" "$of_mean" 0 0.08
figure "moved: largest error of a std, relative" "$of_std" 0 0.06
figure "acceptance" "$(value moved moves_acceptance)" 0.6 0.9
figure "-log density changed, nats" "$(value moved moves_change)" -1e9 -0.5
check "solves are counted" test "$(value moved solves_F)" -gt 120000 -a "$(value moved solves_F)" = "$(value moved solves_JT)"
check "no warning that they still move" bash -c '! grep -q "still move" moved.log'
run 1 double "${from[@]}" -samples 400 -moves 1 -out short
check "after one move most stay, and that is said" grep -q "warning: only .* of the last move's trajectories were accepted" short.log

# ---- in a verdict ----

judge=(evaluate "${problem[@]}" -warm_start flow/checkpoint.h5 -evaluation_latents 512)
run 1 double "${judge[@]}" -out weighed
check "weights of a flow that has hardly been trained" grep -q '^verdict: not trusted - .*ESS fraction' weighed.log
run 1 double "${judge[@]}" -moved moved/moves.h5 -out judged
figure "what 30 moves keep of the starts" "$(value judged moved_correlation)" -0.03 0.03
check "in place of the weights" bash -c "grep '^verdict: ' judged.log | grep -qv 'ESS fraction'"
run 3 double "${judge[@]}" -moved moved/moves.h5 -out judged3
check "the same on 3 ranks" cmp judged/results.tsv judged3/results.tsv
run 1 double "${judge[@]}" -moved short/moves.h5 -out early
figure "what one keeps" "$(value early moved_correlation)" 0.3 1
check "and it is not trusted" grep -Eq '^verdict: not trusted - .*400 samples keep (1|0\.[3-9][0-9]*) of their starts .* after -moves 1 \(at most 0.1' early.log
for ranks in 1 3; do
  refused "moves of another posterior, $ranks rank(s)" "short/moves.h5' is of another flow, or of other data, noise, prior or operator" \
    $ranks double "${judge[@]}" -noise_std 0.7 -moved short/moves.h5 -out no
  refused "a file that is none of moves, $ranks rank(s)" "samples.h5' is not what sample -moves writes" \
    $ranks double "${judge[@]}" -moved still/samples.h5 -out no
done

# ---- ranks, stops ----

from+=(-samples 300 -moves 4)
run 1 double "${from[@]}" -out one
for ranks in 2 3; do
  run $ranks double "${from[@]}" -out ranks$ranks
  same "$ranks ranks" {one,ranks$ranks}/samples.h5 /x
done
run 2 double "${from[@]}" -ranks_per_sample 2 -out space
same "2 ranks of a sample" {one,space}/samples.h5 /x
check "a result of one run as of the other" test "$(value one moves_last_change)" = "$(value ranks3 moves_last_change)"

mkdir stopped
status=0
launch 2 double "${from[@]}" -time_limit 5 -out stopped </dev/null >stopped.0.log 2>&1 || status=$?
check "no time: left after a move, to go on" test "$status" = 75 -a -e stopped/moves.h5 -a ! -e stopped/samples.h5
check "and it says so" grep -q 'stopped by .* in move 1 of 4: continue with -resume' stopped.0.log
run 3 double "${from[@]}" -resume -out stopped
same "2 ranks, then 3" {one,stopped}/samples.h5 /x
run 1 double "${from[@]}" -moves 6 -resume -out stopped
run 1 double "${from[@]}" -moves 6 -out six
check "solves of all jobs" awk -v a="$(value six solves_F)" -v b="$(value stopped solves_F)" 'BEGIN {exit !(b >= a && b < a + 1300)}'
same "more moves of the same" {six,stopped}/samples.h5 /x

# ---- what is refused ----

refused "another seed" "was begun with -seed 1, here it is 2" 2 double "${from[@]}" -seed 2 -resume -out stopped
refused "more samples" "is of 300 samples of 8 unknowns, here are 301 of 8" 2 double "${from[@]}" -samples 301 -resume -out stopped
refused "another noise" "refined with -noise_std 0.316.*, here it is -noise_std 0.7; give it as there" 2 double "${from[@]}" -noise_std 0.7 -out no
refused "another prior" "-moves would go to another posterior than that of -warm_start" 2 double "${from[@]}" -gaussian_std 2 -out no
refused "another noise, on purpose, with the moves of before" "is of another flow, or of other data, noise, prior or operator" \
  2 double "${from[@]}" -noise_std 0.7 -prior_mismatch_ok true -resume -out stopped
refused "fewer moves than were made" "have made 6 moves, more than -moves 4" 1 double "${from[@]}" -resume -out stopped
cp -r stopped flipped
printf '\377' | dd of=flipped/moves.h5 bs=1 seek=9000 conv=notrunc status=none
run 1 double "${from[@]}" -moves 6 -resume -out flipped
check "a flipped byte: the file before it" grep -q "moves.previous.h5' after" flipped.log
same "and the same samples" {six,flipped}/samples.h5 /x
run 1 double "${from[@]}" -out flipped
check "without -resume the old file is kept" test -e flipped/moves.replaced.h5
refused "no operator" "-moves 2 needs -operator" 1 double sample -warm_start flow/checkpoint.h5 -moves 2 -out refused
refused "moves of less than nothing" "moves -1 is outside" 1 double "${from[@]}" -moves -1 -out refused
verdict
