// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What the driver knows of an address: foreign structs are not believed.

#![allow(unsafe_code)]

use std::ffi::c_void;
use std::ops::Range;
use std::ptr::null_mut;

use cudarc::driver::sys;

use super::driver::check;
use super::{CudaError, Gpu};

/// Memory that CUDA knows.
#[derive(Debug, Clone)]
pub struct Known {
    pub(in crate::mem) context: sys::CUcontext,
    /// Whether the CPU can read it too.
    pub in_host: bool,
    pub managed: bool,
    /// The GPU that it was allocated for.
    pub ordinal: u32,
    /// The allocation it is part of.
    pub range: Range<u64>,
}

/// Asks for an address, which need not be one.
pub fn ask(gpu: Gpu, address: u64) -> Result<Known, CudaError> {
    use sys::CUpointer_attribute::*;
    let _bound = gpu.bind()?;
    let mut context: sys::CUcontext = null_mut();
    let mut memory_type = 0u32;
    let mut managed = 0u32;
    let mut ordinal = -1i32;
    let mut start = 0u64;
    let mut size = 0usize;
    let mut attributes = [
        CU_POINTER_ATTRIBUTE_CONTEXT,
        CU_POINTER_ATTRIBUTE_MEMORY_TYPE,
        CU_POINTER_ATTRIBUTE_IS_MANAGED,
        CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL,
        CU_POINTER_ATTRIBUTE_RANGE_START_ADDR,
        CU_POINTER_ATTRIBUTE_RANGE_SIZE,
    ];
    let mut values: [*mut c_void; 6] = [
        (&raw mut context).cast(),
        (&raw mut memory_type).cast(),
        (&raw mut managed).cast(),
        (&raw mut ordinal).cast(),
        (&raw mut start).cast(),
        (&raw mut size).cast(),
    ];
    // SAFETY: as many attributes as values, each of its type; the address is looked up, not read.
    let result = unsafe {
        sys::cuPointerGetAttributes(
            attributes.len() as u32,
            attributes.as_mut_ptr(),
            values.as_mut_ptr(),
            address,
        )
    };
    let unknown = || CudaError::Pointer(format!("{address:#x}"));
    match check("cuPointerGetAttributes", result) {
        Err(CudaError::Call {
            code: sys::CUresult::CUDA_ERROR_INVALID_VALUE,
            ..
        }) => return Err(unknown()),
        result => result?,
    }
    // For addresses that it does not know, this call succeeds and says nothing.
    let in_host = memory_type == sys::CUmemorytype::CU_MEMORYTYPE_HOST as u32;
    let on_card = memory_type == sys::CUmemorytype::CU_MEMORYTYPE_DEVICE as u32;
    let end = start.checked_add(size as u64).ok_or_else(unknown)?;
    if !(in_host || on_card) || !(start..end).contains(&address) {
        return Err(unknown());
    }
    Ok(Known {
        context,
        in_host,
        managed: managed != 0,
        ordinal: u32::try_from(ordinal).unwrap_or(gpu.ordinal()),
        range: start..end,
    })
}
