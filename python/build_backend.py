# Copyright (C) 2026 The gst-plugin-dsframe authors
# Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Builds the package with the standard library alone (PEP 517 and 660), so that it needs no network."""

import base64
import hashlib
import io
import re
import tarfile
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent


def _field(name):
    """Of pyproject.toml. The parser in the standard library is newer than Python 3.9."""
    return re.search(rf'^{name} = "(.*)"$', (HERE / "pyproject.toml").read_text(), re.M).group(1)


def _metadata():
    requires = re.search(r"^dependencies = \[(.*)\]$", (HERE / "pyproject.toml").read_text(), re.M).group(1)
    lines = [
        "Metadata-Version: 2.4",
        f"Name: {_field('name')}",
        f"Version: {_field('version')}",
        f"Summary: {_field('description')}",
        f"License-Expression: {_field('license')}",
        f"Requires-Python: {_field('requires-python')}",
        *(f"Requires-Dist: {each}" for each in re.findall(r'"(.*?)"', requires)),
        "Description-Content-Type: text/markdown",
        "",
        (HERE / "README.md").read_text(),
    ]
    return "\n".join(lines)


_WHEEL = "Wheel-Version: 1.0\nGenerator: dsframe\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def _wheel(folder, files):
    stem = f"{_field('name')}-{_field('version')}"
    files = {
        **files,
        f"{stem}.dist-info/METADATA": _metadata().encode(),
        f"{stem}.dist-info/WHEEL": _WHEEL.encode(),
    }
    record = ""
    for name, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record += f"{name},sha256={digest},{len(data)}\n"
    files[f"{stem}.dist-info/RECORD"] = (record + f"{stem}.dist-info/RECORD,,\n").encode()
    wheel = f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(Path(folder) / wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)
    return wheel


def _sources():
    return sorted(p for p in (HERE / "dsframe").iterdir() if p.suffix == ".py" or p.name == "py.typed")


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    return _wheel(wheel_directory, {f"dsframe/{path.name}": path.read_bytes() for path in _sources()})


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    return _wheel(wheel_directory, {"dsframe.pth": f"{HERE}\n".encode()})


def build_sdist(sdist_directory, config_settings=None):
    stem = f"{_field('name')}-{_field('version')}"
    others = [HERE / name for name in ("pyproject.toml", "build_backend.py", "README.md")]
    with tarfile.open(Path(sdist_directory) / f"{stem}.tar.gz", "w:gz") as archive:
        for path in [*others, *_sources()]:
            archive.add(path, f"{stem}/{path.relative_to(HERE)}")
        info = tarfile.TarInfo(f"{stem}/PKG-INFO")
        data = _metadata().encode()
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return f"{stem}.tar.gz"
