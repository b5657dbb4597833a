// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Detections on their way out, as log lines, names and label files, and in again.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{at, child, files, is_child, launch, lines, play, play_well, until};
use gst::prelude::*;
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

const SIZE: &str = "video/x-raw,width=320,height=240";
const FRAMES: u64 = 12;

/// Frames with known objects, captured into a log with these properties besides.
fn capture(folder: &TempDir, properties: &str) -> Vec<Value> {
    let log = at(folder, "log.jsonl");
    play_well(&format!(
        "dsframeinject pattern=objects num-buffers={FRAMES} ! {SIZE} \
         ! dsframecapture interval=1 log-location={log} {properties}"
    ));
    let found = lines(Path::new(&log));
    assert_eq!(found.len(), FRAMES as usize);
    assert!(found.iter().all(|line| line["objects_detected"] == 5));
    found
}

/// Frames with recorded objects, captured into a log.
fn inject(folder: &TempDir, source: &str, metadata: &str, size: &str) -> Vec<Value> {
    let log = at(folder, "again.jsonl");
    let _ = fs::remove_file(&log);
    play_well(&format!(
        "dsframeinject {source} metadata-location=\"{metadata}\" ! {size} \
         ! dsframecapture interval=1 log-location={log}"
    ));
    lines(Path::new(&log))
}

fn objects(line: &Value) -> &Vec<Value> {
    line["objects"].as_array().unwrap()
}

/// Left, top, right and bottom.
fn corners(object: &Value) -> [f64; 4] {
    let side = |i: usize| object["box"][i].as_f64().unwrap();
    [side(0), side(1), side(0) + side(2), side(1) + side(3)]
}

fn number(text: &str) -> f64 {
    text.parse().unwrap()
}

fn text(folder: &TempDir, name: &str) -> String {
    fs::read_to_string(at(folder, name)).unwrap()
}

/// Only these fields of the objects.
fn only(line: &Value, fields: &[&str]) -> Vec<Value> {
    let pick = |object: &Value| fields.iter().map(|f| object[*f].clone()).collect();
    objects(line).iter().map(pick).collect()
}

fn assert_same(found: &[Value], wanted: &[Value], fields: &[&str]) {
    assert_eq!(found.len(), wanted.len());
    for (found, wanted) in found.iter().zip(wanted) {
        assert_eq!(only(found, fields), only(wanted, fields));
    }
}

/// Asks other people's readers, where tests/run.sh could install them.
fn read_by_others(kind: &str, folder: &TempDir, name: &str) {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("target/readers/bin/python");
    if !python.exists() {
        println!("skipped: {kind} is not read by others: there is no target/readers");
        return;
    }
    let output = Command::new(python)
        .arg(root.join("tests/readers/labels.py"))
        .args([kind, &at(folder, "log.jsonl"), &at(folder, name)])
        .output()
        .unwrap();
    assert!(output.status.success(), "{kind}: {output:?}");
}

#[test]
fn a_log_line_says_all_and_comes_in_again() {
    let folder = tempdir().unwrap();
    let first = capture(&folder, "");
    let line = &first[3];
    assert_eq!(line["frame_size"], json!([320, 240]));
    assert_eq!((&line["pad"], &line["ntp"]), (&json!(0), &Value::Null));
    assert!(line.get("sensor").is_none());
    let car = &line["objects"][1];
    assert_eq!(car["label"], "car");
    assert_eq!(car["confidence"].to_string(), "0.8");
    assert_eq!(
        (&car["matched"], &car["parent"]),
        (&json!(true), &Value::Null)
    );
    assert_eq!(car["classifiers"], json!([]));

    let all = [
        "label",
        "class_id",
        "confidence",
        "track_id",
        "box",
        "component_id",
    ];
    let log = at(&folder, "log.jsonl");
    let counted = format!("num-buffers={FRAMES}");
    assert_same(&inject(&folder, &counted, &log, SIZE), &first, &all);
    // A pattern's own objects give way, and frames beyond the record have none.
    let more = format!("pattern=objects num-buffers={}", FRAMES + 3);
    let again = inject(&folder, &more, &log, SIZE);
    assert_same(&again[..FRAMES as usize], &first, &all);
    assert!(
        again[FRAMES as usize..]
            .iter()
            .all(|l| objects(l).is_empty())
    );
    // Boxes grow with the picture.
    let twice = inject(&folder, &counted, &log, "video/x-raw,width=640,height=720");
    for (found, wanted) in twice.iter().zip(&first) {
        for (found, wanted) in objects(found).iter().zip(objects(wanted)) {
            let [left, top, right, bottom] = corners(wanted);
            let scaled = [left * 2.0, top * 3.0, right * 2.0, bottom * 3.0];
            assert_eq!(corners(found), scaled);
        }
    }
}

