// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What the tests of the elements share.

#![allow(dead_code, reason = "no test file uses all of it")]

pub mod pictures;
pub mod rig;
pub mod stall;

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Once;
use std::time::{Duration, Instant};

use gst::prelude::*;
use tempfile::TempDir;

/// Nothing here takes this long unless it hangs.
pub const LIMIT: Duration = Duration::from_secs(30);

/// Registers the elements and makes complaints of GLib fatal.
pub fn init() {
    static INIT: Once = Once::new();
    INIT.call_once(|| {
        use glib::LogLevels;
        gst::init().unwrap();
        glib::log_set_always_fatal(
            LogLevels::LEVEL_ERROR | LogLevels::LEVEL_CRITICAL | LogLevels::LEVEL_WARNING,
        );
        gstdsframe::plugin_register_static().unwrap();
    });
}

/// Waits for a condition that nothing announces.
#[track_caller]
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < LIMIT, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

pub fn launch(line: &str) -> gst::Pipeline {
    init();
    gst::parse::launch(line)
        .unwrap_or_else(|error| panic!("{line}: {error}"))
        .downcast()
        .unwrap()
}

/// The messages of a bus until the pipeline ends.
#[derive(Debug, Default)]
pub struct Messages(pub Vec<gst::Message>);

impl Messages {
    pub fn errors(&self) -> Vec<(glib::Error, String)> {
        self.texts(|view| match view {
            gst::MessageView::Error(error) => Some(error.error()),
            _ => None,
        })
    }

    pub fn warnings(&self) -> Vec<(glib::Error, String)> {
        self.texts(|view| match view {
            gst::MessageView::Warning(warning) => Some(warning.error()),
            _ => None,
        })
    }

    pub fn warning_texts(&self) -> Vec<String> {
        let texts = self.warnings().into_iter();
        texts.map(|(_, text)| text).collect()
    }

    fn texts(
        &self,
        pick: impl Fn(gst::MessageView) -> Option<glib::Error>,
    ) -> Vec<(glib::Error, String)> {
        self.0
            .iter()
            .filter_map(|message| pick(message.view()))
            .map(|error| (error.clone(), error.message().to_owned()))
            .collect()
    }

    pub fn eos(&self) -> bool {
        self.0.iter().any(|m| m.type_() == gst::MessageType::Eos)
    }

    pub fn elements(&self, name: &str) -> Vec<gst::Structure> {
        self.0
            .iter()
            .filter(|m| m.type_() == gst::MessageType::Element)
            .filter_map(|m| m.structure())
            .filter(|s| s.name() == name)
            .map(|s| s.to_owned())
            .collect()
    }
}

/// Everything that is on a bus now.
pub fn pending(bus: &gst::Bus) -> Messages {
    Messages(std::iter::from_fn(|| bus.pop()).collect())
}

/// Reads a bus until EOS or an error comes.
#[track_caller]
pub fn wait_for_end(bus: &gst::Bus) -> Messages {
    let deadline = Instant::now() + LIMIT;
    let mut messages = Messages::default();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let Some(message) = bus.timed_pop(gst::ClockTime::try_from(left).unwrap()) else {
            panic!("neither EOS nor an error: {messages:?}");
        };
        let end = matches!(
            message.type_(),
            gst::MessageType::Eos | gst::MessageType::Error
        );
        messages.0.push(message);
        if end {
            return messages;
        }
    }
}

/// Plays a pipeline to its end and takes it down.
#[track_caller]
pub fn play(pipeline: &gst::Pipeline) -> Messages {
    let bus = pipeline.bus().unwrap();
    // An error is on the bus, too.
    let _ = pipeline.set_state(gst::State::Playing);
    let messages = wait_for_end(&bus);
    pipeline.set_state(gst::State::Null).unwrap();
    messages
}

/// Plays a pipeline that is to end well.
#[track_caller]
pub fn play_well(line: &str) -> Messages {
    let messages = play(&launch(line));
    assert!(messages.eos(), "{line}: {:?}", messages.errors());
    messages
}

/// All files below a folder, with their folders, sorted. Hidden ones too.
pub fn files(folder: &Path) -> Vec<String> {
    fn walk(folder: &Path, top: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, top, found);
            } else {
                let name = path.strip_prefix(top).unwrap();
                found.push(name.to_str().unwrap().to_owned());
            }
        }
    }
    let mut found = Vec::new();
    walk(folder, folder, &mut found);
    found.sort();
    found
}

/// A path in a folder, as a property.
pub fn at(folder: &TempDir, name: &str) -> String {
    folder.path().join(name).to_str().unwrap().to_owned()
}

pub fn lines(path: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "a torn line");
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// A counter of the element's `stats`.
#[track_caller]
pub fn count(element: &gst::Element, name: &str) -> u64 {
    let stats = element.property::<gst::Structure>("stats");
    stats.get::<u64>(name).unwrap()
}

/// Checks that every frame is accounted for, in `stats` and in `stats-json`, over all streams.
#[track_caller]
pub fn check_accounts(element: &gst::Element) {
    const PARTS: [&str; 5] = ["captured", "not-selected", "dropped", "failed", "pending"];
    let check = |what: &str, field: &dyn Fn(&str) -> u64| {
        let parts: u64 = PARTS.iter().map(|part| field(part)).sum();
        assert_eq!(field("seen"), parts, "{what}");
        let causes: u64 = ["overflow", "flush", "timeout", "full"]
            .iter()
            .map(|cause| field(&format!("dropped-{cause}")))
            .sum();
        assert_eq!(field("dropped"), causes, "{what}");
    };
    let stats = element.property::<gst::Structure>("stats");
    check("stats", &|name| stats.get::<u64>(name).unwrap());
    let mut sum = 0;
    for stream in stats.get::<gst::List>("streams").unwrap().iter() {
        let stream = stream.get::<gst::Structure>().unwrap();
        check("stream", &|name| stream.get::<u64>(name).unwrap());
        sum += stream.get::<u64>("seen").unwrap();
    }
    assert_eq!(stats.get::<u64>("seen").unwrap(), sum);
    let json: serde_json::Value =
        serde_json::from_str(&element.property::<String>("stats-json")).unwrap();
    check("stats-json", &|name| json[name].as_u64().unwrap());
}

const CHILD: &str = "DSFRAME_TEST_CHILD";

/// Whether this process was started by [`in_child`].
pub fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// The test of this name as a process of its own.
pub fn child(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(CHILD, "1");
    command
}

/// Runs the test of this name in a process of its own.
pub fn in_child(test: &str, environment: &[(&str, &str)]) -> Output {
    child(test)
        .envs(environment.iter().copied())
        .output()
        .unwrap()
}
