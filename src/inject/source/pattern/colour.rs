// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Colours in the target's own terms: its matrix and its range.

use gst_video::{VideoColorRange, VideoInfo};

use crate::frame::lanes::Lane;

/// From RGB to the bytes of a picture.
#[derive(Debug, Clone, Copy)]
pub struct Colours {
    kr: f64,
    kb: f64,
    luma_scale: f64,
    luma_offset: f64,
    chroma_scale: f64,
}

/// A byte as a sum: weights of red, green and blue, and what is added to them.
#[derive(Debug, Clone, Copy)]
pub struct Weights {
    pub rgb: [f64; 3],
    pub offset: f64,
}

/// One colour: the byte of every lane.
pub type Shade = [u8; Lane::COUNT];

const LANES: [Lane; Lane::COUNT] = [
    Lane::Red,
    Lane::Green,
    Lane::Blue,
    Lane::Opaque,
    Lane::Luma,
    Lane::Cb,
    Lane::Cr,
];

impl Colours {
    pub fn of(info: &VideoInfo) -> Self {
        let colorimetry = info.colorimetry();
        // Gray has no matrix to speak of, and caps may leave it out: BT.601 then.
        let (kr, kb) = colorimetry.matrix().kr_kb().unwrap_or((0.299, 0.114));
        let full = colorimetry.range() == VideoColorRange::Range0_255;
        let (luma_scale, luma_offset, chroma_scale) = if full {
            (1.0, 0.0, 1.0)
        } else {
            (219.0 / 255.0, 16.0, 224.0 / 255.0)
        };
        Self {
            kr,
            kb,
            luma_scale,
            luma_offset,
            chroma_scale,
        }
    }

    pub fn weights(&self, lane: Lane) -> Weights {
        let &Self { kr, kb, .. } = self;
        let kg = 1.0 - kr - kb;
        let scaled = |[r, g, b]: [f64; 3], scale: f64, offset| Weights {
            rgb: [r * scale, g * scale, b * scale],
            offset,
        };
        match lane {
            Lane::Red => scaled([1.0, 0.0, 0.0], 1.0, 0.0),
            Lane::Green => scaled([0.0, 1.0, 0.0], 1.0, 0.0),
            Lane::Blue => scaled([0.0, 0.0, 1.0], 1.0, 0.0),
            Lane::Opaque => scaled([0.0, 0.0, 0.0], 1.0, 255.0),
            Lane::Luma => scaled([kr, kg, kb], self.luma_scale, self.luma_offset),
            Lane::Cb => scaled(
                [-kr, -kg, 1.0 - kb],
                self.chroma_scale / (2.0 * (1.0 - kb)),
                128.0,
            ),
            Lane::Cr => scaled(
                [1.0 - kr, -kg, -kb],
                self.chroma_scale / (2.0 * (1.0 - kr)),
                128.0,
            ),
        }
    }

    pub fn shade(&self, colour: [u8; 3]) -> Shade {
        LANES.map(|lane| {
            let Weights { rgb, offset } = self.weights(lane);
            let sum: f64 = rgb.iter().zip(colour).map(|(w, c)| w * f64::from(c)).sum();
            // Saturates: pure blue and red are half a level beyond 255 in full range chroma.
            (sum + offset).round() as u8
        })
    }
}
