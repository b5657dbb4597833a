// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `memory:CUDAMemory` as GStreamer's elements for NVIDIA's cards make it, in a context of the
//! test's own: mapped with its flag it gives an address on the card, and without, where theirs
//! would copy all of it to the host, nothing.

use std::ptr::null_mut;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use gst::ffi::{GstAllocator, GstMapFlags, GstMemory};
use gst::glib::ffi::gpointer;
use gst::glib::translate::from_glib_full;
use gst::prelude::*;
use gst::subclass::prelude::*;

use crate::card::Memory;

/// `GST_MAP_FLAG_LAST << 1`, which GStreamer calls `GST_MAP_CUDA`.
const MAP_CUDA: u32 = 1 << 17;

#[repr(C)]
struct CudaMemory {
    base: GstMemory,
    memory: Option<Arc<Memory>>,
    downloads: Option<Arc<AtomicU32>>,
}

unsafe extern "C" fn mem_map(memory: *mut GstMemory, _: usize, flags: GstMapFlags) -> gpointer {
    // SAFETY: a memory of this allocator, which is alive.
    let memory = unsafe { &*memory.cast::<CudaMemory>() };
    let (Some(pixels), Some(downloads)) = (&memory.memory, &memory.downloads) else {
        return null_mut();
    };
    if flags & MAP_CUDA == 0 {
        downloads.fetch_add(1, Ordering::Relaxed);
        return null_mut();
    }
    std::ptr::without_provenance_mut(pixels.address() as usize)
}

unsafe extern "C" fn mem_unmap(_: *mut GstMemory) {}

mod imp {
    use super::*;

    #[derive(Default)]
    pub struct TestCudaAllocator;

    #[glib::object_subclass]
    impl ObjectSubclass for TestCudaAllocator {
        const NAME: &'static str = "DsFrameTestCudaAllocator";
        type Type = super::TestCudaAllocator;
        type ParentType = gst::Allocator;

        fn instance_init(object: &glib::subclass::InitializingObject<Self>) {
            let allocator = object.as_ptr().cast::<GstAllocator>();
            // SAFETY: the instance begins with its parent struct and is nobody else's yet.
            let allocator = unsafe { &mut *allocator };
            // Not the name that GStreamer's own has: whoever finds that looks for its fields.
            allocator.mem_type = c"DsFrameTestCuda".as_ptr();
            allocator.mem_map = Some(mem_map);
            allocator.mem_unmap = Some(mem_unmap);
            allocator.object.flags |= gst::ffi::GST_ALLOCATOR_FLAG_CUSTOM_ALLOC;
        }
    }

    impl ObjectImpl for TestCudaAllocator {}
    impl GstObjectImpl for TestCudaAllocator {}

    // SAFETY: `free` releases what `wrap` made, and there is no other way to make one.
    unsafe impl AllocatorImpl for TestCudaAllocator {
        unsafe fn alloc(&self, _: usize, _: &gst::AllocationParams) -> *mut GstMemory {
            null_mut()
        }

        unsafe fn free(&self, memory: *mut GstMemory) {
            // SAFETY: made as a box in `wrap`, and the last reference is gone.
            drop(unsafe { Box::from_raw(memory.cast::<CudaMemory>()) });
        }
    }
}

glib::wrapper! {
    pub struct TestCudaAllocator(ObjectSubclass<imp::TestCudaAllocator>)
        @extends gst::Allocator, gst::Object;
}

impl Default for TestCudaAllocator {
    fn default() -> Self {
        glib::Object::new()
    }
}

impl TestCudaAllocator {
    /// A memory on the card as one of GStreamer; `downloads` counts the maps that would have been
    /// a download.
    pub fn wrap(&self, memory: Arc<Memory>, downloads: Arc<AtomicU32>) -> gst::Memory {
        let size = memory.len();
        let wrapped = Box::new(CudaMemory {
            // SAFETY: a C struct of numbers and pointers.
            base: unsafe { std::mem::zeroed() },
            memory: Some(memory),
            downloads: Some(downloads),
        });
        let wrapped = Box::into_raw(wrapped).cast::<GstMemory>();
        let allocator = self.upcast_ref::<gst::Allocator>().as_ptr();
        let (flags, parent) = (gst::ffi::GST_MEMORY_FLAG_NO_SHARE, null_mut());
        // SAFETY: the memory is writable and nobody else's.
        unsafe { gst::ffi::gst_memory_init(wrapped, flags, allocator, parent, size, 0, 0, size) };
        // SAFETY: a new memory with one reference, which goes to the caller.
        unsafe { from_glib_full(wrapped) }
    }
}
