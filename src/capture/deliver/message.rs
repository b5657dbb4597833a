// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What is said on the bus, and how often: nobody may be reading, and the bus has no bound.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gst::prelude::*;

use crate::capture::CAT;
use crate::capture::job::Facts;
use crate::capture::picture::Saved;
use crate::capture::stats::Counts;
use crate::fault::Fault;

/// `dsframecapture-saved` messages in a second, at most.
const SAVED_PER_SECOND: u32 = 100;
/// Warnings about failed captures in a second, at most.
const WARNINGS_PER_SECOND: u32 = 1;

/// So many in a second; counts what was too much.
#[derive(Debug)]
pub struct Budget {
    per_second: u32,
    second: Option<Instant>,
    used: u32,
    skipped: u64,
}

impl Budget {
    pub fn new(per_second: u32) -> Self {
        Self {
            per_second,
            second: None,
            used: 0,
            skipped: 0,
        }
    }

    /// How many were skipped since the last that was allowed; `None` if this one is too much.
    pub fn spend(&mut self, now: Instant) -> Option<u64> {
        if self
            .second
            .is_none_or(|second| now.duration_since(second) >= Duration::from_secs(1))
        {
            self.second = Some(now);
            self.used = 0;
        }
        if self.used == self.per_second {
            self.skipped += 1;
            return None;
        }
        self.used += 1;
        Some(std::mem::take(&mut self.skipped))
    }
}

/// The way to the element's bus from any thread. Holds no strong reference.
/// Nothing, where all that was selected is captured.
fn summed_up(counts: &Counts) -> Option<String> {
    let Counts { seen, selected, .. } = *counts;
    if seen > 0 && selected == 0 {
        return Some(format!(
            "none of {seen} frames was selected: interval, start-time, mode and the filters of \
             detections decide"
        ));
    }
    let lost = [
        ("failed", counts.failed),
        (
            "were dropped for want of room in the queue",
            counts.dropped_overflow,
        ),
        ("were dropped at a limit", counts.dropped_full),
        (
            "were dropped at the end of drain-timeout",
            counts.dropped_timeout,
        ),
        ("were dropped by a flush or a stop", counts.dropped_flush),
    ];
    let parts: Vec<_> = lost
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(what, count)| format!("{count} {what}"))
        .collect();
    (!parts.is_empty()).then(|| {
        let captured = counts.captured;
        format!(
            "{captured} of {selected} selected frames were captured: {}",
            parts.join(", ")
        )
    })
}

#[derive(Debug)]
pub struct Outlet {
    element: glib::WeakRef<gst::Element>,
    saved: Mutex<Budget>,
    warnings: Mutex<Budget>,
    said_full: AtomicBool,
    summed_up: Mutex<String>,
}

