// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn every(frames: u64) -> When {
    When::Interval(super::frames(frames))
}

fn every_time(ns: u64) -> When {
    When::Interval(Every::Time(some(ns)))
}

fn take(reason: Reason) -> Decision {
    Decision::Take(reason)
}

/// The positions of the frames that are taken.
fn taken(
    selector: &mut Selector<()>,
    frames: impl IntoIterator<Item = FrameFacts<'static>>,
) -> Vec<usize> {
    frames
        .into_iter()
        .enumerate()
        .filter(|(_, facts)| selector.decide(facts) != Decision::Skip)
        .map(|(n, _)| n)
        .collect()
}

#[test]
fn a_stream_that_comes_back_starts_anew_and_nothing_is_kept_of_one_that_does_not() {
    let mut caller = Caller::new(rules(When::Interval(frames(10))));
    for stream in 0..100 {
        caller.frame(&frame(stream, 0));
        caller.frame(&frame(stream, 1));
        caller.selector.end_stream(stream);
    }
    assert!(caller.selector.streams.is_empty());
    assert_eq!(caller.numbers().len(), 100);
    assert_eq!(caller.frame(&frame(7, 2)), Decision::Take(Reason::Interval));
    // What was asked for by hand is still owed.
    caller.selector.request(Some(7));
    caller.selector.end_stream(7);
    assert_eq!(caller.frame(&frame(7, 3)), Decision::Take(Reason::Manual));
}

#[test]
fn every_nth_frame_of_each_stream_the_first_included() {
    let mut selector = Selector::<()>::new(rules(every(3)));
    // Two streams, one frame each in turn.
    let frames = (0..14).map(|n| frame(n % 2, u64::from(n) * MS));
    assert_eq!(taken(&mut selector, frames), [0, 1, 6, 7, 12, 13]);
}

#[test]
fn one_frame_per_time_keeps_its_grid() {
    let mut selector = Selector::<()>::new(rules(every_time(100 * MS)));
    let times = [5, 45, 85, 125, 165, 205, 245, 285, 325, 900, 940, 1010];
    let frames = times.map(|ms| frame(0, ms * MS));
    // Due at 5, 105, 205, 305, then late at 900 (due 805 and before), then 905 and 1005.
    assert_eq!(taken(&mut selector, frames), [0, 3, 5, 8, 9, 10, 11]);
}

#[test]
fn a_step_back_restarts_the_timer_and_reordering_does_not() {
    let mut selector = Selector::<()>::new(rules(every_time(1000 * MS)));
    let times = [10_000, 10_040, 10_020, 11_000, 500, 540, 1500];
    assert_eq!(
        taken(&mut selector, times.map(|ms| frame(0, ms * MS))),
        [0, 3, 4, 6]
    );
    selector.restart_timers();
    assert_eq!(taken(&mut selector, [frame(0, 1540 * MS)]), [0]);
}

#[test]
fn a_window_counts_from_its_first_frame() {
    let mut rules = rules(every(2));
    rules.start = Some(3 * MS);
    rules.stop = Some(8 * MS);
    let frames = (0..12).map(|n| frame(0, n * MS));
    assert_eq!(taken(&mut Selector::<()>::new(rules), frames), [3, 5, 7]);
}

#[test]
fn damaged_frames_are_not_counted_but_can_be_asked_for() {
    let mut selector = Selector::<()>::new(rules(every(2)));
    let damaged = FrameFacts {
        damaged: true,
        ..frame(0, 0)
    };
    assert_eq!(selector.decide(&damaged), Decision::Skip);
    assert_eq!(selector.decide(&frame(0, 0)), take(Reason::Interval));
    selector.request(Some(0));
    assert_eq!(selector.decide(&damaged), take(Reason::Manual));
}

#[test]
fn a_request_takes_one_frame_and_ignores_windows_and_stream_lists() {
    let mut rules = rules(When::Manual);
    rules.start = Some(u64::MAX);
    rules.streams = StreamList::parse("7").unwrap();
    let mut selector = Selector::<()>::new(rules);
    assert_eq!(selector.decide(&frame(3, 0)), Decision::Skip);
    selector.request(Some(3));
    assert_eq!(selector.decide(&frame(2, 0)), Decision::Skip);
    assert_eq!(selector.decide(&frame(3, 0)), take(Reason::Manual));
    assert_eq!(selector.decide(&frame(3, 0)), Decision::Skip);
}

#[test]
fn a_request_for_all_is_one_frame_of_each_stream_there_is() {
    let mut selector = Selector::<()>::new(rules(When::Manual));
    selector.decide(&frame(0, 0));
    selector.request(None);
    selector.begin([1, 2]);
    let frames = [1, 2, 1, 0, 0, 3].map(|stream| frame(stream, 0));
    assert_eq!(taken(&mut selector, frames), [0, 1, 3]);
}

#[test]
fn max_captures_counts_all_streams_and_all_reasons() {
    let mut rules = rules(every(1));
    rules.max_captures = 3;
    let mut selector = Selector::<()>::new(rules);
    selector.request(Some(1));
    let frames = (0..8).map(|n| frame(n % 2, 0));
    assert_eq!(taken(&mut selector, frames), [0, 1, 2]);
    assert!(selector.is_exhausted());
    selector.request(Some(0));
    assert_eq!(selector.decide(&frame(0, 0)), Decision::Skip);
}

#[test]
fn stream_lists_take_both_separators() {
    let only = |streams: &[u32]| StreamList::Only(streams.iter().copied().collect());
    assert_eq!(StreamList::parse("0,3"), Ok(only(&[0, 3])));
    assert_eq!(StreamList::parse(" 3 ; 0;3"), Ok(only(&[0, 3])));
    assert_eq!(StreamList::parse(""), Ok(StreamList::All));
    for bad in ["0,", "a", "-1", "0..3", ",", "4294967296"] {
        assert!(StreamList::parse(bad).is_err(), "{bad}");
    }
}

proptest! {
    /// Whatever comes, in whatever order: each stream gets what it would get alone.
    #[test]
    fn streams_do_not_influence_each_other(
        frames in prop::collection::vec((0u32..4, 0u64..5_000, any::<bool>()), 0..200),
        interval in 1u64..9,
        by_time in any::<bool>(),
    ) {
        let when = if by_time { every_time(interval * 100 * MS) } else { every(interval) };
        let facts = |(stream, ms, damaged): &(u32, u64, bool)| FrameFacts {
            damaged: *damaged,
            ..frame(*stream, ms * MS)
        };
        let mut together = Selector::<()>::new(rules(when));
        let mut alone: BTreeMap<u32, Selector<()>> = BTreeMap::new();
        for frame in frames.iter().map(facts) {
            let single = alone
                .entry(frame.stream)
                .or_insert_with(|| Selector::<()>::new(rules(when)));
            prop_assert_eq!(together.decide(&frame), single.decide(&frame));
        }
    }

    /// With rising times no two captures fall into one step of the grid, and none is missed.
    #[test]
    fn interval_time_takes_one_frame_per_step(
        steps in prop::collection::vec(1u64..400, 1..200),
        interval in 1u64..1000,
    ) {
        let mut selector = Selector::<()>::new(rules(every_time(interval * MS)));
        let mut time = 0;
        let mut cells = BTreeSet::new();
        for step in steps {
            let taken = selector.decide(&frame(0, time * MS)) != Decision::Skip;
            prop_assert_eq!(taken, cells.insert(time / interval));
            time += step;
        }
    }
}
