#!/usr/bin/env bash
# Copyright (C) 2026 The gst-plugin-dsframe authors
# Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# Tries the plugin beside the DeepStream that is installed here, and prints one JSON report. It needs
# Python 3, GStreamer and the plugin, and installs nothing:
#   GST_PLUGIN_PATH=/folder/with/plugin tests/deepstream/selftest.sh --output report.json
# selftest.sh --help lists the options; docs/compatibility.md says what is checked.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
command -v python3 >/dev/null || { echo "python3 is needed: apt-get install python3" >&2; exit 2; }

export PYTHONDONTWRITEBYTECODE=1
exec python3 "$here/selftest.py" "$@"
