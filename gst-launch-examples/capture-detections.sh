#!/usr/bin/env bash
# A picture with boxes whenever two persons are seen, once a second at most (documented Part 2,
# pattern 3: selective frame capture; "Object Detection Screenshots"). The pattern brings its own
# detections: two persons are there in its first four seconds of every eight.
#   capture-detections.sh
set -euo pipefail
. "$(dirname "$0")/lib/common.sh"

launch dsframeinject pattern=objects num-buffers=600 \
    ! dsframecapture mode=metadata classes=person min-objects=2 cooldown=1000000000 annotate=true \
    location="$out/{stream}_{frame:06}_{reason}.jpg" log-location="$out/log.jsonl"
report
