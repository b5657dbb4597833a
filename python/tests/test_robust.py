# Copyright (C) 2026 The gst-plugin-dsframe authors
# Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Processes that are killed, peers that send garbage, wrong memory, and paths that cannot be."""

import errno
import os
import random
import socket
import threading
import time
import unittest

from kit import (
    PATIENCE, Bare, BareProducer, Case, Process, mapped, number_of, picture, receive_numbers,
    send_for_ever,
)

from dsframe import (
    FrameReceiver, FrameSender, ProducerGone, ProtocolError, Refused, _memory, _socket, _wire,
)
from dsframe._wire import Caps, End, FrameMessage, Hello, Refuse, Release, Stop, Taken

CAPS = Caps(1, 64, 48, "RGB")
FRAME = FrameMessage(0, 1, 1, 12288, ((0, 192),), new_slot=True, pts=0)


class Killed(Case):
    def test_producers_that_are_killed(self):
        """Every one is an error after its frames, and the next one is read as if nothing had been."""
        receiver = self.receiver()
        for _ in range(8):
            producer = Process(send_for_ever, self.path)
            producer.get()
            for _ in range(20):
                frame = next(receiver)
                self.assertEqual(number_of(frame.array), frame.number)
            producer.kill()
            with self.assertRaises(ProducerGone):
                for frame in receiver:
                    self.assertEqual(number_of(frame.array), frame.number)
            # What is in use is still there.
            self.assertEqual(number_of(frame.array), frame.number)
            frame.release()
        self.assertLess(mapped(), 3)

    def test_readers_that_are_killed(self):
        sender = self.sender(overflow="block")
        for round_ in range(8):
            reader = Process(receive_numbers, self.path, 0, 30)
            for number in range(50):
                sender.send(picture(number), number=number)
            reader.get()
            reader.kill()
            self.eventually(lambda: sender.stats[3:5] == (0, 0), "the end of a reader")
            stats = sender.stats
            self.assertEqual((stats.sent, stats.in_flight), (50 * (round_ + 1), 0))
            self.assertEqual(stats.sent, stats.received + stats.dropped)
        self.assertLess(len(os.listdir("/proc/self/fd")), 60)

    def test_a_reader_that_stands_still(self):
        """It costs what its socket holds, and does not hold up the others nor the end."""
        sender = self.sender(overflow="drop-oldest", linger=0.3)
        frozen = Bare.reader(self.path)
        receiver = self.receiver()
        count = []
        thread = threading.Thread(target=lambda: count.extend(frame.seq for frame in receiver))
        thread.start()
        self.eventually(lambda: sender.stats.readers == 2)
        for number in range(200):
            sender.send(picture(number))
            time.sleep(0.001)
        begun = time.monotonic()
        sender.end()
        sender.close()
        self.assertLess(time.monotonic() - begun, 10)
        thread.join(PATIENCE)
        self.assertEqual(count[-1], 199)
        stats = sender.stats
        self.assertEqual(stats.sent, 400)
        self.assertEqual(stats.received, len(count))
        self.assertLess(mapped(), 80)
        told = [type(frozen.message()) for _ in range(7)]
        self.assertEqual(told, [Caps] + [FrameMessage] * 4 + [End, type(None)])
        frozen.close()

    def test_a_fork_does_not_speak(self):
        sender, receiver = self.sender(overflow="drop-newest"), self.receiver()
        frames = []
        thread = threading.Thread(target=lambda: frames.append(next(receiver)))
        thread.start()
        self.eventually(lambda: sender.stats.readers == 1)
        sender.send(picture(1))
        thread.join()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                assert number_of(frames[0].array) == 1
                frames.clear()
                for attempt in (
                    lambda: next(receiver), lambda: sender.send(picture(1)), lambda: sender.frame(48, 64),
                ):
                    try:
                        attempt()
                    except (ValueError, OSError):
                        continue
                    raise AssertionError
                sender.close()
                receiver.close()
                status = 0
            finally:
                os._exit(status)
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        for number in (2, 3):
            sender.send(picture(number))
            self.assertEqual(number_of(next(receiver).array), number)
        self.assertEqual(number_of(frames.pop().array), 1)


