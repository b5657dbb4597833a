#!/usr/bin/env bash
# Packs what a machine with a card needs to run the GPU tests and benchmarks: the plugin, the test
# and benchmark programs, the peers' sources, clips, and a GStreamer runtime. That machine needs
# x86-64, a glibc no older than this one's, and NVIDIA's driver; no GStreamer, no Rust, no network,
# no root.
#   pack.sh [DIR]       into DIR, .gpu by default: an archive, and run.sh, which unpacks it
#   DIR/run.sh          there
set -euo pipefail

cd "$(dirname "$0")/../.."
to=${1:-.gpu}
dir=target/gpu-pack
export CARGO_TARGET_DIR=$PWD/target
limit_mib=60

plugins=(coreelements app videotestsrc videoconvertscale videorate videofilter typefindfunctions
    playback rawparse y4mdec y4menc jpeg jpegformat png multifile imagefreeze videoparsersbad isomp4
    matroska debugutilsbad nvcodec openh264)

# The program that a `cargo ... --no-run` has built.
built() {
    "$@" --message-format=json | sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1
}

# clip NAME SOURCE...: SOURCE as H.264 that every decoder reads, in a file and as a bare stream.
clip() {
    local name=$1
    shift
    gst-launch-1.0 -q "$@" ! x264enc bframes=0 key-int-max=30 bitrate=8000 speed-preset=veryfast ! \
        video/x-h264,profile=constrained-baseline ! h264parse ! tee name=split \
        split. ! queue ! video/x-h264,stream-format=avc,alignment=au ! mp4mux ! \
        filesink location="$dir/clips/$name.mp4" \
        split. ! queue ! h264parse config-interval=-1 ! \
        video/x-h264,stream-format=byte-stream,alignment=au ! filesink location="$dir/clips/$name.h264"
}

cargo build --locked --release --lib
# With overflow checks and assertions: the speed of the tests does not matter.
tests=$(built cargo test --locked --no-run --test gpu)
bench=$(built cargo bench --locked --no-run --bench gpu)

rm -rf "$dir"
mkdir -p "$dir"/{bin,lib,plugins,dsframe,peers,clips}

cp -L "$(command -v gst-launch-1.0)" "$(command -v gst-inspect-1.0)" "$dir/bin/"
cp -L "$(pkg-config --variable=pluginscannerdir gstreamer-1.0)/gst-plugin-scanner" "$dir/bin/"
for name in "${plugins[@]}"; do
    file=$(pkg-config --variable=pluginsdir gstreamer-1.0)/libgst$name.so
    if [[ -f $file ]]; then cp -L "$file" "$dir/plugins/"; else echo "not here, left out: $name" >&2; fi
done
strip --strip-unneeded -o "$dir/dsframe/libgstdsframe.so" target/release/libgstdsframe.so
strip --strip-debug -o "$dir/bin/gpu-tests" "$tests"
strip --strip-all -o "$dir/bin/gpu-bench" "$bench"
cp benches/gpu/*.cpp benches/gpu/*.py benches/gpu/build.sh "$dir/peers/"
cp tests/gpu/each.sh "$dir/"
mkdir -p "$dir/python"
cp -r python/dsframe python/tests "$dir/python/"
find "$dir/python" -name __pycache__ -prune -exec rm -r {} +

# All that was copied is linked against, but for what comes with every system: mixing C runtimes
# does not work.
find "$dir" -type f \( -path '*/bin/*' -o -name '*.so*' \) -print0 | xargs -0 ldd 2>/dev/null |
    awk '$2 == "=>" && $3 ~ /^\// { print $3 }' | sort -u |
    grep -vE '/(ld-linux[^/]*|libc|libm|libdl|librt|libpthread|libresolv|libstdc\+\+|libgcc_s)\.so' |
    xargs -I{} cp -L {} "$dir/lib/"

cat > "$dir/env.sh" <<'ENV'
# shellcheck shell=bash
# To be sourced: the packed runtime and plugin for this shell.
packed=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# Programs that are not ours, Python above all, must not get these libraries.
export DSFRAME_GPU_OUTER_LIBRARY_PATH=${LD_LIBRARY_PATH-}
cuda=/usr/local/nvidia/lib64:/usr/local/cuda/lib64
export LD_LIBRARY_PATH="$packed/lib:$cuda${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
export PATH="$packed/bin:$PATH"
export GST_PLUGIN_SYSTEM_PATH_1_0="$packed/plugins" GST_PLUGIN_PATH="$packed/dsframe"
export GST_PLUGIN_SCANNER_1_0="$packed/bin/gst-plugin-scanner"
GST_REGISTRY="${TMPDIR:-/tmp}/dsframe-gpu-registry-$(id -u).bin"
export GST_REGISTRY
export DSFRAME_GPU_CLIPS="$packed/clips" DSFRAME_GPU_PEERS="$packed/peers"
ENV

export GST_PLUGIN_PATH=$PWD/target/release
mkdir -p target/registry
export GST_REGISTRY=$PWD/target/registry/pack.bin
clip coded dsframeinject num-buffers=90 frame-code=true pattern=objects ! \
    video/x-raw,format=I420,width=1920,height=1080,framerate=30/1
# A natural picture costs an encoder more than a drawn one. `benches/peers/setup.sh` fetches a clip.
natural=target/bench-peers/clip.mp4
if [[ -f $natural ]]; then
    ffmpeg -v error -nostdin -i "$natural" -frames:v 120 -vf scale=1920:1080:flags=bicubic \
        -pix_fmt yuv420p -f yuv4mpegpipe "$dir/natural.y4m"
    clip natural dsframeinject location="$dir/natural.y4m"
    rm "$dir/natural.y4m"
else
    echo "no natural clip (benches/peers/setup.sh fetches one): benchmarks use a test picture" >&2
    clip natural videotestsrc pattern=smpte num-buffers=120 ! \
        video/x-raw,format=I420,width=1920,height=1080,framerate=30/1
fi

# Everything must be there before it is carried away.
(
    # shellcheck source=/dev/null
    . "$dir/env.sh"
    export GST_REGISTRY=$PWD/target/registry/packed.bin
    rm -f "$GST_REGISTRY"
    for element in dsframeinject dsframecapture h264parse openh264dec qtdemux jpegenc rawvideoparse; do
        gst-inspect-1.0 "$element" >/dev/null || { echo "packed, but not found: $element" >&2; exit 1; }
    done
    for program in gpu-tests gpu-bench; do
        if ldd "$dir/bin/$program" | grep 'not found'; then exit 1; fi
    done
)

rm -rf "$to"
mkdir -p "$to"
cp tests/gpu/run.sh "$to/"
tar -C "$dir" -czf "$to/packed.tar.gz" .
mib=$(du -sm "$to" | cut -f1)
du -sm "$dir"/* | sort -n
echo "$to: $mib MiB"
if ((mib > limit_mib)); then
    echo "That is more than $limit_mib MiB." >&2
    exit 1
fi
