// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::prelude::*;
use gst_base::subclass::prelude::*;
use gst_video::{VideoInfo, VideoMeta};

use crate::channel::{Full, can_share};
use crate::config_file::{ConfigFile, Given, Inherited, specs};
use crate::fault::{Fault, SettingsError};
use crate::frame::caps;
use crate::gate::{Gate, Wait};
use crate::mem::nvmm;
use crate::mem::shm::ShmPool;
use crate::mem::sys::base_sink::{
    WaitEvent, override_wait_event, parent_wait_event, set_needs_preroll, wait_unlocked,
};

use super::CAT;
use super::config::{Config, Settings, file};
use super::deliver::message::Outlet;
use super::enums::Overflow;
use super::job::Job;
use super::nvevent;
use super::properties;
use super::run::{Rendered, Run};
use super::stats::{Fate, Stats};
use super::watch::{Listening, Watch};

mod channels;

/// Lock order: `unlocks`, then that of the gate; of the others none is held while another is taken.
/// None is held while anything is posted, queried, joined or waited for.
#[derive(Default)]
pub struct DsFrameCapture {
    given: Mutex<Given<Settings>>,
    inherited: Inherited,
    run: Mutex<Option<Arc<Run>>>,
    /// Of the last run, also after it.
    stats: Mutex<Arc<Stats>>,
    watch: Mutex<Option<Watch>>,
    gate: Arc<Gate>,
    /// A flush and a state change may each have called `unlock()`.
    unlocks: Mutex<u32>,
    fed_live: Mutex<Option<(Instant, bool)>>,
    /// One of [`IDLE`], [`FIRST`] and [`PASSING`].
    preroll: AtomicU8,
}

/// Buffers wait in PAUSED, as in any sink.
const IDLE: u8 = 0;
/// No buffer came since READY, and the state is PAUSED.
const FIRST: u8 = 1;
/// The first buffer is let through in PAUSED; the next one is to wait.
const PASSING: u8 = 2;

