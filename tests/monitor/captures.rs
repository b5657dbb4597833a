// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The captures that the page shows.

use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use crate::common::{at, lines};
use crate::kit::{Ended, address, get, live, metrics};

/// Injects a frame for each of these lists of objects.
fn objects(folder: &TempDir, frames: &[Value]) -> String {
    let path = folder.path().join("objects.jsonl");
    let line = |(number, objects): (usize, &Value)| {
        format!(
            "{}\n",
            json!({ "version": 1, "stream": 0, "frame_number": number, "objects": objects })
        )
    };
    let text: String = frames.iter().enumerate().map(line).collect();
    std::fs::write(&path, text).unwrap();
    format!(
        "dsframeinject num-buffers={} metadata-location={} ! \
         video/x-raw,width=640,height=360,framerate=30/1",
        frames.len(),
        path.display()
    )
}

fn person(left: u32) -> Value {
    json!({"label": "person", "class_id": 0, "confidence": 0.9, "track_id": left, "box": [left, 20.3, 100, 200]})
}

#[test]
fn they_say_what_the_log_says() {
    let folder = tempdir().unwrap();
    let source = objects(
        &folder,
        &[
            json!([person(8), person(300)]),
            json!([]),
            json!([person(5)]),
        ],
    );
    let ended = Ended::after(&format!(
        "{source} ! dsframecapture name=cap mode=metadata monitor-address=0 location={} log-location={}",
        at(&folder, "%d.jpg"),
        at(&folder, "log.jsonl"),
    ));
    let place = address(&ended.element("cap"));
    let state = live(place, 0);
    let captures = state["captures"].as_array().unwrap();
    let log = lines(&folder.path().join("log.jsonl"));
    assert_eq!((captures.len(), log.len()), (2, 2));
    for (capture, line) in captures.iter().zip(&log) {
        assert_eq!(capture["frame"], line["frame_number"]);
        assert_eq!(capture["stream"], line["stream"]);
        assert_eq!(capture["pts"], line["pts"]);
        assert_eq!(capture["reason"], line["reason"]);
        assert_eq!(capture["time"], line["timestamp"]);
        assert_eq!(capture["size"], json!([640, 360]));
        let (shown, logged) = (&capture["objects"], line["objects"].as_array().unwrap());
        assert_eq!(capture["objects_total"], logged.len());
        for (at, object) in logged.iter().enumerate() {
            assert_eq!(shown[at]["label"], object["label"]);
            assert_eq!(shown[at]["confidence"], object["confidence"]);
            assert_eq!(shown[at]["box"], object["box"]);
            assert_eq!(shown[at]["track"], object["track_id"].to_string());
            assert_eq!(shown[at]["matched"], true);
        }
        // The very bytes of the file.
        let picture = get(place, &format!("/captures/{}/0", capture["id"]));
        assert_eq!(picture.headers["content-type"], "image/jpeg");
        let file = line["file"].as_str().unwrap();
        assert!(picture.body == std::fs::read(file).unwrap(), "{file}");
        assert_eq!(
            get(place, &format!("/captures/{}/1", capture["id"])).status,
            404
        );
    }
    let last = state["last"].as_u64().unwrap();
    assert!(live(place, last)["captures"].as_array().unwrap().is_empty());
    assert_eq!(
        live(place, last - 1)["captures"].as_array().unwrap().len(),
        1
    );
}

