// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The end: what is waited for, and what is said about the rest.

use std::time::{Duration, Instant};

use gst::prelude::*;

use crate::common::{at, files, until};
use crate::kit::{all, fates, numbers, only_warning, posts, rig};
use crate::server::{Answer, OK, Server};

#[test]
fn eos_means_posted() {
    let server = Server::scripted(|_| {
        std::thread::sleep(Duration::from_millis(20));
        OK
    });
    let rig = rig(&server, &[("queue-size", "100")]);
    rig.push_all(0..40);
    let messages = rig.finish();
    // Before anything else happens.
    assert_eq!(server.requests().len(), 40);
    assert!(messages.eos() && messages.warnings().is_empty());
    assert_eq!(rig.count("captured"), 40);
    rig.stop();
}

#[test]
fn stopping_without_eos_waits_too() {
    let server = Server::scripted(|_| {
        std::thread::sleep(Duration::from_millis(20));
        OK
    });
    let rig = rig(&server, &[("queue-size", "100")]);
    rig.push_all(0..30);
    rig.stop();
    assert_eq!(numbers(&server.requests()), all(30));
    assert_eq!(rig.count("captured"), 30);
}

#[test]
fn drain_timeout_bounds_the_end_and_names_what_is_lost() {
    let server = Server::scripted(|_| Answer::Hang);
    let rig = rig(
        &server,
        &[
            ("endpoint-timeout", "3600000000000"),
            ("drain-timeout", "200000000"),
            ("queue-size", "100"),
        ],
    );
    rig.push_all(0..10);
    let begun = Instant::now();
    let messages = rig.finish();
    rig.stop();
    assert!(begun.elapsed() < Duration::from_secs(20));
    let warning = only_warning(&messages);
    let expected = format!(
        "10 posts were not sent to {} within drain-timeout (200 ms) and are lost",
        server.url()
    );
    assert_eq!(warning, expected);
    assert_eq!(fates(&rig.element), [0, 0, 10, 0, 0]);
    assert_eq!(
        (rig.count("dropped-timeout"), rig.count("pending")),
        (10, 0)
    );
    assert!(rig.messages().warnings().is_empty());
    crate::common::check_accounts(&rig.element);
}

#[test]
fn a_hanging_server_does_not_hold_stop() {
    for with_spool in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let spool = at(&folder, "spool");
        let server = Server::scripted(|_| Answer::Hang);
        let mut more = vec![
            ("endpoint-timeout", "3600000000000"),
            ("drain-timeout", "100000000"),
            ("queue-size", "100"),
        ];
        if with_spool {
            more.push(("endpoint-spool", &spool));
        }
        let rig = rig(&server, &more);
        rig.push_all(0..10);
        server.wait_for(1);
        let begun = Instant::now();
        rig.stop();
        assert!(begun.elapsed() < Duration::from_secs(20));
        let warning = only_warning(&rig.messages());
        match with_spool {
            false => {
                assert!(warning.contains("10 posts were not sent"), "{warning}");
                assert_eq!(rig.count("dropped-timeout"), 10);
            }
            true => {
                assert!(warning.contains("10 posts are kept"), "{warning}");
                assert_eq!(
                    (rig.count("captured"), posts(&rig.element, "spooled")),
                    (10, 10)
                );
                // The one that was being sent is among them, and the folder is free.
                assert_eq!(files(&folder.path().join("spool")).len(), 11);
                server.set(|_| OK);
                let next = crate::kit::rig(&server, &more);
                until("all are sent", || posts(&next.element, "posted") == 10);
                next.end();
                assert_eq!(numbers(&server.accepted()), all(10));
            }
        }
    }
}

#[test]
fn a_spool_that_does_not_answer_does_not_hold_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let spool = at(&folder, "spool");
    let server = Server::scripted(|_| Answer::Hang);
    let rig = rig(
        &server,
        &[
            ("endpoint-spool", &spool),
            ("endpoint-timeout", "3600000000000"),
            ("drain-timeout", "100000000"),
            ("queue-size", "100"),
        ],
    );
    rig.push_all(0..10);
    server.wait_for(1);
    // Who opens a pipe for writing waits for a reader.
    let pipe = folder.path().join("spool/.00000000000000000000.part");
    let mkfifo = rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    );
    mkfifo.unwrap();
    let (ended, end) = std::sync::mpsc::channel();
    std::thread::spawn({
        let pipe = pipe.clone();
        move || {
            // Should it be held, it is let go of, so that the test ends.
            let held = end.recv_timeout(Duration::from_secs(60)).is_err();
            let _ = std::fs::read(&pipe);
            assert!(!held);
        }
    });
    let begun = Instant::now();
    let messages = rig.finish();
    rig.stop();
    assert!(begun.elapsed() < Duration::from_secs(50));
    let said = messages.warning_texts().join("\n");
    assert!(said.contains("10 posts were not sent"), "{said}");
    assert_eq!(rig.count("dropped-timeout"), 10);
    crate::common::check_accounts(&rig.element);
    ended.send(()).unwrap();
}

