// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The frame code: black and white cells in the top left corner that spell which frame of which
//! stream this is, so that a picture can be told wherever it ends up.
//!
//! 16 columns by 4 rows of cells cover a quarter of the width and a ninth of the height, whatever
//! the size, so that the code scales with the picture. The outer columns are markers, white and
//! black in turn; between them, row by row from the left and the highest bit first, lie 16 bits of
//! stream, 32 bits of frame number and a CRC-8 of both. White is 1.

use super::lanes::{Lane, Lanes, lanes};
use super::{View, ViewMut};
use crate::mem::cuda::kernels::pattern::{CodeCells, frame_code};
use crate::mem::cuda::{CardViewMut, CudaError, Stream};

/// The smallest picture that a code is drawn into: cells of 2 by 2 pixels, which 4:2:0 and halving
/// leave intact.
pub const MIN_WIDTH: usize = 128;
pub const MIN_HEIGHT: usize = 72;

const COLUMNS: usize = 16;
const ROWS: usize = 4;
/// Cells that would fit across and down the whole picture.
const ACROSS: usize = 64;
const DOWN: usize = 36;
/// Data bits in a row of cells: all but the markers.
const ROW_BITS: usize = COLUMNS - 2;
const BITS: usize = ROWS * ROW_BITS;
/// Less than this between the markers' black and white is not a code.
const MIN_CONTRAST: f32 = 64.0;
const NEUTRAL: u8 = 128;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a frame code needs {MIN_WIDTH}x{MIN_HEIGHT} pixels at least, and the picture has {width}x{height}"
)]
pub struct TooSmall {
    pub width: usize,
    pub height: usize,
}

type Cells = [[bool; COLUMNS]; ROWS];

fn crc8(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0xff, |crc, byte| {
        (0..8).fold(crc ^ byte, |crc, _| {
            (crc << 1) ^ if crc & 0x80 != 0 { 0x07 } else { 0 }
        })
    })
}

fn payload(stream: u16, frame: u32) -> u64 {
    (u64::from(stream) << 32) | u64::from(frame)
}

fn checksum(payload: u64) -> u8 {
    crc8(&payload.to_be_bytes()[2..])
}

/// The markers of a row: left, right.
fn markers(row: usize) -> (bool, bool) {
    (row.is_multiple_of(2), !row.is_multiple_of(2))
}

fn encode(stream: u16, frame: u32) -> Cells {
    let payload = payload(stream, frame);
    let message = (payload << 8) | u64::from(checksum(payload));
    std::array::from_fn(|row| {
        let (left, right) = markers(row);
        std::array::from_fn(|column| match column {
            0 => left,
            column if column == COLUMNS - 1 => right,
            column => (message >> (BITS - row * ROW_BITS - column)) & 1 == 1,
        })
    })
}

fn decode(cells: &Cells) -> Option<(u16, u32)> {
    let mut message = 0u64;
    for (row, cells) in cells.iter().enumerate() {
        if (cells[0], cells[COLUMNS - 1]) != markers(row) {
            return None;
        }
        for bit in &cells[1..COLUMNS - 1] {
            message = (message << 1) | u64::from(*bit);
        }
    }
    let payload = message >> 8;
    (checksum(payload) == message as u8).then_some(((payload >> 32) as u16, payload as u32))
}

fn levels(full_range: bool) -> (u8, u8) {
    if full_range { (0, 255) } else { (16, 235) }
}

/// The first column and row beyond the code.
fn corner(width: usize, height: usize) -> (usize, usize) {
    (COLUMNS * width / ACROSS, ROWS * height / DOWN)
}

/// Draws the code. `full_range` is the range of the picture's colorimetry: black and white are 0
/// and 255 with it, 16 and 235 without.
pub fn draw(
    view: &mut ViewMut<'_>,
    full_range: bool,
    stream: u16,
    frame: u32,
) -> Result<(), TooSmall> {
    let (width, height) = (view.width(), view.height());
    if width < MIN_WIDTH || height < MIN_HEIGHT {
        return Err(TooSmall { width, height });
    }
    let cells = encode(stream, frame);
    let (black, white) = levels(full_range);
    let (right, bottom) = corner(width, height);
    let level = |row: usize, x: usize| {
        let column = (0..COLUMNS)
            .find(|column| x < (column + 1) * width / ACROSS)
            .unwrap_or(COLUMNS - 1);
        if cells[row][column] { white } else { black }
    };
    let byte = |lane: Lane, row: usize, x: usize| match lane {
        Lane::Cb | Lane::Cr => NEUTRAL,
        Lane::Opaque => 255,
        Lane::Red | Lane::Green | Lane::Blue | Lane::Luma => level(row, x),
    };

    let layouts = lanes(view.format());
    for (plane, layout) in view.planes_mut().iter_mut().zip(layouts) {
        let Lanes {
            bytes,
            across,
            down,
        } = *layout;
        let group = |row: usize, k: usize| {
            bytes
                .iter()
                .map(move |(lane, dx)| (*lane, k * across + dx))
                .map(move |(lane, x)| (lane, x, byte(lane, row, x)))
        };
        let whole = right / across;
        let mut above = 0;
        let mut drawn: Vec<u8> = Vec::new();
        for y in 0..bottom.div_ceil(down) {
            let row = (0..ROWS)
                .find(|row| y * down < (row + 1) * height / DOWN)
                .unwrap_or(ROWS - 1);
            if drawn.is_empty() || row != above {
                drawn.clear();
                drawn.extend(
                    (0..whole)
                        .flat_map(|k| group(row, k))
                        .map(|(.., byte)| byte),
                );
                above = row;
            }
            let start = y * plane.pitch;
            let target = &mut plane.data[start..];
            target[..drawn.len()].copy_from_slice(&drawn);
            // Pixels that share their chroma with the last column of the code keep their luma.
            if !right.is_multiple_of(across) {
                let target = &mut target[drawn.len()..];
                for (target, (lane, x, byte)) in target.iter_mut().zip(group(row, whole)) {
                    if lane.is_chroma() || x < right {
                        *target = byte;
                    }
                }
            }
        }
    }
    Ok(())
}

