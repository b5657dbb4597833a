// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The best frame of each object, and the events by which muxers end single streams.

use gst::prelude::*;
use gstdsframe::mem::sys::Generation;

use crate::common;
use crate::kit::{
    Feed, MS, Muxer, STREAM_EOS, Shot, Taken, event, log_of, numbers, taken, takes, tracked,
};

/// No window ends by itself.
const BEST: [(&str, &str); 2] = [("dedupe", "best"), ("best-window", "3600000000000")];

/// How sure the detector is of frames 0 to 9.
const CONFIDENCES: [f32; 10] = [
    0.25, 0.5, 0.375, 0.75, 0.9375, 0.875, 0.9375, 0.5, 0.25, 0.0625,
];
const BEST_FRAME: i32 = 4;

/// Stream 2 comes from pad 12.
fn shot(stream: u32, number: i32, first: i32) -> Shot {
    let confidence = CONFIDENCES[(number - first) as usize];
    let mut shot = Shot::new(stream, number).with([tracked("car", 77, confidence)]);
    shot.pad = stream + 10;
    shot.time = (number - first) as u64 * 100 * MS;
    shot
}

/// Ten frames of each of the streams.
fn push(feed: &Feed, muxer: &mut Muxer, streams: &[u32], first: i32) {
    for number in first..first + 10 {
        let shots: Vec<_> = streams.iter().map(|s| shot(*s, number, first)).collect();
        feed.push(muxer.batch(&shots));
    }
}

fn best(stream: u32, number: i32) -> Taken {
    taken(stream, number, "best")
}

fn playing(folder: &tempfile::TempDir, generation: Generation) -> (Feed, Muxer) {
    let feed = Feed::new(folder, "", &BEST);
    let muxer = Muxer::new(generation);
    feed.begin(&muxer.caps());
    (feed, muxer)
}

#[test]
fn the_end_of_a_stream_delivers_what_is_held_of_it() {
    for (generation, number) in Generation::ALL.into_iter().zip([102_918, 102_942, 102_942]) {
        assert!(numbers(STREAM_EOS).contains(&number));
        let folder = tempfile::tempdir().unwrap();
        let (feed, mut muxer) = playing(&folder, generation);
        push(&feed, &mut muxer, &[1, 2, 3], 0);
        assert_eq!((feed.count("captured"), feed.count("pending")), (0, 3));
        assert!(feed.send(event(number, Some(12))));
        feed.until_captured(1);
        assert_eq!(takes(&folder), [best(2, BEST_FRAME)]);
        assert_eq!((feed.count("pending"), feed.count_of(2, "pending")), (2, 0));
        // Nobody comes from there, or did.
        for pad in [2, 99, u32::MAX, 12] {
            assert!(feed.send(event(number, Some(pad))));
        }
        assert!(feed.send(event(number, None)));
        assert_eq!(feed.count("pending"), 2);
        // It comes back: its time starts anew, and the object counts as another one.
        push(&feed, &mut muxer, &[3, 2], 100);
        assert_eq!(feed.count_of(2, "pending"), 1);
        assert!(feed.send(event(number, Some(12))));
        // The time of stream 3 stepped back by less than a second.
        feed.until_captured(2);
        assert!(feed.send(event(number, Some(13))));
        feed.until_captured(3);
        feed.end_silently();
        let want = [best(2, 4), best(2, 104), best(3, 4), best(1, 4)];
        assert_eq!(takes(&folder), want);
        assert_eq!(log_of(&folder)[0]["pts"], 400 * MS);
    }
}

/// The window of one object ends with a frame that is captured for another: what was decided first
/// has the lower number and the earlier line.
#[test]
fn what_a_frame_decides_comes_before_the_frame_itself() {
    let folder = tempfile::tempdir().unwrap();
    let properties = [("dedupe", "best"), ("best-window", "900000000")];
    let feed = Feed::new(&folder, "", &properties);
    let mut muxer = Muxer::new(Generation::C);
    feed.begin(&muxer.caps());
    for number in 0..9 {
        feed.push(muxer.batch(&[shot(1, number, 0)]));
    }
    // All ones: nothing tracks it.
    let mut last = Shot::new(1, 9).with([tracked("car", u64::MAX, 0.5)]);
    last.pad = 11;
    last.time = 900 * MS;
    feed.push(muxer.batch(&[last]));
    feed.until_captured(2);
    let messages = feed.end();
    assert_eq!(messages.warnings().len(), 1, "of objects without tracks");
    assert_eq!(takes(&folder), [best(1, BEST_FRAME), best(1, 9)]);
}

#[test]
fn other_ends_of_a_stream_count_too() {
    for kind in [401, STREAM_EOS, 404] {
        for number in numbers(kind) {
            let folder = tempfile::tempdir().unwrap();
            let (feed, mut muxer) = playing(&folder, Generation::B);
            push(&feed, &mut muxer, &[1, 2], 0);
            assert!(feed.send(event(number, Some(11))));
            feed.until_captured(1);
            assert_eq!(takes(&folder), [best(1, 4)], "{number}");
            feed.end_silently();
        }
    }
}

