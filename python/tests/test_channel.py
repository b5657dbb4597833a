# Copyright (C) 2026 The gst-plugin-dsframe authors
# Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Frames from a sender to receivers: what arrives, in which order, and what is counted."""

import threading
import time
import unittest
from fractions import Fraction

import numpy as np
from kit import PATIENCE, Case, Process, mapped, number_of, picture, receive_numbers, send_numbers

from dsframe import FORMATS, Classifier, Detection, FrameSender, Label, formats


def balanced(stats):
    return stats.sent == stats.received + stats.dropped + stats.in_flight


class Channel(Case):
    def test_two_thousand_frames_across_processes(self):
        for first in ("sender", "receiver"):
            started = {}
            for who in (first, {"sender": "receiver", "receiver": "sender"}[first]):
                if who == "sender":
                    started[who] = Process(send_numbers, self.path, 1000, {"fps": 30})
                else:
                    started[who] = Process(receive_numbers, self.path, 0, 0)
                time.sleep(0.3)
            self.assertEqual(started["receiver"].get(), "begun")
            numbers, received, dropped = started["receiver"].get()
            self.assertEqual(numbers, [(n, n) for n in range(1000)])
            self.assertEqual((received, dropped), (1000, 0))
            self.assertEqual(started["sender"].get(), "begun")
            self.assertEqual(started["sender"].get(), (1000, 1000, 0, 0, 0, 0))
            for process in started.values():
                process.close()

    def test_three_readers_of_different_speed(self):
        for policy in ("block", "drop-oldest", "drop-newest"):
            with self.subTest(policy), self.sender(overflow=policy) as sender:
                readers = [Process(receive_numbers, self.path, d, 0) for d in (0, 0.001, 0.005)]
                self.eventually(lambda: sender.stats.readers == 3, "three readers")
                for number in range(200):
                    sender.send(picture(number))
                    if policy != "block":
                        time.sleep(0.0005)
                    self.assertTrue(balanced(sender.stats))
                sender.end()
                dropped = 0
                for reader in readers:
                    self.assertEqual(reader.get(), "begun")
                    numbers, received, lost = reader.get()
                    # The end says what was dropped after the last that came.
                    self.assertEqual(lost, 200 - received)
                    self.assertEqual(numbers, sorted(numbers))
                    self.assertTrue(all(seq == number for seq, number in numbers))
                    self.assertEqual(len(numbers), received)
                    if policy != "drop-newest":
                        self.assertEqual(numbers[-1], (199, 199))
                    dropped += lost
                    reader.close()
            self.assertEqual(sender.stats, (600, 600 - dropped, dropped, 0, 0, 0))
            self.assertEqual(dropped == 0, policy == "block")

    def test_the_policies_exactly(self):
        """Nobody takes anything: 4 are with the reader, and wait or are dropped after that."""
        for policy, kept in (("drop-oldest", [0, 1, 2, 3, 16, 17, 18, 19]), ("drop-newest", list(range(8)))):
            with self.subTest(policy):
                sender = self.sender(overflow=policy)
                sender.send(picture(99))
                receiver = self.receiver()
                box = []
                waiting = threading.Thread(target=lambda: box.append(next(receiver)))
                waiting.start()
                self.eventually(lambda: sender.stats.readers == 1)
                # The thread takes one, and no more.
                sender.send(picture(98))
                waiting.join(PATIENCE)
                self.eventually(lambda: sender.stats.received == 1)
                for number in range(20):
                    sender.send(picture(number))
                self.assertEqual(sender.stats, (21, 1, 12, 8, 1, 1))
                sender.end()
                self.assertEqual([number_of(frame.array) for frame in receiver], kept)
                # The end says what was dropped after the last that came.
                self.assertEqual(receiver.stats.dropped, 12)
                self.assertEqual(number_of(box.pop().array), 98)
                sender.close()
                self.assertEqual(sender.stats[:4], (21, 9, 12, 0))
                receiver.close()

    def test_what_comes_with_a_frame(self):
        red = Classifier("colour", (Label("red", 1, 0.5), Label("dark")), 3)
        found = (
            Detection("car", (1.5, 2.0, 3.0, 4.0), 0.5, 2, 1, 1 << 40, None, (red,)),
            Detection("plate", parent=0),
        )
        sender = self.sender(fps="30000/1001", format="BGR", colorimetry="sRGB")
        receiver = self.receiver()
        thread = threading.Thread(target=lambda: [
            sender.send(picture(0)),
            sender.send(picture(1), pts=7, duration=8, number=9, detections=found, ntp=10, stream=11,
                        pad=12, sensor="gate", source_size=(1920, 1080), discont=True),
            sender.send(picture(2), detections=[]),
        ])
        thread.start()
        one, two, three = (next(receiver) for _ in range(3))
        thread.join()
        self.assertEqual((one.pts, one.duration, one.number), (0, 33366666, 0))
        self.assertEqual((one.ntp, one.stream, one.pad, one.sensor, one.source_size), (None, 0, 0, "", None))
        self.assertEqual((one.format, one.width, one.height), ("BGR", 64, 48))
        self.assertEqual((one.fps, one.colorimetry), (Fraction(30000, 1001), "sRGB"))
        self.assertFalse(one.discont)
        self.assertEqual((two.pts, two.duration, two.number, two.ntp), (7, 8, 9, 10))
        self.assertEqual((two.stream, two.pad, two.sensor, two.source_size), (11, 12, "gate", (1920, 1080)))
        self.assertEqual(two.detections, found)
        self.assertTrue(two.discont)
        self.assertEqual((three.pts, three.seq, three.number), (33366666, 2, 1))
        self.assertEqual(one.session, three.session)
        self.assertIn("BGR 64x48", repr(one))

    def test_all_formats_and_changes_in_mid_stream(self):
        random = np.random.default_rng(1)
        images = []
        for format in FORMATS:
            for width, height in ((64, 48), (30, 18), (33, 17)):
                planes = [
                    random.integers(0, 255, plane.shape, np.uint8)
                    for plane in formats.planes_of(format, width, height)
                ]
                if width % 2 and format in ("YUY2", "UYVY"):
                    continue
                images.append((format, width, height, planes))
                if len(planes) > 1 and width % 2 == 0:
                    images.append((format, width, height, [formats.join(planes)]))
        sender, receiver = self.sender(channel_size=4), self.receiver()

        def send():
            for format, _, _, planes in images:
                sender.send(planes[0] if len(planes) == 1 else tuple(planes), format=format)
            sender.end()

        thread = threading.Thread(target=send)
        thread.start()
        for (format, width, height, planes), frame in zip(images, receiver):
            self.assertEqual((frame.format, frame.width, frame.height), (format, width, height))
            if len(planes) < len(frame.planes) or len(planes) == 1:
                np.testing.assert_array_equal(frame.to_numpy(), planes[0])
            else:
                for came, sent in zip(frame.planes, planes):
                    np.testing.assert_array_equal(came, sent)
            if len(frame.planes) == 1:
                np.testing.assert_array_equal(frame.array, planes[0])
            else:
                with self.assertRaisesRegex(ValueError, "planes"):
                    _ = frame.array
        thread.join()
        self.assertEqual(receiver.stats.received, len(images))

    def test_written_in_place(self):
        sender, receiver = self.sender(), self.receiver()
        for width in (64, 65):
            sender_frame = sender.frame(48, width)
            sender_frame.array[...] = picture(5, width)
            thread = threading.Thread(target=sender.send, args=(sender_frame,))
            thread.start()
            frame = next(receiver)
            thread.join()
            self.assertEqual(number_of(frame.array), 5)
            self.assertEqual(frame.array.shape, (48, width, 3))
            with self.assertRaisesRegex(ValueError, "read-only"):
                sender_frame.array[0, 0, 0] = 1
            with self.assertRaisesRegex(ValueError, "sent already"):
                sender.send(sender_frame)
        del frame, sender_frame
        # One that is not sent goes back.
        for _ in range(50):
            sender.frame(48, 64)
        self.assertLess(mapped(), 40)

    def test_memory_is_kept_as_long_as_any_array(self):
        sender, receiver = self.sender(overflow="drop-newest"), self.receiver()
        kept = []
        with receiver:
            waiting = threading.Thread(target=lambda: kept.append(next(receiver).array[10:20, ::2]))
            waiting.start()
            self.eventually(lambda: sender.stats.readers == 1)
            sender.send(picture(1))
            waiting.join()
            self.assertFalse(kept[0].flags.writeable)
            with self.assertRaises(ValueError):
                kept[0].flags.writeable = True
            for number in range(2, 40):
                sender.send(picture(number))
                self.assertEqual(number_of(next(receiver).array), number)
                self.assertEqual(receiver.stats.in_use, 1)
            self.assertTrue((kept[0] == 1).all())
            self.assertLess(mapped(), 40)
            kept.clear()
            self.assertEqual(receiver.stats.in_use, 0)

    def test_a_reader_that_keeps_all_of_them(self):
        sender, receiver = self.sender(overflow="drop-newest"), self.receiver(timeout=0.2)
        sender.send(picture(0))
        with self.assertRaises(TimeoutError):
            next(receiver)
        kept = []
        for number in range(64):
            sender.send(picture(number))
            kept.append(next(receiver))
        self.eventually(lambda: sender.stats.received == 64)
        sender.send(picture(64))
        self.assertEqual(sender.stats.dropped, 1)
        with self.assertRaises(TimeoutError):
            next(receiver)
        # Given back by another thread, while this one waits.
        receiver._timeout = PATIENCE
        self.assertEqual(sorted(number_of(f.array) for f in kept), list(range(64)))

        def give_back():
            while kept:
                kept.pop().release()
            sender.send(picture(65))
            while sender.stats.dropped and sender.stats.received == 64 and not sender.stats.in_flight:
                sender.send(picture(65))
                time.sleep(0.01)

        thread = threading.Thread(target=give_back)
        thread.start()
        self.assertEqual(number_of(next(receiver).array), 65)
        thread.join()

    def test_what_is_kept_after_close_stays_as_it_was(self):
        for leave in ("close", "del", "end"):
            with self.subTest(leave):
                sender = self.sender(overflow="drop-newest")
                receiver = self.receiver()
                kept = []
                waiting = threading.Thread(target=lambda: kept.append(next(receiver)))
                waiting.start()
                self.eventually(lambda: sender.stats.readers == 1)
                for number in (1, 2, 3):
                    sender.send(picture(number))
                waiting.join()
                kept += [next(receiver), next(receiver).array]
                if leave == "end":
                    sender.end()
                    self.assertEqual(list(receiver), [])
                    # Still connected for what is in use.
                    self.assertEqual(receiver.stats.in_use, 3)
                else:
                    receiver.close()
                    self.eventually(lambda: sender.stats.readers == 0)
                for number in range(50, 90):
                    sender.send(picture(number))
                sender.close()
                self.assertEqual([number_of(kept[0].array), number_of(kept[1].planes[0])], [1, 2])
                self.assertEqual(number_of(kept[2]), 3)
                kept[1].release()
                with self.assertRaisesRegex(ValueError, "released"):
                    _ = kept[1].array
                kept.clear()

    def test_stop_and_come_back(self):
        receiver = self.receiver()
        for start in range(3):
            sender = self.sender()
            thread = threading.Thread(target=lambda: [sender.send(picture(n)) for n in range(10)])
            thread.start()
            frames = [next(receiver) for _ in range(10)]
            thread.join()
            self.assertEqual([number_of(frame.array) for frame in frames], list(range(10)))
            self.assertEqual([frame.seq for frame in frames], list(range(10)))
            # Read at once: the reader leaves when its frames are given back.
            closing = threading.Thread(target=sender.close)
            closing.start()
            receiver._timeout = 0.2
            with self.assertRaises(TimeoutError):
                next(receiver)
            receiver._timeout = PATIENCE
            del frames
            closing.join()
        with self.sender() as sender:
            ending = self.receiver(reconnect=False)
            thread = threading.Thread(target=lambda: [sender.send(picture(1)), sender.close()])
            thread.start()
            self.assertEqual(len(list(ending)), 1)
            thread.join()

    def test_an_exception_stops_and_does_not_end(self):
        receiver = self.receiver(timeout=0.3)
        with self.assertRaises(KeyError):
            with self.sender() as sender:
                thread = threading.Thread(target=next, args=(receiver,))
                thread.start()
                sender.send(picture(1))
                thread.join()
                raise KeyError
        with self.assertRaises(TimeoutError):
            next(receiver)

    def test_late_readers_of_an_ended_stream(self):
        with self.sender(overflow="drop-newest") as sender:
            sender.send(picture(1))
            sender.end()
            self.assertEqual(list(self.receiver()), [])
            again = self.receiver()
            sender.send(picture(2))
            thread = threading.Thread(target=lambda: [
                self.eventually(lambda: sender.stats.readers == 1), sender.send(picture(3))])
            thread.start()
            self.assertEqual(number_of(next(again).array), 3)
            thread.join()

    def test_a_new_stream_waits_for_a_reader(self):
        sender = self.sender()
        sender.end()
        self.assertEqual(list(self.receiver()), [])
        thread = threading.Thread(target=sender.send, args=(picture(1),))
        thread.start()
        time.sleep(0.2)
        self.assertEqual(number_of(next(self.receiver()).array), 1)
        thread.join(PATIENCE)

    def test_times_that_are_very_long(self):
        for long in (1e7, 1e12, float("inf")):
            with self.sender(timeout=long, linger=long) as sender:
                receiver = self.receiver(timeout=long)
                thread = threading.Thread(target=sender.send, args=(picture(1),))
                thread.start()
                self.assertEqual(number_of(next(receiver).array), 1)
                thread.join(PATIENCE)
                receiver.close()

    def test_time_without_a_reader(self):
        sender = self.sender(timeout=0.1)
        with self.assertRaisesRegex(TimeoutError, "no reader"):
            sender.send(picture(1))
        self.assertEqual(sender.stats, (0, 0, 0, 0, 0, 0))
        receiver = self.receiver(timeout=0.2)
        with self.assertRaisesRegex(TimeoutError, "no frame"):
            next(receiver)
        for number in range(8):
            sender.send(picture(number))
        with self.assertRaisesRegex(TimeoutError, "did not take"):
            sender.send(picture(8))
        frame = next(receiver)
        sender.send(picture(8))
        frames = [frame] + [next(receiver) for _ in range(8)]
        self.assertEqual([number_of(frame.array) for frame in frames], list(range(9)))
        sender.close()
        with self.assertRaisesRegex(ValueError, "closed"):
            sender.send(picture(1))

    def test_no_producer_within_the_time(self):
        begun = time.monotonic()
        with self.assertRaisesRegex(TimeoutError, "no producer"):
            next(self.receiver(timeout=0.25))
        self.assertLess(time.monotonic() - begun, 5)

    def test_closed_by_another_thread(self):
        with self.sender(overflow="drop-newest"):
            for path in (self.path, self.path + "not"):
                receiver = self.receiver()
                receiver.path = path
                came = []
                thread = threading.Thread(target=lambda: came.append(list(receiver)))
                thread.start()
                time.sleep(0.3)
                receiver.close()
                thread.join(PATIENCE)
                self.assertEqual(came, [[]])

    def test_a_sender_that_is_forgotten(self):
        sender = FrameSender(self.path, overflow="drop-newest")
        thread = sender._server._thread
        del sender
        thread.join(PATIENCE)
        self.assertFalse(thread.is_alive())
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_images_that_are_wrong(self):
        with self.sender(overflow="drop-newest") as sender:
            for image, format, text in (
                (np.zeros((4, 4, 3), np.float32), "RGB", "float32: RGB takes uint8"),
                (np.zeros((3, 4, 5), np.uint8), "RGB", r"transpose\(1, 2, 0\)"),
                (np.zeros((4, 4, 4), np.uint8), "RGB", r"takes \(height, width, 3\)"),
                (np.zeros((4, 4), np.uint8), "RGB", 'format="GRAY8"'),
                (np.zeros((4, 4, 1), np.uint8), "GRAY8", r"takes \(height, width\)"),
                (np.zeros((0, 4, 3), np.uint8), "RGB", "1 to 65535"),
                (np.zeros((7, 4), np.uint8), "NV12", "planes one by one"),
                (np.zeros((6, 3, 2), np.uint8), "YUY2", "must be even"),
                ((np.zeros((4, 4), np.uint8), np.zeros((2, 2), np.uint8)), "NV12", r"\(2, 2, 2\)"),
                (np.zeros((4, 4, 3), np.uint8), "rgb", "is not known"),
            ):
                with self.assertRaisesRegex((ValueError, TypeError), text):
                    sender.send(image, format=format)
            image = picture(1)
            for options in (
                {"pts": -1}, {"ntp": 1 << 64}, {"pts": 1 << 63}, {"ntp": (1 << 64) - 2},
                {"duration": 1 << 63}, {"duration": (1 << 64) - 2}, {"number": (1 << 64) - 1}, {"stream": -1}, {"source_size": (0, 5)},
                {"detections": ["car"]}, {"detections": [Detection(class_id=1 << 40)]}, {"pts": 1.5},
                {"stream": "a"}, {"detections": [Detection(box=(1, 2))]},
            ):
                with self.assertRaises((ValueError, TypeError), msg=options):
                    sender.send(image, **options)
            self.assertEqual(sender.stats.unread, 0)
        for options in (
            {"format": "P010"}, {"fps": 0}, {"fps": "x"}, {"fps": (1, 0)}, {"channel_size": 0},
            {"overflow": "drop"}, {"access": "0666"}, {"colorimetry": "x" * 33}, {"chroma_site": "ä"},
        ):
            with self.assertRaises(ValueError, msg=options):
                FrameSender(self.path, **options)


class Rates(unittest.TestCase):
    def test_rates(self):
        from dsframe.sender import _rate

        for given, rate in (
            (30, Fraction(30)), (12.5, Fraction(25, 2)), ("30000/1001", Fraction(30000, 1001)),
            ((25, 1), Fraction(25)), (29.97, Fraction(2997, 100)), (None, None),
        ):
            self.assertEqual(_rate(given), rate)


if __name__ == "__main__":
    unittest.main()
