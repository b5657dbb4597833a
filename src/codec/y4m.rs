// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Headers of YUV4MPEG2 streams. Read here and not by a crate, because a header comes from outside
//! and must not cost memory before its numbers are known to make sense.

use std::io::{self, Read};

use gst_video::{
    VideoChromaSite, VideoColorRange, VideoColorimetry, VideoFieldOrder, VideoFormat, VideoInfo,
    VideoInterlaceMode,
};

const MAGIC: &[u8; 9] = b"YUV4MPEG2";
/// Bytes that a line of a header may have.
const MAX_LINE: usize = 1024;
const MAX_SIDE: u32 = 65_535;

/// What every frame begins with; parameters may follow before the end of the line.
pub const MARKER: &[u8; 6] = b"FRAME\n";

#[derive(Debug, thiserror::Error)]
pub enum Y4mError {
    #[error("this is not a YUV4MPEG2 stream")]
    Magic,
    #[error("the header does not end within {MAX_LINE} bytes")]
    Line,
    #[error("{name} \"{value}\" in the header is not a number from 1 to {MAX_SIDE}")]
    Side { name: &'static str, value: String },
    #[error("the header has no {0}")]
    Missing(&'static str),
    #[error("\"{0}\" in the header is not understood")]
    Field(String),
    #[error(
        "chroma \"{0}\" is not supported: 420, 422, 444 and mono with 8 bits are (ffmpeg: -pix_fmt yuv420p)"
    )]
    Chroma(String),
    #[error("frames of {width}x{height} are too large")]
    TooLarge { width: u32, height: u32 },
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What a stream says of its frames.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// I420, Y42B, Y444 or GRAY8.
    pub info: VideoInfo,
    /// Not known for every stream.
    pub rate: Option<gst::Fraction>,
}

