// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Producers and readers in processes of their own.

use crate::common::until;
use crate::kit::Line;
use crate::peers::{Peer, check_clean};

const MANY: u64 = 100_000;

fn line() -> Line {
    Line::unix()
}

#[test]
fn all_frames_arrive_in_order() {
    let line = line();
    let producer = Peer::producer(&line.channel, "overflow=block");
    let reader = Peer::reader(&line.channel, "");
    reader.tell("rest");
    producer.done(&format!("push 0 {MANY}"));
    producer.done("end");
    let report = reader.told();
    report.expect(0..MANY, "eos");
    let c = producer.counts();
    assert_eq!((c.sent, c.received, c.dropped), (MANY, MANY, 0));
    assert_eq!(reader.stats(), (MANY, MANY, 0));
    assert_eq!(producer.ask("count captured"), MANY.to_string());
    producer.leave();
    reader.leave();
    check_clean(line.folder());
}

/// What is dropped is a gap, and both sides count the same.
fn drops(overflow: &str) {
    const FRAMES: u64 = 20_000;
    let line = line();
    let producer = Peer::producer(
        &line.channel,
        &format!("overflow={overflow} channel-size=6"),
    );
    let reader = Peer::reader(&line.channel, "");
    producer.wait_for_readers(1);
    reader.done("delay 300");
    reader.tell("rest");
    producer.done(&format!("push 0 {FRAMES}"));
    producer.done("end");
    let report = reader.told();
    assert_eq!(report.how, "eos");
    let frames = &report.frames;
    assert!(report.is_in_order(), "{report:?}");
    assert_eq!(frames[0].start, 0);
    if overflow == "drop-oldest" {
        assert_eq!(frames.last().unwrap().end, FRAMES);
    }
    let received = report.count();
    assert!(received < FRAMES, "none was dropped");
    let dropped = FRAMES - received;
    assert_eq!(reader.stats(), (FRAMES, received, dropped));
    let c = producer.counts();
    assert_eq!((c.sent, c.received, c.dropped), (FRAMES, received, dropped));
    assert_eq!((c.in_flight, c.unread), (0, 0));
    assert_eq!(producer.ask("count captured"), received.to_string());
    assert_eq!(producer.ask("count dropped-overflow"), dropped.to_string());
    producer.leave();
}

#[test]
fn the_oldest_are_dropped_and_counted() {
    drops("drop-oldest");
}

#[test]
fn the_newest_are_dropped_and_counted() {
    drops("drop-newest");
}

#[test]
fn either_may_come_first() {
    let line = line();
    for reader_first in [true, false] {
        let producer = Peer::start(&line.channel);
        let reader = Peer::start(&line.channel);
        if reader_first {
            reader.done("read");
            reader.tell("rest");
            // It has looked in vain by now.
            std::thread::sleep(std::time::Duration::from_millis(150));
        }
        producer.done("open overflow=block");
        producer.tell("push 0 50");
        if !reader_first {
            std::thread::sleep(std::time::Duration::from_millis(50));
            reader.done("read");
            reader.tell("rest");
        }
        assert_eq!(producer.hear(), "done");
        producer.done("end");
        reader.told().expect(0..50, "eos");
        producer.leave();
        check_clean(line.folder());
    }
}

#[test]
fn who_joins_late_gets_all_from_then_on() {
    let line = line();
    let producer = Peer::producer(&line.channel, "overflow=block");
    let first = Peer::reader(&line.channel, "");
    first.tell("rest");
    producer.done("stream 0 50");
    until("some are through", || producer.counts().received > 200);
    let late = Peer::reader(&line.channel, "");
    late.tell("rest");
    producer.wait_for_readers(2);
    let before = producer.counts().received;
    until("more are through", || {
        producer.counts().received > before + 400
    });
    let end: u64 = producer.ask("halt").parse().unwrap();
    producer.done("end");
    first.told().expect(0..end, "eos");
    let report = late.told();
    let start = report.frames[0].start;
    assert!(start >= 200);
    report.expect(start..end, "eos");
    assert_eq!(first.stats(), (end, end, 0));
    assert_eq!(late.stats(), (end - start, end - start, 0));
    let c = producer.counts();
    assert_eq!((c.sent, c.received), (2 * end - start, 2 * end - start));
}

