// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

use gst_video::VideoInfo;

use super::*;
use crate::codec::Scaler;
use crate::frame::{Plane, PlaneMut};

pub(crate) fn info(format: VideoFormat, width: usize, height: usize, colors: &str) -> VideoInfo {
    gst::init().unwrap();
    let colors = colors.parse().unwrap();
    VideoInfo::builder(format, width as u32, height as u32)
        .colorimetry_if(&colors, !is_rgb(format))
        .build()
        .unwrap()
}

fn is_rgb(format: VideoFormat) -> bool {
    pixel_format(format).is_some_and(|p| p != PixelFormat::GRAY)
}

/// A frame of tight RGB pixels.
fn rgb_frame(width: usize, height: usize, pixel: impl Fn(usize, usize) -> [u8; 3]) -> Frame {
    let info = info(VideoFormat::Rgb, width, height, "sRGB");
    let mut frame = HostPool::new(&info).unwrap().acquire().unwrap();
    let mut to = ViewMut::of_frame(&mut frame).unwrap();
    for y in 0..height {
        let row = to.row_mut(0, y);
        for (x, to) in row.chunks_exact_mut(3).enumerate() {
            to.copy_from_slice(&pixel(x, y));
        }
    }
    Frame::from(frame)
}

/// Smooth enough that its JPEG is close to it.
pub(crate) fn smooth(width: usize, height: usize) -> Frame {
    rgb_frame(width, height, |x, y| {
        let wave = |step: f64, at: usize| (127.5 + 100.0 * (at as f64 / step).sin()) as u8;
        [wave(17.0, x + y), wave(23.0, x), wave(29.0, y + 40)]
    })
}

/// Colour bars, 75 percent.
fn bars(width: usize, height: usize) -> Frame {
    rgb_frame(width, height, |x, _| {
        let bar = 7 - 8 * x / width;
        [bar & 2, bar & 4, bar & 1].map(|on| if on == 0 { 0 } else { 191 })
    })
}

pub(crate) fn converted(frame: &Frame, to: &VideoInfo) -> Frame {
    let mapped = frame.map().unwrap();
    Scaler::default().convert(&mapped, &frame.info, to).unwrap()
}

pub(crate) fn tight(frame: &Frame) -> Vec<u8> {
    let mapped = frame.map().unwrap();
    let mut pixels = Vec::new();
    View::of_frame(&mapped).unwrap().append_tight(&mut pixels);
    pixels
}

/// What a frame looks like to everybody else.
fn seen(frame: &Frame) -> Vec<u8> {
    let (width, height) = (frame.info.width() as usize, frame.info.height() as usize);
    tight(&converted(
        frame,
        &info(VideoFormat::Rgb, width, height, "sRGB"),
    ))
}

pub(crate) fn decoded(file: &[u8], format: VideoFormat) -> Vec<u8> {
    let mut decoder = JpegDecoder::new();
    let header = decoder.header(file).unwrap();
    let pitch = header.width * pixel_format(format).unwrap().size();
    let mut data = vec![0; pitch * header.height];
    let planes = vec![PlaneMut {
        data: &mut data,
        pitch,
    }];
    let mut to = ViewMut::new(format, header.width, header.height, planes).unwrap();
    decoder.decode(file, &mut to).unwrap();
    data
}

pub(crate) fn psnr(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    let squares: f64 = a
        .iter()
        .zip(b)
        .map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2))
        .sum();
    10.0 * (255.0 * 255.0 * a.len() as f64 / squares.max(1e-9)).log10()
}

fn encode(encoder: &mut JpegEncoder, frame: &Frame, quality: u8, chroma: Subsampling) -> Vec<u8> {
    let mapped = frame.map().unwrap();
    let view = View::of_frame(&mapped).unwrap();
    let mut out = vec![1, 2, 3];
    encoder
        .encode(&view, &frame.info.colorimetry(), quality, chroma, &mut out)
        .unwrap();
    out
}

const CHROMAS: [Subsampling; 3] = [Subsampling::S420, Subsampling::S422, Subsampling::S444];

