// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A file says the same as a launch line.

use std::path::Path;

use gst::prelude::*;
use tempfile::TempDir;

use crate::common::{at, child, is_child, launch, play, play_well};
use crate::files::{both, log, pictures, section, write};

const SOURCE: &str = "dsframeinject pattern=objects frame-code=true num-buffers=60 format=RGB \
                      width=320 height=180";

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// As `gst-launch-1.0` wants it.
fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

fn line_of(entries: &[(&str, &str)]) -> String {
    let entries = entries.iter();
    let set = entries.map(|(key, value)| format!("{key}={}", quoted(value)));
    set.collect::<Vec<_>>().join(" ")
}

/// Names that hold in any folder.
fn check_capture(entries: &[(&str, &str)], least: usize) {
    let want = folder();
    let (location, log_location) = (at(&want, "{frame:04}_{reason}_%d.jpg"), at(&want, "log"));
    let line = line_of(entries);
    play_well(&format!(
        "{SOURCE} ! dsframecapture location={location} log-location={log_location} {line}"
    ));
    let want_pictures = pictures(want.path());
    let want_log = log(&want.path().join("log"));
    assert!(want_pictures.len() >= least, "{}", want_pictures.len());
    let paths = [
        ("location", "{frame:04}_{reason}_%d.jpg"),
        ("log-location", "log"),
    ];
    let all: Vec<_> = paths.iter().chain(entries).copied().collect();
    for (name, text) in both(&[section("property", &all)]) {
        let got = folder();
        let file = write(&got, name, &text);
        play_well(&format!(
            "{SOURCE} ! dsframecapture config-file-path={}",
            file.display()
        ));
        assert!(pictures(got.path()) == want_pictures, "{text}");
        assert_eq!(log(&got.path().join("log")), want_log, "{text}");
    }
}

#[test]
fn captures_by_interval() {
    check_capture(
        &[
            ("interval", "7"),
            ("quality", "61"),
            ("subsampling", "444"),
            ("width", "160"),
            ("start-time", "300000000"),
            ("statistics", "yes"),
            ("unique-id", "0x11"),
        ],
        6,
    );
}

#[test]
fn captures_by_detections() {
    check_capture(
        &[
            ("mode", "metadata"),
            ("classes", "person,car,2"),
            ("min-objects", "1"),
            ("min-confidence", "0.25"),
            ("roi", "0,0,1,0.9"),
            (
                "condition",
                "count >= 1 && objects.exists(o, o.label == \"person\")",
            ),
            ("cooldown", "200000000"),
            ("annotate", "true"),
            ("post-roll", "1"),
        ],
        4,
    );
}

#[test]
fn captures_crops_of_the_best_frames() {
    check_capture(
        &[
            ("dedupe", "best"),
            ("best-window", "500000000"),
            ("crop", "objects"),
            ("crop-padding", "0.25"),
            ("crop-square", "1"),
            ("crop-min-size", "24x24"),
        ],
        3,
    );
}

fn check_inject(entries: &[(&str, &str)], frames: usize) {
    let want = folder();
    let sink = |folder: &TempDir| {
        let location = at(folder, "%06d.png");
        format!("dsframecapture interval=1 location={location}")
    };
    let line = line_of(entries);
    play_well(&format!("dsframeinject {line} ! {}", sink(&want)));
    let want = pictures(want.path());
    assert_eq!(want.len(), frames);
    for (name, text) in both(&[section("property", entries)]) {
        let (got, of_file) = (folder(), folder());
        let file = write(&of_file, name, &text);
        play_well(&format!(
            "dsframeinject config-file-path={} ! {}",
            file.display(),
            sink(&got)
        ));
        assert!(pictures(got.path()) == want, "{text}");
    }
}

#[test]
fn injects_a_pattern() {
    check_inject(
        &[
            ("pattern", "objects"),
            ("frame-code", "true"),
            ("frame-code-stream", "7"),
            ("num-buffers", "12"),
            ("format", "RGB"),
            ("width", "256"),
            ("height", "144"),
            ("framerate", "30000/1001"),
            ("device", "cpu"),
        ],
        12,
    );
}

#[test]
fn injects_pictures() {
    let folder = folder();
    let location = at(&folder, "p_%03d.png");
    play_well(&format!(
        "dsframeinject num-buffers=9 width=128 height=72 ! dsframecapture interval=1 \
         location={location}"
    ));
    check_inject(
        &[
            ("location", location.as_str()),
            ("start-index", "2"),
            ("stop-index", "6"),
            ("loop", "0"),
            ("prefetch", "2"),
        ],
        5,
    );
}

