// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

use gst_video::prelude::*;
use gst_video::video_frame::Writable;
use gst_video::{VideoFormat, VideoFrame, VideoInfo};
use proptest::prelude::*;

use super::super::{Converter, FORMATS, Frame, SYSTEM_FORMATS};
use super::*;

fn blank(format: VideoFormat, width: usize, height: usize, value: u8) -> VideoFrame<Writable> {
    gst::init().unwrap();
    let info = VideoInfo::builder(format, width as u32, height as u32)
        .build()
        .unwrap();
    let mut buffer = gst::Buffer::with_size(info.size()).unwrap();
    let mut map = buffer.get_mut().unwrap().map_writable().unwrap();
    // Anything but flat, so that what is behind the code matters if it is not covered.
    for (i, byte) in map.iter_mut().enumerate() {
        *byte = value.wrapping_add((i % 7) as u8);
    }
    drop(map);
    VideoFrame::from_buffer_writable(buffer, &info).unwrap()
}

fn coded(format: VideoFormat, width: usize, height: usize, id: (u16, u32)) -> VideoFrame<Writable> {
    let mut frame = blank(format, width, height, 77);
    let full = frame.info().colorimetry().range() == gst_video::VideoColorRange::Range0_255;
    let mut view = ViewMut::of_frame(&mut frame).unwrap();
    draw(&mut view, full, id.0, id.1).unwrap();
    frame
}

fn scaled(frame: VideoFrame<Writable>, width: u32, height: u32) -> VideoFrame<Writable> {
    let frame = Frame::from(frame);
    let from = VideoFrame::from_buffer_readable(frame.buffer, &frame.info).unwrap();
    let mut to = blank(from.format(), width as usize, height as usize, 0);
    Converter::new(from.info(), to.info(), false)
        .unwrap()
        .convert(&from, &mut to);
    to
}

fn all_formats() -> impl Iterator<Item = VideoFormat> {
    FORMATS.into_iter().chain(SYSTEM_FORMATS)
}

const IDS: [(u16, u32); 5] = [
    (0, 0),
    (u16::MAX, u32::MAX),
    (1, 2),
    (0x5555, 0xaaaa_aaaa),
    (4711, 123_456_789),
];

#[test]
fn every_format_and_size_gives_back_what_was_drawn() {
    for format in all_formats() {
        for (width, height) in [(128, 72), (129, 73), (131, 97), (641, 479), (1280, 720)] {
            for id in IDS {
                let frame = coded(format, width, height, id);
                let view = View::of_frame(&frame).unwrap();
                assert_eq!(read(&view), Some(id), "{format:?} {width}x{height}");
            }
        }
    }
}

