// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

use super::super::file::Options;
use super::super::testing::*;
use super::*;
use crate::inject::gate::Wait;
use std::fs;
use tempfile::TempDir;

fn rgb(n: u32) -> [u8; 3] {
    [n as u8, (n >> 8) as u8, 77]
}

/// Pictures named by their numbers, which are in their pixels too.
fn numbered(numbers: impl IntoIterator<Item = u32>) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for n in numbers {
        let path = dir.path().join(format!("f_{n}.png"));
        write_picture(&path, VideoFormat::Rgb, (16, 8), &rgb(n));
    }
    dir
}

fn range(start: u64, stop: Option<u64>) -> Options {
    Options {
        range: Range { start, stop },
        ..Options::default()
    }
}

fn started(path: &Path, options: Options, looping: bool) -> Box<dyn Source> {
    let mut source = open_now(path, options, looping).unwrap();
    let target = target(info(VideoFormat::Rgb, 16, 8));
    source.set_target(&target).unwrap();
    source
}

/// The number of a frame, of which every pixel must carry it.
fn number(pixels: &[u8]) -> u32 {
    assert_eq!(pixels.len(), 16 * 8 * 3);
    assert!(pixels.chunks(3).all(|p| p == &pixels[..3] && p[2] == 77));
    u32::from(pixels[0]) | u32::from(pixels[1]) << 8
}

fn all(source: &mut dyn Source) -> Vec<u32> {
    let (frames, error) = rest(source);
    assert_eq!(error, None);
    frames.iter().map(|f| number(f)).collect()
}

#[test]
fn all_pictures_in_order() {
    let dir = numbered(0..300);
    for location in [
        dir.path().to_owned(),
        dir.path().join("*.png"),
        dir.path().join("f_%d.png"),
    ] {
        let mut source = started(&location, Options::default(), false);
        assert_eq!(source.facts().frames, Some(300));
        let native = source.facts().native.clone().unwrap();
        assert_eq!((native.width(), native.height()), (16, 8));
        assert_eq!(all(&mut *source), (0..300).collect::<Vec<_>>());
        assert!(all(&mut *source).is_empty());
        source.seek(295, gst::ClockTime::ZERO).unwrap();
        assert_eq!(all(&mut *source), [295, 296, 297, 298, 299]);
        source.seek(1000, gst::ClockTime::ZERO).unwrap();
        assert!(all(&mut *source).is_empty());
    }
}

#[test]
fn start_and_stop() {
    let dir = numbered([1, 2, 3, 10, 11]);
    let run = |name: &str, start, stop| {
        all(&mut *started(
            &dir.path().join(name),
            range(start, stop),
            false,
        ))
    };
    assert_eq!(run("f_%d.png", 1, None), [1, 2, 3]);
    assert_eq!(run("f_%d.png", 2, Some(2)), [2]);
    assert_eq!(run("f_%d.png", 10, Some(99)), [10, 11]);
    assert_eq!(run("*.png", 1, Some(3)), [2, 3, 10]);
    assert_eq!(run("", 3, None), [10, 11]);
    let error = |name: &str, start, stop| open_error(&dir.path().join(name), range(start, stop));
    assert!(error("*.png", 5, None).contains("property \"start-index\": 5 is beyond"));
    assert!(error("*.png", 3, Some(2)).contains("stop-index"));
    let first = error("f_%d.png", 0, None);
    assert!(
        first.contains("f_0.png") && first.contains("start-index"),
        "{first}"
    );
}

#[test]
fn a_gap_is_said() {
    let dir = numbered([1, 2, 4, 9]);
    let open = |start, stop| {
        let (around, said) = around(false);
        let pattern = dir.path().join("f_%d.png");
        open_in(&pattern, range(start, stop), &around).unwrap();
        said.all()
    };
    let said = open(1, None);
    assert_eq!(said.len(), 1);
    for part in ["location", "f_3.png", "f_4.png", "glob"] {
        assert!(said[0].contains(part), "{said:?}");
    }
    assert!(open(9, None).is_empty());
    assert!(open(1, Some(2)).is_empty());
    assert!(open(1, Some(3)).is_empty());
}

#[test]
fn loops() {
    let dir = numbered(0..3);
    let mut source = started(dir.path(), Options::default(), true);
    for n in 0..1000 {
        assert_eq!(
            number(&pixels(&next(&mut *source).unwrap().unwrap())),
            n % 3
        );
    }
    source.seek(5, gst::ClockTime::ZERO).unwrap();
    assert_eq!(number(&pixels(&next(&mut *source).unwrap().unwrap())), 2);
}