#[test]
fn crops_and_drawings_are_shown_as_they_are() {
    let folder = tempdir().unwrap();
    let many: Vec<_> = (0..12).map(|n| person(n * 40)).collect();
    let source = objects(&folder, &[json!(many)]);
    let ended = Ended::after(&format!(
        "{source} ! tee name=t \
         t. ! queue ! dsframecapture name=cap crop=objects mode=metadata monitor-address=0 location={} \
         t. ! queue ! dsframecapture name=both annotate=both interval=1 location={}",
        at(&folder, "%d-{object}.png"),
        at(&folder, "both-%d.png"),
    ));
    let place = address(&ended.element("cap"));
    let state = live(place, 0);
    let captures = state["captures"].as_array().unwrap();
    let of = |element: &str| captures.iter().find(|it| it["element"] == element).unwrap();
    let crops = of("cap");
    assert_eq!(crops["pictures_total"], 12);
    let pictures = crops["pictures"].as_array().unwrap();
    assert_eq!(pictures.len(), 8);
    for (number, picture) in pictures.iter().enumerate() {
        assert_eq!(picture["object"], number);
        let shown = get(place, &format!("/captures/{}/{number}", crops["id"]));
        assert_eq!(shown.headers["content-type"], "image/png");
        let file = folder.path().join(format!("0-{number}.png"));
        assert!(shown.body == std::fs::read(file).unwrap(), "{number}");
    }
    let both = of("both")["pictures"].as_array().unwrap();
    assert_eq!(
        (&both[0]["annotated"], &both[1]["annotated"]),
        (&json!(false), &json!(true))
    );
}

#[test]
fn what_cannot_be_shown_says_so() {
    let folder = tempdir().unwrap();
    for (suffix, note) in [("npy", "cannot be shown"), ("raw", "cannot be shown")] {
        let ended = Ended::after(&format!(
            "dsframeinject num-buffers=1 ! video/x-raw,width=64,height=48 ! \
             dsframecapture name=cap monitor-address=0 location={}",
            at(&folder, &format!("%d.{suffix}"))
        ));
        let state = live(address(&ended.element("cap")), 0);
        let capture = &state["captures"][0];
        assert!(
            capture["note"].as_str().unwrap().contains(note),
            "{capture}"
        );
        assert_eq!(capture["pictures"], json!([]));
    }
}

#[test]
fn metadata_is_bounded_and_stays_text() {
    let folder = tempdir().unwrap();
    let script = "</script><script>alert(1)</script>\"'\\\u{0}\u{2028}";
    let label = |text: &str| json!({"label": text, "box": [0, 0, 5, 5]});
    let mut objects_of_one = vec![label(script), label(&"ü".repeat(5000))];
    objects_of_one.extend((0..500).map(|n| label(&format!("n{n}"))));
    let source = objects(&folder, &[json!(objects_of_one)]);
    let ended = Ended::after(&format!(
        "{source} ! dsframecapture name=cap mode=metadata classes=n400 monitor-address=0 log-location={}",
        at(&folder, "log.jsonl"),
    ));
    let place = address(&ended.element("cap"));
    let state = live(place, 0);
    let capture = &state["captures"][0];
    let shown = capture["objects"].as_array().unwrap();
    assert_eq!((shown.len(), &capture["objects_total"]), (32, &json!(502)));
    // What was asked for is never left out.
    assert_eq!(
        (&shown[0]["label"], &shown[0]["matched"]),
        (&json!("n400"), &json!(true))
    );
    assert_eq!(
        shown[1]["label"],
        lines(&folder.path().join("log.jsonl"))[0]["objects"][0]["label"]
    );
    assert_eq!(shown[1]["matched"], false);
    let long = shown[2]["label"].as_str().unwrap();
    assert!(long.chars().count() <= 97, "{long}");
}

#[test]
fn what_comes_too_fast_is_counted() {
    let folder = tempdir().unwrap();
    let ended = Ended::after(&format!(
        "dsframeinject num-buffers=2000 ! video/x-raw,width=64,height=48 ! \
         dsframecapture name=cap interval=1 monitor-address=0 log-location={}",
        at(&folder, "log.jsonl"),
    ));
    let place = address(&ended.element("cap"));
    let shown = live(place, 0)["last"].as_u64().unwrap();
    let not_shown = metrics(place).get("dsframe_captures_not_shown_total", &[("element", "cap")]);
    assert_eq!(shown + not_shown as u64, 2000);
    assert!(shown >= 30);
}
