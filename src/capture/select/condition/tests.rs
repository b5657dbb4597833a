// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

use proptest::prelude::*;

use super::*;

fn facts(detections: &[Detection]) -> FrameFacts<'_> {
    FrameFacts {
        stream: 3,
        frame: 250,
        time: 2_500_000_000,
        damaged: false,
        size: (1000, 800),
        detections,
    }
}

fn detection(label: &str, confidence: Option<f32>, track_id: Option<u64>) -> Detection {
    Detection {
        label: Label::new(label),
        class_id: Some(4),
        component_id: Some(1),
        confidence,
        track_id,
        bounds: Bounds {
            left: 10.0,
            top: 20.0,
            width: 100.0,
            height: 200.0,
        },
        ..Detection::default()
    }
}

fn street() -> Vec<Detection> {
    let mut street = vec![
        detection("person", Some(0.9), Some(7)),
        detection("person", Some(0.7), None),
        detection("car", None, Some(8)),
    ];
    street[2].parent = Some(0);
    street[2].classifiers = vec![Classifier {
        labels: vec![ClassLabel {
            label: Label::new("red"),
            ..ClassLabel::default()
        }],
        ..Classifier::default()
    }];
    street
}

fn holds(text: &str, detections: &[Detection]) -> Result<bool, String> {
    let passing: Vec<usize> = (0..detections.len()).collect();
    let condition = Condition::compile(text).unwrap_or_else(|error| panic!("{error}"));
    both_ways(&condition, detections, &passing)
}

/// With the plan, if there is one, and by the interpreter, which has to say the same.
fn both_ways(
    condition: &Condition,
    detections: &[Detection],
    passing: &[usize],
) -> Result<bool, String> {
    let value = condition.holds(&facts(detections), passing);
    let interpreted = condition.evaluate(&condition.expression, None, &facts(detections), passing);
    assert_eq!(
        value.as_ref().ok(),
        interpreted.as_ref().ok(),
        "{condition:?}"
    );
    value
}

#[test]
fn what_is_asked_most_has_a_plan() {
    let has_plan = |text: &str| Condition::compile(text).unwrap().plan.is_some();
    for text in [
        "count >= 3 && max_confidence > 0.8",
        "!(tracked == count) || time < 2.5",
        "objects.exists(o, o.label == \"person\" && o.confidence > 0.9)",
        "objects.all(o, o.track_id != -1 || o.area < 0.5)",
    ] {
        assert!(has_plan(text), "{text}");
    }
    for text in [
        "count > 2.5",
        "count + 1 > 3",
        "objects.exists(a, objects.exists(b, a != b))",
        "size(objects) > 1",
        "objects.exists_one(o, o.label == \"person\")",
    ] {
        assert!(!has_plan(text), "{text}");
    }
}

#[test]
fn every_variable_says_what_it_should() {
    for text in [
        "count == 3",
        "tracked == 2",
        "max_confidence == 0.9 && min_confidence == 0.7 && mean_confidence == 0.8",
        "max_confidence >= 0.9",
        "max_area == 0.025 && total_area == 0.075",
        "stream == 3 && frame == 250 && time == 2.5",
        "width == 1000 && height == 800",
        "counts[\"person\"] == 2 && counts.car == 1 && !(\"bus\" in counts) && size(counts) == 2",
        "counts.exists(label, label == \"car\")",
        "count_of(\"person\") == 2 && count_of(\"bus\") == 0",
        "size(objects) == 3 && objects[2].label == \"car\"",
        "objects.exists(o, o.label == \"person\" && o.confidence > 0.8 && o.confidence == 0.9)",
        "objects.all(o, o.class_id == 4 && o.component_id == 1 && o.area == 0.025)",
        "objects.exists_one(o, o.confidence == -1.0)",
        "objects.exists_one(o, o.track_id == -1)",
        "size(objects.filter(o, o.left == 10.0 && o.top == 20.0)) == 3",
        "objects.all(o, o.width == 100.0 && o.height == 200.0)",
        "objects.map(o, o.label) == [\"person\", \"person\", \"car\"]",
        "objects.exists(o, \"red\" in o.classifiers)",
        "objects.exists(o, o.parent == 0 && objects.exists(p, p.place == o.parent))",
        "objects.exists(a, objects.exists(b, a != b && a.label == b.label))",
        "objects.all(a, a == a)",
        "has(objects[0].label)",
        "count > 2 ? max_confidence > 0.5 : false",
        "objects.exists(o, o.label.startsWith(\"per\") && o.label.contains(\"son\"))",
        "double(count) * 0.5 == 1.5",
    ] {
        assert_eq!(holds(text, &street()), Ok(true), "{text}");
    }
    for text in [
        "count == 0 && tracked == 0 && max_area == 0.0 && total_area == 0.0",
        "max_confidence == -1.0 && min_confidence == -1.0 && mean_confidence == -1.0",
        "count_of(\"person\") == 0 && size(counts) == 0 && size(objects) == 0",
        "!objects.exists(o, true)",
    ] {
        assert_eq!(holds(text, &[]), Ok(true), "{text}");
    }
}

