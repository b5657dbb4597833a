// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

use super::*;

fn check(change: impl FnOnce(&mut Settings)) -> Result<Rules, SettingsError> {
    let mut settings = Settings::default();
    change(&mut settings);
    rules(&settings, true)
}

fn frames(n: u64) -> Every {
    Every::Frames(NonZeroU64::new(n).unwrap())
}

fn time(n: u64) -> Every {
    Every::Time(NonZeroU64::new(n).unwrap())
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn the_interval_follows_what_is_written() {
    assert_eq!(check(|_| ()).unwrap().when, When::Interval(frames(30)));
    let log_only = rules(&Settings::default(), false).unwrap();
    assert_eq!(log_only.when, When::Interval(frames(1)));
    let seven = check(|s| s.interval = 7).unwrap();
    assert_eq!(seven.when, When::Interval(frames(7)));
    let timed = check(|s| s.interval_time = 7).unwrap();
    assert_eq!(timed.when, When::Interval(time(7)));
    let manual = check(|s| s.mode = Mode::Manual).unwrap();
    assert_eq!(manual.when, When::Manual);
}

#[test]
fn every_mode_has_its_own_interval() {
    let mode = |mode, interval| {
        check(|s| {
            s.mode = mode;
            s.interval = interval;
        })
        .unwrap()
        .when
    };
    assert_eq!(mode(Mode::Either, 0), When::Either(frames(30)));
    assert_eq!(mode(Mode::Either, 4), When::Either(frames(4)));
    assert_eq!(mode(Mode::Both, 0), When::Both(frames(1)));
    assert_eq!(mode(Mode::Both, 4), When::Both(frames(4)));
    assert_eq!(mode(Mode::Metadata, 0), When::Metadata);
    let both = check(|s| {
        s.mode = Mode::Both;
        s.interval_time = 9;
    });
    assert_eq!(both.unwrap().when, When::Both(time(9)));
}

#[test]
fn auto_is_metadata_as_soon_as_detections_are_asked_for() {
    type Change = fn(&mut Settings);
    let cases: [Change; 12] = [
        |s| s.min_objects = Some(1),
        |s| s.max_objects = 3,
        |s| s.classes = some("person"),
        |s| s.operate_on_gie_id = 1,
        |s| s.min_confidence = 0.5,
        |s| s.max_confidence = 0.5,
        |s| s.roi = some("0,0,1,1"),
        |s| s.min_object_size = some("1x1"),
        |s| s.max_object_size = some("99x99"),
        |s| s.condition = some("count > 1"),
        |s| s.cooldown = 1,
        |s| s.dedupe = Dedupe::Track,
    ];
    for change in cases {
        assert_eq!(check(change).unwrap().when, When::Metadata);
        let unclear = check(|s| {
            change(s);
            s.interval = 5;
        });
        assert_eq!(unclear.unwrap_err().property, "mode");
    }
    let empty = check(|s| s.classes = some(" "));
    assert_eq!(empty.unwrap().when, When::Interval(frames(30)));
}

#[test]
fn filters_are_allowed_where_they_only_choose_objects() {
    for mode in [Mode::Interval, Mode::Manual] {
        let rules = check(|s| {
            s.mode = mode;
            s.classes = some("person");
        });
        assert_ne!(rules.unwrap().filter.classes, Classes::default());
    }
}

#[test]
fn crops_of_frames_around_those_without_objects_are_allowed() {
    let empty = |change: fn(&mut Settings)| {
        check(|s| {
            (s.min_objects, s.max_objects, s.crop) = (Some(0), 0, Crop::Objects);
            change(s);
        })
    };
    assert!(empty(|s| s.mode = Mode::Either).is_ok());
    assert!(empty(|s| s.pre_roll = 3).is_ok());
    assert!(empty(|s| s.post_roll_time = 3).is_ok());
}

#[test]
fn everything_arrives() {
    let rules = check(|s| {
        s.min_objects = Some(2);
        s.max_objects = 5;
        s.classes = some("person");
        s.operate_on_gie_id = 3;
        s.min_confidence = 0.25;
        s.max_confidence = 0.75;
        s.unknown_confidence = UnknownConfidence::Reject;
        s.roi = some("0,0,0.5,0.5");
        s.roi_coverage = 0.1;
        s.min_object_size = some("8x9");
        s.max_object_size = some("80x90");
        s.condition = some("count > 1");
        s.cooldown = 11;
        s.dedupe = Dedupe::Track;
        s.pre_roll = 4;
        s.post_roll_time = 5;
        s.roll_max_bytes = 6;
    })
    .unwrap();
    assert_eq!((rules.min_objects, rules.max_objects), (2, Some(5)));
    let expected = Filter {
        classes: Classes::parse("person").unwrap(),
        component: Some(3),
        min_confidence: 0.25,
        max_confidence: 0.75,
        accept_unknown: false,
        roi: Some(Roi::parse("0,0,0.5,0.5").unwrap()),
        roi_coverage: 0.1,
        min_size: Some(Size {
            width: 8,
            height: 9,
        }),
        max_size: Some(Size {
            width: 80,
            height: 90,
        }),
    };
    assert_eq!(*rules.filter, expected);
    assert!(rules.condition.is_some());
    assert_eq!((rules.cooldown, rules.roll_max_bytes), (11, 6));
    assert_eq!(rules.dedupe, select::Dedupe::Track);
    assert_eq!(rules.pre_roll, Roll::Frames(NonZeroU64::new(4).unwrap()));
    assert_eq!(rules.post_roll, Roll::Time(NonZeroU64::new(5).unwrap()));
    let best = check(|s| {
        s.dedupe = Dedupe::Best;
        s.best_window = 9;
    });
    let window = NonZeroU64::new(9).unwrap();
    assert_eq!(best.unwrap().dedupe, select::Dedupe::Best(window));
}

#[test]
fn what_cannot_be_names_the_property_and_quotes_the_value() {
    type Change = fn(&mut Settings);
    let cases: [(&str, &str, Change); 43] = [
        ("interval-time", "interval", |s| {
            (s.interval, s.interval_time) = (2, 2);
        }),
        ("mode", "manual", |s| {
            (s.mode, s.interval) = (Mode::Manual, 2);
        }),
        ("interval", "mode=both", |s| {
            (s.mode, s.interval) = (Mode::Metadata, 2);
        }),
        ("interval-time", "either", |s| {
            (s.mode, s.interval_time) = (Mode::Metadata, 2);
        }),
        ("stop-time", "1000000000 ns", |s| {
            s.start_time = Some(gst::ClockTime::SECOND);
            s.stop_time = Some(gst::ClockTime::SECOND);
        }),
        ("streams", "\"one\"", |s| s.streams = some("one")),
        ("max-objects", "min-objects=0", |s| s.max_objects = 0),
        ("max-objects", "2 is less than min-objects, 3", |s| {
            (s.min_objects, s.max_objects) = (Some(3), 2);
        }),
        ("min-objects", "-4", |s| s.min_objects = Some(-4)),
        ("classes", "\"a,,b\"", |s| s.classes = some("a,,b")),
        ("classes", "99999999999", |s| {
            s.classes = some("99999999999")
        }),
        ("min-confidence", "0.9", |s| {
            (s.min_confidence, s.max_confidence) = (0.9, 0.5);
        }),
        ("min-confidence", "NaN", |s| s.min_confidence = f32::NAN),
        ("roi-coverage", "2", |s| s.roi_coverage = 2.0),
        ("roi", "\"1,2,3\"", |s| s.roi = some("1,2,3")),
        ("min-object-size", "\"12\"", |s| {
            s.min_object_size = some("12")
        }),
        ("max-object-size", "\"ax1\"", |s| {
            s.max_object_size = some("ax1")
        }),
        ("max-object-size", "20x5 is less", |s| {
            s.min_object_size = some("10x10");
            s.max_object_size = some("20x5");
        }),
        ("condition", "\"people > 3\"", |s| {
            s.condition = some("people > 3")
        }),
        ("condition", "count", |s| s.condition = some("count >")),
        ("best-window", "2000000000", |s| s.dedupe = Dedupe::Best),
        ("best-window", "5 ns", |s| s.best_window = 5),
        ("best-window", "5 ns", |s| {
            (s.dedupe, s.best_window) = (Dedupe::Track, 5);
        }),
        ("dedupe", "mode=metadata", |s| {
            (s.mode, s.dedupe, s.best_window) = (Mode::Both, Dedupe::Best, 5);
        }),
        ("dedupe", "mode=metadata", |s| {
            (s.mode, s.dedupe) = (Mode::Interval, Dedupe::Track);
        }),
        ("cooldown", "mode=metadata", |s| {
            (s.mode, s.cooldown) = (Mode::Manual, 1);
        }),
        ("pre-roll", "3", |s| {
            (s.dedupe, s.best_window, s.pre_roll) = (Dedupe::Best, 5, 3);
        }),
        ("post-roll", "3", |s| {
            (s.dedupe, s.best_window, s.post_roll) = (Dedupe::Best, 5, 3);
        }),
        ("post-roll-time", "3", |s| {
            (s.dedupe, s.best_window, s.post_roll_time) = (Dedupe::Best, 5, 3);
        }),
        ("pre-roll-time", "7 ns", |s| {
            (s.pre_roll, s.pre_roll_time) = (3, 7);
        }),
        ("min-objects", "mode=metadata", |s| {
            (s.mode, s.min_objects) = (Mode::Interval, Some(1));
        }),
        ("max-objects", "mode=metadata", |s| {
            (s.mode, s.max_objects) = (Mode::Manual, 4);
        }),
        ("condition", "mode=metadata", |s| {
            (s.mode, s.condition) = (Mode::Interval, some("count > 1"));
        }),
        ("condition", "mode=metadata", |s| {
            (s.mode, s.condition) = (Mode::Manual, some("count > 1"));
        }),
        ("max-objects", "dedupe=track", |s| {
            (s.min_objects, s.max_objects) = (Some(0), 0);
            s.dedupe = Dedupe::Track;
        }),
        ("max-objects", "dedupe=best", |s| {
            (s.min_objects, s.max_objects) = (Some(0), 0);
            (s.dedupe, s.best_window) = (Dedupe::Best, 5);
        }),
        ("max-objects", "crop=objects", |s| {
            (s.min_objects, s.max_objects) = (Some(0), 0);
            s.crop = Crop::Objects;
        }),
        ("roi-coverage", "0.9 has no effect", |s| {
            s.roi_coverage = 0.9
        }),
        ("roi-coverage", "without roi", |s| {
            (s.mode, s.roi_coverage) = (Mode::Metadata, 0.0);
        }),
        ("unknown-confidence", "min-confidence", |s| {
            s.unknown_confidence = UnknownConfidence::Reject;
        }),
        ("unknown-confidence", "max-confidence", |s| {
            (s.mode, s.unknown_confidence) = (Mode::Metadata, UnknownConfidence::Reject);
        }),
        ("min-object-size", "\"0x5\"", |s| {
            s.min_object_size = some("0x5")
        }),
        ("post-roll-time", "7 ns", |s| {
            (s.post_roll, s.post_roll_time) = (3, 7);
        }),
    ];
    for (property, quote, change) in cases {
        let error = check(change).unwrap_err();
        assert_eq!(error.property, property, "{error}");
        assert!(error.to_string().contains(quote), "{error}");
    }
}
