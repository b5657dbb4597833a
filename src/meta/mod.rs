// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What was detected in a frame, and how it travels with the buffer.

mod faults;
mod nvds;
pub mod origin;
pub mod reader;
pub mod records;
pub mod roi;
mod spare;

pub use reader::{BufferMeta, MetaReader, Source};

use compact_str::CompactString;

/// A short text of the metadata. Labels fit without an allocation, as there are many of them.
pub type Label = CompactString;

/// One frame of a buffer, and what its metadata says about it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FrameMeta {
    /// Which source it came from: the stream.
    pub source_id: u32,
    /// N of the muxer's pad `sink_N`. Events speak of streams by it.
    pub pad_index: u32,
    /// Which of the buffer's surfaces it is.
    pub slot: usize,
    /// As its source or its muxer counts; `None` where nobody does.
    pub frame_number: Option<u64>,
    /// Of its source's buffer, in ns.
    pub pts: Option<u64>,
    /// ns since 1970, by the clock of the camera or the muxer.
    pub ntp: Option<u64>,
    /// Width and height before the muxer scaled it.
    pub source_size: Option<(u32, u32)>,
    /// The name that the application gave to the source.
    pub sensor: Option<Label>,
    /// In the order in which they were attached.
    pub detections: Vec<Detection>,
}

impl FrameMeta {
    /// Bytes of what hangs on it, as a measure of memory: long labels aside.
    pub fn heap_bytes(&self) -> usize {
        let labels = |classifier: &Classifier| classifier.labels.len() * size_of::<ClassLabel>();
        let classifiers = |detection: &Detection| {
            let own = detection.classifiers.len() * size_of::<Classifier>();
            own + detection.classifiers.iter().map(labels).sum::<usize>()
        };
        let own = self.detections.len() * size_of::<Detection>();
        own + self.detections.iter().map(classifiers).sum::<usize>()
    }
}

/// One object in a picture.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Detection {
    pub label: Label,
    pub class_id: Option<i32>,
    /// The detector (`gie-unique-id`) that `class_id` is to be understood by.
    pub component_id: Option<i32>,
    /// 0 to 1; `None` if the detector gave none.
    pub confidence: Option<f32>,
    /// `None` if nothing tracks the object.
    pub track_id: Option<u64>,
    /// In pixels of the picture.
    pub bounds: Bounds,
    /// The object that this one was found in, as its place in the frame's list.
    pub parent: Option<usize>,
    /// What secondary classifiers say about it.
    pub classifiers: Vec<Classifier>,
}

/// What one classifier says about an object.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Classifier {
    pub component_id: Option<i32>,
    /// What it tells apart, such as `car_color`; empty if it does not say.
    pub kind: Label,
    pub labels: Vec<ClassLabel>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct ClassLabel {
    pub label: Label,
    pub class_id: Option<i32>,
    /// 0 to 1; `None` if not given.
    pub probability: Option<f32>,
}

/// A box in pixels, from the top left corner.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Bounds {
    pub left: f32,
    pub top: f32,
    pub width: f32,
    pub height: f32,
}

/// A probability as detectors and trackers state it: negative or not a number where they have none.
/// What is above 1 is 1.
fn probability(value: f32) -> Option<f32> {
    (value >= 0.0).then(|| value.abs().min(1.0))
}

/// Replaces a label by a text that may not be UTF-8, or may have been cut within a character.
fn set_label(label: &mut Label, text: &[u8]) {
    // Labels repeat from frame to frame.
    if label.as_bytes() == text {
        return;
    }
    label.clear();
    match std::str::from_utf8(text) {
        Ok(text) => label.push_str(text),
        Err(error) if error.error_len().is_none() => {
            let (whole, _) = text.split_at(error.valid_up_to());
            label.push_str(std::str::from_utf8(whole).unwrap_or_default());
        }
        Err(_) => label.push_str(&String::from_utf8_lossy(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_from_0_to_1() {
        for (value, want) in [
            (0.0, Some(0.0)),
            (0.5, Some(0.5)),
            (1.0, Some(1.0)),
            (1.5, Some(1.0)),
            (f32::INFINITY, Some(1.0)),
            (-0.1, None),
            (f32::NEG_INFINITY, None),
            (f32::NAN, None),
        ] {
            assert_eq!(probability(value), want, "{value}");
        }
    }

    #[test]
    fn labels_are_made_of_any_bytes() {
        let mut label = Label::default();
        let long = "a text that is too long to be kept without an allocation";
        for (bytes, want) in [
            (&b"car"[..], "car"),
            (long.as_bytes(), long),
            (b"", ""),
            ("Z\u{fc}ge".as_bytes(), "Z\u{fc}ge"),
            (&[b'Z', 0xc3], "Z"),
            (&[b'Z', 0xc3, b'g'], "Z\u{fffd}g"),
            (&[0xff; 3], "\u{fffd}\u{fffd}\u{fffd}"),
        ] {
            set_label(&mut label, bytes);
            assert_eq!(label, want);
        }
    }
}
