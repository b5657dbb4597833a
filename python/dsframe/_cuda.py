# Copyright (C) 2026 The gst-plugin-dsframe authors
# Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Memory on cards, through the driver's own library: nothing else is needed, and nothing is loaded
before somebody asks for it.

Memory is shared between processes as allocations of cuMemCreate, whose descriptors are sent.
"""

import ctypes
import functools
import os
import weakref
from contextlib import contextmanager
from ctypes import POINTER, Structure, byref, c_char_p, c_int, c_size_t, c_uint, c_uint64, c_void_p
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from . import _memory, _wire, formats

_POSIX_FD = 1
_DEVICE = 1  # CU_MEM_LOCATION_TYPE_DEVICE
_PINNED = 1  # CU_MEM_ALLOCATION_TYPE_PINNED
_READ, _READWRITE = 1, 3
_MEMORY_HOST, _MEMORY_DEVICE = 1, 2
_HAS_VIRTUAL_MEMORY, _HAS_POSIX_FD = 102, 103

_K_CUDA, _K_UINT = 2, 1


class CudaError(RuntimeError):
    """The driver is not there, or could not do something."""


class _Location(Structure):
    _fields_ = [("type", c_int), ("id", c_int)]


class _AllocFlags(Structure):
    _fields_ = [
        ("compression", ctypes.c_ubyte),
        ("rdma", ctypes.c_ubyte),
        ("usage", ctypes.c_ushort),
        ("reserved", ctypes.c_ubyte * 4),
    ]


class _AllocationProp(Structure):
    _fields_ = [
        ("type", c_int),
        ("handle_types", c_int),
        ("location", _Location),
        ("win32", c_void_p),
        ("flags", _AllocFlags),
    ]


class _AccessDesc(Structure):
    _fields_ = [("location", _Location), ("flags", c_int)]


class _Memcpy2D(Structure):
    _fields_ = [
        ("src_x", c_size_t), ("src_y", c_size_t), ("src_type", c_int), ("src_host", c_void_p),
        ("src_device", c_uint64), ("src_array", c_void_p), ("src_pitch", c_size_t),
        ("dst_x", c_size_t), ("dst_y", c_size_t), ("dst_type", c_int), ("dst_host", c_void_p),
        ("dst_device", c_uint64), ("dst_array", c_void_p), ("dst_pitch", c_size_t),
        ("width", c_size_t), ("height", c_size_t),
    ]


assert ctypes.sizeof(_AllocationProp) == 32
assert ctypes.sizeof(_AccessDesc) == 12
assert ctypes.sizeof(_Memcpy2D) == 128

#: The functions that are used, by the names of the library, and what they take.
_FUNCTIONS: Dict[str, Sequence[Any]] = {
    "cuInit": (c_uint,),
    "cuDeviceGetCount": (POINTER(c_int),),
    "cuDeviceGet": (POINTER(c_int), c_int),
    "cuDeviceGetAttribute": (POINTER(c_int), c_int, c_int),
    "cuDeviceGetUuid_v2": (c_void_p, c_int),
    "cuDevicePrimaryCtxRetain": (POINTER(c_void_p), c_int),
    "cuCtxPushCurrent_v2": (c_void_p,),
    "cuCtxPopCurrent_v2": (POINTER(c_void_p),),
    "cuCtxSynchronize": (),
    "cuGetErrorName": (c_int, POINTER(c_char_p)),
    "cuMemGetAllocationGranularity": (POINTER(c_size_t), POINTER(_AllocationProp), c_int),
    "cuMemCreate": (POINTER(c_uint64), c_size_t, POINTER(_AllocationProp), c_uint64),
    "cuMemRelease": (c_uint64,),
    "cuMemExportToShareableHandle": (c_void_p, c_uint64, c_int, c_uint64),
    "cuMemImportFromShareableHandle": (POINTER(c_uint64), c_void_p, c_int),
    "cuMemAddressReserve": (POINTER(c_uint64), c_size_t, c_size_t, c_uint64, c_uint64),
    "cuMemAddressFree": (c_uint64, c_size_t),
    "cuMemMap": (c_uint64, c_size_t, c_size_t, c_uint64, c_uint64),
    "cuMemUnmap": (c_uint64, c_size_t),
    "cuMemSetAccess": (c_uint64, c_size_t, POINTER(_AccessDesc), c_size_t),
    "cuMemcpy2DUnaligned_v2": (POINTER(_Memcpy2D),),
}


class Driver:
    """The driver's library. Every call is checked."""

    def __init__(self, library: Any) -> None:
        self._library = library
        for name, arguments in _FUNCTIONS.items():
            try:
                function = getattr(library, name)
            except AttributeError:
                raise CudaError(f"the NVIDIA driver has no {name}: version 470 or newer is needed") from None
            function.argtypes = list(arguments)
            function.restype = c_int
        self.call("cuInit", 0)

    def call(self, name: str, *arguments: Any) -> None:
        code = getattr(self._library, name)(*arguments)
        if code:
            raise CudaError(f"{name}: {self._name(code)}")

    def _name(self, code: int) -> str:
        text = c_char_p()
        self._library.cuGetErrorName(code, byref(text))
        return (text.value or b"error").decode() + f" ({code})"


