// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A pool of NVMM buffers.

#![allow(unsafe_code)]

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_video::VideoInfo;

use super::{CAPS_FEATURE, NvmmAllocator, NvmmError, Place, Spec};
use crate::mem::sys::Generation;

mod imp {
    use super::*;

    #[derive(Default)]
    pub struct NvmmPool {
        pub(super) allocator: NvmmAllocator,
        pub(super) spec: OnceLock<Arc<Spec>>,
        /// Why the last buffer could not be made: the base class has no words for it.
        pub(super) fault: Mutex<Option<NvmmError>>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for NvmmPool {
        const NAME: &'static str = "GstDsFrameNvmmPool";
        type Type = super::NvmmPool;
        type ParentType = gst::BufferPool;
    }

    impl ObjectImpl for NvmmPool {}
    impl GstObjectImpl for NvmmPool {}

    impl BufferPoolImpl for NvmmPool {
        /// Whoever configures the pool by its caps would take the size of the pixels; consumers
        /// want exactly the header.
        fn set_config(&self, config: &mut gst::BufferPoolConfigRef) -> bool {
            let (Some(spec), Some((caps, _, min, max))) = (self.spec.get(), config.params()) else {
                return false;
            };
            let size = spec.generation().surface_size() as u32;
            config.set_params(caps.as_ref(), size, min, max);
            self.parent_set_config(config)
        }

        fn alloc_buffer(
            &self,
            _params: Option<&gst::BufferPoolAcquireParams>,
        ) -> Result<gst::Buffer, gst::FlowError> {
            let spec = self.spec.get().ok_or(gst::FlowError::NotNegotiated)?;
            let memory = self.allocator.alloc_surfaces(spec.clone());
            let memory = memory.map_err(|error| {
                gst::error!(gst::CAT_RUST, imp = self, "{error}");
                *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                gst::FlowError::Error
            })?;
            let mut buffer = gst::Buffer::new();
            buffer.make_mut().append_memory(memory);
            Ok(buffer)
        }

        fn reset_buffer(&self, buffer: &mut gst::BufferRef) {
            // Gives a shrunken memory its size back.
            self.parent_reset_buffer(buffer);
            if restore(buffer).is_none() {
                // Somebody still has the memory, or put another in its place: GStreamer frees a
                // buffer with this flag instead of using it again.
                buffer.set_flags(gst::BufferFlags::TAG_MEMORY);
            }
        }
    }

    /// Puts header and list back to their original contents. Mapping for writing fails while
    /// anybody else has the memory or reads it.
    fn restore(buffer: &mut gst::BufferRef) -> Option<()> {
        if buffer.n_memory() != 1 {
            return None;
        }
        let memory = buffer.peek_memory_mut(0).ok()?;
        let map = memory.map_writable().ok()?;
        let block = NvmmAllocator::block(map.memory())?;
        // SAFETY: the lock of the writable map keeps everybody else out.
        unsafe { block.restore() };
        Some(())
    }
}

glib::wrapper! {
    /// Makes buffers of one memory, which is an `NvBufSurface`. Once all its
    /// buffers are made, it allocates nothing any more. A caller that is blocked in
    /// `acquire_buffer` is let go by `set_flushing`.
    pub struct NvmmPool(ObjectSubclass<imp::NvmmPool>)
        @extends gst::BufferPool, gst::Object;
}

impl NvmmPool {
    /// A pool of up to `max_buffers` (0: no limit) buffers of `batch` surfaces, yet to be
    /// activated.
    pub fn new(
        info: &VideoInfo,
        generation: Generation,
        place: Place,
        batch: u32,
        max_buffers: u32,
    ) -> Result<Self, NvmmError> {
        let spec = Spec::new(info, generation, place, batch)?;
        let size = generation.surface_size();
        let refused = || NvmmError::Pool { size };
        let pool: Self = glib::Object::new();
        pool.imp().spec.set(spec).map_err(|_| refused())?;
        let mut caps = info.to_caps().ok();
        if let Some(caps) = &mut caps {
            let features = gst::CapsFeatures::new([CAPS_FEATURE]);
            caps.make_mut().set_features_simple(Some(features));
        }
        let mut config = pool.config();
        config.set_params(caps.as_ref(), size as u32, 0, max_buffers);
        pool.set_config(config).map_err(|_| refused())?;
        Ok(pool)
    }

    /// Why a buffer could not be made, if one could not.
    pub fn take_fault(&self) -> Option<NvmmError> {
        let mut fault = self
            .imp()
            .fault
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        fault.take()
    }

    /// What its buffers look like.
    pub fn spec(&self) -> Option<&Arc<Spec>> {
        self.imp().spec.get()
    }
}
