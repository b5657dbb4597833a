// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Streams of a batch are apart: their intervals, their numbers and their counters.

use gst::prelude::*;
use gstdsframe::mem::sys::Generation;

use crate::kit::{Feed, Muxer, Shot, log_of, taken, takes, tracked};

/// Its pad and its place in the batch say something else than its source.
fn shot(stream: u32, number: i32) -> Shot {
    Shot {
        pad: 7 - stream,
        ..Shot::new(stream, number)
    }
}

#[test]
fn intervals_count_the_frames_of_each_stream() {
    for generation in Generation::ALL {
        let folder = tempfile::tempdir().unwrap();
        let feed = Feed::new(&folder, "", &[("interval", "3")]);
        let mut muxer = Muxer::new(generation);
        feed.begin(&muxer.caps());
        // Stream 2 is in every batch, 4 in every other, 6 in every fourth.
        let mut want = Vec::new();
        let mut seen = [0; 3];
        for batch in 0..24 {
            let mut shots = Vec::new();
            for (at, stream) in [6, 2, 4].into_iter().enumerate() {
                if batch % [4, 1, 2][at] != 0 {
                    continue;
                }
                // Frame numbers do not begin at 0, and have gaps.
                let number = 500 + 2 * seen[at];
                if seen[at] % 3 == 0 {
                    want.push(taken(stream, number, "interval"));
                }
                seen[at] += 1;
                shots.push(shot(stream, number));
            }
            let slots: Vec<_> = (0..shots.len()).rev().collect();
            feed.push(muxer.batch_at(&shots, &slots));
        }
        for (stream, frames) in [(2, 24), (4, 12), (6, 6)] {
            assert_eq!(feed.count_of(stream, "seen"), frames);
            let captured = frames.div_ceil(3);
            assert_eq!(feed.count_of(stream, "selected"), captured);
            assert_eq!(feed.count_of(stream, "not-selected"), frames - captured);
        }
        assert_eq!(feed.count("seen"), 42);
        feed.end_silently();
        assert_eq!(takes(&folder), want);
    }
}

#[test]
fn only_chosen_streams_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    let properties = [("interval", "1"), ("streams", "3,5")];
    let feed = Feed::new(&folder, "", &properties);
    let mut muxer = Muxer::new(Generation::B);
    feed.begin(&muxer.caps());
    for number in 0..4 {
        // Pads 3 and 5 are of other streams.
        let shots = [2, 3, 4, 5].map(|stream| shot(stream, number));
        feed.push(muxer.batch(&shots));
    }
    feed.end_silently();
    let pads: Vec<_> = log_of(&folder)
        .iter()
        .map(|line| {
            (
                line["stream"].as_u64().unwrap(),
                line["pad"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(pads, [(3, 4), (5, 2)].repeat(4));
}

#[test]
fn captures_are_asked_for_by_source() {
    let folder = tempfile::tempdir().unwrap();
    let feed = Feed::new(&folder, "", &[("mode", "manual")]);
    let mut muxer = Muxer::new(Generation::A);
    feed.begin(&muxer.caps());
    for number in 0..6 {
        match number {
            1 => feed.capture.set_property("trigger", 4i32),
            // Not in the batch: its next frame comes later.
            2 => feed.capture.set_property("trigger", 6i32),
            4 => feed.capture.set_property("trigger", -1i32),
            _ => {}
        }
        let streams: &[u32] = if number == 3 { &[6, 1] } else { &[1, 4] };
        let shots: Vec<_> = streams.iter().map(|stream| shot(*stream, number)).collect();
        feed.push(muxer.batch(&shots));
    }
    feed.end_silently();
    let manual = |stream, number| taken(stream, number, "manual");
    let want = [manual(4, 1), manual(6, 3), manual(1, 4), manual(4, 4)];
    assert_eq!(takes(&folder), want);
}

#[test]
fn a_limit_counts_the_captures_of_all_streams() {
    let folder = tempfile::tempdir().unwrap();
    let properties = [
        ("min-objects", "1"),
        ("max-captures", "3"),
        ("eos-after-max", "true"),
    ];
    let feed = Feed::new(&folder, "", &properties);
    let mut muxer = Muxer::new(Generation::C);
    feed.begin(&muxer.caps());
    for number in 0..4 {
        let shots = [0, 1].map(|stream| shot(stream, number).with([tracked("car", 1, 0.5)]));
        feed.push(muxer.batch(&shots));
    }
    assert!(crate::common::wait_for_end(&feed.bus).eos());
    let want = [(0, 0), (1, 0), (0, 1)].map(|(s, n)| taken(s, n, "metadata"));
    assert_eq!(takes(&folder), want);
    assert_eq!(feed.count("not-selected"), 5);
    feed.stop();
}

#[test]
fn idle_batches_are_no_frames_whatever_their_surfaces_say() {
    for generation in Generation::ALL {
        for mode in ["metadata", "interval"] {
            let folder = tempfile::tempdir().unwrap();
            let interval = if mode == "interval" { "2" } else { "0" };
            let feed = Feed::new(&folder, "", &[("mode", mode), ("interval", interval)]);
            let mut muxer = Muxer::new(generation);
            feed.begin(&muxer.caps());
            for number in 0..8 {
                let car = tracked("car", 1, 0.5);
                let objects = (number % 2 == 0).then_some(car);
                feed.push(muxer.batch(&[shot(3, number).with(objects)]));
                // No frames at all.
                feed.push(muxer.batch(&[]));
                // None, and what is left of the surfaces of earlier ones.
                let mut stale = muxer.surfaces(&[shot(3, 99), shot(1, 99)], &[0, 1]);
                muxer.metadata(&[], &[]).attach(stale.get_mut().unwrap());
                feed.push(stale);
                // None, and a header that is nonsense.
                let mut header = vec![0xa5; generation.surface_size()];
                header[0] = number as u8;
                let mut garbage = gst::Buffer::from_mut_slice(header);
                muxer.metadata(&[], &[]).attach(garbage.get_mut().unwrap());
                feed.push(garbage);
            }
            assert_eq!(feed.count("seen"), 8);
            feed.end_silently();
            let want = [0, 2, 4, 6].map(|number| taken(3, number, mode));
            assert_eq!(takes(&folder), want);
        }
    }
}