#[test]
fn a_still_is_decoded_once_for_each_format() {
    let dir = numbered([5]);
    let mut source = started(&dir.path().join("f_5.png"), Options::default(), true);
    let first = next(&mut *source).unwrap().unwrap();
    // Only what was decoded before can come now.
    fs::remove_file(dir.path().join("f_5.png")).unwrap();
    for _ in 0..100 {
        let again = next(&mut *source).unwrap().unwrap();
        assert_eq!(again.buffer.as_ptr(), first.buffer.as_ptr());
    }
    write_picture(
        &dir.path().join("f_5.png"),
        VideoFormat::Rgb,
        (16, 8),
        &rgb(6),
    );
    source
        .set_target(&target(info(VideoFormat::Bgr, 4, 4)))
        .unwrap();
    let other = next(&mut *source).unwrap().unwrap();
    assert_eq!(pixels(&other), [77, 0, 6].repeat(16));
    let (around, _) = around(true);
    let mut source = open_in(&dir.path().join("f_5.png"), Options::default(), &around).unwrap();
    source
        .set_target(&target(info(VideoFormat::Rgb, 16, 8)))
        .unwrap();
    next(&mut *source).unwrap();
    around.gate.set_flushing(true);
    assert!(matches!(source.next(None), Ok(Next::Flushing)));
}

#[test]
fn every_format_from_jpeg_and_png() {
    let dir = tempfile::tempdir().unwrap();
    write_picture(
        &dir.path().join("1.jpg"),
        VideoFormat::Rgb,
        (64, 48),
        &[200, 60, 20],
    );
    write_picture(
        &dir.path().join("2.png"),
        VideoFormat::Rgb,
        (64, 48),
        &[200, 60, 20],
    );
    write_picture(
        &dir.path().join("3.png"),
        VideoFormat::Rgba,
        (64, 48),
        &[200, 60, 20, 255],
    );
    let formats = crate::frame::FORMATS
        .iter()
        .chain(&crate::frame::SYSTEM_FORMATS);
    for format in formats {
        for size in [(64, 48), (32, 30), (63, 47)] {
            let mut source = open_now(dir.path(), Options::default(), false).unwrap();
            source
                .set_target(&target(info(*format, size.0, size.1)))
                .unwrap();
            let (frames, error) = rest(&mut *source);
            assert_eq!((frames.len(), error), (3, None));
            let want: &[u8] = match format {
                VideoFormat::Rgb => &[200, 60, 20],
                VideoFormat::Bgr => &[20, 60, 200],
                VideoFormat::Rgba | VideoFormat::Rgbx => &[200, 60, 20, 255],
                VideoFormat::Bgra | VideoFormat::Bgrx => &[20, 60, 200, 255],
                VideoFormat::Gray8 => &[97],
                VideoFormat::Yuy2 => &[100, 90, 100, 192],
                VideoFormat::Uyvy => &[90, 100, 192, 100],
                _ => &[100],
            };
            for frame in &frames {
                for (got, want) in frame.iter().zip(want) {
                    assert!(
                        got.abs_diff(*want) <= 4,
                        "{format} {:?} {want}",
                        &frame[..4]
                    );
                }
            }
        }
    }
}

#[test]
fn mixed_sizes_are_scaled_with_or_without_borders() {
    let dir = tempfile::tempdir().unwrap();
    let gray = [9];
    write_picture(
        &dir.path().join("1.png"),
        VideoFormat::Rgb,
        (16, 8),
        &[90, 91, 92],
    );
    write_picture(
        &dir.path().join("2.png"),
        VideoFormat::Rgb,
        (8, 8),
        &[90, 91, 92],
    );
    write_picture(
        &dir.path().join("3.jpg"),
        VideoFormat::Gray8,
        (40, 20),
        &gray,
    );
    for add_borders in [false, true] {
        let mut source = open_now(dir.path(), Options::default(), false).unwrap();
        let info = info(VideoFormat::Rgb, 16, 8);
        source
            .set_target(&Target {
                info,
                add_borders,
                card: None,
            })
            .unwrap();
        let (frames, error) = rest(&mut *source);
        assert_eq!((frames.len(), error), (3, None));
        assert_eq!(frames[0], [90, 91, 92].repeat(128));
        let bar = if add_borders { [0; 3] } else { [90, 91, 92] };
        for row in frames[1].chunks(48) {
            assert_eq!(row[..12], bar.repeat(4), "{row:?}");
            assert_eq!(row[12..36], [90, 91, 92].repeat(8));
        }
        assert!(frames[2].iter().all(|b| b.abs_diff(9) <= 1));
    }
}

