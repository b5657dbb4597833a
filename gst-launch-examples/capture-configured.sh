#!/usr/bin/env bash
# Captures as a file says (documented best practices, "Configuration-Driven Pipelines" and
# "Configuration Management"): what to capture is in capture-configured.yml, and where to put it in
# the environment. Two persons are there in the first four seconds of every eight.
#   capture-configured.sh
set -euo pipefail
. "$(dirname "$0")/lib/common.sh"

export OUT=$PWD/$out
launch dsframeinject pattern=objects num-buffers=600 \
    ! dsframecapture config-file-path=gst-launch-examples/capture-configured.yml
report
