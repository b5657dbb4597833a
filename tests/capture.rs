// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What `dsframecapture` captures: which frames, and every one of them whole.

mod common;

use std::collections::BTreeMap;
use std::path::Path;

use common::pictures::{self, Picture, info, packed, picture, psnr, scene};
use common::rig::{Rig, STEP, memory, number_in, numbered, numbered_info, numbers_in};
use common::stall::{Stall, frames, stalled};
use common::{at, check_accounts, files, lines, play_well};
use gst::prelude::*;
use gst_video::{VideoFormat, VideoFrameFlags, VideoInfo, VideoMeta};
use gstdsframe::frame::{FORMATS, SYSTEM_FORMATS, plane_sizes};
use gstdsframe::mem::nvmm::{self, NvmmPool, Place};
use gstdsframe::mem::sys::Generation;
use tempfile::{TempDir, tempdir};

/// The numbers of the frames that are captured of so many, in order.
fn captured_of(count: u64, properties: &[(&str, &str)]) -> Vec<u64> {
    let folder = tempdir().unwrap();
    let location = at(&folder, "%06d.raw");
    let mut all = vec![("location", location.as_str())];
    all.extend(properties);
    let rig = Rig::new(&all);
    rig.push_all(0..count);
    rig.end();
    let numbers = numbers_in(folder.path());
    assert_eq!(rig.count("seen"), count);
    assert_eq!(rig.count("captured"), numbers.len() as u64);
    assert_eq!(rig.count("not-selected"), count - numbers.len() as u64);
    numbers
}

#[test]
fn frames_are_chosen_by_number_and_by_time() {
    let every = |n: usize| (0..100).step_by(n).collect::<Vec<u64>>();
    assert_eq!(captured_of(100, &[]), every(30));
    assert_eq!(captured_of(100, &[("interval", "1")]), every(1));
    assert_eq!(captured_of(100, &[("interval", "7")]), every(7));
    assert_eq!(captured_of(20, &[("mode", "manual")]), [0u64; 0]);
    assert_eq!(
        captured_of(20, &[("interval-time", "250000000")]),
        [0, 3, 5, 8, 10, 13, 15, 18]
    );
    let window = [
        ("interval", "2"),
        ("start-time", "1000000000"),
        ("stop-time", "2000000000"),
    ];
    assert_eq!(captured_of(100, &window), [10, 12, 14, 16, 18]);
    let three = [("interval", "2"), ("max-captures", "3")];
    assert_eq!(captured_of(100, &three), [0, 2, 4]);
    assert_eq!(
        captured_of(5, &[("interval", "2"), ("streams", "0,3")]),
        [0, 2, 4]
    );
    assert_eq!(
        captured_of(5, &[("interval", "1"), ("streams", "1")]),
        [0u64; 0]
    );
}

#[test]
fn times_are_stream_times() {
    let folder = tempdir().unwrap();
    let location = at(&folder, "%06d.raw");
    let rig = Rig::stopped(&[
        ("location", &location),
        ("interval", "1"),
        ("stop-time", "2300000000"),
    ]);
    rig.start();
    // What is at 5 s is at 2 s of the stream.
    let mut segment = gst::FormattedSegment::<gst::ClockTime>::new();
    segment.set_start(gst::ClockTime::from_seconds(5));
    segment.set_time(gst::ClockTime::from_seconds(2));
    rig.begin(&numbered_info(), &segment);
    // The first begins before the segment, at 1.95 s.
    for number in 0..6 {
        let mut buffer = numbered(number);
        let pts = gst::ClockTime::from_nseconds(4_950_000_000 + number * STEP);
        buffer.get_mut().unwrap().set_pts(pts);
        rig.pad.push(buffer).unwrap();
    }
    rig.end();
    assert_eq!(numbers_in(folder.path()), [0, 1, 2, 3]);
    assert_eq!((rig.count("seen"), rig.count("not-selected")), (6, 2));
}

#[test]
fn eos_after_max_ends_a_pipeline_and_no_other_branch() {
    let folder = tempdir().unwrap();
    let location = at(&folder, "%06d.raw");
    play_well(&format!(
        "videotestsrc ! video/x-raw,format=GRAY8,width=8,height=8 \
         ! dsframecapture interval=5 max-captures=3 eos-after-max=true location={location}"
    ));
    assert_eq!(files(folder.path()).len(), 3);

    let folder = tempdir().unwrap();
    let location = at(&folder, "%06d.raw");
    let pipeline = common::launch(&format!(
        "videotestsrc num-buffers=200 ! video/x-raw,format=GRAY8,width=8,height=8 ! tee name=t \
         t. ! queue ! fakesink name=other async=false \
         t. ! queue ! dsframecapture name=capture interval=5 max-captures=3 eos-after-max=true \
         location={location}"
    ));
    let other = pipeline.by_name("other").unwrap();
    let (sender, passed) = std::sync::mpsc::channel();
    other
        .static_pad("sink")
        .unwrap()
        .add_probe(gst::PadProbeType::BUFFER, move |_, _| {
            sender.send(()).unwrap();
            gst::PadProbeReturn::Ok
        });
    let messages = common::play(&pipeline);
    assert!(messages.eos(), "{:?}", messages.errors());
    assert_eq!(passed.try_iter().count(), 200);
    let capture = pipeline.by_name("capture").unwrap();
    assert_eq!(common::count(&capture, "captured"), 3);
    // It has said its end: nobody waits for what its queue still holds.
    let not_selected = common::count(&capture, "not-selected");
    assert!((8..=197).contains(&not_selected), "{not_selected}");
    assert_eq!(files(folder.path()).len(), 3);
}

