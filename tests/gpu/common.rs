// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What the tests share.

use gstdsframe::mem::cuda::Gpu;

/// The card to test on; without one, says so.
pub fn gpu() -> Option<Gpu> {
    if std::env::var("DSFRAME_GPU_TESTS").as_deref() != Ok("1") {
        println!("skipped: DSFRAME_GPU_TESTS is not 1");
        return None;
    }
    gst::init().unwrap();
    match Gpu::get(0) {
        Ok(gpu) => Some(gpu),
        Err(error) => {
            println!("skipped: {error}");
            None
        }
    }
}
