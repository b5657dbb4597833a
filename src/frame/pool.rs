// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Reused frame memory: a fresh 1080p frame costs its page faults, a reused one nothing.

use gst::prelude::*;
use gst_video::video_frame::Writable;
use gst_video::{VideoFrame, VideoInfo};

use super::Frame;

#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    #[error("no memory for a frame of {bytes} bytes")]
    OutOfMemory { bytes: usize },
    #[error("frame memory cannot be mapped")]
    Map,
}

/// A pool of frames in system memory. It has no upper limit of its own: whoever queues the frames
/// bounds them.
#[derive(Debug)]
pub struct HostPool {
    info: VideoInfo,
    pool: gst::BufferPool,
}

impl HostPool {
    pub fn new(info: &VideoInfo) -> Result<Self, PoolError> {
        let bytes = info.size();
        let failed = |_| PoolError::OutOfMemory { bytes };
        let pool = gst::BufferPool::new();
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
