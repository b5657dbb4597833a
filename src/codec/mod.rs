// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Pixels to bytes and back.

pub mod card;
pub mod jpeg;
pub mod npy;
pub mod nvjpeg;
pub mod png;
pub mod scale;
pub mod y4m;

use std::path::Path;

use gst_video::{VideoFormat, VideoInfo};

use crate::frame::map::{FrameError, sibling};
use crate::frame::paint::{Rect, paint};
use crate::frame::{ConvertError, Frame, Part, PoolError, View, ViewError, ViewMut, plane_sizes};
use crate::mem::cuda::CudaError;

pub use card::CardEncoder;
pub use jpeg::{JpegDecoder, JpegEncoder, JpegHeader, Subsampling};
pub use npy::{NpyError, NpyStack};
pub use nvjpeg::{CardJpeg, NvJpegError};
pub use png::{PngEncoder, PngPicture};
pub use scale::Scaler;

/// No file decodes to more bytes than this: its header alone must not cost the memory.
pub const MAX_DECODED: usize = 1 << 30;

#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    #[error("JPEG: {0}")]
    Jpeg(#[from] turbojpeg::Error),
    #[error("JPEG with CMYK colours is not supported")]
    Cmyk,
    #[error("PNG: {0}")]
    PngEncode(#[from] ::png::EncodingError),
    #[error("PNG: {0}")]
    PngDecode(#[from] ::png::DecodingError),
    #[error("npy: {0}")]
    Npy(#[from] NpyError),
    #[error("{encoding} cannot hold a picture of {width}x{height}: a side is 1 to {limit} pixels")]
    Side {
        encoding: &'static str,
        width: usize,
        height: usize,
        limit: usize,
    },
    #[error("a picture of {width}x{height} is too large")]
    TooLarge { width: usize, height: usize },
    #[error("a picture of {}x{} where {}x{} was expected", got.0, got.1, want.0, want.1)]
    OtherSize {
        got: (usize, usize),
        want: (usize, usize),
    },
    #[error("{encoding} and format {format} do not go together")]
    Format {
        format: VideoFormat,
        encoding: &'static str,
    },
    #[error("quality {0} is not 1 to 100")]
    Quality(u8),
    #[error(transparent)]
    View(#[from] ViewError),
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Convert(#[from] ConvertError),
    #[error(transparent)]
    Pool(#[from] PoolError),
    #[error(transparent)]
    Cuda(#[from] CudaError),
    #[error(transparent)]
    NvJpeg(#[from] NvJpegError),
}

fn check_size(
    encoding: &'static str,
    width: usize,
    height: usize,
    limit: usize,
) -> Result<(), CodecError> {
    if (1..=limit).contains(&width) && (1..=limit).contains(&height) {
        return Ok(());
    }
    Err(CodecError::Side {
        encoding,
        width,
        height,
        limit,
    })
}

fn check_decoded(width: usize, height: usize, channels: usize) -> Result<(), CodecError> {
    width
        .checked_mul(height)
        .and_then(|pixels| pixels.checked_mul(channels))
        .filter(|bytes| *bytes <= MAX_DECODED)
        .map(|_| ())
        .ok_or(CodecError::TooLarge { width, height })
}

/// What a captured picture is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Encoding {
    #[default]
    Jpeg,
    Png,
    Npy,
    /// The negotiated format as it is, planes without padding.
    Raw,
}

impl Encoding {
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png => "png",
            Self::Npy => "npy",
            Self::Raw => "raw",
        }
    }

    /// What the suffix of a path asks for.
    pub fn from_suffix(path: &Path) -> Option<Self> {
        let suffix = path.extension()?.to_str()?.to_ascii_lowercase();
        match suffix.as_str() {
            "jpg" | "jpeg" => Some(Self::Jpeg),
            "png" => Some(Self::Png),
            "npy" => Some(Self::Npy),
            "raw" => Some(Self::Raw),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::Npy => "npy",
            Self::Raw => "raw",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EncodeSettings {
    pub encoding: Encoding,
    /// Of JPEG, 1 to 100.
    pub quality: u8,
    /// Of JPEG.
    pub subsampling: Subsampling,
    /// 0 keeps the size, or the aspect ratio if only one of the two is 0.
    pub width: u32,
    pub height: u32,
}

impl Default for EncodeSettings {
    fn default() -> Self {
        Self {
            encoding: Encoding::Jpeg,
            quality: 90,
            subsampling: Subsampling::S420,
            width: 0,
            height: 0,
        }
    }
}

/// What is done to a frame before it becomes a picture.
#[derive(Debug, Clone, Copy, Default)]
pub struct Change<'a> {
    /// Cut out of the frame, from where chroma begins. All of it if there is none.
    pub part: Option<Part>,
    /// Drawn over the picture, which is RGB then.
    pub rects: Option<&'a [Rect]>,
}

/// Width and height of the pictures that `settings` make of such frames.
pub fn output_size(info: &VideoInfo, settings: &EncodeSettings) -> (u32, u32) {
    scaled_size((info.width(), info.height()), settings)
}

/// The same of frames of this size.
pub fn scaled_size((width, height): (u32, u32), settings: &EncodeSettings) -> (u32, u32) {
    let scaled = |side: u32, num: u32, den: u32| {
        let den = u64::from(den.max(1));
        let scaled = (u64::from(side) * u64::from(num) + den / 2) / den;
        u32::try_from(scaled).unwrap_or(u32::MAX).max(1)
    };
    match (settings.width, settings.height) {
        (0, 0) => (width, height),
        (wanted, 0) => (wanted, scaled(height, wanted, width)),
        (0, wanted) => (scaled(width, wanted, height), wanted),
        wanted => wanted,
    }
}

/// Whether `settings` can hold such frames; asked once for each caps.
pub fn check(settings: &EncodeSettings, info: &VideoInfo) -> Result<(), CodecError> {
    let encoding = settings.encoding.name();
    let (width, height) = output_size(info, settings);
    let limit = match settings.encoding {
        Encoding::Jpeg => jpeg::MAX_SIDE,
        Encoding::Png => png::MAX_SIDE,
        Encoding::Npy | Encoding::Raw => i32::MAX as usize,
    };
    check_size(encoding, width as usize, height as usize, limit)?;
    if settings.encoding == Encoding::Jpeg && !(1..=100).contains(&settings.quality) {
        return Err(CodecError::Quality(settings.quality));
    }
    if plane_sizes(info.format(), 1, 1).is_empty() {
        return Err(CodecError::Format {
            format: info.format(),
            encoding,
        });
    }
    target(settings, info).map(|_| ())
}

/// The frames that are drawn over.
fn drawn_target(settings: &EncodeSettings, info: &VideoInfo) -> Result<VideoInfo, CodecError> {
    let (width, height) = output_size(info, settings);
    sized(info, VideoFormat::Rgb, width, height)
}

fn sized(
    info: &VideoInfo,
    format: VideoFormat,
    width: u32,
    height: u32,
) -> Result<VideoInfo, CodecError> {
    sibling(info, format, width, height).ok_or(CodecError::TooLarge {
        width: width as usize,
        height: height as usize,
    })
}

/// The frames that are encoded: those of `info`, or what they are converted to first.
fn target(settings: &EncodeSettings, info: &VideoInfo) -> Result<VideoInfo, CodecError> {
    let (width, height) = output_size(info, settings);
    let same_size = (width, height) == (info.width(), info.height());
    let from = info.format();
    let format = match settings.encoding {
        Encoding::Raw => from,
        Encoding::Jpeg if jpeg::takes(from, settings.subsampling) => from,
        Encoding::Jpeg => settings.subsampling.planar_format(),
        Encoding::Png | Encoding::Npy => match from {
            VideoFormat::Rgba | VideoFormat::Bgra => VideoFormat::Rgba,
            VideoFormat::Gray8 => VideoFormat::Gray8,
            _ => VideoFormat::Rgb,
        },
    };
    if same_size && format == from {
        return Ok(info.clone());
    }
    sized(info, format, width, height)
}

/// Shape of an encoded picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Picture {
    pub width: usize,
    pub height: usize,
    /// Samples of a pixel: 1, 3 or 4; 3 for every YUV.
    pub channels: usize,
}

/// Makes bytes of frames, one after the other: one for each thread.
#[derive(Debug, Default)]
pub struct PictureEncoder {
    jpeg: JpegEncoder,
    png: PngEncoder,
    scaler: Scaler,
}

impl PictureEncoder {
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces `out` by `frame` as `settings` say.
    pub fn encode(
        &mut self,
        frame: &Frame,
        settings: &EncodeSettings,
        out: &mut Vec<u8>,
    ) -> Result<Picture, CodecError> {
        self.encode_changed(frame, &Change::default(), settings, out)
    }

    /// The same, of the frame after a change. The frame itself stays as it is.
    pub fn encode_changed(
        &mut self,
        frame: &Frame,
        change: &Change<'_>,
        settings: &EncodeSettings,
        out: &mut Vec<u8>,
    ) -> Result<Picture, CodecError> {
        let cut = change.part.map(|part| frame.cut(part)).transpose()?;
        let frame = cut.as_ref().unwrap_or(frame);
        // Parts are of any size: keeping their converters would cost frames theirs.
        let mut passing = Scaler::default();
        let scaler = match cut {
            Some(_) => &mut passing,
            None => &mut self.scaler,
        };
        let mapped = frame.map()?;
        if let Some(rects) = change.rects {
            let target = drawn_target(settings, &frame.info)?;
            let mut drawn = scaler.convert_to_draw(&mapped, &frame.info, &target)?;
            paint(rects, &mut ViewMut::of_frame(&mut drawn)?)?;
            return self.encode_view(&View::of_frame(&drawn)?, &target, settings, out);
        }
        let target = target(settings, &frame.info)?;
        if target == frame.info {
            return self.encode_view(&View::of_frame(&mapped)?, &target, settings, out);
        }
        let converted = scaler.convert(&mapped, &frame.info, &target)?.map()?;
        self.encode_view(&View::of_frame(&converted)?, &target, settings, out)
    }

    fn encode_view(
        &mut self,
        picture: &View<'_>,
        info: &VideoInfo,
        settings: &EncodeSettings,
        out: &mut Vec<u8>,
    ) -> Result<Picture, CodecError> {
        let mut channels = match picture.format() {
            VideoFormat::Gray8 => 1,
            VideoFormat::Rgba | VideoFormat::Bgra | VideoFormat::Rgbx | VideoFormat::Bgrx => 4,
            _ => 3,
        };
        match settings.encoding {
            Encoding::Jpeg => {
                channels = channels.min(3);
                let colorimetry = info.colorimetry();
                let (quality, subsampling) = (settings.quality, settings.subsampling);
                self.jpeg
                    .encode(picture, &colorimetry, quality, subsampling, out)?;
            }
            Encoding::Png => self.png.encode(picture, out)?,
            Encoding::Npy => npy::encode(picture, out)?,
            Encoding::Raw => {
                out.clear();
                picture.append_tight(out);
            }
        }
        Ok(Picture {
            width: picture.width(),
            height: picture.height(),
            channels,
        })
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
