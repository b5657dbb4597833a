// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Surfaces of NVMM in host memory, through the element.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use gst::prelude::*;
use gstdsframe::mem::nvmm::Surfaces;

use super::common::*;

const HOST: &str = "nvbuf-memory-type=nvbuf-mem-system";
const CAPS: &str = "video/x-raw(memory:NVMM),width=160,height=90,framerate=30/1";

#[test]
fn buffers_are_of_the_release_that_is_named() {
    for (version, bytes) in [("6.4", 64), ("7.1", 64), ("8.0", 72), ("9.0", 72)] {
        let pipeline = Pipeline::new(&format!(
            "dsframeinject num-buffers=12 frame-code=true deepstream-version={version} {HOST} ! \
             {CAPS} ! appsink name=sink sync=false"
        ));
        pipeline.go(gst::State::Playing);
        let mut seen = 0;
        while let Some(frame) = pipeline.frame() {
            assert_eq!(frame.number(), seen);
            let buffer = frame.buffer();
            assert_eq!((buffer.n_memory(), buffer.size()), (1, bytes), "{version}");
            let info = frame.info();
            let surfaces = Surfaces::read(buffer, &info).unwrap();
            assert_eq!((surfaces.len(), surfaces.gpu_id()), (1, 0));
            seen += 1;
        }
        assert_eq!(seen, 12);
    }
}

type Held = Arc<Mutex<Vec<gst::Buffer>>>;

/// A pipeline whose sink keeps every buffer.
fn holding(properties: &str) -> (Pipeline, Held) {
    let pipeline = Pipeline::new(&format!(
        "dsframeinject name=source frame-code=true {HOST} {properties} ! {CAPS} ! \
         fakesink name=sink async=false sync=false enable-last-sample=false"
    ));
    let held = Held::default();
    let keep = held.clone();
    pipeline.find("sink").static_pad("sink").unwrap().add_probe(
        gst::PadProbeType::BUFFER,
        move |_, info| {
            keep.lock().unwrap().extend(info.buffer().cloned());
            gst::PadProbeReturn::Ok
        },
    );
    (pipeline, held)
}

#[test]
fn no_more_surfaces_are_in_use_than_the_pool_has() {
    for size in [2, 3, 8] {
        let (pipeline, held) = holding(&format!("pool-size={size}"));
        let full = || held.lock().unwrap().len() >= size;
        pipeline.go(gst::State::Playing);
        wait_until("a full pool", full);
        for n in 0..50 {
            let oldest = held.lock().unwrap().remove(0);
            assert_eq!(oldest.offset(), n);
            drop(oldest);
            wait_until("the next frame", full);
        }
        // As many as were given back and the pool holds, not one more.
        assert_eq!(pipeline.stat("frames"), 50 + size as u64);
        // Shut down while the source waits and all is held: bounded by 2 s.
        drop(pipeline);
        assert_eq!(held.lock().unwrap().len(), size);
    }
}

#[test]
fn eos_and_seek_end_the_wait_for_a_surface() {
    let (pipeline, held) = holding("pool-size=2");
    pipeline.go(gst::State::Playing);
    wait_until("a full pool", || held.lock().unwrap().len() == 2);
    pipeline
        .0
        .seek_simple(gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE, ms(1000))
        .unwrap();
    held.lock().unwrap().clear();
    wait_until("a full pool", || held.lock().unwrap().len() == 2);
    let offsets: Vec<_> = held.lock().unwrap().iter().map(|b| b.offset()).collect();
    assert_eq!(offsets, [30, 31]);
    pipeline.0.send_event(gst::event::Eos::new());
    pipeline.message(&[gst::MessageType::Eos]);
    assert_eq!(held.lock().unwrap().len(), 2);
}

