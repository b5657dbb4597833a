// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Parts of pictures.

use gst_video::{VideoFormat, VideoFrame, VideoInfo};

use super::map::sibling;
use super::view::{self, Plane};
use super::{Frame, FrameError, View, ViewError, ViewMut, plane_sizes};

/// A part of a picture, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    pub x: u32,
    pub y: u32,
    pub width: u32,
    pub height: u32,
}

impl Part {
    /// All of a picture of this size.
    pub fn whole((width, height): (u32, u32)) -> Self {
        Self {
            x: 0,
            y: 0,
            width,
            height,
        }
    }

    /// What pictures of the part are, of pictures of `info`.
    pub fn info(&self, info: &VideoInfo) -> Option<VideoInfo> {
        sibling(info, info.format(), self.width, self.height)
    }
}

/// Pixels across and down that share their chroma, or are one group of bytes: a part begins at
/// multiples of them.
pub fn chroma_steps(format: VideoFormat) -> (u32, u32) {
    let whole = plane_sizes(format, 2, 2);
    let one = plane_sizes(format, 1, 1);
    let sub_rows = whole.iter().any(|plane| plane.rows == 1);
    let sub_columns = one
        .iter()
        .zip(&whole)
        .any(|(one, two)| one.row_bytes == two.row_bytes);
    (1 + u32::from(sub_columns), 1 + u32::from(sub_rows))
}

impl<'a> View<'a> {
    /// A part of the picture. Where pixels share chroma, its corner must be the one that has it.
    pub fn part(&self, part: Part) -> Result<View<'a>, ViewError> {
        let [x, y, width, height] = [part.x, part.y, part.width, part.height].map(|v| v as usize);
        let within = |from: usize, len: usize, limit: usize| ViewError::Short {
            plane: 0,
            got: limit.saturating_sub(from),
            need: len,
        };
        if x.saturating_add(width) > self.width() {
            return Err(within(x, width, self.width()));
        }
        if y.saturating_add(height) > self.height() {
            return Err(within(y, height, self.height()));
        }
        let skipped = plane_sizes(self.format(), x, y);
        let planes = self.planes().iter().zip(skipped).map(|(plane, skip)| {
            let start = skip.rows * plane.pitch + skip.row_bytes;
            Plane {
                data: plane.data.get(start..).unwrap_or_default(),
                pitch: plane.pitch,
            }
        });
        View::new(self.format(), width, height, planes.collect())
    }
}

impl Frame {
    /// A copy of a part.
    pub fn cut(&self, part: Part) -> Result<Self, FrameError> {
        let info = part.info(&self.info).ok_or(FrameError::Map)?;
        let mapped = self.map()?;
        let outside = |_| FrameError::Map;
        let view = View::of_frame(&mapped).map_err(outside)?;
        let view = view.part(part).map_err(outside)?;
        let buffer = gst::Buffer::with_size(info.size()).map_err(|_| FrameError::Map)?;
        let mut cut =
            VideoFrame::from_buffer_writable(buffer, &info).map_err(|_| FrameError::Map)?;
        view::copy(&view, &mut ViewMut::of_frame(&mut cut).map_err(outside)?);
        Ok(cut.into())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{FORMATS, SYSTEM_FORMATS};
    use super::*;

    #[test]
    fn chroma_is_shared_by_pairs_of_some_formats() {
        for format in FORMATS.iter().chain(&SYSTEM_FORMATS) {
            let expected = match format {
                VideoFormat::Nv12 | VideoFormat::I420 => (2, 2),
                VideoFormat::Yuy2 | VideoFormat::Uyvy => (2, 1),
                _ => (1, 1),
            };
            assert_eq!(chroma_steps(*format), expected, "{format}");
        }
    }

    #[test]
    fn a_part_has_the_bytes_of_its_place() {
        gst::init().unwrap();
        let (width, height) = (13, 9);
        for format in FORMATS.iter().chain(&SYSTEM_FORMATS) {
            let info = VideoInfo::builder(*format, width, height).build().unwrap();
            let bytes: Vec<u8> = (0..info.size()).map(|i| (i * 7 + i / 251) as u8).collect();
            let frame = Frame {
                buffer: gst::Buffer::from_mut_slice(bytes),
                info,
            };
            for (x, y, w, h) in [(0, 0, 13, 9), (2, 4, 5, 3), (12, 8, 1, 1), (4, 2, 9, 7)] {
                let part = Part {
                    x,
                    y,
                    width: w,
                    height: h,
                };
                let cut = frame.cut(part).unwrap();
                let (from, to) = (frame.map().unwrap(), cut.map().unwrap());
                let (from, to) = (View::of_frame(&from).unwrap(), View::of_frame(&to).unwrap());
                let skipped = plane_sizes(*format, x as usize, y as usize);
                for (plane, skip) in skipped.iter().enumerate() {
                    for (row, got) in to.rows(plane).enumerate() {
                        let all = from.rows(plane).nth(skip.rows + row).unwrap();
                        assert_eq!(got, &all[skip.row_bytes..][..got.len()], "{format}");
                    }
                }
            }
            let beyond = Part {
                x: 4,
                y: 0,
                width: 10,
                height: 1,
            };
            assert!(frame.cut(beyond).is_err());
        }
    }
}
