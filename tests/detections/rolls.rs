// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Frames before and after a trigger, in every stream of a batch by itself.

use std::collections::BTreeMap;

use gst::prelude::*;
use gstdsframe::mem::sys::Generation;

use crate::common::stall::Stall;
use crate::common::{at, count, files, until};
use crate::kit::{Dice, Feed, HD, MS, Muxer, Shot, Taken, log_of, spelled, taken, takes, tracked};

fn shot(stream: u32, number: i32, triggers: bool) -> Shot {
    Shot::new(stream, number).with(triggers.then(|| tracked("car", 1, 0.5)))
}

/// Frames and whether they were taken, and the place of the last trigger.
type History = (Vec<(i32, bool)>, Option<usize>);

/// What is captured of all shots with so many frames before and after, and what is held at the end.
fn predict(shots: &[Shot], pre: usize, post: usize) -> (Vec<Taken>, usize) {
    let mut streams: BTreeMap<u32, History> = BTreeMap::new();
    let mut takes = Vec::new();
    for shot in shots {
        let (history, last) = streams.entry(shot.stream).or_default();
        let at = history.len();
        let mut done = true;
        if !shot.objects.is_empty() {
            for (number, done) in history.iter_mut().skip(at.saturating_sub(pre)) {
                if !std::mem::replace(done, true) {
                    takes.push(taken(shot.stream, *number, "pre"));
                }
            }
            takes.push(taken(shot.stream, shot.number, "metadata"));
            *last = Some(at);
        } else if last.is_some_and(|last| at - last <= post) {
            takes.push(taken(shot.stream, shot.number, "post"));
        } else {
            done = false;
        }
        history.push((shot.number, done));
    }
    let held = |(history, _): &History| {
        let recent = history.iter().rev().take(pre);
        recent.filter(|(_, done)| !done).count()
    };
    (takes, streams.values().map(held).sum())
}

#[test]
fn each_stream_has_its_own_rolls() {
    for (seed, generation) in Generation::ALL.into_iter().enumerate() {
        for (pre, post) in [(3, 0), (0, 2), (4, 3)] {
            let mut dice = Dice::new(70 + seed as u64);
            let folder = tempfile::tempdir().unwrap();
            let (pre_roll, post_roll) = (pre.to_string(), post.to_string());
            let properties = [
                ("min-objects", "1"),
                ("pre-roll", pre_roll.as_str()),
                ("post-roll", post_roll.as_str()),
            ];
            let feed = Feed::new(&folder, "", &properties);
            let mut muxer = Muxer::new(generation);
            feed.begin(&muxer.caps());
            let mut next = [0; 5];
            let mut shots = Vec::new();
            for _ in 0..40 {
                let mut batch = Vec::new();
                for stream in [3, 0, 4, 1, 2, 0] {
                    // Not all of them are in every batch.
                    if dice.roll(4) == 0 {
                        continue;
                    }
                    let number = next[stream];
                    next[stream] += 1;
                    batch.push(shot(stream as u32, number, dice.roll(12) == 0));
                }
                feed.push(muxer.batch(&batch));
                shots.extend(batch);
                let (takes, held) = predict(&shots, pre, post);
                // Once those that are on their way are there, only what is held is pending.
                until("the captures", || {
                    feed.count("captured") == takes.len() as u64
                });
                let not_selected = shots.len() - takes.len() - held;
                assert_eq!(feed.count("pending"), held as u64);
                assert_eq!(feed.count("not-selected"), not_selected as u64);
            }
            feed.end_silently();
            let want = predict(&shots, pre, post).0;
            assert!(want.len() > 20);
            assert_eq!(takes(&folder), want, "{pre} {post}");
        }
    }
}

