// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! DeepStream's metadata of a buffer, spoiled in every way that can be recognised.
//!
//! Not fuzzed is what the reader says it cannot check: addresses that may be those of an allocation
//! and are not, texts without an end, and structs that say to be of a type that they are too small
//! for.

use gst_video::VideoRegionOfInterestMeta;
use gstdsframe::mem::nvds::{MAX_CLASSIFIERS, MAX_FRAMES, MAX_LABELS, MAX_OBJECTS, MAX_TEXT};
use gstdsframe::mem::sys::Generation;
use gstdsframe::meta::{BufferMeta, FrameMeta, Label, MetaReader, Source};

use super::input::Input;
use crate::abi::{init, poke};
use crate::batch::{Arena, BatchBuilder, ClassifierSpec, FrameSpec, LabelSpec, ObjectSpec, fields};

/// Bytes of a label's field.
const FIELD: usize = 128;
const TEXTS: [Option<&str>; 5] = [
    None,
    Some(""),
    Some("color"),
    Some("Z\u{fc}ge"),
    Some("a text that is too long to be kept without an allocation"),
];
const NODE: &str = "GList";

pub fn run(data: &[u8]) {
    init();
    let mut input = Input::new(data);
    let generation = Generation::ALL[input.below(3)];
    let surfaces = 1 + input.below(16);
    let sizes = [None, Some((640, 480)), Some((1, 65_535))];
    let size = sizes[input.below(3)];
    let frames = input.list(4, frame);
    let mut builder = BatchBuilder::new(generation);
    builder.frames = frames;
    let spoils = input.list(24, Spoil::read);
    let builder = builder.malform(move |arena| {
        for spoil in &spoils {
            spoil.apply(arena);
        }
    });
    let buffer = builder.buffer();

    let mut reader = MetaReader::default();
    let first = Got::new(reader.read(&buffer, true, surfaces, |_| size), surfaces);
    assert_eq!(
        first.left_out > 0 || first.source == Source::None,
        first.warned
    );
    let second = Got::new(reader.read(&buffer, true, surfaces, |_| size), surfaces);
    assert!(!second.warned);
    assert_eq!(second.frames, first.frames);
    assert_eq!(second.left_out, first.left_out);

    // In two steps it is the same.
    let mut reader = MetaReader::default();
    let bare = Got::new(reader.read(&buffer, false, surfaces, |_| size), surfaces);
    assert_eq!(bare.frames.len(), first.frames.len());
    assert!(bare.frames.iter().all(|frame| frame.detections.is_empty()));
    let all: Vec<_> = (0..bare.frames.len()).collect();
    let later = Got::new(reader.read_objects(&buffer, &all, |_| size), surfaces);
    assert_eq!(later.frames, first.frames);
}

struct Got {
    source: Source,
    frames: Vec<FrameMeta>,
    left_out: u64,
    warned: bool,
}

impl Got {
    fn new(meta: BufferMeta<'_>, surfaces: usize) -> Self {
        assert!(meta.source == Source::Nvds || meta.frames.len() == 1);
        assert!(meta.frames.len() <= MAX_FRAMES);
        for frame in meta.frames {
            check(frame, surfaces);
        }
        Self {
            source: meta.source,
            frames: meta.frames.to_vec(),
            left_out: meta.left_out,
            warned: meta.warning.is_some(),
        }
    }
}

fn check(frame: &FrameMeta, surfaces: usize) {
    let is_probability = |p: Option<f32>| p.is_none_or(|p| (0.0..=1.0).contains(&p));
    // A byte that is none of UTF-8 becomes three.
    let is_bounded = |label: &Label| label.len() <= 3 * MAX_TEXT;
    assert!(frame.slot < surfaces);
    assert!(frame.sensor.as_ref().is_none_or(is_bounded));
    assert!(frame.detections.len() <= MAX_OBJECTS);
    for (index, detection) in frame.detections.iter().enumerate() {
        let b = detection.bounds;
        assert!(
            [b.left, b.top, b.width, b.height]
                .iter()
                .all(|n| n.is_finite())
        );
        assert!(b.width >= 0.0 && b.height >= 0.0);
        assert!(is_bounded(&detection.label));
        assert!(is_probability(detection.confidence));
        assert_ne!(detection.parent, Some(index));
        assert!(
            detection
                .parent
                .is_none_or(|parent| parent < frame.detections.len())
        );
        assert!(detection.classifiers.len() <= MAX_CLASSIFIERS);
        for classifier in &detection.classifiers {
            assert!(is_bounded(&classifier.kind));
            assert!(classifier.labels.len() <= MAX_LABELS);
            for label in &classifier.labels {
                assert!(is_bounded(&label.label) && is_probability(label.probability));
            }
        }
    }
}

