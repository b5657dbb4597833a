// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What pictures are made of a captured frame: all of it or one for each object, clean or with boxes
//! and labels.

pub mod boxes;
pub mod region;

use std::path::PathBuf;

use crate::codec::{Change, EncodeSettings, scaled_size};
use crate::frame::Part;
use crate::frame::paint::Rect;

use super::process::Facts;
use region::{CropRules, region};

/// What a picture is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    Frame,
    /// An object, by its place in the frame's list.
    Object(usize),
}

/// A picture that is to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shot {
    /// Its number within the capture. A picture and its annotated copy have one number.
    pub seq: u32,
    pub subject: Subject,
    /// The part of the frame that it shows.
    pub part: Part,
}

/// Times that a part may be as long as wide when it is scaled. One of a pixel's width must not become
/// a picture that no memory holds.
const LONGEST: u32 = 16;

impl Shot {
    /// With the size of the picture in numbers.
    pub fn settings(&self, settings: &EncodeSettings) -> EncodeSettings {
        let (mut width, mut height) = scaled_size((self.part.width, self.part.height), settings);
        if self.subject != Subject::Frame {
            match (settings.width, settings.height) {
                (given @ 1.., 0) => height = height.min(given.saturating_mul(LONGEST)),
                (0, given @ 1..) => width = width.min(given.saturating_mul(LONGEST)),
                _ => (),
            }
        }
        EncodeSettings {
            width,
            height,
            ..*settings
        }
    }

    /// What the frame goes through to become the picture, and the copy with these rectangles.
    pub fn change<'a>(&self, rects: Option<&'a [Rect]>) -> Change<'a> {
        let part = match self.subject {
            Subject::Frame => None,
            Subject::Object(_) => Some(self.part),
        };
        Change { part, rects }
    }
}

/// A picture that has its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    pub subject: Subject,
    /// With boxes and labels, beside one without.
    pub is_copy: bool,
    pub path: PathBuf,
}

/// The pictures of a frame of this size and format, and how many objects have no place in it.
pub fn shots(
    facts: &Facts,
    crop: Option<&CropRules>,
    format: gst_video::VideoFormat,
    size: (u32, u32),
) -> (Vec<Shot>, u64) {
    let Some(rules) = crop else {
        let frame = Shot {
            seq: 0,
            subject: Subject::Frame,
            part: Part::whole(size),
        };
        return (vec![frame], 0);
    };
    let align = crate::frame::chroma_steps(format);
    let mut shots = Vec::new();
    let mut skipped = 0;
    for &object in &facts.matches {
        let detection = facts.meta.detections.get(object);
        match detection.and_then(|it| region(&it.bounds, size, rules, align)) {
            Some(part) => shots.push(Shot {
                seq: shots.len() as u32,
                subject: Subject::Object(object),
                part,
            }),
            None => skipped += 1,
        }
    }
    (shots, skipped)
}
