# Copyright (C) 2026 The gst-plugin-dsframe authors
# Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""A reader of frames: an ML script, or whatever looks at pictures."""

import functools
import logging
import os
import select
import socket
import threading
import time
import weakref
from collections import OrderedDict, deque
from types import TracebackType
from typing import Any, Callable, Deque, Dict, List, NamedTuple, Optional, Tuple, Type, Union

from . import _memory, _socket, _wire
from .errors import ProducerGone, ProtocolError, Refused
from .frame import Frame

log = logging.getLogger("dsframe")

#: Seconds between attempts to connect, and for the answer to HELLO.
RETRY_TIME = 0.1
HELLO_TIME = 5.0


class ReceiverStats(NamedTuple):
    """`sent == received + dropped + in_flight`, as at the producer and in the elements."""

    #: Frames that the producer had for this reader, as far as it has said.
    sent: int
    received: int
    #: By the producer, as this reader was behind.
    dropped: int
    #: Always 0: frames are read when they are asked for.
    in_flight: int
    #: Frames that were received, and whose memory was not given back yet.
    in_use: int


class _Replies:
    """What is to be told to the producer, TAKEN and then RELEASE, and the end of the socket.

    Frames are given back by destructors, which may run anywhere, also in the middle of `flush`: nothing
    here waits for the lock. Whoever has it looks once more after giving it back.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._lock = threading.Lock()
        self._released: Deque[int] = deque()
        #: A RELEASE for which there was no room, and of how many frames.
        self._packet: Tuple[bytes, int] = (b"", 0)
        #: Frames that were read.
        self.taken = 0
        self._told = 0
        #: Frames whose release was sent, or is being sent: the producer may send others before `send`
        #: is back.
        self.released = 0
        #: Nobody listens any more.
        self._deaf = False
        self._closing = False

    def release(self, seq: int) -> None:
        self._released.append(seq)
        self.flush()

    def close(self) -> None:
        """Closes the socket, now or when whoever sends at the moment is done."""
        self._closing = True
        self.flush()

    def flush(self) -> bool:
        """Sends what there is. False if there is no room for it now."""
        while self._pending():
            if not self._lock.acquire(blocking=False):
                return True
            try:
                if not self._send():
                    return False
            finally:
                self._lock.release()
        return True

    def _pending(self) -> bool:
        if self._closing:
            return self._sock.fileno() >= 0
        return self._has_more()

    def _has_more(self) -> bool:
        more = self._packet[1] or self._told != self.taken or self._released
        return bool(more) and not self._deaf

    def _send(self) -> bool:
        if not self._closing:
            return self._tell()
        while self._has_more() and self._tell():
            pass
        self._sock.close()
        return True

    def _tell(self) -> bool:
        try:
            if not self._packet[1] and self._released:
                count = min(len(self._released), _wire.MAX_RELEASES)
                seqs = tuple(self._released.popleft() for _ in range(count))
                self._packet = _wire.encode(_wire.Release(seqs)), count
            # Looked at after what is released: another thread may take and release one in between.
            taken = self.taken
            if self._told != taken:
                if not _socket.send(self._sock, _wire.encode(_wire.Taken(taken))):
                    return False
                self._told = taken
            packet, count = self._packet
            if count:
                self.released += count
                sent = False
                try:
                    sent = _socket.send(self._sock, packet)
                finally:
                    if not sent:
                        self.released -= count
                if not sent:
                    return False
                self._packet = b"", 0
        except OSError:
            self._deaf = True  # The producer is gone. What it sent is still to be read.
        return True


class _Connection:
    """One connection. It is read by one thread; frames may be given back from any."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.replies = _Replies(sock)
        self.session = 0
        self.caps: Optional[_wire.Caps] = None
        self.next_seq = 0
        #: Frames that were read.
        self.frames = 0
        #: Memory and place, the one that was named longest ago first.
        self.slots: "OrderedDict[int, Tuple[Any, Tuple[int, int, int]]]" = OrderedDict()
        #: The memory of frames that are in use.
        self._used: Dict[int, Any] = {}
        #: Nothing comes any more: the socket is closed when all frames were given back.
        self._finished = False
        #: `close` was called, and the socket can be closed at once.
        self.closed = self._over = False
        #: A thread waits for a packet, or looks at one: it closes the socket if that comes to pass.
        self._reading = False
        _socket.forks.watch(self)

    @property
    def held(self) -> int:
        return len(self._used)

    @property
    def mapped(self) -> int:
        """Bytes of slots that can be named, or are in use."""
        memories = [memory for memory, _ in self.slots.values()] + list(self._used.values())
        return sum({id(memory): memory.size for memory in memories}.values())

    def __enter__(self) -> None:
        """Around what reads."""
        self._reading = True
        try:
            self.check()
        except ValueError:
            self.__exit__()
            raise

    def __exit__(self, *_: Any) -> None:
        self._reading = False
        self._settle()

    def check(self) -> None:
        if self.closed:
            raise ValueError("the receiver is closed")

    def _settle(self) -> None:
        """Closes the socket if it is time. Its number may be another one's then, so nobody may use it."""
        if not self._reading and (self._over or (self._finished and not self._used)):
            self.replies.close()

    def poll(self, timeout: Optional[float]) -> bool:
        """Waits for a packet, and sends what could not be sent before. True if there is one."""
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            full = not self.replies.flush()
            poll = select.poll()
            poll.register(self.sock, select.POLLIN | (select.POLLOUT if full else 0))
            left = None if end is None else max(end - time.monotonic(), 0.0)
            for _, events in poll.poll(None if left is None else min(left, _socket.LONGEST) * 1000):
                if events & ~select.POLLOUT:
                    return True
            if left is not None and left <= 0:
                return False

    def use(self, seq: int, memory: Any) -> Callable[[], None]:
        """What is to be called when the frame is given back."""
        self._used[seq] = memory
        self.frames += 1
        return functools.partial(self._give_back, seq)

    def forget(self, seq: int) -> None:
        """A frame that nobody gets, and that was not taken: the connection is closed."""
        self._used.pop(seq, None)

    def _give_back(self, seq: int) -> None:
        """By a destructor, in any thread: nothing here waits for another."""
        memory = self._used.pop(seq, None)
        if memory is None:
            return
        memory.finish_reading()
        self.replies.release(seq)
        self._settle()

    def finish(self) -> None:
        """Nothing comes any more. It stays open until all frames were given back."""
        self._finished = True
        self.slots.clear()
        self._settle()

    def close(self, why: Optional[_wire.WireError] = None) -> None:
        """At once. The producer may then write to what is in use: it is copied before."""
        # Whoever reads in another thread sees this, or the copies see its frame.
        self.closed = True
        if self.sock.fileno() < 0:
            return
        try:
            for memory in list(self._used.values()):
                if isinstance(memory, _memory.Mapping):
                    memory.make_private()
        except OSError as error:
            # No memory. The producer is not to write to it then.
            log.warning("what is in use of a producer stays in its memory: %s", error)
            self._shutdown(socket.SHUT_RD)
            self._finished = True
            self._settle()
            return
        if why is not None:
            _socket.refuse(self.sock, why.reason, str(why))
        self._shutdown(socket.SHUT_RDWR)
        self._over = True
        self._settle()

    def _shutdown(self, how: int) -> None:
        """Wakes up whoever waits for a frame in another thread."""
        try:
            self.sock.shutdown(how)
        except OSError:
            pass

    def forked(self) -> None:
        """In the child, where nobody speaks on it."""
        self.sock.close()


