// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The fields of a message: read with every check, written with their padding.

use super::{HEADER, MAGIC, MAX_TIME, VERSION, WireError};

/// A text and what it is padded to.
pub fn padded(bytes: usize) -> usize {
    bytes.next_multiple_of(8)
}

/// The beginning of a text that has `most` bytes at most, and whole characters.
pub fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

/// A packet that is read from its start to its end.
pub struct Packet<'a> {
    packet: &'a [u8],
    at: usize,
}

impl<'a> Packet<'a> {
    pub fn new(packet: &'a [u8]) -> Self {
        Self { packet, at: 0 }
    }

    /// The byte that is read next.
    pub fn at(&self) -> usize {
        self.at
    }

    fn left(&self) -> usize {
        self.packet.len() - self.at
    }

    fn slice(&mut self, what: &'static str, bytes: usize) -> Result<&'a [u8], WireError> {
        let at = self.at;
        let rest = self.packet.get(at..).unwrap_or_default();
        let taken = rest.get(..bytes).ok_or(WireError::Short { what, at })?;
        self.at += bytes;
        Ok(taken)
    }

    pub fn bytes<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], WireError> {
        let at = self.at;
        let bytes = self.slice(what, N)?;
        bytes.try_into().map_err(|_| WireError::Short { what, at })
    }

    pub fn u16(&mut self, what: &'static str) -> Result<u16, WireError> {
        self.bytes(what).map(u16::from_le_bytes)
    }

    pub fn u32(&mut self, what: &'static str) -> Result<u32, WireError> {
        self.bytes(what).map(u32::from_le_bytes)
    }

    pub fn u64(&mut self, what: &'static str) -> Result<u64, WireError> {
        self.bytes(what).map(u64::from_le_bytes)
    }

    /// `None` for the number that stands for it.
    pub fn u64_or_none(&mut self, what: &'static str) -> Result<Option<u64>, WireError> {
        Ok(Some(self.u64(what)?).filter(|value| *value != u64::MAX))
    }

    /// Likewise, in ns and of a time that all can count in.
    pub fn time(&mut self, what: &'static str) -> Result<Option<u64>, WireError> {
        let at = self.at;
        let time = self.u64_or_none(what)?;
        if let Some(time) = time {
            within(what, at, time, 0, MAX_TIME)?;
        }
        Ok(time)
    }

    pub fn u32_within(&mut self, what: &'static str, min: u32, max: u32) -> Result<u32, WireError> {
        let at = self.at;
        let value = self.u32(what)?;
        within(what, at, value.into(), min.into(), max.into())?;
        Ok(value)
    }

    pub fn u64_within(&mut self, what: &'static str, min: u64, max: u64) -> Result<u64, WireError> {
        let at = self.at;
        let value = self.u64(what)?;
        within(what, at, value, min, max)?;
        Ok(value)
    }

    pub fn u16_within(&mut self, what: &'static str, max: usize) -> Result<u32, WireError> {
        let at = self.at;
        let value = self.u16(what)?;
        within(what, at, value.into(), 0, max as u64)?;
        Ok(value.into())
    }

    /// A number, or what is to be 0 as there is none.
    pub fn optional(&mut self, what: &'static str, there: bool) -> Result<Option<u32>, WireError> {
        if there {
            return self.u32(what).map(Some);
        }
        self.zero(what)?;
        Ok(None)
    }

    pub fn finite(&mut self, what: &'static str) -> Result<f32, WireError> {
        let at = self.at;
        let value = self.bytes(what).map(f32::from_le_bytes)?;
        match value.is_finite() {
            true => Ok(value),
            false => Err(WireError::NotFinite { what, at }),
        }
    }

    pub fn optional_finite(
        &mut self,
        what: &'static str,
        there: bool,
    ) -> Result<Option<f32>, WireError> {
        if there {
            return self.finite(what).map(Some);
        }
        self.zero(what)?;
        Ok(None)
    }

    /// Flags of which only `known` may be set.
    pub fn flags(&mut self, what: &'static str, known: u32) -> Result<u32, WireError> {
        let at = self.at;
        let flags = self.u32(what)?;
        match flags & !known {
            0 => Ok(flags),
            bits => Err(WireError::Flags { what, at, bits }),
        }
    }

