// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `NvDsBatchMeta` as DeepStream's elements make it, byte by byte from the measured layouts, and
//! attached to buffers as they attach it.
//!
//! Say what the batch is to hold in a [`BatchBuilder`]; [`BatchBuilder::malform`] spoils it
//! afterwards. Buffers keep the memory of their batches, and copies of buffers have batches of
//! their own.

#![allow(unsafe_code)]
#![allow(dead_code, unused_imports, reason = "no test program uses all of it")]

mod arena;
mod build;
mod meta;

use std::sync::Arc;

pub use arena::{Arena, fields};
use gstdsframe::mem::sys::Generation;
pub use meta::{attach_other, batch_of};

/// What to do to a batch when it is built.
type Malform = Arc<dyn Fn(&Arena) + Send + Sync>;

#[derive(Clone)]
pub struct BatchBuilder {
    pub generation: Generation,
    pub frames: Vec<FrameSpec>,
    malform: Vec<Malform>,
}

#[derive(Clone)]
pub struct FrameSpec {
    pub source_id: u32,
    pub pad_index: u32,
    pub batch_id: u32,
    pub frame_num: i32,
    pub pts: u64,
    pub ntp: u64,
    pub source_size: (u32, u32),
    /// Not in generation A.
    pub sensor_id: Option<&'static str>,
    /// Not in generation A.
    pub sensor_name: Option<&'static str>,
    /// In the order in which they are attached.
    pub objects: Vec<ObjectSpec>,
    /// The buffer that the frame came in.
    pub wrapped: Option<gst::Buffer>,
}

#[derive(Clone)]
pub struct ObjectSpec {
    /// The bytes of the field, to which zeros are added.
    pub label: Vec<u8>,
    pub class_id: i32,
    pub component_id: i32,
    pub object_id: u64,
    pub confidence: f32,
    pub tracker_confidence: f32,
    /// Left, top, width, height.
    pub rect: [f32; 4],
    /// The place of its parent among the objects of the frame.
    pub parent: Option<usize>,
    pub classifiers: Vec<ClassifierSpec>,
}

#[derive(Clone, Default)]
pub struct ClassifierSpec {
    pub component_id: i32,
    pub kind: Option<&'static str>,
    pub labels: Vec<LabelSpec>,
}

#[derive(Clone, Default)]
pub struct LabelSpec {
    pub label: Vec<u8>,
    pub long: Option<&'static str>,
    pub class_id: u32,
    pub probability: f32,
}

impl Default for FrameSpec {
    fn default() -> Self {
        Self {
            source_id: 0,
            pad_index: 0,
            batch_id: 0,
            frame_num: 0,
            pts: u64::MAX,
            ntp: 0,
            source_size: (0, 0),
            sensor_id: None,
            sensor_name: None,
            objects: Vec::new(),
            wrapped: None,
        }
    }
}

impl Default for ObjectSpec {
    fn default() -> Self {
        Self {
            label: Vec::new(),
            class_id: 0,
            component_id: 1,
            object_id: u64::MAX,
            confidence: -0.1,
            tracker_confidence: -0.1,
            rect: [0.0, 0.0, 1.0, 1.0],
            parent: None,
            classifiers: Vec::new(),
        }
    }
}

impl ObjectSpec {
    pub fn new(label: &str, rect: [f32; 4]) -> Self {
        Self {
            label: label.into(),
            rect,
            ..Self::default()
        }
    }
}

impl BatchBuilder {
    pub fn new(generation: Generation) -> Self {
        Self {
            generation,
            frames: Vec::new(),
            malform: Vec::new(),
        }
    }

    pub fn frame(mut self, frame: FrameSpec) -> Self {
        self.frames.push(frame);
        self
    }

    /// Spoils the batch when it is built.
    pub fn malform(mut self, how: impl Fn(&Arena) + Send + Sync + 'static) -> Self {
        self.malform.push(Arc::new(how));
        self
    }

    pub fn build(&self) -> Arena {
        let arena = build::build(self);
        for malform in &self.malform {
            malform(&arena);
        }
        arena
    }

    /// Attaches a batch to the buffer; it lives as long as the buffer has it.
    pub fn attach(&self, buffer: &mut gst::BufferRef) -> Arc<Arena> {
        meta::attach(self, buffer)
    }

    /// An empty buffer with the batch.
    pub fn buffer(&self) -> gst::Buffer {
        let mut buffer = gst::Buffer::new();
        self.attach(buffer.get_mut().unwrap());
        buffer
    }
}
