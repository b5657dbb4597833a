// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The bridge that applications write: frames pulled from an appsink and pushed into an appsrc.

use std::thread::{self, JoinHandle};

use gst_app::{AppSink, AppSrc};

use super::{WAITING, caps};

pub fn sink() -> AppSink {
    AppSink::builder()
        .sync(false)
        .max_buffers(WAITING)
        .caps(&caps())
        .build()
}

pub fn source() -> AppSrc {
    AppSrc::builder()
        .caps(&caps())
        .format(gst::Format::Time)
        .block(true)
        .max_buffers(u64::from(WAITING))
        .max_bytes(0)
        .build()
}

/// Whether frames are passed on as they are, or as bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passing {
    Reference,
    /// Into memory of its own, as `numpy.array(frame)` and `Gst.Buffer.new_wrapped` do.
    Copy,
}

/// Runs until the sink stops.
pub fn run(from: AppSink, to: AppSrc, passing: Passing) -> JoinHandle<()> {
    thread::spawn(move || {
        while let Ok(sample) = from.pull_sample() {
            let Some(buffer) = sample.buffer_owned() else {
                continue;
            };
            let buffer = match passing {
                Passing::Reference => buffer,
                Passing::Copy => match copy(&buffer) {
                    Some(copy) => copy,
                    None => break,
                },
            };
            if to.push_buffer(buffer).is_err() {
                break;
            }
        }
    })
}

fn copy(buffer: &gst::BufferRef) -> Option<gst::Buffer> {
    let bytes = buffer.map_readable().ok()?.to_vec();
    let mut copy = gst::Buffer::from_mut_slice(bytes);
    copy.get_mut()?.set_pts(buffer.pts());
    Some(copy)
}
