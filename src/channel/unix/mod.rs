// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Channels across processes, by what docs/channel-protocol.md says: a [`Server`] at the producer,
//! which has a link to each reader, and a [`Client`] at each reader.

mod client;
mod common;
mod export;
mod link;
mod server;
pub mod socket;
#[cfg(test)]
mod tests;
mod way;

use std::os::fd::{AsFd, OwnedFd};
use std::sync::LazyLock;

use rustix::event::{EventfdFlags, eventfd};

pub use client::Client;
pub use export::{Copies, ExportError, Exported};
pub use server::Server;
pub use socket::SocketError;

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "dsframechannel",
        gst::DebugColorFlags::empty(),
        Some("Channels between processes"),
    )
});

/// When to try again to send what the kernel had no memory for.
const BUSY: std::time::Duration = std::time::Duration::from_millis(20);

/// Wakes a thread that polls.
#[derive(Debug)]
struct Bell(OwnedFd);

impl Bell {
    fn new() -> Result<Self, SocketError> {
        Ok(Self(eventfd(
            0,
            EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK,
        )?))
    }

    fn ring(&self) {
        // Fails only when the counter is full, and then it says what it is to say already.
        let _ = rustix::io::write(&self.0, &1u64.to_ne_bytes());
    }

    /// After a poll, before looking at what it may have been rung for.
    fn hush(&self) {
        // Fails if nobody rang.
        let _ = rustix::io::read(&self.0, &mut [0; 8]);
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// What `poll` takes as its limit: at least until `at`.
fn until(at: std::time::Instant) -> rustix::event::Timespec {
    let left = at.saturating_duration_since(std::time::Instant::now());
    rustix::event::Timespec {
        tv_sec: left.as_secs().min(3600) as _,
        tv_nsec: left.subsec_nanos() as _,
    }
}