    pub fn zero(&mut self, what: &'static str) -> Result<(), WireError> {
        let at = self.at;
        match self.u32(what)? {
            0 => Ok(()),
            _ => Err(WireError::NotZero { what, at }),
        }
    }

    /// How many things follow, if so many that have `each` bytes at least can: what is allocated for
    /// them is bounded by the packet.
    pub fn fitting(&self, what: &'static str, count: u32, each: usize) -> Result<usize, WireError> {
        let count = count as usize;
        match count.checked_mul(each) {
            Some(bytes) if bytes <= self.left() => Ok(count),
            _ => Err(WireError::Short { what, at: self.at }),
        }
    }

    /// A text of which the length is known, and its padding.
    pub fn text(&mut self, what: &'static str, bytes: u32) -> Result<&'a str, WireError> {
        let at = self.at;
        let bytes = bytes as usize;
        let text = self.slice(what, bytes)?;
        let padding_at = self.at;
        let padding = self.slice("padding", padded(bytes) - bytes)?;
        if let Some(place) = padding.iter().position(|byte| *byte != 0) {
            let at = padding_at + place;
            return Err(WireError::NotZero {
                what: "padding",
                at,
            });
        }
        std::str::from_utf8(text).map_err(|_| WireError::Text { what, at })
    }

    /// A name in a field of a fixed size, with zeros after it.
    pub fn name<const N: usize>(&mut self, what: &'static str) -> Result<String, WireError> {
        let at = self.at;
        let field: [u8; N] = self.bytes(what)?;
        let end = field.iter().position(|byte| *byte == 0).unwrap_or(N);
        let (name, rest) = field.split_at(end);
        if !name.iter().all(u8::is_ascii_graphic) || rest.iter().any(|byte| *byte != 0) {
            return Err(WireError::Name { what, at });
        }
        Ok(name.iter().copied().map(char::from).collect())
    }

    pub fn end(&self) -> Result<(), WireError> {
        match self.left() {
            0 => Ok(()),
            bytes => Err(WireError::Rest { at: self.at, bytes }),
        }
    }
}

fn within(what: &'static str, at: usize, value: u64, min: u64, max: u64) -> Result<(), WireError> {
    match (min..=max).contains(&value) {
        true => Ok(()),
        false => Err(WireError::Value {
            what,
            at,
            value,
            min,
            max,
        }),
    }
}

/// A packet that is written.
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Writer<'a> {
    /// Begins with the header, in place of what was in `out`.
    pub fn new(out: &'a mut Vec<u8>, kind: u16) -> Self {
        out.clear();
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&kind.to_le_bytes());
        // The length, which `end` knows, and the flags.
        out.extend_from_slice(&[0; 8]);
        Self { out }
    }

    pub fn len(&self) -> usize {
        self.out.len()
    }

    pub fn bytes(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    pub fn u16(&mut self, value: u16) {
        self.bytes(&value.to_le_bytes());
    }

    pub fn u32(&mut self, value: u32) {
        self.bytes(&value.to_le_bytes());
    }

    pub fn u64(&mut self, value: u64) {
        self.bytes(&value.to_le_bytes());
    }

    pub fn f32(&mut self, value: f32) {
        self.bytes(&value.to_le_bytes());
    }

    pub fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
        self.zeros(padded(text.len()) - text.len());
    }

    /// A name in a field of `size` bytes, cut if it is longer.
    pub fn name(&mut self, name: &str, size: usize) {
        let name = cut(name, size);
        self.bytes(name.as_bytes());
        self.zeros(size - name.len());
    }

    fn zeros(&mut self, bytes: usize) {
        self.out.resize(self.out.len() + bytes, 0);
    }

    /// Replaces the number at `at`, which was written before.
    pub fn set_u32(&mut self, at: usize, value: u32) {
        if let Some(field) = self.out.get_mut(at..at + size_of::<u32>()) {
            field.copy_from_slice(&value.to_le_bytes());
        }
    }

    pub fn end(mut self) {
        let length = self.out.len() - HEADER;
        self.set_u32(8, length as u32);
    }
}
