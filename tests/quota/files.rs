// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `max-files` and `max-bytes`. Frames are numbered, and each of them is 64 bytes.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use gst::prelude::*;
use tempfile::TempDir;

use crate::shared::rig::{Rig, numbered_bytes, numbers_in};
use crate::shared::{at, files, lines, until};

const FRAME: u64 = 64;

#[test]
fn the_newest_remain_with_their_labels_and_copies() {
    let folder = TempDir::new().unwrap();
    let log = at(&folder, "log.jsonl");
    let rig = Rig::saving(
        &at(&folder, "%06d.npy"),
        &[
            ("max-files", "5"),
            ("on-full", "rotate"),
            ("labels", "kitti"),
            ("annotate", "both"),
            ("log-location", &log),
        ],
    );
    rig.push_all(0..40);
    let messages = rig.end();
    assert!(
        messages.warning_texts().is_empty(),
        "{:?}",
        messages.warning_texts()
    );
    let mut expected = vec!["log.jsonl".to_owned()];
    for number in 35..40 {
        let bytes = fs::read(folder.path().join(format!("{number:06}.npy"))).unwrap();
        assert!(bytes.ends_with(&numbered_bytes(number)), "{number}");
        for suffix in [".npy", "-annotated.npy", ".txt"] {
            expected.push(format!("{number:06}{suffix}"));
        }
    }
    expected.sort();
    assert_eq!(files(folder.path()), expected);
    assert_eq!((rig.count("captured"), rig.count("rotated")), (40, 35));
    // What was deleted keeps its line.
    assert_eq!(lines(log.as_ref()).len(), 40);
}

#[test]
fn a_log_on_another_full_disk_costs_no_picture() {
    let folder = TempDir::new().unwrap();
    let earlier = ["000100.raw", "000101.raw", "000102.raw"];
    for name in earlier {
        fs::write(folder.path().join(name), "mine").unwrap();
    }
    let rig = Rig::saving(
        &at(&folder, "%06d.raw"),
        &[
            ("max-files", "100"),
            ("on-full", "rotate"),
            ("log-location", "/dev/full"),
        ],
    );
    rig.push_all(0..20);
    let texts = rig.end().warning_texts();
    assert_eq!(files(folder.path()), earlier);
    assert_eq!((rig.count("dropped-full"), rig.count("rotated")), (20, 0));
    assert!(
        texts.len() == 1 && texts[0].contains("/dev/full"),
        "{texts:?}"
    );
}

#[test]
fn labels_elsewhere_go_with_their_pictures_also_those_of_an_earlier_run() {
    let folder = TempDir::new().unwrap();
    let labels = at(&folder, "labels/%04d.txt");
    let run = |numbers: std::ops::Range<u64>| {
        let properties = [
            ("max-files", "4"),
            ("on-full", "rotate"),
            ("on-exists", "continue"),
            ("labels", "kitti"),
            ("labels-location", labels.as_str()),
            // Written in their order, which the next run tells their age by.
            ("workers", "1"),
        ];
        let rig = Rig::saving(&at(&folder, "pictures/%06d.raw"), &properties);
        rig.push_all(numbers);
        rig.end();
    };
    run(0..6);
    run(6..8);
    let mut expected = Vec::new();
    for number in 4..8 {
        expected.push(format!("labels/{number:04}.txt"));
        expected.push(format!("pictures/{number:06}.raw"));
    }
    expected.sort();
    assert_eq!(files(folder.path()), expected);
    assert_eq!(numbers_in(&folder.path().join("pictures")), [4, 5, 6, 7]);
}

#[test]
fn runs_that_follow_count_what_is_there_and_touch_nothing_else() {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("0")).unwrap();
    let foreign = [
        "notes.txt",
        "0/notes.txt",
        "0/7.raw",
        "0/x-000000.raw.bak",
        "000000.raw",
    ];
    for name in foreign {
        fs::write(folder.path().join(name), "mine").unwrap();
    }
    let mut next = 0;
    for _ in 0..4 {
        let rig = Rig::saving(
            &at(&folder, "{stream}/%06d.raw"),
            &[
                ("max-files", "7"),
                ("on-full", "rotate"),
                ("on-exists", "continue"),
                // In one thread the order of their times is that of the frames.
                ("workers", "1"),
            ],
        );
        rig.push_all(next..next + 5);
        next += 5;
        rig.end();
        let first = next.saturating_sub(7);
        let mut expected: Vec<_> = (first..next).map(|n| format!("0/{n:06}.raw")).collect();
        expected.extend(foreign.map(str::to_owned));
        expected.sort();
        assert_eq!(files(folder.path()), expected);
        for number in first..next {
            let bytes = fs::read(folder.path().join(format!("0/{number:06}.raw"))).unwrap();
            assert_eq!(bytes, numbered_bytes(number));
        }
    }
}

