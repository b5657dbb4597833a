// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Detections as GStreamer's region-of-interest metas, for pipelines without DeepStream.
//!
//! The meta holds the label (as its type) and whole pixels; a parameter structure `detection` with
//! `label`, `class-id`, `component-id`, `confidence` and `track-id` holds the rest.

use std::collections::HashSet;
use std::sync::{LazyLock, Mutex, PoisonError};

use gst_video::VideoRegionOfInterestMeta;

use super::{Bounds, Detection};

/// Labels become GQuarks, which are never freed: no more than this many different ones.
const MAX_LABELS: usize = 4096;
const PARAMS: &str = "detection";
/// The type of regions whose label came after [`MAX_LABELS`] others; the parameters still have it.
const OVERFLOW_LABEL: &str = "object";

static LABELS: LazyLock<Mutex<HashSet<String>>> = LazyLock::new(Default::default);

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

/// Attaches a detection to a buffer. The box is cut to whole, non-negative pixels.
pub fn attach(buffer: &mut gst::BufferRef, detection: &Detection) {
    let Bounds {
        left,
        top,
        width,
        height,
    } = detection.bounds;
    let pixels = |value: f32| value.round().max(0.0) as u32;
    let rect = (pixels(left), pixels(top), pixels(width), pixels(height));
    let mut meta = VideoRegionOfInterestMeta::add(buffer, roi_type(&detection.label), rect);
    let mut params = gst::Structure::builder(PARAMS).field("label", detection.label.as_str());
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
}

/// The double that has the decimals of a float.
fn decimal(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}

/// The detections attached to a buffer, in the order in which they were attached.
pub fn read(buffer: &gst::BufferRef) -> Vec<Detection> {
    let metas = buffer.iter_meta::<VideoRegionOfInterestMeta>();
    metas.map(|meta| detection(&meta)).collect()
}

fn detection(meta: &VideoRegionOfInterestMeta) -> Detection {
    let (left, top, width, height) = meta.rect();
    let params = meta.param(PARAMS);
    let field = |name: &str| params.and_then(|p| p.value(name).ok());
    let label = params.and_then(|p| p.get::<&str>("label").ok());
    Detection {
        label: label.unwrap_or_else(|| meta.roi_type()).into(),
        class_id: field("class-id").and_then(|v| v.get().ok()),
        component_id: field("component-id").and_then(|v| v.get().ok()),
        confidence: field("confidence")
            .and_then(|v| v.get::<f64>().ok())
            .map(|confidence| confidence as f32),
        track_id: field("track-id").and_then(|v| v.get().ok()),
        bounds: Bounds {
            left: left as f32,
            top: top as f32,
            width: width as f32,
            height: height as f32,
        },
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
            component_id: Some(1),
            confidence: Some(0.75),
            track_id: Some(u64::MAX - 1),
            bounds: Bounds {
                left: 1.0,
                top: 2.0,
                width: 3.0,
                height: 4.0,
            },
            ..Detection::default()
        };
        let bare = Detection {
            label: "person".into(),
            class_id: None,
            confidence: None,
            track_id: None,
            bounds: car.bounds,
            ..Detection::default()
        };
        for detection in [&car, &bare] {
            attach(buffer.get_mut().unwrap(), detection);
        }
        let copy = buffer.copy_deep().unwrap();
        assert_eq!(read(&copy), [car, bare]);
    }
}
