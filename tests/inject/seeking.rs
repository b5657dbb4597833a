// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Seeks, and what is answered about time.

use gst::prelude::*;
use gst::{SeekFlags, SeekType};

use super::common::*;

const LINE: &str = "dsframeinject name=source frame-code=true ! \
                    video/x-raw,width=160,height=90,framerate=30/1 ! \
                    appsink name=sink sync=false max-buffers=2";

fn seek(pipeline: &Pipeline, flags: SeekFlags, start: u64, stop: Option<u64>) {
    let stop_type = if stop.is_some() {
        SeekType::Set
    } else {
        SeekType::None
    };
    pipeline
        .0
        .seek(
            1.0,
            flags,
            SeekType::Set,
            ms(start),
            stop_type,
            stop.map(ms),
        )
        .unwrap();
}

#[test]
fn flushing_seeks_find_the_frame_of_a_time() {
    let pipeline = Pipeline::new(LINE);
    pipeline.go(gst::State::Playing);
    check_order(&pipeline.take(10), 0, (30, 1));
    for flags in [SeekFlags::ACCURATE, SeekFlags::KEY_UNIT, SeekFlags::empty()] {
        for (time, frame) in [
            (1000, 30),
            (1033, 30),
            (1034, 31),
            (0, 0),
            (3_600_000, 108_000),
        ] {
            seek(&pipeline, flags | SeekFlags::FLUSH, time, None);
            check_order(&pipeline.take(5), frame, (30, 1));
        }
    }
    assert!(pipeline.faults().is_empty());
}

#[test]
fn a_stop_ends_the_stream_after_the_last_frame_before_it() {
    let pipeline = Pipeline::new(LINE);
    pipeline.go(gst::State::Playing);
    seek(
        &pipeline,
        SeekFlags::FLUSH | SeekFlags::ACCURATE,
        1000,
        Some(2000),
    );
    let frames = pipeline.frames();
    assert_eq!(numbers(&frames), (30..60).collect::<Vec<_>>());
    check_order(&frames, 30, (30, 1));
    // The sink complains when it is flushed while its samples are held.
    drop(frames);
    // And after the end it can be played again.
    seek(
        &pipeline,
        SeekFlags::FLUSH | SeekFlags::ACCURATE,
        0,
        Some(100),
    );
    assert_eq!(numbers(&pipeline.frames()), [0, 1, 2]);
}

#[test]
fn a_seek_of_the_stop_alone_goes_on_from_where_it_was() {
    let pipeline = Pipeline::new(LINE);
    pipeline.go(gst::State::Playing);
    pipeline.take(10);
    pipeline
        .0
        .seek(
            1.0,
            SeekFlags::FLUSH | SeekFlags::ACCURATE,
            SeekType::None,
            gst::ClockTime::NONE,
            SeekType::Set,
            ms(2000),
        )
        .unwrap();
    let frames = pipeline.frames();
    // Those on their way were flushed.
    let first = frames[0].number();
    assert!((10..15).contains(&first), "{first}");
    assert_eq!(numbers(&frames), (first..60).collect::<Vec<_>>());
}

#[test]
fn segments_are_played_one_after_another() {
    let pipeline = Pipeline::new(LINE);
    pipeline.go(gst::State::Paused);
    seek(
        &pipeline,
        SeekFlags::FLUSH | SeekFlags::SEGMENT,
        0,
        Some(500),
    );
    pipeline.go(gst::State::Playing);
    for _ in 0..3 {
        let frames = pipeline.take(15);
        check_order(&frames, 0, (30, 1));
        let message = pipeline.message(&[gst::MessageType::SegmentDone]);
        let gst::MessageView::SegmentDone(done) = message.view() else {
            panic!();
        };
        assert_eq!(done.get(), Some(ms(500)).into());
        assert!(!pipeline.sink().is_eos());
        seek(&pipeline, SeekFlags::SEGMENT, 0, Some(500));
    }
}

#[test]
fn a_seek_before_playing_is_where_it_starts() {
    let pipeline = Pipeline::new(LINE);
    pipeline.go(gst::State::Paused);
    seek(
        &pipeline,
        SeekFlags::FLUSH | SeekFlags::ACCURATE,
        3000,
        None,
    );
    let preroll = Got(pipeline.sink().try_pull_preroll(PATIENCE).unwrap());
    assert_eq!(preroll.number(), 90);
    pipeline.go(gst::State::Playing);
    check_order(&pipeline.take(10), 90, (30, 1));

    let pipeline = Pipeline::new(LINE);
    pipeline.go(gst::State::Ready);
    let start = gst::event::Seek::new(
        1.0,
        SeekFlags::ACCURATE,
        SeekType::Set,
        ms(3000),
        SeekType::None,
        gst::ClockTime::NONE,
    );
    assert!(pipeline.source().send_event(start));
    pipeline.go(gst::State::Playing);
    check_order(&pipeline.take(10), 90, (30, 1));
    // It held for that start only.
    pipeline.ready();
    pipeline.go(gst::State::Playing);
    check_order(&pipeline.take(10), 0, (30, 1));
}

#[test]
fn playing_backwards_is_refused_and_playing_goes_on() {
    let pipeline = Pipeline::new(LINE);
    pipeline.go(gst::State::Playing);
    pipeline.take(5);
    let back = pipeline.0.seek(
        -1.0,
        SeekFlags::FLUSH,
        SeekType::Set,
        ms(0),
        SeekType::Set,
        ms(1000),
    );
    assert!(back.is_err());
    let frames = pipeline.take(20);
    let first = frames[0].number();
    assert_eq!(numbers(&frames), (first..first + 20).collect::<Vec<_>>());
    assert!(pipeline.faults().is_empty());
}

#[test]
fn seeks_by_the_hundred_come_out_right() {
    let pipeline = Pipeline::new(LINE);
    pipeline.go(gst::State::Playing);
    for n in 0..200u64 {
        let frame = n * 7919 % 1000;
        seek(
            &pipeline,
            SeekFlags::FLUSH | SeekFlags::ACCURATE,
            frame * 1000,
            None,
        );
        if n % 3 == 0 {
            check_order(&pipeline.take(1), frame * 30, (30, 1));
        }
    }
}

fn seekable(pipeline: &Pipeline) -> (bool, gst::GenericFormattedValue, gst::GenericFormattedValue) {
    let mut query = gst::query::Seeking::new(gst::Format::Time);
    assert!(pipeline.source().query(&mut query));
    query.result()
}

#[test]
fn questions_about_time_are_answered() {
    let pipeline = Pipeline::new(LINE);
    pipeline.go(gst::State::Playing);
    pipeline.take(30);
    let source = pipeline.source();
    let position = source.query_position::<gst::ClockTime>().unwrap();
    assert!((ms(1000)..ms(1200)).contains(&position), "{position}");
    assert_eq!(source.query_duration::<gst::ClockTime>(), None, "endless");
    let none = gst::ClockTime::NONE.into();
    assert_eq!(
        seekable(&pipeline),
        (true, gst::ClockTime::ZERO.into(), none)
    );

    for property in ["is-live", "loop"] {
        let pipeline = Pipeline::new("dsframeinject name=source ! fakesink async=false");
        pipeline.source().set_property(property, true);
        pipeline.0.set_state(gst::State::Paused).unwrap();
        assert!(!seekable(&pipeline).0, "{property}");
        assert!(
            pipeline.0.seek_simple(SeekFlags::FLUSH, ms(0)).is_err(),
            "{property}"
        );
    }
}
