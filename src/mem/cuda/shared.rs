// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Memory that processes share: allocated apart from its addresses, and handed over as a file
//! descriptor, which a socket carries into any other container. The calls are part of every driver
//! that is [new enough](super::probe).

#![allow(unsafe_code)]

use std::ffi::c_void;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use cudarc::driver::sys::{self, CUmemAccess_flags as Access};
use rustix::io::{FdFlags, fcntl_setfd};

use super::driver::check;
use super::{CudaError, Gpu, Kind, Memory};

/// How memory is handed over.
const FD: sys::CUmemAllocationHandleType =
    sys::CUmemAllocationHandleType::CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR;

/// What the memory of one GPU is allocated like.
fn properties(gpu: Gpu) -> sys::CUmemAllocationProp {
    sys::CUmemAllocationProp {
        type_: sys::CUmemAllocationType::CU_MEM_ALLOCATION_TYPE_PINNED,
        requestedHandleTypes: FD,
        location: location(gpu),
        win32HandleMetaData: std::ptr::null_mut(),
        allocFlags: sys::CUmemAllocationProp_st__bindgen_ty_1 {
            compressionType: 0,
            gpuDirectRDMACapable: 0,
            usage: 0,
            reserved: [0; 4],
        },
    }
}

fn location(gpu: Gpu) -> sys::CUmemLocation {
    sys::CUmemLocation {
        type_: sys::CUmemLocationType::CU_MEM_LOCATION_TYPE_DEVICE,
        id: gpu.device(),
    }
}

/// What sizes are multiples of.
fn granularity(gpu: Gpu) -> Result<usize, CudaError> {
    let mut granularity = 0;
    let minimum = sys::CUmemAllocationGranularity_flags::CU_MEM_ALLOC_GRANULARITY_MINIMUM;
    let properties = properties(gpu);
    // SAFETY: the pointers are valid.
    let result =
        unsafe { sys::cuMemGetAllocationGranularity(&mut granularity, &properties, minimum) };
    check("cuMemGetAllocationGranularity", result)?;
    Ok(granularity.max(1))
}

/// Memory without an address.
#[derive(Debug)]
struct Physical(sys::CUmemGenericAllocationHandle);

impl Physical {
    /// `size` is a multiple of the granularity.
    fn new(gpu: Gpu, size: usize) -> Result<Self, CudaError> {
        let mut handle = 0;
        let properties = properties(gpu);
        // SAFETY: the pointers are valid, and the flags must be 0 and are.
        let result = unsafe { sys::cuMemCreate(&mut handle, size, &properties, 0) };
        check("cuMemCreate", result)?;
        Ok(Self(handle))
    }

    fn import(fd: BorrowedFd<'_>) -> Result<Self, CudaError> {
        let mut handle = 0;
        // The call takes the number itself for a pointer.
        let number = std::ptr::without_provenance_mut::<c_void>(fd.as_raw_fd() as usize);
        // SAFETY: the pointer is valid; the descriptor is open, and stays the caller's. What it is
        // of, the driver finds out.
        let result = unsafe { sys::cuMemImportFromShareableHandle(&mut handle, number, FD) };
        check("cuMemImportFromShareableHandle", result)?;
        Ok(Self(handle))
    }

    fn export(&self) -> Result<OwnedFd, CudaError> {
        let mut number = -1;
        let out = (&raw mut number).cast::<c_void>();
        // SAFETY: an int is what this type of handle takes, and the flags must be 0 and are.
        let result = unsafe { sys::cuMemExportToShareableHandle(out, self.0, FD, 0) };
        check("cuMemExportToShareableHandle", result)?;
        // SAFETY: a new descriptor, which is the caller's.
        let fd = unsafe { OwnedFd::from_raw_fd(number) };
        // Programs that are started have no business with it. If it stays open in one, the memory
        // lives longer, and nothing else.
        let _ = fcntl_setfd(&fd, FdFlags::CLOEXEC);
        Ok(fd)
    }
}

impl Drop for Physical {
    fn drop(&mut self) {
        // SAFETY: nobody else has the handle. The memory lives until nothing has it mapped.
        let _ = unsafe { sys::cuMemRelease(self.0) };
    }
}

/// Addresses that nothing else is given.
#[derive(Debug)]
struct Addresses {
    start: u64,
    size: usize,
}

impl Addresses {
    fn new(size: usize) -> Result<Self, CudaError> {
        let mut start = 0;
        // SAFETY: the pointer is valid, and the flags must be 0 and are.
        let result = unsafe { sys::cuMemAddressReserve(&mut start, size, 0, 0, 0) };
        check("cuMemAddressReserve", result)?;
        Ok(Self { start, size })
    }
}

impl Drop for Addresses {
    fn drop(&mut self) {
        // SAFETY: reserved by `new`, and what was mapped there no longer is.
        let _ = unsafe { sys::cuMemAddressFree(self.start, self.size) };
    }
}

/// Memory at its address. Nothing may use it any more when this is dropped.
#[derive(Debug)]
pub(super) struct Mapped {
    addresses: Addresses,
    physical: Physical,
}

