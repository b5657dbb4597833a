// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Tokens and headers: sent, read again when they are refused, and shown nowhere.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use gst::prelude::*;

use crate::common::rig::Rig;
use crate::common::{at, until};
use crate::kit::{all, fates, numbers, posts, properties, rig};
use crate::launch::{command, finish, line};
use crate::server::{Answer, OK, Request, Server};

const TOKEN: &str = "t0ken-hunter2-tttt";
const HEADER: &str = "h3ader-hunter2-hhhh";

fn by_token(token: &'static str) -> impl FnMut(&Request) -> Answer {
    move |request| match request.find("Authorization") {
        Some(is) if is == format!("Bearer {token}") => OK,
        _ => Answer::Status(401),
    }
}

#[test]
fn they_are_sent_with_each_request() {
    let folder = tempfile::tempdir().unwrap();
    let (token, headers) = (at(&folder, "token"), at(&folder, "headers"));
    fs::write(&token, format!("{TOKEN}\n")).unwrap();
    fs::write(&headers, format!("# of the site\nX-Site: {HEADER}\n")).unwrap();
    let server = Server::scripted(by_token(TOKEN));
    let more = [
        ("endpoint-token-file", token.as_str()),
        ("endpoint-headers-file", &headers),
    ];
    let rig = rig(&server, &more);
    rig.push_all(0..3);
    rig.end();
    assert_eq!(numbers(&server.accepted()), all(3));
    assert!(
        server
            .requests()
            .iter()
            .all(|request| request.header("X-Site") == HEADER)
    );
}

#[test]
fn a_token_that_changed_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let token = at(&folder, "token");
    fs::write(&token, "first").unwrap();
    for status in [401, 403] {
        fs::write(&token, "first").unwrap();
        let server = Server::scripted(by_token("first"));
        let rig = rig(&server, &[("endpoint-token-file", &token)]);
        rig.push_all(0..2);
        until("they are sent", || posts(&rig.element, "posted") == 2);
        fs::write(&token, "second").unwrap();
        server.set(move |request| match request.header("Authorization") {
            "Bearer second" => OK,
            _ => Answer::Status(status),
        });
        rig.push_all(2..4);
        let messages = rig.end();
        assert_eq!(numbers(&server.accepted()), all(4));
        assert_eq!(fates(&rig.element), [4, 0, 0, 0, 0]);
        assert_eq!(posts(&rig.element, "retries"), 1);
        assert!(messages.warnings().is_empty(), "{:?}", messages.warnings());
    }
}

#[test]
fn without_a_spool_a_refused_token_fails_the_capture() {
    let folder = tempfile::tempdir().unwrap();
    let token = at(&folder, "token");
    fs::write(&token, TOKEN).unwrap();
    let server = Server::scripted(by_token("other"));
    let rig = rig(&server, &[("endpoint-token-file", &token)]);
    rig.push_all(0..3);
    let messages = rig.end();
    assert_eq!(fates(&rig.element), [0, 3, 0, 0, 0]);
    assert_eq!(server.requests().len(), 3);
    let said = messages.warning_texts().join("\n");
    assert!(
        said.contains("answers 401") && said.contains("endpoint-token-file"),
        "{said}"
    );
    assert!(!said.contains("hunter2"));
}

#[test]
fn with_a_spool_captures_wait_for_a_good_token() {
    let folder = tempfile::tempdir().unwrap();
    let (token, spool) = (at(&folder, "token"), at(&folder, "spool"));
    fs::write(&token, TOKEN).unwrap();
    let server = Server::scripted(by_token("good"));
    let rig = rig(
        &server,
        &[
            ("endpoint-token-file", &token),
            ("endpoint-spool", &spool),
            ("endpoint-breaker-timeout", "20000000"),
        ],
    );
    rig.push_all(0..10);
    until("the breaker is open", || server.requests().len() > 5);
    fs::write(&token, "good").unwrap();
    until("all are sent", || posts(&rig.element, "posted") == 10);
    let messages = rig.end();
    assert_eq!(numbers(&server.accepted()), all(10));
    assert!(
        messages
            .warning_texts()
            .join("")
            .contains("endpoint-token-file")
    );
}

#[test]
fn a_secret_that_cannot_be_read_is_an_error_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let (empty, wrong) = (at(&folder, "empty"), at(&folder, "wrong"));
    fs::write(&empty, "\n").unwrap();
    fs::write(&wrong, "hunter2\n").unwrap();
    let none = at(&folder, "none");
    let server = Server::new();
    for (property, value) in [
        ("endpoint-token-file", none.as_str()),
        ("endpoint-token-file", &empty),
        ("endpoint-token-file", "env:DSFRAME_NOT_SET"),
        ("endpoint-headers-file", &wrong),
        ("endpoint-headers-file", folder.path().to_str().unwrap()),
        ("endpoint-ca-file", &wrong),
    ] {
        let url = match property {
            "endpoint-ca-file" => server.tls_url(),
            _ => server.url(),
        };
        let rig = Rig::stopped(&properties(&url, &[(property, value)]));
        assert!(
            rig.element.set_state(gst::State::Playing).is_err(),
            "{property}={value}"
        );
        let errors = rig.messages().errors();
        assert_eq!(errors.len(), 1);
        assert!(
            errors[0].0.matches(gst::ResourceError::Settings),
            "{errors:?}"
        );
        assert!(errors[0].1.contains(property), "{errors:?}");
        assert!(!errors[0].1.contains("hunter2"), "{errors:?}");
    }
    assert_eq!(server.connections(), 0);
}

