// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

use proptest::prelude::*;

use super::*;

fn best(window_ms: u64) -> Rules {
    Rules {
        dedupe: Dedupe::Best(some(window_ms * MS)),
        ..rules(When::Metadata)
    }
}

/// Frames at these ms, with these tracks and confidences.
fn run(caller: &mut Caller, frames: &[(u64, &[(u64, f32)])]) {
    for (ms, objects) in frames {
        let detections: Vec<_> = objects.iter().map(|&(t, c)| tracked(t, c)).collect();
        caller.frame(&with(ms * MS, &detections));
    }
}

fn told(caller: &Caller) -> Vec<(u64, Vec<usize>)> {
    let captures = caller.captures.iter();
    captures.map(|c| (c.number, c.matches.clone())).collect()
}

#[test]
fn the_best_frame_of_a_window_comes_when_it_is_over() {
    let mut caller = Caller::new(best(100));
    run(
        &mut caller,
        &[
            (0, &[(1, 0.5)]),
            (40, &[(1, 0.9)]),
            (80, &[(1, 0.9)]),
            (99, &[(1, 0.2)]),
        ],
    );
    assert!(told(&caller).is_empty());
    // The window is over, and with it the track.
    run(&mut caller, &[(100, &[(1, 1.0)]), (300, &[(1, 1.0)])]);
    assert_eq!(told(&caller), [(1, vec![0])]);
    assert_eq!(caller.captures[0].reason, Reason::Best);
    caller.assert_settled();
}

#[test]
fn confidence_comes_before_size_and_size_before_order() {
    let of = |confidence, side| Detection {
        confidence,
        bounds: Bounds {
            width: side,
            height: side,
            ..Bounds::default()
        },
        ..tracked(1, 0.0)
    };
    let cases = [
        ([of(None, 50.0), of(Some(0.0), 1.0)], 1),
        ([of(Some(0.5), 50.0), of(Some(0.6), 1.0)], 1),
        ([of(Some(0.5), 5.0), of(Some(0.5), 6.0)], 1),
        ([of(Some(0.5), 5.0), of(Some(0.5), 5.0)], 0),
        ([of(None, 5.0), of(Some(-1.0), 6.0)], 1),
    ];
    for (pair, expected) in cases {
        let mut caller = Caller::new(best(100));
        for (n, detection) in pair.iter().enumerate() {
            caller.frame(&with(n as u64, std::slice::from_ref(detection)));
        }
        caller.end();
        assert_eq!(caller.numbers(), [expected], "{pair:?}");
        caller.assert_settled();
    }
}

#[test]
fn a_frame_that_several_tracks_share_is_captured_once() {
    let mut caller = Caller::new(best(100));
    run(
        &mut caller,
        &[
            (0, &[(1, 0.9), (3, 0.1)]),
            (50, &[(2, 0.9), (1, 0.1), (3, 0.2)]),
            // Over for 1 and 3; 3 was better in the second frame, which 2 may still give up.
            (100, &[]),
        ],
    );
    assert_eq!(told(&caller), [(0, vec![0])]);
    run(&mut caller, &[(150, &[])]);
    assert_eq!(told(&caller), [(0, vec![0]), (1, vec![0, 2])]);
    caller.assert_settled();
}

#[test]
fn a_frame_is_let_go_as_soon_as_it_is_nobodys_best() {
    let mut caller = Caller::new(best(100));
    run(&mut caller, &[(0, &[(1, 0.1)]), (10, &[(1, 0.2)])]);
    assert_eq!(caller.fates.borrow().fates[&0], Fate::Dropped);
    assert_eq!(caller.fates.borrow().fates[&1], Fate::Held);
    caller.assert_settled();
}

#[test]
fn what_is_not_tracked_is_captured_at_once() {
    let mut caller = Caller::new(best(100));
    caller.frame(&with(0, &[tracked(1, 0.5), object("person")]));
    assert_eq!(told(&caller), [(0, vec![0, 1])]);
    assert!(caller.selector.take_untracked());
    // That was the best of track 1 too.
    run(&mut caller, &[(10, &[(1, 0.4)]), (100, &[])]);
    assert_eq!(caller.numbers(), [0]);
    caller.assert_settled();
}

