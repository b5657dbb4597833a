// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Why a server takes nothing now, for those who tell what becomes of the posts.

use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Debug, Default)]
pub struct Trouble(Mutex<Option<String>>);

impl Trouble {
    fn reason(&self) -> MutexGuard<'_, Option<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An attempt failed. Returns whether the one before did not.
    pub fn note(&self, reason: &str) -> bool {
        self.reason().replace(reason.to_owned()).is_none()
    }

    /// An attempt did not fail.
    pub fn end(&self) {
        self.reason().take();
    }

    /// To be put behind what became of a post; empty where there is no trouble.
    pub fn words(&self) -> String {
        let reason = self.reason();
        reason
            .as_ref()
            .map_or_else(String::new, |reason| format!(" ({reason})"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_begins_once_and_names_its_last_reason() {
        let trouble = Trouble::default();
        assert_eq!(trouble.words(), "");
        assert!(trouble.note("a"));
        assert!(!trouble.note("b"));
        assert_eq!(trouble.words(), " (b)");
        trouble.end();
        assert!(trouble.note("c"));
    }
}
