// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The rules of all streams, and of those that have their own.

use std::collections::BTreeMap;

use super::rules::Rules;

/// Where the rules of a stream are; `None`: it has none of its own.
pub type Place = Option<usize>;

#[derive(Debug, Clone, Default)]
pub struct RuleBook {
    common: Rules,
    own: Vec<(u32, Rules)>,
}

impl RuleBook {
    /// What limits all streams together (`max-captures`, `roll-max-bytes`) is that of `common`.
    pub fn new(common: Rules, own: BTreeMap<u32, Rules>) -> Self {
        Self {
            common,
            own: own.into_iter().collect(),
        }
    }

    pub fn common(&self) -> &Rules {
        &self.common
    }

    pub fn all(&self) -> impl Iterator<Item = &Rules> {
        self.own
            .iter()
            .map(|(_, rules)| rules)
            .chain([&self.common])
    }

    pub fn place(&self, stream: u32) -> Place {
        self.own
            .binary_search_by_key(&stream, |(stream, _)| *stream)
            .ok()
    }

    pub fn at(&self, place: Place) -> &Rules {
        place
            .and_then(|place| self.own.get(place))
            .map_or(&self.common, |(_, rules)| rules)
    }

    pub fn of(&self, stream: u32) -> &Rules {
        self.at(self.place(stream))
    }
}

impl From<Rules> for RuleBook {
    fn from(common: Rules) -> Self {
        Self::new(common, BTreeMap::new())
    }
}
