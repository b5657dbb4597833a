// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Streams of a batch with rules of their own.

use gstdsframe::mem::sys::Generation;
use tempfile::TempDir;

use crate::batch::ObjectSpec;
use crate::common::at;
use crate::files::{both, section, write};
use crate::kit::{Dice, Feed, HD, MS, Muxer, NAMES, STREAM_EOS, Shot, Taken, event, numbers};
use crate::kit::{log_of, taken, taken_of, takes, tracked};
use crate::model::Settings;

const STREAMS: usize = 6;
const FRAMES: usize = 50;

fn object(dice: &mut Dice, stream: usize) -> ObjectSpec {
    let labels = ["person", "car", "bus"];
    let class = dice.roll(labels.len());
    let (w, h) = (1 + dice.roll(100), 1 + dice.roll(70));
    let (x, y) = (dice.roll(HD.0 as usize - w), dice.roll(HD.1 as usize - h));
    ObjectSpec {
        class_id: class as i32,
        object_id: (dice.roll(9) + stream) as u64,
        confidence: dice.roll(17) as f32 / 16.0,
        ..ObjectSpec::new(labels[class], [x as f32, y as f32, w as f32, h as f32])
    }
}

fn batches(dice: &mut Dice) -> Vec<Vec<Shot>> {
    let mut batches = Vec::new();
    for number in 0..FRAMES {
        let mut order: Vec<_> = (0..STREAMS).collect();
        dice.shuffle(&mut order);
        let batch = order.into_iter().map(|stream| {
            let time = number * (30 + stream) + dice.roll(20);
            let objects = dice.roll(5);
            let mut shot = Shot::new(stream as u32, (1000 * stream + number) as i32)
                .with((0..objects).map(|_| object(dice, stream)));
            shot.time = time as u64 * MS;
            shot
        });
        batches.push(batch.collect());
    }
    batches
}

/// Every stream by its own settings, in the order of the frames.
fn predict(shots: &[Shot], settings: &dyn Fn(u32) -> Settings) -> Vec<Taken> {
    let mut want = Vec::new();
    for stream in 0..STREAMS as u32 {
        let own: Vec<_> = shots
            .iter()
            .filter(|s| s.stream == stream)
            .cloned()
            .collect();
        want.extend(settings(stream).predict(&own));
    }
    let place = |take: &Taken| {
        let mut shots = shots.iter();
        shots.position(|s| s.stream == take.0 && s.number as u64 == take.1)
    };
    want.sort_by_key(place);
    want
}

#[test]
fn every_stream_goes_by_its_own_rules() {
    let common = Settings {
        labels: &["person"],
        min_confidence: 4,
        min_objects: 1,
        cooldown: 70,
        roi: true,
        ..Settings::default()
    };
    let of = |stream: u32| match stream {
        // By time and filters of its own, with the rest of all streams.
        1 => Settings {
            labels: &["car", "bus"],
            cooldown: 0,
            ..common.clone()
        },
        2 => Settings {
            mode: "interval",
            interval: 7,
            ..common.clone()
        },
        3 => Settings {
            mode: "either",
            interval: 9,
            track: true,
            roi: false,
            ..common.clone()
        },
        4 => Settings {
            min_confidence: 10,
            min_objects: 2,
            max_objects: Some(2),
            labels: &[],
            ..common.clone()
        },
        _ => common.clone(),
    };
    let all = common.properties();
    let all: Vec<_> = all
        .iter()
        .map(|(key, value)| (*key, value.as_str()))
        .collect();
    let groups = [
        section("stream-1", &[("classes", "car,bus"), ("cooldown", "0")]),
        section("stream-2", &[("mode", "interval"), ("interval", "7")]),
        section(
            "stream-3",
            &[
                ("mode", "either"),
                ("interval", "9"),
                ("dedupe", "track"),
                ("roi", ""),
            ],
        ),
        section(
            "stream-4",
            &[
                ("classes", ""),
                ("min-confidence", "0.625"),
                ("min-objects", "2"),
                ("max-objects", "2"),
            ],
        ),
        section("stream-99", &[("mode", "manual")]),
    ];
    let mut dice = Dice::new(6);
    let batches = batches(&mut dice);
    let shots: Vec<Shot> = batches.iter().flatten().cloned().collect();
    let want = predict(&shots, &of);
    for stream in 0..STREAMS as u32 {
        let taken = want.iter().filter(|take| take.0 == stream).count();
        assert!((2..FRAMES / 2).contains(&taken), "{stream}: {taken}");
    }
    let generations = [Generation::B, Generation::C];
    for (at_, generation) in generations.into_iter().enumerate() {
        let (folder, of_file) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (location, log) = (at(&folder, NAMES), at(&folder, "log"));
        let mut property = all.clone();
        property.extend([
            ("location", location.as_str()),
            ("log-location", log.as_str()),
        ]);
        let mut sections = vec![section("property", &property)];
        sections.extend(groups.iter().cloned());
        let (name, text) = &both(&sections)[at_];
        let file = write(&of_file, name, text);
        let feed = Feed::plain("", &[("config-file-path", file.to_str().unwrap())]);
        let mut muxer = Muxer::new(generation);
        feed.begin(&muxer.caps());
        for batch in &batches {
            feed.push(muxer.batch(batch));
        }
        feed.end_silently();
        let log = log_of(&folder);
        assert_eq!(log.iter().map(taken_of).collect::<Vec<_>>(), want);
        for line in &log {
            let is_it = |shot: &&Shot| line["frame_number"] == shot.number;
            let shot = shots.iter().find(is_it).unwrap();
            let objects = line["objects"].as_array().unwrap();
            for (got, object) in objects.iter().zip(&shot.objects) {
                assert_eq!(got["matched"], of(shot.stream).passes(shot, object));
            }
        }
    }
}

