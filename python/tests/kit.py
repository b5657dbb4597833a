# Copyright (C) 2026 The gst-plugin-dsframe authors
# Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""What the tests share: folders, counts of what is open, other processes, and bare sockets."""

import gc
import mmap
import multiprocessing
import os
import shutil
import socket
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from dsframe import FrameReceiver, FrameSender, _socket, _wire  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
#: Long enough for a loaded machine.
PATIENCE = 30.0

spawn = multiprocessing.get_context("spawn")
# Not started by a test that counts what is open.
spawn.Queue().close()


def opened():
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


def mapped():
    """Shared memory of ours that is mapped."""
    with open("/proc/self/maps") as maps:
        return sum("memfd:dsframe" in line for line in maps)


class Case(unittest.TestCase):
    """In a folder of its own. Nothing may be left open, mapped, running or lying about."""

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="dsframe-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.path = str(self.folder / "s")
        self.count_from_here()
        self.addCleanup(self._same)

    def count_from_here(self):
        """What there is now is there afterwards, and nothing else."""
        self._before = opened(), mapped(), threading.active_count()

    def _same(self):
        now = opened(), mapped(), threading.active_count()
        self.assertEqual(self._before, now, "(descriptors, mappings, threads) before and after")

    def eventually(self, condition, what="it"):
        end = time.monotonic() + PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), end, f"{what} did not come about")
            time.sleep(0.005)

    def sender(self, **options):
        options.setdefault("timeout", PATIENCE)
        sender = FrameSender(self.path, **options)
        self.addCleanup(sender.close, 0)
        return sender

    def receiver(self, **options):
        options.setdefault("timeout", PATIENCE)
        receiver = FrameReceiver(self.path, **options)
        self.addCleanup(receiver.close)
        return receiver


def picture(number, width=64, height=48, channels=3):
    """With its number in the pixels."""
    shape = (height, width, channels) if channels > 1 else (height, width)
    image = np.full(shape, number % 251, np.uint8)
    image.reshape(-1)[:4] = np.frombuffer(np.uint32(number).tobytes(), np.uint8)
    image.reshape(-1)[-4:] = image.reshape(-1)[:4]
    return image


def number_of(array):
    """AssertionError unless it is a `picture`, whole."""
    flat = np.ascontiguousarray(array).reshape(-1)
    number = int(np.frombuffer(flat[:4].tobytes(), np.uint32)[0])
    assert (flat[4:-4] == number % 251).all(), f"frame {number} is torn"
    assert (flat[-4:] == flat[:4]).all(), f"frame {number} is torn at its end"
    return number


class Process:
    """A function in a process of its own, which puts what it has to say into a queue."""

    def __init__(self, function, *arguments):
        self._queue = spawn.Queue()
        self.process = spawn.Process(target=function, args=(self._queue, *arguments), daemon=True)
        self.process.start()

    def get(self):
        return self._queue.get(timeout=PATIENCE)

    def kill(self):
        self.process.kill()
        self.close()

    def close(self):
        self.process.join(PATIENCE)
        assert self.process.exitcode is not None, "a process does not end"
        self.process.close()
        self._queue.close()
        self._queue.join_thread()


# What other processes do.


def send_numbers(queue, path, count, options):
    """Sends `count` pictures, each with its number."""
    with FrameSender(path, timeout=PATIENCE, **options) as sender:
        for number in range(count):
            sender.send(picture(number), number=number)
            if number == 0:
                queue.put("begun")
    queue.put(tuple(sender.stats))


def send_for_ever(queue, path):
    with FrameSender(path, overflow="drop-oldest") as sender:
        queue.put("begun")
        number = 0
        while True:
            sender.send(picture(number))
            number += 1
            time.sleep(0.001)


def receive_numbers(queue, path, delay, keep):
    """Receives until the end: the numbers, how many were dropped by then, and what is held."""
    numbers = []
    kept = []
    with FrameReceiver(path, timeout=PATIENCE) as receiver:
        for frame in receiver:
            assert frame.number == number_of(frame.array)
            numbers.append((frame.seq, frame.number))
            kept = (kept + [frame])[-keep:] if keep else []
            if len(numbers) == 1:
                queue.put("begun")
            time.sleep(delay)
        for frame in kept:
            assert frame.number == number_of(frame.array)
        queue.put((numbers, receiver.stats.received, receiver.stats.dropped))


# A bare side of the protocol.


class Bare:
    """A socket that sends what it is told to."""

    def __init__(self, sock):
        self.slots = {}
        self.sock = sock
        self.sock.settimeout(PATIENCE)

    @classmethod
    def reader(cls, path, hello=True):
        bare = cls(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
        bare.sock.connect(path)
        if hello:
            bare.send(_wire.Hello(_wire.READER, _wire.TAKES_HOST))
            assert isinstance(bare.message(), _wire.Hello)
        return bare

    def send(self, message, fds=()):
        data = message if isinstance(message, bytes) else _wire.encode(message)
        socket.send_fds(self.sock, [data], list(fds)) if fds else self.sock.send(data)

    def frame(self):
        """The next FRAME with its slot mapped: seq, and what is in it."""
        while True:
            data, fds, _, _ = socket.recv_fds(self.sock, _wire.MAX_PACKET, 4)
            message = _wire.decode(data)
            if not isinstance(message, _wire.FrameMessage):
                continue
            for fd in fds:
                self.slots[message.slot] = mmap.mmap(fd, message.slot_size, prot=mmap.PROT_READ)
                os.close(fd)
            height, pitch = 48, message.planes[0][1]
            pixels = np.frombuffer(self.slots[message.slot], np.uint8, height * pitch)
            return message.seq, pixels

    def message(self):
        """The next one; None at the end."""
        while True:
            try:
                data, fds, _, _ = socket.recv_fds(self.sock, _wire.MAX_PACKET, 4)
                break
            except ConnectionResetError:
                continue
        _socket.close_all(fds)
        return _wire.decode(data) if data else None

    def close(self):
        self.sock.close()


class BareProducer:
    """Listens, and answers a reader's HELLO."""

    def __init__(self, path):
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(path)
        self.listener.listen(8)
        self.listener.settimeout(PATIENCE)

    def accept(self, hello=True):
        bare = Bare(self.listener.accept()[0])
        if hello:
            assert isinstance(bare.message(), _wire.Hello)
            bare.send(_wire.Hello(_wire.PRODUCER, session=77))
        return bare

    def close(self):
        self.listener.close()
