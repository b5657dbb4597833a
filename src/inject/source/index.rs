// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Where the frames of a regular file lie.

use std::fs::File;
use std::io;

use super::SourceError;
use super::layout::{At, Framing, Layout};
use crate::codec::y4m::{MARKER, Marker, read_marker};

/// The places of the frames in a file.
#[derive(Debug)]
pub struct Index {
    pub frames: u64,
    places: Places,
    /// What is wrong behind the last whole frame.
    pub tail: Option<SourceError>,
}

#[derive(Debug)]
enum Places {
    /// All markers are alike, or there are none.
    Even { first: u64, step: u64 },
    /// Markers with parameters: looked up one by one.
    Listed(Vec<u64>),
}

impl Index {
    /// `start` is where the header ends, `size` that of the file.
    pub fn new(
        layout: &Layout,
        what: &str,
        file: &File,
        start: u64,
        size: u64,
    ) -> io::Result<Self> {
        let left = size.saturating_sub(start);
        if layout.framing == Framing::Marked {
            return Self::marked(layout, what, file, start, left);
        }
        let step = layout.frame_bytes as u64;
        let there = left / step;
        let frames = layout.promised.map_or(there, |n| n.min(there));
        let tail = match layout.promised {
            Some(promised) if promised > there => Some(bad(
                what,
                format!(
                    "the header promises {promised} frames, but {}",
                    torn(there, left % step, step)
                ),
            )),
            None if !left.is_multiple_of(step) => {
                Some(bad(what, torn(there, left % step, step) + RAW_HINT))
            }
            _ => None,
        };
        Ok(Self {
            frames,
            places: Places::Even { first: start, step },
            tail,
        })
    }

    fn marked(layout: &Layout, what: &str, file: &File, start: u64, left: u64) -> io::Result<Self> {
        let bytes = layout.frame_bytes as u64;
        let plain = MARKER.len() as u64;
        let marker_at = |offset| read_marker(&mut At { file, offset });
        let first = marker_at(start)?;
        if first == Marker::Frame(plain) && left.is_multiple_of(plain + bytes) {
            return Ok(Self {
                frames: left / (plain + bytes),
                places: Places::Even {
                    first: start + plain,
                    step: plain + bytes,
                },
                tail: None,
            });
        }
        let (mut places, mut offset, end) = (Vec::new(), start, start + left);
        let tail = loop {
            match marker_at(offset)? {
                Marker::Frame(length) => offset += length,
                Marker::End => break None,
                Marker::Missing => break Some(no_marker(what, places.len() as u64)),
            }
            if end.saturating_sub(offset) < bytes {
                let got = end.saturating_sub(offset);
                break Some(bad(what, torn(places.len() as u64, got, bytes)));
            }
            places.push(offset);
            offset += bytes;
        };
        Ok(Self {
            frames: places.len() as u64,
            places: Places::Listed(places),
            tail,
        })
    }

    /// Where the pixels of a frame begin.
    pub fn place(&self, frame: u64) -> u64 {
        match &self.places {
            Places::Even { first, step } => first + frame * step,
            Places::Listed(places) => places.get(frame as usize).copied().unwrap_or(u64::MAX),
        }
    }

    /// Whether frames have a marker before them that nobody has looked at yet.
    pub fn is_unread(&self, layout: &Layout) -> bool {
        layout.framing == Framing::Marked && matches!(self.places, Places::Even { .. })
    }
}

/// What may be wrong with raw frames that do not come out even.
pub const RAW_HINT: &str = "; check format, width and height";

fn bad(what: &str, reason: String) -> SourceError {
    SourceError::BadStream {
        what: what.into(),
        reason,
    }
}

pub fn no_marker(what: &str, frame: u64) -> SourceError {
    bad(
        what,
        format!("frame {frame} does not begin with FRAME: the stream is damaged or cut short"),
    )
}

/// A stream that ends within this frame.
pub fn torn(frame: u64, got: u64, want: u64) -> String {
    format!("the stream ends within frame {frame}: {got} of {want} bytes")
}