/// The most that was to be seen at any moment: pictures and all files.
fn watch(folder: &Path, done: &AtomicBool) -> (usize, usize) {
    let mut most = (0, 0);
    while !done.load(Ordering::Acquire) {
        // So few that they are listed in one call, which no deletion gets between.
        let names = fs::read_dir(folder).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let seen: Vec<_> = names.filter(|name| !name.starts_with('.')).collect();
        let pictures = seen.iter().filter(|name| name.ends_with(".raw")).count();
        most = (most.0.max(pictures), most.1.max(seen.len()));
        assert!(pictures <= 9, "{seen:?}");
    }
    most
}

#[test]
fn two_elements_on_one_location_keep_to_the_limit_at_every_moment() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().to_owned();
    let done = AtomicBool::new(false);
    let location = at(&folder, "%06d.raw");
    let properties = [("max-files", "9"), ("on-full", "rotate")];
    let rigs = [
        Rig::saving(&location, &properties),
        Rig::saving(&location, &properties),
    ];
    thread::scope(|scope| {
        let watching = scope.spawn(|| watch(&path, &done));
        let feeding = rigs
            .each_ref()
            .map(|rig| scope.spawn(|| rig.push_all(0..1500)));
        for thread in feeding {
            thread.join().unwrap();
        }
        for rig in &rigs {
            rig.finish();
        }
        done.store(true, Ordering::Release);
        let (pictures, _) = watching.join().unwrap();
        assert_eq!(pictures, 9);
    });
    let rotated: u64 = rigs.iter().map(|rig| rig.count("rotated")).sum();
    let captured: u64 = rigs.iter().map(|rig| rig.count("captured")).sum();
    assert_eq!((captured, rotated), (3000, 2991));
    assert_eq!(files(folder.path()).len(), 9);
    // Whole frames, and the last of the two.
    assert!(numbers_in(folder.path()).contains(&1499));
}

#[test]
fn bytes_are_those_of_all_files_and_hold_at_every_moment() {
    let folder = TempDir::new().unwrap();
    let done = AtomicBool::new(false);
    let limit = (6 * FRAME + 10).to_string();
    let rig = Rig::saving(
        &at(&folder, "%06d.raw"),
        &[
            ("max-bytes", &limit),
            ("on-full", "rotate"),
            ("labels", "yolo"),
        ],
    );
    thread::scope(|scope| {
        let watching = scope.spawn(|| watch(folder.path(), &done));
        rig.push_all(0..500);
        rig.end();
        done.store(true, Ordering::Release);
        assert_eq!(watching.join().unwrap().0, 6);
    });
    let newest: Vec<u64> = (494..500).collect();
    assert_eq!(numbers_in(folder.path()), newest);
    assert_eq!(rig.count("rotated"), 494);
    // Larger than all that may be there: dropped, and nothing else is lost for it.
    let rig = Rig::saving(
        &at(&folder, "%06d.raw"),
        &[
            ("max-bytes", "63"),
            ("on-full", "rotate"),
            ("on-exists", "continue"),
        ],
    );
    rig.push_all(0..5);
    let messages = rig.end();
    assert_eq!((rig.count("captured"), rig.count("dropped-full")), (0, 5));
    assert_eq!(numbers_in(folder.path()), newest);
    let texts = messages.warning_texts();
    assert!(
        texts.len() == 1 && texts[0].contains("max-bytes"),
        "{texts:?}"
    );
}

#[test]
fn dropping_is_counted_and_ends_when_there_is_room() {
    let folder = TempDir::new().unwrap();
    let log = at(&folder, "log.jsonl");
    let rig = Rig::saving(
        &at(&folder, "%06d.raw"),
        &[
            ("max-files", "3"),
            ("on-full", "drop"),
            ("log-location", &log),
        ],
    );
    rig.push_all(0..10);
    until("the end of the first", || rig.count("pending") == 0);
    assert_eq!((rig.count("captured"), rig.count("dropped-full")), (3, 7));
    assert_eq!(
        files(folder.path()),
        ["000000.raw", "000001.raw", "000002.raw", "log.jsonl"]
    );
    let first = rig.messages().warning_texts();
    assert!(
        first.len() == 1 && first[0].contains("max-files"),
        "{first:?}"
    );
    fs::remove_file(folder.path().join("000001.raw")).unwrap();
    let mut next = 10;
    until("room again", || {
        rig.push_all(next..next + 1);
        next += 1;
        thread::sleep(Duration::from_millis(10));
        rig.count("captured") == 4
    });
    rig.push_all(next..next + 3);
    let rest = rig.end().warning_texts();
    assert!(
        rest.len() == 2 && rest[0].contains("again") && rest[1].contains("max-files"),
        "{rest:?}"
    );
    assert_eq!(rig.count("captured"), 4);
    assert_eq!(rig.count("dropped-full"), next + 3 - 4);
    assert_eq!(rig.count("failed"), 0);
    assert_eq!(lines(log.as_ref()).len(), 4);
    assert_eq!(numbers_in(folder.path()).len(), 3);
}

