#!/usr/bin/env bash
# A capture that never fills the disk: the newest twelve pictures stay, each is on the disk before
# its log line is, some space is left to others, and a second run goes on where the first ended.
#   capture-forever.sh
set -euo pipefail
. "$(dirname "$0")/lib/common.sh"

for _ in first second; do
    launch dsframeinject num-buffers=100 frame-code=true \
        ! dsframecapture interval=10 location="$out/%06d.jpg" log-location="$out/log.jsonl" \
        on-exists=continue max-files=12 min-free-bytes=10000000 on-full=rotate fsync=true
done
report