/// Also if no further frame comes, and whichever of commit and decision is the later.
#[test]
fn eos_after_max_needs_no_further_frame() {
    for _ in 0..200 {
        let folder = tempdir().unwrap();
        let location = at(&folder, "%06d.raw");
        let rig = Rig::new(&[
            ("location", &location),
            ("interval", "1"),
            ("max-captures", "2"),
            ("eos-after-max", "true"),
        ]);
        rig.push_all(0..2);
        assert!(common::wait_for_end(&rig.bus).eos());
        assert_eq!(numbers_in(folder.path()), [0, 1]);
        rig.stop();
    }
}

#[test]
fn a_frame_that_is_not_selected_is_not_touched() {
    let folder = tempdir().unwrap();
    let location = at(&folder, "%06d.raw");
    let rig = Rig::new(&[("location", &location), ("interval", "4")]);
    // Nothing can be read from a buffer without memory.
    let untouchable = |number: u64| {
        let mut buffer = gst::Buffer::new();
        let time = gst::ClockTime::from_nseconds(number * STEP);
        buffer.get_mut().unwrap().set_pts(time);
        buffer
    };
    for number in 0..12 {
        let buffer = match number % 4 {
            0 => numbered(number),
            _ => untouchable(number),
        };
        rig.pad.push(buffer).unwrap();
    }
    assert_eq!(rig.count("not-selected"), 9);
    // To know that it would have been noticed.
    rig.pad.push(untouchable(12)).unwrap();
    let warnings = rig.end().warnings();
    assert_eq!(warnings.len(), 1);
    assert!(
        warnings[0].1.contains("frame 12 of stream 0"),
        "{warnings:?}"
    );
    assert_eq!(numbers_in(folder.path()), [0, 4, 8]);
    assert_eq!((rig.count("captured"), rig.count("failed")), (3, 1));
}

/// One too small for its caps, from a pool that makes the sink copy it at once.
#[test]
fn a_frame_that_cannot_be_read_is_a_failed_capture() {
    let too_small = |number: u64| {
        let pool = gst::BufferPool::new();
        let mut config = pool.config();
        config.set_params(None, 10, 1, 1);
        pool.set_config(config).unwrap();
        pool.set_active(true).unwrap();
        let mut buffer = pool.acquire_buffer(None).unwrap();
        let time = gst::ClockTime::from_nseconds(number * STEP);
        buffer.get_mut().unwrap().set_pts(time);
        pool.set_active(false).unwrap();
        buffer
    };
    for policy in ["continue", "fail"] {
        let folder = tempdir().unwrap();
        let location = at(&folder, "%06d.raw");
        let rig = Rig::new(&[
            ("location", &location),
            ("interval", "1"),
            ("on-error", policy),
        ]);
        rig.push(0).unwrap();
        let pushed = rig.pad.push(too_small(1));
        let said = if policy == "fail" {
            assert_eq!(pushed, Err(gst::FlowError::Error));
            assert_eq!(rig.push(2), Err(gst::FlowError::Error));
            let errors = rig.messages().errors();
            rig.stop();
            assert_eq!(numbers_in(folder.path()), [0]);
            errors
        } else {
            rig.push(2).unwrap();
            let warnings = rig.end().warnings();
            assert_eq!(numbers_in(folder.path()), [0, 2]);
            warnings
        };
        assert_eq!(rig.count("failed"), 1);
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].0.matches(gst::StreamError::Format), "{said:?}");
        assert!(said[0].1.contains("frame 1 of stream 0"), "{said:?}");
    }
}

#[test]
fn damaged_frames_are_taken_only_by_hand() {
    let folder = tempdir().unwrap();
    let location = at(&folder, "%06d-{reason}.raw");
    let rig = Rig::new(&[("location", &location), ("interval", "1")]);
    for (number, flags) in [
        (0, gst::BufferFlags::empty()),
        (1, gst::BufferFlags::GAP),
        (2, gst::BufferFlags::CORRUPTED),
        (3, gst::BufferFlags::GAP),
    ] {
        let mut buffer = numbered(number);
        buffer.get_mut().unwrap().set_flags(flags);
        if number == 3 {
            assert!(rig.element.emit_by_name::<bool>("capture", &[&-1i32]));
        }
        rig.pad.push(buffer).unwrap();
    }
    rig.end();
    assert_eq!(
        files(folder.path()),
        ["000000-interval.raw", "000001-manual.raw"]
    );
    assert_eq!(numbers_in(folder.path()), [0, 3]);
}

#[test]
fn frames_are_captured_on_demand() {
    let folder = tempdir().unwrap();
    let location = at(&folder, "%06d-{reason}.raw");
    let rig = Rig::stopped(&[("location", &location), ("mode", "manual")]);
    let signal = |stream: i32| rig.element.emit_by_name::<bool>("capture", &[&stream]);
    let event = |fields: gst::Structure| {
        rig.pad
            .push_event(gst::event::CustomDownstream::new(fields))
    };
    assert!(!signal(-1), "not running");
    rig.element.set_property("trigger", 0i32);
    rig.start();
    rig.begin(&numbered_info(), &gst::FormattedSegment::new());
    rig.push_all(0..10);
    assert!(signal(-1));
    assert!(signal(0), "asking twice is asking once");
    rig.push_all(10..20);
    rig.element.set_property("trigger", 0i32);
    rig.push_all(20..30);
    rig.element.set_property("trigger", 7i32);
    rig.push_all(30..35);
    assert!(event(gst::Structure::new_empty("dsframe-capture")));
    rig.push_all(35..40);
    let of_stream = |stream: i32| {
        gst::Structure::builder("dsframe-capture")
            .field("stream", stream)
            .build()
    };
    event(of_stream(5));
    rig.push_all(40..45);
    event(of_stream(0));
    rig.push_all(45..50);
    event(gst::Structure::new_empty("another"));
    assert!(!signal(-2), "no stream has this number");
    rig.push_all(50..60);
    rig.end();
    assert!(!signal(0), "not running any more");
    assert_eq!(numbers_in(folder.path()), [10, 20, 35, 45]);
    assert!(
        files(folder.path())
            .iter()
            .all(|f| f.ends_with("-manual.raw"))
    );
}

