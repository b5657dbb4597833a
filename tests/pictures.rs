// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What `dsframecapture` makes of detections: a picture of each object, and boxes with labels.

mod common;

use std::path::Path;

use common::pictures::{Picture, info, picture, psnr, read, scene};
use common::rig::Rig;
use common::{Messages, at, count, files, launch, lines, play_well};
use gst::prelude::*;
use gst_video::{VideoFormat, VideoInfo};
use gstdsframe::frame::lanes::lanes;
use gstdsframe::frame::{FORMATS, SYSTEM_FORMATS};
use gstdsframe::meta::{Bounds, Detection, roi};
use tempfile::{TempDir, tempdir};

/// Of the frame, left, top, width and height.
type Box = [usize; 4];

fn all_formats() -> impl Iterator<Item = VideoFormat> {
    FORMATS.into_iter().chain(SYSTEM_FORMATS)
}

fn detection(label: &str, [left, top, width, height]: Box) -> Detection {
    Detection {
        label: label.into(),
        bounds: Bounds {
            left: left as f32,
            top: top as f32,
            width: width as f32,
            height: height as f32,
        },
        ..Detection::default()
    }
}

fn with_boxes(info: &VideoInfo, detections: &[Detection]) -> gst::Buffer {
    let mut buffer = scene(info);
    let buffer_ref = buffer.make_mut();
    buffer_ref.set_pts(gst::ClockTime::ZERO);
    roi::attach(buffer_ref, detections);
    buffer
}

/// Captures one frame with these boxes.
fn capture(
    info: &VideoInfo,
    detections: &[Detection],
    location: &str,
    properties: &[(&str, &str)],
) -> (Rig, Messages) {
    let mut all = vec![("interval", "1"), ("location", location)];
    all.extend(properties);
    let rig = Rig::of(info, &all);
    rig.pad.push(with_boxes(info, detections)).unwrap();
    let messages = rig.end();
    (rig, messages)
}

/// The bytes of a part of a picture, which begins where chroma does.
fn part(of: &Picture, [left, top, width, height]: Box) -> Vec<u8> {
    let mut rest = of.bytes.as_slice();
    let mut bytes = Vec::new();
    for plane in lanes(of.format) {
        let group = plane.bytes.len();
        let row_bytes = of.width.div_ceil(plane.across) * group;
        let (all, after) = rest.split_at(row_bytes * of.height.div_ceil(plane.down));
        rest = after;
        let first = left / plane.across * group;
        let len = width.div_ceil(plane.across) * group;
        for y in 0..height.div_ceil(plane.down) {
            let row = &all[(top / plane.down + y) * row_bytes..];
            bytes.extend_from_slice(&row[first..first + len]);
        }
    }
    bytes
}

#[test]
fn crops_are_the_pixels_of_their_boxes() {
    let boxes = [
        [10, 20, 30, 40],
        [11, 21, 31, 41],
        [90, 60, 7, 3],
        [0, 0, 1, 1],
    ];
    for format in all_formats() {
        let info = info(format, 98, 63);
        let folder = tempdir().unwrap();
        let location = at(&folder, "{frame}-%d.raw");
        let detections = boxes.map(|it| detection("it", it));
        let (rig, _) = capture(&info, &detections, &location, &[("crop", "objects")]);
        let frame = picture(&scene(&info), &info);
        let groups = lanes(format);
        let across = groups.iter().map(|plane| plane.across).max().unwrap();
        let down = groups.iter().map(|plane| plane.down).max().unwrap();
        for ([x, y, w, h], name) in boxes.iter().zip(["0-0", "0-0-2", "0-0-3", "0-0-4"]) {
            // The corner is where chroma begins, and the end stays.
            let (left, top) = (x - x % across, y - y % down);
            let (right, bottom) = (x + w, (y + h).min(63));
            let expected = part(&frame, [left, top, right - left, bottom - top]);
            let got = std::fs::read(folder.path().join(format!("{name}.raw"))).unwrap();
            assert!(got == expected, "{format} {name}");
        }
        assert_eq!(files(folder.path()).len(), 4);
        assert_eq!((rig.count("captured"), rig.count("pictures")), (1, 4));
        assert_eq!((rig.count("renamed"), rig.count("objects-skipped")), (3, 0));
    }
}