#[test]
fn no_event_of_a_muxer_is_refused() {
    for front in ["", "queue !"] {
        let folder = tempfile::tempdir().unwrap();
        let feed = Feed::new(&folder, front, &BEST);
        let mut muxer = Muxer::new(Generation::C);
        // Some come before the stream does.
        assert!(feed.send(event(numbers(400)[1], Some(1))));
        feed.begin(&muxer.caps());
        push(&feed, &mut muxer, &[1], 0);
        let unknown = numbers(999).into_iter().chain([103_942]);
        let all = (400..=406).flat_map(numbers).chain(unknown);
        for number in all {
            for source in [None, Some(55)] {
                assert!(feed.send(event(number, source)), "{number}");
            }
        }
        push(&feed, &mut muxer, &[1], 0);
        assert_eq!(feed.count("captured"), 0);
        feed.end_silently();
        assert_eq!(takes(&folder), [best(1, 4)]);
    }
}

#[test]
fn several_streams_behind_one_pad_end_together() {
    let folder = tempfile::tempdir().unwrap();
    let (feed, mut muxer) = playing(&folder, Generation::A);
    for number in 0..10 {
        // As a dewarper makes several of one.
        let shots = [21, 20, 22].map(|stream| Shot {
            pad: if stream == 22 { 1 } else { 0 },
            ..shot(stream, number, 0)
        });
        feed.push(muxer.batch(&shots));
    }
    assert!(feed.send(event(numbers(STREAM_EOS)[1], Some(0))));
    feed.until_captured(2);
    let mut got = takes(&folder);
    got.sort();
    assert_eq!(got, [best(20, 4), best(21, 4)]);
    feed.end_silently();
}

#[test]
fn what_is_held_is_delivered_at_the_end_and_without_one() {
    for with_eos in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let (feed, mut muxer) = playing(&folder, Generation::C);
        push(&feed, &mut muxer, &[5, 0], 0);
        if with_eos {
            feed.end_silently();
        } else {
            feed.pipeline.set_state(gst::State::Null).unwrap();
            common::check_accounts(&feed.capture);
            assert_eq!(feed.count("captured"), 2);
        }
        let mut got = takes(&folder);
        got.sort();
        assert_eq!(got, [best(0, 4), best(5, 4)], "{with_eos}");
    }
}

#[test]
fn windows_end_by_the_time_of_their_stream() {
    let folder = tempfile::tempdir().unwrap();
    let properties = [("dedupe", "best"), ("best-window", "450000000")];
    let feed = Feed::new(&folder, "", &properties);
    let mut muxer = Muxer::new(Generation::B);
    feed.begin(&muxer.caps());
    for number in 0..10 {
        // Stream 1 is three times as fast.
        let shots: Vec<_> = [0, 1, 1, 1]
            .into_iter()
            .enumerate()
            .map(|(at, stream)| match stream {
                0 => shot(0, number, 0),
                _ => {
                    let number = 3 * number + at as i32 - 1;
                    let confidence = if number == 7 {
                        0.9
                    } else {
                        0.1 + number as f32 / 100.0
                    };
                    Shot::new(1, number).with([tracked("bus", number as u64 / 5, confidence)])
                }
            })
            .collect();
        feed.push(muxer.batch(&shots));
    }
    feed.end_silently();
    let mut got = takes(&folder);
    got.sort();
    let mut want = vec![best(0, 4), best(1, 4), best(1, 7)];
    want.extend([14, 19, 24, 29].map(|number| best(1, number)));
    assert_eq!(got, want);
}

/// The end of a stream may be what there is to wait for: no buffer has to follow.
#[test]
fn the_last_capture_may_come_with_the_end_of_its_stream() {
    for rest in [
        &[("dedupe", "best"), ("best-window", "3600000000000")][..],
        &[("min-objects", "1"), ("post-roll", "30")],
    ] {
        let folder = tempfile::tempdir().unwrap();
        let limit = [("max-captures", "1"), ("eos-after-max", "true")];
        let feed = Feed::new(&folder, "", &[&limit, rest].concat());
        let mut muxer = Muxer::new(Generation::B);
        feed.begin(&muxer.caps());
        push(&feed, &mut muxer, &[1], 0);
        assert!(!common::pending(&feed.bus).eos());
        assert!(feed.send(event(numbers(STREAM_EOS)[0], Some(11))));
        assert!(common::wait_for_end(&feed.bus).eos());
        let want = if rest[0].0 == "dedupe" { 1 } else { 10 };
        assert_eq!(takes(&folder).len(), want);
        feed.stop();
    }
}

#[test]
fn muxers_also_tell_by_a_message() {
    let folder = tempfile::tempdir().unwrap();
    let (feed, mut muxer) = playing(&folder, Generation::A);
    push(&feed, &mut muxer, &[1], 0);
    let eos = gst::message::Element::new(gst::Structure::new_empty("stream-eos"));
    assert!(feed.send(gst::event::SinkMessage::new("stream-eos", &eos)));
    let messages = feed.end();
    assert_eq!(messages.elements("stream-eos").len(), 1);
    assert_eq!(takes(&folder), [best(1, 4)]);
}
