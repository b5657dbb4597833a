#!/usr/bin/env bash
# A GPU and no DeepStream: decoded, captured and compressed on the GPU, every 30th frame. It needs an
# NVIDIA GPU and GStreamer 1.22 or newer with its element nvh264dec; without them it is skipped.
#   capture-gpu-decode.sh [FILE]       an MP4 or MOV file with H.264 video
set -euo pipefail
. "$(dirname "$0")/lib/common.sh"

if ! gst-inspect-1.0 --exists nvh264dec; then
    echo "skipped: this example needs an NVIDIA GPU, and GStreamer finds no element nvh264dec here."
    echo "The element is in the package gstreamer1.0-plugins-bad, and appears where a driver and a GPU are."
    exit 0
fi

# encoder: the first way to make H.264 that is here.
encoder() {
    local name
    for name in x264enc openh264enc nvh264enc; do
        if gst-inspect-1.0 --exists "$name"; then echo "$name"; return; fi
    done
    echo "There is no encoder to make a clip with: name a file, or sudo apt-get install gstreamer1.0-plugins-ugly" >&2
    return 1
}

if [[ $# -gt 0 ]]; then
    clip=$(input_clip "$1")
else
    clip=$PWD/out/input/clip.mp4
    if [[ ! -s $clip ]]; then
        encoder=$(encoder)
        mkdir -p out/input
        gst-launch-1.0 -q videotestsrc num-buffers=300 pattern=ball \
            ! video/x-raw,format=I420,width=640,height=360,framerate=30/1 \
            ! "$encoder" ! h264parse ! mp4mux ! filesink location="$clip.part"
        mv "$clip.part" "$clip"
    fi
fi

launch filesrc location="$clip" ! qtdemux ! h264parse ! nvh264dec \
    ! dsframecapture async=true interval=30 location="$out/frame_%06d.jpg" log-location="$out/log.jsonl"
report
