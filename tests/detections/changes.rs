// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What changes while frames come: formats, sizes, and which streams there are.

use gstdsframe::mem::sys::Generation;

use crate::kit::{Feed, Muxer, Shot, event, log_of, numbers, nvmm_caps, taken, takes, tracked};

#[test]
fn caps_change_between_batches() {
    for front in ["", "queue max-size-buffers=2 !"] {
        let folder = tempfile::tempdir().unwrap();
        // What is held goes on to be held.
        let properties = [("classes", "car"), ("pre-roll", "1"), ("workers", "3")];
        let feed = Feed::new(&folder, front, &properties);
        let mut muxers = Generation::ALL.map(Muxer::new);
        let sizes = [(256, 144), (640, 360), (128, 72)];
        feed.begin(&muxers[0].caps());
        let mut want = Vec::new();
        for number in 0..24 {
            let now = number as usize / 2 % 3;
            let size = sizes[number as usize / 4 % 3];
            let muxer = &mut muxers[now];
            feed.set_caps(&nvmm_caps(muxer.format, size));
            let shots = [0, 1].map(|stream| {
                let triggers = number % 6 == 2 + stream;
                let shot = Shot {
                    size,
                    ..Shot::new(stream as u32, number)
                };
                shot.with(triggers.then(|| tracked("car", 1, 0.5)))
            });
            for shot in shots.iter().filter(|shot| !shot.objects.is_empty()) {
                want.push(taken(shot.stream, number - 1, "pre"));
                want.push(taken(shot.stream, number, "metadata"));
            }
            feed.push(muxer.batch(&shots));
        }
        feed.end_silently();
        assert_eq!(takes(&folder), want);
        for line in log_of(&folder) {
            let number = line["frame_number"].as_u64().unwrap() as usize;
            assert_eq!(line["frame_size"][0], sizes[number / 4 % 3].0, "{number}");
        }
    }
}

#[test]
fn surfaces_grow_and_shrink_under_the_same_caps() {
    let folder = tempfile::tempdir().unwrap();
    let feed = Feed::new(&folder, "", &[("interval", "1")]);
    let mut muxer = Muxer::new(Generation::C);
    feed.begin(&muxer.caps());
    let sizes = [(128, 72), (320, 180), (130, 74), (1280, 720), (128, 72)];
    for (number, size) in sizes.into_iter().enumerate() {
        let shot = Shot {
            size,
            ..Shot::new(0, number as i32)
        };
        feed.push(muxer.batch(&[Shot::new(1, number as i32), shot]));
    }
    feed.end_silently();
    let log = log_of(&folder);
    let of_stream = log.iter().filter(|line| line["stream"] == 0);
    let got: Vec<_> = of_stream
        .map(|line| {
            let side = |at: usize| line["frame_size"][at].as_u64().unwrap() as u32;
            (side(0), side(1))
        })
        .collect();
    assert_eq!(got, sizes);
}

#[test]
fn streams_come_and_go() {
    let folder = tempfile::tempdir().unwrap();
    let feed = Feed::new(&folder, "", &[("interval", "4")]);
    let mut muxer = Muxer::new(Generation::B);
    feed.begin(&muxer.caps());
    let (added, deleted, start, eos) = (400, 401, 405, 402);
    let send = |kind, pad| assert!(feed.send(event(numbers(kind)[1], Some(pad))));
    let mut want = Vec::new();
    let mut next = [0; 8];
    // From, up to and without: which streams there are; 5 and 7 use the same pad, one after another.
    let lives = [
        (0, 0, 40),
        (1, 5, 21),
        (5, 10, 18),
        (7, 20, 33),
        (1, 30, 40),
    ];
    for round in 0..40 {
        let mut shots = Vec::new();
        for (stream, from, to) in lives {
            let pad = if stream >= 5 { 5 } else { stream as u32 };
            if round == from {
                send(added, pad);
                send(start, pad);
                next[stream] = 0;
            }
            if round == to {
                send(eos, pad);
                send(deleted, pad);
            }
            if (from..to).contains(&round) {
                let number = next[stream];
                next[stream] += 1;
                // Numbers of a stream that comes back go on from where others ended.
                let shot = Shot {
                    pad,
                    number: number + 100 * from,
                    time: number as u64 * 40_000_000,
                    ..Shot::new(stream as u32, 0)
                };
                if number % 4 == 0 {
                    want.push(taken(shot.stream, shot.number, "interval"));
                }
                shots.push(shot);
            }
        }
        feed.push(muxer.batch(&shots));
    }
    let seen = |stream: u32| feed.count_of(stream, "seen");
    assert_eq!([seen(0), seen(1), seen(5), seen(7)], [40, 26, 8, 13]);
    assert!(next[7] == 13);
    feed.end_silently();
    assert_eq!(takes(&folder), want);
}

#[test]
fn one_run_knows_nothing_of_another() {
    use gst::prelude::*;
    let folder = tempfile::tempdir().unwrap();
    let properties = [("dedupe", "track"), ("mode", "metadata")];
    let feed = Feed::new(&folder, "", &properties);
    let mut muxer = Muxer::new(Generation::A);
    for run in 0..3 {
        if run > 0 {
            feed.pipeline.set_state(gst::State::Playing).unwrap();
            feed.pad.set_active(true).unwrap();
        }
        feed.begin(&muxer.caps());
        for number in 0..3 {
            let number = 10 * run + number;
            feed.push(muxer.batch(&[Shot::new(0, number).with([tracked("car", 1, 0.5)])]));
        }
        assert_eq!(feed.count("seen"), 3);
        feed.pipeline.set_state(gst::State::Ready).unwrap();
        assert_eq!(feed.count("captured"), 1);
    }
    feed.stop();
    let want = [0, 10, 20].map(|number| taken(0, number, "metadata"));
    assert_eq!(takes(&folder), want);
}