/// How long an answer about liveness holds.
const ASK_AGAIN: Duration = Duration::from_secs(1);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl DsFrameCapture {
    fn run(&self) -> Option<Arc<Run>> {
        lock(&self.run).clone()
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

    fn start_run(&self) -> Result<(), Fault> {
        let (config, file) = self.configure()?;
        self.run_with(config).map_err(|fault| file.note(fault))
    }

    fn run_with(&self, config: Config) -> Result<(), Fault> {
        gst::info!(CAT, imp = self, "captures {:?}", config.rules);
        let stats = Arc::<Stats>::default();
        *lock(&self.stats) = stats.clone();
        *lock(&self.unlocks) = 0;
        *lock(&self.fed_live) = None;
        self.gate.set_flushing(false);
        let outlet = Arc::new(Outlet::new(self.obj().upcast_ref()));
        let listening = Listening::begin(&config)?;
        let run = Run::start(config, self.gate.clone(), stats.clone(), outlet)?;
        *lock(&self.run) = Some(run.clone());
        let watch = Watch::begin(listening, self.obj().upcast_ref(), &run, &stats);
        *lock(&self.watch) = Some(watch);
        Ok(())
    }

    /// Delivers what was accepted, or says what was not, and ends the threads.
    fn stop_run(&self) {
        let Some(run) = lock(&self.run).take() else {
            return;
        };
        self.gate.set_flushing(false);
        self.submit_held(&run, run.end_streams(None));
        self.submit_last(&run);
        let timeout = run.stop_limit();
        let deadline = Instant::now() + timeout;
        let left = || run.worker.left() as u64 + run.posts_left_by(deadline);
        let done = run.gate.wait(Some(timeout), || (left() == 0).then_some(()));
        if done != Wait::Ready(()) {
            self.abandon(&run);
        }
        if let Some(poster) = &run.poster {
            poster.say_left(poster.close(), run.config.drain_timeout);
        }
        if let Some(channels) = &run.channels {
            let left = deadline.saturating_duration_since(Instant::now());
            let lost = channels.close(left);
            if lost > 0 {
                self.warn_unreceived(&run, lost, "they are lost");
            }
        }
        run.worker.process().outlet.saved_summary();
        let stuck = run.worker.stop();
        self.sum_up(&run);
        if stuck > 0 {
            gst::warning!(
                CAT,
                imp = self,
                "{stuck} threads are stuck in writing and left to themselves"
            );
        }
        // Without the lock: a thread is joined.
        let watch = lock(&self.watch).take();
        if let Some(watch) = watch {
            watch.end();
        }
    }

    fn sum_up(&self, run: &Run) {
        let counts = lock(&self.stats).total();
        gst::info!(CAT, imp = self, "{counts:?}");
        run.worker.process().outlet.sum_up(&counts);
    }

    fn abandon(&self, run: &Run) {
        run.give_up();
        // One warning names all.
        let mut parts = Vec::new();
        let mut code = gst::ResourceError::Write;
        let in_flight = run.channels.as_ref().map_or(0, |it| it.in_flight());
        if in_flight > 0 {
            let rules = run.config.channel.as_ref();
            let then = match rules.is_some_and(|rules| rules.is_shared) {
                true => "what they do not take until the element stops is lost",
                false => "they still can be",
            };
            parts.push(Self::unreceived(run, in_flight, then));
            code = gst::ResourceError::Busy;
        }
        let lost = run.worker.abandon();
        if let Some(poster) = &run.poster
            && let Some(left) = poster.words(poster.abandon(), run.config.drain_timeout)
        {
            parts.push(left);
            code = gst::ResourceError::Write;
        }
        if lost > 0 {
            parts.push(format!(
                "{lost} captures were not written within drain-timeout ({} ms) and are lost",
                run.config.drain_timeout.as_millis()
            ));
            code = gst::ResourceError::Write;
        }
        if !parts.is_empty() {
            Fault::resource(code, parts.join("; ")).post_warning(self.obj().upcast_ref());
        }
    }

    /// At the end, what a spool keeps need not be waited for.
    fn say_kept(&self, run: &Run) {
        if let Some(poster) = &run.poster {
            poster.say_left(poster.kept(), run.config.drain_timeout);
            poster.say_lost();
        }
    }

    /// Whether what comes is live. Asked anew after a second, as a source can become live.
    fn is_fed_live(&self) -> bool {
        if let Some((asked, live)) = *lock(&self.fed_live)
            && asked.elapsed() < ASK_AGAIN
        {
            return live;
        }
        let live = matches!(self.obj().query_latency(), Ok((_, true, _, _)));
        *lock(&self.fed_live) = Some((Instant::now(), live));
        live
    }

    /// What `overflow` means here and now.
    fn overflow(&self, run: &Run) -> Overflow {
        match run.config.overflow {
            Overflow::Auto if self.is_fed_live() => Overflow::DropOldest,
            Overflow::Auto => Overflow::Block,
            set => set,
        }
    }

    /// Waits on the streaming thread until `poll` has something, and also returns when the state
    /// has changed.
    fn wait(
        &self,
        run: &Run,
        limit: Option<Duration>,
        poll: impl FnMut() -> Option<()>,
    ) -> Result<Wait<()>, gst::FlowError> {
        // Asked with the preroll lock held: whoever calls `unlock()` takes it back with the lock.
        let unlocks = run.gate.unlocks();
        wait_unlocked(self, || {
            let waited = run.gate.wait_since(unlocks, limit, poll);
            if waited == Wait::Flushing {
                // Whoever called `unlock()` goes first.
                run.gate.wait_until_open();
            }
            waited
        })
    }

    fn submit(&self, run: &Run, mut job: Job) -> Result<(), gst::FlowError> {
        if let Some(poster) = &run.poster {
            poster.set_policy(self.overflow(run));
        }
        if let Some(channels) = &run.channels {
            let sent = self.send(run, channels, &job, |channel, parcel| {
                self.send_parcel(run, channel, parcel)
            });
            if !run.worker.process().is_needed() {
                return sent;
            }
            if sent.is_err() {
                job.ticket.settle(Fate::DroppedFlush);
                return sent;
            }
        }
        loop {
            job = match run.worker.submit(job) {
                Ok(()) => return Ok(()),
                Err(job) => job,
            };
            let dropped = match self.overflow(run) {
                Overflow::DropNewest => job,
                Overflow::DropOldest | Overflow::Auto => match run.worker.submit_over_oldest(job) {
                    Some(dropped) => dropped,
                    None => return Ok(()),
                },
                Overflow::Block => {
                    let room = || run.worker.has_room().then_some(());
                    if let Err(error) = self.wait(run, None, room) {
                        job.ticket.settle(Fate::DroppedFlush);
                        return Err(error);
                    }
                    continue;
                }
            };
            dropped.ticket.settle(Fate::DroppedOverflow);
            if run.config.overflow == Overflow::Auto {
                run.worker.process().outlet.say_full(run.config.queue_size);
            }
            if let Some(capture) = dropped.captures.last() {
                gst::debug!(
                    CAT,
                    imp = self,
                    "queue full: dropped frame {} of stream {}",
                    capture.facts.frame,
                    capture.facts.stream
                );
            }
            return Ok(());
        }
    }

    /// Submits what was held, whatever the room, and says what is new.
    fn submit_held(&self, run: &Run, rendered: Rendered) {
        for job in rendered.jobs {
            if let Some(channels) = &run.channels {
                // Refuses nothing.
                let _ = self.send(run, channels, &job, |channel, parcel| {
                    let _ = channel.hub().send(parcel, Full::Exceed);
                    Ok(())
                });
                if !run.worker.process().is_needed() {
                    continue;
                }
            }
            run.worker.submit_held(job);
        }
        self.say(run, &rendered.news);
    }

    /// What is written in parts becomes whole after what was submitted so far.
    fn submit_last(&self, run: &Run) {
        if let Some(job) = run.worker.process().last_job() {
            run.worker.submit_last(job);
        }
    }

    /// `max-captures` is reached, and nothing that belongs to them is still to come.
    fn end_after_max(&self, run: &Run) {
        if run.config.eos_after_max {
            if let Some(channels) = &run.channels {
                channels.end();
            }
            let submit = |job| run.worker.submit_last(job);
            run.worker
                .process()
                .end_after_last(submit, || run.worker.left());
            if let Some(poster) = &run.poster {
                poster.end_within(run.config.drain_timeout);
            }
        }
    }

    fn say(&self, run: &Run, news: &[Fault]) {
        for fault in news {
            run.worker.process().outlet.warn(fault);
        }
    }

    /// What muxers tell about their streams.
    fn stream_event(&self, run: &Run, event: &gst::EventRef) {
        if !nvevent::ends_stream(event) {
            return;
        }
        match nvevent::pad_index(event) {
            Some(pad_index) => {
                let rendered = run.end_streams(Some(pad_index));
                let exhausted = rendered.exhausted;
                self.submit_held(run, rendered);
                if let Some(channels) = &run.channels {
                    channels.end_pad(pad_index);
                }
                if exhausted {
                    // There may be no further buffer.
                    self.end_after_max(run);
                }
            }
            None => gst::warning!(CAT, imp = self, "no source-id in {event:?}"),
        }
    }

    fn request(&self, stream: i32) -> bool {
        let Some(run) = self.run() else {
            gst::warning!(
                CAT,
                imp = self,
                "capture asked for, but the element is not running"
            );
            return false;
        };
        match stream {
            -1 => run.request(None),
            0.. => run.request(Some(stream as u32)),
            _ => {
                gst::warning!(CAT, imp = self, "capture asked for of stream {stream}");
                return false;
            }
        }
        true
    }

    /// The event `dsframe-capture`, with or without a field `stream`.
    fn request_by(&self, event: &gst::StructureRef) {
        let stream = match event.get_optional::<i32>("stream") {
            Ok(stream) => stream.unwrap_or(-1),
            Err(_) => event
                .get::<u32>("stream")
                .ok()
                .and_then(|stream| stream.try_into().ok())
                // Refused and logged.
                .unwrap_or(i32::MIN),
        };
        self.request(stream);
    }

    fn running_time(&self) -> gst::ClockTime {
        self.obj().current_running_time().unwrap_or_default()
    }
}

#[glib::object_subclass]
impl ObjectSubclass for DsFrameCapture {
    const NAME: &'static str = "GstDsFrameCapture";
    type Type = super::DsFrameCapture;
    type ParentType = gst_base::BaseSink;

    fn class_init(class: &mut Self::Class) {
        override_wait_event::<Self>(class);
    }
}

impl ObjectImpl for DsFrameCapture {
    fn constructed(&self) {
        self.parent_constructed();
        let sink = self.obj();
        // Behind a tee or a dynamic source it must not hold up the others.
        sink.set_sync(false);
        sink.set_async(false);
        sink.set_qos(false);
        // Would keep a surface from its pool.
        sink.set_property("enable-last-sample", false);
        self.inherited.know(sink.upcast_ref(), &file::INHERITED);
    }

    fn properties() -> &'static [glib::ParamSpec] {
        &properties::PROPERTIES
    }

    fn signals() -> &'static [glib::subclass::Signal] {
        static SIGNALS: LazyLock<Vec<glib::subclass::Signal>> = LazyLock::new(|| {
            vec![
                /*
                 * dsframecapture::capture:
                 * @stream: a stream number, or -1 for every stream
                 *
                 * Captures the next frame, in any mode.
                 *
                 * Returns: whether the element is running and the number can be one
                 */
                glib::subclass::Signal::builder("capture")
                    .param_types([i32::static_type()])
                    .return_type::<bool>()
                    .action()
                    .class_handler(|args| {
                        let element = args[0].get::<super::DsFrameCapture>().ok()?;
                        let stream = args[1].get::<i32>().ok()?;
                        Some(element.imp().request(stream).to_value())
                    })
                    .build(),
            ]
        });
        &SIGNALS
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        if pspec.name() == "trigger" {
            if let Ok(stream) = value.get() {
                self.request(stream);
            }
            return;
        }
        lock(&self.given).set(pspec.name(), value);
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        let settings = lock(&self.given).settings.clone();
        let stats = lock(&self.stats).clone();
        properties::get(&settings, &stats, pspec.name())
            .unwrap_or_else(|| pspec.default_value().clone())
    }
}

