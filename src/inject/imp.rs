// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

use std::sync::atomic::Ordering;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::prelude::*;
use gst_base::subclass::base_src::CreateSuccess;
use gst_base::subclass::prelude::*;
use gst_video::VideoMeta;

use crate::fault::Fault;
use crate::frame::{caps, code};
use crate::gate::{Gate, Wait};
use crate::mem::sys::Generation;
use crate::mem::{cuda, nvmm};
use crate::meta::roi;

use super::CAT;
use super::config::{Config, Origin, Placement, Settings};
use super::enums::{MemoryType, OnError, OnTimeout};
use super::negotiate::{Wishes, choose};
use super::output::{Code, Nvmm, Output, OutputError};
use super::pace::Pace;
use super::properties;
use super::source::{
    self, Facts, Fetched, Later, Next, Opening, Picture, Rate, Report, Source, SourceError,
    Surroundings, Target,
};
use super::stats::Stats;
use super::timeline::Timeline;

/// Lock order: `streaming` before any other; no other is held while another is taken, or while
/// anything is posted, queried or waited for. `streaming` belongs to the streaming thread, which
/// holds it while it fetches; others take it only while that thread is stopped.
#[derive(Default)]
pub struct DsFrameInject {
    settings: Mutex<Settings>,
    config: Mutex<Option<Arc<Config>>>,
    streaming: Mutex<Streaming>,
    shown: Mutex<Shown>,
    /// The pool that the streaming thread may be waiting for.
    waits_for: Mutex<Option<gst::BufferPool>>,
    stats: Mutex<Arc<Stats>>,
    gate: Arc<Gate>,
    pace: Pace,
}

#[derive(Default)]
struct Streaming {
    /// Until there is a source.
    opening: Option<Later>,
    source: Option<Box<dyn Source>>,
    output: Option<Output>,
    caps: Option<gst::Caps>,
    timeline: Option<Timeline>,
    /// Number of the next frame, over loops.
    frame: u64,
    /// Where to start, if asked before the source was open.
    seek: Option<gst::ClockTime>,
    /// Over before it began: `on-timeout=eos` while a pipe had no writer.
    ended: bool,
    /// Fetched, but not made: `unlock()` came while it waited for its time or for memory.
    fetched: Option<Fetched>,
    /// For `on-timeout=repeat`.
    last: Option<gst::Buffer>,
    discont: bool,
}

impl Streaming {
    fn timeline(&self) -> Timeline {
        self.timeline
            .unwrap_or_else(|| Timeline::new(gst::Fraction::new(30, 1)))
    }
}

/// What queries are answered from.
#[derive(Default)]
struct Shown {
    facts: Option<Facts>,
    rate: Option<gst::Fraction>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Why there are no caps.
enum Refusal {
    /// `unlock()` ended a wait.
    Flushing,
    /// The bus knows already.
    Posted,
    Fault(Fault),
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// How sources speak to the bus.
struct BusReport(glib::WeakRef<gst::Element>);

impl Report for BusReport {
    fn warn(&self, error: SourceError) {
        if let Some(element) = self.0.upgrade() {
            Fault::from(&error).post_warning(&element);
        }
    }

    fn forward(&self, message: gst::Message) {
        if let Some(element) = self.0.upgrade() {
            // Without a bus there is nobody to tell.
            let _ = element.post_message(message);
        }
    }
}

impl DsFrameInject {
    fn config(&self) -> Option<Arc<Config>> {
        lock(&self.config).clone()
    }

    fn stats(&self) -> Arc<Stats> {
        lock(&self.stats).clone()
    }

    fn error(&self, fault: impl Into<Fault>) -> gst::FlowError {
        fault.into().post_error(self.obj().upcast_ref());
        gst::FlowError::Error
    }

