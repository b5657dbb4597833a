// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `kernels/annotate.cu`: rectangles drawn over a picture.

#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::ffi::CStr;

use gst_video::VideoFormat;

use super::{Kernel, KernelArgs, PictureArg, Source, source};
use crate::frame::ViewError;
use crate::frame::paint::Rect;
use crate::mem::cuda::staging::Staging;
use crate::mem::cuda::{CardViewMut, CudaError, Gpu, Stream};

/// Threads of a block.
const BLOCK: (u32, u32) = (32, 8);
/// Pixels of a tile, each way.
const TILE: u32 = 32;
/// What a few boxes with their labels come to.
const USUAL: usize = 64 << 10;

/// `Rect` of the source.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct RectArg {
    left: u32,
    top: u32,
    right: u32,
    bottom: u32,
    rgb: u32,
    pad: u32,
}

/// `Tile` of the source.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct TileArg {
    left: u32,
    top: u32,
    first: u32,
    count: u32,
}

#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct AnnotateArgs {
    picture: PictureArg,
    rects: u64,
    tiles: u64,
    order: u64,
    tile_count: u32,
    pad: u32,
}

const _: () = assert!(size_of::<RectArg>() == 24 && size_of::<TileArg>() == 16);
const _: () = assert!(size_of::<AnnotateArgs>() == 96);

// SAFETY: laid out as `AnnotateArgs` of the source.
unsafe impl KernelArgs for AnnotateArgs {
    const SOURCE: Source = source!("annotate");
    const NAME: &'static CStr = c"annotate";
}

impl From<&Rect> for RectArg {
    fn from(rect: &Rect) -> Self {
        let [red, green, blue] = rect.rgb;
        Self {
            left: rect.left,
            top: rect.top,
            right: rect.right,
            bottom: rect.bottom,
            rgb: u32::from_le_bytes([red, green, blue, 0]),
            pad: 0,
        }
    }
}

impl RectArg {
    fn words(&self) -> [u32; 6] {
        let Self {
            left,
            top,
            right,
            bottom,
            rgb,
            pad,
        } = *self;
        [left, top, right, bottom, rgb, pad]
    }
}

impl TileArg {
    fn words(&self) -> [u32; 4] {
        [self.left, self.top, self.first, self.count]
    }
}

/// The tiles of a picture that anything is drawn in, and for each of them the rectangles that are,
/// in their order.
fn tiles(rects: &[Rect], (width, height): (u32, u32)) -> (Vec<TileArg>, Vec<u32>) {
    let mut by_tile: BTreeMap<(u32, u32), Vec<u32>> = BTreeMap::new();
    for (index, rect) in (0..).zip(rects) {
        let (right, bottom) = (rect.right.min(width), rect.bottom.min(height));
        if rect.left >= right || rect.top >= bottom {
            continue;
        }
        for y in rect.top / TILE..=(bottom - 1) / TILE {
            for x in rect.left / TILE..=(right - 1) / TILE {
                by_tile.entry((y, x)).or_default().push(index);
            }
        }
    }
    let mut order = Vec::new();
    let tiles = by_tile
        .into_iter()
        .map(|((y, x), indices)| {
            let first = order.len() as u32;
            order.extend(indices);
            TileArg {
                left: x * TILE,
                top: y * TILE,
                first,
                count: order.len() as u32 - first,
            }
        })
        .collect();
    (tiles, order)
}

/// Draws as [`paint`](crate::frame::paint::paint) does.
#[derive(Debug)]
pub struct Annotator {
    staging: Staging,
    kernel: Kernel<AnnotateArgs>,
}

impl Annotator {
    pub fn new(gpu: Gpu) -> Result<Self, CudaError> {
        Ok(Self {
            staging: Staging::new(gpu, USUAL)?,
            kernel: Kernel::load(gpu)?,
        })
    }

    /// Queues the drawing into a picture of packed RGB.
    pub fn paint(
        &self,
        rects: &[Rect],
        view: &mut CardViewMut<'_>,
        stream: &Stream,
    ) -> Result<(), CudaError> {
        let size = u32::try_from(view.width()).ok();
        let size = size.zip(u32::try_from(view.height()).ok());
        let Some(size) = size.filter(|_| view.format() == VideoFormat::Rgb) else {
            return Err(ViewError::Format(view.format()).into());
        };
        let (tiles, order) = tiles(rects, size);
        if tiles.is_empty() {
            return Ok(());
        }
        let rects_len = size_of::<RectArg>() * rects.len();
        let tiles_len = size_of::<TileArg>() * tiles.len();
        let order_len = size_of_val(order.as_slice());
        let fill = |bytes: &mut [u8]| {
            let rects = rects.iter().flat_map(|rect| RectArg::from(rect).words());
            let tiles = tiles.iter().flat_map(TileArg::words);
            let words = rects.chain(tiles).chain(order.iter().copied());
            for (to, word) in bytes.as_chunks_mut().0.iter_mut().zip(words) {
                *to = word.to_ne_bytes();
            }
        };
        let len = rects_len + tiles_len + order_len;
        self.staging.send(len, stream, fill, |sent| {
            let args = AnnotateArgs {
                picture: (&*view).into(),
                rects: sent.address(),
                tiles: sent.address() + rects_len as u64,
                order: sent.address() + (rects_len + tiles_len) as u64,
                tile_count: tiles.len() as u32,
                pad: 0,
            };
            let threads = (TILE as usize * tiles.len(), TILE as usize);
            // SAFETY: the kernel reads as many tiles as were sent, the parts of the order that they
            // name, and the rectangles that these name, all of which were sent too; it writes
            // within the checked picture of three bytes a pixel.
            unsafe { self.kernel.launch(stream, &args, threads, BLOCK) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rect(left: u32, top: u32, right: u32, bottom: u32) -> Rect {
        Rect {
            left,
            top,
            right,
            bottom,
            rgb: [1, 2, 3],
        }
    }

    #[test]
    fn only_tiles_that_are_drawn_in_are_listed() {
        let rects = [
            rect(0, 0, 33, 1),
            rect(5, 5, 5, 9),
            rect(31, 0, 32, 1000),
            rect(200, 0, 300, 10),
        ];
        let (tiles, order) = tiles(&rects, (100, 40));
        let tile = |left, top, first, count| TileArg {
            left,
            top,
            first,
            count,
        };
        assert_eq!(
            tiles,
            [tile(0, 0, 0, 2), tile(32, 0, 2, 1), tile(0, 32, 3, 1)]
        );
        assert_eq!(order, [0, 2, 0, 2]);
    }

    #[test]
    fn red_is_lowest() {
        assert_eq!(RectArg::from(&rect(0, 0, 1, 1)).rgb, 0x03_0201);
    }
}