impl GstObjectImpl for DsFrameCapture {}

impl ElementImpl for DsFrameCapture {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "DeepStream frame capture",
                "Sink/Video",
                "Captures frames by interval, by detections or on demand as pictures, crops, log \
                 lines and label files, to a server, or into channels, from GPU or system memory, without holding up the pipeline",
                "The gst-plugin-dsframe authors",
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let caps = caps::sink_template();
            // Cannot be refused: one always-present pad of well-formed caps.
            gst::PadTemplate::new(
                "sink",
                gst::PadDirection::Sink,
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
        // Not in start() and stop(): those run between NULL and READY, and a property set in
        // READY is to have its effect.
        // Before the parent class takes the preroll lock, by which it sets what is to wait.
        let begins = transition == gst::StateChange::ReadyToPaused;
        let preroll = if begins { FIRST } else { IDLE };
        self.preroll.store(preroll, Ordering::SeqCst);
        if transition == gst::StateChange::ReadyToPaused {
            self.start_run().map_err(|error| {
                error.post_error(self.obj().upcast_ref());
                gst::StateChangeError
            })?;
        }
        let changed = self.parent_change_state(transition);
        if transition == gst::StateChange::PausedToReady
            || (transition == gst::StateChange::ReadyToPaused && changed.is_err())
        {
            self.stop_run();
        }
        if transition == gst::StateChange::PausedToPlaying
            && changed.is_ok()
            && let Some(run) = self.run()
        {
            run.worker.process().repeat_eos();
        }
        changed
    }
}