    fn prepare(&self) -> Result<(), Fault> {
        let config = Arc::new(Config::try_from(&*lock(&self.settings))?);
        let live = config.is_live
            || matches!(&config.origin, Origin::Uri(uri) if source::is_live_uri(uri));
        self.obj().set_live(live);
        self.gate.set_flushing(false);
        *lock(&self.stats) = Arc::default();
        *lock(&self.shown) = Shown::default();
        *lock(&self.config) = Some(config.clone());
        let mut streaming = lock(&self.streaming);
        *streaming = Streaming::default();
        let surroundings = Surroundings {
            gate: self.gate.clone(),
            report: Arc::new(BusReport(
                self.obj().upcast_ref::<gst::Element>().downgrade(),
            )),
            prefetch: config.prefetch,
            looping: config.looping,
        };
        match Opening::begin(&config, surroundings).map_err(|error| Fault::from(&error))? {
            Opening::Ready(source) => self.opened(&config, &mut streaming, source),
            // What may keep us waiting (a pipe, a network) is waited for by the streaming thread.
            Opening::Later(later) => streaming.opening = Some(later),
        }
        Ok(())
    }

    /// Waits for the source, if there is none yet.
    fn wait_for_source(&self, config: &Config, streaming: &mut Streaming) -> Result<(), Refusal> {
        while let Some(opening) = &mut streaming.opening {
            match opening.wait(config.timeout) {
                Wait::Ready(opened) => {
                    streaming.opening = None;
                    let source = opened.map_err(|error| Fault::from(&error))?;
                    self.opened(config, streaming, source);
                }
                Wait::Flushing => return Err(Refusal::Flushing),
                Wait::TimedOut => match self.handle_timeout(config) {
                    // There is no frame to repeat: that goes on waiting.
                    Ok(()) => (),
                    Err(gst::FlowError::Eos) => {
                        streaming.opening = None;
                        streaming.ended = true;
                    }
                    Err(_) => return Err(Refusal::Posted),
                },
            }
        }
        Ok(())
    }

    fn opened(&self, config: &Config, streaming: &mut Streaming, source: Box<dyn Source>) {
        let facts = source.facts().clone();
        gst::info!(CAT, imp = self, "source: {facts:?}");
        if let (Rate::Fixed(rate), Some(declared)) = (facts.rate, config.declared.framerate)
            && rate != declared
        {
            Fault::resource(
                gst::ResourceError::Settings,
                format!(
                    "property \"framerate\" ({declared}) is not used: the frames were made for \
                     {rate}; put videorate behind for another rate"
                ),
            )
            .post_warning(self.obj().upcast_ref());
        }
        lock(&self.shown).facts = Some(facts);
        streaming.source = Some(source);
    }

    fn close(&self) {
        // Dropped without the lock: threads are joined.
        let streaming = std::mem::take(&mut *lock(&self.streaming));
        drop(streaming);
        lock(&self.waits_for).take();
        *lock(&self.config) = None;
    }

    /// Why there is no NVMM memory of the kind that is asked for, if there is none.
    fn nvmm(config: &Config) -> Result<(), String> {
        const WAY_OUT: &str = "use device=cpu, or nvbuf-memory-type=nvbuf-mem-system for surfaces \
                               in host memory";
        if nvmm::disabled() {
            return Err("NVMM is turned off by DSFRAME_DISABLE_NVMM".into());
        }
        if config.memory_type == MemoryType::System {
            return Ok(());
        }
        match cuda::probe() {
            Err(error) => Err(format!("{error}; {WAY_OUT}")),
            Ok(_) => Err(format!(
                "this version has no surfaces in CUDA memory yet; {WAY_OUT}, and nvvideoconvert \
                 behind the element"
            )),
        }
    }

    fn generation(&self, config: &Config) -> Generation {
        config.generation.unwrap_or_else(|| {
            let (generation, how) = Generation::detect_installed().unwrap_or((
                Generation::C,
                "no DeepStream was found; the property deepstream-version tells another".into(),
            ));
            gst::info!(CAT, imp = self, "NVMM layout {generation:?}: {how}");
            generation
        })
    }

