// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Metrics and the live page, asked for as clients ask. The page itself is driven by `page.py`.

#![cfg(feature = "monitor")]

#[path = "../common/mod.rs"]
mod common;

mod captures;
mod hostile;
mod kit;
mod metrics;
mod places;
mod text;
