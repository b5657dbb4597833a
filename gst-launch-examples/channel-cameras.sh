#!/usr/bin/env bash
# Sixteen cameras, each a channel to another process, on one wall.
#   channel-cameras.sh
set -euo pipefail
. "$(dirname "$0")/lib/common.sh"

cameras=() wall=() places=()
for n in {0..15}; do
    cameras+=(dsframeinject pattern=objects frame-code=true frame-code-stream="$n" num-buffers=90
        ! "video/x-raw,format=RGB,width=320,height=180,framerate=30/1" ! dsframecapture channel="unix:$out/camera-$n.sock")
    wall+=(dsframeinject channel="unix:$out/camera-$n.sock" ! "mix.sink_$n")
    row=$((n / 4)) column=$((n % 4))
    places+=("sink_$n::xpos=$((column * 320))" "sink_$n::ypos=$((row * 180))")
done
launch "${cameras[@]}" &
launch "${wall[@]}" compositor name=mix "${places[@]}" ! video/x-raw,width=1280,height=720 \
    ! dsframecapture interval=30 location="$out/wall_%03d.jpg" log-location="$out/log.jsonl"
wait
report