    fn negotiate_with_peer(&self) -> Result<(), Refusal> {
        let Some(config) = self.config() else {
            return Err(Refusal::Flushing);
        };
        let mut streaming = lock(&self.streaming);
        self.wait_for_source(&config, &mut streaming)?;
        let Some(source) = &streaming.source else {
            return Ok(());
        };
        let facts = source.facts().clone();
        let peer = self.obj().src_pad().peer_query_caps(None);
        let wishes = Wishes {
            declared: config.declared,
            facts: &facts,
            placement: config.placement,
            nvmm: match config.placement {
                Placement::System => Err("device is cpu".into()),
                _ => Self::nvmm(&config),
            },
        };
        let chosen = choose(&peer, &wishes).map_err(|error| Fault::from(&error))?;
        if streaming.caps.as_ref() == Some(&chosen.caps) && streaming.output.is_some() {
            return Ok(());
        }
        gst::info!(CAT, imp = self, "negotiated {}", chosen.caps);
        if config.frame_code.is_some() {
            let (width, height) = (chosen.info.width() as usize, chosen.info.height() as usize);
            if width < code::MIN_WIDTH || height < code::MIN_HEIGHT {
                let small = code::TooSmall { width, height };
                let text = format!("property \"frame-code\": {small}");
                return Err(Fault::resource(gst::ResourceError::Settings, text).into());
            }
        }
        let nvmm = chosen.nvmm.then(|| Nvmm {
            generation: self.generation(&config),
            gpu_id: config.gpu_id,
            pool_size: config.pool_size,
        });
        let output = Output::new(&chosen.info, nvmm, config.add_borders)
            .map_err(|error| Fault::resource(gst::ResourceError::NoSpaceLeft, error))?;
        *lock(&self.waits_for) = output.waits_for();
        let target = Target {
            info: chosen.info.clone(),
            add_borders: config.add_borders,
        };
        let rate = chosen.info.fps();
        let frame = streaming.frame;
        streaming
            .timeline
            .get_or_insert_with(|| Timeline::new(rate))
            .set_rate(rate, frame);
        streaming.output = Some(output);
        streaming.last = None;
        streaming.caps = Some(chosen.caps.clone());
        let Streaming {
            source, fetched, ..
        } = &mut *streaming;
        if let Some(source) = source {
            source
                .set_target(&target)
                .map_err(|error| Fault::from(&error))?;
            // A frame that is still to be drawn belongs to the former target: ask for it again.
            if let Some(Picture::Paint(_, number)) = fetched.as_ref().map(|f| &f.picture) {
                source
                    .seek(*number, gst::ClockTime::ZERO)
                    .map_err(|error| Fault::from(&error))?;
                *fetched = None;
            }
        }
        if let Some(time) = streaming.seek.take() {
            Self::seek_to(&mut streaming, time).map_err(|error| Fault::from(&error))?;
        }
        drop(streaming);
        lock(&self.shown).rate = Some(rate);
        self.obj().set_caps(&chosen.caps).map_err(|_| {
            let text = format!("the next element refuses {}", chosen.caps);
            Fault::core(gst::CoreError::Negotiation, text)
        })?;
        if self.obj().is_live() {
            // The bin asks for the latency anew.
            let latency = gst::message::Latency::builder().src(&*self.obj()).build();
            let _ = self.obj().post_message(latency);
        }
        Ok(())
    }

    fn seek_to(streaming: &mut Streaming, time: gst::ClockTime) -> Result<(), SourceError> {
        // Before a change of the rate, frames are counted as if it had always been this one.
        let frame = streaming.timeline.as_mut().map_or(0, |timeline| {
            timeline.restart();
            timeline.frame_at(time)
        });
        streaming.frame = frame;
        streaming.fetched = None;
        streaming.discont = true;
        match &mut streaming.source {
            Some(source) => source.seek(frame, time),
            None => Ok(()),
        }
    }

    /// The next buffer, at its time if live.
    fn produce(
        &self,
        config: &Config,
        streaming: &mut Streaming,
    ) -> Result<gst::Buffer, gst::FlowError> {
        if let Some(fetched) = streaming.fetched.take() {
            return self.finish(config, streaming, fetched);
        }
        loop {
            let Some(source) = &mut streaming.source else {
                return Err(if streaming.ended {
                    gst::FlowError::Eos
                } else {
                    gst::FlowError::Flushing
                });
            };
            let begun = Instant::now();
            let next = source.next(config.timeout);
            self.stats().add_waiting(begun.elapsed());
            let next = match next {
                Ok(next) => next,
                Err(error) => {
                    self.handle_bad(config, &error)?;
                    // Keeps its place in time, so that what follows does not move.
                    streaming.frame += 1;
                    streaming.discont = true;
                    continue;
                }
            };
            match next {
                Next::Frame(fetched) => return self.finish(config, streaming, fetched),
                Next::End => return Err(gst::FlowError::Eos),
                Next::Flushing => return Err(gst::FlowError::Flushing),
                Next::TimedOut => {
                    self.handle_timeout(config)?;
                    if let Some(again) = self.repeat(config, streaming)? {
                        return Ok(again);
                    }
                }
            }
        }
    }

