#!/usr/bin/env bash
# Statistics of every frame as JSON lines, without pictures (documented Part 2, pattern 5:
# FrameAnalyzer). Where something detects, as in the twin, the lines have the detections too.
#   capture-analysis.sh [FILE]
set -euo pipefail
. "$(dirname "$0")/lib/common.sh"

clip=$(input_clip "$@")

launch uridecodebin uri="file://$clip" ! videoconvert \
    ! dsframecapture async=true interval=1 statistics=true log-location="$out/analysis_log.jsonl"
report
head -n 1 "$out/analysis_log.jsonl"
