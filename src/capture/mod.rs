// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `dsframecapture`: frames out of a pipeline.
//!
//! Data flows buffer -> [`select`] -> [`snapshot`] -> [`worker`] -> [`process`] -> [`deliver`].

pub mod config;
pub mod deliver;
pub mod enums;
mod imp;
pub mod name;
pub mod process;
mod properties;
mod run;
pub mod select;
pub mod snapshot;
pub mod stats;
pub mod worker;

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

pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    #[cfg(feature = "doc")]
    {
        use gst::prelude::*;
        for enumeration in [
            enums::Mode::static_type(),
            enums::Encoding::static_type(),
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
