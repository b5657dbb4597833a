# Copyright (C) 2026 The gst-plugin-dsframe authors
# Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Runs a line until it ends, or until SIGTERM or SIGINT, and loses nothing either way.

    graceful.py ELEMENT PROPERTY=VALUE ! ...

A signal becomes EOS; EOS on the bus means that everything accepted is written. A second signal ends it
at once. At the end the counters of every dsframecapture are printed."""

import json
import signal
import sys

import gi

gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst  # noqa: E402

Gst.init(None)
pipeline = Gst.parse_launchv(sys.argv[1:])
loop = GLib.MainLoop()
status = 0
asked = False


def on_signal():
    global asked, status
    if asked:
        status = 130
        loop.quit()
    else:
        asked = True
        # Also where the sources would go on for ever.
        pipeline.send_event(Gst.Event.new_eos())
    return GLib.SOURCE_CONTINUE


def on_message(_bus, message):
    global status
    if message.type == Gst.MessageType.EOS:
        loop.quit()
    elif message.type == Gst.MessageType.ERROR:
        error, detail = message.parse_error()
        print(f"{error.message} ({detail})", file=sys.stderr)
        status = 1
        loop.quit()
    elif message.type == Gst.MessageType.WARNING:
        print(message.parse_warning()[0].message, file=sys.stderr)


for number in (signal.SIGTERM, signal.SIGINT):
    GLib.unix_signal_add(GLib.PRIORITY_HIGH, number, on_signal)
bus = pipeline.get_bus()
bus.add_signal_watch()
bus.connect("message", on_message)

pipeline.set_state(Gst.State.PLAYING)
loop.run()

elements = pipeline.iterate_recurse()
while True:
    result, element = elements.next()
    if result != Gst.IteratorResult.OK:
        break
    if element.get_factory().get_name() == "dsframecapture":
        stats = json.loads(element.get_property("stats-json"))
        names = ("seen", "captured", "not-selected", "dropped", "failed", "pending")
        print(element.get_name(), *(f"{name}={stats[name]}" for name in names))
pipeline.set_state(Gst.State.NULL)
sys.exit(status)
