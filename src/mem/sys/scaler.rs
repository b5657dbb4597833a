// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The coefficients by which GStreamer scales.

#![allow(unsafe_code)]

use std::ptr::{NonNull, null_mut};

use gst_video::ffi;

/// How GStreamer's converter resamples: colours and luma, or chroma planes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resampler {
    Cubic,
    Linear,
}

/// For each element of the output, which of the input it is made of, and in which parts.
#[derive(Debug, Clone, PartialEq)]
pub struct Coefficients {
    /// The first element of the input.
    pub offsets: Vec<usize>,
    /// `count` for each element of the output.
    pub taps: Vec<f64>,
    pub count: usize,
}

struct Scaler(NonNull<ffi::GstVideoScaler>);

impl Drop for Scaler {
    fn drop(&mut self) {
        // SAFETY: ours, and not used any more.
        unsafe { ffi::gst_video_scaler_free(self.0.as_ptr()) }
    }
}

impl Coefficients {
    /// None where either size is nothing or too much.
    pub fn new(resampler: Resampler, from: usize, to: usize) -> Option<Self> {
        let method = match resampler {
            Resampler::Cubic => ffi::GST_VIDEO_RESAMPLER_METHOD_CUBIC,
            Resampler::Linear => ffi::GST_VIDEO_RESAMPLER_METHOD_LINEAR,
        };
        let size = |size: usize| i32::try_from(size).ok().filter(|size| *size > 0);
        let (from_size, to_size) = (size(from)? as u32, size(to)? as u32);
        // SAFETY: sizes are not zero; without options the defaults hold.
        let raw = unsafe {
            ffi::gst_video_scaler_new(
                method,
                ffi::GST_VIDEO_SCALER_FLAG_NONE,
                0,
                from_size,
                to_size,
                null_mut(),
            )
        };
        let scaler = Scaler(NonNull::new(raw)?);
        let (mut offsets, mut taps, mut count) = (Vec::with_capacity(to), Vec::new(), 0);
        for index in 0..to_size {
            let (mut offset, mut length) = (0, 0);
            // SAFETY: a live scaler; the index is less than its output; both pointers are valid.
            let first = unsafe {
                ffi::gst_video_scaler_get_coeff(scaler.0.as_ptr(), index, &mut offset, &mut length)
            };
            let first = NonNull::new(first.cast_mut())?;
            count = length as usize;
            // SAFETY: as many coefficients as it said, which live as long as the scaler.
            let found = unsafe { std::slice::from_raw_parts(first.as_ptr(), count) };
            taps.extend_from_slice(found);
            offsets.push(offset as usize);
        }
        let within = offsets.iter().all(|offset| offset + count <= from);
        (within && taps.len() == to * count).then_some(Self {
            offsets,
            taps,
            count,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_make_a_whole() {
        gst::init().unwrap();
        for resampler in [Resampler::Cubic, Resampler::Linear] {
            for (from, to) in [(1, 7), (2, 5), (3, 3), (640, 1280), (1920, 300), (5000, 3)] {
                let found = Coefficients::new(resampler, from, to).unwrap();
                assert_eq!(found.offsets.len(), to);
                for taps in found.taps.chunks(found.count) {
                    assert!((taps.iter().sum::<f64>() - 1.0).abs() < 1e-9);
                }
            }
        }
        assert_eq!(Coefficients::new(Resampler::Cubic, 0, 5), None);
        assert_eq!(Coefficients::new(Resampler::Cubic, 5, 0), None);
    }
}
