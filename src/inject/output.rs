// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The memory that frames are pushed in, and how they get there.

mod card;
mod fetch;

use gst::prelude::*;
use gst_video::{VideoFrame, VideoInfo, VideoMeta};

use crate::frame::{
    CardConverter, CardFrame, ConvertError, Converter, Frame, FrameError, HostPool, PoolError,
    View, ViewError, ViewMut, code, view,
};
use crate::mem::cuda::CudaError;
use crate::mem::nvmm::{self, NvmmError, NvmmPool, Place};
use crate::mem::sys::Generation;

use self::card::{Card, OnCard};
use self::fetch::Fetcher;
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

/// A buffer that is complete once it was [finished](Output::finish).
#[derive(Debug)]
pub struct Launched {
    buffer: gst::Buffer,
    on_card: Option<OnCard>,
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
    /// For frames that were fetched for another format, with the memory that they get.
    converter: Option<(Converter, HostPool)>,
    /// For frames that must leave their card.
    fetcher: Option<Fetcher>,
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
                    Place::Card { gpu, .. } => Memory::Card(Box::new(Card::new(pool, gpu)?)),
                }
            }
        };
        Ok(Self {
            info: info.clone(),
            memory,
            add_borders,
            takes_strides: false,
            converter: None,
            fetcher: None,
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
            Memory::Card(card) => Some(card.surfaces().clone().upcast()),
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
        if let Picture::Card(frame) = picture
            && !self.stays_on_card(frame)
        {
            let fetched = Picture::Ready(self.fetch(frame)?);
            return self.launch(&fetched, code, wait);
        }
        if let Memory::Card(card) = &mut self.memory {
            return card.launch(&self.info, picture, code, wait, self.add_borders);
        }
        let buffer = match picture {
            Picture::Paint(painter, number) => {
                self.draw(code, |view| painter.paint(*number, view))?
            }
            // Its painter was made for a target that has no card any more.
            Picture::PaintOnCard(..) => return Err(OutputError::Map),
            // Was fetched, above.
            Picture::Card(..) => return Err(OutputError::Map),
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
        if let Some(on_card) = launched.on_card {
            let done = on_card.wait()?;
            if let Memory::Card(card) = &mut self.memory {
                card.take_back(done);
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

    /// Whether the card that a frame is on makes all of the target.
    fn stays_on_card(&self, frame: &CardFrame) -> bool {
        let (from, to) = (frame.info(), &self.info);
        matches!(&self.memory, Memory::Card(card) if card.gpu() == frame.gpu())
            && (are_alike(from, to) || CardConverter::takes(from, to))
    }

    /// A frame of a card in host memory, as the target is.
    fn fetch(&mut self, frame: &CardFrame) -> Result<Frame, OutputError> {
        let mut fetcher = match self.fetcher.take() {
            Some(fetcher) if fetcher.gpu() == frame.gpu() => fetcher,
            _ => Fetcher::new(frame.gpu())?,
        };
        let fetched = fetcher.fetch(frame, &self.info, self.add_borders);
        self.fetcher = Some(fetcher);
        let fetched = fetched?;
        match fetched.info == self.info {
            true => Ok(fetched),
            false => self.convert(&fetched),
        }
    }

    fn convert(&mut self, frame: &Frame) -> Result<Frame, OutputError> {
        let (converter, pool) = match self.converter.take() {
            Some(kept) if *kept.0.from() == frame.info => kept,
            _ => (
                Converter::new(&frame.info, &self.info, self.add_borders)?,
                HostPool::new(&self.info)?,
            ),
        };
        let mut converted = pool.acquire()?;
        converter.convert(&frame.map()?, &mut converted);
        self.converter = Some((converter, pool));
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

/// Whether frames of one are frames of the other as they are.
fn are_alike(one: &VideoInfo, other: &VideoInfo) -> bool {
    let shape = |info: &VideoInfo| (info.format(), info.width(), info.height());
    shape(one) == shape(other) && one.colorimetry() == other.colorimetry()
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
