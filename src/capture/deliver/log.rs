// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The log: JSON lines, one per capture, one write per line.

use std::path::Path;

use serde::Serialize;

use crate::capture::job::Facts;
use crate::capture::picture::{Saved, Subject};
use crate::frame::stats::PictureStats;
use crate::meta::{Classifier, Detection};

use super::DeliverError;
use super::lines::LineFile;

/// Version of the line's fields.
const VERSION: u32 = 1;

/// One line of the log. Field names are API. What is not known is null, and so is a number that is
/// none.
#[derive(Debug, Serialize)]
pub struct Line<'a> {
    version: u32,
    pub run: &'a str,
    pub unique_id: u32,
    pub frame_number: u64,
    pub stream: u32,
    /// N of the muxer's pad `sink_N`.
    pub pad: u32,
    /// The name that the application gave to the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sensor: Option<&'a str>,
    /// RFC 3339, UTC.
    pub timestamp: String,
    /// ns; null where the buffer had none.
    pub pts: Option<u64>,
    /// ns since 1970, by the clock of the camera or the muxer.
    pub ntp: Option<u64>,
    pub reason: &'static str,
    /// Of the frame; null where no picture of it is written.
    pub file: Option<String>,
    /// The same with boxes and labels, where both are written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annotated: Option<String>,
    /// Height, width and channels of the picture.
    pub shape: [usize; 3],
    /// Width and height of the frame: boxes are in its pixels.
    pub frame_size: [u32; 2],
    /// Width and height before the muxer scaled it.
    pub source_size: Option<(u32, u32)>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub statistics: Option<Statistics>,
    pub objects_detected: usize,
    pub object_classes: Vec<&'a str>,
    pub objects: Vec<Object<'a>>,
}

#[derive(Debug, Serialize)]
pub struct Statistics {
    mean_intensity: f64,
    std_intensity: f64,
    sharpness: f64,
}

impl From<&PictureStats> for Statistics {
    fn from(stats: &PictureStats) -> Self {
        Self {
            mean_intensity: stats.mean,
            std_intensity: stats.std,
            sharpness: stats.sharpness,
        }
    }
}

/// A detection, in pixels of the frame.
#[derive(Debug, Serialize)]
pub struct Object<'a> {
    label: &'a str,
    class_id: Option<i32>,
    component_id: Option<i32>,
    confidence: Option<f32>,
    track_id: Option<u64>,
    /// Left, top, width, height.
    #[serde(rename = "box")]
    bounds: [f32; 4],
    /// It is one of those that were asked for.
    matched: bool,
    /// The place in this list of the object that it was found in.
    parent: Option<usize>,
    classifiers: Vec<Classes<'a>>,
    /// The file that shows the object alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    crop: Option<String>,
    /// The same with boxes and labels, where both are written.
    #[serde(skip_serializing_if = "Option::is_none")]
    annotated: Option<String>,
}

/// What one classifier says.
#[derive(Debug, Serialize)]
struct Classes<'a> {
    kind: &'a str,
    component_id: Option<i32>,
    labels: Vec<Class<'a>>,
}

#[derive(Debug, Serialize)]
struct Class<'a> {
    label: &'a str,
    class_id: Option<i32>,
    probability: Option<f32>,
}

impl<'a> From<&'a Classifier> for Classes<'a> {
    fn from(classifier: &'a Classifier) -> Self {
        let labels = classifier.labels.iter().map(|label| Class {
            label: &label.label,
            class_id: label.class_id,
            probability: label.probability,
        });
        Self {
            kind: &classifier.kind,
            component_id: classifier.component_id,
            labels: labels.collect(),
        }
    }
}

impl<'a> Object<'a> {
    fn new(detection: &'a Detection, matched: bool) -> Self {
        let bounds = detection.bounds;
        Self {
            label: &detection.label,
            class_id: detection.class_id,
            component_id: detection.component_id,
            confidence: detection.confidence,
            track_id: detection.track_id,
            bounds: [bounds.left, bounds.top, bounds.width, bounds.height],
            matched,
            parent: detection.parent,
            classifiers: detection.classifiers.iter().map(Classes::from).collect(),
            crop: None,
            annotated: None,
        }
    }
}

/// What a line is made from.
pub struct Entry<'a> {
    pub run: &'a str,
    pub unique_id: u32,
    pub facts: &'a Facts,
    /// Of the frame.
    pub frame_size: [u32; 2],
    /// In the order in which they were published.
    pub pictures: &'a [Saved],
    pub shape: [usize; 3],
    pub statistics: Option<&'a PictureStats>,
}

