// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Buffers of `memory:CUDAMemory`: pictures that GStreamer's own elements, or others, made on a
//! GPU, in a context of theirs.
//!
//! What is relied on, from the sources of GStreamer 1.20, 1.22, 1.24 and 1.26: a buffer has one
//! memory with all planes; pools of 1.22 and later add a video meta that says how they lie on the
//! card (those of 1.20 one that says how they would lie in host memory, which is of no use here);
//! decoders wait for their own work before 1.24, and from then on leave it to the consumer if the
//! memory has a stream. Memory of stream-ordered pools and mapped virtual memory (1.24, 1.26)
//! belongs to no context: any context of its GPU reaches it.

#![allow(unsafe_code)]

use cudarc::driver::sys;
use gst_video::{VideoFormat, VideoInfo, VideoMeta};

use super::driver::check;
use super::gpu::Bound;
use super::pointer::{self, Known};
use super::{CardPlane, CardView, CardViewMut, CudaError, Gpu, Stream, copy};
use crate::frame::map::{FrameError, check_meta};
use crate::frame::{FORMATS, plane_sizes};
use crate::mem::sys::gst_cuda::{CudaMemoryHead, GstCuda, MAP_CUDA, MEMORY_TYPE};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CudaMemoryError {
    #[error(
        "a buffer of memory:CUDAMemory has exactly one memory, and this one has {0}: put `cudadownload` before the element"
    )]
    Memories(usize),
    #[error(
        "the CUDA memory cannot be mapped: make sure that nobody else has it mapped for writing, or put `cudadownload` before the element"
    )]
    Map,
    #[error(
        "the layout of CUDA memory is unknown before GStreamer 1.22: put `cudadownload` before the element"
    )]
    Old,
    #[error(
        "the memory is not on a GPU, though the caps say memory:CUDAMemory: leave that out, or put `cudaupload` before the element"
    )]
    NotOnCard,
    #[error(
        "the picture does not lie within its memory as its video meta says: {0}; put `cudadownload` before the element"
    )]
    Frame(#[from] FrameError),
    #[error("a part of a {format} picture cannot begin at {x},{y}, within a sample of its chroma")]
    Part {
        format: VideoFormat,
        x: usize,
        y: usize,
    },
    #[error("the picture is on GPU {got}, and was to be copied by GPU {want}")]
    OtherGpu { got: u32, want: u32 },
    #[error(transparent)]
    Cuda(#[from] CudaError),
}

/// A memory that is mapped for the card.
struct Mapped<'a> {
    memory: &'a gst::MemoryRef,
    map: gst::ffi::GstMapInfo,
}

impl<'a> Mapped<'a> {
    fn new(memory: &'a gst::MemoryRef) -> Result<Self, CudaMemoryError> {
        let mut map = std::mem::MaybeUninit::zeroed();
        let flags = gst::ffi::GST_MAP_READ | MAP_CUDA;
        // SAFETY: a live memory and room for the result.
        let done = unsafe {
            gst::ffi::gst_memory_map(memory.as_ptr().cast_mut(), map.as_mut_ptr(), flags)
        };
        if done == gst::glib::ffi::GFALSE {
            return Err(CudaMemoryError::Map);
        }
        // SAFETY: numbers and pointers, initialised to zero and filled in by the call.
        let map = unsafe { map.assume_init() };
        Ok(Self { memory, map })
    }
}

impl Drop for Mapped<'_> {
    fn drop(&mut self) {
        let memory = self.memory.as_ptr().cast_mut();
        // SAFETY: mapped by `new`, and the memory is still borrowed.
        unsafe { gst::ffi::gst_memory_unmap(memory, &mut self.map) };
    }
}

/// A complete picture on a GPU, mapped for reading until this is dropped.
pub struct CudaBuffer<'a> {
    mapped: Mapped<'a>,
    view: CardView<'a>,
    gpu: Gpu,
    known: Known,
}

impl<'a> CudaBuffer<'a> {
    /// Maps a buffer, checks that it holds a picture as the caps describe it, and waits until that
    /// is complete. Any GPU can be `asked`: that of the memory need not be known.
    pub fn map(
        buffer: &'a gst::BufferRef,
        info: &VideoInfo,
        asked: Gpu,
    ) -> Result<Self, CudaMemoryError> {
        let memories = buffer.n_memory();
        if memories != 1 {
            return Err(CudaMemoryError::Memories(memories));
        }
        if !FORMATS.contains(&info.format()) {
            return Err(FrameError::Format(info.format().to_string()).into());
        }
        let memory = buffer.peek_memory(0);
        let library = GstCuda::loaded();
        let head = library.and_then(|library| library.head(memory));
        if head.is_none() && memory.is_type(MEMORY_TYPE) {
            return Err(CudaMemoryError::Old);
        }
        let places = places(buffer, head, info)?;

        let mapped = Mapped::new(memory)?;
        let start = mapped.map.data as u64;
        let known = pointer::ask(asked, start).map_err(|error| match error {
            CudaError::Pointer(_) => CudaMemoryError::NotOnCard,
            other => other.into(),
        })?;
        if known.in_host {
            return Err(CudaMemoryError::NotOnCard);
        }
        let gpu = Gpu::get(known.ordinal)?;
        let planes: Vec<_> = places
            .iter()
            .map(|(offset, pitch)| CardPlane {
                address: start.saturating_add(*offset as u64),
                pitch: *pitch,
            })
            .collect();
        let size = (info.width() as usize, info.height() as usize);
        let view = CardView::new(info.format(), size, &planes, known.range.clone())
            .map_err(CudaError::View)?;
        let this = Self {
            mapped,
            view,
            gpu,
            known,
        };
        // After mapping, which may have queued an upload.
        let waited = matches!((library, head), (Some(library), Some(head)) if library.wait(head));
        if !waited {
            this.wait_for_all()?;
        }
        Ok(this)
    }

