// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Frames that are held because they may be wanted later.

use std::collections::BTreeMap;

/// A frame that is held.
#[derive(Debug)]
pub struct Held<H> {
    /// Of all that was ever held, over all streams.
    pub order: u64,
    /// Among the frames of its stream.
    pub position: u64,
    pub time: u64,
    pub bytes: u64,
    pub frame: H,
}

/// How many bytes may be held, and how many are.
#[derive(Debug)]
pub struct Budget {
    max: u64,
    used: u64,
    /// Those of frames that are to be captured: nothing can have their room.
    promised: u64,
    next_order: u64,
    /// What may be let go, by order: the streams and the positions.
    loose: BTreeMap<u64, (u32, u64)>,
    /// Something had to go for want of room.
    pub shortened: bool,
}

impl Budget {
    pub fn new(max: u64) -> Self {
        Self {
            max,
            used: 0,
            promised: 0,
            next_order: 0,
            loose: BTreeMap::new(),
            shortened: false,
        }
    }

    /// Whether there would be room if all was let go that may be, and so many bytes of it were
    /// promised before.
    pub fn could_have_room(&self, bytes: u64, promised: u64) -> bool {
        let promised = self.promised.saturating_add(promised);
        promised.saturating_add(bytes) <= self.max
    }

    pub fn has_room(&self, bytes: u64) -> bool {
        self.used.saturating_add(bytes) <= self.max
    }

    pub fn hold<H>(
        &mut self,
        frame: H,
        (stream, position): (u32, u64),
        time: u64,
        bytes: u64,
    ) -> Held<H> {
        self.used += bytes;
        self.next_order += 1;
        self.loose.insert(self.next_order, (stream, position));
        Held {
            order: self.next_order,
            position,
            time,
            bytes,
            frame,
        }
    }

    /// The stream and the position of what was held first and may be let go.
    pub fn oldest(&self) -> Option<(u32, u64)> {
        self.loose.first_key_value().map(|(_, &place)| place)
    }

    /// The frame is to be captured.
    pub fn promise<H>(&mut self, held: &Held<H>) {
        if self.loose.remove(&held.order).is_some() {
            self.promised += held.bytes;
        }
    }

    /// The frame is not held any more.
    pub fn take<H>(&mut self, held: Held<H>) -> H {
        match self.loose.remove(&held.order) {
            Some(_) => self.used = self.used.saturating_sub(held.bytes),
            None => self.release(held.bytes),
        }
        held.frame
    }

    /// A frame that was promised is not held any more.
    pub fn release(&mut self, bytes: u64) {
        self.used = self.used.saturating_sub(bytes);
        self.promised = self.promised.saturating_sub(bytes);
    }

    #[cfg(test)]
    pub fn used(&self) -> u64 {
        self.used
    }
}
