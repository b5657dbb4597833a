// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! NumPy's array files: pixels behind a short header, no loss and no work.

use std::io::{Cursor, Read};

use gst_video::VideoFormat;
use npyz::{DType, NpyHeader, Order, TypeChar, WriterBuilder};

use super::CodecError;
use crate::frame::View;

/// NumPy itself reads no header longer than this without being told to.
const MAX_HEADER: usize = 10_000;
/// A tuple in a dictionary is two levels; the parser's stack is not for a file to fill.
const MAX_DEPTH: usize = 8;

#[derive(Debug, thiserror::Error)]
pub enum NpyError {
    #[error("not an npy file: {0}")]
    Header(#[from] std::io::Error),
    #[error("not an npy file: a header of {0} bytes")]
    LongHeader(usize),
    #[error("not an npy file: its header cannot be read")]
    Odd,
    #[error("elements of type {0}; only unsigned bytes ('|u1') are accepted")]
    Type(String),
    #[error("Fortran order; only C order is accepted")]
    Fortran,
    #[error(
        "shape {0:?}; accepted are (N,H,W,C) and (N,C,H,W) with 1, 3 or 4 channels, (N,H,W), (H,W,C) with 3 or 4 channels, and (H,W)"
    )]
    Shape(Vec<u64>),
    #[error("shape {0}: too large")]
    Huge(String),
}

/// A picture or a row of pictures in an npy file; their pixels follow the header at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NpyStack {
    pub frames: u64,
    pub height: usize,
    pub width: usize,
    /// 1, 3 or 4.
    pub channels: usize,
    /// Channels lie one after the other (N,C,H,W) and not pixel by pixel.
    pub planar: bool,
}