/// Plays frames of the pattern with objects into a folder.
fn objects(folder: &TempDir, caps: &str, suffix: &str, properties: &str) -> Messages {
    play_well(&format!(
        "dsframeinject num-buffers=4 pattern=objects ! video/x-raw,{caps} ! dsframecapture \
         interval=1 {properties} post-messages=true location={} log-location={}",
        at(folder, &format!("%03d.{suffix}")),
        at(folder, "log.jsonl"),
    ))
}

fn values(line: &serde_json::Value) -> Box {
    let numbers = line["box"].as_array().unwrap();
    std::array::from_fn(|i| numbers[i].as_f64().unwrap() as usize)
}

/// Colours of the pattern, by object.
const COLOURS: [[u8; 3]; 5] = [
    [220, 60, 60],
    [60, 90, 220],
    [60, 200, 80],
    [230, 160, 40],
    [170, 60, 200],
];

#[test]
fn every_object_gets_a_picture_of_its_own() {
    for format in ["RGB", "BGR", "RGBA", "I420", "NV12", "YUY2"] {
        let folder = tempdir().unwrap();
        let caps = format!("format={format},width=640,height=360");
        let messages = objects(&folder, &caps, "png", "crop=objects");
        let log = lines(&folder.path().join("log.jsonl"));
        assert_eq!(log.len(), 4);
        let messages = messages.elements("dsframecapture-saved");
        for (line, message) in log.iter().zip(&messages) {
            assert!(line["file"].is_null() && line.get("annotated").is_none());
            assert_eq!(line["shape"][0], 360);
            let objects = line["objects"].as_array().unwrap();
            let names: Vec<&str> = objects
                .iter()
                .map(|it| it["crop"].as_str().unwrap())
                .collect();
            let files = message.get::<gst::Array>("files").unwrap();
            let files: Vec<String> = files.iter().map(|f| f.get().unwrap()).collect();
            assert_eq!(files, names);
            assert_eq!(message.get::<String>("file").unwrap(), names[0]);
            for ((object, name), colour) in objects.iter().zip(names).zip(COLOURS) {
                let [left, top, width, height] = values(object);
                let crop = read(Path::new(name));
                let subsampled = matches!(format, "I420" | "NV12" | "YUY2");
                let (skip_x, skip_y) = match (subsampled, format) {
                    (false, _) => (0, 0),
                    (true, "YUY2") => (left % 2, 0),
                    (true, _) => (left % 2, top % 2),
                };
                assert_eq!(
                    (crop.width, crop.height),
                    (width + skip_x, height + skip_y),
                    "{format}"
                );
                let pixel = |x: usize, y: usize| {
                    let size = if crop.format == VideoFormat::Rgba {
                        4
                    } else {
                        3
                    };
                    &crop.bytes[(y * crop.width + x) * size..][..3]
                };
                // At the edges, chroma is shared with what is around.
                let margin = if subsampled { 3 } else { 0 };
                for y in margin + skip_y..crop.height - margin {
                    for x in margin + skip_x..crop.width - margin {
                        let close = |(a, b): (&u8, u8)| a.abs_diff(b) <= 4 * u8::from(subsampled);
                        let equal = pixel(x, y).iter().zip(colour).all(close);
                        assert!(equal, "{format} {x} {y}: {:?}", pixel(x, y));
                    }
                }
            }
        }
    }
}

#[test]
fn crops_grow_and_are_scaled() {
    let sizes = |properties: &str| {
        let folder = tempdir().unwrap();
        objects(
            &folder,
            "format=RGB,width=640,height=360",
            "png",
            properties,
        );
        let log = lines(&folder.path().join("log.jsonl"));
        let objects: Vec<_> = log[0]["objects"].as_array().unwrap().clone();
        let size = |object: &serde_json::Value| {
            let crop = read(Path::new(object["crop"].as_str().unwrap()));
            (values(object), (crop.width, crop.height))
        };
        objects.iter().map(size).collect::<Vec<_>>()
    };
    for (it, size) in sizes("crop=objects crop-square=true") {
        let side = it[2].max(it[3]);
        assert_eq!(size, (side, side));
    }
    for (it, size) in sizes("crop=objects crop-padding=0.5") {
        assert_eq!(size, (2 * it[2], 2 * it[3]));
    }
    for (it, size) in sizes("crop=objects crop-min-size=100x50") {
        assert_eq!(size, (it[2].max(100), it[3].max(50)));
    }
    for (_, size) in sizes("crop=objects width=48 height=32") {
        assert_eq!(size, (48, 32));
    }
    for (it, size) in sizes("crop=objects height=90") {
        let width = (it[2] * 90 + it[3] / 2) / it[3];
        assert_eq!(size, (width, 90));
    }
}

