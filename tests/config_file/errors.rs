// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What is wrong with a file, as the bus says it.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::common::{Messages, launch, play};
use crate::files::write;

fn run(path: &Path, capture: &str) -> Messages {
    play(&launch(&format!(
        "dsframeinject num-buffers=3 ! dsframecapture {capture} config-file-path=\"{}\"",
        path.display()
    )))
}

/// The one error of a run. `FILE` in `want` is the path.
#[track_caller]
fn check(messages: &Messages, path: &Path, want: &str) {
    let errors = messages.errors();
    assert_eq!(errors.len(), 1, "{errors:?}");
    let (error, text) = &errors[0];
    assert!(error.matches(gst::ResourceError::Settings), "{error:?}");
    assert_eq!(*text, want.replace("FILE", path.to_str().unwrap()));
    assert!(!messages.eos());
}

#[track_caller]
fn check_text(name: &str, text: &str, capture: &str, want: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = write(&folder, name, text);
    check(&run(&path, capture), &path, want);
}

#[test]
fn what_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = |path: &Path, want: &str| {
        let want = format!("property \"config-file-path\": {want}");
        check(&run(path, ""), path, &want);
    };
    wrong(
        &folder.path().join("none.yml"),
        "FILE: there is no such file",
    );
    wrong(folder.path(), "FILE: is a folder, not a file");
    wrong(&write(&folder, "empty.yml", ""), "FILE: is empty");
    wrong(
        &write(&folder, "empty.txt", "# only\n"),
        "FILE: is empty but for comments",
    );
    wrong(
        &write(&folder, "a/b", "x").join("c.yml"),
        "FILE: cannot be read: Not a directory (os error 20)",
    );
    let huge = write(&folder, "huge.yml", &"#\n".repeat(1 << 20));
    wrong(
        &huge,
        "FILE: is larger than 1 MiB, which no configuration is",
    );
    let binary = folder.path().join("binary.yml");
    std::fs::write(&binary, b"a: b\n\0\0").unwrap();
    wrong(
        &binary,
        "FILE, line 2: has a zero byte: this is not a text file",
    );
    std::fs::write(&binary, b"property:\n  location: \xe9.jpg\n").unwrap();
    wrong(&binary, "FILE, line 2: is not UTF-8 text");
    // Nobody writes into it, and nobody waits for that.
    let fifo = folder.path().join("fifo.yml");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status();
    assert!(made.unwrap().success());
    wrong(&fifo, "FILE: is not a regular file");
    wrong(Path::new("/dev/null"), "FILE: is not a regular file");
    let closed = write(&folder, "closed.yml", "property:\n");
    let nobody = std::fs::Permissions::from_mode(0o000);
    std::fs::set_permissions(&closed, nobody).unwrap();
    // Root may read it all the same.
    if std::fs::File::open(&closed).is_err() {
        wrong(
            &closed,
            "FILE: permission denied; make it readable for the user who runs the pipeline",
        );
    }
}

#[test]
fn what_a_file_cannot_say() {
    for (name, text, want) in [
        (
            "a.yml",
            "property:\n  location: a/%d.jpg\n\n  # How many.\n  min-object: 2\n",
            "line 5: unknown key \"min-object\"; did you mean \"min-objects\"?",
        ),
        (
            "a.txt",
            "[property]\r\nlocation=a/%d.jpg\r\n\r\n# How many.\r\nmin-object=2\r\n",
            "line 5: unknown key \"min-object\"; did you mean \"min-objects\"?",
        ),
        (
            "a.YAML",
            "\u{feff}property:\n  mode: sometimes\n",
            "line 2: key \"mode\" must be one of auto, interval, metadata, either, both, manual, \
             not \"sometimes\"",
        ),
        (
            "a.cfg",
            "\n\n[property]\n\tquality = 101\n",
            "line 4: key \"quality\" must be a whole number from 1 to 100, not \"101\"",
        ),
        (
            "a.yml",
            "property:\n  location: ${DSFRAME_NO_SUCH_VARIABLE}/%d.jpg\n",
            "line 2: key \"location\": environment variable DSFRAME_NO_SUCH_VARIABLE is not set: \
             set it, or write ${DSFRAME_NO_SUCH_VARIABLE:-otherwise}",
        ),
        (
            "a.yml",
            "property:\n  location: b\n  synk: 1\n",
            "line 3: unknown key \"synk\"; did you mean \"sync\"?",
        ),
        (
            "a.yml",
            "property:\n  location: a/%d.jpg\nstream-2:\n  queue-size: 3\n",
            "line 4: key \"queue-size\" is for all streams: put it into group \"property\"",
        ),
        (
            "a.yml",
            "property:\n  location: a/%d.jpg\nstream-2:\n  sync: 1\n",
            "line 4: key \"sync\" is for all streams: put it into group \"property\"",
        ),
        (
            "a.yml",
            "property:\n  location: a/%d.jpg\n  roi: [0, 0, 1]\n",
            "line 3: key \"roi\": \"0,0,1\" has 3 numbers instead of four; write x,y,w,h from \
             the top left corner, such as 0.25,0.5,0.5,0.5 in fractions of the picture or \
             480,540,960,540 in pixels",
        ),
        (
            "a.yml",
            "property:\n  location: a/%d.jpg\n  start-time: 5\n  stop-time: 5\n",
            "line 4: key \"stop-time\": 5 ns is not after start-time, 5 ns",
        ),
        (
            "a.yml",
            "property:\n  location: a/%d.jpg\n  start-time: 5\nstream-4:\n  classes: car\n  stop-time: 5\n",
            "line 6: group \"stream-4\": key \"stop-time\": 5 ns is not after start-time, 5 ns",
        ),
        (
            "a.yml",
            "property:\n  location: a/%d.jpg\n  stop-time: 5\nstream-4:\n  start-time: 5\n",
            "line 3: group \"stream-4\": key \"stop-time\": 5 ns is not after start-time, 5 ns",
        ),
        (
            "a.yml",
            "property:\n  location: a/%d.jpg\nstream-4:\n  dedupe: best\n",
            "line 3: group \"stream-4\": key \"best-window\": is needed by dedupe=best: for how \
             many ns to look for an object's best frame, such as 2000000000",
        ),
        (
            "a.yml",
            "property:\n  location: a/%d.jpg\n  streams: 0,1\nstream-1:\nstream-2:\n",
            "line 5: group \"stream-2\" has no effect: key \"streams\" leaves stream 2 out",
        ),
    ] {
        let want = format!("property \"config-file-path\": FILE, {want}");
        check_text(name, text, "", &want);
    }
}

