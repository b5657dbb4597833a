// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Frames in the memory of a GPU.

mod convert;
mod matrix;
mod plan;
mod tables;

pub use convert::{CardConverter, CardPlanar};

use std::any::Any;
use std::sync::Arc;

use gst_video::{VideoFormat, VideoInfo};

use super::{Part, ViewError, plane_sizes};
use crate::mem::cuda::{
    CardView, CardViewMut, CudaError, Gpu, Memory, MemoryPool, Pooled, Stream, copy,
};

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

/// What a frame keeps until it is dropped, for whoever lent its memory.
pub type Guard = Box<dyn Any + Send + Sync>;

/// Memory of a frame, in the order in which it is given back.
#[derive(Debug)]
enum Held {
    /// In nobody else's hands.
    Own(Pooled),
    /// To be read only.
    Shared { memory: Arc<Memory>, _guard: Guard },
}

/// A frame on a card.
#[derive(Debug)]
pub struct CardFrame {
    info: VideoInfo,
    memory: Held,
    planes: Vec<(usize, usize)>,
}

impl CardFrame {
    /// A frame to be written; its former content is undefined.
    pub fn acquire(pool: &MemoryPool, info: &VideoInfo) -> Result<Self, CudaError> {
        let (planes, bytes) = layout(info.format(), info.width() as usize, info.height() as usize);
        Ok(Self {
            info: info.clone(),
            memory: Held::Own(pool.take(bytes)?),
            planes,
        })
    }

    /// A frame in memory that others have too, as one that was
    /// [imported](Memory::import), with planes by offset and pitch. Nobody writes to it before
    /// the guard is dropped, which happens with the frame.
    pub fn of_shared(
        info: VideoInfo,
        memory: Arc<Memory>,
        planes: Vec<(usize, usize)>,
        guard: Guard,
    ) -> Result<Self, CudaError> {
        let frame = Self {
            info,
            memory: Held::Shared {
                memory,
                _guard: guard,
            },
            planes,
        };
        // Whether it all lies within the memory.
        frame.view()?;
        Ok(frame)
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
        self.memory().gpu()
    }

    /// What the frame lies in.
    pub fn memory(&self) -> &Memory {
        match &self.memory {
            Held::Own(memory) => memory,
            Held::Shared { memory, .. } => memory,
        }
    }

    /// Where its planes lie in the memory, by offset and pitch.
    pub fn planes(&self) -> &[(usize, usize)] {
        &self.planes
    }

    /// Whoever was given the memory may read it for ever: nothing is written there any more.
    pub fn retire(&self) {
        if let Held::Own(memory) = &self.memory {
            memory.retire();
        }
    }

    fn size(&self) -> (usize, usize) {
        (self.info.width() as usize, self.info.height() as usize)
    }

    pub fn view(&self) -> Result<CardView<'_>, CudaError> {
        self.memory()
            .view(self.info.format(), self.size(), &self.planes)
    }

    /// Not of frames in memory that others have too.
    pub fn view_mut(&mut self) -> Result<CardViewMut<'_>, CudaError> {
        let size = self.size();
        match &mut self.memory {
            Held::Own(memory) => memory.view_mut(self.info.format(), size, &self.planes),
            Held::Shared { .. } => Err(CudaError::ReadOnly),
        }
    }
}
