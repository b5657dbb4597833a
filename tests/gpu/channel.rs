// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Frames on the card through channels, in the process and across sockets.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cudarc::driver::sys::CUresult;
use gst::prelude::*;
use gst_video::VideoFormat;
use gstdsframe::mem::sys::Generation;
use tempfile::TempDir;

use crate::card::{self, Context};
use crate::channel_raw::{Raw, descriptors};
use crate::common::*;
use crate::exported::exporting;
use crate::foreign::{Batch, Surface};
use crate::shared::rig::Rig;
use crate::shared::{
    Messages, at, child, count, in_child, is_child, launch, pending, until, wait_for_end,
};

const LINE: &str = "DSFRAME_TEST_CHANNEL";

/// A channel of a test's own.
pub struct Line {
    pub channel: String,
    folder: TempDir,
}

impl Line {
    fn in_process(name: &str) -> Self {
        Self {
            channel: name.into(),
            folder: TempDir::new().unwrap(),
        }
    }

    pub fn unix() -> Self {
        let folder = TempDir::new().unwrap();
        let channel = format!("unix:{}", at(&folder, "a.sock"));
        Self { channel, folder }
    }

    pub fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("a.sock")
    }

    /// A producer that sends nothing until it is let go.
    pub fn producer(&self, source: &str, caps: &str, sink: &str) -> Producer {
        let channel = &self.channel;
        let pipeline = launch(&format!(
            "dsframeinject {source} device=gpu ! video/x-raw(memory:NVMM),{caps} ! \
             dsframecapture name=sink channel={channel} overflow=block interval=1 {sink}"
        ));
        let sink = pipeline.by_name("sink").unwrap();
        let pad = sink.static_pad("sink").unwrap();
        let mask = gst::PadProbeType::BLOCK | gst::PadProbeType::BUFFER;
        let closed = pad.add_probe(mask, |_, _| gst::PadProbeReturn::Ok);
        pipeline.set_state(gst::State::Playing).unwrap();
        Producer {
            pipeline,
            sink,
            closed,
        }
    }

    fn reader(&self, properties: &str) -> Reader {
        let files = TempDir::new().unwrap();
        let channel = &self.channel;
        let pipeline = launch(&format!(
            "dsframeinject name=source channel={channel} {properties} ! \
             dsframecapture interval=1 location={}",
            at(&files, "%05d.raw")
        ));
        pipeline.set_state(gst::State::Playing).unwrap();
        Reader { pipeline, files }
    }
}

pub struct Producer {
    pub pipeline: gst::Pipeline,
    sink: gst::Element,
    closed: Option<gst::PadProbeId>,
}

impl Producer {
    fn channel(&self, name: &str) -> u64 {
        let stats = self.sink.property::<gst::Structure>("stats");
        let channels = stats.get::<gst::List>("channels").unwrap();
        let channel = channels
            .first()
            .map(|it| it.get::<gst::Structure>().unwrap());
        channel.map_or(0, |channel| channel.get::<u64>(name).unwrap())
    }

    pub fn readers(&self) -> u64 {
        self.channel("readers")
    }

    /// Lets it go when so many are there.
    pub fn open(&mut self, readers: u64) {
        until("readers are there", || self.readers() == readers);
        let closed = self.closed.take().unwrap();
        self.sink.static_pad("sink").unwrap().remove_probe(closed);
    }

    #[track_caller]
    pub fn end(&self) -> Messages {
        let messages = wait_for_end(&self.pipeline.bus().unwrap());
        assert!(messages.eos(), "{:?}", messages.errors());
        messages
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.pipeline.set_state(gst::State::Null).unwrap();
    }
}

struct Reader {
    pipeline: gst::Pipeline,
    files: TempDir,
}

impl Reader {
    /// The frames that came.
    #[track_caller]
    fn end(&self) -> Vec<Vec<u8>> {
        let messages = wait_for_end(&self.pipeline.bus().unwrap());
        assert!(messages.eos(), "{:?}", messages.errors());
        self.pipeline.set_state(gst::State::Null).unwrap();
        contents(self.files.path())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.pipeline.set_state(gst::State::Null).unwrap();
    }
}

