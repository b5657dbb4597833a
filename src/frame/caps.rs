// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The caps of both elements.

use gst_video::{VideoCapsBuilder, VideoFormat};

use crate::mem::nvmm::CAPS_FEATURE;

use super::{FORMATS, SYSTEM_FORMATS};

/// What both elements take: NVMM, then system memory, each in our order of formats, and nothing
/// else: what a sink lists beyond that would steer `nvstreammux`.
pub fn template() -> gst::Caps {
    let system: Vec<VideoFormat> = FORMATS.iter().chain(&SYSTEM_FORMATS).copied().collect();
    let mut caps = VideoCapsBuilder::new()
        .features([CAPS_FEATURE])
        .format_list(FORMATS)
        .build();
    caps.merge(VideoCapsBuilder::new().format_list(system).build());
    caps
}

/// Whether fixed caps are of NVMM memory.
pub fn is_nvmm(caps: &gst::CapsRef) -> bool {
    caps.features(0)
        .is_some_and(|features| features.contains(CAPS_FEATURE))
}
