// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What travels with a frame: caps, times, numbers and detections.

use gst::prelude::*;
use gst_video::{VideoFormat, VideoFrame, VideoInfo, VideoRegionOfInterestMeta};
use gstdsframe::frame::View;
use gstdsframe::meta::{FrameMeta, origin, roi};

use crate::common::rig::{STEP, numbered};
use crate::common::{lines, until};
use crate::kit::{Line, counts};
use crate::over_all_channels;

over_all_channels!(
    times_numbers_and_detections_travel,
    new_caps_are_negotiated,
    frames_are_converted_to_what_is_asked_for,
    frames_that_are_kept_elsewhere_stay_as_they_are,
    a_live_reader_stamps_what_comes,
    a_live_reader_stamps_the_time_at_which_it_came,
);

#[test]
fn pixels_are_not_copied_within_the_process() {
    let line = Line::in_process("pixels");
    let producer = line.producer(&[("overflow", "block")]);
    let readers = [line.reader("").play(), line.reader("").play()];
    until("both are there", || counts(&producer.element).readers == 2);
    let address = |buffer: &gst::BufferRef| buffer.map_readable().unwrap().as_ptr() as usize;
    for number in 0..10 {
        let buffer = numbered(number);
        let sent = address(&buffer);
        producer.pad.push(buffer).unwrap();
        for reader in &readers {
            let sample = reader.sample().unwrap();
            assert_eq!(address(sample.buffer().unwrap()), sent);
        }
    }
}

fn times_numbers_and_detections_travel(line: &Line) {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log.jsonl");
    let producer = line.producer(&[("overflow", "block"), ("interval", "2")]);
    let channel = &line.channel;
    let reader = line.reader_of(&format!(
        "channel={channel} ! tee name=t ! queue ! appsink name=sink sync=false \
         t. ! queue ! dsframecapture log-location={}",
        log.display()
    ));
    let reader = reader.play();
    until("it is there", || counts(&producer.element).readers == 1);
    let push = |number: u64| {
        let mut buffer = numbered(number);
        let writable = buffer.get_mut().unwrap();
        let mut car = VideoRegionOfInterestMeta::add(writable, "car", (1, 0, 8, 2));
        let confidence = (number % 10) as f64 / 10.0;
        car.add_param(
            gst::Structure::builder("detection")
                .field("label", "car")
                .field("confidence", confidence)
                .field("track-id", number)
                .build(),
        );
        // Comes as region of interest and goes as one: not twice.
        let meta = FrameMeta {
            source_id: 7,
            frame_number: Some(1000 + number),
            ntp: Some(1_700_000_000_000_000_000 + number),
            sensor: Some("gate".into()),
            ..FrameMeta::default()
        };
        origin::attach(writable, &meta, None);
        producer.pad.push(buffer).unwrap();
    };
    (0..8).for_each(push);
    producer.finish();
    for number in [0, 2, 4, 6] {
        let sample = reader.sample().unwrap();
        assert_eq!(crate::kit::number(&sample), number);
        let buffer = sample.buffer().unwrap();
        assert_eq!(buffer.pts().unwrap().nseconds(), number * STEP);
        assert_eq!(buffer.duration().unwrap().nseconds(), STEP);
        let mut meta = FrameMeta::default();
        assert!(origin::read_into(buffer, &mut meta));
        assert_eq!(
            (meta.source_id, meta.frame_number),
            (7, Some(1000 + number))
        );
        let times = buffer.iter_meta::<gst::ReferenceTimestampMeta>();
        let times: Vec<_> = times.map(|time| time.timestamp().nseconds()).collect();
        assert_eq!(times, [1_700_000_000_000_000_000 + number]);
        let detections = roi::read(buffer);
        assert_eq!(detections.len(), 1);
        assert_eq!(detections[0].track_id, Some(number));
    }
    assert!(reader.sample().is_none());
    until("the log is written", || lines(&log).len() == 4);
    for (line, number) in lines(&log).iter().zip([0, 2, 4, 6]) {
        assert_eq!(line["frame_number"], 1000 + number, "{line}");
        assert_eq!(line["stream"], 7);
        assert_eq!(line["pts"], number * STEP);
        assert_eq!(line["objects"][0]["label"], "car");
        assert_eq!(
            line["objects"][0]["confidence"],
            (number % 10) as f64 / 10.0
        );
    }
}

fn info(format: VideoFormat, width: u32, height: u32) -> VideoInfo {
    VideoInfo::builder(format, width, height)
        .fps(gst::Fraction::new(25, 1))
        .build()
        .unwrap()
}

/// A picture of one gray.
fn flat(info: &VideoInfo, value: u8) -> gst::Buffer {
    let mut buffer = gst::Buffer::with_size(info.size()).unwrap();
    let writable = buffer.get_mut().unwrap();
    writable.memset(.., value).unwrap();
    writable.set_pts(gst::ClockTime::from_mseconds(40 * u64::from(value)));
    buffer
}

