// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

use super::super::Opening;
use super::super::file::{Options, open};
use super::super::testing::*;
use super::super::{Rate, input};
use super::*;
use crate::frame::tight_size;
use crate::inject::config::Declared;
use crate::inject::gate::Wait;
use gst_video::{VideoColorRange, VideoFormat};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

fn declared(format: VideoFormat, width: u32, height: u32) -> Options {
    Options {
        declared: Declared {
            format: Some(format),
            width: Some(width),
            height: Some(height),
            framerate: None,
        },
        ..Options::default()
    }
}

/// The bytes of a frame: no two are alike, and neighbours within one are not either.
fn frame_bytes(number: usize, bytes: usize) -> Vec<u8> {
    let mut state = number as u32 * 7919 + 1;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..bytes).map(next).collect()
}

fn frames(count: usize, bytes: usize) -> Vec<Vec<u8>> {
    (0..count).map(|n| frame_bytes(n, bytes)).collect()
}

fn y4m(header: &str, marker: impl Fn(usize) -> String, frames: &[Vec<u8>]) -> Vec<u8> {
    let mut out = format!("YUV4MPEG2 {header}\n").into_bytes();
    for (n, frame) in frames.iter().enumerate() {
        out.extend(marker(n).as_bytes());
        out.extend(frame);
    }
    out
}

fn plain(_: usize) -> String {
    "FRAME\n".into()
}

/// A NumPy file as version 1.0 writes it.
fn npy(descr: &str, fortran: &str, shape: &str, data: &[Vec<u8>]) -> Vec<u8> {
    let mut header =
        format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}");
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut out = b"\x93NUMPY\x01\x00".to_vec();
    out.extend((header.len() as u16).to_le_bytes());
    out.extend(header.as_bytes());
    out.extend(data.concat());
    out
}

fn written(name: &str, bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    fs::write(&path, bytes).unwrap();
    (dir, path)
}

/// All frames in the format that the stream has by itself.
fn native_run(path: &Path, options: Options) -> (Vec<Vec<u8>>, Option<String>, Facts) {
    let mut source = open_now(path, options, false).unwrap();
    let facts = source.facts().clone();
    source
        .set_target(&target(facts.native.clone().unwrap()))
        .unwrap();
    let (frames, error) = rest(&mut *source);
    (frames, error, facts)
}

/// The same bytes through a FIFO, its writer coming late.
fn fifo_run(bytes: Vec<u8>, options: Options) -> (Vec<Vec<u8>>, Option<String>, Facts) {
    let dir = tempfile::tempdir().unwrap();
    let path = input::tests::fifo(&dir);
    let writer = thread::spawn({
        let path = path.clone();
        move || {
            thread::sleep(Duration::from_millis(10));
            let mut pipe = OpenOptions::new().write(true).open(path).unwrap();
            // In pieces that do not meet the frames.
            for piece in bytes.chunks(997) {
                if pipe.write_all(piece).is_err() {
                    break;
                }
            }
        }
    });
    let run = native_run(&path, options);
    writer.join().unwrap();
    run
}

#[test]
fn raw_frames_of_every_format_and_size() {
    let formats = crate::frame::FORMATS
        .iter()
        .chain(&crate::frame::SYSTEM_FORMATS);
    for format in formats {
        for (width, height) in [(32, 16), (33, 17), (1, 1)] {
            let bytes = tight_size(*format, width, height);
            let all = frames(40, bytes);
            let (_dir, path) = written("video", &all.concat());
            let options = declared(*format, width as u32, height as u32);
            let (got, error, facts) = native_run(&path, options);
            assert_eq!(
                (error, facts.frames, facts.seekable),
                (None, Some(40), true)
            );
            assert_eq!(facts.rate, Rate::Free(gst::Fraction::new(30, 1)));
            assert!(got == all, "{format} {width}x{height}");
            let (got, error, facts) = fifo_run(all.concat(), options);
            assert_eq!((error, facts.frames, facts.seekable), (None, None, false));
            assert!(got == all, "{format} {width}x{height} by FIFO");
        }
    }
}

