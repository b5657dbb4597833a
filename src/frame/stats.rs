// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Statistics of a picture's pixels. All sums are integers, so the result does not depend on the
//! order of adding.

use gst_video::VideoFormat;

use super::{View, ViewError};
use crate::mem::cuda::kernels::statistics::{Summer, Sums};
use crate::mem::cuda::{CardView, CudaError, Gpu, Stream};

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PictureStats {
    /// Mean of all samples.
    pub mean: f64,
    /// Standard deviation of all samples (N-1).
    pub std: f64,
    /// Variance of the luma's Laplacian (4 neighbours, interior pixels); 0 for tiny pictures.
    pub sharpness: f64,
}

/// Luma is summed in thousandths: 0.299, 0.587 and 0.114 are whole numbers then.
const LUMA_UNIT: f64 = 1000.0;

/// Thousandths of luma in red, green and blue.
const RED: u32 = 299;
const GREEN: u32 = 587;
const BLUE: u32 = 114;

/// The statistics of an RGB, BGR or GRAY8 picture.
pub fn statistics(picture: &View<'_>) -> Result<PictureStats, ViewError> {
    let luma: fn(&[u8], &mut [i32]) = match picture.format() {
        VideoFormat::Rgb => |row, luma| weigh(row, luma, RED, BLUE),
        VideoFormat::Bgr => |row, luma| weigh(row, luma, BLUE, RED),
        VideoFormat::Gray8 => |row, luma| {
            for (luma, &sample) in luma.iter_mut().zip(row) {
                *luma = 1000 * i32::from(sample);
            }
        },
        format => return Err(ViewError::Format(format)),
    };

    let (width, height) = (picture.width(), picture.height());
    let (mut sum, mut squares) = (0u64, 0u64);
    let mut edges = Edges::default();
    let mut lines: [Vec<i32>; 3] = std::array::from_fn(|_| vec![0; width]);
    for (y, row) in picture.rows(0).enumerate() {
        // Short pieces: their sums fit into 32 bits, which is what vector units add.
        for piece in row.chunks(32 << 10) {
            let square = |&s: &u8| u32::from(u16::from(s) * u16::from(s));
            sum += u64::from(piece.iter().map(|&s| u32::from(s)).sum::<u32>());
            squares += u64::from(piece.iter().map(square).sum::<u32>());
        }
        lines.rotate_left(1);
        luma(row, &mut lines[2]);
        if y >= 2 {
            edges.add(&lines[0], &lines[1], &lines[2]);
        }
    }
    Ok(evaluate(
        picture.format(),
        (width, height),
        &Sums {
            samples: sum,
            squares,
            edges: edges.sum,
            edge_squares: edges.squares,
        },
    ))
}

/// What sums over a picture of this size say.
fn evaluate(format: VideoFormat, (width, height): (usize, usize), sums: &Sums) -> PictureStats {
    let channels = if format == VideoFormat::Gray8 { 1 } else { 3 };
    let count = (channels * width * height) as u64;
    let sharpness = if width < 3 || height < 3 {
        0.0
    } else {
        let count = ((width - 2) * (height - 2)) as u128;
        let sum = u128::from(sums.edges.unsigned_abs());
        let spread = count * sums.edge_squares - sum * sum;
        spread as f64 / (count * count) as f64 / (LUMA_UNIT * LUMA_UNIT)
    };
    let (sum, squares) = (u128::from(sums.samples), u128::from(sums.squares));
    let spread = u128::from(count) * squares - sum * sum;
    let pairs = u128::from(count) * u128::from(count.saturating_sub(1).max(1));
    PictureStats {
        mean: sums.samples as f64 / count.max(1) as f64,
        std: (spread as f64 / pairs.max(1) as f64).sqrt(),
        sharpness,
    }
}

/// Statistics of pictures on a card, one after the other.
#[derive(Debug)]
pub struct CardStatistics(Summer);

impl CardStatistics {
    pub fn new(gpu: Gpu) -> Result<Self, CudaError> {
        Ok(Self(Summer::new(gpu)?))
    }

    /// What [`statistics`] says of the picture, after what the stream has to do before. Waits for
    /// it.
    pub fn of(
        &mut self,
        picture: &CardView<'_>,
        stream: &Stream,
    ) -> Result<PictureStats, CudaError> {
        let format = picture.format();
        let weights = match format {
            VideoFormat::Rgb => [RED, GREEN, BLUE],
            VideoFormat::Bgr => [BLUE, GREEN, RED],
            // Others are refused.
            _ => [1000, 0, 0],
        };
        let sums = self.0.sums(picture, weights, stream)?;
        let size = (picture.width(), picture.height());
        Ok(evaluate(format, size, &sums))
    }
}

