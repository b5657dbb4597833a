// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The one way of YUV video into JPEG: a map of matrix and range into full-range BT.601, which is
//! all that JFIF knows. Y, U and V stay planar and chroma keeps its resolution.

use gst_video::{VideoColorMatrix, VideoColorRange, VideoColorimetry, VideoFormat, VideoInfo};

use super::{View, ViewError};
use crate::mem::cuda::kernels::convert::PlanarCoefficients;

/// Coefficients are Q14, the levels that they give Q6.
const Q: f64 = 16384.0;
const LEVEL: f64 = 64.0;
/// Half a level, and what three truncated products lose on average.
const ROUND: f64 = 33.0;

/// Replaces what the caps leave open by what GStreamer assumes for such a picture.
pub fn resolve(
    colorimetry: &VideoColorimetry,
    format: VideoFormat,
    width: usize,
    height: usize,
) -> VideoColorimetry {
    let default = VideoInfo::builder(format, width as u32, height as u32)
        .build()
        .map_or(*colorimetry, |info| info.colorimetry());
    let matrix = match luma_weights(colorimetry.matrix()) {
        Some(_) => colorimetry.matrix(),
        None => default.matrix(),
    };
    let range = match colorimetry.range() {
        VideoColorRange::Range0_255 | VideoColorRange::Range16_235 => colorimetry.range(),
        _ => default.range(),
    };
    VideoColorimetry::new(
        range,
        matrix,
        colorimetry.transfer(),
        colorimetry.primaries(),
    )
}

/// The weights of red and blue in luma.
pub(super) fn luma_weights(matrix: VideoColorMatrix) -> Option<(f64, f64)> {
    match matrix {
        VideoColorMatrix::Bt601 => Some((0.299, 0.114)),
        VideoColorMatrix::Bt709 => Some((0.2126, 0.0722)),
        VideoColorMatrix::Bt2020 => Some((0.2627, 0.0593)),
        VideoColorMatrix::Smpte240m => Some((0.212, 0.087)),
        VideoColorMatrix::Fcc => Some((0.30, 0.11)),
        _ => None,
    }
}

/// The map itself: `Y' = luma Y + y_u U + y_v V`, `U' = u_u U + u_v V`, `V' = v_u U + v_v V`.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Exact {
    black: f64,
    luma: f64,
    y_u: f64,
    y_v: f64,
    u_u: f64,
    u_v: f64,
    v_u: f64,
    v_v: f64,
}

impl Exact {
    fn new(colorimetry: &VideoColorimetry) -> Self {
        let (kr, kb) = luma_weights(colorimetry.matrix()).unwrap_or((0.299, 0.114));
        let (black, luma_steps, chroma_steps) = match colorimetry.range() {
            VideoColorRange::Range16_235 => (16.0, 219.0, 224.0),
            _ => (0.0, 255.0, 255.0),
        };
        let to_601 = |cb: f64, cr: f64| {
            let red = 2.0 * (1.0 - kr) * cr;
            let blue = 2.0 * (1.0 - kb) * cb;
            let green = -(kr * red + kb * blue) / (1.0 - kr - kb);
            let y = 0.299 * red + 0.587 * green + 0.114 * blue;
            (y, (blue - y) / 1.772, (red - y) / 1.402)
        };
        let scale = 255.0 / chroma_steps;
        let (y_u, u_u, v_u) = to_601(scale, 0.0);
        let (y_v, u_v, v_v) = to_601(0.0, scale);
        Self {
            black,
            luma: 255.0 / luma_steps,
            y_u,
            y_v,
            u_u,
            u_v,
            v_u,
            v_v,
        }
    }
}

/// A map of one colorimetry into full-range BT.601, ready to be applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanarMap {
    luma: i16,
    luma_offset: i16,
    y_u: i16,
    y_v: i16,
    u_u: i16,
    u_v: i16,
    v_u: i16,
    v_v: i16,
    identity: bool,
}

