// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

use proptest::prelude::*;

use super::*;

fn facts() -> NameFacts<'static> {
    NameFacts {
        number: 7,
        stream: 3,
        frame: 42,
        pts: Some(1_500_000_000),
        utc: "2026-01-02T03:04:05.678Z".parse().unwrap(),
        reason: "metadata",
        seq: 0,
        object: None,
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
        ("/tmp/%012d_{stream:02}", "/tmp/000000000007_03"),
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
        ("a\0b", 2, "a zero character"),
    ] {
        let error = Template::parse(template).unwrap_err();
        assert_eq!(error.position, position, "{error}");
        assert!(error.problem.starts_with(problem), "{error}");
        let text = error.to_string();
        assert!(
            text.contains("{stream} {frame} {pts} {utc} {reason}"),
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
        number: u64,
        pts: Option<u64>,
        frame: u64,
        seconds in -300_000_000_000i64..200_000_000_000,
    ) {
        let Ok(parsed) = Template::parse(&template) else { return Ok(()) };
        let utc = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MIN);
        let facts = NameFacts { number, stream: 1, frame, pts, utc, reason: &reason, ..facts() };
        let name = parsed.render(&facts);
        prop_assert!(name.starts_with(parsed.folder()));
        // What is filled in adds no folder and none of the names that mean another one.
        let plain = parsed.render(&NameFacts { reason: "x", pts: Some(1), ..facts });
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
