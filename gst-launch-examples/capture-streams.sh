#!/usr/bin/env bash
# Several sources, each saved under its own name (documented Part 2, "Multi-Batch Frame Extraction").
# Without DeepStream there is no muxer, so here each source has its capture; in the twin one capture
# takes a batch of four apart.
#   capture-streams.sh
set -euo pipefail
. "$(dirname "$0")/lib/common.sh"

size=video/x-raw,width=640,height=360,framerate=30/1

launch \
    dsframeinject num-buffers=90 pattern=gradient ! "$size" \
    ! dsframecapture interval=30 location="$out/cam-0/{frame:06}.jpg" \
    dsframeinject num-buffers=90 pattern=objects ! "$size" \
    ! dsframecapture classes=car cooldown=1000000000 location="$out/cam-1/{frame:06}.jpg" log-location="$out/cam-1.jsonl"
report
