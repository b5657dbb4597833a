// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Which frames are captured, and why. Pure: no GStreamer, no clock, no I/O.

mod best;
mod book;
mod condition;
mod filter;
mod held;
mod rolls;
mod rules;
mod tracks;

use std::collections::BTreeMap;

use crate::meta::Detection;

use best::{BestFrames, Final, Offer};
use book::Place;
use held::{Budget, Held};
use rolls::{PostRoll, PreRoll};
use tracks::Tracks;

pub use book::RuleBook;
pub use condition::{Condition, MAX_LENGTH, MAX_OBJECTS};
pub use filter::{Classes, Filter, Roi, Size};
pub use rules::{Dedupe, Every, Roll, Rules, StreamList, When};

/// A step back of stream time by more than this starts the timers anew; less is reordering.
const STEP_BACK: u64 = 1_000_000_000;

/// What the decision about one frame is made from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FrameFacts<'a> {
    pub stream: u32,
    /// Of the frame, within its stream.
    pub frame: u64,
    /// Stream time in ns.
    pub time: u64,
    /// A GAP or CORRUPTED buffer: nobody wants this picture unless asked for by hand.
    pub damaged: bool,
    /// Width and height in pixels of the picture that the boxes are on.
    pub size: (u32, u32),
    pub detections: &'a [Detection],
}

/// Why a frame was captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    Interval,
    Metadata,
    Manual,
    /// Came before one that was captured.
    Pre,
    /// Came after one that was captured.
    Post,
    /// The best of an object.
    Best,
}

impl Reason {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Interval => "interval",
            Self::Metadata => "metadata",
            Self::Manual => "manual",
            Self::Pre => "pre",
            Self::Post => "post",
            Self::Best => "best",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    Skip,
    /// May be wanted later: to be given to [`Selector::hold`]. Not doing so gives it up.
    Hold,
    /// To be captured, after what [`Selector::pre_roll`] gives.
    Take(Reason),
}

/// A frame that was held and is to be captured, with the detections that it is the best of.
#[derive(Debug, PartialEq, Eq)]
pub struct Best<H> {
    pub stream: u32,
    pub frame: H,
    pub matches: Vec<usize>,
}

/// What is to be done with a frame that may be held.
#[derive(Debug)]
struct Pending {
    position: u64,
    time: u64,
    /// The tracks that it is the best of so far, if those are looked for.
    offer: Option<Offer>,
}

#[derive(Debug)]
struct StreamState<H> {
    rules: Place,
    /// Frames seen.
    frames: u64,
    /// Frames that the interval has counted.
    counted: u64,
    last_time: Option<u64>,
    /// When `interval-time` is up; `None` before the first frame.
    due: Option<u64>,
    /// Asked for by hand.
    requested: bool,
    /// The last capture by metadata.
    captured: Option<u64>,
    /// Those that were captured.
    tracks: Tracks,
    best: BestFrames<H>,
    pending: Option<Pending>,
    pre_roll: PreRoll<H>,
    /// Of the frame that was just taken.
    before: Vec<Held<H>>,
    post_roll: PostRoll,
}

impl<H> StreamState<H> {
    fn new(rules: Place) -> Self {
        Self {
            rules,
            frames: 0,
            counted: 0,
            last_time: None,
            due: None,
            requested: false,
            captured: None,
            tracks: Tracks::default(),
            best: BestFrames::default(),
            pending: None,
            pre_roll: PreRoll::default(),
            before: Vec::new(),
            post_roll: PostRoll::default(),
        }
    }
}

/// What was noticed, to be said once.
#[derive(Debug, Default)]
struct Notes {
    untracked: bool,
    said_untracked: bool,
    roi_outside: Option<String>,
    said_roi_outside: bool,
    condition_error: Option<String>,
    condition_errors: u64,
}

/// Decides frame by frame, in the order of the buffers. `H` is what holds a frame.
#[derive(Debug)]
pub struct Selector<H> {
    rules: RuleBook,
    needs_detections: bool,
    streams: BTreeMap<u32, StreamState<H>>,
    /// `-1` was asked for: every stream, as soon as the next buffer tells which there are.
    all_requested: bool,
    /// Triggered.
    taken: u64,
    budget: Budget,
    /// With the bytes of each.
    ready: Vec<(Best<H>, u64)>,
    notes: Notes,
    /// The places of the detections that pass, of the frame that is decided on.
    passing: Vec<usize>,
}

