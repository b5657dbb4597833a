// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Limits to what captures may take of a disk, as a user sets them: what is there at the end, what
//! was there at any moment, and what the counters say about it.

mod disk;
mod files;
mod fsync;
#[path = "../launch/mod.rs"]
mod launch;
#[path = "../common/mod.rs"]
mod shared;
