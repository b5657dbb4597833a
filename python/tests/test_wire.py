# Copyright (C) 2026 The gst-plugin-dsframe authors
# Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Messages: the example of the protocol, round trips, what is refused, and what is cut."""

import random
import re
import struct
import unittest

from kit import ROOT

from dsframe import Classifier, Detection, Label, _wire
from dsframe._wire import Caps, End, FrameMessage, Hello, Refuse, Release, Stop, Taken, WireError

COLOUR = Classifier("colour", (Label("red", 0, 0.5),), 2)
CAR = Detection("car", (8.0, 4.0, 16.0, 12.0), 0.875, 2, 1, 7, None, (COLOUR,))
EXAMPLE = FrameMessage(
    5, 1, 3, 16384, ((0, 192),), new_slot=True, pts=166666665, duration=33333333, number=5,
    sensor="gate1", detections=(CAR,),
)
FULL = EXAMPLE._replace(
    offset=100, discont=True, new_slot=False, planes=((0, 64), (64 * 48, 64)), ntp=1 << 60, stream=3,
    pad=4, source_size=(1920, 1080), sensor="überall",
    detections=(CAR, Detection(), Detection("x", (0.5, -1.0, 2.0, 3.0), None, -5, None, 0, 0)),
)
CAPS = Caps(9, 640, 480, "NV12", 1, 2, (30000, 1001), (4, 3), "bt709", "mpeg2")
MESSAGES = [
    Hello(_wire.READER, 1), Hello(_wire.READER, 3, devices=(bytes(range(16)), b"x" * 16)),
    Hello(_wire.PRODUCER, session=1 << 63), Refuse(3, "no"), Refuse(99), CAPS, EXAMPLE, FULL,
    Taken(12), Release((1, 5, 3)), End(7), Stop(2**64 - 1),
]


def hexdump():
    doc = ROOT / "docs" / "channel-protocol.md"
    if not doc.exists():
        raise unittest.SkipTest("there is no docs/channel-protocol.md")
    lines = re.findall(r"^    ([0-9a-f]{4})  ((?:[0-9a-f]{2} ?)+)$", doc.read_text(), re.M)
    assert [int(at, 16) for at, _ in lines] == list(range(0, 16 * len(lines), 16))
    return bytes.fromhex("".join(data for _, data in lines))