#[test]
fn requests_come_on_top_of_the_interval() {
    let folder = tempdir().unwrap();
    let location = at(&folder, "{frame:03}-{reason}.raw");
    let rig = Rig::new(&[("location", &location), ("interval", "4")]);
    rig.push_all(0..6);
    assert!(rig.element.emit_by_name::<bool>("capture", &[&0i32]));
    rig.push_all(6..12);
    rig.end();
    let want = [
        "000-interval.raw",
        "004-interval.raw",
        "006-manual.raw",
        "008-interval.raw",
    ];
    assert_eq!(files(folder.path()), want);
}

fn all_formats() -> impl Iterator<Item = VideoFormat> {
    FORMATS.into_iter().chain(SYSTEM_FORMATS)
}

/// Captures one buffer, as each of the encodings. The shapes that the log says, and the folder.
fn capture_all(info: &VideoInfo, buffer: &gst::Buffer, more: &[(&str, &str)]) -> TempDir {
    let folder = tempdir().unwrap();
    for suffix in ["raw", "png", "npy", "jpg"] {
        let location = at(&folder, &format!("one.{suffix}"));
        let log = at(&folder, &format!("{suffix}.jsonl"));
        let mut properties = vec![
            ("location", location.as_str()),
            ("log-location", &log),
            ("max-captures", "1"),
            ("quality", "95"),
            ("subsampling", "444"),
        ];
        properties.extend(more);
        let rig = Rig::of(info, &properties);
        rig.pad.push(buffer.clone()).unwrap();
        let messages = rig.end();
        assert!(messages.warnings().is_empty(), "{:?}", messages.warnings());
        assert_eq!(rig.count("captured"), 1, "{info:?} {suffix}");
    }
    folder
}

fn shape(picture: &Picture) -> Vec<usize> {
    let channels = match picture.format {
        VideoFormat::Gray8 => 1,
        VideoFormat::Rgba => 4,
        _ => 3,
    };
    vec![picture.height, picture.width, channels]
}

fn logged_shape(folder: &TempDir, suffix: &str) -> Vec<usize> {
    let log = lines(&folder.path().join(format!("{suffix}.jsonl")));
    assert_eq!(log.len(), 1);
    serde_json::from_value(log[0]["shape"].clone()).unwrap()
}

#[track_caller]
fn check_all(folder: &TempDir, tight: &[u8], golden: &Picture, rgb: &Picture) {
    let path = |suffix: &str| folder.path().join(format!("one.{suffix}"));
    let what = format!("{golden:?}");
    assert_eq!(std::fs::read(path("raw")).unwrap(), tight, "raw {what}");
    for suffix in ["png", "npy"] {
        assert_eq!(pictures::read(&path(suffix)), *golden, "{suffix} {what}");
        assert_eq!(logged_shape(folder, suffix), shape(golden), "{what}");
    }
    let db = psnr(&pictures::read(&path("jpg")), rgb);
    // The smaller, the steeper; a row out of place has less than 20.
    let least = if golden.width < 100 { 29.0 } else { 35.0 };
    // Chroma of a few pixels says little about the codec.
    assert!(golden.width < 32 || db >= least, "{what}: {db} dB");
}

#[test]
fn every_format_size_and_encoding_comes_out_right() {
    for format in all_formats() {
        for (width, height) in [(1, 1), (2, 2), (7, 5), (161, 121)] {
            let info = info(format, width, height);
            let buffer = scene(&info);
            let folder = capture_all(&info, &buffer, &[]);
            let to =
                |format| pictures::converted(&buffer, &info, &self::info(format, width, height));
            let tight = picture(&buffer, &info).bytes;
            check_all(&folder, &tight, &to(packed(format)), &to(VideoFormat::Rgb));
        }
    }
}

#[test]
fn pictures_are_scaled() {
    for (format, given, width, height, want) in [
        (VideoFormat::Rgb, (160, 90), "80", "0", (80, 45)),
        (VideoFormat::Nv12, (160, 90), "0", "30", (53, 30)),
        (VideoFormat::I420, (64, 64), "100", "40", (100, 40)),
        (VideoFormat::Rgba, (64, 64), "32", "32", (32, 32)),
    ] {
        let info = info(format, given.0, given.1);
        let buffer = scene(&info);
        let size = [("width", width), ("height", height)];
        let folder = capture_all(&info, &buffer, &size);
        let to = |format| pictures::converted(&buffer, &info, &self::info(format, want.0, want.1));
        check_all(
            &folder,
            &to(format).bytes,
            &to(packed(format)),
            &to(VideoFormat::Rgb),
        );
    }
}

#[test]
fn the_largest_frame_is_captured() {
    let info = info(VideoFormat::Nv12, 8192, 8192);
    let mut buffer = gst::Buffer::with_size(info.size()).unwrap();
    {
        let mut map = buffer.get_mut().unwrap().map_writable().unwrap();
        for (i, chunk) in map.chunks_mut(4096).enumerate() {
            chunk.fill(i as u8);
        }
    }
    let folder = tempdir().unwrap();
    let location = at(&folder, "one.raw");
    let rig = Rig::of(&info, &[("location", &location), ("max-captures", "1")]);
    rig.pad.push(buffer.clone()).unwrap();
    rig.end();
    let file = std::fs::read(&location).unwrap();
    assert!(file == *buffer.map_readable().unwrap(), "the pixels differ");
}

