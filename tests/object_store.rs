// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Captures into a real S3 server, which keeps its objects as files. Run by `tests/object-store.sh`,
//! which has the server.

#![cfg(feature = "object-store")]

mod common;

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use common::rig::{Rig, numbered_bytes};
use common::{at, child, files, is_child, lines, until};
use gst::prelude::*;
use gst_video::{VideoFormat, VideoInfo};
use tempfile::TempDir;

const KEY: &str = "dsframe-test-key";
const SECRET: &str = "dsframe-test-secret";

struct Server {
    folder: TempDir,
    address: SocketAddr,
    process: Child,
}

impl Server {
    /// None where there is no server to start.
    fn start() -> Option<Self> {
        let folder = TempDir::new().unwrap();
        fs::create_dir(folder.path().join("bucket")).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let Some(process) = serve(folder.path(), address) else {
            println!("skipped: there is no s3s-fs: run tests/object-store.sh");
            return None;
        };
        Some(Self {
            folder,
            address,
            process,
        })
    }

    fn bucket(&self) -> PathBuf {
        self.folder.path().join("bucket")
    }

    /// The objects: the server has its own files beside them.
    fn objects(&self) -> Vec<String> {
        let mut names = files(&self.bucket());
        names.retain(|name| {
            !Path::new(name)
                .file_name()
                .unwrap()
                .to_str()
                .unwrap()
                .starts_with('.')
        });
        names
    }

    fn stop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn serve(folder: &Path, address: SocketAddr) -> Option<Child> {
    let mut process = Command::new("s3s-fs")
        .args([
            "--access-key",
            KEY,
            "--secret-key",
            SECRET,
            "--host",
            "127.0.0.1",
            "--port",
        ])
        .arg(address.port().to_string())
        .arg(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    until("a server", || {
        assert!(process.try_wait().unwrap().is_none(), "the server ended");
        TcpStream::connect(address).is_ok()
    });
    Some(process)
}

/// Runs the test of this name in a process whose environment says where the server is.
#[track_caller]
fn against(server: &Server, test: &str, more: &[(&str, &str)]) {
    let output = child(test)
        .env("AWS_ENDPOINT", format!("http://{}", server.address))
        .env("AWS_ALLOW_HTTP", "true")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", KEY)
        .env("AWS_SECRET_ACCESS_KEY", SECRET)
        .env("BUCKET", server.bucket())
        .env("SERVER", server.process.id().to_string())
        .envs(more.iter().copied())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}{errors}"
    );
}

fn bucket() -> PathBuf {
    std::env::var_os("BUCKET").unwrap().into()
}

