# Copyright (C) 2026 The gst-plugin-dsframe authors
# Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""The pixel formats: how many bytes, and which shapes of arrays.

Arrays are of uint8, height first:

| Format | `array` | `planes` |
|---|---|---|
| RGB, BGR | (H, W, 3) | one |
| RGBA, BGRA, RGBx, BGRx | (H, W, 4) | one |
| GRAY8 | (H, W) | one |
| NV12 | (H * 3 / 2, W) | (H, W), (H2, W2, 2) |
| I420 | (H * 3 / 2, W) | (H, W), (H2, W2), (H2, W2) |
| YUY2, UYVY | (H, 2 * W2, 2) | one |

H2 and W2 are halves, rounded up. Single arrays of NV12, I420, YUY2 and UYVY need an even width, and
those of NV12 and I420 an even height: they are laid out as OpenCV's.
"""

from typing import Any, Dict, NamedTuple, Sequence, Tuple

import numpy as np

#: Bytes per pixel of those with one plane and whole pixels.
_PACKED: Dict[str, int] = {
    "RGB": 3, "BGR": 3, "RGBA": 4, "BGRA": 4, "RGBx": 4, "BGRx": 4, "GRAY8": 1,
}
FORMATS: Tuple[str, ...] = (*_PACKED, "NV12", "I420", "YUY2", "UYVY")


class Plane(NamedTuple):
    #: Bytes of a row that are pixels.
    row: int
    rows: int
    #: Of the array.
    shape: Tuple[int, ...]

    def strides(self, pitch: int) -> Tuple[int, ...]:
        """Of an array whose rows are so many bytes apart."""
        return (pitch, 1) if len(self.shape) == 2 else (pitch, self.shape[2], 1)


def planes_of(format: str, width: int, height: int) -> Tuple[Plane, ...]:
    """The planes of a format of `FORMATS`."""
    w2, h2 = (width + 1) // 2, (height + 1) // 2
    if format in _PACKED:
        n = _PACKED[format]
        return (Plane(n * width, height, (height, width) if n == 1 else (height, width, n)),)
    luma = Plane(width, height, (height, width))
    if format == "NV12":
        return luma, Plane(2 * w2, h2, (h2, w2, 2))
    if format == "I420":
        return luma, Plane(w2, h2, (h2, w2)), Plane(w2, h2, (h2, w2))
    return (Plane(4 * w2, height, (height, 2 * w2, 2)),)


class Layout(NamedTuple):
    #: Offset and pitch of each plane, in bytes.
    planes: Tuple[Tuple[int, int], ...]
    size: int


def layout_of(format: str, width: int, height: int) -> Layout:
    """Where the planes lie that are sent: as GStreamer does it, with rows of a multiple of 4 bytes."""
    planes, end = [], 0
    for plane in planes_of(format, width, height):
        pitch = (plane.row + 3) // 4 * 4
        planes.append((end, pitch))
        # The chroma planes of an odd height begin after an even number of rows.
        rows = (plane.rows + 1) // 2 * 2 if format in ("NV12", "I420") and not end else plane.rows
        end += pitch * rows
    return Layout(tuple(planes), end)


def split(image: Any, format: str) -> Tuple[int, int, Sequence[np.ndarray]]:
    """Width, height and planes of an image: one array, or a sequence of planes."""
    if format not in FORMATS:
        raise ValueError(f"format {format!r} is not known: it is one of {', '.join(FORMATS)}")
    given = list(image) if isinstance(image, (tuple, list)) else [image]
    arrays = [np.asarray(each) for each in given]
    for array in arrays:
        if array.dtype != np.uint8:
            raise TypeError(
                f"the image is of {array.dtype}: {format} takes uint8; image.astype(numpy.uint8) "
                "converts it, after the values were brought to 0 to 255"
            )
    first = arrays[0]
    yuv = format in ("NV12", "I420")
    if len(arrays) == 1 and yuv:
        return _split_yuv(first, format)
    channels = 2 if format in ("YUY2", "UYVY") else _PACKED.get(format, 1)
    wanted = "(height, width)" if channels == 1 else f"(height, width, {channels})"
    if first.ndim != (2 if channels == 1 else 3) or (channels > 1 and first.shape[2] != channels):
        raise ValueError(
            f"the image has shape {first.shape}: {format} takes {wanted}" + _hint(first, channels)
        )
    height, width = first.shape[:2]
    if channels == 2 and width % 2:
        raise ValueError(f"{format} has two pixels in four bytes: the width {width} must be even")
    _check_size(width, height)
    shapes = [plane.shape for plane in planes_of(format, width, height)]
    if [array.shape for array in arrays] != shapes:
        raise ValueError(
            f"the planes have shapes {[array.shape for array in arrays]}: {format} of "
            f"{width}x{height} takes {shapes}"
        )
    return width, height, arrays


def _hint(array: np.ndarray, channels: int) -> str:
    if array.ndim == 3 and array.shape[0] == channels:
        return "; image.transpose(1, 2, 0) brings the channels to the end"
    if array.ndim == 2 and channels > 1:
        return '; format="GRAY8" sends it as it is'
    return ""


def _check_size(width: int, height: int) -> None:
    if not (1 <= width <= 65535 and 1 <= height <= 65535):
        raise ValueError(f"the image is {width}x{height}: both must be 1 to 65535")


def _split_yuv(array: np.ndarray, format: str) -> Tuple[int, int, Sequence[np.ndarray]]:
    if array.ndim != 2 or array.shape[0] % 3 or array.shape[1] % 2:
        raise ValueError(
            f"the image has shape {array.shape}: {format} takes (height * 3 / 2, width) with both "
            f"even, or the planes one by one: sender.send((y, {'uv' if format == 'NV12' else 'u, v'}))"
        )
    width, height = array.shape[1], array.shape[0] // 3 * 2
    _check_size(width, height)
    chroma = np.ascontiguousarray(array[height:]).reshape(-1)
    if format == "NV12":
        return width, height, [array[:height], chroma.reshape(height // 2, width // 2, 2)]
    u, v = chroma.reshape(2, height // 2, width // 2)
    return width, height, [array[:height], u, v]


def join(planes: Sequence[np.ndarray]) -> np.ndarray:
    """A copy of all planes in one array, as `split` takes it. Of odd sizes they cannot be joined."""
    if len(planes) == 1:
        return planes[0].copy()
    height, width = planes[0].shape
    if height % 2 or width % 2:
        raise ValueError(
            f"the planes of {width}x{height} do not fit into one array, as a side is odd: "
            "copy them one by one: [plane.copy() for plane in frame.planes]"
        )
    return np.concatenate([plane.reshape(-1) for plane in planes]).reshape(-1, width)
