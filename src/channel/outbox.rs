// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What one reader is to get: bounded, in order, and counted.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Counts, Parcel};

/// Told when there is something new. Called without any lock.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// Why nothing comes after the last frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Last {
    /// The stream is over.
    End,
    /// The producer stopped, and may come back.
    Stopped,
}

/// What leaves an outbox.
#[derive(Debug)]
pub enum Popped {
    /// With its number among all frames that the reader was to get, also the dropped ones.
    Frame(u64, Arc<Parcel>),
    Last(Last),
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<(u64, Arc<Parcel>)>,
    /// Popped, and not received yet.
    on_the_way: VecDeque<Arc<Parcel>>,
    /// Likewise, of which the pixels are not needed any more.
    handed: usize,
    sent: u64,
    received: u64,
    dropped: u64,
    /// Until it was popped.
    last: Option<Last>,
    /// Of the frames that began a new timeline and were dropped, the first and the last. Those
    /// after them are to say it.
    breaks: Option<(u64, u64)>,
    choked: bool,
    closed: bool,
}

impl State {
    fn in_flight(&self) -> usize {
        self.waiting.len() + self.on_the_way.len() + self.handed
    }

    fn drop_one(&mut self, number: u64, parcel: &Parcel) {
        self.dropped += 1;
        if parcel.facts.discont {
            let first = self.breaks.map_or(number, |(first, _)| first.min(number));
            let last = self.breaks.map_or(number, |(_, last)| last.max(number));
            self.breaks = Some((first, last));
        }
    }

    /// Whether a frame is the first after one that began a new timeline and was dropped.
    fn is_after_break(&mut self, number: u64) -> bool {
        let Some((first, last)) = self.breaks else {
            return false;
        };
        if number > last {
            self.breaks = None;
        } else if number > first {
            self.breaks = Some((last, last));
        }
        number > first
    }
}

