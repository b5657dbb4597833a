# Copyright (C) 2026 The gst-plugin-dsframe authors
# Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""The sockets: to listen on a path, to connect to one, and packets with descriptors."""

import array
import errno
import fcntl
import os
import socket
import stat
import struct
import weakref
from typing import Any, List, NamedTuple, Optional, Sequence, Tuple, Union

from . import _wire

ACCESS = {"user": 0o600, "group": 0o660, "all": 0o666}

#: Seconds that one wait can have at most; longer ones are several.
LONGEST = 1e6

_FD_SIZE = array.array("i").itemsize
#: sun_path, without the terminating zero.
_MAX_PATH = 107


class Packet(NamedTuple):
    data: bytes
    #: To be closed by whoever gets them.
    fds: Tuple[int, ...]


def check_access(access: str) -> str:
    if access not in ACCESS:
        raise ValueError(f"access is {access!r}: it is one of {', '.join(ACCESS)}")
    return access


#: Seconds that nobody may be at the other end before that is said.
PATIENCE = 2.0


def check_path(path: Union[str, "os.PathLike[str]"]) -> str:
    """The path as text, if a socket can have it."""
    text = os.fspath(path)
    if not isinstance(text, str) or not text or "\0" in text:
        raise ValueError(f"{path!r} is no path of a socket, such as /tmp/cam.sock")
    # As the elements' property channel has it.
    text = text[5:] if text.startswith("unix:") else text
    if not text:
        raise ValueError(f"{path!r} is no path of a socket, such as /tmp/cam.sock")
    if len(os.fsencode(text)) > _MAX_PATH:
        raise ValueError(f"the path {text!r} has more than {_MAX_PATH} bytes, and sockets cannot have it")
    return text


def _packet_socket() -> socket.socket:
    return socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)


class User(NamedTuple):
    uid: int
    gid: int


def peer(sock: socket.socket) -> User:
    data = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("iII"))
    return User(*struct.unpack("iII", data)[1:])


def may_talk(other: User, access: str) -> bool:
    """Root may always."""
    user = other.uid in (os.geteuid(), 0)
    return access == "all" or user or (access == "group" and other.gid == os.getegid())


def close_all(fds: Sequence[int]) -> None:
    for fd in fds:
        os.close(fd)


def receive(sock: socket.socket) -> Optional[Packet]:
    """The next packet, or None at the end. BlockingIOError if there is none now.

    WireError for what is no packet of the protocol; its descriptors are closed.
    """
    room = socket.CMSG_SPACE(2 * _FD_SIZE)
    while True:
        try:
            data, control, flags, _ = sock.recvmsg(
                _wire.MAX_PACKET, room, socket.MSG_CMSG_CLOEXEC | socket.MSG_DONTWAIT
            )
            break
        except ConnectionResetError:
            continue  # Said once. What was sent before follows, then the end.
        except OSError as error:
            if error.errno == errno.EPIPE:
                return None
            raise
    fds = _descriptors(control)
    if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
        close_all(fds)
        if flags & socket.MSG_TRUNC:
            raise _wire.WireError(f"a packet of more than {_wire.MAX_PACKET} bytes")
        raise _wire.WireError("too many descriptors, or more than this process may have open")
    if not data:
        close_all(fds)
        return None
    return Packet(data, tuple(fds))


def _descriptors(control: Sequence[Tuple[int, int, bytes]]) -> List[int]:
    fds = array.array("i")
    for level, kind, data in control:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(data[:len(data) - len(data) % _FD_SIZE])
    return list(fds)


def send(sock: socket.socket, packet: bytes, fd: Optional[int] = None) -> bool:
    """Sends without waiting. False if there is no room now; OSError if the other side is gone."""
    control: List[Any] = []
    if fd is not None:
        control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))]
    try:
        sock.sendmsg([packet], control, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        return True
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM, errno.ETOOMANYREFS):
            return False
        raise


