// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

use glib::prelude::*;
use gst_video::video_frame::Writable;
use gst_video::{VideoColorimetry, VideoFormat, VideoFrame, VideoInfo};

use super::super::Report;
use super::*;
use crate::frame::{Converter, FORMATS, Frame, SYSTEM_FORMATS, View, ViewMut};
use crate::meta::Bounds;

const PATTERNS: [Pattern; 6] = [
    Pattern::Gradient,
    Pattern::Bars,
    Pattern::Checker,
    Pattern::Solid,
    Pattern::Noise,
    Pattern::Objects,
];

struct Silent;

impl Report for Silent {
    fn warn(&self, _error: SourceError) {}
    fn forward(&self, _message: gst::Message) {}
}

fn open(pattern: Pattern) -> Box<dyn Source> {
    PatternSource::open(
        pattern,
        Surroundings {
            gate: Arc::default(),
            report: Arc::new(Silent),
            prefetch: 4,
            looping: false,
            card: None,
        },
    )
}

fn info(format: VideoFormat, width: usize, height: usize) -> VideoInfo {
    gst::init().unwrap();
    VideoInfo::builder(format, width as u32, height as u32)
        .build()
        .unwrap()
}

fn all_formats() -> impl Iterator<Item = VideoFormat> {
    FORMATS.into_iter().chain(SYSTEM_FORMATS)
}

/// A frame as the element gets it, and its detections.
fn fetch(pattern: Pattern, info: &VideoInfo, number: u64) -> (Frame, Vec<Detection>) {
    let mut source = open(pattern);
    let target = Target {
        info: info.clone(),
        add_borders: false,
        card: None,
    };
    source.set_target(&target).unwrap();
    source.seek(number, gst::ClockTime::ZERO).unwrap();
    let Next::Frame(fetched) = source.next(None).unwrap() else {
        panic!("no frame");
    };
    assert_eq!((fetched.pts, fetched.duration), (None, None));
    let Picture::Paint(painter, painted) = &fetched.picture else {
        panic!("not to be drawn");
    };
    assert_eq!(*painted, number);
    let mut frame = VideoFrame::from_buffer_writable(
        gst::Buffer::from_mut_slice(vec![0xa5u8; info.size()]),
        info,
    )
    .unwrap();
    painter.paint(number, &mut ViewMut::of_frame(&mut frame).unwrap());
    (frame.into(), fetched.detections)
}

fn tight(frame: &Frame) -> Vec<u8> {
    let mapped = VideoFrame::from_buffer_readable(frame.buffer.clone(), &frame.info).unwrap();
    let mut out = Vec::new();
    View::of_frame(&mapped).unwrap().append_tight(&mut out);
    out
}

fn draw(pattern: Pattern, info: &VideoInfo, number: u64) -> Vec<u8> {
    tight(&fetch(pattern, info, number).0)
}

fn rgb(pattern: Pattern, width: usize, height: usize, number: u64) -> Vec<[u8; 3]> {
    let bytes = draw(pattern, &info(VideoFormat::Rgb, width, height), number);
    bytes.as_chunks::<3>().0.to_vec()
}

/// numpy.linspace as numpy computes it: arange times step, the end put in its place.
fn numpy_linspace(start: f64, stop: f64, num: usize) -> Vec<u8> {
    let div = num as f64 - 1.0;
    let delta = stop - start;
    let mut y: Vec<f64> = (0..num).map(|i| i as f64).collect();
    if div > 0.0 {
        let step = delta / div;
        y.iter_mut().for_each(|y| *y *= step);
    } else {
        y.iter_mut().for_each(|y| *y *= delta);
    }
    y.iter_mut().for_each(|y| *y += start);
    if num > 1 {
        y[num - 1] = stop;
    }
    y.iter().map(|y| y.floor() as u8).collect()
}

#[test]
fn the_gradient_is_the_documented_one() {
    let sizes = [
        (1, 1),
        (1, 7),
        (9, 1),
        (2, 2),
        (255, 256),
        (257, 511),
        (641, 479),
        (1280, 720),
    ];
    for (width, height) in sizes {
        let x = numpy_linspace(0.0, 255.0, width);
        let y = numpy_linspace(0.0, 255.0, height);
        for number in [0u64, 1, 50, 51, 52, 1000] {
            let offset = (5 * number % 255) as u32;
            let drawn = rgb(Pattern::Gradient, width, height, number);
            for row in 0..height {
                for column in 0..width {
                    let red = (u32::from(x[column]) + offset) % 255;
                    let green = (u32::from(y[row]) + offset) % 255;
                    assert_eq!(
                        drawn[row * width + column],
                        [red as u8, green as u8, 128],
                        "{width}x{height} frame {number} at {column},{row}"
                    );
                }
            }
        }
    }
}