class FrameReceiver:
    """Iterates over the frames of a producer, which listens at `path`.

    path: of the socket. The producer may come later, and is waited for.
    timeout: seconds that one frame may take before TimeoutError; it can be asked for again after that.
        None: as long as it takes.
    reconnect: whether to wait for the producer again when it stops; otherwise the iteration ends. It
        always ends at the end of the stream.
    access: "user": only a producer of the same user, or of root, is listened to (else
        PermissionError). "group", "all": any that the mode of the socket lets this process reach.
    cuda: frames that lie on a card come as they are. Others come in host memory all the same.

    The iteration raises ProducerGone if the producer died, Refused if it does not want this reader, and
    ProtocolError if it sends what makes no sense, each after the frames before it. It can be
    continued: that connects again.

    One thread iterates; frames may be used and given back by any. `close`, or the end of a `with`
    block, leaves the producer; frames in host memory that are still in use are then copied, so that
    they stay what they are, and those on a card are not to be used any more.
    """

    def __init__(
        self,
        path: "Union[str, os.PathLike[str]]",
        *,
        timeout: Optional[float] = None,
        reconnect: bool = True,
        access: str = "user",
        cuda: bool = False,
    ) -> None:
        self.path = _socket.check_path(path)
        self._timeout = timeout
        self._reconnect = reconnect
        self._access = _socket.check_access(access)
        self._cards: List[Any] = []
        if cuda:
            from . import _cuda

            self._cards = _cuda.cards()[:_wire.MAX_DEVICES]
        self._connection: Optional[_Connection] = None
        #: One that waits for the answer to its HELLO.
        self._coming: Optional[_Connection] = None
        self._old: "weakref.WeakSet[_Connection]" = weakref.WeakSet()
        self._tried = 0.0
        self._received = self._dropped = 0
        self._ended = self._closed = False
        self._said = False
        self._warned = False

    def __repr__(self) -> str:
        return f"<FrameReceiver {self.path!r}>"

    def __iter__(self) -> "FrameReceiver":
        return self

    def __next__(self) -> Frame:
        end = None if self._timeout is None else time.monotonic() + self._timeout
        try:
            while not self._ended:
                frame = self._next(end)
                if frame is not None:
                    return frame
        except (OSError, ValueError):
            if not self._closed:
                raise
        raise StopIteration

    def _next(self, end: Optional[float]) -> Optional[Frame]:
        connection = self._connection or self._connect(end)
        with connection:
            if not connection.poll(None if end is None else max(end - time.monotonic(), 0.0)):
                raise TimeoutError(f"no frame came from {self.path} within {self._timeout} s")
            return self._read(connection)

    def close(self) -> None:
        """Leaves the producer. Ends the iteration, also one that waits in another thread."""
        self._ended = self._closed = True
        # The first may become the second in between, and is looked after by whoever does that.
        for connection in (self._coming, self._connection):
            if connection is not None:
                connection.close()
        self._connection = None

    def __enter__(self) -> "FrameReceiver":
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()

    def __del__(self) -> None:
        connection = getattr(self, "_connection", None)
        if connection is not None:
            connection.close()

    @property
    def stats(self) -> ReceiverStats:
        """What became of the frames so far, over all connections."""
        connections = set(self._old) | ({self._connection} if self._connection else set())
        held = sum(connection.held for connection in connections)
        received, dropped = self._received, self._dropped
        return ReceiverStats(received + dropped, received, dropped, 0, held)

    # Connecting.

    def _connect(self, end: Optional[float]) -> _Connection:
        begun = time.monotonic()
        while not self._closed:
            # Also after a producer that died or refused: it is not asked more often.
            time.sleep(max(self._tried + RETRY_TIME - time.monotonic(), 0.0))
            self._tried = time.monotonic()
            sock = _socket.connect(self.path)
            if sock is not None:
                connection = self._coming = _Connection(sock)
                try:
                    with connection:
                        greeted = self._greet(connection, end)
                    if greeted:
                        return self._connected(connection)
                except BaseException:
                    connection.close()
                    raise
                finally:
                    self._coming = None
                connection.close()
            if not self._said and time.monotonic() - begun > _socket.PATIENCE:
                self._said = True
                log.warning("no producer at %s: waiting for one", self.path)
            if end is not None and time.monotonic() + RETRY_TIME > end:
                time.sleep(max(end - time.monotonic(), 0.0))
                raise TimeoutError(f"no producer came to {self.path} within {self._timeout} s")
        raise ValueError("the receiver is closed")

    def _connected(self, connection: _Connection) -> _Connection:
        self._said = False
        self._connection = connection
        if self._closed:
            connection.close()
        return connection

    def _greet(self, connection: _Connection, end: Optional[float]) -> bool:
        """False if the producer went away without a word: it is not there any more."""
        sock = connection.sock
        user = _socket.peer(sock)
        if not _socket.may_talk(user, self._access):
            raise PermissionError(
                f"the producer at {self.path} is of user {user.uid} and group {user.gid}: "
                'access="all" reads it all the same'
            )
        uuids = tuple(card.uuid for card in self._cards)
        flags = _wire.TAKES_HOST | (_wire.TAKES_CUDA if uuids else 0)
        try:
            _socket.send(sock, _wire.encode(_wire.Hello(_wire.READER, flags, devices=uuids)))
        except OSError:
            pass  # It may have said why.
        limit = HELLO_TIME if end is None else min(HELLO_TIME, max(end - time.monotonic(), 0.0))
        if not connection.poll(limit):
            if limit < HELLO_TIME:
                raise TimeoutError(f"the producer at {self.path} did not answer within {self._timeout} s")
            raise ProtocolError(f"the producer at {self.path} did not answer within {HELLO_TIME:.0f} s")
        try:
            packet = _socket.receive(sock)
            if packet is None:
                return False
            _no_descriptors(packet)
            hello = _wire.decode(packet.data)
            if isinstance(hello, _wire.Refuse):
                raise Refused(hello.reason, hello.text)
            if not isinstance(hello, _wire.Hello) or hello.role != _wire.PRODUCER:
                raise _wire.WireError("the first message is not HELLO of a producer")
        except _wire.WireError as error:
            _socket.refuse(sock, error.reason, str(error))
            raise ProtocolError(f"the producer at {self.path}: {error}") from None
        connection.session = hello.session
        return True

    # Reading.

    def _read(self, connection: _Connection) -> Optional[Frame]:
        """The next packet: a frame, or something else."""
        try:
            packet = _socket.receive(connection.sock)
        except BlockingIOError:
            return None
        except _wire.WireError as error:
            raise self._broken(connection, error) from None
        if packet is None:
            self._leave(connection)
            raise ProducerGone(f"the producer at {self.path} died, or broke off")
        try:
            return self._take(connection, packet)
        except _wire.WireError as error:
            raise self._broken(connection, error) from None
        except BaseException:
            # For want of memory, or by a signal: nobody knows what the message has done.
            if self._connection is connection:
                self._connection = None
                connection.close()
            raise
        finally:
            _socket.close_all(packet.fds)

    def _broken(self, connection: _Connection, error: _wire.WireError) -> ProtocolError:
        self._connection = None
        connection.close(error)
        return ProtocolError(f"the producer at {self.path}: {error}")

    def _leave(self, connection: _Connection) -> None:
        self._connection = None
        self._old.add(connection)
        connection.finish()

    def _take(self, connection: _Connection, packet: _socket.Packet) -> Optional[Frame]:
        message = _wire.decode(packet.data)
        if isinstance(message, _wire.FrameMessage):
            return self._frame(connection, message, packet.fds)
        _no_descriptors(packet)
        if isinstance(message, _wire.Caps):
            if connection.caps is not None and connection.caps.id == message.id:
                raise _wire.WireError(f"CAPS with the id {message.id} of those before")
            connection.caps = message
        elif isinstance(message, _wire.End):
            self._dropped += self._gap(connection, message.frames)
            self._ended = True
            self._leave(connection)
        elif isinstance(message, _wire.Stop):
            self._dropped += self._gap(connection, message.frames)
            self._ended = not self._reconnect
            self._leave(connection)
        elif isinstance(message, _wire.Refuse):
            self._leave(connection)
            raise Refused(message.reason, message.text)
        else:
            raise _wire.WireError(f"{type(message).__name__} is not for a producer to send now")
        return None

    @staticmethod
    def _gap(connection: _Connection, seq: int) -> int:
        """How many frames were dropped before the one of this number."""
        if seq < connection.next_seq:
            raise _wire.WireError(f"frame {seq} after frame {connection.next_seq - 1}")
        return seq - connection.next_seq

    def _frame(
        self, connection: _Connection, message: _wire.FrameMessage, fds: Tuple[int, ...]
    ) -> Frame:
        caps = connection.caps
        if caps is None:
            raise _wire.WireError("FRAME before CAPS")
        _wire.check_frame(message, caps)
        gap = self._gap(connection, message.seq)
        if len(fds) != message.new_slot:
            raise _wire.WireError(f"{len(fds)} descriptors: flags say {int(message.new_slot)}")
        if connection.frames - connection.replies.released >= _wire.MAX_HELD:
            raise _wire.WireError(f"more than {_wire.MAX_HELD} frames that are not released")
        mapping = self._slot(connection, message, fds)
        connection.next_seq = message.seq + 1
        give_back = connection.use(message.seq, mapping)
        try:
            connection.check()
            frame = Frame(message, caps, connection.session, mapping, give_back)
        except BaseException:
            connection.forget(message.seq)
            raise
        connection.replies.taken += 1
        connection.replies.flush()
        self._received += 1
        self._dropped += gap
        if connection.held >= _wire.MAX_HELD and not self._warned:
            self._warned = True
            log.warning(
                "%d frames of %s are in use: no more will come until some are given back; copy what "
                "is to stay, by frame.to_numpy()", connection.held, self.path,
            )
        return frame

    def _slot(
        self, connection: _Connection, message: _wire.FrameMessage, fds: Tuple[int, ...]
    ) -> Any:
        place = (message.memory, message.device, message.slot_size)
        known = connection.slots.get(message.slot)
        if known is not None:
            if message.new_slot:
                raise _wire.WireError(f"slot {message.slot} is new and was there before")
            if known[1] != place:
                raise _wire.WireError(f"slot {message.slot} is not what it was before")
        else:
            if not message.new_slot:
                raise _wire.WireError(f"slot {message.slot} was never there, or long ago")
            if len(connection.slots) == _wire.MAX_SLOTS:
                connection.slots.popitem(last=False)
            if connection.mapped + message.slot_size > _wire.MAX_MAPPED:
                raise _wire.WireError(
                    f"slots of more than {_wire.MAX_MAPPED >> 30} GiB that are known or in use"
                )
            known = connection.slots[message.slot] = (self._import(message, fds[0]), place)
        connection.slots.move_to_end(message.slot)
        return known[0]

    def _import(self, message: _wire.FrameMessage, fd: int) -> Any:
        try:
            if message.memory == _wire.HOST:
                return _memory.import_slot(fd, message.slot_size)
            if message.device >= len(self._cards):
                raise _memory.BadMemory(f"device {message.device} of {len(self._cards)}")
            return self._cards[message.device].import_slot(fd, message.slot_size)
        except _memory.BadMemory as error:
            raise _wire.WireError(str(error)) from None


def _no_descriptors(packet: _socket.Packet) -> None:
    if packet.fds:
        raise _wire.WireError("a descriptor that the message should not have")
