// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The bytes behind one memory: header, list of surfaces, pixels.

#![allow(unsafe_code)]

use std::alloc::Layout as AllocLayout;
use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::ptr::{NonNull, null_mut};
use std::sync::Arc;

use super::{NvmmError, Place, Spec};
use crate::frame::card::PITCH_ALIGN;
use crate::mem::cuda::{self, Memory};
use crate::mem::sys::surface::{
    Layout, MAX_PLANES, PARAMS_ROOM, ParamsC, ParamsHead, PlaneParams, SurfaceC, SurfaceHead,
};

/// Zeroed bytes on the heap that C code may write at any time: only ever used through pointers.
struct Bytes {
    start: NonNull<u8>,
    layout: AllocLayout,
}

impl Bytes {
    fn zeroed(size: usize, align: usize) -> Option<Self> {
        let layout = AllocLayout::from_size_align(size, align).ok()?;
        if size == 0 {
            return None;
        }
        // SAFETY: the size is not zero.
        let start = unsafe { std::alloc::alloc_zeroed(layout) };
        Some(Self {
            start: NonNull::new(start)?,
            layout,
        })
    }
}

impl Drop for Bytes {
    fn drop(&mut self) {
        // SAFETY: allocated in `zeroed` with this very layout.
        unsafe { std::alloc::dealloc(self.start.as_ptr(), self.layout) }
    }
}

/// The pixels of one surface.
enum Pixels {
    Host(Bytes),
    Card(Memory),
}

impl Pixels {
    /// All zeros.
    fn new(place: Place, size: usize) -> Result<Self, NvmmError> {
        let none = NvmmError::OutOfMemory { bytes: size };
        match place {
            Place::Host { .. } => Bytes::zeroed(size, PITCH_ALIGN).map(Self::Host).ok_or(none),
            Place::Card { gpu, kind } => {
                let mut memory = Memory::new(gpu, kind, size)?;
                memory.clear()?;
                Ok(Self::Card(memory))
            }
        }
    }

    fn address(&self) -> *mut c_void {
        match self {
            Self::Host(bytes) => bytes.start.as_ptr().cast(),
            Self::Card(memory) => memory.address() as *mut c_void,
        }
    }
}

/// What one NVMM memory owns. Consumers write into the header even when they map it for reading
/// (`numFilled`), so nothing here relies on what header and list say.
pub struct Block {
    /// The larger of the two headers. The smaller one is its first 64 bytes: what follows the
    /// pointer to the list is zero in both.
    header: UnsafeCell<SurfaceC>,
    params: Bytes,
    pixels: Vec<Pixels>,
    spec: Arc<Spec>,
}

// SAFETY: the pointers own what they point to; who may write when is up to the locks of GstMemory.
unsafe impl Send for Block {}
// SAFETY: as above: shared references give out pointers only.
unsafe impl Sync for Block {}

impl Block {
    pub fn new(spec: Arc<Spec>) -> Result<Box<Self>, NvmmError> {
        let batch = spec.batch() as usize;
        let size = spec.data_size() as usize;
        let bytes = PARAMS_ROOM * batch;
        let params =
            Bytes::zeroed(bytes, align_of::<ParamsC>()).ok_or(NvmmError::OutOfMemory { bytes })?;
        let pixels = (0..batch)
            .map(|_| Pixels::new(spec.place(), size))
            .collect::<Result<Vec<_>, _>>()?;
        let block = Box::new(Self {
            header: UnsafeCell::new(header(&spec, params.start.as_ptr())),
            params,
            pixels,
            spec,
        });
        // SAFETY: nobody else knows the block yet.
        unsafe { block.restore() };
        Ok(block)
    }

    pub fn spec(&self) -> &Arc<Spec> {
        &self.spec
    }

    pub fn header(&self) -> *mut SurfaceC {
        self.header.get()
    }

    /// The first byte of a surface in host memory, which has `spec().data_size()` of them.
    pub fn host_pixels(&self, index: usize) -> Option<NonNull<u8>> {
        match self.pixels.get(index)? {
            Pixels::Host(bytes) => Some(bytes.start),
            Pixels::Card(_) => None,
        }
    }