    /// Waits for everything that was queued in the context of the memory.
    fn wait_for_all(&self) -> Result<(), CudaError> {
        let _bound = match self.known.context.is_null() {
            true => self.gpu.bind()?,
            // SAFETY: the context has memory that is mapped.
            false => unsafe { Bound::to(self.known.context)? },
        };
        // SAFETY: there is a context.
        check("cuCtxSynchronize", unsafe { sys::cuCtxSynchronize() })
    }

    /// The one that the memory is on.
    pub fn gpu(&self) -> Gpu {
        self.gpu
    }

    pub fn width(&self) -> usize {
        self.view.width()
    }

    pub fn height(&self) -> usize {
        self.view.height()
    }

    pub fn memory(&self) -> &gst::MemoryRef {
        self.mapped.memory
    }

    /// Copies the part that begins at `at` and is as large as `to`, and waits for it: both have to
    /// be on the same GPU as the stream.
    pub fn copy_to(
        &self,
        at: (usize, usize),
        to: &mut CardViewMut<'_>,
        stream: &Stream,
    ) -> Result<(), CudaMemoryError> {
        if stream.gpu() != self.gpu {
            return Err(CudaMemoryError::OtherGpu {
                got: self.gpu.ordinal(),
                want: stream.gpu().ordinal(),
            });
        }
        let format = self.view.format();
        let (x, y) = at;
        let (across, down) = chroma_step(format);
        if x % across != 0 || y % down != 0 {
            return Err(CudaMemoryError::Part { format, x, y });
        }
        let part = self
            .view
            .part(x, y, to.width(), to.height())
            .map_err(CudaError::View)?;
        let context = self.known.context;
        let queued = if context.is_null() || self.known.managed || context == self.gpu.context() {
            copy::copy(&part, to, stream)
        } else {
            // SAFETY: the context has memory that is mapped until the stream was synchronised,
            // below.
            unsafe { copy::copy_from_context(&part, context, to, stream) }
        };
        let done = stream.synchronize();
        Ok(queued.and(done)?)
    }
}

/// Pixels across and down that share a sample of chroma.
fn chroma_step(format: VideoFormat) -> (usize, usize) {
    match format {
        VideoFormat::Nv12 | VideoFormat::I420 => (2, 2),
        _ => (1, 1),
    }
}

/// Offset and pitch of each plane on the card.
fn places(
    buffer: &gst::BufferRef,
    head: Option<&CudaMemoryHead>,
    info: &VideoInfo,
) -> Result<Vec<(usize, usize)>, FrameError> {
    let count = info.n_planes() as usize;
    let (offsets, strides) = if let Some(meta) = buffer.meta::<VideoMeta>() {
        check_meta(&meta, info)?;
        (meta.offset().to_vec(), meta.stride().to_vec())
    } else if let Some(head) = head.filter(|head| is_of(head, info)) {
        (
            head.info.offset[..count].to_vec(),
            head.info.stride[..count].to_vec(),
        )
    } else {
        (info.offset().to_vec(), info.stride().to_vec())
    };
    let sizes = plane_sizes(info.format(), info.width() as usize, info.height() as usize);
    let place = |(plane, (offset, stride)): (usize, (&usize, &i32))| {
        let pitch = usize::try_from(*stride).map_err(|_| FrameError::Stride {
            plane,
            stride: *stride,
            row_bytes: sizes.get(plane).map_or(0, |size| size.row_bytes),
        })?;
        Ok((*offset, pitch))
    };
    offsets
        .iter()
        .zip(&strides)
        .enumerate()
        .map(place)
        .collect()
}

/// Whether a memory was made for such pictures.
fn is_of(head: &CudaMemoryHead, info: &VideoInfo) -> bool {
    use gst::glib::translate::IntoGlib;
    let own = &head.info;
    let format = match own.finfo.is_null() {
        true => return false,
        // SAFETY: a pointer to a description that GStreamer has forever.
        false => unsafe { (*own.finfo).format },
    };
    format == info.format().into_glib()
        && i64::from(own.width) >= i64::from(info.width())
        && i64::from(own.height) >= i64::from(info.height())
}
