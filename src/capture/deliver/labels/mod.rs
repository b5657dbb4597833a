// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Detections as training tools read them: a text file for each picture (KITTI, YOLO), one JSON
//! file (COCO), or one file for each stream (MOTChallenge).
//!
//! Boxes are in pixels of the picture as it is delivered and cut to it. What lies outside, or has
//! no size, is left out.

mod coco;
mod mot;
mod text;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::capture::enums::OnExists;
use crate::capture::job::Facts;
use crate::capture::name::Template;
use crate::meta::Detection;

use super::DeliverError;
use super::files::{Companion, Published, Staged};

pub use coco::Repaired;
pub use text::{CLASSES, TextFormat};

/// What label files are written, and where.
#[derive(Debug, Clone)]
pub struct LabelRules {
    pub form: Form,
    /// The picture is another one than the frame: boxes stay in the frame's pixels.
    pub of_frames: bool,
    pub on_exists: OnExists,
    pub fsync: bool,
}

impl LabelRules {
    /// The one that says where they go.
    pub fn property(&self) -> &'static str {
        match &self.form {
            Form::Text(_, Place::Beside { .. }) => "location",
            _ => "labels-location",
        }
    }
}

#[derive(Debug, Clone)]
pub enum Form {
    /// A file for each picture.
    Text(TextFormat, Place),
    /// One file.
    Coco(PathBuf),
    /// A file for each stream.
    Mot(Template),
}

#[derive(Debug, Clone)]
pub enum Place {
    /// The name of the picture with another suffix; `has_suffix` says whether it has one.
    Beside {
        /// Where the list of classes goes.
        folder: PathBuf,
        has_suffix: bool,
    },
    Named(Template),
}

/// A captured frame, as labels speak of it.
#[derive(Debug, Clone, Copy)]
pub struct Labelled<'a> {
    pub facts: &'a Facts,
    /// Width and height of the frame, which detections are in pixels of.
    pub frame_size: [u32; 2],
    /// Height and width of the picture.
    pub shape: [usize; 3],
}

/// A detection in pixels of the picture, within it.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Placed<'a> {
    detection: &'a Detection,
    left: f32,
    top: f32,
    right: f32,
    bottom: f32,
}

impl Placed<'_> {
    fn width(&self) -> f32 {
        self.right - self.left
    }

    fn height(&self) -> f32 {
        self.bottom - self.top
    }
}

/// Detections that have a place in the picture.
struct Objects<'a> {
    width: usize,
    height: usize,
    placed: Vec<Placed<'a>>,
    left_out: u64,
}

impl<'a> Objects<'a> {
    fn of(labelled: &Labelled<'a>, of_frames: bool) -> Self {
        let [frame_width, frame_height] = labelled.frame_size;
        let (width, height) = match of_frames {
            true => (frame_width as usize, frame_height as usize),
            false => (labelled.shape[1], labelled.shape[0]),
        };
        let facts = labelled.facts;
        let (right, bottom) = (width as f32, height as f32);
        let across = right / (frame_width.max(1) as f32);
        let down = bottom / (frame_height.max(1) as f32);
        let matches = facts.matches.iter();
        let found: Vec<_> = matches
            .filter_map(|&place| facts.meta.detections.get(place))
            .collect();
        let placed: Vec<_> = found
            .iter()
            .map(|detection| {
                let b = detection.bounds;
                Placed {
                    detection,
                    left: (b.left * across).max(0.0),
                    top: (b.top * down).max(0.0),
                    right: ((b.left + b.width) * across).min(right),
                    bottom: ((b.top + b.height) * down).min(bottom),
                }
            })
            .filter(|p| {
                let b = p.detection.bounds;
                let finite = [b.left, b.top, b.width, b.height]
                    .iter()
                    .all(|n| n.is_finite());
                finite && p.left < p.right && p.top < p.bottom
            })
            .collect();
        Self {
            width,
            height,
            left_out: (found.len() - placed.len()) as u64,
            placed,
        }
    }
}

/// A text as one word: columns are told apart by spaces.
fn word(label: &str) -> String {
    let plain = |c: char| match c.is_whitespace() || c.is_control() {
        true => '_',
        false => c,
    };
    label.chars().map(plain).collect()
}

/// How an object is called that has no label.
fn name(detection: &Detection) -> String {
    match (detection.label.trim(), detection.class_id) {
        ("", Some(id)) => format!("class{id}"),
        ("", None) => "object".to_owned(),
        (label, _) => label.to_owned(),
    }
}