/// The same picture with padded rows, gaps between its planes and each plane in two memories.
fn scattered(buffer: &gst::Buffer, info: &VideoInfo) -> gst::Buffer {
    let tight = picture(buffer, info).bytes;
    let sizes = plane_sizes(info.format(), info.width() as usize, info.height() as usize);
    let (mut offsets, mut strides, mut bytes, mut from) = (vec![], vec![], vec![], 0);
    for plane in &sizes {
        bytes.resize(bytes.len() + 13, 0xee);
        offsets.push(bytes.len());
        strides.push((plane.row_bytes + 21) as i32);
        for _ in 0..plane.rows {
            bytes.extend(&tight[from..from + plane.row_bytes]);
            bytes.resize(bytes.len() + 21, 0xee);
            from += plane.row_bytes;
        }
    }
    bytes.resize(bytes.len().max(info.size()), 0xee);
    let mut scattered = gst::Buffer::new();
    let target = scattered.get_mut().unwrap();
    for piece in bytes.chunks(bytes.len() / (2 * sizes.len()) + 1) {
        let memory = memory(piece);
        target.append_memory(memory.memory(0).unwrap());
    }
    VideoMeta::add_full(
        target,
        VideoFrameFlags::empty(),
        info.format(),
        info.width(),
        info.height(),
        &offsets,
        &strides,
    )
    .unwrap();
    scattered
}

#[test]
fn rows_and_planes_are_found_wherever_they_lie() {
    for format in all_formats() {
        let info = info(format, 37, 21);
        let buffer = scene(&info);
        let scattered = scattered(&buffer, &info);
        assert!(scattered.n_memory() > 1);
        let folder = capture_all(&info, &scattered, &[]);
        let to = |format| pictures::converted(&buffer, &info, &self::info(format, 37, 21));
        let tight = picture(&buffer, &info).bytes;
        check_all(&folder, &tight, &to(packed(format)), &to(VideoFormat::Rgb));
    }
}

/// As a parser does that cuts frames out of a file with a header.
#[test]
fn a_frame_may_begin_at_any_byte() {
    for format in all_formats() {
        let info = info(format, 40, 22);
        let buffer = scene(&info);
        let tight = buffer.map_readable().unwrap().to_vec();
        let whole = memory(&[&[0xee; 3], &tight[..], &[0xee; 5]].concat());
        let odd = whole
            .copy_region(gst::BufferCopyFlags::MEMORY, 3..3 + tight.len())
            .unwrap();
        // So that every format is converted.
        capture_all(&info, &odd, &[("width", "20")]);
        let folder = capture_all(&info, &odd, &[]);
        let to = |format| pictures::converted(&buffer, &info, &self::info(format, 40, 22));
        let tight = picture(&buffer, &info).bytes;
        check_all(&folder, &tight, &to(packed(format)), &to(VideoFormat::Rgb));
    }
}

/// Part of a picture of one plane.
fn part(
    whole: &Picture,
    pixel: usize,
    (x, y, width, height): (usize, usize, usize, usize),
) -> Vec<u8> {
    whole
        .bytes
        .chunks(whole.width * pixel)
        .skip(y)
        .take(height)
        .flat_map(|row| &row[x * pixel..(x + width) * pixel])
        .copied()
        .collect()
}

#[test]
fn a_crop_meta_is_followed() {
    let cropped = |format| {
        let info = info(format, 64, 48);
        let mut buffer = scene(&info);
        gst_video::VideoCropMeta::add(buffer.get_mut().unwrap(), (8, 6, 33, 21));
        (
            capture_all(&info, &buffer, &[]),
            picture(&buffer, &info),
            buffer,
            info,
        )
    };
    for (format, pixel) in [
        (VideoFormat::Rgb, 3),
        (VideoFormat::Bgrx, 4),
        (VideoFormat::Gray8, 1),
    ] {
        let (folder, whole, ..) = cropped(format);
        let raw = std::fs::read(folder.path().join("one.raw")).unwrap();
        assert_eq!(raw, part(&whole, pixel, (8, 6, 33, 21)), "{format}");
        assert_eq!(logged_shape(&folder, "png")[..2], [21, 33]);
    }
    for format in [VideoFormat::Nv12, VideoFormat::I420, VideoFormat::Yuy2] {
        let (folder, _, buffer, info) = cropped(format);
        let rgb = pictures::converted(&buffer, &info, &self::info(VideoFormat::Rgb, 64, 48));
        let want = Picture {
            bytes: part(&rgb, 3, (8, 6, 33, 21)),
            width: 33,
            height: 21,
            format: VideoFormat::Rgb,
        };
        let got = pictures::read(&folder.path().join("one.png"));
        // Chroma at the right and lower edge has other neighbours in the whole picture.
        assert!(psnr(&got, &want) > 40.0, "{format}: {}", psnr(&got, &want));
    }
}

#[test]
fn colours_of_hd_video_survive_jpeg() {
    for format in ["NV12", "I420", "RGB"] {
        let folder = tempdir().unwrap();
        let (jpg, png) = (at(&folder, "one.jpg"), at(&folder, "one.png"));
        let colours = if format == "RGB" { "sRGB" } else { "bt709" };
        play_well(&format!(
            "videotestsrc pattern=smpte num-buffers=1 \
             ! video/x-raw,format={format},width=1280,height=720,colorimetry={colours} ! tee name=t \
             t. ! queue ! dsframecapture max-captures=1 location={jpg} \
             t. ! queue ! dsframecapture max-captures=1 location={png}"
        ));
        let db = psnr(&pictures::read(jpg.as_ref()), &pictures::read(png.as_ref()));
        assert!(db >= 29.0, "{format}: {db} dB");
    }
}

