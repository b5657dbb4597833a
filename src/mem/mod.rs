// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Where pixels live. The only part of the crate that may use `unsafe`.

pub mod cuda;
pub mod nvds;
pub mod nvjpeg;
pub mod nvmm;
pub mod shm;
pub mod sys;
