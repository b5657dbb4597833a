// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::prelude::*;
use gst_base::subclass::base_src::CreateSuccess;
use gst_base::subclass::prelude::*;
use gst_video::VideoMeta;

use crate::channel::Address;
use crate::config_file::{ConfigFile, Given, Inherited, specs};
use crate::fault::{Fault, SettingsError};
use crate::frame::{caps, code};
use crate::gate::{Gate, Wait};
use crate::mem::cuda::{CudaError, Gpu, Kind};
use crate::mem::nvmm::{self, Place};
use crate::mem::sys::Generation;

use super::CAT;
use super::config::{Config, Origin, Placement, Settings, file};
use super::enums::MemoryType;
use super::negotiate::{Chosen, Wishes, choose, names_nvmm};
use super::output::{Launched, Nvmm, Output, OutputError};
use super::pace::Pace;
use super::properties;
use super::source::recorded::{Annotated, Metadata};
use super::source::{
    self, Facts, Fetched, Later, Next, Opening, Picture, Rate, Report, Source, SourceError,
    Surroundings, Target, channel,
};
use super::stats::Stats;
use super::timeline::Timeline;
#[cfg(feature = "monitor")]
use super::watch::Watch;

mod feed;

use feed::Produced;

/// Lock order: `streaming` before any other; no other is held while another is taken, or while
/// anything is posted, queried or waited for. `streaming` belongs to the streaming thread, which
/// holds it while it fetches; others take it only while that thread is stopped.
#[derive(Default)]
pub struct DsFrameInject {
    given: Mutex<Given<Settings>>,
    inherited: Inherited,
    config: Mutex<Option<Arc<Config>>>,
    streaming: Mutex<Streaming>,
    shown: Mutex<Shown>,
    /// The pool that the streaming thread may be waiting for.
    waits_for: Mutex<Option<gst::BufferPool>>,
    stats: Mutex<Arc<Stats>>,
    #[cfg(feature = "monitor")]
    watch: Mutex<Option<Watch>>,
    gate: Arc<Gate>,
    pace: Pace,
}

#[derive(Default)]
struct Streaming {
    /// Until there is a source.
    opening: Option<Later>,
    source: Option<Box<dyn Source>>,
    /// The detections that its frames are to have.
    metadata: Option<Metadata>,
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
    /// Begun on the card while the frame before it was pushed.
    launched: Option<(Fetched, Launched)>,
    /// What came of asking for a frame ahead, if it was none.
    ahead: Option<Result<Next, SourceError>>,
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

    /// Reads the properties, and the file that they name.
    fn configure(&self) -> Result<(Config, ConfigFile), SettingsError> {
        let element = self.obj();
        let given = lock(&self.given).clone();
        let (config, said) = Config::read(&given, &specs(element.upcast_ref(), &file::INHERITED))?;
        if !said.path().as_os_str().is_empty() {
            gst::info!(CAT, imp = self, "configured by {}", said.summary());
        }
        self.inherited.apply(element.upcast_ref(), &said.inherited);
        Ok((config, said))
    }

    fn prepare(&self) -> Result<(), Fault> {
        let (config, file) = self.configure()?;
        self.prepare_with(Arc::new(config))
            .map_err(|fault| file.note(fault))
    }