    /// The address for the card of a surface that lies there.
    pub fn card_pixels(&self, index: usize) -> Option<u64> {
        match self.pixels.get(index)? {
            Pixels::Host(_) => None,
            Pixels::Card(memory) => Some(memory.address()),
        }
    }

    /// Writes header and list anew, whatever consumers made of them.
    ///
    /// # Safety
    /// Nobody else may read or write header and list during the call.
    pub unsafe fn restore(&self) {
        let list = self.params.start.as_ptr();
        // SAFETY: the header is writable memory, and the caller has it to itself.
        unsafe { self.header().write(header(&self.spec, list)) };
        // SAFETY: the list has this size, and the caller has it to itself.
        unsafe { list.write_bytes(0, self.params.layout.size()) };
        let stride = self.spec.generation().params_size();
        for (index, pixels) in self.pixels.iter().enumerate() {
            let head = list.wrapping_add(index * stride).cast::<ParamsHead>();
            // SAFETY: within the list, which has room for as many params as there are surfaces,
            // and aligned, as every stride is a multiple of the alignment.
            unsafe { head.write(params(&self.spec, pixels.address())) };
        }
    }

    /// A block with pixels of its own. `numFilled` is kept; everything else is as new, since what
    /// a consumer may have put into the other fields (mapped addresses, images) is not ours to
    /// duplicate.
    pub fn duplicate(&self) -> Result<Box<Self>, NvmmError> {
        let copy = Self::new(self.spec.clone())?;
        let size = self.spec.data_size() as usize;
        for (from, to) in self.pixels.iter().zip(&copy.pixels) {
            match (from, to) {
                (Pixels::Host(from), Pixels::Host(to)) => {
                    // SAFETY: two allocations of `size` bytes each.
                    unsafe { to.start.copy_from_nonoverlapping(from.start, size) };
                }
                (Pixels::Card(from), Pixels::Card(to)) => cuda::copy::duplicate(from, to)?,
                // Both were made for the same place.
                _ => return Err(NvmmError::Map),
            }
        }
        // SAFETY: the header is initialised and aligned; a consumer may write it meanwhile, which
        // at worst gives either number.
        let head = unsafe { self.header().cast::<SurfaceHead>().read_volatile() };
        let filled = head.num_filled;
        if filled <= self.spec.batch() {
            // SAFETY: nobody else knows the copy yet.
            unsafe { (*copy.header()).head.num_filled = filled };
        }
        Ok(copy)
    }
}

fn header(spec: &Spec, list: *mut u8) -> SurfaceC {
    SurfaceC {
        head: SurfaceHead {
            gpu_id: spec.gpu_id(),
            batch_size: spec.batch(),
            num_filled: spec.batch(),
            // One allocation for each surface: a batch of several is not contiguous.
            is_contiguous: u8::from(spec.batch() == 1),
            pad0: [0; 3],
            mem_type: spec.mem_type(),
            pad1: 0,
            surface_list: list.cast(),
        },
        is_imported_buf: 0,
        pad: [0; 7],
        reserved: [null_mut(); 4],
    }
}

fn params(spec: &Spec, data: *mut c_void) -> ParamsHead {
    let mut planes = PlaneParams {
        num_planes: spec.planes().len() as u32,
        width: [0; MAX_PLANES],
        height: [0; MAX_PLANES],
        pitch: [0; MAX_PLANES],
        offset: [0; MAX_PLANES],
        psize: [0; MAX_PLANES],
        bytes_per_pix: [0; MAX_PLANES],
        pad: 0,
        reserved: [null_mut(); 16],
    };
    for (index, plane) in spec.planes().iter().enumerate().take(MAX_PLANES) {
        planes.width[index] = plane.width;
        planes.height[index] = plane.height;
        planes.pitch[index] = plane.pitch;
        planes.offset[index] = plane.offset;
        planes.psize[index] = plane.size;
        planes.bytes_per_pix[index] = plane.bytes_per_pixel;
    }
    ParamsHead {
        width: planes.width[0],
        height: planes.height[0],
        pitch: planes.pitch[0],
        color_format: spec.color_format(),
        layout: Layout::PITCH,
        pad0: 0,
        buffer_desc: 0,
        data_size: spec.data_size(),
        pad1: 0,
        data_ptr: data,
        plane_params: planes,
    }
}
