// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What the tests of the source are written with: pipelines by line, frames known by their code,
//! and `gst-launch-1.0` in a process of its own.

// Not every test program uses all of it.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Once;
use std::time::{Duration, Instant};

use gst::glib;
use gst::prelude::*;
use gst_app::AppSink;
use gst_video::{VideoFrameExt, VideoInfo};
use gstdsframe::frame::{Plane, View, caps, code};
use gstdsframe::mem::nvmm::Surfaces;

#[path = "../launch/mod.rs"]
mod launch;
pub use launch::command;

/// Longer than anything here takes on a loaded machine: a test that waits so long has failed.
pub const PATIENCE: gst::ClockTime = gst::ClockTime::from_seconds(20);

/// Initialises GStreamer with our elements and makes its complaints fatal.
pub fn init() {
    static INIT: Once = Once::new();
    INIT.call_once(|| {
        gst::init().unwrap();
        use glib::LogLevels;
        glib::log_set_always_fatal(
            LogLevels::LEVEL_ERROR | LogLevels::LEVEL_CRITICAL | LogLevels::LEVEL_WARNING,
        );
        gstdsframe::plugin_register_static().unwrap();
    });
}

pub fn ns(ns: u64) -> gst::ClockTime {
    gst::ClockTime::from_nseconds(ns)
}

pub fn ms(ms: u64) -> gst::ClockTime {
    gst::ClockTime::from_mseconds(ms)
}

/// A pipeline, shut down when dropped.
pub struct Pipeline(pub gst::Pipeline);

impl Drop for Pipeline {
    fn drop(&mut self) {
        let begun = Instant::now();
        self.0.set_state(gst::State::Null).unwrap();
        if !std::thread::panicking() {
            assert!(begun.elapsed() < Duration::from_secs(2), "shutdown hangs");
        }
    }
}

impl Pipeline {
    pub fn new(line: &str) -> Self {
        init();
        let element = gst::parse::launch(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        Self(element.downcast().unwrap())
    }

    pub fn find(&self, name: &str) -> gst::Element {
        self.0.by_name(name).unwrap()
    }

    pub fn source(&self) -> gst::Element {
        self.find("source")
    }

    pub fn sink(&self) -> AppSink {
        self.find("sink").downcast().unwrap()
    }

    /// Asks for a state, and waits until it is reached.
    pub fn go(&self, state: gst::State) -> gst::StateChangeSuccess {
        self.0.set_state(state).unwrap();
        self.0.state(PATIENCE).0.unwrap()
    }

    /// Down to READY; the sink, which remembers the end of the stream, to NULL and back.
    pub fn ready(&self) {
        self.go(gst::State::Ready);
        self.sink().set_state(gst::State::Null).unwrap();
        self.sink().sync_state_with_parent().unwrap();
    }

    /// Asks for a state without waiting, for what is expected to fail.
    pub fn try_state(&self, state: gst::State) {
        let _ = self.0.set_state(state);
    }

    pub fn frame(&self) -> Option<Got> {
        self.frame_of(&self.sink())
    }

    pub fn frame_of(&self, sink: &AppSink) -> Option<Got> {
        match sink.try_pull_sample(PATIENCE) {
            Some(sample) => Some(Got(sample)),
            None => {
                assert!(sink.is_eos(), "no frame came: {:?}", self.faults());
                None
            }
        }
    }

    /// All frames to the end.
    pub fn frames(&self) -> Vec<Got> {
        std::iter::from_fn(|| self.frame()).collect()
    }

    pub fn take(&self, count: usize) -> Vec<Got> {
        (0..count)
            .map(|n| {
                self.frame()
                    .unwrap_or_else(|| panic!("EOS after {n}: {:?}", self.faults()))
            })
            .collect()
    }

    /// Waits for a message of one of these types.
    pub fn message(&self, types: &[gst::MessageType]) -> gst::Message {
        self.0
            .bus()
            .unwrap()
            .timed_pop_filtered(PATIENCE, types)
            .unwrap_or_else(|| panic!("none of {types:?} came"))
    }

    /// Waits for the first error.
    pub fn error(&self) -> Fault {
        Fault::of(&self.message(&[gst::MessageType::Error]))
    }

    /// Errors and warnings that are on the bus.
    pub fn faults(&self) -> Vec<Fault> {
        let bus = self.0.bus().unwrap();
        let types = [gst::MessageType::Error, gst::MessageType::Warning];
        std::iter::from_fn(|| bus.pop_filtered(&types))
            .map(|message| Fault::of(&message))
            .collect()
    }

    pub fn stat(&self, name: &str) -> u64 {
        self.source()
            .property::<gst::Structure>("stats")
            .get(name)
            .unwrap()
    }
}

/// An error or a warning on the bus.
#[derive(Debug, Clone)]
pub struct Fault {
    pub text: String,
    pub error: glib::Error,
    pub is_error: bool,
}

impl Fault {
    pub fn of(message: &gst::Message) -> Self {
        let (error, is_error) = match message.view() {
            gst::MessageView::Error(error) => (error.error(), true),
            gst::MessageView::Warning(warning) => (warning.error(), false),
            other => panic!("{other:?}"),
        };
        Self {
            text: error.message().to_owned(),
            error,
            is_error,
        }
    }

