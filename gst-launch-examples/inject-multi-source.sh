#!/usr/bin/env bash
# Four injectors side by side (documented Part 1, "Multi-Source Buffer Injection").
#   inject-multi-source.sh [FILE]
set -euo pipefail
. "$(dirname "$0")/lib/common.sh"

clip=$(input_clip "$@")
size=video/x-raw,width=640,height=360,framerate=30/1

launch \
    dsframeinject num-buffers=90 pattern=gradient ! "$size" ! mix.sink_0 \
    dsframeinject num-buffers=90 pattern=bars ! "$size" ! mix.sink_1 \
    dsframeinject num-buffers=90 pattern=objects ! "$size" ! mix.sink_2 \
    dsframeinject num-buffers=90 uri="file://$clip" ! "$size" ! mix.sink_3 \
    compositor name=mix sink_1::xpos=640 sink_2::ypos=360 sink_3::xpos=640 sink_3::ypos=360 \
    ! video/x-raw,width=1280,height=720 \
    ! dsframecapture interval=40 location="$out/wall_%03d.jpg" log-location="$out/log.jsonl"
report