/// What readers get, and what the producer warned of.
fn send(
    line: &Line,
    source: &str,
    caps: &str,
    readers: &[&str],
) -> (Vec<Vec<Vec<u8>>>, Vec<String>) {
    let mut producer = line.producer(source, caps, "");
    let readers: Vec<_> = readers.iter().map(|it| line.reader(it)).collect();
    producer.open(readers.len() as u64);
    let got = readers.iter().map(Reader::end).collect();
    let warnings = producer.end().warnings();
    (got, warnings.into_iter().map(|(_, text)| text).collect())
}

fn lines() -> [Line; 2] {
    [Line::in_process("gpu-channel"), Line::unix()]
}

const SOURCE: &str = "pattern=noise frame-code=true num-buffers=8";

/// Sends to such readers over both kinds of channel, and compares with what system memory gives.
/// Returns what was warned of across processes.
#[track_caller]
fn check(format: &str, readers: &[&str]) -> Vec<String> {
    let caps = format!("format={format},width=130,height=74,framerate=30/1");
    let expected = Through {
        source: SOURCE,
        caps: &caps,
        sink: "",
        suffix: "raw",
    }
    .run(Place::Host);
    let mut last = Vec::new();
    for line in lines() {
        let (got, warnings) = send(&line, SOURCE, &caps, readers);
        for (reader, got) in readers.iter().zip(&got) {
            compare(
                got,
                &expected,
                0,
                &format!("{format} {} {reader}", line.channel),
            );
            for (number, frame) in (0..).zip(got) {
                let format: VideoFormat = format.parse().unwrap();
                assert_eq!(code_in(frame, format, 130, 74), (0, number));
            }
        }
        if line.channel == "gpu-channel" {
            assert_eq!(warnings, [""; 0]);
        }
        last = warnings;
    }
    last
}

#[test]
fn every_format_reaches_readers_of_all_kinds() {
    on_card!();
    if exporting().is_none() {
        return;
    }
    for format in ["NV12", "RGB", "RGBA", "I420", "GRAY8"] {
        let warnings = check(format, &["device=gpu", "device=gpu nvbuf-memory-type=2"]);
        assert_eq!(warnings, [""; 0], "{format}");
        let warnings = check(format, &["device=gpu", "device=cpu", "device=cpu"]);
        assert_eq!(warnings.len(), 1, "{format}: {warnings:?}");
        assert!(warnings[0].contains("system memory only"), "{warnings:?}");
        assert!(warnings[0].contains("unix:"), "{warnings:?}");
    }
}

#[test]
fn nothing_leaves_the_card_for_readers_on_it() {
    on_card!(card::is_standin() => "only the stand-in counts");
    let caps = "format=RGB,width=640,height=360";
    for line in lines() {
        let fetched = || card::calls(c"bytes-dtoh").unwrap();
        let mut producer = line.producer("num-buffers=30", caps, "");
        let reader = launch(&format!(
            "dsframeinject channel={} ! video/x-raw(memory:NVMM) ! fakesink name=sink",
            line.channel
        ));
        reader.set_state(gst::State::Playing).unwrap();
        let before = fetched();
        producer.open(1);
        let messages = wait_for_end(&reader.bus().unwrap());
        assert!(messages.eos(), "{:?}", messages.errors());
        assert_eq!(producer.end().warnings(), []);
        assert_eq!(fetched(), before, "{}", line.channel);
        reader.set_state(gst::State::Null).unwrap();
    }
}

#[test]
fn a_card_that_may_not_export_sends_host_memory() {
    on_card!(card::is_standin() => "only the stand-in can forbid it");
    if !is_child() {
        let forbidden = [("DSFRAME_STANDIN_FAIL", "cuMemExportToShareableHandle:0:800")];
        let test = "channel::a_card_that_may_not_export_sends_host_memory";
        let output = in_child(test, &forbidden);
        assert!(output.status.success(), "{output:?}");
        return;
    }
    let warnings = check("RGB", &["device=gpu", "device=gpu", "device=cpu"]);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("shares no memory"), "{warnings:?}");
}

