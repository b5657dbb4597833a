# Copyright (C) 2026 The gst-plugin-dsframe authors
# Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
# SPDX-License-Identifier: Apache-2.0 OR MIT

"""Saves every Nth frame of a pipeline as it is usually done in Python: appsink and cv2.imwrite.

save.py PIPELINE FOLDER N QUALITY: PIPELINE makes RGB and ends in `appsink name=sink`. Prints wall
and CPU seconds from PLAYING to the end, and the frames seen.
"""

import json
import sys
import time

import cv2
import gi
import numpy

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
from gi.repository import Gst, GstApp  # noqa: E402,F401

description, folder, every, quality = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
Gst.init(None)
pipeline = Gst.parse_launch(description)
sink = pipeline.get_by_name("sink")
parameters = [cv2.IMWRITE_JPEG_QUALITY, quality]
frames = 0
width = height = None

wall, cpu = time.perf_counter(), time.process_time()
pipeline.set_state(Gst.State.PLAYING)
while True:
    sample = sink.emit("pull-sample")
    if sample is None:
        break
    if width is None:
        caps = sample.get_caps().get_structure(0)
        width, height = caps.get_value("width"), caps.get_value("height")
    buffer = sample.get_buffer()
    with buffer.map(Gst.MapFlags.READ) as info:
        frame = numpy.ndarray((height, width, 3), numpy.uint8, buffer=info.data)
        if frames % every == 0:
            bgr = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
            cv2.imwrite(f"{folder}/{frames:06d}.jpg", bgr, parameters)
    frames += 1
print(
    json.dumps(
        {
            "wall": time.perf_counter() - wall,
            "cpu": time.process_time() - cpu,
            "frames": frames,
        }
    )
)
pipeline.set_state(Gst.State.NULL)