_driver: Optional[Driver] = None


def driver() -> Driver:
    """Loaded once. CudaError if there is none, or no card."""
    global _driver
    if _driver is None:
        try:
            library = ctypes.CDLL("libcuda.so.1")
        except OSError as error:
            raise CudaError(f"libcuda.so.1, which is the NVIDIA driver, cannot be loaded: {error}") from None
        _driver = Driver(library)
    return _driver


def cards() -> List["Card"]:
    """The visible cards whose memory can come from other processes. CudaError if there is none."""
    count = c_int()
    driver().call("cuDeviceGetCount", byref(count))
    found = [Card(ordinal) for ordinal in range(count.value)]
    able = [card for card in found if card.shares]
    if not able:
        raise CudaError(f"none of the {len(found)} visible cards can read memory of another process")
    return able


class Card:
    """A card, by its number among the visible ones, in its primary context, which torch uses too."""

    def __init__(self, ordinal: int) -> None:
        self._driver = driver()
        self.ordinal = ordinal
        device = c_int()
        self._driver.call("cuDeviceGet", byref(device), ordinal)
        self._device = device.value
        uuid = ctypes.create_string_buffer(16)
        self._driver.call("cuDeviceGetUuid_v2", uuid, self._device)
        self.uuid = uuid.raw
        self.shares = bool(self._attribute(_HAS_VIRTUAL_MEMORY) and self._attribute(_HAS_POSIX_FD))
        self._context: Optional[c_void_p] = None

    def _attribute(self, which: int) -> int:
        value = c_int()
        self._driver.call("cuDeviceGetAttribute", byref(value), which, self._device)
        return value.value

    @contextmanager
    def current(self) -> Iterator[Driver]:
        """Its context is that of the thread. It is kept until the process ends, as torch's is."""
        if self._context is None:
            context = c_void_p()
            self._driver.call("cuDevicePrimaryCtxRetain", byref(context), self._device)
            self._context = context
        self._driver.call("cuCtxPushCurrent_v2", self._context)
        try:
            yield self._driver
        finally:
            self._driver.call("cuCtxPopCurrent_v2", byref(c_void_p()))

    def synchronize(self) -> None:
        with self.current() as call:
            call.call("cuCtxSynchronize")

    def location(self) -> _Location:
        return _Location(_DEVICE, self._device)

    def properties(self) -> _AllocationProp:
        """Of memory that others can read."""
        return _AllocationProp(_PINNED, _POSIX_FD, self.location())

    def granularity(self) -> int:
        """What sizes of such memory are multiples of."""
        size = c_size_t()
        with self.current() as call:
            call.call("cuMemGetAllocationGranularity", byref(size), byref(self.properties()), 0)
        return max(size.value, 1)

    def import_slot(self, fd: int, size: int) -> "CudaMapping":
        """Maps what another process has sent. BadMemory if that cannot be done. Does not close it."""
        if size % self.granularity():
            raise _memory.BadMemory(f"{size} bytes of CUDA memory: it comes in steps of {self.granularity()}")
        try:
            with self.current() as call:
                handle = c_uint64()
                call.call("cuMemImportFromShareableHandle", byref(handle), c_void_p(fd), _POSIX_FD)
                return CudaMapping(self, handle.value, size, writable=False)
        except CudaError as error:
            raise _memory.BadMemory(f"memory of CUDA cannot be read: {error}") from None

    def to_host(self, tensor: "Tensor") -> np.ndarray:
        out = np.empty(tensor.shape, np.uint8)
        self.copy_tensor(
            tensor, _Memcpy2D(dst_type=_MEMORY_HOST, dst_host=out.ctypes.data, dst_pitch=tensor.row)
        )
        return out

    def copy_tensor(self, tensor: "Tensor", copy: _Memcpy2D) -> None:
        copy.src_type, copy.src_device, copy.src_pitch = _MEMORY_DEVICE, tensor.address, tensor.pitch
        copy.width, copy.height = tensor.row, tensor.shape[0]
        self.copy(copy)

    def copy(self, copy: _Memcpy2D) -> None:
        with self.current() as call:
            call.call("cuMemcpy2DUnaligned_v2", byref(copy))
            # Copies within a card do not wait by themselves.
            call.call("cuCtxSynchronize")


