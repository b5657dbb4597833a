// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `gradient`, at the speed of memory: every byte is a part that depends on its column plus a part
//! that depends on its row, in every format.

use gst_video::VideoInfo;

use super::Canvas;
use super::colour::{Colours, Weights};
use super::rows;
use crate::frame::ViewMut;
use crate::frame::lanes::Lanes;
use crate::inject::source::{CardPaint, Paint};
use crate::mem::cuda::kernels::pattern::{GROUP, GradientPainter, Parts};
use crate::mem::cuda::{CardViewMut, CudaError, Gpu, Stream};

const BLUE: f64 = 128.0;
/// Both parts are in 1/256.
const ONE: f64 = 256.0;
/// Bytes added at a time: a whole number of groups of every format, and of vector registers.
const BLOCK: usize = 48;
/// Frames after which the picture is the same again: each moves by 5 of 255.
const PERIOD: u64 = 51;

pub struct Gradient {
    canvas: Canvas,
    colours: Colours,
    columns: Vec<u8>,
    rows: Vec<u8>,
}

/// What `numpy.linspace(0, 255, count).astype(numpy.uint8)` gives, rounding errors included.
pub fn linspace(count: usize) -> Vec<u8> {
    let step = 255.0 / count.saturating_sub(1).max(1) as f64;
    (0..count)
        .map(|i| match i {
            0 => 0,
            i if i + 1 == count => 255,
            i => (i as f64 * step) as u8,
        })
        .collect()
}

/// `steps`, moved on to a frame.
fn moved(steps: &[u8], number: u64) -> Vec<u16> {
    let offset = 5 * (number % PERIOD) as u16;
    steps
        .iter()
        .map(|step| (u16::from(*step) + offset) % 255)
        .collect()
}

/// The mean over the `span` values from `at` on; the last counts for those beyond it.
fn mean(values: &[u16], at: usize, span: usize) -> f64 {
    let last = values.len() - 1;
    let sum: u16 = (at..at + span).map(|i| values[i.min(last)]).sum();
    f64::from(sum) / span as f64
}

/// Parts may be negative; their sum is not, so that it comes out right modulo 2^16.
fn fixed(value: f64) -> u16 {
    (value * ONE).round() as i32 as u16
}

impl Gradient {
    pub fn new(info: &VideoInfo) -> Self {
        let canvas = Canvas::new(info);
        Self {
            columns: linspace(canvas.width),
            rows: linspace(canvas.height),
            colours: Colours::of(info),
            canvas,
        }
    }

    fn weights(&self, lanes: &Lanes) -> Vec<Weights> {
        let bytes = lanes.bytes.iter();
        bytes
            .map(|(lane, _)| self.colours.weights(*lane))
            .collect()
    }

    /// What the bytes of a plane are the sums of.
    fn parts(&self, plane: usize, number: u64) -> Parts {
        let (size, lanes) = self.canvas.planes[plane];
        let weights = self.weights(lanes);
        let red = moved(&self.columns, number);
        let green = moved(&self.rows, number);
        let row = |y: usize| {
            let parts = row_parts(&weights, mean(&green, y * lanes.down, lanes.down));
            std::array::from_fn::<_, GROUP, _>(|byte| parts[byte])
        };
        Parts {
            columns: column_parts(lanes, &weights, &red, size.row_bytes),
            rows: (0..size.rows).map(row).collect(),
        }
    }
}

fn column_parts(lanes: &Lanes, weights: &[Weights], red: &[u16], row_bytes: usize) -> Vec<u16> {
    let mut parts = vec![0; row_bytes];
    for (byte, ((lane, dx), weights)) in lanes.bytes.iter().zip(weights).enumerate() {
        let weight = weights.rgb[0];
        if weight == 0.0 {
            continue;
        }
        let span = if lane.is_chroma() { lanes.across } else { 1 };
        let groups = parts[byte..].iter_mut().step_by(lanes.bytes.len());
        for (group, part) in groups.enumerate() {
            *part = fixed(weight * mean(red, group * lanes.across + dx, span));
        }
    }
    parts
}

fn row_parts(weights: &[Weights], green: f64) -> [u16; BLOCK] {
    let mut parts = [0; BLOCK];
    for (byte, Weights { rgb, offset }) in weights.iter().enumerate() {
        // Half a level makes the later truncation round.
        let part = fixed(rgb[1] * green + rgb[2] * BLUE + offset + 0.5);
        for slot in parts[byte..].iter_mut().step_by(weights.len()) {
            *slot = part;
        }
    }
    parts
}

fn add(out: &mut [u8], columns: &[u16], row: &[u16; BLOCK]) {
    let sum = |out: &mut u8, column: &u16, row: &u16| {
        *out = (column.wrapping_add(*row) >> 8) as u8;
    };
    let (blocks, rest) = out.as_chunks_mut::<BLOCK>();
    let (column_blocks, column_rest) = columns.as_chunks::<BLOCK>();
    for (out, columns) in blocks.iter_mut().zip(column_blocks) {
        for i in 0..BLOCK {
            sum(&mut out[i], &columns[i], &row[i]);
        }
    }
    for ((out, column), row) in rest.iter_mut().zip(column_rest).zip(row) {
        sum(out, column, row);
    }
}

impl Paint for Gradient {
    fn paint(&self, number: u64, view: &mut ViewMut<'_>) {
        let red = moved(&self.columns, number);
        let green = moved(&self.rows, number);
        for (plane, (size, lanes)) in view.planes_mut().iter_mut().zip(&self.canvas.planes) {
            let weights = self.weights(lanes);
            let columns = column_parts(lanes, &weights, &red, size.row_bytes);
            let green = |y: usize| mean(&green, y * lanes.down, lanes.down);
            rows::fill(plane, *size, green, |y, row| {
                add(row, &columns, &row_parts(&weights, green(y)));
            });
        }
    }
}

/// The gradient on a card, which has the parts of all frames.
pub struct CardGradient(GradientPainter);

impl CardGradient {
    pub fn new(info: &VideoInfo, gpu: Gpu) -> Result<Self, CudaError> {
        let gradient = Gradient::new(info);
        let size = (gradient.canvas.width, gradient.canvas.height);
        let parts = |plane, phase| gradient.parts(plane, phase as u64);
        let painter = GradientPainter::new(gpu, info.format(), size, PERIOD as usize, parts)?;
        Ok(Self(painter))
    }
}

impl CardPaint for CardGradient {
    fn paint(
        &self,
        number: u64,
        view: &mut CardViewMut<'_>,
        stream: &Stream,
    ) -> Result<(), CudaError> {
        self.0.paint((number % PERIOD) as usize, view, stream)
    }
}
