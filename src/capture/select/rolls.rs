// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The frames before and after a trigger.

use std::collections::VecDeque;

use super::held::{Budget, Held};
use super::rules::Roll;

/// The frames that a trigger would want captured before it.
#[derive(Debug)]
pub struct PreRoll<H>(VecDeque<Held<H>>);

impl<H> Default for PreRoll<H> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

/// Whether a trigger at this place and time wants the frame.
fn reaches<H>(roll: Roll, held: &Held<H>, position: u64, time: u64) -> bool {
    match roll {
        Roll::None => false,
        Roll::Frames(frames) => held.position.saturating_add(frames.get()) >= position,
        Roll::Time(ns) => held.time.saturating_add(ns.get()) >= time,
    }
}

impl<H> PreRoll<H> {
    /// Lets go of what a trigger at this place or later does not want.
    pub fn trim(&mut self, roll: Roll, position: u64, time: u64, budget: &mut Budget) {
        let is_old = |held: &Held<H>| !reaches(roll, held, position, time);
        while self.0.front().is_some_and(is_old) {
            self.drop_oldest(budget);
        }
    }

    pub fn push(&mut self, held: Held<H>) {
        self.0.push_back(held);
    }

    /// What a trigger wants, oldest first. The rest is let go: it is too old for the next one too.
    pub fn take(
        &mut self,
        roll: Roll,
        position: u64,
        time: u64,
        budget: &mut Budget,
    ) -> Vec<Held<H>> {
        let mut wanted = Vec::new();
        for held in self.0.drain(..) {
            if reaches(roll, &held, position, time) {
                budget.promise(&held);
                wanted.push(held);
            } else {
                budget.take(held);
            }
        }
        wanted
    }

    pub fn clear(&mut self, budget: &mut Budget) {
        while let Some(held) = self.0.pop_front() {
            budget.take(held);
        }
    }

    /// The position of the oldest one.
    pub fn oldest(&self) -> Option<u64> {
        self.0.front().map(|held| held.position)
    }

    /// Whether there was one.
    pub fn drop_oldest(&mut self, budget: &mut Budget) -> bool {
        self.0.pop_front().map(|held| budget.take(held)).is_some()
    }
}

/// How far the frames after a trigger go.
#[derive(Debug, Default, Clone, Copy)]
pub enum PostRoll {
    #[default]
    Over,
    /// The last one's place.
    Position(u64),
    /// The last one's stream time.
    Time(u64),
}

impl PostRoll {
    /// After a trigger. One that is still going on goes on for longer.
    pub fn start(&mut self, roll: Roll, position: u64, time: u64) {
        *self = match (roll, *self) {
            (Roll::None, now) => now,
            (Roll::Frames(frames), _) => Self::Position(position.saturating_add(frames.get())),
            (Roll::Time(ns), Self::Time(until)) => {
                Self::Time(until.max(time.saturating_add(ns.get())))
            }
            (Roll::Time(ns), _) => Self::Time(time.saturating_add(ns.get())),
        };
    }

    /// Whether a frame is one of them.
    pub fn covers(&self, position: u64, time: u64) -> bool {
        match *self {
            Self::Over => false,
            Self::Position(last) => position <= last,
            Self::Time(last) => time <= last,
        }
    }

    /// After a frame: whether there may be more of them.
    pub fn pass(&mut self, position: u64, time: u64) {
        let over = match *self {
            Self::Over => false,
            Self::Position(last) => position >= last,
            Self::Time(last) => time > last,
        };
        if over {
            *self = Self::Over;
        }
    }

    pub fn is_over(&self) -> bool {
        matches!(self, Self::Over)
    }
}
