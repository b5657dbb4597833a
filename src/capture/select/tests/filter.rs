// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

use proptest::prelude::*;

use super::*;

fn passing(filter: Filter, detections: &[Detection]) -> Vec<usize> {
    let rules = Rules {
        filter: filter.into(),
        ..Rules::default()
    };
    Selector::<()>::new(rules).matches(&with(0, detections))
}

fn passes(filter: Filter, detection: Detection) -> bool {
    passing(filter, &[detection]) == [0]
}

fn classes(text: &str) -> Filter {
    Filter {
        classes: Classes::parse(text).unwrap(),
        ..Filter::default()
    }
}

fn sure(confidence: Option<f32>) -> Detection {
    Detection {
        confidence,
        ..object("person")
    }
}

fn boxed(left: f32, top: f32, width: f32, height: f32) -> Detection {
    Detection {
        bounds: Bounds {
            left,
            top,
            width,
            height,
        },
        ..object("person")
    }
}

#[test]
fn classes_are_labels_and_ids() {
    let with_id = |label, id| Detection {
        class_id: Some(id),
        ..object(label)
    };
    let detections = [
        with_id("person", 0),
        with_id("car", 1),
        with_id("bus", 2),
        object("bus"),
        with_id("2", 9),
    ];
    assert_eq!(passing(classes("person, 2"), &detections), [0, 2]);
    assert_eq!(passing(classes("car ; bus"), &detections), [1, 2, 3]);
    assert_eq!(passing(classes(""), &detections), [0, 1, 2, 3, 4]);
    assert!(passing(classes("Person"), &detections).is_empty());
    assert_eq!(
        passing(classes("traffic light"), &[object("traffic light")]),
        [0]
    );
    for bad in ["a,", ",", "a;;b", "2147483648"] {
        let error = Classes::parse(bad).unwrap_err();
        assert!(error.contains(bad), "{error}");
    }
}

#[test]
fn a_component_is_the_one_that_found_it() {
    let of = |component_id| Detection {
        component_id,
        ..object("car")
    };
    let filter = Filter {
        component: Some(3),
        ..Filter::default()
    };
    let detections = [of(None), of(Some(3)), of(Some(1))];
    assert_eq!(passing(filter, &detections), [1]);
}

#[test]
fn confidence_is_compared_as_it_was_given() {
    let filter = |min_confidence, max_confidence, accept_unknown| Filter {
        min_confidence,
        max_confidence,
        accept_unknown,
        ..Filter::default()
    };
    let cases = [
        (filter(0.9, 1.0, true), Some(0.9), true),
        (filter(0.9, 1.0, true), Some(0.899_999), false),
        (filter(0.0, 0.3, true), Some(0.3), true),
        (filter(0.0, 0.3, true), Some(0.300_001), false),
        // 1 is no limit, and neither is 0.
        (filter(0.0, 1.0, true), Some(17.0), true),
        (filter(0.0, 1.0, false), None, true),
        (filter(0.5, 1.0, true), None, true),
        (filter(0.5, 1.0, false), None, false),
        (filter(0.0, 0.5, false), None, false),
        (filter(0.5, 1.0, false), Some(-0.1), false),
        (filter(0.5, 1.0, true), Some(-0.1), true),
        (filter(0.0, 1.0, true), Some(f32::NAN), false),
        (filter(0.5, 1.0, true), Some(f32::NAN), false),
    ];
    for (filter, confidence, expected) in cases {
        let text = format!("{filter:?} {confidence:?}");
        assert_eq!(passes(filter, sure(confidence)), expected, "{text}");
    }
}

#[test]
fn the_roi_has_to_have_its_share_of_the_box() {
    // The picture is 1920x1080.
    let cases = [
        ("0,0,0.5,1", 0.5, boxed(910.0, 0.0, 100.0, 100.0), true),
        ("0,0,0.5,1", 0.5, boxed(911.0, 0.0, 100.0, 100.0), false),
        ("0,0,0.5,1", 0.6, boxed(954.0, 0.0, 10.0, 10.0), true),
        ("0,0,0.5,1", 0.0, boxed(959.0, 0.0, 100.0, 100.0), true),
        ("0,0,0.5,1", 0.0, boxed(960.0, 0.0, 100.0, 100.0), false),
        ("0,0,960,1080", 1.0, boxed(0.0, 0.0, 960.0, 1080.0), true),
        ("0,0,960,1080", 1.0, boxed(1.0, 0.0, 960.0, 1080.0), false),
        // Only a part of the roi is in the picture.
        ("1900,0,500,500", 1.0, boxed(1900.0, 0.0, 20.0, 20.0), true),
        ("1900,0,500,500", 1.0, boxed(1900.0, 0.0, 40.0, 20.0), false),
        ("2000,0,500,500", 0.0, boxed(2000.0, 0.0, 20.0, 20.0), false),
        // A box without an area is where it is.
        ("0,0,0.5,1", 0.5, boxed(10.0, 10.0, 0.0, 0.0), true),
        ("0,0,0.5,1", 0.0, boxed(1000.0, 10.0, 0.0, 5.0), false),
        ("0,0,0.5,1", 0.0, boxed(10.0, 10.0, -5.0, 5.0), false),
        ("0,0,0.5,1", 0.0, boxed(f32::NAN, 10.0, 5.0, 5.0), false),
        ("0,0,0.5,1", 0.5, boxed(0.0, 0.0, f32::INFINITY, 5.0), false),
    ];
    for (roi, roi_coverage, detection, expected) in cases {
        let filter = Filter {
            roi: Some(Roi::parse(roi).unwrap()),
            roi_coverage,
            ..Filter::default()
        };
        let text = format!("{roi} {roi_coverage} {:?}", detection.bounds);
        assert_eq!(passes(filter, detection), expected, "{text}");
    }
    assert!(!passes(Filter::default(), boxed(f32::NAN, 0.0, 1.0, 1.0)));
}