#[test]
fn ends_and_steps_back_decide_at_once() {
    let mut caller = Caller::new(best(1000));
    run(&mut caller, &[(5000, &[(1, 0.5)]), (10, &[(2, 0.5)])]);
    assert_eq!(caller.numbers(), [0]);
    caller.selector.end_stream(0);
    caller.fetch();
    assert_eq!(caller.numbers(), [0, 1]);
    run(&mut caller, &[(10, &[(2, 0.5)])]);
    caller.selector.restart_timers();
    caller.end();
    assert_eq!(caller.numbers(), [0, 1]);
    caller.assert_settled();
}

#[test]
fn a_frame_that_could_not_be_held_is_no_candidate() {
    let mut caller = Caller::new(best(100));
    run(&mut caller, &[(0, &[(1, 0.5)])]);
    let detections = [tracked(1, 0.9)];
    caller.frame_of(&with(10 * MS, &detections), None);
    run(&mut caller, &[(20, &[(1, 0.4)])]);
    caller.end();
    assert_eq!(caller.numbers(), [0]);
    caller.assert_settled();
}

#[test]
fn tracks_whose_frame_had_to_go_look_for_another() {
    let mut caller = Caller::new(Rules {
        roll_max_bytes: 1,
        ..best(100)
    });
    run(
        &mut caller,
        &[
            (0, &[(1, 0.9)]),
            (10, &[(2, 0.9)]),
            (20, &[(1, 0.1), (2, 0.1)]),
        ],
    );
    assert!(caller.selector.take_shortened());
    caller.end();
    assert_eq!(told(&caller), [(2, vec![0])]);
    caller.assert_settled();
}

#[test]
fn a_best_frame_is_kept_where_there_is_no_room_for_a_better_one() {
    let mut caller = Caller::new(Rules {
        roll_max_bytes: 2,
        ..best(100)
    });
    let decide = |caller: &mut Caller, stream, ms, tracks: &[(u64, f32)]| {
        let detections: Vec<_> = tracks.iter().map(|&(t, c)| tracked(t, c)).collect();
        let facts = FrameFacts {
            stream,
            ..with(ms * MS, &detections)
        };
        let number = caller.next;
        caller.next += 1;
        if caller.selector.decide(&facts) == Decision::Hold {
            let token = Token::new(number, 1, &caller.fates);
            caller.selector.hold(stream, token, 1);
        }
    };
    // Those of one buffer: what is ready stays until the caller comes for it.
    decide(&mut caller, 0, 0, &[(1, 0.5)]);
    decide(&mut caller, 1, 50, &[(2, 0.5)]);
    decide(&mut caller, 0, 100, &[]);
    caller.frame_of(
        &FrameFacts {
            stream: 1,
            ..with(110 * MS, &[tracked(2, 0.9)])
        },
        Some(2),
    );
    assert!(caller.selector.take_shortened());
    caller.end();
    assert_eq!(caller.numbers(), [0, 1]);
    caller.assert_settled();
}

#[test]
fn max_captures_counts_what_is_emitted() {
    let mut caller = Caller::new(Rules {
        max_captures: 1,
        ..best(100)
    });
    run(
        &mut caller,
        &[(0, &[(1, 0.9)]), (10, &[(2, 0.9)]), (20, &[(3, 0.9)])],
    );
    assert!(!caller.selector.is_exhausted());
    run(&mut caller, &[(200, &[(4, 0.9)]), (400, &[])]);
    assert!(caller.selector.is_exhausted());
    assert_eq!(caller.numbers(), [0]);
    caller.assert_settled();
}

/// Seconds that frames of 16 000 objects take, the tracks of each frame beginning at this number.
fn crowds(caller: &mut Caller, firsts: &[u64], step_ms: u64) -> f64 {
    let begun = std::time::Instant::now();
    for (time, &first) in (0..).zip(firsts) {
        let crowd: Vec<_> = (first..first + 16_000).map(|t| tracked(t, 0.5)).collect();
        caller.frame(&with(time * step_ms * MS, &crowd));
    }
    begun.elapsed().as_secs_f64()
}

#[test]
fn crowds_of_new_tracks_do_not_hold_the_stream_up() {
    let mut caller = Caller::new(best(1_000_000));
    let firsts: Vec<u64> = (0..10).map(|n| n * 16_000).collect();
    let seconds = crowds(&mut caller, &firsts, 1);
    assert!(seconds < 5.0, "{seconds} s");
    // Those that began first were decided for want of room.
    assert_eq!(caller.numbers(), [0, 1, 2, 3, 4]);
    caller.assert_settled();
    assert_eq!(
        caller
            .captures
            .iter()
            .map(|c| c.matches.len())
            .sum::<usize>(),
        160_000
    );
}

