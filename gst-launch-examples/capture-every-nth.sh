#!/usr/bin/env bash
# Every 30th frame into a folder (documented Part 2, pattern 1: FrameSaver).
#   capture-every-nth.sh [FILE]
set -euo pipefail
. "$(dirname "$0")/lib/common.sh"

clip=$(input_clip "$@")

launch uridecodebin uri="file://$clip" ! videoconvert \
    ! dsframecapture async=true interval=30 location="$out/frame_{frame:06}.jpg" log-location="$out/log.jsonl"
report
