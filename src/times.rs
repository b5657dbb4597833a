// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! How long something took, many times: a histogram that is counted into without a lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the buckets, in microseconds. What is above the last has a bucket of its own.
pub const BOUNDS: [u64; 15] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 10_000_000,
];

#[derive(Debug, Default)]
pub struct Times {
    buckets: [AtomicU64; BOUNDS.len() + 1],
    /// ns; 584 years of it.
    sum: AtomicU64,
}

/// [`Times`] at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Measured {
    /// So many in each bucket, not below each bound.
    pub buckets: [u64; BOUNDS.len() + 1],
    pub sum: Duration,
}

impl Times {
    pub fn record(&self, time: Duration) {
        self.record_all(time, 1);
    }

    /// As long each.
    pub fn record_all(&self, time: Duration, times: u64) {
        let micros = time.as_nanos().div_ceil(1000);
        let bucket = BOUNDS.partition_point(|bound| u128::from(*bound) < micros);
        let ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.sum
            .fetch_add(ns.saturating_mul(times), Ordering::Relaxed);
        self.buckets[bucket].fetch_add(times, Ordering::Relaxed);
    }

    pub fn measured(&self) -> Measured {
        Measured {
            buckets: self.buckets.each_ref().map(|it| it.load(Ordering::Relaxed)),
            sum: Duration::from_nanos(self.sum.load(Ordering::Relaxed)),
        }
    }
}

impl Measured {
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    pub fn add(&mut self, other: &Self) {
        for (own, more) in self.buckets.iter_mut().zip(other.buckets) {
            *own += more;
        }
        self.sum = self.sum.saturating_add(other.sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_bucket() {
        let times = Times::default();
        for nanos in [
            0,
            1,
            100_000,
            100_001,
            250_000,
            10_000_000_000,
            10_000_000_001,
        ] {
            times.record(Duration::from_nanos(nanos));
        }
        times.record_all(Duration::from_secs(3600), 2);
        let measured = times.measured();
        let mut want = [0; BOUNDS.len() + 1];
        (want[0], want[1], want[14], want[15]) = (3, 2, 1, 3);
        assert_eq!(measured.buckets, want);
        assert_eq!(measured.count(), 9);
        assert_eq!(measured.sum, Duration::from_nanos(7_220_000_450_003));
    }

    #[test]
    fn sums_are_of_both() {
        let (a, b) = (Times::default(), Times::default());
        a.record(Duration::from_millis(1));
        b.record_all(Duration::from_millis(2), 3);
        let mut sum = a.measured();
        sum.add(&b.measured());
        assert_eq!((sum.count(), sum.sum), (4, Duration::from_millis(7)));
    }
}
