// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The detections of a FRAME.

use super::bytes::{Packet, Writer, cut, padded};
use super::{MAX_CLASSIFIERS, MAX_DETECTIONS, MAX_LABELS, MAX_PACKET, MAX_TEXT, WireError};
use crate::meta::{Bounds, ClassLabel, Classifier, Detection};

const CLASS_ID: u32 = 1;
const COMPONENT_ID: u32 = 1 << 1;
const CONFIDENCE: u32 = 1 << 2;
const TRACK_ID: u32 = 1 << 3;
const PARENT: u32 = 1 << 4;
/// Of a classifier.
const KIND_COMPONENT_ID: u32 = 1;
/// Of a classifier's label.
const PROBABILITY: u32 = 1 << 1;

/// Bytes without texts and what is in lists.
const DETECTION: usize = 48;
const CLASSIFIER: usize = 16;
const LABEL: usize = 16;

fn text(text: &str) -> &str {
    cut(text, MAX_TEXT)
}

fn classifiers(detection: &Detection) -> &[Classifier] {
    let all = &detection.classifiers;
    &all[..all.len().min(MAX_CLASSIFIERS)]
}

fn labels(classifier: &Classifier) -> &[ClassLabel] {
    let all = &classifier.labels;
    &all[..all.len().min(MAX_LABELS)]
}

fn size(detection: &Detection) -> usize {
    let bytes = |own: &str| padded(text(own).len());
    let label = |label: &ClassLabel| LABEL + bytes(&label.label);
    let classifier = |classifier: &Classifier| {
        let labels = labels(classifier).iter().map(label);
        CLASSIFIER + bytes(&classifier.kind) + labels.sum::<usize>()
    };
    let classifiers = classifiers(detection).iter().map(classifier);
    DETECTION + bytes(&detection.label) + classifiers.sum::<usize>()
}

/// Writes those up to the first that does not fit; gives their number.
pub fn write(detections: &[Detection], to: &mut Writer) -> usize {
    let mut sent = 0;
    for detection in detections.iter().take(MAX_DETECTIONS) {
        if to.len() + size(detection) > MAX_PACKET {
            break;
        }
        write_one(detection, to);
        sent += 1;
    }
    sent
}

fn flag<T>(value: Option<T>, flag: u32) -> u32 {
    if value.is_some() { flag } else { 0 }
}

fn write_one(detection: &Detection, to: &mut Writer) {
    let confidence = detection.confidence.filter(|value| value.is_finite());
    // One that no number is enough for is none that is sent.
    let parent = detection.parent.and_then(|at| u32::try_from(at).ok());
    to.u32(
        flag(detection.class_id, CLASS_ID)
            | flag(detection.component_id, COMPONENT_ID)
            | flag(confidence, CONFIDENCE)
            | flag(detection.track_id, TRACK_ID)
            | flag(parent, PARENT),
    );
    to.u32(detection.class_id.unwrap_or_default().cast_unsigned());
    to.u32(detection.component_id.unwrap_or_default().cast_unsigned());
    to.f32(confidence.unwrap_or_default());
    to.u64(detection.track_id.unwrap_or_default());
    let Bounds {
        left,
        top,
        width,
        height,
    } = detection.bounds;
    for side in [left, top, width, height] {
        to.f32(if side.is_finite() { side } else { 0.0 });
    }
    to.u32(parent.unwrap_or_default());
    let label = text(&detection.label);
    let classifiers = classifiers(detection);
    to.u16(label.len() as u16);
    to.u16(classifiers.len() as u16);
    to.text(label);
    for classifier in classifiers {
        let kind = text(&classifier.kind);
        let labels = labels(classifier);
        to.u32(flag(classifier.component_id, KIND_COMPONENT_ID));
        to.u32(classifier.component_id.unwrap_or_default().cast_unsigned());
        to.u32(kind.len() as u32);
        to.u32(labels.len() as u32);
        to.text(kind);
        for label in labels {
            let probability = label.probability.filter(|value| value.is_finite());
            let own = text(&label.label);
            to.u32(flag(label.class_id, CLASS_ID) | flag(probability, PROBABILITY));
            to.u32(label.class_id.unwrap_or_default().cast_unsigned());
            to.f32(probability.unwrap_or_default());
            to.u32(own.len() as u32);
            to.text(own);
        }
    }
}

pub fn read(from: &mut Packet, count: u32) -> Result<Vec<Detection>, WireError> {
    let count = from.fitting("detections", count, DETECTION)?;
    let mut detections = Vec::with_capacity(count);
    for place in 0..count {
        let mut detection = read_one(from)?;
        let possible = |parent: &usize| *parent < count && *parent != place;
        detection.parent = detection.parent.filter(possible);
        detections.push(detection);
    }
    Ok(detections)
}

fn read_one(from: &mut Packet) -> Result<Detection, WireError> {
    let all = CLASS_ID | COMPONENT_ID | CONFIDENCE | TRACK_ID | PARENT;
    let flags = from.flags("flags of the detection", all)?;
    let has = |flag| flags & flag != 0;
    let class_id = from.optional("the class id", has(CLASS_ID))?;
    let component_id = from.optional("the component id", has(COMPONENT_ID))?;
    let confidence = from.optional_finite("the confidence", has(CONFIDENCE))?;
    let track_id = match has(TRACK_ID) {
        true => Some(from.u64("the track id")?),
        false => {
            from.u64_within("the track id that is not there", 0, 0)?;
            None
        }
    };
    let mut side = || from.finite("the box");
    let bounds = Bounds {
        left: side()?,
        top: side()?,
        width: side()?,
        height: side()?,
    };
    let parent = from.optional("the parent", has(PARENT))?;
    let length = from.u16_within("the label's length", MAX_TEXT)?;
    let count = from.u16_within("the number of classifiers", MAX_CLASSIFIERS)?;
    let label = from.text("the label", length)?.into();
    let count = from.fitting("classifiers", count, CLASSIFIER)?;
    let mut classifiers = Vec::with_capacity(count);
    for _ in 0..count {
        classifiers.push(read_classifier(from)?);
    }
    Ok(Detection {
        label,
        class_id: class_id.map(u32::cast_signed),
        component_id: component_id.map(u32::cast_signed),
        confidence,
        track_id,
        bounds,
        parent: parent.map(|at| at as usize),
        classifiers,
    })
}

fn read_classifier(from: &mut Packet) -> Result<Classifier, WireError> {
    let flags = from.flags("flags of the classifier", KIND_COMPONENT_ID)?;
    let component_id = from.optional("the classifier's component id", flags != 0)?;
    let length = from.u32_within("the kind's length", 0, MAX_TEXT as u32)?;
    let count = from.u32_within("the number of labels", 0, MAX_LABELS as u32)?;
    let kind = from.text("the kind", length)?.into();
    let count = from.fitting("labels", count, LABEL)?;
    let mut labels = Vec::with_capacity(count);
    for _ in 0..count {
        let flags = from.flags("flags of the classifier's label", CLASS_ID | PROBABILITY)?;
        let class_id = from.optional("the label's class id", flags & CLASS_ID != 0)?;
        let probability = from.optional_finite("the probability", flags & PROBABILITY != 0)?;
        let length = from.u32_within("the label's length", 0, MAX_TEXT as u32)?;
        labels.push(ClassLabel {
            label: from.text("the classifier's label", length)?.into(),
            class_id: class_id.map(u32::cast_signed),
            probability,
        });
    }
    Ok(Classifier {
        component_id: component_id.map(u32::cast_signed),
        kind,
        labels,
    })
}
