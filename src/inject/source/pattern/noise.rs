// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `noise`: 24 random bits for every pixel, the same in every format. Pixels that share their
//! chroma share the mean of it.

use gst_video::VideoInfo;

use super::Canvas;
use super::colour::{Colours, Weights};
use crate::frame::ViewMut;
use crate::frame::lanes::{Lane, Lanes};
use crate::inject::source::{CardPaint, Paint};
use crate::mem::cuda::kernels::pattern::{GENERATORS, MixArg, NoisePainter};
use crate::mem::cuda::{CardViewMut, CudaError, Gpu, Stream};

/// Added to a small number, leaves it rounded in the lowest bits: a conversion for vector registers.
const ROUNDER: f32 = 8_388_608.0;

pub struct Noise {
    canvas: Canvas,
    colours: Colours,
}

impl Noise {
    pub fn new(info: &VideoInfo) -> Self {
        Self {
            canvas: Canvas::new(info),
            colours: Colours::of(info),
        }
    }
}

/// The next number of a SplitMix64 sequence.
fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The next number of a xorshift32 sequence.
fn xorshift(mut state: u32) -> u32 {
    state ^= state << 13;
    state ^= state >> 17;
    state ^ state << 5
}

/// What the seeds of all rows of a frame begin with.
fn frame_seed(number: u64) -> u64 {
    splitmix(&mut { number })
}

/// One row of pixels: red in the lowest byte, then green and blue.
fn random_row(number: u64, y: usize, pixels: &mut [u32]) {
    // Generators side by side, for vector registers: pixel x comes from number x mod 16.
    let mut seed = frame_seed(number) ^ y as u64;
    let mut states: [u32; GENERATORS] = std::array::from_fn(|_| splitmix(&mut seed) as u32 | 1);
    let mut advance = || {
        for state in &mut states {
            *state = xorshift(*state);
        }
        states
    };
    let (blocks, rest) = pixels.as_chunks_mut::<GENERATORS>();
    for block in blocks {
        *block = advance();
    }
    if !rest.is_empty() {
        rest.copy_from_slice(&advance()[..rest.len()]);
    }
}

/// A pixel with 10 bits for each channel, so that four can be added up at once.
fn spread(pixel: u32) -> u32 {
    (pixel & 0xff) | (pixel & 0xff00) << 2 | (pixel & 0x00ff_0000) << 4
}

/// One byte from the sum of some pixels' channels.
struct Mix(MixArg);

impl Mix {
    fn new(Weights { rgb, offset }: Weights, pixels: u8) -> Self {
        let [red, green, blue] = rgb.map(|weight| (weight / f64::from(pixels)) as f32);
        Self(MixArg {
            red,
            green,
            blue,
            offset: offset as f32,
        })
    }

    fn of(&self, spread: u32) -> u8 {
        // Vector units convert i32, and the oldest nothing else.
        let [red, green, blue] =
            [spread, spread >> 10, spread >> 20].map(|channel| (channel & 0x3ff) as i32 as f32);
        let sum = red * self.0.red + green * self.0.green + blue * self.0.blue + self.0.offset;
        let saturated = if sum < 255.0 { sum } else { 255.0 };
        (saturated + ROUNDER).to_bits() as u8
    }
}

fn luma_mix(colours: &Colours) -> Mix {
    Mix::new(colours.weights(Lane::Luma), 1)
}

/// Of four pixels: blue difference, red difference.
fn chroma_mixes(colours: &Colours) -> [Mix; 2] {
    [Lane::Cb, Lane::Cr].map(|lane| Mix::new(colours.weights(lane), 4))
}

/// RGB-like rows: `N` bytes a pixel, blue first if `swap`.
fn packed<const N: usize>(row: &mut [u8], pixels: &[u32], swap: bool) {
    for (bytes, pixel) in row.as_chunks_mut::<N>().0.iter_mut().zip(pixels) {
        let [red, green, blue, _] = pixel.to_le_bytes();
        let ordered = if swap {
            [blue, green, red, 255]
        } else {
            [red, green, blue, 255]
        };
        bytes.copy_from_slice(&ordered[..N]);
    }
}

/// Rows with luma or chroma.
struct Mixer {
    luma: Mix,
    /// Of pairs of pixels from two rows: blue difference, red difference.
    chroma: [Mix; 2],
    luma_row: Vec<u8>,
    chroma_rows: [Vec<u8>; 2],
    sums: Vec<u32>,
    pair_sums: Vec<u32>,
}

impl Mixer {
    /// For rows of an even number of pixels.
    fn new(colours: &Colours, width: usize) -> Self {
        Self {
            luma: luma_mix(colours),
            chroma: chroma_mixes(colours),
            luma_row: vec![0; width],
            chroma_rows: [vec![0; width / 2], vec![0; width / 2]],
            sums: vec![0; width],
            pair_sums: vec![0; width / 2],
        }
    }

    fn mix_luma(&mut self, pixels: &[u32]) {
        for (out, pixel) in self.luma_row.iter_mut().zip(pixels) {
            *out = self.luma.of(spread(*pixel));
        }
    }

