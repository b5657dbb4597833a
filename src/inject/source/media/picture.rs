// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! From a decoded buffer to a frame of the target: by reference where nothing is to be done.

use gst_video::VideoInfo;

use crate::frame::Frame;
use crate::inject::prefetch::Work;
use crate::inject::source::fit::{Fitter, Wish};
use crate::inject::source::{Fetched, Picture, SourceError};

/// A decoded picture with its place in the output.
pub struct Decoded {
    pub buffer: gst::Buffer,
    pub info: VideoInfo,
    pub pts: gst::ClockTime,
    pub duration: Option<gst::ClockTime>,
    /// Among those of its pass, if that is known.
    pub number: Option<u64>,
}

pub type Job = Result<Decoded, SourceError>;
pub type Done = Result<Fetched, SourceError>;

/// Brings pictures into the format and size of the target.
pub struct Finish {
    wish: Wish,
    what: String,
    fitter: Fitter,
}

impl Finish {
    pub fn new(wish: Wish, what: String) -> Self {
        Self {
            wish,
            what,
            fitter: Fitter::default(),
        }
    }

    fn finish(&mut self, decoded: Decoded) -> Done {
        let wanted = self.wish.get()?;
        let buffer =
            cropped(&decoded.buffer, &decoded.info).ok_or_else(|| SourceError::BadFrame {
                what: self.what.clone(),
                reason: format!(
                    "at {}: its crop rectangle lies outside of the picture",
                    decoded.pts
                ),
            })?;
        let frame = Frame {
            info: decoded.info,
            buffer,
        };
        Ok(Fetched {
            picture: Picture::Ready(self.fitter.fit(&wanted, frame)?),
            pts: Some(decoded.pts),
            duration: decoded.duration,
            number: decoded.number,
            detections: Vec::new(),
            boxes_of: None,
            provenance: None,
        })
    }
}

impl Work<Job, Done> for Finish {
    fn work(&mut self, job: Job) -> Done {
        self.finish(job?)
    }
}

/// The buffer with its crop rectangle, if it has one, worked into the video meta: mapping a frame
/// looks at the latter only. No pixel is copied. `None` if the rectangle does not fit.
fn cropped(buffer: &gst::Buffer, info: &VideoInfo) -> Option<gst::Buffer> {
    let Some(crop) = buffer.meta::<gst_video::VideoCropMeta>() else {
        return Some(buffer.clone());
    };
    let (x, y, width, height) = crop.rect();
    let (full_width, full_height, offsets, strides) = match buffer.meta::<gst_video::VideoMeta>() {
        Some(meta) => (
            meta.width(),
            meta.height(),
            meta.offset().to_vec(),
            meta.stride().to_vec(),
        ),
        None => (
            info.width(),
            info.height(),
            info.offset().to_vec(),
            info.stride().to_vec(),
        ),
    };
    if (x, y, width, height) == (0, 0, full_width, full_height) {
        return Some(buffer.clone());
    }
    let fits = x.checked_add(width).is_some_and(|end| end <= full_width)
        && y.checked_add(height).is_some_and(|end| end <= full_height)
        && (width, height) == (info.width(), info.height());
    if !fits {
        return None;
    }
    let format = info.format_info();
    let mut offsets = offsets;
    for (plane, offset) in offsets.iter_mut().enumerate() {
        // Any component of the plane will do: they share its pixels.
        let component = format.plane().iter().position(|p| *p as usize == plane)?;
        let column = (x >> format.w_sub()[component]) as usize;
        let row = (y >> format.h_sub()[component]) as usize;
        let pixel = usize::try_from(format.pixel_stride()[component]).ok()?;
        let stride = usize::try_from(*strides.get(plane)?).ok()?;
        *offset = offset.checked_add(row * stride + column * pixel)?;
    }
    let mut part = buffer
        .copy_region(
            gst::BufferCopyFlags::MEMORY
                | gst::BufferCopyFlags::FLAGS
                | gst::BufferCopyFlags::TIMESTAMPS,
            ..,
        )
        .ok()?;
    gst_video::VideoMeta::add_full(
        part.get_mut()?,
        gst_video::VideoFrameFlags::empty(),
        info.format(),
        width,
        height,
        &offsets,
        &strides,
    )
    .ok()?;
    Some(part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::View;
    use gst_video::{VideoFormat, VideoFrame};

    #[test]
    fn a_crop_rectangle_becomes_strides() {
        gst::init().unwrap();
        let full = VideoInfo::builder(VideoFormat::I420, 16, 12)
            .build()
            .unwrap();
        let part = VideoInfo::builder(VideoFormat::I420, 8, 6).build().unwrap();
        let mut buffer = gst::Buffer::from_mut_slice(
            (0..full.size() as u32).map(|i| i as u8).collect::<Vec<_>>(),
        );
        let meta = buffer.get_mut().unwrap();
        gst_video::VideoMeta::add_from_info(meta, gst_video::VideoFrameFlags::empty(), &full)
            .unwrap();
        gst_video::VideoCropMeta::add(meta, (4, 2, 8, 6));
        let cut = cropped(&buffer, &part).unwrap();
        let frame = VideoFrame::from_buffer_readable(cut, &part).unwrap();
        let view = View::of_frame(&frame).unwrap();
        assert_eq!(view.rows(0).next().unwrap()[..3], [36, 37, 38]);
        let chroma = (full.offset()[1] + full.stride()[1] as usize + 2) as u8;
        assert_eq!(view.rows(1).next().unwrap()[0], chroma);

        gst_video::VideoCropMeta::add(buffer.get_mut().unwrap(), (4, 2, 8, 6));
        let wrong = VideoInfo::builder(VideoFormat::I420, 10, 6)
            .build()
            .unwrap();
        assert!(cropped(&buffer, &wrong).is_none());
    }
}