#[test]
fn pausing_with_a_full_pool_loses_nothing() {
    let (pipeline, held) = holding("pool-size=2");
    let mut next = 0;
    for _ in 0..50 {
        pipeline.go(gst::State::Playing);
        wait_until("a full pool", || held.lock().unwrap().len() == 2);
        pipeline.go(gst::State::Paused);
        let taken = std::mem::take(&mut *held.lock().unwrap());
        for buffer in taken {
            assert_eq!(buffer.offset(), next);
            next += 1;
        }
    }
    assert_eq!(next, 100);
}

#[test]
fn pausing_live_with_a_full_pool_and_new_caps_loses_nothing() {
    let pipeline = Pipeline::new(&format!(
        "dsframeinject name=source is-live=true frame-code=true pool-size=3 num-buffers=40 {HOST} ! \
         capsfilter name=filter caps={} ! \
         appsink name=sink sync=false async=false enable-last-sample=false",
        CAPS.replace("30/1", "100/1")
    ));
    pipeline.go(gst::State::Playing);
    let mut frames: Vec<u64> = Vec::new();
    for format in ["NV12", "RGB", "GRAY8", "RGBA"] {
        wait_until("a full pool", || {
            // The sink holds on to the last one that was taken from it.
            pipeline.stat("frames") >= frames.len() as u64 + 2
        });
        pipeline.0.set_state(gst::State::Paused).unwrap();
        let caps: gst::Caps = format!(
            "video/x-raw(memory:NVMM),format={format},width=320,height=180,framerate=100/1"
        )
        .parse()
        .unwrap();
        pipeline.find("filter").set_property("caps", caps);
        pipeline.go(gst::State::Playing);
        loop {
            let frame = pipeline.frame().unwrap();
            frames.push(frame.number());
            if frame.info().format().to_str() == format {
                break;
            }
        }
    }
    while let Some(frame) = pipeline.frame() {
        frames.push(frame.number());
    }
    assert_eq!(frames, (0..40).collect::<Vec<_>>());
}

#[test]
fn a_copy_has_pixels_of_its_own() {
    let pipeline = Pipeline::new(&format!(
        "dsframeinject num-buffers=60 frame-code=true pool-size=2 pattern=noise {HOST} ! {CAPS} ! \
         appsink name=sink sync=false enable-last-sample=false max-buffers=1"
    ));
    pipeline.go(gst::State::Playing);
    let frame = pipeline.frame().unwrap();
    let (caps, pixels) = (frame.caps().to_owned(), frame.pixels());
    let copy = frame.buffer().copy_deep().unwrap();
    drop(frame);
    // The pool is turned over many times; nothing is held.
    assert_eq!(
        std::iter::from_fn(|| pipeline.frame().map(drop)).count(),
        59
    );
    let copy = Got(gst::Sample::builder().buffer(&copy).caps(&caps).build());
    assert!(copy.pixels() == pixels);
    assert_eq!(copy.number(), 0);
}

#[test]
fn surfaces_outlive_the_pipeline() {
    let (pipeline, held) = holding("pool-size=4");
    pipeline.go(gst::State::Playing);
    wait_until("a full pool", || held.lock().unwrap().len() == 4);
    let caps = pipeline
        .find("sink")
        .static_pad("sink")
        .unwrap()
        .current_caps();
    drop(pipeline);
    for (n, buffer) in (0..).zip(held.lock().unwrap().iter()) {
        let sample = gst::Sample::builder()
            .buffer(buffer)
            .caps(caps.as_ref().unwrap());
        assert_eq!(Got(sample.build()).number(), n);
    }
}

#[test]
fn nvmm_can_be_turned_off() {
    let with = |caps: &str| {
        let line = format!("dsframeinject num-buffers=2 {HOST} ! '{caps}' ! fakesink");
        let mut command = launch(&line);
        command.env("DSFRAME_DISABLE_NVMM", "1");
        command
    };
    let text = failing(|| with("video/x-raw(memory:NVMM)"));
    assert!(text.contains("DSFRAME_DISABLE_NVMM"), "{text}");
    let mut both = with("video/x-raw(memory:NVMM);video/x-raw");
    let (output, text) = finish(&mut both, Duration::from_secs(20));
    assert!(output.status.success(), "{text}");
}