#[test]
fn only_detections_that_pass_count() {
    let condition = Condition::compile(
        "count == 1 && count_of(\"person\") == 1 && count_of(\"car\") == 0 \
         && objects.all(o, o.place == 1)",
    );
    let held = condition.unwrap().holds(&facts(&street()), &[1]);
    assert_eq!(held, Ok(true));
}

#[test]
fn what_depends_on_the_frame_fails_there() {
    for text in [
        "counts[\"person\"] > 0",
        "objects[0].confidence > 0.5",
        "1 / count > 0",
    ] {
        let error = holds(text, &[]).unwrap_err();
        assert!(error.contains(text), "{error}");
    }
}

#[test]
fn what_never_works_is_refused_at_once() {
    for (text, says) in [
        ("", ""),
        ("count >", ""),
        ("people > 3", "no variable people"),
        ("count > 99 && people > 3", "no variable people"),
        ("count", "gives int instead of true or false"),
        ("\"yes\"", "gives string"),
        ("count > \"3\"", "no matching overload"),
        ("count > 99 && count > \"3\"", "no matching overload"),
        ("count > 99 ? count > \"3\" : true", "no matching overload"),
        ("count && true", "no matching overload"),
        ("count + 0.5 > 1.0", ""),
        (
            "objects.exists(o, o.lable == \"a\")",
            "no lable; they have label, class_id",
        ),
        ("objects[0].lable == \"a\"", "no lable"),
        ("objects.exists(o, o.label > 3)", "no matching overload"),
        ("objects.exists(o, o.label)", ""),
        ("detect(\"person\")", "no function detect"),
        ("count_of(3) > 1", ""),
        ("Thing{a: 1} == 3", ""),
        (
            "objects.all(a, objects.all(b, objects.all(c, true)))",
            "more than 2 deep",
        ),
        ("@count_of == 3", ""),
    ] {
        let error = Condition::compile(text).unwrap_err();
        assert!(error.contains(&format!("\"{text}\"")), "{error}");
        assert!(error.contains(says), "{error}");
        assert!(error.contains("max_confidence, min_confidence"), "{error}");
    }
    let long = format!("count > 1 {}", " ".repeat(MAX_LENGTH));
    assert!(Condition::compile(&long).unwrap_err().contains("4096"));
}

