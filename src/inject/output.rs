// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The memory that frames are pushed in, and how they get there.

use gst::prelude::*;
use gst_video::{VideoFrame, VideoInfo, VideoMeta};

use crate::frame::{
    ConvertError, Converter, Frame, FrameError, HostPool, PoolError, View, ViewError, ViewMut,
    code, view,
};
use crate::mem::nvmm::{self, NvmmError, NvmmPool};
use crate::mem::sys::Generation;

use super::source::Picture;

#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// `unlock()` ended the wait for a free surface.
    #[error("flushing")]
    Flushing,
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
    pub gpu_id: u32,
    pub pool_size: u32,
}

#[derive(Debug)]
enum Memory {
    Host(HostPool),
    Nvmm(NvmmPool),
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
            Some(Nvmm {
                generation,
                gpu_id,
                pool_size,
            }) => {
                let pool = NvmmPool::new(info, generation, gpu_id, 1, pool_size)?;
                pool.set_active(true)
                    .map_err(|_| PoolError::OutOfMemory { bytes: info.size() })?;
                Memory::Nvmm(pool)
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

    /// The pool whose surfaces may be waited for, so that the wait can be ended.
    pub fn waits_for(&self) -> Option<gst::BufferPool> {
        match &self.memory {
            Memory::Host(_) => None,
            Memory::Nvmm(pool) => Some(pool.clone().upcast()),
        }
    }

    /// Whether the peer looks at video metas; until told, it is taken not to.
    pub fn set_takes_strides(&mut self, takes_strides: bool) {
        self.takes_strides = takes_strides;
    }

    /// A buffer with the picture in it. Frames in system memory that need no change are passed on
    /// as they are.
    pub fn make(
        &mut self,
        picture: &Picture,
        code: Option<Code>,
    ) -> Result<gst::Buffer, OutputError> {
        match picture {
            Picture::Paint(painter, number) => self.draw(code, |view| painter.paint(*number, view)),
            Picture::Ready(frame) if frame.info != self.info => {
                let converted = self.convert(frame)?;
                self.place(&converted, code)
            }
            Picture::Ready(frame) => self.place(frame, code),
        }
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
        let range = self.info.colorimetry().range();
        let full_range = self.info.is_rgb() || range == gst_video::VideoColorRange::Range0_255;
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
            Memory::Nvmm(pool) => {
                let mut buffer = pool.acquire_buffer(None).map_err(|error| match error {
                    gst::FlowError::Flushing => OutputError::Flushing,
                    _ => OutputError::Pool(PoolError::OutOfMemory {
                        bytes: self.info.size(),
                    }),
                })?;
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
        if let Memory::Nvmm(pool) = &self.memory {
            // Surfaces still in use go on living and are freed when they come back.
            let _ = pool.set_active(false);
        }
    }
}
