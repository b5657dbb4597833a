// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Whether there is a driver, and what its errors mean.

#![allow(unsafe_code)]

use cudarc::driver::sys;
use once_cell::sync::OnceCell;

use super::Kind;
use crate::frame::ViewError;

/// CUDA 12.0, as the driver spells it.
const OLDEST_VERSION: i32 = 12_000;

/// Why CUDA cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CudaError {
    #[error(
        "libcuda.so.1 was not found: install the NVIDIA driver, or start the container with GPU access (`--gpus all`)"
    )]
    NoLibrary,
    #[error(
        "the NVIDIA driver supports CUDA {}.{} only: install one for CUDA 12.0 or later",
        .version / 1000, .version % 1000 / 10
    )]
    TooOld { version: i32 },
    #[error(
        "the NVIDIA driver found no GPU: make one visible (CUDA_VISIBLE_DEVICES, `--gpus all`)"
    )]
    NoDevice,
    #[error(
        "there is no GPU {ordinal}: {devices} can be seen, counted from 0; set gpu-id accordingly, or make more visible (CUDA_VISIBLE_DEVICES)"
    )]
    NoSuchDevice { ordinal: u32, devices: u32 },
    #[error(
        "no memory for {bytes} bytes on GPU {ordinal} ({} MiB of {} MiB are free): use fewer or smaller frames (pool-size, queue-size, workers), or end what else uses the GPU",
        .free >> 20, .total >> 20
    )]
    OutOfMemory {
        ordinal: u32,
        bytes: usize,
        free: usize,
        total: usize,
    },
    #[error("{call} failed: {code:?} ({}){}", *.code as u32, remedy(*.code))]
    Call {
        call: &'static str,
        code: sys::CUresult,
    },
    #[error("{0} is no memory that CUDA knows, or not all of it")]
    Pointer(String),
    #[error(
        "GPU {ordinal} shares no memory with other processes ({cause}): hand frames over in system memory"
    )]
    NoSharing { ordinal: u32, cause: String },
    #[error(
        "what came from another process is not {bytes} bytes of memory of GPU {ordinal} ({cause}): let both processes use the same GPU, and see its UUID with `nvidia-smi -L`"
    )]
    Import {
        ordinal: u32,
        bytes: usize,
        cause: String,
    },
    #[error("{kind:?} memory cannot be given to other processes: allocate it as Exportable")]
    NotExportable { kind: Kind },
    #[error("memory of another process can only be read: copy the frame, and write to the copy")]
    ReadOnly,
    #[error(
        "the GPU with the UUID {} is not visible here: use the same on both sides (`nvidia-smi -L`, CUDA_VISIBLE_DEVICES, `--gpus`)",
        uuid_text(.uuid)
    )]
    NoSuchUuid { uuid: [u8; 16] },
    #[error("a picture does not lie within its memory: {0}")]
    View(#[from] ViewError),
}

impl CudaError {
    /// Whether every later call in this process fails as well.
    pub fn is_sticky(&self) -> bool {
        matches!(self, Self::Call { code, .. } if is_sticky(*code))
    }
}

/// As `nvidia-smi -L` spells it.
fn uuid_text(uuid: &[u8; 16]) -> String {
    format!("GPU-{}", uuid::Uuid::from_bytes(*uuid))
}

/// Errors that leave the context of a GPU unusable until the process ends.
fn is_sticky(code: sys::CUresult) -> bool {
    use sys::CUresult::*;
    matches!(
        code,
        CUDA_ERROR_ECC_UNCORRECTABLE
            | CUDA_ERROR_ILLEGAL_ADDRESS
            | CUDA_ERROR_LAUNCH_TIMEOUT
            | CUDA_ERROR_ASSERT
            | CUDA_ERROR_HARDWARE_STACK_ERROR
            | CUDA_ERROR_ILLEGAL_INSTRUCTION
            | CUDA_ERROR_MISALIGNED_ADDRESS
            | CUDA_ERROR_INVALID_ADDRESS_SPACE
            | CUDA_ERROR_INVALID_PC
            | CUDA_ERROR_LAUNCH_FAILED
            | CUDA_ERROR_EXTERNAL_DEVICE
    )
}

