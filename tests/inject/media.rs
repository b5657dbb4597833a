// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `uri`: media that are made here and now.

use std::path::Path;

use gst::prelude::*;

use super::common::*;

/// A clip of 90 coded frames at 30000/1001, as a URI.
fn clip(folder: &Path) -> String {
    init();
    let path = folder.join("clip.mkv");
    let encoder = "x264enc key-int-max=15 bframes=2 speed-preset=veryfast ! h264parse";
    make(&format!(
        "dsframeinject num-buffers=90 frame-code=true ! \
         video/x-raw,format=I420,width=320,height=180,framerate=30000/1001 ! {encoder} ! \
         matroskamux ! filesink location={}",
        path.display()
    ));
    gst::glib::filename_to_uri(path, None).unwrap().to_string()
}

fn from(uri: &str, rest: &str) -> Pipeline {
    Pipeline::new(&format!(
        "dsframeinject name=source uri={uri} {rest} ! appsink name=sink sync=false"
    ))
}

/// Matroska counts in ms.
fn is_time_of(frame: &Got, n: u64) -> bool {
    let want = ns(n * 1001 * 1_000_000_000 / 30_000);
    frame.pts().absdiff(want) <= ms(1)
}

#[test]
fn a_clip_comes_frame_by_frame() {
    let folder = tempfile::tempdir().unwrap();
    let uri = clip(folder.path());
    for (rest, range) in [
        ("", 0..90),
        ("num-buffers=10", 0..10),
        ("! video/x-raw,format=RGB,width=640,height=360", 0..90),
        (
            "nvbuf-memory-type=nvbuf-mem-system ! video/x-raw(memory:NVMM),format=RGB",
            0..90,
        ),
    ] {
        // Surfaces are bounded: none is held here.
        let pipeline = Pipeline::new(&format!(
            "dsframeinject name=source uri={uri} {rest} ! \
             appsink name=sink sync=false enable-last-sample=false"
        ));
        pipeline.0.set_state(gst::State::Playing).unwrap();
        for n in range {
            let frame = pipeline.frame().unwrap();
            assert_eq!(frame.number(), n, "{rest}");
            assert!(is_time_of(&frame, n), "{rest}: {n} at {}", frame.pts());
            assert_eq!(frame.info().fps(), gst::Fraction::new(30_000, 1001));
        }
        assert!(pipeline.frame().is_none());
        assert!(pipeline.faults().is_empty());
    }
}

#[test]
fn a_part_of_a_clip_and_samples_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let uri = clip(folder.path());
    let pipeline = from(&uri, "start-time=1000000000 stop-time=2000000000");
    pipeline.0.set_state(gst::State::Playing).unwrap();
    // From the first that begins at 1 s or is shown then, to the last that begins before 2 s.
    let seen = numbers(&pipeline.frames());
    assert!((29..=30).contains(&seen[0]), "{seen:?}");
    assert_eq!(*seen.last().unwrap(), 59);
    assert!(seen.windows(2).all(|pair| pair[1] == pair[0] + 1));

    let pipeline = from(&uri, "sample-interval=500000000");
    pipeline.0.set_state(gst::State::Playing).unwrap();
    let seen = numbers(&pipeline.frames());
    assert_eq!(seen.len(), 6, "{seen:?}");
    for (n, number) in (0..).zip(&seen) {
        let due = n * 500 * 30_000 / 1_001_000;
        assert!((due..=due + 1).contains(number), "{seen:?}");
    }
}

#[test]
fn a_loop_of_a_clip_goes_on_rising() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = from(&clip(folder.path()), "loop=true num-buffers=200");
    pipeline.0.set_state(gst::State::Playing).unwrap();
    let frames = pipeline.frames();
    assert_eq!(
        numbers(&frames),
        (0..200).map(|n| n % 90).collect::<Vec<_>>()
    );
    assert!(frames.windows(2).all(|pair| pair[0].pts() < pair[1].pts()));
    assert!(
        frames
            .iter()
            .zip(0..)
            .all(|(f, n)| f.buffer().offset() == n)
    );
}

#[test]
fn a_clip_can_be_sought_in() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = from(&clip(folder.path()), "");
    pipeline.go(gst::State::Playing);
    pipeline.take(5);
    let duration = pipeline
        .source()
        .query_duration::<gst::ClockTime>()
        .unwrap();
    assert!(duration.absdiff(ms(3003)) <= ms(50), "{duration}");
    for time in [2000u64, 500, 0] {
        pipeline
            .0
            .seek_simple(gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE, ms(time))
            .unwrap();
        let seen = numbers(&pipeline.take(5));
        let due = time * 30_000 / 1_001_000;
        assert!((due..=due + 1).contains(&seen[0]), "{time}: {seen:?}");
        assert!(seen.windows(2).all(|pair| pair[1] == pair[0] + 1));
    }
    assert!(pipeline.faults().is_empty());
}

#[test]
fn a_clip_is_left_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let uri = clip(folder.path());
    for state in [gst::State::Ready, gst::State::Paused, gst::State::Playing] {
        for _ in 0..5 {
            // Dropped, wherever it is: bounded by 2 s.
            let pipeline = from(&uri, "is-live=true");
            pipeline.0.set_state(state).unwrap();
        }
    }
}
