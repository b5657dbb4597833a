#!/usr/bin/env bash
# The first of the two commands: installs what is missing, builds the plugin, injects frames,
# captures every 30th, then those in which two persons are seen, with boxes drawn around them, and
# says where the pictures are. It can be run again at any time.
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

detections=$out/detections
launch dsframeinject pattern=objects num-buffers=600 \
    ! dsframecapture mode=metadata classes=person min-objects=2 cooldown=1000000000 \
    location="$detections/{stream}_{frame:06}_{reason}.jpg" log-location="$detections/log.jsonl" annotate=true

count() { find "$1" -maxdepth 1 -name '*.jpg' -size +0 | wc -l; }
pictures=$(count "$out")
lines=$(wc -l < "$out/log.jsonl")
persons=$(count "$detections")
echo
echo "Injected 300 frames of 1280x720, captured $pictures of them; $lines lines in $out/log.jsonl. The first one:"
sed -n 1p "$out/log.jsonl"
echo "Of 600 frames with moving objects, $persons were captured: two persons, once a second at most."
echo "The pictures are in $PWD/$out:"
find "$out" -name '*.jpg' | sort

if [[ $pictures -ne 10 || $lines -ne 10 || $persons -ne 12 ]]; then
    echo "Ten pictures, ten log lines and twelve pictures of persons were expected." >&2
    exit 1
fi
