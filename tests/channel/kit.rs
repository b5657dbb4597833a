// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Producers fed by hand, and readers that are looked at frame by frame.

use gst::prelude::*;
use gst_app::AppSink;
use tempfile::TempDir;

use crate::common::rig::{Rig, numbered_bytes};
use crate::common::{self, Messages, launch};

/// A channel of a test's own.
pub struct Line {
    pub channel: String,
    folder: Option<TempDir>,
}

impl Line {
    pub fn in_process(name: &str) -> Self {
        Self::at(name)
    }

    pub fn unix() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            channel: format!("unix:{}", folder.path().join("a.sock").display()),
            folder: Some(folder),
        }
    }

    /// A channel that needs no folder, or has one already.
    pub fn at(channel: &str) -> Self {
        Self {
            channel: channel.into(),
            folder: None,
        }
    }

    /// Where its socket is, and nothing else.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.as_ref().expect("a folder").path()
    }

    /// Across processes.
    pub fn is_shared(&self) -> bool {
        self.channel.starts_with("unix:")
    }

    /// A producer with more properties, in NULL.
    pub fn stopped(&self, more: &[(&str, &str)]) -> Rig {
        let mut properties = vec![("channel", self.channel.as_str())];
        properties.extend(more);
        Rig::stopped(&properties)
    }

    /// A producer that plays numbered frames.
    pub fn producer(&self, more: &[(&str, &str)]) -> Rig {
        let rig = self.stopped(more);
        rig.start();
        rig.begin(&common::rig::numbered_info(), &gst::FormattedSegment::new());
        rig
    }

    /// A reader that takes nothing yet: no more than one frame leaves the source before somebody
    /// asks.
    pub fn reader(&self, more: &str) -> Reader {
        self.reader_of(&format!(
            "{more} ! appsink name=sink sync=false max-buffers=1"
        ))
    }

    pub fn reader_of(&self, rest: &str) -> Reader {
        let channel = &self.channel;
        let pipeline = launch(&format!(
            "dsframeinject name=source channel={channel} {rest}"
        ));
        Reader { pipeline }
    }
}

/// A pipeline that reads a channel.
pub struct Reader {
    pub pipeline: gst::Pipeline,
}

impl Reader {
    pub fn play(self) -> Self {
        self.pipeline.set_state(gst::State::Playing).unwrap();
        self
    }

    pub fn source(&self) -> gst::Element {
        self.pipeline.by_name("source").unwrap()
    }

    pub fn sink(&self) -> AppSink {
        self.pipeline.by_name("sink").unwrap().downcast().unwrap()
    }

    /// The next frame, or `None` at the end.
    #[track_caller]
    pub fn sample(&self) -> Option<gst::Sample> {
        let limit = gst::ClockTime::try_from(common::LIMIT).unwrap();
        let sample = self.sink().try_pull_sample(limit);
        if sample.is_none() {
            assert!(self.sink().is_eos(), "{:?}", self.messages());
        }
        sample
    }

    #[track_caller]
    pub fn number(&self) -> Option<u64> {
        self.sample().map(|sample| number(&sample))
    }

    /// So many frames.
    #[track_caller]
    pub fn take(&self, count: usize) -> Vec<u64> {
        let next = |n| {
            self.number()
                .unwrap_or_else(|| panic!("the end, after {n}"))
        };
        (0..count).map(next).collect()
    }

    /// All frames up to the end.
    #[track_caller]
    pub fn rest(&self) -> Vec<u64> {
        std::iter::from_fn(|| self.number()).collect()
    }

    pub fn messages(&self) -> Messages {
        common::pending(&self.pipeline.bus().unwrap())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let begun = std::time::Instant::now();
        self.pipeline.set_state(gst::State::Null).unwrap();
        if !std::thread::panicking() {
            assert!(begun.elapsed().as_secs() < 2, "shutdown hangs");
        }
    }
}

/// The number that a frame spells by its time and by all of its pixels.
#[track_caller]
pub fn number(sample: &gst::Sample) -> u64 {
    let buffer = sample.buffer().unwrap();
    let map = buffer.map_readable().unwrap();
    let first = u64::from_le_bytes(map[..8].try_into().unwrap());
    // The inverse of what the number was multiplied by.
    let number = first.wrapping_mul(0xf1de_83e1_9937_733d) / 8;
    assert!(*map == *numbered_bytes(number), "none of the frames");
    number
}

/// The only channel of a producer, by the names of `stats`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    pub readers: u64,
    pub sent: u64,
    pub received: u64,
    pub dropped: u64,
    pub in_flight: u64,
    pub unread: u64,
}

#[track_caller]
pub fn counts(element: &gst::Element) -> Counts {
    let stats = element.property::<gst::Structure>("stats");
    let channels = stats.get::<gst::List>("channels").unwrap();
    assert_eq!(channels.len(), 1);
    let channel = channels[0].get::<gst::Structure>().unwrap();
    let field = |name: &str| channel.get::<u64>(name).unwrap();
    let counts = Counts {
        readers: field("readers"),
        sent: field("sent"),
        received: field("received"),
        dropped: field("dropped"),
        in_flight: field("in-flight"),
        unread: field("unread"),
    };
    let parts = counts.received + counts.dropped + counts.in_flight;
    assert_eq!(counts.sent, parts, "{counts:?}");
    counts
}

/// The same seen from the reader: sent, received and dropped.
#[track_caller]
pub fn reader_counts(source: &gst::Element) -> (u64, u64, u64) {
    let stats = source.property::<gst::Structure>("stats");
    let field = |name: &str| stats.get::<u64>(name).unwrap();
    let (sent, received, dropped) = (field("sent"), field("received"), field("dropped"));
    assert_eq!(sent, received + dropped + field("in-flight"), "{stats}");
    (sent, received, dropped)
}
