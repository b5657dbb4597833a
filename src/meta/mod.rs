// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What was detected in a frame, and how it travels with the buffer.

pub mod records;
pub mod roi;

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