    fn prepare_with(&self, config: Arc<Config>) -> Result<(), Fault> {
        let live = config.is_live
            || matches!(&config.origin, Origin::Uri(uri) if source::is_live_uri(uri));
        self.obj().set_live(live);
        self.gate.set_flushing(false);
        *lock(&self.stats) = Arc::default();
        #[cfg(feature = "monitor")]
        self.begin_watch(&config);
        *lock(&self.shown) = Shown::default();
        *lock(&self.config) = Some(config.clone());
        let mut streaming = lock(&self.streaming);
        *streaming = Streaming::default();
        if let Some(location) = &config.metadata {
            let metadata = Metadata::load(location, config.start_index);
            streaming.metadata = Some(metadata.map_err(|error| Fault::from(&error))?);
        }
        let surroundings = Surroundings {
            gate: self.gate.clone(),
            report: Arc::new(BusReport(
                self.obj().upcast_ref::<gst::Element>().downgrade(),
            )),
            prefetch: config.prefetch,
            looping: config.looping,
            card: self.wanted_card(&config),
        };
        match Opening::begin(&config, surroundings).map_err(|error| Fault::from(&error))? {
            Opening::Ready(source) => {
                let facts = source.facts().clone();
                self.opened(&config, &mut streaming, source);
                drop(streaming);
                // Downstream is up by now: what cannot be negotiated fails the change of state.
                self.choose(&config, &facts)?;
            }
            // What may keep us waiting (a pipe, a network) is waited for by the streaming thread.
            Opening::Later(later) => {
                if let Later::Channel(pending) = &later {
                    self.stats().set_channel(pending.counter());
                }
                streaming.opening = Some(later);
            }
        }
        Ok(())
    }

    #[cfg(feature = "monitor")]
    fn begin_watch(&self, config: &Config) {
        let channel = match &config.origin {
            Origin::Channel(options) => Some(match &options.address {
                Address::InProcess(name) => name.clone(),
                address => address.to_string(),
            }),
            _ => None,
        };
        let watch = Watch::begin(self.obj().upcast_ref(), self.stats(), channel);
        *lock(&self.watch) = Some(watch);
    }

