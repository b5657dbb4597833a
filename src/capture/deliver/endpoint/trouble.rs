// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Why a server takes nothing now, for those who tell what becomes of the posts.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A server that fails by turns is not spoken of more often.
const SAY_AGAIN: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
struct Inner {
    reason: Option<String>,
    said: Option<Instant>,
}

#[derive(Debug, Default)]
pub struct Trouble(Mutex<Inner>);

impl Trouble {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An attempt failed. Returns whether that is news.
    pub fn note(&self, reason: &str, now: Instant) -> bool {
        let mut inner = self.inner();
        let begins = inner.reason.replace(reason.to_owned()).is_none();
        let was_said = |said| now.saturating_duration_since(said) < SAY_AGAIN;
        let is_news = begins && !inner.said.is_some_and(was_said);
        if is_news {
            inner.said = Some(now);
        }
        is_news
    }

    /// The server answered.
    pub fn end(&self) {
        self.inner().reason.take();
    }

    pub fn reason(&self) -> Option<String> {
        self.inner().reason.clone()
    }

    /// To be put behind what became of a post; empty where there is no trouble.
    pub fn words(&self) -> String {
        self.reason()
            .map_or_else(String::new, |reason| format!(" ({reason})"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_begins_once_and_names_its_last_reason() {
        let trouble = Trouble::default();
        let begun = Instant::now();
        assert_eq!(trouble.words(), "");
        assert!(trouble.note("a", begun));
        assert!(!trouble.note("b", begun));
        assert_eq!(trouble.words(), " (b)");
        trouble.end();
        assert_eq!(trouble.reason(), None);
        assert!(!trouble.note("c", begun + SAY_AGAIN / 2));
        assert_eq!(trouble.reason().as_deref(), Some("c"));
        trouble.end();
        assert!(trouble.note("d", begun + SAY_AGAIN));
    }
}
