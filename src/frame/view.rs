// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A picture in host memory, wherever its planes lie: a GStreamer buffer with any strides, or an
//! NVMM surface. Built once with a check that every row is there, so that readers cannot run over.

use gst_video::prelude::*;
use gst_video::video_frame::Writable;
use gst_video::{VideoFormat, VideoFrame};

use super::plane_sizes;

/// Why planes do not hold the picture they are said to hold.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum ViewError {
    #[error("format {0:?} is not supported")]
    Format(VideoFormat),
    #[error("{got} planes instead of {want} for {format:?}")]
    Planes {
        format: VideoFormat,
        got: usize,
        want: usize,
    },
    #[error("plane {plane} has a pitch of {pitch} bytes, but a row of {row_bytes}")]
    Pitch {
        plane: usize,
        pitch: usize,
        row_bytes: usize,
    },
    #[error("plane {plane} has {got} bytes, and the picture needs {need}")]
    Short {
        plane: usize,
        got: usize,
        need: usize,
    },
}

#[derive(Debug, Clone, Copy)]
pub struct Plane<'a> {
    pub data: &'a [u8],
    /// Bytes from one row to the next.
    pub pitch: usize,
}

#[derive(Debug)]
pub struct PlaneMut<'a> {
    pub data: &'a mut [u8],
    /// Bytes from one row to the next.
    pub pitch: usize,
}

/// A readable picture.
#[derive(Debug, Clone)]
pub struct View<'a> {
    format: VideoFormat,
    width: usize,
    height: usize,
    planes: Vec<Plane<'a>>,
}

/// A writable picture.
#[derive(Debug)]
pub struct ViewMut<'a> {
    format: VideoFormat,
    width: usize,
    height: usize,
    planes: Vec<PlaneMut<'a>>,
}

fn check(
    format: VideoFormat,
    width: usize,
    height: usize,
    planes: impl ExactSizeIterator<Item = (usize, usize)>,
) -> Result<(), ViewError> {
    let sizes = plane_sizes(format, width, height);
    if sizes.is_empty() {
        return Err(ViewError::Format(format));
    }
    if sizes.len() != planes.len() {
        return Err(ViewError::Planes {
            format,
            got: planes.len(),
            want: sizes.len(),
        });
    }
    for (plane, (size, (got, pitch))) in sizes.iter().zip(planes).enumerate() {
        if pitch < size.row_bytes {
            return Err(ViewError::Pitch {
                plane,
                pitch,
                row_bytes: size.row_bytes,
            });
        }
        // The last row needs no padding behind it.
        let need = size.rows.saturating_sub(1) * pitch + size.row_bytes;
        if got < need {
            return Err(ViewError::Short { plane, got, need });
        }
    }
    Ok(())
}

impl<'a> View<'a> {
    pub fn new(
        format: VideoFormat,
        width: usize,
        height: usize,
        planes: Vec<Plane<'a>>,
    ) -> Result<Self, ViewError> {
        check(
            format,
            width,
            height,
            planes.iter().map(|p| (p.data.len(), p.pitch)),
        )?;
        Ok(Self {
            format,
            width,
            height,
            planes,
        })
    }

    /// The picture of a mapped video frame, with the strides of its video meta.
    pub fn of_frame<T>(frame: &'a VideoFrame<T>) -> Result<Self, ViewError> {
        let planes = (0..frame.n_planes())
            .map(|p| Plane {
                data: frame.plane_data(p).unwrap_or_default(),
                pitch: frame.plane_stride()[p as usize].max(0) as usize,
            })
            .collect();
        Self::new(
            frame.format(),
            frame.width() as usize,
            frame.height() as usize,
            planes,
        )
    }

    pub fn format(&self) -> VideoFormat {
        self.format
    }

    pub fn width(&self) -> usize {
        self.width
    }

    pub fn height(&self) -> usize {
        self.height
    }

    pub fn planes(&self) -> &[Plane<'a>] {
        &self.planes
    }

    /// The rows of a plane, without padding.
    pub fn rows(&self, plane: usize) -> impl ExactSizeIterator<Item = &'a [u8]> + use<'a> {
        let size = plane_sizes(self.format, self.width, self.height)[plane];
        let Plane { data, pitch } = self.planes[plane];
        (0..size.rows).map(move |y| &data[y * pitch..y * pitch + size.row_bytes])
    }

    /// Appends the picture to `out` without any padding.
    pub fn append_tight(&self, out: &mut Vec<u8>) {
        for plane in 0..self.planes.len() {
            for row in self.rows(plane) {
                out.extend_from_slice(row);
            }
        }
    }
}

impl<'a> ViewMut<'a> {
    pub fn new(
        format: VideoFormat,
        width: usize,
        height: usize,
        planes: Vec<PlaneMut<'a>>,
    ) -> Result<Self, ViewError> {
        check(
            format,
            width,
            height,
            planes.iter().map(|p| (p.data.len(), p.pitch)),
        )?;
        Ok(Self {
            format,
            width,
            height,
            planes,
        })
    }

    /// The picture of a frame mapped for writing.
    pub fn of_frame(frame: &'a mut VideoFrame<Writable>) -> Result<Self, ViewError> {
        let (format, width, height) = (
            frame.format(),
            frame.width() as usize,
            frame.height() as usize,
        );
        let count = frame.n_planes() as usize;
        let pitches: Vec<i32> = frame.plane_stride().to_vec();
        let planes = frame
            .planes_data_mut()
            .into_iter()
            .zip(pitches)
            .take(count)
            .map(|(data, pitch)| PlaneMut {
                data,
                pitch: pitch.max(0) as usize,
            })
            .collect();
        Self::new(format, width, height, planes)
    }

    pub fn format(&self) -> VideoFormat {
        self.format
    }

    pub fn width(&self) -> usize {
        self.width
    }

    pub fn height(&self) -> usize {
        self.height
    }

    pub fn planes_mut(&mut self) -> &mut [PlaneMut<'a>] {
        &mut self.planes
    }

    pub fn row_mut(&mut self, plane: usize, y: usize) -> &mut [u8] {
        let size = plane_sizes(self.format, self.width, self.height)[plane];
        let PlaneMut { data, pitch } = &mut self.planes[plane];
        &mut data[y * *pitch..y * *pitch + size.row_bytes]
    }
}

/// Copies a picture into another of the same format and size.
///
/// # Panics
/// If the two differ in format or size.
pub fn copy(from: &View<'_>, to: &mut ViewMut<'_>) {
    assert_eq!(
        (from.format, from.width, from.height),
        (to.format, to.width, to.height)
    );
    for plane in 0..from.planes.len() {
        let PlaneMut { data, pitch } = &mut to.planes[plane];
        for (row, to) in from.rows(plane).zip(data.chunks_mut((*pitch).max(1))) {
            to[..row.len()].copy_from_slice(row);
        }
    }
}
