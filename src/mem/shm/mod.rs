// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Memory that other processes can map: files without a name, whose size is sealed.

mod alloc;
mod map;
mod pool;
#[cfg(test)]
mod tests;

use rustix::io::Errno;

pub use alloc::{Bytes, Shared, alloc, identify};
pub use map::{MAX_BYTES, Mapping, map};
pub use pool::ShmPool;

#[derive(Debug, thiserror::Error)]
pub enum ShmError {
    #[error("no shared memory of {bytes} bytes: {source}")]
    OutOfMemory { bytes: usize, source: Errno },
    #[error("shared memory of {bytes} bytes cannot be mapped: {source}")]
    Map { bytes: usize, source: Errno },
    #[error("shared memory of {0} bytes: from 1 byte to 1 GiB are possible")]
    Size(u64),
    #[error("shared memory of {said} bytes was announced, and it has {real}")]
    TooSmall { said: u64, real: u64 },
    #[error("shared memory of {said} bytes was announced, and {there} of them exist")]
    Sparse { said: u64, there: u64 },
    #[error("not shared memory whose size is sealed")]
    NotSealed,
    #[error("GStreamer refuses shared memory")]
    Refused,
}