fn text(input: &mut Input<'_>) -> Option<&'static str> {
    TEXTS[input.below(TEXTS.len())]
}

fn frame(input: &mut Input<'_>) -> FrameSpec {
    let mut frame = FrameSpec {
        source_id: input.u8().into(),
        pad_index: input.u8().into(),
        batch_id: input.u8().into(),
        frame_num: input.i32(),
        pts: input.u64(),
        ntp: input.u8().into(),
        source_size: (input.u16().into(), input.u16().into()),
        sensor_id: text(input),
        sensor_name: text(input),
        objects: input.list(8, object),
        wrapped: input.option(wrapped),
    };
    let count = frame.objects.len();
    for object in &mut frame.objects {
        object.parent = object.parent.map(|parent| parent % count);
    }
    frame
}

fn wrapped(input: &mut Input<'_>) -> gst::Buffer {
    let mut buffer = gst::Buffer::new();
    let writable = buffer.get_mut().unwrap();
    input.list(4, |input| {
        let rect = (
            input.u32(),
            input.u16().into(),
            input.u32(),
            input.u8().into(),
        );
        let mut meta = VideoRegionOfInterestMeta::add(writable, "car", rect);
        meta.set_id(input.u8().into());
        meta.set_parent_id(input.u8().into());
        let params = gst::Structure::builder("detection");
        let params = params.field("confidence", f64::from(input.f32()));
        meta.add_param(params.field("label_id", input.i32()).build());
    });
    buffer
}

fn object(input: &mut Input<'_>) -> ObjectSpec {
    ObjectSpec {
        rect: [input.f32(), input.f32(), input.f32(), input.f32()],
        label: input.bytes(FIELD).to_vec(),
        class_id: input.i32(),
        component_id: input.u8().into(),
        object_id: input.u64(),
        confidence: input.f32(),
        tracker_confidence: -0.1,
        parent: input.option(|input| input.below(256)),
        classifiers: input.list(3, |input| ClassifierSpec {
            component_id: input.u8().into(),
            kind: text(input),
            labels: input.list(3, |input| LabelSpec {
                label: input.bytes(FIELD).to_vec(),
                long: text(input),
                class_id: input.u32(),
                probability: input.f32(),
            }),
        }),
    }
}

/// One thing that is wrong.
enum Spoil {
    /// A field of any struct, by their places, and what is put there.
    Field(usize, usize, u64),
    /// What an element says to be.
    Type(usize, i32),
    /// The next node of a list: that of any, also one of another list.
    Next(usize, u64),
    /// The first node of a list.
    Head(usize, u64),
    /// A text of any bytes.
    Text(usize, Vec<u8>),
    /// What a pool says of its elements.
    Pool(usize, u32, bool),
    /// A field of the batch.
    Batch(usize, u64),
}

impl Spoil {
    fn read(input: &mut Input<'_>) -> Self {
        let kind = input.u8() % 16;
        let which = usize::from(input.u8());
        match kind {
            0..6 => Self::Field(which, usize::from(input.u8()), input.u64()),
            6 | 7 => Self::Type(which, input.u8().into()),
            8..11 => Self::Next(which, input.u64()),
            11 | 12 => Self::Head(which, input.u64()),
            13 => {
                let bytes = input.bytes(255).iter().copied();
                let mut bytes: Vec<u8> = bytes.filter(|byte| *byte != 0).collect();
                if input.flag() {
                    bytes = bytes.repeat(4);
                }
                Self::Text(which, bytes)
            }
            14 => Self::Pool(which, input.u8().into(), input.flag()),
            _ => Self::Batch(which, input.u64()),
        }
    }

    fn apply(&self, arena: &Arena) {
        let all = arena.structs();
        let of = |kinds: &[&str]| -> Vec<_> {
            let wanted = all.iter().filter(|(_, name)| kinds.contains(name));
            wanted.copied().collect()
        };
        let pick = |from: &[(u64, &'static str)], which: usize| {
            (!from.is_empty()).then(|| from[which % from.len()])
        };
        match self {
            Self::Field(which, field, value) => {
                let Some((at, name)) = pick(&all, *which) else {
                    return;
                };
                let fields = fields(name, arena.generation);
                let (offset, len, is_pointer) = fields[field % fields.len()];
                let is_text = [
                    ("NvDsClassifierMeta", "classifier_type"),
                    ("NvDsLabelInfo", "pResult_label"),
                ]
                .iter()
                .any(|(of, field)| name == *of && arena.at(0, name, field) == offset);
                // Pointers are set by the others, and two of these are in the frame's sensor.
                if is_text || (name, len) == ("NvDsFrameMeta", 32) || is_pointer {
                    return;
                }
                let bytes = value.to_le_bytes().into_iter().cycle();
                poke(at + offset, &bytes.take(len).collect::<Vec<_>>());
            }
            Self::Type(which, meta_type) => {
                let elements: Vec<_> = all.iter().filter(|(_, name)| *name != NODE).collect();
                if !elements.is_empty() {
                    let (at, _) = elements[which % elements.len()];
                    arena.set_base(*at, *meta_type);
                }
            }
            Self::Next(which, value) => {
                if let Some((at, _)) = pick(&of(&[NODE]), *which) {
                    arena.set_u64(at, NODE, "next", pointer(&all, *value));
                }
            }
            Self::Head(which, value) => {
                let kinds = ["NvDsFrameMeta", "NvDsObjectMeta", "NvDsClassifierMeta"];
                let Some((at, name)) = pick(&of(&kinds), *which) else {
                    return;
                };
                let field = match name {
                    "NvDsFrameMeta" => "obj_meta_list",
                    "NvDsObjectMeta" => "classifier_meta_list",
                    _ => "label_info_list",
                };
                arena.set_u64(at, name, field, pointer(&all, *value));
            }
            Self::Text(which, bytes) => {
                let kinds = ["NvDsClassifierMeta", "NvDsLabelInfo"];
                let Some((at, name)) = pick(&of(&kinds), *which) else {
                    return;
                };
                let field = match name {
                    "NvDsClassifierMeta" => "classifier_type",
                    _ => "pResult_label",
                };
                arena.set_u64(at, name, field, arena.text(bytes.clone()));
            }
            Self::Pool(which, value, of_type) => {
                let pool = arena.get_u64(arena.batch, "NvDsBatchMeta", POOLS[which % POOLS.len()]);
                let field = match of_type {
                    true => "meta_type",
                    false => "element_size",
                };
                // Another spoil may have taken the pool away.
                if pool.is_multiple_of(8) && (1 << 16..1 << 47).contains(&pool) {
                    arena.set_u32(pool, "NvDsMetaPool", field, *value);
                }
            }
            Self::Batch(which, value) => {
                let (field, nowhere) = match which % 8 {
                    0..3 => ("frame_meta_list", pointer(&all, *value)),
                    // Only where there can be none: there are no other pools.
                    n => (POOLS[n % POOLS.len()], [0, 8, 0xfff8, 1 << 63][n % 4]),
                };
                arena.set_u64(arena.batch, "NvDsBatchMeta", field, nowhere);
            }
        }
    }
}

const POOLS: [&str; 5] = [
    "frame_meta_pool",
    "obj_meta_pool",
    "classifier_meta_pool",
    "user_meta_pool",
    "label_info_meta_pool",
];

/// An address that the reader must be able to cope with as that of a node.
fn pointer(known: &[(u64, &str)], random: u64) -> u64 {
    let any = |n: u64| {
        known
            .get(n as usize % known.len().max(1))
            .map_or(0, |it| it.0)
    };
    match random % 8 {
        0 => 0,
        1 => random % 0x1_0000,
        2 => random | 1 << 63,
        3 => any(random >> 3) | (1 + (random >> 32) % 7),
        _ => any(random >> 3),
    }
}