#[test]
fn every_pattern_moves_in_every_format() {
    let sizes = [(17, 19), (64, 48), (131, 97), (641, 479)];
    for pattern in PATTERNS {
        for format in all_formats() {
            for (width, height) in sizes {
                let info = info(format, width, height);
                for number in [0, 50, 1000] {
                    assert_ne!(
                        draw(pattern, &info, number),
                        draw(pattern, &info, number + 1),
                        "{pattern:?} {format:?} {width}x{height} frame {number}"
                    );
                }
            }
        }
    }
}

#[test]
fn every_pattern_is_drawn_at_every_size_and_covers_the_picture() {
    let sizes = [
        (1, 1),
        (1, 2),
        (2, 1),
        (3, 3),
        (1, 9),
        (9, 1),
        (5, 7),
        (16, 16),
    ];
    for pattern in PATTERNS {
        for format in all_formats() {
            for (width, height) in sizes {
                let info = info(format, width, height);
                for number in [0, 1, 51, u64::MAX] {
                    let (frame, _) = fetch(pattern, &info, number);
                    let target = Target {
                        info: info.clone(),
                        add_borders: false,
                        card: None,
                    };
                    let drawing = Drawing::new(pattern, &target).unwrap();
                    let Painter::Cpu(painter) = &drawing.painter else {
                        panic!("not by the CPU");
                    };
                    // Drawn over something else it must come out the same: nothing is left out.
                    let mut other = VideoFrame::<Writable>::from_buffer_writable(
                        gst::Buffer::from_mut_slice(vec![0x5au8; info.size()]),
                        &info,
                    )
                    .unwrap();
                    let mut view = ViewMut::of_frame(&mut other).unwrap();
                    painter.paint(number, &mut view);
                    drop(view);
                    assert_eq!(tight(&frame), tight(&other.into()), "{pattern:?} {info:?}");
                }
            }
        }
    }
}

fn with_colorimetry(format: VideoFormat, colorimetry: &str) -> VideoInfo {
    gst::init().unwrap();
    VideoInfo::builder(format, 320, 240)
        .colorimetry(&colorimetry.parse::<VideoColorimetry>().unwrap())
        .build()
        .unwrap()
}

/// The frame drawn as RGB and brought into the format by GStreamer.
fn converted(pattern: Pattern, to: &VideoInfo, number: u64) -> Vec<u8> {
    let from = info(VideoFormat::Rgb, 320, 240);
    let frame = fetch(pattern, &from, number).0;
    let frame = VideoFrame::from_buffer_readable(frame.buffer, &frame.info).unwrap();
    let buffer = gst::Buffer::with_size(to.size()).unwrap();
    let mut out = VideoFrame::from_buffer_writable(buffer, to).unwrap();
    Converter::new(&from, to, false)
        .unwrap()
        .convert(&frame, &mut out);
    tight(&out.into())
}

/// The pixels around which all is one colour, or nearly: converters differ at edges.
fn smooth(rgb: &[[u8; 3]], width: usize, height: usize) -> Vec<bool> {
    let near = |at: usize, bound: usize| at.saturating_sub(4)..(at + 5).min(bound);
    let alike = |a: &[u8; 3], b: &[u8; 3]| a.iter().zip(b).all(|(a, b)| a.abs_diff(*b) < 10);
    let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    places
        .map(|(x, y)| {
            let here = &rgb[y * width + x];
            near(y, height).all(|v| near(x, width).all(|u| alike(here, &rgb[v * width + u])))
        })
        .collect()
}

#[test]
fn colours_are_those_of_the_converter() {
    const WIDTH: usize = 320;
    const HEIGHT: usize = 240;
    // The last two are full range: BT.601 and BT.709.
    let colorimetries = ["bt601", "bt709", "bt2020", "1:4:0:0", "1:3:0:0"];
    let is_yuv = |format: &VideoFormat| {
        let mut lanes = lanes::lanes(*format)[0].bytes.iter();
        lanes.any(|(lane, _)| *lane == lanes::Lane::Luma)
    };
    for pattern in PATTERNS.into_iter().filter(|p| *p != Pattern::Noise) {
        for number in [0, 52] {
            let smooth = smooth(&rgb(pattern, WIDTH, HEIGHT, number), WIDTH, HEIGHT);
            for format in all_formats().filter(is_yuv) {
                for colorimetry in colorimetries {
                    let info = with_colorimetry(format, colorimetry);
                    let ours = draw(pattern, &info, number);
                    let theirs = converted(pattern, &info, number);
                    let sizes = plane_sizes(format, WIDTH, HEIGHT);
                    let places =
                        sizes
                            .iter()
                            .zip(lanes::lanes(format))
                            .flat_map(|(size, lanes)| {
                                (0..size.rows).flat_map(move |y| {
                                    (0..size.row_bytes).map(move |i| {
                                        (i / lanes.bytes.len() * lanes.across, y * lanes.down)
                                    })
                                })
                            });
                    let mut compared = 0;
                    for ((ours, theirs), (x, y)) in ours.iter().zip(&theirs).zip(places) {
                        if smooth[y * WIDTH + x] {
                            compared += 1;
                            assert!(
                                ours.abs_diff(*theirs) <= 2,
                                "{pattern:?} {format:?} {colorimetry} frame {number} \
                                 at {x},{y}: {ours} not {theirs}"
                            );
                        }
                    }
                    assert!(compared * 2 > ours.len(), "{pattern:?}: {compared}");
                }
            }
        }
    }
}

