// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What pictures are made of a captured frame: all of it or one for each object, clean or with boxes
//! and labels.

pub mod boxes;
pub mod region;
pub mod statistics;

use std::path::PathBuf;

use crate::codec::{Change, EncodeSettings, scaled_size};
use crate::frame::Part;
use crate::frame::paint::Rect;

use super::job::Facts;
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

#[cfg(test)]
mod tests {
    use gst_video::VideoFormat;

    use super::*;
    use crate::capture::select::Reason;
    use crate::meta::{Bounds, Detection, FrameMeta};

    fn facts(matches: &[usize]) -> Facts {
        let detection = |left: f32| Detection {
            bounds: Bounds {
                left,
                top: 4.0,
                width: 10.0,
                height: 20.0,
            },
            ..Detection::default()
        };
        Facts {
            number: 0,
            stream: 0,
            frame: 0,
            pts: None,
            duration: None,
            discont: false,
            taken_at: jiff::Timestamp::UNIX_EPOCH,
            reason: Reason::Interval,
            meta: FrameMeta {
                detections: [0.0, 20.0, f32::NAN, 50.0].map(detection).to_vec(),
                ..FrameMeta::default()
            },
            matches: matches.to_vec(),
        }
    }

    #[test]
    fn the_objects_that_match_get_a_picture_each() {
        let rules = CropRules::default();
        let of = |matches: &[usize]| {
            let (shots, skipped) =
                shots(&facts(matches), Some(&rules), VideoFormat::Rgb, (640, 480));
            let seen: Vec<_> = shots.iter().map(|s| (s.seq, s.subject, s.part.x)).collect();
            (seen, skipped)
        };
        assert_eq!(of(&[]), (vec![], 0));
        let expected = vec![(0, Subject::Object(3), 50), (1, Subject::Object(0), 0)];
        assert_eq!(of(&[3, 2, 0, 99]), (expected, 2));
    }

    #[test]
    fn without_crops_there_is_one_picture_whatever_matches() {
        let (shots, skipped) = shots(&facts(&[1, 2]), None, VideoFormat::Nv12, (64, 48));
        assert_eq!(skipped, 0);
        let whole = Part::whole((64, 48));
        let frame = Shot {
            seq: 0,
            subject: Subject::Frame,
            part: whole,
        };
        assert_eq!(shots, [frame]);
        assert_eq!(frame.change(None).part, None);
    }

    #[test]
    fn sizes_follow_the_part_within_reason() {
        let size = |subject, part: (u32, u32), wanted: (u32, u32)| {
            let shot = Shot {
                seq: 0,
                subject,
                part: Part::whole(part),
            };
            let settings = shot.settings(&EncodeSettings {
                width: wanted.0,
                height: wanted.1,
                ..EncodeSettings::default()
            });
            (settings.width, settings.height)
        };
        let object = Subject::Object(0);
        assert_eq!(size(object, (30, 40), (0, 0)), (30, 40));
        assert_eq!(size(object, (30, 40), (60, 0)), (60, 80));
        assert_eq!(size(object, (30, 40), (5, 6)), (5, 6));
        assert_eq!(size(object, (1, 400), (100, 0)), (100, 1600));
        assert_eq!(size(object, (400, 1), (0, 100)), (1600, 100));
        assert_eq!(size(Subject::Frame, (1, 400), (100, 0)), (100, 40_000));
    }
}
