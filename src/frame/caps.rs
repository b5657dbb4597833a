// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The caps of both elements.

use gst_video::{VideoCapsBuilder, VideoFormat};

use crate::mem::nvmm::CAPS_FEATURE;

use super::{FORMATS, SYSTEM_FORMATS};

/// The caps feature of GStreamer's own CUDA memory.
pub const CUDA_FEATURE: &str = "memory:CUDAMemory";

/// Which memory the pixels of fixed caps lie in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    System,
    Nvmm,
    Cuda,
}

impl Memory {
    pub fn of(caps: &gst::CapsRef) -> Self {
        match caps.features(0) {
            Some(features) if features.contains(CAPS_FEATURE) => Self::Nvmm,
            Some(features) if features.contains(CUDA_FEATURE) => Self::Cuda,
            _ => Self::System,
        }
    }
}

fn list(features: &[&str], formats: &[VideoFormat]) -> gst::Caps {
    VideoCapsBuilder::new()
        .features(features.iter().copied())
        .format_list(formats.iter().copied())
        .build()
}

fn system() -> gst::Caps {
    let formats: Vec<VideoFormat> = FORMATS.iter().chain(&SYSTEM_FORMATS).copied().collect();
    VideoCapsBuilder::new().format_list(formats).build()
}

/// What the source makes: NVMM, then system memory, each in our order of formats.
pub fn source_template() -> gst::Caps {
    let mut caps = list(&[CAPS_FEATURE], &FORMATS);
    caps.merge(system());
    caps
}

/// What the sink takes, and nothing else: what it lists beyond that would steer `nvstreammux`.
pub fn sink_template() -> gst::Caps {
    let mut caps = list(&[CAPS_FEATURE], &FORMATS);
    caps.merge(list(&[CUDA_FEATURE], &FORMATS));
    caps.merge(system());
    caps
}
