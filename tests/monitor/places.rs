// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Where servers are, for how long, and what is said about it.

use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use gst::prelude::*;
use tempfile::tempdir;

use crate::common::rig::Rig;
use crate::common::{self, at, in_child, is_child, launch, pending, until};
use crate::kit::{Ended, address, ask, get, is_free, live, metrics, playing, threads};

const THREAD: &str = "dsframemonitor";

/// Played, and still there.
fn watched(name: &str, port: &str, log: &str) -> Ended {
    Ended::after(&format!(
        "dsframeinject num-buffers=3 ! video/x-raw,width=64,height=48 ! \
         dsframecapture name={name} interval=1 monitor-address={port} log-location={log}"
    ))
}

#[test]
fn elements_share_an_address_until_the_last_has_ended() {
    let folder = tempdir().unwrap();
    let first = watched("cap", "0", &at(&folder, "a"));
    let place = address(&first.element("cap"));
    // By its number, and by the port that was asked for.
    let second = watched("second", &place.to_string(), &at(&folder, "b"));
    let third = watched("third", "127.0.0.1:0", &at(&folder, "c"));
    assert_eq!(address(&second.element("second")), place);
    assert_eq!(address(&third.element("third")), place);
    until("one server", || threads(THREAD) == 1);
    drop(first);
    let names = metrics(place).elements();
    assert!(!names.contains("cap") && names.contains("second") && names.contains("third"));
    drop(second);
    assert_eq!(get(place, "/").status, 200);
    drop(third);
    assert_eq!(threads(THREAD), 0);
    assert!(is_free(place));
}

#[test]
fn each_address_has_a_server_that_shows_all() {
    let folder = tempdir().unwrap();
    let first = watched("first", "127.0.0.1:0", &at(&folder, "a"));
    let second = watched("second", "127.0.0.2:0", &at(&folder, "b"));
    let (one, two) = (first.element("first"), second.element("second"));
    let (one, two) = (address(&one), address(&two));
    assert_ne!(one, two);
    // A thread has its name a moment after it has begun.
    until("two servers", || threads(THREAD) == 2);
    for place in [one, two] {
        let names = metrics(place).elements();
        assert!(names.contains("first") && names.contains("second"));
        // What came before there was a server is not there.
        assert!(live(place, 0)["captures"].as_array().unwrap().len() >= 3);
    }
    drop(first);
    assert!(is_free(one));
    assert_eq!(get(two, "/metrics").status, 200);
    drop(second);
    assert!(is_free(two));
}

#[test]
fn it_is_told_where_it_is() {
    let rig = Rig::stopped(&[("monitor-address", "0"), ("post-messages", "true")]);
    rig.start();
    let messages = rig.messages();
    let told = messages.elements("dsframecapture-monitor");
    assert_eq!(told.len(), 1);
    let url: String = told[0].get("url").unwrap();
    assert_eq!(url, format!("http://{}/", address(&rig.element)));
    assert!(messages.warnings().is_empty());
    let json: String = rig.element.property("stats-json");
    assert!(json.contains(&url), "{json}");
    rig.stop();
    assert!(rig.messages().elements("dsframecapture-monitor").is_empty());
}

/// In a process of its own, which may be watched by all for a moment.
#[test]
fn who_lets_all_see_it_is_warned_once() {
    if is_child() {
        let settings = [("monitor-address", "0.0.0.0:0"), ("post-messages", "true")];
        let rig = Rig::stopped(&settings);
        rig.start();
        let warnings = rig.messages().warnings();
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].1.contains("no password"), "{warnings:?}");
        let second = Rig::stopped(&settings);
        second.start();
        assert!(second.messages().warnings().is_empty());
        // Names of it that others have given are fine here.
        let place = address(&rig.element);
        assert!(place.ip().is_loopback(), "a place to go to");
        let text = "GET / HTTP/1.1\r\nHost: cameras.example\r\nConnection: close\r\n\r\n";
        let answer = crate::kit::exchange(place, text.as_bytes());
        assert!(answer.starts_with(b"HTTP/1.1 200 "));
        rig.stop();
        second.stop();
        return;
    }
    let output = in_child("places::who_lets_all_see_it_is_warned_once", &[]);
    assert!(output.status.success(), "{output:?}");
}

/// The error that a start ends with.
#[track_caller]
fn refused(value: &str) -> String {
    let rig = Rig::stopped(&[("monitor-address", value), ("post-messages", "true")]);
    rig.pad.set_active(true).unwrap();
    assert!(
        rig.element.set_state(gst::State::Playing).is_err(),
        "{value}"
    );
    let errors = rig.messages().errors();
    assert_eq!(errors.len(), 1, "{value}: {errors:?}");
    let error = &errors[0].0;
    assert!(error.is::<gst::ResourceError>(), "{error:?}");
    rig.stop();
    // It was left as it was.
    rig.element.set_property("monitor-address", "0");
    rig.start();
    assert_eq!(get(address(&rig.element), "/metrics").status, 200);
    rig.stop();
    errors[0].1.clone()
}

