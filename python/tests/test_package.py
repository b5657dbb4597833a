# Copyright (C) 2026 The gst-plugin-dsframe authors
# Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""The package as a whole: its version, what it imports, and `python -m dsframe`."""

import json
import os
import re
import subprocess
import sys
import unittest

from kit import ROOT, Case, Process, send_numbers

import dsframe

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "python")}


class Package(Case):
    def run_python(self, *arguments):
        return subprocess.run(
            [sys.executable, *arguments], env=ENVIRONMENT, capture_output=True, text=True, timeout=60
        )

    def test_one_version(self):
        for path in ("python/pyproject.toml", "Cargo.toml"):
            version = re.search(r'^version = "(.*)"$', (ROOT / path).read_text(), re.M).group(1)
            self.assertEqual(version, dsframe.__version__, path)

    def test_nothing_is_loaded_that_nobody_asked_for(self):
        code = "import sys, dsframe; print([m for m in ('torch', 'dsframe._cuda') if m in sys.modules])"
        self.assertEqual(self.run_python("-c", code).stdout, "[]\n")

    def test_lines_of_json(self):
        sender = Process(send_numbers, self.path, 5, {"fps": 10, "format": "BGR"})
        done = self.run_python("-m", "dsframe", self.path, "--timeout", "30")
        self.assertEqual((done.returncode, done.stderr), (0, "5 frames, 0 dropped by the producer\n"))
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([line["pts"] for line in lines], [n * 10**8 for n in range(5)])
        self.assertEqual((lines[4]["format"], lines[4]["width"], lines[4]["fps"]), ("BGR", 64, "10"))
        sender.get(), sender.get()
        sender.close()
        done = self.run_python("-m", "dsframe", self.path, "--timeout", "0.2")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, "^dsframe: no producer came")

    def test_a_script_that_forgets_to_close(self):
        code = (
            "import numpy, dsframe, sys\n"
            f"sender = dsframe.FrameSender({self.path!r}, overflow='drop-newest')\n"
            "sender.send(numpy.zeros((4, 4, 3), numpy.uint8))\n"
        )
        self.assertEqual((self.run_python("-c", code).stderr, os.listdir(self.folder)), ("", []))


if __name__ == "__main__":
    unittest.main()