#[test]
fn kitti_is_beside_the_pictures_and_comes_in_again() {
    let folder = tempdir().unwrap();
    let location = at(&folder, "k/{frame:06}.png");
    let first = capture(&folder, &format!("location={location} labels=kitti"));
    let mut found = files(folder.path());
    found.retain(|name| name.ends_with(".txt"));
    assert_eq!(found.len(), FRAMES as usize);
    for (frame, line) in first.iter().enumerate() {
        let text = text(&folder, &format!("k/{frame:06}.txt"));
        assert_eq!(text.lines().count(), 5);
        for (row, object) in text.lines().zip(objects(line)) {
            let row: Vec<_> = row.split(' ').collect();
            assert_eq!(row.len(), 17);
            assert_eq!(row[0], object["label"]);
            assert_eq!(row[1], object["track_id"].to_string());
            assert_eq!(&row[2..5], ["0.0", "0", "0.0"]);
            let sides: Vec<_> = row[5..9].iter().map(|side| number(side)).collect();
            assert_eq!(sides, corners(object));
            assert_eq!(&row[9..16], ["0.0"; 7]);
            assert_eq!(json!(number(row[16])), object["confidence"]);
        }
    }
    read_by_others("kitti", &folder, "k");
    let fields = ["label", "confidence", "track_id", "box"];
    let counted = format!("num-buffers={FRAMES}");
    for metadata in ["k", "k/*.txt", "k/%06d.txt"] {
        let again = inject(&folder, &counted, &at(&folder, metadata), SIZE);
        assert_same(&again, &first, &fields);
    }
    // The labels of the pictures go with the pictures, round and round.
    let pictures = at(&folder, "k/*.png");
    let looped = format!(
        "location={pictures} loop=true num-buffers={}",
        2 * FRAMES + 3
    );
    let again = inject(&folder, &looped, &at(&folder, "k"), SIZE);
    let round: Vec<_> = first.iter().cycle().take(again.len()).cloned().collect();
    assert_eq!(again.len() as u64, 2 * FRAMES + 3);
    assert_same(&again, &round, &fields);
    let part = format!("location={pictures} start-index=4");
    let again = inject(&folder, &part, &at(&folder, "k/%06d.txt"), SIZE);
    assert_same(&again, &first[4..], &fields);
}

#[test]
fn labels_fit_scaled_pictures_and_share_their_suffix() {
    let folder = tempdir().unwrap();
    let location = at(&folder, "%06d.jpg");
    let line = format!("location={location} labels=kitti-tao width=160 height=60");
    // In the way of the first picture and of the second one's labels.
    fs::write(at(&folder, "000000.jpg"), "old").unwrap();
    fs::write(at(&folder, "000001.txt"), "old").unwrap();
    let first = capture(&folder, &line);
    for (frame, line) in first.iter().enumerate() {
        let suffix = if frame < 2 { "-2" } else { "" };
        let name = format!("{frame:06}{suffix}");
        assert!(
            line["file"]
                .as_str()
                .unwrap()
                .ends_with(&format!("{name}.jpg"))
        );
        let text = text(&folder, &format!("{name}.txt"));
        for (row, object) in text.lines().zip(objects(line)) {
            let row: Vec<_> = row.split(' ').collect();
            assert_eq!((row.len(), row[2]), (15, "3"));
            let sides: Vec<_> = row[4..8].iter().map(|side| number(side)).collect();
            let [left, top, right, bottom] = corners(object);
            assert_eq!(sides, [left / 2.0, top / 4.0, right / 2.0, bottom / 4.0]);
        }
    }
    assert_eq!(text(&folder, "000001.txt"), "old");
    assert!(!folder.path().join("000001.jpg").exists());
}

#[test]
fn yolo_alone_is_enough() {
    let folder = tempdir().unwrap();
    let labels = at(&folder, "y/{frame:06}.txt");
    let first = capture(&folder, &format!("labels=yolo labels-location={labels}"));
    assert!(first.iter().all(|line| line["file"].is_null()));
    assert_eq!(text(&folder, "y/classes.txt"), "person\nbicycle\ncar\n");
    for (frame, line) in first.iter().enumerate() {
        let text = text(&folder, &format!("y/{frame:06}.txt"));
        for (row, object) in text.lines().zip(objects(line)) {
            let row: Vec<_> = row.split(' ').collect();
            assert_eq!(row[0], object["class_id"].to_string());
            assert!(row[1..].iter().all(|n| n.len() == "0.123456".len()));
            let n: Vec<_> = row[1..].iter().map(|n| number(n)).collect();
            let [left, top, right, bottom] = corners(object);
            for (found, wanted) in [
                ((n[0] - n[2] / 2.0) * 320.0, left),
                ((n[1] - n[3] / 2.0) * 240.0, top),
                ((n[0] + n[2] / 2.0) * 320.0, right),
                ((n[1] + n[3] / 2.0) * 240.0, bottom),
            ] {
                assert!((found - wanted).abs() < 0.001, "{found} {wanted}");
            }
        }
    }
    read_by_others("yolo", &folder, "y");
}

