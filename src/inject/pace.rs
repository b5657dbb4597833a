// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Waiting for the time of a frame, for `is-live`.

use std::sync::{Mutex, PoisonError};

use crate::gate::Gate;

/// The clock wait of the streaming thread, and how `unlock()` ends it.
#[derive(Debug, Default)]
pub struct Pace {
    waiting: Mutex<Option<gst::SingleShotClockId>>,
}

impl Pace {
    /// Waits until `time` on `clock`. False if `unlock()` came before or meanwhile.
    pub fn wait(&self, gate: &Gate, clock: &gst::Clock, time: gst::ClockTime) -> bool {
        use gst::prelude::*;
        let id = clock.new_single_shot_id(time);
        {
            let mut waiting = self.lock();
            // Looked at under the lock: `interrupt` comes after the gate is set.
            if gate.is_flushing() {
                return false;
            }
            *waiting = Some(id.clone());
        }
        let (result, _) = id.wait();
        *self.lock() = None;
        result != Err(gst::ClockError::Unscheduled)
    }

    /// To be called after the gate was set flushing.
    pub fn interrupt(&self) {
        if let Some(id) = &*self.lock() {
            id.unschedule();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<gst::SingleShotClockId>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
