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

    #[test]
    fn rounded_taps_make_a_whole() {
        gst::init().unwrap();
        for (from, to) in [(640, 1280), (1280, 640), (1920, 300), (100, 99), (7, 1)] {
            let exact = Coefficients::new(Resampler::Cubic, from, to).unwrap();
            let taps = Taps::new(&exact, from, 6);
            for index in 0..to {
                let parts = taps.taps.iter().skip(index).step_by(to);
                assert_eq!(parts.map(|tap| i32::from(*tap)).sum::<i32>(), 64);
            }
        }
    }
}
