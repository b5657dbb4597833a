// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

use proptest::prelude::*;

use super::*;

fn rolls(pre_roll: Roll, post_roll: Roll) -> Rules {
    Rules {
        pre_roll,
        post_roll,
        ..rules(When::Metadata)
    }
}

fn of_frames(n: u64) -> Roll {
    NonZeroU64::new(n).map_or(Roll::None, Roll::Frames)
}

fn of_time(ns: u64) -> Roll {
    NonZeroU64::new(ns).map_or(Roll::None, Roll::Time)
}

/// Frames every ms, of which those in `triggers` match.
fn run(caller: &mut Caller, count: u64, triggers: &[u64]) {
    let person = [object("person")];
    for n in 0..count {
        let matches = triggers.contains(&n);
        caller.frame(&with(n * MS, if matches { &person } else { &[] }));
    }
}

#[test]
fn frames_before_and_after_a_trigger() {
    let mut caller = Caller::new(rolls(of_frames(2), of_frames(3)));
    run(&mut caller, 20, &[0, 8, 10, 19]);
    use Reason::{Metadata, Post, Pre};
    let told: Vec<_> = caller
        .captures
        .iter()
        .map(|c| (c.number, c.reason))
        .collect();
    assert_eq!(
        told,
        [
            (0, Metadata),
            (1, Post),
            (2, Post),
            (3, Post),
            (6, Pre),
            (7, Pre),
            (8, Metadata),
            (9, Post),
            (10, Metadata),
            (11, Post),
            (12, Post),
            (13, Post),
            (17, Pre),
            (18, Pre),
            (19, Metadata),
        ]
    );
    caller.assert_settled();
}

#[test]
fn time_before_and_after_a_trigger() {
    let mut caller = Caller::new(rolls(of_time(2 * MS), of_time(3 * MS)));
    run(&mut caller, 16, &[5, 7]);
    assert_eq!(caller.numbers(), [3, 4, 5, 6, 7, 8, 9, 10]);
    assert_eq!(caller.of(Reason::Pre), [3, 4]);
    assert_eq!(caller.of(Reason::Post), [6, 8, 9, 10]);
    caller.assert_settled();
}

#[test]
fn damaged_frames_and_those_outside_the_window_are_in_no_roll() {
    let mut caller = Caller::new(Rules {
        start: Some(3 * MS),
        stop: Some(11 * MS),
        ..rolls(of_frames(4), of_frames(4))
    });
    let person = [object("person")];
    for n in 0..16 {
        let matches = n == 5 || n == 8;
        caller.frame(&FrameFacts {
            damaged: n == 4 || n == 7,
            ..with(n * MS, if matches { &person } else { &[] })
        });
    }
    assert_eq!(caller.numbers(), [3, 5, 6, 8, 9, 10]);
    caller.assert_settled();
}

#[test]
fn a_request_has_its_rolls_too() {
    let mut caller = Caller::new(Rules {
        when: When::Manual,
        ..rolls(of_frames(1), of_frames(1))
    });
    for n in 0..6 {
        if n == 3 {
            caller.selector.request(None);
        }
        caller.frame(&frame(0, n));
    }
    assert_eq!(caller.numbers(), [2, 3, 4]);
    assert_eq!(caller.of(Reason::Manual), [3]);
}

#[test]
fn what_could_not_be_held_is_forgotten() {
    let mut caller = Caller::new(rolls(of_frames(3), Roll::None));
    let person = [object("person")];
    caller.frame(&frame(0, 0));
    caller.frame_of(&frame(0, 1), None);
    // Too late.
    let decision = caller.selector.decide(&frame(0, 2));
    assert_eq!(decision, Decision::Hold);
    caller.next += 1;
    caller.frame(&with(3, &person));
    assert_eq!(caller.numbers(), [0, 3]);
    caller.assert_settled();
}

