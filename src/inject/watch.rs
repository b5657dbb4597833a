// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! An injector as others see it: its metrics.

use std::sync::Arc;

use gst::prelude::*;

use crate::monitor::{Registered, Report, Samples, families, gallery};

use super::stats::Stats;

/// A run is in the metrics until this is dropped.
pub struct Watch {
    _registered: Registered,
}

impl Watch {
    /// `channel` is the name of the one that it reads.
    pub fn begin(element: &gst::Element, stats: Arc<Stats>, channel: Option<String>) -> Self {
        let channel = channel.as_deref().map(gallery::text);
        let report = Arc::new(InjectReport { stats, channel });
        Self {
            _registered: Registered::new(&element.name(), "inject", report),
        }
    }
}

struct InjectReport {
    stats: Arc<Stats>,
    channel: Option<String>,
}

impl Report for InjectReport {
    fn samples(&self, element: &str, samples: &mut Samples) {
        let stats = self.stats.counts();
        for (family, value) in [
            (&families::INJECTED, stats.frames),
            (&families::INJECTED_BYTES, stats.bytes),
            (&families::INJECT_SKIPPED, stats.skipped),
            (&families::INJECT_REPEATED, stats.repeated),
            (&families::INJECT_TIMEOUTS, stats.timeouts),
        ] {
            samples.count(family, [element], value);
        }
        let waiting = stats.waiting.as_secs_f64();
        samples.number(&families::INJECT_WAITING, [element], waiting);
        if let (Some(name), Some(counts)) = (&self.channel, stats.channel) {
            for (fate, frames) in [
                ("sent", counts.sent),
                ("received", counts.received),
                ("dropped", counts.dropped),
            ] {
                samples.count(&families::CHANNEL_FRAMES, [element, name, fate], frames);
            }
            let in_flight = counts.in_flight;
            samples.count(&families::CHANNEL_IN_FLIGHT, [element, name], in_flight);
        }
    }
}
