// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Disks that are really full: small ones in memory, in a namespace of their own.

use std::fs;
use std::path::Path;
use std::process::Command;

use gst::prelude::*;
use gst_video::{VideoFormat, VideoInfo};
use tempfile::TempDir;

use crate::shared::rig::Rig;
use crate::shared::{at, child, files, init, is_child, lines, until};

const DISK: u64 = 4 << 20;
/// Of a frame.
const BYTES: usize = 256 * 256;

/// Runs the test of this name with a disk of 4 MiB at [`disk`], if one may.
#[track_caller]
fn on_small_disk(test: &str) {
    let works = |more: &[&str]| {
        let folder = TempDir::new().unwrap();
        let mut command = Command::new("unshare");
        command
            .args(more)
            .args(["--mount", "mount", "-t", "tmpfs", "none"]);
        let output = command.arg(folder.path()).output();
        output.is_ok_and(|output| output.status.success())
    };
    let ways = [&[][..], &["--user", "--map-root-user"]];
    let Some(more) = ways.into_iter().find(|more| works(more)) else {
        println!("skipped: no small disk: unshare may not make namespaces with mounts here");
        return;
    };
    let folder = TempDir::new().unwrap();
    let this = child(test);
    let mut command = Command::new("unshare");
    command.args(more).args(["--mount", "sh", "-c"]);
    command.arg("mount -t tmpfs -o size=4m none \"$DISK\" && exec \"$0\" \"$@\"");
    command.arg(this.get_program()).args(this.get_args());
    let environment = this.get_envs();
    command.envs(environment.filter_map(|(name, value)| Some((name, value?))));
    let output = command.env("DISK", folder.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{output:?}"
    );
}

fn disk() -> String {
    std::env::var("DISK").unwrap()
}

fn free() -> u64 {
    let disk = rustix::fs::statvfs(disk()).unwrap();
    disk.f_bavail * disk.f_frsize
}

fn info() -> VideoInfo {
    init();
    VideoInfo::builder(VideoFormat::Gray8, 256, 256)
        .build()
        .unwrap()
}

fn pixels(number: u64) -> Vec<u8> {
    let byte = |i: usize| ((number * 31 + i as u64) % 251) as u8;
    let mut bytes: Vec<u8> = (0..BYTES).map(byte).collect();
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    bytes
}

fn push(rig: &Rig, number: u64) -> Result<gst::FlowSuccess, gst::FlowError> {
    let mut buffer = crate::shared::rig::memory(&pixels(number));
    let pts = gst::ClockTime::from_mseconds(number);
    buffer.get_mut().unwrap().set_pts(pts);
    rig.pad.push(buffer)
}

fn rig(properties: &[(&str, &str)]) -> Rig {
    let location = format!("{}/%06d.raw", disk());
    let log = format!("{}/log.jsonl", disk());
    let mut all = vec![
        ("interval", "1"),
        ("overflow", "block"),
        ("queue-size", "2"),
        ("workers", "2"),
        ("location", &location),
        ("log-location", &log),
    ];
    all.extend(properties);
    Rig::of(&info(), &all)
}

/// The numbers of the pictures, all of which are whole.
#[track_caller]
fn whole() -> Vec<u64> {
    let names = files(Path::new(&disk()));
    let pictures = names.iter().filter(|name| name.ends_with(".raw"));
    pictures
        .map(|name| {
            let bytes = fs::read(Path::new(&disk()).join(name)).unwrap();
            let number = u64::from_le_bytes(bytes[..8].try_into().unwrap());
            assert!(bytes == pixels(number), "{name}");
            number
        })
        .collect()
}

fn log() -> Vec<u64> {
    let lines = lines(&Path::new(&disk()).join("log.jsonl"));
    lines
        .iter()
        .map(|line| line["frame_number"].as_u64().unwrap())
        .collect()
}

#[test]
fn the_oldest_make_way_on_a_full_disk() {
    if !is_child() {
        return on_small_disk("disk::the_oldest_make_way_on_a_full_disk");
    }
    assert_eq!(free(), DISK);
    let rig = rig(&[
        ("max-files", "1000000"),
        ("on-full", "rotate"),
        ("fsync", "true"),
    ]);
    for number in 0..300 {
        push(&rig, number).unwrap();
    }
    let messages = rig.end();
    assert!(
        messages.warning_texts().is_empty(),
        "{:?}",
        messages.warning_texts()
    );
    let there = whole();
    assert_eq!(there, (300 - there.len() as u64..300).collect::<Vec<_>>());
    assert!(there.len() > 50, "{there:?}");
    assert_eq!(rig.count("captured"), 300);
    assert_eq!(rig.count("rotated"), 300 - there.len() as u64);
    assert_eq!(log(), (0..300).collect::<Vec<_>>());
}