    /// Panics unless this is of the domain and says all of the words.
    pub fn check(&self, kind: impl glib::error::ErrorDomain + std::fmt::Debug, words: &[&str]) {
        assert!(self.error.matches(kind), "not {kind:?}: {self:?}");
        for word in words {
            assert!(self.text.contains(word), "no {word:?} in {:?}", self.text);
        }
    }
}

/// A frame that arrived.
pub struct Got(pub gst::Sample);

impl Got {
    pub fn caps(&self) -> &gst::CapsRef {
        self.0.caps().unwrap()
    }

    pub fn info(&self) -> VideoInfo {
        VideoInfo::from_caps(self.caps()).unwrap()
    }

    pub fn buffer(&self) -> &gst::BufferRef {
        self.0.buffer().unwrap()
    }

    pub fn pts(&self) -> gst::ClockTime {
        self.buffer().pts().unwrap()
    }

    pub fn discont(&self) -> bool {
        self.buffer().flags().contains(gst::BufferFlags::DISCONT)
    }

    /// Looks at the pixels, wherever they are.
    pub fn view<T>(&self, look: impl FnOnce(&View<'_>) -> T) -> T {
        let info = self.info();
        if caps::Memory::of(self.caps()) == caps::Memory::Nvmm {
            let surfaces = Surfaces::read(self.buffer(), &info).unwrap();
            let surface = surfaces.surface(0).unwrap();
            return look(surface.host().unwrap());
        }
        let frame =
            gst_video::VideoFrameRef::from_buffer_ref_readable(self.buffer(), &info).unwrap();
        let planes: Vec<_> = (0..frame.n_planes())
            .map(|plane| {
                let pitch = frame.plane_stride()[plane as usize] as usize;
                Plane {
                    data: frame.plane_data(plane).unwrap(),
                    pitch,
                }
            })
            .collect();
        let view = View::new(
            info.format(),
            info.width() as usize,
            info.height() as usize,
            planes,
        );
        look(&view.unwrap())
    }

    pub fn pixels(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.view(|view| view.append_tight(&mut out));
        out
    }

    /// Stream and number by the code in the picture.
    pub fn code(&self) -> (u16, u32) {
        self.view(code::read).expect("no frame code")
    }

    /// The number by the code in the picture.
    pub fn number(&self) -> u64 {
        u64::from(self.code().1)
    }
}

pub fn numbers(frames: &[Got]) -> Vec<u64> {
    frames.iter().map(Got::number).collect()
}

/// Every buffer in its place by number, time and flags, from frame `first` on.
pub fn check_order(frames: &[Got], first: u64, rate: (u64, u64)) {
    let time =
        |n: u64| ns((u128::from(n) * 1_000_000_000 * rate.1 as u128 / rate.0 as u128) as u64);
    for (frame, n) in frames.iter().zip(first..) {
        let buffer = frame.buffer();
        assert_eq!(frame.number(), n, "identity");
        assert_eq!(buffer.pts(), Some(time(n)), "frame {n}");
        assert_eq!(buffer.duration(), Some(time(n + 1) - time(n)), "frame {n}");
        assert_eq!((buffer.offset(), buffer.offset_end()), (n, n + 1));
        assert_eq!(frame.discont(), n == first, "frame {n}");
    }
}

/// Waits until a condition holds.
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "waited for {what}"
        );
        std::thread::yield_now();
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Entries of a folder of /proc/self.
pub fn count_of(kind: &str) -> usize {
    std::fs::read_dir(format!("/proc/self/{kind}"))
        .unwrap()
        .count()
}

/// `gst-launch-1.0` with a line, split as a shell would.
pub fn launch(line: &str) -> Command {
    let mut command = command("gst-launch-1.0");
    command
        .args(shlex::split(line).unwrap())
        .env("G_DEBUG", "fatal_warnings");
    command
}

/// How a process ended and what it said. Killed after `limit`, it has no exit code.
fn run(command: &mut Command, limit: Duration) -> (Output, String) {
    let (output, _) = launch::end(start(command), limit);
    let text = launch::said(&output);
    (output, text)
}

/// How a process ended, within `limit`, and what it said.
pub fn finish(command: &mut Command, limit: Duration) -> (Output, String) {
    let output = launch::finish(start(command), limit);
    let text = launch::said(&output);
    (output, text)
}

fn start(command: &mut Command) -> Child {
    command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What a line says that must fail within 10 s.
///
/// Until 1.24, `gst-launch-1.0` never ends if an error comes before it enters its main loop, which
/// a streaming thread can manage: such a run, its error printed, is tried again.
pub fn failing(command: impl Fn() -> Command) -> String {
    for _ in 0..10 {
        let (output, text) = run(&mut command(), Duration::from_secs(10));
        assert!(!text.contains("panicked"), "{text}");
        match output.status.code() {
            // 1 for an error on the bus; 255 if the pipeline did not even start.
            Some(1 | 255) => return text,
            None if text.contains("ERROR: from element") => (),
            _ => panic!("{:?}: {text}", output.status),
        }
    }
    panic!("it never ends")
}

/// A line that must fail with a text that has all of these words.
pub fn must_fail(line: &str, words: &[&str]) -> String {
    let text = failing(|| launch(line));
    for word in words {
        assert!(text.contains(word), "{line}\nsays no {word:?}:\n{text}");
    }
    text
}

/// A line that must end well within a minute.
pub fn must_end(line: &str) -> String {
    let (output, text) = finish(&mut launch(line), Duration::from_secs(60));
    assert_eq!(output.status.code(), Some(0), "{line}\n{text}");
    text
}

/// Runs a line to its end in this process.
pub fn make(line: &str) {
    let pipeline = Pipeline::new(line);
    pipeline.0.set_state(gst::State::Playing).unwrap();
    let ends = [gst::MessageType::Eos, gst::MessageType::Error];
    let end = pipeline.message(&ends);
    assert_eq!(end.type_(), gst::MessageType::Eos, "{line}: {end:?}");
}

/// Coded frames of 320x180, numbered from 0, written by the rest of a line.
pub fn make_coded(count: u64, format: &str, rest: &str) {
    make(&format!(
        "dsframeinject num-buffers={count} frame-code=true ! \
         video/x-raw,format={format},width=320,height=180,framerate=25/1 ! {rest}"
    ));
}

/// Numbered pictures, `name` with a printf conversion for the number.
pub fn make_pictures(folder: &Path, name: &str, count: u64) {
    let encoder = if name.ends_with("png") {
        "pngenc compression-level=1"
    } else {
        "jpegenc"
    };
    let path = folder.join(name);
    make_coded(
        count,
        "RGB",
        &format!(
            "videoconvert ! {encoder} ! multifilesink location={}",
            path.display()
        ),
    );
}

/// A NumPy file of format 1.0.
pub fn npy(descr: &str, order: bool, shape: &[usize], data: &[u8]) -> Vec<u8> {
    let shape: String = shape.iter().map(|side| format!("{side}, ")).collect();
    let order = if order { "True" } else { "False" };
    let mut header =
        format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': ({shape}), }}");
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((header.len() as u16).to_le_bytes());
    file.extend(header.as_bytes());
    file.extend(data);
    file
}

pub fn make_fifo(folder: &Path) -> PathBuf {
    let path = folder.join("fifo");
    let status = Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(status.success());
    path
}