#[test]
fn every_mode_of_y4m() {
    for (chroma, format) in [
        ("", VideoFormat::I420),
        (" C420", VideoFormat::I420),
        (" C420jpeg", VideoFormat::I420),
        (" C420mpeg2", VideoFormat::I420),
        (" C420paldv", VideoFormat::I420),
        (" C422", VideoFormat::Y42b),
        (" C444", VideoFormat::Y444),
        (" Cmono", VideoFormat::Gray8),
    ] {
        for (width, height) in [(32, 16), (17, 9)] {
            let all = frames(30, tight_size(format, width, height));
            let header = format!("W{width} H{height} F30000:1001 Ip A4:3{chroma} XCOLORRANGE=FULL");
            for marker in [plain, |n: usize| format!("FRAME X{}\n", "y".repeat(n))] {
                let stream = y4m(&header, marker, &all);
                let (_dir, path) = written("video.y4m", &stream);
                let (got, error, facts) = native_run(&path, Options::default());
                assert_eq!((error, facts.frames), (None, Some(30)));
                assert_eq!(facts.rate, Rate::Fixed(gst::Fraction::new(30000, 1001)));
                let native = facts.native.unwrap();
                assert_eq!(native.format(), format);
                assert_eq!(native.par(), gst::Fraction::new(4, 3));
                assert_eq!(native.colorimetry().range(), VideoColorRange::Range0_255);
                assert!(got == all, "{chroma} {width}x{height}");
                let (got, error, _) = fifo_run(stream, Options::default());
                assert_eq!(error, None);
                assert!(got == all, "{chroma} {width}x{height} by FIFO");
            }
        }
    }
}

#[test]
fn y4m_of_another_writer() {
    let mut out = Vec::new();
    let all = frames(3, 8 * 6 * 3 / 2);
    let mut encoder = y4m::encode(8, 6, y4m::Ratio::new(25, 1))
        .with_colorspace(y4m::Colorspace::C420jpeg)
        .write_header(&mut out)
        .unwrap();
    for frame in &all {
        let (y, uv) = frame.split_at(48);
        let (u, v) = uv.split_at(12);
        encoder
            .write_frame(&y4m::Frame::new([y, u, v], None))
            .unwrap();
    }
    let (_dir, path) = written("a", &out);
    assert!(native_run(&path, Options::default()).0 == all);

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("b.y4m");
    let made = std::process::Command::new("ffmpeg")
        .args(
            "-v error -f lavfi -i testsrc2=s=66x34:r=30000/1001 -frames:v 20 -pix_fmt yuv420p"
                .split(' '),
        )
        .arg(&path)
        .status();
    if !made.is_ok_and(|status| status.success()) {
        eprintln!("no ffmpeg here");
        return;
    }
    let (got, error, facts) = native_run(&path, Options::default());
    assert_eq!((got.len(), error), (20, None));
    assert_eq!(facts.rate.fraction(), gst::Fraction::new(30000, 1001));
    let file = fs::read(&path).unwrap();
    assert!(file.ends_with(&got[19]));
}

#[test]
fn streams_are_converted_and_scaled() {
    // Flat colours, so that scaling changes nothing: limited BT.601, Y, U, V of frame n.
    let flat = |n: usize, chroma: usize| {
        let mut frame = vec![20 + 10 * n as u8; 32 * 16];
        frame.extend(vec![128; 2 * chroma]);
        frame
    };
    for (mode, chroma) in [("420", 128), ("422", 256), ("444", 512)] {
        let all: Vec<_> = (0..20).map(|n| flat(n, chroma)).collect();
        let stream = y4m(&format!("W32 H16 F25:1 C{mode}"), plain, &all);
        let (_dir, path) = written("a.y4m", &stream);
        let mut source = open_now(&path, Options::default(), false).unwrap();
        source
            .set_target(&target(info(VideoFormat::Rgb, 20, 10)))
            .unwrap();
        let (got, error) = rest(&mut *source);
        assert_eq!((got.len(), error), (20, None));
        for (n, frame) in got.iter().enumerate() {
            let want = ((4 + 10 * n) as f64 * 255. / 219.).round().min(255.) as u8;
            let near = |b: &u8| b.abs_diff(want) <= 3;
            assert!(frame.iter().all(near), "{mode} {n}: {} {want}", frame[0]);
        }
    }
}

