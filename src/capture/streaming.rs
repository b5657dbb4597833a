// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What the streaming thread does with a buffer: read what it says, decide on each of its frames,
//! and take those that are wanted out of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use gst_video::{VideoCropMeta, VideoInfo};

use crate::frame::Snapshot;
use crate::frame::caps::Memory;
use crate::mem::cuda::{CardViewMut, Gpu, Stream};
use crate::mem::nvmm::{Pixels, Surface, Surfaces};
use crate::meta::{Detection, FrameMeta, MetaReader, Source};

use super::CAT;
use super::config::Config;
use super::gpu_room::GpuRoom;
use super::job::{Capture, Facts, Job};
use super::run::{RenderError, Rendered};
use super::select::{Best, Decision, FrameFacts, Reason, Selector};
use super::snapshot::{SnapshotError, Snapshots};
use super::stats::{Hold, Stats, StreamStats, Ticket};

/// Touched by the streaming thread only, flushes aside.
pub struct Streaming {
    stats: Arc<Stats>,
    selector: Selector<Held>,
    streams: BTreeMap<u32, StreamState>,
    reader: MetaReader,
    /// What [`Self::take_slots`] made last.
    slots: Vec<FrameMeta>,
    input: Option<Arc<Input>>,
    segment: gst::FormattedSegment<gst::ClockTime>,
    snapshots: Snapshots,
    gpu_room: GpuRoom,
    with_pixels: bool,
    next_number: u64,
    /// The only GPU to take frames of.
    gpu_id: Option<u32>,
    said_no_pts: bool,
    said_slots: bool,
    said_shortened: bool,
}

struct StreamState {
    stats: Arc<StreamStats>,
    /// Frames seen.
    frames: u64,
    /// Of the muxer's pad that it comes from.
    pad_index: u32,
    /// What was captured last does not precede the next frame without a gap.
    discont: bool,
}

/// What the caps say.
pub struct Input {
    pub info: VideoInfo,
    pub memory: Memory,
}

/// A frame that may be captured later.
#[derive(Debug)]
struct Held {
    capture: Capture,
    hold: Hold,
}

/// A frame on its way from the decision to the snapshot.
struct Seen<'a> {
    meta: &'a FrameMeta,
    /// As the metadata counts, else as we do.
    frame: u64,
    time: u64,
    pts: Option<u64>,
    /// Nobody would get it.
    is_unheard: bool,
}

/// Where the pixels of a buffer are.
#[derive(Clone, Copy)]
enum Pictures<'a> {
    /// The buffer is one picture.
    Whole,
    Surfaces(&'a Surfaces<'a>),
}

impl Pictures<'_> {
    fn len(self) -> usize {
        match self {
            Self::Whole => 1,
            Self::Surfaces(surfaces) => surfaces.len(),
        }
    }

    /// Width and height.
    fn size(self, slot: usize, caps: &VideoInfo) -> Option<(u32, u32)> {
        match self {
            Self::Whole => (slot == 0).then(|| (caps.width(), caps.height())),
            Self::Surfaces(surfaces) => surfaces.size(slot),
        }
    }
}

impl Streaming {
    pub fn new(config: &Config, stats: Arc<Stats>, first_number: u64, with_pixels: bool) -> Self {
        let for_others = config.channel.as_ref().is_some_and(|it| it.is_shared);
        Self {
            stats,
            selector: Selector::new(config.rule_book()),
            streams: BTreeMap::new(),
            reader: MetaReader::default(),
            slots: Vec::new(),
            input: None,
            segment: gst::FormattedSegment::new(),
            snapshots: Snapshots::new(for_others, config.gpu_floor.map(|it| it.min_free)),
            gpu_room: GpuRoom::new(config.gpu_floor),
            with_pixels,
            next_number: first_number,
            gpu_id: config.gpu_id,
            said_no_pts: false,
            said_slots: false,
            said_shortened: false,
        }
    }

    pub fn set_input(&mut self, input: Input) {
        self.input = Some(Arc::new(input));
    }

    pub fn set_segment(&mut self, segment: &gst::Segment) {
        // Anything but time has no stream time: timestamps as they are, then.
        self.segment = segment
            .downcast_ref::<gst::ClockTime>()
            .cloned()
            .unwrap_or_default();
    }