fn remedy(code: sys::CUresult) -> &'static str {
    use sys::CUresult::*;
    match code {
        code if is_sticky(code) => {
            ": the GPU stopped this process, by whatever of it faulted; start it again, and look at \
             `dmesg` and `compute-sanitizer` for the cause"
        }
        CUDA_ERROR_OUT_OF_MEMORY => {
            ": no memory is left on the GPU; use fewer or smaller frames (pool-size, queue-size, \
             workers), or end what else uses the GPU"
        }
        CUDA_ERROR_INVALID_PTX
        | CUDA_ERROR_NO_BINARY_FOR_GPU
        | CUDA_ERROR_UNSUPPORTED_PTX_VERSION => {
            ": the GPU must be of compute capability 7.0 or newer, and the driver 535 or newer"
        }
        CUDA_ERROR_NOT_INITIALIZED
        | CUDA_ERROR_DEINITIALIZED
        | CUDA_ERROR_UNKNOWN
        | CUDA_ERROR_SYSTEM_DRIVER_MISMATCH
        | CUDA_ERROR_SYSTEM_NOT_READY => {
            ": check with `nvidia-smi` that driver and kernel module fit together"
        }
        _ => "",
    }
}

/// A driver that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Driver {
    /// 1000 * major + 10 * minor of the newest CUDA it supports.
    pub version: i32,
    /// Number of GPUs.
    pub devices: u32,
}

/// Opens the driver once. A failure is not remembered: the next call tries again.
pub fn probe() -> Result<Driver, CudaError> {
    static DRIVER: OnceCell<Driver> = OnceCell::new();
    DRIVER.get_or_try_init(open).copied()
}

pub(super) fn check(call: &'static str, result: sys::CUresult) -> Result<(), CudaError> {
    match result {
        sys::CUresult::CUDA_SUCCESS => Ok(()),
        sys::CUresult::CUDA_ERROR_NO_DEVICE => Err(CudaError::NoDevice),
        code => Err(CudaError::Call { call, code }),
    }
}

fn open() -> Result<Driver, CudaError> {
    // Every other function of cudarc panics without the library.
    // SAFETY: opening libcuda runs its initialisers, which is what it is for.
    if !unsafe { sys::is_culib_present() } {
        return Err(CudaError::NoLibrary);
    }
    let mut version = 0;
    // SAFETY: the pointer is valid; this call is allowed before cuInit.
    let result = unsafe { sys::cuDriverGetVersion(&mut version) };
    check("cuDriverGetVersion", result)?;
    if version < OLDEST_VERSION {
        return Err(CudaError::TooOld { version });
    }
    // SAFETY: the flags must be 0 and are.
    let result = unsafe { sys::cuInit(0) };
    check("cuInit", result)?;
    let mut devices = 0;
    // SAFETY: the pointer is valid, and CUDA is initialised.
    let result = unsafe { sys::cuDeviceGetCount(&mut devices) };
    check("cuDeviceGetCount", result)?;
    match u32::try_from(devices) {
        Ok(devices @ 1..) => Ok(Driver { version, devices }),
        _ => Err(CudaError::NoDevice),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probing_never_panics_and_says_what_is_missing() {
        match probe() {
            Ok(driver) => assert!(driver.devices > 0 && driver.version >= OLDEST_VERSION),
            Err(error) => assert!(error.to_string().contains(':'), "{error}"),
        }
    }

    #[test]
    fn versions_are_readable() {
        assert!(
            CudaError::TooOld { version: 11_080 }
                .to_string()
                .contains("CUDA 11.8 only")
        );
    }
}
