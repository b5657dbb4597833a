// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What arrives: identity, order, time, caps, pixels and what is known to be in them.

use gst::prelude::*;
use gst_video::{VideoFormat, VideoRegionOfInterestMeta};
use gstdsframe::frame::{FORMATS, SYSTEM_FORMATS};
use gstdsframe::meta::roi;

use super::common::*;

const PATTERNS: [&str; 6] = ["gradient", "bars", "checker", "solid", "noise", "objects"];

fn all_formats() -> Vec<VideoFormat> {
    FORMATS.iter().chain(&SYSTEM_FORMATS).copied().collect()
}

/// `dsframeinject` into an appsink through caps.
fn injected(properties: &str, caps: &str) -> Pipeline {
    Pipeline::new(&format!(
        "dsframeinject name=source {properties} ! {caps} ! appsink name=sink sync=false"
    ))
}

#[test]
fn every_frame_arrives_in_its_place() {
    for (text, rate) in [
        ("30/1", (30, 1)),
        ("30000/1001", (30_000, 1001)),
        ("1/5", (1, 5)),
    ] {
        let pipeline = injected(
            "num-buffers=100 frame-code=true frame-code-stream=7",
            &format!("video/x-raw,width=160,height=90,framerate={text}"),
        );
        pipeline.go(gst::State::Playing);
        let frames = pipeline.frames();
        assert_eq!(frames.len(), 100);
        check_order(&frames, 0, rate);
        assert!(frames.iter().all(|frame| frame.code().0 == 7));
        assert_eq!(pipeline.stat("frames"), 100);
        assert_eq!(pipeline.stat("bytes"), 100 * 160 * 90 * 3);
        for nothing in ["skipped", "repeated", "timeouts"] {
            assert_eq!(pipeline.stat(nothing), 0, "{nothing}");
        }
        assert!(pipeline.faults().is_empty());
    }
}

#[test]
fn the_rate_can_be_declared_and_makes_the_time() {
    let pipeline = injected(
        "num-buffers=40 frame-code=true framerate=30000/1001 width=128 height=72 format=GRAY",
        "video/x-raw",
    );
    pipeline.go(gst::State::Playing);
    let frames = pipeline.frames();
    check_order(&frames, 0, (30_000, 1001));
    let info = frames[39].info();
    assert_eq!(info.format(), VideoFormat::Gray8);
    assert_eq!((info.width(), info.height()), (128, 72));
}

#[test]
fn caps_are_complete() {
    for format in all_formats() {
        let caps = format!("video/x-raw,format={format},width=1280,height=720");
        let pipeline = injected("num-buffers=1", &caps);
        pipeline.go(gst::State::Playing);
        let frame = pipeline.frame().unwrap();
        let structure = frame.caps().structure(0).unwrap();
        assert_eq!(structure.get("framerate"), Ok(gst::Fraction::new(30, 1)));
        assert_eq!(structure.get("interlace-mode"), Ok("progressive"));
        assert_eq!(
            structure.get("pixel-aspect-ratio"),
            Ok(gst::Fraction::new(1, 1))
        );
        let colorimetry = structure.get::<&str>("colorimetry").unwrap();
        let info = frame.info();
        assert_eq!(colorimetry, info.colorimetry().to_string());
        let want = match format {
            VideoFormat::Gray8 => gst_video::VideoColorRange::Range0_255,
            _ if info.is_rgb() => gst_video::VideoColorRange::Range0_255,
            _ => gst_video::VideoColorRange::Range16_235,
        };
        if format != VideoFormat::Gray8 {
            assert_eq!(info.colorimetry().range(), want, "{format:?}");
        }
        assert_eq!(frame.buffer().size(), info.size());
    }
}

/// The documented gradient, by its formula and nothing else.
fn gradient(width: usize, height: usize, n: usize) -> Vec<u8> {
    let scaled = |i: usize, count: usize| match count {
        1 => 0,
        _ if i + 1 == count => 255,
        _ => (i as f64 * (255.0 / (count - 1) as f64)) as usize,
    };
    let offset = 5 * n % 255;
    let mut pixels = Vec::with_capacity(3 * width * height);
    for y in 0..height {
        for x in 0..width {
            let red = (scaled(x, width) + offset) % 255;
            let green = (scaled(y, height) + offset) % 255;
            pixels.extend([red as u8, green as u8, 128]);
        }
    }
    pixels
}

