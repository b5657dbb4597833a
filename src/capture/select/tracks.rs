// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Which tracked objects were captured already.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

/// As many are remembered for each stream.
pub const LIMIT: usize = 65_536;

/// Tracks that were captured, the longest unseen of which are forgotten where there are too many.
#[derive(Debug)]
pub struct Tracks {
    limit: usize,
    now: u64,
    /// When each was seen last.
    seen: HashMap<u64, u64>,
    /// Each at least once, by a time at which it was seen: perhaps not its last one, which is looked
    /// up only when something has to be forgotten. Seeing a track again is therefore one write. What
    /// was removed stays in it until then too: there may be very many of them in one frame.
    oldest: BinaryHeap<Reverse<(u64, u64)>>,
}

impl Default for Tracks {
    fn default() -> Self {
        Self::new(LIMIT)
    }
}

impl Tracks {
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            now: 0,
            seen: HashMap::new(),
            oldest: BinaryHeap::new(),
        }
    }

    /// The frames go on: what is seen from now on is seen later than what was seen before.
    pub fn tick(&mut self) {
        self.now += 1;
    }

    /// Whether a track was captured; it is seen now.
    pub fn see(&mut self, track: u64) -> bool {
        match self.seen.get_mut(&track) {
            Some(last) => {
                *last = self.now;
                true
            }
            None => false,
        }
    }

    pub fn add(&mut self, track: u64) {
        if self.seen.insert(track, self.now).is_some() {
            return;
        }
        self.oldest.push(Reverse((self.now, track)));
        if self.oldest.len() > self.limit.saturating_mul(2) {
            let seen = self.seen.iter();
            self.oldest = seen.map(|(&track, &last)| Reverse((last, track))).collect();
        }
        while self.seen.len() > self.limit {
            self.forget_oldest();
        }
    }

    /// The track was not captured after all.
    pub fn remove(&mut self, track: u64) {
        self.seen.remove(&track);
    }

    fn forget_oldest(&mut self) {
        while let Some(Reverse((then, track))) = self.oldest.pop() {
            match self.seen.get(&track) {
                Some(&last) if last != then => self.oldest.push(Reverse((last, track))),
                Some(_) => {
                    self.seen.remove(&track);
                    return;
                }
                None => {}
            }
        }
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.seen.len()
    }
}
