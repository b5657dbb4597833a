// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What the bytes of a row mean, for code that draws or reads pixels in any of our formats.

use gst_video::VideoFormat;

/// What one byte of a picture holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    Red,
    Green,
    Blue,
    /// Alpha, or padding that is written as if it were.
    Opaque,
    Luma,
    Cb,
    Cr,
}

impl Lane {
    pub const COUNT: usize = 7;

    pub fn is_chroma(self) -> bool {
        matches!(self, Self::Cb | Self::Cr)
    }
}

/// The rows of one plane: groups of bytes that repeat along the row.
#[derive(Debug, Clone, Copy)]
pub struct Lanes {
    /// The bytes of one group, each with the pixel of the group it belongs to. Chroma belongs to
    /// all pixels of the group.
    pub bytes: &'static [(Lane, usize)],
    /// Pixels in a group.
    pub across: usize,
    /// Rows of the picture that share a row of this plane.
    pub down: usize,
}

macro_rules! lanes {
    ($across:literal x $down:literal: $($lane:ident $dx:literal)+) => {
        Lanes { bytes: &[$((Lane::$lane, $dx)),+], across: $across, down: $down }
    };
}

/// The planes of a format, as [`plane_sizes`](super::plane_sizes) lists them; empty for a format
/// that is not one of ours.
pub fn lanes(format: VideoFormat) -> &'static [Lanes] {
    match format {
        VideoFormat::Rgb => &[lanes!(1 x 1: Red 0 Green 0 Blue 0)],
        VideoFormat::Bgr => &[lanes!(1 x 1: Blue 0 Green 0 Red 0)],
        VideoFormat::Rgba | VideoFormat::Rgbx => &[lanes!(1 x 1: Red 0 Green 0 Blue 0 Opaque 0)],
        VideoFormat::Bgra | VideoFormat::Bgrx => &[lanes!(1 x 1: Blue 0 Green 0 Red 0 Opaque 0)],
        VideoFormat::Gray8 => &[lanes!(1 x 1: Luma 0)],
        VideoFormat::Nv12 => &[lanes!(1 x 1: Luma 0), lanes!(2 x 2: Cb 0 Cr 0)],
        VideoFormat::I420 => &[
            lanes!(1 x 1: Luma 0),
            lanes!(2 x 2: Cb 0),
            lanes!(2 x 2: Cr 0),
        ],
        VideoFormat::Y42b => &[
            lanes!(1 x 1: Luma 0),
            lanes!(2 x 1: Cb 0),
            lanes!(2 x 1: Cr 0),
        ],
        VideoFormat::Y444 => &[
            lanes!(1 x 1: Luma 0),
            lanes!(1 x 1: Cb 0),
            lanes!(1 x 1: Cr 0),
        ],
        VideoFormat::Yuy2 => &[lanes!(2 x 1: Luma 0 Cb 0 Luma 1 Cr 0)],
        VideoFormat::Uyvy => &[lanes!(2 x 1: Cb 0 Luma 0 Cr 0 Luma 1)],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::super::{FORMATS, SYSTEM_FORMATS, plane_sizes};
    use super::*;

    #[test]
    fn lanes_fit_the_planes() {
        let planar = [VideoFormat::Y42b, VideoFormat::Y444];
        for format in FORMATS.iter().chain(&SYSTEM_FORMATS).chain(&planar) {
            for (width, height) in [(1usize, 1usize), (2, 3), (641, 479)] {
                let sizes = plane_sizes(*format, width, height);
                assert_eq!(sizes.len(), lanes(*format).len());
                for (size, lanes) in sizes.iter().zip(lanes(*format)) {
                    let groups = width.div_ceil(lanes.across);
                    assert_eq!(size.row_bytes, groups * lanes.bytes.len(), "{format:?}");
                    assert_eq!(size.rows, height.div_ceil(lanes.down), "{format:?}");
                }
            }
        }
    }
}
