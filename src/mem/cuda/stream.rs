// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The order in which a GPU works, and marks in it.

#![allow(unsafe_code)]

use std::ptr::null_mut;

use cudarc::driver::sys;

use super::driver::check;
use super::{CudaError, Gpu};

/// Work done one after another.
#[derive(Debug)]
pub struct Stream {
    gpu: Gpu,
    raw: sys::CUstream,
}

// SAFETY: streams can be used by any thread, also several at a time.
unsafe impl Send for Stream {}
// SAFETY: as above.
unsafe impl Sync for Stream {}

impl Stream {
    /// A stream that is ordered with the legacy default stream, on which other elements may work
    /// without waiting for it; done before that of independent streams where there is a choice.
    pub fn ordered(gpu: Gpu) -> Result<Self, CudaError> {
        let flags = sys::CUstream_flags::CU_STREAM_DEFAULT;
        Self::new(gpu, flags, |_least, greatest| greatest)
    }

    /// A stream that waits for no other.
    pub fn independent(gpu: Gpu) -> Result<Self, CudaError> {
        let flags = sys::CUstream_flags::CU_STREAM_NON_BLOCKING;
        Self::new(gpu, flags, |least, _greatest| least)
    }

    fn new(
        gpu: Gpu,
        flags: sys::CUstream_flags,
        priority: impl Fn(i32, i32) -> i32,
    ) -> Result<Self, CudaError> {
        let _bound = gpu.bind()?;
        let (mut least, mut greatest) = (0, 0);
        // SAFETY: the pointers are valid, and there is a context.
        let result = unsafe { sys::cuCtxGetStreamPriorityRange(&mut least, &mut greatest) };
        check("cuCtxGetStreamPriorityRange", result)?;
        let priority = priority(least, greatest);
        let mut raw = null_mut();
        // SAFETY: the pointer is valid, and there is a context.
        let result = unsafe { sys::cuStreamCreateWithPriority(&mut raw, flags as u32, priority) };
        check("cuStreamCreateWithPriority", result)?;
        Ok(Self { gpu, raw })
    }

    pub fn gpu(&self) -> Gpu {
        self.gpu
    }

    pub(in crate::mem) fn raw(&self) -> sys::CUstream {
        self.raw
    }

    /// Has what is queued from now on wait for what the event marked last.
    pub fn wait_for(&self, event: &Event) -> Result<(), CudaError> {
        let _bound = self.gpu.bind()?;
        // SAFETY: both live; the flags must be 0 and are.
        check("cuStreamWaitEvent", unsafe {
            sys::cuStreamWaitEvent(self.raw, event.raw, 0)
        })
    }

    /// Waits until all that was queued is done.
    pub fn synchronize(&self) -> Result<(), CudaError> {
        let _bound = self.gpu.bind()?;
        // SAFETY: a live stream.
        check("cuStreamSynchronize", unsafe {
            sys::cuStreamSynchronize(self.raw)
        })
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Ok(_bound) = self.gpu.bind() {
            // Work that is still queued is done nevertheless.
            // SAFETY: nobody else has the stream.
            let _ = unsafe { sys::cuStreamDestroy_v2(self.raw) };
        }
    }
}

/// A place in a stream that can be waited for.
#[derive(Debug)]
pub struct Event {
    gpu: Gpu,
    raw: sys::CUevent,
}

// SAFETY: events can be used by any thread.
unsafe impl Send for Event {}
// SAFETY: as above.
unsafe impl Sync for Event {}

impl Event {
    pub fn new(gpu: Gpu) -> Result<Self, CudaError> {
        let _bound = gpu.bind()?;
        let mut raw = null_mut();
        let flags = sys::CUevent_flags::CU_EVENT_DISABLE_TIMING as u32;
        // SAFETY: the pointer is valid, and there is a context.
        check("cuEventCreate", unsafe {
            sys::cuEventCreate(&mut raw, flags)
        })?;
        Ok(Self { gpu, raw })
    }

    /// Marks the end of what the stream has to do by now.
    pub fn record(&self, stream: &Stream) -> Result<(), CudaError> {
        let _bound = self.gpu.bind()?;
        // SAFETY: both live; a stream of another GPU is refused by the call.
        check("cuEventRecord", unsafe {
            sys::cuEventRecord(self.raw, stream.raw)
        })
    }

    /// Waits for what was marked last.
    pub fn synchronize(&self) -> Result<(), CudaError> {
        let _bound = self.gpu.bind()?;
        // SAFETY: a live event.
        check("cuEventSynchronize", unsafe {
            sys::cuEventSynchronize(self.raw)
        })
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        if let Ok(_bound) = self.gpu.bind() {
            // SAFETY: nobody else has the event.
            let _ = unsafe { sys::cuEventDestroy_v2(self.raw) };
        }
    }
}