class CudaMapping:
    """Memory of a handle, at an address, until this and all that was made from it is gone."""

    def __init__(self, card: Card, handle: int, size: int, writable: bool) -> None:
        """Takes the handle, whatever happens. The card's context is current."""
        call = card._driver.call
        self._card = card
        self.device = card.ordinal
        self.size = size
        undo: List[Tuple[str, Sequence[int]]] = [("cuMemRelease", (handle,))]
        self._free = weakref.finalize(self, _undo, card, undo)
        self._free.atexit = False
        try:
            address = c_uint64()
            call("cuMemAddressReserve", byref(address), size, 0, 0, 0)
            self.address = address.value
            undo.append(("cuMemAddressFree", (self.address, size)))
            call("cuMemMap", self.address, size, 0, handle, 0)
            undo.append(("cuMemUnmap", (self.address, size)))
            self._allow(_READWRITE if writable else _READ)
        except BaseException:
            self._free()
            raise

    def _allow(self, flags: int) -> None:
        description = _AccessDesc(self._card.location(), flags)
        try:
            self._card._driver.call("cuMemSetAccess", self.address, self.size, byref(description), 1)
        except CudaError:
            if flags == _READWRITE:
                raise
            self._allow(_READWRITE)  # Not every driver knows memory that can only be read.

    # As a frame uses it.

    def finish_reading(self) -> None:
        """Waits for what the process has the card do, as that may read the memory."""
        try:
            self._card.synchronize()
        except CudaError:
            pass  # A card that failed reads nothing.

    def part(self, offset: int) -> "Part":
        return Part(self, self.address + offset)

    def to_host(
        self, base: "Part", places: Sequence[Tuple[int, int]], planes: Sequence[formats.Plane]
    ) -> Tuple[np.ndarray, ...]:
        return tuple(
            self._plane_to_host(base.address + offset, pitch, plane)
            for (offset, pitch), plane in zip(places, planes)
        )

    def _plane_to_host(self, address: int, pitch: int, plane: formats.Plane) -> np.ndarray:
        out = np.empty(plane.shape, np.uint8)
        self._card.copy(_Memcpy2D(
            src_type=_MEMORY_DEVICE, src_device=address, src_pitch=pitch,
            dst_type=_MEMORY_HOST, dst_host=out.ctypes.data, dst_pitch=plane.row,
            width=plane.row, height=plane.rows,
        ))
        out.flags.writeable = False
        return out

    def capsule(self, base: "Part", offset: int, pitch: int, plane: formats.Plane) -> Any:
        """A tensor of DLPack, which keeps the frame's memory until whoever takes it is done."""
        strides = plane.strides(pitch)
        return make_capsule(base.address + offset, self.device, plane.shape, strides, base)


