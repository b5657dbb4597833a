// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Metadata with every kind of damage that can be recognised: what is sound is still read.

use gstdsframe::mem::sys::Generation;
use gstdsframe::meta::{FrameMeta, MetaReader, Source};

use crate::abi::{init, size};
use crate::batch::{Arena, BatchBuilder, ClassifierSpec, FrameSpec, LabelSpec, ObjectSpec};
use crate::{Got, labels, named, one_frame, read, read_batch};

const OBJECT: &str = "NvDsObjectMeta";
const FRAME: &str = "NvDsFrameMeta";
const BATCH: &str = "NvDsBatchMeta";
const LIST: &str = "GList";

/// Addresses at which there can be nothing.
const IMPOSSIBLE: [u64; 7] = [
    1,
    0x1000,
    0xfff8,
    0x5555_5555_5551,
    0x8000_0000_0000_0000,
    0xffff_8880_0000_0000,
    u64::MAX - 7,
];

/// Reads a batch twice: what is wrong is told once. The first time.
fn read_twice(builder: &BatchBuilder) -> Got {
    init();
    let (mut reader, buffer) = (MetaReader::default(), builder.buffer());
    let first = read(&mut reader, &buffer, 16);
    let second = read(&mut reader, &buffer, 16);
    assert_eq!(second.warning, None);
    assert_eq!(second.frames, first.frames);
    assert_eq!(second.left_out, first.left_out);
    assert_eq!(first.warning.is_some(), first.left_out > 0, "{first:?}");
    first
}

fn objects_of(got: &Got) -> Vec<&str> {
    labels(&got.frames[0].detections)
}

#[test]
fn counts_that_lie() {
    for generation in Generation::ALL {
        for lie in [0, 1, 1000, u32::MAX] {
            let objects = vec![ObjectSpec {
                classifiers: vec![ClassifierSpec {
                    labels: vec![LabelSpec::default(); 2],
                    ..ClassifierSpec::default()
                }],
                ..ObjectSpec::new("car", [0.0; 4])
            }];
            let builder = one_frame(generation, objects).malform(move |arena| {
                let frame = &arena.frames[0];
                arena.set_u32(arena.batch, BATCH, "num_frames_in_batch", lie);
                arena.set_u32(arena.batch, BATCH, "max_frames_in_batch", lie);
                arena.set_u32(frame.meta, FRAME, "num_obj_meta", lie);
                let classifier = frame.objects[0].classifiers[0].meta;
                arena.set_u32(classifier, "NvDsClassifierMeta", "num_labels", lie);
            });
            let got = read_twice(&builder);
            assert_eq!(objects_of(&got), ["car"]);
            let classifiers = &got.frames[0].detections[0].classifiers;
            assert_eq!(classifiers[0].labels.len(), 2);
            assert_eq!(got.left_out, 0);
        }
    }
}

