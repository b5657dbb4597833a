// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! NVMM buffers: one memory whose bytes are an `NvBufSurface`, which points to the pixels.
//!
//! [`NvmmPool`] makes such buffers, on a card or in host memory without CUDA, [`write()`] fills them,
//! and [`Surfaces`] reads those of others after checking every field it relies on.

mod allocator;
mod block;
mod color;
mod error;
mod pool;
mod read;
mod spec;
mod write;

pub use allocator::NvmmAllocator;
pub use error::{NvmmError, SurfaceFault};
pub use pool::NvmmPool;
pub use read::{CardPixels, Pixels, Surface, Surfaces};
pub use spec::{Place, Spec, SpecPlane};
pub use write::{SurfaceWriter, write};

/// The caps feature of NVMM memory.
pub const CAPS_FEATURE: &str = "memory:NVMM";

/// As large a batch as is believed. The largest in use are some hundreds of cameras.
pub const MAX_BATCH: u32 = 1024;

/// As many pixels in a row or column as are believed.
pub const MAX_SIDE: u32 = 65_536;

/// Whether the environment forbids NVMM: `DSFRAME_DISABLE_NVMM=1`.
pub fn disabled() -> bool {
    is_disabled(std::env::var_os("DSFRAME_DISABLE_NVMM").as_deref())
}

fn is_disabled(value: Option<&std::ffi::OsStr>) -> bool {
    value.is_some_and(|v| !v.is_empty() && v != "0")
}

#[cfg(test)]
mod tests {
    use super::is_disabled;

    #[test]
    fn the_environment_can_forbid_nvmm() {
        assert!(!is_disabled(None));
        assert!(!is_disabled(Some("".as_ref())));
        assert!(!is_disabled(Some("0".as_ref())));
        assert!(is_disabled(Some("1".as_ref())));
    }
}
