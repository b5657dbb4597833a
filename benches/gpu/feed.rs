// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Buffers that are there already, pushed into a sink: what makes them is not measured.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use gst::prelude::*;

use super::{Res, run};

/// Buffers and their caps.
#[derive(Clone)]
pub struct Prepared {
    pub caps: gst::Caps,
    pub buffers: Vec<gst::Buffer>,
}

/// All buffers that a line, which must end in `fakesink name=sink`, pushes.
pub fn prepare(line: &str) -> Res<Prepared> {
    let (kept, keep) = mpsc::channel();
    let line = run::Line::start_with(line, |line| {
        let pad = line.find("sink")?.static_pad("sink").ok_or("no pad")?;
        pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
            if let (Some(buffer), Some(caps)) = (info.buffer(), pad.current_caps()) {
                let _ = kept.send((buffer.clone(), caps));
            }
            gst::PadProbeReturn::Ok
        });
        Ok(())
    })?;
    line.to_end()?;
    let (buffers, mut caps): (Vec<_>, Vec<_>) = keep.try_iter().unzip();
    let caps = caps.pop().ok_or("no buffers")?;
    Ok(Prepared { caps, buffers })
}

/// A pad that is linked to the sink, which plays.
pub fn open(sink: &gst::Element, caps: &gst::Caps) -> Res<gst::Pad> {
    let pad = gst::Pad::builder(gst::PadDirection::Src).build();
    pad.link(&sink.static_pad("sink").ok_or("no pad")?)?;
    pad.set_active(true)?;
    sink.set_state(gst::State::Playing)?;
    pad.push_event(gst::event::StreamStart::new("gpu"));
    pad.push_event(gst::event::Caps::new(caps));
    pad.push_event(gst::event::Segment::new(&gst::FormattedSegment::<
        gst::ClockTime,
    >::new()));
    Ok(pad)
}

/// Pushes a buffer `count` times; the seconds that one took.
pub fn push(sink: &gst::Element, prepared: &Prepared, count: u32) -> Res<f64> {
    let pad = open(sink, &prepared.caps)?;
    let buffer = &prepared.buffers[0];
    // The first may be selected, and makes what later ones find.
    pad.push(buffer.clone())?;
    thread::sleep(std::time::Duration::from_millis(100));
    let begun = Instant::now();
    for _ in 0..count {
        pad.push(buffer.clone())?;
    }
    let spent = begun.elapsed().as_secs_f64() / f64::from(count);
    sink.set_state(gst::State::Null)?;
    Ok(spent)
}

/// A thread that pushes the buffers in turns until it is dropped.
pub struct Feed {
    pub sink: gst::Element,
    pub bus: gst::Bus,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Feed {
    pub fn start(sink: gst::Element, prepared: &Prepared) -> Res<Self> {
        let bus = gst::Bus::new();
        sink.set_bus(Some(&bus));
        let pad = open(&sink, &prepared.caps)?;
        let stop = Arc::new(AtomicBool::new(false));
        let (buffers, stopped) = (prepared.buffers.clone(), stop.clone());
        let thread = thread::spawn(move || {
            for (number, buffer) in (0u64..).zip(buffers.iter().cycle()) {
                // Times rise, as in a stream; the pixels are the same ones.
                let mut buffer = buffer.copy();
                if let Some(buffer) = buffer.get_mut() {
                    buffer.set_pts(gst::ClockTime::from_mseconds(number));
                }
                if stopped.load(Ordering::Relaxed) || pad.push(buffer).is_err() {
                    break;
                }
            }
        });
        Ok(Self {
            sink,
            bus,
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.sink.set_state(gst::State::Null);
        self.sink.set_bus(None);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
