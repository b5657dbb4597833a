# Copyright (C) 2026 The gst-plugin-dsframe authors
# Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
# SPDX-License-Identifier: Apache-2.0 OR MIT

"""Reads pictures as it is usually done in Python: cv2.imread and cvtColor to RGB.

read.py FOLDER N: N frames, from the first picture again after the last. Prints as save.py does.
"""

import glob
import json
import sys
import time

import cv2

files = sorted(glob.glob(f"{sys.argv[1]}/*.jpg"))
frames = int(sys.argv[2])

wall, cpu = time.perf_counter(), time.process_time()
for number in range(frames):
    rgb = cv2.cvtColor(cv2.imread(files[number % len(files)]), cv2.COLOR_BGR2RGB)
print(
    json.dumps(
        {
            "wall": time.perf_counter() - wall,
            "cpu": time.process_time() - cpu,
            "frames": frames,
        }
    )
)
