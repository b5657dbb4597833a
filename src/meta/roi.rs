// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Detections as GStreamer's region-of-interest metas, for pipelines without DeepStream.
//!
//! The meta holds the label (as its type) and whole pixels; a parameter structure `detection` with
//! `label`, `class-id`, `confidence` and `track-id` holds the rest.

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
    let pixels = |value: f64| value.round().clamp(0.0, f64::from(u32::MAX)) as u32;
    let rect = (pixels(left), pixels(top), pixels(width), pixels(height));
    let mut meta = VideoRegionOfInterestMeta::add(buffer, roi_type(&detection.label), rect);
    let mut params = gst::Structure::builder(PARAMS).field("label", &detection.label);
    if let Some(class_id) = detection.class_id {
        params = params.field("class-id", class_id);
    }
    if let Some(confidence) = detection.confidence {
        params = params.field("confidence", confidence);
    }
    if let Some(track_id) = detection.track_id {
        params = params.field("track-id", track_id);
    }
    meta.add_param(params.build());
}

/// The detections attached to a buffer, in the order in which they were attached.
pub fn read(buffer: &gst::BufferRef) -> Vec<Detection> {
    buffer
        .iter_meta::<VideoRegionOfInterestMeta>()
        .map(|meta| {
            let (left, top, width, height) = meta.rect();
            let params = meta.param(PARAMS);
            let field = |name: &str| params.and_then(|p| p.value(name).ok());
            Detection {
                label: params
                    .and_then(|p| p.get::<String>("label").ok())
                    .unwrap_or_else(|| meta.roi_type().to_owned()),
                class_id: field("class-id").and_then(|v| v.get().ok()),
                confidence: field("confidence").and_then(|v| v.get().ok()),
                track_id: field("track-id").and_then(|v| v.get().ok()),
                bounds: Bounds {
                    left: f64::from(left),
                    top: f64::from(top),
                    width: f64::from(width),
                    height: f64::from(height),
                },
            }
        })
        .collect()
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
            bounds: Bounds {
                left: 1.0,
                top: 2.0,
                width: 3.0,
                height: 4.0,
            },
        };
        let bare = Detection {
            label: "person".into(),
            class_id: None,
            confidence: None,
            track_id: None,
            ..car.clone()
        };
        for detection in [&car, &bare] {
            attach(buffer.get_mut().unwrap(), detection);
        }
        let copy = buffer.copy_deep().unwrap();
        assert_eq!(read(&copy), [car, bare]);
    }
}
