#!/usr/bin/env bash
# Watches captures as they come, and what the elements count (documented Part 2, "Real-time streaming").
# Open the address that it prints while it runs; with /metrics behind it, it is for Prometheus.
#   capture-monitored.sh [PORT]
set -euo pipefail
. "$(dirname "$0")/lib/common.sh"

port=${1:-8100}
echo "http://localhost:$port/"
launch dsframeinject pattern=objects num-buffers=300 is-live=true ! video/x-raw,width=1280,height=720,framerate=30/1 \
    ! dsframecapture classes=person cooldown=1000000000 monitor-address="$port" \
    location="$out/%04d.jpg" log-location="$out/log.jsonl"
report
