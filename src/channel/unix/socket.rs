// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Sockets that carry packets and descriptors: who may listen on a path, and who may connect.

use std::ffi::OsString;
use std::io;
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, FlockOperation, Mode, OFlags, Stat};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, Shutdown, SocketAddrUnix, SocketFlags,
    SocketType,
};

use crate::channel::Access;
use crate::mem::sys::peer::User;

/// What the address of a socket has room for, with a zero after it.
const MAX_PATH: usize = 107;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 64;

/// Room for one descriptor more than any message has, so that it is noticed.
const MAX_FDS: usize = 2;

impl Access {
    /// Root may be anywhere. `group` is that of the socket's file, which differs from ours in a
    /// directory that gives its own to what is in it.
    pub fn admits(self, own: &User, peer: &User, group: Option<u32>) -> bool {
        let user = peer.uid == own.uid || peer.uid == 0;
        match self {
            Self::User => user,
            Self::Group => user || peer.is_in(own.gid) || group.is_some_and(|it| peer.is_in(it)),
            Self::All => true,
        }
    }

    fn mode(self) -> Mode {
        Mode::from_raw_mode(match self {
            Self::User => 0o600,
            Self::Group => 0o660,
            Self::All => 0o666,
        })
    }
}

#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    #[error("the path of a socket may have {MAX_PATH} bytes; this one has {0}")]
    TooLong(usize),
    #[error("{} is no path of a socket", .0.display())]
    NoName(PathBuf),
    #[error("no directory {}: {source}", .dir.display())]
    Directory { dir: PathBuf, source: io::Error },
    #[error("{} exists and is no socket", .0.display())]
    NotASocket(PathBuf),
    #[error("another program listens on {}", .0.display())]
    Foreign(PathBuf),
    #[error("{} has a producer already: only one can send into it", .0.display())]
    Taken(PathBuf),
    #[error("cannot {what} {}: {source}", .path.display())]
    System {
        what: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error(
        "the process at the other end belongs to user {uid} and group {gid}: see channel-access"
    )]
    NotAdmitted { uid: u32, gid: u32 },
    #[error("a packet is longer than any may be")]
    Truncated,
    #[error("a packet has more descriptors than any may have")]
    Descriptors,
    #[error(
        "a descriptor could not be received: this process probably has as many open files as it \
         may (ulimit -n)"
    )]
    NoDescriptors,
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl From<Errno> for SocketError {
    fn from(errno: Errno) -> Self {
        Self::Io(errno.into())
    }
}

/// One file, whatever its name.
type Inode = (u64, u64);

fn inode(stat: &Stat) -> Inode {
    (stat.st_dev, stat.st_ino)
}

/// A directory that stays the same when the process changes to another one, and a name in it.
#[derive(Debug)]
struct At {
    dir: OwnedFd,
    name: OsString,
    path: PathBuf,
}

impl At {
    fn new(path: &Path) -> Result<Self, SocketError> {
        let name = path
            .file_name()
            .filter(|_| !path.as_os_str().as_bytes().ends_with(b"/"));
        let name = name.ok_or_else(|| SocketError::NoName(path.into()))?;
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = rustix::fs::open(parent, flags, Mode::empty());
        Ok(Self {
            dir: dir.map_err(|errno| SocketError::Directory {
                dir: parent.into(),
                source: errno.into(),
            })?,
            name: name.into(),
            path: path.into(),
        })
    }

    fn stat(&self) -> Result<Stat, Errno> {
        rustix::fs::statat(&self.dir, &self.name, AtFlags::SYMLINK_NOFOLLOW)
    }

    fn remove_if(&self, is: Inode) -> Result<(), Errno> {
        match self.stat() {
            Ok(stat) if inode(&stat) == is => {
                rustix::fs::unlinkat(&self.dir, &self.name, AtFlags::empty())
            }
            Ok(_) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(errno),
        }
    }

    fn failed(&self, what: &'static str) -> impl FnOnce(Errno) -> SocketError {
        let path = self.path.clone();
        move |errno| SocketError::System {
            what,
            path,
            source: errno.into(),
        }
    }
}

fn address(path: &Path) -> Result<SocketAddrUnix, SocketError> {
    match path.as_os_str().len() {
        bytes if bytes > MAX_PATH => Err(SocketError::TooLong(bytes)),
        _ => Ok(SocketAddrUnix::new(path)?),
    }
}

fn socket() -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
}

/// What makes us the only producer of a path, as long as it lives: a locked file beside it. The
/// lock goes with the process, the file may stay.
#[derive(Debug)]
struct Lock {
    at: At,
    file: OwnedFd,
}