class Part:
    """The picture of a frame. When nobody refers to it any more the frame is given back."""

    def __init__(self, mapping: CudaMapping, address: int) -> None:
        self._mapping = mapping
        self.address = address


def _undo(card: Card, steps: List[Tuple[str, Sequence[int]]]) -> None:
    try:
        with card.current() as call:
            while steps:
                name, arguments = steps.pop()
                call.call(name, *arguments)
    except CudaError:
        pass  # The card failed, or the driver has ended: all of it is gone anyway.


class CudaSlot:
    """Memory of ours that others can read."""

    retired = False

    def __init__(self, card: Card, id: int, size: int) -> None:
        self.id = id
        self.size = size
        with card.current() as call:
            handle = c_uint64()
            call.call("cuMemCreate", byref(handle), size, byref(card.properties()), 0)
            self.mapping = CudaMapping(card, handle.value, size, writable=True)
            fd = c_int(-1)
            call.call("cuMemExportToShareableHandle", byref(fd), handle.value, _POSIX_FD, 0)
        self.fd = fd.value
        os.set_inheritable(self.fd, False)
        weakref.finalize(self, os.close, self.fd).atexit = False


class Outlet:
    """A sender's memory on a card."""

    def __init__(self, ordinal: int) -> None:
        self.card = Card(ordinal)
        self._pool = _memory.Pool(functools.partial(CudaSlot, self.card))

    def copy(self, tensor: "Tensor") -> Tuple[_memory.Lease, Tuple[Tuple[int, int], ...]]:
        """Copies a tensor of this card to memory that others can read, and waits for it."""
        step = self.card.granularity()
        size = (tensor.row * tensor.shape[0] + step - 1) // step * step
        if size > _wire.MAX_SLOT_SIZE:
            raise ValueError(f"a picture of {size} bytes: 1 GiB is the most")
        lease = self._pool.take(size)
        address = lease.slot.mapping.address
        self.card.copy_tensor(
            tensor, _Memcpy2D(dst_type=_MEMORY_DEVICE, dst_device=address, dst_pitch=tensor.row)
        )
        return lease, ((0, tensor.row),)


# DLPack.


class _DLTensor(Structure):
    _fields_ = [
        ("data", c_void_p),
        ("device_type", c_int),
        ("device_id", c_int),
        ("ndim", c_int),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", POINTER(ctypes.c_int64)),
        ("strides", POINTER(ctypes.c_int64)),
        ("byte_offset", c_uint64),
    ]


class _DLManagedTensor(Structure):
    _fields_ = [("tensor", _DLTensor), ("context", c_void_p), ("deleter", c_void_p)]


assert ctypes.sizeof(_DLManagedTensor) == 64

_NAME = b"dltensor"
_api = ctypes.pythonapi
_new = ctypes.PYFUNCTYPE(ctypes.py_object, c_void_p, c_char_p, c_void_p)(("PyCapsule_New", _api))
_pointer = ctypes.PYFUNCTYPE(c_void_p, ctypes.py_object, c_char_p)(("PyCapsule_GetPointer", _api))
# Destructors get a borrowed object that is about to go: as a number it is not counted.
_raw_is_valid = ctypes.PYFUNCTYPE(c_int, c_void_p, c_char_p)(("PyCapsule_IsValid", _api))
_raw_pointer = ctypes.PYFUNCTYPE(c_void_p, c_void_p, c_char_p)(("PyCapsule_GetPointer", _api))