    pub fn request(&mut self, stream: Option<u32>) {
        self.selector.request(stream);
    }

    pub fn restart_timers(&mut self) {
        self.selector.restart_timers();
    }

    pub fn end_streams(&mut self, pad_index: Option<u32>) -> Rendered {
        match pad_index {
            None => self.selector.end(),
            Some(pad_index) => {
                let of_pad = self
                    .streams
                    .iter()
                    .filter(|(_, s)| s.pad_index == pad_index);
                for (stream, _) in of_pad {
                    self.selector.end_stream(*stream);
                }
            }
        }
        let mut rendered = Rendered::default();
        self.finish(&mut rendered);
        rendered
    }

    pub fn render(
        &mut self,
        buffer: &gst::Buffer,
        running_time: impl Fn() -> gst::ClockTime,
        is_unheard: &dyn Fn(u32) -> bool,
    ) -> Rendered {
        let mut rendered = Rendered::default();
        // The reader's frames are looked at while the rest of this changes.
        let mut reader = std::mem::take(&mut self.reader);
        let read = self.read(buffer, &mut reader, running_time, is_unheard, &mut rendered);
        self.reader = reader;
        rendered.error = read.err();
        self.finish(&mut rendered);
        rendered
    }

    /// What is decided once the frames of a buffer were looked at.
    fn finish(&mut self, rendered: &mut Rendered) {
        self.take_ready(rendered);
        rendered.exhausted = self.selector.is_exhausted();
        let errors = self.selector.condition_errors();
        self.stats.condition_errors.store(errors, Ordering::Relaxed);
        if self.selector.take_shortened() && !std::mem::replace(&mut self.said_shortened, true) {
            rendered.say(
                "property \"roll-max-bytes\" is too little for what pre-roll or dedupe=best is to \
                 hold: the oldest frames were let go. Raise it, or ask for fewer frames"
                    .into(),
            );
        }
        if self.selector.take_untracked() {
            rendered.say(
                "property \"dedupe\" needs tracked objects, and these have no track id: each \
                 detection counts as a new object. Put nvtracker before the capture"
                    .into(),
            );
        }
        if let Some(roi) = self.selector.take_roi_outside() {
            rendered.say(format!(
                "property \"roi\" {roi}: no detection can match there. Pixels are those of the \
                 frame that arrives here; numbers up to 1 are fractions of it"
            ));
        }
        if let Some(error) = self.selector.take_condition_error() {
            rendered.say(format!(
                "property \"condition\" could not be evaluated and does not match where it cannot: \
                 {error}"
            ));
        }
    }

