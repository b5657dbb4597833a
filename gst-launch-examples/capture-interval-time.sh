#!/usr/bin/env bash
# One frame per second of stream time, whatever the frame rate, of part of the stream (documented
# Part 2, "Frame Archival").
#   capture-interval-time.sh [FILE]
set -euo pipefail
. "$(dirname "$0")/lib/common.sh"

clip=$(input_clip "$@")

launch uridecodebin uri="file://$clip" ! videoconvert \
    ! dsframecapture async=true interval-time=1000000000 start-time=2000000000 stop-time=6500000000 \
        location="$out/{pts}.jpg" log-location="$out/log.jsonl"
report