impl<H> Selector<H> {
    pub fn new(rules: impl Into<RuleBook>) -> Self {
        let rules: RuleBook = rules.into();
        let needs_detections = rules
            .all()
            .any(|rules| rules.when.by_metadata() || rules.pre_roll != Roll::None);
        Self {
            needs_detections,
            streams: BTreeMap::new(),
            all_requested: false,
            taken: 0,
            budget: Budget::new(rules.common().roll_max_bytes),
            ready: Vec::new(),
            notes: Notes::default(),
            passing: Vec::new(),
            rules,
        }
    }

    /// Asks for the next frame of a stream, or of each (`None`).
    pub fn request(&mut self, stream: Option<u32>) {
        match stream {
            Some(stream) => self.state(stream).requested = true,
            None => self.all_requested = true,
        }
    }

    fn state(&mut self, stream: u32) -> &mut StreamState<H> {
        let rules = &self.rules;
        self.streams
            .entry(stream)
            .or_insert_with(|| StreamState::new(rules.place(stream)))
    }

    /// Before the frames of a buffer: which streams they are of.
    pub fn begin(&mut self, streams: impl IntoIterator<Item = u32>) {
        if !self.all_requested {
            return;
        }
        self.all_requested = false;
        for stream in streams {
            self.state(stream);
        }
        for state in self.streams.values_mut() {
            state.requested = true;
        }
    }

    /// Whether nothing more will be taken: `max-captures` is reached, what follows the last
    /// triggers is complete, and nothing is left in [`Self::ready`].
    pub fn is_exhausted(&self) -> bool {
        self.is_full()
            && self.ready.is_empty()
            && self.streams.values().all(|state| state.post_roll.is_over())
    }

    /// Whether there are as many triggers as there may be.
    fn is_full(&self) -> bool {
        is_full(self.rules.common(), self.taken)
    }

    /// Timestamps start anew (a flush). What is held is let go.
    pub fn restart_timers(&mut self) {
        for state in self.streams.values_mut() {
            state.clear(&mut self.budget);
            state.restart_timers();
            state.last_time = None;
        }
        for (best, bytes) in self.ready.drain(..) {
            self.budget.release(bytes);
            drop(best);
        }
    }

    /// Decides on a frame. To be called for each, in their order; see [`Decision`] for what the
    /// caller does next.
    pub fn decide(&mut self, facts: &FrameFacts<'_>) -> Decision {
        let Self {
            rules,
            streams,
            taken,
            budget,
            ready,
            notes,
            passing,
            ..
        } = self;
        let state = streams
            .entry(facts.stream)
            .or_insert_with(|| StreamState::new(rules.place(facts.stream)));
        // Where they are is kept: of most frames, nothing else is asked.
        let rules = rules.at(state.rules);
        state.forget_unclaimed(budget);
        let stepped_back = state
            .last_time
            .is_some_and(|last| facts.time.saturating_add(STEP_BACK) < last);
        if stepped_back {
            state.best.finish(budget);
            emit(rules, facts.stream, state, taken, budget, ready);
            state.pre_roll.clear(budget);
            state.restart_timers();
        }
        state.last_time = Some(facts.time);
        let position = state.frames;
        state.frames += 1;
        state
            .pre_roll
            .trim(rules.pre_roll, position, facts.time, budget);
        if let Dedupe::Best(window) = rules.dedupe {
            state.best.expire(facts.time, window.get(), budget);
            emit(rules, facts.stream, state, taken, budget, ready);
        }
        let covered = !facts.damaged && rules.covers(facts);
        let follows = covered && state.post_roll.covers(position, facts.time);
        state.post_roll.pass(position, facts.time);
        if is_full(rules, *taken) {
            self.let_go_if_full();
            return match follows {
                true => Decision::Take(Reason::Post),
                false => Decision::Skip,
            };
        }
        let manual = std::mem::take(&mut state.requested);
        if !covered && !manual {
            return Decision::Skip;
        }
        let mut reason = manual.then_some(Reason::Manual);
        if covered && let When::Interval(every) | When::Either(every) = rules.when {
            let due = state.is_due(every, facts.time);
            reason = reason.or(due.then_some(Reason::Interval));
        }
        let mut offer = None;
        if covered && !manual && rules.when.by_metadata() {
            rules.filter.apply(facts, passing);
            if passing.is_empty() {
                notes.look_for_roi(rules, facts);
            }
            if rules.counts(passing.len()) && notes.condition_holds(rules, facts, passing) {
                let by_metadata = match rules.dedupe {
                    Dedupe::Best(_) => {
                        offer = Some(state.look(facts, passing, budget));
                        let untracked = has_untracked(facts, passing);
                        notes.untracked |= untracked;
                        untracked && state.best.is_cool(facts.time, rules.cooldown)
                    }
                    _ => state.matches(rules, facts, passing, notes),
                };
                if by_metadata {
                    reason = Some(match rules.dedupe {
                        Dedupe::Best(_) => Reason::Best,
                        _ => Reason::Metadata,
                    });
                }
            }
        }
        let offer = offer.filter(|offer| !offer.is_empty());
        let Some(reason) = reason else {
            if follows {
                return Decision::Take(Reason::Post);
            }
            if offer.is_some() || (covered && rules.pre_roll != Roll::None) {
                state.pending = Some(Pending {
                    position,
                    time: facts.time,
                    offer,
                });
                return Decision::Hold;
            }
            return Decision::Skip;
        };
        match reason {
            Reason::Metadata => state.captured = Some(facts.time),
            Reason::Best => state.set_captured(rules, facts.time),
            _ => {}
        }
        if let Some(offer) = offer {
            // It is as good as any other way to capture their best frame.
            state.best.give_up(&offer, budget);
            state.best.accept(offer, position, None);
        }
        *taken += 1;
        state.before = state
            .pre_roll
            .take(rules.pre_roll, position, facts.time, budget);
        state.post_roll.start(rules.post_roll, position, facts.time);
        self.let_go_if_full();
        Decision::Take(reason)
    }

