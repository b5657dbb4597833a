// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What detectors, trackers and classifiers say about objects.

use gstdsframe::mem::sys::Generation;
use serde_json::json;

use crate::batch::{ClassifierSpec, LabelSpec, ObjectSpec};
use crate::kit::{Feed, Muxer, Shot, log_of, taken_of, tracked};

/// The frames of stream 0 that are captured, of those with these objects.
#[track_caller]
fn chosen(properties: &[(&str, &str)], frames: &[Vec<ObjectSpec>]) -> Vec<u64> {
    let mut results = Vec::new();
    for generation in Generation::ALL {
        let folder = tempfile::tempdir().unwrap();
        let properties = [properties, &[("streams", "0")]].concat();
        let feed = Feed::new(&folder, "", &properties);
        let mut muxer = Muxer::new(generation);
        feed.begin(&muxer.caps());
        for (number, objects) in frames.iter().enumerate() {
            let shot = Shot::new(0, number as i32).with(objects.clone());
            // Beside a stream in which nothing is seen.
            feed.push(muxer.batch(&[Shot::new(1, number as i32), shot]));
        }
        feed.end_silently();
        let log = log_of(&folder);
        assert!(log.iter().all(|line| line["stream"] == 0));
        results.push(log.iter().map(|line| taken_of(line).1).collect::<Vec<_>>());
    }
    assert!(results.iter().all(|result| *result == results[0]));
    results.remove(0)
}

#[test]
fn who_gives_no_confidence_is_accepted_or_not() {
    // As trackers make them: without a score, and with a detector's box of zeros.
    let shadow = || tracked("car", 5, -0.1);
    let frames = [
        vec![shadow()],
        vec![tracked("car", 5, 0.25)],
        vec![tracked("car", 5, 0.75)],
        vec![shadow(), tracked("car", 6, 0.25)],
        vec![tracked("car", 5, 0.0)],
        vec![],
    ];
    let of = |properties: &[(&str, &str)]| chosen(properties, &frames);
    assert_eq!(of(&[("mode", "metadata")]), [0, 1, 2, 3, 4]);
    let min = ("min-confidence", "0.5");
    assert_eq!(of(&[min]), [0, 2, 3]);
    assert_eq!(of(&[min, ("unknown-confidence", "reject")]), [2]);
    let max = ("max-confidence", "0.5");
    assert_eq!(of(&[max, ("unknown-confidence", "reject")]), [1, 3, 4]);
    assert_eq!(of(&[min, ("dedupe", "track")]), [0]);
    assert_eq!(of(&[("min-objects", "0"), ("max-objects", "0")]), [5]);
}

#[test]
fn class_ids_are_of_their_detector() {
    let of = |component_id, class_id, label| ObjectSpec {
        component_id,
        class_id,
        confidence: 0.5,
        ..ObjectSpec::new(label, [20.0, 20.0, 30.0, 30.0])
    };
    let frames = [
        vec![of(1, 2, "car")],
        vec![of(2, 2, "plate")],
        vec![of(1, 0, "person"), of(2, 2, "plate")],
        vec![of(2, 0, "face"), of(1, 2, "car")],
    ];
    let chosen = |properties: &[(&str, &str)]| chosen(properties, &frames);
    assert_eq!(chosen(&[("classes", "2")]), [0, 1, 2, 3]);
    assert_eq!(
        chosen(&[("classes", "2"), ("operate-on-gie-id", "1")]),
        [0, 3]
    );
    assert_eq!(
        chosen(&[("classes", "2"), ("operate-on-gie-id", "2")]),
        [1, 2]
    );
    assert_eq!(
        chosen(&[("classes", "face,2"), ("operate-on-gie-id", "2")]),
        [1, 2, 3]
    );
    assert_eq!(chosen(&[("operate-on-gie-id", "3")]), [0; 0]);
}

