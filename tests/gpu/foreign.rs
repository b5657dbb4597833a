// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! NVMM buffers as an application builds them by hand, as NVIDIA's `deepstream-appsrc-cuda-test`
//! does: a plain memory with the header, tight rows of pixels from `cuMemAlloc`.

use std::sync::Arc;

use gst_video::{VideoFormat, VideoInfo};
use gstdsframe::frame::plane_sizes;
use gstdsframe::mem::sys::Generation;

use crate::card::{Context, Memory};
use crate::shared::pictures::info;
use crate::structs::{Struct, value};

/// Pixels without padding that differ everywhere, from frame to frame too.
pub fn pixels(format: VideoFormat, width: u32, height: u32, seed: u32) -> Vec<u8> {
    let planes = plane_sizes(format, width as usize, height as usize);
    let size: usize = planes.iter().map(|p| p.rows * p.row_bytes).sum();
    let mut state = seed.wrapping_mul(0x9e37_79b9) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as u8
    };
    (0..size).map(|_| next()).collect()
}

/// One picture on the card.
pub struct Surface {
    pub format: VideoFormat,
    pub width: u32,
    pub height: u32,
    pub pixels: Vec<u8>,
    pub memory: Memory,
}

impl Surface {
    pub fn new(
        context: &Arc<Context>,
        format: VideoFormat,
        (width, height): (u32, u32),
        seed: u32,
    ) -> Self {
        let pixels = pixels(format, width, height, seed);
        Self {
            format,
            width,
            height,
            memory: context.upload(&pixels),
            pixels,
        }
    }

    fn params(&self, generation: Generation) -> Struct {
        let color = match self.format {
            VideoFormat::Nv12 => "NVBUF_COLOR_FORMAT_NV12",
            VideoFormat::I420 => "NVBUF_COLOR_FORMAT_YUV420",
            VideoFormat::Rgba => "NVBUF_COLOR_FORMAT_RGBA",
            VideoFormat::Rgb => "NVBUF_COLOR_FORMAT_RGB",
            VideoFormat::Gray8 => "NVBUF_COLOR_FORMAT_GRAY8",
            _ => unreachable!(),
        };
        let mut params = Struct::zeroed("NvBufSurfaceParams", generation);
        let planes = plane_sizes(self.format, self.width as usize, self.height as usize);
        let mut size = 0;
        for (i, plane) in planes.iter().enumerate() {
            let (pitch, rows) = (plane.row_bytes as u32, plane.rows as u32);
            let width = if i == 0 {
                self.width
            } else {
                self.width.div_ceil(2)
            };
            params
                .set(&format!("planeParams.width.{i}"), width)
                .set(&format!("planeParams.height.{i}"), rows)
                .set(&format!("planeParams.pitch.{i}"), pitch)
                .set(&format!("planeParams.offset.{i}"), size)
                .set(&format!("planeParams.psize.{i}"), pitch * rows)
                .set(&format!("planeParams.bytesPerPix.{i}"), pitch / width);
            size += pitch * rows;
        }
        params
            .set("width", self.width)
            .set("height", self.height)
            .set("pitch", planes[0].row_bytes as u32)
            .set("colorFormat", value("NvBufSurfaceColorFormat", color))
            .set("dataSize", size)
            .set("planeParams.num_planes", planes.len() as u32)
            .set_pointer("dataPtr", self.memory.address());
        params
    }
}

/// A batch, every field of which can be made to lie.
pub struct Batch {
    pub surfaces: Vec<Surface>,
    pub header: Struct,
    pub params: Vec<Struct>,
    /// What the buffers point to.
    lists: Vec<Vec<u8>>,
}

impl Batch {
    pub fn new(generation: Generation, surfaces: Vec<Surface>) -> Self {
        let count = surfaces.len() as u32;
        let mut header = Struct::zeroed("NvBufSurface", generation);
        header
            .set("batchSize", count)
            .set("numFilled", count)
            .set_flag("isContiguous", true)
            .set(
                "memType",
                value("NvBufSurfaceMemType", "NVBUF_MEM_CUDA_DEVICE"),
            );
        Self {
            params: surfaces.iter().map(|s| s.params(generation)).collect(),
            surfaces,
            header,
            lists: Vec::new(),
        }
    }

    /// One surface.
    pub fn one(
        context: &Arc<Context>,
        generation: Generation,
        format: VideoFormat,
        size: (u32, u32),
    ) -> Self {
        Self::new(generation, vec![Surface::new(context, format, size, 1)])
    }

    /// A buffer of exactly the header in plain memory. It points into `self`.
    pub fn buffer(&mut self, number: u64) -> gst::Buffer {
        let list: Vec<u8> = self.params.iter().flat_map(|p| p.bytes.clone()).collect();
        let address = list.as_ptr().expose_provenance() as u64;
        self.header.set_pointer("surfaceList", address);
        self.lists.push(list);
        let mut buffer = gst::Buffer::from_mut_slice(self.header.bytes.clone());
        let writable = buffer.get_mut().unwrap();
        writable.set_pts(gst::ClockTime::from_mseconds(100 * number));
        writable.set_duration(gst::ClockTime::from_mseconds(100));
        buffer
    }

    /// Of the first surface.
    pub fn info(&self) -> VideoInfo {
        let first = &self.surfaces[0];
        info(first.format, first.width, first.height)
    }

    pub fn caps(&self) -> gst::Caps {
        caps(&self.info(), "memory:NVMM")
    }
}

pub fn caps(info: &VideoInfo, feature: &str) -> gst::Caps {
    let mut caps = info.to_caps().unwrap();
    let features = gst::CapsFeatures::new([feature]);
    caps.get_mut().unwrap().set_features_simple(Some(features));
    caps
}