#: What tensors that were handed out need, by their addresses.
_handed_out: Dict[int, Any] = {}


def _delete(address: int, _drop: Callable[..., Any] = _handed_out.pop) -> None:
    _drop(address, None)


def _destroy(capsule: int) -> None:
    """Of a capsule that nobody took: the name of one that was taken is another."""
    if _raw_is_valid(capsule, _NAME):
        _delete(_raw_pointer(capsule, _NAME))


_deleter = ctypes.CFUNCTYPE(None, c_void_p)(_delete)
_destructor = ctypes.PYFUNCTYPE(None, c_void_p)(_destroy)
# Tensors may outlive this module when the process ends: their deleters stay.
for _callback in (_deleter, _destructor):
    _api.Py_IncRef(ctypes.py_object(_callback))


def make_capsule(
    address: int, device: int, shape: Sequence[int], strides: Sequence[int], keep: Any
) -> Any:
    """`keep` lives as long as the tensor."""
    n = len(shape)
    managed = _DLManagedTensor()
    dims, steps = (ctypes.c_int64 * n)(*shape), (ctypes.c_int64 * n)(*strides)
    managed.tensor = _DLTensor(
        address, _K_CUDA, device, n, _K_UINT, 8, 1, ctypes.cast(dims, POINTER(ctypes.c_int64)),
        ctypes.cast(steps, POINTER(ctypes.c_int64)), 0,
    )
    managed.deleter = ctypes.cast(_deleter, c_void_p)
    at = ctypes.addressof(managed)
    _handed_out[at] = (managed, dims, steps, keep)
    return _new(at, _NAME, ctypes.cast(_destructor, c_void_p))


class Tensor:
    """A tensor of another library on a card, for as long as this lives."""

    def __init__(self, source: Any) -> None:
        # Stream 1 is the one that the driver's plain copies are in: they wait for what the library
        # has begun.
        self._capsule = source.__dlpack__(stream=1)
        address = _pointer(self._capsule, _NAME)
        tensor = ctypes.cast(address, POINTER(_DLManagedTensor)).contents.tensor
        self.ordinal = int(tensor.device_id)
        self.shape = tuple(tensor.shape[i] for i in range(tensor.ndim))
        if (tensor.code, tensor.bits, tensor.lanes) != (_K_UINT, 8, 1):
            raise TypeError("the tensor is not of uint8: tensor.to(torch.uint8) converts it")
        if tensor.strides:
            strides = tuple(tensor.strides[i] for i in range(tensor.ndim))
        else:
            strides = tuple(int(np.prod(self.shape[i + 1:])) for i in range(tensor.ndim))
        self.address = (tensor.data or 0) + tensor.byte_offset
        #: Bytes of a row, and from one to the next.
        self.row = int(np.prod(self.shape[1:]))
        self.pitch = strides[0] if self.shape and self.shape[0] > 1 else self.row
        self._strides = strides

    def size(self, format: str) -> Tuple[int, int]:
        """Width and height. ValueError says what is wrong with it for the format."""
        shape = self.shape
        # Checked as an array would be, without its pixels.
        blank = np.broadcast_to(np.zeros(1, np.uint8), shape)
        width, height, planes = formats.split(blank, format)
        if len(planes) > 1:
            raise ValueError(f"{format} has {len(planes)} planes, and cannot be sent from a card: use one "
                             "with whole pixels, such as RGB, or tensor.cpu().numpy()")
        strides = (shape[2], 1) if len(shape) == 3 else (1,)
        if self._strides[1:] != strides or self.pitch < self.row:
            raise ValueError(
                f"the tensor has strides {self._strides}: its pixels must follow each other within a "
                "row; tensor.contiguous() makes it so"
            )
        return width, height
