#!/usr/bin/env bash
# Two pipelines in one process, joined by name, and the frames handed over by reference.
#   channel-in-process.sh
set -euo pipefail
. "$(dirname "$0")/lib/common.sh"

launch dsframeinject pattern=objects num-buffers=600 ! dsframecapture channel=objects \
    dsframeinject channel=objects \
    ! dsframecapture classes=person min-objects=2 cooldown=1000000000 \
    location="$out/{frame:06}.jpg" log-location="$out/log.jsonl"
report
