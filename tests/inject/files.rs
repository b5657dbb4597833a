// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `location`: pictures and streams, from files, pipes and standard input.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use gst::prelude::*;
use gst_video::VideoFormat;

use super::common::*;

/// `location` and more into an appsink.
fn from(location: &Path, rest: &str) -> Pipeline {
    Pipeline::new(&format!(
        "dsframeinject name=source location=\"{}\" {rest} ! appsink name=sink sync=false",
        location.display()
    ))
}

fn check_time(frames: &[Got], first: u64, rate: u64) {
    for (frame, n) in frames.iter().zip(first..) {
        assert_eq!(frame.pts(), ns(n * 1_000_000_000 / rate));
        assert_eq!(frame.buffer().offset(), n);
    }
}

#[test]
fn pictures_come_by_pattern_glob_folder_and_name() {
    let folder = tempfile::tempdir().unwrap();
    for suffix in ["png", "jpg"] {
        let folder = folder.path().join(suffix);
        fs::create_dir(&folder).unwrap();
        make_pictures(&folder, &format!("frame_%d.{suffix}"), 24);
        fs::write(folder.join(".hidden.png"), "not a picture").unwrap();
        fs::write(folder.join("notes.txt"), "not a picture").unwrap();
        for name in [
            format!("frame_%d.{suffix}"),
            format!("*.{suffix}"),
            String::new(),
        ] {
            let pipeline = from(&folder.join(&name), "framerate=25");
            pipeline.go(gst::State::Playing);
            let frames = pipeline.frames();
            assert_eq!(numbers(&frames), (0..24).collect::<Vec<_>>(), "{name}");
            check_order(&frames, 0, (25, 1));
            let info = frames[0].info();
            assert_eq!((info.width(), info.height()), (320, 180));
            assert!(pipeline.faults().is_empty(), "{name}");
        }
        let pipeline = from(
            &folder.join(format!("frame_%d.{suffix}")),
            "start-index=5 stop-index=20",
        );
        pipeline.go(gst::State::Playing);
        let frames = pipeline.frames();
        assert_eq!(numbers(&frames), (5..=20).collect::<Vec<_>>());
        check_time(&frames, 0, 30);
        let pipeline = from(&folder.join(format!("frame_7.{suffix}")), "");
        pipeline.go(gst::State::Playing);
        assert_eq!(numbers(&pipeline.frames()), [7]);
    }
}

#[test]
fn a_loop_of_pictures_goes_on_rising() {
    let folder = tempfile::tempdir().unwrap();
    make_pictures(folder.path(), "%d.png", 7);
    let pipeline = from(
        &folder.path().join("%d.png"),
        "loop=true num-buffers=40 framerate=25",
    );
    pipeline.go(gst::State::Playing);
    let frames = pipeline.frames();
    assert_eq!(numbers(&frames), (0..40).map(|n| n % 7).collect::<Vec<_>>());
    check_time(&frames, 0, 25);
    let mut query = gst::query::Seeking::new(gst::Format::Time);
    assert!(pipeline.source().query(&mut query));
    assert!(!query.result().0);
    assert_eq!(pipeline.source().query_duration::<gst::ClockTime>(), None);

    let pipeline = from(
        &folder.path().join("3.png"),
        "loop=true num-buffers=9 is-live=true",
    );
    pipeline.go(gst::State::Playing);
    assert_eq!(numbers(&pipeline.frames()), [3; 9]);
}

#[test]
fn pictures_of_many_sizes_come_in_one() {
    let folder = tempfile::tempdir().unwrap();
    make_pictures(folder.path(), "%d.png", 3);
    for (n, size) in [
        (3, "640,height=360"),
        (4, "160,height=90"),
        (5, "400,height=400"),
    ] {
        let path = folder.path().join(format!("{n}.png"));
        make(&format!(
            "dsframeinject num-buffers=1 frame-code=true frame-code-stream={n} ! \
             video/x-raw,width={size} ! pngenc ! filesink location={}",
            path.display()
        ));
    }
    for rest in ["", "! video/x-raw,format=NV12,width=641,height=479"] {
        let pipeline = from(folder.path(), rest);
        pipeline.go(gst::State::Playing);
        let frames = pipeline.frames();
        let streams: Vec<_> = frames.iter().map(|frame| frame.code().0).collect();
        assert_eq!(streams, [0, 0, 0, 3, 4, 5]);
        let want = if rest.is_empty() {
            (320, 180)
        } else {
            (641, 479)
        };
        assert!(
            frames
                .iter()
                .all(|f| (f.info().width(), f.info().height()) == want)
        );
    }
}