#[test]
fn rois_that_mean_nothing_are_refused() {
    for bad in [
        "",
        "1,2,3",
        "1,2,3,4,5",
        "a,0,1,1",
        "0,0,0,1",
        "0,0,1,0",
        "-1,0,1,1",
        "nan,0,1,1",
        "0,0,inf,1",
        "1,1,1,1",
        "0,1,1,1",
    ] {
        let error = Roi::parse(bad).unwrap_err();
        assert!(error.contains(&format!("\"{bad}\"")), "{error}");
        assert!(error.contains("x,y,w,h"), "{error}");
    }
    assert!(Roi::parse(" 0 ; 0.5 , 1e-1;2").is_ok());
}

#[test]
fn both_sides_of_a_box_have_a_size() {
    let filter = |min: &str, max: &str| Filter {
        min_size: Some(Size::parse(min).unwrap()),
        max_size: Some(Size::parse(max).unwrap()),
        ..Filter::default()
    };
    let cases = [
        (10.0, 20.0, true),
        (40.0, 50.0, true),
        (9.9, 20.0, false),
        (10.0, 19.0, false),
        (40.1, 50.0, false),
        (40.0, 51.0, false),
    ];
    for (width, height, expected) in cases {
        let detection = boxed(0.0, 0.0, width, height);
        assert_eq!(passes(filter("10x20", "40 X 50"), detection), expected);
    }
    for bad in [
        "", "10", "x", "10x", "x48", "1x2x3", "-1x2", "+1x2", "+5x+5", "0x0", "0x5", "5x0",
        "1.5x2", "10*20", "70000x1",
    ] {
        let error = Size::parse(bad).unwrap_err();
        assert!(error.contains("WxH"), "{error}");
    }
}

#[test]
fn a_roi_outside_of_the_frames_is_told_once() {
    let of = |roi: &str, when| {
        let filter = Filter {
            roi: Some(Roi::parse(roi).unwrap()),
            ..Filter::default()
        };
        let mut caller = Caller::new(Rules {
            filter: filter.into(),
            ..rules(when)
        });
        let unknown = FrameFacts {
            size: (0, 0),
            ..frame(0, 0)
        };
        caller.frame(&unknown);
        assert_eq!(caller.selector.take_roi_outside(), None);
        caller.frame(&with(1, &[object("person")]));
        let told = caller.selector.take_roi_outside();
        caller.frame(&with(2, &[object("person")]));
        assert_eq!(caller.selector.take_roi_outside(), None);
        told
    };
    for when in [When::Metadata, When::Interval(frames(1))] {
        let told = of("1920,0,100,100", when).unwrap();
        assert!(told.contains("1920,0,100,100"), "{told}");
        assert!(told.contains("1920x1080"), "{told}");
        assert_eq!(of("1919,1079,100,100", when), None);
        assert_eq!(of("0.5,0.5,0.1,0.1", when), None);
    }
}

proptest! {
    #[test]
    fn no_text_is_too_strange_for_the_parsers(text in ".{0,40}") {
        let _ = Classes::parse(&text);
        let _ = Roi::parse(&text);
        let _ = Size::parse(&text);
        let _ = StreamList::parse(&text);
    }

    #[test]
    fn nearly_right_texts_are_read_or_refused(text in "[0-9x,;. eE+-]{0,24}") {
        let _ = Classes::parse(&text);
        let _ = Size::parse(&text);
        let _ = StreamList::parse(&text);
        if let Ok(roi) = Roi::parse(&text) {
            let filter = Filter { roi: Some(roi), ..Filter::default() };
            passing(filter, &[boxed(0.0, 0.0, 10.0, 10.0)]);
        }
    }

    #[test]
    fn any_numbers_are_filtered(
        numbers in prop::array::uniform5(any::<f32>()),
        coverage in any::<f32>(),
        size in any::<(u32, u32)>(),
    ) {
        let [left, top, width, height, confidence] = numbers;
        let detection = Detection { confidence: Some(confidence), ..boxed(left, top, width, height) };
        let filter = Filter {
            roi: Some(Roi::parse("0.1,0.1,0.5,0.5").unwrap()),
            roi_coverage: coverage,
            min_confidence: 0.1,
            ..Filter::default()
        };
        let rules = Rules { filter: filter.into(), ..Rules::default() };
        let facts = FrameFacts { size, ..with(0, std::slice::from_ref(&detection)) };
        let matches = Selector::<()>::new(rules).matches(&facts);
        if numbers.iter().any(|n| n.is_nan()) {
            prop_assert_eq!(matches, Vec::<usize>::new());
        }
    }
}