fn weigh(row: &[u8], luma: &mut [i32], first: u32, last: u32) {
    let [first, middle, last] = [first, GREEN, last].map(u64::from);
    // Two pixels in the halves of a word: multiplying is what takes the time.
    let pairs = luma.chunks_exact_mut(2).zip(row.chunks_exact(6));
    for (luma, p) in pairs {
        let two = |a: u8, b: u8| u64::from(a) | u64::from(b) << 32;
        let sum = first * two(p[0], p[3]) + middle * two(p[1], p[4]) + last * two(p[2], p[5]);
        luma[0] = sum as i32;
        luma[1] = (sum >> 32) as i32;
    }
    if let ([luma], [.., a, b, c]) = (luma.chunks_exact_mut(2).into_remainder(), row) {
        *luma = (first * u64::from(*a) + middle * u64::from(*b) + last * u64::from(*c)) as i32;
    }
}

/// Pixels whose edges sum up in 32 bits.
const PIECE: usize = 1024;

#[derive(Default)]
struct Edges {
    sum: i64,
    squares: u128,
    sizes: Vec<u32>,
}

impl Edges {
    fn add(&mut self, above: &[i32], row: &[i32], below: &[i32]) {
        let width = row.len();
        if width < 3 {
            return;
        }
        let mut start = 1;
        while start < width - 1 {
            let end = (start + PIECE).min(width - 1);
            let (left, right) = (&row[start - 1..end - 1], &row[start + 1..end + 1]);
            let (middle, above, below) = (&row[start..end], &above[start..end], &below[start..end]);
            let mut sum = 0i32;
            self.sizes.resize(middle.len(), 0);
            let sizes = &mut self.sizes[..];
            let neighbours = left.iter().zip(right).zip(above).zip(below);
            for ((size, &m), (((&l, &r), &a), &b)) in sizes.iter_mut().zip(middle).zip(neighbours) {
                let edge = 4 * m - l - r - a - b;
                sum += edge;
                *size = edge.unsigned_abs();
            }
            let squares: u64 = sizes.iter().map(|&s| u64::from(s) * u64::from(s)).sum();
            self.sum += i64::from(sum);
            self.squares += u128::from(squares);
            start = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Plane;

    fn noise(len: usize) -> Vec<u8> {
        let mut state = 0x1234_5678u32;
        (0..len)
            .map(|_| {
                state = state.wrapping_mul(1664525).wrapping_add(1013904223);
                (state >> 24) as u8
            })
            .collect()
    }

    fn view(
        format: VideoFormat,
        data: &[u8],
        width: usize,
        height: usize,
        pitch: usize,
    ) -> View<'_> {
        View::new(format, width, height, vec![Plane { data, pitch }]).unwrap()
    }

    fn naive(view: &View<'_>) -> PictureStats {
        let (channels, weights) = match view.format() {
            VideoFormat::Rgb => (3, vec![0.299, 0.587, 0.114]),
            VideoFormat::Bgr => (3, vec![0.114, 0.587, 0.299]),
            _ => (1, vec![1.0]),
        };
        let samples: Vec<f64> = view.rows(0).flatten().map(|&s| f64::from(s)).collect();
        let n = samples.len() as f64;
        let mean = samples.iter().sum::<f64>() / n;
        let std =
            (samples.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0)).sqrt();
        let luma: Vec<f64> = samples
            .chunks_exact(channels)
            .map(|p| p.iter().zip(&weights).map(|(s, w)| s * w).sum())
            .collect();
        let at = |x: usize, y: usize| luma[y * view.width() + x];
        let mut edges = Vec::new();
        for y in 1..view.height().saturating_sub(1) {
            for x in 1..view.width().saturating_sub(1) {
                edges.push(
                    4.0 * at(x, y) - at(x - 1, y) - at(x + 1, y) - at(x, y - 1) - at(x, y + 1),
                );
            }
        }
        let m = edges.len().max(1) as f64;
        let centre = edges.iter().sum::<f64>() / m;
        let sharpness = edges.iter().map(|e| (e - centre).powi(2)).sum::<f64>() / m;
        PictureStats {
            mean,
            std,
            sharpness,
        }
    }

    #[test]
    fn agrees_with_floating_point() {
        let data = noise(400 * 400);
        for format in [VideoFormat::Rgb, VideoFormat::Bgr, VideoFormat::Gray8] {
            for (width, height) in [(1, 1), (2, 5), (3, 3), (4, 3), (37, 29), (131, 100)] {
                let view = view(format, &data, width, height, 400);
                let (got, want) = (statistics(&view).unwrap(), naive(&view));
                for (got, want) in [
                    (got.mean, want.mean),
                    (got.std, want.std),
                    (got.sharpness, want.sharpness),
                ] {
                    assert!(
                        (got - want).abs() <= 1e-9 * want.abs().max(1.0),
                        "{got} {want}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_flat_picture_has_no_spread() {
        let data = vec![77; 90 * 50];
        let stats = statistics(&view(VideoFormat::Rgb, &data, 30, 50, 90)).unwrap();
        assert_eq!(
            stats,
            PictureStats {
                mean: 77.0,
                std: 0.0,
                sharpness: 0.0
            }
        );
    }

    #[test]
    fn other_formats_are_refused() {
        let data = [0; 64];
        let view = view(VideoFormat::Rgba, &data, 4, 4, 16);
        assert_eq!(statistics(&view), Err(ViewError::Format(VideoFormat::Rgba)));
    }
}
