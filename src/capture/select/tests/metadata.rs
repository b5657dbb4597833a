// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn metadata() -> Rules {
    rules(When::Metadata)
}

/// The numbers and reasons of what is captured of these frames, at 0, 1, 2 … ms.
fn captured(rules: Rules, frames: &[Vec<Detection>]) -> Vec<(u64, Reason)> {
    let mut caller = Caller::new(rules);
    for (n, detections) in frames.iter().enumerate() {
        caller.frame(&with(n as u64 * MS, detections));
    }
    caller.assert_settled();
    let captures = caller.captures.iter();
    captures.map(|c| (c.number, c.reason)).collect()
}

fn numbers(rules: Rules, frames: &[Vec<Detection>]) -> Vec<u64> {
    captured(rules, frames)
        .into_iter()
        .map(|(n, _)| n)
        .collect()
}

fn persons(counts: &[usize]) -> Vec<Vec<Detection>> {
    counts.iter().map(|&n| vec![object("person"); n]).collect()
}

#[test]
fn as_many_detections_as_asked_for() {
    let frames = persons(&[0, 1, 2, 3, 4]);
    let limits = |min_objects, max_objects| Rules {
        min_objects,
        max_objects,
        ..metadata()
    };
    assert_eq!(numbers(metadata(), &frames), [1, 2, 3, 4]);
    assert_eq!(numbers(limits(2, Some(3)), &frames), [2, 3]);
    assert_eq!(numbers(limits(0, Some(0)), &frames), [0]);
    assert_eq!(numbers(limits(0, None), &frames), [0, 1, 2, 3, 4]);
}

#[test]
fn only_what_passes_is_counted_and_told() {
    let rules = Rules {
        filter: Filter {
            classes: Classes::parse("car").unwrap(),
            ..Filter::default()
        }
        .into(),
        ..metadata()
    };
    let mut caller = Caller::new(rules);
    let detections = [object("car"), object("person"), object("car")];
    let mut matches = |detections: &[Detection]| {
        let taken = matches!(caller.frame(&with(0, detections)), Decision::Take(_));
        taken.then(|| caller.captures.pop().unwrap().matches)
    };
    assert_eq!(matches(&detections), Some(vec![0, 2]));
    assert_eq!(matches(&detections[1..2]), None);
    // Whatever the reason.
    caller.selector.request(Some(0));
    let taken = caller.frame(&with(0, &detections[1..]));
    assert_eq!(taken, Decision::Take(Reason::Manual));
    assert_eq!(caller.captures.pop().unwrap().matches, [1]);
}

#[test]
fn the_condition_comes_last() {
    let rules = |text: &str| Rules {
        condition: Some(Condition::compile(text).unwrap().into()),
        ..metadata()
    };
    let frames = persons(&[0, 1, 2, 3]);
    assert_eq!(numbers(rules("count != 2"), &frames), [1, 3]);
    assert_eq!(numbers(rules("true"), &frames), [1, 2, 3]);
}

#[test]
fn a_condition_that_fails_does_not_match_and_is_told_once() {
    let rules = Rules {
        condition: Some(Condition::compile("counts[\"car\"] > 0").unwrap().into()),
        ..metadata()
    };
    let mut caller = Caller::new(rules);
    for _ in 0..3 {
        caller.frame(&with(0, &[object("person")]));
    }
    caller.frame(&with(0, &[object("car")]));
    assert_eq!(caller.numbers(), [3]);
    assert_eq!(caller.selector.condition_errors(), 3);
    let error = caller.selector.take_condition_error().unwrap();
    assert!(error.contains("counts[\"car\"] > 0"), "{error}");
    caller.frame(&with(0, &[object("person")]));
    assert_eq!(caller.selector.take_condition_error(), None);
    assert_eq!(caller.selector.condition_errors(), 4);
}

#[test]
fn either_is_by_interval_and_by_metadata() {
    let frames = persons(&[0, 1, 0, 0, 1, 0, 0, 0, 0]);
    use Reason::{Interval, Metadata};
    assert_eq!(
        captured(rules(When::Either(super::frames(4))), &frames),
        [(0, Interval), (1, Metadata), (4, Metadata), (8, Interval)]
    );
}

#[test]
fn both_is_every_nth_that_matches() {
    let frames = persons(&[0, 1, 0, 1, 1, 0, 1, 1, 1, 1]);
    let both = rules(When::Both(super::frames(3)));
    use Reason::Metadata;
    assert_eq!(
        captured(both, &frames),
        [(1, Metadata), (6, Metadata), (9, Metadata)]
    );
    let by_time = rules(When::Both(Every::Time(some(3 * MS))));
    assert_eq!(numbers(by_time, &frames), [1, 4, 7]);
}