    /// Ok: go on with the next frame.
    fn handle_bad(&self, config: &Config, error: &SourceError) -> Result<(), gst::FlowError> {
        if config.on_error == OnError::Fail {
            return Err(self.error(error));
        }
        Fault::from(error).post_warning(self.obj().upcast_ref());
        self.stats().skipped.fetch_add(1, Ordering::Relaxed);
        if config.on_error == OnError::Skip && error.is_one_frame() {
            return Ok(());
        }
        Err(gst::FlowError::Eos)
    }

    /// Ok: push the last frame again.
    fn handle_timeout(&self, config: &Config) -> Result<(), gst::FlowError> {
        self.stats().timeouts.fetch_add(1, Ordering::Relaxed);
        let fault = Fault::resource(
            gst::ResourceError::Read,
            format!(
                "no frame came within {} ms (property \"timeout\")",
                config.timeout.unwrap_or_default().as_millis()
            ),
        );
        match config.on_timeout {
            OnTimeout::Fail => Err(self.error(fault)),
            OnTimeout::Eos => {
                fault.post_warning(self.obj().upcast_ref());
                Err(gst::FlowError::Eos)
            }
            OnTimeout::Repeat => Ok(()),
        }
    }

    /// The last frame again, at the next time. `None` before the first.
    fn repeat(
        &self,
        config: &Config,
        streaming: &mut Streaming,
    ) -> Result<Option<gst::Buffer>, gst::FlowError> {
        let Some(mut again) = streaming.last.clone() else {
            return Ok(None);
        };
        let facts = streaming.source.as_ref().map(|source| source.facts());
        let own = facts
            .filter(|facts| facts.own_timestamps)
            .and_then(|_| Some(again.pts()? + again.duration()?));
        if !self.pace(config, streaming, own) {
            return Err(gst::FlowError::Flushing);
        }
        self.stats().repeated.fetch_add(1, Ordering::Relaxed);
        self.stamp(streaming, again.make_mut(), own, None);
        streaming.last = Some(again.clone());
        self.count(&again);
        Ok(Some(again))
    }

    fn finish(
        &self,
        config: &Config,
        streaming: &mut Streaming,
        fetched: Fetched,
    ) -> Result<gst::Buffer, gst::FlowError> {
        // Paced before it is made: what `unlock()` interrupts is made for the caps that hold then.
        if !self.pace(config, streaming, fetched.pts) {
            streaming.fetched = Some(fetched);
            return Err(gst::FlowError::Flushing);
        }
        let Some(output) = &mut streaming.output else {
            return Err(gst::FlowError::NotNegotiated);
        };
        let code = config.frame_code.map(|stream| Code {
            stream,
            frame: streaming.frame as u32,
        });
        let mut buffer = match output.make(&fetched.picture, code) {
            Ok(buffer) => buffer,
            Err(OutputError::Flushing) => {
                streaming.fetched = Some(fetched);
                return Err(gst::FlowError::Flushing);
            }
            Err(error) => {
                return Err(self.error(Fault::resource(gst::ResourceError::Failed, error)));
            }
        };
        let Fetched {
            picture,
            pts,
            duration,
            detections,
        } = fetched;
        // Its frame may be the very buffer, which is then ours alone and need not be copied.
        drop(picture);
        let writable = buffer.make_mut();
        for detection in &detections {
            roi::attach(writable, detection);
        }
        self.stamp(streaming, writable, pts, duration);
        if config.on_timeout == OnTimeout::Repeat && config.timeout.is_some() {
            streaming.last = Some(buffer.clone());
        }
        self.count(&buffer);
        Ok(buffer)
    }

    fn count(&self, buffer: &gst::BufferRef) {
        let stats = self.stats();
        stats.frames.fetch_add(1, Ordering::Relaxed);
        stats
            .bytes
            .fetch_add(buffer.size() as u64, Ordering::Relaxed);
    }

    /// Whether frames come by another clock, when they come.
    fn arrives(&self) -> bool {
        lock(&self.shown).facts.as_ref().is_some_and(|f| f.live)
    }

