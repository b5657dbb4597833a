// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The card is a frame ahead of what is pushed: nothing of it may be lost, come twice or out of order
//! when caps change or a seek comes in between.

use std::sync::atomic::{AtomicU32, Ordering};

use gst::prelude::*;
use gst_video::VideoFormat;
use gstdsframe::frame::{Plane, View, code};
use tempfile::TempDir;

use crate::common::*;
use crate::shared::{at, count, files, launch, pictures, play, play_well, until, wait_for_end};

const SIZES: [(u32, u32); 3] = [(320, 180), (640, 360), (256, 144)];

fn caps((width, height): (u32, u32)) -> gst::Caps {
    format!("video/x-raw(memory:NVMM),format=RGB,width={width},height={height},framerate=30/1")
        .parse()
        .unwrap()
}

/// Number and width of every picture of a folder, in order.
fn numbers(folder: &TempDir) -> Vec<(u32, usize)> {
    let number = |name: &String| {
        let read = pictures::read(&folder.path().join(name));
        let plane = Plane {
            data: &read.bytes,
            pitch: 3 * read.width,
        };
        let view = View::new(VideoFormat::Rgb, read.width, read.height, vec![plane]).unwrap();
        (code::read(&view).expect("a frame code").1, read.width)
    };
    files(folder.path()).iter().map(number).collect()
}

/// Sixty frames with their numbers in them, as a raw file.
fn raw(folder: &TempDir) -> String {
    let location = at(folder, "in.rgb");
    play_well(&format!(
        "dsframeinject num-buffers=60 frame-code=true ! \
         video/x-raw,format=RGB,width=320,height=180 ! filesink location={location}"
    ));
    format!("location={location} format=RGB framerate=30/1")
}

#[test]
fn new_caps_in_mid_stream_lose_and_repeat_no_frame() {
    on_card!();
    let input = TempDir::new().unwrap();
    let jpegs = format!("{}/%d.png", input.path().display());
    play_well(&format!(
        "dsframeinject num-buffers=60 frame-code=true ! \
         video/x-raw,format=RGB,width=320,height=180 ! dsframecapture interval=1 location={jpegs}"
    ));
    for source in [
        "num-buffers=60 frame-code=true".to_owned(),
        "num-buffers=60 frame-code=true pattern=objects pool-size=2".to_owned(),
        format!("location={jpegs}"),
        format!("location={jpegs} pool-size=2 prefetch=1"),
    ] {
        let folder = TempDir::new().unwrap();
        let pipeline = launch(&format!(
            "dsframeinject device=gpu {source} ! capsfilter name=caps ! \
             dsframecapture interval=1 overflow=block location={}",
            at(&folder, "%05d.png")
        ));
        let filter = pipeline.by_name("caps").unwrap();
        filter.set_property("caps", caps(SIZES[0]));
        let seen = AtomicU32::new(0);
        let pad = filter.static_pad("src").unwrap();
        let weak = filter.downgrade();
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
            let seen = seen.fetch_add(1, Ordering::Relaxed) + 1;
            if seen.is_multiple_of(7)
                && let Some(filter) = weak.upgrade()
            {
                filter.set_property("caps", caps(SIZES[(seen / 7) as usize % SIZES.len()]));
            }
            gst::PadProbeReturn::Ok
        });
        let messages = play(&pipeline);
        assert!(messages.eos(), "{source}: {:?}", messages.errors());
        let got = numbers(&folder);
        let in_order: Vec<u32> = got.iter().map(|(number, _)| *number).collect();
        assert_eq!(in_order, (0..60).collect::<Vec<_>>(), "{source}");
        for (width, _) in SIZES {
            assert!(
                got.iter().any(|(_, w)| *w == width as usize),
                "{source}: {width}"
            );
        }
    }
}

#[test]
fn a_seek_goes_on_with_the_frame_it_asks_for() {
    on_card!();
    let input = TempDir::new().unwrap();
    let file = raw(&input);
    for source in [
        format!("{file} width=320 height=180"),
        "num-buffers=-1 frame-code=true width=320 height=180 format=RGB framerate=30/1".to_owned(),
    ] {
        let folder = TempDir::new().unwrap();
        let pipeline = launch(&format!(
            "dsframeinject device=gpu {source} ! video/x-raw(memory:NVMM) ! \
             identity sleep-time=5000 ! \
             dsframecapture name=sink interval=1 overflow=block location={}",
            at(&folder, "%05d.png")
        ));
        let sink = pipeline.by_name("sink").unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        until("some frames", || count(&sink, "captured") >= 10);
        let flags = gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE;
        let (start, stop) = (
            gst::ClockTime::from_mseconds(1500),
            gst::ClockTime::from_seconds(2),
        );
        pipeline
            .seek(
                1.0,
                flags,
                gst::SeekType::Set,
                start,
                gst::SeekType::Set,
                stop,
            )
            .unwrap();
        let messages = wait_for_end(&pipeline.bus().unwrap());
        pipeline.set_state(gst::State::Null).unwrap();
        assert!(messages.eos(), "{source}: {:?}", messages.errors());
        let got: Vec<u32> = numbers(&folder).iter().map(|(number, _)| *number).collect();
        let (before, after) = got.split_at(got.len() - 15);
        assert_eq!(after, (45..60).collect::<Vec<_>>(), "{source}: {got:?}");
        // What the flush met on its way is dropped; what came before it is whole.
        assert!(before.len() >= 10, "{source}: {got:?}");
        assert!(
            before.iter().zip(0..).all(|(got, want)| *got == want),
            "{source}: {got:?}"
        );
    }
}
