// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The allocator of NVMM memories.
//!
//! GStreamer copies, shares and joins memories on its own. A plain copy of an `NvBufSurface` would
//! point to pixels that are gone once the original is freed, so all these functions are our own.

#![allow(unsafe_code)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null_mut;
use std::sync::Arc;

use gst::ffi::{GstAllocator, GstMapFlags, GstMemory};
use gst::glib;
use gst::glib::ffi::{GFALSE, gboolean, gpointer};
use gst::glib::translate::from_glib_full;
use gst::prelude::*;
use gst::subclass::prelude::*;

use super::block::Block;
use super::{NvmmError, Spec};
use crate::mem::sys::surface::SurfaceC;

/// One memory. A shared one has no block of its own and uses that of its parent.
#[repr(C)]
struct NvmmMemory {
    base: GstMemory,
    block: Option<Box<Block>>,
}

/// # Safety
/// The memory must be one of ours and outlive `'a`.
unsafe fn block_of<'a>(memory: *const GstMemory) -> Option<&'a Block> {
    // SAFETY: the caller gives a valid memory.
    let parent = unsafe { (*memory).parent };
    let top = if parent.is_null() { memory } else { parent };
    // SAFETY: parents are our own too and live as long as their children; the block does not
    // change before the memory is freed.
    let block = unsafe { &(*top.cast::<NvmmMemory>()).block };
    block.as_deref()
}

/// Whether `offset` and `size`, as given to share and copy, mean all of the memory.
fn is_whole(memory: &GstMemory, offset: isize, size: isize) -> bool {
    offset == 0
        && memory.offset == 0
        && memory.size == memory.maxsize
        && (size == -1 || usize::try_from(size) == Ok(memory.size))
}

/// Makes the memory for a block, or a child of `parent` if there is none.
///
/// # Safety
/// The allocator must be an [`NvmmAllocator`], and a parent a memory of it that has no parent.
unsafe fn new_memory(
    allocator: *mut GstAllocator,
    parent: *mut GstMemory,
    flags: u32,
    size: usize,
    block: Option<Box<Block>>,
) -> *mut GstMemory {
    let memory = Box::new(NvmmMemory {
        // SAFETY: a C struct of numbers and pointers.
        base: unsafe { std::mem::zeroed() },
        block,
    });
    let memory = Box::into_raw(memory).cast::<GstMemory>();
    let align = align_of::<SurfaceC>() - 1;
    // SAFETY: the memory is writable and nobody else's; the rest is up to the caller.
    unsafe {
        gst::ffi::gst_memory_init(memory, flags, allocator, parent, size, align, 0, size);
    }
    memory
}

/// Panics must not reach C.
fn guarded(call: impl FnOnce() -> *mut GstMemory) -> *mut GstMemory {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or(null_mut())
}

unsafe extern "C" fn mem_map(
    memory: *mut GstMemory,
    _maxsize: usize,
    _flags: GstMapFlags,
) -> gpointer {
    // SAFETY: GStreamer calls this for memories of this allocator only.
    let block = unsafe { block_of(memory) };
    block.map_or(null_mut(), |block| block.header().cast())
}

unsafe extern "C" fn mem_unmap(_memory: *mut GstMemory) {}

unsafe extern "C" fn mem_share(
    memory: *mut GstMemory,
    offset: isize,
    size: isize,
) -> *mut GstMemory {
    // SAFETY: GStreamer calls this for memories of this allocator only.
    let base = unsafe { &*memory };
    // Half a header is of no use to anyone.
    if !is_whole(base, offset, size) {
        return null_mut();
    }
    let parent = if base.parent.is_null() {
        memory
    } else {
        base.parent
    };
    let flags = base.mini_object.flags | gst::ffi::GST_MINI_OBJECT_FLAG_LOCK_READONLY;
    guarded(|| {
        // SAFETY: the top memory of this one, and its allocator.
        unsafe { new_memory(base.allocator, parent, flags, base.maxsize, None) }
    })
}