#[test]
fn surfaces_come_out_as_system_memory_does() {
    for format in FORMATS {
        let folder = tempdir().unwrap();
        let line = |device: &str, features: &str, name: &str| {
            play_well(&format!(
                "dsframeinject num-buffers=4 {device} \
                 ! video/x-raw{features},format={format},width=161,height=121 \
                 ! dsframecapture interval=1 location={}",
                at(&folder, &format!("{name}-%06d.raw"))
            ));
        };
        line("device=cpu", "", "host");
        let surfaces = "device=gpu nvbuf-memory-type=nvbuf-mem-system";
        line(surfaces, "(memory:NVMM)", "nvmm");
        assert_eq!(files(folder.path()).len(), 8);
        let read = |name: &str, n: u32| {
            std::fs::read(folder.path().join(format!("{name}-{n:06}.raw"))).unwrap()
        };
        for n in 0..4 {
            assert_eq!(read("nvmm", n), read("host", n), "{format} {n}");
        }
        assert_ne!(read("host", 0), read("host", 1), "{format}");
    }
}

fn nvmm_caps(info: &VideoInfo) -> gst::Caps {
    let mut caps = info.to_caps().unwrap();
    let features = gst::CapsFeatures::new([nvmm::CAPS_FEATURE]);
    caps.make_mut().set_features_simple(Some(features));
    caps
}

fn fill(buffer: &mut gst::BufferRef, slot: usize, value: u8) {
    let mut writer = nvmm::write(buffer, slot).unwrap();
    let mut view = writer.view_mut().unwrap();
    for plane in view.planes_mut() {
        plane.data.fill(value);
    }
}

#[test]
fn a_batch_is_one_stream_for_each_surface() {
    let info = info(VideoFormat::Rgb, 7, 5);
    let pool = NvmmPool::new(&info, Generation::C, Place::Host { gpu_id: 0 }, 4, 2).unwrap();
    pool.set_active(true).unwrap();
    for (streams, want) in [("", vec![0u32, 1, 2, 3]), ("1,3", vec![1, 3])] {
        let folder = tempdir().unwrap();
        let (location, log) = (at(&folder, "{stream}_{frame:03}.raw"), at(&folder, "log"));
        let rig = Rig::stopped(&[
            ("location", &location),
            ("log-location", &log),
            ("interval", "2"),
            ("streams", streams),
        ]);
        rig.start();
        rig.begin_caps(&nvmm_caps(&info), &gst::FormattedSegment::new());
        for number in 0..6u8 {
            let mut buffer = pool.acquire_buffer(None).unwrap();
            for slot in 0..4 {
                fill(buffer.get_mut().unwrap(), slot, 16 * slot as u8 + number);
            }
            let time = gst::ClockTime::from_nseconds(u64::from(number) * STEP);
            buffer.get_mut().unwrap().set_pts(time);
            rig.pad.push(buffer.clone()).unwrap();
            // The memory goes back at once, and somebody draws into it.
            for slot in 0..4 {
                fill(buffer.make_mut(), slot, 0xff);
            }
        }
        rig.end();
        let frame_numbers = [0u8, 2, 4];
        let mut names = vec!["log".to_owned()];
        for &stream in &want {
            for frame in frame_numbers {
                let name = format!("{stream}_{frame:03}.raw");
                let bytes = std::fs::read(folder.path().join(&name)).unwrap();
                assert_eq!(bytes, vec![16 * stream as u8 + frame; 7 * 5 * 3], "{name}");
                names.push(name);
            }
        }
        names.sort();
        assert_eq!(files(folder.path()), names);
        let captured = 3 * want.len() as u64;
        assert_eq!((rig.count("seen"), rig.count("captured")), (24, captured));
        let streams: Vec<u64> = lines(log.as_ref())
            .iter()
            .map(|line| line["stream"].as_u64().unwrap())
            .collect();
        let in_order: Vec<u64> = want.iter().map(|s| u64::from(*s)).collect();
        assert_eq!(streams, in_order.repeat(3));
    }
    pool.set_active(false).unwrap();
}

#[test]
fn all_streams_of_a_batch_are_captured_on_demand() {
    let info = info(VideoFormat::Gray8, 4, 4);
    let pool = NvmmPool::new(&info, Generation::B, Place::Host { gpu_id: 0 }, 3, 0).unwrap();
    pool.set_active(true).unwrap();
    let folder = tempdir().unwrap();
    let location = at(&folder, "{stream}-{frame}.raw");
    let rig = Rig::stopped(&[("location", &location), ("mode", "manual")]);
    rig.start();
    rig.begin_caps(&nvmm_caps(&info), &gst::FormattedSegment::new());
    for number in 0..4 {
        if number == 1 {
            rig.element.set_property("trigger", -1i32);
        }
        if number == 3 {
            rig.element.set_property("trigger", 2i32);
        }
        rig.pad.push(pool.acquire_buffer(None).unwrap()).unwrap();
    }
    rig.end();
    assert_eq!(
        files(folder.path()),
        ["0-1.raw", "1-1.raw", "2-1.raw", "2-3.raw"]
    );
    pool.set_active(false).unwrap();
}