impl Lock {
    fn take(path: &Path) -> Result<Self, SocketError> {
        let mut name = OsString::from(path);
        name.push(".lock");
        let at = At::new(Path::new(&name))?;
        loop {
            let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
            let mode = Mode::RUSR | Mode::WUSR;
            let file = rustix::fs::openat(&at.dir, &at.name, flags, mode);
            let file = file.map_err(at.failed("create"))?;
            let lock = || rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive);
            match rustix::io::retry_on_intr(lock) {
                Err(Errno::WOULDBLOCK) => return Err(SocketError::Taken(path.into())),
                locked => locked.map_err(at.failed("lock"))?,
            }
            let ours = rustix::fs::fstat(&file).map_err(at.failed("lock"))?;
            // Who had it before may have removed it since we opened it.
            if at.stat().is_ok_and(|there| inode(&there) == inode(&ours)) {
                return Ok(Self { at, file });
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Before the lock is released, which `take` relies on.
        if let Ok(ours) = rustix::fs::fstat(&self.file) {
            let _ = self.at.remove_if(inode(&ours));
        }
    }
}

/// A socket that readers connect to. Its files go when it is dropped.
#[derive(Debug)]
pub struct Listener {
    fd: OwnedFd,
    at: At,
    inode: Inode,
    group: u32,
    /// Released last.
    _lock: Lock,
}

impl Listener {
    pub fn open(path: &Path, access: Access) -> Result<Self, SocketError> {
        let address = address(path)?;
        let at = At::new(path)?;
        let lock = Lock::take(path)?;
        clear(&at, &address)?;
        let fd = socket()?;
        // Before it has a name, so that nobody ever sees it with another mode. The umask of the
        // process may take away from it here, not below.
        rustix::fs::fchmod(&fd, access.mode())?;
        match rustix::net::bind(&fd, &address) {
            // Somebody who does not know our lock.
            Err(Errno::ADDRINUSE) => return Err(SocketError::Taken(path.into())),
            bound => bound.map_err(at.failed("create"))?,
        }
        let stat = at.stat().map_err(at.failed("open"))?;
        let listener = Self {
            fd,
            at,
            inode: inode(&stat),
            group: stat.st_gid,
            _lock: lock,
        };
        let at = &listener.at;
        let chmod = rustix::fs::chmodat(&at.dir, &at.name, access.mode(), AtFlags::empty());
        chmod.map_err(at.failed("set the mode of"))?;
        rustix::net::listen(&listener.fd, BACKLOG).map_err(at.failed("listen on"))?;
        Ok(listener)
    }

    /// The next that connects, if one does. An error may pass: there are no descriptors left.
    pub fn accept(&self) -> Result<Option<Socket>, Errno> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        loop {
            match rustix::net::accept_with(&self.fd, flags) {
                Ok(fd) => {
                    let group = Some(self.group);
                    return Ok(Some(Socket { fd, group }));
                }
                Err(Errno::AGAIN) => return Ok(None),
                Err(Errno::INTR | Errno::CONNABORTED) => (),
                Err(errno) => return Err(errno),
            }
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.at.remove_if(self.inode);
    }
}

/// Makes room for a new socket: removes one that nobody listens on any more.
fn clear(at: &At, address: &SocketAddrUnix) -> Result<(), SocketError> {
    let there = match at.stat() {
        Err(Errno::NOENT) => return Ok(()),
        there => there.map_err(at.failed("open"))?,
    };
    if FileType::from_raw_mode(there.st_mode) != FileType::Socket {
        return Err(SocketError::NotASocket(at.path.clone()));
    }
    let probe = socket()?;
    match rustix::io::retry_on_intr(|| rustix::net::connect(&probe, address)) {
        Ok(()) | Err(Errno::AGAIN) => Err(SocketError::Taken(at.path.clone())),
        Err(Errno::PROTOTYPE) => Err(SocketError::Foreign(at.path.clone())),
        Err(Errno::CONNREFUSED | Errno::NOENT) => {
            at.remove_if(inode(&there)).map_err(at.failed("replace"))
        }
        Err(errno) => Err(at.failed("open")(errno)),
    }
}

/// What a send came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    Sent,
    WouldBlock,
    /// The kernel has no memory for it, or for more descriptors on their way. No poll says when it
    /// has.
    Busy,
    /// The peer is gone. What it sent before can still be received.
    Closed,
}

/// What was received.
#[derive(Debug)]
pub enum Received {
    /// So many bytes, and the descriptor that came with them.
    Packet(usize, Option<OwnedFd>),
    WouldBlock,
    Closed,
}

/// One end of a connection. Nothing here waits.
#[derive(Debug)]
pub struct Socket {
    fd: OwnedFd,
    /// Whose members may be at the other end, besides ours: that of the file.
    group: Option<u32>,
}

