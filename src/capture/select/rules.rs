// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What a capture is configured to take.

use std::num::NonZeroU64;

use super::{BTreeSet, FrameFacts};

/// What makes a frame one to capture, requests by hand aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// Only what is asked for.
    Manual,
    /// Every so many frames of each stream, the first included.
    Every(NonZeroU64),
    /// One frame for each so many ns of stream time.
    EveryTime(NonZeroU64),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    pub trigger: Trigger,
    /// Stream time in ns: from, up to but not including.
    pub start: Option<u64>,
    pub stop: Option<u64>,
    /// 0: no limit.
    pub max_captures: u64,
    pub streams: StreamList,
}

impl Rules {
    /// Whether stream and time of a frame are wanted at all.
    pub fn covers(&self, facts: &FrameFacts<'_>) -> bool {
        self.streams.contains(facts.stream)
            && self.start.is_none_or(|start| facts.time >= start)
            && self.stop.is_none_or(|stop| facts.time < stop)
    }
}

/// The streams to look at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum StreamList {
    #[default]
    All,
    Only(BTreeSet<u32>),
}

impl StreamList {
    /// Reads `0,3` or `0;3`; an empty text means all.
    pub fn parse(text: &str) -> Result<Self, String> {
        let items: Vec<&str> = text.split([',', ';']).map(str::trim).collect();
        if items == [""] {
            return Ok(Self::All);
        }
        items
            .into_iter()
            .map(|item| {
                item.parse::<u32>()
                    .map_err(|_| format!("\"{item}\" is not a stream number"))
            })
            .collect::<Result<_, _>>()
            .map(Self::Only)
    }

    pub fn contains(&self, stream: u32) -> bool {
        match self {
            Self::All => true,
            Self::Only(streams) => streams.contains(&stream),
        }
    }
}
