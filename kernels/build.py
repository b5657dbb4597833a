#!/usr/bin/env python3
# Copyright (C) 2026 The gst-plugin-dsframe authors
# Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
# SPDX-License-Identifier: Apache-2.0 OR MIT

"""Compiles kernels/*.cu to kernels/*.ptx with NVRTC; needs neither a GPU nor a CUDA toolkit.

NVRTC comes from its wheel on PyPI, at one version, so that the same sources give the same PTX
everywhere. It is kept in target/nvrtc.
"""

import argparse
import ctypes
import hashlib
import pathlib
import re
import subprocess
import sys
import zipfile

WHEEL = "nvidia-cuda-nvrtc-cu12==12.1.105"
# Volta and later. FMA contraction is off so that floats come out as on the CPU.
OPTIONS = ["--gpu-architecture=compute_70", "--fmad=false"]

KERNELS = pathlib.Path(__file__).resolve().parent
TARGET = KERNELS.parent / "target" / "nvrtc"
LIBRARIES = TARGET / "nvidia" / "cuda_nvrtc" / "lib"


class BuildError(Exception):
    pass


class Nvrtc:
    def __init__(self):
        if not (LIBRARIES / "libnvrtc.so.12").exists():
            download()
        # NVRTC opens its builtins by bare name, which finds what is loaded already.
        self.builtins = ctypes.CDLL(
            str(LIBRARIES / "libnvrtc-builtins.so.12.1"), mode=ctypes.RTLD_GLOBAL
        )
        self.library = ctypes.CDLL(str(LIBRARIES / "libnvrtc.so.12"))
        self.library.nvrtcGetErrorString.restype = ctypes.c_char_p
        major, minor = ctypes.c_int(), ctypes.c_int()
        self.call("Version", ctypes.byref(major), ctypes.byref(minor))
        self.version = f"{major.value}.{minor.value}"

    def call(self, name, *arguments):
        status = getattr(self.library, "nvrtc" + name)(*arguments)
        if status:
            reason = self.library.nvrtcGetErrorString(status).decode()
            raise BuildError(f"nvrtc{name}: {reason}")

    def text(self, program, what):
        size = ctypes.c_size_t()
        self.call(f"Get{what}Size", program, ctypes.byref(size))
        buffer = ctypes.create_string_buffer(size.value)
        self.call(f"Get{what}", program, buffer)
        return buffer.value.decode()

    def compile(self, source, headers):
        """The PTX of one source. Files have bare names, so no path gets into the output."""
        strings = ctypes.c_char_p * len(headers)
        options = [option.encode() for option in OPTIONS]
        program = ctypes.c_void_p()
        self.call(
            "CreateProgram",
            ctypes.byref(program),
            source.read_bytes(),
            source.name.encode(),
            len(headers),
            strings(*(header.read_bytes() for header in headers)),
            strings(*(header.name.encode() for header in headers)),
        )
        try:
            failure = None
            try:
                self.call(
                    "CompileProgram", program, len(options), (ctypes.c_char_p * len(options))(*options)
                )
            except BuildError as error:
                failure = error
            log = self.text(program, "ProgramLog").strip()
            if failure:
                raise BuildError(f"{source.name}: {failure}\n{log}")
            if log:
                print(log, file=sys.stderr)
            return self.text(program, "PTX")
        finally:
            self.call("DestroyProgram", ctypes.byref(program))


def download():
    TARGET.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    if subprocess.run([*command, "--dest", TARGET, WHEEL], check=False).returncode:
        raise BuildError(f"cannot download {WHEEL}")
    (wheel,) = TARGET.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(TARGET)
    wheel.unlink()


def digest(source, headers):
    """tests/kernels.rs computes the same: of each file its name, its length and its bytes."""
    sha = hashlib.sha256()
    for path in [source, *headers]:
        data = path.read_bytes()
        sha.update(f"{path.name}\0{len(data)}\0".encode())
        sha.update(data)
    return sha.hexdigest()


def without_targets(ptx):
    """Drops the tables of <nv/target>, which NVRTC includes by itself and nothing reads."""
    return re.sub(
        r"^\.global \S+ \S+ \S+ (_ZN\w+nv6target\w+)(?:\[\d+\])?(?: = .*)?;\n",
        lambda table: "" if ptx.count(table[1]) == 1 else table[0],
        ptx,
        flags=re.MULTILINE,
    )


def check_entries(source, ptx):
    """Every kernel is there by its plain name, and none is there that the source does not show."""
    code = re.sub(r"//.*", "", source.read_text())
    declared = set(re.findall(r"__global__[\w\s()]*?\bvoid\s+(\w+)\s*\(", code))
    entries = set(re.findall(r"\.visible \.entry (\w+)\(", ptx))
    if declared != entries:
        raise BuildError(
            f"{source.name} declares {sorted(declared)}, its PTX has {sorted(entries)}: "
            'is an `extern "C"` missing?'
        )


def build(check, names):
    nvrtc = Nvrtc()
    headers = sorted(KERNELS.glob("*.h"))
    sources = sorted(KERNELS.glob("*.cu"))
    if unknown := set(names) - {source.stem for source in sources}:
        raise BuildError(f"no such kernels: {sorted(unknown)}")
    stale = []
    for source in sources:
        if names and source.stem not in names:
            continue
        ptx = without_targets(nvrtc.compile(source, headers))
        check_entries(source, ptx)
        text = (
            f"// sha256 of sources: {digest(source, headers)}\n"
            f"// made by kernels/build.py: NVRTC {nvrtc.version} ({WHEEL}) {' '.join(OPTIONS)}\n"
            f"{ptx.rstrip()}\n"
        )
        target = source.with_suffix(".ptx")
        if target.exists() and target.read_text() == text:
            continue
        stale.append(target.name)
        if not check:
            target.write_text(text)
            print(f"wrote {target.name}")
    if not names:
        for orphan in sorted(KERNELS.glob("*.ptx")):
            if not orphan.with_suffix(".cu").exists():
                raise BuildError(f"{orphan.name} has no source")
    if check and stale:
        raise BuildError(f"not what the sources give: {', '.join(stale)}; run kernels/build.py")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, fail on a difference")
    parser.add_argument("name", nargs="*", help="kernels to build, without .cu; all if none is named")
    arguments = parser.parse_args()
    try:
        build(arguments.check, arguments.name)
    except BuildError as error:
        sys.exit(f"kernels/build.py: {error}")


if __name__ == "__main__":
    main()