#[test]
fn names_say_what_they_are_asked_to() {
    let folder = tempdir().unwrap();
    let location = at(
        &folder,
        "a/{stream}/%03d_{frame:06}_{pts}_{reason}_{{x}}%%.raw",
    );
    let rig = Rig::new(&[("location", &location), ("interval", "2")]);
    rig.push_all(0..4);
    rig.end();
    assert_eq!(
        files(folder.path()),
        [
            "a/0/000_000000_0_interval_{x}%.raw",
            "a/0/001_000002_200000000_interval_{x}%.raw"
        ]
    );

    let folder = tempdir().unwrap();
    let location = at(&folder, "{utc}.raw");
    let rig = Rig::new(&[("location", &location), ("interval", "1")]);
    rig.push_all(0..1);
    rig.end();
    let [name] = &files(folder.path())[..] else {
        panic!("one file");
    };
    let form: String = name
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    assert_eq!(form, "00000000T000000.000Z.raw");
}

#[test]
fn one_name_for_two_captures_gets_a_suffix() {
    for (policy, renamed) in [("suffix", 3), ("overwrite", 3), ("fail", 3)] {
        let folder = tempdir().unwrap();
        let location = at(&folder, "{pts}.raw");
        let rig = Rig::new(&[
            ("location", &location),
            ("interval", "1"),
            ("on-exists", policy),
        ]);
        for number in [0, 1, 2, 10, 11] {
            let mut buffer = numbered(number);
            let pts = gst::ClockTime::from_nseconds(number / 10);
            buffer.get_mut().unwrap().set_pts(pts);
            rig.pad.push(buffer).unwrap();
        }
        rig.end();
        let want = ["0-2.raw", "0-3.raw", "0.raw", "1-2.raw", "1.raw"];
        assert_eq!(files(folder.path()), want, "{policy}");
        assert_eq!(numbers_in(folder.path()), [1, 2, 0, 11, 10]);
        assert_eq!(rig.count("renamed"), renamed);
    }
}

#[test]
fn files_of_an_earlier_run_are_dealt_with_as_asked() {
    for _ in 0..5 {
        let run = |folder: &TempDir, frames: std::ops::Range<u64>, policy: &str| {
            let location = at(folder, "%03d.raw");
            let rig = Rig::new(&[
                ("location", &location),
                ("interval", "1"),
                ("on-exists", policy),
            ]);
            rig.push_all(frames);
            let warnings = rig.end().warnings();
            (rig.count("captured"), rig.count("failed"), warnings.len())
        };
        let two_runs = |policy: &str| {
            let folder = tempdir().unwrap();
            assert_eq!(run(&folder, 0..3, "suffix"), (3, 0, 0));
            let outcome = run(&folder, 10..14, policy);
            let of_file = |name: &String| (name.clone(), number_in(&folder.path().join(name)));
            let found: BTreeMap<String, u64> = files(folder.path()).iter().map(of_file).collect();
            (outcome, found)
        };
        let want = |files: &[(&str, u64)]| {
            files
                .iter()
                .map(|(name, number)| (format!("{name}.raw"), *number))
                .collect::<BTreeMap<_, _>>()
        };
        let (outcome, found) = two_runs("suffix");
        assert_eq!(outcome, (4, 0, 0));
        let suffixed = [("000", 0), ("001", 1), ("002", 2), ("003", 13)];
        let new = [("000-2", 10), ("001-2", 11), ("002-2", 12)];
        assert_eq!(found, want(&[&suffixed[..], &new].concat()));

        let (outcome, found) = two_runs("continue");
        assert_eq!(outcome, (4, 0, 0));
        let old = [("000", 0), ("001", 1), ("002", 2)];
        let new = [("003", 10), ("004", 11), ("005", 12), ("006", 13)];
        assert_eq!(found, want(&[&old[..], &new].concat()));

        let (outcome, found) = two_runs("overwrite");
        assert_eq!(outcome, (4, 0, 0));
        let new = [("000", 10), ("001", 11), ("002", 12), ("003", 13)];
        assert_eq!(found, want(&new));

        let (outcome, found) = two_runs("fail");
        // Warnings come once in a second.
        assert_eq!((outcome.0, outcome.1), (1, 3));
        assert_eq!(outcome.2, 1);
        assert_eq!(found, want(&[&old[..], &[("003", 13)]].concat()));
    }
}

#[test]
fn the_log_says_what_was_captured() {
    let folder = tempdir().unwrap();
    let (location, log) = (at(&folder, "%03d.png"), at(&folder, "sub/log.jsonl"));
    let source = info(VideoFormat::Rgb, 33, 17);
    let buffer = scene(&source);
    for run in 0..2 {
        let rig = Rig::of(
            &source,
            &[
                ("location", &location),
                ("log-location", &log),
                ("interval", "2"),
                ("statistics", "true"),
                ("unique-id", "42"),
                ("on-exists", "continue"),
            ],
        );
        for number in 0..5u64 {
            let mut buffer = buffer.copy();
            let pts = gst::ClockTime::from_nseconds(number * STEP);
            buffer
                .get_mut()
                .unwrap()
                .set_pts((number != 4).then_some(pts));
            rig.pad.push(buffer).unwrap();
        }
        rig.end();
        let text = std::fs::read_to_string(&log).unwrap();
        let lines = lines(log.as_ref());
        assert_eq!(lines.len(), 3 * (run + 1));
        let runs: Vec<_> = lines.iter().map(|l| l["run"].as_str().unwrap()).collect();
        assert!(runs[0].parse::<uuid::Uuid>().is_ok());
        for (index, line) in lines.iter().enumerate() {
            assert_eq!(runs[index] == runs[0], index < 3);
            assert_eq!(line["version"], 1);
            assert_eq!(line["unique_id"], 42);
            assert_eq!(line["frame_number"], 2 * (index as u64 % 3));
            assert_eq!(line["stream"], 0);
            assert_eq!(line["reason"], "interval");
            let pts = match index % 3 {
                2 => serde_json::Value::Null,
                n => (2 * n as u64 * STEP).into(),
            };
            assert_eq!(line["pts"], pts);
            assert_eq!(line["file"], at(&folder, &format!("{index:03}.png")));
            assert_eq!(line["shape"], serde_json::json!([17, 33, 3]));
            assert_eq!(line["objects_detected"], 0);
            assert_eq!(line["objects"], serde_json::json!([]));
            assert_eq!(line["object_classes"], serde_json::json!([]));
            let taken: jiff::Timestamp = line["timestamp"].as_str().unwrap().parse().unwrap();
            let age = jiff::Timestamp::now().duration_since(taken);
            assert!(age.as_secs() < 60 && !age.is_negative());
            check_statistics(line, &picture(&buffer, &source).bytes, (33, 17));
        }
        let order: Vec<_> = text.lines().next().unwrap()[1..]
            .split(",\"")
            .map(|field| field.trim_start_matches('"').split('"').next().unwrap())
            .collect();
        let want = "version run unique_id frame_number stream pad timestamp pts ntp reason file \
                    shape frame_size source_size mean_intensity std_intensity sharpness objects_detected object_classes objects";
        assert_eq!(order, want.split_whitespace().collect::<Vec<_>>());
    }
}

