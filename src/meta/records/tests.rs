// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

use proptest::prelude::*;

use super::*;

fn read(text: &[u8]) -> Result<Frames, RecordError> {
    Reader::default().read(&mut &text[..]).unwrap()
}

fn log_line(frame: u64, stream: u32, objects: &str) -> String {
    format!(
        r#"{{"version":1,"frame_number":{frame},"stream":{stream},"pts":null,"frame_size":[64,48],"objects":[{objects}]}}"#
    )
}

const CAR: &str = r#"{"label":"car","class_id":2,"component_id":1,"confidence":0.9,"track_id":7,"box":[1,2.5,3,4],"matched":true,"parent":null,"classifiers":[{"kind":"colour","component_id":null,"labels":[{"label":"red","class_id":null,"probability":0.5}]}]}"#;
const BARE: &str =
    r#"{"label":"x","class_id":null,"confidence":null,"track_id":null,"box":[0,0,1,1],"parent":0}"#;

#[test]
fn a_log_is_read() {
    let text = [
        log_line(5, 0, CAR),
        String::new(),
        log_line(6, 0, &format!("{CAR},{BARE}")),
        log_line(7, 0, ""),
        log_line(5, 3, BARE),
        // A later run.
        log_line(5, 0, BARE),
    ]
    .join("\r\n");
    let frames = read(text.as_bytes()).unwrap();
    assert_eq!(frames.keys().copied().collect::<Vec<_>>(), [5, 6]);
    assert_eq!(frames[&5].detections.len(), 1);
    assert_eq!(frames[&5].detections[0].label, "x");
    let frame = &frames[&6];
    assert_eq!(frame.size, Some((64, 48)));
    let car = &frame.detections[0];
    assert_eq!((car.class_id, car.component_id), (Some(2), Some(1)));
    assert_eq!((car.confidence, car.track_id), (Some(0.9), Some(7)));
    assert_eq!(car.bounds.top, 2.5);
    assert_eq!(car.classifiers[0].labels[0].label, "red");
    assert_eq!(frame.detections[1].parent, Some(0));
}

#[test]
fn of_several_streams_the_first_is_meant_or_the_only_one() {
    let only = format!("{}\n{}", log_line(1, 3, CAR), log_line(2, 3, CAR));
    assert_eq!(read(only.as_bytes()).unwrap().len(), 2);
    let none = format!("{}\n{}", log_line(1, 3, CAR), log_line(2, 4, CAR));
    let error = read(none.as_bytes()).unwrap_err();
    assert!(error.reason.contains("(3, 4) but no stream 0"), "{error}");
}

#[test]
fn kitti_is_read_with_and_without_ids_and_confidence() {
    let text = "car 0.0 3 0.0 1 2 4 6 0.0 0.0 0.0 0.0 0.0 0.0 0.0\n\
                car 0.0 0 0.0 1 2 4 6 0.0 0.0 0.0 0.0 0.0 0.0 0.0 0.5\n\
                DontCare -1 -1 -10 1 2 4 6 -1 -1 -1 -1000 -1000 -1000 -10\n\
                car 18446744073709551614 0.0 0 0.0 1 2 4 6 0 0 0 0 0 0 0 -1.000000\n";
    let frames = read(text.as_bytes()).unwrap();
    let found = &frames[&0].detections;
    let seen: Vec<_> = found.iter().map(|d| (d.track_id, d.confidence)).collect();
    let want = [(None, None), (None, Some(0.5)), (Some(u64::MAX - 1), None)];
    assert_eq!(seen, want);
    assert!(
        found
            .iter()
            .all(|d| d.bounds == bounds(1.0, 2.0, 3.0, 4.0).unwrap())
    );
    let mut reader = Reader::default();
    let same = reader.read_kitti(&mut text.as_bytes()).unwrap().unwrap();
    assert_eq!(same, *found);
    assert_eq!(reader.read_kitti(&mut &b""[..]).unwrap().unwrap(), []);
}

