#!/usr/bin/env bash
# A folder of pictures as a video (documented Part 1, "Image Sequence Processing").
#   inject-images.sh [FOLDER]          JPEG or PNG files, in natural order, of any sizes
set -euo pipefail
. "$(dirname "$0")/lib/common.sh"

if [[ $# -gt 0 ]]; then
    folder=$(cd "$called_from" && realpath -e "$1")
else
    folder=out/input/photos
    mkdir -p "$folder"
    gst-launch-1.0 -q videotestsrc num-buffers=20 pattern=ball ! video/x-raw,width=800,height=600 \
        ! videoconvert ! pngenc ! multifilesink location="$folder/photo_%d.png"
fi

launch dsframeinject location="$folder/*" width=640 height=480 framerate=5/1 add-borders=true \
    ! dsframecapture interval=1 location="$out/frame_%04d.jpg" log-location="$out/log.jsonl"
report
