// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The pixels of a captured frame, which nobody changes any more.

use std::sync::Arc;

use gst_video::VideoInfo;

use super::{CardFrame, Frame};

/// A frame, where its pixels were. Clones share them.
#[derive(Debug, Clone)]
pub enum Snapshot {
    Host(Frame),
    Card(Arc<CardFrame>),
}

impl Snapshot {
    pub fn info(&self) -> &VideoInfo {
        match self {
            Self::Host(frame) => &frame.info,
            Self::Card(frame) => frame.info(),
        }
    }
}
