# Copyright (C) 2026 The gst-plugin-dsframe authors
# Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
# SPDX-License-Identifier: Apache-2.0 OR MIT

"""Frames of one pipeline into another as it is usually done in Python: appsink, queue.Queue, appsrc.

bridge.py N: prints the seconds from the first to the last of N frames of 1080p RGB at the sink.
"""

import queue
import sys
import threading
import time

import gi
import numpy

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
from gi.repository import Gst, GstApp  # noqa: E402,F401

count = int(sys.argv[1])
width, height = 1920, 1080
caps = f"video/x-raw,format=RGB,width={width},height={height},framerate=30/1"
frames = queue.Queue(maxsize=8)
arrivals = []
done = threading.Event()

Gst.init(None)
producer = Gst.parse_launch(
    f"videotestsrc num-buffers=1 ! {caps} ! imagefreeze num-buffers={count} "
    "! appsink name=sink sync=false emit-signals=true max-buffers=8"
)
consumer = Gst.parse_launch(
    f"appsrc name=source caps={caps} format=time block=true max-buffers=8 max-bytes=0 "
    "! fakesink name=sink sync=false"
)
source = consumer.get_by_name("source")


def on_sample(sink):
    buffer = sink.emit("pull-sample").get_buffer()
    with buffer.map(Gst.MapFlags.READ) as info:
        # The mapping ends here: the frame is copied.
        frame = numpy.ndarray((height, width, 3), numpy.uint8, buffer=info.data).copy()
    frames.put((frame, buffer.pts))
    return Gst.FlowReturn.OK


def feed():
    for _ in range(count):
        frame, pts = frames.get()
        buffer = Gst.Buffer.new_wrapped(frame.tobytes())
        buffer.pts = pts
        source.emit("push-buffer", buffer)
    source.emit("end-of-stream")


def on_buffer(_pad, _info):
    arrivals.append(time.perf_counter())
    if len(arrivals) == count:
        done.set()
    return Gst.PadProbeReturn.OK


producer.get_by_name("sink").connect("new-sample", on_sample)
consumer.get_by_name("sink").get_static_pad("sink").add_probe(Gst.PadProbeType.BUFFER, on_buffer)
consumer.set_state(Gst.State.PLAYING)
producer.set_state(Gst.State.PLAYING)
feeder = threading.Thread(target=feed)
feeder.start()
if not done.wait(120):
    sys.exit("frames are missing")
feeder.join()
print(arrivals[-1] - arrivals[0])
producer.set_state(Gst.State.NULL)
consumer.set_state(Gst.State.NULL)
