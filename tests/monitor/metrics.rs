// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Metrics are what `stats` says, for every element of the process.

use std::collections::BTreeSet;

use gst::prelude::*;
use gstdsframe::monitor::families::{self, Kind};
use serde_json::Value;
use tempfile::tempdir;

use crate::common::{at, check_accounts, until};
use crate::kit::{Ended, address, live, metrics, playing};
use crate::text::Metrics;

const FATES: [&str; 7] = [
    "captured",
    "not-selected",
    "failed",
    "dropped-overflow",
    "dropped-flush",
    "dropped-timeout",
    "dropped-full",
];

#[track_caller]
fn check_capture(metrics: &Metrics, element: &gst::Element) {
    let name = element.name();
    let stats: Value = serde_json::from_str(&element.property::<String>("stats-json")).unwrap();
    let number = |value: &Value| value.as_u64().unwrap() as f64;
    let streams = stats["streams"].as_array().unwrap();
    for stream in streams {
        let label = stream["stream"].to_string();
        let of = [("element", name.as_str()), ("stream", label.as_str())];
        let mut sum = metrics.get("dsframe_frames_pending", &of);
        assert_eq!(sum, number(&stream["pending"]));
        for fate in FATES {
            let labels = [of[0], of[1], ("fate", fate)];
            let frames = metrics.get("dsframe_frames_total", &labels);
            assert_eq!(frames, number(&stream[fate]), "{fate}");
            sum += frames;
        }
        let seen = metrics.get("dsframe_frames_seen_total", &of);
        assert_eq!((seen, sum), (number(&stream["seen"]), seen));
    }
    let of = [("element", name.as_str())];
    let all = metrics.sum("dsframe_frames_seen_total", &of);
    assert_eq!(all, number(&stats["seen"]));
    for (family, field) in [
        ("dsframe_pictures_total", "pictures"),
        ("dsframe_picture_bytes_total", "bytes"),
        ("dsframe_pictures_renamed_total", "renamed"),
        ("dsframe_objects_skipped_total", "objects-skipped"),
        ("dsframe_labels_left_out_total", "labels-left-out"),
        ("dsframe_metadata_left_out_total", "metadata-left-out"),
        ("dsframe_condition_errors_total", "condition-errors"),
        ("dsframe_log_repairs_total", "log-repairs"),
        ("dsframe_capture_seconds_count", "captured"),
    ] {
        assert_eq!(metrics.get(family, &of), number(&stats[field]), "{family}");
    }
}

#[test]
fn at_the_end_they_are_what_stats_says() {
    let folder = tempdir().unwrap();
    let ended = Ended::after(&format!(
        "dsframeinject name=in pattern=objects num-buffers=90 ! \
         video/x-raw,width=320,height=240,framerate=30/1 ! \
         dsframecapture name=cap classes=person crop=objects monitor-address=0 location={}",
        at(&folder, "%d.png")
    ));
    let cap = ended.element("cap");
    check_accounts(&cap);
    let found = metrics(address(&cap));
    check_capture(&found, &cap);
    let of = [("element", "cap")];
    // Of what it did, something.
    let captured = [of[0], ("stream", "0"), ("fate", "captured")];
    assert!(found.get("dsframe_frames_total", &captured) > 10.0);
    assert!(found.get("dsframe_pictures_renamed_total", &of) > 10.0);
    assert!(found.get("dsframe_encode_seconds_count", &of) > 10.0);
    assert!(found.get("dsframe_encode_seconds_sum", &of) > 0.0);
    let (encode, capture) = ("dsframe_encode_seconds_sum", "dsframe_capture_seconds_sum");
    assert!(found.get(capture, &of) > found.get(encode, &of));
    assert_eq!(found.get("dsframe_queue_jobs", &of), 0.0);
    assert_eq!(found.get("dsframe_queue_jobs_max", &of), 8.0);

    let stats = ended.element("in").property::<gst::Structure>("stats");
    let of = [("element", "in")];
    for (family, field) in [
        ("dsframe_injected_frames_total", "frames"),
        ("dsframe_injected_bytes_total", "bytes"),
        ("dsframe_inject_skipped_total", "skipped"),
        ("dsframe_inject_repeated_total", "repeated"),
        ("dsframe_inject_timeouts_total", "timeouts"),
    ] {
        let value = stats.get::<u64>(field).unwrap() as f64;
        assert_eq!(found.get(family, &of), value, "{family}");
    }
    assert_eq!(found.get("dsframe_injected_frames_total", &of), 90.0);
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    assert_eq!(found.get("dsframe_build_info", &version), 1.0);
}