    fn read(
        &mut self,
        buffer: &gst::Buffer,
        reader: &mut MetaReader,
        running_time: impl Fn() -> gst::ClockTime,
        is_unheard: &dyn Fn(u32) -> bool,
        rendered: &mut Rendered,
    ) -> Result<(), RenderError> {
        let Some(input) = self.input.clone() else {
            return Err(RenderError::NotNegotiated);
        };
        let surfaces = match input.memory {
            Memory::Nvmm => Some(Surfaces::read(buffer, &input.info)),
            _ => None,
        };
        let pictures = match &surfaces {
            None => Some(Pictures::Whole),
            Some(Ok(surfaces)) => Some(Pictures::Surfaces(surfaces)),
            // The muxer's idle batches have no frames, and their surfaces are anything.
            Some(Err(_)) => None,
        };
        // Where they cannot be read, a frame of any of them is an error, and not one to leave out.
        let count = pictures.map_or(usize::MAX, Pictures::len);
        let size_of = |slot: usize| pictures.and_then(|p| p.size(slot, &input.info));
        let with_objects = self.selector.needs_detections();
        let meta = reader.read(buffer, with_objects, count, size_of);
        rendered.add_news(meta.warning);
        self.stats.count_left_out(meta.left_out);
        if meta.source == Source::Nvds && meta.frames.is_empty() {
            return Ok(());
        }
        if let Some(Err(error)) = surfaces {
            return Err(error.into());
        }
        let Some(pictures) = pictures else {
            return Ok(());
        };
        let of_sources = meta.source == Source::Nvds;
        let mut slots = Vec::new();
        let (frames, with_objects) = if of_sources || count == 1 {
            (meta.frames, with_objects)
        } else {
            self.say_slots(count);
            slots = self.take_slots(count);
            (slots.as_slice(), true)
        };
        self.selector.begin(frames.iter().map(|f| f.source_id));
        let buffer_time = self.buffer_time(buffer, running_time);
        let damaged = buffer
            .flags()
            .intersects(gst::BufferFlags::GAP | gst::BufferFlags::CORRUPTED);
        // What is held may be for somebody who comes later.
        let is_unheard = |stream, decision: &Decision| {
            matches!(decision, Decision::Take(_)) && is_unheard(stream)
        };
        let is_break = buffer.flags().contains(gst::BufferFlags::DISCONT);
        // Where decisions do not need them, the detections of what is taken are read afterwards.
        let mut later = Vec::new();
        for (index, frame) in frames.iter().enumerate() {
            let of_source = frame.pts.filter(|_| of_sources);
            let state = self.stream_state(frame);
            let mut seen = Seen {
                meta: frame,
                frame: frame.frame_number.unwrap_or(state.frames),
                time: of_source.unwrap_or(buffer_time.nseconds()),
                pts: of_source.or(buffer.pts().map(gst::ClockTime::nseconds)),
                is_unheard: false,
            };
            state.frames += 1;
            state.discont |= is_break;
            let decision = self.selector.decide(&FrameFacts {
                stream: frame.source_id,
                frame: seen.frame,
                time: seen.time,
                damaged,
                size: size_of(frame.slot).unwrap_or_default(),
                detections: &frame.detections,
            });
            if decision == Decision::Skip {
                self.stream_state(frame).stats.count_not_selected();
            } else if with_objects {
                seen.is_unheard = is_unheard(frame.source_id, &decision);
                self.take(buffer, &input, pictures, &seen, decision, rendered);
            } else {
                later.push((index, seen.frame, seen.time, seen.pts, decision));
            }
        }
        if !slots.is_empty() {
            self.slots = slots;
        }
        if later.is_empty() {
            return Ok(());
        }
        let wanted: Vec<usize> = later.iter().map(|(index, ..)| *index).collect();
        let meta = reader.read_objects(buffer, &wanted, size_of);
        rendered.add_news(meta.warning);
        self.stats.count_left_out(meta.left_out);
        for (index, frame, time, pts, decision) in later {
            let Some(meta) = meta.frames.get(index) else {
                continue;
            };
            let seen = Seen {
                meta,
                frame,
                time,
                pts,
                is_unheard: is_unheard(meta.source_id, &decision),
            };
            self.take(buffer, &input, pictures, &seen, decision, rendered);
        }
        Ok(())
    }

    /// The frames of a batch that nothing is known about, made anew only where their number changes.
    fn take_slots(&mut self, count: usize) -> Vec<FrameMeta> {
        let slots = std::mem::take(&mut self.slots);
        if slots.len() == count {
            return slots;
        }
        let slot = |slot: usize| FrameMeta {
            source_id: slot as u32,
            pad_index: slot as u32,
            slot,
            ..FrameMeta::default()
        };
        (0..count).map(slot).collect()
    }

    fn say_slots(&mut self, count: usize) {
        if count > 1 && !self.said_slots {
            self.said_slots = true;
            gst::warning!(
                CAT,
                "a batch of {count} without metadata: streams are numbered by their place in it"
            );
        }
    }

    fn stream_state(&mut self, frame: &FrameMeta) -> &mut StreamState {
        let stats = &self.stats;
        let state = self
            .streams
            .entry(frame.source_id)
            .or_insert_with(|| StreamState {
                stats: stats.stream(frame.source_id),
                frames: 0,
                pad_index: frame.pad_index,
                discont: false,
            });
        state.pad_index = frame.pad_index;
        state
    }

