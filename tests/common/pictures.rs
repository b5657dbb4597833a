// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Pictures: making, converting, reading back and comparing them.

use std::path::Path;

use gst_video::{VideoConverter, VideoFormat, VideoFrame, VideoInfo};
use gstdsframe::codec::{JpegDecoder, NpyStack, png};
use gstdsframe::frame::{View, ViewMut};

/// Pixels without padding.
#[derive(PartialEq, Eq, Clone)]
pub struct Picture {
    pub width: usize,
    pub height: usize,
    pub format: VideoFormat,
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let head = &self.bytes[..self.bytes.len().min(24)];
        let (width, height) = (self.width, self.height);
        write!(f, "{} {width}x{height} {head:?}...", self.format)
    }
}

pub fn info(format: VideoFormat, width: u32, height: u32) -> VideoInfo {
    super::init();
    VideoInfo::builder(format, width, height).build().unwrap()
}

/// A soft picture with all colours in it, as large as the caps say.
pub fn scene(info: &VideoInfo) -> gst::Buffer {
    let (width, height) = (info.width(), info.height());
    let rgb = self::info(VideoFormat::Rgb, width, height);
    let mut buffer = gst::Buffer::with_size(rgb.size()).unwrap();
    {
        let mut map = buffer.get_mut().unwrap().map_writable().unwrap();
        for y in 0..height as usize {
            for x in 0..width as usize {
                let at = y * rgb.stride()[0] as usize + 3 * x;
                let (x, y) = (x * 255 / width as usize, y * 255 / height as usize);
                let pixel = [x, y, 255 - (x + y) / 2];
                map[at..at + 3].copy_from_slice(&pixel.map(|value| value as u8));
            }
        }
    }
    convert(&buffer, &rgb, info)
}

/// By GStreamer's converter, as it comes.
pub fn convert(buffer: &gst::Buffer, from: &VideoInfo, to: &VideoInfo) -> gst::Buffer {
    let converter = VideoConverter::new(from, to, None).unwrap();
    let source = VideoFrame::from_buffer_readable(buffer.clone(), from).unwrap();
    let target = gst::Buffer::with_size(to.size()).unwrap();
    let mut target = VideoFrame::from_buffer_writable(target, to).unwrap();
    converter.frame(&source, &mut target);
    target.into_buffer()
}

/// The pixels of a buffer.
pub fn picture(buffer: &gst::Buffer, info: &VideoInfo) -> Picture {
    let frame = VideoFrame::from_buffer_readable(buffer.clone(), info).unwrap();
    let mut bytes = Vec::new();
    View::of_frame(&frame).unwrap().append_tight(&mut bytes);
    Picture {
        width: info.width() as usize,
        height: info.height() as usize,
        format: info.format(),
        bytes,
    }
}

/// A buffer in another format and size.
pub fn converted(buffer: &gst::Buffer, from: &VideoInfo, to: &VideoInfo) -> Picture {
    picture(&convert(buffer, from, to), to)
}

/// What PNG and npy hold of a format.
pub fn packed(format: VideoFormat) -> VideoFormat {
    match format {
        VideoFormat::Rgba | VideoFormat::Bgra => VideoFormat::Rgba,
        VideoFormat::Gray8 => VideoFormat::Gray8,
        _ => VideoFormat::Rgb,
    }
}

#[track_caller]
pub fn read(path: &Path) -> Picture {
    let file = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    match path.extension().unwrap().to_str().unwrap() {
        "jpg" => read_jpeg(&file),
        "png" => {
            let mut bytes = Vec::new();
            let picture = png::decode(&file, &mut bytes).unwrap();
            Picture {
                width: picture.width,
                height: picture.height,
                format: picture.format,
                bytes,
            }
        }
        "npy" => {
            let mut rest = file.as_slice();
            let stack = NpyStack::read(&mut rest).unwrap();
            assert_eq!((stack.frames, rest.len()), (1, stack.frame_bytes()));
            Picture {
                width: stack.width,
                height: stack.height,
                format: stack.format(),
                bytes: rest.to_vec(),
            }
        }
        other => panic!("{other}"),
    }
}

/// As RGB.
fn read_jpeg(file: &[u8]) -> Picture {
    let mut decoder = JpegDecoder::new();
    let header = decoder.header(file).unwrap();
    let info = info(VideoFormat::Rgb, header.width as u32, header.height as u32);
    let buffer = gst::Buffer::with_size(info.size()).unwrap();
    let mut frame = VideoFrame::from_buffer_writable(buffer, &info).unwrap();
    decoder
        .decode(file, &mut ViewMut::of_frame(&mut frame).unwrap())
        .unwrap();
    picture(&frame.into_buffer(), &info)
}

/// In dB.
#[track_caller]
pub fn psnr(a: &Picture, b: &Picture) -> f64 {
    let shape = |p: &Picture| (p.width, p.height, p.format);
    assert_eq!(shape(a), shape(b));
    let squares: f64 = a
        .bytes
        .iter()
        .zip(&b.bytes)
        .map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2))
        .sum();
    10.0 * (255.0 * 255.0 * a.bytes.len() as f64 / squares.max(1e-9)).log10()
}
