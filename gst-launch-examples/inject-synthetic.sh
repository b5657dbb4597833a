#!/usr/bin/env bash
# The moving gradient, encoded into a video (documented Part 1, pattern 2: SyntheticFrameProvider).
#   inject-synthetic.sh [PATTERN]      gradient bars checker solid noise objects
set -euo pipefail
. "$(dirname "$0")/lib/common.sh"

launch dsframeinject num-buffers=300 pattern="${1:-gradient}" \
    ! video/x-raw,format=RGB,width=1280,height=720,framerate=30/1 \
    ! videoconvert ! vp8enc deadline=1 cpu-used=8 target-bitrate=4000000 \
    ! webmmux ! filesink location="$out/synthetic_output.webm"
report