#[test]
fn a_cooldown_holds_for_metadata_only() {
    let cooldown = |when| Rules {
        cooldown: 3 * MS,
        ..rules(when)
    };
    let frames = persons(&[1; 9]);
    assert_eq!(numbers(cooldown(When::Metadata), &frames), [0, 3, 6]);
    use Reason::{Interval, Metadata};
    assert_eq!(
        captured(cooldown(When::Either(super::frames(2))), &frames),
        [
            (0, Metadata),
            (2, Interval),
            (3, Metadata),
            (4, Interval),
            (6, Metadata),
            (8, Interval)
        ]
    );
    // A request neither waits for it nor starts it.
    let mut caller = Caller::new(cooldown(When::Metadata));
    for n in 0..5 {
        if n == 1 {
            caller.selector.request(Some(0));
        }
        caller.frame(&with(n * MS, &[object("person")]));
    }
    assert_eq!(caller.of(Reason::Manual), [1]);
    assert_eq!(caller.of(Reason::Metadata), [0, 3]);
}

#[test]
fn a_step_back_and_a_flush_end_the_cooldown() {
    let mut caller = Caller::new(Rules {
        cooldown: 5000 * MS,
        ..metadata()
    });
    let person = [object("person")];
    for ms in [10_000, 10_100, 9500, 8000, 8100] {
        caller.frame(&with(ms * MS, &person));
    }
    assert_eq!(caller.numbers(), [0, 3]);
    caller.selector.restart_timers();
    caller.frame(&with(8200 * MS, &person));
    assert_eq!(caller.numbers(), [0, 3, 5]);
}

#[test]
fn each_track_is_captured_once() {
    let track = |tracks: &[u64]| -> Vec<Detection> {
        tracks.iter().map(|&track| tracked(track, 0.5)).collect()
    };
    let once = Rules {
        dedupe: Dedupe::Track,
        ..metadata()
    };
    let frames = [
        track(&[1]),
        track(&[1]),
        track(&[1, 2]),
        track(&[2]),
        track(&[]),
        track(&[1, 2, 3]),
        track(&[3, 1]),
    ];
    assert_eq!(numbers(once.clone(), &frames), [0, 2, 5]);
    // What a cooldown keeps back is not captured.
    let slow = Rules {
        cooldown: 3 * MS,
        ..once.clone()
    };
    assert_eq!(numbers(slow, &frames), [0, 3, 6]);
    // In a stream of its own a track is another one.
    let mut caller = Caller::new(once);
    let one = track(&[1]);
    for stream in [0, 1, 0, 1] {
        caller.frame(&FrameFacts {
            stream,
            ..with(0, &one)
        });
    }
    assert_eq!(caller.numbers(), [0, 1]);
    caller.selector.end_stream(1);
    caller.frame(&FrameFacts {
        stream: 1,
        ..with(0, &one)
    });
    assert_eq!(caller.numbers(), [0, 1, 4]);
}

#[test]
fn what_is_not_tracked_is_always_new_and_that_is_said_once() {
    let mut caller = Caller::new(Rules {
        dedupe: Dedupe::Track,
        ..metadata()
    });
    caller.frame(&with(0, &[tracked(1, 0.5)]));
    assert!(!caller.selector.take_untracked());
    for n in 1..4 {
        caller.frame(&with(n, &[object("person"), tracked(1, 0.5)]));
    }
    assert_eq!(caller.numbers(), [0, 1, 2, 3]);
    assert!(caller.selector.take_untracked());
    caller.frame(&with(5, &[object("person")]));
    assert!(!caller.selector.take_untracked());
}

#[test]
fn the_longest_unseen_tracks_are_forgotten() {
    let mut tracks = Tracks::new(3);
    for track in [1, 2, 3] {
        tracks.tick();
        tracks.add(track);
    }
    tracks.tick();
    assert!(tracks.see(1));
    tracks.add(4);
    assert!(!tracks.see(2));
    tracks.add(5);
    assert!(!tracks.see(3));
    assert!([1, 4, 5].into_iter().all(|track| tracks.see(track)));
    tracks.remove(4);
    assert_eq!(tracks.len(), 2);
    assert!(!tracks.see(4));
}