class Garbage(Case):
    def test_readers_that_send_garbage(self):
        """They are refused or cut off. Another one gets every frame, in order."""
        sender = self.sender()
        came = []
        receiver = self.receiver()
        thread = threading.Thread(target=lambda: came.extend(number_of(f.array) for f in receiver))
        thread.start()
        self.eventually(lambda: sender.stats.readers == 1)
        stop = threading.Event()
        sent = [0]

        def send():
            while not stop.is_set():
                sender.send(picture(sent[0]))
                sent[0] += 1
                time.sleep(0.002)

        sending = threading.Thread(target=send)
        sending.start()
        packets = [
            Hello(_wire.READER, 1), Hello(_wire.READER, 3, devices=(b"x" * 16,)), Taken(1), Taken(3),
            Release((0,)), Release(tuple(range(256))), Refuse(2, "no"), End(9), Stop(0), CAPS, FRAME,
            Hello(_wire.PRODUCER, session=1),
        ]
        packets = [_wire.encode(packet) for packet in packets]
        random_ = random.Random(2)
        reader, writer = os.pipe()
        for turn in range(400):
            with self.subTest(turn), socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
                sock.connect(self.path)
                sock.settimeout(PATIENCE)
                try:
                    if turn % 2:
                        sock.send(packets[0])
                    for _ in range(random_.randint(1, 12)):
                        data = bytearray(random_.choice(packets))
                        if random_.random() < 0.2:
                            data = bytearray(random_.randbytes(random_.randint(1, 3000)))
                        elif random_.random() < 0.8:
                            for _ in range(random_.randint(1, 3)):
                                data[random_.randrange(len(data))] ^= 1 << random_.randrange(8)
                        fds = [reader] * random_.choice((0, 0, 0, 1, 2, 5))
                        socket.send_fds(sock, [data], fds)
                except OSError as error:
                    self.assertIn(error.errno, (errno.EPIPE, errno.ECONNRESET))
        stop.set()
        sending.join(PATIENCE)
        os.close(reader)
        os.close(writer)
        sender.end()
        thread.join(PATIENCE)
        self.assertEqual(came, list(range(sent[0])))
        self.eventually(lambda: sender.stats.in_flight == 0)

    def refusal(self, *messages, hello=True):
        bare = Bare.reader(self.path, hello)
        for message in messages:
            bare.send(message)
        while True:
            answer = bare.message()
            if isinstance(answer, Refuse):
                self.assertIsNone(bare.message())
                bare.close()
                return answer.reason, answer.text
            self.assertIsNotNone(answer)

    def test_what_readers_are_told(self):
        sender = self.sender(overflow="drop-newest", max_readers=2)
        hello = Hello(_wire.READER, 1)
        bad_version = bytearray(_wire.encode(hello))
        bad_version[4] = 9
        for reason, text, messages, greeted in (
            (2, "first message", [Taken(1)], False),
            (2, "second HELLO", [hello], True),
            (2, "a producer", [Hello(_wire.PRODUCER, session=1)], False),
            (1, "version 1", [bytes(bad_version)], False),
            (2, "not held", [Release((0,))], True),
            (2, "0 frames on the way", [Taken(1)], True),
            (2, "Caps is not", [CAPS], True),
            (2, "no multiple|packet", [b"DSFC"], True),
        ):
            told, why = self.refusal(*messages, hello=greeted)
            self.assertEqual(told, reason, why)
            self.assertRegex(why, text)
        cards = Bare.reader(self.path, False)
        cards.send(Hello(_wire.READER, _wire.TAKES_CUDA, devices=(b"x" * 16,)))
        self.assertIsInstance(cards.message(), Hello)
        sender.send(picture(1))
        self.assertIsInstance(cards.message(), Caps)
        self.assertEqual(cards.message().reason, 3)
        cards.close()
        self.eventually(lambda: not sender._server._peers)
        two = [Bare.reader(self.path) for _ in range(2)]
        self.assertEqual(self.refusal(hello=False)[0], 4)
        with self.assertRaises(Refused) as caught:
            next(self.receiver())
        self.assertEqual((caught.exception.reason, caught.exception.text), (4, "there are 2 readers already"))
        sender.send(picture(1))
        # The same frame given back twice; one that was not taken.
        for bare, messages in zip(two, ([Taken(1), Release((0, 0))], [Release((0,))])):
            for message in messages:
                bare.send(message)
            self.assertEqual([type(bare.message()) for _ in range(3)], [Caps, FrameMessage, Refuse])
            bare.close()

    def test_a_reader_that_says_nothing(self):
        from dsframe import _server

        sender = self.sender(overflow="drop-newest")
        before, _server.HELLO_TIME = _server.HELLO_TIME, 0.2
        try:
            bare = Bare.reader(self.path, hello=False)
            self.assertEqual(bare.message().reason, 6)
            self.assertIsNone(bare.message())
            self.eventually(lambda: not sender._server._peers)
            bare.close()
        finally:
            _server.HELLO_TIME = before

    def test_at_most_four_and_sixty_four(self):
        sender = self.sender(overflow="drop-newest", channel_size=100)
        bare = Bare.reader(self.path)
        for number in range(70):
            sender.send(picture(number))
        got = [bare.message() for _ in range(5)]
        self.assertEqual([type(each) for each in got], [Caps] + [FrameMessage] * 4)
        bare.sock.settimeout(0.1)
        taken = 4
        while True:
            bare.send(Taken(taken))
            try:
                self.assertEqual(bare.message().seq, taken)
            except socket.timeout:
                break
            taken += 1
            bare.sock.settimeout(0.3)
        self.assertEqual(taken, 64)
        bare.sock.settimeout(PATIENCE)
        bare.send(Release((5,)))
        self.assertEqual(bare.message().seq, 64)
        bare.close()
        self.eventually(lambda: sender.stats.readers == 0)


