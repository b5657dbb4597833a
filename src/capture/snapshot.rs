// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Takes the pixels of captured frames so that nobody can change them afterwards.

mod floor;

use gst_video::{VideoCropMeta, VideoFormat, VideoInfo};

use crate::frame::map::sibling;
use crate::frame::{
    CardFrame, Frame, FrameError, HostPool, Part, PoolError, View, ViewError, ViewMut,
    chroma_steps, view,
};
use crate::mem::cuda::{
    CardViewMut, CudaBuffer, CudaError, CudaMemoryError, Gpu, Kind, MemoryPool, Stream,
};
use crate::mem::shm;
use crate::mem::sys::buffer::{buffer_pool_is_unlimited_or_none, is_system_memory};

use floor::Floor;

#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Pool(#[from] PoolError),
    #[error("the picture does not fit its caps: {0}")]
    View(#[from] ViewError),
    #[error("no format for a picture of {width}x{height}")]
    Size { width: usize, height: usize },
    #[error(transparent)]
    Cuda(#[from] CudaError),
    #[error(transparent)]
    CudaMemory(#[from] CudaMemoryError),
    #[error(
        "property \"min-free-gpu-bytes\": {free} bytes are free on GPU {gpu}, and {min_free} are to stay so"
    )]
    Full { gpu: u32, free: u64, min_free: u64 },
}

/// Takes snapshots into reused memory.
#[derive(Debug)]
pub struct Snapshots {
    /// Other processes are to read them where they are.
    for_others: bool,
    floor: Option<Floor>,
    pool: Option<HostPool>,
    /// One for each GPU that frames came from.
    cards: Vec<Card>,
}

#[derive(Debug)]
struct Card {
    stream: Stream,
    pool: MemoryPool,
}

impl Snapshots {
    /// `for_others`: other processes are to read copies where they are, if a card can share its
    /// memory.
    ///
    /// `min_free`: bytes that are to stay free on a card.
    pub fn new(for_others: bool, min_free: Option<u64>) -> Self {
        Self {
            for_others,
            floor: min_free.map(Floor::new),
            pool: None,
            cards: Vec::new(),
        }
    }

    /// Of a buffer in system memory. What GStreamer keeps from being written to is kept by
    /// reference; what may be written behind its back (shared memory, a device), or is missed by
    /// its pool, is copied.
    pub fn of_system(
        &mut self,
        buffer: &gst::Buffer,
        info: &VideoInfo,
    ) -> Result<Frame, SnapshotError> {
        let frame = Frame {
            info: info.clone(),
            buffer: buffer.clone(),
        };
        let crop = buffer.meta::<VideoCropMeta>().map(|crop| crop.rect());
        if crop.is_none() && may_keep(buffer) {
            return Ok(frame);
        }
        let mapped = frame.map()?;
        let view = View::of_frame(&mapped)?;
        match crop {
            None => self.copy(&view, info),
            Some(rect) => self.copy(&cropped(&view, rect)?, info),
        }
    }

    /// A copy of pixels that lie anywhere. `info` says what the colours mean.
    pub fn copy(&mut self, view: &View<'_>, info: &VideoInfo) -> Result<Frame, SnapshotError> {
        let size = SnapshotError::Size {
            width: view.width(),
            height: view.height(),
        };
        let info = sibling(
            info,
            view.format(),
            view.width() as u32,
            view.height() as u32,
        )
        .ok_or(size)?;
        let pool = match self.pool.take() {
            Some(pool) if *pool.info() == info => pool,
            _ if self.for_others => HostPool::shared(&info)?,
            _ => HostPool::new(&info)?,
        };
        let mut frame = pool.acquire()?;
        self.pool = Some(pool);
        view::copy(view, &mut ViewMut::of_frame(&mut frame)?);
        Ok(frame.into())
    }

