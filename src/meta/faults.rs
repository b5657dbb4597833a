// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What is wrong with the metadata of a buffer, for one warning.

use std::fmt::Write;

use crate::mem::nvds::Ending;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Bounds,
    Element,
    Surface,
    Pointer,
    Cycle,
    Bound,
}

const ALL: [(Fault, &str); 6] = [
    (Fault::Bounds, "objects with impossible boxes"),
    (
        Fault::Element,
        "elements that are not what their list holds",
    ),
    (
        Fault::Surface,
        "frames of surfaces that the buffer does not have",
    ),
    (
        Fault::Pointer,
        "times the rest of a list, whose next pointer cannot be one",
    ),
    (
        Fault::Cycle,
        "times what repeats in a list that leads back into itself",
    ),
    (Fault::Bound, "times the rest of a list that is too long"),
];

/// How often each fault was met.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Faults {
    counts: [u64; ALL.len()],
}

/// The kinds of faults that were told already.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Told(u32);

impl Faults {
    pub(super) fn add(&mut self, fault: Fault) {
        self.counts[fault as usize] += 1;
    }

    pub(super) fn add_ending(&mut self, ending: Ending) {
        match ending {
            Ending::End => {}
            Ending::Bound => self.add(Fault::Bound),
            Ending::Cycle => self.add(Fault::Cycle),
            Ending::Pointer => self.add(Fault::Pointer),
        }
    }

    /// Everything that was left out.
    pub(super) fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// What has not been told before, in words.
    pub(super) fn news(&self, told: &mut Told) -> Option<String> {
        let mut text = String::new();
        for ((fault, what), count) in ALL.iter().zip(self.counts) {
            let bit = 1 << *fault as u32;
            if count == 0 || told.0 & bit != 0 {
                continue;
            }
            told.0 |= bit;
            let comma = if text.is_empty() { "" } else { ", " };
            let _ = write!(text, "{comma}{count} {what}");
        }
        if text.is_empty() {
            return None;
        }
        Some(format!("Malformed DeepStream metadata; left out: {text}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_told_once() {
        let mut told = Told::default();
        let mut faults = Faults::default();
        assert_eq!(faults.news(&mut told), None);
        for (index, (fault, _)) in ALL.iter().enumerate() {
            assert_eq!(*fault as usize, index);
        }
        faults.add(Fault::Bounds);
        faults.add(Fault::Bounds);
        let text = faults.news(&mut told).unwrap();
        assert!(
            text.ends_with("left out: 2 objects with impossible boxes"),
            "{text}"
        );
        faults.add(Fault::Surface);
        let text = faults.news(&mut told).unwrap();
        assert!(
            !text.contains("boxes") && text.contains("1 frames of"),
            "{text}"
        );
        assert_eq!(faults.news(&mut told), None);
        assert_eq!(faults.total(), 3);
    }
}
