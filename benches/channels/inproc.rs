// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Frames of a pipeline into another one of the same process, by reference.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gst::prelude::*;

use super::bridge::{self, Passing};
use super::common::table::{Goal, Row, Unit};
use super::feed::Feed;
use super::latency::{percentile, wait_until};
use super::{Comparison, Effort, Res, SIZE, WAITING, python};

/// Pictures that are pushed, again and again.
const PICTURES: usize = 4;
const WARM_UP: usize = 200;
/// Between frames whose time on the way is measured.
const PACE: Duration = Duration::from_millis(1);
const LIMIT: Duration = Duration::from_secs(120);

/// What is between the pad and the sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Channel,
    Queue,
    Bridge(Passing),
}

/// When frames came, in their order.
type Arrivals = Arc<Mutex<Vec<Instant>>>;

/// A pad, a way, and a sink behind it.
struct Line {
    feed: Feed,
    pictures: Vec<gst::Memory>,
    pushed: usize,
    arrivals: Arrivals,
    /// Frames that were not the next one, or not by reference where they are to be.
    wrong: Arc<AtomicU64>,
    /// Whether so many came.
    wanted: Arc<AtomicU64>,
    came: Receiver<()>,
    pipelines: Vec<gst::Pipeline>,
    bridge: Option<JoinHandle<()>>,
}

fn pipeline(elements: &[&gst::Element]) -> Res<gst::Pipeline> {
    let pipeline = gst::Pipeline::new();
    pipeline.add_many(elements)?;
    gst::Element::link_many(elements)?;
    Ok(pipeline)
}

impl Line {
    fn new(way: Way) -> Res<Self> {
        let sink = gst::ElementFactory::make("fakesink")
            .property("sync", false)
            .property("async", false)
            .property("enable-last-sample", false)
            .build()?;
        let mut bridge = None;
        let (first, pipelines) = match way {
            Way::Channel => {
                let capture = gst::ElementFactory::make("dsframecapture")
                    .property("channel", "bench")
                    .property("channel-size", WAITING)
                    .property_from_str("overflow", "block")
                    .build()?;
                let inject = gst::ElementFactory::make("dsframeinject")
                    .property("channel", "bench")
                    .build()?;
                let pipelines = vec![pipeline(&[&inject, &sink])?, pipeline(&[&capture])?];
                (capture, pipelines)
            }
            Way::Queue => {
                let queue = gst::ElementFactory::make("queue")
                    .property("max-size-buffers", WAITING)
                    .property("max-size-bytes", 0u32)
                    .property("max-size-time", 0u64)
                    .build()?;
                let pipelines = vec![pipeline(&[&queue, &sink])?];
                (queue, pipelines)
            }
            Way::Bridge(passing) => {
                let (from, to) = (bridge::sink(), bridge::source());
                let pipelines = vec![
                    pipeline(&[to.upcast_ref(), &sink])?,
                    pipeline(&[from.upcast_ref()])?,
                ];
                bridge = Some((from.clone(), to, passing));
                (from.upcast(), pipelines)
            }
        };
        let feed = Feed::of(&first)?;
        let pictures: Vec<_> = (0..PICTURES).map(picture).collect::<Res<_>>()?;
        let is_copied = way == Way::Bridge(Passing::Copy);
        let arrivals = Arrivals::default();
        let wrong = Arc::new(AtomicU64::new(0));
        let wanted = Arc::new(AtomicU64::new(0));
        let (tell, came) = mpsc::channel();
        let expected: Vec<usize> = pictures.iter().map(|memory| address(memory)).collect();
        let pad = sink.static_pad("sink").ok_or("no pad")?;
        let (seen, bad, enough) = (arrivals.clone(), wrong.clone(), wanted.clone());
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            let now = Instant::now();
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            let number = seen.len();
            let is_it = info.buffer().is_some_and(|buffer| {
                buffer.pts() == Some(time(number))
                    && (is_copied || address(buffer.peek_memory(0)) == expected[number % PICTURES])
            });
            if !is_it {
                bad.fetch_add(1, Ordering::Relaxed);
            }
            seen.push(now);
            if seen.len() as u64 == enough.load(Ordering::Acquire) {
                // Whoever waits may have given up.
                let _ = tell.send(());
            }
            gst::PadProbeReturn::Ok
        });
        for pipeline in &pipelines {
            pipeline.set_state(gst::State::Playing)?;
        }
        feed.begin();
        let bridge = bridge.map(|(from, to, passing)| bridge::run(from, to, passing));
        let mut line = Self {
            feed,
            pictures,
            pushed: 0,
            arrivals,
            wrong,
            wanted,
            came,
            pipelines,
            bridge,
        };
        line.run(WARM_UP, |_| ())?;
        Ok(line)
    }

    /// Pushes so many frames, telling the number of each before it is, and waits for the last.
    /// Returns when they came.
    fn run(&mut self, count: usize, mut before: impl FnMut(usize)) -> Res<Vec<Instant>> {
        let first = self.pushed;
        {
            let mut arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
            arrivals.reserve(count);
        }
        self.pushed += count;
        self.wanted.store(self.pushed as u64, Ordering::Release);
        for number in first..self.pushed {
            // Another buffer each time, as a pool gives out, and its own time; the same memory.
            let mut buffer = gst::Buffer::new();
            let writable = buffer.get_mut().ok_or("not writable")?;
            writable.append_memory(self.pictures[number % PICTURES].clone());
            writable.set_pts(time(number));
            before(number - first);
            self.feed.pad.push(buffer)?;
        }
        if self.came.recv_timeout(LIMIT).is_err() {
            return Err("frames are missing".into());
        }
        match self.wrong.load(Ordering::Acquire) {
            0 => (),
            wrong => return Err(format!("{wrong} frames were others than expected").into()),
        }
        let arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(arrivals[first..].to_vec())
    }

    /// Seconds per frame, as fast as they go.
    fn throughput(way: Way, count: usize) -> Res<f64> {
        let mut line = Self::new(way)?;
        let begun = Instant::now();
        let arrivals = line.run(count, |_| ())?;
        let last = arrivals.last().ok_or("no frames")?;
        Ok((*last - begun).as_secs_f64() / count as f64)
    }

    /// Seconds from just before the push of a frame until it is at the sink, for this part of all.
    fn latency(way: Way, count: usize, part: f64) -> Res<f64> {
        let mut line = Self::new(way)?;
        let mut pushes = Vec::with_capacity(count);
        let begun = Instant::now() + PACE;
        let arrivals = line.run(count, |number| {
            wait_until(begun + PACE * number as u32);
            pushes.push(Instant::now());
        })?;
        let pairs = pushes.iter().zip(&arrivals);
        let mut times: Vec<f64> = pairs
            .map(|(push, arrival)| (*arrival - *push).as_secs_f64())
            .collect();
        Ok(percentile(&mut times, part))
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        for pipeline in self.pipelines.iter().rev() {
            let _ = pipeline.set_state(gst::State::Null);
        }
        if let Some(bridge) = self.bridge.take() {
            let _ = bridge.join();
        }
    }
}

