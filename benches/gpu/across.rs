// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Frames from one process to another by our elements: pushed into the one as an NVMM surface, until
//! the other hands its NVMM surface on. That process is this program again.

use std::env;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use gst::prelude::*;
use rustix::time::{ClockId, clock_gettime};
use tempfile::TempDir;

use super::mail::{self, Mail};
use super::material::{HEIGHT, WIDTH};
use super::run::Line;
use super::{Res, feed};

/// The channel to read.
const READER: &str = "DSFRAME_GPU_READER";

const WARM: usize = 200;
const FRAMES: usize = 2000;
const PACE: Duration = Duration::from_millis(1);

/// Nanoseconds of a clock that all processes share.
fn now() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Whether this process is the other one.
pub fn is_reader() -> bool {
    env::var_os(READER).is_some()
}

/// What the other process does: reads to the end, and says how long frames took. The time of a
/// frame is when it was pushed.
pub fn read() -> Res<()> {
    gstdsframe::plugin_register_static()?;
    let channel = env::var(READER)?;
    let came = Arc::new(Mutex::new(Vec::<(u64, u64)>::with_capacity(WARM + FRAMES)));
    let come = came.clone();
    let text = format!(
        "dsframeinject channel={channel} device=gpu ! video/x-raw(memory:NVMM) ! \
         fakesink name=sink async=false enable-last-sample=false"
    );
    let line = Line::start_with(&text, |line| {
        let pad = line.find("sink")?.static_pad("sink").ok_or("no pad")?;
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            let now = now();
            let pushed = info.buffer().and_then(|buffer| buffer.pts());
            let spent = now.saturating_sub(pushed.map_or(now, gst::ClockTime::nseconds));
            let mut come = come.lock().unwrap_or_else(PoisonError::into_inner);
            come.push((now, spent));
            gst::PadProbeReturn::Ok
        });
        Ok(())
    })?;
    line.to_end()?;
    let came = came.lock().unwrap_or_else(PoisonError::into_inner);
    let counted = came.get(WARM..).ok_or("too few frames")?;
    let (first, last) = counted.first().zip(counted.last()).ok_or("no frames")?;
    let mut spent: Vec<u64> = counted.iter().map(|(_, spent)| *spent).collect();
    spent.sort_unstable();
    let of = |percent: usize| spent[spent.len() * percent / 100];
    let numbers = [of(50), of(99), last.0 - first.0, counted.len() as u64];
    mail::send(std::io::stdin(), numbers, None)?;
    Ok(())
}

struct Reader {
    process: Child,
    socket: Option<OwnedFd>,
}

impl Reader {
    fn start(channel: &str) -> Res<Self> {
        let (socket, theirs) = mail::pair()?;
        let mut command = Command::new(env::current_exe()?);
        let process = command
            .env(READER, channel)
            .stdin(Stdio::from(theirs))
            .spawn()?;
        Ok(Self {
            process,
            socket: Some(socket),
        })
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.socket = None;
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What a reader says of the frames that were pushed, at a pace or as fast as it takes them.
struct Came {
    /// Microseconds one way, of half and of nearly all frames at most.
    p50: f64,
    p99: f64,
    /// Frames per second.
    rate: f64,
}

fn push(pad: &gst::Pad, surface: &gst::Buffer, pace: Option<Duration>) -> Res<()> {
    let mut next = Instant::now();
    for _ in 0..WARM + FRAMES {
        if let Some(pace) = pace {
            thread::sleep(next.saturating_duration_since(Instant::now()));
            next = Instant::now().max(next) + pace;
        }
        let mut buffer = surface.copy();
        let writable = buffer.get_mut().ok_or("not ours alone")?;
        writable.set_pts(gst::ClockTime::from_nseconds(now()));
        pad.push(buffer)?;
    }
    pad.push_event(gst::event::Eos::new());
    Ok(())
}

fn measure(pace: Option<Duration>) -> Res<Came> {
    let surface = feed::prepare(&format!(
        "dsframeinject pattern=noise num-buffers=1 device=gpu ! \
         video/x-raw(memory:NVMM),format=RGB,width={WIDTH},height={HEIGHT} ! fakesink name=sink"
    ))?;
    let folder = TempDir::new()?;
    let channel = format!("unix:{}", folder.path().join("a.sock").display());
    let sink = gst::ElementFactory::make("dsframecapture")
        .property("channel", &channel)
        .property("interval", 1u32)
        .property_from_str("overflow", "block")
        .build()?;
    let bus = gst::Bus::new();
    sink.set_bus(Some(&bus));
    let pad = feed::open(&sink, &surface.caps)?;
    let reader = Reader::start(&channel)?;
    let socket = reader.socket.as_ref().ok_or("no socket")?;
    let mail = thread::scope(|scope| {
        let heard = scope.spawn(|| {
            let mail = mail::receive(socket).ok().flatten();
            if mail.is_none() {
                // Nobody takes what is pushed.
                pad.push_event(gst::event::FlushStart::new());
            }
            mail
        });
        let pushed = push(&pad, &surface.buffers[0], pace);
        let mail = heard.join().ok().flatten().ok_or("the reader has ended")?;
        pushed.map(|()| mail)
    });
    let Mail { numbers, fd: None } = mail? else {
        return Err("the reader sends what it should not".into());
    };
    sink.set_state(gst::State::Null)?;
    if let Some(message) = bus.pop_filtered(&[gst::MessageType::Warning]) {
        return Err(format!("not on the card all the way: {message:?}").into());
    }
    sink.set_bus(None);
    let [p50, p99, window, frames] = numbers.map(|number| number as f64);
    Ok(Came {
        p50: p50 / 1e3,
        p99: p99 / 1e3,
        rate: (frames - 1.0) * 1e9 / window.max(1.0),
    })
}

/// Microseconds one way at a thousand frames a second, for so many of a hundred at most: 50 or 99.
pub fn one_way(percent: usize) -> Res<f64> {
    let came = measure(Some(PACE))?;
    Ok(if percent == 50 { came.p50 } else { came.p99 })
}

/// Frames per second, none of them dropped.
pub fn rate() -> Res<f64> {
    Ok(measure(None)?.rate)
}
