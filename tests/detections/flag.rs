// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Why pixels and metadata are to be read from one buffer. The usual way to capture what a detector
//! sees is a probe that sets a flag, and another place that saves a frame when it finds the flag
//! set. With a queue between them, as there is in front of most sinks, that is another frame.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use gst::prelude::*;
use gstdsframe::frame::code;
use gstdsframe::mem::nvmm::Surfaces;
use gstdsframe::mem::sys::Generation;
use gstdsframe::meta::MetaReader;

use crate::common::{LIMIT, pictures};
use crate::kit::{Feed, HD, Muxer, Shot, taken, takes, tracked};

const FRAMES: u64 = 60;
/// In the queue, when frames are taken out of it.
const AHEAD: u64 = 4;

/// How many frames came into the queue.
#[derive(Default)]
struct Entered {
    frames: Mutex<u64>,
    changed: Condvar,
}

impl Entered {
    fn add(&self) {
        *self.frames.lock().unwrap() += 1;
        self.changed.notify_all();
    }

    fn wait_for(&self, frames: u64) {
        let entered = self.frames.lock().unwrap();
        let waited = self
            .changed
            .wait_timeout_while(entered, LIMIT, |entered| *entered < frames)
            .unwrap();
        assert!(!waited.1.timed_out(), "nothing comes");
    }
}

fn is_trigger(number: u64) -> bool {
    number % 10 == 5
}

#[test]
fn a_flag_across_a_queue_saves_the_wrong_frames() {
    let folder = tempfile::tempdir().unwrap();
    let front = "queue name=queue max-size-buffers=8 ! identity name=sink !";
    let feed = Feed::new(&folder, front, &[("classes", "car")]);
    let mut muxer = Muxer::new(Generation::C);
    feed.begin(&muxer.caps());

    let flag = Arc::<AtomicBool>::default();
    let entered = Arc::<Entered>::default();
    let reader = Mutex::<MetaReader>::default();
    let queue = feed.pipeline.by_name("queue").unwrap();
    // The probe behind the detector.
    let pad = queue.static_pad("sink").unwrap();
    pad.add_probe(gst::PadProbeType::BUFFER, {
        let (flag, entered) = (flag.clone(), entered.clone());
        move |_, info| {
            let mut reader = reader.lock().unwrap();
            let meta = reader.read(info.buffer().unwrap(), true, 1, |_| Some(HD));
            if !meta.frames[0].detections.is_empty() {
                flag.store(true, Ordering::SeqCst);
            }
            entered.add();
            gst::PadProbeReturn::Ok
        }
    });
    // The sink that saves what it is given while the flag is set.
    let saved = Arc::<Mutex<Vec<u64>>>::default();
    let sink = feed.pipeline.by_name("sink").unwrap();
    let pad = sink.static_pad("src").unwrap();
    let info = pictures::info(muxer.format, HD.0, HD.1);
    pad.add_probe(gst::PadProbeType::BUFFER, {
        let saved = saved.clone();
        let consumed = Mutex::new(0);
        move |_, probe| {
            let mut consumed = consumed.lock().unwrap();
            *consumed += 1;
            // As soon as the sink takes longer than the source, the queue is never empty.
            entered.wait_for((*consumed + AHEAD).min(FRAMES));
            if flag.swap(false, Ordering::SeqCst) {
                let surfaces = Surfaces::read(probe.buffer().unwrap(), &info).unwrap();
                let surface = surfaces.surface(0).unwrap();
                let (_, frame) = code::read(surface.host().unwrap()).unwrap();
                saved.lock().unwrap().push(frame.into());
            }
            gst::PadProbeReturn::Ok
        }
    });

    for number in 0..FRAMES {
        let shot = Shot::new(0, number as i32);
        feed.push(muxer.batch(&[shot.with(is_trigger(number).then(|| tracked("car", 1, 0.5)))]));
    }
    feed.end_silently();

    let triggers: Vec<u64> = (0..FRAMES).filter(|n| is_trigger(*n)).collect();
    let saved = saved.lock().unwrap().clone();
    assert_eq!(saved.len(), triggers.len());
    let wrong = saved.iter().filter(|frame| !is_trigger(**frame)).count();
    assert!(wrong > 0, "{saved:?}");
    // Every one of them, as long as the queue is not empty.
    assert_eq!(wrong, triggers.len(), "{saved:?}");
    // At the same place, from the same buffers.
    let want = triggers.iter().map(|n| taken(0, *n as i32, "metadata"));
    assert_eq!(takes(&folder), want.collect::<Vec<_>>());
}