#[test]
fn mot_is_read() {
    let text = "1,7,20,20.5,40,4,0.9,-1,-1,-1\n3, -1, 0, 0, 1, 1\n1,8,0,0,1,1,-1,-1,-1,-1\n";
    let frames = read(text.as_bytes()).unwrap();
    assert_eq!(frames.keys().copied().collect::<Vec<_>>(), [0, 2]);
    let first = &frames[&0].detections;
    assert_eq!(
        (first[0].track_id, first[0].confidence),
        (Some(7), Some(0.9))
    );
    assert_eq!((first[1].track_id, first[1].confidence), (Some(8), None));
    assert_eq!(
        (first[0].bounds.top, frames[&2].detections[0].track_id),
        (20.5, None)
    );
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    let log = |object: &str| format!("{}\n{}", log_line(1, 0, ""), log_line(2, 0, object));
    let with_box = |numbers: &str| log(&format!(r#"{{"label":"x","box":[{numbers}]}}"#));
    let kitti = |sides: &str| format!("\ncar 0 0 0 {sides} 0 0 0 0 0 0 0 0.5");
    let cases: Vec<(String, &str)> = vec![
        (with_box("0,0,-1,1"), "negative size"),
        (with_box("0,0,null,1"), "not a line of"),
        (with_box("0,0,1e39,1"), "no"),
        (with_box("0,0,1"), "not a line of"),
        (with_box("0,0,1e999,1"), "not a line of"),
        (with_box("0,0,NaN,1"), "not a line of"),
        (
            log(r#"{"label":"x","box":[0,0,1,1],"parent":1}"#),
            "parent 1",
        ),
        (
            log(r#"{"label":"x","box":[0,0,1,1],"confidence":1e39}"#),
            "confidence",
        ),
        (format!("{}\n{{", log_line(1, 0, "")), "not a line of"),
        (format!("{}\n[]", log_line(1, 0, "")), "not a line of"),
        (
            format!(
                "{}\n{}",
                log_line(1, 0, ""),
                log_line(1, 0, "").replace("\"version\":1", "\"version\":2")
            ),
            "version 2",
        ),
        (
            format!(
                "{}\n{}",
                log_line(1, 0, ""),
                log_line(1, 0, "").replace("[64,48]", "[0,48]")
            ),
            "a frame of 0x48",
        ),
        (kitti("5 0 4 6"), "negative size"),
        (kitti("nan 0 4 6"), "a number that is none"),
        (kitti("x 0 4 6"), "\"x\" is no side"),
        (kitti("4 6"), "14 columns"),
        (
            format!("\n{}", "1 ".repeat(500_000)),
            "more than 17 columns",
        ),
        ("\n0 0.5 0.5 0.1 0.1".into(), "5 columns"),
        ("1,1,0,0,1,1\n0,1,0,0,1,1".into(), "counts from 1"),
        ("1,1,0,0,1,1\n1,1,0,0,1".into(), "5 columns"),
        ("1,1,0,0,1,1\n1,1,0,0,1,inf".into(), "a number that is none"),
        ("1,1,0,0,1,1\n1,1,0,0,-1,1".into(), "negative size"),
        ("1,1,0,0,1,1\n1,-2,0,0,1,1".into(), "no id"),
        ("1,1,0,0,1,1\n1,1,0,0,1,1,nan".into(), "confidence"),
        (
            format!("\n{}", "x".repeat(MAX_LINE + 1)),
            "longer than 1 MiB",
        ),
    ];
    for (text, reason) in cases {
        let error = read(text.as_bytes()).unwrap_err();
        assert_eq!(error.line, 2, "{error}");
        assert!(error.reason.contains(reason), "{error} is not {reason}");
    }
    let error = read(b"a\n\xff\xfe 0").unwrap_err();
    assert_eq!(error.line, 1, "{error}");
    let error = read(b"\n\n\xff\xfe 0").unwrap_err();
    assert_eq!((error.line, error.reason.as_str()), (3, "not UTF-8 text"));
}

#[test]
fn objects_are_bounded() {
    let line = "1,1,0,0,1,1\n";
    assert!(read(line.repeat(MAX_OBJECTS).as_bytes()).is_ok());
    let error = read(line.repeat(MAX_OBJECTS + 1).as_bytes()).unwrap_err();
    assert_eq!(error.line, MAX_OBJECTS as u64 + 1);
    let objects = |objects| Reader {
        total: Total {
            objects,
            classes: 0,
        },
    };
    let mut reader = objects(MAX_TOTAL);
    let error = reader.read_kitti(&mut "c 0 0 0 0 0 1 1 0 0 0 0 0 0 0".as_bytes());
    assert!(error.unwrap().unwrap_err().reason.contains("altogether"));
    // What is replaced does not count.
    let mut reader = objects(MAX_TOTAL - 1);
    let text = [
        log_line(1, 0, CAR),
        log_line(1, 0, CAR),
        log_line(1, 0, CAR),
    ]
    .join("\n");
    assert!(reader.read(&mut text.as_bytes()).unwrap().is_ok());
}

#[test]
fn classifiers_and_their_labels_are_bounded() {
    let read = |classes: usize, times: usize| {
        let total = Total {
            objects: 0,
            classes,
        };
        let lines: Vec<_> = (0..times).map(|_| log_line(1, 0, CAR)).collect();
        Reader { total }
            .read(&mut lines.join("\n").as_bytes())
            .unwrap()
    };
    // One of each; what is replaced does not count.
    assert!(read(MAX_CLASSES - 2, 3).is_ok());
    let error = read(MAX_CLASSES - 1, 1).unwrap_err();
    assert!(error.reason.contains("classifiers, labels"), "{error}");
}

#[test]
fn labels_of_kitti_do_not_look_like_other_formats() {
    for label in ["red,car", "{car}", "1,2"] {
        let text = format!("{label} 0 0 0 1 2 4 6 0 0 0 0 0 0 0\n");
        let frames = read(text.as_bytes()).unwrap();
        assert_eq!(frames[&0].detections[0].label, label);
    }
    let spaced = log_line(1, 0, CAR).replace(',', ", ").replace(':', ": ");
    assert_eq!(format_of(&spaced), Format::Log);
    assert_eq!(format_of("1, 2, 3, 4, 5, 6, 1, -1, -1, -1"), Format::Mot);
}

proptest! {
    #[test]
    fn anything_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = read(&bytes);
    }

    #[test]
    fn tables_of_anything_are_read_or_refused(text in "[0-9a-z,. \n{}\"\\-]{0,300}") {
        if let Ok(frames) = read(text.as_bytes()) {
            for detection in frames.values().flat_map(|frame| &frame.detections) {
                prop_assert!(detection.bounds.width >= 0.0 && detection.bounds.height >= 0.0);
            }
        }
    }
}
