// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The CUDA driver, if there is one. It is opened at run time: a machine without it is normal, and
//! never a reason to crash.

#![allow(unsafe_code)]

use cudarc::driver::sys;
use once_cell::sync::OnceCell;

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
        "{call} failed with CUDA error {code}: check with `nvidia-smi` that driver and kernel module fit together"
    )]
    Call { call: &'static str, code: u32 },
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

fn check(call: &'static str, result: sys::CUresult) -> Result<(), CudaError> {
    match result {
        sys::CUresult::CUDA_SUCCESS => Ok(()),
        sys::CUresult::CUDA_ERROR_NO_DEVICE => Err(CudaError::NoDevice),
        other => Err(CudaError::Call {
            call,
            code: other as u32,
        }),
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