unsafe extern "C" fn mem_copy(
    memory: *mut GstMemory,
    offset: isize,
    size: isize,
) -> *mut GstMemory {
    // SAFETY: GStreamer calls this for memories of this allocator only.
    let base = unsafe { &*memory };
    if !is_whole(base, offset, size) {
        return null_mut();
    }
    guarded(|| {
        // SAFETY: as above.
        let block = unsafe { block_of(memory) };
        let Some(block) = block else {
            return null_mut();
        };
        let copy = match block.duplicate() {
            Ok(copy) => copy,
            Err(error) => {
                gst::error!(gst::CAT_RUST, "NVMM memory was not copied: {error}");
                return null_mut();
            }
        };
        // SAFETY: the allocator of a memory of ours.
        unsafe { new_memory(base.allocator, null_mut(), 0, base.maxsize, Some(copy)) }
    })
}

unsafe extern "C" fn mem_is_span(
    _first: *mut GstMemory,
    _second: *mut GstMemory,
    _offset: *mut usize,
) -> gboolean {
    GFALSE
}

mod imp {
    use super::*;

    #[derive(Default)]
    pub struct NvmmAllocator;

    #[glib::object_subclass]
    impl ObjectSubclass for NvmmAllocator {
        const NAME: &'static str = "GstDsFrameNvmmAllocator";
        type Type = super::NvmmAllocator;
        type ParentType = gst::Allocator;

        fn instance_init(object: &glib::subclass::InitializingObject<Self>) {
            let allocator = object.as_ptr().cast::<GstAllocator>();
            // SAFETY: the instance begins with its parent struct and is nobody else's yet.
            let allocator = unsafe { &mut *allocator };
            allocator.mem_type = c"DsFrameNVMM".as_ptr();
            allocator.mem_map = Some(mem_map);
            allocator.mem_unmap = Some(mem_unmap);
            allocator.mem_copy = Some(mem_copy);
            allocator.mem_share = Some(mem_share);
            allocator.mem_is_span = Some(mem_is_span);
            allocator.object.flags |= gst::ffi::GST_ALLOCATOR_FLAG_CUSTOM_ALLOC;
        }
    }

    impl ObjectImpl for NvmmAllocator {}
    impl GstObjectImpl for NvmmAllocator {}

    // SAFETY: `free` releases what `new_memory` made, and there is no other way to make one.
    unsafe impl AllocatorImpl for NvmmAllocator {
        // A number of bytes does not describe a surface.
        unsafe fn alloc(&self, _size: usize, _params: &gst::AllocationParams) -> *mut GstMemory {
            null_mut()
        }

        unsafe fn free(&self, memory: *mut GstMemory) {
            // SAFETY: made as a box in `new_memory`, and the last reference is gone.
            drop(unsafe { Box::from_raw(memory.cast::<NvmmMemory>()) });
        }
    }
}

glib::wrapper! {
    /// Makes memories that are `NvBufSurface`s.
    pub struct NvmmAllocator(ObjectSubclass<imp::NvmmAllocator>)
        @extends gst::Allocator, gst::Object;
}

impl Default for NvmmAllocator {
    fn default() -> Self {
        glib::Object::new()
    }
}

impl NvmmAllocator {
    /// A batch of surfaces with black (zero) pixels.
    pub fn alloc_surfaces(&self, spec: Arc<Spec>) -> Result<gst::Memory, NvmmError> {
        let size = spec.generation().surface_size();
        let block = Block::new(spec)?;
        let allocator = self.upcast_ref::<gst::Allocator>().as_ptr();
        // SAFETY: this is an allocator of ours, and there is no parent.
        let memory = unsafe { new_memory(allocator, null_mut(), 0, size, Some(block)) };
        // SAFETY: a new memory with one reference, which goes to the caller.
        Ok(unsafe { from_glib_full(memory) })
    }

    /// The block of a memory, if it is one of ours.
    pub(super) fn block(memory: &gst::MemoryRef) -> Option<&Block> {
        if !memory.allocator()?.is::<Self>() {
            return None;
        }
        // SAFETY: the allocator is ours, and the block lives as long as the memory.
        unsafe { block_of(memory.as_ptr()) }
    }
}
