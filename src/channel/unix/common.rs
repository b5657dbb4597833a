// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What the links of a server share, and why one ends.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::export::Copies;
use super::{Bell, CAT, SocketError};
use crate::channel::Hub;
use crate::channel::wire::{Reason, WireError};

const COMPLAIN_EVERY: Duration = Duration::from_secs(1);

/// What all links of a server share.
#[derive(Debug)]
pub struct Common {
    pub hub: Arc<Hub>,
    pub bell: Bell,
    pub copies: Copies,
    /// Nobody is let in any more.
    pub stopping: AtomicBool,
    /// Until when readers may take what was sent.
    last_call: Mutex<Option<Instant>>,
    complaints: Mutex<Complaints>,
    /// The thread is to.
    #[cfg(test)]
    pub panics: AtomicBool,
}

#[derive(Debug, Default)]
struct Complaints {
    count: u64,
    last: Option<Instant>,
}

impl Common {
    pub fn new(hub: Arc<Hub>) -> Result<Self, SocketError> {
        Ok(Self {
            hub,
            bell: Bell::new()?,
            copies: Copies::default(),
            stopping: AtomicBool::new(false),
            last_call: Mutex::default(),
            complaints: Mutex::default(),
            #[cfg(test)]
            panics: AtomicBool::new(false),
        })
    }

    pub fn last_call(&self) -> Option<Instant> {
        let last_call = self.last_call.lock();
        *last_call.unwrap_or_else(PoisonError::into_inner)
    }

    pub fn set_last_call(&self, until: Option<Instant>) {
        let last_call = self.last_call.lock();
        *last_call.unwrap_or_else(PoisonError::into_inner) = until;
    }

    /// Says what went wrong with a reader, but not of each in a flood of them.
    pub fn complain(&self, why: &str) {
        let mut complaints = self
            .complaints
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        complaints.count += 1;
        let count = complaints.count;
        let now = Instant::now();
        if complaints
            .last
            .is_none_or(|last| now - last >= COMPLAIN_EVERY)
        {
            complaints.last = Some(now);
            drop(complaints);
            gst::warning!(CAT, "trouble with readers, the {count}. by now: {why}");
        }
    }
}

/// Why a connection is closed.
#[derive(Debug, Clone)]
pub struct Trouble {
    pub reason: Reason,
    pub text: String,
}

impl From<WireError> for Trouble {
    fn from(error: WireError) -> Self {
        Self {
            reason: Reason::from(&error),
            text: error.to_string(),
        }
    }
}

impl From<SocketError> for Trouble {
    fn from(error: SocketError) -> Self {
        let text = error.to_string();
        let reason = Reason::MESSAGE;
        Self { reason, text }
    }
}
