// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! nvJPEG, opened at run time: a machine without it is normal.
//!
//! What is used of it is the same in versions 11, 12 and 13: their headers were compared, and the
//! layouts measured with a C compiler (11.9, 12.4 and 13.3, those of CUDA 11.8, 12.9 and 13.3).

mod encoder;
mod error;
mod library;

pub use encoder::Encoder;
pub use error::{NvJpegError, Status};

use std::ffi::OsStr;

use gst_video::VideoFormat;

use crate::codec::Subsampling;

/// Whether such a picture is encoded without converting it first.
pub fn takes(format: VideoFormat, subsampling: Subsampling) -> bool {
    matches!(
        format,
        VideoFormat::Rgb | VideoFormat::Bgr | VideoFormat::Gray8
    ) || format == subsampling.planar_format()
}

/// Whether the environment forbids nvJPEG: `DSFRAME_DISABLE_NVJPEG=1`.
pub fn disabled() -> bool {
    is_disabled(std::env::var_os("DSFRAME_DISABLE_NVJPEG").as_deref())
}

fn is_disabled(value: Option<&OsStr>) -> bool {
    value.is_some_and(|v| !v.is_empty() && v != "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_can_forbid_nvjpeg() {
        assert!(!is_disabled(None));
        assert!(!is_disabled(Some("".as_ref())));
        assert!(!is_disabled(Some("0".as_ref())));
        assert!(is_disabled(Some("1".as_ref())));
    }

    #[test]
    fn pictures_keep_their_chroma() {
        use Subsampling::*;
        for subsampling in [S420, S422, S444] {
            assert!(takes(VideoFormat::Rgb, subsampling));
            assert!(takes(VideoFormat::Bgr, subsampling));
            assert!(takes(VideoFormat::Gray8, subsampling));
            assert!(!takes(VideoFormat::Nv12, subsampling));
            assert!(!takes(VideoFormat::Rgba, subsampling));
        }
        assert!(takes(VideoFormat::I420, S420) && !takes(VideoFormat::I420, S444));
        assert!(takes(VideoFormat::Y42b, S422) && !takes(VideoFormat::Y42b, S420));
        assert!(takes(VideoFormat::Y444, S444) && !takes(VideoFormat::Y444, S422));
    }
}
