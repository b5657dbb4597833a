// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Facts about buffers that the bindings do not tell.

#![allow(unsafe_code)]

use gst::glib::translate::from_glib_none;
use gst::prelude::*;

/// Whether the pool of a buffer never runs dry while buffers are kept: there is no pool, or it has
/// no upper limit.
pub fn buffer_pool_is_unlimited_or_none(buffer: &gst::BufferRef) -> bool {
    // SAFETY: a buffer reference points to a valid GstBuffer.
    let pool = unsafe { (*buffer.as_ptr()).pool };
    if pool.is_null() {
        return true;
    }
    // SAFETY: a buffer holds a reference on its pool while it is out of it.
    let pool: gst::BufferPool = unsafe { from_glib_none(pool) };
    pool.config()
        .params()
        .is_some_and(|(_, _, _, max_buffers)| max_buffers == 0)
}

/// Whether the memory is GStreamer's plain system memory, which nobody takes back or overwrites.
pub fn is_system_memory(memory: &gst::MemoryRef) -> bool {
    memory.is_type("SystemMemory")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(max_buffers: u32) -> gst::BufferPool {
        let pool = gst::BufferPool::new();
        let mut config = pool.config();
        config.set_params(None, 16, 0, max_buffers);
        pool.set_config(config).unwrap();
        pool.set_active(true).unwrap();
        pool
    }

    #[test]
    fn limits_of_pools() {
        gst::init().unwrap();
        assert!(buffer_pool_is_unlimited_or_none(&gst::Buffer::new()));
        for (max_buffers, unlimited) in [(0, true), (3, false)] {
            let pool = pool(max_buffers);
            let buffer = pool.acquire_buffer(None).unwrap();
            assert_eq!(buffer_pool_is_unlimited_or_none(&buffer), unlimited);
            drop(buffer);
            pool.set_active(false).unwrap();
        }
    }

    #[test]
    fn kinds_of_memory() {
        gst::init().unwrap();
        assert!(is_system_memory(&gst::Memory::with_size(4)));
        let allocator = crate::mem::nvmm::NvmmAllocator::default();
        let info = gst_video::VideoInfo::builder(gst_video::VideoFormat::Gray8, 2, 2)
            .build()
            .unwrap();
        let place = crate::mem::nvmm::Place::Host { gpu_id: 0 };
        let spec = crate::mem::nvmm::Spec::new(&info, crate::mem::sys::Generation::C, place, 1);
        let memory = allocator.alloc_surfaces(spec.unwrap()).unwrap();
        assert!(!is_system_memory(&memory));
    }
}
