// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A server that is down, slow, wrong or gone: what is tried again, and what is given up.

use std::net::TcpListener;
use std::time::{Duration, Instant, SystemTime};

use crate::common::{count, until};
use crate::kit::{all, breaker, fates, numbers, only_warning, posts, rig, rig_at, transitions};
use crate::server::{Answer, OK, Request, Server};

/// With the keys of the requests, so that one post is told from another.
fn keys(requests: &[Request]) -> Vec<&str> {
    requests.iter().map(Request::key).collect()
}

#[test]
fn what_fails_for_now_is_tried_again_with_the_same_key() {
    let retried = [
        Answer::Status(500),
        Answer::Status(502),
        Answer::Status(503),
        Answer::Status(504),
        Answer::Status(408),
        Answer::Status(425),
        Answer::Status(429),
        Answer::CloseAfter,
        Answer::BreakOff,
        Answer::Nonsense,
    ];
    for answer in retried {
        let server = Server::with([OK, answer.clone(), answer.clone(), OK]);
        let rig = rig(&server, &[]);
        rig.push_all(0..3);
        let messages = rig.end();
        assert!(
            messages.warnings().is_empty(),
            "{answer:?}: {:?}",
            messages.warnings()
        );
        let requests = server.requests();
        assert_eq!(numbers(&requests), [0, 1, 1, 1, 2], "{answer:?}");
        let keys = keys(&requests);
        assert!(keys[1] == keys[2] && keys[2] == keys[3] && keys[3] != keys[4]);
        assert_eq!(fates(&rig.element), [3, 0, 0, 0, 0], "{answer:?}");
        assert_eq!(posts(&rig.element, "retries"), 2);
        assert_eq!(count(&rig.element, "captured"), 3);
    }
}

#[test]
fn a_connection_that_breaks_within_a_body_is_tried_again() {
    let server = Server::with([OK, Answer::CloseWithin, OK]);
    let rig = rig(&server, &[]);
    rig.push_all(0..3);
    rig.end();
    assert_eq!(numbers(&server.requests()), all(3));
    assert_eq!(posts(&rig.element, "retries"), 1);
    assert_eq!(server.connections(), 2);
}

#[test]
fn what_is_refused_is_not_tried_again() {
    for status in [400, 404, 405, 409, 410, 413, 415, 422, 451] {
        let server = Server::with([OK, Answer::Status(status)]);
        let rig = rig(&server, &[]);
        rig.push_all(0..3);
        let messages = rig.end();
        assert_eq!(numbers(&server.requests()), all(3));
        assert_eq!(fates(&rig.element), [2, 1, 0, 0, 0]);
        assert_eq!((rig.count("captured"), rig.count("failed")), (2, 1));
        let warning = only_warning(&messages);
        assert!(warning.contains(&format!("answers {status}")), "{warning}");
        assert!(warning.contains(&server.url()), "{warning}");
    }
}

#[test]
fn redirects_are_not_followed_and_named() {
    let other = Server::new();
    for status in [301, 302, 303, 307, 308] {
        let to = format!("Location: {}?token=hidden", other.url());
        let server = Server::with([Answer::With(status, vec![to])]);
        let rig = rig(&server, &[]);
        rig.push_all(0..2);
        let warning = only_warning(&rig.end());
        assert!(warning.contains(&other.url()), "{warning}");
        assert!(!warning.contains("hidden"), "{warning}");
        assert_eq!(fates(&rig.element), [1, 1, 0, 0, 0]);
    }
    assert_eq!(other.connections(), 0);
}

#[test]
fn retries_are_bounded() {
    let server = Server::scripted(|_| Answer::Status(500));
    let rig = rig(
        &server,
        &[
            ("endpoint-retries", "2"),
            ("endpoint-breaker-threshold", "0"),
        ],
    );
    rig.push_all(0..4);
    let messages = rig.end();
    let requests = numbers(&server.requests());
    assert_eq!(requests, [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]);
    assert_eq!(fates(&rig.element), [0, 4, 0, 0, 0]);
    assert_eq!((rig.count("captured"), rig.count("failed")), (0, 4));
    assert!(only_warning(&messages).contains("answers 500"));
}

#[test]
fn a_server_can_ask_for_time() {
    let asks = |value: &str| Answer::With(503, vec![format!("Retry-After: {value}")]);
    let date = || httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(3));
    for (value, least) in [
        (&(|| "2".into()) as &dyn Fn() -> String, 2000),
        (&date, 1500),
    ] {
        let value = value();
        let server = Server::with([asks(&value)]);
        let begun = Instant::now();
        // Its own would be a day.
        let rig = rig(&server, &[("endpoint-delay", "86400000000000")]);
        rig.push_all(0..2);
        rig.end();
        assert!(begun.elapsed().as_millis() >= least, "{value}");
        assert_eq!(numbers(&server.requests()), [0, 0, 1]);
    }
    // What says nothing is none.
    let server = Server::with([asks("soon"), asks("-5"), asks("0")]);
    let rig = rig(&server, &[]);
    rig.push_all(0..2);
    rig.end();
    assert_eq!(numbers(&server.requests()), [0, 0, 0, 0, 1]);
}

