// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Which properties were set otherwise than by a file: those win, also with their default.

use std::collections::BTreeSet;

use gst::glib;

use super::Said;

/// The settings of an element, by the names of its properties.
pub trait Store: Default + Clone {
    fn store(&mut self, name: &str, value: &glib::Value);
    fn stored(&self, name: &str) -> Option<glib::Value>;
}

#[derive(Debug, Clone, Default)]
pub struct Given<S> {
    pub settings: S,
    names: BTreeSet<&'static str>,
}

impl<S: Store> Given<S> {
    pub fn set(&mut self, name: &'static str, value: &glib::Value) {
        self.names.insert(name);
        self.settings.store(name, value);
    }

    pub fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// The defaults, then what is said, the last winning, then what was given.
    pub fn over<'a>(&self, said: impl IntoIterator<Item = &'a Said>) -> S {
        let mut settings = S::default();
        for said in said {
            settings.store(said.name, &said.value);
        }
        for name in &self.names {
            if let Some(value) = self.settings.stored(name) {
                settings.store(name, &value);
            }
        }
        settings
    }
}