fn check_statistics(line: &serde_json::Value, rgb: &[u8], (width, height): (usize, usize)) {
    let near = |name: &str, want: f64| {
        let got = line[name].as_f64().unwrap();
        assert!(
            (got - want).abs() <= 1e-9 * want.abs().max(1.0),
            "{name}: {got} {want}"
        );
    };
    let spread = |values: &[f64], less: usize| {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
        (mean, squares / (values.len() - less) as f64)
    };
    let samples: Vec<f64> = rgb.iter().map(|b| f64::from(*b)).collect();
    let (mean, variance) = spread(&samples, 1);
    near("mean_intensity", mean);
    near("std_intensity", variance.sqrt());
    let luma = |x: usize, y: usize| {
        let p = &rgb[3 * (y * width + x)..];
        0.299 * f64::from(p[0]) + 0.587 * f64::from(p[1]) + 0.114 * f64::from(p[2])
    };
    let mut edges = Vec::new();
    for y in 1..height - 1 {
        for x in 1..width - 1 {
            let around = luma(x - 1, y) + luma(x + 1, y) + luma(x, y - 1) + luma(x, y + 1);
            edges.push(around - 4.0 * luma(x, y));
        }
    }
    near("sharpness", spread(&edges, 0).1);
}

#[test]
fn a_torn_line_is_cut_off_and_said() {
    let folder = tempdir().unwrap();
    let log = at(&folder, "log.jsonl");
    std::fs::write(&log, "{\"version\":1}\n{\"version\":1,\"ru").unwrap();
    let rig = Rig::new(&[("log-location", &log)]);
    rig.push_all(0..3);
    let warnings = rig.end().warnings();
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].0.matches(gst::ResourceError::Write));
    assert!(warnings[0].1.contains(&log), "{warnings:?}");
    assert_eq!(rig.count("log-repairs"), 1);
    let lines = lines(log.as_ref());
    assert_eq!(lines.len(), 4, "one in a frame is the rule for a log");
    assert_eq!(frames(&lines[1..]), [0, 1, 2]);
    assert_eq!(lines[1]["file"], serde_json::Value::Null);
}

#[test]
fn messages_follow_their_files_and_are_bounded() {
    let folder = tempdir().unwrap();
    let (location, log) = (at(&folder, "%06d.raw"), at(&folder, "log"));
    let rig = Rig::stopped(&[
        ("location", &location),
        ("log-location", &log),
        ("interval", "1"),
        ("post-messages", "true"),
        ("overflow", "block"),
    ]);
    let (sender, looked) = std::sync::mpsc::channel();
    let (weak, log_path) = (rig.element.downgrade(), log.clone());
    rig.bus.set_sync_handler(move |_, message| {
        if let Some(saved) = message
            .structure()
            .filter(|s| s.name() == "dsframecapture-saved")
        {
            if let Ok(file) = saved.get::<String>("file") {
                // The file and its line are there before the message is.
                let line = lines(log_path.as_ref()).pop().unwrap();
                assert_eq!(line["file"], file);
                sender
                    .send((number_in(file.as_ref()), saved.get::<u64>("frame").unwrap()))
                    .unwrap();
            }
            check_accounts(&weak.upgrade().unwrap());
        }
        gst::BusSyncReply::Pass
    });
    rig.start();
    rig.begin(&numbered_info(), &gst::FormattedSegment::new());
    rig.push_all(0..1000);
    let messages = rig.end();
    let saved = messages.elements("dsframecapture-saved");
    let single = saved.iter().filter(|s| s.has_field("file")).count() as u64;
    let skipped: u64 = saved.iter().map(|s| s.get::<u64>("skipped").unwrap()).sum();
    assert_eq!(single + skipped, 1000);
    assert!(skipped > 0, "1000 frames within a few seconds");
    let looked: Vec<_> = looked.try_iter().collect();
    assert_eq!(looked.len() as u64, single);
    assert!(looked.iter().all(|(of_file, said)| of_file == said));
    assert_eq!(
        looked[..100],
        std::array::from_fn::<_, 100, _>(|n| (n as u64, n as u64))
    );
    let first = &saved[0];
    let fields: Vec<_> = first.fields().map(|f| f.as_str()).collect();
    assert_eq!(fields.len(), 7, "{fields:?}");
    assert_eq!(first.get::<u32>("stream").unwrap(), 0);
    assert_eq!(first.get::<u64>("number").unwrap(), 0);
    assert_eq!(first.get::<u64>("pts").unwrap(), 0);
    assert_eq!(first.get::<&str>("reason").unwrap(), "interval");
    rig.bus.unset_sync_handler();
}

