// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What can be wrong with NVMM buffers, and the way out.

use gst_video::VideoFormat;

use super::{MAX_BATCH, MAX_SIDE};
use crate::frame::ViewError;
use crate::mem::cuda::CudaError;
use crate::mem::sys::surface::{ColorFormat, Layout, MemType};

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NvmmError {
    #[error("{0:?} is no format of NVMM surfaces here: convert with `nvvideoconvert` first")]
    Format(VideoFormat),
    #[error(
        "a batch of {batch} surfaces of {width}x{height} is out of range: use 1 to {MAX_BATCH} surfaces of up to {MAX_SIDE} pixels a side and 4 GiB"
    )]
    Range { width: u32, height: u32, batch: u32 },
    #[error("no memory for {bytes} bytes of pixels: use smaller frames or fewer buffers")]
    OutOfMemory { bytes: usize },
    #[error("the buffer pool refused its configuration of {size} bytes: set a lower buffer limit")]
    Pool { size: usize },
    #[error(
        "an NVMM buffer has exactly one memory, and this one has {0}: put `nvvideoconvert` before the element"
    )]
    Memories(usize),
    #[error(
        "the NVMM buffer cannot be mapped: make sure that nobody else has it mapped for writing"
    )]
    Map,
    #[error(
        "an NvBufSurface of {0} bytes belongs to no known DeepStream (64 up to 7.1, 72 from 8.0): check `deepstream-version` where the buffer is made, or put `nvvideoconvert ! video/x-raw,format=I420` before the element"
    )]
    HeaderSize(usize),
    #[error(
        "the NvBufSurface says that {filled} of {batch} surfaces are filled (at most {MAX_BATCH} are possible): check `deepstream-version` where the buffer is made"
    )]
    Batch { filled: u32, batch: u32 },
    #[error(
        "the NvBufSurface has no list of surfaces: check `deepstream-version` where the buffer is made"
    )]
    NoList,
    #[error(transparent)]
    Cuda(#[from] CudaError),
    #[error(
        "surface memory of Jetson ({}) cannot be read: put `nvvideoconvert ! video/x-raw,format=I420` before the element",
        .0.0
    )]
    Jetson(MemType),
    #[error(
        "memory type {} is unknown: put `nvvideoconvert ! video/x-raw,format=I420` before the element, or check `deepstream-version` where the buffer is made",
        .0.0
    )]
    MemType(MemType),
    #[error("the buffer has no surface {index}, only {len}: check the batch size")]
    Index { index: usize, len: usize },
    #[error(
        "surface {index}: {fault}: check `deepstream-version` where the buffer is made, or put `nvvideoconvert` before the element"
    )]
    Surface { index: usize, fault: SurfaceFault },
    #[error("this memory was made elsewhere: only buffers of our own pool can be written")]
    Foreign,
    #[error("others hold the pixels of this buffer too: write into a copy of it")]
    Shared,
}

/// Why one surface of a batch cannot be believed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SurfaceFault {
    #[error("a size of {width}x{height} is out of range")]
    Size { width: u32, height: u32 },
    #[error("layout {} instead of pitch linear", .0.0)]
    Layout(Layout),
    #[error("colour format {} does not fit the caps, which say {caps:?}", .got.0)]
    Color { got: ColorFormat, caps: VideoFormat },
    #[error("{got} planes instead of {want}")]
    Planes { got: u32, want: usize },
    #[error("plane {plane} has a pitch of {pitch} bytes, but a row of {row_bytes}")]
    Pitch {
        plane: usize,
        pitch: u32,
        row_bytes: usize,
    },
    #[error("plane {plane} has {got} bytes, and the picture needs {need}")]
    PlaneSize { plane: usize, got: u32, need: usize },
    #[error("plane {plane} begins at byte {offset}, within the plane before it")]
    Overlap { plane: usize, offset: u32 },
    #[error("plane {plane} ends at byte {end} of {size}")]
    Extent {
        plane: usize,
        end: usize,
        size: usize,
    },
    #[error("no pixels")]
    NoData,
    #[error(
        "its pixels cannot be reached: {0}; `nvvideoconvert ! video/x-raw,format=I420` before the element brings others"
    )]
    Unreachable(CudaError),
    #[error(transparent)]
    View(#[from] ViewError),
}