#[test]
fn lists_that_lead_back_into_themselves() {
    // From the last node of this many to that one.
    for (len, to) in [(1, 0), (2, 0), (2, 1), (7, 0), (7, 3), (7, 6), (100, 37)] {
        let names: Vec<String> = (0..len).map(|i| i.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let builder = one_frame(Generation::B, named(&names)).malform(move |arena| {
            let objects = &arena.frames[0].objects;
            // The first that was attached is the last of the list.
            let target = objects[objects.len() - 1 - to].node;
            arena.set_u64(objects[0].node, LIST, "next", target);
        });
        let got = read_twice(&builder);
        assert_eq!(objects_of(&got), names, "{len} to {to}");
        assert_eq!(got.left_out, 1);

        let mut builder = BatchBuilder::new(Generation::C);
        for i in 0..len {
            builder = builder.frame(FrameSpec {
                source_id: i,
                ..FrameSpec::default()
            });
        }
        let builder = builder.malform(move |arena| {
            let node = |i: usize| arena.frames[i].node;
            arena.set_u64(node(len as usize - 1), LIST, "next", node(to));
        });
        let got = read_twice(&builder);
        let sources: Vec<_> = got.frames.iter().map(|f| f.source_id).collect();
        assert_eq!(sources, (0..len).collect::<Vec<_>>());
    }
}

#[test]
fn lists_that_do_not_end() {
    let objects = vec![ObjectSpec {
        classifiers: vec![ClassifierSpec {
            labels: vec![LabelSpec::default()],
            ..ClassifierSpec::default()
        }],
        ..ObjectSpec::new("car", [0.0; 4])
    }];
    let builder = one_frame(Generation::A, objects).malform(|arena| {
        let frame = &arena.frames[0];
        let object = &frame.objects[0];
        let classifier = &object.classifiers[0];
        for _ in 0..20_000 {
            arena.prepend(frame.meta, FRAME, "obj_meta_list", object.meta);
        }
        for _ in 0..100 {
            arena.prepend(object.meta, OBJECT, "classifier_meta_list", classifier.meta);
        }
        for _ in 0..300 {
            let label = classifier.labels[0];
            let (at, name) = (classifier.meta, "NvDsClassifierMeta");
            arena.prepend(at, name, "label_info_list", label);
        }
        let mut last = frame.node;
        for _ in 0..5000 {
            last = arena.append(arena.batch, BATCH, "frame_meta_list", last, frame.meta);
        }
    });
    let got = read_twice(&builder);
    assert_eq!(got.frames.len(), 4096);
    // One frame has this many; all of them together have what is read of a buffer.
    assert_eq!(got.frames[0].detections.len(), 16_384);
    let total: usize = got.frames.iter().map(|f| f.detections.len()).sum();
    assert_eq!(total, 262_144);
    let classifiers = &got.frames[0].detections[0].classifiers;
    assert_eq!((classifiers.len(), classifiers[0].labels.len()), (64, 256));
    assert!(got.warning.unwrap().contains("too long"));
}

/// Objects `a` to `e`, of which the third is damaged, in a frame between two others.
fn damaged(generation: Generation, how: impl Fn(&Arena) + Send + Sync + 'static) -> Got {
    let frame = |source_id, objects: &[&str]| FrameSpec {
        source_id,
        batch_id: source_id,
        objects: named(objects),
        ..FrameSpec::default()
    };
    let builder = BatchBuilder::new(generation)
        .frame(frame(0, &["first"]))
        .frame(frame(1, &["a", "b", "c", "d", "e"]))
        .frame(frame(2, &["last"]))
        .malform(how);
    let got = read_twice(&builder);
    assert_eq!(labels(&got.frames[0].detections), ["first"]);
    got
}

#[test]
fn pointers_to_nothing() {
    for generation in Generation::ALL {
        for bad in IMPOSSIBLE.into_iter().chain([0]) {
            // An object.
            let got = damaged(generation, move |arena| {
                arena.set_u64(arena.frames[1].objects[2].node, LIST, "data", bad);
            });
            assert_eq!(labels(&got.frames[1].detections), ["a", "b", "d", "e"]);
            assert_eq!((got.frames.len(), got.left_out), (3, 1));
            // A frame.
            let got = damaged(generation, move |arena| {
                arena.set_u64(arena.frames[1].node, LIST, "data", bad);
            });
            assert_eq!(labels(&got.frames[1].detections), ["last"]);
            assert_eq!((got.frames.len(), got.left_out), (2, 1));
            // The way to what was attached before.
            let got = damaged(generation, move |arena| {
                arena.set_u64(arena.frames[1].objects[2].node, LIST, "next", bad);
            });
            assert_eq!(labels(&got.frames[1].detections), ["c", "d", "e"]);
            assert_eq!(got.left_out, u64::from(bad != 0));
            // Lists, texts and users.
            let got = damaged(generation, move |arena| {
                let frame = &arena.frames[1];
                let object = &frame.objects[2];
                arena.set_u64(object.meta, OBJECT, "classifier_meta_list", bad);
                arena.set_u64(object.meta, OBJECT, "obj_user_meta_list", bad);
                arena.set_u64(frame.meta, FRAME, "frame_user_meta_list", bad);
                arena.set_u64(frame.meta, FRAME, "display_meta_list", bad);
                arena.set_u64(arena.frames[2].meta, FRAME, "obj_meta_list", bad);
            });
            assert_eq!(labels(&got.frames[1].detections), ["a", "b", "c", "d", "e"]);
            assert!(got.frames[2].detections.is_empty());
            assert_eq!(got.left_out, 2 * u64::from(bad != 0));
        }
    }
}

#[test]
fn elements_of_another_type() {
    for wrong in [0, 2, 4, 5, -1] {
        let got = damaged(Generation::B, move |arena| {
            arena.set_base(arena.frames[1].objects[2].meta, wrong);
        });
        assert_eq!(labels(&got.frames[1].detections), ["a", "b", "d", "e"]);
        assert_eq!(got.left_out, 1);
    }
    let got = damaged(Generation::C, |arena| {
        arena.set_base(arena.frames[1].meta, 3)
    });
    assert_eq!((got.frames.len(), got.left_out), (2, 1));

    let label = LabelSpec {
        label: b"red".into(),
        ..LabelSpec::default()
    };
    let objects = vec![ObjectSpec {
        classifiers: vec![
            ClassifierSpec::default(),
            ClassifierSpec {
                labels: vec![label.clone(), LabelSpec::default(), label],
                ..ClassifierSpec::default()
            },
        ],
        ..ObjectSpec::default()
    }];
    let builder = one_frame(Generation::A, objects).malform(|arena| {
        let classifiers = &arena.frames[0].objects[0].classifiers;
        arena.set_base(classifiers[0].meta, 6);
        arena.set_base(classifiers[1].labels[1], 5);
    });
    let got = read_twice(&builder);
    let classifiers = &got.frames[0].detections[0].classifiers;
    assert_eq!(classifiers.len(), 1);
    let names: Vec<_> = classifiers[0]
        .labels
        .iter()
        .map(|l| l.label.as_str())
        .collect();
    assert_eq!(names, ["red", "red"]);
    assert_eq!(got.left_out, 2);
}

#[test]
fn impossible_boxes() {
    let nan = f32::NAN;
    for rect in [
        [nan, 0.0, 1.0, 1.0],
        [0.0, nan, 1.0, 1.0],
        [0.0, 0.0, nan, 1.0],
        [0.0, 0.0, 1.0, nan],
        [f32::INFINITY, 0.0, 1.0, 1.0],
        [0.0, f32::NEG_INFINITY, 1.0, 1.0],
        [0.0, 0.0, f32::INFINITY, 1.0],
        [0.0, 0.0, -1.0, 1.0],
        [0.0, 0.0, 1.0, -0.5],
        [-1.1e6, 0.0, 1.0, 1.0],
        [0.0, 1.1e6, 1.0, 1.0],
        [0.0, 0.0, f32::MAX, 1.0],
    ] {
        let got = damaged(Generation::C, move |arena| {
            arena.set_rect(arena.frames[1].objects[2].meta, rect);
        });
        assert_eq!(labels(&got.frames[1].detections), ["a", "b", "d", "e"]);
        assert_eq!(got.left_out, 1, "{rect:?}");
        assert!(
            got.warning
                .unwrap()
                .contains("1 objects with impossible boxes")
        );
    }
    // Partly or wholly outside is possible, and so is nothing.
    let outside = vec![
        ObjectSpec::new("left", [-50.0, -20.5, 100.0, 40.0]),
        ObjectSpec::new("far", [5000.0, 5000.0, 0.0, 0.0]),
    ];
    let got = read_batch(&one_frame(Generation::A, outside));
    assert_eq!(objects_of(&got), ["left", "far"]);
}

#[test]
fn texts_without_an_end_or_in_another_code() {
    let object = |label: &[u8]| ObjectSpec {
        label: label.into(),
        ..ObjectSpec::default()
    };
    for generation in Generation::ALL {
        let mut objects = vec![
            object(&[b'x'; 128]),
            object(&[b"y".repeat(127), vec![0xc3]].concat()),
            object(b"Z\xfcge"),
            object(&[0xff; 128]),
            object(b"a\0rest"),
            object(&[b'z'; 31]),
            object(&[b'z'; 32]),
        ];
        objects[0].classifiers = vec![ClassifierSpec {
            labels: vec![LabelSpec {
                label: vec![b'w'; 128],
                ..LabelSpec::default()
            }],
            ..ClassifierSpec::default()
        }];
        let builder = one_frame(generation, objects).malform(|arena| {
            let classifier = &arena.frames[0].objects[0].classifiers[0];
            let kind = arena.text([b'k'; 1000]);
            arena.set_u64(
                classifier.meta,
                "NvDsClassifierMeta",
                "classifier_type",
                kind,
            );
        });
        let got = read_twice(&builder);
        let want = [
            "x".repeat(128),
            "y".repeat(127),
            "Z\u{fffd}ge".into(),
            "\u{fffd}".repeat(128),
            "a".into(),
            "z".repeat(31),
            "z".repeat(32),
        ];
        assert_eq!(objects_of(&got), want);
        let classifier = &got.frames[0].detections[0].classifiers[0];
        assert_eq!(classifier.labels[0].label, "w".repeat(128));
        assert_eq!(classifier.kind, "k".repeat(256));
    }
}

/// Reads a batch that nothing can be read of, and what is told about it.
fn unknown(builder: &BatchBuilder) -> String {
    init();
    let (mut reader, buffer) = (MetaReader::default(), builder.buffer());
    let got = read(&mut reader, &buffer, 4);
    assert_eq!(got.source, Source::None);
    assert_eq!(got.frames, [FrameMeta::default()]);
    assert_eq!(read(&mut reader, &buffer, 4).warning, None);
    got.warning.unwrap()
}

#[test]
fn layouts_that_are_not_known() {
    let pool = |arena: &Arena, name: &str| arena.get_u64(arena.batch, BATCH, name);
    let car = |generation| one_frame(generation, named(&["car"]));
    for (frame, object) in [(200, 552), (232, 560), (240, 552), (0, 0), (u32::MAX, 544)] {
        let builder = car(Generation::B).malform(move |arena| {
            let set = |name, size| {
                let pool = pool(arena, name);
                arena.set_u32(pool, "NvDsMetaPool", "element_size", size);
            };
            set("frame_meta_pool", frame);
            set("obj_meta_pool", object);
        });
        let warning = unknown(&builder);
        for number in [frame, object] {
            assert!(warning.contains(&format!(" {number} ")), "{warning}");
        }
    }
    for generation in Generation::ALL {
        for (name, field, value) in [
            ("frame_meta_pool", "meta_type", 17),
            ("obj_meta_pool", "meta_type", 2),
            ("classifier_meta_pool", "element_size", 72),
            ("user_meta_pool", "element_size", 56),
            ("label_info_meta_pool", "element_size", 208),
        ] {
            unknown(&car(generation).malform(move |arena| {
                arena.set_u32(pool(arena, name), "NvDsMetaPool", field, value);
            }));
        }
        for name in ["frame", "obj", "classifier", "user", "label_info"] {
            for bad in IMPOSSIBLE.into_iter().chain([0]) {
                let name = format!("{name}_meta_pool");
                unknown(&car(generation).malform(move |arena| {
                    arena.set_u64(arena.batch, BATCH, &name, bad);
                }));
            }
        }
        let warning = unknown(&car(generation).malform(|arena| arena.set_base(arena.batch, 16)));
        assert!(warning.contains("type 16"), "{warning}");
    }
}

#[test]
fn a_batch_at_an_impossible_address() {
    init();
    for bad in IMPOSSIBLE.into_iter().chain([0]) {
        let mut buffer = gst::Buffer::new();
        crate::batch::attach_other(buffer.get_mut().unwrap(), 4097, bad);
        let mut reader = MetaReader::default();
        let got = read(&mut reader, &buffer, 1);
        assert_eq!(got.source, Source::None);
        assert_eq!(got.frames, [FrameMeta::default()]);
        assert!(got.warning.unwrap().contains(&format!("{bad:#x}")));
    }
}

#[test]
fn what_is_no_buffer_is_not_taken_for_one() {
    init();
    let wrapped = gst::Buffer::new();
    let spec = FrameSpec {
        wrapped: Some(wrapped),
        ..FrameSpec::default()
    };
    let users = |arena: &Arena| {
        let head = arena.get_u64(arena.frames[0].meta, FRAME, "frame_user_meta_list");
        arena.get_u64(head, LIST, "data")
    };
    let caps = gst::Caps::new_any();
    let caps_at = caps.as_ptr().expose_provenance() as u64;
    for bad in IMPOSSIBLE.into_iter().chain([0, caps_at]) {
        let builder = BatchBuilder::new(Generation::C).frame(spec.clone());
        let got = read_twice(&builder.malform(move |arena| {
            let at = users(arena);
            arena.set_u64(at, "NvDsUserMeta", "user_meta_data", bad);
        }));
        assert_eq!((got.frames.len(), got.left_out), (1, 0));
    }
    // Zeros are no buffer, and what says to be something else is not looked at.
    let builder = BatchBuilder::new(Generation::C).frame(spec);
    read_twice(&builder.clone().malform(move |arena| {
        let nothing = arena.alloc_bytes(size(OBJECT, Generation::C));
        arena.set_u64(users(arena), "NvDsUserMeta", "user_meta_data", nothing);
    }));
    read_twice(&builder.malform(move |arena| {
        let at = users(arena);
        arena.set_base(at, 8200);
        arena.set_u64(at, "NvDsUserMeta", "user_meta_data", 0x10_0000);
    }));
}