proptest! {
    #[test]
    fn forgetting_is_by_when_a_track_was_seen(
        steps in prop::collection::vec((0u64..12, 0..3), 0..200),
        limit in 1usize..6,
    ) {
        let mut tracks = Tracks::new(limit);
        // In the order of when they were seen.
        let mut model: Vec<u64> = Vec::new();
        for (track, step) in steps {
            tracks.tick();
            if step == 2 {
                model.retain(|&other| other != track);
                tracks.remove(track);
                prop_assert_eq!(tracks.len(), model.len());
                continue;
            }
            let known = model.contains(&track);
            prop_assert_eq!(tracks.see(track), known);
            if known || step == 1 {
                model.retain(|&other| other != track);
                model.push(track);
                tracks.add(track);
            }
            if model.len() > limit {
                model.remove(0);
            }
            prop_assert_eq!(tracks.len(), model.len());
        }
    }

    #[test]
    fn captures_keep_their_distance(
        steps in prop::collection::vec((0u64..60, any::<bool>()), 1..200),
        cooldown in 1u64..500,
    ) {
        let mut caller = Caller::new(Rules { cooldown: cooldown * MS, ..metadata() });
        let (mut time, mut last) = (0, None);
        let mut expected = Vec::new();
        let person = [object("person")];
        for (n, (step, matches)) in steps.into_iter().enumerate() {
            time += step;
            caller.frame(&with(time * MS, if matches { &person } else { &[] }));
            if matches && last.is_none_or(|last| time - last >= cooldown) {
                last = Some(time);
                expected.push(n as u64);
            }
        }
        prop_assert_eq!(caller.numbers(), expected);
        caller.assert_settled();
    }

    #[test]
    fn no_track_is_missed_and_none_captured_for_itself_twice(
        steps in prop::collection::vec(prop::collection::btree_set(0u64..9, 0..4), 1..100),
    ) {
        let mut caller = Caller::new(Rules { dedupe: Dedupe::Track, ..metadata() });
        let mut seen = BTreeSet::new();
        let mut expected = Vec::new();
        for (n, tracks) in steps.iter().enumerate() {
            let detections: Vec<_> = tracks.iter().map(|&track| tracked(track, 0.5)).collect();
            caller.frame(&with(n as u64, &detections));
            if tracks.iter().any(|track| !seen.contains(track)) {
                expected.push(n as u64);
                seen.extend(tracks.iter().copied());
            }
        }
        prop_assert_eq!(caller.numbers(), expected);
    }

    /// Whatever is configured: each stream gets what it would get alone.
    #[test]
    fn streams_do_not_influence_each_other(
        steps in prop::collection::vec(
            (0u32..3, 0u64..3000, prop::collection::vec((0u64..4, 0u8..10), 0..3), 0u8..20),
            0..120,
        ),
        when in prop_oneof![
            Just(When::Metadata),
            Just(When::Either(super::frames(5))),
            Just(When::Both(super::frames(2))),
            Just(When::Interval(Every::Time(some(400 * MS)))),
        ],
        best in any::<bool>(),
        roll in 0u64..4,
        cooldown in 0u64..900,
    ) {
        let roll = NonZeroU64::new(roll).map_or(Roll::None, Roll::Frames);
        let rules = match best {
            true => Rules { dedupe: Dedupe::Best(some(700 * MS)), ..metadata() },
            false => Rules { dedupe: Dedupe::Track, pre_roll: roll, post_roll: roll, ..rules(when) },
        };
        let rules = Rules { cooldown: cooldown * MS, ..rules };
        let mut together = Caller::new(rules.clone());
        let mut alone: BTreeMap<u32, (Caller, Vec<u64>)> = BTreeMap::new();
        for (n, (stream, ms, objects, special)) in steps.iter().enumerate() {
            let detections: Vec<_> = objects
                .iter()
                .map(|&(track, c)| tracked(track, f32::from(c) / 10.0))
                .collect();
            let facts = FrameFacts {
                stream: *stream,
                damaged: *special == 0,
                ..with(ms * MS, &detections)
            };
            let (single, frames) = alone
                .entry(*stream)
                .or_insert_with(|| (Caller::new(rules.clone()), Vec::new()));
            if *special == 1 {
                together.selector.request(Some(*stream));
                single.selector.request(Some(*stream));
            }
            frames.push(n as u64);
            prop_assert_eq!(together.frame(&facts), single.frame(&facts));
        }
        together.end();
        let mut all = Vec::new();
        for (caller, frames) in alone.values_mut() {
            caller.assert_settled();
            all.extend(caller.captures.iter().map(|capture| Capture {
                number: frames[capture.number as usize],
                ..capture.clone()
            }));
        }
        all.sort_by_key(|capture| capture.number);
        together.captures.sort_by_key(|capture| capture.number);
        prop_assert_eq!(&together.captures, &all);
        together.assert_settled();
    }
}
