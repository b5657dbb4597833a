// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Metadata that is damaged or means harm: pictures come nevertheless, and go where they may.

use gst::prelude::*;
use gstdsframe::mem::sys::Generation;

use crate::abi::{Struct, header, params, poke, value};
use crate::batch::{Arena, BatchBuilder, ObjectSpec, attach_other};
use crate::common::{at, check_accounts, files, lines};
use crate::kit::{Feed, Muxer, Shot, spelled, takes, tracked};

const FRAME: &str = "NvDsFrameMeta";
const BATCH: &str = "NvDsBatchMeta";

type Damage = fn(&Arena);

fn cyclic_objects(arena: &Arena) {
    let objects = &arena.frames[1].objects;
    arena.set_u64(objects[0].node, "GList", "next", objects[2].node);
}

fn cyclic_frames(arena: &Arena) {
    let (first, last) = (&arena.frames[0], &arena.frames[1]);
    arena.set_u64(last.node, "GList", "next", first.node);
}

fn impossible_next(arena: &Arena) {
    let object = &arena.frames[1].objects[0];
    arena.set_u64(object.node, "GList", "next", 0x1234);
}

fn foreign_object(arena: &Arena) {
    arena.set_base(arena.frames[1].objects[1].meta, 777);
}

fn no_number(arena: &Arena) {
    let object = arena.frames[1].objects[1].meta;
    arena.set_rect(object, [f32::NAN, 1.0, f32::INFINITY, -3.0]);
}

fn lying_counts(arena: &Arena) {
    for field in ["num_frames_in_batch", "max_frames_in_batch"] {
        arena.set_u32(arena.batch, BATCH, field, u32::MAX);
    }
    arena.set_u32(arena.frames[1].meta, FRAME, "num_obj_meta", 0);
}

fn garbage_labels(arena: &Arena) {
    let object = arena.frames[1].objects[1].meta;
    arena.set(object, "NvDsObjectMeta", "obj_label", [0xff; 128]);
}

/// Whether it costs a warning.
const DAMAGES: [(&str, Damage, bool); 7] = [
    ("cyclic objects", cyclic_objects, true),
    ("cyclic frames", cyclic_frames, true),
    ("impossible next", impossible_next, true),
    ("foreign object", foreign_object, true),
    ("no number", no_number, true),
    ("lying counts", lying_counts, false),
    ("garbage labels", garbage_labels, false),
];

fn shots(number: i32) -> [Shot; 2] {
    let objects = ["car", "bus", "car"].map(|label| tracked(label, 1, 0.5));
    [Shot::new(4, number), Shot::new(8, number).with(objects)]
}

#[test]
fn pictures_come_whatever_the_lists_are() {
    for generation in Generation::ALL {
        for (name, damage, warns) in DAMAGES {
            for mode in ["interval", "metadata"] {
                let folder = tempfile::tempdir().unwrap();
                let feed = Feed::new(&folder, "", &[("mode", mode)]);
                let mut muxer = Muxer::new(generation);
                feed.begin(&muxer.caps());
                for number in 0..3 {
                    let shots = shots(number);
                    let mut buffer = muxer.surfaces(&shots, &[1, 0]);
                    let builder = muxer.metadata(&shots, &[1, 0]).malform(damage);
                    builder.attach(buffer.get_mut().unwrap());
                    feed.push(buffer);
                }
                assert_eq!(feed.count("seen"), 6, "{name}");
                let warnings = feed.end().warnings();
                assert_eq!(warnings.len(), usize::from(warns), "{name}: {warnings:?}");
                let want: Vec<_> = match mode {
                    // Every 30th frame where there are pictures.
                    "interval" => vec![(4, 0), (8, 0)],
                    _ => vec![(8, 0), (8, 1), (8, 2)],
                };
                let got: Vec<_> = takes(&folder).into_iter().map(|t| (t.0, t.1)).collect();
                assert_eq!(got, want, "{name}");
            }
        }
    }
}

