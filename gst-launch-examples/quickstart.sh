#!/usr/bin/env bash
# The first of the two commands: installs what is missing, builds the plugin, injects 300 frames,
# captures every 30th, and says where the pictures are. It can be run again at any time.
set -euo pipefail

cd "$(dirname "$0")/.."
. gst-launch-examples/lib/setup.sh

install_missing build_requirements
require_gstreamer
require_rust

echo "Building the plugin (the first time takes a few minutes) ..."
CARGO_TARGET_DIR=$PWD/target cargo build --release --locked --lib

. gst-launch-examples/lib/common.sh

echo
echo "Running, with GST_PLUGIN_PATH=$GST_PLUGIN_PATH:"
echo
launch dsframeinject num-buffers=300 \
    ! video/x-raw,format=RGB,width=1280,height=720,framerate=30/1 \
    ! dsframecapture interval=30 location="$out/frame_%06d.jpg" log-location="$out/log.jsonl"

pictures=$(find "$out" -name 'frame_*.jpg' -size +0 | wc -l)
lines=$(wc -l < "$out/log.jsonl")
echo
echo "Injected 300 frames of 1280x720, captured $pictures of them; $lines lines in $out/log.jsonl. The first one:"
head -n 1 "$out/log.jsonl"
echo "The pictures are in $PWD/$out:"
find "$out" -name '*.jpg' | sort

if [[ $pictures -ne 10 || $lines -ne 10 ]]; then
    echo "Ten pictures and ten log lines were expected." >&2
    exit 1
fi
