// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Pictures where other processes can read them.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};

use gst_video::prelude::*;
use gst_video::video_frame::Writable;
use gst_video::{VideoFrame, VideoInfo};

use crate::channel::wire::{MAX_SLOT, Memory, PlaneAt, Planes};
use crate::frame::{
    CardFrame, Frame, FrameError, HostPool, PoolError, Snapshot, View, ViewError, ViewMut, view,
};
use crate::mem::cuda::{CudaError, Stream, copy};
use crate::mem::shm::{Shared, ShmError, identify};

/// Tells slots on a card from those in host memory, whose numbers are others' or the same.
const ON_CARD: u64 = 1 << 63;

#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error(transparent)]
    Shm(#[from] ShmError),
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("the picture does not fit its caps: {0}")]
    View(#[from] ViewError),
    #[error(transparent)]
    Pool(#[from] PoolError),
    #[error("its memory is not what it was made as")]
    Memory,
    #[error("the picture cannot be brought from its card: {0}")]
    Cuda(#[from] CudaError),
}

/// Whoever has it keeps a picture from being written to.
#[derive(Debug, Clone)]
pub enum Lent {
    Host(gst::Buffer),
    Card(Arc<CardFrame>),
}

impl Lent {
    /// Somebody may read it for ever: the memory is not used again.
    pub fn retire(&self) {
        match self {
            Self::Host(buffer) => {
                if let Some(shared) = place(buffer) {
                    shared.retire();
                }
            }
            Self::Card(frame) => frame.retire(),
        }
    }

    /// What goes along with the first frame in this memory.
    pub fn descriptor(&self) -> Result<Descriptor, CudaError> {
        Ok(match self {
            Self::Host(buffer) => Descriptor::Host(buffer.clone()),
            Self::Card(frame) => Descriptor::Card(frame.memory().export()?),
        })
    }
}

/// A descriptor that is to be sent.
#[derive(Debug)]
pub enum Descriptor {
    /// The buffer has it.
    Host(gst::Buffer),
    Card(OwnedFd),
}

impl Descriptor {
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Host(buffer) => Some(place(buffer)?.fd),
            Self::Card(fd) => Some(fd.as_fd()),
        }
    }
}

/// A picture in one memory, which another process can map.
#[derive(Debug, Clone)]
pub struct Exported {
    pub lent: Lent,
    pub memory: Memory,
    pub slot: u64,
    /// Bytes of the memory.
    pub size: u64,
    /// Where in it the picture begins.
    pub offset: u64,
    pub planes: Planes,
}

impl Exported {
    /// A picture in host memory: what is shared stays where it is, the rest is copied once.
    pub fn in_host(picture: &Snapshot, copies: &Copies) -> Result<Self, ExportError> {
        match picture {
            Snapshot::Host(frame) => match place(&frame.buffer) {
                Some(_) => Self::of_frame(frame),
                None => Self::of_frame(&copies.copy(frame)?),
            },
            Snapshot::Card(frame) => Self::of_frame(&copies.fetch(frame)?),
        }
    }

    fn of_frame(frame: &Frame) -> Result<Self, ExportError> {
        let shared = place(&frame.buffer).ok_or(ExportError::Memory)?;
        Ok(Self {
            memory: Memory::Host,
            slot: shared.serial,
            size: shared.size as u64,
            offset: shared.offset as u64,
            planes: planes(&frame.info, &frame.layout()?)?,
            lent: Lent::Host(frame.buffer.clone()),
        })
    }

    /// A picture where it is, on the card that the reader has at this place. Its memory can be
    /// exported.
    pub fn on_card(frame: &Arc<CardFrame>, device: u32) -> Result<Self, ExportError> {
        let memory = frame.memory();
        let size = memory.shared_size() as u64;
        if size > MAX_SLOT {
            return Err(ShmError::Size(size).into());
        }
        Ok(Self {
            memory: Memory::Cuda { device },
            slot: ON_CARD | memory.serial(),
            size,
            offset: 0,
            planes: planes(frame.info(), frame.planes())?,
            lent: Lent::Card(frame.clone()),
        })
    }
}