#[test]
fn an_unknown_layout_is_no_metadata() {
    for generation in Generation::ALL {
        let folder = tempfile::tempdir().unwrap();
        let feed = Feed::new(&folder, "", &[("interval", "1")]);
        let mut muxer = Muxer::new(generation);
        feed.begin(&muxer.caps());
        for number in 0..3 {
            // Streams by their slots.
            let shots = [0, 1].map(|stream| Shot::new(stream, number));
            let mut buffer = muxer.surfaces(&shots, &[0, 1]);
            let builder: BatchBuilder = muxer.metadata(&shots, &[0, 1]).malform(|arena| {
                for pool in ["frame_meta_pool", "obj_meta_pool", "classifier_meta_pool"] {
                    let at = arena.get_u64(arena.batch, BATCH, pool);
                    arena.set_u32(at, "NvDsMetaPool", "element_size", 12);
                }
            });
            builder.attach(buffer.get_mut().unwrap());
            feed.push(buffer);
        }
        let warnings = feed.end().warnings();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].1.contains("unknown layout"), "{warnings:?}");
        let got: Vec<_> = takes(&folder).into_iter().map(|t| (t.0, t.1)).collect();
        assert_eq!(got, [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2), (1, 2)]);
    }
}

#[test]
fn a_surface_that_is_not_there_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let feed = Feed::new(&folder, "", &[("mode", "metadata")]);
    let mut muxer = Muxer::new(Generation::C);
    feed.begin(&muxer.caps());
    for number in 0..3 {
        let mut shots = shots(number);
        shots[0].objects.push(tracked("car", 1, 0.5));
        let mut buffer = muxer.surfaces(&shots, &[0, 1]);
        let builder = muxer.metadata(&shots, &[u32::MAX as usize, 1]);
        builder.attach(buffer.get_mut().unwrap());
        feed.push(buffer);
    }
    let warnings = feed.end().warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let got: Vec<_> = takes(&folder).into_iter().map(|t| (t.0, t.1)).collect();
    assert_eq!(got, [(8, 0), (8, 1), (8, 2)]);
}

#[test]
fn other_metas_of_deepstream_are_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let feed = Feed::new(&folder, "", &[("mode", "metadata")]);
    let mut muxer = Muxer::new(Generation::A);
    feed.begin(&muxer.caps());
    for number in 0..2 {
        let shots = shots(number);
        let mut buffer = muxer.surfaces(&shots, &[0, 1]);
        let writable = buffer.get_mut().unwrap();
        // An audio batch, a decoder's, and one of an application.
        attach_other(writable, 4098, 0x1000);
        muxer.metadata(&shots, &[0, 1]).attach(writable);
        for (kind, data) in [(4096, 8), (4099, u64::MAX), (0x7fff_ffff, 0)] {
            attach_other(writable, kind, data);
        }
        feed.push(buffer);
    }
    feed.end_silently();
    let got: Vec<_> = takes(&folder).into_iter().map(|t| (t.0, t.1)).collect();
    assert_eq!(got, [(8, 0), (8, 1)]);
}

#[test]
fn labels_do_not_leave_their_folder() {
    let labels: [&[u8]; 9] = [
        b"../../etc/x",
        b"/etc/passwd",
        b"..",
        b".hidden",
        b"a\nb\rc\x1b[2J",
        b"",
        &[0xff; 128],
        "\u{202e}gnp.\u{0}tail".as_bytes(),
        b"%d{frame}%n%s",
    ];
    let folder = tempfile::tempdir().unwrap();
    let location = at(&folder, "in/side/{label}/{label}_{frame}.png");
    let log = at(&folder, "log");
    let properties = [
        ("location", location.as_str()),
        ("log-location", log.as_str()),
        ("mode", "metadata"),
    ];
    let feed = Feed::plain("", &properties);
    let mut muxer = Muxer::new(Generation::B);
    feed.begin(&muxer.caps());
    for (number, label) in labels.iter().enumerate() {
        let object = ObjectSpec {
            label: label.to_vec(),
            ..tracked("", 1, 0.5)
        };
        feed.push(muxer.batch(&[Shot::new(0, number as i32).with([object])]));
    }
    let messages = feed.end();
    assert!(messages.warnings().is_empty(), "{:?}", messages.warnings());
    let all = files(folder.path());
    assert_eq!(all.len(), labels.len() + 1, "{all:?}");
    for name in all.iter().filter(|name| *name != "log") {
        let parts: Vec<_> = name.split('/').collect();
        assert_eq!(
            (parts.len(), parts[0], parts[1]),
            (4, "in", "side"),
            "{name}"
        );
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        for part in &parts[2..] {
            assert!(part.chars().all(plain) && !part.starts_with('.'), "{name}");
        }
    }
    for line in lines(log.as_ref()) {
        let path = line["file"].as_str().unwrap();
        assert_eq!(line["frame_number"], spelled(path.as_ref()).1);
    }
}

