// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Bytes on their way to a card, frame after frame.

#![allow(unsafe_code)]

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cudarc::driver::sys;

use super::driver::check;
use super::{CudaError, Event, Gpu, Kind, Memory, Pinned, Stream};

/// Frames that can be under way without waiting for the card.
const SLOTS: usize = 4;

/// Pairs of memory, in the host and on the card, that are used in turn.
#[derive(Debug)]
pub struct Staging {
    gpu: Gpu,
    /// The one used longest ago first.
    slots: Mutex<VecDeque<Slot>>,
}

#[derive(Debug)]
struct Slot {
    host: Pinned,
    card: Memory,
    /// Behind all that reads either memory.
    done: Event,
}

impl Slot {
    fn new(gpu: Gpu, len: usize) -> Result<Self, CudaError> {
        Ok(Self {
            host: Pinned::new(gpu, len)?,
            card: Memory::new(gpu, Kind::Device, len)?,
            done: Event::new(gpu)?,
        })
    }

    fn upload(&self, len: usize, stream: &Stream) -> Result<(), CudaError> {
        let bytes = &self.host.as_ref()[..len];
        let _bound = stream.gpu().bind()?;
        // SAFETY: both have as many bytes, and neither is used otherwise before `done`.
        let result = unsafe {
            sys::cuMemcpyHtoDAsync_v2(
                self.card.address(),
                bytes.as_ptr().cast(),
                bytes.len(),
                stream.raw(),
            )
        };
        check("cuMemcpyHtoDAsync", result)
    }
}

impl Staging {
    /// For `len` bytes at a time; more are room for more, later.
    pub fn new(gpu: Gpu, len: usize) -> Result<Self, CudaError> {
        let slots = (0..SLOTS).map(|_| Slot::new(gpu, len.max(1)));
        Ok(Self {
            gpu,
            slots: Mutex::new(slots.collect::<Result<_, _>>()?),
        })
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A slot that the card is done with.
    fn take(&self, len: usize) -> Result<Slot, CudaError> {
        let slot = self.lock().pop_front();
        // Others may be using all of them.
        let slot = match slot {
            Some(slot) => slot,
            None => Slot::new(self.gpu, len)?,
        };
        slot.done.synchronize()?;
        if slot.card.len() >= len {
            return Ok(slot);
        }
        Slot::new(self.gpu, len.next_power_of_two())
    }

    /// Queues a copy of what `fill` writes, and then what `launch` queues to read it.
    pub fn send(
        &self,
        len: usize,
        stream: &Stream,
        fill: impl FnOnce(&mut [u8]),
        launch: impl FnOnce(&Memory) -> Result<(), CudaError>,
    ) -> Result<(), CudaError> {
        let mut slot = self.take(len.max(1))?;
        fill(&mut slot.host.as_mut()[..len]);
        let queued = slot
            .upload(len, stream)
            .and_then(|()| launch(&slot.card));
        // A part of it may be under way also after a failure. Without the mark the slot is freed,
        // which waits by itself.
        slot.done.record(stream)?;
        self.lock().push_back(slot);
        queued
    }
}
