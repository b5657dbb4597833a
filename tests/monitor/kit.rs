// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A client that speaks HTTP by hand, so that it can do it wrongly, too.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use gst::prelude::*;
use serde_json::Value;

use crate::common::{LIMIT, launch, pending};
use crate::text::Metrics;

#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    /// By their names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// Splits what came into answers to requests of these methods.
#[track_caller]
pub fn replies(mut bytes: &[u8], methods: &[&str]) -> Vec<Reply> {
    let mut replies = Vec::new();
    for method in methods {
        if bytes.is_empty() {
            break;
        }
        let head = bytes.windows(4).position(|it| it == b"\r\n\r\n");
        let head = head.unwrap_or_else(|| panic!("{:?}", String::from_utf8_lossy(bytes)));
        let text = std::str::from_utf8(&bytes[..head]).unwrap();
        let mut lines = text.split("\r\n");
        let status = lines.next().unwrap().strip_prefix("HTTP/1.");
        let status = status.unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let header = |line: &str| {
            let (name, value) = line.split_once(':').unwrap();
            (name.to_ascii_lowercase(), value.trim().to_owned())
        };
        let headers: BTreeMap<_, _> = lines.map(header).collect();
        let length = match *method {
            "HEAD" => 0,
            _ => headers
                .get("content-length")
                .map_or(0, |it| it.parse().unwrap()),
        };
        let (body, rest) = bytes[head + 4..].split_at(length);
        replies.push(Reply {
            status,
            headers,
            body: body.to_vec(),
        });
        bytes = rest;
    }
    assert!(bytes.is_empty(), "{} bytes too many", bytes.len());
    replies
}

pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&address, LIMIT).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream.set_write_timeout(Some(LIMIT)).unwrap();
    stream
}

/// What is answered to these bytes until the connection is closed. One that is reset, as bytes of
/// ours were not read, is closed too.
pub fn exchange(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = connect(address);
    let mut answer = Vec::new();
    let _ = stream.write_all(bytes);
    let mut buffer = [0; 65536];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return answer,
            Ok(read) => answer.extend_from_slice(&buffer[..read]),
            Err(error) => {
                let kind = error.kind();
                assert_ne!(kind, std::io::ErrorKind::WouldBlock, "it is not closed");
                return answer;
            }
        }
    }
}

/// Of an address that a browser could have.
pub fn request(method: &str, path: &str, host: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
}

#[track_caller]
pub fn ask(address: SocketAddr, method: &str, path: &str) -> Reply {
    let bytes = exchange(
        address,
        request(method, path, &address.to_string()).as_bytes(),
    );
    let mut replies = replies(&bytes, &[method]);
    assert_eq!(replies.len(), 1, "{method} {path}: no answer");
    replies.remove(0)
}

#[track_caller]
pub fn get(address: SocketAddr, path: &str) -> Reply {
    ask(address, "GET", path)
}

#[track_caller]
pub fn metrics(address: SocketAddr) -> Metrics {
    let reply = get(address, "/metrics");
    assert_eq!(reply.status, 200);
    let expected = "text/plain; version=0.0.4; charset=utf-8";
    assert_eq!(reply.headers["content-type"], expected);
    Metrics::parse(reply.text())
}

#[track_caller]
pub fn live(address: SocketAddr, after: u64) -> Value {
    let reply = get(address, &format!("/live?after={after}"));
    assert_eq!(reply.status, 200);
    serde_json::from_slice(&reply.body).unwrap()
}

/// Where an element that runs can be watched.
#[track_caller]
pub fn address(element: &gst::Element) -> SocketAddr {
    let stats = element.property::<gst::Structure>("stats");
    let url: String = stats.get("monitor-url").expect("it is watched");
    let text = url.strip_prefix("http://").unwrap();
    text.strip_suffix('/').unwrap().parse().unwrap()
}

pub fn is_free(address: SocketAddr) -> bool {
    TcpStream::connect_timeout(&address, Duration::from_secs(5)).is_err()
}

/// A pipeline that has come to its end, and is still there to be asked.
pub struct Ended(pub gst::Pipeline);

impl Ended {
    #[track_caller]
    pub fn after(line: &str) -> Self {
        let pipeline = launch(line);
        // An error is on the bus, too.
        let _ = pipeline.set_state(gst::State::Playing);
        let messages = crate::common::wait_for_end(&pipeline.bus().unwrap());
        assert!(messages.eos(), "{line}: {:?}", messages.errors());
        Self(pipeline)
    }

    pub fn element(&self, name: &str) -> gst::Element {
        self.0.by_name(name).unwrap()
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.set_state(gst::State::Null);
    }
}

/// Plays, and gives the address of the element named `cap`.
#[track_caller]
pub fn playing(line: &str) -> (gst::Pipeline, gst::Element, SocketAddr) {
    let pipeline = launch(line);
    let started = pipeline.set_state(gst::State::Playing);
    assert!(
        started.is_ok(),
        "{:?}",
        pending(&pipeline.bus().unwrap()).errors()
    );
    let element = pipeline.by_name("cap").unwrap();
    let address = address(&element);
    (pipeline, element, address)
}

/// Threads of this process with this name.
pub fn threads(name: &str) -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let of = |task: std::io::Result<std::fs::DirEntry>| {
        // It may have ended meanwhile.
        let name = std::fs::read_to_string(task.ok()?.path().join("comm")).ok()?;
        Some(name.trim().to_owned())
    };
    tasks.filter_map(of).filter(|it| it == name).count()
}

/// Memory of this process, in bytes.
pub fn memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:"));
    let text = line.unwrap().trim().strip_suffix(" kB").unwrap();
    text.parse::<usize>().unwrap() * 1024
}