fn new_caps_are_negotiated(line: &Line) {
    let producer = line.stopped(&[("overflow", "block"), ("channel-size", "3")]);
    let reader = line.reader("").play();
    producer.start();
    let sizes = [
        (VideoFormat::Rgb, 64, 48),
        (VideoFormat::Gray8, 31, 17),
        (VideoFormat::I420, 64, 48),
        (VideoFormat::Rgb, 64, 48),
        (VideoFormat::Bgrx, 8, 8),
    ];
    let pushed = sizes.map(|(format, width, height)| info(format, width, height));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for (round, info) in pushed.iter().enumerate() {
                producer.begin(info, &gst::FormattedSegment::new());
                for n in 0..5 {
                    producer
                        .pad
                        .push(flat(info, (round * 5 + n) as u8))
                        .unwrap();
                }
            }
            producer.finish();
        });
        for (round, info) in pushed.iter().enumerate() {
            for n in 0..5 {
                let sample = reader.sample().unwrap();
                let got = VideoInfo::from_caps(sample.caps().unwrap()).unwrap();
                assert_eq!((got.format(), got.width(), got.height()), {
                    (info.format(), info.width(), info.height())
                });
                let buffer = sample.buffer_owned().unwrap();
                let frame = VideoFrame::from_buffer_readable(buffer, &got).unwrap();
                let mut pixels = Vec::new();
                View::of_frame(&frame).unwrap().append_tight(&mut pixels);
                assert_eq!(pixels, vec![(round * 5 + n) as u8; pixels.len()]);
            }
        }
        assert!(reader.sample().is_none());
    });
}

fn frames_are_converted_to_what_is_asked_for(line: &Line) {
    let producer = line.stopped(&[("overflow", "block")]);
    let reader = line
        .reader_of("! video/x-raw,format=RGBA,width=32,height=32 ! appsink name=sink sync=false");
    let reader = reader.play();
    producer.start();
    for (value, (width, height)) in [(10, (64, 48)), (20, (32, 32)), (30, (100, 10))] {
        let info = info(VideoFormat::Rgb, width, height);
        producer.begin(&info, &gst::FormattedSegment::new());
        producer.pad.push(flat(&info, value)).unwrap();
        let sample = reader.sample().unwrap();
        let got = VideoInfo::from_caps(sample.caps().unwrap()).unwrap();
        assert_eq!((got.format(), got.width()), (VideoFormat::Rgba, 32));
        let map = sample.buffer().unwrap().map_readable().unwrap();
        let pixels = map.chunks_exact(4);
        assert!(
            pixels
                .clone()
                .all(|pixel| pixel == [value, value, value, 255])
        );
        assert_eq!(pixels.len(), 32 * 32);
    }
}

/// Other branches and other readers have the same memory, and see none of what happens behind a
/// channel.
fn frames_that_are_kept_elsewhere_stay_as_they_are(line: &Line) {
    let producer = line.producer(&[("overflow", "block")]);
    let one = line.reader("").play();
    let other = line.reader("").play();
    until("both are there", || counts(&producer.element).readers == 2);
    let mut kept = numbered(5);
    VideoRegionOfInterestMeta::add(kept.get_mut().unwrap(), "dog", (0, 0, 2, 2));
    producer.pad.push(kept.clone()).unwrap();
    // Written to by whoever got it first: into memory of its own.
    let sample = one.sample().unwrap();
    let mut mine = sample.buffer_owned().unwrap();
    drop(sample);
    let writable = mine.make_mut();
    writable.map_writable().unwrap().fill(0);
    assert_eq!(roi::read(&mine).len(), 1);
    let theirs = other.sample().unwrap();
    assert_eq!(crate::kit::number(&theirs), 5);
    assert_eq!(roi::read(theirs.buffer().unwrap()).len(), 1);
    assert_eq!(roi::read(&kept).len(), 1);
    assert!(!origin::read_into(&kept, &mut FrameMeta::default()));
}

fn a_live_reader_stamps_what_comes(line: &Line) {
    let producer = line.producer(&[("overflow", "block")]);
    let reader = line.reader("is-live=true").play();
    // Due in a day, by its own time.
    producer.push_all(864_000..864_001);
    let sample = reader.sample().unwrap();
    assert_eq!(crate::kit::number(&sample), 864_000);
    let pts = sample.buffer().unwrap().pts().unwrap();
    assert!(pts < gst::ClockTime::from_seconds(60), "{pts}");
}

/// A sink that waits for the time of each frame holds up the source, which is not to make the next
/// one later.
fn a_live_reader_stamps_the_time_at_which_it_came(line: &Line) {
    const PACE: std::time::Duration = std::time::Duration::from_millis(20);
    let producer = line.producer(&[("overflow", "block")]);
    let reader = line.reader("is-live=true").play();
    until("it is there", || counts(&producer.element).readers == 1);
    let begun = std::time::Instant::now();
    for number in 0..6 {
        std::thread::sleep((PACE * number).saturating_sub(begun.elapsed()));
        producer.push_all(u64::from(number)..u64::from(number) + 1);
    }
    // All are there, and taken late.
    let times: Vec<_> = (0..6)
        .map(|_| reader.sample().unwrap().buffer().unwrap().pts().unwrap())
        .collect();
    let taken = reader.source().current_running_time().unwrap();
    assert!(times.is_sorted_by(|a, b| a < b), "{times:?}");
    let last = (times[5] - times[0]).mseconds();
    assert!(last >= 80, "{times:?}, all at {taken}");
    std::thread::sleep(PACE * 5);
    producer.push_all(6..7);
    let sample = reader.sample().unwrap();
    assert!(sample.buffer().unwrap().pts().unwrap() > taken);
}
