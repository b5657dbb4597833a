// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What a frame is: a picture format, its planes, and the buffer that holds them.

pub mod caps;
pub mod card;
pub mod code;
pub mod convert;
pub mod lanes;
pub mod map;
pub mod paint;
pub mod part;
pub mod planar;
pub mod pool;
pub mod snapshot;
pub mod stats;
pub mod view;

use gst_video::{VideoFormat, VideoInfo};

pub use card::{CardConverter, CardFrame, CardPlanar};
pub use convert::{ConvertError, Converter};
pub use map::FrameError;
pub use part::{Part, chroma_steps};
pub use pool::{HostPool, PoolError};
pub use snapshot::Snapshot;
pub use view::{Plane, PlaneMut, View, ViewError, ViewMut};

/// The formats both elements take in every kind of memory, in our order of preference.
pub const FORMATS: [VideoFormat; 8] = [
    VideoFormat::Rgb,
    VideoFormat::Bgr,
    VideoFormat::Rgba,
    VideoFormat::Bgrx,
    VideoFormat::Rgbx,
    VideoFormat::Gray8,
    VideoFormat::Nv12,
    VideoFormat::I420,
];

/// Further formats that exist in system memory only: no DeepStream surface has them.
pub const SYSTEM_FORMATS: [VideoFormat; 3] =
    [VideoFormat::Bgra, VideoFormat::Yuy2, VideoFormat::Uyvy];

/// A frame in system memory: a buffer, and how to read it.
#[derive(Debug, Clone)]
pub struct Frame {
    pub info: VideoInfo,
    pub buffer: gst::Buffer,
}

/// One plane without padding: `rows` lines of `row_bytes` bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlaneSize {
    pub row_bytes: usize,
    pub rows: usize,
}

/// The planes of a picture of `width` x `height` pixels, without padding; empty for a format that
/// is not one of ours. Chroma of an odd size is rounded up.
pub fn plane_sizes(format: VideoFormat, width: usize, height: usize) -> Vec<PlaneSize> {
    let plane = |row_bytes, rows| PlaneSize { row_bytes, rows };
    let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
    match format {
        VideoFormat::Rgb | VideoFormat::Bgr => vec![plane(3 * width, height)],
        VideoFormat::Rgba | VideoFormat::Bgra | VideoFormat::Rgbx | VideoFormat::Bgrx => {
            vec![plane(4 * width, height)]
        }
        VideoFormat::Gray8 => vec![plane(width, height)],
        VideoFormat::Nv12 => vec![plane(width, height), plane(2 * half_width, half_height)],
        VideoFormat::I420 => vec![
            plane(width, height),
            plane(half_width, half_height),
            plane(half_width, half_height),
        ],
        VideoFormat::Y42b => vec![
            plane(width, height),
            plane(half_width, height),
            plane(half_width, height),
        ],
        VideoFormat::Y444 => vec![plane(width, height); 3],
        VideoFormat::Yuy2 | VideoFormat::Uyvy => vec![plane(4 * half_width, height)],
        _ => Vec::new(),
    }
}

/// Bytes of a picture without any padding: what `.raw` files and pipes of raw video hold.
pub fn tight_size(format: VideoFormat, width: usize, height: usize) -> usize {
    plane_sizes(format, width, height)
        .iter()
        .map(|p| p.row_bytes * p.rows)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chroma_of_odd_sizes_is_rounded_up() {
        assert_eq!(tight_size(VideoFormat::I420, 5, 3), 15 + 2 * 3 * 2);
        assert_eq!(tight_size(VideoFormat::Nv12, 5, 3), 15 + 6 * 2);
        assert_eq!(tight_size(VideoFormat::Yuy2, 5, 3), 12 * 3);
        assert_eq!(tight_size(VideoFormat::Rgb, 5, 3), 45);
    }

    #[test]
    fn plane_sizes_fit_into_what_gstreamer_allocates() {
        gst::init().unwrap();
        for format in FORMATS.iter().chain(&SYSTEM_FORMATS) {
            for (width, height) in [(1, 1), (2, 3), (641, 479), (1920, 1080)] {
                let info = VideoInfo::builder(*format, width, height).build().unwrap();
                let planes = plane_sizes(*format, width as usize, height as usize);
                assert_eq!(planes.len(), info.n_planes() as usize);
                for (plane, stride) in planes.iter().zip(info.stride()) {
                    assert!(plane.row_bytes <= *stride as usize, "{format:?}");
                }
            }
        }
    }
}
