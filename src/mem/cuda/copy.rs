// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Copies of pictures. Those that are queued need their memory until the stream was synchronised.

#![allow(unsafe_code)]

use std::ptr::null_mut;

use cudarc::driver::sys;

use super::driver::check;
use super::{CardPlane, CardView, CardViewMut, CudaError, Memory, Stream};
use crate::frame::{PlaneSize, View, ViewError, ViewMut, plane_sizes};

/// One plane on its way.
struct Move {
    from: CardPlane,
    to: CardPlane,
    size: PlaneSize,
}

/// Memory of the CPU.
const HOST: sys::CUmemorytype = sys::CUmemorytype::CU_MEMORYTYPE_HOST;
/// Any memory that the GPU reaches: its kind is told by its address.
const REACHED: sys::CUmemorytype = sys::CUmemorytype::CU_MEMORYTYPE_UNIFIED;

impl Move {
    fn describe(&self, from: sys::CUmemorytype, to: sys::CUmemorytype) -> sys::CUDA_MEMCPY2D {
        sys::CUDA_MEMCPY2D {
            srcXInBytes: 0,
            srcY: 0,
            srcMemoryType: from,
            srcHost: self.from.address as *const _,
            srcDevice: self.from.address,
            srcArray: null_mut(),
            srcPitch: self.from.pitch,
            dstXInBytes: 0,
            dstY: 0,
            dstMemoryType: to,
            dstHost: self.to.address as *mut _,
            dstDevice: self.to.address,
            dstArray: null_mut(),
            dstPitch: self.to.pitch,
            WidthInBytes: self.size.row_bytes,
            Height: self.size.rows,
        }
    }

    /// # Safety
    /// Both planes must have rows of this size, in memory that the stream's GPU reaches.
    unsafe fn queue(
        &self,
        from: sys::CUmemorytype,
        to: sys::CUmemorytype,
        stream: &Stream,
    ) -> Result<(), CudaError> {
        let description = self.describe(from, to);
        // SAFETY: the description is complete and read during the call; the rest is up to the
        // caller.
        let result = unsafe { sys::cuMemcpy2DAsync_v2(&description, stream.raw()) };
        check("cuMemcpy2DAsync", result)
    }
}

fn moves<'a>(
    sizes: &'a [PlaneSize],
    from: &'a [CardPlane],
    to: &'a [CardPlane],
) -> impl Iterator<Item = Move> + 'a {
    let planes = sizes.iter().zip(from.iter().zip(to));
    planes.map(|(size, (from, to))| Move {
        from: *from,
        to: *to,
        size: *size,
    })
}

fn same(
    from: (gst_video::VideoFormat, usize, usize),
    to: (gst_video::VideoFormat, usize, usize),
) -> Result<Vec<PlaneSize>, ViewError> {
    if from != to {
        return Err(ViewError::Format(from.0));
    }
    Ok(plane_sizes(from.0, from.1, from.2))
}

/// Queues a copy of a picture into one of the same format and size.
pub fn copy(
    from: &CardView<'_>,
    to: &mut CardViewMut<'_>,
    stream: &Stream,
) -> Result<(), CudaError> {
    let sizes = same(
        (from.format(), from.width(), from.height()),
        (to.format(), to.width(), to.height()),
    )?;
    let _bound = stream.gpu().bind()?;
    let planes: Vec<_> = moves(&sizes, from.planes(), to.planes()).collect();
    // What lies alike is copied as one, which takes the card less time.
    if let Some(bytes) = whole(&planes) {
        let (from, to) = (planes[0].from.address, planes[0].to.address);
        // SAFETY: from the first byte to the last of views that were made of one memory each.
        let result = unsafe { sys::cuMemcpyAsync(to, from, bytes, stream.raw()) };
        return check("cuMemcpyAsync", result);
    }
    for plane in planes {
        // SAFETY: both views were made of memory that has all these rows.
        unsafe { plane.queue(REACHED, REACHED, stream)? };
    }
    Ok(())
}

/// From the first byte to the last, of planes that follow one another with nothing between them
/// but the ends of rows, at the same places in both.
fn whole(planes: &[Move]) -> Option<usize> {
    let first = planes.first()?;
    let mut end = first.from.address;
    for plane in planes {
        let Move { from, to, size } = plane;
        let alike = from.pitch == to.pitch
            && from.address == end
            && from.address - first.from.address == to.address.checked_sub(first.to.address)?;
        if !alike {
            return None;
        }
        end = from.address.checked_add((from.pitch * size.rows) as u64)?;
    }
    let last = planes.last()?;
    let padding = (last.from.pitch - last.size.row_bytes) as u64;
    usize::try_from(end - padding - first.from.address).ok()
}

