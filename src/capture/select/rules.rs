// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What a capture is configured to take.

use std::collections::BTreeSet;
use std::num::NonZeroU64;
use std::sync::Arc;

use super::FrameFacts;
use super::condition::Condition;
use super::filter::Filter;

/// The step of an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Every {
    /// Every so many frames of each stream, the first included.
    Frames(NonZeroU64),
    /// One frame for each so many ns of stream time.
    Time(NonZeroU64),
}

/// What makes a frame one to capture, requests by hand aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Only what is asked for.
    Manual,
    Interval(Every),
    /// Every frame whose detections match.
    Metadata,
    /// By interval, and when detections match.
    Either(Every),
    /// By interval among the frames whose detections match.
    Both(Every),
}

impl When {
    pub fn every(self) -> Option<Every> {
        match self {
            Self::Manual | Self::Metadata => None,
            Self::Interval(every) | Self::Either(every) | Self::Both(every) => Some(every),
        }
    }

    /// Whether detections have a say in it.
    pub fn by_metadata(self) -> bool {
        matches!(self, Self::Metadata | Self::Either(_) | Self::Both(_))
    }
}

/// Which frames of a tracked object are captured. Limits captures by metadata only.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Dedupe {
    #[default]
    None,
    /// A frame matches if it shows an object that was not captured yet.
    Track,
    /// The best frame of each object within so many ns of stream time after it first matched.
    Best(NonZeroU64),
}

/// How much around a trigger is captured too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Roll {
    #[default]
    None,
    /// Frames of the stream, whatever becomes of them otherwise.
    Frames(NonZeroU64),
    /// ns of stream time.
    Time(NonZeroU64),
}

/// Cheap to clone: what is large is shared.
#[derive(Debug, Clone)]
pub struct Rules {
    pub when: When,
    /// Stream time in ns: from, up to but not including.
    pub start: Option<u64>,
    pub stop: Option<u64>,
    /// 0: no limit.
    pub max_captures: u64,
    pub streams: StreamList,
    /// Which detections count.
    pub filter: Arc<Filter>,
    /// How many of them there must be at least.
    pub min_objects: usize,
    /// How many of them there may be at most.
    pub max_objects: Option<usize>,
    /// What the frame must satisfy besides.
    pub condition: Option<Arc<Condition>>,
    /// Least stream time in ns between captures of a stream by metadata.
    pub cooldown: u64,
    pub dedupe: Dedupe,
    pub pre_roll: Roll,
    pub post_roll: Roll,
    /// Bytes of pixels that may be held, all streams together.
    pub roll_max_bytes: u64,
}

impl Default for Rules {
    /// Every frame.
    fn default() -> Self {
        Self {
            when: When::Interval(Every::Frames(NonZeroU64::MIN)),
            start: None,
            stop: None,
            max_captures: 0,
            streams: StreamList::All,
            filter: Arc::default(),
            min_objects: 1,
            max_objects: None,
            condition: None,
            cooldown: 0,
            dedupe: Dedupe::None,
            pre_roll: Roll::None,
            post_roll: Roll::None,
            roll_max_bytes: 512 << 20,
        }
    }
}

impl Rules {
    /// Whether stream and time of a frame are wanted at all.
    pub fn covers(&self, facts: &FrameFacts<'_>) -> bool {
        self.streams.contains(facts.stream)
            && self.start.is_none_or(|start| facts.time >= start)
            && self.stop.is_none_or(|stop| facts.time < stop)
    }

    /// Whether so many matching detections are as many as are asked for.
    pub fn counts(&self, matching: usize) -> bool {
        matching >= self.min_objects && self.max_objects.is_none_or(|max| matching <= max)
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
