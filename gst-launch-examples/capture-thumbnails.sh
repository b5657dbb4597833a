#!/usr/bin/env bash
# Thumbnails: one small picture for every two seconds of a media file; the injector seeks to them
# where that is cheaper than decoding everything (documented Part 2, "Thumbnail Generation").
#   capture-thumbnails.sh [FILE]
set -euo pipefail
. "$(dirname "$0")/lib/common.sh"

clip=$(input_clip "$@")

launch dsframeinject uri="file://$clip" sample-interval=2000000000 \
    ! dsframecapture interval=1 width=160 quality=80 location="$out/thumbnail_%03d.jpg"
report
