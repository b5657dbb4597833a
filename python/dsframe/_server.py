# Copyright (C) 2026 The gst-plugin-dsframe authors
# Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""The producer's side: a thread that listens, and the readers it has.

sender -> server -> peers: each peer is a reader with frames that wait, frames that were sent, and
frames whose memory it reads. All of it is under one lock; nothing waits with it held, and sockets
never block.
"""

import atexit
import logging
import os
import select
import socket
import threading
import time
import weakref
from collections import OrderedDict, deque
from typing import Any, Deque, Dict, List, NamedTuple, Optional, Tuple

from . import _socket, _wire

log = logging.getLogger("dsframe")

#: Seconds that a reader has for its HELLO, and to close after the last message.
HELLO_TIME = 5.0
CLOSE_TIME = 1.0
#: Packets of one reader before another one's turn.
_TURN = 64


class Variant(NamedTuple):
    """A frame as it lies in one kind of memory."""

    lease: Any
    planes: Tuple[Tuple[int, int], ...]
    memory: int = _wire.HOST
    #: UUID of the device, if it is memory of CUDA.
    device: Optional[bytes] = None


class Item(NamedTuple):
    """A frame that is sent, as all readers get it."""

    caps: _wire.Caps
    #: Without what is each reader's own: seq, slot, memory.
    facts: _wire.FrameMessage
    variants: Tuple[Variant, ...]


class Counts(NamedTuple):
    """What became of the frames: `sent == received + dropped + in_flight`, summed over all readers."""

    #: Frames that readers were to get.
    sent: int
    received: int
    #: For want of room, or as the reader left without taking them.
    dropped: int
    in_flight: int


class Peer:
    """A connection. Everything under the server's lock."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        #: None before its HELLO.
        self.devices: Optional[Tuple[bytes, ...]] = None
        self.takes_host = False
        self.waiting: Deque[Tuple[int, Item]] = deque()
        #: Sent and not taken.
        self.untaken: Deque[Tuple[int, Any]] = deque()
        #: Taken and not released, or sent to one that says nothing any more.
        self.held: Dict[int, Any] = {}
        #: Those that can be named, and their sizes.
        self.slots: "OrderedDict[int, int]" = OrderedDict()
        self.caps_id: Optional[int] = None
        self.sent = self.taken = self.dropped = 0
        self.discont = False
        #: END or STOP, to be sent after what waits.
        self.last: Optional[_wire.Last] = None
        #: Nothing more is sent.
        self.finished = False
        #: It is read to its end and not listened to.
        self.refused = False
        #: It was read to its end: it says nothing any more, and reads what it holds until it closes.
        self.quiet = False
        #: Nothing follows from this side. The end of the other half then looks like a close.
        self.shut = False
        self.full = False
        self.deadline: Optional[float] = time.monotonic() + HELLO_TIME

    @property
    def reading(self) -> bool:
        return self.devices is not None and self.last is None and not self.finished

    def choked(self) -> bool:
        return len(self.untaken) + len(self.held) >= _wire.MAX_HELD

    def has_room(self, bound: int) -> bool:
        return not self.choked() and len(self.waiting) + len(self.untaken) < bound

    def mapped_with(self, slot: Any) -> int:
        """Bytes that it would map of slots that are known or in use."""
        sizes = dict(list(self.slots.items())[1 - _wire.MAX_SLOTS:])
        leases = [lease for _, lease in self.untaken] + list(self.held.values())
        sizes.update((lease.slot.id, lease.slot.size) for lease in leases)
        sizes[slot.id] = slot.size
        return sum(sizes.values())

    def drop(self, discont: bool) -> None:
        self.dropped += 1
        self.discont = self.discont or discont

    def counts(self) -> Counts:
        in_flight = len(self.waiting) + len(self.untaken)
        return Counts(self.sent, self.taken, self.dropped, in_flight)

    def lose(self) -> None:
        """It takes no more frames. Those on the way to it are dropped, and held, as it may read them."""
        self.dropped += len(self.waiting) + len(self.untaken)
        self.waiting.clear()
        self.held.update(self.untaken)
        self.untaken.clear()


