// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! GStreamer's scaling coefficients in the integers that it uses.

use crate::mem::sys::scaler::Coefficients;

/// Integer coefficients, first all first ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taps {
    pub offsets: Vec<u32>,
    pub taps: Vec<i16>,
    pub count: usize,
    /// Elements of the input.
    pub from: usize,
}

impl Taps {
    /// `bits` is the precision.
    pub fn new(coefficients: &Coefficients, from: usize, bits: u32) -> Self {
        let size = coefficients.offsets.len();
        let mut taps = vec![0; coefficients.taps.len()];
        for (index, exact) in coefficients.taps.chunks(coefficients.count).enumerate() {
            for (tap, value) in rounded(exact, bits).enumerate() {
                taps[tap * size + index] = value;
            }
        }
        Self {
            offsets: coefficients.offsets.iter().map(|o| *o as u32).collect(),
            taps,
            count: coefficients.count,
            from,
        }
    }
}

/// The lines that GStreamer keeps at least while it interpolates chroma.
const LINES: usize = 5;

impl Taps {
    /// Coefficients of rows that come out of interpolating chroma in pairs of lines, as GStreamer
    /// applies them: it reads a line ahead, and where it keeps no more lines than there are
    /// coefficients, the first one of every other row meets the line that was read last. That shows
    /// in the first row of a picture.
    pub fn reading_ahead(mut self) -> Self {
        if self.count < LINES {
            return self;
        }
        let (size, count) = (self.offsets.len(), self.count);
        // Room for one more, if there are as many lines.
        let more = count < self.from;
        self.count += usize::from(more);
        self.taps.resize(size * self.count, 0);
        for (index, offset) in self.offsets.iter_mut().enumerate() {
            let end = *offset as usize + count;
            // Pairs end with even lines.
            if end.is_multiple_of(2) {
                let tap = std::mem::take(&mut self.taps[index]);
                // The line behind the last one is the last one.
                let met = end.min(self.from - 1) - *offset as usize;
                self.taps[met * size + index] += tap;
            }
            if more && end == self.from {
                *offset -= 1;
                for tap in (0..count).rev() {
                    self.taps[(tap + 1) * size + index] = self.taps[tap * size + index];
                }
                self.taps[index] = 0;
            }
        }
        self
    }
}

/// Rounded, all in the same way, so that the sum is a whole: that way is searched for.
fn rounded(exact: &[f64], bits: u32) -> impl Iterator<Item = i16> {
    let whole = 1 << bits;
    let round = move |bias: f64, value: f64| (bias + value * f64::from(whole)).floor() as i16;
    let (mut low, mut high, mut bias) = (0.0, 1.0, 0.5);
    let mut used = bias;
    for _ in 0..64 {
        used = bias;
        let sum: i32 = exact.iter().map(|v| i32::from(round(bias, *v))).sum();
        if sum == whole || low == high {
            break;
        }
        if sum < whole {
            if bias > low {
                low = bias;
            }
            bias += (high - low) / 2.0;
        } else {
            if bias < high {
                high = bias;
            }
            bias -= (high - low) / 2.0;
        }
    }
    exact.iter().map(move |value| round(used, *value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mem::sys::scaler::Resampler;

    fn sums(taps: &Taps) -> Vec<i32> {
        let size = taps.offsets.len();
        let sum = |index| {
            let parts = taps.taps.iter().skip(index).step_by(size);
            parts.map(|tap| i32::from(*tap)).sum()
        };
        (0..size).map(sum).collect()
    }

    #[test]
    fn rounded_taps_make_a_whole() {
        gst::init().unwrap();
        for (from, to) in [(640, 1280), (1280, 640), (1920, 300), (100, 99), (7, 1)] {
            let exact = Coefficients::new(Resampler::Cubic, from, to).unwrap();
            // Two alike cannot always be told apart.
            let sums = sums(&Taps::new(&exact, from, 6));
            assert!(sums.iter().all(|sum| (sum - 64).abs() <= 1), "{sums:?}");
        }
    }

    #[test]
    fn lines_read_ahead_are_there() {
        gst::init().unwrap();
        for (from, to) in [(5, 3), (6, 2), (64, 31), (1080, 480), (481, 100), (7, 1)] {
            let exact = Coefficients::new(Resampler::Cubic, from, to).unwrap();
            let taps = Taps::new(&exact, from, 6);
            let before = sums(&taps);
            let ahead = taps.reading_ahead();
            assert_eq!(sums(&ahead), before);
            let end = |offset: &u32| *offset as usize + ahead.count;
            assert!(ahead.offsets.iter().all(|offset| end(offset) <= from));
        }
    }
}