fn lock(budget: &Mutex<Budget>) -> MutexGuard<'_, Budget> {
    budget.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Outlet {
    pub fn new(element: &gst::Element) -> Self {
        Self {
            element: element.downgrade(),
            saved: Mutex::new(Budget::new(SAVED_PER_SECOND)),
            warnings: Mutex::new(Budget::new(WARNINGS_PER_SECOND)),
            said_full: AtomicBool::new(false),
            summed_up: Mutex::default(),
        }
    }

    fn post(&self, build: impl FnOnce(&gst::Element) -> gst::Message) {
        if let Some(element) = self.element.upgrade() {
            // Without a bus there is nobody to tell.
            let _ = element.post_message(build(&element));
        }
    }

    /// The element message `dsframecapture-saved`: `file`, the first picture (absent without any),
    /// `files` with all of them if there are several, `stream`, `frame`, `number`, `pts` (absent if
    /// the buffer had none), `reason`, and `skipped`, how many captures before this one went
    /// without a message.
    pub fn saved(&self, facts: &Facts, pictures: &[Saved]) {
        let Some(skipped) = lock(&self.saved).spend(Instant::now()) else {
            return;
        };
        let mut structure = gst::Structure::builder("dsframecapture-saved")
            .field("stream", facts.stream)
            .field("frame", facts.frame)
            .field("number", facts.number)
            .field("reason", facts.reason.as_str())
            .field("skipped", skipped);
        let name = |picture: &Saved| picture.path.to_string_lossy().into_owned();
        if let Some(first) = pictures.first() {
            structure = structure.field("file", name(first));
        }
        if pictures.len() > 1 {
            structure = structure.field("files", gst::Array::new(pictures.iter().map(name)));
        }
        if let Some(pts) = facts.pts {
            structure = structure.field("pts", pts);
        }
        let structure = structure.build();
        self.post(|element| {
            gst::message::Element::builder(structure)
                .src(element)
                .build()
        });
    }

    /// After the last capture: one message for those that went without.
    pub fn saved_summary(&self) {
        let skipped = std::mem::take(&mut lock(&self.saved).skipped);
        if skipped > 0 {
            let structure = gst::Structure::builder("dsframecapture-saved")
                .field("skipped", skipped)
                .build();
            self.post(|element| {
                gst::message::Element::builder(structure)
                    .src(element)
                    .build()
            });
        }
    }

    /// The element message `dsframecapture-endpoint`: the server is left alone (`state` open), tried
    /// again (half-open), or answers (closed). `failures` in a row brought that about, the last of
    /// them for this `reason`.
    pub fn endpoint(&self, state: &str, failures: u32, reason: &str, endpoint: &str) {
        let structure = gst::Structure::builder("dsframecapture-endpoint")
            .field("state", state)
            .field("failures", failures)
            .field("reason", reason)
            .field("endpoint", endpoint)
            .build();
        self.post(|element| {
            gst::message::Element::builder(structure)
                .src(element)
                .build()
        });
    }

    pub fn info(&self, text: &str) {
        self.post(|element| {
            gst::info!(CAT, obj = element, "{text}");
            // `gst-launch-1.0` prints the debug text, and nothing without one.
            gst::message::Info::builder(gst::ResourceError::Write, text)
                .debug(text)
                .src(element)
                .build()
        });
    }

    /// What `overflow=auto` does in a live pipeline, the first time.
    pub fn say_full(&self, queue_size: usize) {
        if self.said_full.swap(true, Ordering::Relaxed) {
            return;
        }
        let text = format!(
            "captures are dropped, and counted: the source is live, and queue-size ({queue_size}) \
             of them are waiting already; raise queue-size or workers, capture fewer or smaller \
             pictures, or set overflow=block to have the pipeline wait"
        );
        self.warn(&Fault::resource(gst::ResourceError::Busy, text));
    }

    /// At an end, what was lost, or that nothing was selected. Not again for the same.
    pub fn sum_up(&self, counts: &Counts) {
        let text = summed_up(counts).unwrap_or_default();
        let mut last = self
            .summed_up
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if *last != text && !text.is_empty() {
            self.info(&text);
        }
        *last = text;
    }

    /// A warning about one of possibly many captures.
    pub fn warn_often(&self, warning: &Fault) {
        match lock(&self.warnings).spend(Instant::now()) {
            None => (),
            Some(0) => self.warn(warning),
            Some(skipped) => {
                if let Some(element) = self.element.upgrade() {
                    gst::warning!(
                        CAT,
                        obj = element,
                        "{skipped} warnings before this were not posted"
                    );
                }
                self.warn(warning);
            }
        }
    }

    pub fn warn(&self, warning: &Fault) {
        if let Some(element) = self.element.upgrade() {
            warning.post_warning(&element);
        }
    }

    pub fn error(&self, error: Fault) {
        if let Some(element) = self.element.upgrade() {
            error.post_error(&element);
        }
    }

    pub fn eos(&self) {
        self.post(|element| gst::message::Eos::builder().src(element).build());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_summed_up_and_nothing_else() {
        let all = Counts {
            seen: 9,
            not_selected: 4,
            selected: 5,
            captured: 5,
            ..Counts::default()
        };
        assert_eq!(summed_up(&all), None);
        assert_eq!(summed_up(&Counts::default()), None);
        let some = Counts {
            captured: 2,
            failed: 1,
            dropped: 2,
            dropped_full: 2,
            ..all
        };
        let text = "2 of 5 selected frames were captured: 1 failed, 2 were dropped at a limit";
        assert_eq!(summed_up(&some).as_deref(), Some(text));
        let none = Counts {
            seen: 9,
            not_selected: 9,
            ..Counts::default()
        };
        assert!(summed_up(&none).unwrap().contains("none of 9 frames"));
    }

    #[test]
    fn a_budget_allows_so_many_a_second_and_sums_up_the_rest() {
        let mut budget = Budget::new(2);
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        assert_eq!(budget.spend(at(0)), Some(0));
        assert_eq!(budget.spend(at(1)), Some(0));
        assert_eq!(budget.spend(at(2)), None);
        assert_eq!(budget.spend(at(999)), None);
        assert_eq!(budget.spend(at(1000)), Some(2));
        assert_eq!(budget.spend(at(1001)), Some(0));
        assert_eq!(budget.spend(at(1002)), None);
    }
}
