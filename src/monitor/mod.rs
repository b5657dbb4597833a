// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Metrics and a live page of all elements of the process, over HTTP.
//!
//! Elements register while they run and are asked for their samples; captures put their
//! latest pictures into the [gallery]. Each address in use has a [server](Server), which is there for
//! as long as an element asks for it. Without one, an entry in the registry is all there is.

pub mod address;
#[cfg(feature = "monitor")]
pub mod families;
#[cfg(feature = "monitor")]
pub mod gallery;
#[cfg(feature = "monitor")]
mod http;
#[cfg(feature = "monitor")]
mod patient;
#[cfg(feature = "monitor")]
mod registry;
#[cfg(feature = "monitor")]
mod samples;
#[cfg(feature = "monitor")]
mod sending;
#[cfg(feature = "monitor")]
mod server;

pub use address::Listen;
#[cfg(feature = "monitor")]
pub use {
    registry::{Notes, Registered, Report},
    samples::Samples,
    server::{ListenError, Server},
};

/// What the servers of this process show.
#[cfg(feature = "monitor")]
pub static GALLERY: std::sync::LazyLock<gallery::Gallery> =
    std::sync::LazyLock::new(gallery::Gallery::default);
