// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Which frames are captured, and why. Pure: no GStreamer, no clock, no I/O.

mod rules;

use std::collections::{BTreeMap, BTreeSet};

use crate::meta::Detection;

pub use rules::{Rules, StreamList, Trigger};

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
    /// May be wanted later: to be given to [`Selector::hold`].
    Hold,
    /// To be captured, after what [`Selector::pre_roll`] gives. `matches` are the places in the
    /// frame's list of the detections that pass the filter, whatever the reason.
    Take {
        reason: Reason,
        matches: Vec<usize>,
    },
}

/// A frame that was held and is to be captured, with the detections that it is the best of.
#[derive(Debug, PartialEq, Eq)]
pub struct Best<H> {
    pub stream: u32,
    pub frame: H,
    pub matches: Vec<usize>,
}

#[derive(Debug, Default)]
struct StreamState {
    /// Frames that the interval has counted.
    counted: u64,
    last_time: Option<u64>,
    /// When `interval-time` is up; `None` before the first frame.
    due: Option<u64>,
    /// Asked for by hand.
    requested: bool,
}

/// Decides frame by frame, in the order of the buffers. `H` is what holds a frame.
#[derive(Debug)]
pub struct Selector<H> {
    rules: Rules,
    streams: BTreeMap<u32, StreamState>,
    /// `-1` was asked for: every stream, as soon as the next buffer tells which there are.
    all_requested: bool,
    taken: u64,
    held: std::marker::PhantomData<H>,
}

impl<H> Selector<H> {
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            streams: BTreeMap::new(),
            all_requested: false,
            taken: 0,
            held: std::marker::PhantomData,
        }
    }

    /// Asks for the next frame of a stream, or of each (`None`).
    pub fn request(&mut self, stream: Option<u32>) {
        match stream {
            Some(stream) => self.streams.entry(stream).or_default().requested = true,
            None => self.all_requested = true,
        }
    }

    /// Before the frames of a buffer: which streams they are of.
    pub fn begin(&mut self, streams: impl IntoIterator<Item = u32>) {
        if !self.all_requested {
            return;
        }
        self.all_requested = false;
        for stream in streams {
            self.streams.entry(stream).or_default();
        }
        for state in self.streams.values_mut() {
            state.requested = true;
        }
    }

    /// Whether `max-captures` is reached.
    pub fn is_exhausted(&self) -> bool {
        self.rules.max_captures != 0 && self.taken >= self.rules.max_captures
    }

    /// Timestamps start anew (a flush). What is held is let go.
    pub fn restart_timers(&mut self) {
        for state in self.streams.values_mut() {
            state.due = None;
            state.last_time = None;
        }
    }

    pub fn decide(&mut self, facts: &FrameFacts<'_>) -> Decision {
        let exhausted = self.is_exhausted();
        let state = self.streams.entry(facts.stream).or_default();
        if state
            .last_time
            .is_some_and(|last| facts.time.saturating_add(STEP_BACK) < last)
        {
            state.due = None;
        }
        state.last_time = Some(facts.time);
        if exhausted {
            return Decision::Skip;
        }
        let hit = self.rules.covers(facts) && !facts.damaged && state.is_hit(&self.rules, facts);
        let reason = if std::mem::take(&mut state.requested) {
            Reason::Manual
        } else if hit {
            Reason::Interval
        } else {
            return Decision::Skip;
        };
        self.taken += 1;
        Decision::Take {
            reason,
            matches: Vec::new(),
        }
    }

    /// Whether decisions need the detections of every frame.
    pub fn needs_detections(&self) -> bool {
        false
    }

    /// Takes the frame that [`Self::decide`] just said [`Decision::Hold`] to. `bytes` are those of
    /// its pixels.
    pub fn hold(&mut self, _stream: u32, _frame: H, _bytes: u64) {}

    /// The frames to capture before the one that is taken now, oldest first.
    pub fn pre_roll(&mut self, _stream: u32) -> Vec<H> {
        Vec::new()
    }

    /// Frames that were held and are decided now.
    pub fn ready(&mut self) -> Vec<Best<H>> {
        Vec::new()
    }

    /// A stream is over: what is held of it is decided. It may come back.
    pub fn end_stream(&mut self, _stream: u32) {}

    /// All streams are over.
    pub fn end(&mut self) {}

    /// Whether `roll-max-bytes` was too little for what the other properties ask for, since this
    /// was asked last.
    pub fn matches(&self, _facts: &FrameFacts<'_>) -> Vec<usize> {
        Vec::new()
    }
    pub fn take_untracked(&mut self) -> bool {
        false
    }
    pub fn take_condition_error(&mut self) -> Option<String> {
        None
    }
    pub fn take_shortened(&mut self) -> bool {
        false
    }
}

impl StreamState {
    fn is_hit(&mut self, rules: &Rules, facts: &FrameFacts<'_>) -> bool {
        match rules.trigger {
            Trigger::Manual => false,
            Trigger::Every(frames) => {
                let hit = self.counted.is_multiple_of(frames.get());
                self.counted += 1;
                hit
            }
            Trigger::EveryTime(step) => {
                let due = self.due.unwrap_or(facts.time);
                if facts.time < due {
                    return false;
                }
                // On the grid that began with the first frame, so that the error does not grow.
                let steps = (facts.time - due) / step.get() + 1;
                self.due = Some(due.saturating_add(steps.saturating_mul(step.get())));
                true
            }
        }
    }
}

#[cfg(test)]
mod tests;