    /// Nothing that is held for later triggers will be wanted any more.
    fn let_go_if_full(&mut self) {
        if self.is_full() {
            for state in self.streams.values_mut() {
                state.best.clear(&mut self.budget);
                state.pre_roll.clear(&mut self.budget);
            }
        }
    }

    /// The places in a frame's list of the detections that pass the filter, whatever the frame is
    /// captured for. It need not be the one that was decided on last.
    pub fn matches(&mut self, facts: &FrameFacts<'_>) -> Vec<usize> {
        let mut matches = Vec::new();
        let rules = self.rules.of(facts.stream);
        rules.filter.apply(facts, &mut matches);
        if matches.is_empty() {
            self.notes.look_for_roi(rules, facts);
        }
        matches
    }

    /// Whether the detections of every frame are needed: for the decisions on some stream, or as
    /// every frame may be held. If not, [`FrameFacts::detections`] may be empty, the matches of what is taken come from
    /// [`Self::matches`] once they are known, and there is nothing to do between two decisions.
    pub fn needs_detections(&self) -> bool {
        self.needs_detections
    }

    /// Takes the frame that [`Self::decide`] just said [`Decision::Hold`] to. `bytes` are those of
    /// its pixels. It is dropped at once if there is no room for it.
    pub fn hold(&mut self, stream: u32, frame: H, bytes: u64) {
        let Some(state) = self.streams.get_mut(&stream) else {
            return;
        };
        let Some(pending) = state.pending.take() else {
            return;
        };
        if !self.budget.has_room(bytes) {
            // Nothing is given up for a frame that there will be no room for.
            let offer = pending.offer.as_ref();
            let promised = offer.map_or(0, |offer| state.best.promised_by(offer));
            if !self.budget.could_have_room(bytes, promised) {
                self.budget.shortened = true;
                return;
            }
        }
        let (position, time) = (pending.position, pending.time);
        let rules = self.rules.at(state.rules);
        match &pending.offer {
            Some(offer) => {
                state.best.give_up(offer, &mut self.budget);
                // Its last track may have found a better one: that one.
                emit(
                    rules,
                    stream,
                    state,
                    &mut self.taken,
                    &mut self.budget,
                    &mut self.ready,
                );
                if self.is_full() {
                    self.let_go_if_full();
                    return;
                }
            }
            // Later triggers are later by one frame at least.
            None => state.pre_roll.trim(
                rules.pre_roll,
                position.saturating_add(1),
                time,
                &mut self.budget,
            ),
        }
        while !self.budget.has_room(bytes) {
            self.budget.shortened = true;
            if !self.drop_oldest() {
                return;
            }
        }
        let held = self.budget.hold(frame, (stream, position), time, bytes);
        if let Some(state) = self.streams.get_mut(&stream) {
            match pending.offer {
                Some(offer) => state.best.accept(offer, position, Some(held)),
                None => state.pre_roll.push(held),
            }
        }
    }

