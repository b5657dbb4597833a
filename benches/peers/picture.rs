// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What a saved picture is worth.

use std::fs;
use std::path::Path;

use gst_video::{VideoFormat, VideoInfo};
use gstdsframe::codec::JpegDecoder;
use gstdsframe::frame::{Frame, HostPool, View, ViewMut};

use super::Res;
use super::material::{HEIGHT, WIDTH};

/// The test picture has random noise below.
const ROWS: usize = HEIGHT / 2;

/// PSNR of a JPEG, read as JFIF says, against the frame that it was made of; and its size.
pub fn compare(jpeg: &Path, rgb: &[u8]) -> Res<String> {
    let file = fs::read(jpeg)?;
    let info = VideoInfo::builder(VideoFormat::Rgb, WIDTH as u32, HEIGHT as u32).build()?;
    let mut frame = HostPool::new(&info)?.acquire()?;
    JpegDecoder::new().decode(&file, &mut ViewMut::of_frame(&mut frame)?)?;
    let mapped = Frame::from(frame).map()?;
    let mut decoded = Vec::new();
    View::of_frame(&mapped)?.append_tight(&mut decoded);
    let bytes = WIDTH * 3 * ROWS;
    let squares: u64 = decoded[..bytes]
        .iter()
        .zip(&rgb[..bytes])
        .map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2))
        .sum();
    let psnr = 10.0 * (255.0 * 255.0 * bytes as f64 / squares.max(1) as f64).log10();
    Ok(format!("{psnr:.1} dB in {} bytes", file.len()))
}