#[test]
fn nothing_but_the_corner_is_touched() {
    for format in all_formats() {
        for (width, height) in [(128, 72), (133, 99), (641, 479)] {
            let before = blank(format, width, height, 77);
            let after = coded(format, width, height, (4711, 99));
            let (before, after) = (
                View::of_frame(&before).unwrap(),
                View::of_frame(&after).unwrap(),
            );
            let (right, bottom) = (16 * width / 64, 4 * height / 36);
            for (plane, lanes) in lanes(format).iter().enumerate() {
                for (y, (old, new)) in before.rows(plane).zip(after.rows(plane)).enumerate() {
                    for (i, (old, new)) in old.iter().zip(new).enumerate() {
                        let (lane, dx) = lanes.bytes[i % lanes.bytes.len()];
                        let x = i / lanes.bytes.len() * lanes.across + dx;
                        let inside = x < right && y * lanes.down < bottom;
                        let as_it_must = match (inside, lane.is_chroma()) {
                            (true, true) => *new == NEUTRAL,
                            (true, false) => matches!(new, 0 | 16 | 235 | 255),
                            (false, _) => old == new,
                        };
                        assert!(
                            as_it_must,
                            "{format:?} {width}x{height} {lane:?} {x},{y}: {old} to {new}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn the_code_survives_scaling() {
    let sizes = [(640, 480), (641, 479), (256, 144)];
    for format in all_formats() {
        for (width, height) in sizes {
            for id in [IDS[3], IDS[4]] {
                for (to_width, to_height) in [
                    (width / 2, height / 2),
                    (width * 2 / 3 + 1, (height * 3 / 4) | 1),
                    (width + 77, height + 31),
                ] {
                    let frame = coded(format, width as usize, height as usize, id);
                    let frame = scaled(frame, to_width, to_height);
                    let view = View::of_frame(&frame).unwrap();
                    assert_eq!(
                        read(&view),
                        Some(id),
                        "{format:?} {width}x{height} to {to_width}x{to_height}"
                    );
                }
            }
        }
    }
}

#[test]
fn the_code_survives_conversion() {
    for from in all_formats() {
        for to in all_formats() {
            let frame = Frame::from(coded(from, 320, 240, (12, 345_678)));
            let frame = VideoFrame::from_buffer_readable(frame.buffer, &frame.info).unwrap();
            let mut converted = blank(to, 320, 240, 0);
            Converter::new(frame.info(), converted.info(), false)
                .unwrap()
                .convert(&frame, &mut converted);
            let view = View::of_frame(&converted).unwrap();
            assert_eq!(read(&view), Some((12, 345_678)), "{from:?} to {to:?}");
        }
    }
}

/// As JPEG of quality 50 with 4:2:0 and back.
fn through_jpeg(frame: &VideoFrame<Writable>) -> turbojpeg::Image<Vec<u8>> {
    let view = View::of_frame(frame).unwrap();
    let image = turbojpeg::Image {
        pixels: view.planes()[0].data,
        width: view.width(),
        pitch: view.planes()[0].pitch,
        height: view.height(),
        format: turbojpeg::PixelFormat::RGB,
    };
    let jpeg = turbojpeg::compress(image, 50, turbojpeg::Subsamp::Sub2x2).unwrap();
    turbojpeg::decompress(&jpeg, turbojpeg::PixelFormat::RGB).unwrap()
}

fn read_image(image: &turbojpeg::Image<Vec<u8>>) -> Option<(u16, u32)> {
    let plane = super::super::Plane {
        data: &image.pixels,
        pitch: image.pitch,
    };
    read(&View::new(VideoFormat::Rgb, image.width, image.height, vec![plane]).unwrap())
}

#[test]
fn the_code_survives_jpeg() {
    for (width, height) in [(128, 72), (131, 97), (320, 240), (641, 479), (1920, 1080)] {
        for id in IDS {
            let image = through_jpeg(&coded(VideoFormat::Rgb, width, height, id));
            assert_eq!(read_image(&image), Some(id), "{width}x{height}");
        }
    }
    let halved = scaled(coded(VideoFormat::Rgb, 641, 479, IDS[4]), 320, 239);
    assert_eq!(read_image(&through_jpeg(&halved)), Some(IDS[4]));
}

#[test]
fn a_flipped_cell_is_noticed() {
    for row in 0..ROWS {
        for column in 0..COLUMNS {
            let mut cells = encode(4711, 123_456);
            assert_eq!(decode(&cells), Some((4711, 123_456)));
            cells[row][column] = !cells[row][column];
            assert_eq!(decode(&cells), None, "{row} {column}");
        }
    }
    // The same in pixels: one cell painted over.
    let mut frame = coded(VideoFormat::Gray8, 640, 360, (1, 2));
    let mut view = ViewMut::of_frame(&mut frame).unwrap();
    for y in 10..20 {
        for value in &mut view.row_mut(0, y)[50..60] {
            *value = 255 - *value;
        }
    }
    drop(view);
    assert_eq!(read(&View::of_frame(&frame).unwrap()), None);
}

#[test]
fn pictures_without_a_code_have_none() {
    for format in all_formats() {
        for value in [0, 16, 77, 128, 249] {
            let frame = blank(format, 320, 240, value);
            assert_eq!(read(&View::of_frame(&frame).unwrap()), None);
        }
        let tiny = blank(format, 1, 1, 0);
        assert_eq!(read(&View::of_frame(&tiny).unwrap()), None);
    }
}

#[test]
fn a_picture_can_be_too_small() {
    for (width, height) in [(127, 72), (128, 71), (1, 1)] {
        let mut frame = blank(VideoFormat::I420, width, height, 50);
        let mut view = ViewMut::of_frame(&mut frame).unwrap();
        assert_eq!(
            draw(&mut view, false, 0, 0),
            Err(TooSmall { width, height })
        );
    }
}

proptest! {
    #[test]
    fn any_number_comes_back(stream: u16, number: u32) {
        prop_assert_eq!(decode(&encode(stream, number)), Some((stream, number)));
        let frame = coded(VideoFormat::Nv12, 131, 97, (stream, number));
        prop_assert_eq!(read(&View::of_frame(&frame).unwrap()), Some((stream, number)));
        let image = through_jpeg(&coded(VideoFormat::Rgb, 128, 72, (stream, number)));
        prop_assert_eq!(read_image(&image), Some((stream, number)));
    }
}