#[test]
fn some_stays_free() {
    if !is_child() {
        return on_small_disk("disk::some_stays_free");
    }
    let least = 2 << 20;
    let text = least.to_string();
    let rig = rig(&[("min-free-bytes", &text), ("on-full", "rotate")]);
    for number in 0..200 {
        push(&rig, number).unwrap();
        // What is on its way comes on top: two threads and a queue of two, and one by one.
        assert!(free() + 6 * (BYTES as u64 + 4096) >= least, "{}", free());
    }
    rig.end();
    assert!(free() >= least);
    let there = whole();
    assert_eq!(there, (200 - there.len() as u64..200).collect::<Vec<_>>());
    assert_eq!(rig.count("captured"), 200);
    // Others take what is left: then nothing of ours can help.
    let rig = crate::disk::rig(&[
        ("min-free-bytes", &text),
        ("on-full", "rotate"),
        ("on-exists", "continue"),
    ]);
    for number in &there[..there.len() - 8] {
        fs::remove_file(Path::new(&disk()).join(format!("{number:06}.raw"))).unwrap();
    }
    fs::write(Path::new(&disk()).join("other"), vec![0; 3 << 20]).unwrap();
    for number in 200..205 {
        push(&rig, number).unwrap();
    }
    let texts = rig.end().warning_texts();
    assert_eq!((rig.count("captured"), rig.count("dropped-full")), (0, 5));
    assert!(
        texts.len() == 1 && texts[0].contains("min-free-bytes"),
        "{texts:?}"
    );
    assert!(whole().is_empty());
}

#[test]
fn a_full_disk_drops_if_told_so() {
    if !is_child() {
        return on_small_disk("disk::a_full_disk_drops_if_told_so");
    }
    let rig = rig(&[("max-files", "1000000"), ("on-full", "drop")]);
    for number in 0..100 {
        push(&rig, number).unwrap();
    }
    until("all", || rig.count("pending") == 0);
    let there = whole();
    assert_eq!(rig.count("captured"), there.len() as u64);
    assert_eq!(rig.count("dropped-full"), 100 - there.len() as u64);
    assert_eq!(log(), there);
    let first = rig.messages().warning_texts();
    assert!(first.len() == 1 && first[0].contains("space"), "{first:?}");
    for number in &there[..there.len() / 2] {
        fs::remove_file(Path::new(&disk()).join(format!("{number:06}.raw"))).unwrap();
    }
    let (captured, mut next) = (rig.count("captured"), 100);
    until("room again", || {
        push(&rig, next).unwrap();
        next += 1;
        rig.count("captured") > captured
    });
    rig.end();
    assert_eq!(rig.count("failed"), 0);
    assert_eq!(log().len() as u64, rig.count("captured"));
}

#[test]
fn a_full_disk_stops_otherwise_and_without_limits_is_a_failure() {
    if !is_child() {
        return on_small_disk("disk::a_full_disk_stops_otherwise_and_without_limits_is_a_failure");
    }
    let rig = rig(&[("max-files", "1000000")]);
    let refused = (0..100_000).find(|number| push(&rig, *number).is_err());
    assert!(refused.is_some());
    until("the end", || rig.count("pending") == 0);
    let errors = rig.messages().errors();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(
        errors[0].0.matches(gst::ResourceError::NoSpaceLeft),
        "{errors:?}"
    );
    let there = whole();
    assert_eq!(rig.count("captured"), there.len() as u64);
    assert_eq!(log(), there);
    rig.stop();
    let rig = crate::disk::rig(&[("on-exists", "continue")]);
    for number in 0..5 {
        push(&rig, number).unwrap();
    }
    rig.end();
    assert_eq!((rig.count("failed"), rig.count("dropped-full")), (5, 0));
}

#[test]
fn more_than_there_is_cannot_stay_free() {
    if !is_child() {
        return on_small_disk("disk::more_than_there_is_cannot_stay_free");
    }
    let folder = disk();
    let rig = Rig::stopped(&[
        ("location", &format!("{folder}/%d.raw")),
        ("min-free-bytes", &(DISK + 1).to_string()),
    ]);
    assert!(rig.element.set_state(gst::State::Paused).is_err());
    let errors = rig.messages().errors();
    assert!(
        errors[0].0.matches(gst::ResourceError::Settings),
        "{errors:?}"
    );
    for word in ["min-free-bytes", "4194305", "4194304"] {
        assert!(errors[0].1.contains(word), "{errors:?}");
    }
}

#[test]
fn a_folder_that_cannot_be_read_is_an_error_at_the_start() {
    use std::os::unix::fs::PermissionsExt;
    let folder = TempDir::new().unwrap();
    let closed = folder.path().join("7");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read_dir(&closed).is_ok() {
        println!("skipped: unreadable folders: this user reads them all");
        return;
    }
    let rig = Rig::stopped(&[
        ("location", &at(&folder, "{stream}/%d.raw")),
        ("max-files", "3"),
    ]);
    let started = rig.element.set_state(gst::State::Paused);
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o755)).unwrap();
    assert!(started.is_err());
    let errors = rig.messages().errors();
    assert!(errors[0].1.contains(closed.to_str().unwrap()), "{errors:?}");
}
