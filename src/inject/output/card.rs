// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Surfaces that a card fills.

use std::sync::Arc;

use gst_video::VideoInfo;

use super::{Code, Launched, OutputError, acquire, are_alike, is_full_range};
use crate::frame::{CardConverter, CardFrame, Frame, View, code};
use crate::inject::source::Picture;
use crate::mem::cuda::{
    CardView, CardViewMut, CudaError, Event, Gpu, Kind, MemoryPool, Stream, copy,
};
use crate::mem::nvmm::{self, NvmmPool};

#[derive(Debug)]
pub(super) struct Card {
    surfaces: NvmmPool,
    stream: Stream,
    /// For frames that are converted on the card.
    fetched: MemoryPool,
    converter: Kept,
    /// Marks that are free to be used again.
    events: Vec<Event>,
}

/// What the card still works with.
#[derive(Debug)]
pub(super) struct OnCard {
    /// Until it was waited for.
    done: Option<Event>,
    _reads: Option<Arc<CardFrame>>,
}

impl OnCard {
    /// Waits for it, and gives back its mark.
    pub(super) fn wait(mut self) -> Result<Option<Event>, CudaError> {
        let done = self.done.take();
        if let Some(done) = &done {
            done.synchronize()?;
        }
        Ok(done)
    }
}

impl Drop for OnCard {
    fn drop(&mut self) {
        if let Some(done) = self.done.take() {
            // What is read may be written to by others as soon as it is let go. A card that failed
            // reads nothing.
            let _ = done.synchronize();
        }
    }
}

/// The converter of the frame before: most often the right one for the next.
#[derive(Debug, Default)]
pub(super) struct Kept(Option<CardConverter>);

impl Kept {
    pub(super) fn convert(
        &mut self,
        (view, from): (&CardView<'_>, &VideoInfo),
        (target, to): (&mut CardViewMut<'_>, &VideoInfo),
        add_borders: bool,
        stream: &Stream,
    ) -> Result<(), CudaError> {
        let converter = match self.0.take() {
            Some(converter) if converter.from() == from && converter.to() == to => converter,
            _ => CardConverter::new(stream.gpu(), from, to, add_borders)?,
        };
        self.0.insert(converter).convert(view, target, stream)
    }
}

impl Card {
    pub(super) fn new(surfaces: NvmmPool, gpu: Gpu) -> Result<Self, CudaError> {
        Ok(Self {
            surfaces,
            stream: Stream::ordered(gpu)?,
            fetched: MemoryPool::new(gpu, Kind::Device),
            converter: Kept::default(),
            events: Vec::new(),
        })
    }

    pub(super) fn gpu(&self) -> Gpu {
        self.stream.gpu()
    }

    pub(super) fn surfaces(&self) -> &NvmmPool {
        &self.surfaces
    }

    pub(super) fn take_back(&mut self, done: Option<Event>) {
        self.events.extend(done);
    }

    pub(super) fn launch(
        &mut self,
        info: &VideoInfo,
        picture: &Picture,
        code: Option<Code>,
        wait: bool,
        add_borders: bool,
    ) -> Result<Launched, OutputError> {
        let launched = self.begin(info, picture, code, wait, add_borders);
        if launched.is_err() {
            // What was queued may read a picture that is let go now.
            let _ = self.stream.synchronize();
        }
        launched
    }

    fn begin(
        &mut self,
        info: &VideoInfo,
        picture: &Picture,
        code: Option<Code>,
        wait: bool,
        add_borders: bool,
    ) -> Result<Launched, OutputError> {
        let mut buffer = acquire(&self.surfaces, wait)?;
        let _bound = self.stream.gpu().bind()?;
        let writable = buffer.get_mut().ok_or(OutputError::Map)?;
        let mut surface = nvmm::write(writable, 0)?;
        let mut view = surface.card_view_mut()?;
        let reads = self.fill(&mut view, info, picture, add_borders)?;
        if let Some(Code { stream, frame }) = code {
            let full_range = is_full_range(info);
            code::draw_on_card(&mut view, full_range, stream, frame, &self.stream)?;
        }
        drop(surface);
        let done = match self.events.pop() {
            Some(event) => event,
            None => Event::new(self.stream.gpu())?,
        };
        done.record(&self.stream)?;
        Ok(Launched {
            buffer,
            on_card: Some(OnCard {
                done: Some(done),
                _reads: reads,
            }),
        })
    }

    /// Queues what makes the picture, and returns what is read for it.
    fn fill(
        &mut self,
        to: &mut CardViewMut<'_>,
        info: &VideoInfo,
        picture: &Picture,
        add_borders: bool,
    ) -> Result<Option<Arc<CardFrame>>, OutputError> {
        let frame = match picture {
            Picture::PaintOnCard(painter, number) => {
                painter.paint(*number, to, &self.stream)?;
                return Ok(None);
            }
            // Its painter was made for a target that had no card yet.
            Picture::Paint(..) => return Err(OutputError::Map),
            Picture::Ready(frame) if are_alike(&frame.info, info) => {
                let mapped = frame.map()?;
                copy::upload(&View::of_frame(&mapped)?, to, &self.stream)?;
                return Ok(None);
            }
            Picture::Ready(frame) => Arc::new(self.upload(frame)?),
            Picture::Card(frame) => frame.clone(),
        };
        let from = frame.view()?;
        if are_alike(frame.info(), info) {
            copy::copy(&from, to, &self.stream)?;
        } else {
            let from = (&from, frame.info());
            self.converter
                .convert(from, (to, info), add_borders, &self.stream)?;
        }
        Ok(Some(frame))
    }

    /// A frame as it is.
    fn upload(&self, frame: &Frame) -> Result<CardFrame, OutputError> {
        let mapped = frame.map()?;
        let mut uploaded = CardFrame::acquire(&self.fetched, &frame.info)?;
        let from = View::of_frame(&mapped)?;
        copy::upload(&from, &mut uploaded.view_mut()?, &self.stream)?;
        Ok(uploaded)
    }
}
