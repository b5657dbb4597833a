// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What a batch that is not selected costs as a whole: found in the buffer, its metadata read under
//! its lock, and decided on. 16 surfaces with 10 objects each are pushed into the pad of
//! `dsframecapture` and, in turns, into that of `fakesink`; the difference counts.
//!
//! `cargo bench --bench render`; `DSFRAME_BENCH_ROUNDS` sets the number of rounds,
//! `DSFRAME_BENCH_SMOKE=1` runs each row briefly.

#[path = "../tests/abi/structs.rs"]
#[allow(unsafe_code)]
mod abi;
#[path = "../tests/batch/mod.rs"]
mod batch;

use std::error::Error;
use std::time::{Duration, Instant};

use batch::{BatchBuilder, FrameSpec, ObjectSpec};
use gst::prelude::*;
use gst_video::{VideoFormat, VideoInfo};
use gstdsframe::mem::nvmm::{self, NvmmPool, Place};
use gstdsframe::mem::sys::Generation;

type Res<T> = Result<T, Box<dyn Error>>;

const STREAMS: u32 = 16;
const OBJECTS: u64 = 10;
/// Different ones in turns, as a pool would give them.
const BUFFERS: i32 = 8;
/// The first of them may be captured, and makes what later ones find.
const SETTLE: Duration = Duration::from_millis(100);

struct Row {
    work: &'static str,
    goal: f64,
    properties: &'static [(&'static str, &'static str)],
}

const ROWS: [Row; 7] = [
    Row {
        work: "interval: objects are not read",
        goal: 5.0,
        properties: &[("interval", "4000000000")],
    },
    Row {
        work: "count of all",
        goal: 10.0,
        properties: &[("min-objects", "99")],
    },
    Row {
        work: "every filter",
        goal: 10.0,
        properties: &[
            ("min-objects", "99"),
            ("classes", "bus,truck,person,7"),
            ("operate-on-gie-id", "1"),
            ("min-confidence", "0.2"),
            ("max-confidence", "0.99"),
            ("roi", "0.1,0.1,0.8,0.8"),
        ],
    },
    Row {
        work: "dedupe=track, all captured before",
        goal: 10.0,
        properties: &[("dedupe", "track")],
    },
    Row {
        work: "condition of aggregates: count >= 3 && max_confidence > 0.95",
        goal: 15.0,
        properties: &[("condition", "count >= 3 && max_confidence > 0.95")],
    },
    Row {
        work: "condition over objects: objects.exists(o, o.label == \"bus\")",
        goal: 200.0,
        properties: &[("condition", "objects.exists(o, o.label == \"bus\")")],
    },
    Row {
        work: "condition over objects: size(objects.filter(o, o.area > 0.5)) > 2",
        goal: 200.0,
        properties: &[("condition", "size(objects.filter(o, o.area > 0.5)) > 2")],
    },
];

fn object(number: u64, batch: i32) -> ObjectSpec {
    let left = 100.0 * number as f32 + batch as f32;
    ObjectSpec {
        class_id: number as i32 % 3,
        object_id: 1000 + number,
        confidence: 0.5 + 0.04 * number as f32,
        ..ObjectSpec::new(
            ["person", "car", "bicycle"][number as usize % 3],
            [left, 300.0, 80.0, 200.0],
        )
    }
}

/// Batches of 1080p surfaces, which nobody touches.
fn buffers(info: &VideoInfo) -> Res<Vec<gst::Buffer>> {
    let place = Place::Host { gpu_id: 0 };
    let pool = NvmmPool::new(info, Generation::C, place, STREAMS, 0)?;
    pool.set_active(true)?;
    (0..BUFFERS)
        .map(|number| {
            let mut buffer = pool.acquire_buffer(None)?;
            let mut builder = BatchBuilder::new(Generation::C);
            for stream in 0..STREAMS {
                builder = builder.frame(FrameSpec {
                    source_id: stream,
                    pad_index: stream,
                    batch_id: stream,
                    frame_num: number,
                    pts: number as u64 * 33_000_000,
                    source_size: (1920, 1080),
                    objects: (0..OBJECTS).map(|n| object(n, number)).collect(),
                    ..FrameSpec::default()
                });
            }
            let writable = buffer.get_mut().ok_or("not writable")?;
            writable.set_pts(gst::ClockTime::ZERO);
            builder.attach(writable);
            Ok(buffer)
        })
        .collect()
}

