// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! CAPS: what pictures are like.

use gst_video::{
    VideoChromaSite, VideoColorMatrix, VideoColorPrimaries, VideoColorRange, VideoColorimetry,
    VideoFieldOrder, VideoFormat, VideoInfo, VideoInterlaceMode, VideoTransferFunction,
};

use super::bytes::{Packet, Writer};
use super::{MAX_SIDE, MAX_SLOT, WireError};
use crate::frame::plane_sizes;

/// What can be sent: what both elements take, by the names that GStreamer gives them.
const FORMATS: [(VideoFormat, &str); 11] = [
    (VideoFormat::Rgb, "RGB"),
    (VideoFormat::Bgr, "BGR"),
    (VideoFormat::Rgba, "RGBA"),
    (VideoFormat::Bgrx, "BGRx"),
    (VideoFormat::Rgbx, "RGBx"),
    (VideoFormat::Bgra, "BGRA"),
    (VideoFormat::Gray8, "GRAY8"),
    (VideoFormat::Nv12, "NV12"),
    (VideoFormat::I420, "I420"),
    (VideoFormat::Yuy2, "YUY2"),
    (VideoFormat::Uyvy, "UYVY"),
];
const INTERLACE: [VideoInterlaceMode; 3] = [
    VideoInterlaceMode::Progressive,
    VideoInterlaceMode::Interleaved,
    VideoInterlaceMode::Mixed,
];
const ORDERS: [VideoFieldOrder; 3] = [
    VideoFieldOrder::Unknown,
    VideoFieldOrder::TopFieldFirst,
    VideoFieldOrder::BottomFieldFirst,
];
const FORMAT_BYTES: usize = 16;
const NAME_BYTES: usize = 32;
const MAX_TERM: u32 = i32::MAX as u32;

/// What the pictures of the frames after it are like.
#[derive(Debug, Clone, PartialEq)]
pub struct Caps {
    pub id: u32,
    /// One of those that can be sent.
    format: VideoFormat,
    pub width: u32,
    pub height: u32,
    interlace: VideoInterlaceMode,
    order: VideoFieldOrder,
    fps: (u32, u32),
    par: (u32, u32),
    /// As GStreamer writes it, or empty.
    colorimetry: String,
    chroma_site: String,
}

impl Caps {
    /// Not for every format and every kind of interlacing.
    pub fn new(id: u32, info: &VideoInfo) -> Result<Self, WireError> {
        let format = info.format();
        let known = FORMATS.iter().any(|(known, _)| *known == format);
        if !known {
            return Err(WireError::Format(info.name().to_owned()));
        }
        let interlace = info.interlace_mode();
        if !INTERLACE.contains(&interlace) {
            return Err(WireError::Property {
                what: "interlace mode",
                value: format!("{interlace:?}"),
            });
        }
        let colors = info.colorimetry();
        // GStreamer has no text for it.
        let unknown = colors.range() == VideoColorRange::Unknown
            && colors.matrix() == VideoColorMatrix::Unknown
            && colors.transfer() == VideoTransferFunction::Unknown
            && colors.primaries() == VideoColorPrimaries::Unknown;
        let colorimetry = match unknown {
            true => String::new(),
            false => name("colorimetry", colors.to_string())?,
        };
        let chroma_site = match info.chroma_site() {
            site if site.is_empty() => String::new(),
            site => name("chroma site", site.to_str().to_string())?,
        };
        let order = match interlace {
            VideoInterlaceMode::Progressive => VideoFieldOrder::Unknown,
            _ => info.field_order(),
        };
        let caps = Self {
            id,
            format,
            width: info.width(),
            height: info.height(),
            interlace,
            order,
            fps: terms("frame rate", info.fps(), 0)?,
            par: terms("pixel aspect ratio", info.par(), 1)?,
            colorimetry,
            chroma_site,
        };
        caps.fits()?;
        Ok(caps)
    }

    pub fn format(&self) -> VideoFormat {
        self.format
    }