#[test]
fn crowds_that_are_missed_for_a_cooldown_do_not_hold_the_stream_up() {
    let mut caller = Caller::new(Rules {
        cooldown: 1_000_000 * MS,
        ..best(5)
    });
    // Each is decided one frame later, and may be looked for again.
    let firsts: Vec<u64> = (0..10).map(|n| n % 4 * 16_000).collect();
    let seconds = crowds(&mut caller, &firsts, 10);
    assert!(seconds < 5.0, "{seconds} s");
    assert_eq!(caller.numbers(), [0]);
    caller.assert_settled();
}

#[test]
fn a_track_that_is_in_a_frame_twice_has_its_better_box_there() {
    let mut caller = Caller::new(best(100));
    run(
        &mut caller,
        &[
            (0, &[(1, 0.2), (2, 0.5), (1, 0.4), (1, 0.3)]),
            (10, &[(1, 0.1), (1, 0.6), (2, 0.1)]),
        ],
    );
    caller.end();
    assert_eq!(told(&caller), [(0, vec![1]), (1, vec![1])]);
    caller.assert_settled();
}

proptest! {
    /// Each track's best frame within its window, and no other.
    #[test]
    fn the_best_frames_are_those_of_a_naive_search(
        steps in prop::collection::vec(
            (0u64..60, prop::collection::btree_map(0u64..6, 0u8..6, 0..4)),
            0..80,
        ),
        window in 1u64..300,
    ) {
        let mut caller = Caller::new(best(window));
        let mut frames = Vec::new();
        let mut time = 0;
        for (step, objects) in &steps {
            time += step;
            let objects: Vec<(u64, f32)> =
                objects.iter().map(|(&t, &c)| (t, f32::from(c) / 5.0)).collect();
            run(&mut caller, &[(time, &objects)]);
            frames.push((time, objects));
        }
        caller.end();
        let mut expected: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        for track in 0..6 {
            // Frame, time, confidence, place.
            let seen: Vec<_> = frames
                .iter()
                .enumerate()
                .flat_map(|(n, (time, objects))| {
                    let place = objects.iter().position(|(t, _)| *t == track);
                    place.map(|place| (n as u64, *time, objects[place].1, place))
                })
                .collect();
            let Some(&(_, start, ..)) = seen.first() else { continue };
            let mut best = seen[0];
            for &found in seen.iter().filter(|(_, time, ..)| *time < start + window) {
                if found.2 > best.2 {
                    best = found;
                }
            }
            expected.entry(best.0).or_default().push(best.3);
        }
        expected.values_mut().for_each(|places| places.sort_unstable());
        let mut all = told(&caller);
        all.sort();
        prop_assert_eq!(all, expected.into_iter().collect::<Vec<_>>());
        caller.assert_settled();
    }

    #[test]
    fn with_a_cooldown_they_keep_their_distance(
        steps in prop::collection::vec(
            (0u64..60, prop::collection::btree_map(0u64..9, 0u8..9, 0..4), 0u8..30),
            0..120,
        ),
        window in 1u64..300,
        cooldown in 1u64..200,
    ) {
        let mut caller = Caller::new(Rules { cooldown: cooldown * MS, ..best(window) });
        let mut times = Vec::new();
        let mut time = 0;
        for (step, objects, special) in &steps {
            time += step;
            times.push(time);
            let mut detections: Vec<_> = objects
                .iter()
                .map(|(&track, &c)| tracked(track, f32::from(c) / 9.0))
                .collect();
            if *special == 0 {
                detections.push(object("person"));
            }
            caller.frame(&with(time * MS, &detections));
        }
        caller.end();
        let mut captured: Vec<u64> =
            caller.numbers().iter().map(|&n| times[n as usize]).collect();
        captured.sort_unstable();
        for pair in captured.windows(2) {
            prop_assert!(pair[1] - pair[0] >= cooldown, "{captured:?}");
        }
        if steps.iter().any(|(_, objects, special)| !objects.is_empty() || *special == 0) {
            prop_assert!(!captured.is_empty());
        }
        caller.assert_settled();
    }
}