#[test]
fn a_frame_without_objects_has_a_log_line_and_no_picture() {
    let folder = tempdir().unwrap();
    let log = at(&folder, "log.jsonl");
    let info = info(VideoFormat::Rgb, 32, 24);
    let properties = [("crop", "objects"), ("log-location", log.as_str())];
    let (rig, _) = capture(&info, &[], &at(&folder, "%d.png"), &properties);
    assert_eq!(files(folder.path()), ["log.jsonl"]);
    assert!(lines(Path::new(&log))[0]["file"].is_null());
    assert_eq!((rig.count("captured"), rig.count("pictures")), (1, 0));
}

#[test]
fn objects_that_are_not_in_the_frame_are_skipped_and_counted() {
    let folder = tempdir().unwrap();
    let log = at(&folder, "log.jsonl");
    let info = info(VideoFormat::Nv12, 64, 48);
    let detections = [
        detection("far", [1000, 0, 10, 10]),
        detection("here", [10, 10, 20, 20]),
        detection("flat", [10, 10, 0, 20]),
    ];
    let properties = [("crop", "objects"), ("log-location", log.as_str())];
    let (rig, _) = capture(&info, &detections, &at(&folder, "%d.png"), &properties);
    assert_eq!(files(folder.path()), ["0.png", "log.jsonl"]);
    assert_eq!(
        (rig.count("captured"), rig.count("objects-skipped")),
        (1, 2)
    );
    let line = &lines(Path::new(&log))[0];
    let crops: Vec<bool> = line["objects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|object| object.get("crop").is_some())
        .collect();
    assert_eq!(crops, [false, true, false]);
}

#[test]
fn all_pictures_of_a_capture_or_none() {
    let folder = tempdir().unwrap();
    let existing = folder.path().join("0-annotated.png");
    std::fs::write(&existing, "before").unwrap();
    let info = info(VideoFormat::Rgb, 32, 24);
    let detections = [detection("it", [4, 4, 10, 10])];
    let location = at(&folder, "%d.png");
    let fail = [("annotate", "both"), ("on-exists", "fail")];
    let (rig, messages) = capture(&info, &detections, &location, &fail);
    assert_eq!(messages.warnings().len(), 1);
    assert_eq!(files(folder.path()), ["0-annotated.png"]);
    assert_eq!((rig.count("failed"), rig.count("pictures")), (1, 0));
    // By default, the new one gets a suffix.
    capture(&info, &detections, &location, &[("annotate", "both")]);
    assert_eq!(
        files(folder.path()),
        ["0-annotated-2.png", "0-annotated.png", "0.png"]
    );
    assert_eq!(std::fs::read(&existing).unwrap(), b"before");
}

fn pixel(picture: &Picture, x: usize, y: usize) -> [u8; 3] {
    assert_eq!(picture.format, VideoFormat::Rgb);
    let at = 3 * (y * picture.width + x);
    picture.bytes[at..at + 3].try_into().unwrap()
}

/// How an annotated picture differs from the clean one: lines of one colour at the edges of the box,
/// and the rest as it was but for the label.
fn check_annotated(clean: &Picture, drawn: &Picture, [left, top, width, height]: Box) {
    let (right, bottom) = (left + width, top + height);
    let line = ((clean.height + 120) / 240).max(1);
    let colour = pixel(drawn, left, bottom - 1);
    assert_ne!(colour, pixel(clean, left, bottom - 1));
    let scale = ((clean.height + 240) / 480).max(1);
    let label = 10 * scale;
    for y in 0..clean.height {
        for x in 0..clean.width {
            let within =
                |d: usize| (left + d..right - d).contains(&x) && (top + d..bottom - d).contains(&y);
            // Wherever it may be, above or below the line.
            if y + label >= top && y < top + line + label {
                continue;
            }
            if within(0) && !within(line) {
                assert_eq!(pixel(drawn, x, y), colour, "line at {x} {y}");
            } else {
                assert_eq!(pixel(drawn, x, y), pixel(clean, x, y), "{x} {y}");
            }
        }
    }
}

#[test]
fn boxes_are_drawn_over_the_picture_at_any_size() {
    let sizes = [(32, 24), (320, 240), (641, 479), (1920, 1080), (3840, 2160)];
    for format in [
        VideoFormat::Rgb,
        VideoFormat::Nv12,
        VideoFormat::Bgrx,
        VideoFormat::Yuy2,
    ] {
        for (width, height) in sizes {
            let info = info(format, width, height);
            let (w, h) = (width as usize, height as usize);
            let it = [w / 4, h / 4, w / 2, h * 2 / 3];
            let mut one = detection("person", it);
            one.confidence = Some(0.87);
            one.track_id = Some(12);
            let folder = tempdir().unwrap();
            let location = at(&folder, "%d.png");
            let (rig, _) = capture(&info, &[one], &location, &[("annotate", "both")]);
            assert_eq!(rig.count("pictures"), 2);
            let clean = read(&folder.path().join("0.png"));
            let drawn = read(&folder.path().join("0-annotated.png"));
            check_annotated(&clean, &drawn, it);
            // There is a label.
            let scale = ((h + 240) / 480).max(1);
            let y = match it[1] >= 10 * scale {
                true => it[1] - 10 * scale,
                false => it[1] + 1,
            };
            assert_ne!(pixel(&drawn, it[0], y), pixel(&clean, it[0], y));
        }
    }
}

#[test]
fn gray_pictures_are_drawn_over_in_colour() {
    let info = info(VideoFormat::Gray8, 64, 48);
    let folder = tempdir().unwrap();
    let location = at(&folder, "%d.png");
    let log = at(&folder, "log.jsonl");
    let one = [detection("", [8, 8, 40, 30])];
    let properties = [("annotate", "both"), ("log-location", log.as_str())];
    capture(&info, &one, &location, &properties);
    let clean = read(&folder.path().join("0.png"));
    let drawn = read(&folder.path().join("0-annotated.png"));
    assert_eq!(
        (clean.format, drawn.format),
        (VideoFormat::Gray8, VideoFormat::Rgb)
    );
    assert_eq!(lines(Path::new(&log))[0]["shape"][2], 1);
    let gray = clean.bytes[20 * 64 + 20];
    assert_eq!(pixel(&drawn, 20, 20), [gray; 3]);
    let [red, green, blue] = pixel(&drawn, 8, 20);
    assert!(red != green || green != blue);
}

fn same(a: &TempDir, a_name: &str, b: &TempDir, b_name: &str) {
    let read = |folder: &TempDir, name: &str| std::fs::read(folder.path().join(name)).unwrap();
    assert!(
        read(a, a_name) == read(b, b_name),
        "{a_name} and {b_name} differ"
    );
}

#[test]
fn both_are_what_each_of_them_would_be() {
    for (caps, suffix) in [
        ("format=RGB,width=320,height=240", "png"),
        ("format=NV12,width=640,height=480", "jpg"),
        ("format=I420,width=321,height=241", "npy"),
    ] {
        let [clean, drawn, both] = [(); 3].map(|()| tempdir().unwrap());
        objects(&clean, caps, suffix, "");
        objects(&drawn, caps, suffix, "annotate=true");
        let messages = objects(&both, caps, suffix, "annotate=both");
        for number in 0..4 {
            let name = format!("{number:03}.{suffix}");
            let copy = format!("{number:03}-annotated.{suffix}");
            same(&clean, &name, &both, &name);
            same(&drawn, &name, &both, &copy);
        }
        assert_eq!(files(drawn.path()).len(), 5);
        assert_eq!(files(both.path()).len(), 9);
        let log = lines(&both.path().join("log.jsonl"));
        let messages = messages.elements("dsframecapture-saved");
        for (number, (line, message)) in log.iter().zip(&messages).enumerate() {
            let path = |name: &str| at(&both, &format!("{number:03}{name}.{suffix}"));
            assert_eq!(line["file"], path("").as_str());
            assert_eq!(line["annotated"], path("-annotated").as_str());
            let files = message.get::<gst::Array>("files").unwrap();
            let files: Vec<String> = files.iter().map(|f| f.get().unwrap()).collect();
            assert_eq!(files, [path(""), path("-annotated")]);
        }
    }
}

#[test]
fn the_frame_itself_is_left_alone() {
    let clean = tempdir().unwrap();
    let caps = "format=RGB,width=320,height=240";
    objects(&clean, caps, "png", "");
    let folder = tempdir().unwrap();
    let pipeline = launch(&format!(
        "dsframeinject num-buffers=4 pattern=objects ! video/x-raw,{caps} ! tee name=t \
         t. ! queue ! dsframecapture interval=1 annotate=boxes location={} \
         t. ! queue max-size-buffers=1 ! dsframecapture name=clean interval=1 location={} \
         t. ! queue ! dsframecapture interval=1 crop=objects annotate=true location={}",
        at(&folder, "drawn-%03d.png"),
        at(&folder, "clean-%03d.png"),
        at(&folder, "crops-%03d.png"),
    ));
    assert!(common::play(&pipeline).eos());
    assert_eq!(count(&pipeline.by_name("clean").unwrap(), "captured"), 4);
    for number in 0..4 {
        let name = format!("{number:03}.png");
        same(&clean, &name, &folder, &format!("clean-{name}"));
        let drawn = read(&folder.path().join(format!("drawn-{name}")));
        assert_ne!(drawn, read(&clean.path().join(&name)));
    }
}

/// Crops are drawn over as well: the object's own box, in its padding.
#[test]
fn crops_can_be_annotated() {
    let folder = tempdir().unwrap();
    let log = at(&folder, "log.jsonl");
    let info = info(VideoFormat::Rgb, 400, 300);
    let detections = [
        detection("", [100, 120, 60, 80]),
        detection("", [300, 200, 40, 40]),
    ];
    let properties = [
        ("crop", "objects"),
        ("annotate", "both"),
        ("crop-padding", "0.25"),
        ("width", "180"),
        ("log-location", log.as_str()),
    ];
    capture(&info, &detections, &at(&folder, "%d.png"), &properties);
    assert_eq!(
        files(folder.path()),
        [
            "0-2.png",
            "0-annotated-2.png",
            "0-annotated.png",
            "0.png",
            "log.jsonl"
        ]
    );
    let clean = read(&folder.path().join("0.png"));
    let drawn = read(&folder.path().join("0-annotated.png"));
    // 90 x 120 twice as large, and the box 15 and 20 from its edges.
    assert_eq!((clean.width, clean.height), (180, 240));
    check_annotated(&clean, &drawn, [30, 40, 120, 160]);
    let line = &lines(Path::new(&log))[0];
    assert_eq!(line["objects"][1]["crop"], at(&folder, "0-2.png").as_str());
    let copy = at(&folder, "0-annotated-2.png");
    assert_eq!(line["objects"][1]["annotated"], copy.as_str());
}

#[test]
fn jpegs_look_like_the_lossless_ones() {
    for format in ["RGB", "NV12", "I420"] {
        let caps = format!("format={format},width=640,height=480");
        for properties in ["annotate=boxes", "crop=objects crop-padding=0.2"] {
            let [lossless, lossy] = [(); 2].map(|()| tempdir().unwrap());
            objects(&lossless, &caps, "png", properties);
            let properties = format!("{properties} quality=98 subsampling=444");
            objects(&lossy, &caps, "jpg", &properties);
            let names = files(lossless.path());
            for name in names.iter().filter(|name| name.ends_with(".png")) {
                let a = read(&lossless.path().join(name));
                let b = read(&lossy.path().join(name.replace(".png", ".jpg")));
                let psnr = psnr(&a, &b);
                // Sharp edges: not all ways to make pixels of I420 interpolate its chroma.
                assert!(psnr > 25.0, "{format} {properties} {name}: {psnr:.1} dB");
            }
        }
    }
}

/// More than a process may have files open, as a rule.
#[test]
fn a_capture_may_have_very_many_pictures() {
    let folder = tempdir().unwrap();
    let info = info(VideoFormat::Rgb, 64, 48);
    let boxes = (0..1500).map(|i| detection("", [i % 60, i / 60, 4, 4]));
    let boxes: Vec<_> = boxes.collect();
    let location = at(&folder, "{frame}.raw");
    let properties = [("crop", "objects"), ("annotate", "none")];
    let (rig, _) = capture(&info, &boxes, &location, &properties);
    assert_eq!((rig.count("captured"), rig.count("pictures")), (1, 1500));
    assert_eq!(files(folder.path()).len(), 1500);
}

/// A sliver is not made a picture of endless height.
#[test]
fn slivers_are_squeezed() {
    let folder = tempdir().unwrap();
    let info = info(VideoFormat::Gray8, 64, 480);
    let detections = [detection("", [10, 0, 1, 480])];
    let properties = [("crop", "objects"), ("width", "100")];
    capture(&info, &detections, &at(&folder, "%d.png"), &properties);
    let crop = read(&folder.path().join("0.png"));
    assert_eq!((crop.width, crop.height), (100, 1600));
}
