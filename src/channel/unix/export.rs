// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Pictures where other processes can read them.

use std::sync::{Mutex, PoisonError};

use gst_video::prelude::*;
use gst_video::{VideoFrame, VideoInfo};

use crate::channel::wire::{PlaneAt, Planes};
use crate::frame::{Frame, FrameError, Snapshot, View, ViewError, ViewMut, view};
use crate::mem::shm::{Shared, ShmError, ShmPool, identify};

#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error(transparent)]
    Shm(#[from] ShmError),
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("the picture does not fit its caps: {0}")]
    View(#[from] ViewError),
    #[error("no buffer for a copy of the picture")]
    Pool,
    #[error("the picture is in the memory of a card")]
    Card,
}

/// A picture in one memory, which another process can map.
#[derive(Debug)]
pub struct Exported {
    buffer: gst::Buffer,
    planes: Planes,
}

impl Exported {
    /// What is in shared memory stays where it is, and the rest is copied once. Memory of a card
    /// is not yet shared.
    pub fn of(picture: &Snapshot, copies: &Copies) -> Result<Self, ExportError> {
        match picture {
            Snapshot::Host(frame) => match is_shared(frame) {
                true => Self::of_frame(frame),
                false => Self::of_frame(&copies.copy(frame)?),
            },
            Snapshot::Card(_) => Err(ExportError::Card),
        }
    }

    fn of_frame(frame: &Frame) -> Result<Self, ExportError> {
        let plane = |(offset, stride): (usize, usize)| {
            Some(PlaneAt {
                offset: offset as u64,
                pitch: u32::try_from(stride).ok()?,
            })
        };
        let planes: Option<Vec<_>> = frame.layout()?.into_iter().map(plane).collect();
        let planes = planes.and_then(|planes| Planes::new(&planes));
        Ok(Self {
            buffer: frame.buffer.clone(),
            planes: planes.ok_or_else(|| FrameError::Format(frame.info.format().to_string()))?,
        })
    }

    /// Whoever has it keeps the picture from being written to.
    pub fn buffer(&self) -> &gst::Buffer {
        &self.buffer
    }

    pub fn planes(&self) -> Planes {
        self.planes
    }
}

/// Where the picture in a buffer of an [`Exported`] is.
pub fn place(buffer: &gst::BufferRef) -> Option<Shared<'_>> {
    match buffer.n_memory() {
        1 => identify(buffer.peek_memory(0)),
        _ => None,
    }
}

fn is_shared(frame: &Frame) -> bool {
    place(&frame.buffer).is_some()
}

/// Copies pictures into shared memory.
#[derive(Debug, Default)]
pub struct Copies {
    pool: Mutex<Option<(VideoInfo, ShmPool)>>,
}

impl Copies {
    fn pool(&self, info: &VideoInfo) -> Result<ShmPool, ShmError> {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, pool)) = &*pool
            && of == info
        {
            return Ok(pool.clone());
        }
        let new = ShmPool::new(info)?;
        new.set_active(true).map_err(|_| ShmError::Refused)?;
        if let Some((_, old)) = pool.replace((info.clone(), new.clone())) {
            // What is still out is freed when it comes back.
            let _ = old.set_active(false);
        }
        Ok(new)
    }

    fn copy(&self, frame: &Frame) -> Result<Frame, ExportError> {
        let mapped = frame.map()?;
        // Its strides may be others than those of its format.
        let caps = frame.info.to_caps().map_err(|_| ShmError::Refused)?;
        let info = VideoInfo::from_caps(&caps).map_err(|_| ShmError::Refused)?;
        let pool = self.pool(&info)?;
        let mut buffer = pool.acquire_buffer(None).map_err(|_| ExportError::Pool)?;
        // How its fields follow each other.
        let flags = frame.buffer.video_flags();
        buffer.get_mut().ok_or(ExportError::Pool)?.set_video_flags(flags);
        let to = VideoFrame::from_buffer_writable(buffer, &info);
        let mut to = to.map_err(|_| ExportError::Pool)?;
        view::copy(&View::of_frame(&mapped)?, &mut ViewMut::of_frame(&mut to)?);
        Ok(to.into())
    }

    /// All that copies take.
    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        let pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        pool.as_ref().map_or(0, |(_, pool)| pool.bytes())
    }
}

impl Drop for Copies {
    fn drop(&mut self) {
        let pool = self.pool.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, pool)) = pool.take() {
            let _ = pool.set_active(false);
        }
    }
}
