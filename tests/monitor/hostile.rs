// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Clients that mean no good: the server stays up, its memory bounded, and the pipeline knows
//! nothing of it.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use gst::prelude::*;
use tempfile::{TempDir, tempdir};

use crate::common::{at, check_accounts, count, in_child, is_child, until};
use crate::kit::{connect, exchange, get, live, memory, metrics, playing, replies, request};

/// A pipeline that goes on meanwhile.
struct Running {
    pipeline: gst::Pipeline,
    cap: gst::Element,
    address: SocketAddr,
    _folder: TempDir,
}

impl Running {
    fn new(size: &str, encoding: &str) -> Self {
        let folder = tempdir().unwrap();
        let (pipeline, cap, address) = playing(&format!(
            "dsframeinject is-live=true pattern=noise ! video/x-raw,{size},framerate=20/1 ! \
             dsframecapture name=cap interval=1 overflow=block monitor-address=0 location={}",
            at(
                &folder,
                &format!("{{frame:%06}}.{encoding}").replace(":%06", ":06")
            )
        ));
        until("a capture", || count(&cap, "captured") > 2);
        Self {
            pipeline,
            cap,
            address,
            _folder: folder,
        }
    }

    /// It answers, and frames go on.
    #[track_caller]
    fn is_well(&self) {
        let before = count(&self.cap, "captured");
        until("an answer", || {
            // One that is busy says so, and is asked again.
            let text = request("GET", "/metrics", "localhost");
            exchange(self.address, text.as_bytes()).starts_with(b"HTTP/1.1 200 ")
        });
        until("more captures", || {
            count(&self.cap, "captured") > before + 2
        });
        check_accounts(&self.cap);
        let lost = count(&self.cap, "dropped") + count(&self.cap, "failed");
        assert_eq!(lost, 0);
    }