    /// Of a buffer in GStreamer's own CUDA memory.
    pub fn of_cuda(
        &mut self,
        buffer: &gst::BufferRef,
        info: &VideoInfo,
        gpu_id: Option<u32>,
    ) -> Result<CardFrame, SnapshotError> {
        // Any will do to ask which one it is; most likely the same as before.
        let last = self.cards.last().map(|card| card.pool.gpu().ordinal());
        let asked = Gpu::get(gpu_id.or(last).unwrap_or(0))?;
        let mapped = CudaBuffer::map(buffer, info, asked)?;
        let mut size = (mapped.width(), mapped.height());
        let mut corner = (0, 0);
        if let Some(crop) = buffer.meta::<VideoCropMeta>() {
            let part = crop_within(info.format(), size, crop.rect());
            corner = (part.x as usize, part.y as usize);
            size = (part.width as usize, part.height as usize);
        }
        self.check_room(mapped.gpu())?;
        let (width, height) = size;
        let info = sibling(info, info.format(), width as u32, height as u32)
            .ok_or(SnapshotError::Size { width, height })?;
        let Card { stream, pool } = self.card(mapped.gpu())?;
        let mut frame = CardFrame::acquire(pool, &info)?;
        mapped.copy_to(corner, &mut frame.view_mut()?, stream)?;
        Ok(frame)
    }

    /// A copy of pixels that a GPU reaches, made by `copy` and complete when this returns.
    pub fn of_card(
        &mut self,
        gpu: Gpu,
        info: &VideoInfo,
        copy: impl FnOnce(&mut CardViewMut<'_>, &Stream) -> Result<(), CudaError>,
    ) -> Result<CardFrame, SnapshotError> {
        self.check_room(gpu)?;
        let _bound = gpu.bind()?;
        let Card { stream, pool } = self.card(gpu)?;
        let mut frame = CardFrame::acquire(pool, info)?;
        let copied = copy(&mut frame.view_mut()?, stream);
        // Also if it failed: what was queued before may use memory that others get now.
        stream.synchronize()?;
        copied?;
        Ok(frame)
    }

    /// Where the part of a picture begins that a crop meta shows: x and y.
    pub fn corner(info: &VideoInfo, rect: (u32, u32, u32, u32)) -> (u32, u32) {
        let size = (info.width() as usize, info.height() as usize);
        let part = crop_within(info.format(), size, rect);
        (part.x, part.y)
    }

    fn check_room(&mut self, gpu: Gpu) -> Result<(), SnapshotError> {
        match &mut self.floor {
            None => Ok(()),
            Some(floor) => floor.check(gpu),
        }
    }

    fn card(&mut self, gpu: Gpu) -> Result<&Card, CudaError> {
        let found = self.cards.iter().position(|card| card.pool.gpu() == gpu);
        let index = match found {
            Some(index) => index,
            None => {
                let kind = match self.for_others && gpu.can_export() {
                    true => Kind::Exportable,
                    false => Kind::Device,
                };
                self.cards.push(Card {
                    stream: Stream::ordered(gpu)?,
                    pool: MemoryPool::new(gpu, kind),
                });
                self.cards.len() - 1
            }
        };
        Ok(&self.cards[index])
    }
}

fn may_keep(buffer: &gst::BufferRef) -> bool {
    // Shared memory of ours is written by this process only.
    let is_ours = |memory| is_system_memory(memory) || shm::identify(memory).is_some();
    buffer.iter_memories().all(is_ours) && buffer_pool_is_unlimited_or_none(buffer)
}

/// The part of a picture that its crop meta shows. Where chroma is shared by pixels, the corner moves
/// to the pixel that has it, as GStreamer's converter does.
fn crop_within(
    format: VideoFormat,
    (full_width, full_height): (usize, usize),
    (x, y, width, height): (u32, u32, u32, u32),
) -> Part {
    let (full_width, full_height) = (full_width as u32, full_height as u32);
    let (across, down) = chroma_steps(format);
    let x = x.min(full_width.saturating_sub(1));
    let y = y.min(full_height.saturating_sub(1));
    let (x, y) = (x - x % across, y - y % down);
    Part {
        x,
        y,
        width: width.clamp(1, full_width - x),
        height: height.clamp(1, full_height - y),
    }
}

fn cropped<'a>(view: &View<'a>, rect: (u32, u32, u32, u32)) -> Result<View<'a>, ViewError> {
    view.part(crop_within(
        view.format(),
        (view.width(), view.height()),
        rect,
    ))
}
