// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Format, size and colour conversion: GStreamer's own converter, so that colours come out as
//! everywhere else in a pipeline.

use gst_video::video_frame::{Readable, Writable};
use gst_video::{VideoConverterConfig, VideoFrame, VideoFrameRef, VideoInfo, VideoInterlaceMode};

#[derive(Debug, thiserror::Error)]
#[error("cannot convert {from} to {to}")]
pub struct ConvertError {
    from: String,
    to: String,
}

/// Converts frames of one kind into frames of another.
pub struct Converter {
    from: VideoInfo,
    to: VideoInfo,
    inner: gst_video::VideoConverter,
    /// Set if every frame needs a converter of its own.
    single: Option<((VideoInfo, VideoInfo), VideoConverterConfig)>,
    /// Set if frames in fields are taken as whole pictures: how they are read then.
    woven: Option<VideoInfo>,
}

/// GStreamer's converter forgets the lines of the frame before when it goes back to the first line.
/// Where so few rows are all in use at once that it never leaves them (4 of them; more for fields),
/// it shows them again in the next frame.
const FEW_ROWS: i32 = 16;

impl std::fmt::Debug for Converter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Converter({} -> {})",
            describe(&self.from),
            describe(&self.to)
        )
    }
}

/// `RGB 1280x720`, as errors say it.
pub fn describe(info: &VideoInfo) -> String {
    format!("{} {}x{}", info.format(), info.width(), info.height())
}

impl Converter {
    /// With `add_borders` the picture keeps its aspect ratio between black borders; without, it is
    /// stretched.
    pub fn new(from: &VideoInfo, to: &VideoInfo, add_borders: bool) -> Result<Self, ConvertError> {
        let fail = |_| ConvertError {
            from: describe(from),
            to: describe(to),
        };
        let mut config = VideoConverterConfig::new();
        let mut rows = from.height().min(to.height()) as i32;
        if add_borders {
            let (x, y, width, height) = centred(from, to);
            rows = rows.min(height);
            config.set_dest_x(x);
            config.set_dest_y(y);
            config.set_dest_width(Some(width));
            config.set_dest_height(Some(height));
            config.set_fill_border(true);
        }
        // GStreamer's converter wants rate and field mode to be alike, as it converts neither. Frames
        // that are flagged as fields must have been announced: it has no scaler for them else.
        let mode = match has_whole_fields(from) && has_whole_fields(to) {
            true => from.interlace_mode(),
            false => VideoInterlaceMode::Progressive,
        };
        let alike = |info| {
            VideoInfo::builder_from_info(info)
                .fps(to.fps())
                .interlace_mode(mode)
                .build()
                .map_err(fail)
        };
        let kinds = (alike(from)?, alike(to)?);
        let single = (rows <= FEW_ROWS).then(|| (kinds.clone(), config.clone()));
        let inner =
            gst_video::VideoConverter::new(&kinds.0, &kinds.1, Some(config)).map_err(fail)?;
        Ok(Self {
            from: from.clone(),
            to: to.clone(),
            inner,
            single,
            woven: (from.interlace_mode() != mode).then_some(kinds.0),
        })
    }

    pub fn from(&self) -> &VideoInfo {
        &self.from
    }

    pub fn to(&self) -> &VideoInfo {
        &self.to
    }

    pub fn convert(&self, from: &VideoFrame<Readable>, to: &mut VideoFrame<Writable>) {
        let single = self.single.clone().and_then(|((from, to), config)| {
            gst_video::VideoConverter::new(&from, &to, Some(config)).ok()
        });
        let inner = single.as_ref().unwrap_or(&self.inner);
        let woven = self
            .woven
            .as_ref()
            .and_then(|info| VideoFrameRef::from_buffer_ref_readable(from.buffer(), info).ok());
        match woven {
            Some(from) => inner.frame_ref(&from, &mut to.as_mut_video_frame_ref()),
            None => inner.frame(from, to),
        }
    }
}

/// Whether each of two fields has whole rows in every plane. Of 4:2:0 in other heights, GStreamer's
/// converter takes a row behind the planes for the last of a field: whatever is there.
fn has_whole_fields(info: &VideoInfo) -> bool {
    info.height().is_multiple_of(4)
}

/// Where a picture lies within `to` when it keeps its shape: x, y, width, height.
pub(crate) fn centred(from: &VideoInfo, to: &VideoInfo) -> (i32, i32, i32, i32) {
    let shape = |info: &VideoInfo| {
        let par = info.par();
        (
            u64::from(info.width()) * par.numer().max(1) as u64,
            u64::from(info.height()) * par.denom().max(1) as u64,
        )
    };
    let (from_width, from_height) = shape(from);
    let (to_width, to_height) = shape(to);
    let (width, height) = (u64::from(to.width()), u64::from(to.height()));
    // Compared as fractions: both sides of `from_width/from_height ? to_width/to_height`.
    let (fit_width, fit_height) = if u128::from(from_width) * u128::from(to_height)
        > u128::from(to_width) * u128::from(from_height)
    {
        (
            width,
            scaled(height, from_height * to_width, from_width * to_height),
        )
    } else {
        (
            scaled(width, from_width * to_height, from_height * to_width),
            height,
        )
    };
    (
        ((width - fit_width) / 2) as i32,
        ((height - fit_height) / 2) as i32,
        fit_width as i32,
        fit_height as i32,
    )
}

