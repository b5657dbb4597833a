// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Captures to a server: what arrives there, and what becomes of captures while it does not answer.
//! Frames spell their numbers in every pixel, so that none is lost, doubled or moved unseen.

#[path = "../common/mod.rs"]
mod common;
#[path = "../launch/mod.rs"]
mod launch;

mod bodies;
mod docs;
mod drain;
mod faults;
mod kit;
mod outage;
mod overflow;
mod proxy;
mod secrets;
mod server;
mod settings;
mod spool;
mod tls;