#[test]
fn rolls_by_time_are_by_the_time_of_the_stream() {
    let folder = tempfile::tempdir().unwrap();
    let properties = [
        ("min-objects", "1"),
        ("pre-roll-time", "250000000"),
        ("post-roll-time", "100000000"),
    ];
    let feed = Feed::new(&folder, "", &properties);
    let mut muxer = Muxer::new(Generation::B);
    feed.begin(&muxer.caps());
    for number in 0..12 {
        // Stream 1 has twice the time between its frames.
        let slow = Shot {
            time: number as u64 * 200_000_000,
            ..shot(1, number, number == 6)
        };
        feed.push(muxer.batch(&[slow, shot(0, number, number == 6)]));
    }
    feed.end_silently();
    let want = [
        taken(1, 5, "pre"),
        taken(1, 6, "metadata"),
        taken(0, 4, "pre"),
        taken(0, 5, "pre"),
        taken(0, 6, "metadata"),
        taken(0, 7, "post"),
    ];
    assert_eq!(takes(&folder), want);
}

#[test]
fn the_bound_of_what_is_held_is_one_of_all_streams() {
    let folder = tempfile::tempdir().unwrap();
    // Of RGBA frames; each has a little more than its pixels.
    let room = (4 * HD.0 * HD.1 + 2000) * 5;
    let bytes = room.to_string();
    let properties = [
        ("min-objects", "1"),
        ("pre-roll", "4"),
        ("roll-max-bytes", bytes.as_str()),
    ];
    let feed = Feed::new(&folder, "", &properties);
    let mut muxer = Muxer::new(Generation::B);
    feed.begin(&muxer.caps());
    for number in 0..10 {
        let shots = [0, 1].map(|stream| shot(stream, number, (stream, number) == (1, 9)));
        feed.push(muxer.batch(&shots));
        assert!(feed.count("pending") <= 6);
    }
    // The five that came last, before the trigger.
    assert_eq!(feed.count_of(0, "pending"), 3);
    let warnings = feed.end().warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].1.contains("roll-max-bytes"), "{warnings:?}");
    // The others that were held then are frames 7, 8 and 9 of stream 0.
    let want = [
        taken(1, 7, "pre"),
        taken(1, 8, "pre"),
        taken(1, 9, "metadata"),
    ];
    assert_eq!(takes(&folder), want);
}

#[test]
fn a_flush_lets_go_of_what_is_held() {
    for properties in [
        vec![("min-objects", "1"), ("pre-roll", "4")],
        vec![("dedupe", "best"), ("best-window", "9000000000")],
    ] {
        let folder = tempfile::tempdir().unwrap();
        let feed = Feed::new(&folder, "", &properties);
        let mut muxer = Muxer::new(Generation::C);
        feed.begin(&muxer.caps());
        let best = properties[0].0 == "dedupe";
        for number in 0..6 {
            feed.push(muxer.batch(&[0, 1].map(|stream| shot(stream, number, best))));
        }
        assert_eq!(feed.count("pending"), if best { 2 } else { 8 });
        assert!(feed.send(gst::event::FlushStart::new()));
        assert!(feed.send(gst::event::FlushStop::new(true)));
        let segment = gst::FormattedSegment::<gst::ClockTime>::new();
        assert!(feed.send(gst::event::Segment::new(&segment)));
        assert_eq!((feed.count("pending"), feed.count("not-selected")), (0, 12));
        feed.push(muxer.batch(&[shot(0, 6, true)]));
        feed.end_silently();
        let reason = if best { "best" } else { "metadata" };
        assert_eq!(takes(&folder), [taken(0, 6, reason)]);
    }
}

#[test]
fn the_end_of_a_stream_lets_go_of_its_pre_roll() {
    let folder = tempfile::tempdir().unwrap();
    let feed = Feed::new(&folder, "", &[("min-objects", "1"), ("pre-roll", "3")]);
    let mut muxer = Muxer::new(Generation::A);
    feed.begin(&muxer.caps());
    for number in 0..3 {
        feed.push(muxer.batch(&[0, 1].map(|stream| shot(stream, number, false))));
    }
    assert!(feed.send(crate::kit::event(102_942, Some(1))));
    assert_eq!(
        (feed.count_of(0, "pending"), feed.count_of(1, "pending")),
        (3, 0)
    );
    feed.push(muxer.batch(&[0, 1].map(|stream| shot(stream, 3, true))));
    feed.end_silently();
    let want = [
        taken(0, 0, "pre"),
        taken(0, 1, "pre"),
        taken(0, 2, "pre"),
        taken(0, 3, "metadata"),
        taken(1, 3, "metadata"),
    ];
    assert_eq!(takes(&folder), want);
}