impl Socket {
    /// `None`: nobody is there yet. An error is one that no waiting mends.
    pub fn connect(path: &Path) -> Result<Option<Self>, SocketError> {
        let address = address(path)?;
        let fd = socket()?;
        match rustix::io::retry_on_intr(|| rustix::net::connect(&fd, &address)) {
            Ok(()) => {
                // Who made the file chose its group: it says something if it is one of ours.
                let there = rustix::fs::statat(CWD, path, AtFlags::empty());
                let group = there.ok().map(|stat| stat.st_gid);
                let group = group.filter(|group| User::own().is_in(*group));
                Ok(Some(Self { fd, group }))
            }
            // Too many wait to be accepted.
            Err(Errno::AGAIN | Errno::NOENT) => Ok(None),
            Err(Errno::CONNREFUSED) => {
                let there = rustix::fs::statat(CWD, path, AtFlags::empty());
                match there.map(|stat| FileType::from_raw_mode(stat.st_mode)) {
                    Ok(FileType::Socket) | Err(_) => Ok(None),
                    Ok(_) => Err(SocketError::NotASocket(path.into())),
                }
            }
            Err(Errno::PROTOTYPE) => Err(SocketError::Foreign(path.into())),
            Err(errno) => Err(SocketError::System {
                what: "connect to",
                path: path.into(),
                source: errno.into(),
            }),
        }
    }

    /// Whether the process at the other end may be there.
    pub fn check(&self, access: Access) -> Result<(), SocketError> {
        let peer = User::of_peer(self.fd.as_fd())?;
        match access.admits(&User::own(), &peer, self.group) {
            true => Ok(()),
            false => Err(SocketError::NotAdmitted {
                uid: peer.uid,
                gid: peer.gid,
            }),
        }
    }

    /// Sends a packet, all of it or nothing.
    pub fn send(&self, packet: &[u8], fd: Option<BorrowedFd<'_>>) -> Result<Sent, SocketError> {
        #[cfg(test)]
        if let left @ 1.. = BUSY_SENDS.get() {
            BUSY_SENDS.set(left - 1);
            return Ok(Sent::Busy);
        }
        let fds: &[BorrowedFd<'_>] = fd.as_slice();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        loop {
            let mut control = SendAncillaryBuffer::new(&mut space);
            if !fds.is_empty() {
                control.push(SendAncillaryMessage::ScmRights(fds));
            }
            let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
            match rustix::net::sendmsg(&self.fd, &[IoSlice::new(packet)], &mut control, flags) {
                Ok(_) => return Ok(Sent::Sent),
                Err(Errno::AGAIN) => return Ok(Sent::WouldBlock),
                Err(Errno::TOOMANYREFS | Errno::NOBUFS | Errno::NOMEM) => return Ok(Sent::Busy),
                Err(Errno::PIPE | Errno::CONNRESET | Errno::NOTCONN) => return Ok(Sent::Closed),
                Err(Errno::INTR) => (),
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// Receives a packet into `buf`. With an error, its descriptors are closed.
    pub fn recv(&self, buf: &mut [u8]) -> Result<Received, SocketError> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
        loop {
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
            let mut iov = [IoSliceMut::new(buf)];
            let got = match rustix::net::recvmsg(&self.fd, &mut iov, &mut control, flags) {
                Ok(got) => got,
                Err(Errno::AGAIN) => return Ok(Received::WouldBlock),
                // Told once, of a peer that left without reading everything: what it sent before
                // follows.
                Err(Errno::INTR | Errno::CONNRESET) => continue,
                Err(errno) => return Err(errno.into()),
            };
            let mut fds = Vec::new();
            for message in control.drain() {
                if let RecvAncillaryMessage::ScmRights(rights) = message {
                    fds.extend(rights);
                }
            }
            if fds.len() >= MAX_FDS {
                return Err(SocketError::Descriptors);
            }
            // There was room for what came.
            if got.flags.contains(ReturnFlags::CTRUNC) {
                return Err(SocketError::NoDescriptors);
            }
            if got.flags.contains(ReturnFlags::TRUNC) {
                return Err(SocketError::Truncated);
            }
            return Ok(match got.bytes {
                0 => Received::Closed,
                bytes => Received::Packet(bytes, fds.pop()),
            });
        }
    }

    /// Says that no more is sent; the peer sees the end after what was sent.
    pub fn finish(&self) {
        // Fails if the peer is gone, who need not know then.
        let _ = rustix::net::shutdown(&self.fd, Shutdown::Write);
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(test)]
thread_local! {
    /// How many sends of this thread are to find the kernel out of memory.
    pub static BUSY_SENDS: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

#[cfg(test)]
#[path = "socket_tests.rs"]
mod tests;
