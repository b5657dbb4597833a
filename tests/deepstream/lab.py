# Copyright (C) 2026 The gst-plugin-dsframe authors
# Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Where the checks run their lines: a folder, a process for each line, and what came of it."""

import getpass
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import time

import framecode

HERE = os.path.dirname(os.path.abspath(__file__))
CAPS = "width=640,height=360,framerate=30/1"
MUX = "width=640 height=360"
PARTS = ("captured", "not-selected", "dropped", "failed", "pending")


class Fail(Exception):
    """A check did not hold."""


class NotRun(Exception):
    """A check could not be made here."""


class Outcome:
    """What became of one line."""

    def __init__(self, report, log, folder):
        self.report, self.log, self.folder = report, log, folder
        self.libraries = report.get("libraries", [])

    def well(self):
        if self.report["end"] == "timeout":
            raise Fail("it did not end in time")
        if self.report["end"] == "crash":
            raise Fail(f"the process ended with {self.report['error']}")
        if self.report["end"] != "eos":
            raise Fail(f"error: {self.report['error']}")
        return self

    def pictures(self, suffix="npy"):
        """Files by stream and number, as their names say."""
        found = {}
        for path in pathlib.Path(self.folder).glob(f"*.{suffix}"):
            stream, frame = path.stem.split("-")[:2]
            found[int(stream), int(frame)] = path
        return found

    def lines(self):
        path = pathlib.Path(self.folder, "log.jsonl")
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []

    def identities(self, wanted):
        """Every frame came once, under its own name: `wanted` is frames by stream."""
        want = {(stream, frame) for stream, frames in wanted.items() for frame in range(frames)}
        pictures = self.pictures()
        for name, path in sorted(pictures.items()):
            code = framecode.read_file(path)
            if code is None:
                raise Fail(f"there is no code in the picture of stream {name[0]}, frame {name[1]}")
            if code != name:
                raise Fail(
                    f"what was captured as stream {name[0]}, frame {name[1]} is stream {code[0]}, frame {code[1]}"
                )
        if set(pictures) != want:
            lost, more = sorted(want - set(pictures)), sorted(set(pictures) - want)
            raise Fail(f"{len(want)} frames were sent: missing {lost[:8]}, unexpected {more[:8]}")
        lines = self.lines()
        if lines and {(line["stream"], line["frame_number"]) for line in lines} != want:
            raise Fail("the log does not name the frames that were captured")
        return {"frames": len(want)}


class Lab:
    def __init__(self, options, work):
        self.options, self.work = options, work
        self.runs = 0
        self.tail = []
        self.accounts = []
        self.wrong_accounts = []

    # What lines are made of.

    def source(self, frames, stream=0, form="NV12", extra=()):
        """Frames of ours as surfaces, each with its code."""
        memory = f"nvbuf-memory-type={self.options.memory}"
        return [
            "dsframeinject", f"num-buffers={frames}", "frame-code=true", f"frame-code-stream={stream}", "device=gpu",
            memory, *extra, "!", f"video/x-raw(memory:NVMM),format={form},{CAPS}",
        ]

    def plain_source(self, frames, form):
        return [
            "dsframeinject", f"num-buffers={frames}", "frame-code=true", "device=cpu", "!",
            f"video/x-raw,format={form},{CAPS}",
        ]

    def capture(self, folder, name="capture", suffix="npy", extra=()):
        return [
            "dsframecapture", f"name={name}", "interval=1", "overflow=block", "on-error=fail",
            f"location={folder}/{{stream}}-{{frame:06}}.{suffix}", f"log-location={folder}/log.jsonl", *extra,
        ]

    def mux(self, sources):
        # The new muxer never scales and has no size.
        size = [] if os.environ.get("USE_NEW_NVSTREAMMUX") == "yes" else MUX.split()
        return ["nvstreammux", "name=mux", f"batch-size={sources}", *size, "batched-push-timeout=1000000"]

    def folder(self):
        self.runs += 1
        folder = os.path.join(self.work, f"run{self.runs}")
        os.mkdir(folder)
        return folder

    # Running them.

    def need(self, *elements):
        for element in elements:
            if not self.has(element):
                raise NotRun(f"there is no element {element}")

    def has(self, element):
        # Not --exists: it wants versions of three numbers, and DeepStream's plugins have two.
        found = subprocess.run(["gst-inspect-1.0", element], capture_output=True, check=False)
        return found.returncode == 0

    def run(self, words, folder, limit=None, debug="dsframe*:5,2"):
        log = os.path.join(folder, "debug.log")
        environment = dict(os.environ, GST_DEBUG=debug, GST_DEBUG_FILE=log, GST_DEBUG_NO_COLOR="1")
        limit = limit or self.options.timeout
        command = [sys.executable, os.path.join(HERE, "pipeline.py"), str(limit), *words]
        try:
            # Time to load plugins and to come down, besides.
            run = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=limit + 120,
                                 env=environment, check=False)
            said = run.stdout.strip().splitlines()
            report = json.loads(said[-1]) if said and said[-1].startswith("{") else None
            if report is None:
                report = {"end": "crash", "error": f"status {run.returncode}", "warnings": [], "stats": {}}
            errors = run.stderr.splitlines()
        except subprocess.TimeoutExpired:
            report, errors = {"end": "timeout", "error": None, "warnings": [], "stats": {}}, []
        text = pathlib.Path(log).read_text(encoding="utf-8", errors="replace") if os.path.exists(log) else ""
        self.tail = [*report["warnings"], *text.splitlines()[-20:], *errors[-10:]]
        self.add_up(report["stats"])
        return Outcome(report, text, folder)

    def add_up(self, stats):
        for element in stats.values():
            for part in [element, *element.get("streams", [])]:
                self.accounts.append(part["seen"])
                if part["seen"] != sum(part[name] for name in PARTS):
                    self.wrong_accounts.append({name: part[name] for name in ("seen", *PARTS)})

    def clean(self, folder):
        shutil.rmtree(folder, ignore_errors=True)


def scrubber(work):
    """Takes names of this machine and its user out of a text."""
    home = os.path.expanduser("~")
    words = {work: "<work>", HERE: "<selftest>", os.path.dirname(os.path.dirname(HERE)): "<repository>"}
    if len(home) > 1:
        words[home] = "<home>"
    for folder in os.environ.get("GST_PLUGIN_PATH", "").split(":"):
        if len(folder) > 1:
            words[folder] = "<plugin>"
    names = {}
    try:
        names[getpass.getuser()] = "<user>"
    except (KeyError, OSError):
        pass
    names[socket.gethostname()] = "<host>"

    def scrub(text):
        for word in sorted(words, key=len, reverse=True):
            text = text.replace(word, words[word])
        for name, stand_in in names.items():
            if len(name) > 2 and name != "root":
                text = re.sub(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", stand_in, text)
        text = re.sub(r"/(home|Users|root|mnt|media|srv|data|workspace)/[^\s:'\",;)]*", r"/\1/<path>", text)
        text = re.sub(r"(?i)\b(bearer|token|password|secret|key)(\s*[=:]\s*|\s+)\S+", r"\1\2<hidden>", text)
        return re.sub(r"://[^\s/@]+@", "://<hidden>@", text)

    def walk(value):
        if isinstance(value, str):
            return scrub(value)
        if isinstance(value, dict):
            return {walk(key): walk(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [walk(item) for item in value]
        return value

    return walk


def timed(work):
    started = time.monotonic()
    result = work()
    return result, round(time.monotonic() - started, 1)