#[test]
fn noise_has_the_colours_of_its_rgb_self() {
    let (width, height) = (37, 21);
    let pixels = rgb(Pattern::Noise, width, height, 9);
    for colorimetry in ["bt601", "bt709", "1:4:0:0"] {
        let info = VideoInfo::builder(VideoFormat::I420, width as u32, height as u32)
            .colorimetry(&colorimetry.parse::<VideoColorimetry>().unwrap())
            .build()
            .unwrap();
        let drawn = draw(Pattern::Noise, &info, 9);
        let colours = colour::Colours::of(&info);
        for (pixel, luma) in pixels.iter().zip(&drawn) {
            let want = colours.shade(*pixel)[lanes::Lane::Luma as usize];
            assert!(want.abs_diff(*luma) <= 1);
        }
        let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
        let cb = &drawn[width * height..][..half_width * half_height];
        for (i, cb) in cb.iter().enumerate() {
            let (x, y) = (2 * (i % half_width), 2 * (i / half_width));
            let mut mean = 0.0;
            for (dx, dy) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                let (x, y) = ((x + dx).min(width - 1), (y + dy).min(height - 1));
                let weights = colours.weights(lanes::Lane::Cb);
                mean += weights.offset / 4.0;
                for (weight, channel) in weights.rgb.iter().zip(pixels[y * width + x]) {
                    mean += weight * f64::from(channel) / 4.0;
                }
            }
            assert!((mean - f64::from(*cb)).abs() <= 1.0);
        }
    }
    // Bright and dark come about equally often.
    let bright = pixels.as_flattened().iter().filter(|v| **v > 127).count();
    let share = bright as f64 / (3 * pixels.len()) as f64;
    assert!((0.45..0.55).contains(&share), "{share}");
}

#[test]
fn the_same_frame_is_the_same_whenever_it_is_drawn() {
    for pattern in PATTERNS {
        let info = info(VideoFormat::Nv12, 131, 97);
        let target = Target {
            info: info.clone(),
            add_borders: false,
            card: None,
        };
        let mut source = open(pattern);
        source.set_target(&target).unwrap();
        for number in 0..5 {
            let Next::Frame(Fetched {
                picture: Picture::Paint(painter, painted),
                detections,
                ..
            }) = source.next(None).unwrap()
            else {
                panic!("no frame");
            };
            assert_eq!(painted, number);
            let buffer = gst::Buffer::with_size(info.size()).unwrap();
            let mut frame = VideoFrame::from_buffer_writable(buffer, &info).unwrap();
            painter.paint(painted, &mut ViewMut::of_frame(&mut frame).unwrap());
            let (again, same) = fetch(pattern, &info, number);
            assert_eq!(tight(&frame.into()), tight(&again), "{pattern:?}");
            assert_eq!(detections, same);
        }
    }
}

#[test]
fn boxes_are_where_the_detections_say() {
    for (width, height) in [(1280, 720), (641, 479), (64, 36), (33, 17), (12, 10)] {
        for number in [0, 1, 2, 99, 100_000, u64::MAX - 1] {
            let info = info(VideoFormat::Rgb, width, height);
            let (frame, detections) = fetch(Pattern::Objects, &info, number);
            let bytes = tight(&frame);
            let pixels = bytes.as_chunks::<3>().0;
            assert_eq!(detections.len(), if number / 120 % 2 == 0 { 5 } else { 3 });
            let mut inside = vec![false; width * height];
            for detection in &detections {
                let Bounds {
                    left,
                    top,
                    width: w,
                    height: h,
                } = detection.bounds;
                let bounds = [left, top, w, h].map(|v| v as usize);
                assert_eq!(bounds.map(|v| v as f32), [left, top, w, h]);
                let [left, top, w, h] = bounds;
                assert!(w > 0 && h > 0 && left + w <= width && top + h <= height);
                let colour = pixels[top * width + left];
                assert_ne!(colour, [64; 3]);
                for y in top..top + h {
                    for x in left..left + w {
                        assert_eq!(pixels[y * width + x], colour);
                        assert!(!inside[y * width + x], "boxes overlap");
                        inside[y * width + x] = true;
                    }
                }
            }
            for (pixel, inside) in pixels.iter().zip(inside) {
                assert_eq!(*pixel == [64; 3], !inside);
            }
        }
    }
}

