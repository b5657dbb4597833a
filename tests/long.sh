#!/usr/bin/env bash
# What takes longer than tests/run.sh may: soak, kills by the hundred, state cycles by the thousand.
# Figures and their date go to docs/. One stage only: tests/long.sh STAGE.
set -euo pipefail

cd "$(dirname "$0")/.."
. gst-launch-examples/lib/setup.sh
. tests/lib/stages.sh
require_rust
. tests/lib/environment.sh

only=${1:-}

# long NAME FILTER: the tests that the filter names, with DSFRAME_LONG=1, which raises their counts.
long() {
    [[ -z $only || $only == "$1" ]] || return 0
    stage "$1"
    DSFRAME_LONG=1 G_DEBUG=fatal_warnings cargo nextest run --locked --release --profile long \
        --no-tests=warn -E "$2"
}

private_registry long
long soak 'test(/soak|memory_flat/)'
long kills 'test(/kill/)'
long states 'test(/state_cycles|pause_play/)'
long inputs 'test(/proptest|fuzz|property/)'
long threads 'test(/^threads::/)'
