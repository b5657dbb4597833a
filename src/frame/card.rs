// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Frames in the memory of a GPU.

mod convert;
mod matrix;
mod plan;
mod tables;

pub use convert::{CardConverter, CardPlanar};

use gst_video::{VideoFormat, VideoInfo};

use super::{Part, ViewError, plane_sizes};
use crate::mem::cuda::{CardView, CardViewMut, CudaError, Gpu, MemoryPool, Pooled, Stream, copy};

/// Rows begin at multiples of this many bytes: kernels may fail on others.
pub const PITCH_ALIGN: usize = 256;

/// Where the planes of a picture lie, by offset and pitch, and the bytes of it all.
pub fn layout(format: VideoFormat, width: usize, height: usize) -> (Vec<(usize, usize)>, usize) {
    let mut offset = 0;
    let planes = plane_sizes(format, width, height)
        .iter()
        .map(|plane| {
            let pitch = plane.row_bytes.next_multiple_of(PITCH_ALIGN);
            let start = offset;
            offset += pitch * plane.rows;
            (start, pitch)
        })
        .collect();
    (planes, offset)
}

/// A frame that is in nobody else's hands.
#[derive(Debug)]
pub struct CardFrame {
    info: VideoInfo,
    memory: Pooled,
    planes: Vec<(usize, usize)>,
}

impl CardFrame {
    /// A frame to be written; its former content is undefined.
    pub fn acquire(pool: &MemoryPool, info: &VideoInfo) -> Result<Self, CudaError> {
        let (planes, bytes) = layout(info.format(), info.width() as usize, info.height() as usize);
        Ok(Self {
            info: info.clone(),
            memory: pool.take(bytes)?,
            planes,
        })
    }

    /// A part of the frame, in memory of its own, which begins where kernels can read it; queued.
    /// Where pixels share chroma, its corner must be the one that has it.
    pub fn cut(&self, part: Part, pool: &MemoryPool, stream: &Stream) -> Result<Self, CudaError> {
        let format = self.info.format();
        let info = part.info(&self.info).ok_or(ViewError::Format(format))?;
        let [x, y, width, height] = [part.x, part.y, part.width, part.height].map(|v| v as usize);
        let mut cut = Self::acquire(pool, &info)?;
        let view = self.view()?.part(x, y, width, height)?;
        copy::copy(&view, &mut cut.view_mut()?, stream)?;
        Ok(cut)
    }

    pub fn info(&self) -> &VideoInfo {
        &self.info
    }

    pub fn gpu(&self) -> Gpu {
        self.memory.gpu()
    }

    fn size(&self) -> (usize, usize) {
        (self.info.width() as usize, self.info.height() as usize)
    }

    pub fn view(&self) -> Result<CardView<'_>, CudaError> {
        self.memory
            .view(self.info.format(), self.size(), &self.planes)
    }

    pub fn view_mut(&mut self) -> Result<CardViewMut<'_>, CudaError> {
        let size = self.size();
        self.memory.view_mut(self.info.format(), size, &self.planes)
    }
}
