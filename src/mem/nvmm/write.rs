// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Filling surfaces of our own.

#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::Arc;

use gst::memory::Writable;

use super::{NvmmAllocator, NvmmError, Spec, SurfaceFault};
use crate::frame::{PlaneMut, ViewMut};

/// One surface, mapped for writing: nobody else can map the buffer meanwhile.
pub struct SurfaceWriter<'a> {
    index: usize,
    pixels: NonNull<u8>,
    spec: Arc<Spec>,
    _map: gst::MemoryMap<'a, Writable>,
    _pixels: PhantomData<&'a mut [u8]>,
}

/// Maps a surface of a buffer from our own pool. Fails if the buffer shares its pixels.
pub fn write(buffer: &mut gst::BufferRef, index: usize) -> Result<SurfaceWriter<'_>, NvmmError> {
    let memories = buffer.n_memory();
    if memories != 1 {
        return Err(NvmmError::Memories(memories));
    }
    let block = NvmmAllocator::block(buffer.peek_memory(0)).ok_or(NvmmError::Foreign)?;
    let pixels = block.pixels(index).ok_or(NvmmError::Index {
        index,
        len: block.spec().batch() as usize,
    })?;
    let spec = block.spec().clone();
    let memory = buffer.peek_memory_mut(0).map_err(|_| NvmmError::Shared)?;
    let map = memory.map_writable().map_err(|_| NvmmError::Map)?;
    Ok(SurfaceWriter {
        index,
        pixels,
        spec,
        _map: map,
        _pixels: PhantomData,
    })
}

impl SurfaceWriter<'_> {
    pub fn spec(&self) -> &Arc<Spec> {
        &self.spec
    }

    pub fn view_mut(&mut self) -> Result<ViewMut<'_>, NvmmError> {
        let size = self.spec.data_size() as usize;
        // SAFETY: the surface has this size, is initialised, and lives as long as the mapped
        // memory; the map keeps other users of the buffer out, and `&mut self` other views.
        let mut rest = unsafe { std::slice::from_raw_parts_mut(self.pixels.as_ptr(), size) };
        let mut planes = Vec::with_capacity(self.spec.planes().len());
        for plane in self.spec.planes() {
            let data;
            (data, rest) = rest.split_at_mut(plane.size as usize);
            planes.push(PlaneMut {
                data,
                pitch: plane.pitch as usize,
            });
        }
        let info = self.spec.info();
        ViewMut::new(
            info.format(),
            info.width() as usize,
            info.height() as usize,
            planes,
        )
        .map_err(|error| NvmmError::Surface {
            index: self.index,
            fault: SurfaceFault::View(error),
        })
    }
}
