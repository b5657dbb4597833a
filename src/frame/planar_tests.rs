// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

use gst_video::{VideoColorPrimaries, VideoTransferFunction};

use super::*;
use crate::frame::{Plane, plane_sizes};

const MATRICES: [VideoColorMatrix; 5] = [
    VideoColorMatrix::Bt601,
    VideoColorMatrix::Bt709,
    VideoColorMatrix::Bt2020,
    VideoColorMatrix::Smpte240m,
    VideoColorMatrix::Fcc,
];
const RANGES: [VideoColorRange; 2] = [VideoColorRange::Range0_255, VideoColorRange::Range16_235];

fn colorimetry(range: VideoColorRange, matrix: VideoColorMatrix) -> VideoColorimetry {
    VideoColorimetry::new(
        range,
        matrix,
        VideoTransferFunction::Unknown,
        VideoColorPrimaries::Unknown,
    )
}

fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
        .collect()
}

/// A picture of noise whose rows are `padding` bytes apart.
struct Noise {
    format: VideoFormat,
    width: usize,
    height: usize,
    planes: Vec<(Vec<u8>, usize)>,
}

impl Noise {
    fn new(format: VideoFormat, width: usize, height: usize, padding: usize) -> Self {
        let planes = plane_sizes(format, width, height)
            .iter()
            .map(|size| {
                let pitch = size.row_bytes + padding;
                (noise(pitch * (size.rows - 1) + size.row_bytes), pitch)
            })
            .collect();
        Self {
            format,
            width,
            height,
            planes,
        }
    }

    fn view(&self) -> View<'_> {
        let planes = self.planes.iter().map(|(data, pitch)| Plane {
            data,
            pitch: *pitch,
        });
        View::new(self.format, self.width, self.height, planes.collect()).unwrap()
    }

    fn chroma(&self, x: usize, y: usize) -> (f64, f64) {
        let (across, down) = sampling(self.format).unwrap().unwrap();
        let (x, y) = (x / across, y / down);
        let at = |plane: usize, x: usize| {
            let (data, pitch) = &self.planes[plane];
            f64::from(data[y * pitch + x])
        };
        if self.format == VideoFormat::Nv12 {
            (at(1, 2 * x), at(1, 2 * x + 1))
        } else {
            (at(1, x), at(2, x))
        }
    }
}

fn close(got: u8, want: f64, what: &str) {
    let want = want.clamp(0.0, 255.0);
    assert!(
        (f64::from(got) - want).abs() <= 1.0,
        "{what}: {got} for {want}"
    );
}

#[test]
fn agrees_with_floating_point_in_every_format() {
    gst::init().unwrap();
    for format in [
        VideoFormat::I420,
        VideoFormat::Nv12,
        VideoFormat::Y42b,
        VideoFormat::Y444,
    ] {
        for (width, height) in [(1, 1), (2, 2), (3, 5), (64, 16), (129, 67)] {
            let picture = Noise::new(format, width, height, 5);
            for (range, matrix) in RANGES.iter().flat_map(|r| MATRICES.map(|m| (*r, m))) {
                let colorimetry = colorimetry(range, matrix);
                let (exact, map) = (Exact::new(&colorimetry), PlanarMap::new(&colorimetry));
                let mut planar = Planar::default();
                planar.map(&picture.view(), &map).unwrap();
                let what = format!("{format:?} {width}x{height} {range:?} {matrix:?}");
                let (across, down) = sampling(format).unwrap().unwrap();
                for y in 0..height {
                    for x in 0..width {
                        let (u, v) = picture.chroma(x, y);
                        let (u, v) = (u - 128.0, v - 128.0);
                        let (data, pitch) = &picture.planes[0];
                        let luma = f64::from(data[y * pitch + x]);
                        let want =
                            exact.luma * (luma - exact.black) + exact.y_u * u + exact.y_v * v;
                        let at = |plane, x, y| {
                            let (data, pitch) = planar.plane(plane);
                            data[y * pitch + x]
                        };
                        close(at(0, x, y), want, &what);
                        let want = 128.0 + exact.u_u * u + exact.u_v * v;
                        close(at(1, x / across, y / down), want, &what);
                        let want = 128.0 + exact.v_u * u + exact.v_v * v;
                        close(at(2, x / across, y / down), want, &what);
                    }
                }
            }
        }
    }
}

