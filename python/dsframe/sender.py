# Copyright (C) 2026 The gst-plugin-dsframe authors
# Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""A producer of frames: a camera of your own, or whatever makes pictures."""

import os
import time
import weakref
from fractions import Fraction
from types import TracebackType
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple, Type, Union

from . import _memory, _server, _socket, _wire, formats
from .detections import Detection
from .frame import WritableFrame

OVERFLOW = ("block", "drop-oldest", "drop-newest")

Rate = Union[int, float, str, Fraction, Tuple[int, int]]


class SenderStats(NamedTuple):
    """`sent == received + dropped + in_flight` at any time, summed over all readers that there were."""

    #: Frames that readers were to get: with two readers each frame counts twice.
    sent: int
    received: int
    #: For want of room, or as the reader left without taking them.
    dropped: int
    #: Also those that were on the way when the sender stopped, and may have arrived.
    in_flight: int
    #: Readers that there are now.
    readers: int
    #: Frames that no reader was there for.
    unread: int


class FrameSender:
    """Sends frames to any number of readers, which connect to `path`.

    path: of the socket. OSError if it cannot be made there: EADDRINUSE if another producer has it,
        EEXIST if something else is there. One that a dead producer left is replaced.
    format: of `dsframe.formats.FORMATS`.
    fps: frames per second: a number, a Fraction, (30000, 1001) or "30000/1001". None: they vary.
    channel_size: frames that may be on the way to a reader before it counts as behind.
    overflow: what a frame does to a reader that is behind: "block" waits for it, and for a first
        reader; "drop-oldest" and "drop-newest" never wait.
    access: who may connect: "user" (the same user, and root), "group", "all".
    timeout: seconds that "block" waits before it raises TimeoutError. None: as long as it takes.
    linger: seconds that `close` waits for readers to take what was sent.

    A `with` block ends the stream, so that readers know it is complete; after an exception it only
    stops. Threads may share a sender. A process that is forked from this one cannot use it.
    """

    def __init__(
        self,
        path: "Union[str, os.PathLike[str]]",
        *,
        format: str = "RGB",
        fps: Optional[Rate] = None,
        channel_size: int = 8,
        overflow: str = "block",
        access: str = "user",
        timeout: Optional[float] = None,
        linger: float = 10.0,
        max_readers: int = 64,
        colorimetry: str = "",
        chroma_site: str = "",
    ) -> None:
        if format not in formats.FORMATS:
            raise ValueError(f"format is {format!r}: it is one of {', '.join(formats.FORMATS)}")
        if overflow not in OVERFLOW:
            raise ValueError(f"overflow is {overflow!r}: it is one of {', '.join(OVERFLOW)}")
        for name, value in (("channel_size", channel_size), ("max_readers", max_readers)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} is {value!r}: it is a number of 1 or more")
        self.path = _socket.check_path(path)
        self.format = format
        self.fps = _rate(fps)
        self._overflow = overflow
        self._timeout = timeout
        self._linger = linger
        rate = (self.fps.numerator, self.fps.denominator) if self.fps else (0, 1)
        self._caps = _wire.Caps(
            0, 1, 1, format, rate=rate, colorimetry=colorimetry, chroma_site=chroma_site
        )
        self._check_caps(self._caps)
        self._pool = _memory.Pool()
        #: For tensors on a card.
        self._outlet: Any = None
        self._started = time.monotonic_ns()
        self._counts: Dict[int, int] = {}
        access = _socket.check_access(access)
        self._server = _server.Server(self.path, access, channel_size, overflow, max_readers)
        self._abandon = weakref.finalize(self, self._server.abandon)
        self._abandon.atexit = False

    def __repr__(self) -> str:
        return f"<FrameSender {self.path!r}, {self.format}>"

    def frame(self, height: int, width: int, format: Optional[str] = None) -> WritableFrame:
        """Memory that readers will see, to write the next picture to without another copy.

        sender.send(frame) sends it. A frame that is not sent costs nothing once it is gone.
        """
        format = format or self.format
        if format not in formats.FORMATS:
            raise ValueError(f"format {format!r} is not known: it is one of {', '.join(formats.FORMATS)}")
        if not (1 <= width <= 65535 and 1 <= height <= 65535):
            raise ValueError(f"the frame is {width}x{height}: both must be 1 to 65535")
        # Before memory is taken that after a fork would be that of the parent.
        self._server.check_open()
        with self._server.sending:
            return WritableFrame(format, width, height, self._lease(format, width, height))

    def send(
        self,
        image: Any,
        *,
        pts: Optional[int] = None,
        duration: Optional[int] = None,
        number: Optional[int] = None,
        detections: Sequence[Detection] = (),
        ntp: Optional[int] = None,
        stream: int = 0,
        pad: int = 0,
        sensor: str = "",
        source_size: Optional[Tuple[int, int]] = None,
        discont: bool = False,
        format: Optional[str] = None,
    ) -> None:
        """Sends a picture to all readers.

        image: an array of uint8 with the shape of the format, such as (height, width, 3) for RGB; a
            tuple of planes; a frame of `frame()`; or a tensor, also on a card (any `__dlpack__`). It is
            copied once, and can be used again when this returns. Size and format may change at any time.
        pts, duration, ntp: nanoseconds, 0 to 2**63 - 1; ntp since 1970. Without a pts it is counted by `fps`, stream by
            stream, and is the time since the sender began if there is no `fps`.
        number: of the frame; without one they are counted, stream by stream.
        stream, pad, sensor, source_size: where the frame comes from, if there are several sources.
        discont: pts begin anew.

        TypeError and ValueError say what is wrong with the image, TimeoutError that no reader took
        a frame in time (the frame is not sent, and can be tried again).
        """
        with self._server.sending:
            if self._overflow == "block":
                self._server.wait_for_room(self._timeout)
            count = self._counts.get(stream, 0)
            if pts is None:
                pts = self._time(count)
            if duration is None and self.fps:
                duration = self._time(count + 1) - self._time(count)
            facts = _wire.FrameMessage(
                0, 0, 0, 1, ((0, 0),), discont=discont, pts=pts, duration=duration, ntp=ntp,
                number=count if number is None else number, stream=stream, pad=pad,
                source_size=source_size, sensor=sensor, detections=tuple(detections),
            )
            _check_facts(facts)
            audience = self._server.audience()
            width, height, format, variants = self._place(image, format or self.format, audience)
            caps = self._caps_for(format, width, height)
            facts = facts._replace(caps_id=caps.id)
            self._server.send(_server.Item(caps, facts, variants), audience)
            self._counts[stream] = count + 1

    def end(self) -> None:
        """The stream is complete: readers know after the last frame, and so do those who come later.

        A frame that is sent after it begins a new stream, for readers that come from then on.
        """
        self._server.finish(_wire.End)

    def close(self, linger: Optional[float] = None) -> None:
        """Tells readers that the producer stops and may come back, unless the stream has ended.

        Waits `linger` seconds at most until they took what was sent.
        """
        self._server.close(_wire.Stop, self._linger if linger is None else linger)

    def __enter__(self) -> "FrameSender":
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        if kind is None:
            self.end()
            self.close()
        else:
            self.close(min(self._linger, 1.0))

    @property
    def stats(self) -> SenderStats:
        """What became of the frames so far."""
        return SenderStats(*self._server.counts(), self._server.readers(), self._server.unread)

    def _time(self, count: int) -> int:
        if self.fps:
            return int(count * 1_000_000_000 / self.fps)
        return time.monotonic_ns() - self._started

    @staticmethod
    def _check_caps(caps: _wire.Caps) -> None:
        """Texts that would not arrive."""
        packet = _wire.encode(caps)
        if _wire.decode(packet) != caps:
            raise ValueError(f"colorimetry and chroma_site are plain ASCII of 31 bytes at most: {caps}")

    def _caps_for(self, format: str, width: int, height: int) -> _wire.Caps:
        caps = self._caps
        if (caps.format, caps.width, caps.height) != (format, width, height) or caps.id == 0:
            caps = caps._replace(id=caps.id % 0xFFFFFFFF + 1, format=format, width=width, height=height)
            self._caps = caps
        return caps

    def _lease(self, format: str, width: int, height: int) -> _memory.Lease:
        size = formats.layout_of(format, width, height).size
        if size > _wire.MAX_SLOT_SIZE:
            raise ValueError(f"a picture of {width}x{height} has {size} bytes: 1 GiB is the most")
        return self._pool.take((size + 4095) // 4096 * 4096)

    def _place(
        self, image: Any, format: str, audience: List[_server.Peer]
    ) -> Tuple[int, int, str, Tuple[_server.Variant, ...]]:
        """Width, height, format, and the picture in memory that can be sent."""
        if isinstance(image, WritableFrame):
            lease, places = image._take()
            return image.width, image.height, image.format, (_server.Variant(lease, places),)
        if _on_card(image):
            return self._place_on_card(image, format, audience)
        width, height, planes = formats.split(image, format)
        return width, height, format, self._copy(planes, format, width, height) if audience else ()

    def _copy(
        self, planes: Sequence[Any], format: str, width: int, height: int
    ) -> Tuple[_server.Variant, ...]:
        frame = WritableFrame(format, width, height, self._lease(format, width, height))
        for target, source in zip(frame.planes, planes):
            target[...] = source
        return (_server.Variant(*frame._take()),)

    def _place_on_card(
        self, image: Any, format: str, audience: List[_server.Peer]
    ) -> Tuple[int, int, str, Tuple[_server.Variant, ...]]:
        """For readers that can read the card a copy there, for others one in host memory."""
        from . import _cuda

        tensor = _cuda.Tensor(image)
        width, height = tensor.size(format)
        variants: Tuple[_server.Variant, ...] = ()
        if self._outlet is None or self._outlet.card.ordinal != tensor.ordinal:
            self._outlet = _cuda.Outlet(tensor.ordinal)
        card = self._outlet.card
        uuid = card.uuid
        if card.shares and any(uuid in (peer.devices or ()) for peer in audience):
            lease, places = self._outlet.copy(tensor)
            variants = (_server.Variant(lease, places, _wire.CUDA, uuid),)
        if not card.shares or any(uuid not in (peer.devices or ()) for peer in audience):
            array = card.to_host(tensor)
            variants += self._copy([array], format, width, height)
        return width, height, format, variants


def _on_card(image: Any) -> bool:
    """Whether it is a tensor in memory of CUDA."""
    device = getattr(image, "__dlpack_device__", None)
    return device is not None and device()[0] == 2


def _rate(fps: Optional[Rate]) -> Optional[Fraction]:
    if fps is None:
        return None
    try:
        rate = Fraction(*fps) if isinstance(fps, tuple) else Fraction(fps)
        if isinstance(fps, float):
            rate = rate.limit_denominator(1001)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        raise ValueError(f'fps is {fps!r}: it is a number, a Fraction, (30000, 1001) or "30000/1001"') from None
    if not 0 < rate <= 0x7FFFFFFF or rate.denominator > 0x7FFFFFFF:
        raise ValueError(f"fps is {fps!r}: it must be above 0, and its terms below 2147483648")
    return rate


def _check_facts(facts: _wire.FrameMessage) -> None:
    """What a caller may have got wrong, told before anything is sent."""
    for name in ("pts", "duration", "ntp", "number"):
        value = getattr(facts, name)
        top = _wire.NONE - 1 if name == "number" else _wire.MAX_TIME
        if value is not None and not 0 <= value <= top:
            raise ValueError(f"{name} is {value}: it is 0 to {top}, or None")
    if facts.source_size is not None and (len(facts.source_size) != 2 or min(facts.source_size) < 1):
        raise ValueError(f"source_size is {facts.source_size}: it is (width, height), or None")
    for detection in facts.detections:
        if not isinstance(detection, Detection):
            raise TypeError(
                f"detections has a {type(detection).__name__}: it is a list of dsframe.Detection"
            )
    _wire.encode(facts)
