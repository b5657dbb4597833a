// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Bytes of frames on a card, without leaving it earlier than need be: JPEGs are made there, and
//! what the CPU encodes is scaled and converted before it is fetched.

use gst_video::{VideoFormat, VideoInfo};

use super::{CodecError, EncodeSettings, Picture, PictureEncoder};
use crate::frame::map::sibling;
use crate::frame::stats::{PictureStats, statistics};
use crate::frame::{CardConverter, CardFrame, Frame, HostPool, View, ViewMut};
use crate::mem::cuda::{CudaError, Gpu, Kind, MemoryPool, Stream, copy};

/// Converters that are kept: streams of a batch may differ in size.
const KEPT: usize = 8;

/// Encodes frames of cards, one after the other: one for each thread.
#[derive(Debug, Default)]
pub struct CardEncoder {
    /// For the GPU that the last frame was on.
    bench: Option<Bench>,
    on_cpu: PictureEncoder,
    fallback: Option<String>,
}

/// What is needed to work on a GPU.
#[derive(Debug)]
struct Bench {
    stream: Stream,
    converted: MemoryPool,
    converters: Vec<CardConverter>,
    fetched: Option<HostPool>,
}

impl Bench {
    fn new(gpu: Gpu) -> Result<Self, CudaError> {
        Ok(Self {
            stream: Stream::independent(gpu)?,
            converted: MemoryPool::new(gpu, Kind::Device),
            converters: Vec::new(),
            fetched: None,
        })
    }

    /// Queues the conversion of a frame.
    fn convert(&mut self, frame: &CardFrame, to: &VideoInfo) -> Result<CardFrame, CudaError> {
        let from = frame.info();
        let is_it = |c: &CardConverter| c.from() == from && c.to() == to;
        let converter = match self.converters.iter().position(is_it) {
            Some(index) => self.converters.remove(index),
            None => {
                if self.converters.len() == KEPT {
                    self.converters.remove(0);
                }
                CardConverter::new(self.stream.gpu(), from, to, false)?
            }
        };
        let mut converted = CardFrame::acquire(&self.converted, to)?;
        converter.convert(&frame.view()?, &mut converted.view_mut()?, &self.stream)?;
        self.converters.push(converter);
        Ok(converted)
    }

    /// The frame in host memory.
    fn fetch(&mut self, frame: &CardFrame) -> Result<Frame, CodecError> {
        let info = frame.info();
        let pool = match self.fetched.take() {
            Some(pool) if pool.info() == info => pool,
            _ => HostPool::pinned(info, self.stream.gpu())?,
        };
        let mut fetched = pool.acquire()?;
        let to = &mut ViewMut::of_frame(&mut fetched)?;
        copy::download(&frame.view()?, to, &self.stream)?;
        self.fetched = Some(pool);
        Ok(fetched.into())
    }
}

impl CardEncoder {
    fn bench(&mut self, gpu: Gpu) -> Result<&mut Bench, CudaError> {
        if self
            .bench
            .as_ref()
            .is_none_or(|bench| bench.stream.gpu() != gpu)
        {
            self.bench = Some(Bench::new(gpu)?);
        }
        // Made above.
        self.bench
            .as_mut()
            .ok_or_else(|| CudaError::Pointer("a stream".into()))
    }

    /// Why a picture was left to the CPU that the card could have made.
    pub fn take_fallback(&mut self) -> Option<String> {
        self.fallback.take()
    }

    /// Replaces `out` by `frame` as `settings` say.
    pub fn encode(
        &mut self,
        frame: &CardFrame,
        settings: &EncodeSettings,
        out: &mut Vec<u8>,
    ) -> Result<Picture, CodecError> {
        let target = super::target(settings, frame.info())?;
        let bench = self.bench(frame.gpu())?;
        let fetched = if target == *frame.info() {
            bench.fetch(frame)?
        } else {
            let converted = bench.convert(frame, &target)?;
            bench.fetch(&converted)?
        };
        self.on_cpu.encode(&fetched, settings, out)
    }

    /// The statistics of the frame as it is delivered, in RGB.
    pub fn statistics(
        &mut self,
        frame: &CardFrame,
        width: u32,
        height: u32,
    ) -> Result<PictureStats, CodecError> {
        let info = frame.info();
        let format = match info.format() {
            VideoFormat::Gray8 => VideoFormat::Gray8,
            _ => VideoFormat::Rgb,
        };
        let too_large = CodecError::TooLarge {
            width: width as usize,
            height: height as usize,
        };
        let bench = self.bench(frame.gpu())?;
        let fetched = if (info.format(), info.width(), info.height()) == (format, width, height) {
            bench.fetch(frame)?
        } else {
            let target = sibling(info, format, width, height).ok_or(too_large)?;
            let converted = bench.convert(frame, &target)?;
            bench.fetch(&converted)?
        };
        let mapped = fetched.map()?;
        Ok(statistics(&View::of_frame(&mapped)?)?)
    }
}