    /// Gives a buffer its number, its time and its flags.
    fn stamp(
        &self,
        streaming: &mut Streaming,
        buffer: &mut gst::BufferRef,
        own_pts: Option<gst::ClockTime>,
        own_duration: Option<gst::ClockTime>,
    ) {
        let frame = streaming.frame;
        streaming.frame += 1;
        let timeline = streaming.timeline();
        let counted = timeline.pts(frame);
        let pts = if self.arrives() {
            // From another clock: what counts is when it came.
            self.obj().current_running_time().or(own_pts)
        } else if own_pts.is_some() {
            own_pts
        } else if self.obj().does_timestamp() {
            // The base class stamps what has no time.
            None
        } else {
            Some(counted)
        };
        buffer.set_pts(pts);
        buffer.set_dts(gst::ClockTime::NONE);
        buffer.set_duration(own_duration.or_else(|| timeline.duration(frame)));
        buffer.set_offset(frame);
        buffer.set_offset_end(frame + 1);
        if std::mem::take(&mut streaming.discont) {
            buffer.set_flags(gst::BufferFlags::DISCONT);
        } else {
            buffer.unset_flags(gst::BufferFlags::DISCONT);
        }
    }

    /// Waits for the time of the next frame, if live. False if `unlock()` ended that.
    fn pace(
        &self,
        config: &Config,
        streaming: &Streaming,
        own_pts: Option<gst::ClockTime>,
    ) -> bool {
        let obj = self.obj();
        let paced = config.is_live && !self.arrives();
        let (true, Some(clock), Some(base)) = (paced, obj.clock(), obj.base_time()) else {
            return true;
        };
        let pts = own_pts.unwrap_or_else(|| streaming.timeline().pts(streaming.frame));
        let segment = obj.segment();
        let running = segment
            .downcast_ref::<gst::ClockTime>()
            .and_then(|segment| segment.to_running_time(pts));
        match running {
            Some(running) => self
                .pace
                .wait(&self.gate, &clock, base.saturating_add(running)),
            None => true,
        }
    }

    fn duration(&self) -> Option<gst::ClockTime> {
        if self.config()?.looping {
            return None;
        }
        let shown = lock(&self.shown);
        let facts = shown.facts.as_ref()?;
        let rate = shown.rate.unwrap_or(facts.rate.fraction());
        facts
            .duration
            .or_else(|| facts.frames.map(|frames| Timeline::new(rate).pts(frames)))
    }
}

#[glib::object_subclass]
impl ObjectSubclass for DsFrameInject {
    const NAME: &'static str = "GstDsFrameInject";
    type Type = super::DsFrameInject;
    type ParentType = gst_base::PushSrc;
}

impl ObjectImpl for DsFrameInject {
    fn constructed(&self) {
        self.parent_constructed();
        self.obj().set_format(gst::Format::Time);
    }

    fn properties() -> &'static [glib::ParamSpec] {
        &properties::PROPERTIES
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        properties::set(&mut lock(&self.settings), pspec.name(), value);
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        let settings = lock(&self.settings).clone();
        properties::get(&settings, &self.stats(), pspec.name())
            .unwrap_or_else(|| pspec.default_value().clone())
    }
}

impl GstObjectImpl for DsFrameInject {}

impl ElementImpl for DsFrameInject {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "DeepStream frame injector",
                "Source/Video",
                "Makes frames from patterns, pictures, raw, y4m and npy streams or any media, in \
                 NVMM or system memory",
                "The gst-plugin-dsframe authors",
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let caps = caps::template();
            // Cannot be refused: one always-present pad of well-formed caps.
            gst::PadTemplate::new(
                "src",
                gst::PadDirection::Src,
                gst::PadPresence::Always,
                &caps,
            )
            .into_iter()
            .collect()
        });
        &TEMPLATES
    }

    fn change_state(
        &self,
        transition: gst::StateChange,
    ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        if transition == gst::StateChange::ReadyToPaused {
            self.prepare().map_err(|fault| {
                self.close();
                fault.post_error(self.obj().upcast_ref());
                gst::StateChangeError
            })?;
        }
        let changed = self.parent_change_state(transition);
        if transition == gst::StateChange::PausedToReady
            || (transition == gst::StateChange::ReadyToPaused && changed.is_err())
        {
            self.close();
        }
        changed
    }
}

