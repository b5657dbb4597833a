// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! One run of the element, from READY to PAUSED and back: what its streaming thread keeps from
//! frame to frame, and the worker behind it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gst_video::VideoInfo;

use crate::codec::CodecError;
use crate::fault::Fault;
use crate::frame::caps::Memory;
use crate::gate::Gate;
use crate::mem::cuda::{CardViewMut, Gpu, Stream};
use crate::mem::nvmm::{self, Pixels, Surface, Surfaces};
use crate::meta::{FrameMeta, roi};

use super::CAT;
use super::config::Config;
use super::deliver::DeliverError;
use super::deliver::message::Outlet;
use super::process::{Capture, Delivery, Facts, Job};
use super::select::{Decision, FrameFacts, Reason, Selector};
use super::snapshot::{Snapshot, SnapshotError, Snapshots};
use super::stats::{Hold, Stats, StreamStats, Ticket};
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
    streaming: Mutex<Streaming>,
    requests: Mutex<Vec<Option<u32>>>,
    has_requests: AtomicBool,
}

/// Touched by the streaming thread only, flushes aside.
struct Streaming {
    stats: Arc<Stats>,
    selector: Selector<()>,
    streams: BTreeMap<u32, StreamState>,
    input: Option<Arc<Input>>,
    segment: gst::FormattedSegment<gst::ClockTime>,
    snapshots: Snapshots,
    next_number: u64,
    /// The only GPU to take frames of.
    gpu_id: Option<u32>,
    said_no_pts: bool,
    said_slots: bool,
}

struct StreamState {
    stats: Arc<StreamStats>,
    /// Frames seen.
    frames: u64,
}

/// What the caps say.
struct Input {
    info: VideoInfo,
    memory: Memory,
}

/// The frames of one buffer that were selected.
pub struct Rendered {
    pub jobs: Vec<Job>,
    /// `max-captures` was reached by this buffer or before.
    pub exhausted: bool,
    /// Frames that were selected and cannot be read: what that means is up to `on-error`.
    pub unreadable: Vec<RenderError>,
    /// The buffer says nothing that could be relied on.
    pub error: Option<RenderError>,
}

