// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `config-file-path` of both elements: what a file says against what a launch line says, and what
//! single streams of a batch have of their own against a model.

#![allow(unsafe_code)]

#[path = "../abi/structs.rs"]
mod abi;
#[path = "../batch/mod.rs"]
mod batch;
#[path = "../common/mod.rs"]
mod common;
#[path = "../detections/kit.rs"]
#[allow(dead_code, reason = "of the tests of detections")]
mod kit;
#[path = "../detections/model.rs"]
mod model;

mod errors;
mod examples;
mod files;
mod inherited;
mod life;
mod same;
mod streams;