/// A feed into `location` and `log` of the folder, by these groups of a file.
fn feed(folder: &TempDir, property: &str, streams: &str) -> (Feed, TempDir) {
    feed_with(folder, property, streams, &[])
}

/// The same with what is set on the element.
fn feed_with(
    folder: &TempDir,
    property: &str,
    streams: &str,
    given: &[(&str, &str)],
) -> (Feed, TempDir) {
    let of_file = tempfile::tempdir().unwrap();
    let (location, log) = (at(folder, NAMES), at(folder, "log"));
    let text = format!(
        "property:\n  location: '{location}'\n  log-location: '{log}'\n{property}\n{streams}\n"
    );
    let file = write(&of_file, "a.yml", &text);
    let mut properties = vec![("config-file-path", file.to_str().unwrap())];
    properties.extend(given);
    let feed = Feed::plain("", &properties);
    (feed, of_file)
}

fn shot(stream: u32, number: i32, label: &str) -> Shot {
    Shot::new(stream, number).with([tracked(label, 1, 0.9)])
}

/// What cannot be had beside what a stream says of its own gives way to it.
#[test]
fn a_stream_need_not_unset_what_it_replaces() {
    let folder = tempfile::tempdir().unwrap();
    let property = "  mode: either\n  interval: 4\n  min-objects: 1\n  max-objects: 3\n  \
                    condition: count > 0\n  cooldown: 1\n  post-roll-time: 100000000";
    let streams = "\
stream-1: {interval-time: 300000000, classes: nobody, post-roll: 0}
stream-2: {mode: interval, interval: 5}
stream-3: {mode: manual}
stream-4: {mode: metadata, dedupe: best, best-window: 200000000, post-roll: 0}
";
    let (feed, _file) = feed(&folder, property, streams);
    let mut muxer = Muxer::new(Generation::C);
    feed.begin(&muxer.caps());
    for number in 0..8 {
        let shots = [1, 2, 3, 4].map(|stream| shot(stream, number, "person"));
        feed.push(muxer.batch(&shots));
    }
    feed.end_silently();
    let mut got = takes(&folder);
    got.sort();
    let want = [
        (1, 0, "interval"),
        (1, 3, "interval"),
        (1, 6, "interval"),
        (2, 0, "interval"),
        (2, 1, "post"),
        (2, 5, "interval"),
        (2, 6, "post"),
    ];
    let best: Vec<_> = got.iter().filter(|take| take.0 == 4).cloned().collect();
    assert_eq!(best.len(), 1, "{got:?}");
    assert_eq!(best[0].2, "best");
    got.retain(|take| take.0 != 4);
    assert_eq!(
        got,
        want.map(|(stream, frame, reason)| taken(stream, frame, reason))
    );
}

