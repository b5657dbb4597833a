// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The reader's side: memory of another process.

#![allow(unsafe_code)]

use std::ffi::c_void;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::ptr::NonNull;
use std::sync::Arc;

use rustix::fs::SealFlags;
use rustix::mm::{MapFlags, ProtFlags};

use super::ShmError;

/// Of one file: more than any picture needs.
pub const MAX_BYTES: usize = 1 << 30;

/// Of files without a name; those with huge pages have another.
const TMPFS_MAGIC: u64 = 0x0102_1994;

/// Memory of another process, to be read. Its descriptor is closed already.
#[derive(Debug)]
pub struct Mapping {
    start: NonNull<c_void>,
    size: usize,
}

// SAFETY: the mapping belongs to the whole process, and is only read.
unsafe impl Send for Mapping {}
// SAFETY: likewise.
unsafe impl Sync for Mapping {}

/// Maps the first `size` bytes of what another process made, if it cannot take them away again.
pub fn map(fd: OwnedFd, size: u64) -> Result<Mapping, ShmError> {
    let bytes = usize::try_from(size).ok();
    let bytes = bytes.filter(|bytes| (1..=MAX_BYTES).contains(bytes));
    let bytes = bytes.ok_or(ShmError::Size(size))?;
    let sealed = SealFlags::SHRINK | SealFlags::GROW;
    let seals = rustix::fs::fcntl_get_seals(&fd).map_err(|_| ShmError::NotSealed)?;
    let system = rustix::fs::fstatfs(&fd).map_err(|_| ShmError::NotSealed)?;
    if !seals.contains(sealed) || system.f_type as u64 != TMPFS_MAGIC {
        return Err(ShmError::NotSealed);
    }
    let stat = rustix::fs::fstat(&fd).map_err(|_| ShmError::NotSealed)?;
    let real = u64::try_from(stat.st_size).unwrap_or(0);
    if real < size {
        return Err(ShmError::TooSmall { said: size, real });
    }
    // Else the one who reads them makes them, and pays for them.
    let there = u64::try_from(stat.st_blocks)
        .unwrap_or(0)
        .saturating_mul(512);
    if there < size {
        return Err(ShmError::Sparse { said: size, there });
    }
    let failed = |source| ShmError::Map { bytes, source };
    // SAFETY: a new mapping at a place that the kernel chooses touches nothing that is there.
    let start = unsafe {
        rustix::mm::mmap(
            std::ptr::null_mut(),
            bytes,
            ProtFlags::READ,
            MapFlags::SHARED,
            &fd,
            0,
        )
    };
    let start = NonNull::new(start.map_err(failed)?);
    Ok(Mapping {
        start: start.ok_or_else(|| failed(rustix::io::Errno::NOMEM))?,
        size: bytes,
    })
}

impl Mapping {
    pub fn size(&self) -> usize {
        self.size
    }

    /// A part of it as GStreamer memory. `guard` is dropped when nobody uses that any more, on
    /// whichever thread lets go last. `None` if the part is not within.
    pub fn memory<G: Send + 'static>(
        self: &Arc<Self>,
        range: Range<usize>,
        guard: G,
    ) -> Option<gst::Memory> {
        (*self.as_ref()).as_ref().get(range.clone())?;
        Some(gst::Memory::from_slice(Part {
            mapping: self.clone(),
            range,
            _guard: guard,
        }))
    }
}

impl AsRef<[u8]> for Mapping {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: mapped from `start` on for `size` bytes, until `self` is dropped. The seals keep
        // the file at least that long, so every access finds a page. All were there when it was
        // mapped; who made it could punch holes since, unless it is sealed for writing too, and
        // reading those takes pages anew, for want of which a process may be killed. Who made it
        // could also change the bytes while they are read, as with any memory that GStreamer
        // shares with devices: they are pixels, of which every value is one, and nothing is
        // concluded from them.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr().cast(), self.size) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: what `map` mapped; slices of it borrow `self`.
        let _ = unsafe { rustix::mm::munmap(self.start.as_ptr(), self.size) };
    }
}

/// Fields are dropped in this order: the pixels are let go before it is told.
struct Part<G> {
    mapping: Arc<Mapping>,
    range: Range<usize>,
    _guard: G,
}

impl<G> AsRef<[u8]> for Part<G> {
    fn as_ref(&self) -> &[u8] {
        let all = (*self.mapping).as_ref();
        all.get(self.range.clone()).unwrap_or_default()
    }
}
