// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What is said when a GPU has too little memory for more frames, and when it has enough again.

use crate::fault::Fault;
use crate::frame::Snapshot;

use super::config::GpuFloor;
use super::run::{RenderError, Rendered};

#[derive(Debug)]
pub struct GpuRoom {
    floor: Option<GpuFloor>,
    /// Their numbers.
    full: Vec<u32>,
}

impl GpuRoom {
    pub fn new(floor: Option<GpuFloor>) -> Self {
        Self {
            floor,
            full: Vec::new(),
        }
    }

    /// There was no room for a frame on this GPU.
    pub fn note_full(&mut self, gpu: u32, error: &RenderError, rendered: &mut Rendered) {
        if self.floor.is_some_and(|floor| floor.stops) {
            let text = format!("{error}; on-full=stop ends the capture here");
            let fault = Fault::resource(gst::ResourceError::NoSpaceLeft, text);
            rendered.full.get_or_insert(fault);
        } else if !self.full.contains(&gpu) {
            self.full.push(gpu);
            let text = format!("{error}; captures are dropped, and counted, until there is room");
            let fault = Fault::resource(gst::ResourceError::NoSpaceLeft, text);
            rendered.news.push(fault);
        }
    }

    pub fn note_taken(&mut self, frame: Option<&Snapshot>, rendered: &mut Rendered) {
        let Some(Snapshot::Card(frame)) = frame else {
            return;
        };
        let gpu = frame.gpu().ordinal();
        if let Some(at) = self.full.iter().position(|full| *full == gpu) {
            self.full.remove(at);
            let text = format!("property \"min-free-gpu-bytes\": there is room on GPU {gpu} again");
            rendered
                .news
                .push(Fault::resource(gst::ResourceError::NoSpaceLeft, text));
        }
    }
}