#[test]
fn every_format_and_size_comes_back() {
    let mut encoder = JpegEncoder::new();
    let yuv = [
        VideoFormat::I420,
        VideoFormat::Nv12,
        VideoFormat::Y42b,
        VideoFormat::Y444,
        VideoFormat::Yuy2,
        VideoFormat::Uyvy,
    ];
    let rgb = [
        VideoFormat::Rgb,
        VideoFormat::Bgr,
        VideoFormat::Rgba,
        VideoFormat::Bgra,
        VideoFormat::Rgbx,
        VideoFormat::Bgrx,
    ];
    for (width, height) in [(1, 1), (2, 2), (3, 5), (17, 33), (160, 120), (161, 121)] {
        let source = smooth(width, height);
        for format in yuv.iter().chain(&rgb) {
            let colors: &[&str] = if is_rgb(*format) {
                &["sRGB"]
            } else {
                &["bt709", "bt601", "1:4:0:0"]
            };
            for colors in colors {
                let frame = converted(&source, &info(*format, width, height, colors));
                for chroma in CHROMAS {
                    let file = encode(&mut encoder, &frame, 95, chroma);
                    let header = JpegDecoder::new().header(&file).unwrap();
                    assert_eq!((header.width, header.height), (width, height));
                    assert_eq!(header.subsampling, Some(chroma));
                    let db = psnr(&decoded(&file, VideoFormat::Rgb), &seen(&frame));
                    // Tiny pictures are nothing but chroma upsampled in another way.
                    let least = if width < 100 { 24.0 } else { 35.0 };
                    assert!(
                        db >= least,
                        "{format:?} {width}x{height} {colors} {chroma:?}: {db}"
                    );
                }
            }
        }
    }
}

#[test]
fn bars_of_limited_709_keep_their_colours() {
    let source = bars(640, 360);
    for format in [VideoFormat::I420, VideoFormat::Nv12] {
        let frame = converted(&source, &info(format, 640, 360, "bt709"));
        let file = encode(&mut JpegEncoder::new(), &frame, 90, Subsampling::S420);
        let db = psnr(&decoded(&file, VideoFormat::Rgb), &seen(&frame));
        assert!(db >= 31.0, "{format:?}: {db}");
        // Inside a bar there is nothing to lose. GStreamer's own RGB of it is off by more than this.
        let (got, want) = (decoded(&file, VideoFormat::Rgb), tight(&source));
        for bar in 0..8 {
            let at = 3 * (180 * 640 + bar * 80 + 40);
            for channel in 0..3 {
                assert!(
                    got[at + channel].abs_diff(want[at + channel]) <= 3,
                    "{format:?} bar {bar} {:?} {:?}",
                    &got[at..at + 3],
                    &want[at..at + 3]
                );
            }
        }
    }
}

#[test]
fn strides_are_followed() {
    let frame = smooth(50, 40);
    let pixels = tight(&frame);
    let mut wide = vec![255; 200 * 39 + 150];
    for (to, from) in wide.chunks_mut(200).zip(pixels.chunks(150)) {
        to[..150].copy_from_slice(from);
    }
    let view = View::new(
        VideoFormat::Rgb,
        50,
        40,
        vec![Plane {
            data: &wide,
            pitch: 200,
        }],
    )
    .unwrap();
    let mut encoder = JpegEncoder::new();
    let mut out = Vec::new();
    let colorimetry = frame.info.colorimetry();
    encoder
        .encode(&view, &colorimetry, 90, Subsampling::S420, &mut out)
        .unwrap();
    assert_eq!(out, encode(&mut encoder, &frame, 90, Subsampling::S420));

    let mut data = vec![7; 200 * 39 + 150];
    let planes = vec![PlaneMut {
        data: &mut data,
        pitch: 200,
    }];
    let mut to = ViewMut::new(VideoFormat::Rgb, 50, 40, planes).unwrap();
    JpegDecoder::new().decode(&out, &mut to).unwrap();
    let tight: Vec<u8> = data
        .chunks(200)
        .flat_map(|row| &row[..150])
        .copied()
        .collect();
    assert_eq!(tight, decoded(&out, VideoFormat::Rgb));
    assert!(
        data.chunks(200)
            .all(|row| row[150..].iter().all(|b| *b == 7))
    );
}

#[test]
fn full_601_takes_the_short_way_with_the_same_result() {
    let frame = converted(&smooth(64, 48), &info(VideoFormat::I420, 64, 48, "1:4:0:0"));
    let nv12 = converted(&frame, &info(VideoFormat::Nv12, 64, 48, "1:4:0:0"));
    let mut encoder = JpegEncoder::new();
    let one = encode(&mut encoder, &frame, 90, Subsampling::S420);
    assert_eq!(one, encode(&mut encoder, &nv12, 90, Subsampling::S420));
}

