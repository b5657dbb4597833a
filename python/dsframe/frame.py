# Copyright (C) 2026 The gst-plugin-dsframe authors
# Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Frames: those that came, and those that are to be sent."""

from fractions import Fraction
from typing import Any, Callable, Dict, Optional, Tuple

import numpy as np

from . import _memory, _wire, formats
from .detections import Detection

_RELEASED = "the frame was released: its memory belongs to the producer again"


class Frame:
    """A frame that came from a producer. Its pixels lie in shared memory and are not copied.

    The memory is given back when neither the frame nor an array made from it is used any more, or by
    `release`. A producer drops frames for a reader that keeps 64, so copy what is to stay: `to_numpy`.
    Times are in nanoseconds.
    """

    #: On a timeline of the producer's own, or None.
    pts: Optional[int]
    duration: Optional[int]
    #: Since 1970, by the clock of the camera or the muxer, or None.
    ntp: Optional[int]
    #: As its source or its muxer counts, or None.
    number: Optional[int]
    #: Of which stream the frame is, and of which pad of the muxer.
    stream: int
    pad: int
    #: The name that the application gave to the source, or "".
    sensor: str
    #: (width, height) before the muxer scaled it, or None.
    source_size: Optional[Tuple[int, int]]
    detections: Tuple[Detection, ...]
    #: Number among all frames that the producer had for this reader: a gap is frames dropped.
    seq: int
    #: The producer flushed or started its timeline anew: what was known of pts does not hold.
    discont: bool
    #: Another one each time the producer starts.
    session: int
    format: str
    width: int
    height: int
    #: None if it varies.
    fps: Optional[Fraction]
    #: As GStreamer writes them, or "".
    colorimetry: str
    chroma_site: str

    def __init__(
        self,
        message: _wire.FrameMessage,
        caps: _wire.Caps,
        session: int,
        memory: Any,
        release: Callable[[], None],
    ) -> None:
        for name in (
            "pts", "duration", "ntp", "number", "stream", "pad", "sensor", "source_size", "detections",
            "seq", "discont",
        ):
            setattr(self, name, getattr(message, name))
        self.session = session
        self.format, self.width, self.height = caps.format, caps.width, caps.height
        self.fps = Fraction(*caps.rate) if caps.rate[0] else None
        self.colorimetry, self.chroma_site = caps.colorimetry, caps.chroma_site
        self._places = message.planes
        self._shapes = formats.planes_of(caps.format, caps.width, caps.height)
        self._cuda = memory if message.memory == _wire.CUDA else None
        if self._cuda is not None:
            self._base: Any = self._cuda.part(message.offset)
        else:
            size = message.slot_size - message.offset
            self._base = _memory.bytes_of(memory, message.offset, size)
        self._planes: Optional[Tuple[np.ndarray, ...]] = None
        self._release = _memory.on_last_use(self._base, release)

    def __repr__(self) -> str:
        where = "CUDA" if self._cuda is not None else "host"
        return (
            f"<Frame {self.seq}: {self.format} {self.width}x{self.height}, {where}, number "
            f"{self.number}, pts {self.pts}, {len(self.detections)} detections>"
        )

    @property
    def is_cuda(self) -> bool:
        """Whether the pixels lie on a card: then `torch.from_dlpack(frame)` takes them as they are."""
        return self._cuda is not None

    @property
    def planes(self) -> Tuple[np.ndarray, ...]:
        """The planes as read-only arrays of uint8 over shared memory; `dsframe.formats` has the shapes.

        Of a frame on a card they are copies. ValueError after `release`.
        """
        if self._base is None:
            raise ValueError(_RELEASED)
        if self._planes is None:
            if self._cuda is not None:
                self._planes = self._cuda.to_host(self._base, self._places, self._shapes)
            else:
                self._planes = _memory.readable_planes(self._base, self._places, self._shapes)
        return self._planes

    @property
    def array(self) -> np.ndarray:
        """The picture of a format with one plane, such as (height, width, 3) for RGB. See `planes`."""
        if len(self._shapes) > 1:
            raise ValueError(
                f"{self.format} has {len(self._shapes)} planes: use frame.planes, or "
                "frame.to_numpy(), which copies them into one array"
            )
        return self.planes[0]

    def to_numpy(self) -> np.ndarray:
        """A copy of the picture, to keep and to write to; NV12 and I420 as (height * 3 / 2, width)."""
        return formats.join(self.planes)

    def release(self) -> None:
        """Gives the memory back at once. Arrays made from it are not to be read any more."""
        self._planes = None
        self._base = None
        self._release()

    def __enter__(self) -> "Frame":
        return self

    def __exit__(self, *_: Any) -> None:
        self.release()

    # DLPack and the array interface of CUDA, for torch, cupy and others.

    def __dlpack_device__(self) -> Tuple[int, int]:
        return (1, 0) if self._cuda is None else (2, self._cuda.device)

    def __dlpack__(self, *, stream: Any = None, **options: Any) -> Any:
        """The picture for other libraries, as (height, width, channels).

        Memory on a card is shared. Host memory is shared with those who know what read-only is (DLPack
        1.0 and later), and copied for others, since a write to it would end the process.
        """
        if self._cuda is None:
            array = self.array
            if tuple(options.get("max_version") or (0, 0)) < (1, 0) or options.get("copy"):
                return array.copy().__dlpack__()
            return array.__dlpack__(**options)
        if self._base is None:
            raise ValueError(_RELEASED)
        plane, (offset, pitch) = self._one_plane()
        return self._cuda.capsule(self._base, offset, pitch, plane)

    @property
    def __cuda_array_interface__(self) -> Dict[str, Any]:
        if self._cuda is None:
            raise AttributeError("the frame is in host memory")
        if self._base is None:
            raise ValueError(_RELEASED)
        plane, (offset, pitch) = self._one_plane()
        return {
            "shape": plane.shape,
            "typestr": "|u1",
            "data": (self._base.address + offset, True),
            "strides": plane.strides(pitch),
            "version": 3,
            "stream": None,
        }

    def _one_plane(self) -> Tuple[formats.Plane, Tuple[int, int]]:
        if len(self._shapes) > 1:
            raise BufferError(f"{self.format} has {len(self._shapes)} planes: a tensor has one")
        return self._shapes[0], self._places[0]


class WritableFrame:
    """Memory to write a picture to, from `FrameSender.frame`; `FrameSender.send` sends it as it is.

    `array` and `planes` are of uint8, with the shapes in `dsframe.formats`. What is in them before they
    are written is left over from other frames. They are not to be written to after the frame was sent.
    """

    def __init__(self, format: str, width: int, height: int, lease: _memory.Lease) -> None:
        self.format, self.width, self.height = format, width, height
        self._lease: Optional[_memory.Lease] = lease
        self._places = formats.layout_of(format, width, height).planes
        shapes = formats.planes_of(format, width, height)
        self._planes = _memory.writable_planes(lease, self._places, shapes)

    @property
    def planes(self) -> Tuple[np.ndarray, ...]:
        return self._planes

    @property
    def array(self) -> np.ndarray:
        if len(self._planes) > 1:
            raise ValueError(f"{self.format} has {len(self._planes)} planes: write to frame.planes")
        return self._planes[0]

    def _take(self) -> Tuple[_memory.Lease, Tuple[Tuple[int, int], ...]]:
        if self._lease is None:
            raise ValueError("the frame was sent already: take another one by sender.frame()")
        lease, self._lease = self._lease, None
        for plane in self._planes:
            plane.flags.writeable = False
        return lease, self._places
