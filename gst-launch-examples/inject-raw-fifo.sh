#!/usr/bin/env bash
# Raw frames of declared format and size through a FIFO (documented Part 1, "Pre-processed Frame
# Injection"). Any program that writes bytes can be the source.
#   inject-raw-fifo.sh [FILE]          any file that ffmpeg can read
set -euo pipefail
. "$(dirname "$0")/lib/common.sh"
need_command ffmpeg ffmpeg

clip=$(input_clip "$@")
fifo=$out/frames.fifo
mkfifo "$fifo"
trap 'rm -f "$fifo"' EXIT

echo "ffmpeg -i $clip -f rawvideo -pix_fmt rgb24 -s 320x240 $fifo &"
ffmpeg -v error -nostdin -y -i "$clip" -f rawvideo -pix_fmt rgb24 -s 320x240 "$fifo" &
launch dsframeinject location="$fifo" format=RGB width=320 height=240 framerate=30/1 \
    ! dsframecapture interval=30 location="$out/frame_%04d.png" log-location="$out/log.jsonl"
wait
rm -f "$fifo"
report