#[test]
fn npy_stacks() {
    let (w, h) = (9, 5);
    let run = |shape: &str, channels: usize, format: Option<VideoFormat>| {
        let all = frames(12, w * h * channels);
        let stream = npy("|u1", "False", shape, &all);
        let (_dir, path) = written("a.npy", &stream);
        let options = Options {
            declared: Declared {
                format,
                ..Declared::default()
            },
            ..Options::default()
        };
        let (got, error, facts) = native_run(&path, options);
        assert_eq!((error, facts.frames), (None, Some(12)));
        let (piped, error, facts) = fifo_run(stream, options);
        assert_eq!((error, facts.frames), (None, Some(12)));
        assert!(got == piped);
        (facts.native.unwrap().format(), got, all)
    };
    for (shape, channels, declared, format) in [
        ("(12, 5, 9)", 1, None, VideoFormat::Gray8),
        ("(12, 5, 9, 1)", 1, None, VideoFormat::Gray8),
        ("(12, 5, 9, 3)", 3, None, VideoFormat::Rgb),
        ("(12, 5, 9, 3)", 3, Some(VideoFormat::Bgr), VideoFormat::Bgr),
        (
            "(12, 5, 9, 3)",
            3,
            Some(VideoFormat::Bgrx),
            VideoFormat::Bgr,
        ),
        (
            "(12, 5, 9, 3)",
            3,
            Some(VideoFormat::Nv12),
            VideoFormat::Rgb,
        ),
        ("(12, 5, 9, 4)", 4, None, VideoFormat::Rgba),
        (
            "(12, 5, 9, 4)",
            4,
            Some(VideoFormat::Bgrx),
            VideoFormat::Bgrx,
        ),
        (
            "(12, 5, 9, 4)",
            4,
            Some(VideoFormat::Bgra),
            VideoFormat::Bgra,
        ),
        (
            "(12, 5, 9, 4)",
            4,
            Some(VideoFormat::Bgr),
            VideoFormat::Bgrx,
        ),
        (
            "(12, 5, 9, 4)",
            4,
            Some(VideoFormat::Rgbx),
            VideoFormat::Rgbx,
        ),
    ] {
        let (got_format, got, all) = run(shape, channels, declared);
        assert_eq!(got_format, format);
        assert!(got == all, "{shape}");
    }
    for channels in [3, 4] {
        let (_, got, all) = run(&format!("(12, {channels}, 5, 9)"), channels, None);
        for (got, planar) in got.iter().zip(&all) {
            for (i, sample) in got.iter().enumerate() {
                assert_eq!(*sample, planar[i % channels * w * h + i / channels]);
            }
        }
    }
}

#[test]
fn torn_streams_deliver_their_whole_frames_first() {
    let all = frames(10, 48);
    let rgb = declared(VideoFormat::Rgb, 4, 4);
    let mut raw = all.concat();
    raw.truncate(9 * 48 + 7);
    let mut video = y4m("W4 H8 F25:1 C420", plain, &all);
    video.truncate(video.len() - 41);
    let mut unmarked = y4m("W4 H8 F25:1 C420", plain, &all);
    let at = unmarked.len() - 54;
    unmarked[at..at + 5].copy_from_slice(b"FLAME");
    let mut cut_marker = y4m("W4 H8 F25:1 C420", plain, &all);
    cut_marker.truncate(at + 3);
    let mut array = npy("|u1", "False", "(10, 4, 4, 3)", &all);
    array.truncate(array.len() - 41);
    for (name, bytes, options, parts) in [
        ("a.raw", raw, rgb, ["frame 9: 7 of 48 bytes", "width"]),
        (
            "a.y4m",
            video,
            Options::default(),
            ["frame 9: 7 of 48 bytes", "within"],
        ),
        ("b.y4m", unmarked, Options::default(), ["frame 9", "FRAME"]),
        (
            "c.y4m",
            cut_marker,
            Options::default(),
            ["frame 9", "FRAME"],
        ),
        (
            "a.npy",
            array,
            Options::default(),
            ["promises 10 frames", "frame 9: 7 of 48 bytes"],
        ),
    ] {
        let (_dir, path) = written(name, &bytes);
        for (kind, (got, error, _)) in [
            ("file", native_run(&path, options)),
            ("FIFO", fifo_run(bytes, options)),
        ] {
            assert!(got == all[..9], "{name} {kind}: {} frames", got.len());
            let error = error.unwrap();
            for part in parts {
                assert!(
                    error.contains("location") && error.contains(part),
                    "{name} {error}"
                );
            }
        }
    }
}