#[test]
fn the_map_keeps_the_colours() {
    // Black, white and the primaries of limited 709 in full 601, worked out by hand.
    let exact = Exact::new(&colorimetry(RANGES[1], VideoColorMatrix::Bt709));
    let map = |y: f64, u: f64, v: f64| {
        let (u, v) = (u - 128.0, v - 128.0);
        [
            exact.luma * (y - exact.black) + exact.y_u * u + exact.y_v * v,
            128.0 + exact.u_u * u + exact.u_v * v,
            128.0 + exact.v_u * u + exact.v_v * v,
        ]
    };
    let green_709 = (
        16.0 + 219.0 * 0.7152,
        128.0 - 112.0 * 0.7152 / 0.9278,
        128.0 - 112.0 * 0.7152 / 0.7874,
    );
    for ((y, u, v), want) in [
        ((16.0, 128.0, 128.0), [0.0, 128.0, 128.0]),
        ((235.0, 128.0, 128.0), [255.0, 128.0, 128.0]),
        (
            green_709,
            [
                255.0 * 0.587,
                128.0 - 127.5 * 0.587 / 0.886,
                128.0 - 127.5 * 0.587 / 0.701,
            ],
        ),
    ] {
        for (got, want) in map(y, u, v).iter().zip(want) {
            assert!((got - want).abs() < 1e-9, "{got} {want}");
        }
    }
}

#[test]
fn only_full_601_is_left_alone() {
    for (range, matrix) in RANGES.iter().flat_map(|r| MATRICES.map(|m| (*r, m))) {
        let identity = (range, matrix) == (VideoColorRange::Range0_255, VideoColorMatrix::Bt601);
        let map = PlanarMap::new(&colorimetry(range, matrix));
        assert_eq!(map.is_identity(), identity, "{range:?} {matrix:?}");
    }
    let picture = Noise::new(VideoFormat::Y444, 37, 11, 3);
    let mut planar = Planar::default();
    let map = PlanarMap::new(&colorimetry(RANGES[0], VideoColorMatrix::Bt601));
    planar.map(&picture.view(), &map).unwrap();
    for plane in 0..3 {
        let rows: Vec<u8> = picture.view().rows(plane).flatten().copied().collect();
        assert_eq!(planar.plane(plane).0, rows);
    }
}

#[test]
fn odd_sizes_repeat_their_edge() {
    let picture = Noise::new(VideoFormat::I420, 5, 3, 0);
    let mut planar = Planar::default();
    let map = PlanarMap::new(&colorimetry(RANGES[0], VideoColorMatrix::Bt601));
    planar.map(&picture.view(), &map).unwrap();
    let (luma, pitch) = planar.plane(0);
    assert_eq!((pitch, luma.len()), (6, 24));
    for y in 0..4 {
        let row = &luma[y * 6..][..6];
        assert_eq!(&row[..5], &picture.planes[0].0[y.min(2) * 5..][..5]);
        assert_eq!(row[4], row[5]);
    }
}

#[test]
fn gray_is_stretched() {
    let picture = Noise::new(VideoFormat::Gray8, 33, 7, 4);
    let mut planar = Planar::default();
    let map = PlanarMap::new(&colorimetry(RANGES[1], VideoColorMatrix::Bt601));
    planar.map(&picture.view(), &map).unwrap();
    for (&got, &from) in planar
        .plane(0)
        .0
        .iter()
        .zip(picture.view().rows(0).flatten())
    {
        close(got, (f64::from(from) - 16.0) * 255.0 / 219.0, "gray");
    }
}

#[test]
fn what_caps_leave_open_is_what_gstreamer_assumes() {
    gst::init().unwrap();
    let open = colorimetry(VideoColorRange::Unknown, VideoColorMatrix::Unknown);
    for (format, width, height, range, matrix) in [
        (
            VideoFormat::I420,
            320,
            240,
            RANGES[1],
            VideoColorMatrix::Bt601,
        ),
        (
            VideoFormat::Nv12,
            1920,
            1080,
            RANGES[1],
            VideoColorMatrix::Bt709,
        ),
    ] {
        let resolved = resolve(&open, format, width, height);
        assert_eq!((resolved.range(), resolved.matrix()), (range, matrix));
    }
    let full = colorimetry(VideoColorRange::Range0_255, VideoColorMatrix::Unknown);
    let resolved = resolve(&full, VideoFormat::I420, 1920, 1080);
    assert_eq!(resolved.range(), VideoColorRange::Range0_255);
}
