// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Frames from a named channel: what another pipeline captured.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gst_video::VideoInfo;

use super::{
    Facts, Fetched, Next, Opened, Picture, Provenance, Rate, Source, SourceError, Surroundings,
    Target,
};
use crate::channel::{self, Access, Address, Count, Item, Parcel, ReadOptions, Receive};
use crate::frame::Snapshot;
use crate::gate::Wait;

/// How long there may be no producer before that is said.
const PATIENCE: Duration = Duration::from_secs(2);
/// ns. Frames that are out of order differ by less.
const STEP_BACK: u64 = 1_000_000_000;
/// No time is later: sums of times stay times.
const LATEST: u64 = i64::MAX as u64;
/// Sources whose times are remembered.
const MAX_STREAMS: usize = 1024;

/// Which channel, and how it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    pub address: Address,
    pub access: Access,
    /// A frame's time is when it comes.
    pub live: bool,
}

type Received = Result<Option<Parcel>, SourceError>;

/// The reading end, and what is said while there is nothing to read.
struct Inlet {
    options: Options,
    surroundings: Surroundings,
    /// Until the end.
    receiver: Option<Box<dyn Receive>>,
    /// Since when there has been no producer, and nobody was told.
    alone: Option<Instant>,
    said_alone: bool,
}

impl Inlet {
    /// The next frame; `None` after the last.
    fn next(&mut self, limit: Option<Duration>) -> Wait<Received> {
        let begun = Instant::now();
        loop {
            let left = limit.map(|limit| limit.saturating_sub(begun.elapsed()));
            let turn = match self.say_alone() {
                None => left,
                Some(patience) => Some(left.map_or(patience, |left| left.min(patience))),
            };
            let Some(receiver) = &mut self.receiver else {
                return Wait::Ready(Ok(None));
            };
            let gate = &self.surroundings.gate;
            match gate.wait(turn, || receiver.has_next().then_some(())) {
                Wait::Ready(()) => (),
                Wait::Flushing => return Wait::Flushing,
                Wait::TimedOut if left.is_some_and(|left| Some(left) == turn) => {
                    return Wait::TimedOut;
                }
                Wait::TimedOut => continue,
            }
            match receiver.poll() {
                None => (),
                Some(Item::Frame(parcel)) => {
                    self.alone = None;
                    self.said_alone = false;
                    return Wait::Ready(Ok(Some(owned(parcel))));
                }
                Some(Item::Stopped) => {
                    let name = self.name();
                    gst::info!(gst::CAT_RUST, "the producer of channel {name} stopped");
                }
                Some(Item::End) => self.receiver = None,
                Some(Item::Broken(reason)) => {
                    self.receiver = None;
                    return Wait::Ready(Err(SourceError::BadStream {
                        what: format!("channel {}", self.name()),
                        reason,
                    }));
                }
            }
        }
    }

    fn name(&self) -> &Address {
        &self.options.address
    }

    /// Says once that there is no producer, when that has lasted. Returns how long to wait until
    /// then.
    fn say_alone(&mut self) -> Option<Duration> {
        if self.said_alone || self.receiver.as_ref().is_none_or(|it| it.has_producer()) {
            self.alone = None;
            return None;
        }
        let since = self.alone.get_or_insert_with(Instant::now).elapsed();
        if since < PATIENCE {
            return Some(PATIENCE - since);
        }
        self.said_alone = true;
        self.surroundings.report.warn(SourceError::NotFound {
            what: format!("channel {}", self.name()),
            reason: self.why_alone(),
        });
        None
    }
}

impl Inlet {
    fn why_alone(&self) -> String {
        let hint = match self.name() {
            Address::InProcess(name) => format!(
                "dsframecapture channel={name} in this process; between processes both take \
                 channel=unix:/path"
            ),
            Address::Unix(path) => {
                let folder = path
                    .parent()
                    .filter(|folder| !folder.as_os_str().is_empty());
                match folder.filter(|folder| !folder.exists()) {
                    Some(folder) => format!("there is no folder {}", folder.display()),
                    None => format!("dsframecapture channel=unix:{}", path.display()),
                }
            }
        };
        format!("has no producer ({hint}): waiting for one")
    }
}

/// Other readers may have it too.
fn owned(parcel: Arc<Parcel>) -> Parcel {
    Arc::try_unwrap(parcel).unwrap_or_else(|shared| shared.share())
}

/// A channel that no frame has come out of yet.
pub struct Pending(Option<Inlet>);

impl Pending {
    /// Frames that are sent from now on will be read.
    pub fn open(options: Options, surroundings: Surroundings) -> Result<Self, SourceError> {
        let gate = surroundings.gate.clone();
        let access = options.access;
        let card = surroundings.card;
        let receiver = channel::read(&options.address, ReadOptions { access, card }, gate);
        let receiver = receiver.map_err(|error| SourceError::Open {
            what: format!("channel {}", options.address),
            reason: error.to_string(),
        })?;
        Ok(Self(Some(Inlet {
            options,
            surroundings,
            receiver: Some(receiver),
            alone: None,
            said_alone: false,
        })))
    }