/// Copies memory into other memory of the same GPU, and waits for it.
pub(in crate::mem) fn duplicate(from: &Memory, to: &Memory) -> Result<(), CudaError> {
    let stream = from.gpu().copies()?;
    let _bound = from.gpu().bind()?;
    let bytes = from.len().min(to.len());
    // SAFETY: both have as many bytes; they are not freed before the copy is done.
    let result =
        unsafe { sys::cuMemcpyDtoDAsync_v2(to.address(), from.address(), bytes, stream.raw()) };
    check("cuMemcpyDtoDAsync", result)?;
    stream.synchronize()
}

/// Queues a copy from host to card. Memory that is not pinned is read before this returns.
pub fn upload(from: &View<'_>, to: &mut CardViewMut<'_>, stream: &Stream) -> Result<(), CudaError> {
    let sizes = same(
        (from.format(), from.width(), from.height()),
        (to.format(), to.width(), to.height()),
    )?;
    let _bound = stream.gpu().bind()?;
    let planes: Vec<_> = from
        .planes()
        .iter()
        .map(|plane| CardPlane {
            address: plane.data.as_ptr() as u64,
            pitch: plane.pitch,
        })
        .collect();
    for plane in moves(&sizes, &planes, to.planes()) {
        // SAFETY: both views were made of memory that has all these rows; pinned memory is not
        // freed before the card is done with it.
        unsafe { plane.queue(HOST, REACHED, stream)? };
    }
    Ok(())
}

/// Copies from card to host, after what the stream has to do before, and waits for it.
pub fn download(
    from: &CardView<'_>,
    to: &mut ViewMut<'_>,
    stream: &Stream,
) -> Result<(), CudaError> {
    let sizes = same(
        (from.format(), from.width(), from.height()),
        (to.format(), to.width(), to.height()),
    )?;
    let _bound = stream.gpu().bind()?;
    let planes: Vec<_> = to
        .planes_mut()
        .iter_mut()
        .map(|plane| CardPlane {
            address: plane.data.as_mut_ptr() as u64,
            pitch: plane.pitch,
        })
        .collect();
    let mut queued = Ok(());
    for plane in moves(&sizes, from.planes(), &planes) {
        // SAFETY: both views were made of memory that has all these rows; it is borrowed until
        // the copy is done, below.
        queued = queued.and(unsafe { plane.queue(REACHED, HOST, stream) });
    }
    stream.synchronize()?;
    queued
}

/// Queues a copy of a picture that belongs to another context of the same GPU.
///
/// # Safety
/// The context must be alive until the stream was synchronised.
pub(in crate::mem) unsafe fn copy_from_context(
    from: &CardView<'_>,
    context: sys::CUcontext,
    to: &mut CardViewMut<'_>,
    stream: &Stream,
) -> Result<(), CudaError> {
    let sizes = same(
        (from.format(), from.width(), from.height()),
        (to.format(), to.width(), to.height()),
    )?;
    let _bound = stream.gpu().bind()?;
    let device = sys::CUmemorytype::CU_MEMORYTYPE_DEVICE;
    for Move { from, to, size } in moves(&sizes, from.planes(), to.planes()) {
        let description = sys::CUDA_MEMCPY3D_PEER {
            srcXInBytes: 0,
            srcY: 0,
            srcZ: 0,
            srcLOD: 0,
            srcMemoryType: device,
            srcHost: null_mut(),
            srcDevice: from.address,
            srcArray: null_mut(),
            srcContext: context,
            srcPitch: from.pitch,
            srcHeight: size.rows,
            dstXInBytes: 0,
            dstY: 0,
            dstZ: 0,
            dstLOD: 0,
            dstMemoryType: device,
            dstHost: null_mut(),
            dstDevice: to.address,
            dstArray: null_mut(),
            dstContext: stream.gpu().context(),
            dstPitch: to.pitch,
            dstHeight: size.rows,
            WidthInBytes: size.row_bytes,
            Height: size.rows,
            Depth: 1,
        };
        // SAFETY: the description is complete and read during the call; the views were made of
        // memory that has all these rows, and the context lives, by the caller.
        let result = unsafe { sys::cuMemcpy3DPeerAsync(&description, stream.raw()) };
        check("cuMemcpy3DPeerAsync", result)?;
    }
    Ok(())
}