impl PlanarMap {
    /// `colorimetry` must not be open in matrix or range: see [`resolve`].
    pub fn new(colorimetry: &VideoColorimetry) -> Self {
        let exact = Exact::new(colorimetry);
        let q = |value: f64| (value * Q).round() as i16;
        let mut map = Self {
            luma: q(exact.luma),
            luma_offset: ((128.0 - exact.black) * exact.luma * LEVEL + ROUND).round() as i16,
            y_u: q(exact.y_u),
            y_v: q(exact.y_v),
            u_u: q(exact.u_u),
            u_v: q(exact.u_v),
            v_u: q(exact.v_u),
            v_v: q(exact.v_v),
            identity: false,
        };
        map.identity = (map.luma, map.u_u, map.v_v) == (Q as i16, Q as i16, Q as i16)
            && [map.y_u, map.y_v, map.u_v, map.v_u] == [0; 4];
        map
    }

    /// For the kernel that does the same.
    pub(super) fn coefficients(&self) -> PlanarCoefficients {
        PlanarCoefficients {
            luma: self.luma.into(),
            luma_offset: self.luma_offset.into(),
            y_u: self.y_u.into(),
            y_v: self.y_v.into(),
            u_u: self.u_u.into(),
            u_v: self.u_v.into(),
            v_u: self.v_u.into(),
            v_v: self.v_v.into(),
        }
    }

    /// Nothing would change.
    pub fn is_identity(&self) -> bool {
        self.identity
    }
}

fn centred(sample: u8) -> i16 {
    i16::from(sample) - 128
}

/// A product in 16 bits from end to end, which every vector unit has: the coefficient in two parts,
/// of which neither overflows. (The compiler does not find the instruction for the upper half of a
/// product when the coefficient is a variable.)
fn times(sample: i16, coefficient: i16) -> i16 {
    let (high, low) = (coefficient >> 7, coefficient & 127);
    sample
        .wrapping_mul(high)
        .wrapping_add(sample.wrapping_mul(low) >> 7)
        >> 1
}

fn level(sum: i16) -> u8 {
    (sum >> 6).clamp(0, 255) as u8
}

fn luma_row(map: &PlanarMap, from: &[u8], offsets: &[i16], to: &mut [u8]) {
    for ((to, &y), &offset) in to.iter_mut().zip(from).zip(offsets) {
        *to = level(times(centred(y), map.luma).wrapping_add(offset));
    }
}

/// What chroma adds to the luma of a row, at chroma resolution.
fn luma_offsets(map: &PlanarMap, u: &[u8], v: &[u8], to: &mut [i16]) {
    for ((to, &u), &v) in to.iter_mut().zip(u).zip(v) {
        *to = times(centred(u), map.y_u)
            .wrapping_add(times(centred(v), map.y_v))
            .wrapping_add(map.luma_offset);
    }
}

fn chroma_row(own: i16, other: i16, from: &[u8], other_from: &[u8], to: &mut [u8]) {
    const MIDDLE: i16 = 128 * LEVEL as i16 + ROUND as i16;
    for ((to, &a), &b) in to.iter_mut().zip(from).zip(other_from) {
        *to = level(
            times(centred(a), own)
                .wrapping_add(times(centred(b), other))
                .wrapping_add(MIDDLE),
        );
    }
}

fn deinterleave(from: &[u8], u: &mut [u8], v: &mut [u8]) {
    for ((pair, u), v) in from.chunks_exact(2).zip(u).zip(v) {
        *u = pair[0];
        *v = pair[1];
    }
}

/// Planes in the sizes that libjpeg-turbo reads: luma is padded to whole chroma samples. The
/// memory is reused from picture to picture.
#[derive(Debug, Default)]
pub struct Planar {
    planes: [Vec<u8>; 3],
    pitches: [usize; 3],
    offsets: Vec<i16>,
    doubled: Vec<i16>,
    split: [Vec<u8>; 2],
}

/// Luma samples per chroma sample, across and down; none for a picture without chroma.
fn sampling(format: VideoFormat) -> Option<Option<(usize, usize)>> {
    match format {
        VideoFormat::I420 | VideoFormat::Nv12 => Some(Some((2, 2))),
        VideoFormat::Y42b => Some(Some((2, 1))),
        VideoFormat::Y444 => Some(Some((1, 1))),
        VideoFormat::Gray8 => Some(None),
        _ => None,
    }
}

