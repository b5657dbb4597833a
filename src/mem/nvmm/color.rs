// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Caps have a format and a colorimetry, surfaces one number for both.

use gst_video::{
    VideoColorMatrix, VideoColorPrimaries, VideoColorRange, VideoColorimetry, VideoFormat,
    VideoInfo, VideoTransferFunction,
};

use crate::mem::sys::surface::ColorFormat;

/// The number for a picture, if surfaces can hold it.
pub fn color_format(info: &VideoInfo) -> Option<ColorFormat> {
    let colorimetry = info.colorimetry();
    let full = colorimetry.range() == VideoColorRange::Range0_255;
    let matrix = colorimetry.matrix();
    let pick = |bt601, bt601_full, bt709, bt709_full, bt2020| match (matrix, full) {
        (VideoColorMatrix::Bt709, false) => bt709,
        (VideoColorMatrix::Bt709, true) => bt709_full,
        (VideoColorMatrix::Bt2020, false) => bt2020,
        // There is no number for it: 709 is the nearest, and the caps still say what it is.
        (VideoColorMatrix::Bt2020, true) => bt709_full,
        (_, false) => bt601,
        (_, true) => bt601_full,
    };
    Some(match info.format() {
        VideoFormat::Gray8 => ColorFormat::GRAY8,
        VideoFormat::Rgba => ColorFormat::RGBA,
        VideoFormat::Rgbx => ColorFormat::RGBX,
        VideoFormat::Bgrx => ColorFormat::BGRX,
        VideoFormat::Rgb => ColorFormat::RGB,
        VideoFormat::Bgr => ColorFormat::BGR,
        VideoFormat::Nv12 => pick(
            ColorFormat::NV12,
            ColorFormat::NV12_ER,
            ColorFormat::NV12_709,
            ColorFormat::NV12_709_ER,
            ColorFormat::NV12_2020,
        ),
        VideoFormat::I420 => pick(
            ColorFormat::YUV420,
            ColorFormat::YUV420_ER,
            ColorFormat::YUV420_709,
            ColorFormat::YUV420_709_ER,
            ColorFormat::YUV420_2020,
        ),
        _ => return None,
    })
}

/// The format of the caps that a surface with this number must have.
pub fn video_format(color: ColorFormat) -> Option<VideoFormat> {
    Some(match color {
        ColorFormat::GRAY8 => VideoFormat::Gray8,
        ColorFormat::RGBA => VideoFormat::Rgba,
        ColorFormat::RGBX => VideoFormat::Rgbx,
        ColorFormat::BGRX => VideoFormat::Bgrx,
        ColorFormat::RGB => VideoFormat::Rgb,
        ColorFormat::BGR => VideoFormat::Bgr,
        ColorFormat::NV12
        | ColorFormat::NV12_ER
        | ColorFormat::NV12_709
        | ColorFormat::NV12_709_ER
        | ColorFormat::NV12_2020 => VideoFormat::Nv12,
        ColorFormat::YUV420
        | ColorFormat::YUV420_ER
        | ColorFormat::YUV420_709
        | ColorFormat::YUV420_709_ER
        | ColorFormat::YUV420_2020 => VideoFormat::I420,
        _ => return None,
    })
}

/// The colours of a surface. Muxes drop the colorimetry from the caps, and what is left then is a
/// guess by the height of the picture. So the number of the surface decides, unless the caps say
/// something else than that guess.
pub fn colorimetry(color: ColorFormat, caps: &VideoInfo) -> VideoColorimetry {
    let guessed = VideoInfo::builder(caps.format(), caps.width(), caps.height())
        .build()
        .is_ok_and(|guess| guess.colorimetry() == caps.colorimetry());
    match of_number(color) {
        Some(said) if guessed => said,
        _ => caps.colorimetry(),
    }
}