#[test]
fn a_trigger_is_dropped_with_its_pre_roll() {
    let folder = tempfile::tempdir().unwrap();
    let stall = Stall::new(folder.path());
    let location = at(&folder, "{stream}_{pad}_{frame}_{reason}.png");
    let feed = Feed::plain(
        "",
        &[
            ("location", &location),
            ("log-location", stall.path.to_str().unwrap()),
            ("min-objects", "1"),
            ("pre-roll", "2"),
            ("workers", "1"),
            ("queue-size", "1"),
            ("overflow", "drop-newest"),
        ],
    );
    let mut muxer = Muxer::new(Generation::B);
    feed.begin(&muxer.caps());
    // The first one is stuck in its log, and those after it wait behind it.
    feed.push(muxer.batch(&[shot(0, 0, true)]));
    let first = folder.path().join("0_0_0_metadata.png");
    until("the first picture", || first.exists());
    let mut frames = 1;
    while feed.count("dropped-overflow") == 0 {
        assert!(frames < 100, "the queue has no bound");
        let number = frames;
        let shots = [1, 0].map(|stream| shot(stream, number, number % 3 == 0));
        feed.push(muxer.batch(&shots));
        frames += 1;
    }
    // Whole triggers, with what was before them.
    let dropped = feed.count("dropped-overflow");
    assert_eq!(dropped % 3, 0, "{dropped}");
    assert_eq!(feed.count("captured"), 0);
    let log = stall.release();
    assert!(feed.send(gst::event::Eos::new()));
    assert!(crate::common::wait_for_end(&feed.bus).eos());
    crate::common::check_accounts(&feed.capture);
    assert_eq!(count(&feed.capture, "dropped"), dropped);
    feed.stop();
    drop(feed);
    let log = log.join().unwrap();
    let mut reasons: Vec<_> = log
        .iter()
        .map(|line| line["reason"].as_str().unwrap())
        .collect();
    assert_eq!(reasons.remove(0), "metadata");
    assert_eq!(
        reasons,
        ["pre", "pre", "metadata"].repeat(reasons.len() / 3)
    );
    let names: Vec<_> = files(folder.path())
        .into_iter()
        .filter(|name| name.ends_with(".png"))
        .collect();
    assert_eq!(names.len(), log.len());
    for line in &log {
        let path = line["file"].as_str().unwrap();
        let (stream, frame) = spelled(path.as_ref());
        assert_eq!(
            (&line["stream"], &line["frame_number"]),
            (&stream.into(), &frame.into())
        );
    }
}

/// Two frames of one stream may come in one batch, also where detections have no say.
#[test]
fn rolls_by_interval_and_by_hand_are_exact_too() {
    for mode in ["interval", "manual"] {
        let folder = tempfile::tempdir().unwrap();
        let interval = if mode == "interval" { "8" } else { "0" };
        let properties = [("mode", mode), ("interval", interval), ("pre-roll", "3")];
        let feed = Feed::new(&folder, "", &properties);
        let mut muxer = Muxer::new(Generation::C);
        feed.begin(&muxer.caps());
        let mut want = Vec::new();
        for batch in 0..12 {
            if mode == "manual" && batch % 4 == 0 {
                feed.capture.set_property("trigger", 0i32);
            }
            let of_stream = |first: i32| shot(0, first, batch % 2 == 0);
            let first = 2 * batch;
            feed.push(muxer.batch(&[
                of_stream(first),
                shot(1, batch, false),
                of_stream(first + 1),
            ]));
            if first % 8 == 0 {
                want.extend((first - 3).max(0)..first);
                want.push(first);
            }
        }
        feed.end_silently();
        let log = log_of(&folder);
        let of_stream: Vec<_> = log.iter().filter(|line| line["stream"] == 0).collect();
        let got: Vec<_> = of_stream
            .iter()
            .map(|line| line["frame_number"].as_u64().unwrap() as i32)
            .collect();
        assert_eq!(got, want, "{mode}");
        for line in of_stream {
            let number = line["frame_number"].as_u64().unwrap();
            assert_eq!(line["pts"], number * 100 * MS);
            assert_eq!(line["objects_detected"], u64::from(number / 2 % 2 == 0));
        }
    }
}
