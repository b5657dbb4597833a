// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Pictures with something in them, in host memory and on the card.

use gst_video::{VideoFormat, VideoInfo};
use gstdsframe::codec::{JpegDecoder, Scaler};
use gstdsframe::frame::{Frame, HostPool, PlaneMut, View, ViewMut, plane_sizes};
use gstdsframe::mem::cuda::{CardView, CardViewMut, Gpu, Kind, Memory, copy};

/// Whether tests that need a card are to run; says so if not.
pub fn on_card() -> bool {
    let on = std::env::var_os("DSFRAME_GPU_TESTS").is_some_and(|value| value == "1");
    if !on {
        println!("skipped: DSFRAME_GPU_TESTS is not 1");
    }
    on
}

pub fn info(format: VideoFormat, width: usize, height: usize) -> VideoInfo {
    gst::init().unwrap();
    // The only colours that JPEG has.
    let colours = match format {
        VideoFormat::Rgb | VideoFormat::Bgr => "sRGB",
        _ => "1:4:0:0",
    };
    VideoInfo::builder(format, width as u32, height as u32)
        .colorimetry(&colours.parse().unwrap())
        .build()
        .unwrap()
}

/// Slopes in all channels, and noise of so many levels.
pub fn rgb(width: usize, height: usize, seed: usize, noise: u32) -> Frame {
    let info = info(VideoFormat::Rgb, width, height);
    let mut frame = HostPool::new(&info).unwrap().acquire().unwrap();
    let mut to = ViewMut::of_frame(&mut frame).unwrap();
    let slope = |at: usize| (at % 400).abs_diff(200) as u32;
    let mut state = seed as u32;
    for y in 0..height {
        for (x, pixel) in to.row_mut(0, y).chunks_exact_mut(3).enumerate() {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let extra = (state >> 16) % (noise + 1);
            pixel[0] = (slope(x + y + seed) + extra).min(255) as u8;
            pixel[1] = (slope(2 * x + 7 * seed) + extra).min(255) as u8;
            pixel[2] = (255 - slope(y + 100) + extra).min(255) as u8;
        }
    }
    Frame::from(frame)
}

pub fn converted(frame: &Frame, format: VideoFormat) -> Frame {
    let to = info(
        format,
        frame.info.width() as usize,
        frame.info.height() as usize,
    );
    if to == frame.info {
        return frame.clone();
    }
    let mapped = frame.map().unwrap();
    Scaler::default()
        .convert(&mapped, &frame.info, &to)
        .unwrap()
}

pub fn tight(frame: &Frame) -> Vec<u8> {
    let mapped = frame.map().unwrap();
    let mut bytes = Vec::new();
    View::of_frame(&mapped).unwrap().append_tight(&mut bytes);
    bytes
}

/// A file as pixels of this format, RGB in any order or GRAY8, with its size.
pub fn decoded(file: &[u8], format: VideoFormat) -> (usize, usize, Vec<u8>) {
    let mut decoder = JpegDecoder::new();
    let header = decoder.header(file).unwrap();
    let (width, height) = (header.width, header.height);
    let pitch = plane_sizes(format, width, height)[0].row_bytes;
    let mut data = vec![0; pitch * height];
    let planes = vec![PlaneMut {
        data: &mut data,
        pitch,
    }];
    let mut to = ViewMut::new(format, width, height, planes).unwrap();
    decoder.decode(file, &mut to).unwrap();
    (width, height, data)
}

/// In dB.
#[track_caller]
pub fn psnr(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    let square = |(a, b): (&u8, &u8)| u64::from(a.abs_diff(*b)).pow(2);
    let squares = a.iter().zip(b).map(square).sum::<u64>() as f64;
    10.0 * (255.0 * 255.0 * a.len() as f64 / squares.max(1e-9)).log10()
}

/// A picture on the card.
pub struct OnCard {
    pub memory: Memory,
    pub format: VideoFormat,
    pub size: (usize, usize),
    /// Offset and pitch of each plane.
    pub planes: Vec<(usize, usize)>,
}

impl OnCard {
    /// Memory for a picture whose rows begin at multiples of `align`.
    pub fn new(gpu: Gpu, info: &VideoInfo, align: usize) -> Self {
        let size = (info.width() as usize, info.height() as usize);
        let mut end = 0;
        let planes = plane_sizes(info.format(), size.0, size.1)
            .iter()
            .map(|plane| {
                let (offset, pitch) = (end, plane.row_bytes.next_multiple_of(align));
                end += pitch * plane.rows;
                (offset, pitch)
            })
            .collect();
        Self {
            memory: Memory::new(gpu, Kind::Device, end).unwrap(),
            format: info.format(),
            size,
            planes,
        }
    }

    pub fn upload(gpu: Gpu, frame: &Frame, align: usize) -> Self {
        let mut to = Self::new(gpu, &frame.info, align);
        let mapped = frame.map().unwrap();
        let from = View::of_frame(&mapped).unwrap();
        let stream = gpu.copies().unwrap();
        copy::upload(&from, &mut to.view_mut(), stream).unwrap();
        stream.synchronize().unwrap();
        to
    }

    pub fn view(&self) -> CardView<'_> {
        self.memory
            .view(self.format, self.size, &self.planes)
            .unwrap()
    }

    pub fn view_mut(&mut self) -> CardViewMut<'_> {
        self.memory
            .view_mut(self.format, self.size, &self.planes)
            .unwrap()
    }
}