#[test]
fn a_gap_ends_a_numbered_sequence_and_is_said() {
    let folder = tempfile::tempdir().unwrap();
    make_pictures(folder.path(), "%d.png", 10);
    fs::remove_file(folder.path().join("5.png")).unwrap();
    let pipeline = from(&folder.path().join("%d.png"), "");
    pipeline.go(gst::State::Playing);
    assert_eq!(numbers(&pipeline.frames()), [0, 1, 2, 3, 4]);
    let faults = pipeline.faults();
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(!faults[0].is_error);
    faults[0].check(gst::ResourceError::NotFound, &["5.png", "glob"]);

    let pipeline = from(&folder.path().join("*.png"), "");
    pipeline.go(gst::State::Playing);
    assert_eq!(numbers(&pipeline.frames()), [0, 1, 2, 3, 4, 6, 7, 8, 9]);
    assert!(pipeline.faults().is_empty());
}

#[test]
fn pictures_can_be_sought_in() {
    let folder = tempfile::tempdir().unwrap();
    make_pictures(folder.path(), "%d.png", 50);
    let pipeline = from(&folder.path().join("%d.png"), "framerate=25");
    pipeline.go(gst::State::Playing);
    assert_eq!(pipeline.take(5).len(), 5);
    let source = pipeline.source();
    assert_eq!(source.query_duration(), Some(ms(2000)));
    let mut query = gst::query::Seeking::new(gst::Format::Time);
    assert!(source.query(&mut query));
    assert_eq!(query.result(), (true, ms(0).into(), ms(2000).into()));
    let flags = gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE;
    for n in [40u64, 3, 49, 0] {
        pipeline.0.seek_simple(flags, ms(40 * n)).unwrap();
        let frames = pipeline.frames();
        assert_eq!(numbers(&frames), (n..50).collect::<Vec<_>>());
        check_order(&frames, n, (25, 1));
    }
    pipeline.0.seek_simple(flags, ms(5000)).unwrap();
    assert!(pipeline.frame().is_none(), "a frame beyond the end");
    pipeline.0.seek_simple(flags, ms(0)).unwrap();
    assert_eq!(pipeline.frames().len(), 50);
    assert!(pipeline.faults().is_empty());
}

#[test]
fn a_bad_picture_is_treated_as_on_error_says() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["%d.png", "%d.jpg"] {
        make_pictures(folder.path(), name, 8);
        let bad = folder.path().join(name.replace("%d", "3"));
        let whole = fs::read(&bad).unwrap();
        fs::write(&bad, &whole[..whole.len() / 3]).unwrap();
        let location = folder.path().join(name);
        let bad = bad.file_name().unwrap().to_str().unwrap();

        let pipeline = from(&location, "on-error=skip framerate=25");
        pipeline.go(gst::State::Playing);
        let frames = pipeline.frames();
        assert_eq!(numbers(&frames), [0, 1, 2, 4, 5, 6, 7]);
        // The others keep their time.
        check_time(&frames[..3], 0, 25);
        check_time(&frames[3..], 4, 25);
        assert!(frames[3].discont() && !frames[4].discont());
        assert_eq!((pipeline.stat("skipped"), pipeline.stat("frames")), (1, 7));
        let faults = pipeline.faults();
        assert_eq!(faults.len(), 1, "{faults:?}");
        faults[0].check(gst::StreamError::Decode, &[bad]);
        assert!(!faults[0].is_error);

        let pipeline = from(&location, "on-error=eos");
        pipeline.go(gst::State::Playing);
        assert_eq!(numbers(&pipeline.frames()), [0, 1, 2]);
        let faults = pipeline.faults();
        assert!(faults.len() == 1 && !faults[0].is_error, "{faults:?}");

        let pipeline = from(&location, "");
        // The error may come before it is reached.
        pipeline.try_state(gst::State::Playing);
        pipeline.error().check(gst::StreamError::Decode, &[bad]);
        assert_eq!(numbers(&pipeline.frames()), [0, 1, 2]);
    }
}

