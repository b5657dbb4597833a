// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The card itself.

use cudarc::driver::CudaContext;
use gstdsframe::mem::cuda;

use super::Res;

/// Bytes in use on the first card, by whoever.
pub fn used() -> Res<u64> {
    // Without a driver, the next line would panic.
    cuda::probe()?;
    let (free, total) = CudaContext::new(0)?.mem_get_info()?;
    Ok((total - free) as u64)
}

/// What it is called.
pub fn name() -> String {
    let name = || -> Res<String> {
        cuda::probe()?;
        Ok(CudaContext::new(0)?.name()?)
    };
    name().unwrap_or_else(|error| format!("no card ({error})"))
}
