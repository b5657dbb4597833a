// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Sound metadata: every field, in all generations.

use gst_video::VideoRegionOfInterestMeta;
use gstdsframe::mem::sys::Generation;
use gstdsframe::meta::roi;
use gstdsframe::meta::{Bounds, ClassLabel, Classifier, Detection, FrameMeta, MetaReader, Source};

use crate::abi::{init, value};
use crate::batch::{
    BatchBuilder, ClassifierSpec, FrameSpec, LabelSpec, ObjectSpec, attach_other, batch_of,
};
use crate::{labels, named, one_frame, read, read_batch};

fn bounds(left: f32, top: f32, width: f32, height: f32) -> Bounds {
    Bounds {
        left,
        top,
        width,
        height,
    }
}

/// A frame with something in every field.
fn full_frame() -> FrameSpec {
    let plate = ObjectSpec {
        label: b"plate".into(),
        class_id: 0,
        component_id: 2,
        confidence: 0.5,
        rect: [11.0, 21.0, 5.0, 6.0],
        parent: Some(1),
        ..ObjectSpec::default()
    };
    let car = ObjectSpec {
        label: b"car".into(),
        class_id: 3,
        component_id: 1,
        object_id: 77,
        confidence: 0.75,
        tracker_confidence: 0.25,
        rect: [10.5, 20.25, 30.0, 40.75],
        parent: None,
        classifiers: vec![
            ClassifierSpec {
                component_id: 5,
                kind: Some("color"),
                labels: vec![
                    LabelSpec {
                        label: b"red".into(),
                        class_id: 1,
                        probability: 0.875,
                        long: None,
                    },
                    LabelSpec {
                        label: b"short".into(),
                        long: Some("a text that is longer than what a field could hold"),
                        class_id: 2,
                        probability: -1.0,
                    },
                ],
            },
            ClassifierSpec {
                component_id: 6,
                ..ClassifierSpec::default()
            },
        ],
    };
    FrameSpec {
        source_id: 4,
        pad_index: 2,
        batch_id: 1,
        frame_num: 1234,
        pts: 5_000_000_000,
        ntp: 1_700_000_000_000_000_000,
        source_size: (1920, 1080),
        sensor_id: Some("gate"),
        sensor_name: Some("unused"),
        objects: vec![plate, car],
        wrapped: None,
    }
}

fn full_meta(generation: Generation) -> FrameMeta {
    let plate = Detection {
        label: "plate".into(),
        class_id: Some(0),
        component_id: Some(2),
        confidence: Some(0.5),
        track_id: None,
        bounds: bounds(11.0, 21.0, 5.0, 6.0),
        parent: Some(1),
        classifiers: vec![],
    };
    let red = ClassLabel {
        label: "red".into(),
        class_id: Some(1),
        probability: Some(0.875),
    };
    let long = ClassLabel {
        label: "a text that is longer than what a field could hold".into(),
        class_id: Some(2),
        probability: None,
    };
    let car = Detection {
        label: "car".into(),
        class_id: Some(3),
        component_id: Some(1),
        confidence: Some(0.75),
        track_id: Some(77),
        bounds: bounds(10.5, 20.25, 30.0, 40.75),
        parent: None,
        classifiers: vec![
            Classifier {
                component_id: Some(5),
                kind: "color".into(),
                labels: vec![red, long],
            },
            Classifier {
                component_id: Some(6),
                ..Classifier::default()
            },
        ],
    };
    FrameMeta {
        source_id: 4,
        pad_index: 2,
        slot: 1,
        frame_number: Some(1234),
        pts: Some(5_000_000_000),
        ntp: Some(1_700_000_000_000_000_000),
        source_size: Some((1920, 1080)),
        sensor: (generation != Generation::A).then(|| "gate".into()),
        detections: vec![plate, car],
    }
}

#[test]
fn every_field_in_all_generations() {
    for generation in Generation::ALL {
        let got = read_batch(&BatchBuilder::new(generation).frame(full_frame()));
        assert_eq!(got.source, Source::Nvds);
        assert_eq!(got.frames, [full_meta(generation)], "{generation:?}");
        assert_eq!((got.left_out, got.warning), (0, None));
    }
}

#[test]
fn what_is_not_known_is_none() {
    for generation in Generation::ALL {
        let spec = FrameSpec {
            frame_num: -1,
            sensor_id: Some(""),
            sensor_name: Some("back door"),
            objects: named(&["thing"]),
            ..FrameSpec::default()
        };
        let got = read_batch(&BatchBuilder::new(generation).frame(spec));
        let want = FrameMeta {
            sensor: (generation != Generation::A).then(|| "back door".into()),
            detections: vec![Detection {
                label: "thing".into(),
                class_id: Some(0),
                component_id: Some(1),
                bounds: bounds(1.0, 2.0, 3.0, 4.0),
                ..Detection::default()
            }],
            ..FrameMeta::default()
        };
        assert_eq!(got.frames, [want]);
    }
}

