# Copyright (C) 2026 The gst-plugin-dsframe authors
# Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""As much of DeepStream's pyservicemaker as the examples use, on PyGObject. DeepStream's own elements
are stood in for; ours are real, and what the real module takes no notice of is an error here."""

import struct

import gi

gi.require_version("Gst", "1.0")
from gi.repository import GLib, GObject, Gst  # noqa: E402  pylint: disable=wrong-import-position

Gst.init(None)

#: DeepStream's elements, and what takes their place.
STAND_INS = {
    "nvurisrcbin": "dsframeinject pattern=objects num-buffers=60 width=320 height=180 framerate=30/1 device=cpu",
    "nvstreammux": "funnel",
    "nvinfer": "identity",
    "nvtracker": "identity",
    "nvosdbin": "identity",
    "nvmultistreamtiler": "identity",
    "nveglglessink": "fakesink async=false",
}


def single(value):
    """A float as it travels: 32 bits."""
    return struct.unpack("f", struct.pack("f", value))[0]


class Node:
    def __init__(self, element, real):
        self.element, self.real = element, real

    def set(self, properties):
        for name, value in properties.items():
            if type(value) not in (str, int, bool, float):
                raise TypeError(f"{name}: Service Maker takes str, int, bool and float, not {type(value).__name__}")
            if type(value) is int and not -2**31 <= value < 2**31:
                raise OverflowError(f"{name}: Service Maker takes integers of 32 bits; a float takes {value}")
            if not self.real:
                continue
            spec = self.element.find_property(name)
            if spec is None:
                raise AttributeError(f"there is no property {name}")
            if (type(value) is str) != (spec.value_type == GObject.TYPE_STRING):
                raise TypeError(f"{name} is of type {spec.value_type.name}, and {value!r} is not converted to it")
            if type(value) is float:
                value = single(value)
                value = value if spec.value_type.fundamental in (GObject.TYPE_FLOAT, GObject.TYPE_DOUBLE) else int(value)
            self.element.set_property(name, value)

    def get(self, name):
        kind = self.element.find_property(name).value_type
        if kind in (GObject.TYPE_UINT64, GObject.TYPE_INT64):
            raise TypeError(f"{name}: Service Maker reads numbers of 64 bits as 0; read stats-json")
        return self.element.get_property(name)


class Pipeline:
    def __init__(self, name):
        self.pipeline = Gst.Pipeline.new(name)
        self.nodes = {}

    def __getitem__(self, name):
        return self.nodes[name]

    def add(self, type_name, name, properties=None):
        line = STAND_INS.get(type_name)
        element = Gst.parse_launch(line) if line else Gst.ElementFactory.make(type_name)
        if element is None:
            raise RuntimeError(f"there is no element {type_name}")
        element.set_property("name", name)
        self.pipeline.add(element)
        self.nodes[name] = Node(element, line is None)
        if properties:
            self.nodes[name].set(properties)
        return self

    def link(self, *names):
        if isinstance(names[0], tuple):
            (names, pads) = names
            assert pads[1] in ("", "sink_%u"), pads
        for source, sink in zip(names, names[1:]):
            if not self.nodes[source].element.link(self.nodes[sink].element):
                raise RuntimeError(f"{source} and {sink} cannot be linked")
        return self

    def start(self):
        self.pipeline.set_state(Gst.State.PLAYING)
        return self

    def wait(self):
        bus = self.pipeline.get_bus()
        message = bus.timed_pop_filtered(60 * Gst.SECOND, Gst.MessageType.EOS | Gst.MessageType.ERROR)
        if message is None:
            raise TimeoutError("neither EOS nor an error")
        if message.type == Gst.MessageType.ERROR:
            raise RuntimeError(message.parse_error()[0].message)
        self.pipeline.set_state(Gst.State.NULL)
        return self

    def stop(self):
        self.pipeline.set_state(Gst.State.NULL)
        return self


__all__ = ["GLib", "Pipeline"]