/// The frames that one reader is to get, and those that it is getting.
pub struct Outbox {
    state: Mutex<State>,
    bound: usize,
    /// For the reader: there is something to pop.
    filled: Wake,
    /// For the writer: there may be room, or nothing left.
    emptied: Wake,
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox")
            .field("bound", &self.bound)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl Outbox {
    /// For `bound` frames that are not received yet.
    pub fn new(bound: usize, filled: Wake, emptied: Wake) -> Self {
        Self {
            state: Mutex::default(),
            bound: bound.max(1),
            filled,
            emptied,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Changed in single steps that cannot panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn has_room(&self) -> bool {
        let state = self.state();
        state.closed || (!state.choked && state.in_flight() < self.bound)
    }

    /// Takes a frame whatever the room. Returns whether there still is a reader.
    pub(super) fn push(&self, parcel: &Arc<Parcel>) -> bool {
        let mut state = self.state();
        if state.closed {
            return false;
        }
        let number = state.sent;
        state.sent += 1;
        state.waiting.push_back((number, parcel.clone()));
        drop(state);
        (self.filled)();
        true
    }

    /// Takes a frame if there is room, and counts it as dropped if not. Returns whether there still
    /// is a reader.
    pub(super) fn push_or_drop(&self, parcel: &Arc<Parcel>) -> bool {
        if self.has_room() {
            return self.push(parcel);
        }
        let mut state = self.state();
        if !state.closed {
            let number = state.sent;
            state.sent += 1;
            state.drop_one(number, parcel);
        }
        !state.closed
    }

    /// Takes a frame; if there is no room, in place of the oldest that is not on the way. If all
    /// are, it is one more: the reader is to get the newest in the end. Returns whether there still
    /// is a reader.
    pub(super) fn push_over_oldest(&self, parcel: &Arc<Parcel>) -> bool {
        let oldest = match self.has_room() {
            true => None,
            false => {
                let mut state = self.state();
                let oldest = state.waiting.pop_front();
                if let Some((number, parcel)) = &oldest {
                    state.drop_one(*number, parcel);
                }
                oldest
            }
        };
        let is_there = self.push(parcel);
        // Freed without the lock.
        drop(oldest);
        is_there
    }

    /// Nothing comes after what is there. Only the first call counts.
    pub(super) fn finish(&self, last: Last) {
        self.state().last.get_or_insert(last);
        (self.filled)();
    }

    /// The next frame, which is on the way from then on, or what comes after the last.
    pub fn pop(&self) -> Option<Popped> {
        let mut state = self.state();
        match state.waiting.pop_front() {
            Some((number, parcel)) => {
                state.on_the_way.push_back(parcel.clone());
                match state.is_after_break(number) && !parcel.facts.discont {
                    false => Some(Popped::Frame(number, parcel)),
                    true => {
                        let mut said = parcel.share();
                        said.facts.discont = true;
                        Some(Popped::Frame(number, Arc::new(said)))
                    }
                }
            }
            None => state.last.take().map(Popped::Last),
        }
    }

    /// Whether there is something to pop.
    pub fn has_next(&self) -> bool {
        let state = self.state();
        !state.waiting.is_empty() || state.last.is_some()
    }

    /// What is yet to come after the last frame.
    pub fn last(&self) -> Option<Last> {
        self.state().last
    }

    /// What comes after the last frame, if that was popped.
    pub fn pop_last(&self) -> Option<Last> {
        let mut state = self.state();
        let is_empty = state.waiting.is_empty();
        state.last.take_if(|_| is_empty)
    }

    /// The frame that was popped last could not be sent. The writer gets to know with the next call
    /// of [`Outbox::received`].
    pub fn lost(&self) {
        let mut state = self.state();
        let lost = state.on_the_way.pop_back();
        state.dropped += u64::from(lost.is_some());
        drop(state);
        // Freed without the lock.
        drop(lost);
    }

    /// The reader has got so many more of the frames that are on the way, in their order. Returns
    /// false if there are not so many.
    pub fn received(&self, frames: usize) -> bool {
        let mut state = self.state();
        if frames > state.on_the_way.len() + state.handed {
            return false;
        }
        let handed = frames.min(state.handed);
        state.handed -= handed;
        let taken: Vec<_> = state.on_the_way.drain(..frames - handed).collect();
        state.received += frames as u64;
        drop(state);
        taken.iter().for_each(|parcel| parcel.taken());
        (self.emptied)();
        true
    }

    /// How many frames are on the way.
    pub fn on_the_way(&self) -> usize {
        let state = self.state();
        state.on_the_way.len() + state.handed
    }

    /// How many frames are not received.
    pub fn in_flight(&self) -> usize {
        self.state().in_flight()
    }

    /// Takes nothing while the reader keeps too much of what it received.
    pub fn set_choked(&self, choked: bool) {
        let was = std::mem::replace(&mut self.state().choked, choked);
        if was && !choked {
            (self.emptied)();
        }
    }

    /// The producer is gone: what is on the way reaches the reader all the same, and the rest is
    /// dropped. Gives the number of those.
    pub fn leave(&self) -> u64 {
        let mut state = self.state();
        state.closed = true;
        let waiting = std::mem::take(&mut state.waiting);
        let dropped = waiting.len() as u64;
        state.dropped += dropped;
        let on_the_way = std::mem::take(&mut state.on_the_way);
        // The reader has the pixels, and they are not kept for it: who asks for counts keeps this.
        state.handed += on_the_way.len();
        drop(state);
        // Told and freed without the lock.
        drop(waiting);
        on_the_way.iter().for_each(|parcel| parcel.taken());
        dropped
    }

    /// What is in flight reaches the reader whatever the producer does now.
    pub(super) fn hand_over(&self) {
        let state = self.state();
        let waiting = state.waiting.iter().map(|(_, parcel)| parcel);
        let all: Vec<_> = waiting.chain(&state.on_the_way).cloned().collect();
        drop(state);
        all.iter().for_each(|parcel| parcel.taken());
    }

    /// The reader is gone: what it did not receive is dropped.
    pub fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        let waiting = std::mem::take(&mut state.waiting);
        let on_the_way = std::mem::take(&mut state.on_the_way);
        let handed = std::mem::take(&mut state.handed);
        state.dropped += (waiting.len() + on_the_way.len() + handed) as u64;
        drop(state);
        // Freed without the lock.
        drop((waiting, on_the_way));
        (self.emptied)();
    }

    /// Frames that may be in flight.
    pub fn bound(&self) -> usize {
        self.bound
    }

    pub fn is_closed(&self) -> bool {
        self.state().closed
    }

    pub fn counts(&self) -> Counts {
        let state = self.state();
        Counts {
            sent: state.sent,
            received: state.received,
            dropped: state.dropped,
            in_flight: state.in_flight() as u64,
        }
    }
}