#[test]
fn streams_that_make_no_sense_do_not_open() {
    let data = [vec![0; 48]];
    let none = Options::default();
    for (name, bytes, part) in [
        ("a.y4m", &b""[..], "0 bytes"),
        ("a.raw", b"", "0 bytes"),
        ("b.y4m", b"hello", "not a YUV4MPEG2"),
        ("c.y4m", b"YUV4MPEG2 W-4 H4 F25:1\n", "width \"-4\""),
        (
            "d.y4m",
            b"YUV4MPEG2 W99999999 H99999999 F25:1\n",
            "1 to 65535",
        ),
        ("e.y4m", b"YUV4MPEG2 W65000 H65000 F25:1\n", "too large"),
        ("f.y4m", b"YUV4MPEG2 W4 H4 F25:1 C420p10\n", "8 bits"),
        ("g.npy", b"nonsense, but long enough", "not an npy"),
        ("h.npy", b"\x93NUM", "not an npy"),
        ("a.bin", b"anything", "format, width, height"),
    ] {
        let (_dir, path) = written(name, bytes);
        let error = open_error(&path, none);
        assert!(
            error.contains(part) && error.contains("location"),
            "{name}: {error}"
        );
    }
    for (descr, fortran, shape, part) in [
        ("<f4", "False", "(1, 4, 4, 3)", "f4"),
        ("<u2", "False", "(1, 4, 4, 3)", "u2"),
        ("|u1", "True", "(1, 4, 4, 3)", "Fortran"),
        ("|u1", "False", "(48,)", "shape"),
        ("|u1", "False", "(1, 1, 4, 4, 3)", "shape"),
        ("|u1", "False", "(1, 5, 4, 7)", "shape"),
    ] {
        let (_dir, path) = written("a.npy", &npy(descr, fortran, shape, &data));
        let error = open_error(&path, none);
        assert!(error.contains(part), "{descr} {fortran} {shape}: {error}");
    }
    let (_dir, path) = written("a.raw", &[0; 100]);
    let mut partly = declared(VideoFormat::Rgb, 4, 4);
    partly.declared.height = None;
    assert!(open_error(&path, partly).starts_with("property \"height\":"));
    assert!(open_error(&path, declared(VideoFormat::Rgb, 0, 4)).contains("property \"format\":"));
    let (_dir, path) = written(
        "a.npy",
        &npy("|u1", "False", "(1, 4, 4, 3)", &[vec![0; 60]]),
    );
    let (around, said) = around(false);
    open_in(&path, none, &around).unwrap();
    assert!(said.all()[0].contains("12 bytes follow"));
}

#[test]
fn files_loop_and_seek_and_pipes_do_not() {
    let all = frames(5, 48);
    let options = declared(VideoFormat::Rgb, 4, 4);
    let (dir, path) = written("a.raw", &all.concat());
    let mut source = open_now(&path, options, true).unwrap();
    source
        .set_target(&target(info(VideoFormat::Rgb, 4, 4)))
        .unwrap();
    for n in 0..103 {
        let frame = next(&mut *source).unwrap().unwrap();
        assert!(pixels(&frame) == all[n % 5]);
    }
    source.seek(9, gst::ClockTime::ZERO).unwrap();
    assert!(pixels(&next(&mut *source).unwrap().unwrap()) == all[4]);
    let mut source = open_now(&path, options, false).unwrap();
    source
        .set_target(&target(info(VideoFormat::Rgb, 4, 4)))
        .unwrap();
    next(&mut *source).unwrap();
    source.seek(3, gst::ClockTime::ZERO).unwrap();
    assert!(rest(&mut *source).0 == all[3..]);
    source.seek(3, gst::ClockTime::ZERO).unwrap();
    assert!(rest(&mut *source).0 == all[3..]);

    let fifo = input::tests::fifo(&dir);
    let error = match open_now(&fifo, options, true) {
        Ok(_) => panic!("a FIFO cannot loop"),
        Err(error) => error.to_string(),
    };
    assert!(error.starts_with("property \"loop\": "), "{error}");
}

