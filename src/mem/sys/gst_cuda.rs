// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! GStreamer's memory on a GPU: the part of libgstcuda that is used, if this process has it loaded.

#![allow(unsafe_code)]

use std::ffi::{c_int, c_void};

use gst::ffi::GstMemory;
use gst::glib::ffi::{GFALSE, gboolean};
use gst_video::ffi::GstVideoInfo;
use libloading::os::unix::{Library, RTLD_LAZY};
use once_cell::sync::OnceCell;

/// What memory of libgstcuda is called. The plugin of GStreamer 1.20, which has no libgstcuda,
/// calls memory of another layout so.
pub const MEMORY_TYPE: &str = "gst.cuda.memory";

/// `GST_MAP_CUDA`, the same in 1.20 to 1.26: the address on the card instead of a copy of it all
/// in host memory. What was written to such a copy goes to the card first.
pub const MAP_CUDA: u32 = gst::ffi::GST_MAP_FLAG_LAST << 1;

/// `GstCudaMemory`, from 1.22 on; more follows.
#[repr(C)]
pub struct CudaMemoryHead {
    base: GstMemory,
    context: *mut c_void,
    /// With offsets and strides as they are on the card, all planes with the same pitch.
    pub info: GstVideoInfo,
}

/// Of glibc and musl, on the processors that there are NVIDIA drivers for.
const RTLD_NOLOAD: c_int = 4;

pub struct GstCuda {
    is_memory: unsafe extern "C" fn(*mut GstMemory) -> gboolean,
    /// Both from 1.24 on.
    waiting: Option<Waiting>,
}

#[derive(Clone, Copy)]
struct Waiting {
    stream: unsafe extern "C" fn(*mut GstMemory) -> *mut c_void,
    sync: unsafe extern "C" fn(*mut GstMemory),
}

impl GstCuda {
    /// The library, if somebody else has loaded it. There is no memory of its without.
    pub fn loaded() -> Option<&'static Self> {
        static LOADED: OnceCell<GstCuda> = OnceCell::new();
        LOADED.get_or_try_init(|| Self::find().ok_or(())).ok()
    }

    fn find() -> Option<Self> {
        let (name, flags) = ("libgstcuda-1.0.so.0", RTLD_LAZY | RTLD_NOLOAD);
        // SAFETY: nothing is loaded, so no initialisers run.
        let library = unsafe { Library::open(Some(name), flags) }.ok()?;
        // SAFETY: the type is that of gstcudamemory.h.
        let is_memory = *unsafe { library.get("gst_is_cuda_memory") }.ok()?;
        // SAFETY: as above; streams are not looked into.
        let stream = unsafe { library.get("gst_cuda_memory_get_stream") };
        // SAFETY: as above.
        let sync = unsafe { library.get("gst_cuda_memory_sync") };
        let waiting = match (stream, sync) {
            (Ok(stream), Ok(sync)) => Some(Waiting {
                stream: *stream,
                sync: *sync,
            }),
            _ => None,
        };
        // Never closed: its types stay registered.
        std::mem::forget(library);
        Some(Self { is_memory, waiting })
    }

    /// The head of a memory, if it is one of this library.
    pub fn head<'a>(&self, memory: &'a gst::MemoryRef) -> Option<&'a CudaMemoryHead> {
        if !memory.is_type(MEMORY_TYPE) {
            return None;
        }
        let raw = memory.as_ptr().cast_mut();
        // SAFETY: a live memory, of which only the allocator is looked at.
        if unsafe { (self.is_memory)(raw) } == GFALSE {
            return None;
        }
        // SAFETY: a memory of an allocator of the library begins with this.
        Some(unsafe { &*raw.cast::<CudaMemoryHead>() })
    }

    /// Waits until what was queued for this memory is done, and says whether that is certain. It
    /// is not before 1.24, and not for memory without a stream of its own: whoever writes that is
    /// to wait, and may have forgotten.
    pub fn wait(&self, head: &CudaMemoryHead) -> bool {
        let raw = (&raw const head.base).cast_mut();
        let Some(waiting) = self.waiting else {
            return false;
        };
        // SAFETY: a memory of the library.
        let stream = unsafe { (waiting.stream)(raw) };
        if stream.is_null() {
            return false;
        }
        // SAFETY: as above; it has a lock of its own.
        unsafe { (waiting.sync)(raw) };
        true
    }
}
