#!/usr/bin/env bash
# Frames of another program through a pipe, as YUV4MPEG (documented Part 1, "Custom Video Source").
#   inject-y4m-pipe.sh [FILE]          any file that ffmpeg can read
set -euo pipefail
. "$(dirname "$0")/lib/common.sh"
need_command ffmpeg ffmpeg

clip=$(input_clip "$@")

echo "ffmpeg -i $clip -f yuv4mpegpipe -pix_fmt yuv420p - |"
ffmpeg -v error -nostdin -i "$clip" -f yuv4mpegpipe -pix_fmt yuv420p - |
    launch dsframeinject location=- \
        ! dsframecapture interval-time=1000000000 location="$out/{pts}.png" log-location="$out/log.jsonl"
report
