// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The driver as another program uses it: contexts, memory and work of its own, without the code
//! that is tested.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::null_mut;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cudarc::driver::sys::{self, CUresult, CUstream};

/// A call of the driver that must succeed.
macro_rules! cu {
    ($call:ident ( $($argument:expr),* $(,)? )) => {{
        // SAFETY: out pointers are those of locals, handles are alive, and ranges within what the
        // types here own.
        let result = unsafe { sys::$call($($argument),*) };
        assert_eq!(result, CUresult::CUDA_SUCCESS, stringify!($call));
    }};
}

unsafe extern "C" {
    fn dlopen(name: *const c_char, flags: c_int) -> *mut c_void;
    fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
}

const RTLD_LAZY: c_int = 1;

/// Whether a library can be loaded.
pub fn has_library(name: &CStr) -> bool {
    // SAFETY: the name ends with a zero. Libraries of NVIDIA's may be loaded at any time.
    let library = unsafe { dlopen(name.as_ptr(), RTLD_LAZY) };
    !library.is_null()
}

/// A function that only the stand-in has.
fn of_standin(name: &CStr) -> Option<*mut c_void> {
    // SAFETY: as above.
    let library = unsafe { dlopen(c"libcuda.so.1".as_ptr(), RTLD_LAZY) };
    if library.is_null() {
        return None;
    }
    // SAFETY: the library is open, and stays open.
    let symbol = unsafe { dlsym(library, name.as_ptr()) };
    (!symbol.is_null()).then_some(symbol)
}

/// Whether the driver is the stand-in.
pub fn is_standin() -> bool {
    of_standin(c"standin_count").is_some()
}

/// How often a function of the driver was called; `None` on a card, which does not count.
pub fn calls(function: &CStr) -> Option<u64> {
    let count = of_standin(c"standin_count")?;
    type Count = unsafe extern "C" fn(*const c_char) -> u64;
    // SAFETY: that is its signature.
    let count = unsafe { std::mem::transmute::<*mut c_void, Count>(count) };
    // SAFETY: the name ends with a zero.
    Some(unsafe { count(function.as_ptr()) })
}

type Fail = unsafe extern "C" fn(*const c_char, u32, c_int, c_int);

/// Allocations of this process; `None` on a card, which does not tell.
pub fn allocations() -> Option<u64> {
    let count = of_standin(c"standin_allocations")?;
    type Count = unsafe extern "C" fn() -> u64;
    // SAFETY: that is its signature.
    let count = unsafe { std::mem::transmute::<*mut c_void, Count>(count) };
    // SAFETY: it takes nothing.
    Some(unsafe { count() })
}

/// Has a function of the stand-in fail at its `nth` call from now on, each if 0; with
/// `CUDA_SUCCESS` no more.
pub fn fail(function: &CStr, nth: u32, code: CUresult) {
    let fail = of_standin(c"standin_fail").expect("not the stand-in");
    // SAFETY: that is its signature.
    let fail = unsafe { std::mem::transmute::<*mut c_void, Fail>(fail) };
    // SAFETY: the name ends with a zero.
    unsafe { fail(function.as_ptr(), nth, code as c_int, 0) };
}

pub fn devices() -> u32 {
    gstdsframe::mem::cuda::probe().map_or(0, |driver| driver.devices)
}

/// A context of the driver, current on the threads that use it only while they do.
pub struct Context {
    handle: sys::CUcontext,
    is_own: bool,
}

// SAFETY: the driver's contexts belong to no thread.
unsafe impl Send for Context {}
// SAFETY: as above; the driver locks.
unsafe impl Sync for Context {}

impl Context {
    fn device(ordinal: u32) -> sys::CUdevice {
        gstdsframe::mem::cuda::probe().unwrap();
        let mut device = 0;
        cu!(cuDeviceGet(&mut device, ordinal as i32));
        device
    }

    /// The one that everybody shares.
    pub fn primary(ordinal: u32) -> Arc<Self> {
        let device = Self::device(ordinal);
        let mut handle = null_mut();
        // Never released: the plugin keeps it as well.
        cu!(cuDevicePrimaryCtxRetain(&mut handle, device));
        let is_own = false;
        Arc::new(Self { handle, is_own })
    }

    /// One of our own, as GStreamer's elements have.
    pub fn own(ordinal: u32) -> Arc<Self> {
        let device = Self::device(ordinal);
        let mut handle = null_mut();
        cu!(cuCtxCreate_v2(&mut handle, 0, device));
        let mut popped = null_mut();
        cu!(cuCtxPopCurrent_v2(&mut popped));
        let is_own = true;
        Arc::new(Self { handle, is_own })
    }

    fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        cu!(cuCtxPushCurrent_v2(self.handle));
        let result = work();
        let mut popped = null_mut();
        cu!(cuCtxPopCurrent_v2(&mut popped));
        result
    }

    pub fn free_bytes(&self) -> usize {
        let (mut free, mut total) = (0, 0);
        self.within(|| cu!(cuMemGetInfo_v2(&mut free, &mut total)));
        free
    }

    pub fn synchronize(&self) {
        self.within(|| cu!(cuCtxSynchronize()));
    }

    /// Memory on the card, if there is so much.
    pub fn try_alloc(self: &Arc<Self>, len: usize) -> Option<Memory> {
        let mut address = 0;
        // SAFETY: the out pointer is that of a local, and a context is current.
        let result = self.within(|| unsafe { sys::cuMemAlloc_v2(&mut address, len) });
        (result == CUresult::CUDA_SUCCESS).then(|| Memory {
            context: self.clone(),
            address,
            len,
        })
    }

    pub fn upload(self: &Arc<Self>, bytes: &[u8]) -> Memory {
        let memory = self.try_alloc(bytes.len()).expect("no memory on the card");
        memory.write(bytes);
        memory
    }

    /// A stream that waits for no other.
    pub fn stream(&self) -> Stream {
        let mut stream = null_mut();
        let flags = sys::CUstream_flags::CU_STREAM_NON_BLOCKING as u32;
        self.within(|| cu!(cuStreamCreate(&mut stream, flags)));
        Stream(stream)
    }

    /// Work that keeps a stream busy for some tens of milliseconds, and then `to` gets the bytes of
    /// `from`. Returns before that has happened.
    pub fn copy_late(self: &Arc<Self>, stream: &Stream, from: &Memory, to: &Memory, busy: &Busy) {
        assert_eq!(from.len, to.len);
        self.within(|| {
            for _ in 0..busy.times {
                let scratch = &busy.scratch;
                cu!(cuMemsetD8Async(scratch.address, 1, scratch.len, stream.0));
            }
            cu!(cuMemcpyDtoDAsync_v2(
                to.address,
                from.address,
                from.len,
                stream.0
            ));
        });
    }

    /// What [`copy_late`](Self::copy_late) needs.
    pub fn busy(self: &Arc<Self>) -> Busy {
        const LENGTH: Duration = Duration::from_millis(60);
        let len = if is_standin() { 4 << 20 } else { 256 << 20 };
        let scratch = self.try_alloc(len).expect("no memory on the card");
        let fill = || self.within(|| cu!(cuMemsetD8_v2(scratch.address, 1, scratch.len)));
        fill();
        self.synchronize();
        let begun = Instant::now();
        fill();
        self.synchronize();
        let once = begun.elapsed().max(Duration::from_micros(20));
        // As many launches as a stream takes without waiting.
        let times = (LENGTH.as_secs_f64() / once.as_secs_f64()).clamp(1.0, 800.0) as u32;
        Busy { scratch, times }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        if self.is_own {
            cu!(cuCtxDestroy_v2(self.handle));
        }
    }
}

/// Work that takes a while.
pub struct Busy {
    scratch: Memory,
    times: u32,
}

/// A stream, as long as its context.
pub struct Stream(CUstream);

impl Stream {
    /// The one that waits for all, and for which all wait that do not say otherwise.
    pub fn legacy() -> Self {
        Self(null_mut())
    }
}

/// Memory on the card.
pub struct Memory {
    context: Arc<Context>,
    address: u64,
    len: usize,
}

impl Memory {
    pub fn address(&self) -> u64 {
        self.address
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn context(&self) -> &Arc<Context> {
        &self.context
    }

    pub fn write(&self, bytes: &[u8]) {
        assert_eq!(bytes.len(), self.len);
        let source = bytes.as_ptr().cast();
        self.context
            .within(|| cu!(cuMemcpyHtoD_v2(self.address, source, self.len)));
    }

    pub fn read(&self) -> Vec<u8> {
        let mut bytes = vec![0u8; self.len];
        let target = bytes.as_mut_ptr().cast();
        self.context
            .within(|| cu!(cuMemcpyDtoH_v2(target, self.address, self.len)));
        bytes
    }

    /// Draws over all of it, as an element downstream may; done when it returns.
    pub fn fill(&self, value: u8) {
        self.context.within(|| {
            cu!(cuMemsetD8_v2(self.address, value, self.len));
            cu!(cuCtxSynchronize());
        });
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.context.within(|| cu!(cuMemFree_v2(self.address)));
    }
}

/// The card that is copied from next is lost to this process, and no other.
pub fn lose_next() {
    let fail = of_standin(c"standin_fail").expect("not the stand-in");
    // SAFETY: that is its signature.
    let fail = unsafe { std::mem::transmute::<*mut c_void, Fail>(fail) };
    let code = CUresult::CUDA_ERROR_LAUNCH_FAILED as c_int;
    // SAFETY: the name ends with a zero.
    unsafe { fail(c"cuMemcpy2DAsync".as_ptr(), 1, code, 1) };
}

/// Makes the card fault, so that no later call of this process succeeds. The last that a thread
/// does.
pub fn break_down(context: &Context) {
    if let Some(fail) = of_standin(c"standin_fail") {
        // SAFETY: that is its signature.
        let fail = unsafe { std::mem::transmute::<*mut c_void, Fail>(fail) };
        let code = CUresult::CUDA_ERROR_LAUNCH_FAILED as c_int;
        for function in [
            c"cuLaunchKernel",
            c"cuMemcpy2DAsync",
            c"cuMemcpyDtoHAsync",
            c"cuStreamSynchronize",
            c"cuEventSynchronize",
        ] {
            // SAFETY: the name ends with a zero.
            unsafe { fail(function.as_ptr(), 1, code, 1) };
        }
        return;
    }
    const TRAP: &CStr = c".version 7.0\n.target sm_70\n.address_size 64\n\
        .visible .entry fault()\n{\n\ttrap;\n\tret;\n}\n";
    // Nothing is popped: after a fault, that may fail as well. The thread is to end.
    cu!(cuCtxPushCurrent_v2(context.handle));
    let (mut module, mut function) = (null_mut(), null_mut());
    cu!(cuModuleLoadData(&mut module, TRAP.as_ptr().cast()));
    cu!(cuModuleGetFunction(
        &mut function,
        module,
        c"fault".as_ptr()
    ));
    let (stream, none) = (null_mut(), null_mut());
    cu!(cuLaunchKernel(
        function, 1, 1, 1, 1, 1, 1, 0, stream, none, none
    ));
    // SAFETY: no pointers.
    let result = unsafe { sys::cuCtxSynchronize() };
    assert_ne!(result, CUresult::CUDA_SUCCESS, "the kernel did not fault");
}
