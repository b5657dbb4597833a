// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The memory that frames are pushed in, and how they get there.

use gst::prelude::*;
use gst_video::{VideoFrame, VideoInfo, VideoMeta};

use crate::frame::{
    CardConverter, CardFrame, ConvertError, Converter, Frame, FrameError, HostPool, PoolError,
    View, ViewError, ViewMut, code, view,
};
use crate::mem::cuda::{CudaError, Event, Kind, MemoryPool, Stream, copy};
use crate::mem::nvmm::{self, NvmmError, NvmmPool, Place};
use crate::mem::sys::Generation;

use super::source::Picture;

#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// `unlock()` ended the wait for a free surface.
    #[error("flushing")]
    Flushing,
    /// There is no free surface, and none was to be waited for.
    #[error("no free surface")]
    Busy,
    #[error(transparent)]
    Cuda(#[from] CudaError),
    #[error(transparent)]
    Pool(#[from] PoolError),
    #[error(transparent)]
    Nvmm(#[from] NvmmError),
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    View(#[from] ViewError),
    #[error(transparent)]
    Convert(#[from] ConvertError),
    #[error("property \"frame-code\": {0}")]
    Code(#[from] code::TooSmall),
    #[error("memory cannot be mapped for writing")]
    Map,
}

impl From<code::CardError> for OutputError {
    fn from(error: code::CardError) -> Self {
        match error {
            code::CardError::TooSmall(error) => error.into(),
            code::CardError::Cuda(error) => error.into(),
        }
    }
}

/// Stream and frame number to be spelled in the picture's corner.
#[derive(Debug, Clone, Copy)]
pub struct Code {
    pub stream: u16,
    pub frame: u32,
}

/// What NVMM surfaces are made like.
#[derive(Debug, Clone, Copy)]
pub struct Nvmm {
    pub generation: Generation,
    pub place: Place,
    pub pool_size: u32,
}

#[derive(Debug)]
enum Memory {
    Host(HostPool),
    Nvmm(NvmmPool),
    Card(Box<Card>),
}

/// Surfaces that a card fills.
#[derive(Debug)]
struct Card {
    surfaces: NvmmPool,
    stream: Stream,
    /// For frames that are converted on the card.
    fetched: MemoryPool,
    converter: Option<CardConverter>,
    /// Marks that are free to be used again.
    events: Vec<Event>,
}

/// A buffer that is complete once it was [finished](Output::finish).
#[derive(Debug)]
pub struct Launched {
    buffer: gst::Buffer,
    on_card: Option<OnCard>,
}

/// What the card still works with.
#[derive(Debug)]
struct OnCard {
    done: Event,
    _fetched: Option<CardFrame>,
}

impl Launched {
    /// Whether there is something to be done while the card works.
    pub fn is_on_card(&self) -> bool {
        self.on_card.is_some()
    }
}

/// Makes buffers of one negotiated format.
#[derive(Debug)]
pub struct Output {
    info: VideoInfo,
    memory: Memory,
    add_borders: bool,
    /// The peer reads rows by the strides that a video meta says.
    takes_strides: bool,
    /// For frames that were fetched for another format.
    converter: Option<Converter>,
}

impl Output {
    pub fn new(
        info: &VideoInfo,
        nvmm: Option<Nvmm>,
        add_borders: bool,
    ) -> Result<Self, OutputError> {
        let memory = match nvmm {
            None => Memory::Host(HostPool::new(info)?),
            Some(nvmm) => {
                let Nvmm {
                    generation,
                    place,
                    pool_size,
                } = nvmm;
                let pool = NvmmPool::new(info, generation, place, 1, pool_size)?;
                pool.set_active(true)
                    .map_err(|_| PoolError::OutOfMemory { bytes: info.size() })?;
                match place {
                    Place::Host { .. } => Memory::Nvmm(pool),
                    Place::Card { gpu, .. } => Memory::Card(Box::new(Card {
                        surfaces: pool,
                        stream: Stream::ordered(gpu)?,
                        fetched: MemoryPool::new(gpu, Kind::Device),
                        converter: None,
                        events: Vec::new(),
                    })),
                }
            }
        };
        Ok(Self {
            info: info.clone(),
            memory,
            add_borders,
            takes_strides: false,
            converter: None,
        })
    }

    /// What buffers are made like.
    pub fn info(&self) -> &VideoInfo {
        &self.info
    }

    /// The pool whose surfaces may be waited for, so that the wait can be ended.
    pub fn waits_for(&self) -> Option<gst::BufferPool> {
        match &self.memory {
            Memory::Host(_) => None,
            Memory::Nvmm(pool) => Some(pool.clone().upcast()),
            Memory::Card(card) => Some(card.surfaces.clone().upcast()),
        }
    }

    /// Whether the peer looks at video metas; until told, it is taken not to.
    pub fn set_takes_strides(&mut self, takes_strides: bool) {
        self.takes_strides = takes_strides;
    }

    /// Begins a buffer with the picture in it. What the card makes is not complete yet, and the
    /// picture must be kept until it is. Frames in system memory that need no change are passed on
    /// as they are.
    pub fn launch(
        &mut self,
        picture: &Picture,
        code: Option<Code>,
        wait: bool,
    ) -> Result<Launched, OutputError> {
        if let Memory::Card(card) = &mut self.memory {
            return card.launch(&self.info, picture, code, wait, self.add_borders);
        }
        let buffer = match picture {
            Picture::Paint(painter, number) => {
                self.draw(code, |view| painter.paint(*number, view))?
            }
            // Its painter was made for a target that has no card any more.
            Picture::PaintOnCard(..) => return Err(OutputError::Map),
            Picture::Ready(frame) if frame.info != self.info => {
                let converted = self.convert(frame)?;
                self.place(&converted, code)?
            }
            Picture::Ready(frame) => self.place(frame, code)?,
        };
        Ok(Launched {
            buffer,
            on_card: None,
        })
    }

    /// Waits until a buffer is complete.
    pub fn finish(&mut self, launched: Launched) -> Result<gst::Buffer, OutputError> {
        if let Some(OnCard { done, .. }) = launched.on_card {
            done.synchronize()?;
            if let Memory::Card(card) = &mut self.memory {
                card.events.push(done);
            }
        }
        Ok(launched.buffer)
    }

    fn place(&self, frame: &Frame, code: Option<Code>) -> Result<gst::Buffer, OutputError> {
        let as_it_is = self.takes_strides || self.has_plain_layout(&frame.buffer);
        if code.is_none() && as_it_is && matches!(self.memory, Memory::Host(_)) {
            return Ok(frame.buffer.clone());
        }
        let mapped = frame.map()?;
        let from = View::of_frame(&mapped)?;
        self.draw(code, |to| view::copy(&from, to))
    }

    /// Whether the planes lie where the caps alone say.
    fn has_plain_layout(&self, buffer: &gst::BufferRef) -> bool {
        buffer.meta::<VideoMeta>().is_none_or(|meta| {
            meta.offset() == self.info.offset() && meta.stride() == self.info.stride()
        })
    }

    fn draw(
        &self,
        code: Option<Code>,
        draw: impl FnOnce(&mut ViewMut<'_>),
    ) -> Result<gst::Buffer, OutputError> {
        let full_range = is_full_range(&self.info);
        let draw = |view: &mut ViewMut<'_>| {
            draw(view);
            match code {
                None => Ok(()),
                Some(code) => code::draw(view, full_range, code.stream, code.frame),
            }
        };
        match &self.memory {
            Memory::Host(pool) => {
                let mut frame: VideoFrame<_> = pool.acquire()?;
                draw(&mut ViewMut::of_frame(&mut frame)?)?;
                Ok(Frame::from(frame).buffer)
            }
            // `launch` sends those to the card.
            Memory::Card(_) => Err(OutputError::Map),
            Memory::Nvmm(pool) => {
                let mut buffer = acquire(pool, true)?;
                let writable = buffer.get_mut().ok_or(OutputError::Map)?;
                let mut surface = nvmm::write(writable, 0)?;
                draw(&mut surface.view_mut()?)?;
                drop(surface);
                Ok(buffer)
            }
        }
    }

    fn convert(&mut self, frame: &Frame) -> Result<Frame, OutputError> {
        let converter = match self.converter.take() {
            Some(converter) if *converter.from() == frame.info => converter,
            _ => Converter::new(&frame.info, &self.info, self.add_borders)?,
        };
        let mut converted = HostPool::new(&self.info)?.acquire()?;
        converter.convert(&frame.map()?, &mut converted);
        self.converter = Some(converter);
        Ok(converted.into())
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if let Some(pool) = self.waits_for() {
            // Surfaces still in use go on living and are freed when they come back.
            let _ = pool.set_active(false);
        }
    }
}

fn is_full_range(info: &VideoInfo) -> bool {
    info.is_rgb() || info.colorimetry().range() == gst_video::VideoColorRange::Range0_255
}

fn acquire(pool: &NvmmPool, wait: bool) -> Result<gst::Buffer, OutputError> {
    let params = (!wait)
        .then(|| gst::BufferPoolAcquireParams::with_flags(gst::BufferPoolAcquireFlags::DONTWAIT));
    pool.acquire_buffer(params.as_ref())
        .map_err(|error| match error {
            gst::FlowError::Flushing => OutputError::Flushing,
            gst::FlowError::Eos => OutputError::Busy,
            _ => match pool.take_fault() {
                Some(fault) => OutputError::Nvmm(fault),
                None => OutputError::Map,
            },
        })
}

impl Card {
    fn launch(
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
        let mut fetched = None;
        match picture {
            Picture::PaintOnCard(painter, number) => {
                painter.paint(*number, &mut view, &self.stream)?;
            }
            // Its painter was made for a target that had no card yet.
            Picture::Paint(..) => return Err(OutputError::Map),
            Picture::Ready(frame) => {
                let mapped = frame.map()?;
                let from = View::of_frame(&mapped)?;
                let same = (from.format(), from.width(), from.height())
                    == (view.format(), view.width(), view.height());
                if same && frame.info.colorimetry() == info.colorimetry() {
                    copy::upload(&from, &mut view, &self.stream)?;
                } else {
                    let mut unconverted = CardFrame::acquire(&self.fetched, &frame.info)?;
                    copy::upload(&from, &mut unconverted.view_mut()?, &self.stream)?;
                    let converter = match self.converter.take() {
                        Some(converter) if *converter.from() == frame.info => converter,
                        _ => CardConverter::new(self.stream.gpu(), &frame.info, info, add_borders)?,
                    };
                    converter.convert(&unconverted.view()?, &mut view, &self.stream)?;
                    self.converter = Some(converter);
                    fetched = Some(unconverted);
                }
            }
        }
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
                done,
                _fetched: fetched,
            }),
        })
    }
}
