// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

use super::*;
use crate::frame::Plane;

fn encode(format: VideoFormat, width: usize, height: usize, pitch: usize, data: &[u8]) -> Vec<u8> {
    let view = View::new(format, width, height, vec![Plane { data, pitch }]).unwrap();
    let mut out = vec![9; 3];
    PngEncoder::new().encode(&view, &mut out).unwrap();
    out
}

fn noise(len: usize) -> Vec<u8> {
    let mut state = 1u32;
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(1664525).wrapping_add(1013904223);
            (state >> 24) as u8
        })
        .collect()
}

fn written(
    color: ColorType,
    depth: BitDepth,
    data: &[u8],
    more: impl FnOnce(&mut png::Encoder<'_, &mut Vec<u8>>),
) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, 4, 2);
    encoder.set_color(color);
    encoder.set_depth(depth);
    more(&mut encoder);
    encoder
        .write_header()
        .unwrap()
        .write_image_data(data)
        .unwrap();
    file
}

#[test]
fn nothing_is_lost() {
    for (format, channels) in [
        (VideoFormat::Rgb, 3),
        (VideoFormat::Rgba, 4),
        (VideoFormat::Gray8, 1),
    ] {
        for (width, height) in [(1, 1), (3, 2), (64, 64), (131, 77)] {
            for padding in [0, 5] {
                let pitch = width * channels + padding;
                let data = noise(pitch * height);
                let file = encode(format, width, height, pitch, &data);
                let mut pixels = Vec::new();
                let picture = decode(&file, &mut pixels).unwrap();
                assert_eq!(
                    picture,
                    PngPicture {
                        width,
                        height,
                        format
                    }
                );
                let rows = data.chunks(pitch).flat_map(|row| &row[..width * channels]);
                assert!(pixels.iter().eq(rows));
            }
        }
    }
}

#[test]
fn every_kind_of_pixel_becomes_bytes() {
    const PALETTE: [u8; 9] = [1, 2, 3, 4, 5, 6, 7, 8, 9];
    let indexed = written(
        ColorType::Indexed,
        BitDepth::Two,
        &[0b00_01_10_00, 0b01_01_01_01],
        |e| {
            e.set_palette(&PALETTE[..]);
        },
    );
    let mut pixels = Vec::new();
    let picture = decode(&indexed, &mut pixels).unwrap();
    assert_eq!(picture.format, VideoFormat::Rgb);
    assert_eq!(pixels[..12], [1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3]);

    let transparent = written(
        ColorType::Indexed,
        BitDepth::Two,
        &[0b00_01_10_00, 0],
        |e| {
            e.set_palette(&PALETTE[..]);
            e.set_trns(&[0, 128][..]);
        },
    );
    let picture = decode(&transparent, &mut pixels).unwrap();
    assert_eq!(picture.format, VideoFormat::Rgba);
    assert_eq!(pixels[..12], [1, 2, 3, 0, 4, 5, 6, 128, 7, 8, 9, 255]);

    let bits = written(
        ColorType::Grayscale,
        BitDepth::One,
        &[0b1010_0000, 0],
        |_| {},
    );
    assert_eq!(
        decode(&bits, &mut pixels).unwrap().format,
        VideoFormat::Gray8
    );
    assert_eq!(pixels, [255, 0, 255, 0, 0, 0, 0, 0]);

    let deep: Vec<u8> = (0..24).flat_map(|i| [i, 200]).collect();
    let deep = written(ColorType::Rgb, BitDepth::Sixteen, &deep, |_| {});
    assert_eq!(decode(&deep, &mut pixels).unwrap().format, VideoFormat::Rgb);
    assert!(pixels.iter().copied().eq(0..24));

    let alpha: Vec<u8> = (0..16).collect();
    let alpha = written(ColorType::GrayscaleAlpha, BitDepth::Eight, &alpha, |_| {});
    assert_eq!(
        decode(&alpha, &mut pixels).unwrap().format,
        VideoFormat::Rgba
    );
    assert_eq!(pixels[..8], [0, 0, 0, 1, 2, 2, 2, 3]);
}

#[test]
fn a_file_cut_short_is_an_error() {
    let file = encode(VideoFormat::Rgb, 20, 20, 60, &noise(1200));
    let mut pixels = Vec::new();
    assert!(decode(&file, &mut pixels).is_ok());
    for end in 0..file.len() {
        assert!(
            decode(&file[..end], &mut pixels).is_err(),
            "{end} of {}",
            file.len()
        );
    }
    let mut damaged = file.clone();
    damaged[file.len() / 2] ^= 0x55;
    assert!(decode(&damaged, &mut pixels).is_err());
}

#[test]
fn a_header_does_not_cost_the_memory() {
    for (width, height) in [(65_535u32, 65_535u32), (70_000, 1), (1 << 31, 1 << 31)] {
        let mut file = Vec::new();
        // Only the header is written.
        let writer = png::Encoder::new(&mut file, width, height).write_header();
        drop(writer);
        let mut pixels = Vec::new();
        assert!(decode(&file, &mut pixels).is_err());
        assert_eq!(pixels.capacity(), 0);
    }
}

#[test]
fn other_formats_are_refused() {
    let data = [0; 64];
    let plane = Plane {
        data: &data,
        pitch: 16,
    };
    let view = View::new(VideoFormat::Bgra, 4, 4, vec![plane]).unwrap();
    let result = PngEncoder::new().encode(&view, &mut Vec::new());
    assert!(matches!(result, Err(CodecError::Format { .. })));
}