    /// Lets go of the oldest frame of all streams that is held for later.
    fn drop_oldest(&mut self) -> bool {
        let Some((stream, position)) = self.budget.oldest() else {
            return false;
        };
        let Some(state) = self.streams.get_mut(&stream) else {
            return false;
        };
        if state.pre_roll.oldest() == Some(position) {
            state.pre_roll.drop_oldest(&mut self.budget)
        } else {
            state.best.drop_at(position, &mut self.budget)
        }
    }

    /// The frames to capture before the one that is taken now, oldest first.
    pub fn pre_roll(&mut self, stream: u32) -> Vec<H> {
        let Some(state) = self.streams.get_mut(&stream) else {
            return Vec::new();
        };
        let before = std::mem::take(&mut state.before);
        before
            .into_iter()
            .map(|held| self.budget.take(held))
            .collect()
    }

    /// Frames that were held and are decided now, in the order of their decisions.
    pub fn ready(&mut self) -> Vec<Best<H>> {
        self.ready
            .drain(..)
            .map(|(best, bytes)| {
                self.budget.release(bytes);
                best
            })
            .collect()
    }

    /// A stream is over: what is held of it is decided, and nothing is kept but a request for its
    /// next frame. It may come back, as a new one with its own intervals and tracks: a pipeline may
    /// add and remove cameras for months.
    pub fn end_stream(&mut self, stream: u32) {
        let Some(mut state) = self.streams.remove(&stream) else {
            return;
        };
        state.best.finish(&mut self.budget);
        emit(
            self.rules.at(state.rules),
            stream,
            &mut state,
            &mut self.taken,
            &mut self.budget,
            &mut self.ready,
        );
        state.clear(&mut self.budget);
        if state.requested {
            self.state(stream).requested = true;
        }
        self.let_go_if_full();
    }

    /// All streams are over.
    pub fn end(&mut self) {
        let streams: Vec<u32> = self.streams.keys().copied().collect();
        for stream in streams {
            self.end_stream(stream);
        }
    }

    /// Whether `roll-max-bytes` was too little for what the other properties ask for, since this
    /// was asked last.
    pub fn take_shortened(&mut self) -> bool {
        std::mem::take(&mut self.budget.shortened)
    }

    /// Whether a detection without a track matched although `dedupe` asks for tracks. True once.
    pub fn take_untracked(&mut self) -> bool {
        let news = self.notes.untracked && !self.notes.said_untracked;
        self.notes.said_untracked |= news;
        news
    }

    /// The roi, if it was outside of a frame, and the frame's size. Once.
    pub fn take_roi_outside(&mut self) -> Option<String> {
        self.notes.roi_outside.take()
    }

    /// The first error of the condition at run time, once.
    pub fn take_condition_error(&mut self) -> Option<String> {
        self.notes.condition_error.take()
    }

    /// Frames that did not match because the condition could not be evaluated for them.
    pub fn condition_errors(&self) -> u64 {
        self.notes.condition_errors
    }
}

fn is_full(rules: &Rules, taken: u64) -> bool {
    rules.max_captures != 0 && taken >= rules.max_captures
}

fn tracks<'a>(
    facts: &FrameFacts<'a>,
    passing: &'a [usize],
) -> impl Iterator<Item = (Option<u64>, usize, &'a Detection)> {
    let detections = facts.detections;
    passing.iter().filter_map(move |&place| {
        let detection = detections.get(place)?;
        Some((detection.track_id, place, detection))
    })
}

fn has_untracked(facts: &FrameFacts<'_>, passing: &[usize]) -> bool {
    tracks(facts, passing).any(|(track, ..)| track.is_none())
}

