// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What cannot be posted is kept in a folder, also over a restart, and sent from there in order.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::Duration;

use crate::common::rig::Rig;
use crate::common::{at, files, until};
use crate::kit::{all, breaker, fates, number, numbers, posts, properties, rig};
use crate::launch::{finish, line};
use crate::server::{Answer, OK, Server};

/// Down: the breaker opens at once and stays so.
const DOWN: [(&str, &str); 2] = [
    ("endpoint-breaker-threshold", "1"),
    ("endpoint-retries", "0"),
];

fn kept(folder: &tempfile::TempDir) -> Vec<String> {
    let mut names = files(&folder.path().join("spool"));
    names.retain(|name| name.ends_with(".post"));
    names
}

#[test]
fn a_restart_sends_what_was_kept_before_what_is_new() {
    let folder = tempfile::tempdir().unwrap();
    let spool = at(&folder, "spool");
    let server = Server::scripted(|_| Answer::Status(503));
    let mut more = vec![("endpoint-spool", spool.as_str())];
    more.extend(DOWN);
    for run in 0..3 {
        let rig = rig(&server, &more);
        rig.push_all(0..20);
        let messages = rig.end();
        let total = 20 * (run + 1);
        assert_eq!(kept(&folder).len(), total);
        // What was kept is safe, and so captured.
        assert_eq!(rig.count("captured"), 20);
        assert_eq!(fates(&rig.element), [0, 0, 0, 0, total as u64]);
        let said = messages.warning_texts();
        let left = format!("{total} posts are kept in {spool} and are sent by the next run");
        assert!(said.contains(&left), "{said:?}");
        assert_eq!(said.len(), 2, "{said:?}");
    }
    let tried = server.requests();
    assert!(tried.iter().all(|request| number(request) == 0));
    server.set(|_| OK);
    let rig = rig(&server, &more);
    rig.push_all(0..20);
    until("all are sent", || fates(&rig.element) == [80, 0, 0, 0, 0]);
    rig.end();
    let accepted = server.accepted();
    let expected: Vec<u64> = (0..4).flat_map(|_| all(20)).collect();
    assert_eq!(numbers(&accepted), expected);
    let mut keys: Vec<_> = accepted.iter().map(|request| request.key()).collect();
    // Also the one that was tried before.
    assert_eq!(keys[0], tried[0].key());
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 80);
    assert!(kept(&folder).is_empty());
}