#[test]
fn gray_is_gray_and_stretched() {
    let data: Vec<u8> = (0..64 * 64).map(|i| (16 + i % 64 * 3) as u8).collect();
    let view = View::new(
        VideoFormat::Gray8,
        64,
        64,
        vec![Plane {
            data: &data,
            pitch: 64,
        }],
    )
    .unwrap();
    gst::init().unwrap();
    for (colors, stretched) in [("1:4:0:0", false), ("2:4:0:0", true)] {
        let mut out = Vec::new();
        JpegEncoder::new()
            .encode(
                &view,
                &colors.parse().unwrap(),
                95,
                Subsampling::S420,
                &mut out,
            )
            .unwrap();
        assert!(JpegDecoder::new().header(&out).unwrap().gray);
        let want: Vec<u8> = data
            .iter()
            .map(|&y| {
                if stretched {
                    ((f64::from(y) - 16.0) * 255.0 / 219.0).round() as u8
                } else {
                    y
                }
            })
            .collect();
        assert!(psnr(&decoded(&out, VideoFormat::Gray8), &want) > 40.0);
    }
}

#[test]
fn every_order_of_channels_is_decoded() {
    let file = encode(
        &mut JpegEncoder::new(),
        &smooth(31, 17),
        90,
        Subsampling::S420,
    );
    let rgb = decoded(&file, VideoFormat::Rgb);
    for (format, size, order) in [
        (VideoFormat::Bgr, 3, [2, 1, 0]),
        (VideoFormat::Rgba, 4, [0, 1, 2]),
        (VideoFormat::Rgbx, 4, [0, 1, 2]),
        (VideoFormat::Bgra, 4, [2, 1, 0]),
        (VideoFormat::Bgrx, 4, [2, 1, 0]),
    ] {
        let pixels = decoded(&file, format);
        for (got, want) in pixels.chunks_exact(size).zip(rgb.chunks_exact(3)) {
            assert_eq!(order.map(|i| got[i]), want);
            assert_eq!(got.get(3).copied().unwrap_or(255), 255);
        }
    }
    assert_eq!(decoded(&file, VideoFormat::Gray8).len(), 31 * 17);
}

#[test]
fn damaged_files_are_errors() {
    let file = encode(
        &mut JpegEncoder::new(),
        &smooth(64, 64),
        90,
        Subsampling::S420,
    );
    let mut decoder = JpegDecoder::new();
    let mut data = vec![0; 64 * 64 * 3];
    let mut decode = |file: &[u8]| {
        let planes = vec![PlaneMut {
            data: &mut data,
            pitch: 192,
        }];
        let mut to = ViewMut::new(VideoFormat::Rgb, 64, 64, planes).unwrap();
        decoder.decode(file, &mut to)
    };
    for end in 0..file.len() {
        assert!(decode(&file[..end]).is_err(), "{end} of {}", file.len());
    }
    assert!(decode(&file).is_ok(), "a failure leaves the decoder usable");
    let mut trailing = file.clone();
    trailing.extend([0, 1, 2, 255, 217, 3]);
    assert!(
        decode(&trailing).is_ok(),
        "bytes behind the end do not matter"
    );
    assert!(decode(b"not a JPEG").is_err());
    let other = encode(
        &mut JpegEncoder::new(),
        &smooth(64, 62),
        90,
        Subsampling::S420,
    );
    assert!(matches!(decode(&other), Err(CodecError::OtherSize { .. })));
}

#[test]
fn cmyk_is_refused() {
    let image = Image {
        pixels: &[9u8; 64 * 4][..],
        width: 8,
        pitch: 32,
        height: 8,
        format: PixelFormat::CMYK,
    };
    let mut compressor = Compressor::new().unwrap();
    compressor.set_subsamp(Subsamp::None).unwrap();
    let file = compressor.compress_to_vec(image).unwrap();
    let result = JpegDecoder::new().header(&file);
    assert!(matches!(result, Err(CodecError::Cmyk)), "{result:?}");
}

#[test]
fn sizes_that_jpeg_cannot_hold_are_refused() {
    let data = vec![0; 65_501];
    let colorimetry = info(VideoFormat::Gray8, 1, 1, "1:4:0:0").colorimetry();
    for (width, height) in [(65_501, 1), (1, 65_501), (0, 0)] {
        let plane = Plane {
            data: &data,
            pitch: width,
        };
        let view = View::new(VideoFormat::Gray8, width, height, vec![plane]).unwrap();
        let result =
            JpegEncoder::new().encode(&view, &colorimetry, 90, Subsampling::S420, &mut Vec::new());
        assert!(matches!(result, Err(CodecError::Side { .. })));
    }
}

#[test]
fn an_encoder_is_used_for_pictures_of_every_size() {
    let mut encoder = JpegEncoder::new();
    for (width, height) in [
        (64, 64),
        (8, 8),
        (640, 360),
        (16, 16),
        (641, 361),
        (640, 360),
    ] {
        for quality in [100, 5] {
            let frame = smooth(width, height);
            let file = encode(&mut encoder, &frame, quality, Subsampling::S444);
            assert_eq!(
                file,
                encode(&mut JpegEncoder::new(), &frame, quality, Subsampling::S444)
            );
        }
    }
}