#[test]
fn boxes_that_are_none_do_not_disturb_pictures_of_objects() {
    let folder = tempfile::tempdir().unwrap();
    let location = at(&folder, "{stream}_{frame}_{seq}.png");
    let properties = [
        ("location", location.as_str()),
        ("mode", "metadata"),
        ("crop", "objects"),
        ("annotate", "both"),
    ];
    let feed = Feed::plain("", &properties);
    let mut muxer = Muxer::new(Generation::A);
    feed.begin(&muxer.caps());
    let rects = [
        [10.0, 10.0, 50.0, 50.0],
        [0.0; 4],
        [-500.0, -500.0, 10.0, 10.0],
        [250.0, 140.0, 900.0, 900.0],
        [f32::NAN, 0.0, 10.0, 10.0],
        [5.0, 5.0, f32::INFINITY, 5.0],
        [5.0, 5.0, -5.0, 5.0],
        [1e6, 1e6, 1e6, 1e6],
    ];
    let objects = rects.map(|rect| ObjectSpec {
        rect,
        ..tracked("car", 1, 0.5)
    });
    feed.push(muxer.batch(&[Shot::new(0, 0).with(objects)]));
    let capture = feed.capture.clone();
    let warnings = feed.end().warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    check_accounts(&capture);
    let names = files(folder.path());
    // The first and the one at the corner, clean and drawn into.
    assert_eq!(names.len(), 4, "{names:?}");
}

/// A batch in memory that nobody here can read is an error, also where its metadata is sound.
#[test]
fn surfaces_that_cannot_be_read_are_an_error() {
    for generation in Generation::ALL {
        for mode in ["interval", "metadata"] {
            let folder = tempfile::tempdir().unwrap();
            let feed = Feed::new(&folder, "", &[("mode", mode)]);
            let mut muxer = Muxer::new(generation);
            feed.begin(&muxer.caps());
            let shots = shots(0);
            feed.push(muxer.batch(&shots));
            let mut header = Struct::zeroed("NvBufSurface", generation);
            let jetson = value("NvBufSurfaceMemType", "NVBUF_MEM_SURFACE_ARRAY");
            header
                .set("batchSize", 2)
                .set("numFilled", 2)
                .set("memType", jetson);
            let mut buffer = gst::Buffer::from_mut_slice(header.bytes);
            // Without frames it is idle, whatever its surfaces are.
            let mut idle = buffer.copy_deep().unwrap();
            muxer.metadata(&[], &[]).attach(idle.get_mut().unwrap());
            feed.push(idle);
            muxer
                .metadata(&shots, &[0, 1])
                .attach(buffer.get_mut().unwrap());
            assert_eq!(feed.pad.push(buffer), Err(gst::FlowError::Error));
            let messages = feed.stop();
            let errors = messages.errors();
            assert_eq!(errors.len(), 1, "{errors:?}");
            assert!(errors[0].1.contains("nvvideoconvert"), "{errors:?}");
            assert!(messages.warnings().is_empty(), "{:?}", messages.warnings());
        }
    }
}

#[test]
fn one_bad_surface_fails_alone() {
    for generation in Generation::ALL {
        let folder = tempfile::tempdir().unwrap();
        let feed = Feed::new(&folder, "", &[("interval", "1")]);
        let mut muxer = Muxer::new(generation);
        feed.begin(&muxer.caps());
        for number in 0..3 {
            let buffer = muxer.batch(&[0, 1, 2].map(|stream| Shot::new(stream, number)));
            if number == 1 {
                let list = header(&buffer, generation).pointer("surfaceList");
                let mut params = params(&buffer, generation, 1);
                params.set("planeParams.pitch.0", 3);
                let stride = params.bytes.len() as u64;
                poke(list + stride, &params.bytes);
            }
            feed.push(buffer);
        }
        assert_eq!(feed.count_of(1, "failed"), 1);
        assert_eq!(feed.count("failed"), 1);
        let warnings = feed.end().warnings();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        let got: Vec<_> = takes(&folder).into_iter().map(|t| (t.0, t.1)).collect();
        let want = [
            (0, 0),
            (1, 0),
            (2, 0),
            (0, 1),
            (2, 1),
            (0, 2),
            (1, 2),
            (2, 2),
        ];
        assert_eq!(got, want);
    }
}