#[test]
fn an_attempt_ends_by_its_timeout() {
    for answer in [Answer::Hang, Answer::Drip] {
        let server = Server::with([answer.clone(), OK]);
        let rig = rig(&server, &[("endpoint-timeout", "300000000")]);
        rig.push_all(0..2);
        rig.end();
        assert_eq!(numbers(&server.requests()), [0, 0, 1], "{answer:?}");
        assert_eq!(fates(&rig.element), [2, 0, 0, 0, 0]);
    }
}

#[test]
fn what_was_accepted_stays_accepted_whatever_else_is_answered() {
    let server = Server::with([Answer::Endless, Answer::Status(204), OK]);
    let rig = rig(&server, &[]);
    rig.push_all(0..3);
    rig.end();
    assert_eq!(numbers(&server.requests()), all(3));
    assert_eq!(fates(&rig.element), [3, 0, 0, 0, 0]);
}

#[test]
fn a_server_that_is_down_is_left_alone() {
    let address = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let rig = rig_at(
        &format!("http://{address}/?key=hidden"),
        &[
            ("endpoint-breaker-threshold", "3"),
            ("endpoint-retries", "9"),
        ],
    );
    rig.push_all(0..50);
    let messages = rig.end();
    assert_eq!(fates(&rig.element), [0, 50, 0, 0, 0]);
    // Three attempts, all of the first.
    assert_eq!(posts(&rig.element, "retries"), 2);
    assert_eq!(breaker(&rig.element), "open");
    assert_eq!(transitions(&messages), ["open"]);
    let told = &messages.elements("dsframecapture-endpoint")[0];
    assert_eq!(told.get::<u32>("failures"), Ok(3));
    assert!(
        told.get::<String>("reason")
            .unwrap()
            .contains("nothing listens at")
    );
    assert_eq!(told.get("endpoint"), Ok(format!("http://{address}/")));
    let warnings = messages.warning_texts();
    let opened = warnings
        .iter()
        .filter(|it| it.contains("is left alone for 60000 ms"));
    assert_eq!(opened.count(), 1, "{warnings:?}");
    assert!(
        warnings.iter().all(|it| !it.contains("hidden")),
        "{warnings:?}"
    );
}

#[test]
fn the_breaker_opens_half_opens_and_closes() {
    let server = Server::scripted(|_| Answer::Status(500));
    let rig = rig(
        &server,
        &[
            ("endpoint-breaker-threshold", "2"),
            ("endpoint-breaker-timeout", "200000000"),
            ("endpoint-retries", "0"),
        ],
    );
    rig.push_all(0..2);
    until("it is open", || breaker(&rig.element) == "open");
    server.set(|_| OK);
    let mut number = 2;
    until("it is closed", || {
        rig.push(number).unwrap();
        number += 1;
        std::thread::sleep(Duration::from_millis(10));
        breaker(&rig.element) == "closed"
    });
    let messages = rig.end();
    assert_eq!(transitions(&messages), ["open", "half-open", "closed"]);
    let infos = messages.0.iter().filter_map(|it| match it.view() {
        gst::MessageView::Info(info) => Some(info.error().to_string()),
        _ => None,
    });
    let infos: Vec<_> = infos.collect();
    let count = |text: &str| infos.iter().filter(|it| it.contains(text)).count();
    // When it begins, when it ends, and what was lost, of posts and of frames.
    assert_eq!(infos.len(), 4, "{infos:?}");
    assert_eq!(
        (count("for now: "), count(" failed and 0 were dropped")),
        (1, 1),
        "{infos:?}"
    );
    let [posted, failed, ..] = fates(&rig.element);
    assert!(posted >= 1 && failed >= 2 && posted + failed == number);
}

#[test]
fn an_unknown_host_says_what_to_do() {
    let rig = rig_at("http://nowhere.invalid/", &[("endpoint-retries", "0")]);
    rig.push(0).unwrap();
    let warning = only_warning(&rig.end());
    assert!(warning.contains("name service"), "{warning}");
    assert!(warning.contains("nowhere.invalid"), "{warning}");
}

#[test]
fn on_error_fail_ends_the_pipeline() {
    let server = Server::with([OK, Answer::Status(400)]);
    let rig = rig(&server, &[("on-error", "fail")]);
    until("an error", || rig.push(0).is_err());
    let errors = rig.messages().errors();
    assert_eq!(errors.len(), 1);
    assert!(errors[0].0.matches(gst::ResourceError::Write), "{errors:?}");
    assert!(errors[0].1.contains("answers 400"), "{errors:?}");
    rig.stop();
}