impl Planar {
    /// A plane and its pitch.
    pub fn plane(&self, plane: usize) -> (&[u8], usize) {
        (&self.planes[plane], self.pitches[plane])
    }

    /// Maps a whole I420, NV12, Y42B, Y444 or GRAY8 picture.
    pub fn map(&mut self, from: &View<'_>, map: &PlanarMap) -> Result<(), ViewError> {
        match sampling(from.format()).ok_or(ViewError::Format(from.format()))? {
            Some(sampling) => self.map_colour(from, map, sampling),
            None => self.map_gray(from, map),
        }
        Ok(())
    }

    /// Splits the chroma of an NV12 picture and leaves luma alone.
    pub fn split_chroma(&mut self, from: &View<'_>) -> Result<(), ViewError> {
        if from.format() != VideoFormat::Nv12 {
            return Err(ViewError::Format(from.format()));
        }
        let (columns, rows) = (from.width().div_ceil(2), from.height().div_ceil(2));
        self.size(1, columns, rows);
        self.size(2, columns, rows);
        let [_, u, v] = &mut self.planes;
        for ((pairs, u), v) in from
            .rows(1)
            .zip(u.chunks_exact_mut(columns))
            .zip(v.chunks_exact_mut(columns))
        {
            deinterleave(pairs, u, v);
        }
        Ok(())
    }

    fn size(&mut self, plane: usize, width: usize, height: usize) {
        self.planes[plane].resize(width * height, 0);
        self.pitches[plane] = width;
    }

    fn map_gray(&mut self, from: &View<'_>, map: &PlanarMap) {
        self.size(0, from.width(), from.height());
        self.doubled.clear();
        self.doubled.resize(from.width(), map.luma_offset);
        let to = self.planes[0].chunks_exact_mut(from.width().max(1));
        for (from, to) in from.rows(0).zip(to) {
            luma_row(map, from, &self.doubled, to);
        }
    }

    fn map_colour(&mut self, from: &View<'_>, map: &PlanarMap, (across, down): (usize, usize)) {
        let (width, height) = (from.width(), from.height());
        let (columns, rows) = (width.div_ceil(across), height.div_ceil(down));
        let (full_width, full_height) = (columns * across, rows * down);
        self.size(0, full_width, full_height);
        self.size(1, columns, rows);
        self.size(2, columns, rows);
        self.offsets.resize(columns, 0);
        self.doubled.resize(full_width, 0);
        for split in &mut self.split {
            split.resize(columns, 0);
        }
        let Self {
            planes: [y, u, v],
            offsets,
            doubled,
            split: [split_u, split_v],
            ..
        } = self;

        let interleaved = from.format() == VideoFormat::Nv12;
        let mut luma_from = from.rows(0);
        let mut u_from = from.rows(1);
        let mut v_from = from.rows(if interleaved { 1 } else { 2 });
        let luma_to = y.chunks_mut((full_width * down).max(1));
        let u_to = u.chunks_mut(columns.max(1));
        let v_to = v.chunks_mut(columns.max(1));
        for ((luma_to, u_to), v_to) in luma_to.zip(u_to).zip(v_to) {
            let (Some(mut u), Some(mut v)) = (u_from.next(), v_from.next()) else {
                return;
            };
            if interleaved {
                deinterleave(u, &mut *split_u, &mut *split_v);
                (u, v) = (&*split_u, &*split_v);
            }
            luma_offsets(map, u, v, offsets);
            chroma_row(map.u_u, map.u_v, u, v, u_to);
            chroma_row(map.v_v, map.v_u, v, u, v_to);
            let offsets = if across == 2 {
                for (pair, &offset) in doubled.chunks_exact_mut(2).zip(&*offsets) {
                    pair[0] = offset;
                    pair[1] = offset;
                }
                &*doubled
            } else {
                &*offsets
            };
            let mut done = 0;
            for to in luma_to.chunks_exact_mut(full_width) {
                let Some(from) = luma_from.next() else { break };
                luma_row(map, from, offsets, to);
                let last = to[width - 1];
                to[width..].fill(last);
                done += 1;
            }
            if done < down {
                luma_to.copy_within(..full_width, full_width);
            }
        }
    }
}

#[cfg(test)]
#[path = "planar_tests.rs"]
mod tests;