#[test]
fn addresses_that_cannot_be_are_refused_by_name() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for (value, reason) in [
        (port.as_str(), "use another port"),
        ("99999", "is no address to listen on"),
        ("example.com:80", "is no address to listen on"),
        // One for documentation, which no machine has.
        ("192.0.2.1:9100", "must be an address of this machine"),
    ] {
        let text = refused(value);
        assert!(text.contains("property \"monitor-address\": "), "{text}");
        assert!(text.contains(reason), "{text}");
        assert!(text.contains(value), "{text}");
    }
    assert_eq!(threads(THREAD), 0);
}

#[test]
fn states_go_up_and_down_with_a_client_there() {
    if is_child() {
        go_up_and_down();
        return;
    }
    let output = in_child("places::states_go_up_and_down_with_a_client_there", &[]);
    assert!(output.status.success(), "{output:?}");
}

fn go_up_and_down() {
    let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let folder = tempdir().unwrap();
    // The same port each time.
    let port = {
        let (pipeline, _, place) = playing(&format!(
            "dsframeinject ! video/x-raw,width=64,height=48 ! \
             dsframecapture name=cap interval=1 monitor-address=0 location={}",
            at(&folder, "a%d.png")
        ));
        pipeline.set_state(gst::State::Null).unwrap();
        place.port()
    };
    let pipeline = launch(&format!(
        "dsframeinject is-live=true ! video/x-raw,width=64,height=48,framerate=200/1 ! \
         dsframecapture name=cap interval=1 monitor-address={port} location={}",
        at(&folder, "b%d.png")
    ));
    let cap = pipeline.by_name("cap").unwrap();
    let mut open = None;
    let mut clients = Vec::new();
    for round in 0..50 {
        for state in [gst::State::Paused, gst::State::Playing, gst::State::Paused] {
            pipeline.set_state(state).unwrap();
            let place = address(&cap);
            assert_eq!(place.port(), port);
            assert_eq!(get(place, "/metrics").status, 200, "round {round}");
        }
        pipeline.set_state(gst::State::Playing).unwrap();
        until("a capture", || common::count(&cap, "captured") > 0);
        // Some are left open in the middle of what they do.
        let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        std::io::Write::write_all(&mut client, b"GET /live HTTP/1.1\r\nHost: local").unwrap();
        clients.push(client);
        assert_eq!(threads(THREAD), 1);
        pipeline.set_state(gst::State::Null).unwrap();
        assert_eq!(threads(THREAD), 0);
        clients.clear();
        if round == 4 {
            open = Some(descriptors());
        }
    }
    assert!(pending(&pipeline.bus().unwrap()).errors().is_empty());
    assert!(descriptors() <= open.unwrap() + 2, "descriptors are left");
    assert!(TcpListener::bind(("127.0.0.1", port)).is_ok());
}

#[test]
fn what_is_open_when_it_ends_is_closed() {
    let folder = tempdir().unwrap();
    let ended = watched("cap", "0", &at(&folder, "a"));
    let place = address(&ended.element("cap"));
    let mut client = TcpStream::connect(place).unwrap();
    client
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let text = crate::kit::request("GET", "/", "localhost").replace("close", "keep-alive");
    std::io::Write::write_all(&mut client, text.as_bytes()).unwrap();
    let mut byte = [0];
    assert_eq!(std::io::Read::read(&mut client, &mut byte).unwrap(), 1);
    drop(ended);
    let mut rest = Vec::new();
    // Closed or reset, but not left.
    match std::io::Read::read_to_end(&mut client, &mut rest) {
        Ok(_) => (),
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
    }
}

#[test]
fn what_is_asked_for_is_answered_as_it_should() {
    let folder = tempdir().unwrap();
    let ended = watched("cap", "[::1]:0", &at(&folder, "a"));
    let place = address(&ended.element("cap"));
    assert!(place.is_ipv6());
    for (path, media_type) in [
        ("/", "text/html; charset=utf-8"),
        ("/page.js", "text/javascript; charset=utf-8"),
        ("/page.css", "text/css; charset=utf-8"),
        ("/icon.svg", "image/svg+xml"),
        ("/live", "application/json"),
        ("/metrics", "text/plain; version=0.0.4; charset=utf-8"),
    ] {
        let (full, head) = (get(place, path), ask(place, "HEAD", path));
        assert_eq!((full.status, head.status), (200, 200), "{path}");
        assert!(!full.body.is_empty() && head.body.is_empty());
        if !["/live", "/metrics"].contains(&path) {
            assert_eq!(head.headers["content-length"], full.body.len().to_string());
        }
        assert_eq!(full.headers["content-type"], media_type);
        assert_eq!(full.headers["x-content-type-options"], "nosniff");
        assert_eq!(full.headers["referrer-policy"], "no-referrer");
        assert_eq!(full.headers["cache-control"], "no-store");
        let policy = &full.headers["content-security-policy"];
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert!(
            !full
                .headers
                .keys()
                .any(|name| name.starts_with("access-control"))
        );
    }
    let refused = ask(place, "POST", "/metrics");
    assert_eq!(
        (refused.status, refused.headers["allow"].as_str()),
        (405, "GET, HEAD")
    );
}