#[test]
fn the_log_knows_parents_and_classifiers() {
    for generation in Generation::ALL {
        let folder = tempfile::tempdir().unwrap();
        let feed = Feed::new(&folder, "", &[("classes", "plate")]);
        let mut muxer = Muxer::new(generation);
        feed.begin(&muxer.caps());
        let label = |label: &str, long, class_id, probability| LabelSpec {
            label: label.into(),
            long,
            class_id,
            probability,
        };
        let car = ObjectSpec {
            classifiers: vec![
                ClassifierSpec {
                    component_id: 4,
                    kind: Some("car_color"),
                    labels: vec![label("red", None, 3, 0.75)],
                },
                ClassifierSpec {
                    component_id: 5,
                    kind: None,
                    labels: vec![
                        label("cut", Some("a text that is longer than the field"), 0, -1.0),
                        label("coupe", None, 9, 0.5),
                    ],
                },
            ],
            ..tracked("car", 12, 0.75)
        };
        let plate = ObjectSpec {
            component_id: 2,
            class_id: 7,
            // Prepended lists are read backwards: it comes first, and its parent after it.
            parent: Some(1),
            ..ObjectSpec::new("plate", [30.0, 40.0, 8.5, 4.25])
        };
        feed.push(muxer.batch(&[Shot::new(0, 0), Shot::new(9, 4).with([plate, car])]));
        feed.end_silently();
        let log = log_of(&folder);
        assert_eq!(log.len(), 1);
        assert_eq!(log[0]["object_classes"], json!(["plate", "car"]));
        assert_eq!(
            log[0]["objects"],
            json!([
                {
                    "label": "plate", "class_id": 7, "component_id": 2, "confidence": null,
                    "track_id": null, "box": [30.0, 40.0, 8.5, 4.25], "matched": true,
                    "parent": 1, "classifiers": []
                },
                {
                    "label": "car", "class_id": 0, "component_id": 1, "confidence": 0.75,
                    "track_id": 12, "box": [16.0, 32.0, 40.0, 20.0], "matched": false,
                    "parent": null,
                    "classifiers": [
                        {
                            "kind": "car_color", "component_id": 4,
                            "labels": [{"label": "red", "class_id": 3, "probability": 0.75}]
                        },
                        {
                            "kind": "", "component_id": 5,
                            "labels": [
                                {
                                    "label": "a text that is longer than the field",
                                    "class_id": 0, "probability": null
                                },
                                {"label": "coupe", "class_id": 9, "probability": 0.5}
                            ]
                        }
                    ]
                }
            ])
        );
    }
}

#[test]
fn ten_thousand_objects_are_all_looked_at() {
    const OBJECTS: usize = 10_000;
    let folder = tempfile::tempdir().unwrap();
    let feed = Feed::new(
        &folder,
        "",
        &[("classes", "last"), ("min-confidence", "0.5")],
    );
    let mut muxer = Muxer::new(Generation::B);
    feed.begin(&muxer.caps());
    let mut crowd = vec![tracked("person", 1, 0.75); OBJECTS];
    feed.push(muxer.batch(&[Shot::new(0, 0).with(crowd.clone())]));
    crowd[OBJECTS - 1] = tracked("last", 2, 0.5);
    feed.push(muxer.batch(&[Shot::new(0, 1).with(crowd), Shot::new(1, 1)]));
    feed.end_silently();
    let log = log_of(&folder);
    assert_eq!(log.len(), 1);
    assert_eq!(log[0]["frame_number"], 1);
    assert_eq!(log[0]["objects_detected"], OBJECTS);
    let objects = log[0]["objects"].as_array().unwrap();
    assert_eq!(objects.len(), OBJECTS);
    let matched = |at: &usize| objects[*at]["matched"] == true;
    assert_eq!(
        (0..OBJECTS).filter(matched).collect::<Vec<_>>(),
        [OBJECTS - 1]
    );
}

#[test]
fn conditions_see_what_the_batch_says() {
    let frames = [
        vec![tracked("car", 1, 0.5)],
        vec![tracked("car", 1, 0.5), tracked("person", 2, 0.75)],
        vec![tracked("person", 2, 0.25), tracked("person", 3, -0.1)],
    ];
    for (condition, want) in [
        ("count >= 2", vec![1, 2]),
        ("max_confidence > 0.6", vec![1]),
        ("count_of('person') >= 1", vec![1, 2]),
        (
            "objects.exists(o, o.label == 'person' && o.confidence > 0.5)",
            vec![1],
        ),
    ] {
        assert_eq!(
            chosen(&[("condition", condition)], &frames),
            want,
            "{condition}"
        );
    }
}