    /// Waits for the source, if there is none yet. In `create()`, and not while negotiating: the
    /// base class can only be told there that the wait was ended.
    fn wait_for_source(
        &self,
        config: &Config,
        streaming: &mut Streaming,
    ) -> Result<(), gst::FlowError> {
        while let Some(opening) = &mut streaming.opening {
            match opening.wait(config.timeout) {
                Wait::Ready(None) => {
                    streaming.opening = None;
                    streaming.ended = true;
                }
                Wait::Ready(Some(opened)) => {
                    streaming.opening = None;
                    let source = opened.map_err(|error| self.error(&error))?;
                    self.opened(config, streaming, source);
                }
                Wait::Flushing => return Err(gst::FlowError::Flushing),
                Wait::TimedOut => match self.handle_timeout(config) {
                    // There is no frame to repeat: that goes on waiting.
                    Ok(()) => (),
                    Err(gst::FlowError::Eos) => {
                        streaming.opening = None;
                        streaming.ended = true;
                    }
                    Err(error) => return Err(error),
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
        streaming.source = Some(match streaming.metadata.take() {
            Some(metadata) => Annotated::around(source, metadata, config.looping),
            None => source,
        });
    }

    fn close(&self) {
        // Dropped without the lock: threads are joined.
        let streaming = std::mem::take(&mut *lock(&self.streaming));
        drop(streaming);
        lock(&self.waits_for).take();
        *lock(&self.config) = None;
        #[cfg(feature = "monitor")]
        lock(&self.watch).take();
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
        // Opens the GPU, so that what is wrong with it is said before anything depends on it.
        Gpu::get(config.gpu_id).map(|_| ()).map_err(|error| {
            let property = match error {
                CudaError::NoSuchDevice { .. } => "property \"gpu-id\": ",
                _ => "",
            };
            format!("{property}{error}; {WAY_OUT}")
        })
    }

    /// The GPU that frames of other processes are to come on: where its surfaces are to be made.
    /// Otherwise nothing is to open it.
    fn wanted_card(&self, config: &Config) -> Option<u32> {
        let from_processes = matches!(
            &config.origin,
            Origin::Channel(channel::Options {
                address: Address::Unix(_),
                ..
            })
        );
        if !from_processes || config.memory_type == MemoryType::System || nvmm::disabled() {
            return None;
        }
        let is_wanted = match config.placement {
            Placement::System => false,
            Placement::Nvmm => true,
            Placement::Auto => names_nvmm(&self.obj().src_pad().peer_query_caps(None)),
        };
        is_wanted.then_some(config.gpu_id)
    }

    /// Where the pixels of NVMM surfaces are to lie.
    fn place(config: &Config) -> Result<Place, CudaError> {
        let kind = match config.memory_type {
            MemoryType::System => {
                return Ok(Place::Host {
                    gpu_id: config.gpu_id,
                });
            }
            MemoryType::Pinned => Kind::Pinned,
            MemoryType::Unified => Kind::Unified,
            MemoryType::Default | MemoryType::Device => Kind::Device,
        };
        let gpu = Gpu::get(config.gpu_id)?;
        Ok(Place::Card { gpu, kind })
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

    /// The caps that suit the source, the properties and what is downstream.
    fn choose(&self, config: &Config, facts: &Facts) -> Result<Chosen, Fault> {
        let peer = self.obj().src_pad().peer_query_caps(None);
        let wishes = Wishes {
            declared: config.declared,
            facts,
            placement: config.placement,
            // Not asked for in vain: it opens the GPU.
            nvmm: match config.placement {
                Placement::System => Err("device is cpu".into()),
                Placement::Auto if !names_nvmm(&peer) => Err("nobody asks for NVMM".into()),
                _ => Self::nvmm(config),
            },
        };
        let chosen = choose(&peer, &wishes).map_err(|error| Fault::from(&error))?;
        let (width, height) = (chosen.info.width() as usize, chosen.info.height() as usize);
        let too_small = width < code::MIN_WIDTH || height < code::MIN_HEIGHT;
        if config.frame_code.is_some() && too_small {
            let small = code::TooSmall { width, height };
            let text = format!("property \"frame-code\": {small}");
            return Err(Fault::resource(gst::ResourceError::Settings, text));
        }
        Ok(chosen)
    }

    fn negotiate_with_peer(&self) -> Result<(), Fault> {
        let Some(config) = self.config() else {
            return Err(Fault::core(gst::CoreError::StateChange, "not started"));
        };
        let mut streaming = lock(&self.streaming);
        let Some(source) = &streaming.source else {
            // `create()` waits for it, and negotiates then.
            return Ok(());
        };
        let facts = source.facts().clone();
        let chosen = self.choose(&config, &facts)?;
        if streaming.caps.as_ref() == Some(&chosen.caps) && streaming.output.is_some() {
            return Ok(());
        }
        gst::info!(CAT, imp = self, "negotiated {}", chosen.caps);
        let no_memory =
            |error: OutputError| Fault::resource(gst::ResourceError::NoSpaceLeft, error);
        let place = match chosen.nvmm {
            true => Some(Self::place(&config).map_err(|error| no_memory(error.into()))?),
            false => None,
        };
        let nvmm = place.map(|place| Nvmm {
            generation: self.generation(&config),
            place,
            pool_size: config.pool_size,
        });
        let output = Output::new(&chosen.info, nvmm, config.add_borders).map_err(no_memory)?;
        *lock(&self.waits_for) = output.waits_for();
        let target = Target {
            info: chosen.info.clone(),
            add_borders: config.add_borders,
            card: match place {
                Some(Place::Card { gpu, .. }) => Some(gpu),
                _ => None,
            },
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
            source,
            fetched,
            launched,
            ahead,
            ..
        } = &mut *streaming;
        // Begun for the former caps: to be made again.
        let begun = launched.take().map(|(begun, _)| begun);
        if begun.is_some() {
            let next = std::mem::replace(fetched, begun);
            if let Some(next) = next {
                *ahead = Some(Ok(Next::Frame(next)));
            }
        }
        if let Some(source) = source {
            source
                .set_target(&target)
                .map_err(|error| Fault::from(&error))?;
            // A frame that is still to be drawn belongs to the former target: ask for it again.
            if let Some(Picture::Paint(_, number) | Picture::PaintOnCard(_, number)) =
                fetched.as_ref().map(|f| &f.picture)
            {
                source
                    .seek(*number, gst::ClockTime::ZERO)
                    .map_err(|error| Fault::from(&error))?;
                *fetched = None;
                *ahead = None;
            }
        }
        // A stream that cannot be sought in is played, and cut to the segment downstream.
        if let Some(time) = streaming.seek.take()
            && facts.seekable
            && !config.looping
        {
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
        streaming.launched = None;
        streaming.ahead = None;
        streaming.discont = true;
        match &mut streaming.source {
            Some(source) => source.seek(frame, time),
            None => Ok(()),
        }
    }

    fn is_channel(&self) -> bool {
        let config = self.config();
        config.is_some_and(|config| matches!(config.origin, Origin::Channel(_)))
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
        let element = self.obj();
        self.inherited.know(element.upcast_ref(), &file::INHERITED);
    }

    fn properties() -> &'static [glib::ParamSpec] {
        &properties::PROPERTIES
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        lock(&self.given).set(pspec.name(), value);
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        let settings = lock(&self.given).settings.clone();
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
                "Makes frames from patterns, pictures, raw, y4m and npy streams, any media or a named \
                 channel, as NVMM surfaces on a GPU or in system memory",
                "The gst-plugin-dsframe authors",
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let caps = caps::source_template();
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

    fn send_event(&self, event: gst::Event) -> bool {
        if is_backwards(&event) {
            gst::info!(CAT, imp = self, "cannot play backwards");
            return false;
        }
        self.parent_send_event(event)
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

/// Whether an event asks to play backwards. The base class would flush first and ask then.
fn is_backwards(event: &gst::EventRef) -> bool {
    matches!(event.view(), gst::EventView::Seek(seek) if seek.get().0 <= 0.0)
}

impl BaseSrcImpl for DsFrameInject {
    fn event(&self, event: &gst::Event) -> bool {
        if is_backwards(event) {
            gst::info!(CAT, imp = self, "cannot play backwards");
            return false;
        }
        self.parent_event(event)
    }

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
        // Not the start: a seek that only moves the stop goes on from here.
        let start = segment.position().unwrap_or_default();
        let mut streaming = lock(&self.streaming);
        if streaming.timeline.is_none() {
            // The first segment, or one asked for before anything is known.
            streaming.seek = Some(start).filter(|start| !start.is_zero());
            return true;
        }
        if !self.is_seekable() {
            return false;
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
            gst::QueryViewMut::Latency(query) if self.obj().is_live() && self.is_channel() => {
                // Frames are stamped when they come, and pushed at once.
                query.set(true, gst::ClockTime::ZERO, gst::ClockTime::NONE);
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
        self.negotiate_with_peer().map_err(|fault| {
            let text = fault.text().to_owned();
            // Pads that are being closed take no caps.
            if !self.gate.is_flushing() {
                fault.post_error(self.obj().upcast_ref());
            }
            gst::loggable_error!(CAT, "{text}")
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
        if streaming.opening.is_some() {
            self.wait_for_source(&config, &mut streaming)?;
            streaming = self.negotiate_again(streaming)?;
        }
        loop {
            match self.produce(&config, &mut streaming)? {
                Produced::Buffer(buffer) => return Ok(CreateSuccess::NewBuffer(buffer)),
                Produced::Changed => streaming = self.negotiate_again(streaming)?,
            }
        }
    }
}

impl DsFrameInject {
    /// Lets go of the lock meanwhile, and gives it back.
    fn negotiate_again<'a>(
        &'a self,
        streaming: MutexGuard<'a, Streaming>,
    ) -> Result<MutexGuard<'a, Streaming>, gst::FlowError> {
        drop(streaming);
        if !self.obj().negotiate() {
            return Err(match self.gate.is_flushing() {
                true => gst::FlowError::Flushing,
                false => gst::FlowError::NotNegotiated,
            });
        }
        Ok(lock(&self.streaming))
    }
}