#[test]
fn an_open_breaker_is_not_waited_for_where_there_is_a_spool() {
    let folder = tempfile::tempdir().unwrap();
    let spool = at(&folder, "spool");
    let server = Server::scripted(|_| Answer::Status(500));
    let rig = rig(
        &server,
        &[
            ("endpoint-spool", &spool),
            ("endpoint-breaker-threshold", "1"),
            ("drain-timeout", "3600000000000"),
        ],
    );
    rig.push_all(0..10);
    let messages = rig.end();
    assert_eq!(server.requests().len(), 1);
    let said = messages.warning_texts();
    assert!(
        said.iter().any(|it| it.contains("10 posts are kept")),
        "{said:?}"
    );
}

#[test]
fn what_a_server_puts_off_beyond_the_end_is_not_waited_for_where_it_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let spool = at(&folder, "spool");
    let server = Server::scripted(|_| Answer::With(503, vec!["Retry-After: 3000".into()]));
    let rig = rig(
        &server,
        &[
            ("endpoint-spool", &spool),
            ("drain-timeout", "1000000000000"),
        ],
    );
    rig.push_all(0..10);
    let messages = rig.end();
    assert_eq!(server.requests().len(), 1);
    assert!(only_warning(&messages).contains("10 posts are kept"));
}

#[test]
fn eos_after_max_has_a_bound() {
    for with_spool in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let spool = at(&folder, "spool");
        let server = Server::scripted(move |_| match with_spool {
            // The breaker never opens, and no attempt is far off.
            true => Answer::Status(503),
            false => Answer::With(503, vec!["Retry-After: 3000".into()]),
        });
        let mut more = vec![
            ("endpoint-breaker-threshold", "0"),
            ("max-captures", "3"),
            ("eos-after-max", "true"),
            ("drain-timeout", "300000000"),
        ];
        if with_spool {
            more.push(("endpoint-spool", &spool));
        }
        let rig = rig(&server, &more);
        rig.push_all(0..3);
        let mut said = Vec::new();
        until("EOS", || {
            let messages = rig.messages();
            said.extend(messages.warning_texts());
            messages.eos()
        });
        let said = said.join("\n");
        let (text, fate) = match with_spool {
            true => ("3 posts are kept", "captured"),
            false => ("3 posts were not sent", "dropped-timeout"),
        };
        assert!(said.contains(text), "{said}");
        assert_eq!(rig.count(fate), 3);
        rig.stop();
        crate::common::check_accounts(&rig.element);
    }
}

#[test]
fn a_pause_ends_a_wait_for_room_and_nothing_is_lost() {
    let (go, gate) = std::sync::mpsc::channel::<()>();
    let server = Server::scripted(move |_| {
        let _ = gate.recv();
        OK
    });
    let rig = rig(
        &server,
        &[("overflow", "block"), ("queue-size", "1"), ("workers", "1")],
    );
    let pad = rig.pad.clone();
    let pushed = std::thread::spawn(move || {
        for number in 0..10 {
            pad.push(crate::common::rig::numbered(number)).unwrap();
        }
    });
    until("it waits", || rig.count("seen") == 3);
    rig.element.set_state(gst::State::Paused).unwrap();
    rig.element.set_state(gst::State::Playing).unwrap();
    drop(go);
    pushed.join().unwrap();
    rig.end();
    assert_eq!(numbers(&server.requests()), all(10));
}

#[test]
fn a_second_run_begins_anew() {
    let server = Server::new();
    let rig = rig(&server, &[]);
    rig.push_all(0..5);
    rig.end();
    rig.start();
    rig.begin(
        &crate::common::rig::numbered_info(),
        &gst::FormattedSegment::new(),
    );
    rig.push_all(0..5);
    rig.end();
    let requests = server.requests();
    assert_eq!(numbers(&requests), [all(5), all(5)].concat());
    assert_ne!(requests[0].key(), requests[5].key());
    assert_eq!(fates(&rig.element), [5, 0, 0, 0, 0]);
}