#[test]
fn a_new_target_is_used_for_what_was_not_fetched_yet() {
    let dir = numbered((0..60).map(|n| 4 * n));
    let mut source = started(dir.path(), Options::default(), false);
    for n in 0..10 {
        assert_eq!(
            number(&pixels(&next(&mut *source).unwrap().unwrap())),
            4 * n
        );
    }
    let small = info(VideoFormat::Bgr, 4, 2);
    source.set_target(&target(small.clone())).unwrap();
    let mut old = 0;
    for n in 10..60 {
        let frame = next(&mut *source).unwrap().unwrap();
        if frame.info == small {
            let want = [77, 0, 4 * n as u8].repeat(8);
            // The scaler may lose one step of a flat colour.
            let near = |(a, b): (&u8, &u8)| a.abs_diff(*b) <= 1;
            assert!(
                pixels(&frame).iter().zip(&want).all(near),
                "{n} {:?}",
                &pixels(&frame)[..6]
            );
        } else {
            assert_eq!(number(&pixels(&frame)), 4 * n);
            old += 1;
        }
    }
    assert!(old <= 4, "{old} frames were ahead");
}

#[test]
fn bad_pictures_are_named_and_can_be_skipped() {
    let dir = numbered([0, 9]);
    let at = |name: &str| dir.path().join(name);
    write_picture(&at("w.jpg"), VideoFormat::Rgb, (64, 64), &[1, 2, 3]);
    let jpeg = fs::read(at("w.jpg")).unwrap();
    let png = fs::read(at("f_9.png")).unwrap();
    fs::remove_file(at("w.jpg")).unwrap();
    fs::write(at("f_1.jpg"), b"this is a text").unwrap();
    fs::write(at("f_2.png"), b"").unwrap();
    fs::write(at("f_3.jpg"), &jpeg[..jpeg.len() - 20]).unwrap();
    fs::write(at("f_4.png"), &png[..png.len() - 30]).unwrap();
    fs::write(at("f_5.jpg"), &jpeg[..30]).unwrap();
    let mut source = started(dir.path(), Options::default(), false);
    assert_eq!(number(&pixels(&next(&mut *source).unwrap().unwrap())), 0);
    for (name, part) in [
        ("f_1.jpg", "neither a JPEG nor a PNG"),
        ("f_2.png", "0 bytes"),
        ("f_3.jpg", "JPEG"),
        ("f_4.png", "PNG"),
        ("f_5.jpg", "JPEG"),
    ] {
        let error = next(&mut *source).unwrap_err();
        assert!(error.is_one_frame());
        let text = error.to_string();
        assert!(text.contains(name) && text.contains(part), "{text}");
    }
    assert_eq!(number(&pixels(&next(&mut *source).unwrap().unwrap())), 9);
    assert!(next(&mut *source).unwrap().is_none());

    // A bad first picture does not hide the size of the sequence.
    let mut source = started(&at("*"), range(1, None), false);
    let native = source.facts().native.clone().unwrap();
    assert_eq!((native.width(), native.height()), (64, 64));
    assert!(next(&mut *source).unwrap_err().is_one_frame());
    // Nothing good at all.
    assert!(open_error(&at("f_1.jpg"), Options::default()).contains("f_1.jpg"));
}

#[test]
fn a_loop_of_bad_pictures_ends() {
    let dir = numbered([0, 1]);
    let mut source = started(dir.path(), Options::default(), true);
    for n in 0..2 {
        fs::write(dir.path().join(format!("f_{n}.png")), b"bad").unwrap();
    }
    let mut errors = 0;
    let last = loop {
        match next(&mut *source) {
            Ok(frame) => assert!(frame.is_some()),
            Err(error) if error.is_one_frame() => errors += 1,
            Err(error) => break error.to_string(),
        }
        assert!(errors < 10);
    };
    assert!(last.contains("not one of 2"), "{last}");
}

#[test]
fn missing_files_and_flushing() {
    let dir = numbered([0, 1]);
    let path = dir.path().join("f_1.png");
    let (around, _) = around(false);
    let mut source = open_in(dir.path(), Options::default(), &around).unwrap();
    fs::remove_file(&path).unwrap();
    source
        .set_target(&target(info(VideoFormat::Rgb, 16, 8)))
        .unwrap();
    around.gate.set_flushing(true);
    assert!(matches!(source.next(None), Ok(Next::Flushing)));
    around.gate.set_flushing(false);
    assert_eq!(number(&pixels(&next(&mut *source).unwrap().unwrap())), 0);
    let error = next(&mut *source).unwrap_err();
    assert!(!error.is_one_frame() && error.to_string().contains("f_1.png"));
    assert!(matches!(
        around.gate.wait(None, || Some(())),
        Wait::Ready(())
    ));
}