/// The ways to read a stream of 30 coded frames: its file and what must be said about it.
fn streams(folder: &Path) -> Vec<(std::path::PathBuf, &'static str, u64)> {
    let file = |name: &str| folder.join(name);
    let sink = |name: &str| format!("filesink location={}", file(name).display());
    make_coded(30, "I420", &format!("y4menc ! {}", sink("clip.y4m")));
    make_coded(30, "NV12", &sink("nv12.raw"));
    make_coded(30, "RGB", &sink("rgb.raw"));
    make_coded(30, "GRAY8", &sink("gray.raw"));
    let rgb = fs::read(file("rgb.raw")).unwrap();
    let gray = fs::read(file("gray.raw")).unwrap();
    let size = 320 * 180;
    let planar: Vec<u8> = rgb
        .chunks(3 * size)
        .flat_map(|f| (0..3).flat_map(move |c| f[c..].iter().step_by(3).copied()))
        .collect();
    fs::write(file("rgb.npy"), npy("|u1", false, &[30, 180, 320, 3], &rgb)).unwrap();
    fs::write(
        file("planar.npy"),
        npy("|u1", false, &[30, 3, 180, 320], &planar),
    )
    .unwrap();
    fs::write(file("gray.npy"), npy("|u1", false, &[30, 180, 320], &gray)).unwrap();
    vec![
        (file("clip.y4m"), "", 25),
        (
            file("nv12.raw"),
            "format=NV12 width=320 height=180 framerate=50",
            50,
        ),
        (file("rgb.raw"), "format=RGB width=320 height=180", 30),
        (file("gray.raw"), "format=GRAY width=320 height=180", 30),
        (file("rgb.npy"), "framerate=10", 10),
        (file("planar.npy"), "", 30),
        (file("gray.npy"), "", 30),
    ]
}

#[test]
fn streams_come_from_files_and_can_be_sought_in() {
    let folder = tempfile::tempdir().unwrap();
    for (path, rest, rate) in streams(folder.path()) {
        let pipeline = from(&path, rest);
        pipeline.go(gst::State::Playing);
        let frames = pipeline.frames();
        assert_eq!(frames.len(), 30, "{path:?}");
        check_order(&frames, 0, (rate, 1));
        drop(frames);
        let end = ns(30 * 1_000_000_000 / rate);
        assert_eq!(pipeline.source().query_duration(), Some(end));
        pipeline
            .0
            .seek_simple(
                gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE,
                ns(20 * 1_000_000_000 / rate),
            )
            .unwrap();
        check_order(&pipeline.frames(), 20, (rate, 1));
        assert!(pipeline.faults().is_empty());

        let pipeline = from(
            &path,
            &format!("{rest} loop=true num-buffers=70 prefetch=1"),
        );
        pipeline.go(gst::State::Playing);
        let frames = pipeline.frames();
        assert_eq!(
            numbers(&frames),
            (0..70).map(|n| n % 30).collect::<Vec<_>>()
        );
        check_time(&frames, 0, rate);
    }
}

#[test]
fn streams_come_through_a_fifo() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = make_fifo(folder.path());
    for (path, rest, rate) in streams(folder.path()) {
        let pipeline = from(&fifo, rest);
        pipeline.0.set_state(gst::State::Playing).unwrap();
        let writer = std::thread::spawn({
            let (fifo, data) = (fifo.clone(), fs::read(&path).unwrap());
            move || {
                OpenOptions::new()
                    .write(true)
                    .open(fifo)
                    .unwrap()
                    .write_all(&data)
            }
        });
        let frames = pipeline.frames();
        assert_eq!(frames.len(), 30, "{path:?}");
        check_order(&frames, 0, (rate, 1));
        writer.join().unwrap().unwrap();
        assert!(
            pipeline
                .0
                .seek_simple(gst::SeekFlags::FLUSH, ms(0))
                .is_err()
        );
        assert!(pipeline.faults().is_empty(), "{path:?}");
    }
}

#[test]
fn streams_come_from_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    for (path, rest, _) in streams(folder.path()) {
        let out = folder.path().join("out.raw");
        let mut command = launch(&format!(
            "dsframeinject location=- {rest} ! videoconvert ! video/x-raw,format=GRAY8 ! filesink location={}",
            out.display()
        ));
        command.stdin(File::open(&path).map(Stdio::from).unwrap());
        let (output, text) = finish(&mut command, Duration::from_secs(20));
        assert!(output.status.success(), "{path:?}: {text}");
        let got = fs::read(&out).unwrap();
        assert_eq!(got.len(), 30 * 320 * 180, "{path:?}");
        for (n, picture) in (0..).zip(got.chunks(320 * 180)) {
            let plane = gstdsframe::frame::Plane {
                data: picture,
                pitch: 320,
            };
            let view = gstdsframe::frame::View::new(VideoFormat::Gray8, 320, 180, vec![plane]);
            assert_eq!(gstdsframe::frame::code::read(&view.unwrap()), Some((0, n)));
        }
    }
}

