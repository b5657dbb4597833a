// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Which elements are running in this process, and what they say about themselves.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};

use serde_json::{Value as Json, json};

use crate::mem::cuda::Gpu;

use super::samples::Samples;
use super::{families, gallery};

/// Texts that an element has to say to people, by what they are about.
pub type Notes = BTreeMap<&'static str, String>;

/// An element that can be asked how it is doing, from any thread and at any time.
pub trait Report: Send + Sync {
    /// `element` is the label that its samples carry.
    fn samples(&self, element: &str, samples: &mut Samples);

    /// For the page alone.
    fn notes(&self) -> Notes {
        Notes::new()
    }
}

struct Entry {
    name: Arc<str>,
    kind: &'static str,
    report: Weak<dyn Report>,
}

/// In the order in which they started.
static ENTRIES: Mutex<Vec<Entry>> = Mutex::new(Vec::new());

/// Tells one process from the next on the same address.
static PROCESS: LazyLock<String> = LazyLock::new(|| uuid::Uuid::new_v4().to_string());

fn entries() -> MutexGuard<'static, Vec<Entry>> {
    ENTRIES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An element is there until this is dropped.
pub struct Registered {
    name: Arc<str>,
    _report: Arc<dyn Report>,
}

impl Registered {
    /// Elements of different pipelines can have one name: all but the first get a number.
    pub fn new(name: &str, kind: &'static str, report: Arc<dyn Report>) -> Self {
        let mut entries = entries();
        let is_free = |name: &str| entries.iter().all(|entry| *entry.name != *name);
        let numbered = (2..).map(|number| format!("{name}-{number}"));
        let mut names = std::iter::once(name.to_owned()).chain(numbered);
        let free: Arc<str> = names.find(|name| is_free(name)).unwrap_or_default().into();
        entries.push(Entry {
            name: free.clone(),
            kind,
            report: Arc::downgrade(&report),
        });
        Self {
            name: free,
            _report: report,
        }
    }

    /// Unlike that of any other.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        entries().retain(|entry| entry.name != self.name);
    }
}

/// The elements that run now. Asked without the lock, as they have locks of their own.
fn running() -> Vec<(Arc<str>, &'static str, Arc<dyn Report>)> {
    let of_one = |entry: &Entry| {
        let report = entry.report.upgrade()?;
        Some((entry.name.clone(), entry.kind, report))
    };
    entries().iter().filter_map(of_one).collect()
}

/// What belongs to no element.
fn of_process() -> Samples {
    let mut samples = Samples::default();
    for gpu in Gpu::opened() {
        // One that is lost has no memory to tell of.
        if let Ok((free, total)) = gpu.memory() {
            let ordinal = gpu.ordinal().to_string();
            let used = total.saturating_sub(free) as u64;
            samples.count(&families::GPU_MEMORY, [&ordinal, "used"], used);
            samples.count(&families::GPU_MEMORY, [&ordinal, "free"], free as u64);
        }
    }
    samples.count(&families::BUILD, [env!("CARGO_PKG_VERSION")], 1);
    samples
}

/// For Prometheus.
pub fn metrics() -> String {
    let mut samples = Samples::default();
    for (name, _, report) in running() {
        report.samples(&name, &mut samples);
    }
    samples.append(of_process());
    samples.to_text()
}

/// For the page.
pub fn state() -> Json {
    let of_one = |(name, kind, report): (Arc<str>, &str, Arc<dyn Report>)| {
        let mut samples = Samples::default();
        report.samples(&name, &mut samples);
        let mut notes = report.notes();
        for note in notes.values_mut() {
            // It may be what a server said.
            *note = gallery::text(note);
        }
        json!({ "name": &*name, "kind": kind, "samples": samples.to_json(), "notes": notes })
    };
    let elements: Vec<_> = running().into_iter().map(of_one).collect();
    json!({
        "process": *PROCESS,
        "version": env!("CARGO_PKG_VERSION"),
        "elements": elements,
        "samples": of_process().to_json(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(u64);

    impl Report for Fixed {
        fn samples(&self, element: &str, samples: &mut Samples) {
            samples.count(&families::PICTURES, [element], self.0);
        }
    }

    #[test]
    fn elements_of_one_name_are_told_apart_while_they_run() {
        let new = |number| Registered::new("same", "capture", Arc::new(Fixed(number)));
        let (first, second) = (new(1), new(2));
        let third = new(3);
        assert_eq!(&**second.name(), "same-2");
        assert_eq!(&**third.name(), "same-3");
        drop(second);
        let again = new(4);
        assert_eq!(&**again.name(), "same-2");
        let text = metrics();
        for line in [
            "dsframe_pictures_total{element=\"same\"} 1\n",
            "dsframe_pictures_total{element=\"same-2\"} 4\n",
            "dsframe_pictures_total{element=\"same-3\"} 3\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
        drop((first, third, again));
        assert!(!metrics().contains("same"));
        assert!(metrics().contains("dsframe_build_info{version="));
    }
    struct Noting;

    impl Report for Noting {
        fn samples(&self, _: &str, _: &mut Samples) {}

        fn notes(&self) -> Notes {
            Notes::from([("endpoint", "x".repeat(gallery::MAX_TEXT + 1))])
        }
    }

    #[test]
    fn notes_are_there_and_cut() {
        let (noting, silent) = (Arc::new(Noting), Arc::new(Fixed(0)));
        let noting = Registered::new("noting", "capture", noting);
        let silent = Registered::new("silent", "capture", silent);
        let state = state();
        let elements = state["elements"].as_array().unwrap();
        let notes = |of: &Registered| {
            let mut elements = elements.iter();
            let found = elements.find(|it| it["name"] == **of.name());
            found.unwrap()["notes"].clone()
        };
        let text = format!("{}…", "x".repeat(gallery::MAX_TEXT));
        assert_eq!(notes(&noting), json!({ "endpoint": text }));
        assert_eq!(notes(&silent), json!({}));
    }
}
