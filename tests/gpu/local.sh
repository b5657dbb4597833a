#!/usr/bin/env bash
# The GPU tests where the repository is: on the card, if there is one, and on the stand-in for its
# driver, which runs the kernels on the CPU. Says plainly which.
#   local.sh [PART OF A NAME...] [ARGUMENTS OF cargo nextest run]
set -euo pipefail

cd "$(dirname "$0")/../.."
export CARGO_TARGET_DIR=$PWD/target
export DSFRAME_GPU_TESTS=1 G_DEBUG=fatal_warnings

# run LOG ARGUMENTS...: the tests; sets `summary` to "N tests, M of them skipped".
run() {
    local log=$1 tests skipped
    shift
    # What a test skips is on its output, which is shown for those that pass only if asked for.
    cargo nextest run --locked --test gpu --success-output immediate --failure-output immediate "$@" 2>&1 | tee "$log" |
        grep -vE '^ *(stdout|stderr) ───|^ *running 1 test$|^$|^ *test .* ok$|^ *test result: ok'
    tests=$(sed -n 's/.* \([0-9]*\) tests\{0,1\} run:.*/\1/p' "$log" | tail -n 1)
    skipped=$(grep -c '^ *skipped: ' "$log" || true)
    summary="${tests:-0} tests, $skipped of them skipped"
}

has_card() {
    compgen -G '/dev/nvidia[0-9]*' >/dev/null && ldconfig -p | grep -q 'libcuda\.so\.1'
}

# A clip with frame codes, as pack.sh makes one.
export DSFRAME_GPU_CLIPS=$PWD/target/gpu-clips
mkdir -p "$DSFRAME_GPU_CLIPS"

if has_card; then
    if [[ ! -f $DSFRAME_GPU_CLIPS/coded.mp4 ]]; then
        cargo build --locked --release --lib
        GST_PLUGIN_PATH=$PWD/target/release gst-launch-1.0 -q dsframeinject num-buffers=90 \
            frame-code=true pattern=objects ! \
            video/x-raw,format=I420,width=1920,height=1080,framerate=30/1 ! x264enc bframes=0 ! \
            video/x-h264,profile=constrained-baseline ! h264parse ! mp4mux ! \
            filesink location="$DSFRAME_GPU_CLIPS/coded.mp4"
    fi
    # Those that take all memory want to be alone.
    run target/gpu-tests.log -E 'not test(::alone::)' "$@"
    shared=$summary
    run target/gpu-tests-alone.log -j 1 -E 'test(::alone::)' "$@"
    echo "GPU tests: run on a card: $shared; alone on it: $summary"
    exit
fi

tests/standin/build.sh --test
# Two devices: what needs them is tested too.
export LD_LIBRARY_PATH=$PWD/target/standin${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export DSFRAME_STANDIN_DEVICES=2
run target/gpu-tests.log "$@"
echo "GPU tests: not run on a card (no device here); run on the CPU by the stand-in driver: $summary"
