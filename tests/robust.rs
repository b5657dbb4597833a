// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Whole lines from source to disk: every frame is the one it says it is, also when the process is
//! killed in the middle, and memory stays where it is.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use gst::prelude::*;
use gst_video::VideoFormat;
use gstdsframe::codec::jpeg::JpegDecoder;
use gstdsframe::frame::{HostPool, View, ViewMut, code};

mod launch;

fn init() {
    gst::init().unwrap();
    gstdsframe::plugin_register_static().unwrap();
}

/// Longer runs with `DSFRAME_LONG=1`, see `tests/long.sh`.
fn times(short: usize, long: usize) -> usize {
    match std::env::var_os("DSFRAME_LONG") {
        Some(_) => long,
        None => short,
    }
}

/// Stream and number that the frame code in a JPEG file spells. Panics if the file is not whole.
fn jpeg_code(path: &Path) -> (u16, u32) {
    gst::init().unwrap();
    let bytes = fs::read(path).unwrap();
    let mut decoder = JpegDecoder::new();
    let header = decoder.header(&bytes).unwrap();
    let info =
        gst_video::VideoInfo::builder(VideoFormat::Rgb, header.width as u32, header.height as u32)
            .build()
            .unwrap();
    let mut frame = HostPool::new(&info).unwrap().acquire().unwrap();
    decoder
        .decode(&bytes, &mut ViewMut::of_frame(&mut frame).unwrap())
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    code::read(&View::of_frame(&frame).unwrap())
        .unwrap_or_else(|| panic!("{}: no code", path.display()))
}

fn files(folder: &Path, suffix: &str) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(suffix) && !name.starts_with('.'))
        .collect();
    names.sort();
    names
}

#[test]
fn every_picture_and_log_line_is_of_the_frame_that_it_names() {
    let folder = tempfile::tempdir().unwrap();
    let (ok, said) = launch::run(
        folder.path(),
        "dsframeinject num-buffers=300 frame-code=true frame-code-stream=7 \
         ! video/x-raw,format=RGB,width=1280,height=720,framerate=30/1 \
         ! dsframecapture interval=7 location=out/{stream}/frame_{frame:06}_{pts}.jpg \
           log-location=out/log.jsonl",
    );
    assert!(ok, "{said}");
    let out = folder.path().join("out/0");
    let names = files(&out, ".jpg");
    assert_eq!(names.len(), 300_usize.div_ceil(7));
    let log = fs::read_to_string(folder.path().join("out/log.jsonl")).unwrap();
    let lines: Vec<serde_json::Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), names.len());
    for (n, (name, line)) in names.iter().zip(&lines).enumerate() {
        let frame = 7 * n as u64;
        let pts = frame * 1_000_000_000 / 30;
        assert_eq!(*name, format!("frame_{frame:06}_{pts}.jpg"));
        assert_eq!(jpeg_code(&out.join(name)), (7, frame as u32));
        assert_eq!(line["frame_number"], frame);
        assert_eq!(line["pts"], pts);
        assert_eq!(line["file"], format!("out/0/{name}"));
    }
}

#[test]
fn four_injectors_side_by_side_do_not_mix() {
    let folder = tempfile::tempdir().unwrap();
    let branches: String = (0..4)
        .map(|n| {
            format!(
                "dsframeinject num-buffers=60 frame-code=true frame-code-stream={n} \
                 pattern=noise ! video/x-raw,format=NV12,width=320,height=240 \
                 ! dsframecapture interval=1 workers=3 location=out/{n}/%04d.jpg "
            )
        })
        .collect();
    let (ok, said) = launch::run(folder.path(), &branches);
    assert!(ok, "{said}");
    for stream in 0..4_u16 {
        let out = folder.path().join(format!("out/{stream}"));
        let codes: Vec<_> = files(&out, ".jpg")
            .iter()
            .map(|name| jpeg_code(&out.join(name)))
            .collect();
        let want: Vec<_> = (0..60).map(|frame| (stream, frame)).collect();
        assert_eq!(codes, want);
    }
}

