// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Frames on the card between our elements and Python.

use std::path::{Path, PathBuf};
use std::process::Command;

use gst::prelude::*;
use tempfile::TempDir;

use crate::channel::Line;
use crate::common::*;
use crate::exported::exporting;
use crate::shared::{at, launch, wait_for_end};

/// A Python with NumPy.
fn python() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let own = root.join("target/readers/bin/python");
    let found = [own, PathBuf::from("python3")].into_iter().find(|python| {
        let output = Command::new(python).args(["-c", "import numpy"]).output();
        output.is_ok_and(|output| output.status.success())
    });
    if found.is_none() || !root.join("python").exists() {
        println!("skipped: no Python with NumPy");
        return None;
    }
    found
}

fn command(python: &Path, script: &str, arguments: &[&str]) -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(python);
    command
        .args(["-c", script])
        .args(arguments)
        .env("PYTHONPATH", root.join("python"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(root.join("python/tests"));
    command
}

const RECEIVE: &str = "
import sys
from dsframe import FrameReceiver
with FrameReceiver(sys.argv[1], timeout=30, cuda=True) as receiver:
    for number, frame in enumerate(receiver):
        assert frame.is_cuda and frame.number == number, (frame.is_cuda, frame.number)
        with open(f'{sys.argv[2]}/{number:05}.raw', 'wb') as file:
            file.write(frame.to_numpy().tobytes())
        del frame
    assert receiver.stats.dropped == 0
";

const SEND: &str = "
import sys
from test_cuda import FrameSender, OnCard, picture
with FrameSender(sys.argv[1], timeout=30) as sender:
    for number in range(20):
        sender.send(OnCard(picture(number), 256 if number % 2 else None), number=number)
";

#[test]
fn python_reads_what_the_element_sends() {
    if exporting().is_none() {
        return;
    }
    let Some(python) = python() else { return };
    for format in ["RGB", "GRAY8"] {
        let caps = format!("format={format},width=130,height=74,framerate=30/1");
        let source = "pattern=noise num-buffers=20 frame-code=true";
        let expected = Through {
            source,
            caps: &caps,
            sink: "",
            suffix: "raw",
        }
        .run(Place::Host);
        let (line, folder) = (Line::unix(), TempDir::new().unwrap());
        let mut producer = line.producer(source, &caps, "");
        let arguments = [line.path(), folder.path().to_owned()];
        let arguments = arguments.each_ref().map(|path| path.to_str().unwrap());
        let mut reader = command(&python, RECEIVE, &arguments).spawn().unwrap();
        producer.open(1);
        assert_eq!(producer.end().warnings(), []);
        assert!(reader.wait().unwrap().success());
        compare(&contents(folder.path()), &expected, 0, format);
    }
}

#[test]
fn the_element_reads_what_python_sends() {
    if exporting().is_none() {
        return;
    }
    let Some(python) = python() else { return };
    for (device, format) in [("gpu", "RGB"), ("cpu", "RGB"), ("gpu", "BGR")] {
        let (line, folder) = (Line::unix(), TempDir::new().unwrap());
        let pipeline = launch(&format!(
            "dsframeinject channel={} device={device} format={format} ! \
             dsframecapture interval=1 location={}",
            line.channel,
            at(&folder, "%05d.raw")
        ));
        pipeline.set_state(gst::State::Playing).unwrap();
        let path = line.path();
        let mut sender = command(&python, SEND, &[path.to_str().unwrap()])
            .spawn()
            .unwrap();
        let messages = wait_for_end(&pipeline.bus().unwrap());
        pipeline.set_state(gst::State::Null).unwrap();
        assert!(messages.eos(), "{device}: {:?}", messages.errors());
        assert!(sender.wait().unwrap().success());
        let picture = |number: u32| {
            let mut bytes = vec![(number % 251) as u8; 48 * 64 * 3];
            bytes[..4].copy_from_slice(&number.to_le_bytes());
            let end = bytes.len() - 4;
            bytes[end..].copy_from_slice(&number.to_le_bytes());
            if format == "BGR" {
                bytes.chunks_mut(3).for_each(|pixel| pixel.reverse());
            }
            bytes
        };
        let expected: Vec<_> = (0..20).map(picture).collect();
        compare(
            &contents(folder.path()),
            &expected,
            0,
            &format!("{device} {format}"),
        );
    }
}
