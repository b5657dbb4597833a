// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What became of the posts, as `stats` shows it.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::times::Times;

use super::breaker::Phase;
use super::trouble::Trouble;

#[derive(Debug)]
pub struct EndpointStats {
    /// Accepted by the server, and the bytes of their bodies.
    pub posted: AtomicU64,
    pub bytes: AtomicU64,
    /// Given up for good.
    pub failed: AtomicU64,
    /// Without room, or without time at the end.
    pub dropped: AtomicU64,
    /// Attempts after the first.
    pub retries: AtomicU64,
    /// In memory.
    pub waiting: AtomicU64,
    pub spooled: AtomicU64,
    pub spooled_bytes: AtomicU64,
    phase: AtomicU8,
    /// Why the last attempt failed, until the server answers.
    pub trouble: Trouble,
    /// Microseconds that accepted attempts took.
    post_time: Mutex<Histogram<u32>>,
    pub times: Times,
}

/// [`EndpointStats`] at one moment.
#[derive(Debug, Clone, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct EndpointSnapshot {
    pub posted: u64,
    pub failed: u64,
    pub dropped: u64,
    pub retries: u64,
    pub waiting: u64,
    pub spooled: u64,
    pub spooled_bytes: u64,
    pub bytes: u64,
    /// closed, open or half-open.
    pub breaker: &'static str,
    /// Why the last attempt failed, until the server answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// ns.
    pub post_time_p50: u64,
    pub post_time_p99: u64,
}

impl Default for EndpointStats {
    fn default() -> Self {
        // Up to an hour in two significant digits.
        let post_time = Histogram::new_with_bounds(1, 3_600_000_000, 2)
            .expect("bounds and digits are within the histogram's limits");
        Self {
            posted: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            retries: AtomicU64::new(0),
            waiting: AtomicU64::new(0),
            spooled: AtomicU64::new(0),
            spooled_bytes: AtomicU64::new(0),
            phase: AtomicU8::new(Phase::Closed as u8),
            trouble: Trouble::default(),
            post_time: Mutex::new(post_time),
            times: Times::default(),
        }
    }
}

impl EndpointStats {
    pub fn set_phase(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    pub fn phase(&self) -> Phase {
        Phase::of(self.phase.load(Ordering::Relaxed))
    }

    pub fn record(&self, time: Duration) {
        self.times.record(time);
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1);
        self.post_time
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .saturating_record(micros);
    }

    pub fn snapshot(&self) -> EndpointSnapshot {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let post_time = self
            .post_time
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        EndpointSnapshot {
            posted: of(&self.posted),
            failed: of(&self.failed),
            dropped: of(&self.dropped),
            retries: of(&self.retries),
            waiting: of(&self.waiting),
            spooled: of(&self.spooled),
            spooled_bytes: of(&self.spooled_bytes),
            bytes: of(&self.bytes),
            breaker: self.phase().as_str(),
            trouble: self.trouble.reason(),
            post_time_p50: post_time.value_at_quantile(0.5) * 1000,
            post_time_p99: post_time.value_at_quantile(0.99) * 1000,
        }
    }
}

impl EndpointSnapshot {
    pub fn to_structure(&self) -> gst::Structure {
        gst::Structure::builder("endpoint")
            .field("posted", self.posted)
            .field("failed", self.failed)
            .field("dropped", self.dropped)
            .field("retries", self.retries)
            .field("waiting", self.waiting)
            .field("spooled", self.spooled)
            .field("spooled-bytes", self.spooled_bytes)
            .field("bytes", self.bytes)
            .field("breaker", self.breaker)
            .field_if_some("trouble", self.trouble.as_ref())
            .field("post-time-p50", self.post_time_p50)
            .field("post-time-p99", self.post_time_p99)
            .build()
    }
}
