// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The writer's side: GStreamer memory that is a file of ours.

#![allow(unsafe_code)]

use std::ffi::c_void;
use std::os::fd::{AsRawFd, BorrowedFd, IntoRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use gst::glib::translate::IntoGlib;
use gst_allocators::prelude::*;
use gst_allocators::{FdAllocator, FdMemory, FdMemoryFlags};
use rustix::fs::{FallocateFlags, MemfdFlags, SealFlags};
use rustix::io::Errno;

use super::{MAX_BYTES, ShmError};

/// Used for nothing else: a memory is ours if this is its allocator.
static ALLOCATOR: LazyLock<FdAllocator> = LazyLock::new(FdAllocator::new);

static TAG: LazyLock<glib::Quark> = LazyLock::new(|| glib::Quark::from_str("GstDsFrameShm"));

static SERIALS: AtomicU64 = AtomicU64::new(1);

/// How many bytes of shared memory exist.
#[derive(Debug, Clone, Default)]
pub struct Bytes(Arc<AtomicUsize>);

impl Bytes {
    pub fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// What is known of a memory; lives as long as it.
struct Tag {
    serial: u64,
    size: usize,
    counted: Bytes,
    retired: AtomicBool,
}

impl Drop for Tag {
    fn drop(&mut self) {
        self.counted.0.fetch_sub(self.size, Ordering::Relaxed);
    }
}

/// A memory that another process can map, or a part of one.
#[derive(Debug, Clone, Copy)]
pub struct Shared<'a> {
    pub fd: BorrowedFd<'a>,
    /// Of the file: no two of this process have the same, also when one is gone.
    pub serial: u64,
    /// Bytes of the whole file.
    pub size: usize,
    /// Where in the file this memory begins.
    pub offset: usize,
    retired: &'a AtomicBool,
}

impl Shared<'_> {
    /// Somebody may read it for ever: no pool uses it again.
    pub fn retire(&self) {
        self.retired.store(true, Ordering::Release);
    }

    pub fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Acquire)
    }
}

/// Memory to be written here and read elsewhere; it counts in `counted` until it is freed.
pub fn alloc(size: usize, counted: &Bytes) -> Result<gst::Memory, ShmError> {
    if size == 0 || size > MAX_BYTES {
        return Err(ShmError::Size(size as u64));
    }
    let failed = |source| ShmError::OutOfMemory {
        bytes: size,
        source,
    };
    let fd = create().map_err(failed)?;
    rustix::fs::ftruncate(&fd, size as u64).map_err(failed)?;
    // An error here is better than a signal at the first write.
    let reserve = || rustix::fs::fallocate(&fd, FallocateFlags::empty(), 0, size as u64);
    rustix::io::retry_on_intr(reserve).map_err(failed)?;
    let memory = wrap(fd, size, counted)?;
    // The memory is kept mapped as it was mapped first: that is for writing too, which the seals
    // forbid from then on.
    let mapped = memory.into_mapped_memory_writable();
    let mapped = mapped.map_err(|_| ShmError::Map {
        bytes: size,
        source: Errno::NOMEM,
    })?;
    let memory = mapped.into_memory();
    let shared = identify(&memory).ok_or(ShmError::Refused)?;
    seal(shared.fd).map_err(failed)?;
    Ok(memory)
}

fn create() -> Result<OwnedFd, Errno> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    match rustix::fs::memfd_create("dsframe", flags | MemfdFlags::NOEXEC_SEAL) {
        // Linux before 6.3.
        Err(Errno::INVAL) => rustix::fs::memfd_create("dsframe", flags),
        made => made,
    }
}

fn seal(fd: BorrowedFd<'_>) -> Result<(), Errno> {
    let size = SealFlags::SHRINK | SealFlags::GROW;
    match rustix::fs::fcntl_add_seals(fd, size | SealFlags::FUTURE_WRITE) {
        // Linux before 5.1.
        Err(Errno::INVAL) => rustix::fs::fcntl_add_seals(fd, size)?,
        sealed => sealed?,
    }
    rustix::fs::fcntl_add_seals(fd, SealFlags::SEAL)
}

fn wrap(fd: OwnedFd, size: usize, counted: &Bytes) -> Result<gst::Memory, ShmError> {
    let raw = fd.as_raw_fd();
    // SAFETY: the descriptor is open, and belongs to the memory from its making on.
    let memory = unsafe { ALLOCATOR.alloc_fd(raw, size, FdMemoryFlags::KEEP_MAPPED) };
    let memory = memory.map_err(|_| ShmError::Refused)?;
    let _owned_by_the_memory = fd.into_raw_fd();
    counted.0.fetch_add(size, Ordering::Relaxed);
    let tag = Box::new(Tag {
        serial: SERIALS.fetch_add(1, Ordering::Relaxed),
        size,
        counted: counted.clone(),
        retired: AtomicBool::new(false),
    });
    let object = memory.as_mut_ptr().cast();
    let quark = TAG.into_glib();
    // SAFETY: the memory is alive; the tag is given away, and freed once, with it.
    unsafe {
        gst::ffi::gst_mini_object_set_qdata(object, quark, Box::into_raw(tag).cast(), Some(free))
    };
    Ok(memory)
}

unsafe extern "C" fn free(tag: *mut c_void) {
    // SAFETY: the pointer that `wrap` gave, which comes back once.
    drop(unsafe { Box::<Tag>::from_raw(tag.cast()) });
}

/// Which file a memory is in, if it is one of ours.
pub fn identify(memory: &gst::MemoryRef) -> Option<Shared<'_>> {
    if memory.allocator()? != ALLOCATOR.upcast_ref::<gst::Allocator>() {
        return None;
    }
    // What a part is a part of is never a part itself.
    let whole = memory.parent().unwrap_or(memory);
    let fd = whole.downcast_memory_ref::<FdMemory>()?.fd();
    let object = whole.as_mut_ptr().cast();
    // SAFETY: the memory is alive, and so is the parent that it holds.
    let tag = unsafe { gst::ffi::gst_mini_object_get_qdata(object, TAG.into_glib()) };
    // SAFETY: what has this name is a `Tag` of ours, and lives as long as its memory; null is none.
    let tag = unsafe { tag.cast::<Tag>().as_ref() }?;
    Some(Shared {
        // SAFETY: open as long as the memory, which is borrowed for as long as the result.
        fd: unsafe { BorrowedFd::borrow_raw(fd) },
        serial: tag.serial,
        size: tag.size,
        offset: memory.offset(),
        retired: &tag.retired,
    })
}