#[test]
fn mot_is_one_file_and_comes_in_again() {
    let folder = tempdir().unwrap();
    let labels = at(&folder, "m/{stream}.txt");
    let first = capture(&folder, &format!("labels=mot labels-location={labels}"));
    let text = text(&folder, "m/0.txt");
    let objects_of = |line| objects(line).iter();
    let logged = first.iter().flat_map(objects_of);
    let mut count = 0;
    for (row, object) in text.lines().zip(logged) {
        let row: Vec<_> = row.split(',').collect();
        assert_eq!(row[0], (count / 5 + 1).to_string());
        assert_eq!(row[1], object["track_id"].to_string());
        let sides: Vec<_> = row[2..6].iter().map(|side| json!(number(side))).collect();
        assert_eq!(json!(sides), object["box"]);
        assert_eq!(row[6], object["confidence"].to_string());
        assert_eq!(&row[7..], ["-1"; 3]);
        count += 1;
    }
    assert_eq!((count, text.lines().count()), (60, 60));
    read_by_others("mot", &folder, "m/0.txt");
    let counted = format!("num-buffers={FRAMES}");
    let again = inject(&folder, &counted, &at(&folder, "m/0.txt"), SIZE);
    assert_same(&again, &first, &["confidence", "track_id", "box"]);
}

#[test]
fn coco_is_whole_when_eos_is_there() {
    let folder = tempdir().unwrap();
    let (labels, location) = (at(&folder, "c/coco.json"), at(&folder, "c/p/%d.png"));
    let pipeline = launch(&format!(
        "dsframeinject pattern=objects num-buffers={FRAMES} ! {SIZE} \
         ! dsframecapture interval=1 log-location={} labels=coco labels-location={labels} \
         location={location}",
        at(&folder, "log.jsonl")
    ));
    let bus = pipeline.bus().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    assert!(common::wait_for_end(&bus).eos());
    let coco: Value = serde_json::from_str(&text(&folder, "c/coco.json")).unwrap();
    pipeline.set_state(gst::State::Null).unwrap();
    let list = |key: &str| coco[key].as_array().unwrap();
    assert_eq!(list("images").len(), FRAMES as usize);
    let logged = lines(Path::new(&at(&folder, "log.jsonl")));
    for (image, line) in list("images").iter().zip(&logged) {
        assert_eq!(image["frame_number"], line["frame_number"]);
        let name = format!("p/{}.png", line["frame_number"]);
        assert_eq!(image["file_name"], name);
        let annotations = list("annotations").iter();
        let of_image = annotations.filter(|a| a["image_id"] == image["id"]);
        let found: Vec<_> = of_image
            .map(|a| {
                let category = list("categories")
                    .iter()
                    .find(|c| c["id"] == a["category_id"]);
                json!([
                    category.unwrap()["name"],
                    a["bbox"],
                    a["track_id"],
                    a["score"]
                ])
            })
            .collect();
        let wanted = only(line, &["label", "box", "track_id", "confidence"]);
        assert_eq!(found, wanted);
    }
    let left = files(folder.path());
    assert!(!left.iter().any(|name| name.contains("part")), "{left:?}");
    read_by_others("coco", &folder, "c/coco.json");
}

const KILLED: &str = "coco_is_valid_whenever_it_is_killed";

