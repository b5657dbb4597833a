// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Metadata with anything in it.

use std::sync::Arc;

use gstdsframe::mem::sys::Generation;
use gstdsframe::meta::{FrameMeta, MetaReader};
use proptest::prelude::*;

use crate::abi::{init, poke, size};
use crate::batch::{Arena, BatchBuilder, ClassifierSpec, FrameSpec, LabelSpec, ObjectSpec, fields};
use crate::named;

/// A pointer that the reader must be able to cope with, by a random number.
fn pointer(known: &[(u64, &str)], random: u64) -> u64 {
    match random % 8 {
        0 => 0,
        1 => random % 0x1_0000,
        2 => random | 1 << 63,
        3 => known[random as usize % known.len()].0 | (1 + (random >> 32) % 7),
        // Any struct of the batch.
        _ => known[(random >> 3) as usize % known.len()].0,
    }
}

/// Puts anything into the fields. Texts must stay where they are: a struct has no terminator.
fn scramble(arena: &Arena, random: &[(usize, usize, u64)]) {
    let known = arena.structs();
    for (which, field, random) in random {
        let (at, name) = known[which % known.len()];
        let fields = fields(name, arena.generation);
        let (offset, len, is_pointer) = fields[field % fields.len()];
        let text = [
            ("NvDsClassifierMeta", "classifier_type"),
            ("NvDsLabelInfo", "pResult_label"),
        ];
        let is_text = text
            .iter()
            .any(|(of, field)| name == *of && arena.at(0, name, field) == offset);
        if is_text || (name, len) == ("NvDsFrameMeta", 32) {
            continue;
        }
        if is_pointer {
            poke(at + offset, &pointer(&known, *random).to_le_bytes());
            continue;
        }
        let bytes: Vec<u8> = random.to_le_bytes().into_iter().cycle().take(len).collect();
        poke(at + offset, &bytes);
    }
}

fn builder(generation: Generation) -> BatchBuilder {
    let object = ObjectSpec {
        parent: Some(0),
        classifiers: vec![ClassifierSpec {
            kind: Some("color"),
            labels: vec![LabelSpec::default(); 2],
            ..ClassifierSpec::default()
        }],
        ..ObjectSpec::new("car", [1.0, 2.0, 3.0, 4.0])
    };
    let frame = FrameSpec {
        objects: vec![object; 4],
        ..FrameSpec::default()
    };
    BatchBuilder::new(generation)
        .frame(frame.clone())
        .frame(frame.clone())
        .frame(frame)
}

fn check(frame: &FrameMeta) {
    let is_probability = |p: Option<f32>| p.is_none_or(|p| (0.0..=1.0).contains(&p));
    assert!(frame.slot < 16);
    for (index, detection) in frame.detections.iter().enumerate() {
        let bounds = detection.bounds;
        assert!(bounds.left.abs() <= 1e6 && bounds.top.abs() <= 1e6);
        assert!((0.0..=1e6).contains(&bounds.width) && (0.0..=1e6).contains(&bounds.height));
        assert!(is_probability(detection.confidence));
        assert_ne!(detection.parent, Some(index));
        assert!(
            detection
                .parent
                .is_none_or(|parent| parent < frame.detections.len())
        );
        for classifier in &detection.classifiers {
            assert!(
                classifier
                    .labels
                    .iter()
                    .all(|l| is_probability(l.probability))
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..Default::default() })]

    #[test]
    fn anything_is_survived(
        generation in 0_usize..3,
        random in prop::collection::vec((any::<usize>(), any::<usize>(), any::<u64>()), 1..40),
    ) {
        init();
        let random = Arc::new(random);
        let generation = Generation::ALL[generation];
        let builder = builder(generation).malform(move |arena| scramble(arena, &random));
        let buffer = builder.buffer();
        let mut reader = MetaReader::default();
        let got = reader.read(&buffer, true, 16, |_| Some((640, 480)));
        prop_assert_eq!(got.left_out > 0, got.warning.is_some());
        got.frames.iter().for_each(check);
        let frames = got.frames.to_vec();
        let all: Vec<_> = (0..frames.len()).collect();
        reader.read(&buffer, false, 16, |_| None);
        let later = reader.read_objects(&buffer, &all, |_| Some((640, 480)));
        later.frames.iter().for_each(check);

        // A reader that has seen it reads what is sound.
        let sound = crate::one_frame(generation, named(&["a", "b"])).buffer();
        let got = reader.read(&sound, true, 1, |_| None);
        prop_assert_eq!(crate::labels(&got.frames[0].detections), ["a", "b"]);
        prop_assert_eq!(size("NvDsMeta", generation), 72);
    }
}