impl NpyStack {
    /// Bytes of one frame.
    pub fn frame_bytes(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// GRAY8, RGB or RGBA.
    pub fn format(&self) -> VideoFormat {
        match self.channels {
            1 => VideoFormat::Gray8,
            3 => VideoFormat::Rgb,
            _ => VideoFormat::Rgba,
        }
    }

    /// Reads a header; `from` is left at the first byte of the first frame.
    pub fn read(from: &mut impl Read) -> Result<Self, NpyError> {
        let header = read_header(from)?;
        let dtype = header.dtype();
        match &dtype {
            DType::Plain(kind) if kind.type_char() == TypeChar::Uint && kind.size_field() == 1 => {}
            _ => return Err(NpyError::Type(dtype.descr())),
        }
        if header.order() != Order::C {
            return Err(NpyError::Fortran);
        }
        Self::of_shape(header.shape())
    }

    fn of_shape(shape: &[u64]) -> Result<Self, NpyError> {
        let (frames, height, width, channels, planar) = match *shape {
            [n, h, w, c @ (1 | 3 | 4)] => (n, h, w, c, false),
            [n, c @ (1 | 3 | 4), h, w] => (n, h, w, c, true),
            [h, w, c @ (3 | 4)] => (1, h, w, c, false),
            [n, h, w] => (n, h, w, 1, false),
            [h, w] => (1, h, w, 1, false),
            _ => return Err(NpyError::Shape(shape.to_vec())),
        };
        if height == 0 || width == 0 {
            return Err(NpyError::Shape(shape.to_vec()));
        }
        let huge = || NpyError::Huge(format!("{shape:?}"));
        let side = |value: u64| u32::try_from(value).map_err(|_| huge());
        let (height, width) = (side(height)? as usize, side(width)? as usize);
        let channels = channels as usize;
        height
            .checked_mul(width)
            .and_then(|pixels| pixels.checked_mul(channels))
            .filter(|bytes| *bytes <= super::MAX_DECODED)
            .ok_or_else(huge)?;
        Ok(Self {
            frames,
            height,
            width,
            channels,
            // One channel lies the same either way.
            planar: planar && channels > 1,
        })
    }
}

fn read_header(from: &mut impl Read) -> Result<NpyHeader, NpyError> {
    // Read here and handed over whole: the parser neither bounds a header nor multiplies with care.
    let mut start = [0; 10];
    from.read_exact(&mut start)?;
    let (magic, major, low) = (&start[..6], start[6], [start[8], start[9]]);
    if magic != b"\x93NUMPY" || !(1..=3).contains(&major) {
        return Err(NpyError::Odd);
    }
    let mut length = usize::from(u16::from_le_bytes(low));
    if major >= 2 {
        let mut high = [0; 2];
        from.read_exact(&mut high)?;
        length |= usize::from(u16::from_le_bytes(high)) << 16;
    }
    if length > MAX_HEADER {
        return Err(NpyError::LongHeader(length));
    }
    let mut text = vec![0; length];
    from.read_exact(&mut text)?;
    let text = &text[..];
    let opening = text.iter().filter(|b| b"([{".contains(b)).count();
    if opening > MAX_DEPTH {
        return Err(NpyError::Odd);
    }
    let numbers = text
        .split(|b| !b.is_ascii_digit())
        .filter(|n| !n.is_empty());
    let product = numbers.into_iter().try_fold(1u64, |product, digits| {
        let number: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
        product.checked_mul(number.max(1))
    });
    if product.is_none() {
        return Err(NpyError::Huge(
            String::from_utf8_lossy(text).trim().to_owned(),
        ));
    }
    // The parser insists on a byte order, of which a byte has none.
    let text = String::from_utf8_lossy(text)
        .replace("'u1'", "'|u1'")
        .replace("\"u1\"", "'|u1'");
    let mut plain = b"\x93NUMPY\x02\x00".to_vec();
    plain.extend((text.len() as u32).to_le_bytes());
    plain.extend(text.as_bytes());
    Ok(NpyHeader::from_reader(Cursor::new(plain))?)
}

/// Replaces `out` by an npy file of an RGB (H,W,3), RGBA (H,W,4) or GRAY8 (H,W) picture.
pub fn encode(picture: &View<'_>, out: &mut Vec<u8>) -> Result<(), CodecError> {
    let (height, width) = (picture.height() as u64, picture.width() as u64);
    let shape: &[u64] = match picture.format() {
        VideoFormat::Rgb => &[height, width, 3],
        VideoFormat::Rgba => &[height, width, 4],
        VideoFormat::Gray8 => &[height, width],
        format => {
            return Err(CodecError::Format {
                format,
                encoding: "npy",
            });
        }
    };
    out.clear();
    npyz::WriteOptions::<u8>::new()
        .default_dtype()
        .shape(shape)
        .writer(&mut *out)
        .write_header_only()
        .map_err(NpyError::from)?;
    picture.append_tight(out);
    Ok(())
}

/// A frame whose channels lie one after the other, pixel by pixel.
///
/// # Panics
/// If the two differ in length.
pub fn planar_to_packed(planar: &[u8], channels: usize, packed: &mut [u8]) {
    assert_eq!(planar.len(), packed.len());
    let pixels = planar.len() / channels.max(1);
    match channels {
        3 => {
            let (r, rest) = planar.split_at(pixels);
            let (g, b) = rest.split_at(pixels);
            let samples = r.iter().zip(g).zip(b);
            for (pixel, ((&r, &g), &b)) in packed.chunks_exact_mut(3).zip(samples) {
                pixel.copy_from_slice(&[r, g, b]);
            }
        }
        4 => {
            let (rg, ba) = planar.split_at(2 * pixels);
            let ((r, g), (b, a)) = (rg.split_at(pixels), ba.split_at(pixels));
            let samples = r.iter().zip(g).zip(b).zip(a);
            for (pixel, (((&r, &g), &b), &a)) in packed.chunks_exact_mut(4).zip(samples) {
                pixel.copy_from_slice(&[r, g, b, a]);
            }
        }
        _ => packed.copy_from_slice(planar),
    }
}

#[cfg(test)]
#[path = "npy_tests.rs"]
mod tests;
