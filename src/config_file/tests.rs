// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Both syntaxes against each other, and what they refuse.

use proptest::prelude::*;

use super::*;
use crate::capture::config::file::schema as of_capture;
use crate::inject::config::file::schema as of_inject;

fn env(name: &str) -> Result<Option<String>, String> {
    Ok(match name {
        "CLASS" => Some("person".into()),
        "SECRET" => Some("hunter2".into()),
        _ => None,
    })
}

fn parse(path: &str, text: &str) -> Result<ConfigFile, String> {
    gst::init().unwrap();
    ConfigFile::parse(Path::new(path), text, &of_capture(&[]), &env)
        .map_err(|problem| problem.to_string())
}

fn parse_inject(path: &str, text: &str) -> Result<ConfigFile, String> {
    gst::init().unwrap();
    ConfigFile::parse(Path::new(path), text, &of_inject(&[]), &env)
        .map_err(|problem| problem.to_string())
}

/// Names, values as text, and lines.
fn told(said: &[Said]) -> Vec<(&'static str, String, usize)> {
    use gst::prelude::*;
    said.iter()
        .map(|it| match it.value.get::<String>() {
            Ok(text) => (it.name, text, it.line),
            Err(_) => (it.name, it.value.serialize().unwrap().to_string(), it.line),
        })
        .collect()
}

