// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The sending side of a channel: all its readers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::outbox::{Last, Outbox, Wake};
use super::{Counts, Notice, Parcel, Tell};

/// What a frame does to a reader that has no room for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// Nothing is sent to anybody; the caller waits for room, or for the first reader.
    Refuse,
    DropOldest,
    DropNewest,
    /// Sent all the same: frames that were held already need no more memory.
    Exceed,
}

/// [`Full::Refuse`]: no reader, or one without room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoRoom {
    pub readers: usize,
}

#[derive(Default)]
struct State {
    /// Replaced and not changed, so that a send needs no lock while it wakes readers.
    readers: Arc<Vec<Arc<Outbox>>>,
    /// They have their end, and still take what was before it.
    finishing: Vec<Arc<Outbox>>,
    /// Of readers that left.
    gone: Counts,
    /// Frames that no reader was there for.
    unread: u64,
    last: Option<Last>,
}

/// All readers of a channel. One thread sends at a time.
pub struct Hub {
    state: Mutex<State>,
    bound: usize,
    /// Tells runs of the producer apart.
    session: u64,
    /// For the writer: there may be room, a reader, or nothing left.
    emptied: Wake,
    tell: OnceLock<Tell>,
    failure: OnceLock<String>,
    /// Detections.
    left_out: AtomicU64,
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").finish_non_exhaustive()
    }
}

impl Hub {
    /// For `bound` frames per reader that are not received yet. `emptied` is told, without any
    /// lock, when that may have changed.
    pub fn new(bound: usize, emptied: Wake) -> Self {
        Self {
            state: Mutex::default(),
            bound,
            session: uuid::Uuid::new_v4().as_u64_pair().0,
            emptied,
            tell: OnceLock::new(),
            failure: OnceLock::new(),
            left_out: AtomicU64::new(0),
        }
    }

    /// Who is to hear what happens to frames. Called without any lock.
    pub fn set_tell(&self, tell: Tell) {
        // The first stays.
        let _ = self.tell.set(tell);
    }

    pub(super) fn tell(&self, notice: Notice) {
        if let Some(tell) = self.tell.get() {
            tell(notice);
        }
    }

    /// Nothing reaches a reader any more: whoever sends, or waits for room, is to give up.
    pub(super) fn fail(&self, why: &str) {
        // The first stays.
        let _ = self.failure.set(why.into());
        (self.emptied)();
    }

    /// So many detections of a frame did not fit into its message to a reader.
    pub(super) fn count_left_out(&self, detections: usize) {
        self.left_out
            .fetch_add(detections as u64, Ordering::Relaxed);
    }

    /// Detections that did not fit into messages, summed over all readers.
    pub fn left_out(&self) -> u64 {
        self.left_out.load(Ordering::Relaxed)
    }

    /// Why nothing can be sent any more.
    pub fn failure(&self) -> Option<String> {
        self.failure.get().cloned()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Changed in single steps that cannot panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn session(&self) -> u64 {
        self.session
    }

    /// A new reader, which gets all frames from now on. `filled` is told, without any lock, when
    /// there is something to pop.
    pub fn attach(&self, filled: Wake) -> Arc<Outbox> {
        let outbox = self.outbox(filled);
        self.add(&outbox);
        outbox
    }

    /// For a reader that [`Hub::add`] is to make one.
    pub(super) fn outbox(&self, filled: Wake) -> Arc<Outbox> {
        Arc::new(Outbox::new(self.bound, filled, self.emptied.clone()))
    }

    pub(super) fn add(&self, outbox: &Arc<Outbox>) {
        let mut state = self.state();
        match state.last {
            Some(last) => {
                state.finishing.push(outbox.clone());
                drop(state);
                outbox.finish(last);
            }
            None => {
                let mut readers = state.readers.to_vec();
                readers.push(outbox.clone());
                state.readers = Arc::new(readers);
                drop(state);
                (self.emptied)();
            }
        }
    }

    /// A reader is gone.
    pub fn detach(&self, outbox: &Arc<Outbox>) {
        outbox.close();
        let mut state = self.state();
        let is_it = |other: &Arc<Outbox>| Arc::ptr_eq(other, outbox);
        let mut readers = state.readers.to_vec();
        let before = readers.len() + state.finishing.len();
        readers.retain(|other| !is_it(other));
        state.finishing.retain(|other| !is_it(other));
        if readers.len() + state.finishing.len() < before {
            state.gone += outbox.counts();
        }
        state.readers = Arc::new(readers);
        drop(state);
        (self.emptied)();
    }

    pub fn readers(&self) -> usize {
        self.state().readers.len()
    }

    /// Whether there is a reader, and each has room.
    pub fn has_room(&self) -> bool {
        let readers = self.state().readers.clone();
        !readers.is_empty() && readers.iter().all(|outbox| outbox.has_room())
    }

    /// Sends a frame to all readers.
    pub fn send(&self, parcel: &Arc<Parcel>, full: Full) -> Result<(), NoRoom> {
        let readers = {
            let mut state = self.state();
            // Frames after an end are a new stream, for those who come from now on.
            state.last = None;
            state.readers.clone()
        };
        if full == Full::Refuse && !readers.iter().all(|outbox| outbox.has_room()) {
            let readers = readers.len();
            return Err(NoRoom { readers });
        }
        let mut sent = 0;
        for outbox in readers.iter() {
            let is_there = match full {
                Full::Refuse | Full::Exceed => outbox.push(parcel),
                Full::DropOldest => outbox.push_over_oldest(parcel),
                Full::DropNewest => outbox.push_or_drop(parcel),
            };
            sent += usize::from(is_there);
        }
        match (sent, full) {
            (0, Full::Refuse) => Err(NoRoom { readers: 0 }),
            (0, _) => {
                self.state().unread += 1;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The stream is over: every reader gets to know after its last frame, and so do those who come
    /// later, until a frame is sent again.
    pub fn end(&self) {
        self.finish(Last::End);
    }

    /// The producer stops. Readers still get what is on its way.
    pub fn stop(&self) {
        self.finish(Last::Stopped);
    }

    /// What is in flight reaches the readers whatever the producer does now.
    pub(super) fn hand_over(&self) {
        let all = self.state().finishing.clone();
        all.iter().for_each(|outbox| outbox.hand_over());
    }

    fn finish(&self, last: Last) {
        let mut state = self.state();
        state.last = Some(last);
        let readers = std::mem::take(&mut state.readers);
        state.finishing.extend(readers.iter().cloned());
        drop(state);
        for outbox in readers.iter() {
            outbox.finish(last);
        }
    }

    /// How many frames the readers have not received.
    pub fn in_flight(&self) -> u64 {
        let state = self.state();
        let all = state.readers.iter().chain(&state.finishing);
        all.map(|outbox| outbox.in_flight() as u64).sum()
    }

    /// A frame was not sent at all, as there is no reader.
    pub fn count_unread(&self) {
        self.state().unread += 1;
    }

    /// Frames that no reader was there for.
    pub fn unread(&self) -> u64 {
        self.state().unread
    }

    pub fn counts(&self) -> Counts {
        let state = self.state();
        let mut counts = state.gone;
        for outbox in state.readers.iter().chain(&state.finishing) {
            counts += outbox.counts();
        }
        counts
    }
}

#[cfg(test)]
mod tests;
