// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Bytes from pipes, and reads of them that can be called off.

use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::fs::{Mode, OFlags};
use rustix::pipe::fcntl_setpipe_size;

/// What a pipe holds if the kernel lets us: a frame takes few system calls then.
const PIPE_BYTES: usize = 1 << 20;

/// Why a read that was called off failed.
#[derive(Debug, thiserror::Error)]
#[error("called off")]
struct Cancelled;

/// Ends the reads of an [`Input`], the one in progress and all later ones.
#[derive(Debug, Clone)]
pub struct Canceller(Arc<OwnedFd>);

impl Canceller {
    pub fn cancel(&self) {
        // Fails only when the counter is full, and then it says what it is to say already.
        let _ = rustix::io::write(&self.0, &1u64.to_ne_bytes());
    }
}

/// Whether a read failed because it was called off.
pub fn was_cancelled(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Cancelled>())
}

/// Standard input, a FIFO or a device, read from the start to the end.
#[derive(Debug)]
pub struct Input {
    fd: OwnedFd,
    cancelled: Canceller,
}

impl Input {
    /// Opens without waiting for a writer; the first read waits for it.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
        Self::new(rustix::fs::open(path, flags, Mode::empty())?)
    }

    pub fn stdin() -> io::Result<Self> {
        // Left blocking: its state is shared with whoever started this process.
        Self::new(io::stdin().as_fd().try_clone_to_owned()?)
    }

    fn new(fd: OwnedFd) -> io::Result<Self> {
        // Not a pipe, or more than an unprivileged user may have.
        let _ = fcntl_setpipe_size(&fd, PIPE_BYTES);
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self {
            fd,
            cancelled: Canceller(Arc::new(wake)),
        })
    }

    pub fn canceller(&self) -> Canceller {
        self.cancelled.clone()
    }
}

impl Read for Input {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            // Before every read: a FIFO without a writer yet would read as ended, but polls as
            // quiet until the first writer has come and as hung up once the last has gone.
            let mut fds = [
                PollFd::new(&self.cancelled.0, PollFlags::IN),
                PollFd::new(&self.fd, PollFlags::IN),
            ];
            match poll(&mut fds, None) {
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
                Ok(_) => (),
            }
            if !fds[0].revents().is_empty() {
                return Err(io::Error::other(Cancelled));
            }
            match rustix::io::read(&self.fd, &mut *buf) {
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
                Ok(bytes) => return Ok(bytes),
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::fs::OpenOptions;
    use std::io::Write;
    use std::path::PathBuf;
    use std::thread;
    use std::time::{Duration, Instant};

    pub fn fifo(dir: &tempfile::TempDir) -> PathBuf {
        let path = dir.path().join("fifo");
        let mode = Mode::RUSR | Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        path
    }

    #[test]
    fn a_writer_may_come_late_and_its_leaving_is_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = fifo(&dir);
        let mut input = Input::open(&path).unwrap();
        let writer = thread::spawn(move || {
            thread::sleep(Duration::from_millis(30));
            let mut pipe = OpenOptions::new().write(true).open(&path).unwrap();
            let data: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
            pipe.write_all(&data).unwrap();
            data
        });
        let mut read = Vec::new();
        input.read_to_end(&mut read).unwrap();
        assert_eq!(read, writer.join().unwrap());
    }

    #[test]
    fn a_blocked_read_can_be_called_off() {
        let dir = tempfile::tempdir().unwrap();
        let path = fifo(&dir);
        for with_writer in [false, true] {
            let mut input = Input::open(&path).unwrap();
            let _writer = with_writer.then(|| OpenOptions::new().write(true).open(&path).unwrap());
            let canceller = input.canceller();
            let reader = thread::spawn(move || {
                let error = input.read(&mut [0; 10]).unwrap_err();
                (error, Instant::now(), input.read(&mut [0; 10]).unwrap_err())
            });
            thread::sleep(Duration::from_millis(30));
            let start = Instant::now();
            canceller.cancel();
            let (error, end, again) = reader.join().unwrap();
            assert!(was_cancelled(&error) && was_cancelled(&again));
            assert!(end - start < Duration::from_millis(100));
        }
    }
}