#[test]
fn every_element_of_the_process_is_in_them_while_it_runs() {
    let folder = tempdir().unwrap();
    // Without an address of their own.
    let other = Ended::after(&format!(
        "dsframeinject name=in num-buffers=5 ! video/x-raw,width=64,height=48 ! \
         dsframecapture name=cap log-location={}",
        at(&folder, "a.jsonl")
    ));
    let stats = other.element("cap").property::<gst::Structure>("stats");
    assert!(!stats.has_field("monitor-url"));
    let through = Ended::after(&format!(
        "dsframeinject name=in num-buffers=7 ! video/x-raw,width=64,height=48 ! \
         dsframecapture name=cap interval=1 channel=every-element channel-size=3 log-location={} \
         dsframeinject name=from channel=every-element ! \
         dsframecapture name=last monitor-address=0 interval=1 log-location={}",
        at(&folder, "b.jsonl"),
        at(&folder, "c.jsonl")
    ));
    let address = address(&through.element("last"));
    let found = metrics(address);
    let names = ["cap", "cap-2", "from", "in", "in-2", "last"];
    assert_eq!(found.elements(), names.map(String::from).into());
    let seen = |element| found.sum("dsframe_frames_seen_total", &[("element", element)]);
    assert_eq!((seen("cap"), seen("cap-2"), seen("last")), (5.0, 7.0, 7.0));
    for element in ["cap-2", "from"] {
        let of = [("element", element), ("channel", "every-element")];
        for (fate, frames) in [("sent", 7.0), ("received", 7.0), ("dropped", 0.0)] {
            let labels = [of[0], of[1], ("fate", fate)];
            assert_eq!(
                found.get("dsframe_channel_frames_total", &labels),
                frames,
                "{fate}"
            );
        }
        assert_eq!(found.get("dsframe_channel_in_flight", &of), 0.0);
    }
    drop(other);
    assert!(!metrics(address).elements().contains("in"), "it has ended");
}

#[test]
fn while_frames_come_every_one_is_accounted_for() {
    let folder = tempdir().unwrap();
    let (pipeline, cap, address) = playing(&format!(
        "dsframeinject num-buffers=600 ! video/x-raw,width=640,height=480 ! \
         dsframecapture name=cap interval=3 monitor-address=0 location={}",
        at(&folder, "%d.jpg")
    ));
    let mut before = 0.0;
    until("frames", || {
        let found = metrics(address);
        let seen = found.sum("dsframe_frames_seen_total", &[]);
        let parts =
            found.sum("dsframe_frames_total", &[]) + found.sum("dsframe_frames_pending", &[]);
        assert_eq!(seen, parts);
        assert!(seen >= before, "a counter that falls");
        before = seen;
        found.sum("dsframe_frames_total", &[("fate", "captured")]) >= 200.0
    });
    check_accounts(&cap);
    pipeline.set_state(gst::State::Null).unwrap();
}

/// Names with all that a label has to be escaped for.
#[test]
fn names_of_elements_are_labels_as_they_are() {
    let folder = tempdir().unwrap();
    let (pipeline, cap, address) = playing(&format!(
        "dsframeinject num-buffers=1 ! video/x-raw,width=64,height=48 ! \
         dsframecapture name=cap monitor-address=0 log-location={}",
        at(&folder, "a.jsonl")
    ));
    pipeline.set_state(gst::State::Null).unwrap();
    let name = "a \"b\" \\n\n{c=\"d\"} <script>é</script>";
    pipeline.remove(&cap).unwrap();
    cap.set_property("name", name);
    pipeline.add(&cap).unwrap();
    let source = pipeline.iterate_sources().next().unwrap().unwrap();
    let filter = pipeline.iterate_elements().into_iter().flatten();
    let filter = filter
        .into_iter()
        .find(|it| it.name().starts_with("capsfilter"));
    filter.unwrap().link(&cap).unwrap();
    drop(source);
    assert_eq!(cap.name(), name);
    pipeline.set_state(gst::State::Playing).unwrap();
    assert!(address.ip().is_loopback());
    let address = crate::kit::address(&cap);
    assert!(metrics(address).elements().contains(name));
    assert_eq!(live(address, 0)["elements"].as_array().unwrap().len(), 2);
    pipeline.set_state(gst::State::Null).unwrap();
}

/// The table of the documentation is that of the code.
#[test]
fn each_of_them_is_documented() {
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/monitor.md");
    let docs = std::fs::read_to_string(docs).unwrap();
    let row = |line: &str| {
        let cells: Vec<_> = line
            .trim_matches('|')
            .split('|')
            .map(|it| it.trim().to_owned())
            .collect();
        (cells.len() == 4 && cells[0].starts_with("`dsframe_")).then_some(cells)
    };
    let found: BTreeSet<_> = docs.lines().filter_map(row).collect();
    let wanted = families::ALL.iter().map(|family| {
        let labels = family.labels.iter().map(|it| format!("`{it}`"));
        vec![
            format!("`{}`", family.name),
            family.kind.as_str().to_owned(),
            labels.collect::<Vec<_>>().join(" "),
            family.help.to_owned(),
        ]
    });
    let wanted: BTreeSet<_> = wanted.collect();
    let lines = |rows: Vec<&Vec<String>>| {
        let line = |row: &&Vec<String>| format!("| {} |\n", row.join(" | "));
        rows.iter().map(line).collect::<String>()
    };
    let missing = lines(wanted.difference(&found).collect());
    let wrong = lines(found.difference(&wanted).collect());
    assert!(
        missing.is_empty() && wrong.is_empty(),
        "missing:\n{missing}wrong:\n{wrong}"
    );
    assert!(families::ALL.iter().any(|it| it.kind == Kind::Histogram));
}
