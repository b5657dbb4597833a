// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What a captured picture is like, in numbers.

use gst_video::VideoFormat;

use crate::codec::{CodecError, Scaler};
use crate::frame::map::sibling;
use crate::frame::stats::{PictureStats, statistics};
use crate::frame::{Frame, View};

/// Of the picture as it is delivered, in RGB.
pub fn picture_statistics(
    scaler: &mut Scaler,
    frame: &Frame,
    width: u32,
    height: u32,
) -> Result<PictureStats, CodecError> {
    let format = match frame.info.format() {
        VideoFormat::Gray8 => VideoFormat::Gray8,
        _ => VideoFormat::Rgb,
    };
    let mapped = frame.map()?;
    let info = &frame.info;
    if (info.format(), info.width(), info.height()) == (format, width, height) {
        return Ok(statistics(&View::of_frame(&mapped)?)?);
    }
    let too_large = CodecError::TooLarge {
        width: width as usize,
        height: height as usize,
    };
    let target = sibling(info, format, width, height).ok_or(too_large)?;
    let converted = scaler.convert(&mapped, info, &target)?.map()?;
    Ok(statistics(&View::of_frame(&converted)?)?)
}