#[test]
fn objects_keep_their_identity_and_stay_inside() {
    for (width, height) in [(1, 1), (1, 4), (3, 2), (5, 5), (320, 240)] {
        let info = info(VideoFormat::Gray8, width, height);
        let first = fetch(Pattern::Objects, &info, 0).1;
        assert_eq!(first[0].label, "person");
        assert_eq!(first[1].class_id, Some(2));
        for number in 0..600 {
            let detections = fetch(Pattern::Objects, &info, number).1;
            let there = if number / 120 % 2 == 0 { 5 } else { 3 };
            assert_eq!(detections.len(), there, "frame {number}");
            for (place, (a, b)) in first.iter().zip(&detections).enumerate() {
                let identity = |d: &Detection| (d.label.clone(), d.class_id);
                assert_eq!(identity(a), identity(b));
                let visit = if place < 3 { 0 } else { number / 240 };
                assert_eq!(b.track_id, Some(visit * 5 + place as u64 + 1));
                assert_eq!(a.confidence, b.confidence);
                let Bounds {
                    left,
                    top,
                    width: w,
                    height: h,
                } = b.bounds;
                assert!(left >= 0.0 && left + w <= width as f32);
                assert!(top >= 0.0 && top + h <= height as f32);
            }
        }
    }
    for pattern in PATTERNS.into_iter().filter(|p| *p != Pattern::Objects) {
        let info = info(VideoFormat::Rgb, 16, 16);
        assert!(fetch(pattern, &info, 3).1.is_empty());
    }
}

#[test]
fn known_pixels() {
    let bars = rgb(Pattern::Bars, 640, 8, 50);
    let middles: Vec<_> = (0..8).map(|bar| bars[bar * 80 + 40]).collect();
    let (on, off) = (191, 0);
    assert_eq!(
        middles,
        [
            [on, on, on],
            [on, on, off],
            [off, on, on],
            [off, on, off],
            [on, off, on],
            [on, off, off],
            [off, off, on],
            [off, off, off]
        ]
    );
    assert_eq!(bars[250], [255; 3]);
    let checker = rgb(Pattern::Checker, 64, 64, 0);
    assert_eq!(
        (checker[0], checker[8], checker[8 * 64]),
        ([255; 3], [0; 3], [0; 3])
    );
    assert_eq!(checker[9 * 64 + 9], [255; 3]);
    let solid = |number| rgb(Pattern::Solid, 2, 2, number)[3];
    assert_eq!((solid(0), solid(1)), ([255, 0, 0], [255, 15, 0]));
    assert_eq!((solid(17), solid(18)), ([255, 255, 0], [240, 255, 0]));
    assert_eq!((solid(34), solid(68)), ([0, 255, 0], [0, 0, 255]));
    assert_eq!(solid(102), solid(0));
}

#[test]
fn patterns_need_a_format_that_can_be_drawn() {
    let mut source = open(Pattern::Bars);
    assert!(matches!(source.next(None), Err(SourceError::Internal(_))));
    for format in [VideoFormat::P01010le, VideoFormat::Y444] {
        let target = Target {
            info: info(format, 64, 64),
            add_borders: false,
            card: None,
        };
        let refused = source.set_target(&target).unwrap_err();
        assert!(
            matches!(&refused, SourceError::Settings { property, .. } if *property == "format")
        );
    }
    let facts = source.facts();
    assert!(facts.seekable && !facts.live && !facts.own_timestamps);
    assert_eq!((facts.frames, facts.duration), (None, None));
    assert_eq!(facts.rate, Rate::Free(gst::Fraction::new(30, 1)));
}

#[test]
fn nicks_and_numbers_are_stable() {
    let class = glib::EnumClass::with_type(Pattern::static_type()).unwrap();
    let values: Vec<_> = class
        .values()
        .iter()
        .map(|v| (v.value(), v.nick()))
        .collect();
    assert_eq!(
        values,
        [
            (0, "gradient"),
            (1, "bars"),
            (2, "checker"),
            (3, "solid"),
            (4, "noise"),
            (5, "objects")
        ]
    );
    assert_eq!(Pattern::default(), Pattern::Gradient);
}
