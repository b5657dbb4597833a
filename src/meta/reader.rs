// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! stub
use super::FrameMeta;
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Nvds,
    Roi,
    None,
}
pub struct BufferMeta<'a> {
    pub source: Source,
    pub frames: &'a [FrameMeta],
    pub warning: Option<String>,
}
#[derive(Default)]
pub struct MetaReader {
    frames: Vec<FrameMeta>,
}
impl MetaReader {
    pub fn read<'a>(
        &'a mut self,
        buffer: &gst::BufferRef,
        _objects: bool,
        _surfaces: usize,
        _size_of: impl Fn(usize) -> Option<(u32, u32)>,
    ) -> BufferMeta<'a> {
        self.frames.resize_with(1, FrameMeta::default);
        self.frames[0].detections = super::roi::read(buffer);
        BufferMeta {
            source: Source::None,
            frames: &self.frames,
            warning: None,
        }
    }
}