#[test]
fn writing_on_after_pushing_changes_nothing() {
    let folder = tempdir().unwrap();
    let (rig, stall) = stalled(&folder, &[]);
    for number in 1..5 {
        let mut buffer = numbered(number);
        // The sink and this branch of a tee have the same buffer.
        rig.pad.push(buffer.clone()).unwrap();
        let mut map = buffer.make_mut().map_writable().unwrap();
        map.fill(0xff);
    }
    let reader = stall.release();
    rig.end();
    assert_eq!(frames(&reader.join().unwrap()), [0, 1, 2, 3, 4]);
    assert_eq!(numbers_in(folder.path()), [0, 1, 2, 3, 4]);
}

#[test]
fn a_limited_pool_never_runs_dry() {
    let folder = tempdir().unwrap();
    let (rig, stall) = stalled(&folder, &[]);
    let info = numbered_info();
    let pool = gst::BufferPool::new();
    let mut config = pool.config();
    config.set_params(Some(&info.to_caps().unwrap()), info.size() as u32, 1, 1);
    pool.set_config(config).unwrap();
    pool.set_active(true).unwrap();
    for number in 1..6 {
        let params =
            gst::BufferPoolAcquireParams::with_flags(gst::BufferPoolAcquireFlags::DONTWAIT);
        let mut buffer = pool.acquire_buffer(Some(&params)).unwrap();
        let bytes = common::rig::numbered_bytes(number);
        buffer
            .get_mut()
            .unwrap()
            .copy_from_slice(0, &bytes)
            .unwrap();
        rig.pad.push(buffer).unwrap();
    }
    pool.set_active(false).unwrap();
    let reader = stall.release();
    rig.end();
    reader.join().unwrap();
    assert_eq!(numbers_in(folder.path()), [0, 1, 2, 3, 4, 5]);
}

/// Memory that is written by others behind GStreamer's back, as shared memory is.
#[test]
fn memory_of_another_kind_is_copied() {
    let info = info(VideoFormat::Gray8, 32, 2);
    let pool = NvmmPool::new(&info, Generation::C, Place::Host { gpu_id: 0 }, 1, 1).unwrap();
    pool.set_active(true).unwrap();
    let folder = tempdir().unwrap();
    let stall = Stall::new(folder.path());
    let location = at(&folder, "%06d.raw");
    let rig = Rig::stopped(&[
        ("location", &location),
        ("log-location", stall.path.to_str().unwrap()),
        ("interval", "1"),
        ("workers", "1"),
    ]);
    rig.start();
    rig.begin_caps(&nvmm_caps(&info), &gst::FormattedSegment::new());
    for number in 0..6u8 {
        let params =
            gst::BufferPoolAcquireParams::with_flags(gst::BufferPoolAcquireFlags::DONTWAIT);
        let mut buffer = pool.acquire_buffer(Some(&params)).unwrap();
        fill(buffer.get_mut().unwrap(), 0, number);
        rig.pad.push(buffer).unwrap();
    }
    let reader = stall.release();
    rig.end();
    reader.join().unwrap();
    pool.set_active(false).unwrap();
    for number in 0..6u8 {
        let file = folder.path().join(format!("{number:06}.raw"));
        assert_eq!(std::fs::read(file).unwrap(), vec![number; 64]);
    }
}

#[test]
fn caps_may_change_with_captures_queued() {
    let folder = tempdir().unwrap();
    let (rig, stall) = stalled(&folder, &[]);
    let sizes = [(16, 4), (7, 5), (64, 64)];
    for (width, height) in sizes {
        let info = info(VideoFormat::Gray8, width, height);
        assert!(
            rig.pad
                .push_event(gst::event::Caps::new(&info.to_caps().unwrap()))
        );
        let buffer = memory(&vec![width as u8; info.size()]);
        rig.pad.push(buffer).unwrap();
    }
    let reader = stall.release();
    rig.end();
    let log = reader.join().unwrap();
    for (index, (width, height)) in sizes.into_iter().enumerate() {
        let file = folder.path().join(format!("{:06}.raw", index + 1));
        let bytes = vec![width as u8; (width * height) as usize];
        assert_eq!(std::fs::read(file).unwrap(), bytes);
        assert_eq!(
            log[index + 1]["shape"],
            serde_json::json!([height, width, 1])
        );
    }
}

#[test]
fn a_file_never_shows_less_than_the_whole() {
    let folder = tempdir().unwrap();
    let path = folder.path().to_owned();
    let watching = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let watcher = std::thread::spawn({
        let watching = watching.clone();
        move || {
            let mut looked = 0;
            while watching.load(std::sync::atomic::Ordering::Relaxed) {
                looked += check_whole(&path);
            }
            looked
        }
    });
    let info = info(VideoFormat::Gray8, 512, 512);
    let location = at(&folder, "%06d.raw");
    let rig = Rig::of(
        &info,
        &[
            ("location", &location),
            ("interval", "1"),
            ("overflow", "block"),
        ],
    );
    for _ in 0..300 {
        rig.pad.push(memory(&vec![7; 512 * 512])).unwrap();
    }
    rig.end();
    watching.store(false, std::sync::atomic::Ordering::Relaxed);
    assert!(watcher.join().unwrap() > 0);
    assert_eq!(check_whole(folder.path()), 300);
    assert_eq!(files(folder.path()).len(), 300, "nothing hidden is left");
}

fn check_whole(folder: &Path) -> usize {
    let mut looked = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "raw") {
            assert_eq!(std::fs::metadata(&path).unwrap().len(), 512 * 512);
            looked += 1;
        }
    }
    looked
}
