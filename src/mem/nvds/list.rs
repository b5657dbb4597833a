// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The linked lists of the metadata.

use super::memory::Memory;
use crate::mem::sys::nvds::{Address, ListNode};

/// How a list ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Ending {
    /// As it should.
    #[default]
    End,
    /// It has more elements than are read.
    Bound,
    /// It leads back into itself; each of its elements was read once.
    Cycle,
    /// At a pointer that cannot be one.
    Pointer,
}

/// The elements of a list, collected before they are looked at: they may be wanted backwards, and
/// the memory is used again for the next list.
#[derive(Debug, Default)]
pub struct List {
    elements: Vec<Address>,
}

impl List {
    /// Collects what the nodes point to, unchecked.
    pub(super) fn walk(&mut self, memory: Memory<'_>, head: Address, bound: usize) -> Ending {
        self.elements.clear();
        // Brent's way to find a cycle: a mark that is moved forward after 1, 2, 4 … nodes.
        let (mut mark, mut since, mut stride) = (Address(0), 0, 1);
        let mut at = head;
        while at != Address(0) {
            if at == mark {
                self.cut_to_cycle(memory, head, since);
                return Ending::Cycle;
            }
            if self.elements.len() == bound {
                return Ending::Bound;
            }
            let Some(node) = memory.peek::<ListNode>(at) else {
                return Ending::Pointer;
            };
            if since == stride || mark == Address(0) {
                (mark, since, stride) = (at, 0, stride * 2);
            }
            since += 1;
            self.elements.push(node.data);
            at = node.next;
        }
        Ending::End
    }

    /// Cuts what a cycle of this many nodes has added more than once.
    fn cut_to_cycle(&mut self, memory: Memory<'_>, head: Address, cycle: usize) {
        let next = |at: Address| {
            memory
                .peek::<ListNode>(at)
                .map_or(Address(0), |node| node.next)
        };
        let mut ahead = head;
        for _ in 0..cycle {
            ahead = next(ahead);
        }
        let (mut behind, mut before) = (head, 0);
        while behind != ahead && before < self.elements.len() {
            (behind, ahead) = (next(behind), next(ahead));
            before += 1;
        }
        self.elements.truncate(before + cycle);
    }

    pub(super) fn elements(&self) -> &[Address] {
        &self.elements
    }
}