#[test]
fn kill_leaves_whole_pictures_and_whole_lines() {
    for round in 0..times(4, 100) {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let mut child = launch::line(
            folder.path(),
            "-q dsframeinject num-buffers=1000 frame-code=true pattern=noise \
             ! video/x-raw,format=RGB,width=640,height=480 \
             ! dsframecapture interval=1 location=out/%06d.jpg log-location=out/log.jsonl",
        )
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
        // Somewhere in the middle, elsewhere in each round.
        let enough = 30 + 97 * (round % 8);
        let deadline = Instant::now() + Duration::from_secs(60);
        while !out.exists() || files(&out, ".jpg").len() < enough {
            assert!(Instant::now() < deadline && child.try_wait().unwrap().is_none());
        }
        child.kill().unwrap();
        child.wait().unwrap();

        let names = files(&out, ".jpg");
        assert!(names.len() >= enough && names.len() < 1000);
        for (n, name) in names.iter().enumerate() {
            assert_eq!(*name, format!("{n:06}.jpg"), "committed in order");
            assert_eq!(jpeg_code(&out.join(name)), (0, n as u32));
        }
        let log = fs::read_to_string(out.join("log.jsonl")).unwrap();
        let whole = log.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let lines: Vec<serde_json::Value> = whole
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        // A line follows its picture, and the kill may come between the two.
        assert!(lines.len() == names.len() || lines.len() + 1 == names.len());
        for (n, line) in lines.iter().enumerate() {
            assert_eq!(line["frame_number"], n);
            assert_eq!(line["file"], format!("out/{n:06}.jpg"));
        }
    }
}

/// Resident memory in KiB.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn memory_flat_over_100_000_frames() {
    init();
    let folder = tempfile::tempdir().unwrap();
    let frames = times(100_000, 1_000_000) as u64;
    let pipeline = gst::parse::launch(&format!(
        "dsframeinject num-buffers={frames} pattern=objects device=gpu \
           nvbuf-memory-type=nvbuf-mem-system \
         ! video/x-raw(memory:NVMM),format=NV12,width=160,height=120 \
         ! dsframecapture name=sink interval=20 post-messages=true on-exists=overwrite \
           location={0}/%d.jpg log-location=/dev/null",
        folder.path().display()
    ))
    .unwrap()
    .downcast::<gst::Pipeline>()
    .unwrap();
    let sink = pipeline.by_name("sink").unwrap();
    let seen = || {
        let stats = sink.property::<gst::Structure>("stats");
        stats.get::<u64>("seen").unwrap()
    };
    let bus = pipeline.bus().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let mut early = None;
    let mut written = BTreeMap::new();
    loop {
        // Files are counted and removed as they come, so that the folder stays small.
        for name in files(folder.path(), ".jpg") {
            let path = folder.path().join(&name);
            *written.entry(name).or_insert(0_u32) += 1;
            fs::remove_file(path).unwrap();
        }
        if early.is_none() && seen() > frames / 10 {
            early = Some(resident());
        }
        let ended = bus.timed_pop_filtered(
            gst::ClockTime::from_mseconds(20),
            &[gst::MessageType::Eos, gst::MessageType::Error],
        );
        match ended.as_ref().map(|message| message.view()) {
            None => (),
            Some(gst::MessageView::Eos(_)) => break,
            Some(other) => panic!("{other:?}"),
        }
    }
    let late = resident();
    let early = early.unwrap();
    assert_eq!(seen(), frames);
    assert_eq!(u64::from(sink.property::<u32>("captured")), frames / 20);
    pipeline.set_state(gst::State::Null).unwrap();
    for name in files(folder.path(), ".jpg") {
        *written.entry(name).or_insert(0) += 1;
    }
    assert_eq!(written.len() as u64, frames / 20);
    assert!(written.values().all(|count| *count == 1));
    assert!(
        late < early + 4 * 1024,
        "{early} KiB after a tenth, {late} KiB at the end"
    );
}
