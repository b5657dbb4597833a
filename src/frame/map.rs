// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Reading a buffer as a frame without trusting what its video meta says: planes may lie anywhere,
//! in several memories, or partly nowhere.

use gst_video::prelude::*;
use gst_video::video_frame::Readable;
use gst_video::{VideoFormat, VideoFrame, VideoFrameFlags, VideoInfo, VideoMeta};

use super::{Frame, convert::describe, plane_sizes};

#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum FrameError {
    #[error("format {0} is not supported")]
    Format(String),
    #[error("the video meta describes {meta}, but the caps say {caps}")]
    Meta { meta: String, caps: String },
    #[error("plane {plane} has a stride of {stride} bytes, but a row of {row_bytes}")]
    Stride {
        plane: usize,
        stride: i32,
        row_bytes: usize,
    },
    #[error("plane {plane} ends at byte {end} of a buffer of {size}")]
    Outside {
        plane: usize,
        end: usize,
        size: usize,
    },
    #[error("the buffer cannot be mapped")]
    Map,
}

/// Where a plane lies within the bytes of its buffer.
#[derive(Debug, Clone, Copy)]
struct Place {
    offset: usize,
    stride: usize,
    rows: usize,
    /// From the first byte of the first row to the last byte of the last, without its padding.
    used: usize,
}

impl Place {
    /// With the padding of the last row: what a mapped plane gives out.
    fn whole(&self) -> Option<usize> {
        // The bindings multiply in 32 bits.
        let whole = u32::try_from(self.stride)
            .ok()?
            .checked_mul(u32::try_from(self.rows).ok()?)?;
        usize::try_from(whole).ok()
    }
}

/// Whether a meta describes pictures of these caps, perhaps larger ones.
pub(crate) fn check_meta(meta: &VideoMeta, info: &VideoInfo) -> Result<(), FrameError> {
    let planes = info.n_planes() as usize;
    if meta.format() == info.format()
        && meta.width() >= info.width()
        && meta.height() >= info.height()
        && meta.offset().len() == planes
        && meta.stride().len() == planes
    {
        return Ok(());
    }
    Err(FrameError::Meta {
        meta: format!(
            "{} {}x{} in {} planes",
            meta.format(),
            meta.width(),
            meta.height(),
            meta.n_planes()
        ),
        caps: describe(info),
    })
}

impl Frame {
    /// Maps the frame for reading. Where its planes cannot be mapped in place (one is spread over
    /// memories, the last row lacks its padding, the memory is of a kind that may lay its planes
    /// out anew, or its rows begin where the converter cannot read them), they are copied into a
    /// buffer of their own.
    pub fn map(&self) -> Result<VideoFrame<Readable>, FrameError> {
        let meta = self.buffer.meta::<VideoMeta>();
        if let Some(meta) = &meta {
            check_meta(meta, &self.info)?;
        }
        let places = self.places(meta.as_deref())?;
        let in_place = match &meta {
            Some(meta) => {
                (meta.width(), meta.height()) == (self.info.width(), self.info.height())
                    && places.iter().all(|place| self.is_mappable(place))
            }
            // Without a meta the buffer is mapped as one.
            None => {
                self.buffer.size() >= self.info.size()
                    && places.iter().all(|place| {
                        place
                            .whole()
                            .and_then(|whole| place.offset.checked_add(whole))
                            .is_some_and(|end| end <= self.buffer.size())
                    })
            }
        };
        let map = |buffer| {
            VideoFrame::from_buffer_readable(buffer, &self.info).map_err(|_| FrameError::Map)
        };
        if in_place {
            let mapped = map(self.buffer.clone())?;
            if is_aligned(&mapped) {
                return Ok(mapped);
            }
        }
        map(self.gather(&places)?)
    }

    /// Offset and stride of each plane in the bytes of the buffer, which the picture is within.
    pub(crate) fn layout(&self) -> Result<Vec<(usize, usize)>, FrameError> {
        let meta = self.buffer.meta::<VideoMeta>();
        if let Some(meta) = &meta {
            check_meta(meta, &self.info)?;
        }
        let places = self.places(meta.as_deref())?;
        Ok(places.iter().map(|p| (p.offset, p.stride)).collect())
    }

    fn places(&self, meta: Option<&VideoMeta>) -> Result<Vec<Place>, FrameError> {
        let (offsets, strides) = match meta {
            Some(meta) => (meta.offset(), meta.stride()),
            None => (self.info.offset(), self.info.stride()),
        };
        let size = self.buffer.size();
        let (width, height) = (self.info.width() as usize, self.info.height() as usize);
        let sizes = plane_sizes(self.info.format(), width, height);
        if sizes.is_empty() || sizes.len() > offsets.len().min(strides.len()) {
            return Err(FrameError::Format(self.info.format().to_string()));
        }
        let mut places = Vec::with_capacity(sizes.len());
        for (plane, (want, (&offset, &stride))) in
            sizes.iter().zip(offsets.iter().zip(strides)).enumerate()
        {
            let wrong = FrameError::Stride {
                plane,
                stride,
                row_bytes: want.row_bytes,
            };
            let Ok(stride) = usize::try_from(stride) else {
                return Err(wrong);
            };
            if stride < want.row_bytes {
                return Err(wrong);
            }
            let used = stride
                .checked_mul(want.rows.saturating_sub(1))
                .and_then(|bytes| bytes.checked_add(want.row_bytes));
            let end = used.and_then(|used| used.checked_add(offset));
            match (used, end) {
                (Some(used), Some(end)) if end <= size => places.push(Place {
                    offset,
                    stride,
                    rows: want.rows,
                    used,
                }),
                _ => {
                    return Err(FrameError::Outside {
                        plane,
                        end: end.unwrap_or(usize::MAX),
                        size,
                    });
                }
            }
        }
        Ok(places)
    }

