# Copyright (C) 2026 The gst-plugin-dsframe authors
# Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""A picture whenever the program says so, with PyGObject. capture_on_demand.py [FOLDER] [PICTURES]"""

import sys

import gi

gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst  # noqa: E402

folder = sys.argv[1] if len(sys.argv) > 1 else "out"
wanted = int(sys.argv[2]) if len(sys.argv) > 2 else 3

Gst.init(None)
pipeline = Gst.parse_launch(
    "dsframeinject is-live=true ! video/x-raw,width=640,height=360,framerate=30/1 "
    f"! dsframecapture name=capture mode=manual post-messages=true location={folder}/manual_%03d.jpg"
)
capture = pipeline.get_by_name("capture")
loop = GLib.MainLoop()
taken = 0
failed = False


def on_message(_bus, message):
    global taken, failed
    if message.type == Gst.MessageType.ERROR:
        print(message.parse_error())
        failed = True
        loop.quit()
    elif message.type == Gst.MessageType.EOS:
        loop.quit()
    elif message.type == Gst.MessageType.ELEMENT and message.get_structure().get_name() == "dsframecapture-saved":
        # The file is complete when this comes.
        saved = message.get_structure()
        print(saved.get_value("file"), saved.get_value("reason"))
        taken += 1
        if taken == wanted:
            pipeline.send_event(Gst.Event.new_eos())
        else:
            # -1: of every stream. The next frame is taken.
            capture.emit("capture", -1)


bus = pipeline.get_bus()
bus.add_signal_watch()
bus.connect("message", on_message)

pipeline.set_state(Gst.State.PLAYING)
pipeline.get_state(Gst.CLOCK_TIME_NONE)
if not capture.emit("capture", -1):
    sys.exit("refused")
loop.run()
pipeline.set_state(Gst.State.NULL)
sys.exit(failed)
