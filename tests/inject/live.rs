// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `is-live` on a clock that the test turns, and `do-timestamp`.

use gst::prelude::*;
use gst_check::TestClock;

use super::common::*;

/// A live source of 10 frames a second on a clock that stands at 1 s.
fn ticking(properties: &str) -> (Pipeline, TestClock) {
    let pipeline = Pipeline::new(&format!(
        "dsframeinject name=source is-live=true frame-code=true {properties} ! \
         video/x-raw,width=160,height=90,framerate=10/1 ! \
         appsink name=sink sync=false async=false"
    ));
    let clock = TestClock::with_start_time(ms(1000));
    pipeline.0.use_clock(Some(&clock));
    (pipeline, clock)
}

/// Waits until the source waits for its time, and returns that. This clock lets nobody pass by
/// himself, not even to a time that has been.
fn due(clock: &TestClock) -> gst::ClockTime {
    wait_until("a clock wait", || clock.peek_id_count() == 1);
    clock.next_entry_time().unwrap()
}

/// Lets the source have its time, `late` after it.
fn tick(clock: &TestClock, late: gst::ClockTime) {
    clock.set_time(due(clock) + late);
    clock.process_next_clock_id().unwrap();
}

#[test]
fn each_frame_comes_at_its_time_and_not_before() {
    let (pipeline, clock) = ticking("num-buffers=20");
    let paused = pipeline.0.set_state(gst::State::Paused);
    assert_eq!(paused, Ok(gst::StateChangeSuccess::NoPreroll));
    pipeline.go(gst::State::Playing);
    let mut frames = Vec::new();
    for n in 0..20 {
        assert_eq!(due(&clock), ms(1000 + 100 * n));
        if n > 0 {
            clock.set_time(ms(1000 + 100 * n) - ns(1));
        }
        assert_eq!(clock.peek_id_count(), 1);
        assert!(
            pipeline
                .sink()
                .try_pull_sample(gst::ClockTime::ZERO)
                .is_none()
        );
        tick(&clock, ns(0));
        frames.extend(pipeline.take(1));
    }
    assert!(pipeline.frame().is_none());
    check_order(&frames, 0, (10, 1));
}

#[test]
fn a_late_source_catches_up_without_loss() {
    let (pipeline, clock) = ticking("num-buffers=20");
    pipeline.go(gst::State::Playing);
    due(&clock);
    clock.set_time(ms(1000 + 1550));
    let mut frames = Vec::new();
    for n in 0..16 {
        assert_eq!(due(&clock), ms(1000 + 100 * n));
        clock.process_next_clock_id().unwrap();
        frames.extend(pipeline.take(1));
    }
    assert_eq!(due(&clock), ms(1000 + 1600));
    check_order(&frames, 0, (10, 1));
}

#[test]
fn the_latency_is_one_frame_to_prefetch() {
    let (pipeline, clock) = ticking("prefetch=6");
    let latency = || {
        let mut query = gst::query::Latency::new();
        pipeline.source().query(&mut query).then(|| query.result())
    };
    pipeline.go(gst::State::Playing);
    due(&clock);
    assert_eq!(latency(), Some((true, ms(100), Some(ms(600)))));
    // The sink posts one, too.
    let source = pipeline.source();
    while pipeline.message(&[gst::MessageType::Latency]).src() != Some(source.upcast_ref()) {}
}

#[test]
fn without_is_live_there_is_no_latency() {
    let pipeline = Pipeline::new("dsframeinject name=source ! fakesink name=sink");
    pipeline.go(gst::State::Paused);
    let mut query = gst::query::Latency::new();
    assert!(pipeline.source().query(&mut query));
    let (live, min, _) = query.result();
    assert!(!live && min.is_zero());
}

#[test]
fn pausing_while_pacing_loses_and_repeats_nothing() {
    let pipeline = Pipeline::new(
        "dsframeinject is-live=true frame-code=true num-buffers=150 ! \
         video/x-raw,width=160,height=90,framerate=100/1 ! \
         appsink name=sink sync=false async=false",
    );
    let mut frames = Vec::new();
    for _ in 0..100 {
        assert_ne!(
            pipeline.go(gst::State::Playing),
            gst::StateChangeSuccess::NoPreroll
        );
        frames.extend(pipeline.take(1));
        assert_eq!(
            pipeline.0.set_state(gst::State::Paused),
            Ok(gst::StateChangeSuccess::NoPreroll)
        );
    }
    pipeline.go(gst::State::Playing);
    frames.extend(pipeline.frames());
    assert_eq!(frames.len(), 150);
    check_order(&frames, 0, (100, 1));
    assert!(pipeline.faults().is_empty());
}

#[test]
fn new_caps_while_paused_lose_and_repeat_nothing() {
    let pipeline = Pipeline::new(
        "dsframeinject is-live=true frame-code=true num-buffers=60 ! \
         capsfilter name=filter caps=video/x-raw,format=RGB,width=160,height=90,framerate=100/1 ! \
         appsink name=sink sync=false async=false",
    );
    pipeline.go(gst::State::Playing);
    let mut frames = pipeline.take(5);
    for (n, side) in [(1280, 720), (128, 72), (640, 480), (160, 90)]
        .iter()
        .enumerate()
    {
        pipeline.0.set_state(gst::State::Paused).unwrap();
        let format = ["NV12", "RGB", "YUY2", "GRAY8"][n];
        let caps: gst::Caps = format!(
            "video/x-raw,format={format},width={},height={},framerate=100/1",
            side.0, side.1
        )
        .parse()
        .unwrap();
        pipeline.find("filter").set_property("caps", caps);
        pipeline.go(gst::State::Playing);
        while frames.last().unwrap().info().width() != side.0 {
            frames.extend(pipeline.take(1));
        }
    }
    frames.extend(pipeline.frames());
    assert_eq!(frames.len(), 60);
    check_order(&frames, 0, (100, 1));
    assert!(pipeline.faults().is_empty());
}

#[test]
fn shutdown_and_eos_end_the_wait_for_the_clock() {
    // Dropping the pipeline while it waits is bounded by 2 s.
    for _ in 0..20 {
        let (pipeline, clock) = ticking("");
        pipeline.go(gst::State::Playing);
        due(&clock);
    }
    let (pipeline, clock) = ticking("");
    pipeline.go(gst::State::Playing);
    tick(&clock, ns(0));
    due(&clock);
    pipeline.0.send_event(gst::event::Eos::new());
    let frames = pipeline.frames();
    assert_eq!(numbers(&frames), [0]);
}

#[test]
fn do_timestamp_leaves_the_time_to_the_base_class() {
    let (pipeline, clock) = ticking("do-timestamp=true");
    pipeline.go(gst::State::Playing);
    let mut frames = Vec::new();
    for _ in 0..6 {
        tick(&clock, ms(7));
        frames.extend(pipeline.take(1));
    }
    for (n, frame) in (0..).zip(&frames) {
        assert_eq!(frame.number(), n);
        assert_eq!(frame.pts(), ms(100 * n + 7), "the time of its arrival");
        assert_eq!(frame.buffer().duration(), Some(ms(100)));
    }

    let pipeline = Pipeline::new(
        "dsframeinject num-buffers=20 do-timestamp=true ! video/x-raw,width=64,height=48 ! \
         appsink name=sink sync=false async=false max-buffers=1",
    );
    let clock = TestClock::with_start_time(ms(1000));
    pipeline.0.use_clock(Some(&clock));
    pipeline.go(gst::State::Playing);
    let frames = pipeline.frames();
    assert_eq!(frames.len(), 20);
    assert_eq!(frames[19].pts(), ms(0), "the clock stands still");
}