/// Captures the best frames that were found, as far as they may be.
fn emit<H>(
    rules: &Rules,
    stream: u32,
    state: &mut StreamState<H>,
    taken: &mut u64,
    budget: &mut Budget,
    ready: &mut Vec<(Best<H>, u64)>,
) {
    for Final { held, won } in state.best.take_finals() {
        let may = !is_full(rules, *taken) && state.best.is_cool(held.time, rules.cooldown);
        if !may {
            state.best.set_missed(&won);
            budget.take(held);
            continue;
        }
        *taken += 1;
        state.set_captured(rules, held.time);
        let mut matches: Vec<usize> = won.iter().map(|win| win.place).collect();
        matches.sort_unstable();
        let bytes = held.bytes;
        // Its bytes count until the caller has it.
        let best = Best {
            stream,
            frame: held.frame,
            matches,
        };
        ready.push((best, bytes));
    }
}

impl Notes {
    /// For a frame without any detection that passes.
    fn look_for_roi(&mut self, rules: &Rules, facts: &FrameFacts<'_>) {
        if !self.said_roi_outside {
            self.roi_outside = rules.filter.roi_outside(facts.size);
            self.said_roi_outside = self.roi_outside.is_some();
        }
    }

    fn condition_holds(
        &mut self,
        rules: &Rules,
        facts: &FrameFacts<'_>,
        passing: &[usize],
    ) -> bool {
        let Some(condition) = &rules.condition else {
            return true;
        };
        condition.holds(facts, passing).unwrap_or_else(|error| {
            if self.condition_errors == 0 {
                self.condition_error = Some(error);
            }
            self.condition_errors += 1;
            false
        })
    }
}

impl<H> StreamState<H> {
    /// What the caller did not fetch after the last frame.
    fn forget_unclaimed(&mut self, budget: &mut Budget) {
        self.pending = None;
        for held in self.before.drain(..) {
            budget.take(held);
        }
    }

    fn restart_timers(&mut self) {
        self.due = None;
        self.captured = None;
        self.post_roll = PostRoll::Over;
        self.best.restart_cooldown();
    }

    fn clear(&mut self, budget: &mut Budget) {
        self.forget_unclaimed(budget);
        self.best.clear(budget);
        self.pre_roll.clear(budget);
    }

    fn is_due(&mut self, every: Every, time: u64) -> bool {
        match every {
            Every::Frames(frames) => {
                let hit = self.counted.is_multiple_of(frames.get());
                self.counted += 1;
                hit
            }
            Every::Time(step) => {
                let due = self.due.unwrap_or(time);
                if time < due {
                    return false;
                }
                // On the grid that began with the first frame, so that the error does not grow.
                let steps = (time - due) / step.get() + 1;
                self.due = Some(due.saturating_add(steps.saturating_mul(step.get())));
                true
            }
        }
    }

    /// Whether a frame with these detections is a capture by metadata; its tracks are captured
    /// then.
    fn matches(
        &mut self,
        rules: &Rules,
        facts: &FrameFacts<'_>,
        passing: &[usize],
        notes: &mut Notes,
    ) -> bool {
        if rules.dedupe == Dedupe::Track {
            self.tracks.tick();
            let mut new = false;
            for (track, ..) in tracks(facts, passing) {
                match track {
                    // All of them are looked at: they are seen.
                    Some(track) => new |= !self.tracks.see(track),
                    None => {
                        notes.untracked = true;
                        new = true;
                    }
                }
            }
            if !new {
                return false;
            }
        }
        if let When::Both(every) = rules.when
            && !self.is_due(every, facts.time)
        {
            return false;
        }
        let cool = self
            .captured
            .is_none_or(|last| facts.time >= last.saturating_add(rules.cooldown));
        // Without a cooldown, timestamps may also be out of order.
        if !cool && rules.cooldown != 0 {
            return false;
        }
        if rules.dedupe == Dedupe::Track {
            for (track, ..) in tracks(facts, passing) {
                if let Some(track) = track {
                    self.tracks.add(track);
                }
            }
        }
        true
    }

    fn look(&mut self, facts: &FrameFacts<'_>, passing: &[usize], budget: &mut Budget) -> Offer {
        let tracked = tracks(facts, passing)
            .filter_map(|(track, place, detection)| Some((track?, place, detection)));
        self.best.look(facts.time, tracked, budget)
    }

    fn set_captured(&mut self, rules: &Rules, time: u64) {
        if let Dedupe::Best(window) = rules.dedupe {
            let newest = self.last_time.unwrap_or(time);
            self.best
                .set_captured(time, newest, window.get(), rules.cooldown);
        }
    }
}

#[cfg(test)]
mod tests;
