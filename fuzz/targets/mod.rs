// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What is fuzzed. Each target takes any bytes and panics where something is wrong.
//!
//! Who includes this has the modules `abi` and `batch` of the tests at the root of the crate.

pub mod batch_meta;
pub mod channel_wire;
pub mod condition;
pub mod config_file;
pub mod filters;
pub mod headers;
mod input;
pub mod name_template;
pub mod records;
pub mod regions;

/// A target, by its name.
pub type Target = (&'static str, fn(&[u8]));

pub const ALL: [Target; 9] = [
    ("batch_meta", batch_meta::run),
    ("channel_wire", channel_wire::run),
    ("condition", condition::run),
    ("config_file", config_file::run),
    ("filters", filters::run),
    ("headers", headers::run),
    ("name_template", name_template::run),
    ("records", records::run),
    ("regions", regions::run),
];
