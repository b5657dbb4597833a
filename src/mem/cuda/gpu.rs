// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Devices and their primary contexts.

#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::marker::PhantomData;
use std::os::fd::AsFd;
use std::ptr::null_mut;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cudarc::driver::sys;
use once_cell::sync::OnceCell;

use super::driver::{check, probe};
use super::{CudaError, Kind, Memory, Stream, shared};

/// A device with its primary context. The context is kept until the process ends, as the CUDA
/// runtime keeps it: making it anew takes a good part of a second.
#[derive(Clone, Copy)]
pub struct Gpu(&'static Inner);

struct Inner {
    ordinal: u32,
    device: sys::CUdevice,
    context: sys::CUcontext,
    loaded: Mutex<Loaded>,
    copies: OnceCell<Stream>,
    /// Whether its memory can be exported, once that is known.
    exports: OnceCell<Result<(), CudaError>>,
    uuid: OnceCell<[u8; 16]>,
}

/// What of our kernels was asked for so far. The names are those of sources and kernels.
#[derive(Default)]
struct Loaded {
    modules: BTreeMap<&'static str, sys::CUmodule>,
    functions: BTreeMap<(&'static str, &'static CStr), sys::CUfunction>,
}

// SAFETY: contexts, modules and functions can be used by any thread.
unsafe impl Send for Inner {}
// SAFETY: as above; what changes is behind locks.
unsafe impl Sync for Inner {}

/// A context that is current on this thread until this is dropped, and then the one before it.
///
/// Every call binds what it needs. Around several calls, binding once spares them the driver's locks,
/// for which threads that work on one GPU contend.
#[must_use]
#[derive(Debug)]
pub struct Bound {
    pushed: bool,
    /// Contexts are current on one thread.
    thread: PhantomData<*mut ()>,
}

impl Bound {
    /// # Safety
    /// The context must live as long as the result.
    pub(in crate::mem) unsafe fn to(context: sys::CUcontext) -> Result<Self, CudaError> {
        let mut current = null_mut();
        // SAFETY: the pointer is valid.
        check("cuCtxGetCurrent", unsafe {
            sys::cuCtxGetCurrent(&mut current)
        })?;
        let pushed = current != context;
        if pushed {
            // SAFETY: a live context, by the caller.
            let result = unsafe { sys::cuCtxPushCurrent_v2(context) };
            check("cuCtxPushCurrent", result)?;
        }
        Ok(Self {
            pushed,
            thread: PhantomData,
        })
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        if !self.pushed {
            return;
        }
        let mut context = null_mut();
        // SAFETY: pops what `to` pushed on this very thread, as the type cannot be sent.
        let _ = unsafe { sys::cuCtxPopCurrent_v2(&mut context) };
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `index` is below the number of devices.
fn device(index: i32) -> Result<sys::CUdevice, CudaError> {
    let mut device = 0;
    // SAFETY: the pointer is valid, and CUDA is initialised.
    let result = unsafe { sys::cuDeviceGet(&mut device, index) };
    check("cuDeviceGet", result)?;
    Ok(device)
}

fn uuid(device: sys::CUdevice) -> Result<[u8; 16], CudaError> {
    let mut uuid = sys::CUuuid { bytes: [0; 16] };
    // SAFETY: the pointer is valid, and so is the device.
    let result = unsafe { sys::cuDeviceGetUuid_v2(&mut uuid, device) };
    check("cuDeviceGetUuid", result)?;
    Ok(uuid.bytes.map(|byte| byte as u8))
}

/// Those that are opened, by number.
static GPUS: Mutex<BTreeMap<u32, Gpu>> = Mutex::new(BTreeMap::new());

impl Gpu {
    /// The device with this number, of those that are visible.
    pub fn get(ordinal: u32) -> Result<Self, CudaError> {
        let mut gpus = lock(&GPUS);
        if let Some(gpu) = gpus.get(&ordinal) {
            return Ok(*gpu);
        }
        let gpu = Self::open(ordinal)?;
        gpus.insert(ordinal, gpu);
        Ok(gpu)
    }

    /// Those that this process has opened.
    pub fn opened() -> Vec<Self> {
        lock(&GPUS).values().copied().collect()
    }

    fn open(ordinal: u32) -> Result<Self, CudaError> {
        let devices = probe()?.devices;
        let none = CudaError::NoSuchDevice { ordinal, devices };
        let index = i32::try_from(ordinal).map_err(|_| none.clone())?;
        if ordinal >= devices {
            return Err(none);
        }
        let device = device(index)?;
        let mut context = null_mut();
        // SAFETY: the pointer is valid, and so is the device.
        let result = unsafe { sys::cuDevicePrimaryCtxRetain(&mut context, device) };
        check("cuDevicePrimaryCtxRetain", result)?;
        Ok(Self(Box::leak(Box::new(Inner {
            ordinal,
            device,
            context,
            loaded: Mutex::default(),
            copies: OnceCell::new(),
            exports: OnceCell::new(),
            uuid: OnceCell::new(),
        }))))
    }

    /// The visible device with this [UUID](Self::uuid).
    pub fn of_uuid(wanted: [u8; 16]) -> Result<Self, CudaError> {
        // Asked without a context, which costs memory on each of them.
        for ordinal in 0..probe()?.devices {
            if uuid(device(ordinal as i32)?)? == wanted {
                return Self::get(ordinal);
            }
        }
        Err(CudaError::NoSuchUuid { uuid: wanted })
    }

    /// The same in all processes, whatever devices they see in whatever order.
    pub fn uuid(self) -> Result<[u8; 16], CudaError> {
        let known = self.0.uuid.get_or_try_init(|| uuid(self.0.device));
        known.copied()
    }

    /// Whether its memory can be given to other processes.
    pub fn can_export(self) -> bool {
        self.check_export().is_ok()
    }

    /// Why its memory cannot be given to other processes. Tried out once.
    pub fn check_export(self) -> Result<(), CudaError> {
        let known = self
            .0
            .exports
            .get_or_try_init(|| match shared::try_out(self) {
                // Forbidden, for as long as the process lives.
                Err(error @ CudaError::NoSharing { .. }) => Ok(Err(error)),
                Err(error) => Err(error),
                Ok(()) => Ok(Ok(())),
            });
        known?.clone()
    }

    /// Why memory of other processes cannot be read on it. Tried out each time.
    pub fn check_import(self) -> Result<(), CudaError> {
        self.check_export()?;
        let memory = Memory::new(self, Kind::Exportable, 1)?;
        Memory::import(self, memory.export()?.as_fd(), memory.shared_size())?;
        Ok(())
    }

    /// As `gpu-id` counts.
    pub fn ordinal(self) -> u32 {
        self.0.ordinal
    }

    pub(super) fn device(self) -> sys::CUdevice {
        self.0.device
    }

    pub(in crate::mem) fn context(self) -> sys::CUcontext {
        self.0.context
    }

    /// Makes its context current on this thread.
    pub fn bind(self) -> Result<Bound, CudaError> {
        // SAFETY: a primary context that is never released.
        unsafe { Bound::to(self.0.context) }
    }

    /// 10 * major + minor of its compute capability.
    pub fn capability(self) -> Result<i32, CudaError> {
        use sys::CUdevice_attribute::*;
        let major = self.attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?;
        let minor = self.attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?;
        Ok(10 * major + minor)
    }

    pub(super) fn attribute(self, attribute: sys::CUdevice_attribute) -> Result<i32, CudaError> {
        let mut value = 0;
        // SAFETY: the pointer is valid, and so is the device.
        let result = unsafe { sys::cuDeviceGetAttribute(&mut value, attribute, self.0.device) };
        check("cuDeviceGetAttribute", result)?;
        Ok(value)
    }

    /// Free and total bytes of memory.
    pub fn memory(self) -> Result<(usize, usize), CudaError> {
        let _bound = self.bind()?;
        let (mut free, mut total) = (0, 0);
        // SAFETY: the pointers are valid, and there is a context.
        let result = unsafe { sys::cuMemGetInfo_v2(&mut free, &mut total) };
        check("cuMemGetInfo", result)?;
        Ok((free, total))
    }

    /// A stream for copies that are waited for at once, shared by all threads.
    pub fn copies(self) -> Result<&'static Stream, CudaError> {
        self.0.copies.get_or_try_init(|| Stream::ordered(self))
    }

    /// A kernel of a module, which is loaded first if need be. `ptx` ends with a zero.
    pub(super) fn function(
        self,
        module: &'static str,
        ptx: &'static CStr,
        name: &'static CStr,
    ) -> Result<sys::CUfunction, CudaError> {
        let mut loaded = lock(&self.0.loaded);
        if let Some(function) = loaded.functions.get(&(module, name)) {
            return Ok(*function);
        }
        let _bound = self.bind()?;
        let code = match loaded.modules.get(module) {
            Some(code) => *code,
            None => {
                let mut code = null_mut();
                // SAFETY: PTX with a zero at its end.
                let result = unsafe { sys::cuModuleLoadData(&mut code, ptx.as_ptr().cast()) };
                check("cuModuleLoadData", result)?;
                loaded.modules.insert(module, code);
                code
            }
        };
        let mut function = null_mut();
        // SAFETY: a loaded module and a string.
        let result = unsafe { sys::cuModuleGetFunction(&mut function, code, name.as_ptr()) };
        check("cuModuleGetFunction", result)?;
        loaded.functions.insert((module, name), function);
        Ok(function)
    }
}

impl PartialEq for Gpu {
    fn eq(&self, other: &Self) -> bool {
        self.0.ordinal == other.0.ordinal
    }
}

impl Eq for Gpu {}

impl std::fmt::Debug for Gpu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Gpu({})", self.0.ordinal)
    }
}