    fn buffer_time(
        &mut self,
        buffer: &gst::Buffer,
        running_time: impl Fn() -> gst::ClockTime,
    ) -> gst::ClockTime {
        let Some(pts) = buffer.pts() else {
            if !self.said_no_pts {
                self.said_no_pts = true;
                gst::warning!(
                    CAT,
                    "buffers without timestamps: running time is used instead"
                );
            }
            return running_time();
        };
        // Of a buffer that may begin before its segment.
        match self.segment.to_stream_time_full(pts) {
            Some(gst::Signed::Positive(time)) => time,
            Some(gst::Signed::Negative(_)) => gst::ClockTime::ZERO,
            None => pts,
        }
    }

    /// Takes a frame out of the buffer, to be captured or to be held.
    fn take(
        &mut self,
        buffer: &gst::Buffer,
        input: &Input,
        pictures: Pictures<'_>,
        seen: &Seen<'_>,
        decision: Decision,
        rendered: &mut Rendered,
    ) {
        let stream = seen.meta.source_id;
        let hold = Hold::new(&self.stream_state(seen.meta).stats);
        // What nobody will get need not be copied.
        let with_pixels = self.with_pixels && !seen.is_unheard;
        let capture = match self.capture(buffer, input, pictures, seen, with_pixels) {
            Ok(capture) => {
                self.gpu_room.note_taken(capture.frame.as_ref(), rendered);
                capture
            }
            Err(error) => {
                if let Some(gpu) = error.full_gpu() {
                    hold.drop_full();
                    self.gpu_room.note_full(gpu, &error, rendered);
                    return;
                }
                hold.fail();
                rendered.unreadable.push(error);
                return;
            }
        };
        match decision {
            Decision::Skip => (),
            Decision::Hold => {
                let pixels = capture
                    .frame
                    .as_ref()
                    .map_or(0, |frame| frame.info().size());
                let known = size_of::<Held>() + capture.facts.meta.heap_bytes();
                let bytes = pixels + known;
                self.selector
                    .hold(stream, Held { capture, hold }, bytes as u64);
            }
            Decision::Take(reason) => {
                // Those were decided before this frame: numbers and log follow the decisions.
                self.take_ready(rendered);
                let held = Held { capture, hold };
                let mut frames = self.selector.pre_roll(stream);
                for frame in &mut frames {
                    frame.capture.facts.reason = Reason::Pre;
                }
                frames.push(held);
                if let Some(last) = frames.last_mut() {
                    last.capture.facts.reason = reason;
                }
                let job = self.job(frames);
                rendered.jobs.push(job);
            }
        }
    }

    fn take_ready(&mut self, rendered: &mut Rendered) {
        for best in self.selector.ready() {
            let job = self.best_job(best);
            rendered.jobs.push(job);
        }
    }

    fn best_job(&mut self, best: Best<Held>) -> Job {
        let mut frame = best.frame;
        frame.capture.facts.reason = Reason::Best;
        frame.capture.facts.matches = best.matches;
        self.job(vec![frame])
    }

    /// Numbers are given here: what was let go has none.
    fn job(&mut self, frames: Vec<Held>) -> Job {
        let mut captures = Vec::with_capacity(frames.len());
        let mut holds = Vec::with_capacity(frames.len());
        for Held { mut capture, hold } in frames {
            capture.facts.number = self.next_number;
            self.next_number += 1;
            captures.push(capture);
            holds.push(hold);
        }
        Job {
            captures,
            ticket: Arc::new(Ticket::new(holds)),
        }
    }

    fn capture(
        &mut self,
        buffer: &gst::Buffer,
        input: &Input,
        pictures: Pictures<'_>,
        seen: &Seen<'_>,
        with_pixels: bool,
    ) -> Result<Capture, RenderError> {
        let size = pictures.size(seen.meta.slot, &input.info);
        let matches = self.selector.matches(&FrameFacts {
            stream: seen.meta.source_id,
            frame: seen.frame,
            time: seen.time,
            damaged: false,
            size: size.unwrap_or_default(),
            detections: &seen.meta.detections,
        });
        let state = self.stream_state(seen.meta);
        let discont = std::mem::take(&mut state.discont);
        let mut capture = Capture {
            facts: Facts {
                number: 0,
                stream: seen.meta.source_id,
                frame: seen.frame,
                pts: seen.pts,
                duration: buffer
                    .duration()
                    .map_or_else(|| frame_time(&input.info), |d| Some(d.nseconds())),
                discont,
                taken_at: jiff::Timestamp::now(),
                reason: Reason::Pre,
                meta: seen.meta.clone(),
                matches,
            },
            info: input.info.clone(),
            frame: None,
        };
        match pictures {
            Pictures::Whole if with_pixels => {
                self.take_whole(buffer, &mut capture, input.memory)?
            }
            Pictures::Whole => (),
            Pictures::Surfaces(surfaces) if with_pixels => {
                self.take_surface(surfaces, &mut capture)?;
            }
            Pictures::Surfaces(surfaces) => {
                if let Some((width, height)) = surfaces.size(capture.facts.meta.slot) {
                    capture.info = sized(&capture.info, width, height);
                }
            }
        }
        Ok(capture)
    }

