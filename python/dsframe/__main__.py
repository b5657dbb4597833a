# Copyright (C) 2026 The gst-plugin-dsframe authors
# Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""python -m dsframe PATH: what a producer sends, as lines of JSON."""

import argparse
import json
import sys
from dataclasses import asdict
from typing import Any, Dict, Optional, Sequence

from . import Frame, FrameReceiver


def describe(frame: Frame) -> Dict[str, Any]:
    means = [round(float(plane.mean()), 3) for plane in frame.planes]
    return {
        "seq": frame.seq, "number": frame.number, "pts": frame.pts, "duration": frame.duration,
        "ntp": frame.ntp, "stream": frame.stream, "pad": frame.pad, "sensor": frame.sensor,
        "source_size": frame.source_size, "format": frame.format, "width": frame.width,
        "height": frame.height, "fps": None if frame.fps is None else str(frame.fps),
        "memory": "cuda" if frame.is_cuda else "host", "discont": frame.discont,
        "session": frame.session, "means": means,
        "detections": [asdict(detection) for detection in frame.detections],
    }


def main(arguments: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m dsframe", description=__doc__)
    parser.add_argument("path", help="of the producer's socket, such as /tmp/cam.sock")
    parser.add_argument("-n", "--count", type=int, help="stop after so many frames")
    parser.add_argument("-t", "--timeout", type=float, help="seconds that a frame may take")
    parser.add_argument("--access", default="user", choices=("user", "group", "all"))
    parser.add_argument("--cuda", action="store_true", help="take frames that lie on a card as they are")
    options = parser.parse_args(arguments)
    try:
        with FrameReceiver(
            options.path, timeout=options.timeout, access=options.access, cuda=options.cuda
        ) as receiver:
            for count, frame in enumerate(receiver, 1):
                print(json.dumps(describe(frame), ensure_ascii=False), flush=True)
                if count == options.count:
                    break
            print(
                f"{receiver.stats.received} frames, {receiver.stats.dropped} dropped by the producer",
                file=sys.stderr,
            )
    except (OSError, ValueError, RuntimeError) as error:
        print(f"dsframe: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