    /// The status of the first answer, if there was one.
    fn status(&self, bytes: &[u8]) -> Option<u16> {
        let answer = exchange(self.address, bytes);
        let text = String::from_utf8_lossy(&answer);
        let status = text.strip_prefix("HTTP/1.1 ")?.get(..3)?;
        Some(status.parse().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.pipeline.set_state(gst::State::Null).unwrap();
    }
}

const SMALL: &str = "width=64,height=48";

#[test]
fn what_is_no_request_is_refused() {
    let running = Running::new(SMALL, "png");
    let many = |count: usize| {
        let lines: String = (0..count).map(|n| format!("X-{n}: {n}\r\n")).collect();
        format!("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{lines}\r\n")
    };
    let long = "a".repeat(1 << 20);
    let get = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
    assert_eq!(running.status(many(30).as_bytes()), Some(200));
    // Those that are closed before all was read may be reset, and then nothing arrives.
    let refused = |bytes: &[u8], statuses: &[u16]| {
        let status = running.status(bytes);
        let fine = status.is_none_or(|it| statuses.contains(&it));
        assert!(
            fine,
            "{status:?}: {:?}",
            String::from_utf8_lossy(&bytes[..bytes.len().min(80)])
        );
    };
    refused(
        format!("GET /{long} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes(),
        &[414, 431, 400],
    );
    refused(format!("{get}X: {long}\r\n\r\n").as_bytes(), &[431]);
    refused(many(1000).as_bytes(), &[431]);
    refused(many(100).as_bytes(), &[431]);
    refused(
        format!("{get}Content-Length: 1048576\r\n\r\n{long}").as_bytes(),
        &[413],
    );
    refused(
        format!("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1048576\r\n\r\n{long}")
            .as_bytes(),
        &[405],
    );
    refused(
        format!("{get}Transfer-Encoding: chunked\r\n\r\nfffff\r\n{long}").as_bytes(),
        &[413],
    );
    refused(
        format!("{get}Content-Length: 99999999999999999999999\r\n\r\n").as_bytes(),
        &[400],
    );
    refused(
        format!("{get}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n").as_bytes(),
        &[400, 413],
    );
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"\0\0\0\0\0\0\0\0\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost\r\n\r\n",
        b"GET / HTTP/1.1\nHost: a\0b\n\n",
        b"\xff\xfe\xfd\xfc\r\n\r\n",
    ] {
        let mut client = connect(running.address);
        client.write_all(garbage).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        let _ = client.read_to_end(&mut answer);
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{garbage:?}");
    }
    running.is_well();
}

#[test]
fn no_path_leads_to_a_file() {
    let running = Running::new(SMALL, "png");
    for path in [
        "/../../../../etc/passwd",
        "/captures/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/captures/%2e%2e%2f1/0",
        "//etc/passwd",
        "/captures/1/0/../../../etc/passwd",
        "/src/monitor/page/page.js",
        "/captures/0/0",
        "/captures/18446744073709551615/18446744073709551615",
    ] {
        assert_eq!(get(running.address, path).status, 404, "{path}");
    }
    running.is_well();
}

#[test]
fn pages_of_others_cannot_ask_through_a_name_of_theirs() {
    let running = Running::new(SMALL, "png");
    let status = |host: &str, path: &str| running.status(request("GET", path, host).as_bytes());
    let port = running.address.port();
    for path in ["/", "/metrics", "/live", "/captures/1/0", "/nothing"] {
        assert_eq!(status("evil.example", path), Some(421), "{path}");
        assert_eq!(status(&format!("evil.example:{port}"), path), Some(421));
        assert_ne!(status(&format!("localhost:{port}"), path), Some(421));
    }
    let absolute =
        "GET http://evil.example/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert_eq!(running.status(absolute.as_bytes()), Some(421));
    let none = "GET / HTTP/1.1\r\nConnection: close\r\n\r\n";
    assert_eq!(running.status(none.as_bytes()), Some(400));
    running.is_well();
}

#[test]
fn requests_in_a_row_are_answered_in_order() {
    let running = Running::new(SMALL, "png");
    let line = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut text: String = (0..100)
        .map(|n| line(if n % 2 == 0 { "/metrics" } else { "/none" }))
        .collect();
    text.push_str(&request("GET", "/page.css", "localhost"));
    let answers = replies(&exchange(running.address, text.as_bytes()), &["GET"; 101]);
    assert_eq!(answers.len(), 101);
    for (n, answer) in answers.iter().enumerate() {
        let want = if n % 2 == 0 { 200 } else { 404 };
        assert_eq!(answer.status, want, "{n}");
    }
    assert_eq!(
        answers[100].headers["content-type"],
        "text/css; charset=utf-8"
    );
    running.is_well();
}

#[test]
fn two_hundred_who_say_nothing_keep_nobody_out_for_long() {
    let running = Running::new(SMALL, "png");
    let before = memory();
    let idle: Vec<_> = (0..200).map(|_| connect(running.address)).collect();
    // The first are waited for, the others sent away.
    let mut last = idle.last().unwrap();
    let mut answer = Vec::new();
    // Closed with an answer, as what it said was not read, or without.
    let _ = last.read_to_end(&mut answer);
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 503 "));
    assert!(memory() < before + (64 << 20), "memory");
    // Those who wait are not waited for forever.
    running.is_well();
    drop(idle);
    running.is_well();
}

/// Whether the other end has closed it.
fn is_closed(client: &mut TcpStream) -> bool {
    client
        .set_read_timeout(Some(Duration::from_millis(1)))
        .unwrap();
    match client.read(&mut [0; 4096]) {
        Ok(0) => true,
        Ok(_) => false,
        Err(error) => error.kind() != ErrorKind::WouldBlock,
    }
}

#[test]
fn who_takes_his_time_is_left() {
    let running = Running::new(SMALL, "png");
    let mut drip = connect(running.address);
    let mut silent = connect(running.address);
    let mut half = connect(running.address);
    half.write_all(b"GET / HTTP/1.1\r\nHost: local").unwrap();
    // After an answer, too.
    let mut idle = connect(running.address);
    idle.write_all(b"GET /page.css HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let mut gone = connect(running.address);
    gone.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    gone.shutdown(Shutdown::Write).unwrap();
    until("a request that has no end is given up", || {
        is_closed(&mut gone)
    });
    let mut text = b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ".to_vec();
    text.resize(4096, b'x');
    let mut sent = 0;
    until("one byte after the other is no request", || {
        std::thread::sleep(Duration::from_millis(50));
        let _ = drip.write_all(&text[sent..sent + 1]);
        sent += 1;
        is_closed(&mut drip)
    });
    for (name, client) in [
        ("silent", &mut silent),
        ("half", &mut half),
        ("idle", &mut idle),
    ] {
        until(name, || is_closed(client));
    }
    running.is_well();
}

#[test]
fn who_does_not_read_gets_no_memory() {
    if !is_child() {
        let output = in_child("hostile::who_does_not_read_gets_no_memory", &[]);
        assert!(output.status.success(), "{output:?}");
        return;
    }
    // Some megabytes each.
    let running = Running::new("width=1280,height=960", "png");
    let news = live(running.address, 0);
    let id = news["captures"].as_array().unwrap().last().unwrap()["id"].clone();
    let picture = get(running.address, &format!("/captures/{id}/0"));
    assert!(picture.body.len() > 2 << 20, "{}", picture.body.len());
    until("a full ring", || {
        live(running.address, 0)["captures"]
            .as_array()
            .unwrap()
            .len()
            < 25
            || count(&running.cap, "captured") > 64
    });
    let before = memory();
    let clients: Vec<_> = (0..20)
        .map(|_| {
            let mut client = connect(running.address);
            let news = live(running.address, 0);
            let id = news["captures"].as_array().unwrap().last().unwrap()["id"].clone();
            let line = format!("GET /captures/{id}/0 HTTP/1.1\r\nHost: localhost\r\n\r\n");
            // As many as the socket takes.
            client.set_nonblocking(true).unwrap();
            let _ = client.write(line.repeat(200).as_bytes());
            client.set_nonblocking(false).unwrap();
            client
        })
        .collect();
    running.is_well();
    // What they hold on to is bounded: a picture each, and what the system buffers.
    let more = memory().saturating_sub(before);
    assert!(more < 200 << 20, "{more} bytes more");
    let open = |metrics: &crate::text::Metrics| metrics.elements().contains("cap");
    assert!(open(&metrics(running.address)));
    let mut clients = clients;
    for client in &mut clients {
        // What the system has buffered can still be read; then it ends.
        until("who does not read is left", || {
            std::thread::sleep(Duration::from_millis(10));
            let mut byte = [0; 1 << 16];
            client
                .set_read_timeout(Some(Duration::from_millis(1)))
                .unwrap();
            // Nothing is taken until the server has given up.
            match client.peek(&mut byte) {
                Ok(0) => true,
                Ok(_) => {
                    std::net::TcpStream::take_error(client).unwrap().is_some() || is_reset(client)
                }
                Err(error) => error.kind() != ErrorKind::WouldBlock,
            }
        });
    }
    running.is_well();
}

/// Whether writing to it fails, as the other end is gone.
fn is_reset(client: &mut TcpStream) -> bool {
    client
        .set_write_timeout(Some(Duration::from_millis(1)))
        .unwrap();
    match client.write_all(b"x") {
        Ok(_) => false,
        Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
    }
}