/// Why there is no code on a card.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CardError {
    #[error(transparent)]
    TooSmall(#[from] TooSmall),
    #[error(transparent)]
    Cuda(#[from] CudaError),
}

/// Queues what [`draw`] does.
pub fn draw_on_card(
    view: &mut CardViewMut<'_>,
    full_range: bool,
    stream_number: u16,
    frame: u32,
    stream: &Stream,
) -> Result<(), CardError> {
    let (width, height) = (view.width(), view.height());
    if width < MIN_WIDTH || height < MIN_HEIGHT {
        return Err(TooSmall { width, height }.into());
    }
    let cells = encode(stream_number, frame);
    let bits = cells.as_flattened().iter().enumerate();
    let (right, bottom) = corner(width, height);
    let (black, white) = levels(full_range);
    let code = CodeCells {
        cells: bits.fold(0, |bits, (at, cell)| bits | u64::from(*cell) << at),
        right,
        bottom,
        black,
        white,
    };
    Ok(frame_code(&code, view, stream)?)
}

/// Reads the stream and the frame number, if there is a code in the picture.
pub fn read(view: &View<'_>) -> Option<(u16, u32)> {
    let (width, height) = (view.width(), view.height());
    if width < ACROSS || height < DOWN {
        return None;
    }
    let brightness = Brightness::of(view)?;
    let columns: [Vec<(usize, f32)>; COLUMNS] =
        std::array::from_fn(|column| middle(column, width, ACROSS));
    let levels: [[f32; COLUMNS]; ROWS] = std::array::from_fn(|row| {
        let rows = middle(row, height, DOWN);
        std::array::from_fn(|column| {
            let mut level = 0.0;
            for (y, down) in &rows {
                for (x, across) in &columns[column] {
                    level += down * across * brightness.at(*x, *y);
                }
            }
            level
        })
    });

    let (mut black, mut white) = (0.0, 0.0);
    for (row, levels) in levels.iter().enumerate() {
        let (left, right) = (levels[0], levels[COLUMNS - 1]);
        let (bright, dark) = if markers(row).0 {
            (left, right)
        } else {
            (right, left)
        };
        white += bright / ROWS as f32;
        black += dark / ROWS as f32;
    }
    if white - black < MIN_CONTRAST {
        return None;
    }
    let threshold = (white + black) / 2.0;
    decode(&levels.map(|row| row.map(|level| level > threshold)))
}

/// The pixels in the middle half of a cell, each with its share.
fn middle(cell: usize, size: usize, cells: usize) -> Vec<(usize, f32)> {
    let cell_size = size as f32 / cells as f32;
    let from = (cell as f32 + 0.25) * cell_size;
    let to = (cell as f32 + 0.75) * cell_size;
    (from as usize..=(to as usize).min(size - 1))
        .map(|pixel| {
            let covered = to.min(pixel as f32 + 1.0) - from.max(pixel as f32);
            (pixel, covered.max(0.0) / (to - from))
        })
        .collect()
}

/// How bright single pixels are, in any format.
struct Brightness<'a> {
    data: &'a [u8],
    pitch: usize,
    layout: &'static Lanes,
    /// The bytes that make up each pixel of a group.
    bytes: Vec<Vec<usize>>,
}

impl<'a> Brightness<'a> {
    fn of(view: &View<'a>) -> Option<Self> {
        let layout = lanes(view.format()).first()?;
        let plane = view.planes().first()?;
        let bytes = (0..layout.across)
            .map(|pixel| {
                (0..layout.bytes.len())
                    .filter(|byte| {
                        let (lane, dx) = layout.bytes[*byte];
                        dx == pixel && !lane.is_chroma() && lane != Lane::Opaque
                    })
                    .collect()
            })
            .collect();
        Some(Self {
            data: plane.data,
            pitch: plane.pitch,
            layout,
            bytes,
        })
    }

    fn at(&self, x: usize, y: usize) -> f32 {
        let across = self.layout.across;
        let group = y * self.pitch + x / across * self.layout.bytes.len();
        let bytes = &self.bytes[x % across];
        let sum: u32 = bytes.iter().map(|b| u32::from(self.data[group + b])).sum();
        sum as f32 / bytes.len() as f32
    }
}

#[cfg(test)]
mod tests;
