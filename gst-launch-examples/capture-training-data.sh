#!/usr/bin/env bash
# Pictures and their labels for training: every 30th frame, as COCO (documented Part 2, "Data
# Collection"). labels=yolo and labels=kitti write a text file beside each picture instead.
#   capture-training-data.sh
set -euo pipefail
. "$(dirname "$0")/lib/common.sh"

launch dsframeinject pattern=objects num-buffers=300 \
    ! dsframecapture mode=interval interval=30 location="$out/images/{frame:06}.jpg" \
    labels=coco labels-location="$out/coco.json" log-location="$out/log.jsonl"
report
