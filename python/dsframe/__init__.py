# Copyright (C) 2026 The gst-plugin-dsframe authors
# Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Frames into and out of GStreamer pipelines with dsframeinject and dsframecapture.

    with FrameSender("/tmp/cam.sock", fps=30) as sender:       # dsframeinject channel=unix:/tmp/cam.sock
        for image in camera:
            sender.send(image)

    for frame in FrameReceiver("/tmp/out.sock"):               # dsframecapture channel=unix:/tmp/out.sock
        print(frame.number, frame.pts, frame.detections, frame.array.mean())

Processes of one machine share the pixels; nothing is copied but once into that memory.
"""

from .detections import Classifier, Detection, Label
from .errors import ProducerGone, ProtocolError, Refused
from .formats import FORMATS
from .frame import Frame, WritableFrame
from .receiver import FrameReceiver, ReceiverStats
from .sender import FrameSender, SenderStats

__version__ = "0.1.0"

__all__ = [
    "FORMATS", "Classifier", "Detection", "Frame", "FrameReceiver", "FrameSender", "Label",
    "ProducerGone", "ProtocolError", "ReceiverStats", "Refused", "SenderStats", "WritableFrame",
]
