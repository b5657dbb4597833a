#!/usr/bin/env bash
# One picture of each tracked object, cut from its best frame of two seconds (documented Part 2,
# "Data Collection"). With `dedupe=best` an object is not saved again and again while it is in view.
#   capture-objects.sh
set -euo pipefail
. "$(dirname "$0")/lib/common.sh"

launch dsframeinject pattern=objects num-buffers=600 \
    ! dsframecapture dedupe=best best-window=2000000000 crop=objects crop-padding=0.1 \
    location="$out/{label}/{track:04}-{frame:06}.jpg" log-location="$out/log.jsonl"
report