/// What is wrong with a property that the file does not set is said of that.
#[test]
fn what_was_set_otherwise_is_not_the_file_s() {
    check_text(
        "a.yml",
        "property:\n  location: a/%d.jpg\n  start-time: 7\n  stop-time: 9\n",
        "stop-time=5",
        "property \"stop-time\": 5 ns is not after start-time, 7 ns (config-file-path is FILE)",
    );
    check_text(
        "a.yml",
        "property:\n  location: a/%d.jpg\nstream-3:\n  interval: 5\n",
        "interval-time=7",
        "property \"interval-time\": cannot be combined with interval: unset one (with group \
         \"stream-3\" of FILE, line 3)",
    );
    check_text(
        "a.yml",
        "property:\n  interval: 3\n",
        "",
        "property \"location\": nothing would be captured: set location=out/%06d.jpg for \
         pictures, log-location=out/log.jsonl for records, labels and labels-location for label \
         files, channel=name for other pipelines, endpoint=https://host/captures for a server, or post-messages=true (config-file-path is FILE)",
    );
}

/// A file may be for more streams than a launch line looks at.
#[test]
fn streams_may_be_left_out_by_the_launch_line() {
    let folder = tempfile::tempdir().unwrap();
    let text = "property:\n  location: a/%d.jpg\nstream-2:\n  interval: 1\n";
    let path = write(&folder, "a.yml", text);
    let messages = run(&path, "streams=0");
    assert!(messages.eos(), "{:?}", messages.errors());
}

#[test]
fn a_source_says_it_as_well() {
    for (name, text, want) in [
        (
            "a.yml",
            "property:\n  patern: solid\n",
            "line 2: unknown key \"patern\"; did you mean \"pattern\"?",
        ),
        (
            "a.txt",
            "[property]\ninterval=3\n",
            "line 2: key \"interval\" is one of dsframecapture, and this is a file for \
             dsframeinject",
        ),
        (
            "a.yml",
            "property:\n  width: 64\n  uri: file:///a\n  location: b\n",
            "line 3: key \"uri\": cannot be combined with location: unset one",
        ),
        (
            "a.yml",
            "stream-0:\n  pattern: solid\n",
            "line 1: group \"stream-0\": dsframeinject has one stream, and takes group \
             \"property\" alone",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = write(&folder, name, text);
        let messages = play(&launch(&format!(
            "dsframeinject config-file-path={} ! fakesink",
            path.display()
        )));
        let want = format!("property \"config-file-path\": FILE, {want}");
        check(&messages, &path, &want);
    }
}

/// Whether something is there shows when the element starts.
#[test]
fn what_a_start_finds_names_the_file_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(&folder, "a.yml", "property:\n  location: a.yml/%d.jpg\n");
    let source = write(&folder, "b.yml", "property:\n  location: none.jpg\n");
    let line = format!(
        "dsframeinject config-file-path={} ! fakesink",
        source.display()
    );
    for (messages, path) in [(run(&path, ""), path), (play(&launch(&line)), source)] {
        let errors = messages.errors();
        assert_eq!(errors.len(), 1, "{errors:?}");
        let want = format!(" (config-file-path is {})", path.display());
        assert!(errors[0].1.ends_with(&want), "{errors:?}");
    }
}
