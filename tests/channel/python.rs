// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The Python package at one end and an element at the other. Skipped without a Python that has NumPy,
//! which tests/run.sh installs.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use gst::prelude::*;
use gst_video::{VideoFormat, VideoFrame, VideoInfo};
use gstdsframe::frame::View;
use gstdsframe::meta::{Detection, FrameMeta, origin, roi};

use crate::common::rig::Rig;
use crate::common::{self, files, lines, until};
use crate::kit::{Line, counts, reader_counts};
use crate::launch;
use crate::peers::{Peer, check_clean};

const LIMIT: Duration = Duration::from_secs(60);
const FRAMES: u64 = 500;
const FORMATS: &[(&str, VideoFormat)] = &[
    ("RGB", VideoFormat::Rgb),
    ("GRAY8", VideoFormat::Gray8),
    ("NV12", VideoFormat::Nv12),
    ("BGRA", VideoFormat::Bgra),
];

/// What both sides know: frame `n` has `(7 i + 13 n) mod 251` as its byte `i`, and `n mod 3` detections.
const PRELUDE: &str = r#"
import sys, time
import numpy as np
from dsframe import Detection, FrameReceiver, FrameSender, ProducerGone

path = sys.argv[1]
W, H = 64, 48
SHAPES = {"RGB": (H, W, 3), "GRAY8": (H, W), "NV12": (H * 3 // 2, W), "BGRA": (H, W, 4)}

def picture(n, format="RGB"):
    shape = SHAPES[format]
    return ((7 * np.arange(np.prod(shape)) + 13 * n) % 251).astype(np.uint8).reshape(shape)

def detections(n):
    return [Detection(f"car {n}", (k, 2, 8, 4), confidence=0.5, class_id=n % 5, track_id=n + k)
            for k in range(n % 3)]

def say(*what):
    print(*what, flush=True)
"#;

fn root() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}

/// Python that finds the package, or `None`.
fn python() -> Option<Command> {
    let python = root().join("target/readers/bin/python");
    let found = Command::new(&python).args(["-c", "import numpy"]).output();
    if !found.is_ok_and(|output| output.status.success()) {
        println!("skipped: no Python at the other end: there is no target/readers");
        return None;
    }
    let mut command = Command::new(python);
    command
        .env("PYTHONPATH", root().join("python"))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    Some(command)
}

/// A script, killed when it is dropped.
struct Script {
    child: Option<Child>,
    said: BufReader<std::process::ChildStdout>,
}

impl Script {
    fn run(text: &str, line: &Line, more: &[&str]) -> Option<Self> {
        let mut command = python()?;
        command.arg("-c").arg(format!("{PRELUDE}\n{text}"));
        command.arg(path(line)).args(more);
        Some(Self::of(command))
    }

    fn of(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        Self {
            said: BufReader::new(child.stdout.take().unwrap()),
            child: Some(child),
        }
    }

    /// The next line, or nothing at the end.
    fn hear(&mut self) -> String {
        let mut line = String::new();
        self.said.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    #[track_caller]
    fn end(mut self) -> Vec<String> {
        let rest = (&mut self.said).lines().map(Result::unwrap).collect();
        let output = launch::finish(self.child.take().unwrap(), LIMIT);
        assert!(output.status.success(), "{rest:?}");
        rest
    }

    fn kill(mut self) {
        let child = self.child.as_mut().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn path(line: &Line) -> PathBuf {
    line.folder().join("a.sock")
}

fn info(format: VideoFormat) -> VideoInfo {
    common::init();
    let info = VideoInfo::builder(format, 64, 48);
    info.fps(gst::Fraction::new(30, 1)).build().unwrap()
}

fn pixels(number: u64, count: usize) -> Vec<u8> {
    let byte = |i| ((7 * i + 13 * number) % 251) as u8;
    (0..count as u64).map(byte).collect()
}

fn detections(number: u64) -> Vec<Detection> {
    let one = |k: u64| {
        let mut one = Detection {
            label: format!("car {number}").into(),
            confidence: Some(0.5),
            class_id: Some((number % 5) as i32),
            track_id: Some(number + k),
            ..Detection::default()
        };
        one.bounds.left = k as f32;
        one.bounds.top = 2.0;
        one.bounds.width = 8.0;
        one.bounds.height = 4.0;
        one
    };
    (0..number % 3).map(one).collect()
}

#[track_caller]
fn check(sample: &gst::Sample, number: u64, format: VideoFormat) {
    let got = VideoInfo::from_caps(sample.caps().unwrap()).unwrap();
    assert_eq!((got.format(), got.width(), got.height()), (format, 64, 48));
    assert_eq!(got.fps(), gst::Fraction::new(30, 1));
    let buffer = sample.buffer_owned().unwrap();
    let mut meta = FrameMeta::default();
    assert!(origin::read_into(&buffer, &mut meta));
    assert_eq!(meta.frame_number, Some(1000 + number));
    assert_eq!(meta.source_id, 3);
    assert_eq!(meta.sensor.as_deref(), Some("gate"));
    let found = roi::read(&buffer);
    let want = detections(number);
    assert_eq!(found.len(), want.len());
    for (found, want) in found.iter().zip(&want) {
        assert_eq!(found.label, want.label);
        assert_eq!(found.track_id, want.track_id);
        assert_eq!(found.class_id, want.class_id);
        assert_eq!(found.confidence, want.confidence);
        assert_eq!(found.bounds, want.bounds);
    }
    let frame = VideoFrame::from_buffer_readable(buffer, &got).unwrap();
    let mut tight = Vec::new();
    View::of_frame(&frame).unwrap().append_tight(&mut tight);
    assert!(
        tight == pixels(number, tight.len()),
        "frame {number} is another"
    );
}

#[test]
fn what_python_sends_is_injected() {
    for (name, format) in FORMATS {
        let line = Line::unix();
        let sends = r#"
format = sys.argv[2]
with FrameSender(path, format=format, fps=30, timeout=60) as sender:
    for n in range(int(sys.argv[3])):
        sender.send(picture(n, format), number=1000 + n, stream=3, sensor="gate", detections=detections(n))
say(*sender.stats)
"#;
        let frames = FRAMES.to_string();
        let Some(script) = Script::run(sends, &line, &[name, &frames]) else {
            return;
        };
        let reader = line.reader("").play();
        for number in 0..FRAMES {
            let sample = reader.sample().unwrap();
            check(&sample, number, *format);
            let pts = sample.buffer().unwrap().pts().unwrap().nseconds();
            let due = number * 1_000_000_000 / 30;
            assert!(pts.abs_diff(due) <= 1, "{pts} at {number}");
        }
        assert!(reader.sample().is_none());
        assert_eq!(reader_counts(&reader.source()), (FRAMES, FRAMES, 0));
        // Sent, received, dropped, in flight, readers, unread.
        let said = script.end();
        let stats: Vec<_> = said[0].split(' ').collect();
        assert_eq!(stats[..4], ["500", "500", "0", "0"], "{said:?}");
        check_clean(line.folder());
    }
}

fn pushed(number: u64, info: &VideoInfo) -> gst::Buffer {
    let mut buffer = gst::Buffer::with_size(info.size()).unwrap();
    let writable = buffer.get_mut().unwrap();
    writable.set_pts(gst::ClockTime::from_mseconds(number));
    roi::attach(writable, &detections(number));
    let meta = FrameMeta {
        frame_number: Some(1000 + number),
        source_id: 3,
        sensor: Some("gate".into()),
        ..FrameMeta::default()
    };
    origin::attach(writable, &meta, None);
    // With 64 pixels a row there is no padding.
    let pixels = pixels(number, info.size());
    writable.copy_from_slice(0, &pixels).unwrap();
    buffer
}

const RECEIVES: &str = r#"
delay = float(sys.argv[2])
with FrameReceiver(path, timeout=60) as receiver:
    for frame in receiver:
        n = frame.number - 1000
        assert frame.stream == 3 and frame.sensor == "gate", frame
        assert frame.pts == n * 1_000_000, frame
        assert np.array_equal(frame.to_numpy(), picture(n, frame.format)), f"frame {n} is another"
        assert list(frame.detections) == detections(n), frame.detections
        say(n)
        time.sleep(delay)
    stats = receiver.stats
say("end", stats.received, stats.dropped)
"#;

fn feed(line: &Line, format: VideoFormat, more: &[(&str, &str)]) -> (Rig, VideoInfo) {
    let info = info(format);
    let rig = line.stopped(more);
    rig.start();
    rig.begin(&info, &gst::FormattedSegment::new());
    (rig, info)
}

#[test]
fn what_is_captured_comes_to_python() {
    for (_, format) in FORMATS {
        let line = Line::unix();
        let Some(script) = Script::run(RECEIVES, &line, &["0"]) else {
            return;
        };
        let (rig, info) = feed(&line, *format, &[("overflow", "block")]);
        for number in 0..FRAMES {
            rig.pad.push(pushed(number, &info)).unwrap();
        }
        assert_eq!(rig.finish().warnings().len(), 0);
        let said = script.end();
        let want = (0..FRAMES).map(|number| number.to_string());
        assert!(
            said.iter()
                .eq(&want.chain(["end 500 0".into()]).collect::<Vec<_>>()),
            "{said:?}"
        );
        let c = counts(&rig.element);
        assert_eq!((c.sent, c.received, c.dropped), (FRAMES, FRAMES, 0));
        rig.stop();
        check_clean(line.folder());
    }
}

#[test]
fn what_python_is_too_slow_for_is_counted_at_both_ends() {
    for overflow in ["drop-oldest", "drop-newest"] {
        let line = Line::unix();
        let Some(script) = Script::run(RECEIVES, &line, &["0.002"]) else {
            return;
        };
        let (rig, info) = feed(&line, VideoFormat::Rgb, &[("overflow", overflow)]);
        until("it is there", || counts(&rig.element).readers == 1);
        for number in 0..FRAMES {
            rig.pad.push(pushed(number, &info)).unwrap();
        }
        assert_eq!(rig.finish().warnings().len(), 0);
        let said = script.end();
        let (end, said) = said.split_last().unwrap();
        let numbers: Vec<u64> = said.iter().map(|it| it.parse().unwrap()).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
        let received = numbers.len() as u64;
        assert!(received < FRAMES);
        assert_eq!(*end, format!("end {received} {}", FRAMES - received));
        let c = counts(&rig.element);
        assert_eq!(
            (c.sent, c.received, c.dropped),
            (FRAMES, received, FRAMES - received)
        );
    }
}

#[test]
fn a_killed_reader_in_python_is_nobody() {
    let line = Line::unix();
    let (rig, info) = feed(&line, VideoFormat::Rgb, &[("overflow", "block")]);
    let mut next = 0;
    for _ in 0..3 {
        let Some(mut script) = Script::run(RECEIVES, &line, &["0"]) else {
            return;
        };
        for _ in 0..20 {
            rig.pad.push(pushed(next, &info)).unwrap();
            next += 1;
        }
        assert_ne!(script.hear(), "");
        script.kill();
        until("it is gone", || counts(&rig.element).readers == 0);
        assert_eq!(counts(&rig.element).in_flight, 0);
    }
    rig.stop();
    check_clean(line.folder());
}

const SENDS_ON: &str = r#"
with FrameSender(path, fps=30, timeout=60) as sender:
    n = 0
    while True:
        sender.send(picture(n), number=1000 + n, stream=3, sensor="gate", detections=detections(n))
        n += 1
"#;

#[test]
fn a_killed_camera_in_python_is_an_error_after_its_frames() {
    let line = Line::unix();
    for _ in 0..3 {
        let Some(script) = Script::run(SENDS_ON, &line, &[]) else {
            return;
        };
        let reader = line.reader("").play();
        for number in 0..50 {
            check(&reader.sample().unwrap(), number, VideoFormat::Rgb);
        }
        script.kill();
        let mut number = 50;
        while let Some(sample) = reader.sample() {
            check(&sample, number, VideoFormat::Rgb);
            number += 1;
        }
        let errors = reader.messages().errors();
        assert!(errors[0].1.contains("producer is gone"), "{errors:?}");
        assert!(errors[0].1.contains(&line.channel), "{errors:?}");
    }
    // The next one takes over what it left.
    let producer = line.producer(&[]);
    producer.stop();
    check_clean(line.folder());
}

#[test]
fn a_killed_element_is_told_to_python() {
    let line = Line::unix();
    let receives = r#"
for turn in range(3):
    numbers = []
    try:
        with FrameReceiver(path, timeout=60) as receiver:
            for frame in receiver:
                numbers.append(frame.seq)
                if len(numbers) == 20:
                    say("well")
    except ProducerGone as error:
        assert numbers == list(range(len(numbers))), numbers
        say("gone", error)
"#;
    let Some(mut script) = Script::run(receives, &line, &[]) else {
        return;
    };
    for _ in 0..3 {
        let producer = Peer::producer(&line.channel, "overflow=block");
        producer.done("stream 0 100");
        assert_eq!(script.hear(), "well");
        producer.kill();
        let said = script.hear();
        assert!(said.starts_with("gone"), "{said}");
        assert!(said.contains(path(&line).to_str().unwrap()), "{said}");
    }
    script.end();

    // And as a reader of a camera, which goes on with the next.
    let script = Script::run(SENDS_ON, &line, &[]).unwrap();
    for _ in 0..3 {
        let reader = Peer::reader(&line.channel, "");
        until("some came", || reader.stats().1 > 0);
        reader.kill();
    }
    let reader = line.reader("").play();
    for _ in 0..50 {
        assert!(reader.sample().is_some());
    }
    script.kill();
}

#[test]
fn the_command_prints_what_comes() {
    let line = Line::unix();
    let Some(mut command) = python() else {
        return;
    };
    command
        .args(["-m", "dsframe"])
        .arg(path(&line))
        .args(["--count", "5", "--timeout", "30"]);
    let script = Script::of(command);
    let (rig, info) = feed(&line, VideoFormat::Nv12, &[("overflow", "block")]);
    for number in 0..5 {
        rig.pad.push(pushed(number, &info)).unwrap();
    }
    let said = script.end();
    assert_eq!(said.len(), 5);
    for (number, said) in (0u64..).zip(&said) {
        let said: serde_json::Value = serde_json::from_str(said).unwrap();
        assert_eq!(said["number"], 1000 + number);
        assert_eq!(said["format"], "NV12");
        assert_eq!(said["sensor"], "gate");
        assert_eq!(
            said["detections"].as_array().unwrap().len() as u64,
            number % 3
        );
    }
}

/// gst-launch-1.0 with what a user types.
fn start(folder: &Path, line: &str) -> Child {
    let mut command = launch::line(folder, line);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

#[track_caller]
fn end(child: Child) {
    let output = launch::finish(child, LIMIT);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(!said.contains("WARNING"), "{said}");
}

#[test]
fn the_examples_run_with_pipelines() {
    let line = Line::unix();
    let Some(mut camera) = python() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let channel = &line.channel;
    // It waits for nobody, so that the pipeline has to be there.
    let reads =
        format!("dsframeinject channel={channel} ! dsframecapture interval=1 log-location=log");
    let pipeline = start(folder.path(), &reads);
    thread::sleep(Duration::from_millis(500));
    camera
        .arg(root().join("python/examples/camera.py"))
        .arg(path(&line))
        .arg("60");
    let said = Script::of(camera).end();
    assert!(said[0].starts_with("SenderStats"), "{said:?}");
    end(pipeline);
    let log = lines(&folder.path().join("log"));
    assert!((1..=60).contains(&log.len()), "{}", log.len());
    assert_eq!(log.last().unwrap()["frame_number"], 59);
    assert_eq!(log[0]["objects"][0]["label"], "square");

    let sends = format!(
        "dsframeinject pattern=objects num-buffers=60 ! \
         dsframecapture interval=1 overflow=block channel={channel}"
    );
    let mut reader = python().unwrap();
    reader
        .arg(root().join("python/examples/reader.py"))
        .arg(path(&line))
        .arg("30");
    let reader = Script::of(reader);
    let pipeline = start(folder.path(), &sends);
    let said = reader.end();
    assert_eq!(said.len(), 61, "{said:?}");
    assert!(
        said[0].contains("mean") && said[0].contains(" at ("),
        "{said:?}"
    );
    assert!(said[60].contains("received=60, dropped=0"), "{said:?}");
    end(pipeline);
}

/// What a text has between a line of three backticks and `python`, and the next, with a sender in it.
fn five_lines(text: &str) -> &str {
    let blocks = text.split("```python\n").skip(1);
    let blocks = blocks.map(|it| it.split("```").next().unwrap());
    let mut cameras = blocks.filter(|it| it.contains("FrameSender") && it.contains("in camera"));
    cameras.next().expect("a camera")
}

#[test]
fn the_camera_of_the_readme_runs() {
    for (document, pipeline) in [
        ("README.md", true),
        ("docs/channels.md", true),
        ("python/README.md", false),
    ] {
        let text = std::fs::read_to_string(root().join(document)).unwrap();
        let camera = five_lines(&text);
        assert!(camera.lines().count() <= 5, "{document}");
        let line = Line::unix();
        let path = path(&line);
        let here = |text: &str| text.replace("/tmp/cam.sock", path.to_str().unwrap());
        let camera = format!("camera = [picture(n) for n in range(61)]\n{}", here(camera));
        let Some(script) = Script::run(&camera, &line, &[]) else {
            return;
        };
        let folder = tempfile::tempdir().unwrap();
        let typed = text.lines().find(|line| {
            line.trim_start()
                .starts_with("gst-launch-1.0 dsframeinject channel=unix:/tmp/cam.sock")
        });
        let typed = typed.expect("a pipeline").trim_start();
        let typed = here(typed.strip_prefix("gst-launch-1.0").unwrap());
        let typed = match pipeline {
            true => typed,
            // There is no display.
            false => typed.replace("autovideosink", "fakesink"),
        };
        end(start(folder.path(), &typed));
        assert_eq!(script.end(), Vec::<String>::new());
        let pictures = files(folder.path());
        match pipeline {
            true => assert_eq!(pictures.len(), 3, "{document}: {pictures:?}"),
            false => assert!(pictures.is_empty()),
        }
        check_clean(line.folder());
    }
}
