// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What was pushed and what was not.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::channel::Count;

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

impl Stats {
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
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let structure = gst::Structure::builder("dsframeinject-stats")
            .field("frames", get(&self.frames))
            .field("bytes", get(&self.bytes))
            .field("skipped", get(&self.skipped))
            .field("repeated", get(&self.repeated))
            .field("timeouts", get(&self.timeouts))
            .field("waiting-time", get(&self.waiting));
        let Some(channel) = self.channel.get() else {
            return structure.build();
        };
        let counts = channel.counts();
        structure
            .field("sent", counts.sent)
            .field("received", counts.received)
            .field("dropped", counts.dropped)
            .field("in-flight", counts.in_flight)
            .build()
    }
}
