// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

/**
 * plugin-dsframe:
 *
 * Inject frames into DeepStream pipelines and capture frames from them, by properties instead of
 * callbacks. See the elements `dsframeinject` and `dsframecapture`.
 *
 * Since: 0.1
 */
use gst::glib;

pub mod capture;
pub mod channel;
pub mod codec;
pub mod config_file;
pub mod fault;
pub mod frame;
pub mod gate;
pub mod inject;
pub mod mem;
pub mod meta;
pub mod monitor;
mod properties;
pub mod times;

fn plugin_init(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    inject::register(plugin)?;
    capture::register(plugin)
}

gst::plugin_define!(
    dsframe,
    env!("CARGO_PKG_DESCRIPTION"),
    plugin_init,
    concat!(env!("CARGO_PKG_VERSION"), "-", env!("COMMIT_ID")),
    "MIT/X11",
    env!("CARGO_PKG_NAME"),
    env!("CARGO_PKG_NAME"),
    env!("CARGO_PKG_REPOSITORY"),
    env!("BUILD_REL_DATE")
);
