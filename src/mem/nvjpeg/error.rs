// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What can go wrong with nvJPEG, and what it means for the picture.

use std::ffi::c_int;
use std::fmt;

use gst_video::VideoFormat;

use crate::codec::Subsampling;
use crate::codec::jpeg::MAX_SIDE;
use crate::mem::cuda::CudaError;

/// What nvJPEG returns: a number, as a library newer than this code may have further ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status(pub(super) c_int);

impl Status {
    pub(super) const SUCCESS: Self = Self(0);
    const INVALID_PARAMETER: Self = Self(2);
    const JPEG_NOT_SUPPORTED: Self = Self(4);
    const ALLOCATOR_FAILURE: Self = Self(5);
    const ARCH_MISMATCH: Self = Self(7);
    const IMPLEMENTATION_NOT_SUPPORTED: Self = Self(9);

    /// As nvjpeg.h has it; none for a number that it does not have.
    pub fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            0 => "NVJPEG_STATUS_SUCCESS",
            1 => "NVJPEG_STATUS_NOT_INITIALIZED",
            2 => "NVJPEG_STATUS_INVALID_PARAMETER",
            3 => "NVJPEG_STATUS_BAD_JPEG",
            4 => "NVJPEG_STATUS_JPEG_NOT_SUPPORTED",
            5 => "NVJPEG_STATUS_ALLOCATOR_FAILURE",
            6 => "NVJPEG_STATUS_EXECUTION_FAILED",
            7 => "NVJPEG_STATUS_ARCH_MISMATCH",
            8 => "NVJPEG_STATUS_INTERNAL_ERROR",
            9 => "NVJPEG_STATUS_IMPLEMENTATION_NOT_SUPPORTED",
            10 => "NVJPEG_STATUS_INCOMPLETE_BITSTREAM",
            _ => return None,
        })
    }

    pub(super) fn check(self, call: &'static str) -> Result<(), NvJpegError> {
        match self {
            Self::SUCCESS => Ok(()),
            status => Err(NvJpegError::Call { call, status }),
        }
    }

    /// What the user can do, where there is something.
    fn remedy(self) -> &'static str {
        match self {
            Self::ALLOCATOR_FAILURE => ": the GPU has no memory left for it",
            Self::ARCH_MISMATCH => ": this version of nvJPEG is not made for this GPU",
            _ => "",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "status {}", self.0),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NvJpegError {
    #[error("nvJPEG is turned off by DSFRAME_DISABLE_NVJPEG")]
    Disabled,
    #[error(
        "nvJPEG was not found ({tried}): install libnvjpeg of the CUDA toolkit, version {newest} or older for this driver and GPU, where the linker finds it, or set CUDA_HOME"
    )]
    NotFound { tried: String, newest: i32 },
    #[error("{call} of nvJPEG failed: {status}{}", .status.remedy())]
    Call { call: &'static str, status: Status },
    #[error("nvJPEG does not take {format:?} for a JPEG of {subsampling:?}: convert it first")]
    Format {
        format: VideoFormat,
        subsampling: Subsampling,
    },
    #[error("JPEG cannot hold a picture of {width}x{height}: a side is 1 to {MAX_SIDE} pixels")]
    Side { width: usize, height: usize },
    #[error(transparent)]
    Cuda(#[from] CudaError),
}

impl NvJpegError {
    /// Whether there is no nvJPEG on this machine: every picture is the CPU's.
    pub fn is_absence(&self) -> bool {
        matches!(self, Self::Disabled | Self::NotFound { .. })
    }

    /// Whether nvJPEG refused this picture, for its size or what it would take: the CPU may encode
    /// it. The GPU goes on working.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Format { .. } | Self::Side { .. } => true,
            Self::Cuda(CudaError::OutOfMemory { .. }) => true,
            Self::Call { status, .. } => matches!(
                *status,
                Status::INVALID_PARAMETER
                    | Status::JPEG_NOT_SUPPORTED
                    | Status::ALLOCATOR_FAILURE
                    | Status::ARCH_MISMATCH
                    | Status::IMPLEMENTATION_NOT_SUPPORTED
            ),
            _ => false,
        }
    }

    /// Whether nvJPEG does not make pictures of this size, now and later.
    pub fn is_size_refusal(&self) -> bool {
        match self {
            Self::Side { .. } => true,
            Self::Call { status, .. } => matches!(
                *status,
                Status::INVALID_PARAMETER
                    | Status::JPEG_NOT_SUPPORTED
                    | Status::IMPLEMENTATION_NOT_SUPPORTED
            ),
            _ => false,
        }
    }

    /// Whether every later call in this process fails as well.
    pub fn is_sticky(&self) -> bool {
        matches!(self, Self::Cuda(error) if error.is_sticky())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_a_status() {
        for number in [c_int::MIN, -1, 11, 99, c_int::MAX] {
            assert_eq!(Status(number).name(), None);
            assert_eq!(Status(number).to_string(), format!("status {number}"));
        }
        for number in 0..=10 {
            assert!(Status(number).to_string().starts_with("NVJPEG_STATUS_"));
        }
    }

    #[test]
    fn refusals_are_told_from_faults() {
        let call = |number| NvJpegError::Call {
            call: "nvjpegEncodeImage",
            status: Status(number),
        };
        for number in [2, 4, 5, 7, 9] {
            assert!(call(number).is_refusal(), "{number}");
        }
        for number in [1, 3, 6, 8, 10, 11, -1] {
            assert!(!call(number).is_refusal(), "{number}");
        }
        assert!(NvJpegError::Disabled.is_absence() && !NvJpegError::Disabled.is_refusal());
        assert!(!call(6).is_absence());
    }

    #[test]
    fn messages_name_call_and_status() {
        let message = Status(7).check("nvjpegCreateSimple").unwrap_err();
        assert_eq!(
            message.to_string(),
            "nvjpegCreateSimple of nvJPEG failed: NVJPEG_STATUS_ARCH_MISMATCH: this version of nvJPEG is not made for this GPU"
        );
    }
}