#[test]
fn the_gradient_is_the_documented_one() {
    for (width, height) in [(256, 256), (641, 479), (1, 1), (1280, 3)] {
        let caps = format!("video/x-raw,format=RGB,width={width},height={height}");
        let pipeline = injected("num-buffers=60", &caps);
        pipeline.go(gst::State::Playing);
        for (n, frame) in pipeline.frames().iter().enumerate() {
            assert!(
                frame.pixels() == gradient(width, height, n),
                "frame {n} of {width}x{height}"
            );
        }
    }
}

#[test]
fn every_pattern_comes_in_every_format_and_size() {
    let system = ("", all_formats());
    let nvmm = ("(memory:NVMM)", FORMATS.to_vec());
    for pattern in PATTERNS {
        for (features, formats) in [&system, &nvmm] {
            for format in formats {
                for (width, height) in [(1, 1), (641, 479), (64, 48)] {
                    let pipeline = injected(
                        &format!(
                            "num-buffers=2 pattern={pattern} nvbuf-memory-type=nvbuf-mem-system"
                        ),
                        &format!(
                            "video/x-raw{features},format={format},width={width},height={height}"
                        ),
                    );
                    pipeline.go(gst::State::Playing);
                    let frames = pipeline.frames();
                    assert_eq!(frames.len(), 2, "{pattern} {format:?}");
                    let info = frames[1].info();
                    assert_eq!(info.format(), *format);
                    assert_eq!((info.width(), info.height()), (width, height));
                    let tight =
                        gstdsframe::frame::tight_size(*format, width as usize, height as usize);
                    assert_eq!(frames[1].pixels().len(), tight);
                    if width == 641 && pattern != "solid" {
                        assert!(
                            frames[0].pixels() != frames[1].pixels(),
                            "{pattern} {format:?} stands still"
                        );
                    }
                }
            }
        }
    }
}

/// Largest difference of bytes, and how many differ by more than 2.
fn difference(a: &[u8], b: &[u8]) -> (u8, usize) {
    assert_eq!(a.len(), b.len());
    let differences = a.iter().zip(b).map(|(a, b)| a.abs_diff(*b));
    let most = differences.clone().max().unwrap();
    (most, differences.filter(|d| *d > 2).count())
}

#[test]
fn colours_are_those_of_gstreamers_conversion() {
    // Chroma of neighbours is averaged by everybody in his own way: what is compared is what is
    // flat (solid), and what changes slowly (gradient, apart from where it wraps).
    for size in ["width=64,height=48", "width=1280,height=720"] {
        for format in all_formats() {
            for n in [0, 17, 80] {
                let picture = |convert: &str, format: &str| {
                    let pipeline = injected(
                        &format!("num-buffers={} pattern=solid", n + 1),
                        &format!("video/x-raw,format={format},{size} {convert}"),
                    );
                    pipeline.go(gst::State::Playing);
                    pipeline.frames().remove(n)
                };
                let own = picture("", format.to_str());
                let theirs = picture(
                    &format!("! videoconvert ! video/x-raw,format={format}"),
                    "RGB",
                );
                let colorimetry = |got: &Got| got.info().colorimetry();
                assert_eq!(
                    colorimetry(&own).matrix(),
                    colorimetry(&theirs).matrix(),
                    "{format:?}"
                );
                let (most, _) = difference(&own.pixels(), &theirs.pixels());
                assert!(most <= 2, "{format:?} {size} frame {n}: {most}");
            }
        }
    }
}

#[test]
fn the_gradients_colours_are_those_of_gstreamers_conversion() {
    for format in all_formats() {
        let picture = |convert: &str, format: &str| {
            let pipeline = injected(
                "num-buffers=1",
                &format!("video/x-raw,format={format},width=512,height=512 {convert}"),
            );
            pipeline.go(gst::State::Playing);
            pipeline.frames().remove(0).pixels()
        };
        let own = picture("", format.to_str());
        let convert =
            format!("! videoconvert dither=none chroma-mode=full ! video/x-raw,format={format}");
        let theirs = picture(&convert, "RGB");
        let (_, off) = difference(&own, &theirs);
        // The last column and row fall back to 0: chroma there is a matter of taste.
        assert!(off * 100 <= own.len(), "{format:?}: {off} of {}", own.len());
        if FORMATS[..5].contains(&format) || format == VideoFormat::Bgra {
            assert!(own == theirs, "{format:?}");
        }
    }
}

