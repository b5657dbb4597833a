// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Pictures made of rectangles.

use gst_video::VideoInfo;

use super::Canvas;
use super::colour::{Colours, Shade};
use super::rows;
use crate::frame::ViewMut;
use crate::inject::source::Paint;

/// A filled rectangle, in pixels; `right` and `bottom` are the first pixels beyond it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rect {
    pub left: usize,
    pub top: usize,
    pub right: usize,
    pub bottom: usize,
    pub colour: [u8; 3],
}

/// What is in the picture, frame by frame: later rectangles cover earlier ones, and black is
/// behind them all.
pub trait Scene: Send + Sync {
    fn rects(&self, number: u64) -> Vec<Rect>;
}

/// Draws a scene. Pixels that share their chroma get that of the first of them.
pub struct Rects<S> {
    canvas: Canvas,
    colours: Colours,
    scene: S,
}

/// Rows of the picture that look the same, up to `bottom`: the shade of every pixel.
struct Band {
    bottom: usize,
    pixels: Vec<u32>,
}

impl<S: Scene> Rects<S> {
    pub fn new(info: &VideoInfo, scene: S) -> Self {
        Self {
            canvas: Canvas::new(info),
            colours: Colours::of(info),
            scene,
        }
    }

    fn bands(&self, rects: &[Rect]) -> Vec<Band> {
        let Canvas { width, height, .. } = self.canvas;
        let mut cuts: Vec<usize> = rects
            .iter()
            .flat_map(|rect| [rect.top, rect.bottom])
            .filter(|y| (1..height).contains(y))
            .chain([height])
            .collect();
        cuts.sort_unstable();
        cuts.dedup();
        let mut top = 0;
        cuts.into_iter()
            .map(|bottom| {
                // Shade 0 is black.
                let mut pixels = vec![0; width];
                for (shade, rect) in (1..).zip(rects) {
                    if rect.top <= top && rect.bottom > top {
                        let right = rect.right.min(width);
                        pixels[rect.left.min(right)..right].fill(shade);
                    }
                }
                top = bottom;
                Band { bottom, pixels }
            })
            .collect()
    }
}

impl<S: Scene> Paint for Rects<S> {
    fn paint(&self, number: u64, view: &mut ViewMut<'_>) {
        let rects = self.scene.rects(number);
        let shades: Vec<Shade> = std::iter::once([0; 3])
            .chain(rects.iter().map(|rect| rect.colour))
            .map(|colour| self.colours.shade(colour))
            .collect();
        let bands = self.bands(&rects);
        for (plane, (size, lanes)) in view.planes_mut().iter_mut().zip(&self.canvas.planes) {
            let band = |y: usize| bands.partition_point(|band| band.bottom <= y * lanes.down);
            rows::fill(plane, *size, band, |y, row| {
                let pixels = &bands[band(y)].pixels;
                let groups = row.chunks_exact_mut(lanes.bytes.len());
                for (group, at) in groups.zip((0..).step_by(lanes.across)) {
                    for (byte, (lane, dx)) in group.iter_mut().zip(lanes.bytes) {
                        let pixel = pixels[(at + dx).min(pixels.len() - 1)];
                        *byte = shades[pixel as usize][*lane as usize];
                    }
                }
            });
        }
    }
}
