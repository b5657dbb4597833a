// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

use std::fs;

use super::*;
use crate::capture::select::Reason;
use crate::meta::{Bounds, FrameMeta};

fn object(label: &str, class_id: Option<i32>, bounds: [f32; 4]) -> Detection {
    let [left, top, width, height] = bounds;
    Detection {
        label: label.into(),
        class_id,
        bounds: Bounds {
            left,
            top,
            width,
            height,
        },
        ..Detection::default()
    }
}

fn facts(stream: u32, frame: u64, detections: Vec<Detection>) -> Facts {
    Facts {
        number: frame,
        stream,
        frame,
        pts: None,
        duration: None,
        discont: false,
        taken_at: "2026-01-02T03:04:05Z".parse().unwrap(),
        reason: Reason::Interval,
        matches: (0..detections.len()).collect(),
        meta: FrameMeta {
            detections,
            ..FrameMeta::default()
        },
    }
}

/// Of frames of 100x50, delivered twice as wide and four times as high.
fn labelled(facts: &Facts) -> Labelled<'_> {
    Labelled {
        facts,
        frame_size: [100, 50],
        shape: [200, 200, 3],
    }
}

fn two() -> Vec<Detection> {
    let car = Detection {
        confidence: Some(0.9),
        track_id: Some(7),
        ..object("red car", Some(2), [10.0, 5.0, 20.0, 10.0])
    };
    vec![car, object("", Some(0), [90.0, -5.0, 30.0, 15.5])]
}

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn template(&self, name: &str) -> Template {
        Template::parse(self.path(name).to_str().unwrap()).unwrap()
    }

    fn open(&self, form: Form, on_exists: OnExists) -> Result<Labels, DeliverError> {
        let rules = LabelRules {
            form,
            of_frames: false,
            on_exists,
            fsync: false,
        };
        Labels::open(&rules).map(|(labels, _)| labels)
    }

    fn text(&self, format: TextFormat, detections: Vec<Detection>) -> (String, Outcome) {
        let template = self.template("{frame}.txt");
        let form = Form::Text(format, super::Place::Named(template));
        let labels = self.open(form, OnExists::Overwrite).unwrap();
        let facts = facts(0, 3, detections);
        let mut outcome = labels.stage(&labelled(&facts), None).unwrap();
        let staged = outcome.staged.take().unwrap().companion().unwrap_err();
        labels.publish(staged).unwrap();
        (fs::read_to_string(self.path("3.txt")).unwrap(), outcome)
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

#[test]
fn kitti_has_the_columns_of_deepstream() {
    let (text, _) = Place::new().text(TextFormat::Kitti, two());
    assert_eq!(
        text,
        "red_car 7 0.0 0 0.0 20.000000 20.000000 60.000000 60.000000 \
         0.0 0.0 0.0 0.0 0.0 0.0 0.0 0.900000\n\
         class0 0.0 0 0.0 180.000000 0.000000 200.000000 42.000000 \
         0.0 0.0 0.0 0.0 0.0 0.0 0.0 -1.000000\n"
    );
    let columns: Vec<_> = text.lines().map(|l| l.split(' ').count()).collect();
    assert_eq!(columns, [17, 16]);
    let (text, _) = Place::new().text(TextFormat::KittiTao, two());
    let first = "red_car 0.0 3 0.0 20.000000 20.000000 60.000000 60.000000 \
                 0.0 0.0 0.0 0.0 0.0 0.0 0.0";
    assert_eq!(text.lines().next(), Some(first));
    assert!(text.lines().all(|line| line.split(' ').count() == 15));
}

#[test]
fn hostile_labels_are_one_word() {
    let label = "a b\tc\nd\u{2028}e\r\0f";
    let hostile = vec![object(label, None, [0.0, 0.0, 1.0, 1.0])];
    let (text, _) = Place::new().text(TextFormat::Kitti, hostile);
    assert_eq!(text.lines().count(), 1);
    assert!(text.starts_with("a_b_c_d_e__f 0.0 0 "), "{text:?}");
}

#[test]
fn yolo_is_in_fractions_and_names_its_classes() {
    let place = Place::new();
    let mut detections = two();
    detections.push(object("cat", None, [0.0, 0.0, 1.0, 1.0]));
    detections.push(object("dog", Some(-1), [0.0, 0.0, 1.0, 1.0]));
    let (text, outcome) = place.text(TextFormat::Yolo, detections);
    assert_eq!(
        text,
        "2 0.200000 0.200000 0.200000 0.200000\n0 0.950000 0.105000 0.100000 0.210000\n"
    );
    assert_eq!((outcome.left_out, outcome.without_class), (2, true));
    let classes = || fs::read_to_string(place.path("classes.txt")).unwrap();
    assert_eq!(classes(), "class0\nclass1\nred car\n");
    // Another run knows more, and forgets nothing.
    let more = vec![
        object("person", Some(0), [0.0, 0.0, 1.0, 1.0]),
        object("lorry", Some(2), [0.0, 0.0, 1.0, 1.0]),
        object("far", Some(i32::MAX), [0.0, 0.0, 1.0, 1.0]),
    ];
    place.text(TextFormat::Yolo, more);
    assert_eq!(classes(), "person\nclass1\nred car\n");
}

#[test]
fn what_lies_outside_or_is_no_box_is_left_out() {
    let nan = f32::NAN;
    let outside = [
        [200.0, 0.0, 10.0, 10.0],
        [-20.0, 0.0, 10.0, 10.0],
        [0.0, 0.0, 0.0, 10.0],
        [0.0, 0.0, -5.0, 10.0],
        [nan, 0.0, 5.0, 10.0],
        [0.0, 0.0, 5.0, nan],
        [f32::INFINITY, 0.0, 1.0, 1.0],
        [f32::NEG_INFINITY, 0.0, f32::INFINITY, 1.0],
    ];
    let detections = outside.map(|bounds| object("x", Some(1), bounds));
    for format in [TextFormat::Kitti, TextFormat::Yolo] {
        let (text, outcome) = Place::new().text(format, detections.to_vec());
        assert_eq!((text.as_str(), outcome.left_out), ("", 8));
    }
}

#[test]
fn only_what_matches_is_labelled() {
    let mut facts = facts(0, 0, two());
    facts.matches = vec![1, 9];
    let objects = Objects::of(&labelled(&facts), false);
    assert_eq!(objects.placed.len(), 1);
    assert_eq!(objects.placed[0].detection.class_id, Some(0));
    // Where the picture is a part of the frame, labels are of the frame.
    let of_frame = Objects::of(&labelled(&facts), true);
    assert_eq!((of_frame.width, of_frame.height), (100, 50));
    assert_eq!(of_frame.placed[0].bottom, 10.5);
}

#[test]
fn mot_counts_from_1_and_keeps_streams_apart() {
    let place = Place::new();
    let mot = || Form::Mot(place.template("{stream}.txt"));
    let labels = place.open(mot(), OnExists::Suffix).unwrap();
    for (stream, frame) in [(0, 0), (3, 5), (0, 1)] {
        let detections = if frame == 1 { Vec::new() } else { two() };
        let facts = facts(stream, frame, detections);
        labels.append(&labelled(&facts), None).unwrap();
    }
    let text = |name: &str| fs::read_to_string(place.path(name)).unwrap();
    let line = "1,7,20,20,40,40,0.9,-1,-1,-1\n1,-1,180,0,20,42,-1,-1,-1,-1\n";
    assert_eq!(text("0.txt"), line);
    assert_eq!(
        text("3.txt"),
        line.replace("\n1", "\n6").replacen('1', "6", 1)
    );
    drop(labels);
    // A later run: beside it, after it (less a torn line), in place of it, or not at all.
    fs::write(place.path("0.txt"), format!("{line}2,7,2")).unwrap();
    let again = facts(0, 0, two());
    let run = |on_exists| {
        let labels = place.open(mot(), on_exists).unwrap();
        labels.append(&labelled(&again), None).map(drop)
    };
    run(OnExists::Suffix).unwrap();
    assert_eq!((text("0.txt"), text("0-2.txt")), (line.into(), line.into()));
    run(OnExists::Continue).unwrap();
    assert_eq!(text("0.txt"), line.repeat(2));
    run(OnExists::Overwrite).unwrap();
    assert_eq!(text("0.txt"), line);
    assert!(matches!(
        run(OnExists::Fail),
        Err(DeliverError::Exists { .. })
    ));
    // Two streams in one file would be one frame twice.
    let labels = place
        .open(Form::Mot(place.template("all.txt")), OnExists::Suffix)
        .unwrap();
    for (stream, works) in [(0, true), (1, false), (0, true)] {
        let facts = facts(stream, 0, two());
        let appended = labels.append(&labelled(&facts), None);
        assert_eq!(appended.is_ok(), works);
    }
}

fn json(path: &Path) -> serde_json::Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn count(value: &serde_json::Value, key: &str) -> usize {
    value[key].as_array().unwrap().len()
}

#[test]
fn coco_is_valid_at_every_moment_and_whole_at_the_end() {
    let place = Place::new();
    let path = place.path("deep/coco.json");
    let labels = place
        .open(Form::Coco(path.clone()), OnExists::Suffix)
        .unwrap();
    assert_eq!(count(&json(&path), "images"), 0);
    let mut writes = 0;
    let mut seen = 0;
    for frame in 0..1000 {
        let facts = facts(0, frame, two());
        let picture = path.with_file_name(format!("{frame}.jpg"));
        labels.append(&labelled(&facts), Some(&picture)).unwrap();
        if frame < 20 || frame % 97 == 0 {
            let images = count(&json(&path), "images");
            assert!(images * 2 > frame as usize, "{images} of {frame}");
            writes += usize::from(images != seen);
            seen = images;
        }
    }
    assert!(writes < 20, "{writes}");
    labels.finish().unwrap();
    let coco = json(&path);
    assert_eq!(
        (count(&coco, "images"), count(&coco, "annotations")),
        (1000, 2000)
    );
    assert_eq!(count(&coco, "categories"), 2);
    let last = &coco["annotations"][1998];
    assert_eq!(last["bbox"], serde_json::json!([20.0, 20.0, 40.0, 40.0]));
    assert_eq!(
        (&last["id"], &last["image_id"]),
        (&1999.into(), &1000.into())
    );
    assert_eq!(
        (&last["score"], &last["track_id"]),
        (&0.9.into(), &7.into())
    );
    assert_eq!(coco["images"][999]["file_name"], "999.jpg");
    assert_eq!(coco["images"][0]["width"], 200);
    drop(labels);
    let left = fs::read_dir(path.parent().unwrap()).unwrap().count();
    assert_eq!(left, 1, "the journal is there still");
}

#[test]
fn coco_of_a_killed_run_is_completed() {
    let place = Place::new();
    let path = place.path("coco.json");
    let open = |on_exists| {
        let rules = LabelRules {
            form: Form::Coco(path.clone()),
            of_frames: false,
            on_exists,
            fsync: false,
        };
        Labels::open(&rules)
    };
    let labels = open(OnExists::Suffix).unwrap().0;
    for frame in 0..11 {
        let facts = facts(0, frame, two());
        labels.append(&labelled(&facts), None).unwrap();
    }
    // As a kill leaves it: within a line, and nobody tidies up.
    let journal = fs::read(place.path(".coco.json.part")).unwrap();
    let torn = &journal[..journal.len() - 9];
    let published = fs::read(&path).unwrap();
    // Nobody else writes meanwhile.
    assert!(matches!(
        open(OnExists::Suffix),
        Err(DeliverError::Labels { .. })
    ));
    drop(labels);
    fs::write(place.path(".coco.json.part"), torn).unwrap();
    fs::write(&path, published).unwrap();
    assert_eq!(count(&json(&path), "images"), 8);
    let (labels, repaired) = open(OnExists::Suffix).unwrap();
    let repaired = repaired.unwrap();
    assert_eq!((&repaired.path, repaired.bad_lines), (&path, 0));
    assert_eq!(count(&json(&path), "images"), 10);
    assert_eq!(place.names().len(), 3, "{:?}", place.names());
    drop(labels);
    assert_eq!(place.names(), ["coco-2.json", "coco.json"]);
    // Going on: ids and categories go on, too.
    let (labels, repaired) = open(OnExists::Continue).unwrap();
    assert_eq!(repaired, None);
    let facts = facts(0, 50, two());
    labels.append(&labelled(&facts), None).unwrap();
    labels.finish().unwrap();
    let coco = json(&path);
    assert_eq!(
        (count(&coco, "images"), count(&coco, "annotations")),
        (11, 22)
    );
    assert_eq!(count(&coco, "categories"), 2);
    assert_eq!(coco["images"][10]["id"], 11);
    assert_eq!(coco["annotations"][21]["id"], 22);
    drop(labels);
    assert!(matches!(
        open(OnExists::Fail),
        Err(DeliverError::Exists { .. })
    ));
    let labels = open(OnExists::Overwrite).unwrap().0;
    assert_eq!(count(&json(&path), "images"), 0);
    drop(labels);
    fs::write(&path, "[]").unwrap();
    assert!(matches!(
        open(OnExists::Continue),
        Err(DeliverError::Labels { .. })
    ));
}

#[test]
fn coco_keeps_a_journal_that_it_cannot_read() {
    let place = Place::new();
    let (path, journal) = (place.path("coco.json"), place.path(".coco.json.part"));
    let open = || {
        let form = Form::Coco(path.clone());
        Labels::open(&LabelRules {
            form,
            of_frames: false,
            on_exists: OnExists::Suffix,
            fsync: true,
        })
    };
    // It opens, and reading its beginning is an input error.
    std::os::unix::fs::symlink("/proc/self/mem", &journal).unwrap();
    let error = open().unwrap_err();
    assert!(matches!(error, DeliverError::Journal { .. }), "{error}");
    assert!(error.to_string().contains(".coco.json.part"), "{error}");
    assert!(fs::symlink_metadata(&journal).is_ok());
    fs::remove_file(&journal).unwrap();

    // A line that is none costs that line.
    let labels = open().unwrap().0;
    for frame in 0..3 {
        let facts = facts(0, frame, two());
        labels.append(&labelled(&facts), None).unwrap();
    }
    let lines = fs::read_to_string(&journal).unwrap();
    let mut bad = Vec::new();
    for (line, rubbish) in lines
        .lines()
        .zip([&b"\0\0\xff"[..], b"{}", b"{\"images\": [{}]}"])
    {
        bad.extend_from_slice(rubbish);
        bad.push(b'\n');
        bad.extend_from_slice(line.as_bytes());
        bad.push(b'\n');
    }
    drop(labels);
    fs::write(&journal, bad).unwrap();
    let (labels, repaired) = open().unwrap();
    assert_eq!(repaired.unwrap().bad_lines, 3);
    assert_eq!(count(&json(&path), "images"), 3);
    drop(labels);
    assert_eq!(place.names(), ["coco-2.json", "coco.json"]);
}

#[test]
fn coco_that_cannot_be_replaced_costs_no_capture_and_is_not_tried_each_time() {
    let place = Place::new();
    let path = place.path("coco.json");
    let labels = place
        .open(Form::Coco(path.clone()), OnExists::Suffix)
        .unwrap();
    fs::remove_file(&path).unwrap();
    fs::create_dir_all(path.join("in the way")).unwrap();
    let mut warnings = 0;
    for frame in 0..200 {
        let facts = facts(0, frame, two());
        let outcome = labels.append(&labelled(&facts), None).unwrap();
        warnings += usize::from(outcome.warning.is_some());
    }
    assert!((1..20).contains(&warnings), "{warnings}");
    assert!(labels.finish().is_err());
    fs::remove_dir_all(&path).unwrap();
    labels.finish().unwrap();
    assert_eq!(count(&json(&path), "images"), 200);
}

#[test]
fn coco_categories_have_a_bound() {
    let place = Place::new();
    let path = place.path("coco.json");
    let labels = place
        .open(Form::Coco(path.clone()), OnExists::Suffix)
        .unwrap();
    let objects = |from: u32| {
        let label = |n: u32| object(&format!("l{n}"), None, [0.0, 0.0, 1.0, 1.0]);
        (from..from + 33_000).map(label).collect::<Vec<_>>()
    };
    let mut warnings = 0;
    let mut left_out = 0;
    for (frame, from) in [0, 33_000, 66_000, 0].into_iter().enumerate() {
        let facts = facts(0, frame as u64, objects(from));
        let outcome = labels.append(&labelled(&facts), None).unwrap();
        warnings += usize::from(outcome.warning.is_some());
        left_out += outcome.left_out;
    }
    assert_eq!((warnings, left_out), (1, 99_000 - 65_536));
    labels.finish().unwrap();
    assert_eq!(count(&json(&path), "categories"), 65_536);
}

#[test]
fn mot_has_few_files_open_and_loses_nothing() {
    let place = Place::new();
    fs::write(place.path("0.txt"), "1,1,1,1,1,1,1,-1,-1,-1\n").unwrap();
    let form = Form::Mot(place.template("{stream}.txt"));
    let labels = place.open(form, OnExists::Suffix).unwrap();
    for frame in 0..2 {
        for stream in 0..150 {
            let facts = facts(stream, frame, two());
            labels.append(&labelled(&facts), None).unwrap();
        }
    }
    let folder = place.folder.path();
    let links = fs::read_dir("/proc/self/fd").unwrap();
    let open = links
        .filter_map(|link| fs::read_link(link.ok()?.path()).ok())
        .filter(|path| path.starts_with(folder));
    assert_eq!(open.count(), 64);
    assert_eq!(place.names().len(), 151);
    for name in ["0-2.txt", "1.txt", "149.txt"] {
        let text = fs::read_to_string(place.path(name)).unwrap();
        assert_eq!(text.lines().count(), 4, "{name}");
    }
}

#[test]
fn two_writers_of_yolo_classes_forget_nothing() {
    let place = Place::new();
    let open = || {
        let template = place.template("{frame}.txt");
        let form = Form::Text(TextFormat::Yolo, super::Place::Named(template));
        place.open(form, OnExists::Overwrite).unwrap()
    };
    let stage = |labels: &Labels, label: &str, class| {
        let facts = facts(0, 0, vec![object(label, Some(class), [0.0, 0.0, 1.0, 1.0])]);
        labels.stage(&labelled(&facts), None).map(drop)
    };
    let classes = place.path("classes.txt");
    let (a, b) = (open(), open());
    stage(&a, "car", 0).unwrap();
    stage(&b, "person", 1).unwrap();
    stage(&b, "lorry", 0).unwrap();
    assert_eq!(fs::read_to_string(&classes).unwrap(), "car\nperson\n");
    // What could not be written is, the next time.
    fs::remove_file(&classes).unwrap();
    fs::create_dir(&classes).unwrap();
    assert!(stage(&a, "dog", 2).is_err());
    fs::remove_dir(&classes).unwrap();
    stage(&a, "dog", 2).unwrap();
    assert_eq!(fs::read_to_string(&classes).unwrap(), "car\nclass1\ndog\n");
}
