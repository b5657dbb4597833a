// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What was detected in a frame, and how it travels with the buffer.

pub mod roi;

/// One object in a picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Detection {
    pub label: String,
    pub class_id: Option<i32>,
    /// 0 to 1; `None` if the detector gave none.
    pub confidence: Option<f64>,
    /// `None` if nothing tracks the object.
    pub track_id: Option<u64>,
    /// In pixels of the picture.
    pub bounds: Bounds,
}

/// A box in pixels, from the top left corner.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    pub left: f64,
    pub top: f64,
    pub width: f64,
    pub height: f64,
}
