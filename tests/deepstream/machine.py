# Copyright (C) 2026 The gst-plugin-dsframe authors
# Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""What the machine is: versions, and the layouts of DeepStream's headers."""

import json
import os
import platform
import re
import shutil
import subprocess
import tempfile

#: Headers that declare the structs; those that are not there are left out.
HEADERS = [
    "stddef.h", "stdint.h", "stdbool.h", "stdio.h", "glib.h", "gst/gst.h", "nvbufsurface.h", "nvll_osd_struct.h",
    "nvdsmeta.h", "gstnvdsmeta.h", "nvds_roi_meta.h",
]

#: Without these the plugin reads neither surfaces nor metadata.
ESSENTIAL = {
    "NvBufSurface", "NvBufSurfaceParams", "NvBufSurfacePlaneParams", "NvDsMeta", "NvDsMetaPool", "NvDsBaseMeta",
    "NvDsBatchMeta", "NvDsFrameMeta", "NvDsObjectMeta", "NvDsUserMeta", "NvOSD_RectParams", "GList",
}


def said(*command):
    """What a program prints, or None."""
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return run.stdout.strip() if run.returncode == 0 else None


def first(pattern, text):
    found = re.search(pattern, text or "", re.MULTILINE)
    return found.group(1).strip() if found else None


def read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return None


def inspect(name):
    return said("gst-inspect-1.0", name)


def driver(text):
    """From /proc/driver/nvidia/version, which says for what machine the open modules are."""
    return first(r"Kernel Module(?: for \S+)?\s+([0-9.]+)", text)


def toolkit(text):
    """From version.json of CUDA. None where it is not what it should be."""
    try:
        return json.loads(text)["cuda"]["version"]
    except (ValueError, TypeError, KeyError):
        return None


def versions(deepstream):
    gpus = said("nvidia-smi", "--query-gpu=name,driver_version,memory.total,compute_cap", "--format=csv,noheader")
    system = read("/etc/os-release")
    elements = {}
    for name in ("nvdsgst_multistream", "nvdsgst_infer", "nvvideoconvert", "nvvideo4linux2"):
        elements[name] = first(r"^\s+Version\s+(\S+)", inspect(name))
    return {
        "deepstream": first(r"Version:\s*(\S+)", read(os.path.join(deepstream, "version"))) or elements["nvdsgst_multistream"],
        "deepstream-plugins": elements,
        "new-nvstreammux": os.environ.get("USE_NEW_NVSTREAMMUX") == "yes",
        "plugin": first(r"^\s+Version\s+(\S+)", inspect("dsframe")),
        "gstreamer": first(r"GStreamer (\S+)", said("gst-inspect-1.0", "--version")),
        "driver": driver(read("/proc/driver/nvidia/version")),
        "gpus": gpus.splitlines() if gpus else [],
        "cuda-of-driver": first(r"CUDA Version:\s*([0-9.]+)", said("nvidia-smi")),
        "cuda-toolkit": toolkit(read("/usr/local/cuda/version.json")),
        "system": first(r'^PRETTY_NAME="?([^"\n]*)', system),
        "glibc": platform.libc_ver()[1],
        "machine": platform.machine(),
        "python": platform.python_version(),
    }


def within(release, span):
    """Whether a release is in `low-high`, both included. What is newer counts as the newest."""
    low, _, high = span.partition("-")

    def number(text):
        return tuple(int(part) for part in re.findall(r"\d+", text)[:2])

    return number(low) <= min(number(release), (9, 1)) <= number(high or low)


def program(structs):
    """C that prints sizes and offsets as the headers here have them."""
    lines = [f"#if __has_include(<{header}>)\n#include <{header}>\n#endif" for header in HEADERS]
    lines.append("int main(void) {")
    for name, struct in structs.items():
        lines.append(f'  printf("{name} - %zu 0\\n", sizeof({name}));')
        for field in struct["fields"]:
            lines.append(
                f'  printf("{name} {field} %zu %zu\\n", sizeof((({name} *)0)->{field}), offsetof({name}, {field}));'
            )
    return "\n".join([*lines, "  return 0;", "}", ""])


def compiled(compiler, flags, text):
    """What the program prints; else None and why not."""
    with tempfile.TemporaryDirectory(prefix="dsframe-") as folder:
        source, binary = os.path.join(folder, "layout.c"), os.path.join(folder, "layout")
        with open(source, "w", encoding="utf-8") as file:
            file.write(text)
        command = [compiler, "-w", "-o", binary, source, *flags]
        run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        if run.returncode != 0:
            return None, run.stderr.replace(folder, "")
        return said(binary), ""


def headers(deepstream):
    """The folder with DeepStream's headers, or None."""
    for folder in ("sources/includes", "includes", "include"):
        path = os.path.join(deepstream, folder)
        if os.path.isfile(os.path.join(path, "nvbufsurface.h")):
            return path
    return None


def layouts(deepstream, release, facts):
    """Measures every struct of `facts`. Returns what is measured, absent and different."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    folder = headers(deepstream)
    if compiler is None:
        return None, "there is no C compiler"
    if folder is None:
        return None, "DeepStream's headers are not installed"
    packages = said("pkg-config", "--cflags", "gstreamer-1.0", "glib-2.0")
    if packages is None:
        return None, "GStreamer's headers are not installed (libgstreamer1.0-dev)"
    flags = [f"-I{folder}", "-I/usr/local/cuda/include", *packages.split()]
    nothing, why = compiled(compiler, flags, program({}))
    if nothing is None:
        return None, "the headers do not compile here: " + why.strip().splitlines()[0]
    wanted = {
        name: struct
        for name, spans in facts["structs"].items()
        for span, struct in spans.items()
        if span[0].isdigit() and within(release, span)
    }
    absent = {}
    # All at once; one by one where that does not compile.
    output, _ = compiled(compiler, flags, program(wanted))
    if output is None:
        output = ""
        for name, struct in wanted.items():
            found, why = compiled(compiler, flags, program({name: struct}))
            if found is None:
                absent[name] = next((line for line in why.splitlines() if "error:" in line), "it does not compile")
            else:
                output += found + "\n"
    measured, different = {}, []
    for name, field, size, offset in (line.split() for line in output.splitlines()):
        struct = wanted[name]
        if field == "-":
            measured[name] = int(size)
            if measured[name] != struct["size"]:
                different.append(f"{name}: {size} bytes, {struct['size']} expected")
            continue
        want = struct["fields"][field]
        if (int(offset), int(size)) != (want["offset"], want["size"]):
            different.append(f"{name}.{field}: {size} bytes at {offset}, {want['size']} at {want['offset']} expected")
    return {"measured": measured, "absent": absent, "different": different}, None