#[test]
fn nothing_takes_long_or_much() {
    let deep = |n: usize| format!("{}true{}", "(".repeat(n), ")".repeat(n));
    let doubling = |n: usize| {
        let doubled = ".map(a, a + a)".repeat(n);
        format!("size([[1]]{doubled}) > 0")
    };
    for text in [
        deep(2000),
        format!("1{} > 0", "+1".repeat(2000)),
        format!("objects{} > 0", ".label".repeat(600)),
        format!("{}true", "count == 1 ? false : ".repeat(190)),
        format!("{}{} == []", "[".repeat(2000), "]".repeat(2000)),
        doubling(200),
        format!(
            "[{}0].all(a, [{}0].all(b, a == b))",
            "0,".repeat(900),
            "0,".repeat(900)
        ),
        "objects.map(a, objects.map(b, [a, b])).all(x, x.all(y, y.all(z, true)))".into(),
        format!(
            "objects.all(a, objects.all(b, {}true))",
            "a.label + b.label != \"\" && ".repeat(100)
        ),
    ] {
        assert!(Condition::compile(&text).is_err(), "{text}");
    }
    // Pairs of these may cancel out.
    for text in [
        format!("{}true", "!".repeat(4000)),
        format!("{}1 == 1", "-".repeat(3999)),
    ] {
        let _ = Condition::compile(&text).map(|condition| condition.holds(&facts(&[]), &[]));
    }
    assert!(Condition::compile(&doubling(3)).is_ok());
    assert!(Condition::compile(&deep(10)).is_ok());
    assert!(Condition::compile(&format!("{}true", "count > 0 || ".repeat(200))).is_ok());
}

#[test]
fn a_crowd_is_walked_in_part_and_counted_as_a_whole() {
    let crowd = vec![detection("person", Some(0.5), None); 1000];
    let text = "count == 1000 && count_of(\"person\") == 1000 && size(objects) == 256";
    assert_eq!(holds(text, &crowd), Ok(true));
    let pairs = "objects.all(a, objects.all(b, a.label == b.label))";
    assert_eq!(holds(pairs, &crowd), Ok(true));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_text_is_too_strange(text in ".{0,60}") {
        if let Ok(condition) = Condition::compile(&text) {
            let _ = both_ways(&condition, &street(), &[0, 1, 2]);
        }
    }

    #[test]
    fn no_mixture_of_words_is_too_strange(
        words in prop::collection::vec(
            prop::sample::select(vec![
                "count", "objects", "counts", "o", "max_confidence", ".exists(o, ", ".map(o, ",
                ".filter(o, ", "o.label", "o.area", ")", "(", "[", "]", "{", "}", " && ", " || ",
                " == ", " > ", " + ", " ? ", " : ", "!", "-", "1", "0.5", "\"person\"", ",",
                "size(", "count_of(", "has(", "string(", " in ", "true", "null",
            ]),
            1..12,
        ),
    ) {
        if let Ok(condition) = Condition::compile(&words.concat()) {
            let _ = both_ways(&condition, &street(), &[0, 1, 2]);
            let _ = both_ways(&condition, &[], &[]);
        }
    }

    /// Sentences that make sense, with a plan and without.
    #[test]
    fn the_plan_says_what_the_interpreter_says(
        parts in prop::collection::vec(
            (
                prop::sample::select(vec![
                    "count", "tracked", "max_confidence", "mean_confidence", "total_area", "frame",
                    "o.label", "o.confidence", "o.track_id", "o.parent", "o.area", "o.class_id",
                    "1", "0.9", "-1", "\"car\"", "\"person\"",
                ]),
                prop::sample::select(vec!["==", "!=", "<", "<=", ">", ">="]),
                prop::sample::select(vec![
                    "3", "0.9", "0.7", "-1", "-1.0", "7", "0.025", "\"person\"", "count",
                    "o.confidence", "o.label", "o.track_id",
                ]),
                prop::sample::select(vec![" && ", " || ", " && !", " || !"]),
            ),
            1..5,
        ),
        all in any::<bool>(),
    ) {
        let mut body = String::new();
        for (left, test, right, and) in &parts {
            body += &format!("({left} {test} {right}){and}");
        }
        let name = if all { "all" } else { "exists" };
        let text = format!("objects.{name}(o, {body}{all})");
        if let Ok(condition) = Condition::compile(&text) {
            let _ = both_ways(&condition, &street(), &[0, 1, 2]);
            let _ = both_ways(&condition, &street(), &[2]);
            let _ = both_ways(&condition, &[], &[]);
        }
    }
}