const YAML: &str = "\
# Doors.
property:
  location: out/{stream}_%06d.jpg   # beside this file
  interval: 30
  quality: 0x50
  classes: [person, \"car\", 2]
  roi:
    - 0.25
    - 0.5
    - 0.5
    - 0.5
  min-confidence: 0.5
  statistics: yes
  post-messages: 0
  crop-square: on
  eos-after-max: false
  subsampling: 444
  start-time: none
  max-captures: 5
  condition: >
    count >= 3 &&
    labels.exists(l, l == \"${CLASS}\")

stream-0:
stream-3:
  interval: 10
  'max-objects': -1
";

const INI: &str = "\
# Doors.
[property]
location = out/{stream}_%06d.jpg
interval=30
quality=0x50
classes=person;car;2;
roi=0.25;0.5;0.5;0.5
min-confidence=0.5
statistics=yes
post-messages=0
crop-square=on
eos-after-max=false
subsampling=444
start-time=none
max-captures=5
condition=count >= 3 &&\\slabels.exists(l, l == \"${CLASS}\")
[stream-0]

[stream-3]
  # A door.
\tinterval = 10
max-objects=-1
";

#[test]
fn both_syntaxes_say_the_same() {
    let yaml = parse("/etc/cams/a.yml", YAML).unwrap();
    let ini = parse("/etc/cams/a.txt", INI).unwrap();
    let want = [
        ("location", "/etc/cams/out/{stream}_%06d.jpg", 3, 3),
        ("interval", "30", 4, 4),
        ("quality", "80", 5, 5),
        ("classes", "person,car,2", 6, 6),
        ("roi", "0.25,0.5,0.5,0.5", 7, 7),
        ("min-confidence", "0.5", 12, 8),
        ("statistics", "true", 13, 9),
        ("post-messages", "false", 14, 10),
        ("crop-square", "true", 15, 11),
        ("eos-after-max", "false", 16, 12),
        ("subsampling", "444", 17, 13),
        ("start-time", "18446744073709551615", 18, 14),
        ("max-captures", "5", 19, 15),
        (
            "condition",
            "count >= 3 && labels.exists(l, l == \"person\")",
            20,
            16,
        ),
    ];
    let semicolons = |text: String| text.replace(';', ",");
    for (file, is_yaml) in [(&yaml, true), (&ini, false)] {
        let got = told(&file.said).into_iter();
        let got: Vec<_> = got.map(|(n, v, line)| (n, semicolons(v), line)).collect();
        let want = want.map(|(n, v, y, i)| (n, v.to_owned(), if is_yaml { y } else { i }));
        assert_eq!(got, want);
        let streams: Vec<_> = file.streams.keys().copied().collect();
        assert_eq!(streams, [0, 3]);
        assert!(file.streams[&0].said.is_empty());
    }
    assert_eq!(yaml.streams[&3].line, 25);
    assert_eq!(
        told(&yaml.streams[&3].said),
        [
            ("interval", "10".into(), 26),
            ("max-objects", "-1".into(), 27)
        ]
    );
    assert_eq!(ini.streams[&3].line, 19);
    assert_eq!(
        told(&ini.streams[&3].said),
        [
            ("interval", "10".into(), 21),
            ("max-objects", "-1".into(), 22)
        ]
    );
}

/// A text whose lines end as on other systems, after a mark of UTF-8, says the same.
#[test]
fn line_ends_and_marks_make_no_difference() {
    for (path, text) in [("a.yml", YAML), ("a.ini", INI)] {
        let want = parse(path, text).unwrap();
        for other in [
            text.replace('\n', "\r\n"),
            format!("\u{feff}{text}"),
            format!("\u{feff}{}", text.replace('\n', "\r\n")),
            text.trim_end().to_owned(),
        ] {
            let got = parse(path, &other).unwrap();
            assert_eq!(told(&got.said), told(&want.said));
            assert_eq!(told(&got.streams[&3].said), told(&want.streams[&3].said));
            assert_eq!(got.streams[&3].line, want.streams[&3].line);
        }
    }
}

/// What a file of either syntax says, with what is said about it.
const WRONG: [(&str, &str, &str); 84] = [
    ("a.yml", "", "is empty"),
    ("a.yml", "  \n\n", "is empty"),
    ("a.yml", "# only\n", "is empty but for comments"),
    ("a.yml", "---\n", "is empty but for comments"),
    (
        "a.yml",
        "x\0y",
        "line 1: has a zero byte: this is not a text file",
    ),
    (
        "a.yml",
        "property",
        "line 1: a group was expected: write property: and the keys below it, indented",
    ),
    (
        "a.yml",
        "- a\n- b\n",
        "line 1: a group was expected: write property: and the keys below it, indented",
    ),
    (
        "a.yml",
        "interval: 5\n",
        "line 1: key \"interval\" is in no group: put it into group \"property\"",
    ),
    (
        "a.yml",
        "property: 5\n",
        "line 1: group \"property\" takes keys, below it and indented, each with a colon and a space: mode: interval",
    ),
    (
        "a.yml",
        "property:\n  min-object: 2\n",
        "line 2: unknown key \"min-object\"; did you mean \"min-objects\"?",
    ),
    (
        "a.yml",
        "property:\n  a: {b: c}\n",
        "line 2: key \"a\" has keys below it, and takes a value: check the indentation, or put quotes around a value that begins with {",
    ),
    (
        "a.yml",
        "property:\n  interval: &x 5\n",
        "line 2: anchors (&name) and aliases (*name) are not for this file: write the value, in quotes if it begins with & or *",
    ),
    (
        "a.yml",
        "property:\n  interval: *x\n",
        "line 2: anchors (&name) and aliases (*name) are not for this file: write the value, in quotes if it begins with & or *",
    ),
    (
        "a.yml",
        "property:\n  interval: !!int 5\n",
        "line 2: tags (!name) are not for this file: write the value, in quotes if it begins with !",
    ),
    (
        "a.yml",
        "property:\n\tinterval: 5\n",
        "line 2: is not YAML: tabs disallowed within this context (block indentation)",
    ),
    (
        "a.yml",
        "property:\n  interval: 5\n  interval: 6\n",
        "line 3: key \"interval\" was set in line 2 already",
    ),
    (
        "a.yml",
        "property: {}\nproperty: {}\n",
        "line 2: group \"property\" was begun in line 1 already",
    ),
    (
        "a.yml",
        "property:\n  interval: 5\n---\nproperty:\n",
        "line 3: a second document begins here, and only one is read",
    ),
    (
        "a.yml",
        "property:\n  interval:\n",
        "line 2: key \"interval\" has no value: write \"\" for an empty text",
    ),
    (
        "a.yml",
        "property:\n  classes: [a, [b]]\n",
        "line 2: the list of key \"classes\" is one of lists or maps",
    ),
    (
        "a.yml",
        "property:\n  classes: [a, 'b,c']\n",
        "line 2: an item in the list of key \"classes\" has a comma or a semicolon: write one item for each",
    ),
    (
        "a.yml",
        "property:\n  classes: [a, '']\n",
        "line 2: the list of key \"classes\" has an empty item",
    ),
    (
        "a.yml",
        "property:\n  location: [a, b]\n",
        "line 2: key \"location\" takes one value, not a list",
    ),
    (
        "a.yml",
        "property:\n  ? [a]\n  : b\n",
        "line 2: a name followed by a colon was expected",
    ),
    (
        "a.yml",
        "property:\n  interval: -1\n",
        "line 2: key \"interval\" must be a whole number of at least 0, not \"-1\"",
    ),
    (
        "a.yml",
        "property:\n  interval: many\n",
        "line 2: key \"interval\" must be a whole number of at least 0, not \"many\"",
    ),
    (
        "a.yml",
        "property:\n  mode: sometimes\n",
        "line 2: key \"mode\" must be one of auto, interval, metadata, either, both, manual, not \"sometimes\"",
    ),
    (
        "a.yml",
        "property:\n  quality: 101\n",
        "line 2: key \"quality\" must be a whole number from 1 to 100, not \"101\"",
    ),
    (
        "a.yml",
        "property:\n  min-confidence: 1.5\n",
        "line 2: key \"min-confidence\" must be a number from 0 to 1, not \"1.5\"",
    ),
    (
        "a.yml",
        "property:\n  min-confidence: nan\n",
        "line 2: key \"min-confidence\" must be a number from 0 to 1, not \"nan\"",
    ),
    (
        "a.yml",
        "property:\n  statistics: maybe\n",
        "line 2: key \"statistics\" must be true or false, not \"maybe\"",
    ),
    (
        "a.yml",
        "property:\n  start-time: 5s\n",
        "line 2: key \"start-time\" must be a whole number of ns, or none, not \"5s\"",
    ),
    (
        "a.yml",
        "property:\n  cooldown: -1\n",
        "line 2: key \"cooldown\" must be a whole number of at least 0, not \"-1\"",
    ),
    (
        "a.yml",
        "property:\n  cooldown: none\n",
        "line 2: key \"cooldown\" must be a whole number of at least 0, not \"none\"",
    ),
    (
        "a.yml",
        "property:\n  max-objects: -2\n",
        "line 2: key \"max-objects\" must be a whole number of at least -1, not \"-2\"",
    ),
    (
        "a.yml",
        "property:\n  trigger: 1\n",
        "line 2: key \"trigger\" asks for something while the element runs, and cannot be set by a file",
    ),
    (
        "a.yml",
        "property:\n  captured: 1\n",
        "line 2: key \"captured\" is read only",
    ),
    (
        "a.yml",
        "property:\n  config-file-path: a\n",
        "line 2: key \"config-file-path\": a file cannot name another",
    ),
    (
        "a.yml",
        "property:\n  name: a\n",
        "line 2: key \"name\" cannot be set by a file: it belongs to the pipeline",
    ),
    (
        "a.yml",
        "property:\n  uri: a\n",
        "line 2: key \"uri\" is one of dsframeinject, and this is a file for dsframecapture",
    ),
    (
        "a.yml",
        "property:\n  model-engine-file: a\n",
        "line 2: key \"model-engine-file\" is one of nvinfer, which has a file of its own",
    ),
    (
        "a.yml",
        "class-attrs-all:\n  a: 1\n",
        "line 1: group \"class-attrs-all\" is one of nvinfer, which has a file of its own",
    ),
    (
        "a.yml",
        "properties:\n  interval: 1\n",
        "line 1: unknown group \"properties\"; did you mean \"property\"? (there are \"property\" and \"stream-0\", \"stream-1\" and so on)",
    ),
    (
        "a.yml",
        "stream0:\n  interval: 1\n",
        "line 1: unknown group \"stream0\"; did you mean \"stream-0\"? (there are \"property\" and \"stream-0\", \"stream-1\" and so on)",
    ),
    (
        "a.yml",
        "stream_2:\n  interval: 1\n",
        "line 1: unknown group \"stream_2\"; did you mean \"stream-2\"? (there are \"property\" and \"stream-0\", \"stream-1\" and so on)",
    ),
    (
        "a.yml",
        "stream-x:\n  interval: 1\n",
        "line 1: group \"stream-x\" names no stream: write \"stream-0\" for the source with id 0",
    ),
    (
        "a.yml",
        "stream-01:\n  interval: 1\n",
        "line 1: group \"stream-01\" names no stream: write \"stream-1\" for the source with id 1",
    ),
    (
        "a.yml",
        "stream--1:\n  interval: 1\n",
        "line 1: group \"stream--1\" names no stream: write \"stream-0\" for the source with id 0",
    ),
    (
        "a.yml",
        "stream-4294967296:\n  interval: 1\n",
        "line 1: group \"stream-4294967296\" names no stream: the ids of sources go to 4294967295",
    ),
    (
        "a.yml",
        "stream-099999999999:\n  interval: 1\n",
        "line 1: group \"stream-099999999999\" names no stream: the ids of sources go to 4294967295",
    ),
    (
        "a.yml",
        "interval:\n",
        "line 1: key \"interval\" is in no group: put it into group \"property\"",
    ),
    (
        "a.yml",
        "stream-1:\n  location: 1\n",
        "line 2: key \"location\" is for all streams: put it into group \"property\"",
    ),
    (
        "a.yml",
        "stream-1:\n  interval: x\n",
        "line 2: key \"interval\" must be a whole number of at least 0, not \"x\"",
    ),
    (
        "a.yml",
        "nonsense:\n a: b\n",
        "line 1: unknown group \"nonsense\" (there are \"property\" and \"stream-0\", \"stream-1\" and so on)",
    ),
    (
        "a.yml",
        "property:\n  interval: $X\n",
        "line 2: key \"interval\": a $ stands alone: write ${NAME} for an environment variable, $$ for a dollar sign",
    ),
    (
        "a.yml",
        "property:\n  interval: ${X}\n",
        "line 2: key \"interval\": environment variable X is not set: set it, or write ${X:-otherwise}",
    ),
    (
        "a.yml",
        "property:\n  location: a/${NONE:-{stream}}.jpg\n",
        "line 2: key \"location\": a { in a ${...}, which ends at the first }: no braces can be in it",
    ),
    (
        "a.yml",
        "property:\n  interval: ${SECRET}\n",
        "line 2: key \"interval\" must be a whole number of at least 0, and \"${SECRET}\" stands for none",
    ),
    (
        "a.yml",
        "property:\n  mode: \"a\n b\n",
        "line 2: is not YAML: invalid indentation in quoted scalar",
    ),
    (
        "a.yml",
        "property:\n interval: 5\n   mode: manual\n",
        "line 3: is not YAML: mapping values are not allowed in this context",
    ),
    (
        "a.yml",
        "property: [\n",
        "line 1: group \"property\" takes keys, below it and indented, each with a colon and a space: mode: interval",
    ),
    (
        "a.yml",
        "property:\n  interval: 1\n a: 2\n",
        "line 3: is not YAML: while parsing a block mapping, did not find expected key",
    ),
    (
        "a.yml",
        "\"property\n",
        "line 1: is not YAML: while scanning a quoted scalar, found unexpected end of stream",
    ),
    (
        "a.yml",
        "property:\n  min_objects: 1\n",
        "line 2: unknown key \"min_objects\"; did you mean \"min-objects\"?",
    ),
    ("a.txt", "", "is empty"),
    ("a.txt", "# x\n", "is empty but for comments"),
    (
        "a.txt",
        "interval=5\n",
        "line 1: key \"interval\" is in no group: put it into group \"property\"",
    ),
    (
        "a.txt",
        "[property\n",
        "line 1: a group was expected: its name in brackets, and nothing behind it",
    ),
    (
        "a.txt",
        "[]\n",
        "line 1: a group was expected: its name in brackets, and nothing behind it",
    ),
    (
        "a.txt",
        "[property] x\n",
        "line 1: a group was expected: its name in brackets, and nothing behind it",
    ),
    (
        "a.txt",
        "[property]\ninterval\n",
        "line 2: neither a [group] nor key=value nor a comment, which begins with #",
    ),
    (
        "a.txt",
        "[property]\n=5\n",
        "line 2: neither a [group] nor key=value nor a comment, which begins with #",
    ),
    (
        "a.txt",
        "[property]\na[de]=5\n",
        "line 2: neither a [group] nor key=value nor a comment, which begins with #",
    ),
    (
        "a.txt",
        "[property]\n; x\n",
        "line 2: comments begin with #",
    ),
    (
        "a.txt",
        "[property]\ninterval=5\ninterval=6\n",
        "line 3: key \"interval\" was set in line 2 already",
    ),
    (
        "a.txt",
        "[property]\n[property]\n",
        "line 2: group \"property\" was begun in line 1 already",
    ),
    (
        "a.txt",
        "[property]\nlocation=a\\d\n",
        "line 2: key \"location\" has a backslash that stands for nothing: \\s, \\n, \\t, \\r and \\\\ are known, and the last is a backslash",
    ),
    (
        "a.txt",
        "[property]\nlocation=a\\ \n",
        "line 2: key \"location\" has a backslash that stands for nothing: \\s, \\n, \\t, \\r and \\\\ are known, and the last is a backslash",
    ),
    (
        "a.txt",
        "[property]\ninterval=5 # five\n",
        "line 2: key \"interval\" must be a whole number of at least 0, not \"5 # five\"",
    ),
    (
        "a.txt",
        "[property]\ninterval: 5\n",
        "line 2: neither a [group] nor key=value nor a comment, which begins with #; YAML is read from files that end in .yml or .yaml",
    ),
    (
        "a.txt",
        "[ property ]\ninterval=5\n",
        "line 1: unknown group \" property \"; did you mean \"property\"? (there are \"property\" and \"stream-0\", \"stream-1\" and so on)",
    ),
    (
        "a.txt",
        "[property]\ninterval=\n",
        "line 2: key \"interval\" must be a whole number of at least 0, not \"\"",
    ),
    (
        "a.txt",
        "property:\n  interval: 5\n",
        "line 1: neither a [group] nor key=value nor a comment, which begins with #; YAML is read from files that end in .yml or .yaml",
    ),
    (
        "a.txt",
        "[property]\ncafé=1\n",
        "line 2: unknown key \"café\"",
    ),
];

#[test]
fn what_is_wrong_is_said_with_its_line() {
    for (path, text, want) in WRONG {
        let got = parse(path, text).map(|_| ()).unwrap_err();
        assert_eq!(got, want, "{path}: {text:?}");
    }
}

#[test]
fn files_of_the_other_element_are_noticed() {
    for (text, want) in [
        (
            "property:\n  roi: x\n",
            "line 2: key \"roi\" is one of dsframecapture, and this is a file for dsframeinject",
        ),
        (
            "stream-1:\n  pattern: x\n",
            "line 1: group \"stream-1\": dsframeinject has one stream, and takes group \"property\" \
             alone",
        ),
        (
            "propertie:\n  pattern: x\n",
            "line 1: unknown group \"propertie\"; did you mean \"property\"? (there is only \
             \"property\")",
        ),
    ] {
        assert_eq!(parse_inject("a.yml", text).unwrap_err(), want);
    }
}

/// What is in a variable is never in an error or in the log.
#[test]
fn values_of_variables_are_not_shown() {
    for key in [
        "interval",
        "mode",
        "quality",
        "statistics",
        "cooldown",
        "start-time",
        "min-confidence",
        "max-objects",
    ] {
        let error = parse("a.yml", &format!("property:\n  {key}: ${{SECRET}}\n")).unwrap_err();
        assert!(!error.contains("hunter"), "{error}");
    }
    let file = parse(
        "a.yml",
        "property:\n  location: ${SECRET}\nstream-1:\n  classes: ${SECRET}\n",
    );
    assert_eq!(
        file.unwrap().summary(),
        "a.yml: location; stream 1: classes"
    );
}

#[test]
fn texts_are_kept_as_they_are() {
    for (written, want) in [
        ("'\"person\" in labels'", "\"person\" in labels"),
        ("\"a\\tb\"", "a\tb"),
        ("NULL0", "NULL0"),
        ("'NULL'", "NULL"),
        ("''", ""),
        ("a b  c", "a b  c"),
        ("0123", "0123"),
        ("$$1 ${CLASS} ${X:-y}", "$1 person y"),
        ("caf\u{e9} \u{1f4f7}", "caf\u{e9} \u{1f4f7}"),
        ("|\n    a\n    b\n", "a\nb"),
    ] {
        let file = parse("a.yml", &format!("property:\n  condition: {written}\n")).unwrap();
        assert_eq!(told(&file.said), [("condition", want.to_owned(), 2)]);
    }
    for (written, want) in [
        ("\"person\" in labels", "\"person\" in labels"),
        ("a\\\\b\\sc", "a\\b c"),
        ("", ""),
        ("a # b", "a # b"),
        ("a=b", "a=b"),
        (" a b \t \r", "a b"),
        ("a\\s \t", "a "),
        ("a\\\\ ", "a\\"),
        (" \t", ""),
    ] {
        let file = parse("a.ini", &format!("[property]\ncondition={written}\n")).unwrap();
        assert_eq!(told(&file.said), [("condition", want.to_owned(), 2)]);
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "(property|stream-1|interval|[-:\\[\\]{}&*!|>'\"%@`#=;,$ \n\t]){0,30}") {
        for path in ["a.yml", "a.ini"] {
            if let Err(error) = parse(path, &text) {
                prop_assert!(!error.is_empty());
            }
        }
    }

    /// Any value comes through both syntaxes as it was, with the line that it is in.
    #[test]
    fn values_come_through(values in proptest::collection::vec("[ -~\u{e4}]{0,12}", 1..5)) {
        let names = ["location", "condition", "labels-location", "endpoint", "channel"];
        let mut yaml = String::from("property:\n");
        let mut ini = String::from("[property]\n");
        let mut want = Vec::new();
        for (at, (name, value)) in names.iter().zip(&values).enumerate() {
            let value = value.trim().trim_start_matches("unix:");
            // An absolute path, which no folder comes before.
            let value = format!("/{value}");
            let written = value.replace('$', "$$");
            yaml += &format!("  {name}: {}\n", quoted(&written));
            ini += &format!("{name}={}\n", written.replace('\\', "\\\\"));
            want.push((*name, value, at + 2));
        }
        prop_assert_eq!(told(&parse("a.yaml", &yaml).unwrap().said), want.clone());
        prop_assert_eq!(told(&parse("a.cfg", &ini).unwrap().said), want);
    }
}
