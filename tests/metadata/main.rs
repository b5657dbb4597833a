// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The metadata of buffers, read from batches that are made byte by byte.

#![allow(unsafe_code)]

#[path = "../abi/structs.rs"]
mod abi;
#[path = "../batch/mod.rs"]
mod batch;
mod layout;
mod malformed;
mod random;
mod reader;
mod threads;

use batch::{BatchBuilder, FrameSpec, ObjectSpec};
use gstdsframe::mem::sys::Generation;
use gstdsframe::meta::{Detection, FrameMeta, MetaReader, Source};

/// Everything a reader says about a buffer.
#[derive(Debug, PartialEq)]
struct Got {
    source: Source,
    frames: Vec<FrameMeta>,
    left_out: u64,
    warning: Option<String>,
}

/// Reads with all objects; surfaces are 640x480.
fn read(reader: &mut MetaReader, buffer: &gst::BufferRef, surfaces: usize) -> Got {
    let got = reader.read(buffer, true, surfaces, |_| Some((640, 480)));
    Got {
        source: got.source,
        frames: got.frames.to_vec(),
        left_out: got.left_out,
        warning: got.warning,
    }
}

/// Reads a batch with a reader of its own.
fn read_batch(builder: &BatchBuilder) -> Got {
    abi::init();
    read(&mut MetaReader::default(), &builder.buffer(), 16)
}

/// A batch of one frame with these objects.
fn one_frame(generation: Generation, objects: Vec<ObjectSpec>) -> BatchBuilder {
    BatchBuilder::new(generation).frame(FrameSpec {
        objects,
        ..FrameSpec::default()
    })
}

/// Objects with these labels.
fn named(labels: &[&str]) -> Vec<ObjectSpec> {
    let new = |label: &&str| ObjectSpec::new(label, [1.0, 2.0, 3.0, 4.0]);
    labels.iter().map(new).collect()
}

fn labels(detections: &[Detection]) -> Vec<&str> {
    detections.iter().map(|d| d.label.as_str()).collect()
}
