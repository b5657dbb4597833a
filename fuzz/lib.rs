// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The fuzz targets, as a library: the tests replay their corpora with the same code.

#[path = "../tests/abi/structs.rs"]
mod abi;
#[path = "../tests/batch/mod.rs"]
mod batch;
pub mod targets;
