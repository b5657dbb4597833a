// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Layouts and functions of C that the bindings do not have.

pub mod base_sink;
pub mod buffer;
pub mod generation;
pub mod gst_cuda;
pub mod nvds;
pub mod peer;
pub mod scaler;
pub mod surface;

pub use generation::Generation;
