// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

use super::*;
use crate::frame::View;
use gst_video::VideoFormat;

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 7 + i / 251) as u8).collect()
}

fn buffer(parts: &[&[u8]]) -> gst::Buffer {
    gst::init().unwrap();
    let mut buffer = gst::Buffer::new();
    let buffer_mut = buffer.get_mut().unwrap();
    for part in parts {
        buffer_mut.append_memory(gst::Memory::from_slice(part.to_vec()));
    }
    buffer
}

fn frame(format: VideoFormat, width: u32, height: u32, buffer: gst::Buffer) -> Frame {
    let info = VideoInfo::builder(format, width, height).build().unwrap();
    Frame { info, buffer }
}

fn add_meta(frame: &mut Frame, size: (u32, u32), offsets: &[usize], strides: &[i32]) {
    let format = frame.info.format();
    VideoMeta::add_full(
        frame.buffer.get_mut().unwrap(),
        VideoFrameFlags::empty(),
        format,
        size.0,
        size.1,
        offsets,
        strides,
    )
    .unwrap();
}

/// The pixels that the planes at these places have.
fn expected(data: &[u8], frame: &Frame, offsets: &[usize], strides: &[usize]) -> Vec<u8> {
    let (width, height) = (frame.info.width() as usize, frame.info.height() as usize);
    let mut pixels = Vec::new();
    for ((size, offset), stride) in plane_sizes(frame.info.format(), width, height)
        .iter()
        .zip(offsets)
        .zip(strides)
    {
        for y in 0..size.rows {
            pixels.extend(&data[offset + y * stride..][..size.row_bytes]);
        }
    }
    pixels
}

fn pixels(frame: &Frame) -> Vec<u8> {
    let mapped = frame.map().unwrap();
    let mut pixels = Vec::new();
    View::of_frame(&mapped).unwrap().append_tight(&mut pixels);
    pixels
}

#[test]
fn a_plain_buffer_is_mapped_in_place() {
    let data = bytes(16 * 4 * 3 / 2);
    let frame = frame(VideoFormat::Nv12, 16, 4, buffer(&[&data]));
    assert_eq!(pixels(&frame), expected(&data, &frame, &[0, 64], &[16, 16]));
    let mapped = frame.map().unwrap();
    assert_eq!(mapped.buffer().as_ptr(), frame.buffer.as_ptr());
}

#[test]
fn strides_and_offsets_of_the_meta_count() {
    // What the converter cannot read in place is copied.
    for (offsets, strides, in_place) in [
        ([500, 16, 200], [40, 12, 8], true),
        ([500, 17, 200], [40, 12, 8], false),
        ([500, 16, 200], [40, 13, 9], false),
    ] {
        let data = bytes(1000);
        let mut frame = frame(VideoFormat::I420, 10, 6, buffer(&[&data]));
        add_meta(&mut frame, (10, 6), &offsets, &strides);
        let strides = strides.map(|stride| stride as usize);
        assert_eq!(pixels(&frame), expected(&data, &frame, &offsets, &strides));
        let mapped = frame.map().unwrap();
        let same = mapped.buffer().as_ptr() == frame.buffer.as_ptr();
        assert_eq!(same, in_place);
    }
}

#[test]
fn each_plane_may_have_its_memory() {
    let data = bytes(96);
    let mut frame = frame(
        VideoFormat::Nv12,
        16,
        4,
        buffer(&[&data[..64], &data[64..]]),
    );
    add_meta(&mut frame, (16, 4), &[0, 64], &[16, 16]);
    assert_eq!(pixels(&frame), data);
    let mapped = frame.map().unwrap();
    assert_eq!(mapped.buffer().as_ptr(), frame.buffer.as_ptr());
}

#[test]
fn planes_split_across_memories_are_gathered() {
    let data = bytes(96);
    for cut in [1, 15, 16, 40, 63, 65, 90, 95] {
        for with_meta in [true, false] {
            let parts = buffer(&[&data[..cut], &data[cut..]]);
            let mut frame = frame(VideoFormat::Nv12, 16, 4, parts);
            if with_meta {
                add_meta(&mut frame, (16, 4), &[0, 64], &[16, 16]);
            }
            assert_eq!(pixels(&frame), data, "cut at {cut}");
        }
    }
}

