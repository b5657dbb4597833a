# Copyright (C) 2026 The gst-plugin-dsframe authors
# Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""A camera that is not one: a gradient that moves. camera.py [PATH] [FRAMES]

Watch it with reader.py, or in a pipeline:
    gst-launch-1.0 dsframeinject channel=unix:/tmp/cam.sock ! videoconvert ! autovideosink
"""

import sys
import time

import numpy as np

from dsframe import Detection, FrameSender

path = sys.argv[1] if len(sys.argv) > 1 else "/tmp/cam.sock"
frames = int(sys.argv[2]) if len(sys.argv) > 2 else 300
height, width, fps = 480, 640, 30

y, x = np.mgrid[:height, :width]
with FrameSender(path, fps=fps, overflow="drop-oldest") as sender:
    begun = time.monotonic()
    for number in range(frames):
        # Drawn where the readers will see it, without a copy.
        frame = sender.frame(height, width)
        frame.array[..., 0] = x + 4 * number
        frame.array[..., 1] = y - 2 * number
        frame.array[..., 2] = (x + y) // 4
        left = 4 * number % (width - 100)
        frame.array[200:280, left:left + 100] = 255
        found = Detection("square", (left, 200, 100, 80), confidence=1.0, track_id=1)
        sender.send(frame, detections=[found])
        time.sleep(max(begun + (number + 1) / fps - time.monotonic(), 0))
print(sender.stats)