#[test]
fn readers_on_another_card_get_host_memory() {
    on_card!();
    if card::is_standin() && !is_child() {
        let test = "channel::readers_on_another_card_get_host_memory";
        let output = in_child(test, &[("DSFRAME_STANDIN_DEVICES", "2")]);
        assert!(output.status.success(), "{output:?}");
        return;
    }
    on_card!(card::devices() > 1 => "one card only");
    let warnings = check("NV12", &["device=gpu gpu-id=1", "device=gpu"]);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("on another GPU"), "{warnings:?}");
}

#[test]
fn frames_that_cannot_be_fetched_are_dropped_and_counted() {
    on_card!(card::is_standin() => "only the stand-in fails on demand");
    let line = Line::unix();
    let mut producer = line.producer(SOURCE, "format=RGB,width=130,height=74", "");
    let readers = [line.reader("device=gpu"), line.reader("device=cpu")];
    until("readers are there", || producer.readers() == 2);
    // Copies to the host are of planes, those on the card are of all at once.
    card::fail(c"cuMemcpy2DAsync", 0, CUresult::CUDA_ERROR_INVALID_VALUE);
    let on_card = launch(&format!(
        "dsframeinject channel={} device=gpu ! video/x-raw(memory:NVMM) ! fakesink",
        line.channel
    ));
    drop(readers);
    let host = line.reader("device=cpu");
    on_card.set_state(gst::State::Playing).unwrap();
    until("the others are gone", || producer.readers() == 2);
    producer.open(2);
    let messages = wait_for_end(&on_card.bus().unwrap());
    assert!(messages.eos(), "{:?}", messages.errors());
    assert_eq!(host.end().len(), 0);
    let messages = producer.end();
    let warnings: Vec<_> = messages
        .warnings()
        .into_iter()
        .map(|(_, text)| text)
        .collect();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(
        warnings.iter().any(|text| text.contains("dropped")),
        "{warnings:?}"
    );
    assert_eq!(
        (producer.channel("received"), producer.channel("dropped")),
        (8, 8)
    );
    on_card.set_state(gst::State::Null).unwrap();
    card::fail(c"cuMemcpy2DAsync", 0, CUresult::CUDA_SUCCESS);
}

#[test]
fn formats_and_sizes_may_change() {
    on_card!();
    let context = Context::primary(0);
    let kinds = [
        (VideoFormat::Rgba, (64, 48)),
        (VideoFormat::Nv12, (130, 74)),
        (VideoFormat::Rgba, (64, 48)),
    ];
    for line in lines() {
        let readers = [line.reader("device=gpu"), line.reader("device=cpu")];
        let rig = Rig::stopped(&[("channel", &line.channel), ("overflow", "block")]);
        rig.start();
        let mut expected = Vec::new();
        for (seed, (format, size)) in (1..).zip(kinds) {
            let surface = Surface::new(&context, format, size, seed);
            let mut batch = Batch::new(Generation::C, vec![surface]);
            rig.begin_caps(&batch.caps(), &gst::FormattedSegment::new());
            until("readers are there", || channel_readers(&rig.element) == 2);
            for number in 0..3 {
                push(&rig, batch.buffer(number));
                expected.push(batch.surfaces[0].pixels.clone());
            }
        }
        assert!(rig.finish().eos());
        for reader in readers {
            compare(&reader.end(), &expected, 0, &line.channel);
        }
        rig.stop();
    }
}

fn channel_readers(element: &gst::Element) -> u64 {
    let stats = element.property::<gst::Structure>("stats");
    let channels = stats.get::<gst::List>("channels").unwrap();
    let channel = channels
        .first()
        .map(|it| it.get::<gst::Structure>().unwrap());
    channel.map_or(0, |channel| channel.get::<u64>("readers").unwrap())
}

