// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Memory on a card that others made, in contexts of their own, as GStreamer buffers.

use std::ptr::null_mut;
use std::sync::atomic::{AtomicUsize, Ordering};

use cudarc::driver::sys;
use gst::ffi::{GstAllocator, GstMapFlags, GstMemory};
use gst::glib;
use gst::glib::ffi::gpointer;
use gst::glib::translate::from_glib_full;
use gst::prelude::*;
use gst::subclass::prelude::*;

/// A call of the driver that must succeed.
macro_rules! cu {
    ($call:ident ( $($argument:expr),* $(,)? )) => {{
        // SAFETY: out pointers are those of locals, handles are alive, and ranges within what the
        // types here own.
        let result = unsafe { sys::$call($($argument),*) };
        assert_eq!(result, sys::CUresult::CUDA_SUCCESS, stringify!($call));
    }};
}
pub(crate) use cu;

/// A context beside the primary one.
pub struct Context(sys::CUcontext);

impl Context {
    pub fn new() -> Self {
        cu!(cuInit(0));
        let mut context = null_mut();
        cu!(cuCtxCreate_v2(&mut context, 0, 0));
        let this = Self(context);
        this.leave();
        this
    }

    fn leave(&self) {
        let mut context = null_mut();
        cu!(cuCtxPopCurrent_v2(&mut context));
    }

    pub fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        cu!(cuCtxPushCurrent_v2(self.0));
        let done = work();
        self.leave();
        done
    }

    pub fn alloc(&self, len: usize) -> u64 {
        let mut address = 0;
        self.within(|| cu!(cuMemAlloc_v2(&mut address, len)));
        address
    }

    pub fn write(&self, address: u64, bytes: &[u8]) {
        self.within(|| {
            cu!(cuMemcpyHtoD_v2(address, bytes.as_ptr().cast(), bytes.len()));
            cu!(cuCtxSynchronize());
        });
    }

    pub fn free(&self, address: u64) {
        self.within(|| cu!(cuMemFree_v2(address)));
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        cu!(cuCtxDestroy_v2(self.0));
    }
}

/// Maps of [`Foreign`] memories that are not undone.
pub static MAPPED: AtomicUsize = AtomicUsize::new(0);

#[repr(C)]
struct Memory {
    base: GstMemory,
    address: u64,
}

const MAP_CUDA: u32 = gst::ffi::GST_MAP_FLAG_LAST << 1;

unsafe extern "C" fn mem_map(memory: *mut GstMemory, _: usize, flags: GstMapFlags) -> gpointer {
    if flags & MAP_CUDA == 0 {
        return null_mut();
    }
    MAPPED.fetch_add(1, Ordering::SeqCst);
    // SAFETY: GStreamer calls this for memories of this allocator only.
    let address = unsafe { (*memory.cast::<Memory>()).address };
    address as gpointer
}

unsafe extern "C" fn mem_unmap(_: *mut GstMemory) {
    MAPPED.fetch_sub(1, Ordering::SeqCst);
}

mod imp {
    use super::*;

    #[derive(Default)]
    pub struct Foreign;

    #[glib::object_subclass]
    impl ObjectSubclass for Foreign {
        const NAME: &'static str = "GpuTestsForeignAllocator";
        type Type = super::Foreign;
        type ParentType = gst::Allocator;

        fn instance_init(object: &glib::subclass::InitializingObject<Self>) {
            let allocator = object.as_ptr().cast::<GstAllocator>();
            // SAFETY: the instance begins with its parent struct and is nobody else's yet.
            let allocator = unsafe { &mut *allocator };
            allocator.mem_map = Some(mem_map);
            allocator.mem_unmap = Some(mem_unmap);
            allocator.object.flags |= gst::ffi::GST_ALLOCATOR_FLAG_CUSTOM_ALLOC;
        }
    }

    impl ObjectImpl for Foreign {}
    impl GstObjectImpl for Foreign {}

    // SAFETY: `free` releases what `wrap` made.
    unsafe impl AllocatorImpl for Foreign {
        unsafe fn alloc(&self, _: usize, _: &gst::AllocationParams) -> *mut GstMemory {
            null_mut()
        }

        unsafe fn free(&self, memory: *mut GstMemory) {
            // SAFETY: made as a box, and the last reference is gone.
            drop(unsafe { Box::from_raw(memory.cast::<Memory>()) });
        }
    }
}

glib::wrapper! {
    /// Hands out addresses as they are; whoever has them frees what is there.
    pub struct Foreign(ObjectSubclass<imp::Foreign>) @extends gst::Allocator, gst::Object;
}

impl Foreign {
    pub fn new(memory_type: &'static std::ffi::CStr) -> Self {
        gst::init().unwrap();
        let this: Self = glib::Object::new();
        let raw = this.upcast_ref::<gst::Allocator>().as_ptr();
        // SAFETY: nobody else has the allocator yet.
        unsafe { (*raw).mem_type = memory_type.as_ptr() };
        this
    }

    pub fn wrap(&self, address: u64, size: usize) -> gst::Memory {
        let memory = Box::into_raw(Box::new(Memory {
            // SAFETY: a C struct of numbers and pointers.
            base: unsafe { std::mem::zeroed() },
            address,
        }));
        let base = memory.cast::<GstMemory>();
        let raw = self.upcast_ref::<gst::Allocator>().as_ptr();
        // SAFETY: the memory is nobody else's; its allocator knows what it is.
        unsafe { gst::ffi::gst_memory_init(base, 0, raw, null_mut(), size, 0, 0, size) };
        // SAFETY: a new memory with one reference.
        unsafe { from_glib_full(base) }
    }
}
