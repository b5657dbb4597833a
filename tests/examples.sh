#!/usr/bin/env bash
# Runs every example and checks what it wrote: so many pictures, all of which decode, so many log
# lines, all of which are JSON. What needs a GPU may say that it is skipped. Each example has its
# DeepStream twin.
#   examples.sh [NAME...]
set -euo pipefail

cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR=$PWD/target

# name, pictures, log lines
expected() {
    cat <<'LIST'
quickstart              22   22
capture-analysis         0  300
capture-configured       6    6
capture-detections      12   12
capture-event           47   47
capture-every-nth       10   10
capture-first-frame      1    0
capture-forever         12   20
capture-gpu-decode      10   10
capture-interval-time    5    5
capture-objects          9    3
capture-streams          6    3
capture-thumbnails       5    0
capture-training-data   10   10
channel-cameras          3    3
channel-in-process      12   12
channel-processes       12   12
inject-flow             10    0
inject-frame-rate        3    3
inject-images           20   20
inject-multi-source      3    3
inject-raw-fifo         10   10
inject-recorded-detections 4 304
inject-synthetic         0    0
inject-video-file       10   10
inject-y4m-pipe         10   10
stream-to-server        12   12
LIST
}

fail() {
    echo "$1: $2" >&2
    [[ ! -f target/example.log ]] || sed 's/^/    /' target/example.log >&2
    exit 1
}

# check NAME PICTURES LINES: runs the example and looks at its output.
check() {
    local name=$1 pictures=$2 lines=$3 out=out/$1 started=$SECONDS files file logged
    timeout --kill-after=10 300 "gst-launch-examples/$name.sh" > target/example.log 2>&1 ||
        fail "$name" "exit status $?"

    if [[ $name == capture-gpu-decode ]] && grep -q '^skipped: ' target/example.log; then
        [[ -z $(find "$out" -type f) ]] || fail "$name" "it says that it was skipped, and left files in $out"
        printf '%-24s %s\n' "$name" "skipped: no NVIDIA GPU, or no nvh264dec"
        return
    fi

    mapfile -t files < <(find "$out" -type f \( -name '*.jpg' -o -name '*.png' -o -name '*.webm' \) | sort)
    if [[ $name == inject-synthetic ]]; then pictures=1; fi
    [[ ${#files[@]} -eq $pictures ]] || fail "$name" "$pictures files expected, ${#files[@]} in $out"
    for file in "${files[@]}"; do
        [[ -z $(ffmpeg -v error -nostdin -i "$file" -f null - 2>&1) ]] || fail "$name" "$file does not decode"
    done

    logged=$(find "$out" -name '*.jsonl' -exec cat {} + |
        python3 -c 'import json, sys; print(len([json.loads(line)["version"] for line in sys.stdin]))') ||
        fail "$name" "a log line is not JSON"
    [[ $logged -eq $lines ]] || fail "$name" "$lines log lines expected, $logged found"
    [[ -z $(find "$out" -name '.*' -type f) ]] || fail "$name" "temporary files were left in $out"
    printf '%-24s %3d files  %3d log lines  %3d s\n' "$name" "$pictures" "$lines" "$((SECONDS - started))"
}

while IFS= read -r script; do
    name=$(basename "$script" .sh)
    grep -q "^$name " <(expected) || fail "$name" "tests/examples.sh does not know what to expect of it"
    [[ -f gst-launch-examples/$name.deepstream ]] || fail "$name" "it has no DeepStream twin"
done < <(find gst-launch-examples -maxdepth 1 -name '*.sh')

while read -r name pictures lines; do
    if [[ $# -gt 0 && " $* " != *" $name "* ]]; then continue; fi
    check "$name" "$pictures" "$lines"
done < <(expected)

# A second run begins with a fresh folder.
if [[ $# -eq 0 ]]; then check quickstart 22 22; fi