fn of_number(color: ColorFormat) -> Option<VideoColorimetry> {
    use VideoColorRange::{Range0_255, Range16_235};
    let bt601 = |range| {
        VideoColorimetry::new(
            range,
            VideoColorMatrix::Bt601,
            VideoTransferFunction::Bt601,
            VideoColorPrimaries::Smpte170m,
        )
    };
    let bt709 = |range| {
        VideoColorimetry::new(
            range,
            VideoColorMatrix::Bt709,
            VideoTransferFunction::Bt709,
            VideoColorPrimaries::Bt709,
        )
    };
    Some(match color {
        ColorFormat::NV12 | ColorFormat::YUV420 => bt601(Range16_235),
        ColorFormat::NV12_ER | ColorFormat::YUV420_ER => bt601(Range0_255),
        ColorFormat::NV12_709 | ColorFormat::YUV420_709 => bt709(Range16_235),
        ColorFormat::NV12_709_ER | ColorFormat::YUV420_709_ER => bt709(Range0_255),
        ColorFormat::NV12_2020 | ColorFormat::YUV420_2020 => VideoColorimetry::new(
            Range16_235,
            VideoColorMatrix::Bt2020,
            VideoTransferFunction::Bt202012,
            VideoColorPrimaries::Bt2020,
        ),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::FORMATS;

    fn info(format: VideoFormat, height: u32, colorimetry: Option<&str>) -> VideoInfo {
        let colorimetry = colorimetry.map(|c| c.parse::<VideoColorimetry>().unwrap());
        VideoInfo::builder(format, 640, height)
            .colorimetry_if_some(colorimetry.as_ref())
            .build()
            .unwrap()
    }

    #[test]
    fn numbers_of_formats_and_colours() {
        gst::init().unwrap();
        for (format, colorimetry, number) in [
            (VideoFormat::Nv12, "bt601", 6),
            (VideoFormat::Nv12, "1:4:0:0", 7),
            (VideoFormat::Nv12, "bt709", 33),
            (VideoFormat::Nv12, "1:3:5:1", 34),
            (VideoFormat::Nv12, "bt2020", 36),
            (VideoFormat::I420, "bt601", 2),
            (VideoFormat::I420, "1:4:0:0", 4),
            (VideoFormat::I420, "bt709", 31),
            (VideoFormat::I420, "1:3:5:1", 32),
            (VideoFormat::I420, "bt2020", 35),
        ] {
            let info = info(format, 480, Some(colorimetry));
            assert_eq!(color_format(&info), Some(ColorFormat(number)));
        }
        for (format, number) in [
            (VideoFormat::Gray8, 1),
            (VideoFormat::Rgba, 19),
            (VideoFormat::Rgbx, 23),
            (VideoFormat::Bgrx, 24),
            (VideoFormat::Rgb, 27),
            (VideoFormat::Bgr, 28),
        ] {
            assert_eq!(
                color_format(&info(format, 480, None)),
                Some(ColorFormat(number))
            );
        }
        assert_eq!(color_format(&info(VideoFormat::Yuy2, 480, None)), None);
    }

    #[test]
    fn every_format_comes_back() {
        gst::init().unwrap();
        for format in FORMATS {
            for height in [480, 1080] {
                let info = info(format, height, None);
                let number = color_format(&info).unwrap();
                assert_eq!(video_format(number), Some(format));
                assert_eq!(colorimetry(number, &info), info.colorimetry(), "{format:?}");
            }
        }
        assert_eq!(video_format(ColorFormat(12345)), None);
    }

    #[test]
    fn the_surface_decides_unless_the_caps_say_more_than_the_default() {
        gst::init().unwrap();
        let silent = info(VideoFormat::Nv12, 1080, None);
        let colours = colorimetry(ColorFormat::NV12_ER, &silent);
        assert_eq!(colours.matrix(), VideoColorMatrix::Bt601);
        assert_eq!(colours.range(), VideoColorRange::Range0_255);
        let explicit = info(VideoFormat::Nv12, 1080, Some("1:4:0:0"));
        assert_eq!(
            colorimetry(ColorFormat::NV12_709, &explicit),
            explicit.colorimetry()
        );
    }
}
