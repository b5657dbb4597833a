// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Which slots both sides of a connection remember.

use super::{FrameHead, MAX_SLOTS, Memory, WireError};

/// What the FRAMEs of a connection have named: the [`MAX_SLOTS`] last ones. Both sides count FRAMEs that
/// were sent and no others, and so forget the same.
#[derive(Debug)]
pub struct Slots<T> {
    /// The one that was named last is the last.
    known: Vec<Slot<T>>,
}

#[derive(Debug)]
struct Slot<T> {
    id: u64,
    memory: Memory,
    size: u64,
    value: T,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { known: Vec::new() }
    }
}

impl<T> Slots<T> {
    /// Whether a FRAME can name it without a descriptor.
    pub fn knows(&self, id: u64) -> bool {
        self.known.iter().any(|slot| slot.id == id)
    }

    /// The slot of a FRAME that came or was sent without a descriptor.
    pub fn find(&mut self, head: &FrameHead) -> Result<&T, WireError> {
        let place = self.known.iter().position(|slot| slot.id == head.slot);
        let unknown = WireError::SlotUnknown(head.slot);
        let Some((place, last)) = place.zip(self.known.len().checked_sub(1)) else {
            return Err(unknown);
        };
        let slot = &self.known[place];
        if (slot.memory, slot.size) != (head.memory, head.slot_size) {
            return Err(WireError::SlotChanged(head.slot));
        }
        self.known[place..].rotate_left(1);
        Ok(&self.known[last].value)
    }

    /// The slot of a FRAME that came or was sent with a descriptor. Gives what is forgotten for it.
    pub fn add(&mut self, head: &FrameHead, value: T) -> Result<Option<(u64, T)>, WireError> {
        if self.knows(head.slot) {
            return Err(WireError::SlotKnown(head.slot));
        }
        let full = self.known.len() >= MAX_SLOTS;
        let forgotten = full.then(|| self.known.remove(0));
        self.known.push(Slot {
            id: head.slot,
            memory: head.memory,
            size: head.slot_size,
            value,
        });
        Ok(forgotten.map(|slot| (slot.id, slot.value)))
    }
}