impl Exported {
    /// Of a picture in host memory.
    pub fn buffer(&self) -> Option<&gst::Buffer> {
        match &self.lent {
            Lent::Host(buffer) => Some(buffer),
            Lent::Card(_) => None,
        }
    }
}

fn planes(info: &VideoInfo, layout: &[(usize, usize)]) -> Result<Planes, FrameError> {
    let plane = |(offset, stride): &(usize, usize)| {
        Some(PlaneAt {
            offset: *offset as u64,
            pitch: u32::try_from(*stride).ok()?,
        })
    };
    let planes: Option<Vec<_>> = layout.iter().map(plane).collect();
    planes
        .and_then(|planes| Planes::new(&planes))
        .ok_or_else(|| FrameError::Format(info.format().to_string()))
}

/// Where the picture in a buffer is.
fn place(buffer: &gst::BufferRef) -> Option<Shared<'_>> {
    match buffer.n_memory() {
        1 => identify(buffer.peek_memory(0)),
        _ => None,
    }
}

/// Copies pictures into shared memory.
#[derive(Debug, Default)]
pub struct Copies {
    pool: Mutex<Option<HostPool>>,
    /// Of the card that the last frame came from.
    stream: Mutex<Option<Arc<Stream>>>,
}

impl Copies {
    /// A frame to be drawn.
    fn acquire(&self, info: &VideoInfo) -> Result<VideoFrame<Writable>, PoolError> {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = pool.take().filter(|pool| pool.info() == info);
        let used = match kept {
            Some(pool) => pool,
            None => HostPool::shared(info)?,
        };
        pool.insert(used).acquire()
    }

    /// A picture with these colours, which `draw` draws.
    fn make(
        &self,
        info: &VideoInfo,
        draw: impl FnOnce(&mut ViewMut<'_>) -> Result<(), ExportError>,
    ) -> Result<Frame, ExportError> {
        // Its strides may be others than those of its format.
        let caps = info.to_caps().map_err(|_| ShmError::Refused)?;
        let info = VideoInfo::from_caps(&caps).map_err(|_| ShmError::Refused)?;
        let mut to = self.acquire(&info)?;
        draw(&mut ViewMut::of_frame(&mut to)?)?;
        Ok(to.into())
    }

    fn copy(&self, frame: &Frame) -> Result<Frame, ExportError> {
        let mapped = frame.map()?;
        let from = View::of_frame(&mapped)?;
        let mut copy = self.make(&frame.info, |to| {
            view::copy(&from, to);
            Ok(())
        })?;
        // How its fields follow each other.
        let flags = frame.buffer.video_flags();
        let writable = copy.buffer.get_mut().ok_or(ExportError::Memory)?;
        writable.set_video_flags(flags);
        Ok(copy)
    }

    /// A frame of a card; waits for it.
    fn fetch(&self, frame: &CardFrame) -> Result<Frame, ExportError> {
        let stream = self.stream(frame)?;
        let from = frame.view()?;
        self.make(frame.info(), |to| Ok(copy::download(&from, to, &stream)?))
    }

    fn stream(&self, frame: &CardFrame) -> Result<Arc<Stream>, CudaError> {
        let mut kept = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        match &*kept {
            Some(stream) if stream.gpu() == frame.gpu() => Ok(stream.clone()),
            _ => {
                // Frames are complete: there is nothing to be ordered after.
                let stream = Arc::new(Stream::independent(frame.gpu())?);
                *kept = Some(stream.clone());
                Ok(stream)
            }
        }
    }

    /// All that copies take.
    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        let pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        pool.as_ref().map_or(0, HostPool::shared_bytes)
    }
}
