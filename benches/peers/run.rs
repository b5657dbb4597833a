// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Runs a pipeline, or a peer in another process, and measures it.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use gst::prelude::*;
use serde::Deserialize;

use super::Res;

const LIMIT: gst::ClockTime = gst::ClockTime::from_seconds(300);
/// As long as it may take to save one picture.
const SETTLE: Duration = Duration::from_millis(100);

/// Seconds, of all the frames.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Spent {
    pub wall: f64,
    pub cpu: f64,
}

/// CPU time of this process so far.
fn cpu_time() -> Res<Duration> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Ok(time.try_into()?)
}

/// Runs a pipeline to its end; from before PLAYING until EOS is on the bus.
pub fn pipeline(description: &str) -> Res<Spent> {
    let pipeline = gst::parse::launch(description)?;
    let bus = pipeline.bus().ok_or("no bus")?;
    let cpu = cpu_time()?;
    let begun = Instant::now();
    // Why it fails is on the bus.
    let started = pipeline.set_state(gst::State::Playing);
    let ends = [gst::MessageType::Eos, gst::MessageType::Error];
    let limit = if started.is_ok() {
        LIMIT
    } else {
        gst::ClockTime::ZERO
    };
    let message = bus.timed_pop_filtered(limit, &ends);
    let spent = Spent {
        wall: begun.elapsed().as_secs_f64(),
        cpu: (cpu_time()? - cpu).as_secs_f64(),
    };
    pipeline.set_state(gst::State::Null)?;
    match message.as_ref().map(|message| message.view()) {
        Some(gst::MessageView::Eos(_)) => Ok(spent),
        Some(gst::MessageView::Error(error)) => Err(format!(
            "{}: {} ({description})",
            error.error(),
            error.debug().unwrap_or_default()
        )
        .into()),
        _ => Err(format!("no end within {LIMIT}: {description}").into()),
    }
}

/// Runs a Python peer, which measures itself.
pub fn python(mut command: Command) -> Res<Spent> {
    let output = command.output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Pushes the same buffer `count` times into a sink; the seconds that the pushes took.
pub fn push(sink: &gst::Element, caps: &gst::Caps, size: usize, count: usize) -> Res<f64> {
    let pad = gst::Pad::builder(gst::PadDirection::Src).build();
    let peer = sink.static_pad("sink").ok_or("no pad")?;
    pad.link(&peer)?;
    pad.set_active(true)?;
    sink.set_state(gst::State::Playing)?;
    pad.push_event(gst::event::StreamStart::new("peers"));
    pad.push_event(gst::event::Caps::new(caps));
    pad.push_event(gst::event::Segment::new(&gst::FormattedSegment::<
        gst::ClockTime,
    >::new()));
    let mut buffer = gst::Buffer::with_size(size)?;
    if let Some(buffer) = buffer.get_mut() {
        buffer.set_pts(gst::ClockTime::ZERO);
    }
    // The first is selected, and makes what later ones find.
    pad.push(buffer.clone())?;
    thread::sleep(SETTLE);
    let begun = Instant::now();
    for _ in 0..count {
        pad.push(buffer.clone())?;
    }
    let spent = begun.elapsed().as_secs_f64();
    sink.set_state(gst::State::Null)?;
    Ok(spent)
}

/// Copies a frame into the buffers of a pool; the seconds that it took.
pub fn copies(size: usize, count: usize) -> Res<f64> {
    let pool = gst::BufferPool::new();
    let mut config = pool.config();
    config.set_params(None, u32::try_from(size)?, 0, 0);
    pool.set_config(config)?;
    pool.set_active(true)?;
    let frame: Vec<u8> = (0..size).map(|i| (i % 251) as u8).collect();
    let copy = || -> Res<()> {
        let mut buffer = pool.acquire_buffer(None)?;
        let writable = buffer.get_mut().ok_or("not writable")?;
        writable.map_writable()?.copy_from_slice(&frame);
        Ok(())
    };
    copy()?;
    let begun = Instant::now();
    for _ in 0..count {
        copy()?;
    }
    let spent = begun.elapsed().as_secs_f64();
    pool.set_active(false)?;
    Ok(spent)
}
