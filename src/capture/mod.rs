// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `dsframecapture`: frames out of a pipeline.
//!
//! Data flows buffer -> [`select`] -> [`snapshot`] -> [`worker`] -> [`process`] -> [`deliver`].

pub mod config;
pub mod deliver;
pub mod enums;
mod gpu_room;
mod imp;
pub mod job;
pub mod name;
pub mod nvevent;
pub mod picture;
pub mod process;
mod properties;
mod run;
pub mod select;
pub mod snapshot;
pub mod stats;
mod streaming;
#[cfg_attr(not(feature = "monitor"), path = "unwatched.rs")]
mod watch;
pub mod worker;

/**
 * SECTION:element-dsframecapture
 *
 * Captures frames of a pipeline as pictures, log lines, label files and messages, without holding it
 * up: it decides on each frame, by interval or by what was detected in it (DeepStream's batch
 * metadata, or GStreamer's regions of interest on the same buffer), takes what is selected, and leaves encoding and writing to threads behind
 * a bounded queue. Takes system memory, NVMM surfaces, and the CUDA memory of GStreamer's own
 * elements. What is on a GPU is copied, scaled, converted and compressed as JPEG there, and only the
 * result is fetched.
 *
 * ## Every 30th frame as a JPEG, with a log line each
 * ``` bash
 * gst-launch-1.0 dsframeinject num-buffers=300 ! dsframecapture interval=30 location=out/frame_%06d.jpg log-location=out/log.jsonl
 * ```
 *
 * ## The first frame, and no more
 * ``` bash
 * gst-launch-1.0 dsframeinject ! dsframecapture max-captures=1 eos-after-max=true location=first.png
 * ```
 *
 * ## Two persons, once a second at most, with boxes drawn
 * ``` bash
 * gst-launch-1.0 dsframeinject pattern=objects num-buffers=600 ! dsframecapture mode=metadata classes=person min-objects=2 cooldown=1000000000 annotate=true location=out/{stream}_{frame:06}_{reason}.jpg
 * ```
 *
 * ## Each tracked object once, cut from its best frame
 * ``` bash
 * gst-launch-1.0 dsframeinject pattern=objects num-buffers=600 ! dsframecapture dedupe=best best-window=2000000000 crop=objects location=out/{label}/{track:04}-{frame:06}.jpg
 * ```
 *
 * ## Into another pipeline
 * ``` bash
 * gst-launch-1.0 dsframeinject num-buffers=300 ! dsframecapture channel=frames dsframeinject channel=frames ! dsframecapture interval=30 location=out/%06d.jpg
 * ```
 *
 * ## Into other processes
 * ``` bash
 * gst-launch-1.0 dsframeinject num-buffers=300 ! dsframecapture channel=unix:/tmp/frames.sock
 * ```
 *
 * ## To a server, which may be down at times
 * ``` bash
 * gst-launch-1.0 dsframeinject pattern=objects num-buffers=300 ! dsframecapture classes=person cooldown=1000000000 endpoint=http://localhost:8000/captures endpoint-spool=spool
 * ```
 *
 * ## What happened before and after
 * ``` bash
 * gst-launch-1.0 dsframeinject pattern=objects num-buffers=300 ! dsframecapture classes=person dedupe=track pre-roll=15 post-roll=15 location=out/%04d-{frame:06}-{reason}.jpg
 * ```
 *
 * ## Pictures and labels for training
 * ``` bash
 * gst-launch-1.0 dsframeinject pattern=objects num-buffers=300 ! dsframecapture mode=interval interval=30 location=out/{frame:06}.jpg labels=coco labels-location=out/coco.json
 * ```
 *
 * ## Mean, deviation and sharpness of each frame, without pictures
 * ``` bash
 * gst-launch-1.0 dsframeinject num-buffers=100 ! dsframecapture statistics=true log-location=analysis.jsonl
 * ```
 *
 * ## Decoded, captured and compressed on a GPU
 * ``` bash
 * gst-launch-1.0 filesrc location=clip.mp4 ! qtdemux ! h264parse ! nvh264dec ! dsframecapture async=true interval=30 location=out/%05d.jpg
 * ```
 *
 * ## Thumbnails, scaled on the GPU, of frames of the first GPU only
 * ``` bash
 * gst-launch-1.0 dsframeinject num-buffers=300 device=gpu ! dsframecapture interval=30 width=320 quality=80 gpu-id=0 location=out/%05d.jpg
 * ```
 *
 * Since: 0.1
 */
use std::sync::LazyLock;

use glib::prelude::*;

pub(crate) static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "dsframecapture",
        gst::DebugColorFlags::empty(),
        Some("Captures frames"),
    )
});

glib::wrapper! {
    pub struct DsFrameCapture(ObjectSubclass<imp::DsFrameCapture>)
        @extends gst_base::BaseSink, gst::Element, gst::Object;
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
            crate::channel::Access::static_type(),
            enums::Annotate::static_type(),
            enums::Crop::static_type(),
            enums::Dedupe::static_type(),
            enums::Labels::static_type(),
            enums::Mode::static_type(),
            enums::UnknownConfidence::static_type(),
            enums::Encoding::static_type(),
            enums::EndpointBody::static_type(),
            enums::OnFull::static_type(),
            enums::Subsampling::static_type(),
            enums::Overflow::static_type(),
            enums::OnError::static_type(),
            enums::OnExists::static_type(),
        ] {
            enumeration.mark_as_plugin_api(gst::PluginAPIFlags::empty());
        }
    }
    gst::Element::register(
        Some(plugin),
        "dsframecapture",
        gst::Rank::NONE,
        DsFrameCapture::static_type(),
    )
}
