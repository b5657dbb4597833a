// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `dsframeinject`: frames into a pipeline.
//!
//! Data flows [`source`] -> [`output`] -> push; [`negotiate`] chooses the caps.

pub mod config;
pub mod enums;
pub use crate::gate;
mod imp;
pub mod negotiate;
pub mod output;
pub mod pace;
pub mod prefetch;
mod properties;
pub mod source;
pub mod stats;
mod timeline;
#[cfg(feature = "monitor")]
mod watch;

/**
 * SECTION:element-dsframeinject
 *
 * Makes frames from patterns, pictures, raw, y4m and npy streams, any media or a named channel, in system memory or
 * as NVMM surfaces on a GPU. There, patterns are drawn, and frames scaled and converted, by the GPU;
 * what comes from files is decoded by the CPU and uploaded.
 *
 * ## A moving gradient
 * ``` bash
 * gst-launch-1.0 dsframeinject num-buffers=300 ! videoconvert ! autovideosink
 * ```
 *
 * ## A folder of pictures, five a second
 * ``` bash
 * gst-launch-1.0 dsframeinject location='photos/%03d.png' width=640 height=480 framerate=5/1 ! videoconvert ! autovideosink
 * ```
 *
 * ## Two frames of each second of a clip, as NVMM on the GPU
 * ``` bash
 * gst-launch-1.0 dsframeinject uri=file:///clip.mp4 sample-interval=500000000 device=gpu ! 'video/x-raw(memory:NVMM),format=RGB' ! dsframecapture interval=1 location=out/%05d.npy
 * ```
 *
 * ## What another process captures
 * ``` bash
 * gst-launch-1.0 dsframeinject channel=unix:/tmp/frames.sock ! videoconvert ! autovideosink sync=false
 * ```
 *
 * ## On the second GPU, in pinned memory
 * ``` bash
 * gst-launch-1.0 dsframeinject num-buffers=300 device=gpu gpu-id=1 nvbuf-memory-type=nvbuf-mem-cuda-pinned format=NV12 ! dsframecapture interval=30 location=out/%05d.jpg
 * ```
 *
 * ## NVMM surfaces without a GPU, between these two elements
 * ``` bash
 * gst-launch-1.0 dsframeinject num-buffers=300 device=gpu nvbuf-memory-type=nvbuf-mem-system format=RGB ! dsframecapture interval=30 location=out/%05d.png
 * ```
 *
 * Since: 0.1
 */
use std::sync::LazyLock;

use glib::prelude::*;

pub(crate) static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "dsframeinject",
        gst::DebugColorFlags::empty(),
        Some("Injects frames"),
    )
});

glib::wrapper! {
    pub struct DsFrameInject(ObjectSubclass<imp::DsFrameInject>)
        @extends gst_base::PushSrc, gst_base::BaseSrc, gst::Element, gst::Object;
}

/// All properties of the element, without those of its base classes.
pub fn properties() -> &'static [glib::ParamSpec] {
    &properties::PROPERTIES
}

pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    #[cfg(feature = "doc")]
    {
        use gst::prelude::*;
        for enumeration in [
            source::pattern::Pattern::static_type(),
            crate::channel::Access::static_type(),
            enums::Device::static_type(),
            enums::MemoryType::static_type(),
            enums::OnError::static_type(),
            enums::OnTimeout::static_type(),
        ] {
            enumeration.mark_as_plugin_api(gst::PluginAPIFlags::empty());
        }
    }
    gst::Element::register(
        Some(plugin),
        "dsframeinject",
        gst::Rank::NONE,
        DsFrameInject::static_type(),
    )
}
