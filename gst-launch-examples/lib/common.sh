# shellcheck shell=bash
# Sourced by every example: finds the plugin, makes a fresh output folder, prints and runs the line.

called_from=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit
name=$(basename "$0" .sh)
out=out/$name
rm -rf "$out"
mkdir -p "$out"

if [[ -e target/release/libgstdsframe.so ]]; then
    export GST_PLUGIN_PATH=$PWD/target/release${GST_PLUGIN_PATH:+:$GST_PLUGIN_PATH}
fi
if ! gst-inspect-1.0 dsframeinject >/dev/null 2>&1; then
    echo "The plugin is not built yet: run ./gst-launch-examples/quickstart.sh first." >&2
    exit 1
fi

# quoted ARG...: the arguments as one would type them.
quoted() {
    local argument line=()
    for argument in "$@"; do
        if [[ $argument =~ ^[A-Za-z0-9_./:,=%+!@-]+$ ]]; then line+=("$argument"); else line+=("'$argument'"); fi
    done
    echo "${line[*]}"
}

# launch ARG...: prints the gst-launch-1.0 line, then runs it.
launch() {
    echo "gst-launch-1.0 -q $(quoted "$@")"
    gst-launch-1.0 -q "$@"
}

# input_clip [FILE]: the file given, or a ten second clip of our own (30 frames a second, 640x360).
input_clip() {
    local clip=out/input/clip.webm
    if [[ $# -gt 0 ]]; then
        (cd "$called_from" && realpath -e "$1")
        return
    fi
    if [[ ! -s $clip ]]; then
        mkdir -p out/input
        gst-launch-1.0 -q videotestsrc num-buffers=300 pattern=ball ! video/x-raw,width=640,height=360,framerate=30/1 \
            ! videoconvert ! vp8enc deadline=1 cpu-used=8 keyframe-max-dist=30 ! webmmux \
            ! filesink location="$clip.part" >&2
        mv "$clip.part" "$clip"
    fi
    realpath "$clip"
}

# need_command NAME PACKAGE
need_command() {
    command -v "$1" >/dev/null || { echo "$1 is missing: sudo apt-get install $2" >&2; exit 1; }
}

# report: what is in the output folder now.
report() {
    local pictures
    pictures=$(find "$out" -type f ! -name '*.jsonl' | wc -l)
    echo "$pictures files in $out"
    find "$out" -name '*.jsonl' -exec wc -l {} \;
}
