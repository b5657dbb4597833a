// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Frames that are held because they may be wanted later.

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
    next_order: u64,
    /// Something had to go for want of room.
    pub shortened: bool,
}

impl Budget {
    pub fn new(max: u64) -> Self {
        Self {
            max,
            used: 0,
            next_order: 0,
            shortened: false,
        }
    }

    /// Whether there would be room if nothing else was held.
    pub fn allows(&self, bytes: u64) -> bool {
        bytes <= self.max
    }

    pub fn has_room(&self, bytes: u64) -> bool {
        self.used.saturating_add(bytes) <= self.max
    }

    pub fn hold<H>(&mut self, frame: H, position: u64, time: u64, bytes: u64) -> Held<H> {
        self.used += bytes;
        self.next_order += 1;
        Held {
            order: self.next_order,
            position,
            time,
            bytes,
            frame,
        }
    }

    /// The frame is not held any more.
    pub fn take<H>(&mut self, held: Held<H>) -> H {
        self.release(held.bytes);
        held.frame
    }

    pub fn release(&mut self, bytes: u64) {
        self.used = self.used.saturating_sub(bytes);
    }

    #[cfg(test)]
    pub fn used(&self) -> u64 {
        self.used
    }
}