impl BaseSinkImpl for DsFrameCapture {
    fn caps(&self, filter: Option<&gst::Caps>) -> Option<gst::Caps> {
        if !nvmm::disabled() {
            return self.parent_caps(filter);
        }
        let caps: gst::Caps = caps::sink_template()
            .iter_with_features()
            .filter(|(_, features)| !features.contains(nvmm::CAPS_FEATURE))
            .map(|(structure, features)| (structure.to_owned(), features.to_owned()))
            .collect();
        Some(filter.map_or(caps.clone(), |filter| {
            filter.intersect_with_mode(&caps, gst::CapsIntersectMode::First)
        }))
    }

    fn set_caps(&self, given: &gst::Caps) -> Result<(), gst::LoggableError> {
        let info = VideoInfo::from_caps(given)
            .map_err(|_| gst::loggable_error!(CAT, "not video caps: {given}"))?;
        let memory = caps::Memory::of(given);
        let run = self
            .run()
            .ok_or_else(|| gst::loggable_error!(CAT, "not running"))?;
        if run.config.channel.as_ref().is_some_and(|it| it.is_shared)
            && let Err(reason) = can_share(&info)
        {
            let text = format!("property \"channel\": {reason}");
            Fault::stream(gst::StreamError::Format, &text).post_error(self.obj().upcast_ref());
            return Err(gst::loggable_error!(CAT, "{text}"));
        }
        run.set_caps(info, memory).map_err(|error| {
            Fault::stream(gst::StreamError::Format, &error).post_error(self.obj().upcast_ref());
            gst::loggable_error!(CAT, "{error}")
        })
    }

