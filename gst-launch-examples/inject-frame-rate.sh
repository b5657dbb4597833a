#!/usr/bin/env bash
# Exact frame timing, paced like a camera (documented Part 1, "Frame Rate Control"): 30 frames at
# 10 frames a second take three seconds.
set -euo pipefail
. "$(dirname "$0")/lib/common.sh"

started=$EPOCHREALTIME
launch dsframeinject is-live=true num-buffers=30 framerate=10/1 width=640 height=360 \
    ! dsframecapture interval=10 location="$out/frame_{pts}.jpg" log-location="$out/log.jsonl"
elapsed=$(( (${EPOCHREALTIME/./} - ${started/./}) / 1000 ))
report
echo "It took $elapsed ms."
[[ $elapsed -ge 2800 ]] || { echo "That is too fast for 30 frames at 10 a second." >&2; exit 1; }
