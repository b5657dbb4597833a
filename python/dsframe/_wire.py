# Copyright (C) 2026 The gst-plugin-dsframe authors
# Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""The messages of docs/channel-protocol.md, version 1: bytes to values and back. No input or output.

`decode` refuses whatever that page calls an error, by a WireError that says what and why.
"""

import math
import struct
from typing import Any, Callable, List, NamedTuple, Optional, Sequence, Tuple, Type, Union

from .detections import Classifier, Detection, Label
from .formats import FORMATS, planes_of

MAGIC = b"DSFC"
VERSION = 1
HEADER = 16
MAX_PACKET = 131072
MAX_DEVICES = 16
MAX_UNTAKEN = 4
MAX_HELD = 64
MAX_SLOTS = 64
MAX_SLOT_SIZE = 1 << 30
#: Bytes of one connection that a reader maps.
MAX_MAPPED = 4 << 30
MAX_RELEASES = 256
MAX_TEXT = 1024
MAX_REFUSE_TEXT = 512
MAX_OBJECTS = 65535
MAX_CLASSIFIERS = 64
MAX_LABELS = 64
NONE = (1 << 64) - 1
MAX_TIME = (1 << 63) - 1

HOST, CUDA = 0, 1
READER, PRODUCER = 1, 2
TAKES_HOST, TAKES_CUDA = 1, 2

BAD_VERSION, BAD_MESSAGE, NO_MEMORY, TOO_MANY, NOT_ALLOWED, TOO_LATE, BAD_FORMAT = range(1, 8)

_HEADER = struct.Struct("<4sHHII")
_HELLO = struct.Struct("<IIQII")
_REFUSE = struct.Struct("<II")
_CAPS = struct.Struct("<10I16s32s32s")
_FRAME = struct.Struct("<QIIIIQQQII" + "QII" * 4 + "QQQQ" + "6I")
_DETECTION = struct.Struct("<IiifQffffIHH")
_CLASSIFIER = struct.Struct("<IiII")
_LABEL = struct.Struct("<IifI")
_F32 = struct.Struct("<f")


class WireError(ValueError):
    """A message that is an error. `reason` is the one for REFUSE."""

    def __init__(self, text: str, reason: int = BAD_MESSAGE) -> None:
        super().__init__(text)
        self.reason = reason


class Hello(NamedTuple):
    role: int
    flags: int = 0
    session: int = 0
    devices: Tuple[bytes, ...] = ()


class Refuse(NamedTuple):
    reason: int
    text: str = ""


class Caps(NamedTuple):
    id: int
    width: int
    height: int
    format: str
    interlace: int = 0
    field_order: int = 0
    rate: Tuple[int, int] = (0, 1)
    pixel_aspect: Tuple[int, int] = (1, 1)
    colorimetry: str = ""
    chroma_site: str = ""


class FrameMessage(NamedTuple):
    seq: int
    caps_id: int
    slot: int
    slot_size: int
    #: Offset and pitch of each.
    planes: Tuple[Tuple[int, int], ...]
    offset: int = 0
    new_slot: bool = False
    discont: bool = False
    memory: int = HOST
    device: int = 0
    pts: Optional[int] = None
    duration: Optional[int] = None
    ntp: Optional[int] = None
    number: Optional[int] = None
    stream: int = 0
    pad: int = 0
    source_size: Optional[Tuple[int, int]] = None
    sensor: str = ""
    detections: Tuple[Detection, ...] = ()


class Taken(NamedTuple):
    taken: int


class Release(NamedTuple):
    seqs: Tuple[int, ...]


class End(NamedTuple):
    #: That the reader was to get: the seq that the next one would have.
    frames: int


class Stop(NamedTuple):
    frames: int


Message = Union[Hello, Refuse, Caps, FrameMessage, Taken, Release, End, Stop]
#: END or STOP.
Last = Union[Type[End], Type[Stop]]
_TYPES: Sequence[Type[Any]] = (Hello, Refuse, Caps, FrameMessage, Taken, Release, End, Stop)


# Writing.


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 8)


def _text(text: str, limit: int) -> bytes:
    """UTF-8, cut at the end of a character."""
    data = text.encode("utf-8", "replace")
    if len(data) > limit:
        data = data[:limit].decode("utf-8", "ignore").encode()
    return data


def _finite(value: float) -> Optional[float]:
    """The value, if it is finite as an f32."""
    try:
        value = float(value)
        _F32.pack(value)
    except OverflowError:
        return None
    return value if math.isfinite(value) else None


def _optional(flags: int, bit: int, value: Optional[Any]) -> Tuple[int, Any]:
    return (flags, 0) if value is None else (flags | bit, value)


def _encode_label(label: Label) -> bytes:
    flags, class_id = _optional(0, 1, label.class_id)
    probability = None if label.probability is None else _finite(label.probability)
    flags, probability = _optional(flags, 2, probability)
    text = _text(label.text, MAX_TEXT)
    return _LABEL.pack(flags, class_id, probability, len(text)) + _padded(text)


def _encode_classifier(classifier: Classifier) -> bytes:
    flags, component = _optional(0, 1, classifier.component_id)
    kind = _text(classifier.kind, MAX_TEXT)
    labels = classifier.labels[:MAX_LABELS]
    head = _CLASSIFIER.pack(flags, component, len(kind), len(labels))
    return head + _padded(kind) + b"".join(map(_encode_label, labels))


def encode_detection(detection: Detection) -> bytes:
    """ValueError if a number does not fit its field."""
    flags, class_id = _optional(0, 1, detection.class_id)
    flags, component = _optional(flags, 2, detection.component_id)
    confidence = None if detection.confidence is None else _finite(detection.confidence)
    flags, confidence = _optional(flags, 4, confidence)
    flags, track = _optional(flags, 8, detection.track_id)
    flags, parent = _optional(flags, 16, detection.parent)
    label = _text(detection.label, MAX_TEXT)
    classifiers = detection.classifiers[:MAX_CLASSIFIERS]
    left, top, width, height = (_finite(side) or 0.0 for side in detection.box)
    try:
        head = _DETECTION.pack(
            flags, class_id, component, confidence, track, left, top, width, height,
            parent, len(label), len(classifiers),
        )
        return head + _padded(label) + b"".join(map(_encode_classifier, classifiers))
    except struct.error as error:
        raise ValueError(f"{detection} does not fit the protocol: {error}") from None


def encode_detections(detections: Sequence[Detection], room: int) -> Tuple[int, bytes]:
    """Those that fit into so many bytes, from the first on: how many, and their bytes."""
    parts: List[bytes] = []
    for detection in detections[:MAX_OBJECTS]:
        part = encode_detection(detection)
        room -= len(part)
        if room < 0:
            break
        parts.append(part)
    return len(parts), b"".join(parts)


def _none(value: Optional[int]) -> int:
    return NONE if value is None else value


def _encode_frame(frame: FrameMessage) -> bytes:
    sensor = _text(frame.sensor, MAX_TEXT)
    padded = _padded(sensor)
    room = MAX_PACKET - HEADER - _FRAME.size - len(padded)
    count, detections = encode_detections(frame.detections, room)
    planes: List[int] = []
    for offset, pitch in frame.planes:
        planes += (offset, pitch, 0)
    planes += [0] * (12 - len(planes))
    return _FRAME.pack(
        frame.seq, frame.caps_id, frame.new_slot | frame.discont << 1, frame.memory, frame.device,
        frame.slot, frame.slot_size, frame.offset, len(frame.planes), 0, *planes,
        _none(frame.pts), _none(frame.duration), _none(frame.ntp), _none(frame.number),
        frame.stream, frame.pad, *(frame.source_size or (0, 0)), count, len(sensor),
    ) + padded + detections


def _encode_caps(caps: Caps) -> bytes:
    names = (name.encode("ascii") for name in (caps.format, caps.colorimetry, caps.chroma_site))
    return _CAPS.pack(
        caps.id, caps.width, caps.height, caps.interlace, caps.field_order,
        *caps.rate, *caps.pixel_aspect, 0, *names,
    )


def encode(message: Message) -> bytes:
    """The packet. ValueError if a value does not fit its field."""
    try:
        body = _body(message)
    except struct.error as error:
        raise ValueError(f"{message} does not fit the protocol: {error}") from None
    number = _TYPES.index(type(message)) + 1
    return _HEADER.pack(MAGIC, VERSION, number, len(body), 0) + body


def _body(message: Message) -> bytes:
    if isinstance(message, FrameMessage):
        return _encode_frame(message)
    if isinstance(message, Hello):
        head = _HELLO.pack(message.role, message.flags, message.session, len(message.devices), 0)
        return head + b"".join(message.devices)
    if isinstance(message, Refuse):
        text = _text(message.text, MAX_REFUSE_TEXT)
        return _REFUSE.pack(message.reason, len(text)) + _padded(text)
    if isinstance(message, Caps):
        return _encode_caps(message)
    if isinstance(message, Taken):
        return struct.pack("<Q", message.taken)
    if isinstance(message, Release):
        n = len(message.seqs)
        return struct.pack(f"<II{n}Q", n, 0, *message.seqs)
    return struct.pack("<Q", message.frames)


# Reading.


class _Reader:
    """A place in a packet. Nothing is read past its end."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data = data
        self.at = at

    def fields(self, layout: struct.Struct, what: str) -> Tuple[Any, ...]:
        return layout.unpack(self.bytes(layout.size, what))

    def bytes(self, count: int, what: str) -> bytes:
        if count > len(self.data) - self.at:
            raise WireError(f"{what}: the packet ends before it")
        self.at += count
        return self.data[self.at - count:self.at]

    def text(self, count: int, limit: int, what: str) -> str:
        if count > limit:
            raise WireError(f"{what} has {count} bytes: {limit} at most")
        data = self.bytes((count + 7) // 8 * 8, what)
        if any(data[count:]):
            raise WireError(f"{what}: its padding is not 0")
        try:
            return data[:count].decode()
        except UnicodeDecodeError:
            raise WireError(f"{what} is not UTF-8") from None

    def end(self) -> None:
        if self.at != len(self.data):
            raise WireError(f"{len(self.data) - self.at} bytes too many")


def _check(condition: bool, what: str) -> None:
    if not condition:
        raise WireError(what)


def _flags(flags: int, known: int, what: str) -> None:
    _check(not flags & ~known, f"{what} has flags {flags:#x}: some have no meaning")


def _given(flags: int, bit: int, value: Any, what: str) -> Any:
    if flags & bit:
        if isinstance(value, float):
            _check(math.isfinite(value), f"{what} is not finite")
        return value
    # -0.0 is not written as 0.
    _check(value == 0 and math.copysign(1, value) > 0, f"{what} is not there and not 0")
    return None


def _read_label(reader: _Reader) -> Label:
    flags, class_id, probability, length = reader.fields(_LABEL, "a classifier's label")
    _flags(flags, 3, "a classifier's label")
    class_id = _given(flags, 1, class_id, "a class id")
    probability = _given(flags, 2, probability, "a probability")
    return Label(reader.text(length, MAX_TEXT, "a classifier's label"), class_id, probability)


def _read_classifier(reader: _Reader) -> Classifier:
    flags, component, length, count = reader.fields(_CLASSIFIER, "a classifier")
    _flags(flags, 1, "a classifier")
    component = _given(flags, 1, component, "a component id")
    _check(count <= MAX_LABELS, f"a classifier has {count} labels: {MAX_LABELS} at most")
    kind = reader.text(length, MAX_TEXT, "a classifier's kind")
    return Classifier(kind, tuple(_read_label(reader) for _ in range(count)), component)


def _read_detection(reader: _Reader, objects: int) -> Detection:
    (flags, class_id, component, confidence, track, *box, parent, length, count) = reader.fields(
        _DETECTION, "a detection"
    )
    _flags(flags, 31, "a detection")
    class_id = _given(flags, 1, class_id, "a class id")
    component = _given(flags, 2, component, "a component id")
    confidence = _given(flags, 4, confidence, "a confidence")
    track = _given(flags, 8, track, "a track id")
    parent = _given(flags, 16, parent, "a parent")
    _check(all(map(math.isfinite, box)), "a box is not finite")
    _check(count <= MAX_CLASSIFIERS, f"a detection has {count} classifiers: {MAX_CLASSIFIERS} at most")
    label = reader.text(length, MAX_TEXT, "a label")
    if parent is not None and parent >= objects:
        parent = None
    left, top, width, height = box
    return Detection(
        label, (left, top, width, height), confidence, class_id, component, track, parent,
        tuple(_read_classifier(reader) for _ in range(count)),
    )


def _maybe(value: int) -> Optional[int]:
    return None if value == NONE else value


def _time(value: int, what: str) -> Optional[int]:
    _check(value <= MAX_TIME or value == NONE, f"{what} is {value}: {MAX_TIME} at most")
    return _maybe(value)


def _read_frame(reader: _Reader) -> FrameMessage:
    (
        seq, caps_id, flags, memory, device, slot, slot_size, offset, count, reserved, *rest,
    ) = reader.fields(_FRAME, "FRAME")
    entries, rest = rest[:12], rest[12:]
    pts, duration, ntp, number, stream, pad, width, height, objects, length = rest
    _flags(flags, 3, "FRAME")
    _check(memory in (HOST, CUDA), f"memory {memory} is none that there is")
    _check(memory == CUDA or device == 0, f"host memory has a device, {device}")
    _check(1 <= slot_size <= MAX_SLOT_SIZE, f"a slot of {slot_size} bytes: 1 to {MAX_SLOT_SIZE}")
    _check(1 <= count <= 4, f"{count} planes: 1 to 4")
    _check(not reserved and not any(entries[2::3]), "a reserved field is not 0")
    _check(not any(entries[3 * count:]), "a plane that is not there is not 0")
    _check((width == 0) == (height == 0), f"a source of {width}x{height}")
    _check(objects <= MAX_OBJECTS, f"{objects} detections: {MAX_OBJECTS} at most")
    sensor = reader.text(length, MAX_TEXT, "the sensor")
    detections = tuple(_read_detection(reader, objects) for _ in range(objects))
    reader.end()
    return FrameMessage(
        seq, caps_id, slot, slot_size,
        tuple((entries[3 * i], entries[3 * i + 1]) for i in range(count)),
        offset, bool(flags & 1), bool(flags & 2), memory, device,
        _time(pts, "pts"), _time(duration, "duration"), _time(ntp, "ntp"), _maybe(number),
        stream, pad, (width, height) if width else None, sensor, detections,
    )


def _name(data: bytes, what: str) -> str:
    name = data.rstrip(b"\0")
    _check(all(0x21 <= byte <= 0x7E for byte in name), f"{what} is not plain ASCII")
    return name.decode("ascii")


def _read_caps(reader: _Reader) -> Caps:
    (
        id, width, height, interlace, order, rate_n, rate_d, aspect_n, aspect_d, reserved,
        format, colorimetry, chroma,
    ) = reader.fields(_CAPS, "CAPS")
    reader.end()
    _check(1 <= width <= 65535 and 1 <= height <= 65535, f"a picture of {width}x{height}")
    _check(interlace <= 2, f"interlace mode {interlace}")
    _check(order <= 2, f"field order {order}")
    top = (1 << 31) - 1
    _check(rate_n <= top and 1 <= rate_d <= top, f"a frame rate of {rate_n}/{rate_d}")
    _check(1 <= aspect_n <= top and 1 <= aspect_d <= top, f"a pixel aspect ratio of {aspect_n}/{aspect_d}")
    _check(not reserved, "a reserved field is not 0")
    name = _name(format, "the format")
    if name not in FORMATS:
        raise WireError(f"the format {name!r} is not one that this reader takes", BAD_FORMAT)
    return Caps(
        id, width, height, name, interlace, order, (rate_n, rate_d), (aspect_n, aspect_d),
        _name(colorimetry, "the colorimetry"), _name(chroma, "the chroma site"),
    )


def _read_hello(reader: _Reader) -> Hello:
    role, flags, session, count, reserved = reader.fields(_HELLO, "HELLO")
    _check(role in (READER, PRODUCER), f"role {role} is none that there is")
    _check(not reserved, "a reserved field is not 0")
    _flags(flags, 3, "HELLO")
    _check(count <= MAX_DEVICES, f"{count} devices: {MAX_DEVICES} at most")
    if role == READER:
        _check(flags != 0, "a reader that takes no memory")
        _check(session == 0, "a reader has a session")
        _check((count > 0) == bool(flags & TAKES_CUDA), f"flags {flags:#x} and {count} devices")
    else:
        _check(flags == 0 and count == 0, "a producer has flags or devices")
        _check(session != 0, "a producer has no session")
    devices = tuple(reader.bytes(16, "a device") for _ in range(count))
    reader.end()
    return Hello(role, flags, session, devices)


def _read_refuse(reader: _Reader) -> Refuse:
    reason, length = reader.fields(_REFUSE, "REFUSE")
    text = reader.text(length, MAX_REFUSE_TEXT, "REFUSE's text")
    reader.end()
    return Refuse(reason, text)


def _read_taken(reader: _Reader) -> Taken:
    (taken,) = reader.fields(struct.Struct("<Q"), "TAKEN")
    reader.end()
    return Taken(taken)


def _read_release(reader: _Reader) -> Release:
    count, reserved = reader.fields(struct.Struct("<II"), "RELEASE")
    _check(1 <= count <= MAX_RELEASES, f"RELEASE of {count} frames: 1 to {MAX_RELEASES}")
    _check(not reserved, "a reserved field is not 0")
    seqs = reader.fields(struct.Struct(f"<{count}Q"), "RELEASE")
    reader.end()
    return Release(seqs)


def _read_last(kind: Last) -> Callable[[_Reader], Any]:
    def read(reader: _Reader) -> Any:
        (frames,) = reader.fields(struct.Struct("<Q"), kind.__name__.upper())
        reader.end()
        return kind(frames)

    return read


_READERS: Sequence[Callable[[_Reader], Any]] = (
    _read_hello, _read_refuse, _read_caps, _read_frame, _read_taken, _read_release,
    _read_last(End), _read_last(Stop),
)


def decode(packet: bytes) -> Message:
    """The message, or WireError."""
    size = len(packet)
    _check(HEADER <= size <= MAX_PACKET, f"a packet of {size} bytes: {HEADER} to {MAX_PACKET}")
    magic, version, number, length, flags = _HEADER.unpack_from(packet)
    _check(magic == MAGIC, "this is not the protocol: the first bytes are not DSFC")
    if version != VERSION and number != 2:
        raise WireError(
            f"version {version} of the protocol: this side speaks version {VERSION}", BAD_VERSION
        )
    _check(length == size - HEADER, f"a length of {length} in a packet of {size} bytes")
    _check(flags == 0, f"header flags {flags:#x}")
    _check(size % 8 == 0, f"a packet of {size} bytes: no multiple of 8")
    if not 1 <= number <= len(_READERS):
        raise WireError(f"type {number} is none that there is")
    message: Message = _READERS[number - 1](_Reader(packet, HEADER))
    return message


def check_frame(frame: FrameMessage, caps: Caps) -> None:
    """What a FRAME must be under its CAPS."""
    _check(frame.caps_id == caps.id, f"CAPS {frame.caps_id}: the last were {caps.id}")
    planes = planes_of(caps.format, caps.width, caps.height)
    _check(
        len(frame.planes) == len(planes),
        f"{len(frame.planes)} planes: {caps.format} has {len(planes)}",
    )
    for (offset, pitch), plane in zip(frame.planes, planes):
        _check(
            plane.row <= pitch < 1 << 31,
            f"a pitch of {pitch}: {caps.format} of width {caps.width} needs {plane.row} at least",
        )
        end = frame.offset + offset + pitch * (plane.rows - 1) + plane.row
        _check(end <= frame.slot_size, f"a plane ends at {end} in a slot of {frame.slot_size} bytes")