    fn propose_allocation(
        &self,
        query: &mut gst::query::Allocation,
    ) -> Result<(), gst::LoggableError> {
        // Rows are read by the strides that the buffers say they have.
        query.add_allocation_meta::<VideoMeta>(None);
        let is_shared = self.run().is_some_and(|run| {
            let channel = run.config.channel.as_ref();
            channel.is_some_and(|channel| channel.is_shared)
        });
        let (caps, needs_pool) = query.get_owned();
        if let Some(caps) = caps.filter(|_| is_shared && needs_pool)
            && caps::Memory::of(&caps) == caps::Memory::System
            && let Ok(info) = VideoInfo::from_caps(&caps)
        {
            // What upstream draws there need not be copied for other processes.
            let pool = ShmPool::new(&info).map_err(|error| gst::loggable_error!(CAT, "{error}"))?;
            query.add_allocation_pool(Some(&pool), info.size() as u32, 0, 0);
        }
        Ok(())
    }

    fn event(&self, event: gst::Event) -> bool {
        if let Some(run) = self.run() {
            match event.view() {
                gst::EventView::Segment(segment) => run.set_segment(segment.segment()),
                gst::EventView::FlushStop(_) => run.flush(),
                gst::EventView::Other(_) => self.stream_event(&run, &event),
                gst::EventView::CustomDownstream(_) | gst::EventView::CustomDownstreamOob(_) => {
                    if let Some(request) =
                        event.structure().filter(|s| s.name() == "dsframe-capture")
                    {
                        self.request_by(request);
                    }
                }
                _ => (),
            }
        }
        let is_segment = event.type_() == gst::EventType::Segment;
        let handled = self.parent_event(event);
        if is_segment {
            self.pass_preroll();
        }
        handled
    }

    fn unlock(&self) -> Result<(), gst::ErrorMessage> {
        let mut unlocks = lock(&self.unlocks);
        *unlocks += 1;
        self.gate.set_flushing(true);
        Ok(())
    }

