// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;

static META: LazyLock<FrameMeta> = LazyLock::new(|| FrameMeta {
    pad_index: 5,
    ntp: Some(1_700_000_000_000_000_000),
    sensor: Some("Door/3".into()),
    ..FrameMeta::default()
});

static CAR: LazyLock<Detection> = LazyLock::new(|| Detection {
    label: "car".into(),
    class_id: Some(2),
    confidence: Some(0.8749),
    track_id: Some(u64::MAX - 1),
    ..Detection::default()
});

static NOTHING: Detection = Detection {
    label: crate::meta::Label::const_new(""),
    class_id: None,
    component_id: None,
    confidence: None,
    track_id: None,
    bounds: crate::meta::Bounds {
        left: 0.0,
        top: 0.0,
        width: 0.0,
        height: 0.0,
    },
    parent: None,
    classifiers: Vec::new(),
};

fn facts() -> NameFacts<'static> {
    NameFacts {
        number: 7,
        stream: 3,
        frame: 42,
        pts: Some(1_500_000_000),
        utc: "2026-01-02T03:04:05.678Z".parse().unwrap(),
        reason: "metadata",
        meta: &META,
        seq: 4,
        object: Some((1, &CAR)),
    }
}

fn render(template: &str) -> String {
    let name = Template::parse(template).unwrap().render(&facts());
    name.to_str().unwrap().to_owned()
}

#[test]
fn templates_are_filled_in() {
    for (template, name) in [
        ("a.jpg", "a.jpg"),
        ("out/%d.jpg", "out/7.jpg"),
        ("%06d.png", "000007.png"),
        ("cam-{stream}/{frame:06}.jpg", "cam-3/000042.jpg"),
        ("{pts}-{reason}.jpg", "1500000000-metadata.jpg"),
        ("{pts:020}.jpg", "00000000001500000000.jpg"),
        ("{utc}.jpg", "20260102T030405.678Z.jpg"),
        ("100%%-{{x}}.jpg", "100%-{x}.jpg"),
        ("./a//b/%d", "a/b/7"),
        (".//a/%d", "a/7"),
        (".//./%d", "7"),
        ("/tmp/%012d_{stream:02}", "/tmp/000000000007_03"),
        ("{pad:02}-{sensor}", "05-Door_3"),
        ("{ntp}", "1700000000000000000"),
        (
            "{label}/{class:02}_{track}.jpg",
            "car/02_18446744073709551614.jpg",
        ),
        ("{confidence}-{object:03}-{seq:02}", "0.87-001-04"),
    ] {
        assert_eq!(render(template), name, "{template}");
    }
}

#[test]
fn a_missing_pts_says_so() {
    let facts = NameFacts {
        pts: None,
        ..facts()
    };
    let template = Template::parse("{pts:06}.jpg").unwrap();
    assert_eq!(template.render(&facts), Path::new("none.jpg"));
}

#[test]
fn what_is_not_there_says_so() {
    let meta = FrameMeta::default();
    let bare = NameFacts {
        meta: &meta,
        object: None,
        ..facts()
    };
    let template = "{sensor}{ntp:06} {label}{class:03}{track:06}{confidence}{object}";
    let template = Template::parse(template).unwrap();
    let name = "nonenone nonenonenonenonenone";
    assert_eq!(template.render(&bare), Path::new(name));
    let unsaid = NameFacts {
        object: Some((0, &NOTHING)),
        ..bare
    };
    let name = "nonenone _nonenonenone0";
    assert_eq!(template.render(&unsaid), Path::new(name));
    for (confidence, text) in [
        (f32::NAN, "none"),
        (f32::INFINITY, "none"),
        (-0.1, "none"),
        (1.0, "1.00"),
        (0.0, "0.00"),
    ] {
        let object = Detection {
            confidence: Some(confidence),
            class_id: Some(-1),
            ..CAR.clone()
        };
        let facts = NameFacts {
            object: Some((0, &object)),
            ..facts()
        };
        let template = Template::parse("{confidence}_{class:03}").unwrap();
        assert_eq!(template.render(&facts), Path::new(&format!("{text}_none")));
    }
}