impl Mapped {
    /// Memory for this process and others.
    pub(super) fn new(gpu: Gpu, len: usize) -> Result<Self, CudaError> {
        let granularity = granularity(gpu)?;
        let size = len.max(1).checked_next_multiple_of(granularity);
        // So much there is on no card: refused by the next call.
        let size = size.unwrap_or(usize::MAX - usize::MAX % granularity);
        let mapped = Self::map(Physical::new(gpu, size)?, size)?;
        mapped.allow(gpu, Access::CU_MEM_ACCESS_FLAGS_PROT_READWRITE)?;
        Ok(mapped)
    }

    /// Memory of another process, to be read.
    fn import(gpu: Gpu, fd: BorrowedFd<'_>, size: usize) -> Result<Self, CudaError> {
        let mapped = Self::map(Physical::import(fd)?, size)?;
        // Not every driver knows memory that can only be read.
        mapped
            .allow(gpu, Access::CU_MEM_ACCESS_FLAGS_PROT_READ)
            .or_else(|_| mapped.allow(gpu, Access::CU_MEM_ACCESS_FLAGS_PROT_READWRITE))?;
        Ok(mapped)
    }

    fn map(physical: Physical, size: usize) -> Result<Self, CudaError> {
        let addresses = Addresses::new(size)?;
        // SAFETY: addresses of this size, where nothing is mapped, and the offset and the flags
        // must be 0 and are. That the memory is as large, the driver checks.
        let result = unsafe { sys::cuMemMap(addresses.start, size, 0, physical.0, 0) };
        check("cuMemMap", result)?;
        Ok(Self {
            addresses,
            physical,
        })
    }

    fn allow(&self, gpu: Gpu, flags: Access) -> Result<(), CudaError> {
        let access = sys::CUmemAccessDesc {
            location: location(gpu),
            flags,
        };
        let Addresses { start, size } = self.addresses;
        // SAFETY: mapped by `map`, and one description.
        let result = unsafe { sys::cuMemSetAccess(start, size, &access, 1) };
        check("cuMemSetAccess", result)
    }

    pub(super) fn address(&self) -> u64 {
        self.addresses.start
    }

    pub(super) fn size(&self) -> usize {
        self.addresses.size
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        let Addresses { start, size } = self.addresses;
        // SAFETY: mapped by `map`, as a whole.
        let _ = unsafe { sys::cuMemUnmap(start, size) };
    }
}

impl Memory {
    /// A descriptor of the memory, which another process can [import](Self::import) for as long as
    /// the descriptor is open there, also after this process has ended.
    pub fn export(&self) -> Result<OwnedFd, CudaError> {
        match (&self.mapped, self.kind()) {
            (Some(mapped), Kind::Exportable) => mapped.physical.export(),
            _ => Err(CudaError::NotExportable { kind: self.kind() }),
        }
    }

    /// Maps what another process, or this one, has [exported](Self::export) on the same GPU: `size`
    /// bytes, as its [`shared_size`](Self::shared_size) says. The descriptor can be closed then.
    pub fn import(gpu: Gpu, fd: BorrowedFd<'_>, size: usize) -> Result<Self, CudaError> {
        let _bound = gpu.bind()?;
        let granularity = granularity(gpu)?;
        let refuse = |cause: String| CudaError::Import {
            ordinal: gpu.ordinal(),
            bytes: size,
            cause,
        };
        if size == 0 || !size.is_multiple_of(granularity) {
            return Err(refuse(format!("it comes in steps of {granularity} bytes")));
        }
        let mapped = Mapped::import(gpu, fd, size).map_err(|error| match error.is_sticky() {
            true => error,
            false => refuse(error.to_string()),
        })?;
        Ok(Self::of_mapped(gpu, Kind::Imported, mapped, size))
    }

    /// Bytes that are mapped for this and other processes: at least the length. 0 for memory that
    /// is not shared.
    pub fn shared_size(&self) -> usize {
        self.mapped.as_ref().map_or(0, Mapped::size)
    }
}

/// Tries out whether memory of a GPU can be exported: what it says of itself is not all, as
/// containers may forbid it.
pub(super) fn try_out(gpu: Gpu) -> Result<(), CudaError> {
    use sys::CUdevice_attribute::*;
    let refuse = |cause: String| CudaError::NoSharing {
        ordinal: gpu.ordinal(),
        cause,
    };
    for (attribute, name) in [
        (
            CU_DEVICE_ATTRIBUTE_VIRTUAL_ADDRESS_MANAGEMENT_SUPPORTED,
            "virtual memory",
        ),
        (
            CU_DEVICE_ATTRIBUTE_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR_SUPPORTED,
            "handles that are file descriptors",
        ),
    ] {
        if gpu.attribute(attribute)? == 0 {
            return Err(refuse(format!("it has no {name}")));
        }
    }
    let exported = Memory::new(gpu, Kind::Exportable, 1).and_then(|memory| memory.export());
    match exported {
        Ok(_) => Ok(()),
        // That may pass.
        Err(error @ CudaError::OutOfMemory { .. }) => Err(error),
        Err(error) if error.is_sticky() => Err(error),
        Err(error) => Err(refuse(error.to_string())),
    }
}