    /// As GStreamer calls it.
    pub fn format_name(&self) -> &'static str {
        let known = FORMATS.iter().find(|(known, _)| *known == self.format);
        known.map_or("", |(_, name)| *name)
    }

    /// Whether there can be a slot for such a picture.
    fn fits(&self) -> Result<(), WireError> {
        let sides = 1..=MAX_SIDE;
        let bytes = || {
            let planes = plane_sizes(self.format, self.width as usize, self.height as usize);
            let bytes = |row: usize, rows: usize| row as u64 * rows as u64;
            planes
                .iter()
                .map(|p| bytes(p.row_bytes, p.rows))
                .sum::<u64>()
        };
        let within = sides.contains(&self.width) && sides.contains(&self.height);
        match within && bytes() <= MAX_SLOT {
            true => Ok(()),
            false => Err(WireError::Picture {
                format: self.format_name(),
                width: self.width,
                height: self.height,
            }),
        }
    }

    /// With strides and offsets that GStreamer would choose; those of the frames are in the frames.
    /// GStreamer is to be initialised.
    pub fn info(&self) -> Result<VideoInfo, WireError> {
        self.fits()?;
        let fraction = |(n, d): (u32, u32)| gst::Fraction::new(n as i32, d as i32);
        let mut builder = VideoInfo::builder(self.format, self.width, self.height)
            .interlace_mode(self.interlace)
            .fps(fraction(self.fps))
            .par(fraction(self.par));
        let colors = self.colors()?;
        if let Some(colors) = &colors {
            builder = builder.colorimetry(colors);
        }
        // GStreamer would choose one.
        let site = match self.chroma_site.as_str() {
            "" => VideoChromaSite::empty(),
            site => site.parse().map_err(|_| property("chroma site", site))?,
        };
        builder = builder.chroma_site(site);
        if self.interlace != VideoInterlaceMode::Progressive {
            builder = builder.field_order(self.order);
        }
        builder.build().map_err(|_| WireError::Picture {
            format: self.format_name(),
            width: self.width,
            height: self.height,
        })
    }

    fn colors(&self) -> Result<Option<VideoColorimetry>, WireError> {
        if self.colorimetry.is_empty() {
            return Ok(None);
        }
        let wrong = || property("colorimetry", &self.colorimetry);
        let colors: VideoColorimetry = self.colorimetry.parse().map_err(|_| wrong())?;
        // GStreamer takes any numbers.
        let known = !matches!(colors.range(), VideoColorRange::__Unknown(_))
            && !matches!(colors.matrix(), VideoColorMatrix::__Unknown(_))
            && !matches!(colors.transfer(), VideoTransferFunction::__Unknown(_))
            && !matches!(colors.primaries(), VideoColorPrimaries::__Unknown(_));
        let yuv = matches!(
            self.format,
            VideoFormat::Nv12 | VideoFormat::I420 | VideoFormat::Yuy2 | VideoFormat::Uyvy
        );
        let matrix = colors.matrix();
        let rgb = !yuv && self.format != VideoFormat::Gray8;
        let fits = (rgb || matrix != VideoColorMatrix::Rgb)
            && (!yuv || matrix != VideoColorMatrix::Unknown);
        match known && fits {
            true => Ok(Some(colors)),
            false => Err(wrong()),
        }
    }

    pub(super) fn parse(from: &mut Packet) -> Result<Self, WireError> {
        let id = from.u32("the id of the caps")?;
        let width = from.u32_within("the width", 1, MAX_SIDE)?;
        let height = from.u32_within("the height", 1, MAX_SIDE)?;
        let interlace = from.u32_within("the interlace mode", 0, 2)?;
        let order = from.u32_within("the field order", 0, 2)?;
        let fps = (
            from.u32_within("the frame rate", 0, MAX_TERM)?,
            from.u32_within("the frame rate's denominator", 1, MAX_TERM)?,
        );
        let par = (
            from.u32_within("the pixel aspect ratio", 1, MAX_TERM)?,
            from.u32_within("the pixel aspect ratio's denominator", 1, MAX_TERM)?,
        );
        from.zero("a reserved field")?;
        let format = from.name::<FORMAT_BYTES>("the format")?;
        let known = FORMATS.iter().find(|(_, known)| *known == format);
        let Some((format, _)) = known else {
            return Err(WireError::Format(format));
        };
        Ok(Self {
            id,
            format: *format,
            width,
            height,
            interlace: INTERLACE[interlace as usize],
            order: ORDERS[order as usize],
            fps,
            par,
            colorimetry: from.name::<NAME_BYTES>("the colorimetry")?,
            chroma_site: from.name::<NAME_BYTES>("the chroma site")?,
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let mut to = Writer::new(out, super::CAPS);
        to.u32(self.id);
        to.u32(self.width);
        to.u32(self.height);
        to.u32(place(&INTERLACE, self.interlace));
        to.u32(place(&ORDERS, self.order));
        for (numerator, denominator) in [self.fps, self.par] {
            to.u32(numerator);
            to.u32(denominator);
        }
        to.u32(0);
        to.name(self.format_name(), FORMAT_BYTES);
        to.name(&self.colorimetry, NAME_BYTES);
        to.name(&self.chroma_site, NAME_BYTES);
        to.end();
    }
}

fn property(what: &'static str, value: &str) -> WireError {
    let value = value.to_owned();
    WireError::Property { what, value }
}

/// A text that its field can hold.
fn name(what: &'static str, text: String) -> Result<String, WireError> {
    match text.len() <= NAME_BYTES && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(text),
        false => Err(WireError::Property { what, value: text }),
    }
}

fn terms(what: &'static str, value: gst::Fraction, min: u32) -> Result<(u32, u32), WireError> {
    let terms = u32::try_from(value.numer())
        .ok()
        .zip(u32::try_from(value.denom()).ok());
    terms
        .filter(|(numerator, denominator)| *numerator >= min && *denominator > 0)
        .ok_or_else(|| property(what, &value.to_string()))
}

fn place<T: PartialEq>(all: &[T], value: T) -> u32 {
    all.iter().position(|one| *one == value).unwrap_or(0) as u32
}
