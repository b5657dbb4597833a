// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Pictures made of rectangles.

use gst_video::VideoInfo;

use super::Canvas;
use super::colour::{Colours, Shade};
use super::rows;
use crate::frame::ViewMut;
use crate::frame::lanes::Lanes;
use crate::inject::source::{CardPaint, Paint};
use crate::mem::cuda::kernels::pattern::{Groups, RectsPainter};
use crate::mem::cuda::{CardViewMut, CudaError, Gpu, Stream};

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
        let mut top = 0;
        bottoms(rects, height)
            .into_iter()
            .map(|bottom| {
                // Shade 0 is black.
                let mut pixels = vec![0; width];
                fill(rects, top, &mut pixels, |rect| rect as u32 + 1);
                top = bottom;
                Band { bottom, pixels }
            })
            .collect()
    }
}

/// The rows at which bands end.
fn bottoms(rects: &[Rect], height: usize) -> Vec<usize> {
    let mut cuts: Vec<usize> = rects
        .iter()
        .flat_map(|rect| [rect.top, rect.bottom])
        .filter(|y| (1..height).contains(y))
        .chain([height])
        .collect();
    cuts.sort_unstable();
    cuts.dedup();
    cuts
}

/// Puts the shades of the rectangles into the pixels of the band that begins at row `top`.
fn fill<T: Copy>(rects: &[Rect], top: usize, pixels: &mut [T], shade: impl Fn(usize) -> T) {
    for (index, rect) in rects.iter().enumerate() {
        if rect.top <= top && rect.bottom > top {
            let right = rect.right.min(pixels.len());
            pixels[rect.left.min(right)..right].fill(shade(index));
        }
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

/// Draws a scene on a card. The CPU tells the colour of every pixel of each band; colours are as
/// few as a byte can number.
pub struct CardRects<S> {
    rects: Rects<S>,
    painter: RectsPainter,
}

impl<S: Scene> CardRects<S> {
    pub fn new(info: &VideoInfo, gpu: Gpu, scene: S) -> Result<Self, CudaError> {
        let rects = Rects::new(info, scene);
        let size = (rects.canvas.width, rects.canvas.height);
        let painter = RectsPainter::new(gpu, info.format(), size)?;
        Ok(Self { rects, painter })
    }

    /// The bytes of a group of pixels of one colour in each plane.
    fn groups(&self, colour: [u8; 3]) -> Groups {
        let shade = self.rects.colours.shade(colour);
        let mut groups = Groups::default();
        for (group, (_, Lanes { bytes, .. })) in groups.iter_mut().zip(&self.rects.canvas.planes) {
            for (byte, (lane, _)) in group.iter_mut().zip(*bytes) {
                *byte = shade[*lane as usize];
            }
        }
        groups
    }
}

impl<S: Scene> CardPaint for CardRects<S> {
    fn paint(
        &self,
        number: u64,
        view: &mut CardViewMut<'_>,
        stream: &Stream,
    ) -> Result<(), CudaError> {
        let rects = self.rects.scene.rects(number);
        let mut colours = vec![[0; 3]];
        let shades: Vec<u8> = rects
            .iter()
            .map(|Rect { colour, .. }| {
                let known = colours.iter().position(|known| known == colour);
                known.unwrap_or_else(|| {
                    colours.push(*colour);
                    colours.len() - 1
                })
            })
            .map(|shade| shade as u8)
            .collect();
        debug_assert!(colours.len() <= 256, "a scene of {} colours", colours.len());
        let groups: Vec<Groups> = colours.iter().map(|colour| self.groups(*colour)).collect();
        let bottoms: Vec<u32> = bottoms(&rects, self.rects.canvas.height)
            .into_iter()
            .map(|bottom| bottom as u32)
            .collect();
        let draw = |band: usize, pixels: &mut [u8]| {
            let top = band.checked_sub(1).map_or(0, |above| bottoms[above]);
            pixels.fill(0);
            fill(&rects, top as usize, pixels, |rect| shades[rect]);
        };
        self.painter.paint(&groups, &bottoms, draw, view, stream)
    }
}
