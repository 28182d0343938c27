#!/usr/bin/env bash
# Submits a job to a running API, shows its progress and prints what came of it.
#   scripts/demo.sh http://127.0.0.1:5080
set -euo pipefail
api=$1
spec='{"dataset":"digits","epsilon":0.05,"epochs":8,"name":"demo"}'

echo "POST /jobs $spec"
job=$api$(curl -sf -X POST "$api/jobs" -H 'content-type: application/json' -d "$spec" | jq -r .links.self)

# On a terminal the line is drawn over; in a log each change gets a line of its own.
if [ -t 1 ]; then show() { printf '\r\033[K%s' "$1"; }; else show() { echo "$1"; }; fi

# Once a second, as often as progress is stored: each look takes a little from the training.
last=
while IFS=$'\t' read -r over line < <(curl -sf "$job" | jq -r '[.isTerminal, if .progress then
    "epoch \(.progress.epoch)/\(.progress.epochs)   step \(.progress.step)/\(.progress.steps)   \(.progress.imagesPerSecond | round) images/s   \(.progress.secondsLeft | ceil) s left"
  else .state end] | @tsv') && [ "$over" = false ]; do
  [ "$line" = "$last" ] || show "$line"
  last=$line
  sleep 1
done
[ -t 1 ] && echo

printf '\n%5s  %10s  %15s  %8s  %6s\n' epoch 'train loss' 'validation loss' accuracy ECE
curl -sf "$job/metrics" | jq -r '.items[] | [.epoch, .trainLoss, .validationLoss, .validationAccuracy, .ece] | @tsv' |
  while IFS=$'\t' read -r epoch train validation accuracy ece; do
    LC_ALL=C printf '%5d  %10.4f  %15.4f  %8.4f  %6.4f\n' "$epoch" "$train" "$validation" "$accuracy" "$ece"
  done

echo
curl -sf "$job" | jq -r 'def rounded: . * 10000 | round / 10000;
  if .state == "succeeded" then
    "test: accuracy \(.result.testAccuracy | rounded), ECE \(.result.testEce | rounded), mean confidence \(.result.testSignedGap | fabs | rounded) \(if .result.testSignedGap > 0 then "above" else "below" end) accuracy"
  else "the job has \(.state): \(.reason)\n" | halt_error(1) end'