    /// Adds up pixels with those below and then in pairs, in loops that compile to vector code.
    fn add_up(&mut self, above: &[u32], below: Option<&[u32]>) {
        match below {
            Some(below) => {
                for (out, (above, below)) in self.sums.iter_mut().zip(above.iter().zip(below)) {
                    *out = spread(*above) + spread(*below);
                }
            }
            None => {
                for (out, pixel) in self.sums.iter_mut().zip(above) {
                    *out = 2 * spread(*pixel);
                }
            }
        }
        let pairs = self.sums.as_chunks().0;
        for (out, [left, right]) in self.pair_sums.iter_mut().zip(pairs) {
            *out = left + right;
        }
    }

    fn mix_chroma(&mut self, which: usize) {
        let mix = &self.chroma[which];
        let row = &mut self.chroma_rows[which];
        for (out, sum) in row.iter_mut().zip(&self.pair_sums) {
            *out = mix.of(*sum);
        }
    }

    /// A row of the plane, from the one or two rows of the picture that share it.
    fn draw(&mut self, row: &mut [u8], lanes: &Lanes, above: &[u32], below: Option<&[u32]>) {
        match lanes.bytes {
            [(Lane::Luma, _)] => {
                self.mix_luma(above);
                row.copy_from_slice(&self.luma_row[..row.len()]);
            }
            [(Lane::Cb, _)] => {
                self.add_up(above, below);
                self.mix_chroma(0);
                row.copy_from_slice(&self.chroma_rows[0]);
            }
            [(Lane::Cr, _)] => {
                self.add_up(above, below);
                self.mix_chroma(1);
                row.copy_from_slice(&self.chroma_rows[1]);
            }
            [_, _] => {
                self.add_up(above, below);
                self.mix_chroma(0);
                self.mix_chroma(1);
                let [cb, cr] = &self.chroma_rows;
                let groups = row.as_chunks_mut().0.iter_mut();
                for (group, (cb, cr)) in groups.zip(cb.iter().zip(cr)) {
                    *group = [*cb, *cr];
                }
            }
            _ => {
                self.mix_luma(above);
                self.add_up(above, below);
                self.mix_chroma(0);
                self.mix_chroma(1);
                let [cb, cr] = &self.chroma_rows;
                let luma_first = lanes.bytes[0].0 == Lane::Luma;
                let groups = row.as_chunks_mut().0.iter_mut();
                let luma = self.luma_row.as_chunks().0;
                for ((group, [left, right]), (cb, cr)) in groups.zip(luma).zip(cb.iter().zip(cr)) {
                    *group = if luma_first {
                        [*left, *cb, *right, *cr]
                    } else {
                        [*cb, *left, *cr, *right]
                    };
                }
            }
        }
    }
}

impl Paint for Noise {
    fn paint(&self, number: u64, view: &mut ViewMut<'_>) {
        let Canvas {
            width,
            height,
            planes,
        } = &self.canvas;
        // An odd width is filled up to whole groups with the last pixel.
        let mut above = vec![0; width.next_multiple_of(2)];
        let mut below = above.clone();
        let mut mixer = Mixer::new(&self.colours, above.len());
        let fetch = |y: usize, pixels: &mut [u32]| {
            random_row(number, y, &mut pixels[..*width]);
            pixels[pixels.len() - 1] = pixels[*width - 1];
        };
        for (plane, (size, lanes)) in view.planes_mut().iter_mut().zip(planes) {
            for y in 0..size.rows {
                let start = y * plane.pitch;
                let row = &mut plane.data[start..start + size.row_bytes];
                let y = y * lanes.down;
                fetch(y, &mut above);
                match (lanes.bytes[0].0, lanes.bytes.len()) {
                    (Lane::Red, 3) => packed::<3>(row, &above, false),
                    (Lane::Blue, 3) => packed::<3>(row, &above, true),
                    (Lane::Red, _) => packed::<4>(row, &above, false),
                    (Lane::Blue, _) => packed::<4>(row, &above, true),
                    _ if lanes.down == 2 => {
                        fetch((y + 1).min(height - 1), &mut below);
                        mixer.draw(row, lanes, &above, Some(&below));
                    }
                    _ => mixer.draw(row, lanes, &above, None),
                }
            }
        }
    }
}

/// The noise on a card.
pub struct CardNoise(NoisePainter);

impl CardNoise {
    pub fn new(info: &VideoInfo, gpu: Gpu) -> Result<Self, CudaError> {
        let Noise { canvas, colours } = Noise::new(info);
        let [cb, cr] = chroma_mixes(&colours);
        let mixes = [luma_mix(&colours), cb, cr].map(|Mix(mix)| mix);
        let jump = |state, steps| (0..steps).fold(state, |state, _| xorshift(state));
        let size = (canvas.width, canvas.height);
        let painter = NoisePainter::new(gpu, info.format(), size, mixes, jump)?;
        Ok(Self(painter))
    }
}

impl CardPaint for CardNoise {
    fn paint(
        &self,
        number: u64,
        view: &mut CardViewMut<'_>,
        stream: &Stream,
    ) -> Result<(), CudaError> {
        self.0.paint(frame_seed(number), view, stream)
    }
}