/// Nothing gives way to what a stream says in vain, as the element says otherwise.
#[test]
fn what_is_set_on_the_element_leaves_the_rest_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let property = "  mode: metadata\n  min-objects: 2\n  cooldown: 100000000";
    let streams = "stream-1: {mode: interval}";
    let (feed, _file) = feed_with(&folder, property, streams, &[("mode", "either")]);
    let mut muxer = Muxer::new(Generation::C);
    feed.begin(&muxer.caps());
    for number in 0..8 {
        let objects = if number < 3 { 1 } else { 2 };
        let mut shot =
            Shot::new(1, number).with((0..objects).map(|track| tracked("person", track, 0.9)));
        shot.time = number as u64 * 40 * MS;
        feed.push(muxer.batch(&[shot]));
    }
    feed.end_silently();
    let want = [(1, 0, "interval"), (1, 3, "metadata"), (1, 6, "metadata")];
    assert_eq!(
        takes(&folder),
        want.map(|(stream, frame, reason)| taken(stream, frame, reason))
    );
}

/// Rolls of each stream are its own, and `roll-max-bytes` is that of all.
#[test]
fn rolls_are_of_each_stream() {
    let folder = tempfile::tempdir().unwrap();
    let property = "  mode: metadata\n  classes: person";
    let streams = "stream-1: {pre-roll: 2}\nstream-2: {post-roll: 1}";
    let (feed, _file) = feed(&folder, property, streams);
    let mut muxer = Muxer::new(Generation::C);
    feed.begin(&muxer.caps());
    for number in 0..6 {
        let label = if number == 3 { "person" } else { "car" };
        let shots = [0, 1, 2].map(|stream| shot(stream, number, label));
        feed.push(muxer.batch(&shots));
    }
    feed.end_silently();
    let mut got = takes(&folder);
    got.sort();
    let want = [
        (0, 3, "metadata"),
        (1, 1, "pre"),
        (1, 2, "pre"),
        (1, 3, "metadata"),
        (2, 3, "metadata"),
        (2, 4, "post"),
    ];
    assert_eq!(
        got,
        want.map(|(stream, frame, reason)| taken(stream, frame, reason))
    );
}

/// Detections are read if one stream alone asks for them, and a stream that comes back has its
/// rules again.
#[test]
fn one_stream_alone_asks_for_detections() {
    let folder = tempfile::tempdir().unwrap();
    let property = "  mode: interval\n  interval: 3\n  max-captures: 9";
    let (feed, _file) = feed(
        &folder,
        property,
        "stream-5: {mode: metadata, classes: person}",
    );
    let mut muxer = Muxer::new(Generation::C);
    feed.begin(&muxer.caps());
    for number in 0..4 {
        let label = if number % 2 == 1 { "person" } else { "car" };
        feed.push(muxer.batch(&[shot(0, number, label), shot(5, number, label)]));
    }
    assert!(feed.send(event(numbers(STREAM_EOS)[1], Some(5))));
    for number in 4..8 {
        let label = if number % 2 == 1 { "person" } else { "car" };
        feed.push(muxer.batch(&[shot(0, number, label), shot(5, number, label)]));
    }
    feed.end_silently();
    let mut got = takes(&folder);
    got.sort();
    let want = [
        (0, 0, "interval"),
        (0, 3, "interval"),
        (0, 6, "interval"),
        (5, 1, "metadata"),
        (5, 3, "metadata"),
        (5, 5, "metadata"),
        (5, 7, "metadata"),
    ];
    assert_eq!(
        got,
        want.map(|(stream, frame, reason)| taken(stream, frame, reason))
    );
}

/// What limits all streams together does so with rules of their own, too.
#[test]
fn max_captures_is_of_all_streams() {
    let folder = tempfile::tempdir().unwrap();
    let property = "  mode: interval\n  interval: 1\n  max-captures: 5";
    let (feed, _file) = feed(&folder, property, "stream-1: {interval: 2}");
    let mut muxer = Muxer::new(Generation::C);
    feed.begin(&muxer.caps());
    for number in 0..6 {
        feed.push(muxer.batch(&[shot(0, number, "car"), shot(1, number, "car")]));
    }
    feed.end_silently();
    let want = [(0, 0), (1, 0), (0, 1), (0, 2), (1, 2)];
    let want = want.map(|(stream, frame)| taken(stream, frame, "interval"));
    assert_eq!(takes(&folder), want);
}
