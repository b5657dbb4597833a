// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Frames in order, none lost, drops counted.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::common::{check_accounts, until};
use crate::kit::{Line, counts, reader_counts};
use crate::over_all_channels;

over_all_channels!(
    all_frames_arrive_in_order,
    three_readers_of_different_speed_get_all_frames,
    the_oldest_are_dropped_and_counted,
    the_newest_are_dropped_and_counted,
    a_slow_reader_costs_a_fast_one_nothing,
    frames_without_a_reader_are_dropped_and_counted,
    both_ends_agree_at_every_moment,
);

const MANY: u64 = 100_000;

fn all_frames_arrive_in_order(line: &Line) {
    let producer = line.producer(&[("overflow", "block")]);
    let reader = line.reader("").play();
    thread::scope(|scope| {
        scope.spawn(|| {
            producer.push_all(0..MANY);
            producer.finish();
        });
        for number in 0..MANY {
            assert_eq!(reader.number(), Some(number));
        }
        assert_eq!(reader.number(), None);
    });
    let c = counts(&producer.element);
    assert_eq!((c.sent, c.received, c.dropped), (MANY, MANY, 0));
    assert_eq!(reader_counts(&reader.source()), (MANY, MANY, 0));
    assert_eq!(producer.count("captured"), MANY);
    check_accounts(&producer.element);
}

fn three_readers_of_different_speed_get_all_frames(line: &Line) {
    const FRAMES: u64 = 600;
    let producer = line.producer(&[("channel-size", "3"), ("overflow", "block")]);
    let readers: Vec<_> = (0..3).map(|_| line.reader("").play()).collect();
    until("all are there", || counts(&producer.element).readers == 3);
    thread::scope(|scope| {
        for (index, reader) in readers.iter().enumerate() {
            scope.spawn(move || {
                for number in 0..FRAMES {
                    thread::sleep(std::time::Duration::from_micros(500 * index as u64));
                    assert_eq!(reader.number(), Some(number));
                }
                assert_eq!(reader.number(), None);
            });
        }
        producer.push_all(0..FRAMES);
        producer.finish();
    });
    let c = counts(&producer.element);
    assert_eq!((c.sent, c.received, c.dropped), (3 * FRAMES, 3 * FRAMES, 0));
    assert_eq!(producer.count("captured"), FRAMES);
}

/// Fills a channel of size 4 behind a reader that has stopped taking frames. Returns what the
/// reader then gets: what it had taken, and what came after the rest was pushed.
fn overfilled(line: &Line, overflow: &str) -> (Vec<u64>, u64) {
    let producer = line.producer(&[("channel-size", "4"), ("overflow", overflow)]);
    let reader = line.reader("").play();
    until("it is there", || counts(&producer.element).readers == 1);
    // One waits in the sink, one at its door, and four are on their way.
    for number in 0..2 {
        producer.push_all(number..number + 1);
        until("it is taken", || {
            counts(&producer.element).received == number + 1
        });
    }
    producer.push_all(2..6);
    assert_eq!(counts(&producer.element).in_flight, 4);
    producer.push_all(6..20);
    let c = counts(&producer.element);
    assert_eq!((c.sent, c.received), (20, 2));
    check_accounts(&producer.element);
    let end = thread::spawn(move || {
        let messages = producer.finish();
        assert!(messages.eos());
        assert_eq!(messages.warnings().len(), 0);
        producer
    });
    let got = reader.rest();
    let producer = end.join().unwrap();
    let received = got.len() as u64;
    assert_eq!(
        reader_counts(&reader.source()),
        (20, received, 20 - received)
    );
    assert_eq!(counts(&producer.element).received, received);
    assert_eq!(producer.count("captured"), received);
    check_accounts(&producer.element);
    (got, producer.count("dropped-overflow"))
}

fn the_newest_are_dropped_and_counted(line: &Line) {
    assert_eq!(overfilled(line, "drop-newest"), ((0..6).collect(), 14));
}

fn the_oldest_are_dropped_and_counted(line: &Line) {
    let (got, dropped) = overfilled(line, "drop-oldest");
    match line.is_shared() {
        false => assert_eq!((got, dropped), ((0..2).chain(16..20).collect(), 14)),
        // What is on its way through a socket is not taken back, and the newest comes after it.
        true => assert_eq!((got, dropped), ((0..6).chain(19..20).collect(), 13)),
    }
}

fn a_slow_reader_costs_a_fast_one_nothing(line: &Line) {
    // What was taken is known a little later across a socket.
    let producer = line.producer(&[("channel-size", "8"), ("overflow", "drop-oldest")]);
    let fast = line.reader("").play();
    let slow = line.reader("").play();
    until("both are there", || counts(&producer.element).readers == 2);
    for number in 0..200 {
        producer.push_all(number..number + 1);
        assert_eq!(fast.number(), Some(number));
    }
    let c = counts(&producer.element);
    assert_eq!(c.sent, 400);
    // Each was captured by somebody.
    assert_eq!(producer.count("dropped"), 0);
    let end = thread::spawn(move || producer.finish());
    let got = slow.rest();
    assert!(got.is_sorted() && got.contains(&199), "{got:?}");
    let (sent, received, dropped) = reader_counts(&slow.source());
    assert_eq!((sent, received), (200, got.len() as u64));
    assert_eq!(dropped, c.dropped);
    end.join().unwrap();
}

fn frames_without_a_reader_are_dropped_and_counted(line: &Line) {
    for overflow in ["drop-oldest", "drop-newest"] {
        let producer = line.producer(&[("overflow", overflow)]);
        producer.push_all(0..10);
        let c = counts(&producer.element);
        assert_eq!((c.sent, c.unread), (0, 10));
        assert_eq!(producer.count("dropped-overflow"), 10);
        producer.end();
    }
}

fn both_ends_agree_at_every_moment(line: &Line) {
    let producer = line.producer(&[("channel-size", "3"), ("overflow", "drop-oldest")]);
    let reader = line.reader("").play();
    until("it is there", || counts(&producer.element).readers == 1);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                counts(&producer.element);
                reader_counts(&reader.source());
                check_accounts(&producer.element);
            }
        });
        let taken = scope.spawn(|| reader.rest());
        producer.push_all(0..5_000);
        producer.finish();
        let taken = taken.join().unwrap();
        done.store(true, Ordering::Release);
        let c = counts(&producer.element);
        assert_eq!((c.sent, c.in_flight), (5_000, 0));
        assert_eq!(c.received, taken.len() as u64);
        assert_eq!(
            reader_counts(&reader.source()),
            (5_000, c.received, c.dropped)
        );
        assert_eq!(producer.count("captured"), c.received);
    });
}