    /// What becomes of the frames, to be asked from any thread.
    pub fn counter(&self) -> Option<Arc<dyn Count>> {
        let receiver = self.0.as_ref()?.receiver.as_ref()?;
        Some(receiver.counter())
    }

    /// Waits for the first frame. `None`: the channel ended before it.
    pub fn wait(&mut self, limit: Option<Duration>) -> Wait<Option<Opened>> {
        let Some(inlet) = &mut self.0 else {
            return Wait::Ready(None);
        };
        match inlet.next(limit) {
            Wait::Ready(Ok(Some(first))) => {
                let source = self.0.take().map(|inlet| Channel::new(inlet, first));
                Wait::Ready(source.map(|source| Ok(Box::new(source) as Box<dyn Source>)))
            }
            Wait::Ready(Ok(None)) => Wait::Ready(None),
            Wait::Ready(Err(error)) => Wait::Ready(Some(Err(error))),
            Wait::Flushing => Wait::Flushing,
            Wait::TimedOut => Wait::TimedOut,
        }
    }
}

/// The source that a channel becomes with its first frame.
struct Channel {
    inlet: Inlet,
    facts: Facts,
    /// Came, and is not handed out yet.
    next: Option<Parcel>,
    clock: Clock,
}

impl Channel {
    fn new(inlet: Inlet, first: Parcel) -> Self {
        Self {
            facts: facts(first.info(), inlet.options.live),
            clock: Clock::new(first.session),
            inlet,
            next: Some(first),
        }
    }
}

fn facts(info: &VideoInfo, live: bool) -> Facts {
    Facts {
        native: Some(info.clone()),
        rate: Rate::Fixed(info.fps()),
        frames: None,
        duration: None,
        seekable: false,
        own_timestamps: true,
        live,
    }
}

/// Where the planes lie is not looked at.
fn is_alike(info: &VideoInfo, other: &VideoInfo) -> bool {
    let of = |info: &VideoInfo| {
        let size = (info.width(), info.height());
        let fields = (info.interlace_mode(), info.colorimetry());
        (info.format(), size, info.fps(), info.par(), fields)
    };
    of(info) == of(other)
}

impl Source for Channel {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn set_target(&mut self, _target: &Target) -> Result<(), SourceError> {
        // Frames come as they are, and are converted when they are pushed.
        Ok(())
    }

    fn next(&mut self, limit: Option<Duration>) -> Result<Next, SourceError> {
        let parcel = match self.next.take() {
            Some(parcel) => parcel,
            None => match self.inlet.next(limit) {
                Wait::Ready(Ok(Some(parcel))) => parcel,
                Wait::Ready(Ok(None)) => return Ok(Next::End),
                Wait::Ready(Err(error)) => return Err(error),
                Wait::Flushing => return Ok(Next::Flushing),
                Wait::TimedOut => return Ok(Next::TimedOut),
            },
        };
        let native = self.facts.native.as_ref();
        if !native.is_some_and(|native| is_alike(native, parcel.info())) {
            self.facts = facts(parcel.info(), self.facts.live);
            self.next = Some(parcel);
            return Ok(Next::Changed);
        }
        let size = (parcel.info().width(), parcel.info().height());
        let (session, since) = (parcel.session, parcel.since);
        let (picture, mut facts) = parcel.into_parts();
        let (pts, discont) = self.clock.place(&facts, session);
        Ok(Next::Frame(Fetched {
            picture: match picture {
                Snapshot::Host(frame) => Picture::Ready(frame),
                Snapshot::Card(frame) => Picture::Card(frame),
            },
            pts: pts.map(gst::ClockTime::from_nseconds),
            duration: facts
                .duration
                .map(|ns| gst::ClockTime::from_nseconds(ns.min(LATEST))),
            number: None,
            detections: std::mem::take(&mut facts.meta.detections),
            boxes_of: Some(size),
            provenance: Some(Box::new(Provenance {
                meta: facts.meta,
                pts: facts.pts,
                since,
                discont,
            })),
        }))
    }

    fn repeated(&mut self, until: gst::ClockTime) {
        self.clock.repeated = Some(until.nseconds());
    }

    fn seek(&mut self, _frame: u64, _time: gst::ClockTime) -> Result<(), SourceError> {
        Ok(())
    }
}

/// Times that go on rising when the producer starts again.
#[derive(Debug)]
struct Clock {
    session: u64,
    /// By source id: those of a batch may count from different times.
    streams: BTreeMap<u32, Timeline>,
    /// Until when the last frame was repeated.
    repeated: Option<u64>,
}

#[derive(Debug, Default)]
struct Timeline {
    shift: u64,
    /// Of the last frame.
    pts: u64,
    /// Where it ended.
    end: u64,
}