    fn unlock_stop(&self) -> Result<(), gst::ErrorMessage> {
        let mut unlocks = lock(&self.unlocks);
        *unlocks = unlocks.saturating_sub(1);
        if *unlocks == 0 {
            self.gate.set_flushing(false);
        }
        Ok(())
    }

    fn render(&self, buffer: &gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        let flow = self.render_buffer(buffer);
        self.stop_passing();
        flow
    }
}

impl DsFrameCapture {
    /// Behind a `tee` and without a queue, a sink that keeps its first buffer until PLAYING keeps
    /// it from the other branches too, and if one of those waits for it before it goes to PLAYING,
    /// nothing ever moves. Who has nothing to show in PAUSED need not keep it: one buffer passes.
    ///
    /// With the preroll lock held, before that buffer.
    fn pass_preroll(&self) {
        let sink = self.obj();
        let passes = !sink.is_async() && !sink.is_sync();
        if self.leave_preroll(FIRST, if passes { PASSING } else { IDLE }) && passes {
            set_needs_preroll(self, false);
        }
    }

    /// With the preroll lock held: whatever comes next waits for PLAYING.
    fn stop_passing(&self) {
        // Unless the state has changed meanwhile, and with it what is to wait.
        if self.leave_preroll(PASSING, IDLE) {
            set_needs_preroll(self, true);
        }
    }

    fn leave_preroll(&self, from: u8, to: u8) -> bool {
        self.preroll
            .compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok()
    }

    fn render_buffer(&self, buffer: &gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        let Some(run) = self.run() else {
            return Err(gst::FlowError::Flushing);
        };
        if run.worker.process().has_failed() {
            return Err(gst::FlowError::Error);
        }
        // Asked before anything is locked, as it may ask upstream.
        let drops = run.is_any_unheard() && self.overflow(&run) != Overflow::Block;
        let rendered = run.render(buffer, || self.running_time(), drops);
        self.say(&run, &rendered.news);
        let mut outcome = Ok(());
        for job in rendered.jobs {
            if outcome.is_err() {
                job.ticket.settle(Fate::DroppedFlush);
            } else {
                outcome = self.submit(&run, job);
            }
        }
        for error in &rendered.unreadable {
            run.worker.process().report(error.into());
        }
        if let Some(fault) = rendered.full {
            run.worker.process().stop_for(fault);
        }
        if run.worker.process().has_failed() {
            return Err(gst::FlowError::Error);
        }
        if let Some(error) = rendered.error {
            Fault::from(&error).post_error(self.obj().upcast_ref());
            return Err(gst::FlowError::Error);
        }
        if rendered.exhausted {
            self.end_after_max(&run);
        }
        outcome.map(|()| gst::FlowSuccess::Ok)
    }
}

impl WaitEvent for DsFrameCapture {
    fn wait_event(&self, event: &gst::Event) -> Result<gst::FlowSuccess, gst::FlowError> {
        self.stop_passing();
        parent_wait_event(self, event)?;
        let Some(run) = self.run().filter(|_| event.type_() == gst::EventType::Eos) else {
            return Ok(gst::FlowSuccess::Ok);
        };
        self.submit_held(&run, run.end_streams(None));
        self.submit_last(&run);
        if let Some(channels) = &run.channels {
            channels.end();
        }
        let deadline = Instant::now() + run.config.drain_timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let done = || (run.left_by(deadline) == 0).then_some(());
            match self.wait(&run, Some(left), done)? {
                Wait::Ready(()) => {
                    self.say_kept(&run);
                    break;
                }
                Wait::TimedOut => {
                    self.abandon(&run);
                    break;
                }
                Wait::Flushing => (),
            }
        }
        // Paused meanwhile, perhaps: EOS is for PLAYING.
        parent_wait_event(self, event)?;
        run.worker.process().outlet.saved_summary();
        self.sum_up(&run);
        if run.worker.process().has_failed() {
            return Err(gst::FlowError::Error);
        }
        Ok(gst::FlowSuccess::Ok)
    }
}
