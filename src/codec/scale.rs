// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Converters that are kept for the pictures to come: building one costs more than using it.

use gst_video::VideoFrame;
use gst_video::VideoInfo;
use gst_video::video_frame::{Readable, Writable};

use super::CodecError;
use crate::frame::{Converter, Frame, HostPool};

/// Streams of a batch may differ in size, so there is more than one.
const KEPT: usize = 8;

#[derive(Debug, Default)]
pub struct Scaler {
    /// The one used last is at the end.
    kept: Vec<(Converter, HostPool)>,
}

impl Scaler {
    /// `from` in the format and size of `to`, in memory that is used again once the frame is gone.
    pub fn convert(
        &mut self,
        frame: &VideoFrame<Readable>,
        from: &VideoInfo,
        to: &VideoInfo,
    ) -> Result<Frame, CodecError> {
        Ok(self.convert_to_draw(frame, from, to)?.into())
    }

    /// The same, to be drawn over.
    pub fn convert_to_draw(
        &mut self,
        frame: &VideoFrame<Readable>,
        from: &VideoInfo,
        to: &VideoInfo,
    ) -> Result<VideoFrame<Writable>, CodecError> {
        let found = self
            .kept
            .iter()
            .position(|(converter, _)| converter.from() == from && converter.to() == to);
        let entry = match found {
            Some(index) => self.kept.remove(index),
            None => {
                if self.kept.len() == KEPT {
                    self.kept.remove(0);
                }
                (Converter::new(from, to, false)?, HostPool::new(to)?)
            }
        };
        let (converter, pool) = &entry;
        let mut converted = pool.acquire()?;
        converter.convert(frame, &mut converted);
        self.kept.push(entry);
        Ok(converted)
    }
}
