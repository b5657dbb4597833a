// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! One run of the element, from READY to PAUSED and back: its worker, and what its streaming thread
//! keeps from frame to frame.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use gst_video::VideoInfo;

use crate::codec::CodecError;
use crate::fault::Fault;
use crate::frame::caps::Memory;
use crate::gate::Gate;
use crate::mem::nvmm;

use super::config::Config;
use super::deliver::channel::Channels;
use super::deliver::endpoint::Poster;
use super::deliver::message::Outlet;
use super::deliver::{DeliverError, OpenError};
use super::job::Job;
use super::process::Delivery;
use super::snapshot::SnapshotError;
use super::stats::Stats;
use super::streaming::{Input, Streaming};
use super::worker::Worker;

#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    #[error("no caps before the first buffer")]
    NotNegotiated,
    #[error(transparent)]
    Nvmm(#[from] nvmm::NvmmError),
    #[error(
        "frame {frame} of stream {stream} is on GPU {is}, and property \"gpu-id\" restricts the element to GPU {wanted}: set it to -1 to take the frames of every GPU"
    )]
    OtherGpu {
        stream: u32,
        frame: u64,
        is: u32,
        wanted: u32,
    },
    #[error("cannot read frame {frame} of stream {stream}: {error}")]
    Snapshot {
        stream: u32,
        frame: u64,
        error: SnapshotError,
    },
}

impl RenderError {
    /// The GPU that there is no room on to take the frame to.
    pub fn full_gpu(&self) -> Option<u32> {
        match self {
            Self::Snapshot {
                error: SnapshotError::Full { gpu, .. },
                ..
            } => Some(*gpu),
            _ => None,
        }
    }
}

impl From<&RenderError> for Fault {
    fn from(error: &RenderError) -> Self {
        match error {
            RenderError::NotNegotiated => Self::core(gst::CoreError::Negotiation, error),
            RenderError::OtherGpu { .. } => Self::resource(gst::ResourceError::Settings, error),
            RenderError::Nvmm(_) | RenderError::Snapshot { .. } => {
                Self::stream(gst::StreamError::Format, error)
            }
        }
    }
}

/// What the element runs with. Lock order: `streaming`, then nothing else.
pub struct Run {
    pub config: Config,
    pub gate: Arc<Gate>,
    pub worker: Worker<Delivery>,
    pub channels: Option<Arc<Channels>>,
    pub poster: Option<Arc<Poster>>,
    streaming: Mutex<Streaming>,
    requests: Mutex<Vec<Option<u32>>>,
    has_requests: AtomicBool,
    /// The end did not wait for all that was accepted.
    gave_up: AtomicBool,
}

/// What became of a buffer.
#[derive(Default)]
pub struct Rendered {
    /// What is to be captured, in the order of the decisions.
    pub jobs: Vec<Job>,
    /// Nothing more will be taken: `max-captures` was reached.
    pub exhausted: bool,
    /// Frames that were selected and cannot be read: what that means is up to `on-error`.
    pub unreadable: Vec<RenderError>,
    /// What happened for the first time and is worth saying once.
    pub news: Vec<Fault>,
    /// There is no room for what was selected, and that is the end.
    pub full: Option<Fault>,
    /// The buffer says nothing that could be relied on.
    pub error: Option<RenderError>,
}

impl Rendered {
    pub fn say(&mut self, text: String) {
        self.news
            .push(Fault::stream(gst::StreamError::Failed, text));
    }

