#!/usr/bin/env bash
# Rules tried on recorded detections, without a model and without the video: the log of one run is
# injected again, and another rule decides on it.
#   inject-recorded-detections.sh [LOG]
set -euo pipefail
. "$(dirname "$0")/lib/common.sh"

if [[ $# -gt 0 ]]; then
    log=$(cd "$called_from" && realpath -e "$1")
else
    log=$PWD/$out/recorded.jsonl
    launch dsframeinject pattern=objects num-buffers=300 ! dsframecapture interval=1 log-location="$log"
fi
frames=$(wc -l < "$log")
launch dsframeinject num-buffers="$frames" metadata-location="$log" \
    ! dsframecapture condition='count_of("car") == 1 && max_confidence > 0.8' cooldown=1000000000 annotate=true \
    location="$out/{frame:06}.jpg" log-location="$out/matched.jsonl"
report
