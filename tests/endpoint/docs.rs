// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The receivers of the documentation receive.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command};

use crate::common::{files, play_well, until};

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The one in this place of the page.
fn check(place: usize, body: &str) {
    let text = include_str!("../../docs/endpoint.md");
    let script = text.split("```python\n").nth(place).unwrap();
    let script = script.split("```").next().unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("receiver.py");
    std::fs::write(&path, script.replace("8000", &port.to_string())).unwrap();
    let receiver = Command::new("python3")
        .arg(&path)
        .current_dir(folder.path())
        .spawn();
    let _receiver = Killed(receiver.unwrap());
    until("it listens", || {
        TcpStream::connect(("localhost", port)).is_ok()
    });
    play_well(&format!(
        "dsframeinject num-buffers=5 ! video/x-raw,width=64,height=48 ! dsframecapture \
         endpoint=http://localhost:{port}/captures endpoint-body={body}"
    ));
    let mut received = files(folder.path());
    received.retain(|name| name.ends_with("-0.jpg"));
    assert_eq!(received.len(), 5);
    for name in received {
        crate::common::pictures::read(&folder.path().join(name));
    }
}

#[test]
fn the_documented_receiver_runs() {
    check(1, "json");
}

#[test]
fn that_of_pictures_as_they_are_runs() {
    check(2, "binary");
}
