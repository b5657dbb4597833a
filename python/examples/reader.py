# Copyright (C) 2026 The gst-plugin-dsframe authors
# Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""What comes from a producer, frame by frame. reader.py [PATH] [SECONDS]

The producer is camera.py, or a pipeline:
    gst-launch-1.0 dsframeinject pattern=objects ! dsframecapture interval=1 channel=unix:/tmp/cam.sock
"""

import sys

from dsframe import FrameReceiver

path = sys.argv[1] if len(sys.argv) > 1 else "/tmp/cam.sock"
timeout = float(sys.argv[2]) if len(sys.argv) > 2 else None

with FrameReceiver(path, timeout=timeout) as receiver:
    for frame in receiver:
        objects = ", ".join(f"{found.label} at {found.box}" for found in frame.detections)
        print(frame.number, frame.pts, f"mean {frame.planes[0].mean():.1f}", objects)
    print(receiver.stats)