#[test]
fn a_fifo_without_a_writer_holds_nothing_up() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = make_fifo(folder.path());
    // Dropped while it waits: bounded by 2 s.
    for state in [gst::State::Paused, gst::State::Playing] {
        for live in [false, true] {
            let pipeline = from(&fifo, &format!("is-live={live}"));
            pipeline.0.set_state(state).unwrap();
        }
    }
    // An end that is asked for is no error.
    let pipeline = from(&fifo, "");
    pipeline.0.set_state(gst::State::Playing).unwrap();
    assert!(pipeline.source().send_event(gst::event::Eos::new()));
    assert!(pipeline.frames().is_empty());
    assert!(pipeline.faults().is_empty());
}

#[test]
fn a_fifo_that_starves_is_treated_as_on_timeout_says() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = make_fifo(folder.path());
    let words = ["\"timeout\"", "300 ms"];
    let timeout = "timeout=300000000";

    {
        let pipeline = from(&fifo, timeout);
        pipeline.try_state(gst::State::Playing);
        pipeline.error().check(gst::ResourceError::Read, &words);
    }
    {
        let pipeline = from(&fifo, &format!("{timeout} on-timeout=eos"));
        pipeline.try_state(gst::State::Playing);
        assert!(pipeline.frames().is_empty());
        let faults = pipeline.faults();
        assert!(faults.len() == 1 && !faults[0].is_error, "{faults:?}");
        faults[0].check(gst::ResourceError::Read, &words);
    }

    make_coded(
        5,
        "I420",
        &format!(
            "y4menc ! filesink location={}/c.y4m",
            folder.path().display()
        ),
    );
    let data = fs::read(folder.path().join("c.y4m")).unwrap();
    for policy in ["fail", "eos", "repeat"] {
        let pipeline = from(&fifo, &format!("{timeout} on-timeout={policy}"));
        pipeline.try_state(gst::State::Playing);
        let mut writer = OpenOptions::new().write(true).open(&fifo).unwrap();
        let frame = (data.len() - data.iter().position(|b| *b == b'\n').unwrap() - 1) / 5;
        writer.write_all(&data[..data.len() - 2 * frame]).unwrap();
        if policy == "repeat" {
            let mut frames = Vec::new();
            while pipeline.stat("repeated") < 3 {
                frames.extend(pipeline.take(1));
            }
            writer.write_all(&data[data.len() - 2 * frame..]).unwrap();
            drop(writer);
            frames.extend(pipeline.frames());
            let mut seen = numbers(&frames);
            assert!(seen.is_sorted());
            seen.dedup();
            assert_eq!(seen, [0, 1, 2, 3, 4]);
            check_time(&frames, 0, 25);
            assert_eq!(pipeline.stat("repeated") as usize, frames.len() - 5);
            assert!(pipeline.stat("timeouts") >= 3);
            assert!(pipeline.faults().is_empty());
            continue;
        }
        assert_eq!(numbers(&pipeline.take(3)), [0, 1, 2]);
        assert!(pipeline.frame().is_none());
        let faults = pipeline.faults();
        assert_eq!(faults[0].is_error, policy == "fail");
        faults[0].check(gst::ResourceError::Read, &words);
        assert_eq!((pipeline.stat("timeouts"), pipeline.stat("frames")), (1, 3));
    }
}

#[test]
fn pausing_while_a_fifo_trickles_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = make_fifo(folder.path());
    let clip = folder.path().join("c.y4m");
    make_coded(
        60,
        "I420",
        &format!("y4menc ! filesink location={}", clip.display()),
    );
    let data = fs::read(clip).unwrap();
    let pipeline = Pipeline::new(&format!(
        "dsframeinject name=source location={} ! \
         identity sleep-time=2000 ! appsink name=sink sync=false",
        fifo.display()
    ));
    pipeline.0.set_state(gst::State::Playing).unwrap();
    let mut writer = OpenOptions::new().write(true).open(&fifo).unwrap();
    let feeder = std::thread::spawn(move || {
        for piece in data.chunks(50_000) {
            writer.write_all(piece).unwrap();
        }
    });
    let mut frames = Vec::new();
    for _ in 0..25 {
        pipeline.go(gst::State::Playing);
        frames.extend(pipeline.take(1));
        pipeline.go(gst::State::Paused);
    }
    pipeline.go(gst::State::Playing);
    frames.extend(pipeline.frames());
    assert_eq!(frames.len(), 60);
    check_order(&frames, 0, (25, 1));
    feeder.join().unwrap();
}