    /// Of a buffer that is one frame.
    fn take_whole(
        &mut self,
        buffer: &gst::Buffer,
        capture: &mut Capture,
        memory: Memory,
    ) -> Result<(), RenderError> {
        let info = &capture.info;
        let snapshot = match memory {
            Memory::Cuda => {
                let frame = self.snapshots.of_cuda(buffer, info, self.gpu_id);
                frame.map(|frame| Snapshot::Card(Arc::new(frame)))
            }
            _ => self.snapshots.of_system(buffer, info).map(Snapshot::Host),
        };
        let snapshot = snapshot.map_err(|error| capture.unreadable(error))?;
        if let Snapshot::Card(frame) = &snapshot {
            self.check_gpu(capture, frame.gpu())?;
        }
        // A crop changes the size, and where the boxes are.
        if let Some(crop) = buffer.meta::<VideoCropMeta>() {
            let corner = Snapshots::corner(&capture.info, crop.rect());
            for detection in &mut capture.facts.meta.detections {
                shift(detection, corner);
            }
        }
        capture.info = snapshot.info().clone();
        capture.frame = Some(snapshot);
        Ok(())
    }

    fn take_surface(
        &mut self,
        surfaces: &Surfaces<'_>,
        capture: &mut Capture,
    ) -> Result<(), RenderError> {
        let slot = capture.facts.meta.slot;
        let surface = surfaces.surface(slot)?;
        capture.info = surface_info(&capture.info, &surface);
        let snapshot = match &surface.pixels {
            Pixels::Host(view) => self.snapshots.copy(view, &capture.info).map(Snapshot::Host),
            Pixels::Card(pixels) => {
                self.check_gpu(capture, pixels.gpu())?;
                let copy = |to: &mut CardViewMut<'_>, stream: &Stream| pixels.copy_to(to, stream);
                self.snapshots
                    .of_card(pixels.gpu(), &capture.info, copy)
                    .map(|frame| Snapshot::Card(Arc::new(frame)))
            }
        };
        capture.frame = Some(snapshot.map_err(|error| capture.unreadable(error))?);
        Ok(())
    }

    fn check_gpu(&self, capture: &Capture, gpu: Gpu) -> Result<(), RenderError> {
        match self.gpu_id {
            Some(wanted) if wanted != gpu.ordinal() => Err(RenderError::OtherGpu {
                stream: capture.facts.stream,
                frame: capture.facts.frame,
                is: gpu.ordinal(),
                wanted,
            }),
            _ => Ok(()),
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

/// How long a frame is shown at the rate of the caps, in ns.
fn frame_time(info: &VideoInfo) -> Option<u64> {
    let (numer, denom) = (info.fps().numer(), info.fps().denom());
    let (numer, denom) = (u64::try_from(numer).ok()?, u64::try_from(denom).ok()?);
    let second = gst::ClockTime::SECOND.nseconds();
    second.checked_mul(denom)?.checked_div(numer)
}

fn shift(detection: &mut Detection, (x, y): (u32, u32)) {
    detection.bounds.left -= x as f32;
    detection.bounds.top -= y as f32;
}

/// The caps with another size.
fn sized(caps: &VideoInfo, width: u32, height: u32) -> VideoInfo {
    VideoInfo::builder(caps.format(), width, height)
        .fps(caps.fps())
        .colorimetry(&caps.colorimetry())
        .build()
        .unwrap_or_else(|_| caps.clone())
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