/// Fills `buf`; fewer bytes than that were left if the returned number says so.
pub fn read_up_to(from: &mut (impl Read + ?Sized), buf: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buf.len() {
        match from.read(&mut buf[filled..]) {
            Ok(0) => break,
            Ok(bytes) => filled += bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// A line without its end; `None` if nothing is left to be read.
fn line(from: &mut (impl Read + ?Sized)) -> Result<Option<Vec<u8>>, Y4mError> {
    let (mut line, mut byte) = (Vec::new(), [0]);
    while line.len() < MAX_LINE {
        match from.read(&mut byte) {
            Ok(0) if line.is_empty() => return Ok(None),
            Ok(0) => return Err(Y4mError::Line),
            Ok(_) if byte[0] == b'\n' => return Ok(Some(line)),
            Ok(_) => line.push(byte[0]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        }
    }
    Err(Y4mError::Line)
}

impl Header {
    /// Leaves `from` at the marker of the first frame.
    pub fn read(from: &mut (impl Read + ?Sized)) -> Result<Self, Y4mError> {
        let mut magic = [0; MAGIC.len()];
        let got = read_up_to(from, &mut magic)?;
        if magic[..got] != *MAGIC {
            return Err(Y4mError::Magic);
        }
        let line = line(from)?.ok_or(Y4mError::Line)?;
        if !line.is_empty() && line[0] != b' ' {
            return Err(Y4mError::Magic);
        }
        Self::parse(&String::from_utf8_lossy(&line))
    }

    fn parse(fields: &str) -> Result<Self, Y4mError> {
        let (mut width, mut height) = (None, None);
        let (mut rate, mut aspect) = (None, None);
        let (mut chroma, mut interlace, mut range) = ("420", "p", None);
        for field in fields.split(' ').filter(|field| !field.is_empty()) {
            let odd = || Y4mError::Field(field.into());
            let mut letters = field.chars();
            let name = letters.next();
            let value = letters.as_str();
            match name {
                Some('W') => width = Some(side("width", value)?),
                Some('H') => height = Some(side("height", value)?),
                Some('F') => rate = ratio(value).ok_or_else(odd)?,
                Some('A') => aspect = ratio(value).ok_or_else(odd)?,
                Some('C') => chroma = value,
                Some('I') => interlace = value,
                Some('X') => {
                    if let Some(value) = value.strip_prefix("COLORRANGE=") {
                        range = Some(match value {
                            "FULL" => VideoColorRange::Range0_255,
                            "LIMITED" => VideoColorRange::Range16_235,
                            _ => return Err(odd()),
                        });
                    }
                }
                // Comments and what later versions may add.
                _ => (),
            }
        }
        let width = width.ok_or(Y4mError::Missing("width"))?;
        let height = height.ok_or(Y4mError::Missing("height"))?;
        let too_large = || Y4mError::TooLarge { width, height };
        let (format, site) = format(chroma).ok_or_else(|| Y4mError::Chroma(chroma.into()))?;
        if crate::frame::tight_size(format, width as usize, height as usize) > super::MAX_DECODED {
            return Err(too_large());
        }

        let plain = VideoInfo::builder(format, width, height)
            .build()
            .map_err(|_| too_large())?;
        let colors = plain.colorimetry();
        let colors = VideoColorimetry::new(
            range.unwrap_or(colors.range()),
            colors.matrix(),
            colors.transfer(),
            colors.primaries(),
        );
        let (mode, order) = match interlace {
            "t" => (
                VideoInterlaceMode::Interleaved,
                VideoFieldOrder::TopFieldFirst,
            ),
            "b" => (
                VideoInterlaceMode::Interleaved,
                VideoFieldOrder::BottomFieldFirst,
            ),
            "m" => (VideoInterlaceMode::Mixed, VideoFieldOrder::Unknown),
            _ => (VideoInterlaceMode::Progressive, VideoFieldOrder::Unknown),
        };
        let mut builder = VideoInfo::builder(format, width, height)
            .colorimetry(&colors)
            .interlace_mode(mode)
            .par(aspect.unwrap_or(gst::Fraction::new(1, 1)))
            .fps(rate.unwrap_or(gst::Fraction::new(30, 1)));
        if let Some(site) = site {
            builder = builder.chroma_site(site);
        }
        if order != VideoFieldOrder::Unknown {
            builder = builder.field_order(order);
        }
        let info = builder.build().map_err(|_| too_large())?;
        Ok(Self { info, rate })
    }
}

fn side(name: &'static str, value: &str) -> Result<u32, Y4mError> {
    let number = value.parse().ok();
    number
        .filter(|n| (1..=MAX_SIDE).contains(n))
        .ok_or_else(|| Y4mError::Side {
            name,
            value: value.into(),
        })
}

/// `Some(None)` for 0:0, which stands for "unknown".
fn ratio(value: &str) -> Option<Option<gst::Fraction>> {
    let (num, den) = value.split_once(':')?;
    match (num.parse::<i32>().ok()?, den.parse::<i32>().ok()?) {
        (0, 0) => Some(None),
        (num, den) if num > 0 && den > 0 => Some(Some(gst::Fraction::new(num, den))),
        _ => None,
    }
}

fn format(chroma: &str) -> Option<(VideoFormat, Option<VideoChromaSite>)> {
    Some(match chroma {
        "420" => (VideoFormat::I420, None),
        "420jpeg" => (VideoFormat::I420, Some(VideoChromaSite::JPEG)),
        "420mpeg2" => (VideoFormat::I420, Some(VideoChromaSite::MPEG2)),
        "420paldv" => (VideoFormat::I420, Some(VideoChromaSite::DV)),
        "422" => (VideoFormat::Y42b, None),
        "444" => (VideoFormat::Y444, None),
        "mono" => (VideoFormat::Gray8, None),
        _ => return None,
    })
}

/// What stands where a frame should begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marker {
    /// A frame follows; the marker had this many bytes.
    Frame(u64),
    End,
    /// Not a marker.
    Missing,
}

/// Reads the marker of a frame with its parameters.
pub fn read_marker(from: &mut (impl Read + ?Sized)) -> io::Result<Marker> {
    let mut start = [0; MARKER.len()];
    match read_up_to(from, &mut start)? {
        0 => return Ok(Marker::End),
        got if got < start.len() => return Ok(Marker::Missing),
        _ => (),
    }
    if start == *MARKER {
        return Ok(Marker::Frame(MARKER.len() as u64));
    }
    if start != *b"FRAME " {
        return Ok(Marker::Missing);
    }
    match line(from) {
        Ok(Some(rest)) => Ok(Marker::Frame((MARKER.len() + rest.len() + 1) as u64)),
        Err(Y4mError::Io(error)) => Err(error),
        Ok(None) | Err(_) => Ok(Marker::Missing),
    }
}

#[cfg(test)]
#[path = "y4m_tests.rs"]
mod tests;
