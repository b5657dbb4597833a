// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Detections as GStreamer's region-of-interest metas, for pipelines without DeepStream.
//!
//! The meta holds the label (as its type), whole pixels, and which region another one is in, by
//! their ids; a parameter structure `detection` with `label`, `class-id`, `component-id`,
//! `confidence` and `track-id` holds the rest, and a structure `classifier` with `kind`,
//! `component-id` and `labels` what each classifier says. What Intel's DL Streamer writes is
//! understood too: `label_id` for the class, and a structure `object_id` with `id` for the track.

use std::collections::{HashMap, HashSet};
use std::sync::{LazyLock, Mutex, PoisonError};

use glib::prelude::*;
use gst_video::VideoRegionOfInterestMeta;

use super::{Bounds, ClassLabel, Classifier, Detection, probability};

/// Labels become GQuarks, which are never freed: no more than this many different ones.
const MAX_LABELS: usize = 4096;
const PARAMS: &str = "detection";
const CLASSIFIER: &str = "classifier";
/// Where DL Streamer has the track.
const TRACK_PARAMS: &str = "object_id";
/// The type of regions whose label came after [`MAX_LABELS`] others; the parameters still have it.
const OVERFLOW_LABEL: &str = "object";

static LABELS: LazyLock<Mutex<HashSet<String>>> = LazyLock::new(Default::default);

/// As much of a text as fits into one of C, which a NUL ends.
pub(super) fn c_text(text: &str) -> &str {
    text.split('\0').next().unwrap_or_default()
}

fn roi_type(label: &str) -> &str {
    let mut labels = LABELS.lock().unwrap_or_else(PoisonError::into_inner);
    if labels.contains(label) {
        return label;
    }
    if labels.len() >= MAX_LABELS {
        return OVERFLOW_LABEL;
    }
    labels.insert(label.to_owned());
    label
}

/// The id of the region that is at this place among those of a buffer; 0 is that of none.
fn id_at(place: usize) -> i32 {
    i32::try_from(place).map_or(0, |place| place.saturating_add(1))
}

/// Attaches the detections of a frame to its buffer. Boxes are cut to whole, non-negative pixels.
pub fn attach(buffer: &mut gst::BufferRef, detections: &[Detection]) {
    // Others may have attached some.
    let first = buffer.iter_meta::<VideoRegionOfInterestMeta>().count();
    for (place, detection) in detections.iter().enumerate() {
        attach_at(buffer, first, place, detection);
    }
}

fn attach_at(buffer: &mut gst::BufferRef, first: usize, place: usize, detection: &Detection) {
    let id = |place: usize| id_at(first.saturating_add(place));
    let Bounds {
        left,
        top,
        width,
        height,
    } = detection.bounds;
    let cut = |from: f32, length: f32| (from.max(0.0), length + from.min(0.0));
    let ((left, width), (top, height)) = (cut(left, width), cut(top, height));
    let pixels = |value: f32| value.round().max(0.0) as u32;
    let rect = (pixels(left), pixels(top), pixels(width), pixels(height));
    let label = c_text(&detection.label);
    let mut meta = VideoRegionOfInterestMeta::add(buffer, roi_type(label), rect);
    let mut params = gst::Structure::builder(PARAMS).field("label", label);
    if let Some(class_id) = detection.class_id {
        params = params.field("class-id", class_id);
    }
    if let Some(component_id) = detection.component_id {
        params = params.field("component-id", component_id);
    }
    if let Some(confidence) = detection.confidence {
        // By its decimals: 0.9 is to stay 0.9.
        params = params.field("confidence", decimal(confidence));
    }
    if let Some(track_id) = detection.track_id {
        params = params.field("track-id", track_id);
    }
    meta.add_param(params.build());
    for classifier in &detection.classifiers {
        meta.add_param(classifier_params(classifier));
    }
    meta.set_id(id(place));
    meta.set_parent_id(detection.parent.map_or(0, id));
}

fn classifier_params(classifier: &Classifier) -> gst::Structure {
    let labels = classifier.labels.iter().map(|label| {
        let mut fields = gst::Structure::builder("label").field("label", c_text(&label.label));
        if let Some(class_id) = label.class_id {
            fields = fields.field("class-id", class_id);
        }
        if let Some(probability) = label.probability {
            fields = fields.field("probability", decimal(probability));
        }
        fields.build().to_send_value()
    });
    let mut params = gst::Structure::builder(CLASSIFIER)
        .field("kind", c_text(&classifier.kind))
        .field("labels", labels.collect::<gst::List>());
    if let Some(component_id) = classifier.component_id {
        params = params.field("component-id", component_id);
    }
    params.build()
}

fn classifier(params: &gst::StructureRef) -> Classifier {
    let label = |fields: &gst::StructureRef| ClassLabel {
        label: fields.get::<&str>("label").unwrap_or_default().into(),
        class_id: fields.get("class-id").ok(),
        probability: fields
            .get::<f64>("probability")
            .ok()
            .and_then(|value| probability(value as f32)),
    };
    let labels = params.get::<gst::List>("labels").ok();
    let labels = labels.iter().flat_map(|labels| labels.iter());
    Classifier {
        component_id: params.get("component-id").ok(),
        kind: params.get::<&str>("kind").unwrap_or_default().into(),
        labels: labels
            .filter_map(|value| value.get::<gst::Structure>().ok())
            .map(|fields| label(&fields))
            .collect(),
    }
}

/// The double that has the decimals of a float.
fn decimal(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}

/// Whether a buffer has regions.
pub fn any(buffer: &gst::BufferRef) -> bool {
    buffer.meta::<VideoRegionOfInterestMeta>().is_some()
}

