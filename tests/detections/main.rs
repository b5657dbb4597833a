// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! From DeepStream's batches to pictures: NVMM surfaces in host memory, with metadata made byte by
//! byte, go into the sink. Every surface spells which frame of which stream it is, so that each
//! picture is compared with its name, its log line, and what was to be captured.

#![allow(unsafe_code)]

#[path = "../abi/structs.rs"]
mod abi;
#[path = "../batch/mod.rs"]
mod batch;
#[path = "../common/mod.rs"]
mod common;

mod best;
mod changes;
mod channels;
mod flag;
mod kit;
mod malformed;
mod many;
mod model;
mod objects;
mod regions;
mod rolls;
mod streams;
mod threads;
