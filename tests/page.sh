#!/usr/bin/env bash
# Copyright (C) 2026 The gst-plugin-dsframe authors
# Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# The live page in headless Chromium: page.sh [--pictures FOLDER | --look FOLDER]
# It is skipped, with a word, where no browser can be had.
set -euo pipefail

cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR=$PWD/target
skip() {
    echo "skipped: the live page is not tested in a browser: $1" >&2
    exit 0
}

CHROMIUM=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
[[ -n $CHROMIUM ]] || skip "there is no chromium; Debian's package of that name has one"
export CHROMIUM

# Playwright drives the browser that is here, and brings none of its own.
browser=target/browser
if ! "$browser/bin/python" -c 'import numpy, playwright' 2>/dev/null; then
    { python3 -m venv "$browser" &&
        "$browser/bin/pip" install --quiet --disable-pip-version-check numpy playwright; } ||
        skip "numpy and playwright cannot be installed"
fi
"$browser/bin/python" - <<'PYTHON' || skip "$CHROMIUM does not start here"
import os
from playwright.sync_api import sync_playwright

with sync_playwright() as playwright:
    playwright.chromium.launch(executable_path=os.environ["CHROMIUM"], args=["--no-sandbox"]).close()
PYTHON

cargo build --locked --lib --quiet
# A folder with the plugin and nothing else.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp target/debug/libgstdsframe.so "$work"
export GST_PLUGIN_PATH=$work GST_REGISTRY=$work/registry.bin PYTHONDONTWRITEBYTECODE=1
timeout 540 "$browser/bin/python" tests/monitor/page.py "$@"
