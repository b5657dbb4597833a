# Copyright (C) 2026 The gst-plugin-dsframe authors
# Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Pipelines that post captures to a server full of faults, and are themselves ended in every way.

One pipeline runs all the time: nothing of it may be lost, and nothing of it may grow. The other is
ended again and again, by SIGINT, SIGTERM and SIGKILL, and started anew on the same folders. Every
picture says which frame of which run it is, so that loss, repetition, wrong order and mix-ups show.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "deepstream"))
import framecode  # noqa: E402
import server  # noqa: E402

# A JSON line in the log comes after its picture, and the post after that: so many captures of a run
# that was killed may be between the two.
IN_MEMORY = 64
MAX_FILES = 100
FAILED = []


def fail(text):
    FAILED.append(text)
    print("FAILED:", text, file=sys.stderr, flush=True)


class Runs:
    """Which run an identity stands for: posts of one that was ended come with the next."""

    def __init__(self):
        self.by_name = {}

    def check(self, arrival, body):
        """The picture is the frame that the headers say, of the run that all of its pictures spell."""
        spelt = framecode.read(framecode.Picture(body))
        if spelt is None:
            return "has no code"
        arrival.run = self.by_name.setdefault(arrival.headers["dsframe-run"], spelt[0])
        want = (arrival.run, int(arrival.headers["dsframe-frame-number"]))
        return None if spelt == want else f"shows {spelt}, and is to be {want}"


def line(port, folder, run, more=""):
    """Live frames that spell their run; every second one is captured."""
    return (
        "gst-launch-1.0 -e -q dsframeinject pattern=objects is-live=true framerate=30 "
        f"width=128 height=72 format=GRAY8 frame-code=true frame-code-stream={run} {more} ! "
        f"dsframecapture interval=2 mode=interval location={folder}/%08d-{{frame:07}}.npy on-exists=continue "
        f"log-location={folder}/log-{run:04}.jsonl "
        f"max-files={MAX_FILES} on-full=rotate "
        f"endpoint=http://127.0.0.1:{port}/ endpoint-body=binary endpoint-timeout=1000000000 "
        "endpoint-delay=100000000 endpoint-breaker-threshold=4 "
        f"endpoint-breaker-timeout=1000000000 endpoint-spool={folder}/spool monitor-address=0"
    ).split()


def start(command, errors):
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)


def usage(pid):
    """KiB, descriptors and threads."""
    status = Path(f"/proc/{pid}/status").read_text()
    resident = int(status.split("VmRSS:")[1].split()[0])
    threads = int(status.split("Threads:")[1].split()[0])
    return resident, len(os.listdir(f"/proc/{pid}/fd")), threads


def logged(folder, run, was_killed):
    """Frame numbers by the log, in its order."""
    path = folder / f"log-{run:04}.jsonl"
    text = path.read_text() if path.exists() else ""
    lines = text.split("\n")
    torn = lines.pop()
    if torn and not was_killed:
        fail(f"run {run}: the log ends within a line")
    return [json.loads(line)["frame_number"] for line in lines]


def compare(record, folder, run, was_killed):
    """What arrived of a run against what its log says. Returns how many, and how many are missing."""
    arrived = [
        int(a.headers["dsframe-frame-number"]) for a in record.arrivals if a.run == run
    ]
    if arrived != sorted(set(arrived)):
        fail(f"run {run}: not in order, or twice")
    missing = set(logged(folder, run, was_killed)) - set(arrived)
    if missing and (not was_killed or len(missing) > IN_MEMORY):
        fail(f"run {run}: {len(missing)} of {len(arrived)} are missing, {sorted(missing)[:5]}")
    return len(arrived), len(missing)


def pictures(folder):
    return [path for path in folder.glob("*.npy") if not path.name.startswith(".")]


def end(process, how):
    process.send_signal(how)
    try:
        return process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        fail(f"it did not end within a minute of {how.name}")
        return None