#[test]
fn confidences() {
    let tracked = |confidence, tracker_confidence| ObjectSpec {
        confidence,
        tracker_confidence,
        object_id: 5,
        ..ObjectSpec::default()
    };
    let objects = vec![
        // What only the tracker sees has no confidence of a detector.
        tracked(-0.1, 0.9),
        tracked(f32::NAN, 0.9),
        tracked(1.5, -0.1),
        tracked(0.0, -0.1),
    ];
    let got = read_batch(&one_frame(Generation::B, objects));
    let detections = &got.frames[0].detections;
    let confidences: Vec<_> = detections.iter().map(|d| d.confidence).collect();
    assert_eq!(confidences, [None, None, Some(1.0), Some(0.0)]);
    assert!(detections.iter().all(|d| d.track_id == Some(5)));
    assert_eq!(got.left_out, 0);
}

#[test]
fn objects_are_in_the_order_in_which_they_were_attached() {
    let names: Vec<String> = (0..20).map(|i| format!("object {i}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut objects = named(&names);
    // Earlier, later, and a chain.
    objects[3].parent = Some(0);
    objects[4].parent = Some(19);
    objects[5].parent = Some(4);
    for generation in Generation::ALL {
        let got = read_batch(&one_frame(generation, objects.clone()));
        let detections = &got.frames[0].detections;
        assert_eq!(labels(detections), names);
        let parents: Vec<_> = detections.iter().map(|d| d.parent).collect();
        let mut want = vec![None; 20];
        (want[3], want[4], want[5]) = (Some(0), Some(19), Some(4));
        assert_eq!(parents, want);
    }
}

#[test]
fn parents_elsewhere_are_none() {
    let mut objects = named(&["itself", "foreign", "dangling", "fine", "bad", "of bad"]);
    objects[3].parent = Some(0);
    objects[4].rect[2] = -1.0;
    objects[5].parent = Some(4);
    let builder = one_frame(Generation::A, objects)
        .frame(FrameSpec {
            objects: named(&["other"]),
            ..FrameSpec::default()
        })
        .malform(|arena| {
            let objects = &arena.frames[0].objects;
            let set = |i: usize, to| {
                let meta = objects[i].meta;
                arena.set_u64(meta, "NvDsObjectMeta", "parent", to);
            };
            set(0, objects[0].meta);
            set(1, arena.frames[1].objects[0].meta);
            set(2, 0xdead_beef_dead_beef);
        });
    let got = read_batch(&builder);
    let parents: Vec<_> = got.frames[0].detections.iter().map(|d| d.parent).collect();
    assert_eq!(parents, [None, None, None, Some(0), None]);
    assert_eq!(got.left_out, 1);
}

#[test]
fn ten_thousand_objects() {
    let objects: Vec<_> = (0..10_000)
        .map(|i| ObjectSpec {
            label: format!("{i}").into(),
            object_id: i,
            parent: (i > 0).then_some(i as usize / 2),
            ..ObjectSpec::default()
        })
        .collect();
    let got = read_batch(&one_frame(Generation::C, objects));
    let detections = &got.frames[0].detections;
    assert_eq!(detections.len(), 10_000);
    for (i, detection) in detections.iter().enumerate() {
        assert_eq!(detection.track_id, Some(i as u64));
        assert_eq!(detection.label, format!("{i}"));
        assert_eq!(detection.parent, (i > 0).then_some(i / 2));
    }
    assert_eq!((got.left_out, got.warning), (0, None));
}

#[test]
fn frames_are_in_the_order_of_the_batch() {
    let frame = |source_id, batch_id, label| FrameSpec {
        source_id,
        batch_id,
        objects: named(&[label]),
        ..FrameSpec::default()
    };
    for generation in Generation::ALL {
        // Two of one source, and surfaces in no order.
        let builder = BatchBuilder::new(generation)
            .frame(frame(7, 3, "a"))
            .frame(frame(1, 0, "b"))
            .frame(frame(7, 2, "c"));
        let got = read_batch(&builder);
        let facts: Vec<_> = got.frames.iter().map(|f| (f.source_id, f.slot)).collect();
        assert_eq!(facts, [(7, 3), (1, 0), (7, 2)]);
        let all: Vec<_> = got
            .frames
            .iter()
            .flat_map(|f| labels(&f.detections))
            .collect();
        assert_eq!(all, ["a", "b", "c"]);
    }
}

#[test]
fn an_idle_batch_has_no_frames() {
    for generation in Generation::ALL {
        let got = read_batch(&BatchBuilder::new(generation));
        assert_eq!(got.source, Source::Nvds);
        assert!(got.frames.is_empty());
        assert_eq!(got.warning, None);
    }
}

#[test]
fn one_frame_and_one_surface_belong_together() {
    init();
    let frame = |batch_id| FrameSpec {
        batch_id,
        ..FrameSpec::default()
    };
    let mut reader = MetaReader::default();
    let alone = BatchBuilder::new(Generation::B).frame(frame(3));
    let got = read(&mut reader, &alone.buffer(), 1);
    assert_eq!(got.frames[0].slot, 0);
    assert_eq!(got.left_out, 0);

    let two = alone.frame(frame(0));
    let got = read(&mut reader, &two.buffer(), 1);
    let slots: Vec<_> = got.frames.iter().map(|f| f.slot).collect();
    assert_eq!((slots, got.left_out), (vec![0], 1));
    assert!(
        got.warning
            .unwrap()
            .contains("surfaces that the buffer does not have")
    );
    let got = read(&mut reader, &two.buffer(), 4);
    assert_eq!((got.frames.len(), got.left_out), (2, 0));
}

#[test]
fn buffers_without_metadata() {
    init();
    let mut reader = MetaReader::default();
    // What the reader had before does not show.
    read(
        &mut reader,
        &BatchBuilder::new(Generation::C)
            .frame(full_frame())
            .buffer(),
        16,
    );
    let mut buffer = gst::Buffer::new();
    let got = read(&mut reader, &buffer, 1);
    assert_eq!(got.source, Source::None);
    assert_eq!(got.frames, [FrameMeta::default()]);

    let writable = buffer.get_mut().unwrap();
    // Other metas of DeepStream are none of ours.
    let other = value("GstNvDsMetaType", "NVDS_DECODER_GST_META") as i32;
    attach_other(writable, other, 0x1234);
    let car = Detection {
        label: "car".into(),
        parent: Some(1),
        ..Detection::default()
    };
    let garage = Detection {
        label: "garage".into(),
        ..Detection::default()
    };
    roi::attach(writable, &[car.clone(), garage.clone()]);
    let got = read(&mut reader, &buffer, 1);
    assert_eq!(got.source, Source::Roi);
    assert_eq!(got.frames[0].detections, [car, garage]);
    assert_eq!((got.frames.len(), got.warning), (1, None));
}

#[test]
fn the_batch_wins_over_regions() {
    init();
    let mut reader = MetaReader::default();
    let mut buffer = one_frame(Generation::B, named(&["car"])).buffer();
    let region = Detection {
        label: "region".into(),
        ..Detection::default()
    };
    roi::attach(buffer.get_mut().unwrap(), &[region]);
    let got = read(&mut reader, &buffer, 1);
    assert_eq!(got.source, Source::Nvds);
    assert_eq!(labels(&got.frames[0].detections), ["car"]);
    assert!(got.warning.unwrap().contains("regions of interest"));
    assert_eq!(read(&mut reader, &buffer, 1).warning, None);
}

#[test]
fn the_last_batch_wins() {
    init();
    let mut buffer = one_frame(Generation::A, named(&["first"])).buffer();
    let second = one_frame(Generation::C, named(&["second"]));
    second.attach(buffer.get_mut().unwrap());
    let got = read(&mut MetaReader::default(), &buffer, 1);
    assert_eq!(labels(&got.frames[0].detections), ["second"]);
}

#[test]
fn a_copy_of_a_buffer_has_a_batch_of_its_own() {
    init();
    let mut reader = MetaReader::default();
    for generation in Generation::ALL {
        let buffer = BatchBuilder::new(generation).frame(full_frame()).buffer();
        let copy = buffer.copy();
        let (of_buffer, of_copy) = (batch_of(&buffer).unwrap(), batch_of(&copy).unwrap());
        assert_ne!(of_buffer.batch, of_copy.batch);
        drop((buffer, of_buffer, of_copy));
        assert_eq!(read(&mut reader, &copy, 16).frames, [full_meta(generation)]);
    }
}

/// A buffer with a region, as it is before a muxer.
fn with_region(label: &str, rect: (u32, u32, u32, u32)) -> gst::Buffer {
    let mut buffer = gst::Buffer::new();
    VideoRegionOfInterestMeta::add(buffer.get_mut().unwrap(), label, rect);
    buffer
}

#[test]
fn regions_of_the_buffer_that_a_frame_came_in() {
    init();
    let wrapped = with_region("region", (96, 108, 192, 216));
    let frame = |source_size, objects: &[&str], batch_id| FrameSpec {
        source_size,
        batch_id,
        objects: named(objects),
        wrapped: Some(wrapped.clone()),
        ..FrameSpec::default()
    };
    for generation in Generation::ALL {
        let builder = BatchBuilder::new(generation)
            .frame(frame((1920, 1080), &[], 0))
            .frame(frame((1920, 1080), &["object"], 1))
            .frame(frame((640, 480), &[], 2))
            .frame(frame((0, 0), &[], 3));
        let buffer = builder.buffer();
        let mut reader = MetaReader::default();
        let got = read(&mut reader, &buffer, 4);
        assert_eq!((got.source, got.left_out), (Source::Nvds, 0));
        assert_eq!(got.warning, None);
        let all: Vec<_> = got.frames.iter().map(|f| labels(&f.detections)).collect();
        assert_eq!(all, [["region"], ["object"], ["region"], ["region"]]);
        let at = |frame: usize| got.frames[frame].detections[0].bounds;
        assert_eq!(at(0), bounds(32.0, 48.0, 64.0, 96.0));
        assert_eq!(at(2), bounds(96.0, 108.0, 192.0, 216.0));
        assert_eq!(at(3), bounds(96.0, 108.0, 192.0, 216.0));

        let facts = reader.read(&buffer, false, 4, |_| None);
        assert!(facts.frames.iter().all(|frame| frame.detections.is_empty()));
        let chosen = reader.read_objects(&buffer, &[0, 1], |_| Some((640, 480)));
        let all: Vec<_> = chosen
            .frames
            .iter()
            .map(|f| labels(&f.detections))
            .collect();
        assert_eq!(all, [vec!["region"], vec!["object"], vec![], vec![]]);
        assert_eq!(
            chosen.frames[0].detections[0].bounds,
            bounds(32.0, 48.0, 64.0, 96.0)
        );
    }
    // The batches have let go of it.
    assert_eq!(references(&wrapped), 1);
}

fn references(buffer: &gst::Buffer) -> i32 {
    // SAFETY: a valid buffer, whose references nobody else changes now.
    unsafe { (*buffer.as_ptr()).mini_object.refcount }
}

#[test]
fn objects_of_chosen_frames() {
    init();
    for generation in Generation::ALL {
        let mut builder = BatchBuilder::new(generation);
        for i in 0..5 {
            builder = builder.frame(FrameSpec {
                batch_id: i,
                source_id: 10 + i,
                ..full_frame()
            });
        }
        let mut buffer = builder.buffer();
        let mut reader = MetaReader::default();
        let got = reader.read(&buffer, false, 5, |_| None);
        assert_eq!(got.frames.len(), 5);
        for (i, frame) in got.frames.iter().enumerate() {
            let want = FrameMeta {
                slot: i,
                source_id: 10 + i as u32,
                detections: vec![],
                ..full_meta(generation)
            };
            assert_eq!(*frame, want);
        }
        let got = reader.read_objects(&buffer, &[4, 1, 99], |_| None);
        for (i, frame) in got.frames.iter().enumerate() {
            let want = match i {
                1 | 4 => full_meta(generation).detections,
                _ => vec![],
            };
            assert_eq!(frame.detections, want, "{i}");
        }
        // Frames that are not those that were read first have no objects.
        reader.read(&buffer, false, 5, |_| None);
        let other = BatchBuilder::new(generation).frame(full_frame());
        other.attach(buffer.make_mut());
        let got = reader.read_objects(&buffer, &[0, 1, 2, 3, 4], |_| None);
        assert!(got.frames.iter().all(|frame| frame.detections.is_empty()));
    }
    // Regions are fetched later too.
    let buffer = with_region("region", (1, 2, 3, 4));
    let mut reader = MetaReader::default();
    let got = reader.read(&buffer, false, 1, |_| None);
    assert_eq!(got.source, Source::Roi);
    assert!(got.frames[0].detections.is_empty());
    let got = reader.read_objects(&buffer, &[0], |_| None);
    assert_eq!(labels(&got.frames[0].detections), ["region"]);
}

#[test]
fn readers_go_from_thread_to_thread() {
    fn is_send<T: Send>() {}
    is_send::<MetaReader>();
}

#[test]
fn a_reader_that_has_read_other_buffers_reads_the_same() {
    init();
    let full = BatchBuilder::new(Generation::C).frame(full_frame());
    let many: Vec<_> = (0..50).map(|_| full_frame().objects[1].clone()).collect();
    let buffers = [
        full.buffer(),
        one_frame(Generation::A, named(&["a", "b", "c"])).buffer(),
        BatchBuilder::new(Generation::B).buffer(),
        with_region("region", (1, 2, 3, 4)),
        one_frame(Generation::B, many).buffer(),
        full.clone().frame(full_frame()).buffer(),
        gst::Buffer::new(),
    ];
    let mut reader = MetaReader::default();
    for round in 0..3 {
        for step in 0..buffers.len() {
            let buffer = &buffers[step * (round + 1) % buffers.len()];
            let fresh = read(&mut MetaReader::default(), buffer, 16);
            assert_eq!(read(&mut reader, buffer, 16), fresh);
        }
    }
}
