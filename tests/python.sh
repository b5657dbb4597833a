#!/usr/bin/env bash
# Copyright (C) 2026 The gst-plugin-dsframe authors
# Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# The Python package: its tests, its installation and its examples. python.sh [PYTHON], which has NumPy.
set -euo pipefail

cd "$(dirname "$0")/.."
python=${1:-python3}
if ! "$python" -c 'import numpy' 2>/dev/null; then
    echo "skipped: the Python package is not tested: $python has no NumPy" >&2
    exit 0
fi
export PYTHONDONTWRITEBYTECODE=1

"$python" -m unittest discover --buffer -s python/tests
# Once more what needs a card, on the stand-in if that was built.
if [[ -e target/standin/libcuda.so.1 ]]; then
    LD_LIBRARY_PATH=$PWD/target/standin${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} \
        "$python" -m unittest discover --buffer -s python/tests -p test_cuda.py
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Without the network, and not into this Python, which others use.
if "$python" -m pip --version >/dev/null 2>&1; then
    "$python" -m pip install --quiet --disable-pip-version-check --no-index --no-deps \
        --target "$work/site" ./python
    PYTHONPATH=$work/site
else
    echo "skipped: the Python package is not installed: $python has no pip" >&2
    PYTHONPATH=$PWD/python
fi
export PYTHONPATH

timeout 60 "$python" python/examples/reader.py "$work/s" 20 >"$work/reader" &
reader=$!
timeout 60 "$python" -m dsframe "$work/s" --count 5 --timeout 20 >"$work/lines" &
lines=$!
# It waits for nobody.
sleep 1
timeout 60 "$python" python/examples/camera.py "$work/s" 90 >"$work/camera"
wait $reader
wait $lines
grep -q 'square at' "$work/reader"
grep -q '^SenderStats' "$work/camera"
[[ $(grep -c '"format": "RGB"' "$work/lines") == 5 ]]
echo "The examples ran."
