# Copyright (C) 2026 The gst-plugin-dsframe authors
# Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Runs every check, whatever became of the one before, and writes one report. See selftest.sh."""

import argparse
import json
import os
import sys
import tempfile
import time
import traceback

import checks
from lab import HERE, Fail, Lab, NotRun, scrubber, timed

SAMPLES = "samples/configs/deepstream-app/config_infer_primary.txt"


def options():
    root = "/opt/nvidia/deepstream/deepstream"
    parser = argparse.ArgumentParser(
        prog="selftest.sh",
        description="Tries the plugin in GST_PLUGIN_PATH beside the DeepStream that is installed here.",
        epilog="Ends with 0 if nothing failed, 1 if something did, 2 if it could not begin.",
    )
    parser.add_argument("--output", metavar="FILE", help="where the JSON report goes; else to stdout")
    parser.add_argument("--deepstream", metavar="FOLDER", default=root, help=f"where DeepStream is ({root})")
    parser.add_argument("--memory", default="nvbuf-mem-default", metavar="TYPE",
                        help="nvbuf-memory-type of our surfaces (nvbuf-mem-default)")
    parser.add_argument("--infer-config", metavar="FILE", help=f"configuration of a model ({SAMPLES})")
    parser.add_argument("--picture", metavar="FILE", help="picture with objects in it (samples/streams/sample_720p.jpg)")
    parser.add_argument("--abi", metavar="FILE", help="deepstream-abi.json (../abi/ beside this script)")
    parser.add_argument("--timeout", type=float, default=60, metavar="S", help="for each line (60)")
    parser.add_argument("--infer-timeout", type=float, default=900, metavar="S",
                        help="for each line with a model, which may build an engine (900)")
    parser.add_argument("--keep", metavar="FOLDER", help="leave what the lines wrote here")
    parser.add_argument("checks", nargs="*", metavar="CHECK",
                        help="only these: " + " ".join(name for name, *_ in checks.CHECKS))
    found = parser.parse_args()
    known = {name for name, *_ in checks.CHECKS}
    unknown = [name for name in found.checks if name not in known]
    if unknown:
        parser.error(f"there is no check {unknown[0]}; there are {' '.join(sorted(known))}")
    found.infer_config = found.infer_config or os.path.join(found.deepstream, SAMPLES)
    found.picture = found.picture or os.path.join(found.deepstream, "samples/streams/sample_720p.jpg")
    found.abi = found.abi or os.path.join(HERE, "..", "abi", "deepstream-abi.json")
    return found


def attempt(check, lab, report):
    """Result, reason and facts. Whatever happens in a check stays there."""
    try:
        return "pass", None, check(lab, report)
    except Fail as error:
        return "fail", str(error), {}
    except NotRun as error:
        return "not run", str(error), {}
    except Exception:  # pylint: disable=broad-except
        lab.tail.append(traceback.format_exc(limit=-3))
        return "fail", "the self-test itself broke; please send the report all the same", {}


def main():
    chosen = options()
    try:
        work = tempfile.TemporaryDirectory(prefix="dsframe-selftest-")
        if chosen.output:
            # Before minutes of work, not after.
            with open(chosen.output, "a", encoding="utf-8"):
                pass
    except OSError as error:
        print(f"selftest: {error}", file=sys.stderr)
        return 2
    with work:
        lab = Lab(chosen, chosen.keep or work.name)
        os.makedirs(lab.work, exist_ok=True)
        scrub = scrubber(lab.work)
        report = {
            "selftest": 1,
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "memory": chosen.memory,
            "versions": {},
            "checks": [],
        }
        summary = {"pass": 0, "fail": 0, "not run": 0}
        for name, title, check in checks.CHECKS:
            # The others ask it which release this is.
            if chosen.checks and name not in chosen.checks and name != "versions":
                continue
            lab.tail = []
            (result, reason, facts), seconds = timed(lambda: attempt(check, lab, report))
            summary[result] += 1
            entry = {"check": name, "title": title, "result": result, "reason": reason, "seconds": seconds, **facts}
            if result != "pass":
                entry["log"] = lab.tail[-40:]
            report["checks"].append(scrub(entry))
            words = f"{result:8} {name:15} {title}"
            print(words + (f"\n         {scrub(reason)}" if reason else ""), file=sys.stderr, flush=True)
        report["versions"] = scrub(report["versions"])
        report["summary"] = summary
    text = json.dumps(report, indent=1)
    if chosen.output:
        with open(chosen.output, "w", encoding="utf-8") as file:
            file.write(text + "\n")
    else:
        print(text)
    print(", ".join(f"{count} {result}" for result, count in summary.items()), file=sys.stderr)
    return 1 if summary["fail"] else 0


if __name__ == "__main__":
    sys.exit(main())
