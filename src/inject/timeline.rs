// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Timestamps of frames that are only counted: exact at any rate, rising through changes of it.

use gst::ClockTime;

#[derive(Debug, Clone, Copy)]
pub struct Timeline {
    rate: gst::Fraction,
    /// A frame and its time, from which the others are counted.
    anchor: (u64, ClockTime),
}

impl Timeline {
    pub fn new(rate: gst::Fraction) -> Self {
        Self {
            rate,
            anchor: (0, ClockTime::ZERO),
        }
    }

    /// Goes on at another rate from a frame on.
    pub fn set_rate(&mut self, rate: gst::Fraction, from: u64) {
        if rate != self.rate {
            self.anchor = (from, self.pts(from));
            self.rate = rate;
        }
    }

    /// Counts from the beginning again, at the rate of now.
    pub fn restart(&mut self) {
        *self = Self::new(self.rate);
    }

    pub fn pts(&self, frame: u64) -> ClockTime {
        let (first, start) = self.anchor;
        let frames = u128::from(frame.saturating_sub(first));
        let (numer, denom) = (self.rate.numer().max(1), self.rate.denom().max(1));
        let ns = frames * u128::from(ClockTime::SECOND.nseconds()) * denom as u128 / numer as u128;
        start.saturating_add(ClockTime::from_nseconds(
            u64::try_from(ns).unwrap_or(u64::MAX - 1),
        ))
    }

    /// How long a frame is shown; `None` where the rate varies (0/1).
    pub fn duration(&self, frame: u64) -> Option<ClockTime> {
        (self.rate.numer() > 0).then(|| self.pts(frame + 1).saturating_sub(self.pts(frame)))
    }

    /// The frame that is shown at a time.
    pub fn frame_at(&self, time: ClockTime) -> u64 {
        let (first, start) = self.anchor;
        let ns = u128::from(time.nseconds().saturating_sub(start.nseconds()));
        let (numer, denom) = (
            self.rate.numer().max(1) as u128,
            self.rate.denom().max(1) as u128,
        );
        let second = u128::from(ClockTime::SECOND.nseconds());
        // Times are rounded down, so the frame after may begin at this very ns.
        let frame = first + (ns * numer / (denom * second)) as u64;
        if self.pts(frame + 1) <= time {
            frame + 1
        } else {
            frame
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_day_of_ntsc_ends_on_its_exact_ns() {
        let timeline = Timeline::new(gst::Fraction::new(30_000, 1001));
        assert_eq!(timeline.pts(1).nseconds(), 33_366_666);
        assert_eq!(
            timeline.pts(30_000 * 86),
            ClockTime::from_mseconds(1001 * 86 * 1000)
        );
    }

    #[test]
    fn a_new_rate_goes_on_where_the_old_one_was() {
        let mut timeline = Timeline::new(gst::Fraction::new(10, 1));
        timeline.set_rate(gst::Fraction::new(20, 1), 10);
        assert_eq!(timeline.pts(10), ClockTime::SECOND);
        assert_eq!(timeline.pts(12), ClockTime::from_mseconds(1100));
        timeline.restart();
        assert_eq!(timeline.frame_at(ClockTime::from_mseconds(500)), 10);
    }

    proptest! {
        #[test]
        fn a_frame_is_shown_from_its_time_on(
            numer in 1i32..100_000,
            denom in 1i32..2000,
            frame in 0u64..10_000_000,
        ) {
            // Shorter frames than a ns have no time of their own.
            prop_assume!(i64::from(numer) < 1_000_000_000 * i64::from(denom));
            let timeline = Timeline::new(gst::Fraction::new(numer, denom));
            prop_assert_eq!(timeline.frame_at(timeline.pts(frame)), frame);
            if let Some(before) = timeline.pts(frame).checked_sub(ClockTime::NSECOND) {
                prop_assert_eq!(timeline.frame_at(before), frame - 1);
            }
        }
    }
}
