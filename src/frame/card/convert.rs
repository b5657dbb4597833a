// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! stub
use crate::mem::cuda::{CardView, CardViewMut, CudaError, Gpu, Stream};
use gst_video::VideoInfo;
#[derive(Debug)]
pub struct CardConverter {
    from: VideoInfo,
    to: VideoInfo,
}
impl CardConverter {
    pub fn new(
        _gpu: Gpu,
        from: &VideoInfo,
        to: &VideoInfo,
        _add_borders: bool,
    ) -> Result<Self, CudaError> {
        Ok(Self {
            from: from.clone(),
            to: to.clone(),
        })
    }
    pub fn takes(_from: &VideoInfo, _to: &VideoInfo) -> bool {
        false
    }
    pub fn to(&self) -> &VideoInfo {
        &self.to
    }
    pub fn from(&self) -> &VideoInfo {
        &self.from
    }
    pub fn convert(
        &self,
        _from: &CardView<'_>,
        _to: &mut CardViewMut<'_>,
        _stream: &Stream,
    ) -> Result<(), CudaError> {
        Err(CudaError::Pointer("stub".into()))
    }
}
