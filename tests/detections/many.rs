// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Sixteen streams at once, by every mode, against the model.

use gstdsframe::mem::sys::Generation;

use crate::batch::ObjectSpec;
use crate::kit::{Dice, Feed, MS, Muxer, Shot, log_of, taken_of};
use crate::model::Settings;

const STREAMS: usize = 16;
const FRAMES: usize = 60;
const SIZES: [(u32, u32); 5] = [(128, 72), (160, 96), (192, 108), (256, 144), (132, 200)];
const LABELS: [&str; 4] = ["person", "car", "bus", ""];

fn object(dice: &mut Dice, stream: usize, (width, height): (u32, u32)) -> ObjectSpec {
    let class = dice.roll(LABELS.len());
    let (w, h) = (
        1 + dice.roll(width as usize / 2),
        1 + dice.roll(height as usize / 2),
    );
    let x = dice.roll(width as usize - w);
    let y = dice.roll(height as usize - h);
    ObjectSpec {
        class_id: class as i32,
        // Now and then of an object that nobody tracks; tracks of streams are not apart.
        object_id: match dice.roll(40) {
            0 => u64::MAX,
            n => (n / 4 + stream / 2) as u64,
        },
        confidence: match dice.roll(17) {
            0 => -0.1,
            n => n as f32 / 16.0,
        },
        ..ObjectSpec::new(LABELS[class], [x as f32, y as f32, w as f32, h as f32])
    }
}

/// Frames in batches: few streams or all of them, at times two frames of one stream.
fn batches(dice: &mut Dice) -> Vec<Vec<Shot>> {
    let mut next = [0; STREAMS];
    let mut batches = Vec::new();
    while next.iter().any(|n| *n < FRAMES) {
        let mut batch = Vec::new();
        let mut order: Vec<_> = (0..STREAMS).chain(0..STREAMS).collect();
        dice.shuffle(&mut order);
        order.truncate(1 + dice.roll(STREAMS));
        for stream in order {
            let number = next[stream];
            if number == FRAMES || batch.len() == STREAMS {
                continue;
            }
            next[stream] += 1;
            let size = SIZES[stream % SIZES.len()];
            let objects = match dice.roll(3) {
                0 => 0,
                _ => dice.roll(6),
            };
            let time = number * (30 + stream) + dice.roll(20);
            batch.push(Shot {
                stream: stream as u32,
                pad: 50 - stream as u32,
                number: (1000 * stream + number) as i32,
                time: time as u64 * MS,
                size,
                objects: (0..objects).map(|_| object(dice, stream, size)).collect(),
            });
        }
        batches.push(batch);
    }
    batches
}

fn check(front: &str, generation: Generation, settings: &Settings, seed: u64) {
    let mut dice = Dice::new(seed);
    let batches = batches(&mut dice);
    let shots: Vec<Shot> = batches.iter().flatten().cloned().collect();
    assert_eq!(shots.len(), STREAMS * FRAMES);
    let want = settings.predict(&shots);
    let folder = tempfile::tempdir().unwrap();
    let properties = settings.properties();
    let properties: Vec<_> = properties.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let feed = Feed::new(&folder, front, &properties);
    let mut muxer = Muxer::new(generation);
    feed.begin(&muxer.caps());
    for batch in &batches {
        let mut slots: Vec<_> = (0..batch.len()).collect();
        dice.shuffle(&mut slots);
        feed.push(muxer.batch_at(batch, &slots));
    }
    let messages = feed.end();
    let untracked = usize::from(settings.track);
    assert_eq!(messages.warnings().len(), untracked, "{messages:?}");
    let log = log_of(&folder);
    let got: Vec<_> = log.iter().map(taken_of).collect();
    let differs = got.iter().zip(&want).position(|(got, want)| got != want);
    if let Some(at) = differs {
        panic!(
            "{at}: {:?} instead of {:?}: {settings:?}",
            got[at], want[at]
        );
    }
    assert_eq!(got.len(), want.len(), "{settings:?}");
    // Neither nothing nor everything, or there is little to be seen.
    assert!(
        (20..STREAMS * FRAMES / 2).contains(&want.len()),
        "{}",
        want.len()
    );
    for line in &log {
        let is_it =
            |shot: &&Shot| (line["stream"] == shot.stream) && (line["frame_number"] == shot.number);
        let shot = shots.iter().find(is_it).unwrap();
        assert_eq!(line["pad"], shot.pad);
        assert_eq!(line["pts"], shot.time);
        assert_eq!(
            (&line["shape"][1], &line["shape"][0]),
            (&shot.size.0.into(), &shot.size.1.into())
        );
        let objects = line["objects"].as_array().unwrap();
        assert_eq!(objects.len(), shot.objects.len());
        for (got, want) in objects.iter().zip(&shot.objects) {
            assert_eq!(got["label"].as_str().unwrap().as_bytes(), want.label);
            assert_eq!(got["class_id"], want.class_id);
            let confidence = got["confidence"].as_f64().map_or(-0.1, |c| c as f32);
            assert_eq!(confidence, want.confidence);
            let track = got["track_id"].as_u64().unwrap_or(u64::MAX);
            assert_eq!(track, want.object_id);
            let sides: Vec<_> = got["box"].as_array().unwrap().to_vec();
            let sides: Vec<_> = sides.iter().map(|s| s.as_f64().unwrap() as f32).collect();
            assert_eq!(sides, want.rect);
            assert_eq!(got["matched"], settings.passes(shot, want));
        }
    }
}

/// Directly, behind a queue, and in all generations.
fn check_all(settings: &Settings, seed: u64) {
    let queue = "queue max-size-buffers=3 !";
    let [first, second] = match seed % 3 {
        0 => [Generation::A, Generation::B],
        1 => [Generation::B, Generation::C],
        _ => [Generation::C, Generation::A],
    };
    check("", first, settings, seed);
    check(queue, second, settings, seed + 1000);
}

#[test]
fn every_filter_at_once() {
    let settings = Settings {
        labels: &["person", "bus"],
        ids: &[1],
        min_confidence: 4,
        accept_unknown: false,
        roi: true,
        cooldown: 90,
        ..Settings::default()
    };
    check_all(&settings, 1);
}

#[test]
fn tracks_once_each() {
    let settings = Settings {
        min_confidence: 6,
        track: true,
        ..Settings::default()
    };
    check_all(&settings, 2);
}

#[test]
fn tracks_once_each_with_a_cooldown_and_limits() {
    let settings = Settings {
        ids: &[0, 2],
        min_objects: 2,
        max_objects: Some(3),
        cooldown: 200,
        track: true,
        ..Settings::default()
    };
    check_all(&settings, 3);
}

#[test]
fn an_interval_of_each_stream() {
    let settings = Settings {
        mode: "interval",
        interval: 7,
        ..Settings::default()
    };
    check_all(&settings, 4);
}

#[test]
fn an_interval_or_what_is_seen() {
    let settings = Settings {
        mode: "either",
        interval: 9,
        labels: &["car"],
        min_confidence: 8,
        cooldown: 300,
        track: true,
        ..Settings::default()
    };
    check_all(&settings, 5);
}

#[test]
fn every_third_of_those_that_match() {
    let settings = Settings {
        mode: "both",
        interval: 3,
        labels: &["person"],
        roi: true,
        ..Settings::default()
    };
    check_all(&settings, 6);
}