    pub fn add_news(&mut self, text: Option<String>) {
        if let Some(text) = text {
            self.say(text);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Run {
    pub fn start(
        config: Config,
        gate: Arc<Gate>,
        stats: Arc<Stats>,
        outlet: Arc<Outlet>,
    ) -> Result<Arc<Self>, Fault> {
        let (delivery, first) = Delivery::open(&config, stats.clone(), outlet.clone())
            .map_err(|error| open_error(&error))?;
        // What is known of the run before there is one.
        let own = Arc::<OnceLock<Weak<Self>>>::default();
        let emptied = {
            let (run, gate) = (own.clone(), gate.clone());
            Arc::new(move || {
                gate.wake();
                if let Some(run) = run.get().and_then(Weak::upgrade) {
                    run.worker.process().post_eos_if_done(run.worker.left());
                }
            })
        };
        let poster = match config.endpoint.clone() {
            None => None,
            Some(rules) => {
                let reporter = delivery.reporter.clone();
                let counts = stats.endpoint();
                let poster = Poster::open(rules, counts, reporter, outlet.clone(), emptied.clone());
                let poster = Arc::new(poster?);
                delivery.know_poster(poster.clone());
                Some(poster)
            }
        };
        let channels = match config.channel.clone() {
            None => None,
            Some(rules) => {
                let channels = Channels::open(rules, emptied, stats.clone(), outlet);
                let channels = Arc::new(channels.map_err(|error| Fault::from(&error))?);
                delivery.know_channels(channels.clone());
                Some(channels)
            }
        };
        let with_pixels = delivery.needs_pixels() || channels.is_some();
        let worker = Worker::spawn(
            // Names of threads end after 15 bytes.
            "dsframecap",
            delivery,
            config.workers,
            config.queue_size,
            gate.clone(),
        )
        .map_err(|error| {
            let text = format!("cannot start the threads that encode: {error}");
            Fault::core(gst::CoreError::Thread, text)
        })?;
        let run = Arc::new(Self {
            streaming: Mutex::new(Streaming::new(&config, stats, first, with_pixels)),
            config,
            gate,
            worker,
            channels,
            poster,
            requests: Mutex::default(),
            has_requests: AtomicBool::new(false),
            gave_up: AtomicBool::new(false),
        });
        let _ = own.set(Arc::downgrade(&run));
        Ok(run)
    }

    /// What was accepted and is not delivered: jobs, frames that readers of a channel have not
    /// received, and posts that can be sent by then.
    pub fn left_by(&self, deadline: Instant) -> u64 {
        let in_flight = self.channels.as_ref().map_or(0, |it| it.in_flight());
        self.worker.left() as u64 + in_flight + self.posts_left_by(deadline)
    }

    pub fn posts_left_by(&self, deadline: Instant) -> u64 {
        let poster = self.poster.as_ref();
        poster.map_or(0, |poster| poster.left_by(Some(deadline)))
    }

    /// The channels, where frames go nowhere else.
    fn only_channels(&self) -> Option<&Channels> {
        let channels = self.channels.as_deref();
        channels.filter(|_| !self.worker.process().is_needed())
    }

    /// Whether frames may come that are for nobody.
    pub fn is_any_unheard(&self) -> bool {
        self.only_channels().is_some_and(Channels::is_any_unheard)
    }

    /// Nothing is waited for any more.
    pub fn give_up(&self) {
        self.gave_up.store(true, Ordering::Release);
    }

    /// How long stopping may wait for what was accepted.
    pub fn stop_limit(&self) -> Duration {
        match self.gave_up.load(Ordering::Acquire) {
            true => Duration::ZERO,
            false => self.config.drain_timeout,
        }
    }

    /// Asks for the next frame of a stream, or of each.
    pub fn request(&self, stream: Option<u32>) {
        let mut requests = lock(&self.requests);
        if !requests.contains(&stream) {
            requests.push(stream);
        }
        drop(requests);
        self.has_requests.store(true, Ordering::Release);
    }

    pub fn set_caps(&self, info: VideoInfo, memory: Memory) -> Result<(), CodecError> {
        self.worker.process().check(&info)?;
        lock(&self.streaming).set_input(Input { info, memory });
        Ok(())
    }

    pub fn set_segment(&self, segment: &gst::Segment) {
        lock(&self.streaming).set_segment(segment);
    }

    pub fn flush(&self) {
        // More is to come after all, where an end had been given up.
        self.gave_up.store(false, Ordering::Release);
        lock(&self.streaming).restart_timers();
    }

    /// Decides on the frames of a buffer and takes what is selected out of it. `running_time` is
    /// asked where the buffer has no timestamp. `drops`: frames that there is no reader for are
    /// dropped.
    pub fn render(
        &self,
        buffer: &gst::Buffer,
        running_time: impl Fn() -> gst::ClockTime,
        drops: bool,
    ) -> Rendered {
        let mut streaming = lock(&self.streaming);
        if self.has_requests.swap(false, Ordering::AcqRel) {
            for request in lock(&self.requests).drain(..) {
                streaming.request(request);
            }
        }
        let channels = self.only_channels().filter(|_| drops);
        let is_unheard = |stream| channels.is_some_and(|it| it.is_unheard(stream));
        streaming.render(buffer, running_time, &is_unheard)
    }

    /// The streams behind a pad of the muxer, or all of them, are over: what was held of them is
    /// decided.
    pub fn end_streams(&self, pad_index: Option<u32>) -> Rendered {
        lock(&self.streaming).end_streams(pad_index)
    }
}

/// A property that names something that cannot be opened.
fn open_error(OpenError { property, error }: &OpenError) -> Fault {
    match error {
        DeliverError::Write { .. } => {
            let text = format!(
                "property \"{property}\": {error}; it must be in a folder that can be written to"
            );
            Fault::resource(gst::ResourceError::OpenWrite, text)
        }
        _ => error.into(),
    }
}