#[test]
fn caps_change_within_the_stream() {
    let line = line();
    let producer = Peer::producer(&line.channel, "overflow=block");
    let reader = Peer::reader(&line.channel, "");
    reader.tell("rest");
    let sizes = [(640, 480), (31, 17), (32, 2), (1920, 1080), (33, 5)];
    producer.done("push 0 10");
    for (turn, (width, height)) in (1..).zip(sizes) {
        producer.done(&format!("size {width} {height}"));
        producer.done(&format!("push {}0 {}0", turn, turn + 1));
    }
    producer.done("end");
    let report = reader.told();
    let sizes = sizes.map(|(width, height)| format!("{width}x{height}"));
    assert_eq!(report.sizes, [&["32x2".to_owned()], &sizes[..]].concat());
    report.expect(0..60, "eos");
}

#[test]
fn a_producer_stops_and_another_process_goes_on() {
    let line = line();
    let reader = Peer::reader(&line.channel, "");
    reader.tell("rest");
    for turn in 0..4 {
        let producer = Peer::producer(&line.channel, "overflow=block");
        producer.done(&format!("push {} {}", turn * 25, turn * 25 + 25));
        match turn {
            3 => producer.done("end"),
            _ => producer.done("stop"),
        }
        producer.leave();
    }
    reader.told().expect(0..100, "eos");
    assert_eq!(reader.stats(), (100, 100, 0));
    check_clean(line.folder());
}

#[test]
fn three_readers_of_different_speed_get_all_frames() {
    const FRAMES: u64 = 1_000;
    let line = line();
    let producer = Peer::producer(&line.channel, "overflow=block channel-size=3");
    let readers = [0, 100, 1000].map(|delay| {
        let reader = Peer::reader(&line.channel, "");
        reader.done(&format!("delay {delay}"));
        reader
    });
    producer.wait_for_readers(3);
    readers.iter().for_each(|reader| reader.tell("rest"));
    producer.done(&format!("push 0 {FRAMES}"));
    producer.done("end");
    for reader in &readers {
        reader.told().expect(0..FRAMES, "eos");
        assert_eq!(reader.stats(), (FRAMES, FRAMES, 0));
    }
    let c = producer.counts();
    assert_eq!((c.sent, c.received, c.dropped), (3 * FRAMES, 3 * FRAMES, 0));
}

/// Each loses frames of its own, and what a slow one loses costs a fast one nothing.
#[test]
fn three_readers_of_different_speed_lose_what_they_are_too_slow_for() {
    const FRAMES: u64 = 2_000;
    let line = line();
    let producer = Peer::producer(&line.channel, "overflow=drop-oldest channel-size=64");
    let readers = [0, 1_000, 5_000].map(|delay| {
        let reader = Peer::reader(&line.channel, "");
        reader.done(&format!("delay {delay}"));
        reader
    });
    producer.wait_for_readers(3);
    readers.iter().for_each(|reader| reader.tell("rest"));
    producer.done("stream 0 300");
    until("they are through", || producer.counts().sent >= 3 * FRAMES);
    let frames: u64 = producer.ask("halt").parse().unwrap();
    producer.done("end");
    let mut received = Vec::new();
    for reader in &readers {
        let report = reader.told();
        assert_eq!(report.how, "eos");
        assert_eq!(report.frames.last().unwrap().end, frames);
        let count = report.count();
        assert_eq!(reader.stats(), (frames, count, frames - count));
        received.push(count);
    }
    assert!(received.is_sorted_by(|a, b| a >= b), "{received:?}");
    assert!(received[2] < frames, "the slow one lost none");
    let c = producer.counts();
    let sum: u64 = received.iter().sum();
    assert_eq!(
        (c.sent, c.received, c.dropped),
        (3 * frames, sum, 3 * frames - sum)
    );
    assert_eq!(c.in_flight, 0);
}
