// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! How frames lie in a stream, told from its header or from what was declared.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use gst_video::video_frame::Writable;
use gst_video::{VideoFormat, VideoFrame, VideoInfo};

use super::location::Kind;
use super::{Rate, SourceError};
use crate::codec::npy::planar_to_packed;
use crate::codec::y4m::{self, read_up_to};
use crate::codec::{MAX_DECODED, NpyError, NpyStack};
use crate::frame::{ViewMut, plane_sizes, tight_size};
use crate::inject::config::Declared;

/// Frames that nobody gave a rate.
const RATE: (i32, i32) = (30, 1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// One frame after the other.
    Plain,
    /// Each behind a marker.
    Marked,
    /// One after the other, each with its channels (this many) one after the other.
    Planar(usize),
}

/// What is known of a stream before its first frame.
#[derive(Debug, Clone)]
pub struct Layout {
    /// Frames of 4:2:2 and 4:4:4 are Y42B and Y444 here, which no caps of ours offer.
    pub native: VideoInfo,
    pub rate: Rate,
    pub framing: Framing,
    /// Bytes of a frame, without marker.
    pub frame_bytes: usize,
    /// Frames that the header promises.
    pub promised: Option<u64>,
}

impl Layout {
    /// Leaves `from` at the first frame, or its marker.
    pub fn read(
        kind: Kind,
        what: &str,
        declared: Declared,
        from: &mut dyn Read,
    ) -> Result<Self, SourceError> {
        let bad = |reason: String| SourceError::BadStream {
            what: what.into(),
            reason,
        };
        match kind {
            Kind::Y4m => match y4m::Header::read(from) {
                Ok(header) => Ok(Self::y4m(header)),
                Err(y4m::Y4mError::Io(error)) => Err(unreadable(what, &error)),
                Err(error) => Err(bad(error.to_string())),
            },
            Kind::Npy => match NpyStack::read(&mut &mut *from) {
                Ok(stack) => {
                    Self::npy(stack, declared).ok_or_else(|| bad("the frames are too large".into()))
                }
                Err(NpyError::Header(error))
                    if error.kind() != io::ErrorKind::UnexpectedEof
                        && error.kind() != io::ErrorKind::InvalidData =>
                {
                    Err(unreadable(what, &error))
                }
                Err(error) => Err(bad(error.to_string())),
            },
            Kind::Raw => Self::raw(what, declared),
            Kind::Picture => Err(SourceError::Internal("a picture is no stream".into())),
        }
    }

    fn y4m(header: y4m::Header) -> Self {
        let rate = header.rate.map_or(Rate::Free(RATE.into()), Rate::Fixed);
        Self::new(header.info, rate, Framing::Marked, None)
    }

    fn npy(stack: NpyStack, declared: Declared) -> Option<Self> {
        use VideoFormat::{Bgr, Bgra, Bgrx, Rgbx};
        let blue_first = matches!(declared.format, Some(Bgr | Bgrx | Bgra));
        let format = match (stack.channels, declared.format) {
            (3, _) if blue_first => Bgr,
            (4, Some(format @ (Bgra | Rgbx))) => format,
            (4, _) if blue_first => Bgrx,
            _ => stack.format(),
        };
        let (width, height) = (stack.width as u32, stack.height as u32);
        let native = VideoInfo::builder(format, width, height)
            .fps(RATE)
            .build()
            .ok()?;
        let framing = if stack.planar {
            Framing::Planar(stack.channels)
        } else {
            Framing::Plain
        };
        let rate = Rate::Free(RATE.into());
        Some(Self::new(native, rate, framing, Some(stack.frames)))
    }

    fn raw(what: &str, declared: Declared) -> Result<Self, SourceError> {
        let (Some(format), Some(width), Some(height)) =
            (declared.format, declared.width, declared.height)
        else {
            let missing = [
                ("format", declared.format.is_none()),
                ("width", declared.width.is_none()),
                ("height", declared.height.is_none()),
            ];
            let missing: Vec<_> = missing.iter().filter(|m| m.1).map(|m| m.0).collect();
            return Err(SourceError::Settings {
                property: missing[0],
                reason: format!(
                    "{what} has no header that we know, so it is read as raw frames, and for \
                     these {} must be set; media (mp4, mkv, ...) goes into uri",
                    missing.join(", ")
                ),
            });
        };
        let size = tight_size(format, width as usize, height as usize);
        let native = VideoInfo::builder(format, width, height)
            .fps(RATE)
            .build()
            .ok()
            .filter(|_| (1..=MAX_DECODED).contains(&size))
            .ok_or_else(|| SourceError::Settings {
                property: "format",
                reason: format!("raw frames cannot be {format} {width}x{height}"),
            })?;
        let rate = Rate::Free(RATE.into());
        Ok(Self::new(native, rate, Framing::Plain, None))
    }

    fn new(native: VideoInfo, rate: Rate, framing: Framing, promised: Option<u64>) -> Self {
        let (width, height) = (native.width() as usize, native.height() as usize);
        Self {
            frame_bytes: tight_size(native.format(), width, height),
            native,
            rate,
            framing,
            promised,
        }
    }

    /// Fills a frame with the next [`frame_bytes`](Self::frame_bytes) bytes; fewer were left if
    /// the returned number says so. `bytes` is memory to be used again.
    pub fn read_frame(
        &self,
        from: &mut dyn Read,
        frame: &mut VideoFrame<Writable>,
        bytes: &mut Vec<u8>,
    ) -> io::Result<usize> {
        let mut view = ViewMut::of_frame(frame).map_err(io::Error::other)?;
        let sizes = plane_sizes(view.format(), view.width(), view.height());
        let planar = matches!(self.framing, Framing::Planar(_));
        let mut planes = view.planes_mut().iter_mut().zip(&sizes);
        if !planar && planes.all(|(plane, size)| plane.pitch == size.row_bytes) {
            let mut total = 0;
            for (plane, size) in view.planes_mut().iter_mut().zip(&sizes) {
                let want = size.row_bytes * size.rows;
                let got = read_up_to(from, &mut plane.data[..want])?;
                total += got;
                if got < want {
                    break;
                }
            }
            return Ok(total);
        }

        // The second half is for pixels whose channels are put together.
        bytes.resize(self.frame_bytes * if planar { 2 } else { 1 }, 0);
        let (read, packed) = bytes.split_at_mut(self.frame_bytes);
        let got = read_up_to(from, read)?;
        if got < self.frame_bytes {
            return Ok(got);
        }
        let mut rest: &[u8] = match self.framing {
            Framing::Planar(channels) => {
                planar_to_packed(read, channels, packed);
                packed
            }
            _ => read,
        };
        for (plane, size) in sizes.iter().enumerate() {
            for y in 0..size.rows {
                let (row, after) = rest.split_at(size.row_bytes);
                view.row_mut(plane, y).copy_from_slice(row);
                rest = after;
            }
        }
        Ok(got)
    }
}

pub fn unreadable(what: &str, error: &io::Error) -> SourceError {
    SourceError::Read {
        what: what.into(),
        reason: error.to_string(),
    }
}

/// A file from some place on; many threads can read one file like this.
pub struct At<'a> {
    pub file: &'a File,
    pub offset: u64,
}

impl Read for At<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let bytes = self.file.read_at(buf, self.offset)?;
        self.offset += bytes as u64;
        Ok(bytes)
    }
}