def refuse(sock: socket.socket, reason: int, text: str) -> None:
    """Says why, if that is possible without waiting, and nothing after it."""
    try:
        send(sock, _wire.encode(_wire.Refuse(reason, text)))
        sock.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def connect(path: str) -> Optional[socket.socket]:
    """A connection, or None if nobody is there yet."""
    sock = _packet_socket()
    try:
        sock.setblocking(False)
        sock.connect(path)
        return sock
    except OSError as error:
        sock.close()
        if error.errno == errno.EPROTOTYPE:
            raise OSError(error.errno, "a socket, but of another kind: no producer of frames", path) from None
        if error.errno == errno.ECONNREFUSED and not _is_socket_or_gone(path):
            raise OSError(errno.ENOTSOCK, "is there, and is no socket", path) from None
        if error.errno in (errno.ENOENT, errno.ECONNREFUSED, errno.EAGAIN, errno.ECONNRESET):
            return None
        raise OSError(error.errno, f"cannot connect: {os.strerror(error.errno or 0)}", path) from None
    except BaseException:
        sock.close()
        raise


def _is_socket_or_gone(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:
        return True


class Listener:
    """A socket that listens at a path, and the lock that keeps a second producer away."""

    def __init__(self, path: str, access: str) -> None:
        self.path = path
        # The process may change to another directory before it is removed.
        self._absolute = os.path.abspath(path)
        self._inode = (-1, -1)
        self.socket = _packet_socket()
        try:
            self._lock = _take_lock(path)
        except BaseException:
            self.socket.close()
            raise
        try:
            self._listen(ACCESS[access])
        except BaseException:
            self.close()
            raise

    def _listen(self, mode: int) -> None:
        _make_way(self.path)
        try:
            try:
                # With the mode of the socket it is bound by, so that there is no moment without it.
                os.fchmod(self.socket.fileno(), mode)
            except OSError:
                pass  # Not every sandbox knows this. Nobody can connect before `listen` in any case.
            self.socket.bind(self.path)
            info = os.lstat(self.path)
            self._inode = (info.st_dev, info.st_ino)
            os.chmod(self.path, mode)  # What the umask took away.
            self.socket.setblocking(False)
            self.socket.listen(64)
        except OSError as error:
            why = os.strerror(error.errno or 0)
            raise OSError(error.errno, f"cannot listen: {why}", self.path) from None

    def close(self) -> None:
        if self.socket.fileno() < 0:
            return
        _remove(self._absolute, self._inode)
        self.socket.close()
        # Before the lock is given back. Whoever opened it and waits for it looks whether it is there.
        there = os.fstat(self._lock)
        _remove(self._absolute + ".lock", (there.st_dev, there.st_ino))
        os.close(self._lock)

    def forget(self) -> None:
        """In a process that was forked: the path and the lock stay those of the parent."""
        if self.socket.fileno() >= 0:
            self.socket.close()
            os.close(self._lock)


def _remove(path: str, inode: Tuple[int, int]) -> None:
    """If it is still the same file."""
    try:
        info = os.lstat(path)
        if (info.st_dev, info.st_ino) == inode:
            os.unlink(path)
    except OSError:
        pass


def _taken(path: str) -> OSError:
    return OSError(errno.EADDRINUSE, "has a producer already: only one can send into it", path)


def _take_lock(path: str) -> int:
    name = path + ".lock"
    while True:
        try:
            fd = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            why = os.strerror(error.errno or 0)
            raise OSError(error.errno, f"cannot listen, as {name} cannot be written: {why}", path) from None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            there, mine = os.stat(name), os.fstat(fd)
            if (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino):
                return fd
        except BlockingIOError:
            os.close(fd)
            raise _taken(path) from None
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)  # Removed in between.


def _make_way(path: str) -> None:
    """Looks at what is at the path: it may only be a socket that nobody listens on."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise OSError(errno.EEXIST, "is there, and is no socket: remove it or take another path", path)
    with _packet_socket() as sock:
        sock.setblocking(False)
        try:
            sock.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            os.unlink(path)  # Whoever made it is dead.
            return
        except OSError:
            pass  # Of another kind, not ours, or too busy to answer: alive in any case.
    raise _taken(path)


class _Forks:
    """What must not go on in a process that was forked: two would speak on one socket."""

    def __init__(self) -> None:
        self._all: "weakref.WeakSet[Any]" = weakref.WeakSet()
        os.register_at_fork(after_in_child=self._forked)

    def watch(self, it: Any) -> None:
        """`it.forked()` is called in the child, and takes no locks."""
        self._all.add(it)

    def _forked(self) -> None:
        for it in list(self._all):
            it.forked()


forks = _Forks()
