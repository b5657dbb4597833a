// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Lists that are filled again and again.

/// Elements that are kept beyond this would only be a big frame's memory held for ever.
const MOST: usize = 4096;

/// Elements that a shorter list had no use for. They keep what they have allocated.
#[derive(Debug)]
pub(super) struct Spare<T>(Vec<T>);

impl<T> Default for Spare<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Default> Spare<T> {
    /// The element of a list at `index`, which is at most its length. It has its old content, or
    /// that of any other.
    #[inline]
    pub(super) fn slot<'a>(&mut self, list: &'a mut Vec<T>, index: usize) -> &'a mut T {
        if index == list.len() {
            list.push(self.0.pop().unwrap_or_default());
        }
        &mut list[index]
    }

    /// Cuts a list.
    pub(super) fn keep(&mut self, list: &mut Vec<T>, len: usize) {
        if len < list.len() {
            let room = MOST.saturating_sub(self.0.len());
            self.0.extend(list.drain(len..).take(room));
        }
    }
}