impl Rendered {
    /// What became of a selected frame.
    fn add(&mut self, hold: Option<Hold>, taken: Result<Capture, RenderError>) {
        match taken {
            Ok(capture) => self.jobs.push(Job {
                captures: vec![capture],
                ticket: Arc::new(Ticket::new(hold)),
            }),
            Err(error) => {
                if let Some(hold) = hold {
                    hold.fail();
                }
                self.unreadable.push(error);
            }
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
        outlet: Outlet,
    ) -> Result<Self, Fault> {
        let (delivery, first) = Delivery::open(&config, stats.clone(), outlet)
            .map_err(|error: DeliverError| open_error(&error))?;
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
        Ok(Self {
            streaming: Mutex::new(Streaming {
                stats,
                selector: Selector::new(config.rules.clone()),
                streams: BTreeMap::new(),
                input: None,
                segment: gst::FormattedSegment::new(),
                snapshots: Snapshots::default(),
                next_number: first,
                gpu_id: config.gpu_id,
                said_no_pts: false,
                said_slots: false,
            }),
            config,
            gate,
            worker,
            requests: Mutex::default(),
            has_requests: AtomicBool::new(false),
        })
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
        lock(&self.streaming).input = Some(Arc::new(Input { info, memory }));
        Ok(())
    }

    pub fn set_segment(&self, segment: &gst::Segment) {
        let mut streaming = lock(&self.streaming);
        // Anything but time has no stream time: timestamps as they are, then.
        streaming.segment = segment
            .downcast_ref::<gst::ClockTime>()
            .cloned()
            .unwrap_or_default();
    }

    pub fn flush(&self) {
        lock(&self.streaming).selector.restart_timers();
    }

    /// Decides on the frames of a buffer and takes what is selected out of it. `running_time` is
    /// asked where the buffer has no timestamp.
    pub fn render(
        &self,
        buffer: &gst::Buffer,
        running_time: impl Fn() -> gst::ClockTime,
    ) -> Rendered {
        let mut streaming = lock(&self.streaming);
        let mut rendered = Rendered {
            jobs: Vec::new(),
            exhausted: false,
            unreadable: Vec::new(),
            error: None,
        };
        if self.has_requests.swap(false, Ordering::AcqRel) {
            for request in lock(&self.requests).drain(..) {
                streaming.selector.request(request);
            }
        }
        let with_pixels = self.worker.process().needs_pixels();
        if let Err(error) = streaming.render(buffer, with_pixels, running_time, &mut rendered) {
            rendered.error = Some(error);
        }
        rendered.exhausted = streaming.selector.is_exhausted();
        rendered
    }
}

/// A property that names something that cannot be opened.
fn open_error(error: &DeliverError) -> Fault {
    match error {
        DeliverError::Write { .. } => {
            let text = format!(
                "{error}; location and log-location must be in folders that can be written to"
            );
            Fault::resource(gst::ResourceError::OpenWrite, text)
        }
        _ => error.into(),
    }
}

impl Streaming {
    fn render(
        &mut self,
        buffer: &gst::Buffer,
        with_pixels: bool,
        running_time: impl Fn() -> gst::ClockTime,
        rendered: &mut Rendered,
    ) -> Result<(), RenderError> {
        let Some(input) = self.input.clone() else {
            return Err(RenderError::NotNegotiated);
        };
        let time = match buffer.pts() {
            Some(pts) => self.stream_time(pts),
            None => {
                if !self.said_no_pts {
                    self.said_no_pts = true;
                    gst::warning!(
                        CAT,
                        "buffers without timestamps: running time is used instead"
                    );
                }
                running_time()
            }
        };
        let damaged = buffer
            .flags()
            .intersects(gst::BufferFlags::GAP | gst::BufferFlags::CORRUPTED);
        if input.memory != Memory::Nvmm {
            self.selector.begin([0]);
            let Some(mut taken) = self.decide(0, time, damaged) else {
                return Ok(());
            };
            taken.pts = buffer.pts();
            let hold = taken.hold.take();
            rendered.add(hold, self.take_whole(buffer, taken, &input, with_pixels));
            return Ok(());
        }
        let surfaces = Surfaces::read(buffer, &input.info)?;
        if surfaces.len() > 1 && !self.said_slots {
            self.said_slots = true;
            gst::warning!(
                CAT,
                "a batch of {} without metadata: streams are numbered by their place in it",
                surfaces.len()
            );
        }
        self.selector.begin(0..surfaces.len() as u32);
        for slot in 0..surfaces.len() {
            let Some(mut taken) = self.decide(slot as u32, time, damaged) else {
                continue;
            };
            taken.pts = buffer.pts();
            let hold = taken.hold.take();
            rendered.add(
                hold,
                match surfaces.surface(slot) {
                    Ok(surface) => {
                        self.take_surface(buffer, taken, &input.info, &surface, with_pixels)
                    }
                    Err(error) => Err(error.into()),
                },
            );
        }
        Ok(())
    }

    /// Of a buffer that may begin before its segment.
    fn stream_time(&self, pts: gst::ClockTime) -> gst::ClockTime {
        match self.segment.to_stream_time_full(pts) {
            Some(gst::Signed::Positive(time)) => time,
            Some(gst::Signed::Negative(_)) => gst::ClockTime::ZERO,
            None => pts,
        }
    }

    /// Counts a frame and decides on it. The one path of frames that are not selected: nothing in
    /// it copies, allocates or takes a lock that a worker holds.
    fn decide(&mut self, stream: u32, time: gst::ClockTime, damaged: bool) -> Option<Taken> {
        let decision = self.selector.decide(&FrameFacts {
            stream,
            frame: 0,
            time: time.nseconds(),
            damaged,
            size: (0, 0),
            detections: &[],
        });
        let state = self.streams.entry(stream).or_insert_with(|| StreamState {
            stats: self.stats.stream(stream),
            frames: 0,
        });
        let frame = state.frames;
        state.frames += 1;
        match decision {
            Decision::Skip | Decision::Hold => {
                state.stats.count_not_selected();
                None
            }
            Decision::Take { reason, .. } => Some(Taken {
                stream,
                frame,
                reason,
                pts: None,
                hold: Some(Hold::new(&state.stats)),
            }),
        }
    }

