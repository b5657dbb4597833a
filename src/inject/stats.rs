// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What was pushed and what was not.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::channel::{self, Count};

#[derive(Default)]
pub struct Stats {
    pub frames: AtomicU64,
    pub bytes: AtomicU64,
    pub skipped: AtomicU64,
    pub repeated: AtomicU64,
    pub timeouts: AtomicU64,
    waiting: AtomicU64,
    channel: OnceLock<Arc<dyn Count>>,
}

/// [`Stats`] at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Counts {
    pub frames: u64,
    pub bytes: u64,
    pub skipped: u64,
    pub repeated: u64,
    pub timeouts: u64,
    pub waiting: Duration,
    /// Of the frames that are read from one.
    pub channel: Option<channel::Counts>,
}

impl Stats {
    pub fn counts(&self) -> Counts {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            frames: get(&self.frames),
            bytes: get(&self.bytes),
            skipped: get(&self.skipped),
            repeated: get(&self.repeated),
            timeouts: get(&self.timeouts),
            waiting: Duration::from_nanos(get(&self.waiting)),
            channel: self.channel.get().map(|channel| channel.counts()),
        }
    }

    pub fn add_waiting(&self, time: Duration) {
        let ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.waiting.fetch_add(ns, Ordering::Relaxed);
    }

    /// Where the frames of a channel are counted.
    pub fn set_channel(&self, channel: Option<Arc<dyn Count>>) {
        if let Some(channel) = channel {
            // Once for each run.
            let _ = self.channel.set(channel);
        }
    }

    pub fn to_structure(&self) -> gst::Structure {
        let own = self.counts();
        let structure = gst::Structure::builder("dsframeinject-stats")
            .field("frames", own.frames)
            .field("bytes", own.bytes)
            .field("skipped", own.skipped)
            .field("repeated", own.repeated)
            .field("timeouts", own.timeouts)
            .field("waiting-time", own.waiting.as_nanos() as u64);
        let Some(counts) = own.channel else {
            return structure.build();
        };
        structure
            .field("sent", counts.sent)
            .field("received", counts.received)
            .field("dropped", counts.dropped)
            .field("in-flight", counts.in_flight)
            .build()
    }
}
