// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Frames of a pipeline into another process of the machine, in host memory.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use gst::prelude::*;
use tempfile::TempDir;

use super::common::table::{Goal, Row, Unit};
use super::feed::Feed;
use super::latency::wait_until;
use super::reader::{self, Told};
use super::{Comparison, Effort, Res, SIZE, WAITING, caps};

/// Between frames whose time on the way is measured: longer than it takes to write one.
const PACE: Duration = Duration::from_millis(5);
const LIMIT: Duration = Duration::from_secs(10);
/// Buffers that the source makes of memory that is limited.
const BUFFERS: u32 = WAITING + 2;

#[derive(Debug, Clone, Copy)]
enum Way {
    Channel,
    Shm,
    UnixFd,
}

/// Where the source makes its frames.
#[derive(Debug, Clone, Copy)]
enum Made {
    /// In the memory that the sink proposes.
    There,
    /// In memory of its own: one copy more.
    Elsewhere,
}

/// The sink of the one process, and the pipeline of the other.
fn ends(way: Way, socket: &Path) -> Res<(gst::Element, String)> {
    let path = socket.to_str().ok_or("not UTF-8")?;
    let make = gst::ElementFactory::make;
    let (sink, source) = match way {
        Way::Channel => (
            make("dsframecapture")
                .property("channel", format!("unix:{path}"))
                .property("channel-size", WAITING)
                .property_from_str("overflow", "block")
                .build()?,
            format!("dsframeinject channel=unix:{path}"),
        ),
        Way::Shm => (
            make("shmsink")
                .property("socket-path", path)
                .property("wait-for-connection", true)
                .property("shm-size", SIZE as u32 * (BUFFERS + 2))
                .property("sync", false)
                .property("async", false)
                .property("enable-last-sample", false)
                .build()?,
            format!("shmsrc socket-path={path} ! {}", caps()),
        ),
        Way::UnixFd => (
            make("unixfdsink")
                .property("socket-path", path)
                .property("sync", false)
                .property("async", false)
                .property("enable-last-sample", false)
                .build()?,
            format!("unixfdsrc socket-path={path}"),
        ),
    };
    let rest = "fakesink name=sink sync=false async=false enable-last-sample=false";
    Ok((sink, format!("{source} ! {rest}")))
}

/// Lets frames into a pad, each written once and as a whole.
fn push(
    feed: &Feed,
    pool: &gst::BufferPool,
    frames: usize,
    pace: Option<Duration>,
) -> Result<(), gst::FlowError> {
    let begun = Instant::now();
    for number in 0..frames {
        let mut buffer = pool.acquire_buffer(None)?;
        let writable = buffer.get_mut().ok_or(gst::FlowError::Error)?;
        writable.set_pts(gst::ClockTime::from_mseconds(5 * number as u64));
        let mut map = writable.map_writable().map_err(|_| gst::FlowError::Error)?;
        reader::write(&mut map, number as u64);
        if let Some(pace) = pace {
            wait_until(begun + pace * number as u32);
        }
        reader::write_time(&mut map);
        drop(map);
        feed.pad.push(buffer)?;
    }
    Ok(())
}

/// Sends so many frames to another process, which tells how they came.
fn run(way: Way, made: Made, frames: usize, pace: Option<Duration>) -> Res<Told> {
    let folder = TempDir::new()?;
    let socket = folder.path().join("a.sock");
    let (sink, description) = ends(way, &socket)?;
    let pipeline = gst::Pipeline::new();
    pipeline.add(&sink)?;
    let feed = Feed::of(&sink)?;
    pipeline.set_state(gst::State::Playing)?;
    feed.begin();
    let limit = Instant::now() + LIMIT;
    while !socket.exists() {
        if Instant::now() > limit {
            return Err("there is no socket".into());
        }
        thread::sleep(Duration::from_millis(1));
    }
    let frames = frames + reader::WARM_UP;
    let reader = reader::command(&description, frames)?.spawn()?;
    let pool = match made {
        Made::There => feed.proposed_pool(BUFFERS)?,
        Made::Elsewhere => Feed::own_pool()?,
    };
    let (output, pushed) = thread::scope(|scope| {
        let pushing = scope.spawn(|| push(&feed, &pool, frames, pace));
        let output = reader.wait_with_output();
        // Whatever it waits for.
        let _ = pipeline.set_state(gst::State::Null);
        pool.set_flushing(true);
        (output, pushing.join())
    });
    let _ = pool.set_active(false);
    let output = output?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    pushed.map_err(|_| "the source failed")??;
    Ok(serde_json::from_slice(&output.stdout)?)
}

pub fn all<'a>(effort: Effort) -> Vec<Comparison<'a>> {
    let fast = effort.frames(1_000);
    let paced = effort.frames(1_000);
    let rate = move |way, made, frames| Ok(run(way, made, frames, None)?.seconds_per_frame);
    let compare = move |work, peer, goal, way, made| Row {
        work,
        peer,
        unit: Unit::PerSecond,
        goal,
        ours: Box::new(move || rate(Way::Channel, made, fast)),
        theirs: Box::new(move || rate(way, made, fast)),
        note: None,
    };
    let latency = move |work, peer, way, of: fn(&Told) -> f64| Row {
        work,
        peer,
        unit: Unit::Micros,
        goal: Goal::None,
        ours: Box::new(move || Ok(of(&run(Way::Channel, Made::There, paced, Some(PACE))?))),
        theirs: Box::new(move || Ok(of(&run(way, Made::There, paced, Some(PACE))?))),
        note: None,
    };
    const THERE: &str = "1080p RGB to another process, written in shared memory";
    const COPIED: &str = "1080p RGB to another process, written elsewhere and copied";
    const P50: &str = "hand-over to another process, 1080p RGB, 200 frames/s, p50";
    const P99: &str = "hand-over to another process, 1080p RGB, 200 frames/s, p99";
    let mut rows = Vec::new();
    for (peer, way, needs, goal) in [
        (
            "shmsink, shmsrc",
            Way::Shm,
            "shmsink",
            Goal::TimesFaster(0.9),
        ),
        (
            "unixfdsink, unixfdsrc",
            Way::UnixFd,
            "unixfdsink",
            Goal::None,
        ),
    ] {
        for row in [
            compare(THERE, peer, goal, way, Made::There),
            compare(COPIED, peer, goal, way, Made::Elsewhere),
            latency(P50, peer, way, |told| told.p50),
            latency(P99, peer, way, |told| told.p99),
        ] {
            let needs = Some(needs);
            rows.push(Comparison { row, needs });
        }
    }
    rows
}
