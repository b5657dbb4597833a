// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Out of one batch into a channel for each of its sources.

use std::thread::{self, JoinHandle};

use gst::prelude::*;
use gst_app::AppSink;
use gst_video::{VideoFrame, VideoInfo};
use gstdsframe::frame::{View, code};
use gstdsframe::mem::sys::Generation;
use gstdsframe::meta::{FrameMeta, origin, roi};

use crate::common::{LIMIT, launch, until};
use crate::kit::{Feed, HD, MS, Muxer, STREAM_EOS, Shot, event, numbers, tracked};

const CAMERAS: u32 = 16;

/// Camera n is over after this many frames.
fn length(stream: u32) -> i32 {
    20 + 3 * stream as i32
}

/// Its pad is not its number, and its size not that of the others.
fn shot(stream: u32, number: i32) -> Shot {
    let size = match stream % 3 {
        0 => HD,
        1 => (320, 180),
        _ => (192, 200),
    };
    let track = u64::from(stream) << 32 | number as u64;
    Shot {
        pad: 100 - stream,
        size,
        ..Shot::new(stream, number)
    }
    .with([tracked("car", track, 0.5)])
}

/// Reads the channel of one camera to its end, and checks every frame.
fn camera(channel: &str, stream: u32) -> JoinHandle<()> {
    let line =
        format!("dsframeinject channel={channel} ! appsink name=sink sync=false max-buffers=2");
    let pipeline = launch(&line);
    pipeline.set_state(gst::State::Playing).unwrap();
    thread::spawn(move || {
        let sink: AppSink = pipeline.by_name("sink").unwrap().downcast().unwrap();
        let limit = gst::ClockTime::try_from(LIMIT).unwrap();
        for number in 0..length(stream) {
            let sample = sink.try_pull_sample(limit);
            let sample = sample.unwrap_or_else(|| panic!("camera {stream}: no frame {number}"));
            let want = shot(stream, number);
            let info = VideoInfo::from_caps(sample.caps().unwrap()).unwrap();
            assert_eq!((info.width(), info.height()), want.size);
            let buffer = sample.buffer().unwrap();
            let owned = sample.buffer_owned().unwrap();
            let frame = VideoFrame::from_buffer_readable(owned, &info).unwrap();
            let spelled = code::read(&View::of_frame(&frame).unwrap());
            assert_eq!(spelled, Some((stream as u16, number as u32)));
            assert_eq!(buffer.pts().unwrap().nseconds(), number as u64 * 100 * MS);
            let mut meta = FrameMeta::default();
            assert!(origin::read_into(buffer, &mut meta));
            assert_eq!((meta.source_id, meta.pad_index), (stream, 100 - stream));
            assert_eq!(meta.frame_number, Some(number as u64));
            let detections = roi::read(buffer);
            assert_eq!(detections.len(), 1);
            let track = u64::from(stream) << 32 | number as u64;
            assert_eq!(detections[0].track_id, Some(track));
        }
        assert!(sink.try_pull_sample(limit).is_none() && sink.is_eos());
        pipeline.set_state(gst::State::Null).unwrap();
    })
}

fn sixteen_cameras(template: &str) {
    let properties = [("channel", template), ("overflow", "block")];
    let feed = Feed::plain("", &properties);
    let cameras: Vec<_> = (0..CAMERAS)
        .map(|stream| camera(&template.replace("{stream}", &stream.to_string()), stream))
        .collect();
    let mut muxer = Muxer::new(Generation::B);
    feed.begin(&muxer.caps());
    for number in 0..length(CAMERAS - 1) {
        // In another order each time, and with whom there still is.
        let mut streams: Vec<_> = (0..CAMERAS).filter(|s| number < length(*s)).collect();
        let turns = number as usize % streams.len();
        streams.rotate_left(turns);
        let shots: Vec<_> = streams.iter().map(|s| shot(*s, number)).collect();
        feed.push(muxer.batch(&shots));
        for stream in (0..CAMERAS).filter(|s| length(*s) == number + 1) {
            let eos = numbers(STREAM_EOS)[stream as usize % 2];
            assert!(feed.send(event(eos, Some(100 - stream))));
        }
    }
    // Each knew of its end before the end of all.
    for camera in cameras {
        camera.join().unwrap();
    }
    let frames: i32 = (0..CAMERAS).map(length).sum();
    until("all are counted", || {
        feed.count("captured") == frames as u64
    });
    feed.end_silently();
}

#[test]
fn sixteen_cameras_in_the_process() {
    sixteen_cameras("camera-{stream}");
}

#[test]
fn sixteen_cameras_across_sockets() {
    let folder = tempfile::tempdir().unwrap();
    let template = format!("unix:{}/{{stream}}.sock", folder.path().display());
    sixteen_cameras(&template);
}
