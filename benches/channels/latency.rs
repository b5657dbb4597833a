// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! How long frames were on their way, and pushing them at their time.

use std::thread;
use std::time::{Duration, Instant};

/// Sleeping ends late; the rest is waited for in a loop.
const SPIN: Duration = Duration::from_micros(150);

/// Waits until a moment, and no longer.
pub fn wait_until(moment: Instant) {
    loop {
        let left = moment.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        match left.checked_sub(SPIN) {
            Some(left) if !left.is_zero() => thread::sleep(left),
            _ => std::hint::spin_loop(),
        }
    }
}

/// What this part of all values is not above.
pub fn percentile(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let place = (values.len() as f64 * part).ceil() as usize;
    values
        .get(place.saturating_sub(1))
        .copied()
        .unwrap_or(f64::NAN)
}
