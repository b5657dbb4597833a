# Copyright (C) 2026 The gst-plugin-dsframe authors
# Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Runs one line, as gst-launch-1.0 does, in a process of its own, and prints what came of it as JSON.

    pipeline.py SECONDS WORD...

PyGObject is not in every DeepStream image, so libgstreamer is called through ctypes.
"""

import ctypes
import json
import os
import sys
import time

EOS, ERROR, WARNING = 1 << 0, 1 << 1, 1 << 2
PLAYING, NULL, FAILURE = 4, 1, 0
SECOND = 1_000_000_000
# GstMessage begins with a GstMiniObject; this is part of GStreamer's ABI.
MESSAGE_TYPE = 64


class GError(ctypes.Structure):
    _fields_ = [("domain", ctypes.c_uint32), ("code", ctypes.c_int), ("message", ctypes.c_char_p)]


def library(name):
    return ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)


def typed(function, result, *arguments):
    function.restype, function.argtypes = result, arguments
    return function


pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
glib, gobject, gst = (library(f"lib{name}.so.0") for name in ("glib-2.0", "gobject-2.0", "gstreamer-1.0"))
parse = typed(gst.gst_parse_launchv, pointer, ctypes.POINTER(text), ctypes.POINTER(ctypes.POINTER(GError)))
get_bus = typed(gst.gst_element_get_bus, pointer, pointer)
set_state = typed(gst.gst_element_set_state, number, pointer, number)
pop = typed(gst.gst_bus_timed_pop_filtered, pointer, pointer, ctypes.c_uint64, number)
by_name = typed(gst.gst_bin_get_by_name, pointer, pointer, text)
find_property = typed(gobject.g_object_class_find_property, pointer, pointer, text)
free = typed(glib.g_free, None, pointer)


def parsed(function, message):
    """Text and detail of a warning or an error."""
    error, debug = ctypes.POINTER(GError)(), ctypes.c_char_p()
    function.argtypes = [pointer, pointer, pointer]
    function.restype = None
    function(message, ctypes.byref(error), ctypes.byref(debug))
    said = (error.contents.message or b"").decode(errors="replace")
    detail = (debug.value or b"").decode(errors="replace").splitlines()
    return ": ".join([said, *detail[-1:]])


def stats(pipeline, name):
    element = by_name(pipeline, name.encode())
    if not element:
        return None
    klass = ctypes.cast(element, ctypes.POINTER(pointer))[0]
    if not find_property(klass, b"stats-json"):
        return None
    value = ctypes.c_char_p()
    gobject.g_object_get(pointer(element), text(b"stats-json"), ctypes.byref(value), pointer(None))
    return json.loads(value.value)


def loaded():
    """NVIDIA's libraries that this process opened."""
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
        names = {os.path.basename(line.split()[-1]) for line in maps if ".so" in line}
    return sorted(name for name in names if name.startswith(("libnv", "libcuda")))


def main(limit, words):
    report = {"end": "timeout", "error": None, "warnings": [], "stats": {}}
    gst.gst_init(None, None)
    error = ctypes.POINTER(GError)()
    argv = (text * (len(words) + 1))(*[word.encode() for word in words], None)
    pipeline = parse(argv, ctypes.byref(error))
    if error:
        report["end"] = "error"
        report["error"] = error.contents.message.decode(errors="replace")
    if not pipeline or error:
        return report
    bus = get_bus(pipeline)
    failed = set_state(pipeline, PLAYING) == FAILURE
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        message = pop(bus, SECOND // 5, EOS | ERROR | WARNING)
        if not message:
            if failed:
                report["end"], report["error"] = "error", "it did not start"
                break
            continue
        kind = number.from_address(message + MESSAGE_TYPE).value
        if kind == WARNING:
            report["warnings"].append(parsed(gst.gst_message_parse_warning, message))
        elif kind == ERROR:
            report["end"], report["error"] = "error", parsed(gst.gst_message_parse_error, message)
            break
        else:
            report["end"] = "eos"
            break
    names = [word[5:] for word in words if word.startswith("name=")]
    report["stats"] = {name: found for name in names if (found := stats(pipeline, name))}
    report["libraries"] = loaded()
    if report["end"] == "timeout":
        # What hangs may hang the way down, too.
        print(json.dumps(report), flush=True)
        os._exit(0)
    set_state(pipeline, NULL)
    return report


if __name__ == "__main__":
    print(json.dumps(main(float(sys.argv[1]), sys.argv[2:])))
