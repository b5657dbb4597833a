// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Starting, stopping, starting again, and several at once.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gst::prelude::*;

use super::common::*;

/// Runs the body in a process of its own, where nothing else has threads and files.
fn alone(name: &str, body: impl FnOnce()) {
    const ALONE: &str = "DSFRAME_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return body();
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", name, "--nocapture"])
        .env(ALONE, "1");
    let (output, text) = finish(&mut command, Duration::from_secs(120));
    assert!(output.status.success(), "{text}");
    assert!(text.contains("1 passed"), "{text}");
}

#[test]
fn starting_a_hundred_times_leaves_no_threads_and_files() {
    alone(
        "states::starting_a_hundred_times_leaves_no_threads_and_files",
        || {
            for line in [
                "dsframeinject ! video/x-raw,width=64,height=48 ! appsink name=sink sync=false max-buffers=2",
                "dsframeinject nvbuf-memory-type=nvbuf-mem-system pool-size=3 ! \
             video/x-raw(memory:NVMM),width=64,height=48 ! appsink name=sink sync=false max-buffers=2",
            ] {
                let pipeline = Pipeline::new(line);
                let cycle = || {
                    pipeline.go(gst::State::Playing);
                    assert!(pipeline.frame().unwrap().pts().is_zero());
                    pipeline.go(gst::State::Null);
                };
                (0..5).for_each(|_| cycle());
                let before = (count_of("task"), count_of("fd"));
                (0..100).for_each(|_| cycle());
                // GStreamer keeps idle threads for a while: no more than there were.
                wait_until("threads and files as before", || {
                    let now = (count_of("task"), count_of("fd"));
                    now.0 <= before.0 && now.1 <= before.1
                });
            }
        },
    );
}

#[test]
fn every_way_between_the_states_can_be_gone() {
    use gst::State::{Null, Paused, Playing, Ready};
    let pipeline = Pipeline::new(
        "dsframeinject frame-code=true ! video/x-raw,width=160,height=90 ! \
         appsink name=sink sync=false max-buffers=2",
    );
    for states in [
        &[Ready, Null][..],
        &[Ready, Paused, Ready, Paused, Null],
        &[Paused, Playing, Paused, Playing, Ready, Playing, Null],
        &[Playing, Null],
    ] {
        for state in states {
            pipeline.go(*state);
        }
    }
    pipeline.go(Playing);
    check_order(&pipeline.take(20), 0, (30, 1));
    assert!(pipeline.faults().is_empty());
}

#[test]
fn pausing_and_playing_loses_nothing() {
    let pipeline = Pipeline::new(
        "dsframeinject num-buffers=250 frame-code=true ! video/x-raw,width=160,height=90 ! \
         identity sleep-time=2000 ! appsink name=sink sync=false",
    );
    let mut frames = Vec::new();
    for _ in 0..100 {
        pipeline.go(gst::State::Playing);
        frames.extend(pipeline.take(1));
        pipeline.go(gst::State::Paused);
    }
    pipeline.go(gst::State::Playing);
    frames.extend(pipeline.frames());
    assert_eq!(frames.len(), 250);
    check_order(&frames, 0, (30, 1));
}

#[test]
fn properties_set_in_ready_hold_from_the_next_start() {
    let pipeline = Pipeline::new(
        "dsframeinject name=source num-buffers=3 frame-code=true width=160 height=90 ! \
         appsink name=sink sync=false",
    );
    let source = pipeline.source();
    pipeline.go(gst::State::Playing);
    assert_eq!(pipeline.frames()[2].info().width(), 160);
    pipeline.ready();
    source.set_property("width", 320u32);
    source.set_property("height", 180u32);
    source.set_property("num-buffers", 5);
    source.set_property("framerate", "1/5");
    source.set_property_from_str("format", "NV12");
    pipeline.go(gst::State::Playing);
    let frames = pipeline.frames();
    assert_eq!(frames.len(), 5);
    check_order(&frames, 0, (1, 5));
    let info = frames[4].info();
    assert_eq!(
        (info.width(), info.format()),
        (320, gst_video::VideoFormat::Nv12)
    );
    assert_eq!(pipeline.stat("frames"), 5, "since this start");

    // What is wrong is refused, and can be mended.
    pipeline.ready();
    source.set_property("framerate", "often");
    assert!(pipeline.0.set_state(gst::State::Paused).is_err());
    pipeline
        .error()
        .check(gst::ResourceError::Settings, &["\"framerate\"", "often"]);
    pipeline.go(gst::State::Null);
    source.set_property("framerate", "30");
    pipeline.go(gst::State::Playing);
    assert_eq!(pipeline.frames().len(), 5);
}