/// In the memory that elements allocate.
fn picture(number: usize) -> Res<gst::Memory> {
    let mut memory = gst::Memory::with_size(SIZE);
    let writable = memory.get_mut().ok_or("not writable")?;
    writable.map_writable()?.fill(number as u8);
    Ok(memory)
}

/// Where the bytes of a memory are, which mapping it again does not change.
fn address(memory: &gst::MemoryRef) -> usize {
    memory
        .map_readable()
        .map_or(0, |map| map.as_slice().as_ptr() as usize)
}

/// Of a frame.
fn time(number: usize) -> gst::ClockTime {
    PACE.try_into()
        .map_or(gst::ClockTime::ZERO, |pace: gst::ClockTime| {
            pace * number as u64
        })
}

pub fn all<'a>(effort: Effort) -> Vec<Comparison<'a>> {
    let fast = effort.frames(100_000);
    let copied = effort.frames(1_000);
    let paced = effort.frames(4_000);
    let throughput = move |peer, way, frames, goal| Row {
        work: "1080p RGB by reference into another pipeline",
        peer,
        unit: Unit::PerSecond,
        goal,
        ours: Box::new(move || Line::throughput(Way::Channel, fast)),
        theirs: Box::new(move || Line::throughput(way, frames)),
        note: None,
    };
    let latency = move |work, peer, way, part, goal| Row {
        work,
        peer,
        unit: Unit::Micros,
        goal,
        ours: Box::new(move || Line::latency(Way::Channel, paced, part)),
        theirs: Box::new(move || Line::latency(way, paced, part)),
        note: None,
    };
    const QUEUE: &str = "queue";
    const BRIDGE: &str = "appsink, Rust, appsrc: by reference";
    const COPY: &str = "appsink, Rust, appsrc: a copy";
    const P50: &str = "hand-over in one process, 1000 frames/s, p50";
    const P99: &str = "hand-over in one process, 1000 frames/s, p99";
    let by_reference = Way::Bridge(Passing::Reference);
    let rows = [
        throughput(QUEUE, Way::Queue, fast, Goal::PerSecond(20_000.0)),
        throughput(BRIDGE, by_reference, fast, Goal::None),
        throughput(COPY, Way::Bridge(Passing::Copy), copied, Goal::None),
        Row {
            theirs: Box::new(move || python::per_frame(copied)),
            ..throughput(
                "appsink, queue.Queue, appsrc in Python",
                Way::Queue,
                fast,
                Goal::None,
            )
        },
        latency(P50, QUEUE, Way::Queue, 0.5, Goal::None),
        latency(P99, QUEUE, Way::Queue, 0.99, Goal::TimesAsLong(2.0)),
        latency(P50, BRIDGE, by_reference, 0.5, Goal::None),
        latency(P99, BRIDGE, by_reference, 0.99, Goal::None),
    ];
    rows.into_iter()
        .map(|row| Comparison { row, needs: None })
        .collect()
}
