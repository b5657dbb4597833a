// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Elements on another branch change the metadata while the sink reads it.

use std::sync::atomic::{AtomicBool, Ordering};

use gst::prelude::*;
use gstdsframe::mem::sys::Generation;

use crate::abi::poke;
use crate::batch::{Arena, batch_of};
use crate::common::lines;
use crate::kit::{Feed, Muxer, Shot, tracked};

const MOST: usize = 10;
const FRAME: &str = "NvDsFrameMeta";
const OBJECT: &str = "NvDsObjectMeta";

/// How many objects there are in a state.
fn count(state: u32) -> usize {
    state as usize * 7 % MOST + 1
}

/// Short or long, and different in every state.
fn label(state: u32) -> String {
    format!("state {state}{}", "!".repeat(state as usize % 40))
}

/// Takes the objects of a frame out and puts others in, as elements do with the lock held.
fn write(arena: &Arena, frame: usize, state: u32) {
    let frame = &arena.frames[frame];
    let mut text = [0; 128];
    text[..label(state).len()].copy_from_slice(label(state).as_bytes());
    arena.set_u64(frame.meta, FRAME, "obj_meta_list", 0);
    // Those that are in no list hold nonsense.
    for object in &frame.objects {
        arena.set_base(object.meta, -1);
        poke(arena.at(object.meta, OBJECT, "obj_label"), &[0xff; 128]);
        arena.set_u64(object.node, "GList", "next", 0xdead_0000_0000_0001);
    }
    for object in &frame.objects[..count(state)] {
        arena.set_base(object.meta, 3);
        arena.set_u32(object.meta, OBJECT, "class_id", state);
        arena.set_u64(object.meta, OBJECT, "object_id", state.into());
        arena.set_rect(object.meta, [(state % 128) as f32; 4]);
        arena.set(object.meta, OBJECT, "obj_label", text);
        arena.prepend_node(frame.meta, FRAME, "obj_meta_list", object.node);
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
fn each_line_of_the_log_is_of_one_state() {
    let rounds = match std::env::var_os("DSFRAME_LONG") {
        Some(_) => 20_000,
        None => 1500,
    };
    // Objects are read before the decision in one mode, and after it in the other.
    for (generation, mode) in Generation::ALL
        .into_iter()
        .zip(["metadata", "interval", "metadata"])
    {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let properties = [("log-location", log.to_str().unwrap()), ("mode", mode)];
        let feed = Feed::plain("", &properties);
        let mut muxer = Muxer::new(generation);
        feed.begin(&muxer.caps());
        let objects = vec![tracked("", 0, 0.5); MOST];
        let shots = [0, 1].map(|stream| Shot::new(stream, 0).with(objects.clone()));
        let buffers: Vec<_> = (0..3).map(|_| muxer.batch(&shots)).collect();
        let arenas: Vec<_> = buffers.iter().map(|b| batch_of(b).unwrap()).collect();
        let write_all = |arena: &Arena, state| {
            arena.locked(|| (0..2).for_each(|frame| write(arena, frame, state)));
        };
        arenas.iter().for_each(|arena| write_all(arena, 0));
        let done = AtomicBool::new(false);
        let states = std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let mut state = 0;
                while !done.load(Ordering::Relaxed) {
                    state += 1;
                    write_all(&arenas[state as usize % arenas.len()], state);
                    if state % 16 == 0 {
                        std::thread::yield_now();
                    }
                }
                state
            });
            // Also when a check fails, as the scope waits for the writer.
            let _stop = Stop(&done);
            for round in 0..rounds {
                feed.pad
                    .push(buffers[round % buffers.len()].clone())
                    .unwrap();
            }
            drop(_stop);
            writer.join().unwrap()
        });
        feed.end_silently();
        let log = lines(&log);
        assert_eq!(log.len(), 2 * rounds);
        let mut seen = std::collections::HashSet::new();
        for line in &log {
            let objects = line["objects"].as_array().unwrap();
            let state = objects[0]["class_id"].as_u64().unwrap() as u32;
            assert_eq!(objects.len(), count(state));
            seen.insert(state);
            for object in objects {
                assert_eq!(object["class_id"], state);
                assert_eq!(object["track_id"], state);
                assert_eq!(object["label"], label(state));
                assert_eq!(object["box"][3], f64::from(state % 128));
                assert_eq!(object["confidence"], 0.5);
            }
        }
        assert!(states > 100 && seen.len() > 20, "{states} {}", seen.len());
    }
}
