// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Reused frame memory: a fresh 1080p frame costs its page faults, a reused one nothing.

use std::sync::OnceLock;

use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_video::video_frame::Writable;
use gst_video::{VideoFrame, VideoInfo};

use super::Frame;
use crate::mem::cuda::{CudaError, Gpu, Pinned};
use crate::mem::shm::ShmPool;

#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    #[error("no memory for a frame of {bytes} bytes")]
    OutOfMemory { bytes: usize },
    #[error("frame memory cannot be mapped")]
    Map,
    #[error(transparent)]
    Cuda(#[from] CudaError),
}

/// A pool of frames in system memory. It has no upper limit of its own: whoever queues the frames
/// bounds them.
#[derive(Debug)]
pub struct HostPool {
    info: VideoInfo,
    pool: gst::BufferPool,
}

mod imp {
    use super::*;

    /// Buffers in host memory that a card can fetch by itself.
    #[derive(Default)]
    pub struct PinnedPool {
        pub(super) memory: OnceLock<(Gpu, usize)>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for PinnedPool {
        const NAME: &'static str = "GstDsFramePinnedPool";
        type Type = super::PinnedPool;
        type ParentType = gst::BufferPool;
    }

    impl ObjectImpl for PinnedPool {}
    impl GstObjectImpl for PinnedPool {}

    impl BufferPoolImpl for PinnedPool {
        fn alloc_buffer(
            &self,
            _params: Option<&gst::BufferPoolAcquireParams>,
        ) -> Result<gst::Buffer, gst::FlowError> {
            let (gpu, bytes) = *self.memory.get().ok_or(gst::FlowError::NotNegotiated)?;
            let memory = Pinned::new(gpu, bytes).map_err(|error| {
                gst::error!(gst::CAT_RUST, imp = self, "{error}");
                gst::FlowError::Error
            })?;
            Ok(gst::Buffer::from_mut_slice(memory))
        }
    }
}

glib::wrapper! {
    /// Host memory that a card can fetch by itself.
    pub struct PinnedPool(ObjectSubclass<imp::PinnedPool>) @extends gst::BufferPool, gst::Object;
}

impl HostPool {
    pub fn new(info: &VideoInfo) -> Result<Self, PoolError> {
        Self::of_pool(info, gst::BufferPool::new())
    }

    /// Of frames that a card can fetch by itself, while the CPU does something else.
    pub fn pinned(info: &VideoInfo, gpu: Gpu) -> Result<Self, PoolError> {
        let pool: PinnedPool = glib::Object::new();
        let _ = pool.imp().memory.set((gpu, info.size()));
        Self::of_pool(info, pool.upcast())
    }

    /// Of frames that other processes can map.
    pub fn shared(info: &VideoInfo) -> Result<Self, PoolError> {
        let pool: ShmPool = glib::Object::new();
        Self::of_pool(info, pool.upcast())
    }

    /// All that frames of a [`Self::shared`] pool take, also those that are out.
    #[cfg(test)]
    pub fn shared_bytes(&self) -> usize {
        let pool = self.pool.downcast_ref::<ShmPool>();
        pool.map_or(0, ShmPool::bytes)
    }

    fn of_pool(info: &VideoInfo, pool: gst::BufferPool) -> Result<Self, PoolError> {
        let bytes = info.size();
        let failed = |_| PoolError::OutOfMemory { bytes };
        let mut config = pool.config();
        let size = u32::try_from(bytes).map_err(|_| PoolError::OutOfMemory { bytes })?;
        config.set_params(info.to_caps().ok().as_ref(), size, 0, 0);
        pool.set_config(config).map_err(failed)?;
        pool.set_active(true).map_err(failed)?;
        Ok(Self {
            info: info.clone(),
            pool,
        })
    }

    pub fn info(&self) -> &VideoInfo {
        &self.info
    }

    /// A frame to be written; its former content is undefined.
    pub fn acquire(&self) -> Result<VideoFrame<Writable>, PoolError> {
        let buffer = self
            .pool
            .acquire_buffer(None)
            .map_err(|_| PoolError::OutOfMemory {
                bytes: self.info.size(),
            })?;
        VideoFrame::from_buffer_writable(buffer, &self.info).map_err(|_| PoolError::Map)
    }
}

impl Drop for HostPool {
    fn drop(&mut self) {
        // Frames still in use go on living and are freed when they come back.
        let _ = self.pool.set_active(false);
    }
}

impl From<VideoFrame<Writable>> for Frame {
    fn from(frame: VideoFrame<Writable>) -> Self {
        use gst_video::prelude::*;
        Self {
            info: frame.info().clone(),
            buffer: frame.into_buffer(),
        }
    }
}