#[test]
fn a_killed_process_loses_nothing_that_was_kept() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::new();
    let text = format!(
        "-q dsframeinject frame-code=true is-live=true ! video/x-raw,width=128,height=72,framerate=200/1 ! \
         dsframecapture endpoint={} endpoint-body=binary endpoint-spool=spool endpoint-delay=1000000 \
         endpoint-breaker-threshold=2 endpoint-breaker-timeout=100000000",
        server.url()
    );
    for run in 0..3 {
        server.set(|_| OK);
        let before = server.accepted().len();
        let mut child = line(folder.path(), &text)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        until("some arrive", || server.accepted().len() > before + 20);
        server.set(|_| Answer::Status(503));
        until("some are kept", || kept(&folder).len() > 20);
        if run == 2 {
            // While it is being emptied.
            server.set(|_| OK);
            until("some are sent", || kept(&folder).len() < 15);
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    server.set(|_| OK);
    let rest = format!("{text} max-captures=5 eos-after-max=true");
    let child = line(folder.path(), &rest)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let output = finish(child, Duration::from_secs(60));
    assert!(output.status.success(), "{output:?}");
    assert!(kept(&folder).is_empty());
    // Of each run all, in order, from the first to the last that was kept; twice at most what was
    // being sent when its sender was killed.
    let accepted = server.accepted();
    let mut runs: Vec<(&str, Vec<u64>)> = Vec::new();
    for request in &accepted {
        let (run, frame) = (
            request.header("Dsframe-Run"),
            request.header("Dsframe-Frame-Number"),
        );
        let frame: u64 = frame.parse().unwrap();
        match runs.last_mut() {
            Some((last, frames)) if *last == run => frames.push(frame),
            _ => runs.push((run, vec![frame])),
        }
    }
    assert_eq!(
        runs.len(),
        4,
        "{:?}",
        runs.iter().map(|it| it.0).collect::<Vec<_>>()
    );
    for (_, mut frames) in runs {
        let doubled = frames.windows(2).filter(|pair| pair[0] == pair[1]).count();
        assert!(doubled <= 1, "{frames:?}");
        frames.dedup();
        assert_eq!(frames, all(frames.len() as u64));
    }
}

#[test]
fn one_folder_is_for_one_element() {
    let folder = tempfile::tempdir().unwrap();
    let spool = at(&folder, "spool");
    let server = Server::new();
    let first = rig(&server, &[("endpoint-spool", &spool)]);
    let url = server.url();
    let second = Rig::stopped(&properties(&url, &[("endpoint-spool", &spool)]));
    use gst::prelude::*;
    assert!(second.element.set_state(gst::State::Playing).is_err());
    let errors = second.messages().errors();
    assert_eq!(errors.len(), 1);
    assert!(errors[0].1.contains("endpoint-spool") && errors[0].1.contains("folder of its own"));
    first.end();
    // Free again.
    let third = rig(&server, &[("endpoint-spool", &spool)]);
    third.end();
}

#[test]
fn what_is_torn_or_foreign_is_passed_over_and_said() {
    let folder = tempfile::tempdir().unwrap();
    let spool = at(&folder, "spool");
    let server = Server::scripted(|_| Answer::Status(503));
    let mut more = vec![("endpoint-spool", spool.as_str())];
    more.extend(DOWN);
    let first = rig(&server, &more);
    first.push_all(0..6);
    first.end();
    let path = |n: u32| folder.path().join(format!("spool/{n:020}.post"));
    let whole = fs::read(path(1)).unwrap();
    fs::write(path(1), &whole[..whole.len() - 1]).unwrap();
    fs::write(path(3), "none of ours").unwrap();
    fs::write(path(4), "").unwrap();
    fs::write(folder.path().join("spool/readme.txt"), "hello").unwrap();
    fs::create_dir(path(9)).unwrap();
    server.set(|_| OK);
    let second = rig(&server, &more);
    second.push_all(0..2);
    until("all are through", || posts(&second.element, "posted") == 5);
    let messages = second.end();
    assert_eq!(numbers(&server.accepted()), [0, 2, 5, 0, 1]);
    assert_eq!(fates(&second.element), [5, 3, 0, 0, 0]);
    let said = messages.warning_texts().join("\n");
    assert!(
        said.contains("endpoint-spool") && said.contains("00000000000000000001.bad"),
        "{said}"
    );
    assert!(fs::read(path(1).with_extension("bad")).unwrap() == whole[..whole.len() - 1]);
    assert!(folder.path().join("spool/readme.txt").exists());
}

#[test]
fn the_bound_counts_what_earlier_runs_left() {
    for overflow in ["drop-oldest", "drop-newest"] {
        let folder = tempfile::tempdir().unwrap();
        let spool = at(&folder, "spool");
        let server = Server::scripted(|_| Answer::Status(503));
        let mut more = vec![("endpoint-spool", spool.as_str()), ("overflow", overflow)];
        more.extend(DOWN);
        let first = rig(&server, &more);
        first.push_all(0..10);
        first.end();
        let bytes = posts(&first.element, "spooled-bytes");
        let on_disk: u64 = kept(&folder)
            .iter()
            .map(|name| {
                fs::metadata(folder.path().join("spool").join(name))
                    .unwrap()
                    .len()
            })
            .sum();
        assert_eq!(bytes, on_disk);
        // As much again, and then no more; numbers of two digits are longer.
        let bound = (2 * bytes + 64).to_string();
        more.push(("endpoint-spool-max-bytes", &bound));
        let second = rig(&server, &more);
        for number in 0..30 {
            second.push(number).unwrap();
            // Of the encoders' queue nothing is to be dropped.
            until("it is kept or dropped", || {
                posts(&second.element, "spooled") + posts(&second.element, "dropped") == number + 11
            });
        }
        let messages = second.end();
        let [posted, failed, dropped, waiting, spooled] = fates(&second.element);
        assert_eq!((posted, failed, waiting), (0, 0, 0), "{overflow}");
        assert_eq!(spooled + dropped, 40, "{overflow}");
        assert!((18..=20).contains(&spooled), "{overflow}: {spooled}");
        assert!(posts(&second.element, "spooled-bytes") <= bound.parse::<u64>().unwrap());
        let said = messages.warning_texts().join("\n");
        assert!(said.contains("endpoint-spool-max-bytes"), "{said}");
        server.set(|_| OK);
        let third = rig(&server, &more);
        until("all are sent", || {
            posts(&third.element, "posted") == spooled
        });
        third.end();
        let expected: Vec<u64> = match overflow {
            "drop-oldest" => (30 - spooled..30).collect(),
            _ => (0..10).chain(0..spooled - 10).collect(),
        };
        assert_eq!(numbers(&server.accepted()), expected);
    }
}

#[test]
fn a_folder_that_takes_nothing_is_said_and_nothing_stops() {
    if rustix::process::geteuid().is_root() {
        // Who may write anywhere: a file where the folder should be, then.
        let folder = tempfile::tempdir().unwrap();
        let spool = at(&folder, "spool");
        fs::write(&spool, "").unwrap();
        let server = Server::new();
        let url = server.url();
        let rig = Rig::stopped(&properties(&url, &[("endpoint-spool", &spool)]));
        use gst::prelude::*;
        assert!(rig.element.set_state(gst::State::Playing).is_err());
        let errors = rig.messages().errors();
        assert!(
            errors[0].0.matches(gst::ResourceError::OpenWrite),
            "{errors:?}"
        );
        assert!(errors[0].1.contains("endpoint-spool"), "{errors:?}");
    }
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path().join("spool");
    let server = Server::scripted(|_| Answer::Status(503));
    let mut more = vec![
        ("endpoint-spool", spool.to_str().unwrap()),
        ("queue-size", "4"),
    ];
    more.push(("drain-timeout", "100000000"));
    more.extend(DOWN);
    let rig = rig(&server, &more);
    rig.push(0).unwrap();
    until("it is open", || breaker(&rig.element) == "open");
    until("it is kept", || posts(&rig.element, "spooled") == 1);
    // The folder goes away while it is in use, as a medium that is pulled out.
    fs::set_permissions(&spool, fs::Permissions::from_mode(0o755)).unwrap();
    fs::remove_dir_all(&spool).unwrap();
    rig.push_all(1..20);
    let messages = rig.end();
    let [_, failed, dropped, _, spooled] = fates(&rig.element);
    assert_eq!((failed, dropped, spooled), (0, 19, 1));
    let said = messages.warning_texts().join("\n");
    assert!(said.contains("cannot keep a post in"), "{said}");
}

#[test]
fn a_refused_post_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let spool = at(&folder, "spool");
    let server = Server::scripted(|_| Answer::Status(503));
    let mut more = vec![("endpoint-spool", spool.as_str())];
    more.extend(DOWN);
    let first = rig(&server, &more);
    first.push_all(0..5);
    first.end();
    server.set(|request| match request.header("Dsframe-Frame-Number") {
        "2" => Answer::Status(413),
        _ => OK,
    });
    let second = rig(&server, &more);
    until("all are through", || posts(&second.element, "spooled") == 0);
    let messages = second.end();
    assert_eq!(numbers(&server.accepted()), [0, 1, 3, 4]);
    assert_eq!(fates(&second.element), [4, 1, 0, 0, 0]);
    let said = messages.warning_texts().join("");
    assert!(
        said.contains("answers 413") && said.contains("quality"),
        "{said}"
    );
}