#[test]
fn rolls_are_not_counted_and_the_last_one_is_completed() {
    let mut caller = Caller::new(Rules {
        max_captures: 2,
        ..rolls(of_frames(1), of_frames(2))
    });
    let person = [object("person")];
    for n in 0..12 {
        let matches = [3, 6, 7, 10].contains(&n);
        caller.frame(&with(n * MS, if matches { &person } else { &[] }));
        assert_eq!(caller.selector.is_exhausted(), n >= 8, "{n}");
    }
    // The frame that would have been the third trigger is no more than what follows the second.
    assert_eq!(caller.numbers(), [2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(caller.of(Reason::Post), [4, 5, 7, 8]);
    caller.assert_settled();
}

#[test]
fn a_step_back_ends_the_rolls() {
    let mut caller = Caller::new(rolls(of_frames(3), of_frames(3)));
    let person = [object("person")];
    for (ms, matches) in [
        (9000, false),
        (9001, true),
        (9002, false),
        (100, false),
        (101, true),
        (102, false),
    ] {
        caller.frame(&with(ms * MS, if matches { &person } else { &[] }));
    }
    assert_eq!(caller.numbers(), [0, 1, 2, 3, 4, 5]);
    assert_eq!(caller.of(Reason::Pre), [0, 3]);
    caller.frame(&with(103 * MS, &[]));
    caller.frame(&with(104 * MS, &[]));
    caller.frame(&with(105 * MS, &[]));
    caller.selector.restart_timers();
    assert_eq!(caller.selector.budget.used(), 0);
    caller.assert_settled();
}

#[test]
fn the_oldest_frame_of_all_streams_goes_first() {
    let mut caller = Caller::new(Rules {
        roll_max_bytes: 30,
        ..rolls(of_frames(9), Roll::None)
    });
    let person = [object("person")];
    let of = |stream, detections| FrameFacts {
        stream,
        ..with(0, detections)
    };
    for stream in [0, 1, 1] {
        caller.frame_of(&of(stream, &[]), Some(10));
    }
    assert!(!caller.selector.take_shortened());
    caller.frame_of(&of(0, &[]), Some(10));
    assert!(caller.selector.take_shortened());
    assert!(!caller.selector.take_shortened());
    // Larger than all that may be held.
    caller.frame_of(&of(0, &[]), Some(31));
    assert!(caller.selector.take_shortened());
    caller.frame(&of(0, &person));
    assert_eq!(caller.numbers(), [3, 5]);
    caller.frame(&of(1, &person));
    assert_eq!(caller.numbers(), [3, 5, 1, 2, 6]);
    caller.assert_settled();
}

proptest! {
    #[test]
    fn rolls_are_exact(
        steps in prop::collection::vec((0u64..50, 0u8..10), 1..200),
        pre in 0u64..6,
        post in 0u64..6,
        by_time in any::<bool>(),
    ) {
        let (pre, post) = if by_time { (pre * 40, post * 40) } else { (pre, post) };
        let roll = |n| if by_time { of_time(n * MS) } else { of_frames(n) };
        let mut caller = Caller::new(rolls(roll(pre), roll(post)));
        let person = [object("person")];
        // Time, trigger, damaged.
        let mut frames = Vec::new();
        let mut time = 0;
        for (step, kind) in steps {
            time += step;
            let (trigger, damaged) = (kind == 0, kind == 1);
            frames.push((time, trigger, damaged));
            caller.frame(&FrameFacts {
                damaged,
                ..with(time * MS, if trigger { &person } else { &[] })
            });
        }
        let place = |n: usize| if by_time { frames[n].0 } else { n as u64 };
        let triggers: Vec<usize> = (0..frames.len()).filter(|&n| frames[n].1).collect();
        let mut expected = Vec::new();
        for (n, &(_, trigger, damaged)) in frames.iter().enumerate() {
            let after = triggers.iter().any(|&t| t < n && place(n) <= place(t) + post);
            let before = triggers.iter().any(|&t| t > n && place(n) + pre >= place(t));
            let reason = match (trigger, after, before) {
                (true, ..) => Reason::Metadata,
                _ if damaged => continue,
                // What follows is taken at once.
                (_, true, _) if post > 0 => Reason::Post,
                (_, _, true) if pre > 0 => Reason::Pre,
                _ => continue,
            };
            expected.push((n as u64, reason));
        }
        let told: Vec<_> = caller.captures.iter().map(|c| (c.number, c.reason)).collect();
        prop_assert_eq!(told, expected);
        caller.assert_settled();
    }

    #[test]
    fn never_more_bytes_than_allowed(
        steps in prop::collection::vec((0u32..3, 0u8..12, 0u64..40, 0u64..300), 1..200),
        max in 0u64..100,
        best in any::<bool>(),
    ) {
        let rules = match best {
            true => Rules { dedupe: Dedupe::Best(some(500 * MS)), ..rules(When::Metadata) },
            false => rolls(of_frames(5), of_frames(1)),
        };
        let mut caller = Caller::new(Rules { roll_max_bytes: max, ..rules });
        let mut time = 0;
        for (stream, kind, bytes, step) in steps {
            time += step;
            let some = [tracked(u64::from(kind % 4), f32::from(kind) / 12.0)];
            let detections: &[Detection] = if best || kind == 0 { &some } else { &[] };
            let facts = FrameFacts { stream, ..with(time * MS, detections) };
            caller.frame_of(&facts, Some(bytes));
            prop_assert!(caller.fates.borrow().bytes <= max);
            prop_assert_eq!(caller.fates.borrow().bytes, caller.selector.budget.used());
            match kind {
                10 => caller.selector.end_stream(stream),
                11 => caller.selector.restart_timers(),
                _ => {}
            }
            caller.fetch();
        }
        prop_assert!(caller.fates.borrow().most <= max);
        caller.assert_settled();
    }
}