class Held(Case):
    """Memory that a reader may still read is not written, however its connection ends."""

    def taken(self, sender, count=3):
        """A bare reader that has taken so many frames, and their pixels."""
        bare = Bare.reader(self.path)
        self.addCleanup(bare.close)
        self.eventually(lambda: sender.stats.readers == 1)
        frames = []
        for number in range(count):
            sender.send(picture(number + 1))
            seq, pixels = bare.frame()
            bare.send(Taken(seq + 1))
            frames.append(pixels)
        self.eventually(lambda: not sender.stats.in_flight)
        self.numbers(frames, count)
        return bare, frames

    def numbers(self, frames, count=3):
        self.assertEqual([number_of(pixels) for pixels in frames], list(range(1, count + 1)))

    def go_on(self, sender, count=60):
        """With a reader that gives everything back."""
        other = Bare.reader(self.path)
        self.eventually(lambda: sender.stats.readers == 1)
        for number in range(count):
            sender.send(picture(1000 + number))
            seq, _ = other.frame()
            other.send(Taken(seq + 1))
            other.send(Release((seq,)))
        other.slots.clear()
        other.close()
        self.eventually(lambda: not sender.stats.readers)

    def slots(self):
        """That this process has as a sender: they are writable."""
        with open("/proc/self/maps") as maps:
            return sum("memfd:dsframe" in line and " rw-s " in line for line in maps)

    def test_a_half_that_is_shut_down(self):
        sender = self.sender(overflow="drop-newest")
        bare, frames = self.taken(sender)
        # One that it has read and did not say so.
        sender.send(picture(4))
        frames.append(bare.frame()[1])
        bare.sock.shutdown(socket.SHUT_WR)
        self.eventually(lambda: sender.stats.readers == 0)
        self.assertEqual(sender.stats[:4], (4, 3, 1, 0))
        self.go_on(sender)
        self.numbers(frames, 4)
        # It closes: the memory is written again, and there is no more of it than before.
        before = self.slots()
        bare.close()
        self.eventually(lambda: not sender._server._peers)
        self.go_on(sender)
        self.assertLessEqual(self.slots(), before)
        self.assertTrue(any(number_of(pixels) >= 1000 for pixels in frames))

    def test_half_after_half(self):
        """After the end both halves look closed, and the reader may still read."""
        sender = self.sender(overflow="drop-newest")
        bare, frames = self.taken(sender)
        sender.end()
        self.assertIsInstance(bare.message(), End)
        bare.sock.shutdown(socket.SHUT_WR)
        self.eventually(lambda: not sender._server._peers)
        sender.send(picture(9))  # Begins anew.
        self.go_on(sender)
        self.numbers(frames)
        self.assertLess(self.slots(), 12)

    def test_only_the_reading_half(self):
        """It hears nothing any more, and gives frames back."""
        sender = self.sender(overflow="drop-newest")
        bare, frames = self.taken(sender)
        bare.sock.shutdown(socket.SHUT_RD)
        sender.send(picture(9))
        self.eventually(lambda: sender.stats.readers == 0)
        time.sleep(1.5)
        self.go_on(sender)
        self.numbers(frames)
        bare.send(Release((0, 1, 2)))
        self.eventually(lambda: not sender._server._peers)
        self.assertLess(self.slots(), 12)

    def test_refused_with_frames_in_use(self):
        sender = self.sender(overflow="drop-newest")
        for messages in ([b"DSFC"], [Release((0, 0))], [Release((0, 1, 7))], [b"DSFC", Release((0, 1, 2))]):
            bare, frames = self.taken(sender)
            for message in messages:
                bare.send(message)
            self.assertIsInstance(bare.message(), Refuse)
            self.go_on(sender)
            self.numbers(frames)
            # It has a second to leave.
            self.eventually(lambda: not sender._server._peers)
            self.go_on(sender)
            self.numbers(frames)
        self.assertLess(self.slots(), 12)

    def test_a_refused_reader_that_says_nothing_by_a_packet(self):
        """A packet of no bytes looks like the end."""
        self.sender(overflow="drop-newest")
        bare = Bare.reader(self.path)
        bare.send(b"DSFC")
        self.assertIsInstance(bare.message(), Refuse)
        bare.send(b"")
        self.assertIsNone(bare.message())
        bare.close()

    def test_a_reader_that_refuses(self):
        sender = self.sender(overflow="drop-newest")
        bare, frames = self.taken(sender)
        bare.send(Refuse(2, "enough"))
        self.eventually(lambda: sender.stats.readers == 0)
        time.sleep(1.5)
        self.go_on(sender)
        self.numbers(frames)
        bare.close()
        self.eventually(lambda: not sender._server._peers)

    def test_what_is_on_the_way_when_the_producer_stops(self):
        """It arrives, or not: nobody has dropped it."""
        sender = self.sender(overflow="drop-newest")
        bare, frames = self.taken(sender)
        sender.send(picture(4))
        sender.close(0)
        self.assertEqual(sender.stats[:4], (4, 3, 0, 1))
        self.assertEqual(number_of(bare.frame()[1]), 4)
        self.numbers(frames)
        self.assertEqual(bare.message(), Stop(4))


    def test_more_memory_than_a_reader_maps(self):
        """It is sent back, and comes again with nothing mapped; what it has is still there."""
        sender, receiver = self.sender(), self.receiver()
        before, _wire.MAX_MAPPED = _wire.MAX_MAPPED, 40000
        try:
            thread = threading.Thread(target=lambda: [
                *(sender.send(picture(number), number=number) for number in range(60)), sender.end()])
            thread.start()
            kept = list(receiver)
            thread.join(PATIENCE)
        finally:
            _wire.MAX_MAPPED = before
        self.assertGreater(len(kept), 6)
        for frame in kept:
            self.assertEqual(number_of(frame.array), frame.number)
        self.assertEqual(receiver.stats[:4], sender.stats[:4])
        self.assertEqual(receiver.stats.sent, 60)
        kept.clear()


