#!/usr/bin/env bash
# Inject and render (documented Part 1, pattern 4: Flow.inject, infer, render). With a display the
# video plays in a window; without one it is only captured, once a second.
#   inject-flow.sh [FILE]
set -euo pipefail
. "$(dirname "$0")/lib/common.sh"

clip=$(input_clip "$@")
window=(fakesink sync=false)
if [[ -n ${DISPLAY:-}${WAYLAND_DISPLAY:-} ]]; then
    window=(autovideosink)
fi

launch dsframeinject uri="file://$clip" ! tee name=t \
    t. ! queue ! videoconvert ! "${window[@]}" \
    t. ! queue ! dsframecapture interval-time=1000000000 location="$out/second_%03d.jpg"
report