    /// Of a buffer that is one frame.
    fn take_whole(
        &mut self,
        buffer: &gst::Buffer,
        taken: Taken,
        input: &Input,
        with_pixels: bool,
    ) -> Result<Capture, RenderError> {
        let info = &input.info;
        let mut job = self.job(buffer, taken, info.clone());
        if with_pixels {
            let snapshot = match input.memory {
                Memory::Cuda => {
                    let frame = self.snapshots.of_cuda(buffer, info, self.gpu_id);
                    frame.map(Snapshot::Card)
                }
                _ => self.snapshots.of_system(buffer, info).map(Snapshot::Host),
            };
            let snapshot = snapshot.map_err(|error| job.unreadable(error))?;
            if let Snapshot::Card(frame) = &snapshot {
                self.check_gpu(&job, frame.gpu())?;
            }
            // A crop changes the size.
            job.info = snapshot.info().clone();
            job.frame = Some(snapshot);
        }
        Ok(job)
    }

    fn take_surface(
        &mut self,
        buffer: &gst::Buffer,
        taken: Taken,
        caps: &VideoInfo,
        surface: &Surface<'_>,
        with_pixels: bool,
    ) -> Result<Capture, RenderError> {
        let mut job = self.job(buffer, taken, surface_info(caps, surface));
        if with_pixels {
            let snapshot = match &surface.pixels {
                Pixels::Host(view) => self.snapshots.copy(view, &job.info).map(Snapshot::Host),
                Pixels::Card(pixels) => {
                    self.check_gpu(&job, pixels.gpu())?;
                    let copy =
                        |to: &mut CardViewMut<'_>, stream: &Stream| pixels.copy_to(to, stream);
                    self.snapshots
                        .of_card(pixels.gpu(), &job.info, copy)
                        .map(Snapshot::Card)
                }
            };
            job.frame = Some(snapshot.map_err(|error| job.unreadable(error))?);
        }
        Ok(job)
    }

    fn check_gpu(&self, job: &Capture, gpu: Gpu) -> Result<(), RenderError> {
        match self.gpu_id {
            Some(wanted) if wanted != gpu.ordinal() => Err(RenderError::OtherGpu {
                stream: job.facts.stream,
                frame: job.facts.frame,
                is: gpu.ordinal(),
                wanted,
            }),
            _ => Ok(()),
        }
    }

    fn job(&mut self, buffer: &gst::Buffer, taken: Taken, info: VideoInfo) -> Capture {
        let number = self.next_number;
        self.next_number += 1;
        let detections = roi::read(buffer);
        Capture {
            facts: Facts {
                number,
                stream: taken.stream,
                frame: taken.frame,
                pts: taken.pts.map(gst::ClockTime::nseconds),
                taken_at: jiff::Timestamp::now(),
                reason: taken.reason,
                matches: (0..detections.len()).collect(),
                meta: FrameMeta {
                    detections,
                    ..FrameMeta::default()
                },
            },
            info,
            frame: None,
        }
    }
}

impl Capture {
    fn unreadable(&self, error: SnapshotError) -> RenderError {
        RenderError::Snapshot {
            stream: self.facts.stream,
            frame: self.facts.frame,
            error,
        }
    }
}

/// The caps with the size and the colours of a surface.
fn surface_info(caps: &VideoInfo, surface: &Surface<'_>) -> VideoInfo {
    let (width, height) = (surface.width() as u32, surface.height() as u32);
    VideoInfo::builder(caps.format(), width, height)
        .fps(caps.fps())
        .colorimetry(&surface.colorimetry)
        .build()
        .unwrap_or_else(|_| caps.clone())
}

/// A frame that is to be captured.
struct Taken {
    stream: u32,
    frame: u64,
    reason: Reason,
    pts: Option<gst::ClockTime>,
    hold: Option<Hold>,
}
