// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A pool of buffers in shared memory, for our own copies and for upstream to draw into.

use std::sync::{Mutex, PoisonError};

use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_video::prelude::*;
use gst_video::{
    BUFFER_POOL_OPTION_VIDEO_ALIGNMENT, BUFFER_POOL_OPTION_VIDEO_META, VideoAlignment,
    VideoFrameFlags, VideoInfo, VideoMeta,
};

use super::{Bytes, ShmError, alloc, identify};

/// What every buffer is like.
#[derive(Clone)]
struct Layout {
    info: VideoInfo,
    size: usize,
    padding: usize,
    /// Buffers say where their rows are.
    described: bool,
    alignment: Option<VideoAlignment>,
}

mod imp {
    use super::*;

    #[derive(Default)]
    pub struct ShmPool {
        pub(super) bytes: Bytes,
        layout: Mutex<Option<Layout>>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for ShmPool {
        const NAME: &'static str = "GstDsFrameShmPool";
        type Type = super::ShmPool;
        type ParentType = gst::BufferPool;
    }

    impl ObjectImpl for ShmPool {}
    impl GstObjectImpl for ShmPool {}

    impl BufferPoolImpl for ShmPool {
        fn options() -> &'static [&'static str] {
            &[
                "GstBufferPoolOptionVideoMeta",
                "GstBufferPoolOptionVideoAlignment",
            ]
        }

        fn set_config(&self, config: &mut gst::BufferPoolConfigRef) -> bool {
            let Some(layout) = Layout::of(config) else {
                gst::warning!(gst::CAT_RUST, imp = self, "no layout for {config:?}");
                return false;
            };
            *self.layout.lock().unwrap_or_else(PoisonError::into_inner) = Some(layout);
            self.parent_set_config(config)
        }

        fn alloc_buffer(
            &self,
            _params: Option<&gst::BufferPoolAcquireParams>,
        ) -> Result<gst::Buffer, gst::FlowError> {
            let layout = self.layout.lock().unwrap_or_else(PoisonError::into_inner);
            let layout = layout.clone().ok_or(gst::FlowError::NotNegotiated)?;
            layout.buffer(&self.bytes).map_err(|error| {
                gst::error!(gst::CAT_RUST, imp = self, "{error}");
                gst::FlowError::Error
            })
        }

        fn reset_buffer(&self, buffer: &mut gst::BufferRef) {
            self.parent_reset_buffer(buffer);
            let mut shared = buffer.iter_memories().filter_map(identify);
            if shared.any(|shared| shared.is_retired()) {
                // GStreamer frees a buffer with this flag instead of using it again.
                buffer.set_flags(gst::BufferFlags::TAG_MEMORY);
            }
        }
    }
}

glib::wrapper! {
    /// Buffers of one memory each, which other processes can map.
    pub struct ShmPool(ObjectSubclass<imp::ShmPool>) @extends gst::BufferPool, gst::Object;
}

impl Layout {
    /// The same that GStreamer's own pool of pictures makes of a configuration, which is brought
    /// in line with it.
    fn of(config: &mut gst::BufferPoolConfigRef) -> Option<Self> {
        let (caps, size, min, max) = config.params()?;
        let caps = caps?;
        let mut info = VideoInfo::from_caps(&caps).ok()?;
        if (size as usize) < info.size() {
            return None;
        }
        let described = config.has_option(BUFFER_POOL_OPTION_VIDEO_META);
        let aligned = described && config.has_option(BUFFER_POOL_OPTION_VIDEO_ALIGNMENT);
        let mut alignment = config.video_alignment().filter(|_| aligned);
        if let Some(alignment) = &mut alignment {
            info.align(alignment).ok()?;
            config.set_video_alignment(alignment);
        }
        let size = info.size().max(size as usize);
        config.set_params(Some(&caps), u32::try_from(size).ok()?, min, max);
        // Whatever alignment is asked for, pages have it.
        let padding = config.allocator().map(|(_, params)| params.padding());
        Some(Self {
            info,
            size,
            padding: padding.unwrap_or(0),
            described,
            alignment,
        })
    }

    fn buffer(&self, bytes: &Bytes) -> Result<gst::Buffer, ShmError> {
        let mut memory = alloc(self.size.saturating_add(self.padding), bytes)?;
        let writable = memory.get_mut().ok_or(ShmError::Refused)?;
        writable.resize(..self.size);
        let mut buffer = gst::Buffer::new();
        let writable = buffer.make_mut();
        writable.append_memory(memory);
        if self.described {
            let info = &self.info;
            let mut meta = VideoMeta::add_full(
                writable,
                VideoFrameFlags::empty(),
                info.format(),
                info.width(),
                info.height(),
                info.offset(),
                info.stride(),
            )
            .map_err(|_| ShmError::Refused)?;
            if let Some(alignment) = &self.alignment {
                meta.set_alignment(alignment)
                    .map_err(|_| ShmError::Refused)?;
            }
        }
        Ok(buffer)
    }
}

impl ShmPool {
    /// A pool of pictures, yet to be activated. It has no upper limit: readers may keep frames for
    /// as long as they like, and whoever counts their frames bounds them.
    pub fn new(info: &VideoInfo) -> Result<Self, ShmError> {
        let caps = info.to_caps().map_err(|_| ShmError::Refused)?;
        let size = u32::try_from(info.size()).map_err(|_| ShmError::Size(info.size() as u64))?;
        let pool: Self = glib::Object::new();
        let mut config = pool.config();
        config.set_params(Some(&caps), size, 0, 0);
        config.add_option(BUFFER_POOL_OPTION_VIDEO_META);
        pool.set_config(config).map_err(|_| ShmError::Refused)?;
        Ok(pool)
    }

    /// All that its buffers take, also those that are out.
    pub fn bytes(&self) -> usize {
        self.imp().bytes.get()
    }
}