/// The box around what is not background, by rows and columns that differ from the corner.
fn drawn_boxes_agree(frame: &Got) {
    let detections = roi::read(frame.buffer());
    assert!(!detections.is_empty());
    let info = frame.info();
    let (width, height) = (info.width() as usize, info.height() as usize);
    let pixels = frame.pixels();
    let at = |x: usize, y: usize| &pixels[3 * (y * width + x)..][..3];
    let inside = |x: usize, y: usize| {
        detections.iter().any(|d| {
            let b = &d.bounds;
            let (left, top) = (b.left as usize, b.top as usize);
            (left..left + b.width as usize).contains(&x)
                && (top..top + b.height as usize).contains(&y)
        })
    };
    let background = (0..height)
        .flat_map(|y| (0..width).map(move |x| (x, y)))
        .find(|(x, y)| !inside(*x, *y))
        .map(|(x, y)| at(x, y).to_vec())
        .unwrap();
    for y in 0..height {
        for x in 0..width {
            assert_eq!(at(x, y) != background, inside(x, y), "at {x},{y}");
        }
    }
}

#[test]
fn objects_are_where_their_metas_say() {
    let pipeline = injected(
        "num-buffers=40 pattern=objects",
        "video/x-raw,format=RGB,width=320,height=240",
    );
    pipeline.go(gst::State::Playing);
    let frames = pipeline.frames();
    assert_eq!(frames.len(), 40);
    for frame in &frames {
        drawn_boxes_agree(frame);
        for detection in roi::read(frame.buffer()) {
            assert!(!detection.label.is_empty());
            assert!(detection.track_id.is_some() && detection.class_id.is_some());
            assert!((0.0..=1.0).contains(&detection.confidence.unwrap()));
        }
    }
    let first = roi::read(frames[0].buffer());
    let last = roi::read(frames[39].buffer());
    assert_ne!(first, last, "nothing moves");
}

#[test]
fn detections_survive_conversion_and_tee() {
    let pipeline = Pipeline::new(
        "dsframeinject num-buffers=5 pattern=objects ! video/x-raw,width=320,height=240 ! \
         tee name=t ! queue ! appsink name=sink sync=false \
         t. ! queue ! videoconvert ! video/x-raw,format=I420 ! appsink name=other sync=false",
    );
    pipeline.go(gst::State::Playing);
    let other = pipeline.find("other").downcast().unwrap();
    for _ in 0..5 {
        let one = pipeline.frame().unwrap();
        let two = pipeline.frame_of(&other).unwrap();
        let metas = roi::read(one.buffer());
        assert!(!metas.is_empty());
        // What is in the parameters is not carried through conversion before GStreamer 1.24.
        let kept = |got: &Got| -> Vec<_> {
            let metas = roi::read(got.buffer()).into_iter();
            metas.map(|d| (d.label, d.bounds)).collect()
        };
        assert_eq!(kept(&one), kept(&two));
        let through_tee = roi::read(one.buffer());
        assert!(through_tee.iter().all(|d| d.track_id.is_some()));
        let count = one
            .buffer()
            .iter_meta::<VideoRegionOfInterestMeta>()
            .count();
        assert_eq!(count, metas.len());
    }
}

#[test]
fn frames_can_be_written_in_place_downstream() {
    // An element that draws must get memory of its own, not the next frame's.
    let pipeline = Pipeline::new(
        "dsframeinject num-buffers=20 frame-code=true ! video/x-raw,width=160,height=90 ! \
         identity ! videobalance brightness=0.01 ! appsink name=sink sync=false",
    );
    pipeline.go(gst::State::Playing);
    check_order(&pipeline.frames(), 0, (30, 1));
}

#[test]
fn frames_held_downstream_do_not_change() {
    let pipeline = injected(
        "num-buffers=300",
        "video/x-raw,format=RGB,width=64,height=48",
    );
    pipeline.go(gst::State::Playing);
    for (n, frame) in pipeline.frames().iter().enumerate() {
        assert!(frame.pixels() == gradient(64, 48, n), "frame {n}");
    }
}

#[test]
fn a_code_needs_room() {
    let pipeline = injected("frame-code=true", "video/x-raw,width=127,height=72");
    pipeline.try_state(gst::State::Playing);
    pipeline.error().check(
        gst::ResourceError::Settings,
        &["\"frame-code\"", "128x72", "127x72"],
    );
}