/// Everything that the element and its tools say, with all logs on: nowhere is a secret.
#[test]
fn secrets_are_shown_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("token"), format!("{TOKEN}\n")).unwrap();
    fs::create_dir(folder.path().join("dots")).unwrap();
    let mut n = 0;
    let server = Server::scripted(move |_| {
        n += 1;
        match n {
            1..3 => OK,
            3..5 => Answer::Status(401),
            5..8 => Answer::Status(500),
            8 => Answer::CloseAfter,
            _ => Answer::Status(503),
        }
    });
    let text = format!(
        "-m -v dsframeinject num-buffers=30 ! video/x-raw,width=64,height=48 ! dsframecapture \
         name=capture post-messages=true log-location=log.jsonl endpoint={}?key=q3ery-hunter2 \
         endpoint-token-file=token endpoint-headers-file=env:DSFRAME_TEST_HEADERS \
         endpoint-spool=spool endpoint-delay=1000000 endpoint-backoff=1",
        server.url()
    );
    let child = line(folder.path(), &text)
        .env("DSFRAME_TEST_HEADERS", format!("X-Key: {HEADER}"))
        .env("GST_DEBUG", "*:9")
        .env("GST_DEBUG_FILE", folder.path().join("debug.log"))
        .env("GST_DEBUG_DUMP_DOT_DIR", folder.path().join("dots"))
        .env("RUST_LOG", "trace")
        .stdin(Stdio::null())
        .stdout(fs::File::create(folder.path().join("said")).unwrap())
        .stderr(fs::File::create(folder.path().join("complained")).unwrap())
        .spawn()
        .unwrap();
    let output = finish(child, Duration::from_secs(100));
    assert!(output.status.success());
    let inspected = command("gst-inspect-1.0")
        .arg("dsframecapture")
        .output()
        .unwrap();
    fs::write(folder.path().join("inspected"), inspected.stdout).unwrap();
    let first = &server.requests()[0];
    assert_eq!(first.header("Authorization"), format!("Bearer {TOKEN}"));
    assert_eq!(first.header("X-Key"), HEADER);
    let mut sizes = Vec::new();
    for name in crate::common::files(folder.path()) {
        if name == "token" {
            continue;
        }
        let bytes = fs::read(folder.path().join(&name)).unwrap();
        for secret in [TOKEN, HEADER, "hunter2-t", "hunter2-h"] {
            let found = bytes
                .windows(secret.len())
                .any(|it| it == secret.as_bytes());
            assert!(!found, "{secret} is in {name}");
        }
        sizes.push((name, bytes.len()));
    }
    // All of it was there to be searched.
    let size = |part: &str| -> usize {
        let of = sizes.iter().filter(|(name, _)| name.contains(part));
        of.map(|(_, size)| size).sum()
    };
    for part in [
        "debug.log",
        "dots/",
        "said",
        "inspected",
        "spool/",
        "log.jsonl",
    ] {
        assert!(size(part) > 0, "{part}: {sizes:?}");
    }
    let said = fs::read_to_string(folder.path().join("said")).unwrap();
    let complained = fs::read_to_string(folder.path().join("complained")).unwrap();
    assert!(said.contains("dsframecapture-endpoint"), "{said}");
    // The query of the address is a setting, not a secret; but nothing repeats it.
    for line in said.lines().chain(complained.lines()) {
        let is_setting = line.contains("endpoint = ");
        assert!(is_setting || !line.contains("q3ery"), "{line}");
    }
}

#[test]
fn neither_stats_nor_properties_show_them() {
    let folder = tempfile::tempdir().unwrap();
    let token = at(&folder, "token");
    fs::write(&token, TOKEN).unwrap();
    let server = Server::new();
    let rig = rig(&server, &[("endpoint-token-file", &token)]);
    rig.push_all(0..3);
    let mut shown = String::new();
    for property in rig.element.list_properties() {
        if property.flags().contains(glib::ParamFlags::READABLE) {
            let value = rig.element.property_value(property.name());
            shown.push_str(&format!("{} = {value:?}\n", property.name()));
        }
    }
    assert!(shown.contains("posted"), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
    rig.end();
}

#[test]
fn secrets_on_an_open_way_are_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let token = at(&folder, "token");
    fs::write(&token, TOKEN).unwrap();
    let more = [
        ("endpoint-token-file", token.as_str()),
        ("endpoint-retries", "0"),
    ];
    let rig = crate::kit::rig_at("http://nowhere.invalid/", &more);
    let warning = crate::kit::only_warning(&rig.messages());
    assert!(warning.contains("is not encrypted"), "{warning}");
}