#[test]
fn labels_and_sensors_stay_in_their_folder() {
    let template = Template::parse("out/{label}/{sensor}-{track}.jpg").unwrap();
    let long = "Ω/".repeat(5000);
    let lossy = String::from_utf8_lossy(b"\xff\xfe../..").into_owned();
    for (label, name) in [
        ("../../etc/x", "___.._etc_x"),
        ("..", "__"),
        (".", "_"),
        ("", "_"),
        ("/etc/passwd", "_etc_passwd"),
        ("a\0b\nc\\d", "a_b_c_d"),
        ("{stream}%d", "_stream__d"),
        (&lossy, "__.._.."),
        (&long, &"_".repeat(MAX_VALUE)),
    ] {
        let object = Detection {
            label: label.into(),
            ..CAR.clone()
        };
        let meta = FrameMeta {
            sensor: Some(label.into()),
            ..FrameMeta::default()
        };
        let facts = NameFacts {
            meta: &meta,
            object: Some((0, &object)),
            ..facts()
        };
        let want = format!("out/{name}/{name}-18446744073709551614.jpg");
        assert_eq!(template.render(&facts), Path::new(&want), "{label:?}");
    }
}

#[test]
fn bad_templates_are_explained() {
    for (template, position, problem) in [
        ("", 1, "nothing"),
        ("out/", 4, "no file name"),
        ("out/..", 6, "no file name"),
        ("..", 2, "no file name"),
        ("a%d-%d", 5, "a second number"),
        ("a%", 2, "a % that"),
        ("50%.jpg", 3, "a % that"),
        ("%5d", 1, "a % that"),
        ("%0d", 1, "a % that"),
        ("%099d", 1, "a % that"),
        ("%s", 1, "a % that"),
        ("x{frame", 2, "a { without"),
        ("x}", 2, "a } without"),
        ("{nope}", 1, "unknown token {nope}"),
        ("{frame:6}", 1, "padding \"6\""),
        ("{reason:06}", 1, "{reason} takes no padding"),
        ("{label:06}", 1, "{label} takes no padding"),
        ("{confidence:02}", 1, "{confidence} takes no padding"),
        ("a\0b", 2, "a zero character"),
    ] {
        let error = Template::parse(template).unwrap_err();
        assert_eq!(error.position, position, "{error}");
        assert!(error.problem.starts_with(problem), "{error}");
        let text = error.to_string();
        assert!(
            text.contains("{stream} {pad} {sensor} {frame} {pts} {ntp} {utc} {reason} {label}"),
            "{text}"
        );
        assert!(text.contains("%06d, %%, {{, }}"), "{text}");
        assert!(text.contains(&format!("\"{template}\"")), "{text}");
    }
}

#[test]
fn values_stay_in_their_folder_and_are_not_parsed() {
    for (reason, name) in [
        ("../../etc/passwd", "out/___.._etc_passwd.jpg"),
        ("..", "out/__.jpg"),
        (".hidden", "out/_hidden.jpg"),
        ("", "out/_.jpg"),
        ("%d{frame}", "out/_d_frame_.jpg"),
        ("a\0b\\ü", "out/a_b__.jpg"),
    ] {
        let facts = NameFacts { reason, ..facts() };
        let template = Template::parse("out/{reason}.jpg").unwrap();
        assert_eq!(template.render(&facts), Path::new(name));
    }
    let long = "x".repeat(1000);
    let facts = NameFacts {
        reason: &long,
        ..facts()
    };
    let name = Template::parse("{reason}").unwrap().render(&facts);
    assert_eq!(name.as_os_str().len(), MAX_VALUE);
}

#[test]
fn what_varies() {
    for (template, varies, number, folder) in [
        ("a.jpg", false, false, ""),
        ("o/{stream}-{reason}.jpg", false, false, "o"),
        ("o/p/%d.jpg", true, true, "o/p"),
        ("o/p-{stream}/q/{frame}.jpg", true, false, "o"),
        ("/{pts}", true, false, "/"),
        ("{utc}/a", true, false, ""),
        ("{ntp}", true, false, ""),
        ("{track}-{object}-{seq}-{label}", false, false, ""),
        ("{class}-{confidence}-{pad}-{sensor}", false, false, ""),
    ] {
        let parsed = Template::parse(template).unwrap();
        assert_eq!(parsed.varies(), varies, "{template}");
        assert_eq!(parsed.has_number(), number, "{template}");
        assert_eq!(parsed.folder(), Path::new(folder), "{template}");
    }
}