/// Relative paths are of the folder of the file, whatever folder the process is in.
#[test]
fn paths_are_relative_to_the_file() {
    let folder = folder();
    let inject = "property:\n  location: in/%03d.png\n";
    let capture = "property:\n  location: ../out/%03d.png\n  log-location: log\n  interval: 1\n";
    write(&folder, "conf 50%{a}/inject.yml", inject);
    write(&folder, "conf 50%{a}/capture.yml", capture);
    let made = at(&folder, "conf 50%%{{a}}/in/%03d.png");
    play_well(&format!(
        "dsframeinject num-buffers=3 width=128 height=72 ! dsframecapture interval=1 \
         location=\"{made}\""
    ));
    // A folder with a percent sign is one that patterns of the injector cannot be in.
    std::fs::rename(
        folder.path().join("conf 50%{a}/in"),
        folder.path().join("in"),
    )
    .unwrap();
    let inject = write(&folder, "inject.yml", inject);
    play_well(&format!(
        "dsframeinject config-file-path={} ! dsframecapture config-file-path=\"{}\"",
        inject.display(),
        at(&folder, "conf 50%{a}/capture.yml")
    ));
    let read = |name: &str| pictures(&folder.path().join(name));
    assert_eq!(read("in").len(), 3);
    assert!(read("in") == read("out"));
    assert_eq!(log(&folder.path().join("conf 50%{a}/log")).len(), 3);
}

/// The same for a file that is named by a relative path.
#[test]
fn relative_files_are_those_of_the_working_folder() {
    if is_child() {
        play_well("dsframeinject num-buffers=2 ! dsframecapture config-file-path=conf/a.yml");
        play_well("dsframeinject num-buffers=2 ! dsframecapture config-file-path=b.yml");
        return;
    }
    let folder = folder();
    let text = "property: {location: out/%d.png, interval: 1}\n";
    write(&folder, "conf/a.yml", text);
    write(&folder, "b.yml", text);
    let output = child("same::relative_files_are_those_of_the_working_folder")
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    for place in ["conf/out", "out"] {
        assert_eq!(pictures(&folder.path().join(place)).len(), 2, "{place}");
    }
}

#[test]
fn variables_are_those_of_the_environment() {
    const TEXT: &str = "\
property:
  location: ${DSFRAME_OUT}/${DSFRAME_NAME:-picture}_$$_%d.png
  interval: ${DSFRAME_STEP}
";
    if is_child() {
        let folder = std::env::var("DSFRAME_OUT").unwrap();
        let file = Path::new(&folder).join("a.yml");
        play_well(&format!(
            "dsframeinject num-buffers=10 ! dsframecapture config-file-path={}",
            file.display()
        ));
        return;
    }
    let folder = folder();
    write(&folder, "a.yml", TEXT);
    let output = child("same::variables_are_those_of_the_environment")
        .env("DSFRAME_OUT", folder.path())
        .env("DSFRAME_STEP", "4")
        .env_remove("DSFRAME_NAME")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let names: Vec<_> = pictures(folder.path()).into_keys().collect();
    assert_eq!(
        names,
        ["picture_$_0.png", "picture_$_1.png", "picture_$_2.png"]
    );
}

/// Also where the launch line says what would be so without it.
#[test]
fn what_is_set_otherwise_wins() {
    let folder = folder();
    let text = "\
property:
  location: file/%d.jpg
  interval: 3
  quality: 5
  width: 160
stream-0:
  interval: 2
";
    let file = write(&folder, "a.yml", text);
    let source = "dsframeinject num-buffers=12 width=320 height=180";
    let (plain, over) = (at(&folder, "plain/%d.jpg"), at(&folder, "over/%d.jpg"));
    play_well(&format!(
        "{source} ! dsframecapture interval=5 width=160 location={plain}"
    ));
    play_well(&format!(
        "{source} ! dsframecapture interval=5 quality=90 location={over} config-file-path={}",
        file.display()
    ));
    let read = |name: &str| pictures(&folder.path().join(name));
    assert_eq!(read("plain").len(), 3);
    assert!(read("plain") == read("over"));
    assert!(!folder.path().join("file").exists());
    // And the file has its effect where nothing else is said.
    play_well(&format!(
        "{source} ! dsframecapture config-file-path={}",
        file.display()
    ));
    assert_eq!(read("file").len(), 6);
    assert!(read("file")["0.jpg"].len() < read("plain")["0.jpg"].len());
    // The order on the line makes no difference.
    let over = at(&folder, "again/%d.jpg");
    play_well(&format!(
        "{source} ! dsframecapture config-file-path={} interval=5 quality=90 location={over}",
        file.display()
    ));
    assert!(read("plain") == read("again"));
}

#[test]
fn properties_say_what_was_set_and_not_what_the_file_says() {
    let folder = folder();
    let text = "property:\n  location: a/%d.jpg\n  interval: 3\n  quality: 5\n";
    let file = write(&folder, "a.yml", text);
    let pipeline = launch(&format!(
        "dsframeinject num-buffers=4 ! dsframecapture name=c quality=70 config-file-path={}",
        file.display()
    ));
    let capture = pipeline.by_name("c").unwrap();
    assert!(play(&pipeline).eos());
    assert_eq!(pictures(&folder.path().join("a")).len(), 2);
    assert_eq!(capture.property::<u32>("interval"), 0);
    assert_eq!(capture.property::<u32>("quality"), 70);
    assert_eq!(capture.property::<Option<String>>("location"), None);
}
