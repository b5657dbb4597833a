// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The other process of a channel: this program again, which reads frames, and says what came.

use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Duration;

use gst::prelude::*;
use serde::{Deserialize, Serialize};

use super::latency::percentile;
use super::{Res, SIZE};

/// The argument by which this program is a reader.
pub const WORD: &str = "read";
/// Frames at the beginning that nothing is measured of.
pub const WARM_UP: usize = 50;
const LIMIT: Duration = Duration::from_secs(60);

/// What a reader says at the end.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Told {
    pub seconds_per_frame: f64,
    /// Seconds from before the push of a frame until it is at the sink.
    pub p50: f64,
    pub p99: f64,
}

/// ns, by a clock that all processes have.
pub fn monotonic() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    u64::try_from(time.tv_sec).unwrap_or_default() * 1_000_000_000
        + u64::try_from(time.tv_nsec).unwrap_or_default()
}

/// What frames begin with: number and time; all other bytes are the number's last.
pub const HEAD: usize = 16;

pub fn write(frame: &mut [u8], number: u64) {
    frame[HEAD..].fill(number as u8);
    frame[..8].copy_from_slice(&number.to_le_bytes());
}

pub fn write_time(frame: &mut [u8]) {
    frame[8..HEAD].copy_from_slice(&monotonic().to_le_bytes());
}

/// The time in the frame, if it is the one with this number.
fn read(frame: &[u8], number: u64) -> Option<u64> {
    let word = |at: usize| Some(u64::from_le_bytes(frame.get(at..at + 8)?.try_into().ok()?));
    let is_it = frame.len() == SIZE
        && word(0)? == number
        && [HEAD, SIZE / 2, SIZE - 1]
            .iter()
            .all(|at| frame[*at] == number as u8);
    if is_it { word(8) } else { None }
}

/// Starts a reader of so many frames.
pub fn command(description: &str, frames: usize) -> Res<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args([WORD, description, &frames.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    Ok(command)
}

/// Reads frames by the pipeline `description`, which ends in an element named `sink`.
pub fn main(mut args: impl Iterator<Item = String>) -> Res<()> {
    let (Some(description), Some(frames)) = (args.next(), args.next()) else {
        return Err("a reader needs a pipeline and a number".into());
    };
    let frames: usize = frames.parse()?;
    let pipeline = gst::parse::launch(&description)?
        .downcast::<gst::Pipeline>()
        .map_err(|_| "not a pipeline")?;
    let sink = pipeline.by_name("sink").ok_or("no sink")?;
    let pad = sink.static_pad("sink").ok_or("no pad")?;
    let (send, done) = mpsc::channel();
    let arrivals = Mutex::new(Vec::<(u64, f64)>::with_capacity(frames));
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let now = monotonic();
        let mut arrivals = arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        let number = arrivals.len();
        if number == frames {
            return gst::PadProbeReturn::Ok;
        }
        let map = info.buffer().and_then(|buffer| buffer.map_readable().ok());
        let outcome = match map.and_then(|map| read(&map, number as u64)) {
            None => Err(format!("frame {number} is another, or was changed")),
            Some(sent) => {
                arrivals.push((now, now.saturating_sub(sent) as f64 / 1e9));
                if arrivals.len() < frames {
                    return gst::PadProbeReturn::Ok;
                }
                Ok(arrivals.clone())
            }
        };
        // Whoever waits may have given up.
        let _ = send.send(outcome);
        gst::PadProbeReturn::Ok
    });
    pipeline.set_state(gst::State::Playing)?;
    let arrivals = done.recv_timeout(LIMIT).map_err(|_| {
        let bus = pipeline.bus();
        let error = bus.and_then(|bus| bus.pop_filtered(&[gst::MessageType::Error]));
        format!("frames are missing: {error:?}")
    })??;
    let measured = arrivals.get(WARM_UP..).filter(|rest| rest.len() > 1);
    let measured = measured.ok_or("too few frames")?;
    let span = measured[measured.len() - 1].0 - measured[0].0;
    let mut times: Vec<f64> = measured.iter().map(|(_, time)| *time).collect();
    let told = Told {
        seconds_per_frame: span as f64 / 1e9 / (measured.len() - 1) as f64,
        p50: percentile(&mut times, 0.5),
        p99: percentile(&mut times, 0.99),
    };
    println!("{}", serde_json::to_string(&told)?);
    pipeline.set_state(gst::State::Null)?;
    Ok(())
}
