// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! No room: who waits, and what is dropped.

use std::thread;

use gst::prelude::*;

use crate::common::{at, until};
use crate::kit::{all, fates, numbers, posts, rig};
use crate::server::{Answer, OK, Server};

/// One that answers the first request when it is told to.
fn held_up() -> (Server, std::sync::mpsc::Sender<()>) {
    let (go, gate) = std::sync::mpsc::channel::<()>();
    let server = Server::scripted(move |_| {
        // Open for good once the sender is gone.
        let _ = gate.recv();
        OK
    });
    (server, go)
}

#[test]
fn block_waits_for_room_and_loses_nothing() {
    let (server, go) = held_up();
    let more = [("overflow", "block"), ("queue-size", "3"), ("workers", "1")];
    let rig = rig(&server, &more);
    let pad = rig.pad.clone();
    let pushed = thread::spawn(move || {
        for number in 0..50 {
            pad.push(crate::common::rig::numbered(number)).unwrap();
        }
    });
    // A queue of three, and one in work.
    until("it is full", || {
        rig.count("seen") == 5 && posts(&rig.element, "waiting") == 4
    });
    thread::sleep(std::time::Duration::from_millis(100));
    assert_eq!((rig.count("seen"), posts(&rig.element, "waiting")), (5, 4));
    drop(go);
    pushed.join().unwrap();
    let messages = rig.end();
    assert!(messages.warnings().is_empty(), "{:?}", messages.warnings());
    assert_eq!(numbers(&server.requests()), all(50));
    assert_eq!(fates(&rig.element), [50, 0, 0, 0, 0]);
}

#[test]
fn drops_are_those_of_the_queue_and_files_are_written_all_the_same() {
    for (overflow, expected) in [
        ("drop-oldest", vec![0, 97, 98, 99]),
        ("drop-newest", vec![0, 1, 2, 3]),
    ] {
        for with_files in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let location = at(&folder, "{frame:04}.raw");
            let (server, go) = held_up();
            let mut more = vec![("overflow", overflow), ("queue-size", "3")];
            if with_files {
                more.extend([("location", location.as_str()), ("interval", "1")]);
            }
            let rig = rig(&server, &more);
            for number in 0..100 {
                rig.push(number).unwrap();
                // Into the queue, one by one: what is dropped is not up to chance.
                until("it is committed", || {
                    let [posted, failed, dropped, waiting, _] = fates(&rig.element);
                    posted + failed + dropped + waiting == number + 1
                });
                if number == 0 {
                    until("the first is being sent", || server.connections() == 1);
                }
            }
            drop(go);
            let messages = rig.end();
            assert_eq!(numbers(&server.requests()), expected, "{overflow}");
            assert_eq!(fates(&rig.element), [4, 0, 96, 0, 0]);
            let said = messages.warning_texts().join("\n");
            assert!(
                said.contains("are dropped: as many as queue-size are waiting already"),
                "{said}"
            );
            match with_files {
                true => {
                    assert_eq!((rig.count("captured"), rig.count("dropped")), (100, 0));
                    assert_eq!(crate::common::files(folder.path()).len(), 100);
                }
                false => {
                    assert_eq!(
                        (rig.count("captured"), rig.count("dropped-overflow")),
                        (4, 96)
                    );
                }
            }
        }
    }
}

#[test]
fn a_trigger_and_its_pre_roll_are_one_job() {
    let (server, go) = held_up();
    let rig = rig(
        &server,
        &[
            ("mode", "manual"),
            ("pre-roll", "9"),
            ("overflow", "drop-newest"),
            ("queue-size", "1"),
        ],
    );
    for number in 0..60 {
        if number % 10 == 9 {
            assert!(rig.element.emit_by_name::<bool>("capture", &[&-1i32]));
        }
        rig.push(number).unwrap();
        if number % 10 == 9 {
            until("it is committed", || {
                let [posted, failed, dropped, waiting, _] = fates(&rig.element);
                posted + failed + dropped + waiting == number + 1
            });
            until("the first is being sent", || server.connections() == 1);
        }
    }
    drop(go);
    rig.end();
    // One that is being sent, one that waits: whole.
    assert_eq!(numbers(&server.requests()), all(20));
    assert_eq!(fates(&rig.element), [20, 0, 40, 0, 0]);
}

#[test]
fn a_frame_rate_is_not_changed_by_a_server_that_hangs() {
    let folder = tempfile::tempdir().unwrap();
    let location = at(&folder, "{frame:04}.raw");
    let server = Server::scripted(|_| Answer::Hang);
    let rig = rig(
        &server,
        &[
            ("overflow", "drop-oldest"),
            ("location", &location),
            ("interval", "1"),
            ("endpoint-timeout", "600000000000"),
            ("drain-timeout", "100000000"),
            ("queue-size", "100"),
        ],
    );
    for hundred in 0..20 {
        rig.push_all(100 * hundred..100 * (hundred + 1));
        // Of the encoders' queue nothing is to be dropped.
        let all = 100 * (hundred + 1);
        until("all are written", || rig.count("captured") == all);
    }
    assert_eq!(crate::common::files(folder.path()).len(), 2000);
    let messages = rig.end();
    assert_eq!((rig.count("seen"), rig.count("captured")), (2000, 2000));
    assert_eq!(fates(&rig.element), [0, 0, 2000, 0, 0]);
    assert!(
        messages
            .warning_texts()
            .join("")
            .contains("within drain-timeout (100 ms) and are lost")
    );
}
