// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Which part of a frame shows an object.

use crate::frame::Part;
use crate::meta::Bounds;

/// How the box of an object becomes the part of the frame that is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct CropRules {
    /// Added on each side, as a share of the box's width and height.
    pub padding: f64,
    /// As wide as high, by the longer side.
    pub square: bool,
    /// Width and height in pixels of the frame.
    pub min_size: (u32, u32),
}

/// Sums of floats are not exact: what reaches this little into a pixel does not count.
const SLACK: f64 = 1.0 / 1024.0;

/// Pixels of one axis, from `low` to before `high`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    low: i64,
    high: i64,
}

impl Span {
    fn of(low: f64, high: f64) -> Self {
        let low = (low + SLACK).floor() as i64;
        Self {
            low,
            high: ((high - SLACK).ceil() as i64).max(low + 1),
        }
    }

    fn len(self) -> i64 {
        self.high - self.low
    }

    fn contains(self, other: Self) -> bool {
        self.low <= other.low && self.high >= other.high
    }

    /// With this length around the same centre, moved into the frame.
    fn placed(self, len: i64, limit: i64) -> Self {
        let low = self.low - (len - self.len()).div_euclid(2);
        let low = low.clamp(0, (limit - len).max(0));
        Self {
            low,
            high: low + len,
        }
    }
}

/// One axis of a box: what must be seen of it, what is to be seen around it, and where the frame
/// ends.
#[derive(Debug, Clone, Copy)]
struct Axis {
    object: Span,
    wanted: Span,
    limit: i64,
    /// Parts of the frame begin at multiples of this.
    align: i64,
}

impl Axis {
    fn new(start: f64, len: f64, limit: u32, align: u32) -> Option<Self> {
        let end = start + len;
        if !start.is_finite() || !end.is_finite() || len <= 0.0 {
            return None;
        }
        let (start, end) = (start.max(0.0), end.min(f64::from(limit)));
        if start >= end {
            return None;
        }
        let limit = i64::from(limit);
        // A sliver at the very edge may be rounded out of the frame.
        let object = Span::of(start, end).placed(Span::of(start, end).len(), limit);
        Some(Self {
            object,
            wanted: object,
            limit,
            align: i64::from(align.max(1)),
        })
    }

    fn grow(&mut self, start: f64, len: f64, padding: f64, min: u32) {
        let (start, end) = (start.max(0.0), (start + len).min(self.limit as f64));
        // No frame shows more than this.
        let most = 4.0 * self.limit as f64;
        let wanted = ((end - start) * (1.0 + 2.0 * padding))
            .max(f64::from(min))
            .min(most);
        if wanted <= end - start {
            return;
        }
        let centre = (start + end) / 2.0;
        // As many pixels, wherever the centre is.
        let len = (wanted - SLACK).ceil();
        let low = (centre - len / 2.0 + SLACK).floor() as i64;
        self.wanted = Span {
            low: low.min(self.object.low),
            high: (low + len as i64).max(self.object.high),
        };
    }

    /// As long as it comes out, up to a pixel more for the sake of chroma.
    fn free(self) -> Span {
        self.free_of(self.wanted.len())
    }

    fn free_of(self, len: i64) -> Span {
        let span = self.wanted.placed(len.min(self.limit), self.limit);
        Span {
            low: span.low - span.low % self.align,
            high: span.high,
        }
    }

    /// Exactly as long as this, if the object fits there.
    fn exactly(self, len: i64) -> Option<Span> {
        if len > self.limit {
            return None;
        }
        let Span { low, .. } = self.wanted.placed(len, self.limit);
        let down = low - low % self.align;
        [down, down + self.align]
            .into_iter()
            .map(|low| Span {
                low,
                high: low + len,
            })
            .find(|span| span.high <= self.limit && span.contains(self.object))
    }
}

/// The part of a frame of this size that shows an object: its box, grown by the rules, then shifted
/// and clamped into the frame, in whole pixels and from a multiple of `align` on. None for a box that
/// is none, or not in the frame.
pub fn region(
    bounds: &Bounds,
    size: (u32, u32),
    rules: &CropRules,
    align: (u32, u32),
) -> Option<Part> {
    let (left, width) = (f64::from(bounds.left), f64::from(bounds.width));
    let (top, height) = (f64::from(bounds.top), f64::from(bounds.height));
    let mut across = Axis::new(left, width, size.0, align.0)?;
    let mut down = Axis::new(top, height, size.1, align.1)?;
    across.grow(left, width, rules.padding, rules.min_size.0);
    down.grow(top, height, rules.padding, rules.min_size.1);
    let (x, y) = match rules.square {
        true => square(across, down),
        false => (across.free(), down.free()),
    };
    Some(Part {
        x: x.low as u32,
        y: y.low as u32,
        width: x.len() as u32,
        height: y.len() as u32,
    })
}

/// As close to a square as the frame has room for with the object in it.
fn square(across: Axis, down: Axis) -> (Span, Span) {
    let longer = across.wanted.len().max(down.wanted.len());
    let room = across.limit.min(down.limit);
    // Chroma may ask for a pixel or two more, or where the frame ends there, less.
    let larger = (longer..longer + 4).filter(|side| *side <= room);
    let smaller = (1..=longer.min(room)).rev().take(4);
    larger
        .chain(smaller)
        .find_map(|side| Some((across.exactly(side)?, down.exactly(side)?)))
        .unwrap_or_else(|| (across.free_of(longer), down.free_of(longer)))
}

#[cfg(test)]
#[path = "region_tests.rs"]
mod tests;