impl BaseSrcImpl for DsFrameInject {
    fn is_seekable(&self) -> bool {
        let looping = self.config().is_none_or(|config| config.looping);
        let shown = lock(&self.shown);
        !looping
            && shown
                .facts
                .as_ref()
                .is_some_and(|facts| facts.seekable && !facts.live)
            && !self.obj().is_live()
    }

    fn do_seek(&self, segment: &mut gst::Segment) -> bool {
        let Some(segment) = segment.downcast_ref::<gst::ClockTime>() else {
            return false;
        };
        if segment.rate() <= 0.0 {
            gst::warning!(CAT, imp = self, "cannot play backwards");
            return false;
        }
        // Not the start: a seek that only moves the stop goes on from here.
        let start = segment.position().unwrap_or_default();
        let mut streaming = lock(&self.streaming);
        if streaming.timeline.is_none() {
            // The first segment, or one asked for before anything is known.
            streaming.seek = Some(start).filter(|start| !start.is_zero());
            return true;
        }
        match Self::seek_to(&mut streaming, start) {
            Ok(()) => true,
            Err(error) => {
                drop(streaming);
                Fault::from(&error).post_error(self.obj().upcast_ref());
                false
            }
        }
    }

    fn query(&self, query: &mut gst::QueryRef) -> bool {
        match query.view_mut() {
            gst::QueryViewMut::Duration(query) if query.format() == gst::Format::Time => {
                match self.duration() {
                    Some(duration) => {
                        query.set(duration);
                        true
                    }
                    None => false,
                }
            }
            gst::QueryViewMut::Seeking(query) if query.format() == gst::Format::Time => {
                let end = self.duration();
                query.set(self.is_seekable(), gst::ClockTime::ZERO, end);
                true
            }
            gst::QueryViewMut::Latency(query) if self.obj().is_live() => {
                let Some(rate) = lock(&self.shown).rate else {
                    return false;
                };
                let frame = Timeline::new(rate).pts(1);
                let ahead = self.config().map_or(1, |config| config.prefetch as u64);
                query.set(true, frame, frame.saturating_mul(ahead.max(1)));
                true
            }
            _ => BaseSrcImplExt::parent_query(self, query),
        }
    }

    fn negotiate(&self) -> Result<(), gst::LoggableError> {
        self.negotiate_with_peer().map_err(|refusal| match refusal {
            Refusal::Fault(fault) => {
                fault.post_error(self.obj().upcast_ref());
                gst::loggable_error!(CAT, "{}", fault.text())
            }
            Refusal::Posted => gst::loggable_error!(CAT, "no source"),
            Refusal::Flushing => gst::loggable_error!(CAT, "flushing"),
        })
    }

    fn decide_allocation(
        &self,
        query: &mut gst::query::Allocation,
    ) -> Result<(), gst::LoggableError> {
        // Frames are decoded ahead, into memory of our own, and passed on without a copy: no pool
        // is left for the base class to fill.
        if let Some(output) = &mut lock(&self.streaming).output {
            output.set_takes_strides(query.find_allocation_meta::<VideoMeta>().is_some());
        }
        let pools = query.allocation_pools().count() as u32;
        for index in (0..pools).rev() {
            query.remove_nth_allocation_pool(index);
        }
        Ok(())
    }

    fn unlock(&self) -> Result<(), gst::ErrorMessage> {
        self.gate.set_flushing(true);
        self.pace.interrupt();
        let pool = lock(&self.waits_for).clone();
        if let Some(pool) = pool {
            pool.set_flushing(true);
        }
        Ok(())
    }

    fn unlock_stop(&self) -> Result<(), gst::ErrorMessage> {
        let pool = lock(&self.waits_for).clone();
        if let Some(pool) = pool {
            pool.set_flushing(false);
        }
        self.gate.set_flushing(false);
        Ok(())
    }
}

impl PushSrcImpl for DsFrameInject {
    fn create(
        &self,
        _buffer: Option<&mut gst::BufferRef>,
    ) -> Result<CreateSuccess, gst::FlowError> {
        let Some(config) = self.config() else {
            return Err(gst::FlowError::Flushing);
        };
        let mut streaming = lock(&self.streaming);
        self.produce(&config, &mut streaming)
            .map(CreateSuccess::NewBuffer)
    }
}