    /// All bytes that a mapped plane gives out lie in one memory, which is plain.
    fn is_mappable(&self, place: &Place) -> bool {
        let Some(end) = place
            .whole()
            .and_then(|whole| place.offset.checked_add(whole))
        else {
            return false;
        };
        if end > self.buffer.size() {
            return false;
        }
        let Some((memories, _)) = self.buffer.find_memory(place.offset..end) else {
            return false;
        };
        memories.len() == 1 && is_plain(self.buffer.peek_memory(memories.start))
    }

    /// A copy of the planes with the strides that they have, or the next that can be read.
    fn gather(&self, places: &[Place]) -> Result<gst::Buffer, FrameError> {
        let mut offsets = Vec::with_capacity(places.len());
        let mut strides = Vec::with_capacity(places.len());
        let mut size = 0usize;
        for place in places {
            // A single row may have any stride; its own length does.
            let stride = if place.rows > 1 {
                place.stride
            } else {
                place.used
            };
            let stride = stride
                .checked_next_multiple_of(ALIGN)
                .ok_or(FrameError::Map)?;
            offsets.push(size);
            strides.push(i32::try_from(stride).map_err(|_| FrameError::Map)?);
            size = stride
                .checked_mul(place.rows)
                .and_then(|bytes| bytes.checked_add(size))
                .ok_or(FrameError::Map)?;
        }
        // A map checks the size of the buffer against that of the format in some releases.
        let mut buffer =
            gst::Buffer::with_size(size.max(self.info.size())).map_err(|_| FrameError::Map)?;
        let buffer_mut = buffer.get_mut().ok_or(FrameError::Map)?;
        {
            let mut bytes = buffer_mut.map_writable().map_err(|_| FrameError::Map)?;
            for ((place, &offset), &stride) in places.iter().zip(&offsets).zip(&strides) {
                let stride = stride as usize;
                let (step, rows, len) = if stride == place.stride || place.rows == 1 {
                    (0, 1, place.used)
                } else {
                    let others = place.stride * (place.rows - 1);
                    (place.stride, place.rows, place.used - others)
                };
                for row in 0..rows {
                    let to = &mut bytes[offset + row * stride..][..len];
                    self.buffer
                        .copy_to_slice(place.offset + row * step, to)
                        .map_err(|_| FrameError::Map)?;
                }
            }
        }
        let _ = self.buffer.copy_into(
            buffer_mut,
            gst::BufferCopyFlags::FLAGS | gst::BufferCopyFlags::TIMESTAMPS,
            ..,
        );
        VideoMeta::add_full(
            buffer_mut,
            VideoFrameFlags::empty(),
            self.info.format(),
            self.info.width(),
            self.info.height(),
            &offsets,
            &strides,
        )
        .map_err(|_| FrameError::Map)?;
        Ok(buffer)
    }
}

/// GStreamer's converter reads the pixels of most formats four bytes at a time or in pairs, and
/// crashes where these are not aligned. All rows of its own buffers are.
const ALIGN: usize = 4;

fn is_aligned(frame: &VideoFrame<Readable>) -> bool {
    let info = frame.info();
    if matches!(info.format(), VideoFormat::Rgb | VideoFormat::Bgr) {
        return true;
    }
    (0..frame.n_planes()).all(|plane| {
        let start = frame.plane_data(plane).map(|data| data.as_ptr() as usize);
        let stride = frame.plane_stride()[plane as usize] as usize;
        start.is_ok_and(|start| start.is_multiple_of(ALIGN))
            && (stride.is_multiple_of(ALIGN) || frame.plane_height(plane) == 1)
    })
}

/// Host memory that a video meta cannot lay out anew when it is mapped, as those of decoders may.
fn is_plain(memory: &gst::MemoryRef) -> bool {
    [
        "SystemMemory",
        "RustGlobalAllocatorMemory",
        "fd",
        "dmabuf",
        "shm",
    ]
    .iter()
    .any(|kind| memory.is_type(*kind))
}

/// A frame of another size or format with the same timing, as a converter wants it.
pub fn sibling(
    info: &VideoInfo,
    format: gst_video::VideoFormat,
    width: u32,
    height: u32,
) -> Option<VideoInfo> {
    let mut builder = VideoInfo::builder(format, width, height)
        .fps(info.fps())
        .interlace_mode(info.interlace_mode());
    let colorimetry = info.colorimetry();
    // What belongs to YUV means nothing in RGB, and the other way round.
    let other = VideoInfo::builder(format, width, height).build().ok()?;
    if (other.is_yuv(), other.is_rgb(), other.is_gray())
        == (info.is_yuv(), info.is_rgb(), info.is_gray())
    {
        builder = builder.colorimetry(&colorimetry);
    }
    builder.build().ok()
}

#[cfg(test)]
#[path = "map_tests.rs"]
mod tests;
