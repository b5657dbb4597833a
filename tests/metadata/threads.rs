// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Reading while another thread writes.

use std::sync::atomic::{AtomicBool, Ordering};

use gstdsframe::mem::sys::Generation;
use gstdsframe::meta::MetaReader;

use crate::abi::{init, poke};
use crate::batch::{Arena, ClassifierSpec, LabelSpec, ObjectSpec, batch_of};
use crate::one_frame;

const MOST: usize = 12;

/// How many objects there are in a state.
fn count(state: u32) -> usize {
    (state as usize * 7) % (MOST + 1)
}

/// Where the parts of the objects are: to look them up would take longer than to write them.
struct Writer {
    frame_num: u64,
    head: u64,
    objects: Vec<Places>,
}

struct Places {
    meta: u64,
    meta_type: u64,
    class_id: u64,
    object_id: u64,
    label: u64,
    result_label: u64,
    node: u64,
    next: u64,
}

impl Writer {
    fn new(arena: &Arena) -> Self {
        let frame = &arena.frames[0];
        let objects = frame.objects.iter().map(|object| {
            let field = |name| arena.at(object.meta, "NvDsObjectMeta", name);
            let info = object.classifiers[0].labels[0];
            Places {
                meta: object.meta,
                meta_type: arena.at(object.meta, "NvDsBaseMeta", "meta_type"),
                class_id: field("class_id"),
                object_id: field("object_id"),
                label: field("obj_label"),
                result_label: arena.at(info, "NvDsLabelInfo", "result_label"),
                node: object.node,
                next: arena.at(object.node, "GList", "next"),
            }
        });
        Self {
            frame_num: arena.at(frame.meta, "NvDsFrameMeta", "frame_num"),
            head: arena.at(frame.meta, "NvDsFrameMeta", "obj_meta_list"),
            objects: objects.collect(),
        }
    }

    /// Brings the batch from whatever it is to a state, as elements do: the objects are taken out
    /// and others are put in.
    fn write(&self, state: u32) {
        let set = |at: u64, value: u64| poke(at, &value.to_le_bytes());
        set(self.head, 0);
        // Objects that are not in use hold nonsense.
        for object in &self.objects {
            poke(object.meta_type, &[0xff; 4]);
            poke(object.label, &[0xff; 128]);
            set(object.next, 0xdead_0000_0000_0001);
        }
        poke(self.frame_num, &state.to_le_bytes());
        let label = text(state);
        let mut first = 0;
        for object in &self.objects[..count(state)] {
            set(object.meta, 0);
            poke(object.meta_type, &3_u32.to_le_bytes());
            poke(object.class_id, &state.to_le_bytes());
            set(object.object_id, u64::from(state));
            poke(object.label, &label);
            poke(object.result_label, &label);
            set(object.next, first);
            first = object.node;
            set(self.head, first);
        }
    }
}

/// The label of a state, with its terminator; long or short.
fn text(state: u32) -> Vec<u8> {
    let mut text = format!("state {state:010}{}", "!".repeat(state as usize % 40));
    text.push('\0');
    text.into()
}

/// Leaves the lock to the other thread for a while that is never the same: whoever takes it again
/// at once gets it.
fn pause(round: u32) {
    for _ in 0..round.wrapping_mul(2_654_435_761) >> 23 {
        std::hint::spin_loop();
    }
}

/// Ends the writer when dropped.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn each_reading_is_of_one_state() {
    init();
    for generation in Generation::ALL {
        let object = ObjectSpec {
            classifiers: vec![ClassifierSpec {
                labels: vec![LabelSpec::default()],
                ..ClassifierSpec::default()
            }],
            ..ObjectSpec::default()
        };
        let buffer = one_frame(generation, vec![object; MOST]).buffer();
        let arena = batch_of(&buffer).unwrap();
        let writer = Writer::new(&arena);
        arena.locked(|| writer.write(0));
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut state = 0;
                while !done.load(Ordering::Relaxed) {
                    state += 1;
                    arena.locked(|| writer.write(state));
                    pause(state);
                }
            });
            let mut reader = MetaReader::default();
            // Also when a check fails, as the scope waits for the writer.
            let _stop = Stop(&done);
            let (mut seen, mut last, mut round) = (0, 0, 0);
            // On a busy machine the writer may not run for a long time.
            while round < 20_000 || seen < 100 {
                assert!(round < 5_000_000, "the writer hardly ran: {seen}");
                round += 1;
                pause(round);
                if round.is_multiple_of(64) {
                    std::thread::yield_now();
                }
                let got = reader.read(&buffer, true, 1, |_| None);
                assert_eq!((got.left_out, &got.warning), (0, &None));
                let frame = &got.frames[0];
                let state = frame.frame_number.unwrap() as u32;
                assert_eq!(frame.detections.len(), count(state));
                let label = text(state);
                let label = std::str::from_utf8(&label[..label.len() - 1]).unwrap();
                for detection in &frame.detections {
                    assert_eq!(detection.class_id, Some(state as i32));
                    assert_eq!(detection.track_id, Some(u64::from(state)));
                    assert_eq!(detection.label, label);
                    assert_eq!(detection.classifiers[0].labels[0].label, label);
                }
                assert!(state >= last);
                seen += u32::from(state != last);
                last = state;
            }
        });
    }
}

#[test]
fn who_holds_the_lock_may_read() {
    init();
    let buffer = one_frame(Generation::B, vec![ObjectSpec::default()]).buffer();
    let arena = batch_of(&buffer).unwrap();
    arena.locked(|| {
        let mut reader = MetaReader::default();
        let got = reader.read(&buffer, true, 1, |_| None);
        assert_eq!(got.frames[0].detections.len(), 1);
    });
    // It was released as often as it was taken.
    std::thread::scope(|scope| scope.spawn(|| arena.locked(|| ())).join().unwrap());
}