fn read(name: &str) -> Vec<u8> {
    fs::read(bucket().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn visible() -> Vec<String> {
    let mut names = files(&bucket());
    names.retain(|name| !name.contains("/.") && !name.starts_with('.'));
    names
}

#[test]
fn the_same_bytes_as_in_files_with_labels_and_lines() {
    if !is_child() {
        let Some(server) = Server::start() else {
            return;
        };
        return against(
            &server,
            "the_same_bytes_as_in_files_with_labels_and_lines",
            &[],
        );
    }
    let folder = TempDir::new().unwrap();
    let capture = |location: &str, log: &str| {
        let log = at(&folder, log);
        let more = [
            ("labels", "kitti"),
            ("annotate", "both"),
            ("workers", "4"),
            ("log-location", &log),
        ];
        let rig = Rig::saving(location, &more);
        rig.push_all(0..40);
        let messages = rig.end();
        assert!(
            messages.warning_texts().is_empty(),
            "{:?}",
            messages.warning_texts()
        );
        assert_eq!(rig.count("captured"), 40);
        lines(log.as_ref())
    };
    let of_files = capture(&at(&folder, "out/{stream}/%03d.npy"), "files.jsonl");
    let of_objects = capture("s3://bucket/some/where/{stream}/%03d.npy", "objects.jsonl");
    let expected = files(&folder.path().join("out"));
    assert_eq!(expected.len(), 120);
    let objects: Vec<_> = expected
        .iter()
        .map(|name| format!("some/where/{name}"))
        .collect();
    assert_eq!(visible(), objects);
    for name in &expected {
        let file = fs::read(folder.path().join("out").join(name)).unwrap();
        assert!(read(&format!("some/where/{name}")) == file, "{name}");
    }
    for (number, (file, object)) in of_files.iter().zip(&of_objects).enumerate() {
        // In order, although several were uploaded at once.
        assert_eq!(object["frame_number"], number);
        assert_eq!(
            object["file"],
            format!("s3://bucket/some/where/0/{number:03}.npy")
        );
        assert_eq!(object["shape"], file["shape"]);
    }
}

#[test]
fn what_exists_is_kept_numbered_on_replaced_or_an_error() {
    if !is_child() {
        let Some(server) = Server::start() else {
            return;
        };
        return against(
            &server,
            "what_exists_is_kept_numbered_on_replaced_or_an_error",
            &[],
        );
    }
    let run = |on_exists: &str, numbers: std::ops::Range<u64>| {
        let rig = Rig::saving("s3://bucket/e/%d.raw", &[("on-exists", on_exists)]);
        rig.push_all(numbers);
        let messages = rig.end();
        let counts = ["captured", "failed", "renamed"].map(|name| rig.count(name));
        (counts, messages.warning_texts())
    };
    assert_eq!(run("fail", 0..2).0, [2, 0, 0]);
    assert_eq!(run("suffix", 10..12).0, [2, 0, 2]);
    assert_eq!(read("e/0.raw"), numbered_bytes(0));
    assert_eq!(read("e/1-2.raw"), numbered_bytes(11));
    assert_eq!(run("continue", 20..22).0, [2, 0, 0]);
    assert_eq!(read("e/2.raw"), numbered_bytes(20));
    let (counts, texts) = run("fail", 30..31);
    assert_eq!(counts, [0, 1, 0]);
    assert!(
        texts[0].contains("s3://bucket/e/0.raw exists already"),
        "{texts:?}"
    );
    assert_eq!(run("overwrite", 40..41).0, [1, 0, 0]);
    assert_eq!(read("e/0.raw"), numbered_bytes(40));
    assert_eq!(
        visible(),
        [
            "e/0-2.raw",
            "e/0.raw",
            "e/1-2.raw",
            "e/1.raw",
            "e/2.raw",
            "e/3.raw"
        ]
    );
}

#[test]
fn large_ones_go_in_parts() {
    if !is_child() {
        let Some(server) = Server::start() else {
            return;
        };
        return against(&server, "large_ones_go_in_parts", &[]);
    }
    common::init();
    let info = VideoInfo::builder(VideoFormat::Gray8, 4096, 5000)
        .build()
        .unwrap();
    let rig = Rig::of(
        &info,
        &[
            ("interval", "1"),
            ("overflow", "block"),
            ("location", "s3://bucket/l/%d.raw"),
        ],
    );
    let pixels: Vec<u8> = (0..info.size())
        .map(|i| (i / 4096 + i % 251) as u8)
        .collect();
    for number in 0..2 {
        let mut buffer = common::rig::memory(&pixels);
        buffer
            .get_mut()
            .unwrap()
            .set_pts(gst::ClockTime::from_seconds(number));
        rig.pad.push(buffer).unwrap();
    }
    rig.end();
    for number in 0..2 {
        assert!(read(&format!("l/{number}.raw")) == pixels);
    }
}

#[test]
fn wrong_keys_and_wrong_buckets_are_known_at_the_start() {
    if !is_child() {
        let Some(server) = Server::start() else {
            return;
        };
        let test = "wrong_keys_and_wrong_buckets_are_known_at_the_start";
        for (name, value) in [
            ("AWS_ACCESS_KEY_ID", "somebody"),
            ("AWS_SECRET_ACCESS_KEY", "wrong"),
            ("AWS_ENDPOINT", "http://127.0.0.1:1"),
            ("WRONG_BUCKET", "nowhere"),
        ] {
            against(&server, test, &[(name, value)]);
        }
        assert!(server.objects().is_empty());
        return;
    }
    let name = std::env::var("WRONG_BUCKET");
    let bucket = name.as_deref().unwrap_or("bucket");
    let rig = Rig::stopped(&[("location", &format!("s3://{bucket}/%d.raw"))]);
    assert!(rig.element.set_state(gst::State::Paused).is_err());
    let errors = rig.messages().errors();
    let text = &errors[0].1;
    let word = match (
        name.is_ok(),
        std::env::var("AWS_ENDPOINT").unwrap().ends_with(":1"),
    ) {
        (true, _) => "s3://nowhere",
        (_, true) => "127.0.0.1:1",
        _ => "AWS_SECRET_ACCESS_KEY",
    };
    assert!(text.contains("location") && text.contains(word), "{text}");
    // What is secret is not said.
    assert!(
        !text.contains("dsframe-test-secret") && !text.contains("wrong\""),
        "{text}"
    );
}

#[test]
fn a_server_that_goes_away_costs_what_comes_then() {
    if !is_child() {
        let Some(server) = Server::start() else {
            return;
        };
        return against(
            &server,
            "a_server_that_goes_away_costs_what_comes_then",
            &[],
        );
    }
    let folder = TempDir::new().unwrap();
    let log = at(&folder, "log.jsonl");
    let rig = Rig::saving(
        "s3://bucket/g/%d.raw",
        &[("log-location", &log), ("queue-size", "64")],
    );
    rig.push_all(0..5);
    until("the first five", || rig.count("captured") == 5);
    let server: i32 = std::env::var("SERVER").unwrap().parse().unwrap();
    let server = rustix::process::Pid::from_raw(server).unwrap();
    rustix::process::kill_process(server, rustix::process::Signal::KILL).unwrap();
    rig.push_all(5..8);
    until("failures", || rig.count("failed") == 3);
    let messages = rig.end();
    let texts = messages.warning_texts();
    assert!(texts[0].contains("s3://bucket/g/"), "{texts:?}");
    assert_eq!(lines(log.as_ref()).len(), 5);
    for number in 0..5 {
        assert_eq!(read(&format!("g/{number}.raw")), numbered_bytes(number));
    }
}

#[test]
fn a_server_that_hangs_holds_up_the_end_no_longer_than_it_may() {
    if !is_child() {
        let Some(server) = Server::start() else {
            return;
        };
        let test = "a_server_that_hangs_holds_up_the_end_no_longer_than_it_may";
        return against(&server, test, &[]);
    }
    let rig = Rig::saving("s3://bucket/h/%d.raw", &[("drain-timeout", "500000000")]);
    rig.push_all(0..1);
    until("the first", || rig.count("captured") == 1);
    let server: i32 = std::env::var("SERVER").unwrap().parse().unwrap();
    let server = rustix::process::Pid::from_raw(server).unwrap();
    rustix::process::kill_process(server, rustix::process::Signal::STOP).unwrap();
    rig.push_all(1..4);
    let messages = rig.finish();
    assert!(messages.eos());
    let texts = messages.warning_texts();
    assert!(
        texts
            .iter()
            .any(|text| text.contains("3 captures were not written")),
        "{texts:?}"
    );
    assert_eq!(rig.count("dropped-timeout"), 3);
    rustix::process::kill_process(server, rustix::process::Signal::CONT).unwrap();
    rig.stop();
}

/// The pictures that a capture has got are taken back if its log line cannot be written.
#[test]
fn what_is_not_delivered_does_not_stay() {
    if !is_child() {
        let Some(server) = Server::start() else {
            return;
        };
        return against(&server, "what_is_not_delivered_does_not_stay", &[]);
    }
    let rig = Rig::saving(
        "s3://bucket/n/%d.raw",
        &[
            ("log-location", "/dev/full"),
            ("labels", "kitti"),
            ("on-error", "continue"),
        ],
    );
    rig.push_all(0..5);
    rig.end();
    assert_eq!((rig.count("captured"), rig.count("failed")), (0, 5));
    assert!(visible().is_empty(), "{:?}", visible());
}
