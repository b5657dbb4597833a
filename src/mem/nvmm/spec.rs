// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What a buffer of surfaces looks like, decided once for a pool.

use std::sync::Arc;

use gst_video::VideoInfo;

use super::color::color_format;
use super::{MAX_BATCH, MAX_SIDE, NvmmError};
use crate::frame::plane_sizes;
use crate::mem::sys::Generation;
use crate::mem::sys::surface::{ColorFormat, MAX_PLANES, MemType};

/// CUDA kernels may fail on rows that begin anywhere.
pub const PITCH_ALIGN: usize = 256;

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
    gpu_id: u32,
    batch: u32,
    mem_type: MemType,
    color_format: ColorFormat,
    planes: Vec<SpecPlane>,
    data_size: u32,
}

impl Spec {
    /// `batch` surfaces for pictures of `info`, in host memory.
    pub fn new(
        info: &VideoInfo,
        generation: Generation,
        gpu_id: u32,
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
        let mut offset = 0usize;
        let mut planes = Vec::with_capacity(MAX_PLANES);
        let sizes = plane_sizes(format, info.width() as usize, info.height() as usize);
        for (index, plane) in sizes.iter().enumerate() {
            let pitch = plane.row_bytes.next_multiple_of(PITCH_ALIGN);
            let width = match index {
                0 => info.width() as usize,
                _ => (info.width() as usize).div_ceil(2),
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
            offset += pitch * plane.rows;
        }
        Ok(Arc::new(Self {
            info: info.clone(),
            generation,
            gpu_id,
            batch,
            mem_type: MemType::SYSTEM,
            color_format,
            planes,
            data_size: u32::try_from(offset).map_err(|_| range())?,
        }))
    }

    pub fn info(&self) -> &VideoInfo {
        &self.info
    }

    pub fn generation(&self) -> Generation {
        self.generation
    }

    pub fn gpu_id(&self) -> u32 {
        self.gpu_id
    }

    pub fn batch(&self) -> u32 {
        self.batch
    }

    pub fn mem_type(&self) -> MemType {
        self.mem_type
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
