# Copyright (C) 2026 The gst-plugin-dsframe authors
# Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""A server that takes captures, when it is in the mood."""

import hashlib
import random
import socket
import threading
import time
from dataclasses import dataclass, field

# What it does with a request.
OK = "ok"
DOWN = "down"  # nobody listens
HANG = "hang"  # reads it and says nothing
CUT = "cut"  # closes within the body
FORGET = "forget"  # takes it and closes without an answer
ANSWERS = {
    "500": "500 Internal Server Error",
    "503": "503 Service Unavailable",
    "429": "429 Too Many Requests",
}
FAULTS = [DOWN, HANG, CUT, FORGET, *ANSWERS]
# An answer that took longer may have come too late.
LATE = 0.5


@dataclass
class Arrival:
    key: str
    headers: dict
    digest: bytes
    # Whether the sender may have had no answer, and so sends it again.
    unsure: bool = False
    # The run that it is of, as its picture says.
    run: int = -1


@dataclass
class Record:
    arrivals: list = field(default_factory=list)
    by_key: dict = field(default_factory=dict)
    repeated: int = 0
    unexplained: list = field(default_factory=list)
    wrong: list = field(default_factory=list)


class Server:
    """Listens on a port of its own, which stays the same. `check` says what is wrong with a capture."""

    def __init__(self, check):
        self.check = check
        self.lock = threading.Lock()
        self.record = Record()
        self.mode = OK
        self.outages = {}
        self.closing = False
        self.listener = None
        self.port = 0
        self.listen()

    def listen(self):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(64)
        self.port = listener.getsockname()[1]
        self.listener = listener
        threading.Thread(target=self.accept, args=(listener,), daemon=True).start()

    def set_mode(self, mode):
        was, self.mode = self.mode, mode
        if mode != OK:
            self.outages[mode] = self.outages.get(mode, 0) + 1
        if mode == DOWN and was != DOWN:
            # Wakes the thread that accepts.
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
        elif mode != DOWN and was == DOWN:
            self.listen()

    def trouble(self, end, rng=random):
        """Goes from mood to mood until `end`, and is well again then."""
        while (left := end - time.monotonic()) > 0:
            mode = OK if self.mode != OK else rng.choice(FAULTS)
            self.set_mode(mode)
            time.sleep(min(left, rng.uniform(0.3, 6)))
        self.set_mode(OK)

    def accept(self, listener):
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def serve(self, peer):
        with peer:
            try:
                stream = peer.makefile("rb")
                while self.request(peer, stream):
                    pass
            except OSError:
                pass

    def request(self, peer, stream):
        line = stream.readline(65536).decode("latin-1").split()
        if len(line) != 3 or self.mode == DOWN:
            return False
        begun = time.monotonic()
        headers = {}
        while (header := stream.readline(65536).decode("latin-1").strip()):
            name, _, value = header.partition(":")
            headers[name.strip().lower()] = value.strip()
        length = int(headers["content-length"])
        mode = self.mode
        if mode == CUT:
            stream.read(length // 2)
            return False
        body = stream.read(length)
        if len(body) != length:
            return False
        if mode == HANG:
            while self.mode == HANG:
                time.sleep(0.05)
            return False
        if mode in ANSWERS:
            wait = "Retry-After: 1\r\n" if mode != "500" else ""
            peer.sendall(f"HTTP/1.1 {ANSWERS[mode]}\r\n{wait}Content-Length: 0\r\n\r\n".encode())
            return True
        # A night of bodies would not fit into memory.
        digest = hashlib.sha256(body).digest()
        arrival = Arrival(headers["idempotency-key"], headers, digest, mode == FORGET)
        self.take(arrival, body)
        if mode == FORGET:
            return False
        try:
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        except OSError:
            arrival.unsure = True
            raise
        arrival.unsure = time.monotonic() - begun > LATE
        return True

    def take(self, arrival, body):
        with self.lock:
            first = self.record.by_key.setdefault(arrival.key, arrival)
            if first is not arrival:
                self.record.repeated += 1
                if not first.unsure:
                    self.record.unexplained.append(arrival.key)
                if first.digest != arrival.digest:
                    self.record.wrong.append(f"{arrival.key} came again with another body")
                first.unsure |= arrival.unsure
                return
            self.record.arrivals.append(arrival)
            if (wrong := self.check(arrival, body)) is not None:
                self.record.wrong.append(f"{arrival.key}: {wrong}")