/// The detections attached to a buffer, in the order in which they were attached.
pub fn read(buffer: &gst::BufferRef) -> Vec<Detection> {
    let mut detections = Vec::new();
    read_into(buffer, &mut detections);
    detections
}

/// [`read`] into a list that may have had others.
pub fn read_into(buffer: &gst::BufferRef, detections: &mut Vec<Detection>) {
    let metas = || buffer.iter_meta::<VideoRegionOfInterestMeta>();
    detections.clear();
    detections.extend(metas().map(|meta| detection(&meta)));
    if metas().all(|meta| meta.parent_id() == 0) {
        return;
    }
    let mut places = HashMap::new();
    for (place, meta) in metas().enumerate().filter(|(_, meta)| meta.id() != 0) {
        places.entry(meta.id()).or_insert(place);
    }
    for ((place, detection), meta) in detections.iter_mut().enumerate().zip(metas()) {
        let parent = places.get(&meta.parent_id()).copied();
        detection.parent = parent.filter(|parent| *parent != place);
    }
}

fn detection(meta: &VideoRegionOfInterestMeta) -> Detection {
    let (left, top, width, height) = meta.rect();
    let params = meta.param(PARAMS);
    let field = |name: &str| params.and_then(|p| p.value(name).ok());
    let integer = |name: &str| field(name).and_then(|v| v.get::<i32>().ok());
    let label = params.and_then(|p| p.get::<&str>("label").ok());
    let track = || meta.param(TRACK_PARAMS)?.get::<i32>("id").ok();
    Detection {
        label: label.unwrap_or_else(|| meta.roi_type()).into(),
        class_id: integer("class-id").or_else(|| integer("label_id")),
        component_id: integer("component-id"),
        confidence: field("confidence")
            .and_then(|v| v.get::<f64>().ok())
            .and_then(|confidence| probability(confidence as f32)),
        track_id: field("track-id")
            .and_then(|v| v.get().ok())
            .or_else(|| track().and_then(|id| u64::try_from(id).ok())),
        bounds: Bounds {
            left: left as f32,
            top: top as f32,
            width: width as f32,
            height: height as f32,
        },
        classifiers: meta
            .params()
            .filter(|params| params.name() == CLASSIFIER)
            .map(classifier)
            .collect(),
        ..Detection::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn detections_survive_a_buffer_and_its_copy() {
        gst::init().unwrap();
        let mut buffer = gst::Buffer::with_size(16).unwrap();
        let car = Detection {
            label: "car".into(),
            class_id: Some(2),
            confidence: Some(0.75),
            track_id: Some(u64::MAX - 1),
            component_id: Some(7),
            parent: Some(2),
            bounds: Bounds {
                left: 1.0,
                top: 2.0,
                width: 3.0,
                height: 4.0,
            },
            classifiers: vec![Classifier {
                component_id: Some(5),
                kind: "colour".into(),
                labels: vec![
                    ClassLabel {
                        label: "red".into(),
                        class_id: Some(1),
                        probability: Some(0.9),
                    },
                    ClassLabel::default(),
                ],
            }],
        };
        let bare = Detection {
            label: "person".into(),
            bounds: car.bounds,
            ..Detection::default()
        };
        let child = Detection {
            parent: Some(0),
            ..bare.clone()
        };
        attach(
            buffer.get_mut().unwrap(),
            &[car.clone(), bare.clone(), child.clone()],
        );
        let copy = buffer.copy_deep().unwrap();
        let mut detections = vec![car.clone(); 5];
        read_into(&copy, &mut detections);
        assert_eq!(detections, [car, bare, child]);
    }

    #[test]
    fn texts_end_where_those_of_c_do() {
        gst::init().unwrap();
        let one = Detection {
            label: "car\0x".into(),
            classifiers: vec![Classifier {
                kind: "\0".into(),
                labels: vec![ClassLabel {
                    label: "red\0".into(),
                    ..ClassLabel::default()
                }],
                ..Classifier::default()
            }],
            ..Detection::default()
        };
        let mut buffer = gst::Buffer::new();
        attach(buffer.get_mut().unwrap(), &[one]);
        let read = &read(&buffer)[0];
        let of_classifier = &read.classifiers[0];
        assert_eq!(
            (
                &*read.label,
                &*of_classifier.kind,
                &*of_classifier.labels[0].label
            ),
            ("car", "", "red")
        );
    }

    #[test]
    fn what_dl_streamer_attaches_is_read() {
        gst::init().unwrap();
        let mut buffer = gst::Buffer::new();
        let writable = buffer.get_mut().unwrap();
        let add = |buffer: &mut gst::BufferRef, id, parent, track: i32| {
            let mut meta = VideoRegionOfInterestMeta::add(buffer, "vehicle", (1, 2, 3, 4));
            meta.set_id(id);
            meta.set_parent_id(parent);
            let params = gst::Structure::builder("detection")
                .field("x_min", 0.1)
                .field("confidence", 0.5)
                .field("label_id", 3);
            meta.add_param(params.build());
            meta.add_param(
                gst::Structure::builder("object_id")
                    .field("id", track)
                    .build(),
            );
        };
        add(writable, 501, 0, 12);
        // Found in itself, in the first one, and in one that is not there.
        add(writable, 502, 502, -1);
        add(writable, 502, 501, 0);
        add(writable, 0, 9, 1);
        let got = read(&buffer);
        let facts: Vec<_> = got.iter().map(|d| (d.track_id, d.parent)).collect();
        assert_eq!(
            facts,
            [
                (Some(12), None),
                (None, None),
                (Some(0), Some(0)),
                (Some(1), None)
            ]
        );
        for detection in &got {
            assert_eq!(detection.label, "vehicle");
            assert_eq!(detection.class_id, Some(3));
            assert_eq!(detection.confidence, Some(0.5));
        }
    }
}