#[test]
fn several_in_one_pipeline_are_independent() {
    let pipeline = Pipeline::new(
        &(0..4)
            .map(|n| {
                let (width, rate) = (160 + 16 * n, 10 * (n + 1));
                format!(
                    "dsframeinject num-buffers={} frame-code=true frame-code-stream={n} ! \
                     video/x-raw,width={width},height=90,framerate={rate}/1 ! \
                     appsink name=sink{n} sync=false ",
                    50 + n
                )
            })
            .collect::<String>(),
    );
    pipeline.go(gst::State::Playing);
    for n in 0..4u16 {
        let sink = pipeline.find(&format!("sink{n}")).downcast().unwrap();
        let frames: Vec<_> = std::iter::from_fn(|| pipeline.frame_of(&sink)).collect();
        assert_eq!(frames.len(), 50 + n as usize);
        check_order(&frames, 0, (10 * (u64::from(n) + 1), 1));
        assert!(frames.iter().all(|frame| frame.code().0 == n));
    }
    pipeline.message(&[gst::MessageType::Eos]);
}

#[test]
fn a_handler_of_messages_may_ask_the_element() {
    let pipeline = Pipeline::new(
        "dsframeinject name=source is-live=true num-buffers=20 ! \
         capsfilter name=filter caps=video/x-raw,width=64,height=48,framerate=200/1 ! \
         appsink name=sink sync=false async=false",
    );
    let asked = Arc::new(AtomicU64::new(0));
    let (source, count) = (pipeline.source().downgrade(), asked.clone());
    pipeline
        .0
        .bus()
        .unwrap()
        .set_sync_handler(move |_, message| {
            if let Some(source) = source.upgrade()
                && message.src() == Some(source.upcast_ref())
            {
                source.property::<gst::Structure>("stats");
                source.query_position::<gst::ClockTime>();
                source.query_duration::<gst::ClockTime>();
                source.query(&mut gst::query::Latency::new());
                source.query(&mut gst::query::Seeking::new(gst::Format::Time));
                count.fetch_add(1, Ordering::SeqCst);
            }
            gst::BusSyncReply::Pass
        });
    pipeline.go(gst::State::Playing);
    let mut frames = pipeline.take(5);
    let odd: gst::Caps = "video/x-raw,width=66,height=50,framerate=200/1"
        .parse()
        .unwrap();
    pipeline.find("filter").set_property("caps", odd);
    frames.extend(pipeline.frames());
    assert_eq!(frames.len(), 20);
    assert!(asked.load(Ordering::SeqCst) > 3);
}

#[test]
fn stats_have_one_schema_in_every_state() {
    let pipeline = Pipeline::new(
        "dsframeinject name=source num-buffers=3 ! video/x-raw,width=64,height=48 ! \
         fakesink name=sink",
    );
    let schema = || -> Vec<_> {
        let stats = pipeline.source().property::<gst::Structure>("stats");
        stats
            .iter()
            .map(|(name, value)| (name.to_string(), value.type_()))
            .collect()
    };
    let names: Vec<_> = schema().into_iter().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        [
            "frames",
            "bytes",
            "skipped",
            "repeated",
            "timeouts",
            "waiting-time"
        ]
    );
    for state in [
        gst::State::Ready,
        gst::State::Paused,
        gst::State::Playing,
        gst::State::Null,
    ] {
        pipeline.go(state);
        let now = schema();
        assert!(now.iter().map(|(name, _)| name).eq(&names));
        assert!(now.iter().all(|(_, kind)| *kind == u64::static_type()));
    }
}
