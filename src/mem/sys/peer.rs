// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Who is at the other end of a socket.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Groups that a process may be in, by its kernel.
const MAX_GROUPS: usize = 65_536;

/// The user of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub uid: u32,
    pub gid: u32,
    /// Besides `gid`.
    pub groups: Vec<u32>,
}

impl User {
    /// Of this process.
    pub fn own() -> Self {
        let groups = rustix::process::getgroups().unwrap_or_default();
        Self {
            uid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getegid().as_raw(),
            groups: groups.into_iter().map(|group| group.as_raw()).collect(),
        }
    }

    pub fn is_in(&self, group: u32) -> bool {
        self.gid == group || self.groups.contains(&group)
    }

    /// Of the process that connected, or that listened. `rustix::net::sockopt::socket_peercred` has
    /// no place for a process of another container, whose number is 0 here.
    pub fn of_peer(socket: BorrowedFd<'_>) -> io::Result<Self> {
        let mut found = libc::ucred {
            pid: 0,
            uid: u32::MAX,
            gid: u32::MAX,
        };
        let mut size = size_of::<libc::ucred>() as libc::socklen_t;
        // SAFETY: the kernel writes as many bytes as `size` says, which is what `found` has; any
        // bytes are one.
        let failed = unsafe {
            libc::getsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_PEERCRED,
                (&raw mut found).cast(),
                &mut size,
            )
        };
        if failed != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self {
            uid: found.uid,
            gid: found.gid,
            groups: groups_of_peer(socket),
        })
    }
}

/// None if the kernel does not tell.
fn groups_of_peer(socket: BorrowedFd<'_>) -> Vec<u32> {
    let mut groups: Vec<u32> = vec![0; 32];
    loop {
        let room = groups.len() * size_of::<u32>();
        let mut size = room as libc::socklen_t;
        // SAFETY: the kernel writes as many bytes as `size` says at most, which is what `groups`
        // has; any bytes are numbers.
        let failed = unsafe {
            libc::getsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_PEERGROUPS,
                groups.as_mut_ptr().cast(),
                &mut size,
            )
        };
        let wanted = size as usize / size_of::<u32>();
        if failed == 0 {
            groups.truncate(wanted);
            return groups;
        }
        let is_short = io::Error::last_os_error().raw_os_error() == Some(libc::ERANGE);
        if !is_short || wanted <= groups.len() || wanted > MAX_GROUPS {
            return Vec::new();
        }
        groups.resize(wanted, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn the_other_end_is_us() {
        let (one, other) = std::os::unix::net::UnixStream::pair().unwrap();
        for end in [&one, &other] {
            assert_eq!(User::of_peer(end.as_fd()).unwrap(), User::own());
        }
        let file = std::fs::File::open("/dev/null").unwrap();
        assert!(User::of_peer(file.as_fd()).is_err());
    }
}