fn scaled(value: u64, num: u64, den: u64) -> u64 {
    let scaled = u128::from(value) * u128::from(num) / u128::from(den.max(1));
    (scaled as u64).clamp(1, value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::View;
    use gst_video::VideoFormat;

    fn info(width: u32, height: u32) -> VideoInfo {
        VideoInfo::builder(VideoFormat::Rgb, width, height)
            .build()
            .unwrap()
    }

    #[test]
    fn borders_keep_the_shape() {
        gst::init().unwrap();
        assert_eq!(
            centred(&info(640, 480), &info(1280, 720)),
            (160, 0, 960, 720)
        );
        assert_eq!(
            centred(&info(1280, 720), &info(640, 480)),
            (0, 60, 640, 360)
        );
        assert_eq!(centred(&info(100, 100), &info(100, 100)), (0, 0, 100, 100));
        assert_eq!(centred(&info(8000, 1), &info(10, 10)), (0, 4, 10, 1));
    }

    fn flat(info: &VideoInfo, value: u8) -> VideoFrame<Writable> {
        let mut frame = crate::frame::HostPool::new(info)
            .unwrap()
            .acquire()
            .unwrap();
        for plane in 0..info.n_planes() {
            frame.plane_data_mut(plane).unwrap().fill(value);
        }
        frame
    }

    #[test]
    fn nothing_of_the_frame_before_is_left() {
        gst::init().unwrap();
        let heights = [1, 2, 3, 4, 5, 6, 8, 9, 12, 16, 17, 24, 32, 48, 64, 96];
        let formats = [
            VideoFormat::Rgb,
            VideoFormat::I420,
            VideoFormat::Nv12,
            VideoFormat::Gray8,
        ];
        for (a, b) in formats
            .iter()
            .flat_map(|a| formats.iter().map(move |b| (*a, *b)))
        {
            for (h, to_h) in heights
                .iter()
                .flat_map(|h| heights.iter().map(move |t| (*h, *t)))
            {
                for borders in [false, true] {
                    let make =
                        |format, height| VideoInfo::builder(format, 24, height).build().unwrap();
                    let (from, to) = (make(a, h), make(b, to_h));
                    let used = Converter::new(&from, &to, borders).unwrap();
                    let run = |converter: &Converter, value| {
                        let buffer = crate::frame::Frame::from(flat(&from, value)).buffer;
                        let frame = VideoFrame::from_buffer_readable(buffer, &from).unwrap();
                        let mut out = flat(&to, 0);
                        converter.convert(&frame, &mut out);
                        let mut pixels = Vec::new();
                        View::of_frame(&out).unwrap().append_tight(&mut pixels);
                        pixels
                    };
                    run(&used, 30);
                    let fresh = Converter::new(&from, &to, borders).unwrap();
                    let equal = run(&used, 200) == run(&fresh, 200);
                    assert!(equal, "{a} {h} -> {b} {to_h}, borders {borders}");
                }
            }
        }
    }

    #[test]
    fn fields_are_complete_and_nothing_behind_the_planes_is_shown() {
        use VideoInterlaceMode::{Interleaved, Progressive};
        gst::init().unwrap();
        let info = |mode, format, (width, height): (u32, u32)| {
            VideoInfo::builder(format, width, height)
                .interlace_mode(mode)
                .build()
                .unwrap()
        };
        let modes = [
            (Interleaved, Interleaved),
            (Interleaved, Progressive),
            (Progressive, Interleaved),
            (Progressive, Progressive),
        ];
        let sizes = [180, 181, 182, 183]
            .iter()
            .flat_map(|height| [(322, *height), (128, *height)]);
        for ((from_mode, to_mode), size) in modes
            .iter()
            .flat_map(|modes| sizes.clone().map(move |size| (*modes, size)))
        {
            for format in [VideoFormat::I420, VideoFormat::Nv12, VideoFormat::Rgb] {
                for (to_format, to_size) in [
                    (VideoFormat::Rgb, (128, 96)),
                    (VideoFormat::Rgb, size),
                    (VideoFormat::Nv12, (322, 95)),
                    (VideoFormat::I420, (400, 300)),
                ] {
                    let from = info(from_mode, format, size);
                    let to = info(to_mode, to_format, to_size);
                    let converter = Converter::new(&from, &to, false).unwrap();
                    let run = |around: u8| {
                        let buffer = gst::Buffer::from_mut_slice(vec![around; from.size()]);
                        let mut frame = VideoFrame::from_buffer_writable(buffer, &from).unwrap();
                        for plane in 0..from.n_planes() {
                            frame.plane_data_mut(plane).unwrap().fill(128);
                        }
                        let buffer = frame.into_buffer();
                        let frame = VideoFrame::from_buffer_readable(buffer, &from).unwrap();
                        let mut out = flat(&to, 0);
                        converter.convert(&frame, &mut out);
                        let mut pixels = Vec::new();
                        View::of_frame(&out).unwrap().append_tight(&mut pixels);
                        pixels
                    };
                    let pixels = run(0);
                    assert!(pixels == run(255), "{from:?} -> {to:?}");
                    // Grey comes out as grey everywhere.
                    let gray = pixels.iter().all(|value| (110..=146).contains(value));
                    assert!(gray, "{from:?} -> {to:?}");
                }
            }
        }
    }

    #[test]
    fn rates_do_not_matter() {
        gst::init().unwrap();
        let slow = VideoInfo::builder(VideoFormat::I420, 8, 8)
            .fps(gst::Fraction::new(1, 1))
            .build()
            .unwrap();
        assert!(Converter::new(&slow, &info(16, 16), false).is_ok());
    }
}