#[test]
fn coco_is_valid_whenever_it_is_killed() {
    if is_child() {
        let labels = std::env::var("LABELS").unwrap();
        play(&launch(&format!(
            "dsframeinject pattern=objects ! video/x-raw,width=64,height=64 \
             ! dsframecapture interval=1 labels=coco labels-location={labels}"
        )));
        return;
    }
    let folder = tempdir().unwrap();
    let path = folder.path().join("coco.json");
    let images = || -> usize {
        // Whole whenever it is there.
        let text = fs::read_to_string(&path).unwrap_or_else(|_| r#"{"images":[]}"#.into());
        let coco: Value = serde_json::from_str(&text).unwrap();
        coco["images"].as_array().unwrap().len()
    };
    for wanted in [1, 60, 700] {
        let mut process = child(KILLED).env("LABELS", &path).spawn().unwrap();
        until("images", || images() >= wanted);
        process.kill().unwrap();
        process.wait().unwrap();
        let before = images();
        assert!(before >= wanted);
        // The next start completes it, and begins one of its own.
        play_well(&format!(
            "dsframeinject pattern=objects num-buffers=1 ! {SIZE} \
             ! dsframecapture interval=1 labels=coco labels-location={}",
            path.display()
        ));
        assert!(images() >= before);
        let journal = folder.path().join(".coco.json.part");
        assert!(!journal.exists());
        fs::remove_file(&path).unwrap();
        fs::remove_file(folder.path().join("coco-2.json")).unwrap();
    }
}

#[test]
fn names_are_filled_in_from_the_surest_object() {
    let folder = tempdir().unwrap();
    let name = "{label}/{track:03}-{class}-{confidence}-{object}-{seq}-{pad}-{sensor}-{ntp}-%d";
    capture(&folder, &format!("location={}.png", at(&folder, name)));
    let found = files(folder.path());
    assert_eq!(found.len(), FRAMES as usize + 1);
    assert!(
        found.contains(&"person/001-0-0.90-0-0-0-none-none-3.png".to_owned()),
        "{found:?}"
    );
}

#[test]
fn records_survive_seeking() {
    let folder = tempdir().unwrap();
    let first = capture(&folder, "");
    let again = at(&folder, "again.jsonl");
    let pipeline = launch(&format!(
        "dsframeinject metadata-location={} num-buffers=6 ! {SIZE} \
         ! dsframecapture name=c interval=1 log-location={again}",
        at(&folder, "log.jsonl")
    ));
    let bus = pipeline.bus().unwrap();
    pipeline.set_state(gst::State::Ready).unwrap();
    let source = pipeline.iterate_sources().next().unwrap().unwrap();
    let start = gst::ClockTime::from_nseconds(first[5]["pts"].as_u64().unwrap());
    assert!(
        source
            .seek_simple(gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE, start)
            .is_ok()
    );
    pipeline.set_state(gst::State::Playing).unwrap();
    assert!(common::wait_for_end(&bus).eos());
    pipeline.set_state(gst::State::Null).unwrap();
    let found = lines(Path::new(&again));
    assert_eq!(found[0]["pts"], first[5]["pts"]);
    for line in &found {
        let same = first.iter().find(|l| l["pts"] == line["pts"]).unwrap();
        assert_eq!(line["objects"], same["objects"]);
    }
}

#[test]
fn records_go_with_the_frames_of_media() {
    let folder = tempdir().unwrap();
    let clip = at(&folder, "clip.webm");
    play_well(&format!(
        "videotestsrc num-buffers={FRAMES} ! {SIZE} ! vp8enc deadline=1 ! webmmux \
         ! filesink location={clip}"
    ));
    let first = capture(&folder, "");
    let source = format!("uri=file://{clip} loop=true num-buffers={}", 2 * FRAMES + 2);
    let again = inject(&folder, &source, &at(&folder, "log.jsonl"), SIZE);
    let round: Vec<_> = first.iter().cycle().take(again.len()).cloned().collect();
    assert_eq!(again.len() as u64, 2 * FRAMES + 2);
    assert_same(&again, &round, &["label", "box", "track_id"]);
}

/// Pictures that were captured here and there have the objects of their frames, not of the first
/// frames; so have they where they were moved to with their log.
#[test]
fn captured_pictures_come_in_again_with_their_own_log() {
    let folder = tempdir().unwrap();
    let pictures = at(&folder, "p/%03d.png");
    play_well(&format!(
        "dsframeinject pattern=objects num-buffers=300 ! {SIZE} ! dsframecapture mode=interval \
         interval=50 location={pictures} log-location={}",
        at(&folder, "p/log.jsonl")
    ));
    fs::rename(at(&folder, "p"), at(&folder, "moved")).unwrap();
    let first = lines(Path::new(&at(&folder, "moved/log.jsonl")));
    let source = format!("location={}", at(&folder, "moved/*.png"));
    let again = inject(&folder, &source, &at(&folder, "moved/log.jsonl"), SIZE);
    assert_eq!(again.len(), 6);
    // Objects come and go.
    let counts: Vec<_> = first.iter().map(|line| objects(line).len()).collect();
    assert_eq!(counts, [5, 5, 5, 3, 3, 5]);
    assert_same(&again, &first, &["label", "box", "track_id"]);
}

#[test]
fn a_bad_record_is_an_error_at_the_start() {
    let folder = tempdir().unwrap();
    fs::write(at(&folder, "bad.txt"), "1,1,0,0,1,1\n2,1,0,0,nan,1\n").unwrap();
    let location = at(&folder, "bad.txt");
    let line = format!("dsframeinject metadata-location={location} ! fakesink");
    let errors = play(&launch(&line)).errors();
    assert_eq!(errors.len(), 1);
    assert!(errors[0].1.contains("metadata-location"), "{errors:?}");
    assert!(
        errors[0].1.contains("bad.txt\": line 2: a box"),
        "{errors:?}"
    );
}
