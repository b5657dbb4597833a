// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! From a decoded buffer to a frame of the target: by reference where nothing is to be done.

use std::sync::{Arc, Mutex, PoisonError};

use gst_video::{VideoChromaSite, VideoFrame, VideoInfo};

use crate::frame::{ConvertError, Converter, Frame, HostPool};
use crate::inject::prefetch::Work;
use crate::inject::source::{Fetched, Picture, SourceError, Target};

/// A decoded picture with its place in the output.
pub struct Decoded {
    pub buffer: gst::Buffer,
    pub info: VideoInfo,
    pub pts: gst::ClockTime,
    pub duration: Option<gst::ClockTime>,
}

pub type Job = Result<Decoded, SourceError>;
pub type Done = Result<Fetched, SourceError>;

/// The target that all workers look at, so that a new one holds from the next picture on.
#[derive(Clone, Default)]
pub struct SharedTarget(Arc<Mutex<Option<Arc<Target>>>>);

impl SharedTarget {
    pub fn set(&self, target: &Target) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(target.clone()));
    }

    pub fn get(&self) -> Option<Arc<Target>> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// Whether pictures can be handed on as they are. Rate and field mode are not a matter of pixels.
fn same_pixels(from: &VideoInfo, target: &Target) -> bool {
    let to = &target.info;
    let chroma =
        |info: &VideoInfo| Some(info.chroma_site()).filter(|s| *s != VideoChromaSite::NONE);
    let chroma_fits = match (chroma(from), chroma(to)) {
        (Some(from), Some(to)) => from == to,
        _ => true,
    };
    from.format() == to.format()
        && (from.width(), from.height()) == (to.width(), to.height())
        && from.colorimetry() == to.colorimetry()
        && chroma_fits
        && (!target.add_borders || from.par() == to.par())
}

/// A converter, for which rate and field mode must be alike: neither is converted here.
pub fn converter(from: &VideoInfo, target: &Target) -> Result<Converter, ConvertError> {
    let to = &target.info;
    let alike = VideoInfo::builder_from_info(from)
        .fps(to.fps())
        .interlace_mode(to.interlace_mode())
        .build();
    Converter::new(alike.as_ref().unwrap_or(from), to, target.add_borders)
}

struct Setup {
    from: VideoInfo,
    target: Arc<Target>,
    /// `None` where pictures are handed on.
    convert: Option<(Converter, HostPool)>,
}

/// Brings pictures into the format and size of the target.
pub struct Finish {
    target: SharedTarget,
    what: String,
    setup: Option<Setup>,
}

impl Finish {
    pub fn new(target: SharedTarget, what: String) -> Self {
        Self {
            target,
            what,
            setup: None,
        }
    }

    fn prepare(&mut self, from: &VideoInfo) -> Result<&Setup, SourceError> {
        let failed = |error: &dyn std::fmt::Display| SourceError::Internal(error.to_string());
        let target = self
            .target
            .get()
            .ok_or_else(|| failed(&"frames asked for before their format is known"))?;
        let fits = |setup: &Setup| Arc::ptr_eq(&setup.target, &target) && setup.from == *from;
        let setup = match self.setup.take().filter(fits) {
            Some(setup) => setup,
            None => {
                let convert = if same_pixels(from, &target) {
                    None
                } else {
                    let converter = converter(from, &target).map_err(|e| failed(&e))?;
                    let pool = HostPool::new(&target.info).map_err(|e| failed(&e))?;
                    Some((converter, pool))
                };
                Setup {
                    from: from.clone(),
                    target,
                    convert,
                }
            }
        };
        Ok(self.setup.insert(setup))
    }

    fn finish(&mut self, decoded: Decoded) -> Done {
        let what = self.what.clone();
        let bad = |reason: &str| SourceError::BadFrame {
            what: what.clone(),
            reason: format!("at {}: {reason}", decoded.pts),
        };
        let buffer = cropped(&decoded.buffer, &decoded.info)
            .ok_or_else(|| bad("its crop rectangle lies outside of the picture"))?;
        let setup = self.prepare(&decoded.info)?;
        let frame = match &setup.convert {
            None => Frame {
                info: setup.target.info.clone(),
                buffer,
            },
            Some((converter, pool)) => {
                let from = VideoFrame::from_buffer_readable(buffer, &decoded.info)
                    .map_err(|_| bad("the decoded picture cannot be read"))?;
                let mut to = pool
                    .acquire()
                    .map_err(|e| SourceError::Internal(e.to_string()))?;
                converter.convert(&from, &mut to);
                to.into()
            }
        };
        Ok(Fetched {
            picture: Picture::Ready(frame),
            pts: Some(decoded.pts),
            duration: decoded.duration,
            detections: Vec::new(),
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
    use gst_video::VideoFormat;

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

    #[test]
    fn only_pixels_decide_about_handing_on() {
        gst::init().unwrap();
        let info = |fps: i32| {
            VideoInfo::builder(VideoFormat::I420, 64, 48)
                .fps(gst::Fraction::new(fps, 1))
                .build()
                .unwrap()
        };
        let target = |info| Target {
            info,
            add_borders: false,
        };
        assert!(same_pixels(&info(30), &target(info(0))));
        let rgb = VideoInfo::builder(VideoFormat::Rgb, 64, 48)
            .build()
            .unwrap();
        assert!(!same_pixels(&info(30), &target(rgb.clone())));
        // Differing rates are no reason to refuse.
        assert!(converter(&info(30), &target(rgb)).is_ok());
    }
}