#[test]
fn stopping_is_one_error_and_what_was_before_is_whole() {
    let folder = TempDir::new().unwrap();
    let log = at(&folder, "log.jsonl");
    let rig = Rig::saving(
        &at(&folder, "%06d.raw"),
        &[("max-files", "3"), ("log-location", &log)],
    );
    let mut refused = Ok(gst::FlowSuccess::Ok);
    for number in 0..100_000 {
        refused = rig.push(number);
        if refused.is_err() {
            break;
        }
    }
    assert_eq!(refused, Err(gst::FlowError::Error));
    until("the end", || rig.count("pending") == 0);
    let messages = rig.messages();
    let errors = messages.errors();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].0.matches(gst::ResourceError::NoSpaceLeft));
    for word in ["max-files", "3 of 3", "on-full=stop"] {
        assert!(errors[0].1.contains(word), "{errors:?}");
    }
    assert_eq!(rig.count("captured"), 3);
    assert_eq!(rig.count("selected"), 3 + rig.count("dropped-full"));
    assert_eq!(numbers_in(folder.path()), [0, 1, 2]);
    assert_eq!(lines(log.as_ref()).len(), 3);
    rig.stop();
    // Nor does the next run begin.
    let rig = Rig::saving(&at(&folder, "%06d.raw"), &[("max-files", "3")]);
    let _ = rig.push(0);
    until("the error", || !rig.messages().errors().is_empty());
    assert_eq!(numbers_in(folder.path()), [0, 1, 2]);
}

#[test]
fn frames_of_a_pre_roll_are_captures_of_their_own() {
    let folder = TempDir::new().unwrap();
    let rig = Rig::new(&[
        ("mode", "manual"),
        ("pre-roll", "2"),
        ("overflow", "block"),
        ("location", &at(&folder, "%06d.raw")),
        ("max-files", "4"),
        ("on-full", "rotate"),
    ]);
    for first in [0, 10] {
        rig.push_all(first..first + 5);
        rig.element.emit_by_name::<bool>("capture", &[&-1]);
        rig.push_all(first + 5..first + 6);
    }
    rig.end();
    assert_eq!(numbers_in(folder.path()), [5, 13, 14, 15]);
    assert_eq!((rig.count("captured"), rig.count("rotated")), (6, 2));
}

#[test]
fn files_that_vanish_or_cannot_be_written_to_are_no_trouble() {
    let folder = TempDir::new().unwrap();
    let rig = Rig::saving(
        &at(&folder, "%06d.raw"),
        &[("max-files", "3"), ("on-full", "rotate")],
    );
    rig.push_all(0..3);
    until("three", || rig.count("captured") == 3);
    fs::remove_file(folder.path().join("000000.raw")).unwrap();
    let read_only = folder.path().join("000001.raw");
    let mut permissions = fs::metadata(&read_only).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&read_only, permissions).unwrap();
    rig.push_all(3..6);
    let messages = rig.end();
    assert!(
        messages.warning_texts().is_empty(),
        "{:?}",
        messages.warning_texts()
    );
    assert_eq!(numbers_in(folder.path()), [3, 4, 5]);
}

#[test]
fn what_is_overwritten_needs_no_room() {
    let folder = TempDir::new().unwrap();
    for run in 0..2 {
        let rig = Rig::saving(
            &at(&folder, "%06d.raw"),
            &[
                ("max-files", "4"),
                ("on-full", "drop"),
                ("on-exists", "overwrite"),
            ],
        );
        rig.push_all(run * 100..run * 100 + 4);
        let messages = rig.end();
        assert!(
            messages.warning_texts().is_empty(),
            "{:?}",
            messages.warning_texts()
        );
        let expected: Vec<u64> = (run * 100..run * 100 + 4).collect();
        assert_eq!(numbers_in(folder.path()), expected);
    }
}

#[test]
fn the_log_is_no_capture_even_if_the_template_can_name_it() {
    let folder = TempDir::new().unwrap();
    let log = at(&folder, "{reason}-log");
    let log = log.replace("{reason}", "interval");
    let location = at(&folder, "{reason}-{label}");
    let location = format!("{location}{}", "{frame:06}");
    let rig = Rig::saving(
        &location,
        &[
            ("encoding", "raw"),
            ("max-files", "2"),
            ("on-full", "rotate"),
            ("log-location", &log),
        ],
    );
    rig.push_all(0..9);
    rig.end();
    assert_eq!(lines(log.as_ref()).len(), 9);
    assert_eq!(files(folder.path()).len(), 3);
}