class Wire(unittest.TestCase):
    def refused(self, packet, text=""):
        with self.assertRaisesRegex(WireError, text):
            _wire.decode(packet)

    def test_the_example_of_the_protocol(self):
        packet = hexdump()
        self.assertEqual(len(packet), 0x130)
        self.assertEqual(_wire.encode(EXAMPLE), packet)
        self.assertEqual(_wire.decode(packet), EXAMPLE)

    def test_round_trips(self):
        for message in MESSAGES:
            packet = _wire.encode(message)
            self.assertEqual(_wire.decode(packet), message)
            self.assertEqual(type(_wire.decode(packet)), type(message))
            self.assertEqual(len(packet) % 8, 0)
        sizes = [len(_wire.encode(message)) for message in MESSAGES]
        self.assertEqual(sizes[:6], [40, 72, 40, 32, 24, 136])
        self.assertEqual(sizes[-4:], [24, 48, 24, 24])

    def test_what_is_cut_and_what_is_longer_is_refused(self):
        for message in MESSAGES:
            packet = _wire.encode(message)
            for size in range(0, len(packet), 4):
                self.refused(packet[:size])
                if size >= 16:
                    self.refused(packet[:8] + struct.pack("<I", size - 16) + packet[12:size])
            longer = packet[:8] + struct.pack("<I", len(packet) - 8) + packet[12:] + bytes(8)
            self.refused(longer)

    def test_every_byte_matters_or_is_refused(self):
        """A changed byte is refused or changes the message: nothing is overlooked."""
        for message in MESSAGES:
            packet = _wire.encode(message)
            # The version of a REFUSE does not matter.
            for at in set(range(len(packet))) - ({4, 5} if type(message) is Refuse else set()):
                for bit in (1, 128):
                    changed = bytearray(packet)
                    changed[at] ^= bit
                    try:
                        other = _wire.decode(bytes(changed))
                    except WireError:
                        continue
                    self.assertNotEqual(repr(other), repr(message), at)  # -0.0 is not 0.0.
                    if type(other) is type(message) and at < 192:
                        self.assertEqual(_wire.encode(other), bytes(changed), at)

    def test_garbage_is_refused(self):
        random_ = random.Random(1)
        for _ in range(3000):
            data = bytearray(_wire.encode(random_.choice(MESSAGES)))
            for _ in range(random_.randint(1, 8)):
                data[random_.randrange(len(data))] = random_.choice((0, 1, 127, 128, 255))
            try:
                _wire.decode(bytes(data))
            except WireError:
                pass
            self.refused(random_.randbytes(random_.randrange(200)))

    def test_versions(self):
        packet = bytearray(_wire.encode(Taken(1)))
        packet[4] = 2
        with self.assertRaises(WireError) as caught:
            _wire.decode(bytes(packet))
        self.assertEqual(caught.exception.reason, 1)
        packet = bytearray(_wire.encode(Refuse(1, "version 2")))
        packet[4] = 2
        self.assertEqual(_wire.decode(bytes(packet)), Refuse(1, "version 2"))

    def test_what_does_not_fit_is_left_out(self):
        long = "ä" * 600
        named = Detection(long, (float("nan"), 1e300, 3.0, 4.0), float("inf"), classifiers=(
            Classifier(long, (Label(long, 1, float("nan")),) * 70),) * 70)
        self.assertGreater(len(_wire.encode_detection(named)), _wire.MAX_PACKET)
        count, _ = _wire.encode_detections([CAR, named, CAR], 100000)
        self.assertEqual(count, 1)
        smaller = Detection(long, named.box, named.confidence, classifiers=(
            Classifier(long, (Label(long, 1, float("nan")),)),))
        _, data = _wire.encode_detections([smaller], 100000)
        read = _wire.decode(_wire.encode(EXAMPLE._replace(detections=(smaller,)))).detections[0]
        self.assertEqual(read.label, "ä" * 512)
        self.assertEqual(read.box, (0.0, 0.0, 3.0, 4.0))
        self.assertIsNone(read.confidence)
        self.assertEqual(read.classifiers[0].labels[0], Label("ä" * 512, 1, None))
        many = Detection(classifiers=(Classifier("", (Label("a"),) * 70),) * 70)
        read = _wire.decode(_wire.encode(EXAMPLE._replace(detections=(many,)))).detections[0]
        self.assertEqual([len(c.labels) for c in read.classifiers], [64] * 64)
        packet = _wire.encode(EXAMPLE._replace(detections=(CAR,) * 3000))
        self.assertLessEqual(len(packet), _wire.MAX_PACKET)
        self.assertGreater(len(_wire.decode(packet).detections), 1000)

    def test_a_parent_beyond_the_list_is_none(self):
        packet = _wire.encode(EXAMPLE._replace(detections=(Detection(parent=3), Detection(parent=0))))
        self.assertEqual([d.parent for d in _wire.decode(packet).detections], [None, 0])

    def test_numbers_that_do_not_fit(self):
        for message in (
            EXAMPLE._replace(detections=(Detection(class_id=1 << 31),)),
            EXAMPLE._replace(stream=-1), Taken(1 << 64), CAPS._replace(width=1 << 32),
        ):
            with self.assertRaises(ValueError):
                _wire.encode(message)

    def test_frames_under_caps(self):
        caps = Caps(1, 64, 48, "RGB")
        _wire.check_frame(EXAMPLE, caps)
        for change in (
            {"caps_id": 2}, {"planes": ((0, 191),)}, {"planes": ((0, 192), (0, 192))},
            {"offset": 16384 - 9215}, {"planes": ((1 << 64 - 1, 192),)}, {"slot_size": 9215},
            {"planes": ((0, 1 << 31),)},
        ):
            with self.assertRaises(WireError, msg=str(change)):
                _wire.check_frame(EXAMPLE._replace(**change), caps)
        _wire.check_frame(EXAMPLE._replace(slot_size=9216, offset=0), caps)


if __name__ == "__main__":
    unittest.main()
