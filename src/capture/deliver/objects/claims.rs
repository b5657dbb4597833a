// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The names that a run has given. A clash with one of its own is never an object of an earlier run.

use std::collections::{HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// As many are remembered: names that come again come soon.
const MAX: usize = 65_536;

#[derive(Debug, Default)]
pub struct Claims(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    names: HashSet<Arc<Path>>,
    order: VecDeque<Arc<Path>>,
}

impl Claims {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this name was free. It is taken then.
    pub fn claim(&self, name: PathBuf) -> bool {
        let mut known = self.lock();
        let name: Arc<Path> = name.into();
        if !known.names.insert(name.clone()) {
            return false;
        }
        known.order.push_back(name);
        if known.order.len() > MAX
            && let Some(oldest) = known.order.pop_front()
        {
            known.names.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_claimed_once_and_remembered_for_a_while() {
        let claims = Claims::default();
        assert!(claims.claim("a".into()));
        assert!(!claims.claim("a".into()));
        for number in 0..MAX {
            assert!(claims.claim(number.to_string().into()));
        }
        assert!(claims.claim("a".into()));
        assert_eq!(claims.lock().names.len(), MAX);
    }
}
