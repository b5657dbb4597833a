// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Properties of the base classes that a file sets, such as `sync`. Those are the element's own
//! while it runs, and are put back before the next file is applied.

use std::sync::{Mutex, MutexGuard, PoisonError};

use gst::glib;
use gst::prelude::*;

use super::Said;

/// What was set by a file, and what it was before.
#[derive(Debug)]
struct Lent {
    name: &'static str,
    before: String,
    since: String,
}

/// Nothing is set while a lock is held.
#[derive(Debug, Default)]
pub struct Inherited {
    /// Of a new element.
    defaults: Mutex<Vec<(&'static str, String)>>,
    lent: Mutex<Vec<Lent>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A value as text: values themselves cannot be kept for another thread.
fn text(element: &gst::Element, name: &str) -> Option<String> {
    let value = element.find_property(name)?;
    let value = element.property_value(value.name());
    Some(value.serialize().ok()?.to_string())
}

/// The properties of these names that there are.
pub fn specs(element: &gst::Element, names: &[&str]) -> Vec<glib::ParamSpec> {
    let found = names.iter().map(|name| element.find_property(name));
    found.flatten().collect()
}

impl Inherited {
    /// Once the element is made, before anybody sets anything.
    pub fn know(&self, element: &gst::Element, names: &[&'static str]) {
        let defaults = names
            .iter()
            .filter_map(|name| Some((*name, text(element, name)?)))
            .collect();
        *lock(&self.defaults) = defaults;
    }

    /// Puts back what the last file has set, and sets what this one says. What was set otherwise
    /// stays: whatever is not the element's default.
    pub fn apply(&self, element: &gst::Element, said: &[Said]) {
        let lent = std::mem::take(&mut *lock(&self.lent));
        for Lent {
            name,
            before,
            since,
        } in lent
        {
            if text(element, name).as_ref() == Some(&since) {
                element.set_property_from_str(name, &before);
            }
        }
        let defaults = lock(&self.defaults).clone();
        for said in said {
            let name = said.name;
            let before = text(element, name);
            let default = defaults.iter().find(|(of, _)| *of == name);
            let Some(before) = before.filter(|it| default.is_none_or(|(_, own)| own == it)) else {
                continue;
            };
            element.set_property_from_value(name, &said.value);
            let Some(since) = text(element, name) else {
                continue;
            };
            lock(&self.lent).push(Lent {
                name,
                before,
                since,
            });
        }
    }
}
