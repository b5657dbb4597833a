// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The lines of `dsframecapture`'s log. A later line about a frame replaces an earlier one, so of
//! several runs into one log the last counts.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::{Frames, MAX_CLASSES, Recorded, Total, bounds, check_counts, confidence};
use crate::meta::{ClassLabel, Classifier, Detection, Label};

/// Fields that are not needed are not looked at.
#[derive(Deserialize)]
struct Line {
    version: u32,
    frame_number: u64,
    stream: u32,
    #[serde(default)]
    frame_size: Option<(u32, u32)>,
    #[serde(default)]
    file: Option<PathBuf>,
    objects: Vec<Object>,
}

#[derive(Deserialize)]
struct Object {
    label: Label,
    class_id: Option<i32>,
    component_id: Option<i32>,
    confidence: Option<f32>,
    track_id: Option<u64>,
    #[serde(rename = "box")]
    bounds: [f32; 4],
    parent: Option<usize>,
    #[serde(default)]
    classifiers: Vec<Classes>,
}

#[derive(Deserialize)]
struct Classes {
    #[serde(default)]
    kind: Label,
    component_id: Option<i32>,
    #[serde(default)]
    labels: Vec<Class>,
}

#[derive(Deserialize)]
struct Class {
    #[serde(default)]
    label: Label,
    class_id: Option<i32>,
    probability: Option<f32>,
}

const VERSION: u32 = 1;

/// Frames of all streams; which of them is wanted is known at the end.
#[derive(Default)]
pub struct Streams(BTreeMap<u32, Frames>);

impl Streams {
    pub fn add(&mut self, line: &str, total: &mut Total) -> Result<(), String> {
        let line: Line = serde_json::from_str(line).map_err(|error| {
            let text = error.to_string();
            // The line that it counts is always the first.
            let text = text.replace(" at line 1 column", " at column");
            format!("not a line of a dsframecapture log: {text}")
        })?;
        if line.version != VERSION {
            return Err(format!("version {} is not known", line.version));
        }
        if let Some((width, height)) = line.frame_size
            && (width == 0 || height == 0)
        {
            return Err(format!("a frame of {width}x{height}"));
        }
        let frames = self.0.entry(line.stream).or_default();
        let before = frames.remove(&line.frame_number).unwrap_or_default();
        let before = Total::of(&before);
        total.objects -= before.objects;
        total.classes -= before.classes;
        let count = line.objects.len();
        check_counts(count, total.objects + count)?;
        if count == 0 && line.file.is_none() {
            return Ok(());
        }
        let detections = line.objects.into_iter().map(|object| object.read(count));
        let frame = Recorded {
            size: line.frame_size,
            file: line.file,
            detections: detections.collect::<Result<_, _>>()?,
        };
        let added = Total::of(&frame);
        total.objects += added.objects;
        total.classes += added.classes;
        if total.classes > MAX_CLASSES {
            return Err(format!(
                "more than {MAX_CLASSES} classifiers, labels of them and pictures altogether"
            ));
        }
        frames.insert(line.frame_number, frame);
        Ok(())
    }

    /// Stream 0, or the only one.
    pub fn choose(mut self) -> Result<Frames, String> {
        if let Some(frames) = self.0.remove(&0) {
            return Ok(frames);
        }
        match self.0.len() {
            0 | 1 => Ok(self.0.into_values().next().unwrap_or_default()),
            _ => {
                let streams: Vec<_> = self.0.keys().take(8).map(u32::to_string).collect();
                Err(format!(
                    "the end, and there are several streams ({}) but no stream 0: keep the lines \
                     of the one that is meant",
                    streams.join(", ")
                ))
            }
        }
    }
}

impl Object {
    fn read(self, count: usize) -> Result<Detection, String> {
        let [left, top, width, height] = self.bounds;
        if let Some(parent) = self.parent.filter(|parent| *parent >= count) {
            return Err(format!("parent {parent} of {count} objects"));
        }
        Ok(Detection {
            label: self.label,
            class_id: self.class_id,
            component_id: self.component_id,
            confidence: self.confidence.map_or(Ok(None), confidence)?,
            track_id: self.track_id,
            bounds: bounds(left, top, width, height)?,
            parent: self.parent,
            classifiers: self.classifiers.into_iter().map(Classifier::from).collect(),
        })
    }
}

impl From<Classes> for Classifier {
    fn from(classes: Classes) -> Self {
        let labels = classes.labels.into_iter().map(|class| ClassLabel {
            label: class.label,
            class_id: class.class_id,
            probability: class.probability.filter(|p| p.is_finite()),
        });
        Self {
            component_id: classes.component_id,
            kind: classes.kind,
            labels: labels.collect(),
        }
    }
}
