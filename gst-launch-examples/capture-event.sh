#!/usr/bin/env bash
# What happened around an event: fifteen frames before each new person, and fifteen after.
#   capture-event.sh
set -euo pipefail
. "$(dirname "$0")/lib/common.sh"

launch dsframeinject pattern=objects num-buffers=300 \
    ! dsframecapture classes=person dedupe=track pre-roll=15 post-roll=15 \
    location="$out/%04d-{frame:06}-{reason}.jpg" log-location="$out/log.jsonl"
report