/// Memory that is shared is as good as any for what else is made of a frame.
#[test]
fn what_is_sent_is_encoded_as_well() {
    on_card!();
    for format in ["RGB", "NV12", "GRAY8"] {
        for (more, suffix) in [
            ("", "jpg"),
            ("width=99", "png"),
            ("annotate=boxes", "png"),
            ("crop=objects", "raw"),
        ] {
            let line = Line::unix();
            let caps = format!("format={format},width=320,height=180,framerate=30/1");
            let log = at(&line.folder, "log.jsonl");
            let through = |sink: &str| {
                Through {
                    source: "pattern=objects num-buffers=4",
                    caps: &caps,
                    sink,
                    suffix,
                }
                .run(Place::CARD)
            };
            let expected = through(more);
            let reader = line.reader("device=gpu");
            let channel = &line.channel;
            let sink = format!(
                "{more} channel={channel} overflow=block statistics=true log-location={log}"
            );
            let got = through(&sink);
            compare(&got, &expected, 0, &format!("{format} {more} {suffix}"));
            assert_eq!(reader.end().len(), 4);
        }
    }
}

#[test]
fn a_slow_reader_keeps_its_pixels() {
    let Some(gpu) = exporting() else { return };
    const FRAMES: u32 = 60;
    let line = Line::unix();
    let source = format!("pattern=noise frame-code=true num-buffers={FRAMES}");
    let mut producer = line.producer(&source, "format=GRAY8,width=128,height=72", "");
    let mut raw = Raw::connect(&line.path(), gpu);
    producer.open(1);
    let mut kept = std::collections::VecDeque::new();
    for number in 0..FRAMES {
        let frame = raw.frame().unwrap();
        let pixels = raw.pixels(&frame);
        assert_eq!(code_in(&pixels, VideoFormat::Gray8, 128, 72), (0, number));
        kept.push_back((frame, pixels));
        std::thread::sleep(std::time::Duration::from_millis(2));
        if kept.len() > 5 {
            // In any order.
            let (frame, pixels) = kept.remove(number as usize % 6).unwrap();
            assert!(raw.pixels(&frame) == pixels, "{number} was overwritten");
            raw.release(frame.seq);
        }
    }
    assert!(raw.frame().is_none());
    for (frame, pixels) in kept {
        assert!(raw.pixels(&frame) == pixels);
    }
    // Five kept, four on their way, the queue, and those that are being made.
    assert!(raw.slots() <= 32, "{} slots", raw.slots());
    producer.end();
}

#[test]
fn memory_stays_what_it_is_over_thousands_of_frames() {
    on_card!(card::is_standin() => "only the stand-in counts");
    const FRAMES: u64 = 2000;
    for line in lines() {
        let source = format!("num-buffers={FRAMES}");
        let mut producer = line.producer(&source, "format=GRAY8,width=64,height=48", "");
        let reader = launch(&format!(
            "dsframeinject name=source channel={} device=gpu ! fakesink name=sink",
            line.channel
        ));
        let (early, late) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let seen = (early.clone(), late.clone(), AtomicU64::new(0));
        let pad = reader.by_name("sink").unwrap().static_pad("sink").unwrap();
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
            let now = card::allocations().unwrap();
            let (early, late, number) = &seen;
            match number.fetch_add(1, Ordering::Relaxed) {
                0..300 => early.fetch_max(now, Ordering::Relaxed),
                _ => late.fetch_max(now, Ordering::Relaxed),
            };
            gst::PadProbeReturn::Ok
        });
        reader.set_state(gst::State::Playing).unwrap();
        producer.open(1);
        assert!(wait_for_end(&reader.bus().unwrap()).eos());
        producer.end();
        assert_eq!(
            count(&reader.by_name("source").unwrap(), "received"),
            FRAMES
        );
        reader.set_state(gst::State::Null).unwrap();
        let (early, late) = (early.load(Ordering::Relaxed), late.load(Ordering::Relaxed));
        // Two frames more at once than ever before, perhaps, on both sides.
        assert!(late <= early + 12, "{}: {early}, then {late}", line.channel);
    }
}

