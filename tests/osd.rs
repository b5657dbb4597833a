// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Captures beside an on-screen display that draws in place, as `nvdsosd` does: into the surfaces
//! themselves, whoever else holds the buffer. Which order of pads and queues saves clean pictures,
//! and which does not.

#![allow(unsafe_code)]

mod abi;
mod common;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use abi::{params, poke};
use gst::prelude::*;
use gstdsframe::mem::sys::Generation;

const FRAMES: u64 = 40;
const WIDTH: usize = 320;
const HEIGHT: usize = 180;
const INK: u8 = 0x5a;

const SOURCE: &str = "dsframeinject pattern=noise num-buffers=40 nvbuf-memory-type=nvbuf-mem-system \
    device=gpu ! video/x-raw(memory:NVMM),format=RGB,width=320,height=180 ! tee name=t";

/// How many frames the display has drawn into.
#[derive(Default)]
struct Drawn {
    frames: Mutex<u64>,
    changed: Condvar,
}

impl Drawn {
    fn add(&self) {
        *self.frames.lock().unwrap() += 1;
        self.changed.notify_all();
    }

    fn wait_for(&self, frames: u64) {
        let drawn = self.frames.lock().unwrap();
        let waited = self
            .changed
            .wait_timeout_while(drawn, common::LIMIT, |drawn| *drawn < frames)
            .unwrap();
        assert!(!waited.1.timed_out(), "nobody draws");
    }
}

/// Draws over the lower half of the picture, without asking who else looks at it.
fn draw_in_place(buffer: &gst::BufferRef) {
    let surface = params(buffer, Generation::C, 0);
    let (start, pitch) = (surface.pointer("dataPtr"), surface.get("pitch") as usize);
    let ink = vec![INK; WIDTH * 3];
    for row in HEIGHT / 2..HEIGHT {
        poke(start + (row * pitch) as u64, &ink);
    }
}

fn on_buffers(
    pipeline: &gst::Pipeline,
    element: &str,
    each: impl Fn(&gst::BufferRef) + Send + Sync + 'static,
) {
    let element = pipeline.by_name(element).unwrap();
    let pad = element.static_pad("src").unwrap();
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        each(info.buffer().unwrap());
        gst::PadProbeReturn::Ok
    });
}

/// Runs a pipeline with branches; `osd` draws, and `gate`, where there is one, lets a frame pass
/// when the display has drawn into it. Returns the pictures.
fn captured(branches: &str, folder: &Path) -> Vec<Vec<u8>> {
    let location = folder.join("%03d.raw");
    let branches = branches.replace(
        "CAPTURE",
        &format!("dsframecapture interval=1 location={}", location.display()),
    );
    let pipeline = common::launch(&format!("{SOURCE} {branches}"));
    let drawn = Arc::<Drawn>::default();
    if pipeline.by_name("osd").is_some() {
        let drawn = drawn.clone();
        on_buffers(&pipeline, "osd", move |buffer| {
            draw_in_place(buffer);
            drawn.add();
        });
    }
    if pipeline.by_name("gate").is_some() {
        let passed = AtomicU64::new(0);
        on_buffers(&pipeline, "gate", move |_| {
            drawn.wait_for(passed.fetch_add(1, Ordering::Relaxed) + 1);
        });
    }
    let messages = common::play(&pipeline);
    assert!(messages.eos(), "{:?}", messages.errors());
    let read = |name: &String| std::fs::read(folder.join(name)).unwrap();
    let pictures: Vec<_> = common::files(folder).iter().map(read).collect();
    assert_eq!(pictures.len() as u64, FRAMES);
    pictures
}

fn is_drawn(picture: &[u8]) -> bool {
    picture[WIDTH * HEIGHT / 2 * 3..].iter().all(|b| *b == INK)
}

#[test]
fn the_capture_branch_first_and_without_a_queue_saves_clean_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir(&path).unwrap();
        path
    };
    let truth = captured("t. ! CAPTURE", &at("truth"));
    assert!(truth.iter().all(|picture| !is_drawn(picture)));
    let beside = captured(
        "t. ! CAPTURE t. ! queue ! identity name=osd ! fakesink sync=false",
        &at("beside"),
    );
    assert!(beside == truth);
    // The display needs no queue for it.
    let inline = captured(
        "t. ! CAPTURE t. ! identity name=osd ! fakesink sync=false",
        &at("inline"),
    );
    assert!(inline == truth);
}

#[test]
fn the_display_first_or_a_queue_before_the_capture_saves_what_was_drawn() {
    for branches in [
        "t. ! identity name=osd ! fakesink sync=false t. ! CAPTURE",
        "t. ! queue ! identity name=gate ! CAPTURE t. ! identity name=osd ! fakesink sync=false",
        "t. ! identity name=osd ! CAPTURE",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let pictures = captured(branches, folder.path());
        assert!(pictures.iter().all(|p| is_drawn(p)), "{branches}");
    }
}

#[test]
fn a_paused_capture_takes_one_frame_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let location = folder.path().join("%03d.raw");
    let pipeline = common::launch(&format!(
        "dsframeinject num-buffers=40 ! dsframecapture name=c interval=1 location={}",
        location.display()
    ));
    let capture = pipeline.by_name("c").unwrap();
    for _ in 0..3 {
        pipeline.set_state(gst::State::Paused).unwrap();
        common::until("a frame", || common::count(&capture, "captured") == 1);
        std::thread::sleep(std::time::Duration::from_millis(50));
        assert_eq!(common::count(&capture, "seen"), 1);
        pipeline.set_state(gst::State::Ready).unwrap();
    }
    let messages = common::play(&pipeline);
    assert!(messages.eos(), "{:?}", messages.errors());
    common::check_accounts(&capture);
    assert_eq!(common::count(&capture, "captured"), 40);
}