#[test]
fn the_pipeline_goes_on_while_the_server_hangs() {
    let folder = tempfile::tempdir().unwrap();
    let spool = at(&folder, "spool");
    let server = Server::scripted(|_| Answer::Hang);
    let location = at(&folder, "{frame:04}.raw");
    let rig = rig(
        &server,
        &[
            ("location", &location),
            ("interval", "1"),
            ("overflow", "block"),
            ("queue-size", "4"),
            ("endpoint-spool", &spool),
            ("endpoint-timeout", "600000000000"),
            ("drain-timeout", "100000000"),
        ],
    );
    rig.push_all(0..300);
    // The server hangs over the first, and all others are elsewhere already.
    until("all files are written", || rig.count("captured") == 300);
    assert_eq!(posts(&rig.element, "posted"), 0);
    let messages = rig.end();
    assert!(
        messages
            .warning_texts()
            .join("")
            .contains("300 posts are kept in")
    );
    assert_eq!(kept(&folder).len(), 300);
    let pictures = files(folder.path());
    assert_eq!(
        pictures
            .iter()
            .filter(|name| name.ends_with(".raw"))
            .count(),
        300
    );
}

#[test]
fn what_cannot_be_read_for_now_keeps_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let spool = at(&folder, "spool");
    let server = Server::scripted(|_| Answer::Status(503));
    let mut more = vec![
        ("endpoint-spool", spool.as_str()),
        ("endpoint-breaker-timeout", "20000000"),
    ];
    more.extend(DOWN);
    let rig = rig(&server, &more);
    rig.push_all(0..6);
    until("all are kept", || posts(&rig.element, "spooled") == 6);
    // Something that can be opened and not be read, in one step.
    let path = folder.path().join("spool/00000000000000000000.post");
    let aside = folder.path().join("aside");
    fs::create_dir(&aside).unwrap();
    let exchange = || {
        let flags = rustix::fs::RenameFlags::EXCHANGE;
        rustix::fs::renameat_with(rustix::fs::CWD, &path, rustix::fs::CWD, &aside, flags).unwrap();
    };
    exchange();
    let is_said = |text: &String| text.contains("for now") && text.contains("endpoint-spool");
    until("it is said", || {
        rig.messages().warning_texts().iter().any(is_said)
    });
    server.set(|_| OK);
    assert_eq!(posts(&rig.element, "spooled"), 6);
    assert_eq!(fates(&rig.element), [0, 0, 0, 0, 6]);
    exchange();
    until("all are sent", || posts(&rig.element, "posted") == 6);
    rig.end();
    assert_eq!(numbers(&server.accepted()), all(6));
}