impl Clock {
    fn new(session: u64) -> Self {
        Self {
            session,
            streams: BTreeMap::new(),
            repeated: None,
        }
    }

    /// The time of a frame, and whether it does not follow the one before it.
    fn place(&mut self, facts: &channel::Facts, session: u64) -> (Option<u64>, bool) {
        let is_new = std::mem::replace(&mut self.session, session) != session;
        let mut is_break = facts.discont || is_new;
        if is_new {
            self.streams.values_mut().for_each(|it| it.shift = 0);
        }
        let Some(own) = facts.pts else {
            return (None, is_break);
        };
        if self.streams.len() >= MAX_STREAMS {
            self.streams.clear();
        }
        let line = self.streams.entry(facts.meta.source_id).or_default();
        // It is to come after what was, whole.
        let mut is_follow = is_new;
        if let Some(repeated) = self.repeated.take() {
            line.end = line.end.max(repeated);
            is_follow = true;
            is_break = true;
        }
        let mut pts = own.saturating_add(line.shift).min(LATEST);
        let least = match (is_follow, is_break) {
            (true, _) => line.end,
            (false, true) => line.pts,
            (false, false) => line.end.saturating_sub(STEP_BACK),
        };
        if pts < least {
            line.shift += line.end - pts;
            pts = line.end;
            is_break = true;
        }
        line.pts = pts;
        line.end = pts.saturating_add(facts.duration.unwrap_or(0)).min(LATEST);
        (Some(pts), is_break)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames of a second, by session, source and their own time.
    fn place(clock: &mut Clock, session: u64, source: u32, own: u64) -> (u64, bool) {
        let mut facts = channel::Facts {
            pts: Some(own * STEP_BACK),
            duration: Some(STEP_BACK),
            ..channel::Facts::default()
        };
        facts.meta.source_id = source;
        let (pts, discont) = clock.place(&facts, session);
        (pts.unwrap() / STEP_BACK, discont)
    }

    #[test]
    fn times_rise_over_restarts_of_the_producer() {
        let mut clock = Clock::new(1);
        assert_eq!(place(&mut clock, 1, 0, 10), (10, false));
        assert_eq!(place(&mut clock, 1, 0, 11), (11, false));
        // Out of order by no more than they may be.
        assert_eq!(place(&mut clock, 1, 0, 11), (11, false));
        // A new run begins at 0, and so does one that was sought in.
        assert_eq!(place(&mut clock, 2, 0, 0), (12, true));
        assert_eq!(place(&mut clock, 2, 0, 1), (13, false));
        assert_eq!(place(&mut clock, 2, 0, 2), (14, false));
        assert_eq!(place(&mut clock, 2, 0, 0), (15, true));
        // A run that begins later keeps its times.
        assert_eq!(place(&mut clock, 3, 0, 20), (20, true));
    }

    #[test]
    fn sources_of_a_batch_have_times_of_their_own() {
        let mut clock = Clock::new(1);
        for own in 0..20 {
            assert_eq!(place(&mut clock, 1, 0, 100 + own), (100 + own, false));
            assert_eq!(place(&mut clock, 1, 1, own), (own, false));
        }
    }

    #[test]
    fn frames_follow_those_that_were_repeated_meanwhile() {
        let mut clock = Clock::new(1);
        assert_eq!(place(&mut clock, 1, 0, 5), (5, false));
        clock.repeated = Some(9 * STEP_BACK);
        assert_eq!(place(&mut clock, 1, 0, 6), (9, true));
        assert_eq!(place(&mut clock, 1, 0, 7), (10, false));
    }

    #[test]
    fn a_new_timeline_does_not_fall_back_at_all() {
        let mut clock = Clock::new(1);
        assert_eq!(place(&mut clock, 1, 0, 5), (5, false));
        let facts = channel::Facts {
            pts: Some(5 * STEP_BACK - STEP_BACK / 2),
            discont: true,
            ..channel::Facts::default()
        };
        assert_eq!(clock.place(&facts, 1), (Some(6 * STEP_BACK), true));
        // One that goes on is left alone, also where the frame before it was said to last longer.
        let facts = channel::Facts {
            pts: Some(5 * STEP_BACK),
            ..facts
        };
        assert_eq!(
            clock.place(&facts, 1),
            (Some(6 * STEP_BACK + STEP_BACK / 2), true)
        );
    }

    #[test]
    fn times_of_any_size_are_times() {
        let mut clock = Clock::new(1);
        for (pts, duration) in [(5, u64::MAX), (0, 1), (u64::MAX, u64::MAX), (1, 1)] {
            for discont in [false, true] {
                let facts = channel::Facts {
                    pts: Some(pts),
                    duration: Some(duration),
                    discont,
                    ..channel::Facts::default()
                };
                let (pts, _) = clock.place(&facts, 1);
                assert!(pts.unwrap() <= LATEST);
            }
        }
    }
}
