# Copyright (C) 2026 The gst-plugin-dsframe authors
# Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Reads the counters of a running capture, for each stream, with PyGObject. stats.py [SECONDS]"""

import sys

import gi

gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst  # noqa: E402

Gst.init(None)
pipeline = Gst.parse_launch(
    "dsframeinject is-live=true pattern=objects ! video/x-raw,width=640,height=360,framerate=30/1 "
    "! dsframecapture name=capture classes=person min-objects=2"
    " log-location=/dev/null"
)
capture = pipeline.get_by_name("capture")
left = int(sys.argv[1]) if len(sys.argv) > 1 else 5
loop = GLib.MainLoop()


def show():
    global left
    stats = capture.get_property("stats")
    parts = ("captured", "not-selected", "dropped", "failed", "pending")
    # True at every moment.
    assert stats.get_value("seen") == sum(stats.get_value(part) for part in parts)
    print("seen", stats.get_value("seen"), {part: stats.get_value(part) for part in parts})
    left -= 1
    if left == 0:
        pipeline.send_event(Gst.Event.new_eos())
    return left > 0


def on_message(_bus, message):
    if message.type == Gst.MessageType.ERROR:
        print(message.parse_error())
    if message.type in (Gst.MessageType.ERROR, Gst.MessageType.EOS):
        loop.quit()


bus = pipeline.get_bus()
bus.add_signal_watch()
bus.connect("message", on_message)
GLib.timeout_add_seconds(1, show)
pipeline.set_state(Gst.State.PLAYING)
loop.run()
pipeline.set_state(Gst.State.NULL)
