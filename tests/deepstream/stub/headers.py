# Copyright (C) 2026 The gst-plugin-dsframe authors
# Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Headers with the layouts of one release, from deepstream-abi.json, for the stub elements.

    headers.py RELEASE FOLDER [WRONG]

With WRONG, the name of a struct, that one gets four bytes more at its start."""

import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import machine  # noqa: E402  pylint: disable=wrong-import-position

SCALARS = {
    "u8": "uint8_t", "i8": "char", "u32": "uint32_t", "i32": "int32_t", "u64": "uint64_t", "i64": "int64_t",
    "f32": "float", "f64": "double", "bool": "bool", "*void": "void *", "*f32": "float *", "*i8": "char *",
}
#: GLib and GStreamer declare these.
THEIRS = {"GList", "GRecMutex", "GstMeta", "GstMetaInfo"}


def declared(name, field):
    kind, size = field["type"], field["size"]
    if kind == "fn*":
        return f"void *(*{name})(void *, void *);"
    if found := re.fullmatch(r"\[struct;(\d+)\]", kind):
        return f"uint64_t {name}[{size // 8}];"
    if found := re.fullmatch(r"\[(.+);(\d+)\]", kind):
        return f"{SCALARS[found.group(1)]} {name}[{found.group(2)}];"
    if kind in SCALARS:
        return f"{SCALARS[kind]} {name};"
    return f"{kind[1:]} *{name};" if kind.startswith("*") else f"{kind} {name};"


def main(release, folder, wrong=None):
    with open(os.path.join(HERE, "..", "..", "abi", "deepstream-abi.json"), encoding="utf-8") as file:
        facts = json.load(file)
    structs = {}
    for name, spans in facts["structs"].items():
        for span, struct in spans.items():
            if name not in THEIRS and machine.within(release, span):
                structs[name] = struct
    text = ["#pragma once", "#include <gst/gst.h>", "#include <stdbool.h>", "#include <stddef.h>", "#include <stdint.h>"]
    text += [f"typedef struct _{name} {name};" for name in structs]
    known = {f["type"][1:] for s in structs.values() for f in s["fields"].values() if re.match(r"\*[A-Z]", f["type"])}
    text += [f"typedef struct _{name} {name};" for name in sorted(known - set(structs) - THEIRS)]
    written = set()

    def write(name):
        if name in written:
            return
        written.add(name)
        fields = structs[name]["fields"]
        for field in fields.values():
            if field["type"] in structs:
                write(field["type"])
        text.append(f"struct _{name} {{")
        if name == wrong:
            text.append("  uint32_t more;")
        text.extend(f"  {declared(field, what)}" for field, what in fields.items())
        text.append("};")
        if wrong is None:
            text.append(f'_Static_assert(sizeof({name}) == {structs[name]["size"]}, "{name}");')

    for name in structs:
        write(name)
    os.makedirs(folder, exist_ok=True)
    for name in ("nvbufsurface.h", "nvll_osd_struct.h", "nvdsmeta.h", "gstnvdsmeta.h"):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write("\n".join(text) + "\n" if name == "nvbufsurface.h" else '#include "nvbufsurface.h"\n')


if __name__ == "__main__":
    main(*sys.argv[1:])