class Server:
    """Listens, and sends to all readers that there are."""

    def __init__(
        self, path: str, access: str, bound: int, policy: str, max_readers: int
    ) -> None:
        self._path = path
        self._access = access
        self._bound = bound
        self._policy = policy
        self._max_readers = max_readers
        self._session = int.from_bytes(os.urandom(8), "little") or 1
        #: One frame at a time.
        self.sending = threading.RLock()
        self._changed = threading.Condition()
        self._peers: Dict[int, Peer] = {}
        self._gone = Counts(0, 0, 0, 0)
        self._last: Optional[_wire.Last] = None
        self._caps: Optional[_wire.Caps] = None
        self.unread = 0
        #: When a close stops waiting for readers.
        self._closing: Optional[float] = None
        self._abandoned = False
        self._accept_again = 0.0
        self._wake_fds: Tuple[int, ...] = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._close_wake = weakref.finalize(self, _socket.close_all, self._wake_fds)
        self._close_wake.atexit = False
        self._listener = _socket.Listener(path, access)
        self._thread = threading.Thread(target=self._run, name="dsframe-sender", daemon=True)
        try:
            self._thread.start()
        except BaseException:
            self._listener.close()
            raise
        _socket.forks.watch(self)
        _servers.add(self)

    # For the sender.

    def readers(self) -> int:
        with self._changed:
            return sum(peer.reading for peer in self._peers.values())

    def counts(self) -> Counts:
        with self._changed:
            total = self._gone
            for peer in self._peers.values():
                total = Counts(*map(sum, zip(total, peer.counts())))
            return total

    def wait_for_room(self, timeout: Optional[float]) -> None:
        """Until there is a reader and all have room."""
        end = None if timeout is None else time.monotonic() + timeout
        say = time.monotonic() + _socket.PATIENCE
        with self._changed:
            # Whoever is waited for is not to be told that the stream has ended.
            self._last = None if self._closing is None else self._last
            while True:
                self.check_open()
                peers = [peer for peer in self._peers.values() if peer.reading]
                if peers and all(peer.has_room(self._bound) for peer in peers):
                    return
                left = None if end is None else end - time.monotonic()
                if left is not None and left <= 0:
                    raise TimeoutError(
                        f"no reader came within {timeout} s" if not peers
                        else f"a reader did not take a frame for {timeout} s"
                    )
                if not peers and say is not None and time.monotonic() >= say:
                    log.warning("no reader at %s: waiting for one", self._path)
                    say = None
                turn = _socket.LONGEST if say is None else _socket.PATIENCE
                self._changed.wait(turn if left is None else min(left, turn))

    def audience(self) -> List[Peer]:
        """Who the next frame is for. Those who come later begin with the one after it."""
        with self._changed:
            self.check_open()
            self._last = None
            return [peer for peer in self._peers.values() if peer.reading]

    def send(self, item: Item, audience: List[Peer]) -> None:
        with self._changed:
            self.check_open()
            self._caps = item.caps
            if not audience:
                self.unread += 1
            for peer in audience:
                if peer.reading:
                    self._push(peer, item)
                    self._pump(peer)
            self._wake()

    def finish(self, last: _wire.Last) -> None:
        """END or STOP for every reader after its last frame, and for those who come later."""
        with self._changed:
            if self._closing is None:
                self._finish(last)
            self._wake()

    def close(self, last: _wire.Last, linger: float) -> None:
        """Waits so many seconds for readers to take what was sent, and one more for them to leave."""
        with self._changed:
            if self._closing is None:
                self._finish(last)
                self._closing = time.monotonic() + linger
            self._changed.notify_all()
            self._wake()
        self._thread.join(min(linger + CLOSE_TIME + 5, threading.TIMEOUT_MAX))
        with self._changed:
            if not self._thread.is_alive():
                self._close_wake()

    def abandon(self) -> None:
        """Closes at once, without a lock: for destructors, which run anywhere."""
        self._abandoned = True
        self._wake()

    def forked(self) -> None:
        """In the child of a fork, which has the descriptors and not the thread."""
        self._abandoned = True
        self._closing = 0.0
        # Whoever had them is not there.
        self.sending = threading.RLock()
        self._changed = threading.Condition()
        self._listener.forget()
        for peer in self._peers.values():
            peer.sock.close()
        self._peers = {}
        self._close_wake()

    def check_open(self) -> None:
        if self._closing is not None or self._abandoned:
            raise ValueError("the sender is closed, or belongs to the process that this one was forked from")

    def _wake(self) -> None:
        try:
            if self._close_wake.alive:
                os.write(self._wake_fds[1], b"x")
        except BlockingIOError:
            pass  # Full: it will wake up.

    # Under the lock.

    def _finish(self, last: _wire.Last) -> None:
        if self._last is None:
            self._last = last
        for peer in list(self._peers.values()):
            if peer.devices is not None and peer.last is None:
                peer.last = self._last
                self._pump(peer)

    def _push(self, peer: Peer, item: Item) -> None:
        seq = peer.sent
        peer.sent += 1
        if not peer.has_room(self._bound):
            if self._policy == "drop-newest":
                peer.drop(item.facts.discont)
                return
            if self._policy == "drop-oldest" and peer.waiting:
                _, oldest = peer.waiting.popleft()
                peer.drop(oldest.facts.discont)
            # If all are on the way it is one more: the reader is to get the newest in the end.
        peer.waiting.append((seq, item))

    def _pump(self, peer: Peer) -> None:
        """Sends what may be sent now."""
        try:
            while not peer.finished and peer.devices is not None:
                if not peer.waiting:
                    self._pump_last(peer)
                    return
                if len(peer.untaken) >= min(_wire.MAX_UNTAKEN, self._bound) or peer.choked():
                    return
                if not self._send_frame(peer, *peer.waiting[0]):
                    return
                peer.waiting.popleft()
        except (BrokenPipeError, ConnectionResetError):
            # It is gone. What it sent before is still to be read, and then the end.
            self._silence(peer)
        except OSError as error:
            self._refuse(peer, _wire.BAD_MESSAGE, f"a message cannot be sent: {error}")

    def _pump_last(self, peer: Peer) -> None:
        if peer.last is None:
            return
        if self._send(peer, _wire.encode(peer.last(peer.sent))):
            peer.finished = peer.shut = True
            peer.sock.shutdown(socket.SHUT_WR)

    def _send(self, peer: Peer, packet: bytes, fd: Optional[int] = None) -> bool:
        peer.full = not _socket.send(peer.sock, packet, fd)
        return not peer.full

    def _send_caps(self, peer: Peer, caps: _wire.Caps) -> bool:
        if peer.caps_id == caps.id:
            return True
        if not self._send(peer, _wire.encode(caps)):
            return False
        peer.caps_id = caps.id
        return True

    def _send_frame(self, peer: Peer, seq: int, item: Item) -> bool:
        if not self._send_caps(peer, item.caps):
            return False
        variant, device = self._variant_for(peer, item)
        if variant is None:
            self._refuse(peer, _wire.NO_MEMORY, "the frames are not in memory that the reader takes")
            return False
        slot = variant.lease.slot
        new = slot.id not in peer.slots
        if new and peer.mapped_with(slot) > _wire.MAX_MAPPED:
            self._send_back(peer)
            return False
        message = item.facts._replace(
            seq=seq, slot=slot.id, slot_size=slot.size, planes=variant.planes, new_slot=new,
            memory=variant.memory, device=device, discont=item.facts.discont or peer.discont,
        )
        if not self._send(peer, _wire.encode(message), slot.fd if new else None):
            return False
        if new and len(peer.slots) == _wire.MAX_SLOTS:
            peer.slots.popitem(last=False)
        peer.slots[slot.id] = slot.size
        peer.slots.move_to_end(slot.id)
        peer.untaken.append((seq, variant.lease))
        peer.discont = False
        return True

    def _send_back(self, peer: Peer) -> None:
        """It would map more than a reader does: it may come again, with nothing mapped."""
        log.warning(
            "a reader has slots of %d GiB, known or in use: it is to connect again", _wire.MAX_MAPPED >> 30
        )
        peer.dropped += len(peer.waiting)
        peer.waiting.clear()
        peer.last = _wire.Stop
        self._pump_last(peer)
        self._changed.notify_all()

    @staticmethod
    def _variant_for(peer: Peer, item: Item) -> Tuple[Optional[Variant], int]:
        for variant in item.variants:
            if variant.device is not None and variant.device in (peer.devices or ()):
                return variant, (peer.devices or ()).index(variant.device)
        for variant in item.variants:
            if variant.device is None and peer.takes_host:
                return variant, 0
        return None, 0

    def _silence(self, peer: Peer) -> None:
        """Nothing more is sent to it; what waits for it is dropped."""
        peer.finished = True
        peer.full = False
        peer.dropped += len(peer.waiting)
        peer.waiting.clear()
        self._changed.notify_all()

    def _refuse(self, peer: Peer, reason: int, text: str) -> None:
        log.warning("a reader is refused: %s", text)
        _socket.refuse(peer.sock, reason, text)
        peer.refused = peer.shut = True
        peer.deadline = time.monotonic() + CLOSE_TIME
        peer.lose()
        self._silence(peer)

    def _hush(self, peer: Peer) -> None:
        """It closed, or shut down its half: then what it holds is in use until it closes."""
        peer.quiet = True
        peer.lose()
        self._silence(peer)
        if not peer.held:
            self._drop(peer)

    def _drop(self, peer: Peer, over: bool = False) -> None:
        """Closes. Unless it is over, which is when the reader has closed, it may read on: what it
        holds is not written again, and those on the way may still arrive.
        """
        if peer.sock.fileno() < 0:
            return
        self._peers.pop(peer.sock.fileno(), None)
        peer.sock.close()
        if not over:
            for lease in (*peer.held.values(), *(lease for _, lease in peer.untaken)):
                lease.discard()
        peer.dropped += len(peer.waiting)
        peer.waiting.clear()
        self._gone = Counts(*map(sum, zip(self._gone, peer.counts())))
        peer.untaken.clear()
        peer.held.clear()
        self._changed.notify_all()

    # The thread.

    def _run(self) -> None:
        try:
            now = time.monotonic()
            while not self._abandoned and not self._done(now):
                self._turn(now)
                now = time.monotonic()
        except Exception:
            if not self._abandoned:
                log.exception("the sender's thread failed: no reader is served any more")
        finally:
            self._clean_up()

    def _done(self, now: float) -> bool:
        """Whether nothing is left to do. What was due until now is done."""
        with self._changed:
            for peer in list(self._peers.values()):
                if self._too_late(peer, now):
                    self._drop(peer)
            if self._closing is None:
                return False
            self._listener.close()
            return not self._peers

    def _too_late(self, peer: Peer, now: float) -> bool:
        if peer.devices is None and not peer.finished and peer.deadline is not None and now >= peer.deadline:
            self._refuse(peer, _wire.TOO_LATE, f"no HELLO within {HELLO_TIME:.0f} s")
        if self._closing is not None and now >= self._closing and peer.waiting:
            # It had its time.
            peer.dropped += len(peer.waiting)
            peer.waiting.clear()
            self._pump(peer)
        if peer.quiet and not peer.refused:
            return self._closing is not None
        drained = peer.finished and not peer.waiting and not peer.untaken
        if self._closing is not None:
            if peer.devices is None or (peer.deadline is None and (drained or now >= self._closing)):
                peer.deadline = min(peer.deadline or now + CLOSE_TIME, now + CLOSE_TIME)
        elif peer.deadline is None and drained and not peer.held:
            peer.deadline = now + CLOSE_TIME
        return peer.deadline is not None and now >= peer.deadline and (
            peer.finished or self._closing is not None
        )

    def _turn(self, now: float) -> None:
        poll = select.poll()
        with self._changed:
            peers = dict(self._peers)
            times = [peer.deadline for peer in peers.values() if peer.deadline is not None]
            times += [] if self._closing is None else [self._closing]
            listening = self._closing is None and now >= self._accept_again
            if self._accept_again > now:
                times.append(self._accept_again)
            for fd, peer in peers.items():
                # There is more to read of one that is quiet, for ever: the end.
                wanted = 0 if peer.quiet else select.POLLIN | (select.POLLOUT if peer.full else 0)
                poll.register(fd, wanted)
        poll.register(self._wake_fds[0], select.POLLIN)
        accepting = self._listener.socket.fileno()
        if listening:
            poll.register(accepting, select.POLLIN)
        later = [at - now for at in times if at > now]
        wait = min(*later, _socket.LONGEST) * 1000 + 1 if later else None
        for fd, events in poll.poll(wait):
            if fd == self._wake_fds[0]:
                _drain(fd)
            elif fd == accepting and listening:
                self._accept()
            elif fd in peers:
                self._serve(peers[fd], events)

    def _accept(self) -> None:
        for _ in range(_TURN):
            try:
                sock, _ = self._listener.socket.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                log.warning("a reader cannot be let in: %s", error)
                self._accept_again = time.monotonic() + 0.1
                return
            sock.setblocking(False)
            with self._changed:
                if len(self._peers) >= self._max_readers:
                    log.warning("a reader is refused: there are %d already", self._max_readers)
                    _socket.refuse(sock, _wire.TOO_MANY, f"there are {self._max_readers} readers already")
                    sock.close()
                    continue
                peer = Peer(sock)
                self._peers[sock.fileno()] = peer
                user = _socket.peer(sock)
                if not _socket.may_talk(user, self._access):
                    self._refuse(peer, _wire.NOT_ALLOWED, f"user {user.uid} may not read this")

    def _serve(self, peer: Peer, events: int) -> None:
        if peer.quiet:
            # Both halves are shut. If one of them was by us, it may be that the other one is no close.
            with self._changed:
                self._drop(peer, over=bool(events & select.POLLHUP) and not peer.shut)
            return
        if events & ~select.POLLOUT:
            for _ in range(_TURN):
                try:
                    packet = _socket.receive(peer.sock)
                    if packet is None:
                        with self._changed:
                            self._hush(peer)
                        return
                    _socket.close_all(packet.fds)
                    if peer.refused:
                        continue
                    if packet.fds:
                        raise _wire.WireError("a descriptor that no message of a reader has")
                    message = _wire.decode(packet.data)
                    with self._changed:
                        self._take(peer, message)
                except BlockingIOError:
                    break
                except _wire.WireError as error:
                    with self._changed:
                        if not peer.refused:
                            self._refuse(peer, error.reason, str(error))
                except OSError:
                    with self._changed:
                        peer.lose()
                        self._drop(peer)
                    return
        with self._changed:
            self._pump(peer)

    def _take(self, peer: Peer, message: _wire.Message) -> None:
        if isinstance(message, _wire.Hello):
            self._greet(peer, message)
        elif peer.devices is None:
            raise _wire.WireError("the first message is not HELLO")
        elif isinstance(message, _wire.Taken):
            self._taken(peer, message.taken)
        elif isinstance(message, _wire.Release):
            # Nothing of a message is used that is an error further on.
            seqs = set(message.seqs)
            for seq in seqs - peer.held.keys():
                raise _wire.WireError(f"RELEASE of frame {seq}, which is not held")
            if len(seqs) < len(message.seqs):
                raise _wire.WireError("RELEASE of a frame twice")
            for seq in seqs:
                del peer.held[seq]
        elif isinstance(message, _wire.Refuse):
            log.warning("a reader leaves: %s", _one_line(message.text) or f"reason {message.reason}")
            self._silence(peer)
        else:
            raise _wire.WireError(f"{type(message).__name__} is not for a reader to send")
        self._changed.notify_all()

    def _greet(self, peer: Peer, hello: _wire.Hello) -> None:
        if peer.devices is not None:
            raise _wire.WireError("a second HELLO")
        if hello.role != _wire.READER:
            raise _wire.WireError("HELLO of a producer: this is one")
        answer = _wire.encode(_wire.Hello(_wire.PRODUCER, session=self._session))
        peer.deadline = None
        try:
            self._send(peer, answer)  # The first packet has room.
            peer.devices = hello.devices
            peer.takes_host = bool(hello.flags & _wire.TAKES_HOST)
            peer.last = self._last
            if self._caps is not None:
                self._send_caps(peer, self._caps)
        except OSError:
            peer.devices = ()
            self._silence(peer)

    def _taken(self, peer: Peer, taken: int) -> None:
        more = taken - peer.taken
        if not 0 < more <= len(peer.untaken):
            raise _wire.WireError(
                f"TAKEN {taken} after {peer.taken}, with {len(peer.untaken)} frames on the way"
            )
        peer.taken = taken
        for _ in range(more):
            seq, lease = peer.untaken.popleft()
            peer.held[seq] = lease

    def _clean_up(self) -> None:
        with self._changed:
            self._closing = self._closing or time.monotonic()
            self._listener.close()
            for peer in list(self._peers.values()):
                if peer.devices is not None and not peer.finished:
                    try:
                        _socket.send(peer.sock, _wire.encode(_wire.Stop(peer.sent)))
                    except OSError:
                        pass
                self._drop(peer)
            self._changed.notify_all()


def _drain(fd: int) -> None:
    try:
        os.read(fd, 4096)
    except BlockingIOError:
        pass


def _one_line(text: str) -> str:
    """Of someone else, for a log."""
    return "".join(c if c.isprintable() else " " for c in text)


_servers: "weakref.WeakSet[Server]" = weakref.WeakSet()


def _at_exit() -> None:
    """A sender that nobody closed. What is on its way arrives, if the readers are quick."""
    for server in list(_servers):
        server.close(_wire.Stop, 1.0)


atexit.register(_at_exit)