def unsteady(port, folder, until, errors, runs):
    """Starts and ends a pipeline until then."""
    run = 1
    while time.monotonic() < until:
        process = start(line(port, folder, run), errors)
        how = random.choice([signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
        # An EOS that comes before a pipeline plays is lost in GStreamer.
        while how == signal.SIGINT and process.poll() is None and not logged(folder, run, True):
            time.sleep(0.1)
        time.sleep(random.uniform(1, 10))
        if process.poll() is not None:
            fail(f"run {run} ended by itself with {process.returncode}")
        status = end(process, how)
        if how == signal.SIGINT and status != 0:
            fail(f"run {run} ended with {status} after SIGINT")
        # One of the run's own may come on top while it is given its name.
        if len(pictures(folder)) > MAX_FILES:
            fail(f"run {run} left {len(pictures(folder))} pictures")
        runs.append((run, how))
        run += 1
    # What is in the spool goes out now.
    process = start(line(port, folder, run, "num-buffers=60"), errors)
    if process.wait(120) != 0:
        fail("the last run failed")
    runs.append((run, signal.SIGINT))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=30)
    seconds = parser.parse_args().seconds
    folder = Path(tempfile.mkdtemp(prefix="dsframe-night-"))
    unstable, steady = folder / "unsteady", folder / "steady"
    errors = open(folder / "errors.txt", "wb")
    peer = server.Server(Runs().check)
    began = time.monotonic()
    until = began + seconds

    last = start(line(peer.port, steady, 0), errors)
    runs = []
    ends = threading.Thread(target=unsteady, args=(peer.port, unstable, until, errors, runs))
    moods = threading.Thread(target=peer.trouble, args=(until,))
    ends.start()
    moods.start()
    samples = []
    while ends.is_alive():
        time.sleep(min(10, seconds / 6))
        if last.poll() is not None:
            fail(f"the steady pipeline ended with {last.returncode}")
            break
        samples.append(usage(last.pid))
    ends.join()
    moods.join()
    if end(last, signal.SIGINT) != 0:
        fail("the steady pipeline did not end well")
    errors.close()

    record = peer.record
    count, missing = compare(record, steady, 0, False)
    killed_missing = unsteady_count = 0
    for run, how in runs:
        was_killed = how != signal.SIGINT
        arrived, lost = compare(record, unstable, run, was_killed)
        unsteady_count += arrived
        killed_missing += lost
    # Killed between the answer and the end of its file in the spool, a run leaves what was accepted.
    killed = {run for run, how in runs if how != signal.SIGINT}
    sent_again = [key for key in record.unexplained if record.by_key[key].run not in killed]
    for text in record.wrong + [f"{key} came twice" for key in sent_again]:
        fail(text)
    for spool in (steady / "spool", unstable / "spool"):
        if left := list(spool.glob("*.post")):
            fail(f"{len(left)} captures are left in {spool.name}")
    # The first third is warming up.
    settled = samples[len(samples) // 3 :] or samples
    for name, values, slack in zip(
        ("KiB", "descriptors", "threads"), zip(*settled), (8192, 8, 4), strict=True
    ):
        if values[-1] > values[0] + slack:
            fail(f"{name} grew from {values[0]} to {values[-1]}")
    kinds = {how.name: sum(1 for _, h in runs if h == how) for how in {how for _, how in runs}}
    first, final = settled[0], settled[-1]
    print(
        f"{time.monotonic() - began:.0f} s: {count} captures of the steady pipeline, "
        f"{unsteady_count} of {len(runs)} others ({kinds}); outages {peer.outages}; "
        f"{record.repeated} sent again after a lost answer or a kill, {killed_missing} lost with a killed "
        f"process; KiB {first[0]} -> {final[0]}, descriptors {first[1]} -> {final[1]}, "
        f"threads {first[2]} -> {final[2]}"
    )
    if FAILED:
        print((folder / "errors.txt").read_text()[-4000:], file=sys.stderr)
        sys.exit(f"{len(FAILED)} failures; what was written is in {folder}")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