class Producers(Case):
    """What a receiver makes of a producer that is not ours."""

    def setUp(self):
        super().setUp()
        self.producer = BareProducer(self.path)
        self.addCleanup(self.producer.close)
        self.slots = []

    def memory(self, size=12288, seals=6):
        fd = os.memfd_create("other", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(fd, size)
        if seals:
            import fcntl

            fcntl.fcntl(fd, _memory.F_ADD_SEALS, seals)
        self.addCleanup(os.close, fd)
        return fd

    def read(self, *script, hello=True):
        """What comes of a receiver that is sent this; what it answers is in `answers`."""
        receiver = self.receiver()
        self.answers = []

        def serve():
            bare = self.producer.accept(hello)
            try:
                for message, *fds in script:
                    bare.send(message, fds)
                bare.sock.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # It has heard enough.
            while True:
                answer = bare.message()
                if answer is None:
                    break
                self.answers.append(answer)
            bare.close()

        thread = threading.Thread(target=serve)
        thread.start()
        frames = 0
        try:
            for frame in receiver:
                frames += 1
                frame.array.sum()
                frame.release()
            return frames, None
        except (ProtocolError, ProducerGone, Refused) as error:
            return frames, error
        finally:
            receiver.close()
            thread.join(PATIENCE)

    def check(self, text, *script, frames=0, kind=ProtocolError, reason=2, **options):
        came, error = self.read(*script, **options)
        self.assertIsInstance(error, kind)
        self.assertRegex(str(error), text)
        self.assertEqual(came, frames)
        if kind is ProtocolError:
            self.assertEqual([each.reason for each in self.answers if isinstance(each, Refuse)], [reason])

    def test_a_good_one(self):
        later = FRAME._replace(seq=4, new_slot=False)
        frames, error = self.read((CAPS,), (FRAME, self.memory()), (later,), (End(5),))
        self.assertEqual((frames, error), (2, None))
        taken = [each for each in self.answers if isinstance(each, Taken)]
        released = [seq for each in self.answers if isinstance(each, Release) for seq in each.seqs]
        self.assertEqual((taken[-1].taken, released), (2, [0, 4]))

    def test_wrong_memory(self):
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        self.addCleanup(os.close, writer)
        with open(self.folder / "file", "wb") as file:
            file.truncate(12288)
        file = os.open(self.folder / "file", os.O_RDONLY)
        self.addCleanup(os.close, file)
        for text, fd in (
            ("memfd", reader), ("memfd", file), ("seals", self.memory(seals=0)),
            ("seals", self.memory(seals=2)), ("seals", self.memory(seals=4)),
            ("has 4096 bytes", self.memory(4096)),
        ):
            self.check(text, (CAPS,), (FRAME, fd))

    def test_wrong_frames(self):
        memory = self.memory()
        again = FRAME._replace(seq=1, new_slot=False)
        for text, frames, *script in (
            ("before CAPS", 0, (FRAME, memory)),
            ("0 descriptors", 0, (CAPS,), (FRAME,)),
            ("2 descriptors", 0, (CAPS,), (FRAME, memory, memory)),
            ("descriptors", 0, (CAPS,), (FRAME, memory, memory, memory)),
            ("1 descriptors", 1, (CAPS,), (FRAME, memory), (again, memory)),
            ("should not have", 0, (CAPS, memory)),
            ("new and was there", 1, (CAPS,), (FRAME, memory), (FRAME._replace(seq=1), memory)),
            ("never there", 0, (CAPS,), (again,)),
            ("not what it was", 1, (CAPS,), (FRAME, memory), (again._replace(slot_size=12000),)),
            ("frame 0 after frame 0", 1, (CAPS,), (FRAME, memory), (again._replace(seq=0),)),
            ("CAPS 2", 0, (CAPS,), (FRAME._replace(caps_id=2), memory)),
            ("ends at", 0, (CAPS,), (FRAME._replace(offset=12288 - 9215), memory)),
            ("id 1 of those before", 0, (CAPS,), (CAPS,)),
            ("device 0 of 0", 0, (CAPS,), (FRAME._replace(memory=1), memory)),
            ("Taken", 0, (Taken(1),)),
            ("Hello", 0, (Hello(_wire.PRODUCER, session=2),)),
            ("multiple|packet", 0, (b"DSFC",)),
        ):
            with self.subTest(text):
                self.check(text, *script, frames=frames)

    def test_other_ends(self):
        self.check("died", (CAPS,), (FRAME, self.memory()), frames=1, kind=ProducerGone)
        self.check("going home", (CAPS,), (Refuse(9, "going home"),), kind=Refused)
        self.check("one that this reader takes", (Caps(1, 4, 4, "P010_10LE"),), reason=7)
        self.check("not HELLO", (CAPS,), hello=False)
        self.check("too many", (Refuse(4, "too many"),), hello=False, kind=Refused)

    def test_more_slots_than_are_remembered(self):
        memory = self.memory()
        script = [(CAPS,)]
        for n in range(65):
            script.append((FRAME._replace(seq=n, slot=n), memory))
        # The first is forgotten, the second not.
        script.append((FRAME._replace(seq=65, slot=1, new_slot=False),))
        script.append((FRAME._replace(seq=66, slot=0, new_slot=False),))
        self.check("never there", *script, frames=66)

    def test_more_memory_than_is_mapped(self):
        """16 GiB of a connection: slots of pages that nobody has, which would come by reading."""
        memory = self.memory(1 << 30)
        script = [(CAPS,)]
        for n in range(17):
            script.append((FRAME._replace(seq=n, slot=n, slot_size=1 << 30), memory))
        self.check("more than 16 GiB", *script, frames=16)

    def test_times(self):
        top = (1 << 63) - 1
        later = FRAME._replace(seq=1, new_slot=False)
        for name in ("pts", "duration", "ntp"):
            good = FRAME._replace(**{name: top})
            for value in (top + 1, (1 << 64) - 2):
                bad = later._replace(**{name: value})
                self.check(f"{name} is {value}", (CAPS,), (good, self.memory()), (bad,), frames=1)

    def test_sixty_four_that_another_thread_gives_back(self):
        """The producer sends as soon as it reads RELEASE: that is before `send` is back."""
        receiver = self.receiver()
        got = []
        there = threading.Event()

        def read():
            got.extend(next(receiver) for _ in range(64))
            there.set()
            got.append(next(receiver))

        thread = threading.Thread(target=read)
        thread.start()
        bare = self.producer.accept()
        bare.send(CAPS)
        memory = self.memory()
        for n in range(64):
            bare.send(FRAME._replace(seq=n, new_slot=not n), [memory] * (not n))
        there.wait(PATIENCE)
        before = _socket.send

        def send(*arguments):
            sent = before(*arguments)
            if isinstance(_wire.decode(arguments[1]), Release):
                bare.send(FRAME._replace(seq=64, new_slot=False))
                self.eventually(lambda: len(got) == 64)
            return sent

        try:
            _socket.send = send
            got.pop(0).release()
        finally:
            _socket.send = before
        thread.join(PATIENCE)
        self.assertEqual([frame.seq for frame in got], list(range(1, 65)))
        receiver.close()
        bare.close()

    def test_taken_and_released_while_another_thread_speaks(self):
        """TAKEN comes before RELEASE, whoever gets in between."""
        from dsframe.receiver import _Replies

        ours, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        replies = _Replies(ours)
        bare = Bare(other)
        before, calls = _socket.send, []

        def send(*arguments):
            sent = before(*arguments)
            if not calls:
                calls.append(arguments)
                replies.taken += 1
                replies.release(1)
            return sent

        try:
            _socket.send = send
            replies.taken = 1
            replies.release(0)
        finally:
            _socket.send = before
        replies.close()
        messages = [bare.message() for _ in range(5)]
        self.assertEqual(messages, [Taken(1), Release((0,)), Taken(2), Release((1,)), None])
        bare.close()

    def test_closed_before_the_producer_says_hello(self):
        receiver = self.receiver()
        came = []
        thread = threading.Thread(target=lambda: came.extend(receiver))
        thread.start()
        bare = self.producer.accept(hello=False)
        self.assertIsInstance(bare.message(), Hello)
        begun = time.monotonic()
        receiver.close()
        thread.join(PATIENCE)
        self.assertLess(time.monotonic() - begun, 3)
        self.assertEqual(came, [])
        bare.close()

    def test_no_memory_to_map(self):
        """An error of this process: the connection is left, and the next one is as good as new."""
        receiver = self.receiver()
        good, calls = _memory.import_slot, []

        def fail(fd, size):
            calls.append(fd)
            if len(calls) == 1:
                raise OSError(errno.ENOMEM, "cannot map")
            return good(fd, size)

        def serve():
            for _ in range(2):
                bare = self.producer.accept()
                bare.send(CAPS)
                bare.send(FRAME, [self.memory()])
                while bare.message() is not None:
                    pass
                bare.close()

        thread = threading.Thread(target=serve)
        thread.start()
        _memory.import_slot = fail
        try:
            with self.assertRaisesRegex(OSError, "cannot map"):
                next(receiver)
            self.assertEqual(next(receiver).seq, 0)
        finally:
            _memory.import_slot = good
            receiver.close()
            thread.join(PATIENCE)

    def test_no_memory_for_a_copy(self):
        """What is in use at a close stays in the producer's memory, which is told so."""
        receiver = self.receiver()
        box = []
        thread = threading.Thread(target=lambda: box.append(next(receiver)))
        thread.start()
        bare = self.producer.accept()
        bare.send(CAPS)
        bare.send(FRAME, [self.memory()])
        thread.join(PATIENCE)

        def fail(mapping):
            raise OSError(errno.ENOMEM, "no memory")

        good, _memory.Mapping.make_private = _memory.Mapping.make_private, fail
        try:
            receiver.close()
        finally:
            _memory.Mapping.make_private = good
        self.assertEqual(list(receiver), [])
        self.assertEqual(bare.message(), Taken(1))
        bare.sock.settimeout(0.2)
        with self.assertRaises(socket.timeout):
            bare.message()
        box.pop().release()
        self.assertEqual(bare.message(), Release((0,)))
        self.assertIsNone(bare.message())
        bare.close()

    def test_garbage(self):
        """Thousands of packets: each is taken or is an error, and nothing is left behind."""
        random_ = random.Random(3)
        memory = self.memory()
        for _ in range(150):
            script = [(CAPS,), (FRAME, memory)]
            for n in range(1, 30):
                frame = FRAME._replace(seq=n, new_slot=False, sensor="x")
                message = random_.choice((frame, CAPS._replace(id=n)))
                data = bytearray(_wire.encode(message))
                if random_.random() < 0.1:
                    data[random_.randrange(len(data))] ^= 1 << random_.randrange(8)
                script.append((bytes(data), *([memory] * (random_.random() < 0.02))))
            _, error = self.read(*script)
            self.assertIsInstance(error, (ProtocolError, ProducerGone))


class Paths(Case):
    def test_the_mode_of_the_socket(self):
        umask = os.umask(0o027)
        try:
            for access, mode in (("user", 0o600), ("group", 0o660), ("all", 0o666)):
                with FrameSender(self.path, access=access, overflow="drop-newest"):
                    self.assertEqual(os.stat(self.path).st_mode & 0o777, mode)
                self.assertEqual(os.listdir(self.folder), [])
        finally:
            os.umask(umask)

    def test_a_second_producer(self):
        with self.sender(overflow="drop-newest"):
            for _ in range(3):
                with self.assertRaisesRegex(OSError, "has a producer already") as caught:
                    FrameSender(self.path)
                self.assertEqual(caught.exception.errno, errno.EADDRINUSE)
            self.assertTrue(os.path.exists(self.path))
        # One that knows nothing of locks.
        other = BareProducer(self.path)
        with self.assertRaisesRegex(OSError, "has a producer already"):
            FrameSender(self.path)
        self.assertEqual(os.listdir(self.folder), ["s"])
        other.close()
        # It is dead, and its socket is still there.
        with self.sender(overflow="drop-newest") as sender:
            Bare.reader(self.path).close()
            sender.close()
        self.assertEqual(os.listdir(self.folder), [])

    def test_something_else_is_there(self):
        with open(self.path, "w") as file:
            file.write("precious")
        with self.assertRaisesRegex(OSError, "is no socket") as caught:
            FrameSender(self.path)
        self.assertEqual(caught.exception.errno, errno.EEXIST)
        with self.assertRaisesRegex(OSError, "is no socket"):
            next(FrameReceiver(self.path))
        with open(self.path) as file:
            self.assertEqual(file.read(), "precious")
        self.assertEqual(os.listdir(self.folder), ["s"])

    def test_a_socket_of_another_kind(self):
        with socket.socket(socket.AF_UNIX) as stream:
            stream.bind(self.path)
            stream.listen()
            with self.assertRaisesRegex(OSError, "another kind"):
                next(FrameReceiver(self.path))
            with self.assertRaises(OSError):
                FrameSender(self.path)

    def test_paths_that_cannot_be(self):
        for path in ("", "x" * 108, "a\0b", "unix:", b"bytes"):
            for kind in (FrameSender, FrameReceiver):
                with self.assertRaises(ValueError, msg=path):
                    kind(path)
        for path, number in (
            (self.folder / "not" / "here", errno.ENOENT), ("/proc/s", errno.ENOENT),
        ):
            with self.assertRaises(OSError) as caught:
                FrameSender(path)
            self.assertIn(caught.exception.errno, (number, errno.EACCES, errno.EPERM))
        longest = f"{self.folder}/"
        longest += "y" * (107 - len(longest))
        with FrameSender(longest, overflow="drop-newest"):
            with self.assertRaises(TimeoutError):
                next(FrameReceiver(longest, timeout=0.2))


if __name__ == "__main__":
    unittest.main()