#[test]
fn the_last_row_may_lack_its_padding() {
    // 10 RGB pixels in rows of 40 bytes; the buffer ends with the last pixel.
    let data = bytes(40 * 2 + 30);
    let mut short = frame(VideoFormat::Rgb, 10, 3, buffer(&[&data]));
    add_meta(&mut short, (10, 3), &[0], &[40]);
    assert_eq!(pixels(&short), expected(&data, &short, &[0], &[40]));
    let data = &data[..data.len() - 1];
    let mut frame = frame(VideoFormat::Rgb, 10, 3, buffer(&[data]));
    add_meta(&mut frame, (10, 3), &[0], &[40]);
    assert_eq!(
        frame.map().unwrap_err(),
        FrameError::Outside {
            plane: 0,
            end: 110,
            size: 109
        }
    );
}

#[test]
fn a_buffer_without_meta_may_lack_the_padding_too() {
    // GStreamer's rows of 10 RGB pixels have 32 bytes.
    let data = bytes(32 * 2 + 30);
    let short = frame(VideoFormat::Rgb, 10, 3, buffer(&[&data]));
    assert_eq!(pixels(&short), expected(&data, &short, &[0], &[32]));
    let missing = frame(VideoFormat::Rgb, 10, 3, buffer(&[&data[..93]]));
    assert!(matches!(missing.map(), Err(FrameError::Outside { .. })));
    let empty = frame(VideoFormat::Rgb, 10, 3, buffer(&[]));
    assert!(matches!(empty.map(), Err(FrameError::Outside { .. })));
}

#[test]
fn a_larger_picture_is_cropped() {
    let data = bytes(20 * 8);
    let mut frame = frame(VideoFormat::Gray8, 10, 6, buffer(&[&data]));
    add_meta(&mut frame, (20, 8), &[0], &[20]);
    assert_eq!(pixels(&frame), expected(&data, &frame, &[0], &[20]));
}

#[test]
fn a_meta_that_lies_is_refused() {
    type Case<'a> = (&'a [usize], &'a [i32]);
    let cases: [Case<'_>; 9] = [
        (&[0, 65], &[16, 16]),
        (&[0, usize::MAX], &[16, 16]),
        (&[usize::MAX - 10, 64], &[16, 16]),
        (&[0, 1 << 40], &[16, 16]),
        (&[0, 64], &[i32::MAX, 16]),
        (&[0, 64], &[16, 17]),
        (&[0, 64], &[-16, 16]),
        (&[0, 64], &[15, 16]),
        (&[0, 64], &[16, 0]),
    ];
    for (offsets, strides) in cases {
        let mut frame = frame(VideoFormat::Nv12, 16, 4, buffer(&[&bytes(96)]));
        add_meta(&mut frame, (16, 4), offsets, strides);
        let error = frame.map().unwrap_err();
        assert!(
            matches!(
                error,
                FrameError::Outside { .. } | FrameError::Stride { .. }
            ),
            "{offsets:?} {strides:?}: {error}"
        );
    }
}

#[test]
fn a_meta_of_another_picture_is_refused() {
    for (format, width, height) in [
        (VideoFormat::I420, 16, 4),
        (VideoFormat::Nv12, 14, 4),
        (VideoFormat::Nv12, 16, 2),
    ] {
        let mut lying = frame(format, width, height, buffer(&[&bytes(200)]));
        let offsets = lying.info.offset().to_vec();
        let strides = lying.info.stride().to_vec();
        add_meta(&mut lying, (width, height), &offsets, &strides);
        let lying = frame(VideoFormat::Nv12, 16, 4, lying.buffer);
        assert!(matches!(lying.map(), Err(FrameError::Meta { .. })));
    }
}

#[test]
fn formats_that_are_not_ours_are_refused() {
    let frame = frame(VideoFormat::P01010le, 16, 4, buffer(&[&bytes(400)]));
    assert!(matches!(frame.map(), Err(FrameError::Format(_))));
}

#[test]
fn siblings_keep_what_a_converter_compares() {
    gst::init().unwrap();
    let info = VideoInfo::builder(VideoFormat::Nv12, 64, 32)
        .fps(gst::Fraction::new(30, 1))
        .interlace_mode(gst_video::VideoInterlaceMode::Interleaved)
        .colorimetry(&"bt601".parse().unwrap())
        .build()
        .unwrap();
    for format in [VideoFormat::I420, VideoFormat::Rgb] {
        let to = sibling(&info, format, 32, 16).unwrap();
        assert!(crate::frame::Converter::new(&info, &to, false).is_ok());
        assert_eq!(
            to.colorimetry() == info.colorimetry(),
            format == VideoFormat::I420
        );
    }
}
