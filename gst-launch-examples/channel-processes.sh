#!/usr/bin/env bash
# Two processes: one sends every frame with its detections, the other saves those with two persons
# (documented Part 1, pattern 3 and Part 2, pattern 2: frame queues between pipelines).
#   channel-processes.sh
set -euo pipefail
. "$(dirname "$0")/lib/common.sh"

channel=unix:$out/objects.sock
launch dsframeinject pattern=objects num-buffers=600 ! dsframecapture channel="$channel" &
launch dsframeinject channel="$channel" \
    ! dsframecapture classes=person min-objects=2 cooldown=1000000000 \
    location="$out/{frame:06}.jpg" log-location="$out/log.jsonl"
wait
report
