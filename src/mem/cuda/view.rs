// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Pictures in memory that a GPU reaches: where their planes lie, checked when they are made.

use std::marker::PhantomData;
use std::ops::Range;

use gst_video::VideoFormat;

use crate::frame::{ViewError, plane_sizes};

/// As many planes as any of our formats has.
pub const MAX_PLANES: usize = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CardPlane {
    /// For the card, not for the CPU.
    pub address: u64,
    /// Bytes from one row to the next.
    pub pitch: usize,
}

#[derive(Debug, Clone, Copy)]
struct Layout {
    format: VideoFormat,
    width: usize,
    height: usize,
    planes: [CardPlane; MAX_PLANES],
    count: usize,
}

impl Layout {
    /// All rows must lie within `range`.
    fn new(
        format: VideoFormat,
        (width, height): (usize, usize),
        given: &[CardPlane],
        range: Range<u64>,
    ) -> Result<Self, ViewError> {
        let sizes = plane_sizes(format, width, height);
        if sizes.is_empty() || sizes.len() > MAX_PLANES {
            return Err(ViewError::Format(format));
        }
        if sizes.len() != given.len() {
            return Err(ViewError::Planes {
                format,
                got: given.len(),
                want: sizes.len(),
            });
        }
        let mut planes = [CardPlane::default(); MAX_PLANES];
        for (plane, (size, given)) in sizes.iter().zip(given).enumerate() {
            // Surfaces and kernels have 32 bits for it.
            if given.pitch < size.row_bytes || u32::try_from(given.pitch).is_err() {
                return Err(ViewError::Pitch {
                    plane,
                    pitch: given.pitch,
                    row_bytes: size.row_bytes,
                });
            }
            let need = (size.rows.saturating_sub(1))
                .saturating_mul(given.pitch)
                .saturating_add(size.row_bytes);
            let got = match given.address {
                address if address < range.start => 0,
                address => range.end.saturating_sub(address),
            };
            if got < need as u64 {
                let got = got as usize;
                return Err(ViewError::Short { plane, got, need });
            }
            planes[plane] = *given;
        }
        Ok(Self {
            format,
            width,
            height,
            planes,
            count: given.len(),
        })
    }
}

/// A picture to be read.
#[derive(Debug, Clone, Copy)]
pub struct CardView<'a> {
    layout: Layout,
    memory: PhantomData<&'a ()>,
}

/// A picture to be written.
#[derive(Debug)]
pub struct CardViewMut<'a> {
    layout: Layout,
    memory: PhantomData<&'a mut ()>,
}

macro_rules! accessors {
    () => {
        pub fn format(&self) -> VideoFormat {
            self.layout.format
        }

        pub fn width(&self) -> usize {
            self.layout.width
        }

        pub fn height(&self) -> usize {
            self.layout.height
        }

        pub fn planes(&self) -> &[CardPlane] {
            &self.layout.planes[..self.layout.count]
        }
    };
}

impl<'a> CardView<'a> {
    /// The memory in `range` must be reachable by the GPU for as long as `'a`.
    pub(in crate::mem) fn new(
        format: VideoFormat,
        size: (usize, usize),
        planes: &[CardPlane],
        range: Range<u64>,
    ) -> Result<Self, ViewError> {
        Ok(Self {
            layout: Layout::new(format, size, planes, range)?,
            memory: PhantomData,
        })
    }

    /// The part of the picture from `x`, `y` on, which must be where chroma begins.
    pub fn part(&self, x: usize, y: usize, width: usize, height: usize) -> Result<Self, ViewError> {
        let short = ViewError::Short {
            plane: 0,
            got: self.width().saturating_sub(x),
            need: width,
        };
        if x.saturating_add(width) > self.width() || y.saturating_add(height) > self.height() {
            return Err(short);
        }
        let whole = plane_sizes(self.format(), self.width(), self.height());
        let skipped = plane_sizes(self.format(), x, y);
        let mut planes = [CardPlane::default(); MAX_PLANES];
        let mut end = 0;
        for (index, (plane, (whole, skip))) in self
            .planes()
            .iter()
            .zip(whole.iter().zip(&skipped))
            .enumerate()
        {
            let offset = skip.rows * plane.pitch + skip.row_bytes;
            let last = (whole.rows - 1) * plane.pitch + whole.row_bytes;
            end = end.max(plane.address + last as u64);
            planes[index] = CardPlane {
                address: plane.address + offset as u64,
                pitch: plane.pitch,
            };
        }
        Self::new(
            self.format(),
            (width, height),
            &planes[..self.layout.count],
            0..end,
        )
    }

    accessors!();
}

impl<'a> CardViewMut<'a> {
    /// The memory in `range` must be reachable by the GPU for as long as `'a`, and nobody else's.
    pub(in crate::mem) fn new(
        format: VideoFormat,
        size: (usize, usize),
        planes: &[CardPlane],
        range: Range<u64>,
    ) -> Result<Self, ViewError> {
        Ok(Self {
            layout: Layout::new(format, size, planes, range)?,
            memory: PhantomData,
        })
    }

    /// The same picture to be read.
    pub fn as_view(&self) -> CardView<'_> {
        CardView {
            layout: self.layout,
            memory: PhantomData,
        }
    }

    accessors!();
}
