// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What needs a card, or the stand-in for its driver. Without `DSFRAME_GPU_TESTS=1` every test says
//! so and returns; `tests/gpu/local.sh` and `run.sh` set it.

#![allow(unsafe_code)]

mod annotate;
mod capture;
mod card;
mod channel;
mod channel_python;
mod channel_raw;
mod common;
mod convert;
mod cuda_buffer;
mod cuda_memory;
mod elements;
mod exported;
mod faults;
mod flow;
mod foreign;
mod foreign_memory;
mod given;
mod mail;
mod nvjpeg;
mod paint;
mod pixels;
#[path = "../common/mod.rs"]
mod shared;
#[path = "../abi/structs.rs"]
mod structs;
