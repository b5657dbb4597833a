// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! How lines end when they are told to: signals to `gst-launch-1.0` as users and supervisors send
//! them, and what is there afterwards.

mod common;
mod launch;

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use common::pictures;
use common::stall::Stall;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(60);
/// Captures that may wait.
const QUEUE: usize = 16;

const LINE: &str = "dsframeinject frame-code=true \
    ! video/x-raw,format=RGB,width=1280,height=720,framerate=30/1 \
    ! dsframecapture interval=1 workers=4 queue-size=16 overflow=block on-exists=continue \
      location=out/%06d.png log-location=out/log.jsonl";

fn pid(child: &Child) -> Pid {
    Pid::from_child(child)
}

fn start(mut command: Command) -> Child {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn line(folder: &TempDir, with_eos: bool, text: &str) -> Command {
    let mut command = launch::line(folder.path(), text);
    if with_eos {
        command.arg("-e");
    }
    command
}

/// Whole lines of the log so far.
fn logged(folder: &TempDir) -> usize {
    let log = std::fs::read_to_string(folder.path().join("out/log.jsonl"));
    log.map_or(0, |text| text.matches('\n').count())
}

/// Sends a signal once there are so many log lines more, and waits for the end.
fn interrupt(folder: &TempDir, child: Child, after: usize, signal: Signal) -> Output {
    let before = logged(folder);
    common::until("captures", || logged(folder) >= before + after);
    kill_process(pid(&child), signal).unwrap();
    launch::finish(child, LIMIT)
}

/// Those that are to be seen, all of which are whole.
#[track_caller]
fn pictures_in(folder: &TempDir) -> Vec<String> {
    let out = folder.path().join("out");
    let mut names = common::files(&out);
    names.retain(|name| name.ends_with(".png"));
    for name in &names {
        let picture = pictures::read(&out.join(name));
        assert_eq!((picture.width, picture.height), (1280, 720), "{name}");
    }
    names
}

fn file(line: &serde_json::Value) -> String {
    let path = Path::new(line["file"].as_str().unwrap());
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

/// The pictures and the files of the log lines, which are all whole.
#[track_caller]
fn there(folder: &TempDir) -> (Vec<String>, Vec<String>) {
    let lines = common::lines(&folder.path().join("out/log.jsonl"));
    (pictures_in(folder), lines.iter().map(file).collect())
}

fn parts(folder: &TempDir) -> usize {
    let names = common::files(&folder.path().join("out"));
    names.iter().filter(|name| name.ends_with(".part")).count()
}

/// All that was accepted is there, in order and without a gap.
#[track_caller]
fn check_complete(pictures: &[String], logged: &[String], at_least: usize) {
    let numbered: Vec<_> = (0..logged.len()).map(|n| format!("{n:06}.png")).collect();
    assert_eq!((pictures, logged), (&numbered[..], &numbered[..]));
    assert!(logged.len() >= at_least, "{}", logged.len());
}

/// The log is a pipe that nobody reads, so that captures wait: one for its line, and as many as may.
fn stalled(folder: &TempDir, with_eos: bool, more: &str) -> (Stall, Child) {
    let stall = Stall::new(folder.path());
    let text = LINE.replace("out/log.jsonl", stall.path.to_str().unwrap());
    let child = start(line(folder, with_eos, &format!("{text} {more}")));
    common::until("captures that wait", || {
        folder.path().join("out").is_dir() && parts(folder) >= QUEUE
    });
    (stall, child)
}

#[test]
fn an_interrupt_delivers_what_was_accepted_with_and_without_eos() {
    for with_eos in [true, false] {
        let folder = TempDir::new().unwrap();
        let (stall, child) = stalled(&folder, with_eos, "");
        kill_process(pid(&child), Signal::INT).unwrap();
        // Most likely the end has begun by then; it is to be the same either way.
        std::thread::sleep(Duration::from_millis(300));
        let reading = stall.release();
        let output = launch::finish(child, LIMIT);
        let said = launch::said(&output);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{with_eos}: {:?}: {said}",
            output.status
        );
        assert!(!said.contains("WARNING"), "{said}");
        assert_eq!(said.contains("Got EOS"), with_eos, "{said}");
        let logged: Vec<_> = reading.join().unwrap().iter().map(file).collect();
        check_complete(&pictures_in(&folder), &logged, QUEUE + 1);
        assert_eq!(parts(&folder), 0);
    }
}

/// What runs as it is in docs/graceful-end.md.
fn script() -> String {
    let page = include_str!("../docs/graceful-end.md");
    let begin = page.find("#!/bin/sh\n").unwrap();
    let end = begin + page[begin..].find("```").unwrap();
    page[begin..end].to_owned()
}

#[test]
fn a_script_passes_a_request_to_terminate_on_as_an_interrupt() {
    let folder = TempDir::new().unwrap();
    let mut command = launch::command("sh");
    command
        .arg("-c")
        .arg(script())
        .arg("run.sh")
        .args(shlex::split(LINE).unwrap())
        .current_dir(folder.path());
    let output = interrupt(&folder, start(command), 5, Signal::TERM);
    let said = launch::said(&output);
    assert_eq!(output.status.code(), Some(0), "{:?}: {said}", output.status);
    assert!(said.contains("Got EOS"), "{said}");
    let (pictures, logged) = there(&folder);
    check_complete(&pictures, &logged, 5);
    assert_eq!(parts(&folder), 0);
    // A line that fails does so through it, too.
    let mut command = launch::command("sh");
    command.args([
        "-c",
        &script(),
        "run.sh",
        "filesrc",
        "location=/none",
        "!",
        "fakesink",
    ]);
    let output = launch::finish(start(command), LIMIT);
    assert_eq!(output.status.code(), Some(255), "{output:?}");
}

/// Those that nobody handles: what is visible is whole, and the next start goes on.
#[test]
fn what_ends_the_process_at_once_leaves_nothing_half_written() {
    let folder = TempDir::new().unwrap();
    let mut before = 0;
    for signal in [Signal::TERM, Signal::KILL] {
        let child = start(line(&folder, true, LINE));
        let output = interrupt(&folder, child, 5, signal);
        assert_eq!(output.status.signal(), Some(signal.as_raw()), "{output:?}");
        let (pictures, logged) = there(&folder);
        assert!(pictures.len() >= before + 5);
        let known: BTreeSet<_> = pictures.iter().collect();
        assert!(
            logged.iter().all(|name| known.contains(name)),
            "a line without its picture"
        );
        // Of the last one the picture may be there, and the line not.
        assert!(
            pictures.len() - logged.len() <= pictures.len().min(3),
            "{pictures:?} {logged:?}"
        );
        before = pictures.len();
    }
    let text = LINE.replacen("dsframeinject", "dsframeinject num-buffers=5", 1);
    let (ok, said) = launch::run(folder.path(), &text);
    assert!(ok, "{said}");
    let (pictures, logged) = there(&folder);
    let numbered: Vec<_> = (0..before + 5).map(|n| format!("{n:06}.png")).collect();
    assert_eq!(pictures, numbered);
    assert_eq!(logged[logged.len() - 5..], numbered[before..]);
}

#[test]
fn a_second_interrupt_ends_it_at_once_and_whole() {
    let folder = TempDir::new().unwrap();
    let (_stall, mut child) = stalled(&folder, true, "");
    kill_process(pid(&child), Signal::INT).unwrap();
    // The first one is being handled when the second would be too.
    common::until("an end", || {
        std::thread::sleep(Duration::from_millis(200));
        let _ = kill_process(pid(&child), Signal::INT);
        child.try_wait().unwrap().is_some()
    });
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        output.status.signal(),
        Some(Signal::INT.as_raw()),
        "{output:?}"
    );
    assert_eq!(pictures_in(&folder), ["000000.png"]);
}

#[test]
fn what_is_not_written_in_time_is_named_once() {
    for with_eos in [true, false] {
        let folder = TempDir::new().unwrap();
        // With block, EOS would wait behind the frame that waits for room.
        let overflow = if with_eos { "drop-newest" } else { "block" };
        let more = format!("drain-timeout=500000000 overflow={overflow}");
        let (stall, child) = stalled(&folder, with_eos, &more);
        kill_process(pid(&child), Signal::INT).unwrap();
        let output = launch::finish(child, LIMIT);
        let said = launch::said(&output);
        assert_eq!(output.status.code(), Some(0), "{:?}: {said}", output.status);
        // Without EOS nobody reads the bus any more; the log of GStreamer has it.
        if with_eos {
            let named = said
                .matches("were not written within drain-timeout (500 ms)")
                .count();
            assert_eq!(named, 1, "{said}");
        }
        drop(stall);
    }
}
