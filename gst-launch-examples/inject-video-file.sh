#!/usr/bin/env bash
# A video file as a custom source (documented Part 1, pattern 1: CustomVideoFileProvider).
#   inject-video-file.sh [FILE]        any file that GStreamer can decode
set -euo pipefail
. "$(dirname "$0")/lib/common.sh"

clip=$(input_clip "$@")

launch dsframeinject uri="file://$clip" \
    ! video/x-raw,format=RGB \
    ! dsframecapture interval=30 location="$out/frame_{frame:06}.jpg" log-location="$out/log.jsonl"
report