#[test]
fn a_pipe_takes_a_new_target_in_mid_stream() {
    let dir = tempfile::tempdir().unwrap();
    let path = input::tests::fifo(&dir);
    let writer = thread::spawn({
        let path = path.clone();
        move || {
            let mut pipe = OpenOptions::new().write(true).open(path).unwrap();
            for n in 0..200u8 {
                pipe.write_all(&[n; 4 * 4 * 3]).unwrap();
            }
        }
    });
    let mut source = open_now(&path, declared(VideoFormat::Rgb, 4, 4), false).unwrap();
    let width_of = |n: u32| 4 + n / 20 % 3;
    for n in 0..200u32 {
        if n % 20 == 0 {
            source
                .set_target(&target(info(VideoFormat::Rgb, width_of(n), 4)))
                .unwrap();
        }
        let frame = next(&mut *source).unwrap().unwrap();
        let data = pixels(&frame);
        assert_eq!(data.len() as u32, frame.info.width() * 12);
        assert!(
            data.iter().all(|b| b.abs_diff(n as u8) <= 1),
            "{n} {}",
            data[0]
        );
        let width = frame.info.width();
        // What was read ahead may be for the target before, in any order.
        let may_be_old = n >= 20 && n % 20 < PREFETCH;
        let is_old = may_be_old && width == width_of(n - 20);
        assert!(is_old || width == width_of(n), "{n} {width}");
    }
    assert!(next(&mut *source).unwrap().is_none());
    writer.join().unwrap();
}

#[test]
fn waiting_for_a_pipe_ends_when_it_is_told_to() {
    let dir = tempfile::tempdir().unwrap();
    let path = input::tests::fifo(&dir);
    let (around, _) = around(false);
    let options = declared(VideoFormat::Rgb, 4, 4);
    let location = path.to_str().unwrap();
    let Ok(Opening::Later(mut opening)) = open(location, options, &around) else {
        panic!("not a pipe");
    };
    let limit = Some(Duration::from_millis(10));
    assert!(matches!(opening.wait(limit), Wait::TimedOut));
    around.gate.set_flushing(true);
    assert!(matches!(opening.wait(None), Wait::Flushing));
    around.gate.set_flushing(false);
    let start = Instant::now();
    drop(opening);
    assert!(start.elapsed() < Duration::from_millis(100));

    // Nothing is lost by having waited before.
    let Ok(Opening::Later(mut opening)) = open(location, options, &around) else {
        panic!("not a pipe");
    };
    assert!(matches!(opening.wait(limit), Wait::TimedOut));
    let mut pipe = OpenOptions::new().write(true).open(&path).unwrap();
    pipe.write_all(&[5; 48 + 47]).unwrap();
    let Wait::Ready(Some(Ok(mut source))) = opening.wait(None) else {
        panic!("the writer is there");
    };
    source
        .set_target(&target(info(VideoFormat::Rgb, 4, 4)))
        .unwrap();
    assert_eq!(pixels(&next(&mut *source).unwrap().unwrap()), [5; 48]);
    assert!(matches!(source.next(limit), Ok(Next::TimedOut)));
    let flusher = thread::spawn({
        let gate = around.gate.clone();
        move || {
            thread::sleep(Duration::from_millis(20));
            gate.set_flushing(true);
        }
    });
    assert!(matches!(source.next(None), Ok(Next::Flushing)));
    flusher.join().unwrap();
    around.gate.set_flushing(false);
    pipe.write_all(&[6; 1]).unwrap();
    let frame = pixels(&next(&mut *source).unwrap().unwrap());
    assert_eq!((frame[46], frame[47]), (5, 6));
    // Blocked in the middle of a frame.
    pipe.write_all(&[7; 10]).unwrap();
    assert!(matches!(source.next(limit), Ok(Next::TimedOut)));
    let start = Instant::now();
    drop(source);
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[test]
fn a_writer_that_says_nothing_is_an_error() {
    let (_, error) = {
        let dir = tempfile::tempdir().unwrap();
        let path = input::tests::fifo(&dir);
        let writer = thread::spawn({
            let path = path.clone();
            move || drop(OpenOptions::new().write(true).open(path).unwrap())
        });
        let error = open_error(&path, Options::default());
        writer.join().unwrap();
        (dir, error)
    };
    assert!(error.contains("before the first byte"), "{error}");
}
