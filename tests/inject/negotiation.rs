// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Caps: what properties bind, what downstream limits, and what comes of it.

use gst::prelude::*;
use gst_video::{VideoFormat, VideoInfo};
use gstdsframe::frame::caps;

use super::common::*;

/// The element's own errors, without the base class's remark that the flow has stopped.
fn own_errors(pipeline: &Pipeline) -> Vec<Fault> {
    let first = pipeline.error();
    // Ends the streaming thread: nothing more can come.
    pipeline.try_state(gst::State::Ready);
    let mut all = vec![first];
    all.extend(pipeline.faults());
    all.retain(|fault| fault.is_error && !fault.error.matches(gst::StreamError::Failed));
    all
}

#[test]
fn a_property_against_caps_is_one_error_that_names_both() {
    let cases = [
        ("width=641", "width=640", &["\"width\"", "641", "640"]),
        ("height=481", "height=480", &["\"height\"", "481", "480"]),
        ("format=NV12", "format=RGB", &["\"format\"", "NV12", "RGB"]),
        (
            "framerate=25",
            "framerate=30/1",
            &["\"framerate\"", "25", "30/1"],
        ),
        (
            "width=641 height=481",
            "width=640,height=480",
            &["\"width\"", "641", "640"],
        ),
    ];
    for (properties, caps, words) in cases {
        let pipeline = Pipeline::new(&format!(
            "dsframeinject {properties} ! video/x-raw,{caps} ! fakesink name=sink"
        ));
        pipeline.try_state(gst::State::Paused);
        let errors = own_errors(&pipeline);
        assert_eq!(errors.len(), 1, "{errors:?}");
        errors[0].check(gst::ResourceError::Settings, words);
    }
}

#[test]
fn nothing_in_common_is_said_so() {
    let pipeline = Pipeline::new("dsframeinject ! capsfilter name=filter ! fakesink name=sink");
    set_caps(&pipeline, "video/x-raw,format=AYUV64");
    pipeline.try_state(gst::State::Paused);
    let errors = own_errors(&pipeline);
    assert_eq!(errors.len(), 1, "{errors:?}");
    errors[0].check(gst::CoreError::Negotiation, &["AYUV64"]);
}

#[test]
fn settings_that_make_no_sense_are_refused_before_paused() {
    for (properties, words) in [
        ("location=a uri=file:///b", &["\"uri\"", "location"]),
        ("framerate=0", &["\"framerate\"", "\"0\""]),
        ("format=YV12", &["\"format\"", "YV12"]),
        ("start-index=3", &["\"start-index\"", "location"]),
        ("stop-time=3", &["\"stop-time\"", "uri"]),
        (
            "deepstream-version=banana",
            &["\"deepstream-version\"", "banana"],
        ),
    ] {
        let pipeline = Pipeline::new(&format!("dsframeinject {properties} ! fakesink"));
        assert!(pipeline.0.set_state(gst::State::Paused).is_err());
        pipeline.error().check(gst::ResourceError::Settings, words);
        assert!(pipeline.faults().is_empty());
    }
}

#[test]
fn nvmm_without_cuda_names_the_ways_out() {
    if gstdsframe::mem::cuda::probe().is_ok() {
        return;
    }
    for properties in ["", "device=gpu"] {
        let pipeline = Pipeline::new(&format!(
            "dsframeinject {properties} ! video/x-raw(memory:NVMM) ! fakesink name=sink"
        ));
        pipeline.try_state(gst::State::Paused);
        let errors = own_errors(&pipeline);
        assert_eq!(errors.len(), 1, "{errors:?}");
        for word in ["nvbuf-memory-type=nvbuf-mem-system", "device=cpu"] {
            assert!(errors[0].text.contains(word), "{errors:?}");
        }
    }
}

#[test]
fn the_device_follows_downstream_and_the_property() {
    let host = "nvbuf-memory-type=nvbuf-mem-system";
    for (properties, caps, nvmm) in [
        ("", "", false),
        (host, "", false),
        (host, "! video/x-raw(ANY)", false),
        (host, "! video/x-raw(memory:NVMM)", true),
        (host, "! video/x-raw(memory:NVMM);video/x-raw", true),
        ("", "! video/x-raw(memory:NVMM);video/x-raw", false),
        ("nvbuf-memory-type=nvbuf-mem-system device=gpu", "", true),
        ("nvbuf-memory-type=nvbuf-mem-system device=nvmm", "", true),
        (
            "nvbuf-memory-type=nvbuf-mem-system device=cpu",
            "! video/x-raw(memory:NVMM);video/x-raw",
            false,
        ),
        ("device=system", "", false),
    ] {
        let pipeline = Pipeline::new(&format!(
            "dsframeinject num-buffers=1 {properties} {caps} ! appsink name=sink"
        ));
        pipeline.go(gst::State::Paused);
        let got = Got(pipeline.sink().pull_preroll().unwrap());
        assert_eq!(
            caps::Memory::of(got.caps()) == caps::Memory::Nvmm,
            nvmm,
            "{properties} {caps}"
        );
        // RGB wins where the choice is free.
        assert_eq!(got.info().format(), VideoFormat::Rgb);
    }
}