#[test]
fn numbers_are_read_back() {
    for (template, path, number) in [
        ("o/%06d.jpg", "o/000123.jpg", Some(123)),
        ("o/%06d.jpg", "o/1234567.jpg", Some(1_234_567)),
        ("o/%06d.jpg", "o/123.jpg", None),
        ("o/%06d.jpg", "o/0001234.jpg", None),
        ("o/%d.jpg", "o/007.jpg", None),
        ("o/%d.jpg", "p/7.jpg", None),
        ("o/%d.jpg", "o/7-2.jpg", None),
        ("o/%d.jpg", "o/99999999999999999999.jpg", None),
        ("%d.jpg", "./5.jpg", Some(5)),
        (
            "{utc}-{reason}-%d.jpg",
            "20260102T030405.678Z-pre-9.jpg",
            Some(9),
        ),
        ("{pts}_%d", "none_8", Some(8)),
        ("{frame}%04d", "120045", Some(45)),
        ("{frame}.jpg", "5.jpg", None),
        ("{label}-{track}-%d", "a-b-none-3", Some(3)),
        ("{class:03}{object}%02d", "none507", Some(7)),
        ("{ntp}{seq:02}-%d", "none04-12", Some(12)),
        ("{track}-%d", "nine-3", None),
    ] {
        let parsed = Template::parse(template).unwrap();
        assert_eq!(
            parsed.number_in(Path::new(path)),
            number,
            "{template} {path}"
        );
    }
}

#[test]
fn what_is_of_a_stream() {
    let of = |template: &str| Template::parse(template).unwrap().is_of_stream();
    assert!(of("a.txt") && of("{stream}/{pad}-{sensor}.txt"));
    for template in ["%d", "{frame}", "{stream}-{label}", "{reason}", "{track}"] {
        assert!(!of(template), "{template}");
    }
}

#[test]
fn a_hostile_path_is_read_quickly() {
    let parsed = Template::parse(&("{reason}".repeat(30) + "%d!")).unwrap();
    assert_eq!(parsed.number_in(Path::new(&"1".repeat(3000))), None);
}

#[test]
fn suffixes() {
    for (path, name) in [
        ("a/name.jpg", "a/name-2.jpg"),
        ("a/name", "a/name-2"),
        ("a/n.tar.gz", "a/n.tar-2.gz"),
        (".x", ".x-2"),
    ] {
        assert_eq!(with_suffix(Path::new(path), 2), Path::new(name));
    }
}

fn any_template() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[a-z./-]{1,4}",
        Just("{reason}".to_owned()),
        Just("{frame:06}".to_owned()),
        Just("{stream}".to_owned()),
        Just("{pts}".to_owned()),
        Just("{utc}".to_owned()),
        Just("{label}".to_owned()),
        Just("{sensor}".to_owned()),
        Just("{track:06}".to_owned()),
        Just("{class}{object}{seq}{ntp}".to_owned()),
        Just("{confidence}".to_owned()),
        Just("%%".to_owned()),
        Just("{{".to_owned()),
    ];
    prop::collection::vec(piece, 1..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn parsing_never_panics(template in any::<String>()) {
        let _ = Template::parse(&template);
    }

    #[test]
    fn directives_never_panic(template in "[%{}0-9d:a-z/.]{0,24}") {
        let _ = Template::parse(&template);
    }

    #[test]
    fn a_name_has_the_components_of_its_template(
        template in any_template(),
        reason in any::<String>(),
        label in any::<String>(),
        sensor in any::<Option<String>>(),
        number: u64,
        pts: Option<u64>,
        frame: u64,
        seconds in -300_000_000_000i64..200_000_000_000,
    ) {
        let Ok(parsed) = Template::parse(&template) else { return Ok(()) };
        let utc = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MIN);
        let meta = FrameMeta { sensor: sensor.map(Into::into), ntp: pts, ..FrameMeta::default() };
        let object = Detection { label: label.into(), track_id: pts, ..Detection::default() };
        let object = Some((0, &object));
        let facts = NameFacts {
            number, stream: 1, frame, pts, utc, reason: &reason, meta: &meta, seq: 0, object,
        };
        let name = parsed.render(&facts);
        prop_assert!(name.starts_with(parsed.folder()));
        // What is filled in adds no folder and none of the names that mean another one.
        let plain = parsed.render(&NameFacts {
            reason: "x", pts: Some(1), meta: &META, object: Some((1, &CAR)), ..facts
        });
        let (got, want) = (name.components().count(), plain.components().count());
        prop_assert_eq!(got, want);
        for (got, want) in name.components().zip(plain.components()) {
            prop_assert_eq!(std::mem::discriminant(&got), std::mem::discriminant(&want));
        }
    }

    #[test]
    fn numbers_come_back(number: u64, reason in any::<String>(), frame: u64) {
        let parsed = Template::parse("o/{reason}-%06d-{frame}.jpg").unwrap();
        let facts = NameFacts { number, frame, reason: &reason, ..facts() };
        prop_assert_eq!(parsed.number_in(&parsed.render(&facts)), Some(number));
    }

    #[test]
    fn reading_never_panics(template in any_template(), path in any::<String>()) {
        if let Ok(parsed) = Template::parse(&template) {
            let _ = parsed.number_in(Path::new(&path));
        }
    }
}
