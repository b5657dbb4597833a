// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Frames of a card for targets that are not on it, or that it cannot make.

use gst_video::VideoInfo;

use super::card::Kept;
use super::{OutputError, are_alike};
use crate::frame::{CardConverter, CardFrame, Frame, HostPool, ViewMut};
use crate::mem::cuda::{CardView, CudaError, Gpu, Kind, MemoryPool, Stream, copy};

/// Brings frames to host memory, and has their card convert those that it can.
#[derive(Debug)]
pub(super) struct Fetcher {
    stream: Stream,
    converted: MemoryPool,
    converter: Kept,
    frames: Option<(VideoInfo, HostPool)>,
}

impl Fetcher {
    pub(super) fn new(gpu: Gpu) -> Result<Self, CudaError> {
        Ok(Self {
            // Frames are complete, and what they become is waited for.
            stream: Stream::independent(gpu)?,
            converted: MemoryPool::new(gpu, Kind::Device),
            converter: Kept::default(),
            frames: None,
        })
    }

    pub(super) fn gpu(&self) -> Gpu {
        self.stream.gpu()
    }

    /// A frame as the target is; as it is itself, if the card cannot convert it.
    pub(super) fn fetch(
        &mut self,
        frame: &CardFrame,
        target: &VideoInfo,
        add_borders: bool,
    ) -> Result<Frame, OutputError> {
        let _bound = self.gpu().bind()?;
        let (view, info) = (frame.view()?, frame.info());
        if are_alike(info, target) {
            return self.download(&view, target);
        }
        if !CardConverter::takes(info, target) {
            return self.download(&view, info);
        }
        let mut converted = CardFrame::acquire(&self.converted, target)?;
        let mut to = converted.view_mut()?;
        let to = (&mut to, target);
        self.converter
            .convert((&view, info), to, add_borders, &self.stream)?;
        self.download(&converted.view()?, target)
    }

    fn download(&mut self, from: &CardView<'_>, info: &VideoInfo) -> Result<Frame, OutputError> {
        let (kept, pool) = match self.frames.take() {
            Some(frames) if frames.0 == *info => frames,
            _ => (info.clone(), HostPool::new(info)?),
        };
        let mut frame = pool.acquire()?;
        self.frames = Some((kept, pool));
        let mut to = ViewMut::of_frame(&mut frame)?;
        copy::download(from, &mut to, &self.stream)?;
        Ok(frame.into())
    }
}
