// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Owned memory that a GPU reaches.

#![allow(unsafe_code)]

use std::ptr::null_mut;
use std::sync::atomic::{AtomicU64, Ordering};

use cudarc::driver::sys;
use gst_video::VideoFormat;

use super::driver::check;
use super::shared::Mapped;
use super::{CardPlane, CardView, CardViewMut, CudaError, Gpu};

/// Where memory lies, after the memory types of surfaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// On the card. The CPU cannot read it.
    Device,
    /// In the host, where the card can fetch it.
    Pinned,
    /// Wherever it was used last.
    Unified,
    /// On the card, and other processes can be given it.
    Exportable,
    /// Another process's, on the card, to be read.
    Imported,
}

/// One allocation.
#[derive(Debug)]
pub struct Memory {
    gpu: Gpu,
    kind: Kind,
    address: u64,
    len: usize,
    serial: u64,
    /// Of memory that is shared.
    pub(super) mapped: Option<Mapped>,
}

/// A number that no other memory of this process has or had.
fn serial() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Memory {
    /// Memory with undefined contents. What is exportable takes up more than `len` bytes, in
    /// [steps](Self::shared_size) that are the card's.
    pub fn new(gpu: Gpu, kind: Kind, len: usize) -> Result<Self, CudaError> {
        let _bound = gpu.bind()?;
        Self::allocate(gpu, kind, len).map_err(|error| match error {
            CudaError::Call {
                code: sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY,
                ..
            } => {
                let (free, total) = gpu.memory().unwrap_or_default();
                CudaError::OutOfMemory {
                    ordinal: gpu.ordinal(),
                    bytes: len,
                    free,
                    total,
                }
            }
            other => other,
        })
    }

    fn allocate(gpu: Gpu, kind: Kind, len: usize) -> Result<Self, CudaError> {
        let mut address = 0;
        let mut host = null_mut();
        let (call, result) = match kind {
            Kind::Device => {
                // SAFETY: the pointer is valid, and there is a context.
                let result = unsafe { sys::cuMemAlloc_v2(&mut address, len) };
                ("cuMemAlloc", result)
            }
            Kind::Pinned => {
                let flags = sys::CU_MEMHOSTALLOC_PORTABLE;
                // SAFETY: as above.
                let result = unsafe { sys::cuMemHostAlloc(&mut host, len, flags) };
                address = host as u64;
                ("cuMemHostAlloc", result)
            }
            Kind::Unified => {
                let flags = sys::CUmemAttach_flags::CU_MEM_ATTACH_GLOBAL as u32;
                // SAFETY: as above.
                let result = unsafe { sys::cuMemAllocManaged(&mut address, len, flags) };
                ("cuMemAllocManaged", result)
            }
            Kind::Exportable => {
                let mapped = Mapped::new(gpu, len)?;
                return Ok(Self::of_mapped(gpu, kind, mapped, len));
            }
            // There is nothing to be imported.
            Kind::Imported => return Err(CudaError::ReadOnly),
        };
        check(call, result)?;
        Ok(Self {
            gpu,
            kind,
            address,
            len,
            serial: serial(),
            mapped: None,
        })
    }

    /// `len` is at most what is mapped.
    pub(super) fn of_mapped(gpu: Gpu, kind: Kind, mapped: Mapped, len: usize) -> Self {
        Self {
            gpu,
            kind,
            address: mapped.address(),
            len,
            serial: serial(),
            mapped: Some(mapped),
        }
    }

    /// Memory on the card with these contents.
    pub fn of_bytes(gpu: Gpu, bytes: &[u8]) -> Result<Self, CudaError> {
        let mut memory = Self::new(gpu, Kind::Device, bytes.len().max(1))?;
        memory.write(bytes)?;
        Ok(memory)
    }

    /// Replaces the first bytes, and waits for it. Nothing that is queued may use them.
    ///
    /// # Panics
    /// If there are more of them than there is memory.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), CudaError> {
        assert!(bytes.len() <= self.len);
        self.check_writable()?;
        let _bound = self.gpu.bind()?;
        // SAFETY: the memory has as many bytes, and the call waits for the copy.
        let result =
            unsafe { sys::cuMemcpyHtoD_v2(self.address, bytes.as_ptr().cast(), bytes.len()) };
        check("cuMemcpyHtoD", result)?;
        self.wait_for_default_stream()
    }

    /// Sets all bytes to zero.
    pub fn clear(&mut self) -> Result<(), CudaError> {
        self.check_writable()?;
        let _bound = self.gpu.bind()?;
        // SAFETY: all of the memory and no more.
        let result = unsafe { sys::cuMemsetD8_v2(self.address, 0, self.len) };
        check("cuMemsetD8", result)?;
        self.wait_for_default_stream()
    }

    /// The calls without a stream may return before the card is done.
    fn wait_for_default_stream(&self) -> Result<(), CudaError> {
        // SAFETY: the legacy default stream of the context that is current.
        check("cuStreamSynchronize", unsafe {
            sys::cuStreamSynchronize(null_mut())
        })
    }

    fn check_writable(&self) -> Result<(), CudaError> {
        match self.kind {
            Kind::Imported => Err(CudaError::ReadOnly),
            _ => Ok(()),
        }
    }

    pub fn gpu(&self) -> Gpu {
        self.gpu
    }

    /// Tells it from all other memory that this process has or had.
    pub fn serial(&self) -> u64 {
        self.serial
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// For the card. Pinned and unified memory has the same for the CPU.
    pub fn address(&self) -> u64 {
        self.address
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A picture in this memory: its planes by offset and pitch.
    pub fn view(
        &self,
        format: VideoFormat,
        size: (usize, usize),
        planes: &[(usize, usize)],
    ) -> Result<CardView<'_>, CudaError> {
        let placed = self.place(planes);
        let range = self.address..self.address + self.len as u64;
        Ok(CardView::new(format, size, &placed, range)?)
    }

    pub fn view_mut(
        &mut self,
        format: VideoFormat,
        size: (usize, usize),
        planes: &[(usize, usize)],
    ) -> Result<CardViewMut<'_>, CudaError> {
        self.check_writable()?;
        let placed = self.place(planes);
        let range = self.address..self.address + self.len as u64;
        Ok(CardViewMut::new(format, size, &placed, range)?)
    }

    fn place(&self, planes: &[(usize, usize)]) -> Vec<CardPlane> {
        let place = |(offset, pitch): &(usize, usize)| CardPlane {
            address: self.address.saturating_add(*offset as u64),
            pitch: *pitch,
        };
        planes.iter().map(place).collect()
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let Ok(_bound) = self.gpu.bind() else {
            return;
        };
        if let Some(mapped) = self.mapped.take() {
            // Taking memory from its address waits for nothing.
            // SAFETY: there is a context.
            let _ = unsafe { sys::cuCtxSynchronize() };
            drop(mapped);
            return;
        }
        // After an error of the card there is nothing to be done about memory.
        let _ = match self.kind {
            // SAFETY: allocated by cuMemAlloc; the call waits for work that uses it.
            Kind::Device => unsafe { sys::cuMemFree_v2(self.address) },
            // SAFETY: allocated by cuMemAllocManaged; as above.
            Kind::Unified => unsafe { sys::cuMemFree_v2(self.address) },
            // Those are mapped, above.
            Kind::Exportable | Kind::Imported => return,
            Kind::Pinned => {
                // The card may still be reading it.
                // SAFETY: there is a context.
                let _ = unsafe { sys::cuCtxSynchronize() };
                // SAFETY: allocated by cuMemHostAlloc, and nobody has it any more.
                unsafe { sys::cuMemFreeHost(self.address as *mut _) }
            }
        };
    }
}

/// Pinned memory as the CPU sees it. There is no other way for it to get hold of the bytes than
/// these references, and what the card still does to them is up to [whoever queued it](super).
impl AsRef<[u8]> for Pinned {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: host memory of this size, initialised in `new`.
        unsafe { std::slice::from_raw_parts(self.0.address as *const u8, self.0.len) }
    }
}

impl AsMut<[u8]> for Pinned {
    fn as_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and there is no other reference.
        unsafe { std::slice::from_raw_parts_mut(self.0.address as *mut u8, self.0.len) }
    }
}

/// Host memory that the card can fetch from and store to by itself.
#[derive(Debug)]
pub struct Pinned(Memory);

impl Pinned {
    /// Memory of zeros.
    pub fn new(gpu: Gpu, len: usize) -> Result<Self, CudaError> {
        let memory = Memory::new(gpu, Kind::Pinned, len.max(1))?;
        // SAFETY: host memory of this size.
        unsafe { (memory.address as *mut u8).write_bytes(0, memory.len) };
        Ok(Self(memory))
    }
}