impl<'a> From<Entry<'a>> for Line<'a> {
    fn from(entry: Entry<'a>) -> Self {
        let facts = entry.facts;
        let meta = &facts.meta;
        let mut matched = vec![false; meta.detections.len()];
        for place in &facts.matches {
            if let Some(matched) = matched.get_mut(*place) {
                *matched = true;
            }
        }
        let objects = meta.detections.iter().zip(matched);
        let mut objects: Vec<Object<'a>> = objects
            .map(|(d, matched)| Object::new(d, matched))
            .collect();
        let (mut file, mut annotated) = (None, None);
        for picture in entry.pictures {
            let name = Some(picture.path.to_string_lossy().into_owned());
            match (picture.subject, picture.is_copy) {
                (Subject::Frame, false) => file = name,
                (Subject::Frame, true) => annotated = name,
                (Subject::Object(index), is_copy) => {
                    if let Some(object) = objects.get_mut(index) {
                        match is_copy {
                            false => object.crop = name,
                            true => object.annotated = name,
                        }
                    }
                }
            }
        }
        Self {
            version: VERSION,
            run: entry.run,
            unique_id: entry.unique_id,
            frame_number: facts.frame,
            stream: facts.stream,
            pad: meta.pad_index,
            sensor: meta.sensor.as_deref(),
            timestamp: facts.taken_at.to_string(),
            pts: facts.pts,
            ntp: meta.ntp,
            reason: facts.reason.as_str(),
            file,
            annotated,
            shape: entry.shape,
            frame_size: entry.frame_size,
            source_size: meta.source_size,
            statistics: entry.statistics.map(Statistics::from),
            objects_detected: meta.detections.len(),
            object_classes: meta.detections.iter().map(|d| d.label.as_str()).collect(),
            objects,
        }
    }
}

#[derive(Debug)]
pub struct Log(LineFile);

impl Log {
    /// Opens or makes the log. Returns whether a torn last line of an earlier run was cut off.
    pub fn open(path: &Path, sync: bool) -> Result<(Self, bool), DeliverError> {
        let (file, repaired) = LineFile::open(path, sync)?;
        Ok((Self(file), repaired))
    }

    pub fn append(&mut self, line: &Line<'_>) -> Result<(), DeliverError> {
        let mut text = serde_json::to_vec(line).map_err(|error| DeliverError::Write {
            path: self.0.path().to_owned(),
            error: error.into(),
        })?;
        text.push(b'\n');
        self.0.append(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::select::Reason;
    use crate::meta::{Bounds, ClassLabel, FrameMeta};

    fn line_of(facts: &Facts) -> String {
        let pictures = [Saved {
            subject: Subject::Frame,
            is_copy: false,
            path: "o/1.jpg".into(),
        }];
        let line = Line::from(Entry {
            run: "r",
            unique_id: 7,
            facts,
            frame_size: [64, 48],
            pictures: &pictures,
            shape: [24, 32, 3],
            statistics: None,
        });
        serde_json::to_string(&line).unwrap()
    }

    fn facts(meta: FrameMeta, matches: Vec<usize>) -> Facts {
        Facts {
            number: 1,
            stream: 3,
            frame: 42,
            pts: None,
            duration: None,
            discont: false,
            taken_at: "2026-01-02T03:04:05Z".parse().unwrap(),
            reason: Reason::Interval,
            meta,
            matches,
        }
    }

    #[test]
    fn a_line_has_all_that_is_known() {
        let car = Detection {
            label: "car \"x\"".into(),
            class_id: Some(2),
            component_id: Some(1),
            confidence: Some(0.9),
            track_id: Some(u64::MAX - 1),
            bounds: Bounds {
                left: 1.5,
                top: 2.0,
                width: 0.1,
                height: 4.0,
            },
            ..Detection::default()
        };
        let plate = Detection {
            label: "plate".into(),
            confidence: Some(f32::NAN),
            bounds: Bounds {
                left: f32::INFINITY,
                ..Bounds::default()
            },
            parent: Some(0),
            classifiers: vec![Classifier {
                component_id: Some(5),
                kind: "colour".into(),
                labels: vec![ClassLabel {
                    label: "red".into(),
                    class_id: Some(1),
                    probability: Some(0.7),
                }],
            }],
            ..Detection::default()
        };
        let meta = FrameMeta {
            pad_index: 4,
            ntp: Some(1_700_000_000_000_000_001),
            source_size: Some((1920, 1080)),
            sensor: Some("door".into()),
            detections: vec![car, plate],
            ..FrameMeta::default()
        };
        // A match beyond the list is nobody.
        let text = line_of(&facts(meta, vec![1, 9]));
        let want = concat!(
            r#"{"version":1,"run":"r","unique_id":7,"frame_number":42,"stream":3,"pad":4,"#,
            r#""sensor":"door","timestamp":"2026-01-02T03:04:05Z","pts":null,"#,
            r#""ntp":1700000000000000001,"reason":"interval","file":"o/1.jpg","#,
            r#""shape":[24,32,3],"frame_size":[64,48],"source_size":[1920,1080],"#,
            r#""objects_detected":2,"object_classes":["car \"x\"","plate"],"objects":["#,
            r#"{"label":"car \"x\"","class_id":2,"component_id":1,"confidence":0.9,"#,
            r#""track_id":18446744073709551614,"box":[1.5,2.0,0.1,4.0],"matched":false,"#,
            r#""parent":null,"classifiers":[]},"#,
            r#"{"label":"plate","class_id":null,"component_id":null,"confidence":null,"#,
            r#""track_id":null,"box":[null,0.0,0.0,0.0],"matched":true,"parent":0,"#,
            r#""classifiers":[{"kind":"colour","component_id":5,"labels":["#,
            r#"{"label":"red","class_id":1,"probability":0.7}]}]}]}"#,
        );
        assert_eq!(text, want);
    }

    #[test]
    fn what_is_not_known_is_null_or_absent() {
        let text = line_of(&facts(FrameMeta::default(), Vec::new()));
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert!(line.get("sensor").is_none(), "{text}");
        assert!(line.get("mean_intensity").is_none(), "{text}");
        for field in ["pts", "ntp", "source_size"] {
            assert!(line[field].is_null(), "{text}");
        }
        assert_eq!(line["objects"], serde_json::json!([]));
    }
}
