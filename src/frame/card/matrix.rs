// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The colour matrix that GStreamer's converter uses, in its steps and with its rounding.

use gst_video::{VideoColorMatrix, VideoColorRange, VideoInfo};

use crate::frame::planar::luma_weights;

/// How the rows of a matrix are applied to 8 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arithmetic {
    /// `(row * pixel + offset) >> 8`, which stays within 8 bits.
    Plain,
    /// GStreamer's vector code: about 128, every product cut to its upper half, without an offset.
    /// With limited range, black and white are therefore some levels off.
    Centred,
}

/// Rows for red or luma, green or Cb, blue or Cr; 8 bits are a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Matrix {
    pub rows: [[i32; 4]; 3],
    pub arithmetic: Arithmetic,
}

type Exact = [[f64; 4]; 4];

const IDENTITY: Exact = [
    [1.0, 0.0, 0.0, 0.0],
    [0.0, 1.0, 0.0, 0.0],
    [0.0, 0.0, 1.0, 0.0],
    [0.0, 0.0, 0.0, 1.0],
];

fn product(a: &Exact, b: &Exact) -> Exact {
    std::array::from_fn(|i| {
        std::array::from_fn(|j| (0..4).fold(0.0, |sum, k| sum + a[i][k] * b[k][j]))
    })
}

fn offset(by: [f64; 3], m: &Exact) -> Exact {
    let mut a = IDENTITY;
    for (row, by) in a.iter_mut().zip(by) {
        row[3] = by;
    }
    product(&a, m)
}

fn scale(by: [f64; 3], m: &Exact) -> Exact {
    let mut a = IDENTITY;
    for (i, by) in by.into_iter().enumerate() {
        a[i][i] = by;
    }
    product(&a, m)
}

fn to_rgb((kr, kb): (f64, f64), m: &Exact) -> Exact {
    let kg = 1.0 - kr - kb;
    let k = [
        [1.0, 0.0, 2.0 * (1.0 - kr), 0.0],
        [
            1.0,
            -2.0 * kb * (1.0 - kb) / kg,
            -2.0 * kr * (1.0 - kr) / kg,
            0.0,
        ],
        [1.0, 2.0 * (1.0 - kb), 0.0, 0.0],
        [0.0, 0.0, 0.0, 1.0],
    ];
    product(&k, m)
}

fn to_yuv((kr, kb): (f64, f64), m: &Exact) -> Exact {
    let kg = 1.0 - kr - kb;
    let x = 1.0 / (2.0 * (1.0 - kb));
    let y = 1.0 / (2.0 * (1.0 - kr));
    let k = [
        [kr, kg, kb, 0.0],
        [-x * kr, -x * kg, x * (1.0 - kb), 0.0],
        [y * (1.0 - kr), -y * kg, -y * kb, 0.0],
        [0.0, 0.0, 0.0, 1.0],
    ];
    product(&k, m)
}

/// The least value and the steps of each component.
fn range(info: &VideoInfo) -> ([f64; 3], [f64; 3]) {
    match (info.colorimetry().range(), info.is_rgb()) {
        (VideoColorRange::Range16_235, true) => ([16.0; 3], [219.0; 3]),
        (VideoColorRange::Range16_235, false) => ([16.0, 128.0, 128.0], [219.0, 224.0, 224.0]),
        (_, true) => ([0.0; 3], [255.0; 3]),
        (_, false) => ([0.0, 128.0, 128.0], [255.0; 3]),
    }
}

/// The matrix of a picture; RGB has none, whatever its caps say.
fn matrix(info: &VideoInfo) -> VideoColorMatrix {
    if info.is_rgb() {
        return VideoColorMatrix::Rgb;
    }
    info.colorimetry().matrix()
}

/// Whether colours stay as they are. GStreamer does not ask for the range.
pub fn is_same(from: &VideoInfo, to: &VideoInfo) -> bool {
    matrix(from) == matrix(to)
}

impl Matrix {
    pub fn new(from: &VideoInfo, to: &VideoInfo) -> Self {
        let mut m = IDENTITY;
        let (least, steps) = range(from);
        m = offset(least.map(|v| -v), &m);
        // In single precision, as there.
        m = scale(steps.map(|v| f64::from(1.0 / v as f32)), &m);
        if let Some(weights) = luma_weights(matrix(from)).filter(|_| !from.is_rgb()) {
            m = to_rgb(weights, &m);
        }
        if let Some(weights) = luma_weights(matrix(to)).filter(|_| !to.is_rgb()) {
            m = to_yuv(weights, &m);
        }
        let (least, steps) = range(to);
        m = offset(least, &scale(steps, &m));
        m = scale([256.0; 3], &m);
        let rows: [[i32; 4]; 3] =
            std::array::from_fn(|i| m[i].map(|value| value.round_ties_even() as i32));
        let from_yuv = !from.is_rgb() && to.is_rgb() && yuv_to_rgb(&rows);
        let arithmetic = if !from_yuv && stays_within(&rows) {
            Arithmetic::Plain
        } else {
            Arithmetic::Centred
        };
        Self { rows, arithmetic }
    }

    /// The one of the short way from I420 to RGB, which takes for granted what such matrices have.
    pub fn yuv_to_rgb(from: &VideoInfo, to: &VideoInfo) -> Self {
        let [[luma, _, red, _], [_, green_u, green_v, _], [_, blue, _, _]] =
            Self::new(from, to).rows;
        Self {
            rows: [
                [luma, 0, red, 0],
                [luma, green_u, green_v, 0],
                [luma, blue, 0, 0],
            ],
            arithmetic: Arithmetic::Centred,
        }
    }
}

fn yuv_to_rgb(rows: &[[i32; 4]; 3]) -> bool {
    rows[0][0] == rows[1][0] && rows[1][0] == rows[2][0] && rows[0][1] == 0 && rows[2][2] == 0
}

/// Whether no corner of the colour cube leaves 8 bits.
fn stays_within(rows: &[[i32; 4]; 3]) -> bool {
    (0..8).all(|corner| {
        let at = |bit: i32| (corner >> bit & 1) * 255;
        rows.iter().all(|row| {
            let level = (row[0] * at(2) + row[1] * at(1) + row[2] * at(0) + row[3]) >> 8;
            (0..=255).contains(&level)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use gst_video::VideoFormat;

    #[test]
    fn matrices_are_those_of_gstreamer() {
        gst::init().unwrap();
        let info = |format, height| VideoInfo::builder(format, 64, height).build().unwrap();
        let rgb = info(VideoFormat::Rgb, 64);
        let matrix = Matrix::new(&info(VideoFormat::Nv12, 64), &rgb);
        // As its debug output shows them.
        assert_eq!(matrix.arithmetic, Arithmetic::Centred);
        assert_eq!(matrix.rows[0][..3], [298, 0, 409]);
        assert_eq!(matrix.rows[1][..3], [298, -100, -208]);
        assert_eq!(matrix.rows[2][..3], [298, 516, 0]);
        let matrix = Matrix::new(&rgb, &info(VideoFormat::I420, 64));
        assert_eq!(matrix.arithmetic, Arithmetic::Plain);
        assert_eq!(matrix.rows[0], [66, 129, 25, 4096]);
        assert!(is_same(&rgb, &info(VideoFormat::Bgrx, 720)));
        assert!(!is_same(
            &info(VideoFormat::I420, 64),
            &info(VideoFormat::I420, 720)
        ));
    }
}
