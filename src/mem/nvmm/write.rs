// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Filling surfaces of our own.

#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::Arc;

use gst_video::VideoInfo;

use gst::memory::Writable;

use super::{NvmmAllocator, NvmmError, Spec, SurfaceFault};
use crate::frame::{PlaneMut, ViewMut};
use crate::mem::cuda::{CardPlane, CardViewMut};

/// One surface, mapped for writing: nobody else can map the buffer meanwhile.
pub struct SurfaceWriter<'a> {
    index: usize,
    pixels: Pixels,
    spec: Arc<Spec>,
    _map: gst::MemoryMap<'a, Writable>,
    _pixels: PhantomData<&'a mut [u8]>,
}

#[derive(Clone, Copy)]
enum Pixels {
    Host(NonNull<u8>),
    Card(u64),
}

/// Maps a surface of a buffer from our own pool. Fails if the buffer shares its pixels.
pub fn write(buffer: &mut gst::BufferRef, index: usize) -> Result<SurfaceWriter<'_>, NvmmError> {
    let memories = buffer.n_memory();
    if memories != 1 {
        return Err(NvmmError::Memories(memories));
    }
    let block = NvmmAllocator::block(buffer.peek_memory(0)).ok_or(NvmmError::Foreign)?;
    let host = block.host_pixels(index).map(Pixels::Host);
    let pixels = host
        .or_else(|| block.card_pixels(index).map(Pixels::Card))
        .ok_or(NvmmError::Index {
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

    fn size(info: &VideoInfo) -> (usize, usize) {
        (info.width() as usize, info.height() as usize)
    }

    /// The picture, if it lies in host memory.
    pub fn view_mut(&mut self) -> Result<ViewMut<'_>, NvmmError> {
        let Pixels::Host(start) = self.pixels else {
            return Err(NvmmError::Map);
        };
        let bytes = self.spec.data_size() as usize;
        // SAFETY: the surface has this size, is initialised, and lives as long as the mapped
        // memory; the map keeps other users of the buffer out, and `&mut self` other views.
        let mut rest = unsafe { std::slice::from_raw_parts_mut(start.as_ptr(), bytes) };
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
        let (width, height) = Self::size(info);
        ViewMut::new(info.format(), width, height, planes).map_err(|error| NvmmError::Surface {
            index: self.index,
            fault: SurfaceFault::View(error),
        })
    }

    /// The picture, if a card reaches it. The buffer must stay with the caller until what is
    /// queued is done.
    pub fn card_view_mut(&mut self) -> Result<CardViewMut<'_>, NvmmError> {
        let Pixels::Card(start) = self.pixels else {
            return Err(NvmmError::Map);
        };
        let place = |plane: &super::SpecPlane| CardPlane {
            address: start + u64::from(plane.offset),
            pitch: plane.pitch as usize,
        };
        let planes: Vec<_> = self.spec.planes().iter().map(place).collect();
        let range = start..start + u64::from(self.spec.data_size());
        let info = self.spec.info();
        CardViewMut::new(info.format(), Self::size(info), &planes, range).map_err(|error| {
            NvmmError::Surface {
                index: self.index,
                fault: SurfaceFault::View(error),
            }
        })
    }
}
