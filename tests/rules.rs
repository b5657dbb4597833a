// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Rules on the objects of `pattern=objects`: what is captured is what the injected truth predicts,
//! and what it predicts again when it is injected from a log.

mod common;

use std::collections::BTreeSet;
use std::path::Path;

use common::{files, lines, play_well};
use serde_json::Value;

const FRAMES: u64 = 600;

/// What is in a frame, by the log of a run that captures everything.
struct Truth {
    number: u64,
    objects: Vec<Value>,
}

impl Truth {
    fn of_label(&self, label: &str) -> impl Iterator<Item = &Value> {
        let label = label.to_owned();
        self.objects.iter().filter(move |o| o["label"] == *label)
    }

    fn persons(&self) -> usize {
        self.of_label("person").count()
    }
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

fn run(source: &str, rules: &str, folder: &Path) -> Vec<Value> {
    let folder = folder.display();
    play_well(&format!(
        "dsframeinject num-buffers={FRAMES} {source} ! \
         video/x-raw,width=320,height=240,framerate=30/1 ! \
         dsframecapture {rules} log-location={folder}/log.jsonl"
    ));
    lines(&Path::new(&folder.to_string()).join("log.jsonl"))
}

fn record(folder: &Path) -> Vec<Truth> {
    let truth = |line: &Value| Truth {
        number: line["frame_number"].as_u64().unwrap(),
        objects: line["objects"].as_array().unwrap().clone(),
    };
    let log = run("pattern=objects", "mode=interval interval=1", folder);
    assert_eq!(log.len() as u64, FRAMES);
    log.iter().map(truth).collect()
}

/// Frame numbers and reasons, in the order of the log.
fn captured(log: &[Value]) -> Vec<(u64, String)> {
    log.iter()
        .map(|line| {
            let reason = line["reason"].as_str().unwrap().to_owned();
            (line["frame_number"].as_u64().unwrap(), reason)
        })
        .collect()
}

/// The frames that match, not sooner than `cooldown` after each other.
fn cooled(truth: &[Truth], cooldown: u64, matches: impl Fn(&Truth) -> bool) -> Vec<u64> {
    let mut last: Option<u64> = None;
    let mut taken = Vec::new();
    for frame in truth.iter().filter(|frame| matches(frame)) {
        let time = frame.number * 1_000_000_000 / 30;
        if last.is_none_or(|last| time - last >= cooldown) {
            last = Some(time);
            taken.push(frame.number);
        }
    }
    taken
}

fn with_reason(numbers: impl IntoIterator<Item = u64>, reason: &str) -> Vec<(u64, String)> {
    let pair = |number| (number, reason.to_owned());
    numbers.into_iter().map(pair).collect()
}

/// The rules, and what the truth predicts.
fn predictions(truth: &[Truth]) -> Vec<(&'static str, Vec<(u64, String)>)> {
    let metadata = |numbers| with_reason(numbers, "metadata");
    let left = |o: &Value| number(&o["box"][0]);
    let middle = |o: &Value| left(o) + number(&o["box"][2]) / 2.0;
    let tracks = |frame: &Truth| -> Vec<u64> {
        frame
            .of_label("person")
            .map(|o| o["track_id"].as_u64().unwrap())
            .collect()
    };
    let mut seen = BTreeSet::new();
    let mut new_tracks = Vec::new();
    for frame in truth {
        let new = tracks(frame)
            .into_iter()
            .filter(|track| seen.insert(*track))
            .count();
        if new > 0 {
            new_tracks.push(frame.number);
        }
    }
    let around: Vec<(u64, String)> = truth
        .iter()
        .filter_map(|frame| {
            let n = frame.number;
            let reason = if new_tracks.contains(&n) {
                "metadata"
            } else if new_tracks
                .iter()
                .any(|t| (1..=6).contains(&(n.wrapping_sub(*t))))
            {
                "post"
            } else if new_tracks
                .iter()
                .any(|t| (1..=4).contains(&(t.wrapping_sub(n))))
            {
                "pre"
            } else {
                return None;
            };
            Some((n, reason.to_owned()))
        })
        .collect();
    let two = |frame: &&Truth| frame.persons() >= 2;
    let every_seventh = truth.iter().filter(two).step_by(7).map(|f| f.number);
    let either = truth.iter().filter_map(|f| match f.number {
        n if cooled(truth, 1_000_000_000, |f| f.persons() >= 2).contains(&n) => {
            Some((n, "metadata".into()))
        }
        n if n % 50 == 0 => Some((n, "interval".into())),
        _ => None,
    });
    vec![
        (
            "mode=metadata classes=person min-objects=2 cooldown=1000000000",
            metadata(cooled(truth, 1_000_000_000, |f| f.persons() >= 2)),
        ),
        (
            "classes=person,car max-objects=2",
            metadata(cooled(truth, 0, |f| {
                f.persons() + f.of_label("car").count() <= 2
            })),
        ),
        (
            "classes=2 roi=0,0,0.5,1 roi-coverage=0.5 cooldown=500000000",
            metadata(cooled(truth, 500_000_000, |f| {
                f.of_label("car").any(|o| middle(o) <= 160.0)
            })),
        ),
        (
            "min-confidence=0.6 max-confidence=0.7 min-objects=2",
            metadata(cooled(truth, 0, |f| {
                let sure = |o: &&Value| (0.6..=0.7).contains(&number(&o["confidence"]));
                f.objects.iter().filter(sure).count() >= 2
            })),
        ),
        (
            "condition=\"count == 3 && objects.exists(o, o.label == 'bicycle' && o.left < 100.0)\"",
            metadata(cooled(truth, 0, |f| {
                f.objects.len() == 3 && f.of_label("bicycle").any(|o| left(o) < 100.0)
            })),
        ),
        ("classes=person dedupe=track", metadata(new_tracks.clone())),
        ("classes=person dedupe=track pre-roll=4 post-roll=6", around),
        (
            "mode=both interval=7 classes=person min-objects=2",
            metadata(every_seventh.collect()),
        ),
        (
            "mode=either interval=50 classes=person min-objects=2 cooldown=1000000000",
            either.collect(),
        ),
        // Confidence and size of an object are always the same, so its first frame is its best.
        (
            "classes=person dedupe=best best-window=1000000000",
            with_reason(new_tracks, "best"),
        ),
    ]
}

#[test]
fn captures_are_what_the_truth_predicts() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: String| {
        let path = folder.path().join(name);
        std::fs::create_dir(&path).unwrap();
        path
    };
    let truth_folder = at("truth".into());
    let truth = record(&truth_folder);
    let recorded = format!("metadata-location={}/log.jsonl", truth_folder.display());
    for (n, (rules, expected)) in predictions(&truth).into_iter().enumerate() {
        assert!(
            !expected.is_empty() && expected.len() < truth.len(),
            "{rules}"
        );
        for source in ["pattern=objects", recorded.as_str()] {
            let folder = at(format!("{n}-{}", source.len()));
            assert_eq!(captured(&run(source, rules, &folder)), expected, "{rules}");
        }
    }
}

/// Pictures have the names that the log gives them, and no others are there.
#[test]
fn the_first_line_of_the_readme_captures_two_persons() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().display();
    play_well(&format!(
        "dsframeinject pattern=objects num-buffers=600 ! dsframecapture mode=metadata classes=person \
         min-objects=2 cooldown=1000000000 location={out}/{{stream}}_{{frame:06}}_{{reason}}.jpg \
         log-location={out}/log.jsonl annotate=true"
    ));
    // Two are there for 120 frames of every 240.
    let expected: Vec<String> = [0, 240, 480]
        .iter()
        .flat_map(|first| (0..4).map(move |n| format!("0_{:06}_metadata.jpg", first + n * 30)))
        .chain(["log.jsonl".to_owned()])
        .collect();
    assert_eq!(files(folder.path()), expected);
    for line in lines(&folder.path().join("log.jsonl")) {
        let file = Path::new(line["file"].as_str().unwrap());
        assert!(file.is_file());
        let name = format!("{:06}", line["frame_number"].as_u64().unwrap());
        assert!(file.to_str().unwrap().contains(&name));
    }
}
