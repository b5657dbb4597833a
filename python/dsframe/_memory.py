# Copyright (C) 2026 The gst-plugin-dsframe authors
# Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Host memory: sealed memfds, what is mapped of them, and a pool of those that can be written again.

Nothing here takes a lock in a destructor: they may run anywhere, also where the lock is held.
"""

import ctypes
import fcntl
import itertools
import os
import weakref
from collections import deque
from typing import Any, Callable, Deque, List, Sequence, Tuple

import numpy as np

from .formats import Plane

# Not all of these have names in Python 3.9.
F_ADD_SEALS = 1033
F_GET_SEALS = 1034
F_SEAL_SHRINK = 0x2
F_SEAL_GROW = 0x4
F_SEAL_FUTURE_WRITE = 0x10

_MFD_CLOEXEC, _MFD_ALLOW_SEALING = 1, 2
_PROT_READ, _PROT_WRITE = 1, 2
_MAP_SHARED, _MAP_PRIVATE, _MAP_ANONYMOUS = 1, 2, 0x20
_MREMAP_MAYMOVE, _MREMAP_FIXED = 1, 2
_FAILED = ctypes.c_void_p(-1).value

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [
    ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long,
]
_libc.memfd_create.argtypes = [ctypes.c_char_p, ctypes.c_uint]
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_libc.mremap.restype = ctypes.c_void_p
_libc.mremap.argtypes = [
    ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int, ctypes.c_void_p,
]


class BadMemory(ValueError):
    """A descriptor that is not what the protocol says."""


def _error(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{what}: {os.strerror(number)}")


def _map(fd: int, size: int, protection: int, flags: int) -> int:
    address = _libc.mmap(None, size, protection, flags, fd, 0)
    if address == _FAILED:
        raise _error(f"cannot map {size} bytes")
    return int(address)


class Mapping:
    """Bytes of a descriptor, mapped until this is gone.

    `mmap.mmap` would do, if it did not keep a descriptor of its own for each.
    """

    def __init__(self, fd: int, size: int, writable: bool) -> None:
        protection = _PROT_READ | (_PROT_WRITE if writable else 0)
        self.address = _map(fd, size, protection, _MAP_SHARED)
        self.size = size
        self._private = False
        weakref.finalize(self, _libc.munmap, self.address, size).atexit = False

    def finish_reading(self) -> None:
        """Before the memory is given back. A processor reads what it reads at once."""

    def make_private(self) -> None:
        """What is read here stays as it is now, whatever becomes of the memory that is shared.

        A copy takes the place of the mapping, at the same address and at once.
        """
        if self._private:
            return
        copy = _map(-1, self.size, _PROT_READ | _PROT_WRITE, _MAP_PRIVATE | _MAP_ANONYMOUS)
        ctypes.memmove(copy, self.address, self.size)
        _libc.mprotect(copy, self.size, _PROT_READ)
        flags = _MREMAP_MAYMOVE | _MREMAP_FIXED
        if _libc.mremap(copy, self.size, self.size, flags, self.address) == _FAILED:
            error = _error("cannot keep what is in shared memory")
            _libc.munmap(copy, self.size)
            raise error
        self._private = True


def bytes_of(mapping: Mapping, offset: int, size: int, keep: Any = None) -> Any:
    """Part of a mapping as an object that arrays can be made from by `view`.

    It lives as long as any of these arrays, and keeps the mapping and `keep` alive.
    """
    base: Any = (ctypes.c_ubyte * size).from_address(mapping.address + offset)
    base._dsframe = (mapping, keep)
    return base


def view(base: Any, offset: int, pitch: int, plane: Plane, writable: bool = False) -> np.ndarray:
    """A plane as an array over `bytes_of`; read-only ones cannot be made writable."""
    data = np.frombuffer(memoryview(base) if writable else memoryview(base).toreadonly(), np.uint8)
    return np.ndarray(plane.shape, np.uint8, data, offset, plane.strides(pitch))


def import_slot(fd: int, size: int) -> Mapping:
    """Maps a descriptor that came from outside, after it was looked at. Does not close it."""
    try:
        seals = fcntl.fcntl(fd, F_GET_SEALS)
    except OSError:
        raise BadMemory("the descriptor is not one of a memfd") from None
    if seals & (F_SEAL_SHRINK | F_SEAL_GROW) != F_SEAL_SHRINK | F_SEAL_GROW:
        raise BadMemory(f"the memfd can change its size: it has the seals {seals:#x}")
    there = os.fstat(fd).st_size
    if there < size:
        raise BadMemory(f"the memfd has {there} bytes: the slot has {size}")
    return Mapping(fd, size, writable=False)


def _memfd() -> int:
    # Python has it only where it was built with a C library that did; conda's was not.
    fd = int(_libc.memfd_create(b"dsframe", _MFD_CLOEXEC | _MFD_ALLOW_SEALING))
    if fd < 0:
        raise _error("cannot make shared memory")
    return fd


class Slot:
    """A memfd of ours: written here, read by others."""

    #: Somebody may read it whom nobody waits for: it is never written again.
    retired = False

    def __init__(self, id: int, size: int) -> None:
        self.id = id
        self.size = size
        self.fd = _memfd()
        weakref.finalize(self, os.close, self.fd).atexit = False
        # Pages that are missing would be a SIGBUS later.
        os.posix_fallocate(self.fd, 0, size)
        self.mapping = Mapping(self.fd, size, writable=True)
        fcntl.fcntl(self.fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW)
        try:
            fcntl.fcntl(self.fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE)
        except OSError:
            pass  # Linux before 5.1: a reader could write to it, and is trusted not to.


class Lease:
    """A slot that is in use: it goes back to its pool when nobody refers to this."""

    def __init__(self, slot: Any, back: "Deque[Any]") -> None:
        self.slot = slot
        weakref.finalize(self, _return, slot, back).atexit = False

    def discard(self) -> None:
        """The slot is freed instead. Whoever has mapped it may read on."""
        self.slot.retired = True


def _return(slot: Any, back: "Deque[Any]") -> None:
    if not slot.retired:
        back.append(slot)


#: Of slots, whatever their memory: a reader tells them apart by nothing else.
_ids = itertools.count(1)


class Pool:
    """Slots of one size that are not in use. One thread takes; any may give back."""

    #: Unused ones that are kept.
    SPARE = 16

    def __init__(self, make: Callable[[int, int], Any] = Slot) -> None:
        self._make = make
        self._free: List[Any] = []
        self._back: Deque[Any] = deque()
        self._size = 0

    def take(self, size: int) -> Lease:
        """OSError if there is no memory."""
        if size != self._size:
            self._size = size
            self._free.clear()
        while self._back:
            slot = self._back.popleft()
            if slot.size == size and len(self._free) < self.SPARE:
                self._free.append(slot)
        # The last one back is the likeliest to be in the caches, and to be known to the readers.
        slot = self._free.pop() if self._free else self._make(next(_ids), size)
        return Lease(slot, self._back)


def writable_planes(
    lease: Lease, places: Sequence[Tuple[int, int]], planes: Sequence[Plane]
) -> Tuple[np.ndarray, ...]:
    """The planes of a slot of ours. The arrays keep the lease."""
    slot = lease.slot
    base = bytes_of(slot.mapping, 0, slot.size, lease)
    return tuple(
        view(base, offset, pitch, plane, writable=True)
        for (offset, pitch), plane in zip(places, planes)
    )


def readable_planes(
    base: Any, places: Sequence[Tuple[int, int]], planes: Sequence[Plane]
) -> Tuple[np.ndarray, ...]:
    """The planes of a picture that came from outside."""
    return tuple(
        view(base, offset, pitch, plane) for (offset, pitch), plane in zip(places, planes)
    )


def on_last_use(base: Any, callback: Callable[..., None], *args: Any) -> Callable[[], Any]:
    """Calls back once: when no array refers to `base` any more, or when it is called."""
    finalizer = weakref.finalize(base, callback, *args)
    finalizer.atexit = False
    return finalizer