/// What a process that is to be killed is started with.
fn start_child(test: &str, line: &Line) -> std::process::Child {
    let mut command = child(test);
    command.env(LINE, line.path()).stdin(Stdio::null());
    command.spawn().unwrap()
}

fn line_of_parent() -> std::path::PathBuf {
    std::env::var_os(LINE).unwrap().into()
}

#[test]
fn a_reader_that_is_killed_leaves_nothing() {
    let Some(gpu) = exporting() else { return };
    if is_child() {
        let mut raw = Raw::connect(&line_of_parent(), gpu);
        loop {
            // Never given back.
            let frame = raw.frame().unwrap();
            raw.pixels(&frame);
        }
    }
    let line = Line::unix();
    let source = "pattern=noise frame-code=true num-buffers=-1";
    let mut producer = line.producer(source, "format=GRAY8,width=128,height=72", "");
    let before = descriptors();
    let mut known = None;
    for turn in 0..3 {
        let test = "channel::a_reader_that_is_killed_leaves_nothing";
        let mut other = start_child(test, &line);
        match turn {
            0 => producer.open(1),
            _ => until("it is there", || producer.readers() == 1),
        }
        // All that a reader may keep.
        until("it has all", || {
            producer.channel("received") >= 64 * (turn + 1)
        });
        other.kill().unwrap();
        other.wait().unwrap();
        until("it is gone", || producer.readers() == 0);
        let allocated = card::allocations();
        let known = *known.get_or_insert(allocated);
        if let (Some(now), Some(known)) = (allocated, known) {
            assert!(now <= known + 30, "{now} allocations, {known} before");
        }
    }
    // And the next gets frames.
    let mut raw = Raw::connect(&line.path(), gpu);
    let mut last = None;
    for _ in 0..100 {
        let frame = raw.frame().unwrap();
        let pixels = raw.pixels(&frame);
        let (_, number) = code_in(&pixels, VideoFormat::Gray8, 128, 72);
        assert!(last.is_none_or(|last| number == last + 1));
        last = Some(number);
        raw.release(frame.seq);
    }
    drop(raw);
    until("it is gone", || producer.readers() == 0);
    // The driver may keep some of its own.
    assert!(
        descriptors() <= before + 70,
        "{} descriptors",
        descriptors()
    );
}

#[test]
fn a_producer_that_is_killed_is_an_error_and_nothing_more() {
    if exporting().is_none() {
        return;
    }
    if is_child() {
        let channel = format!("unix:{}", line_of_parent().display());
        let pipeline = launch(&format!(
            "dsframeinject device=gpu num-buffers=-1 ! video/x-raw(memory:NVMM) ! \
             dsframecapture channel={channel} overflow=block"
        ));
        pipeline.set_state(gst::State::Playing).unwrap();
        std::thread::sleep(std::time::Duration::from_secs(60));
        return;
    }
    let mut before = None;
    for _ in 0..3 {
        let line = Line::unix();
        let reader = launch(&format!(
            "dsframeinject name=source channel={} device=gpu ! fakesink",
            line.channel
        ));
        reader.set_state(gst::State::Playing).unwrap();
        let test = "channel::a_producer_that_is_killed_is_an_error_and_nothing_more";
        let mut other = start_child(test, &line);
        let source = reader.by_name("source").unwrap();
        until("frames come", || count(&source, "received") > 50);
        other.kill().unwrap();
        other.wait().unwrap();
        let messages = wait_for_end(&reader.bus().unwrap());
        let errors = messages.errors();
        assert!(errors[0].1.contains("gone without an end"), "{errors:?}");
        reader.set_state(gst::State::Null).unwrap();
        assert_eq!(pending(&reader.bus().unwrap()).errors(), []);
        drop((reader, source));
        let now = (card::allocations(), descriptors());
        assert_eq!(now, *before.get_or_insert(now));
    }
}
