// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What a buffer of surfaces looks like, decided once for a pool.

use std::sync::Arc;

use gst_video::VideoInfo;

use super::color::color_format;
use super::{MAX_BATCH, MAX_SIDE, NvmmError};
use crate::frame::card::layout;
use crate::frame::plane_sizes;
use crate::mem::cuda::{Gpu, Kind};
use crate::mem::sys::Generation;
use crate::mem::sys::surface::{ColorFormat, MAX_PLANES, MemType};

/// Where pixels are to lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In host memory without CUDA. The number of a GPU is written into the header all the same.
    Host {
        gpu_id: u32,
    },
    Card {
        gpu: Gpu,
        kind: Kind,
    },
}

impl Place {
    fn mem_type(self) -> MemType {
        match self {
            Self::Host { .. } => MemType::SYSTEM,
            Self::Card { kind, .. } => match kind {
                Kind::Device | Kind::Exportable | Kind::Imported => MemType::CUDA_DEVICE,
                Kind::Pinned => MemType::CUDA_PINNED,
                Kind::Unified => MemType::CUDA_UNIFIED,
            },
        }
    }

    fn gpu_id(self) -> u32 {
        match self {
            Self::Host { gpu_id } => gpu_id,
            Self::Card { gpu, .. } => gpu.ordinal(),
        }
    }
}

/// One plane of a surface, in pixels and bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpecPlane {
    pub width: u32,
    pub height: u32,
    pub pitch: u32,
    pub offset: u32,
    pub size: u32,
    pub bytes_per_pixel: u32,
}

/// A batch of surfaces that are all alike.
#[derive(Debug, Clone)]
pub struct Spec {
    info: VideoInfo,
    generation: Generation,
    place: Place,
    batch: u32,
    color_format: ColorFormat,
    planes: Vec<SpecPlane>,
    data_size: u32,
}

impl Spec {
    /// `batch` surfaces for pictures of `info`.
    pub fn new(
        info: &VideoInfo,
        generation: Generation,
        place: Place,
        batch: u32,
    ) -> Result<Arc<Self>, NvmmError> {
        let range = || NvmmError::Range {
            width: info.width(),
            height: info.height(),
            batch,
        };
        let side = 1..=MAX_SIDE;
        if !side.contains(&info.width())
            || !side.contains(&info.height())
            || !(1..=MAX_BATCH).contains(&batch)
        {
            return Err(range());
        }
        let format = info.format();
        let color_format = color_format(info).ok_or(NvmmError::Format(format))?;
        let (width, height) = (info.width() as usize, info.height() as usize);
        let (placed, bytes) = layout(format, width, height);
        let mut planes = Vec::with_capacity(MAX_PLANES);
        let sizes = plane_sizes(format, width, height);
        for (index, (plane, (offset, pitch))) in sizes.iter().zip(placed).enumerate() {
            let width = match index {
                0 => width,
                _ => width.div_ceil(2),
            };
            let number = |n: usize| u32::try_from(n).map_err(|_| range());
            planes.push(SpecPlane {
                width: number(width)?,
                height: number(plane.rows)?,
                pitch: number(pitch)?,
                offset: number(offset)?,
                size: number(pitch * plane.rows)?,
                bytes_per_pixel: number(plane.row_bytes / width)?,
            });
        }
        Ok(Arc::new(Self {
            info: info.clone(),
            generation,
            place,
            batch,
            color_format,
            planes,
            data_size: u32::try_from(bytes).map_err(|_| range())?,
        }))
    }

    pub fn info(&self) -> &VideoInfo {
        &self.info
    }

    pub fn generation(&self) -> Generation {
        self.generation
    }

    pub fn place(&self) -> Place {
        self.place
    }

    pub fn gpu_id(&self) -> u32 {
        self.place.gpu_id()
    }

    pub fn batch(&self) -> u32 {
        self.batch
    }

    pub fn mem_type(&self) -> MemType {
        self.place.mem_type()
    }

    pub fn color_format(&self) -> ColorFormat {
        self.color_format
    }

    pub fn planes(&self) -> &[SpecPlane] {
        &self.planes
    }

    /// Bytes of one surface.
    pub fn data_size(&self) -> u32 {
        self.data_size
    }
}
