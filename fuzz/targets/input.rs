// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Values out of the bytes of a fuzzer. When these end, all that follows is zero.

use gstdsframe::meta::{Bounds, ClassLabel, Classifier, Detection};

pub struct Input<'a>(&'a [u8]);

/// What is met at the borders of everything.
const FLOATS: [f32; 16] = [
    0.0,
    -0.0,
    0.5,
    1.0,
    -1.0,
    1.5,
    639.5,
    640.0,
    1e6,
    1.000_1e6,
    65_535.0,
    f32::MIN_POSITIVE,
    f32::MAX,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::NAN,
];

impl<'a> Input<'a> {
    pub fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    /// The text before the first zero byte, and what is behind it.
    pub fn text_and_rest(data: &'a [u8]) -> (String, Self) {
        let end = data.iter().position(|byte| *byte == 0);
        let (text, rest) = data.split_at(end.unwrap_or(data.len()));
        let text = String::from_utf8_lossy(text).into_owned();
        (text, Self(rest.get(1..).unwrap_or_default()))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        let (now, later) = self.0.split_at(N.min(self.0.len()));
        bytes[..now.len()].copy_from_slice(now);
        self.0 = later;
        bytes
    }

    pub fn u8(&mut self) -> u8 {
        u8::from_le_bytes(self.array())
    }

    pub fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.array())
    }

    pub fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.array())
    }

    pub fn i32(&mut self) -> i32 {
        i32::from_le_bytes(self.array())
    }

    pub fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.array())
    }

    pub fn flag(&mut self) -> bool {
        self.u8() & 1 == 1
    }

    /// Less than `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        usize::from(self.u8()) % limit.max(1)
    }

    /// A special one, a small one or any.
    pub fn f32(&mut self) -> f32 {
        match self.u8() {
            n @ 0..16 => FLOATS[usize::from(n)],
            16..128 => f32::from(self.u16()) / 16.0,
            128..160 => -f32::from(self.u16()) / 16.0,
            _ => f32::from_le_bytes(self.array()),
        }
    }

    /// Up to so many bytes.
    pub fn bytes(&mut self, limit: usize) -> &'a [u8] {
        let len = self.below(limit + 1).min(self.0.len());
        let (bytes, later) = self.0.split_at(len);
        self.0 = later;
        bytes
    }

    pub fn text(&mut self, limit: usize) -> String {
        String::from_utf8_lossy(self.bytes(limit)).into_owned()
    }

    pub fn option<T>(&mut self, value: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.flag().then(|| value(self))
    }

    /// Up to so many, and none when the bytes have ended.
    pub fn list<T>(&mut self, limit: usize, mut value: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let count = self.below(limit + 1);
        let mut list = Vec::new();
        while list.len() < count && !self.is_empty() {
            list.push(value(self));
        }
        list
    }

    pub fn bounds(&mut self) -> Bounds {
        Bounds {
            left: self.f32(),
            top: self.f32(),
            width: self.f32(),
            height: self.f32(),
        }
    }

    pub fn detection(&mut self) -> Detection {
        Detection {
            bounds: self.bounds(),
            label: self.text(40).into(),
            class_id: self.option(Self::i32),
            component_id: self.option(|input| i32::from(input.u8())),
            confidence: self.option(Self::f32),
            track_id: self.option(Self::u64),
            parent: self.option(|input| usize::from(input.u8())),
            classifiers: self.list(2, |input| Classifier {
                component_id: input.option(Self::i32),
                kind: input.text(8).into(),
                labels: input.list(3, |input| ClassLabel {
                    label: input.text(8).into(),
                    class_id: input.option(Self::i32),
                    probability: input.option(Self::f32),
                }),
            }),
        }
    }
}
