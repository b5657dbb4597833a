// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Captures on their way from the decision to their delivery.

use std::sync::Arc;

use gst_video::VideoInfo;

use crate::frame::Snapshot;
use crate::meta::{Detection, FrameMeta};

use super::deliver::labels::Labelled;
use super::name::NameFacts;
use super::picture::{Shot, Subject};
use super::select::Reason;
use super::stats::Ticket;

/// What is known about a capture when it is decided.
#[derive(Debug)]
pub struct Facts {
    /// Of the capture, within the element.
    pub number: u64,
    pub stream: u32,
    /// Of the frame, within its stream: as the metadata counts, else as we do.
    pub frame: u64,
    /// ns.
    pub pts: Option<u64>,
    /// ns.
    pub duration: Option<u64>,
    /// It does not follow the frame before it.
    pub discont: bool,
    pub taken_at: jiff::Timestamp,
    pub reason: Reason,
    /// What the metadata says. Boxes are in pixels of the captured frame.
    pub meta: FrameMeta,
    /// Those of the detections that were asked for.
    pub matches: Vec<usize>,
}

impl Facts {
    /// Of a picture.
    pub fn name(&self, shot: &Shot) -> NameFacts<'_> {
        let object = match shot.subject {
            Subject::Frame => self.surest(),
            Subject::Object(index) => self.meta.detections.get(index).map(|it| (index, it)),
        };
        self.name_of(shot.seq, object)
    }

    /// Of a file about the whole frame.
    pub fn frame_name(&self) -> NameFacts<'_> {
        self.name_of(0, self.surest())
    }

    fn name_of<'a>(&'a self, seq: u32, object: Option<(usize, &'a Detection)>) -> NameFacts<'a> {
        NameFacts {
            number: self.number,
            stream: self.stream,
            frame: self.frame,
            pts: self.pts,
            utc: self.taken_at,
            reason: self.reason.as_str(),
            meta: &self.meta,
            seq,
            object,
        }
    }

    /// The object that a picture of the whole frame is named after: of those that match the one
    /// with the highest confidence, the first of equals.
    fn surest(&self) -> Option<(usize, &Detection)> {
        let matches = self.matches.iter();
        matches
            .filter_map(|&place| Some((place, self.meta.detections.get(place)?)))
            .reduce(|best, next| {
                let confidence = |(_, object): (usize, &Detection)| {
                    object
                        .confidence
                        .filter(|confidence| confidence.is_finite())
                };
                match confidence(next) > confidence(best) {
                    true => next,
                    false => best,
                }
            })
    }
}

/// A captured frame on its way.
#[derive(Debug)]
pub struct Capture {
    pub facts: Facts,
    pub info: VideoInfo,
    /// Absent where only the record counts.
    pub frame: Option<Snapshot>,
}

impl Capture {
    pub fn labelled(&self, shape: [usize; 3]) -> Labelled<'_> {
        Labelled {
            facts: &self.facts,
            frame_size: [self.info.width(), self.info.height()],
            shape,
        }
    }
}

/// Captures that are delivered or dropped together: one, with its pre-roll before it.
#[derive(Debug)]
pub struct Job {
    /// Of one stream, in the order of their delivery. None: what was delivered before is to become
    /// whole.
    pub captures: Vec<Capture>,
    pub ticket: Arc<Ticket>,
}