/// A confidence as tools know it that have no word for an unknown one.
fn score(detection: &Detection) -> f32 {
    let confidence = detection.confidence;
    confidence.filter(|c| c.is_finite()).unwrap_or(-1.0)
}

/// A label file of one picture, under a hidden name.
#[derive(Debug)]
pub struct StagedLabels {
    pub staged: Staged,
    beside: Option<bool>,
}

impl StagedLabels {
    /// To be published with the picture that it is named after.
    pub fn companion(self) -> Result<Companion, Staged> {
        match self.beside {
            Some(has_suffix) => Ok(Companion {
                staged: self.staged,
                has_suffix,
                suffix: SUFFIX,
            }),
            None => Err(self.staged),
        }
    }
}

pub const SUFFIX: &str = "txt";

/// What a capture's labels came to.
#[derive(Debug, Default)]
pub struct Outcome {
    pub staged: Option<StagedLabels>,
    /// Objects that the format cannot hold.
    pub left_out: u64,
    /// Some of them because the detector gave no class id.
    pub without_class: bool,
    /// The capture has its labels, and something else went wrong.
    pub warning: Option<DeliverError>,
}

/// Label files of one run.
#[derive(Debug)]
pub struct Labels {
    of_frames: bool,
    writer: Writer,
}

#[derive(Debug)]
enum Writer {
    Text(text::TextFiles),
    /// Committed one at a time, so never contended.
    Coco(Mutex<coco::Coco>),
    Mot(Mutex<mot::Mot>),
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Labels {
    /// Opens what is written to. Also returns the file of an earlier run that was repaired.
    pub fn open(rules: &LabelRules) -> Result<(Self, Option<Repaired>), DeliverError> {
        let mut repaired = None;
        let writer = match &rules.form {
            Form::Text(format, place) => {
                let (on_exists, fsync) = (rules.on_exists, rules.fsync);
                Writer::Text(text::TextFiles::open(*format, place, on_exists, fsync)?)
            }
            Form::Coco(path) => {
                let (coco, folded) = coco::Coco::open(path, rules.on_exists, rules.fsync)?;
                repaired = folded;
                Writer::Coco(Mutex::new(coco))
            }
            Form::Mot(template) => Writer::Mot(Mutex::new(mot::Mot::open(
                template.clone(),
                rules.on_exists,
                rules.fsync,
            )?)),
        };
        let labels = Self {
            of_frames: rules.of_frames,
            writer,
        };
        Ok((labels, repaired))
    }

    /// The first capture number, where the labels are what is numbered.
    pub fn first_number(&self) -> Result<u64, DeliverError> {
        match &self.writer {
            Writer::Text(files) => files.first_number(),
            _ => Ok(0),
        }
    }

    /// Writes the label file of a picture under a hidden name, where each has one.
    pub fn stage(
        &self,
        labelled: &Labelled<'_>,
        picture: Option<&Staged>,
    ) -> Result<Outcome, DeliverError> {
        match &self.writer {
            Writer::Text(files) => {
                files.stage(labelled, Objects::of(labelled, self.of_frames), picture)
            }
            _ => Ok(Outcome::default()),
        }
    }

    /// Names a label file that has a name of its own.
    pub fn publish(&self, staged: Staged) -> Result<Option<Published>, DeliverError> {
        match &self.writer {
            Writer::Text(files) => files.publish(staged),
            _ => Ok(None),
        }
    }

    /// Adds a capture to a file of several. Called in the order of the captures.
    pub fn append(
        &self,
        labelled: &Labelled<'_>,
        picture: Option<&Path>,
    ) -> Result<Outcome, DeliverError> {
        let objects = || Objects::of(labelled, self.of_frames);
        let (left_out, warning) = match &self.writer {
            Writer::Text(_) => (0, None),
            Writer::Coco(coco) => {
                let added = lock(coco).append(labelled, &objects(), picture)?;
                (added.left_out, added.warning)
            }
            Writer::Mot(mot) => (lock(mot).append(labelled, &objects())?, None),
        };
        Ok(Outcome {
            left_out,
            warning,
            ..Outcome::default()
        })
    }

    /// Something of what is appended is to be seen after [`Labels::finish`] only.
    pub fn is_finished_late(&self) -> bool {
        matches!(self.writer, Writer::Coco(_))
    }

    /// Makes what was appended visible.
    pub fn finish(&self) -> Result<(), DeliverError> {
        match &self.writer {
            Writer::Coco(coco) => lock(coco).publish(),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
