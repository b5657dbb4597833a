#!/usr/bin/env bash
# The first frame, then done (documented Part 2, pattern 4: SimpleFrameRetriever).
#   capture-first-frame.sh [FILE]
set -euo pipefail
. "$(dirname "$0")/lib/common.sh"

clip=$(input_clip "$@")

launch uridecodebin uri="file://$clip" ! videoconvert \
    ! dsframecapture async=true interval=1 max-captures=1 eos-after-max=true location="$out/output_frame.jpg"
report
