// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Descriptors and mappings can only be counted where nothing else runs: in a process of its own.

use std::process::Command;

use super::*;

/// Open descriptors, mappings of frames, and threads.
fn used() -> (usize, usize, usize) {
    let entries = |path| std::fs::read_dir(path).unwrap().count();
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let maps = maps.lines().filter(|line| line.contains("memfd:dsframe"));
    (
        entries("/proc/self/fd"),
        maps.count(),
        entries("/proc/self/task"),
    )
}

fn exercise() {
    let dir = dir();
    for turn in 0..3 {
        let mut producer = Producer::open(&path(&dir), 8);
        let mut readers: Vec<_> = (0..3).map(|_| Reader::open(&path(&dir))).collect();
        let raw = Raw::connect(&path(&dir));
        let mut hostile = Raw::connect(&path(&dir));
        hostile.hello();
        producer.wait_for_readers(4);
        let mut kept = Vec::new();
        for _ in 0..100 {
            producer.send(Full::DropNewest).unwrap();
            kept.extend(readers.iter_mut().map(|reader| reader.frame()));
            kept.drain(..kept.len().saturating_sub(30));
        }
        let file = std::fs::File::open("/dev/null").unwrap();
        hostile.say_bytes(&[0; 32], Some(std::os::fd::AsFd::as_fd(&file)));
        assert!(hostile.end().is_some());
        match turn {
            0 => {
                producer.hub.end();
                for reader in &mut readers {
                    assert!(matches!(reader.next(), Item::End));
                }
            }
            1 => drop(std::mem::take(&mut kept)),
            _ => readers.clear(),
        }
        drop(producer);
        drop(readers);
        drop((raw, hostile, kept));
    }
}

#[test]
#[ignore = "run by nothing_is_left_behind"]
fn in_a_process_of_its_own() {
    exercise();
    let before = used();
    for _ in 0..10 {
        exercise();
    }
    // Threads may take a moment to be gone.
    let deadline = Instant::now() + PATIENCE;
    while used() != before {
        assert!(Instant::now() < deadline, "{before:?} {:?}", used());
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(before.1, 0);
}

#[test]
fn nothing_is_left_behind() {
    let name = "channel::unix::tests::leaks::in_a_process_of_its_own";
    let run = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "--test-threads=1", name])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && text.contains("1 passed"), "{text}");
}
