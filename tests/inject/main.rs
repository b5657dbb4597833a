// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `dsframeinject` as applications see it.

#[path = "../inject_common/mod.rs"]
mod common;

mod files;
mod frames;
mod lines;
mod live;
mod media;
mod negotiation;
mod nvmm;
mod seeking;
mod states;
