// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `fsync`, as the kernel sees it.

use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::launch;

/// The system calls of a line, in order. None where they cannot be watched.
fn calls(folder: &TempDir, text: &str) -> Option<Vec<String>> {
    let trace = folder.path().join("trace");
    let works = Command::new("strace")
        .args(["-o", "/dev/null", "true"])
        .output();
    if !works.is_ok_and(|output| output.status.success()) {
        println!("skipped: the order of system calls: there is no strace, or it may not trace");
        return None;
    }
    let line = launch::line(folder.path(), text);
    let mut command = launch::command("strace");
    command
        .args(["-f", "-y", "-s", "40", "-e"])
        .arg("trace=fsync,fdatasync,rename,renameat,renameat2,link,linkat,write,mkdir,mkdirat")
        .arg("-o")
        .arg(&trace)
        .arg(line.get_program())
        .args(line.get_args())
        .current_dir(folder.path())
        .stdout(Stdio::null());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = std::fs::read_to_string(trace).unwrap();
    // Of interrupted calls what counts is when they ended; their names come back then.
    Some(text.lines().map(str::to_owned).collect())
}

const LINE: &str = "dsframeinject num-buffers=4 ! video/x-raw,format=RGB,width=64,height=48 \
    ! dsframecapture interval=1 workers=1 location=out/{stream}/%02d.png labels=kitti \
      log-location=out/log.jsonl";

#[test]
fn pictures_and_names_are_on_the_disk_before_the_log_says_so() {
    let folder = TempDir::new().unwrap();
    let Some(calls) = calls(&folder, &format!("{LINE} fsync=true")) else {
        return;
    };
    let mut at = 0;
    let mut next = |what: &str, words: &[&str]| {
        let found = calls[at..].iter().position(|call| {
            words.iter().all(|word| call.contains(word)) && !call.contains(" = -1 ")
        });
        let found = found.unwrap_or_else(|| panic!("no {what} after {at}: {calls:#?}"));
        at += found + 1;
    };
    // Of the folder that was made, the name too.
    next("folder", &["mkdir", "out"]);
    next("its name", &["fsync", "<"]);
    for number in 0..4 {
        let picture = format!("/0/{number:02}.png");
        let labels = format!("/0/{number:02}.txt");
        next("picture", &["fsync", "out/0/.dsframe-"]);
        next("labels", &["fsync", "out/0/.dsframe-"]);
        next("name of the picture", &["out", &picture]);
        next("name of the labels", &["out", &labels]);
        next("folder", &["fsync", "/out/0>"]);
        next("log line", &["write", "/out/log.jsonl>"]);
        next("log on the disk", &["sync", "/out/log.jsonl>"]);
    }
}

#[test]
fn without_it_nothing_is_waited_for() {
    let folder = TempDir::new().unwrap();
    let Some(calls) = calls(&folder, LINE) else {
        return;
    };
    let synced: Vec<_> = calls
        .iter()
        .filter(|call| call.contains("sync(") && call.contains("/out"))
        .collect();
    assert!(synced.is_empty(), "{synced:?}");
    assert_eq!(
        std::fs::read_dir(folder.path().join("out/0"))
            .unwrap()
            .count(),
        8
    );
}