#[test]
fn before_start_the_caps_are_the_template() {
    init();
    let element = gst::ElementFactory::make("dsframeinject")
        .property("width", 640u32)
        .build()
        .unwrap();
    let pad = element.static_pad("src").unwrap();
    assert_eq!(pad.query_caps(None), pad.pad_template_caps());
    assert_eq!(pad.pad_template_caps(), caps::source_template());
}

fn set_caps(pipeline: &Pipeline, caps: &str) {
    let caps: gst::Caps = caps.parse().unwrap();
    pipeline.find("filter").set_property("caps", caps);
}

#[test]
fn new_caps_in_mid_stream_lose_and_repeat_no_frame() {
    let pipeline = Pipeline::new(
        "dsframeinject num-buffers=400 frame-code=true ! \
         capsfilter name=filter caps=video/x-raw,format=RGB,width=160,height=90,framerate=30/1 ! \
         appsink name=sink sync=false max-buffers=2",
    );
    pipeline.go(gst::State::Playing);
    let mut frames = pipeline.take(20);
    for caps in [
        "video/x-raw,format=RGB,width=320,height=180,framerate=30/1",
        "video/x-raw,format=NV12,width=320,height=180,framerate=30/1",
        "video/x-raw,format=GRAY8,width=641,height=479,framerate=30/1",
        "video/x-raw,format=I420,width=128,height=72,framerate=30/1",
        "video/x-raw,format=YUY2,width=1280,height=720,framerate=30/1",
    ] {
        set_caps(&pipeline, caps);
        let wanted = VideoInfo::from_caps(&caps.parse::<gst::Caps>().unwrap()).unwrap();
        let wanted = (wanted.format(), wanted.width());
        // What was under way comes in the former format, and then the new one.
        loop {
            let frame = pipeline.frame().unwrap();
            let info = frame.info();
            frames.push(frame);
            if (info.format(), info.width()) == wanted {
                break;
            }
        }
        frames.extend(pipeline.take(5));
    }
    frames.extend(pipeline.frames());
    assert_eq!(frames.len(), 400);
    check_order(&frames, 0, (30, 1));
    assert!(pipeline.faults().is_empty());
}

#[test]
fn a_new_rate_in_mid_stream_goes_on_from_there() {
    let pipeline = Pipeline::new(
        "dsframeinject name=source num-buffers=200 frame-code=true ! \
         capsfilter name=filter caps=video/x-raw,width=160,height=90,framerate=30/1 ! \
         appsink name=sink sync=false max-buffers=2",
    );
    pipeline.go(gst::State::Playing);
    let mut frames = pipeline.take(10);
    set_caps(&pipeline, "video/x-raw,width=160,height=90,framerate=15/1");
    frames.extend(pipeline.frames());
    assert_eq!(frames.len(), 200);
    assert_eq!(numbers(&frames), (0..200).collect::<Vec<_>>());
    for pair in frames.windows(2) {
        let step = pair[1].pts() - pair[0].pts();
        let rate = pair[0].info().fps();
        let frame = ns(1_000_000_000 / rate.numer() as u64);
        assert!(step >= frame && step <= frame + ns(1), "{step}");
        assert_eq!(pair[0].buffer().duration(), Some(step));
    }
    assert_eq!(frames[199].info().fps(), gst::Fraction::new(15, 1));
}

#[test]
fn a_seek_to_before_a_new_rate_finds_its_time() {
    let pipeline = Pipeline::new(
        "dsframeinject name=source frame-code=true ! \
         capsfilter name=filter caps=video/x-raw,width=160,height=90,framerate=30/1 ! \
         appsink name=sink sync=false max-buffers=2",
    );
    pipeline.go(gst::State::Playing);
    pipeline.take(60);
    set_caps(&pipeline, "video/x-raw,width=160,height=90,framerate=10/1");
    while pipeline.frame().unwrap().info().fps() != gst::Fraction::new(10, 1) {}
    pipeline
        .0
        .seek_simple(gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE, ms(1000))
        .unwrap();
    let frames = pipeline.take(5);
    check_order(&frames, 10, (10, 1));
}

#[test]
fn a_pool_that_downstream_proposes_is_left_alone() {
    // Without a configuration it cannot be activated; nobody needs it either.
    let pipeline = Pipeline::new(
        "dsframeinject num-buffers=3 ! video/x-raw,width=64,height=48 ! \
         appsink name=sink sync=false",
    );
    let pool = gst::BufferPool::new();
    let proposed = pool.clone();
    pipeline.find("sink").static_pad("sink").unwrap().add_probe(
        gst::PadProbeType::QUERY_DOWNSTREAM,
        move |_, info| {
            if let Some(query) = info.query_mut()
                && let gst::QueryViewMut::Allocation(query) = query.view_mut()
            {
                query.add_allocation_pool(Some(&proposed), 64 * 48 * 3, 2, 0);
                return gst::PadProbeReturn::Handled;
            }
            gst::PadProbeReturn::Ok
        },
    );
    pipeline.go(gst::State::Playing);
    assert_eq!(pipeline.frames().len(), 3);
    assert!(!pool.is_active());
    assert!(pipeline.faults().is_empty());
}
