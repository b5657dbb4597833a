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

use super::plane_sizes;
use crate::mem::cuda::{CardView, CardViewMut, CudaError, Gpu, MemoryPool, Pooled};

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