/// A sink that plays, and the pad before it.
struct Fed {
    sink: gst::Element,
    pad: gst::Pad,
}

impl Fed {
    fn new(sink: gst::Element, caps: &gst::Caps, buffers: &[gst::Buffer]) -> Res<Self> {
        let pad = gst::Pad::builder(gst::PadDirection::Src).build();
        pad.link(&sink.static_pad("sink").ok_or("no pad")?)?;
        pad.set_active(true)?;
        sink.set_state(gst::State::Playing)?;
        pad.push_event(gst::event::StreamStart::new("render"));
        pad.push_event(gst::event::Caps::new(caps));
        let segment = gst::FormattedSegment::<gst::ClockTime>::new();
        pad.push_event(gst::event::Segment::new(&segment));
        let fed = Self { sink, pad };
        fed.push(buffers, 100)?;
        std::thread::sleep(SETTLE);
        Ok(fed)
    }

    /// Seconds for each buffer.
    fn push(&self, buffers: &[gst::Buffer], count: usize) -> Res<f64> {
        let begun = Instant::now();
        for buffer in buffers.iter().cycle().take(count) {
            self.pad.push(buffer.clone())?;
        }
        Ok(begun.elapsed().as_secs_f64() / count as f64)
    }
}

impl Drop for Fed {
    fn drop(&mut self) {
        let _ = self.sink.set_state(gst::State::Null);
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn measure(row: &Row, count: usize, rounds: usize) -> Res<String> {
    let info = VideoInfo::builder(VideoFormat::Nv12, 1920, 1080).build()?;
    let mut caps = info.to_caps()?;
    let features = gst::CapsFeatures::new([nvmm::CAPS_FEATURE]);
    caps.make_mut().set_features_simple(Some(features));
    let buffers = buffers(&info)?;
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("log");
    let ours = gst::ElementFactory::make("dsframecapture").build()?;
    ours.set_property("log-location", log.to_str().ok_or("not UTF-8")?);
    for (name, value) in row.properties {
        ours.set_property_from_str(name, value);
    }
    let theirs = gst::ElementFactory::make("fakesink")
        .property("sync", false)
        .build()?;
    let ours = Fed::new(ours, &caps, &buffers)?;
    let theirs = Fed::new(theirs, &caps, &buffers)?;
    let selected = || -> Res<u64> {
        let stats = ours.sink.property::<gst::Structure>("stats");
        Ok(stats.get("selected")?)
    };
    let before = selected()?;
    let (mut our_times, mut their_times, mut more) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        // Whoever is second finds another machine than the first: take turns.
        let (mine, other);
        if round % 2 == 0 {
            mine = ours.push(&buffers, count)?;
            other = theirs.push(&buffers, count)?;
        } else {
            other = theirs.push(&buffers, count)?;
            mine = ours.push(&buffers, count)?;
        }
        our_times.push(mine * 1e6);
        their_times.push(other * 1e6);
        more.push((mine - other) * 1e6);
    }
    if selected()? != before {
        return Err(format!("{}: frames were selected", row.work).into());
    }
    let least = more.iter().copied().fold(f64::MAX, f64::min);
    let most = more.iter().copied().fold(f64::MIN, f64::max);
    Ok(format!(
        "| {} | {:.1} µs | {:.2} µs | {:.1} µs more ({least:.1} to {most:.1}) | at most {} µs more | {} |",
        row.work.replace('|', "\\|"),
        median(&our_times),
        median(&their_times),
        median(&more),
        row.goal,
        if median(&more) <= row.goal {
            "met"
        } else {
            "missed"
        },
    ))
}

fn main() -> Res<()> {
    gst::init()?;
    gstdsframe::plugin_register_static()?;
    let smoke = std::env::var("DSFRAME_BENCH_SMOKE").is_ok_and(|value| value == "1");
    let rounds = std::env::var("DSFRAME_BENCH_ROUNDS")
        .ok()
        .and_then(|rounds| rounds.parse().ok());
    let (count, rounds) = match smoke {
        true => (200, 1),
        false => (5000, rounds.unwrap_or(9).max(1)),
    };
    println!(
        "| batch of {STREAMS} frames, {OBJECTS} objects each, not selected | ours | fakesink | | goal | |"
    );
    println!("|---|---|---|---|---|---|");
    for row in &ROWS {
        println!("{}", measure(row, count, rounds)?);
    }
    Ok(())
}
