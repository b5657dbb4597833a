// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Who comes first, who stops, who comes back, and what is the end.

use std::thread;
use std::time::{Duration, Instant};

use gst::prelude::*;

use crate::common::{check_accounts, until};
use crate::kit::{Line, counts};
use crate::over_all_channels;

over_all_channels!(
    the_reader_may_come_first,
    the_producer_may_come_first,
    a_reader_comes_and_goes,
    a_producer_stops_and_comes_back,
    the_end_is_for_who_comes_later_too,
    a_producer_that_stops_is_no_end,
    waiting_for_a_reader_is_said_once,
    waiting_for_a_producer_is_said_once,
    a_starved_reader_does_as_told,
    a_name_has_one_producer,
    a_blocked_producer_can_be_stopped,
    an_end_waits_for_its_readers_and_says_if_in_vain,
    the_end_after_so_many_captures_waits_for_its_readers,
    an_end_is_one_also_for_who_was_too_slow,
);

fn the_reader_may_come_first(line: &Line) {
    let reader = line.reader("").play();
    thread::sleep(Duration::from_millis(50));
    let producer = line.producer(&[("overflow", "block")]);
    producer.push_all(0..5);
    assert_eq!(reader.take(5), [0, 1, 2, 3, 4]);
}

fn the_producer_may_come_first(line: &Line) {
    let producer = line.producer(&[("overflow", "block")]);
    let pushing = thread::spawn(move || {
        producer.push_all(0..20);
        producer.end()
    });
    thread::sleep(Duration::from_millis(50));
    let reader = line.reader("").play();
    assert!(reader.rest().into_iter().eq(0..20));
    pushing.join().unwrap();
}

fn a_reader_comes_and_goes(line: &Line) {
    let producer = line.producer(&[("channel-size", "2"), ("overflow", "block")]);
    let mut next = 0;
    for round in 0..5 {
        let reader = line.reader("").play();
        until("it is there", || counts(&producer.element).readers == 1);
        producer.push_all(next..next + 3);
        // In the last round it leaves with all of them on their way.
        if round < 4 {
            assert!(reader.take(3).into_iter().eq(next..next + 3));
        }
        next += 3;
        drop(reader);
        until("it is gone", || counts(&producer.element).readers == 0);
    }
    let c = counts(&producer.element);
    assert_eq!((c.sent, c.in_flight), (next, 0));
    assert!(c.received >= next - 3);
    check_accounts(&producer.element);
}

fn a_producer_stops_and_comes_back(line: &Line) {
    let reader = line.reader("").play();
    let mut times = Vec::new();
    for round in 0..5 {
        let producer = line.producer(&[("overflow", "block")]);
        producer.push_all(0..3);
        // In every second round what it sent is taken only when it has stopped.
        if round % 2 == 1 {
            producer.stop();
        }
        for number in 0..3 {
            let sample = reader.sample().unwrap();
            assert_eq!(crate::kit::number(&sample), number);
            times.push(sample.buffer().unwrap().pts().unwrap());
        }
        until("all are counted", || producer.count("captured") == 3);
        producer.stop();
    }
    assert!(times.is_sorted_by(|a, b| a < b), "{times:?}");
    assert!(!reader.sink().is_eos());
}

fn the_end_is_for_who_comes_later_too(line: &Line) {
    let producer = line.producer(&[("overflow", "drop-newest")]);
    producer.push_all(0..3);
    producer.finish();
    let late = line.reader("").play();
    assert_eq!(late.number(), None);
    assert_eq!(late.messages().errors().len(), 0);
}

fn a_producer_that_stops_is_no_end(line: &Line) {
    let producer = line.producer(&[("overflow", "block")]);
    let reader = line.reader("timeout=300000000 on-timeout=fail").play();
    producer.push_all(0..1);
    assert_eq!(reader.take(1), [0]);
    producer.stop();
    let bus = reader.pipeline.bus().unwrap();
    let error = bus.timed_pop_filtered(
        gst::ClockTime::from_seconds(20),
        &[gst::MessageType::Error, gst::MessageType::Eos],
    );
    let error = error.unwrap();
    let gst::MessageView::Error(error) = error.view() else {
        panic!("{error:?}");
    };
    assert!(error.error().message().contains("timeout"), "{error:?}");
}

fn waiting_for_a_reader_is_said_once(line: &Line) {
    let producer = line.producer(&[("overflow", "block")]);
    let pad = producer.pad.clone();
    let pushing = thread::spawn(move || pad.push(crate::common::rig::numbered(0)));
    let mut warnings = Vec::new();
    until("it is said", || {
        warnings.extend(producer.messages().warnings());
        !warnings.is_empty()
    });
    assert!(warnings[0].1.contains("no reader"), "{warnings:?}");
    assert!(warnings[0].1.contains("overflow"), "{warnings:?}");
    let reader = line.reader("").play();
    assert_eq!(reader.take(1), [0]);
    pushing.join().unwrap().unwrap();
    assert_eq!(producer.messages().warnings().len(), 0);
}

fn waiting_for_a_producer_is_said_once(line: &Line) {
    let reader = line.reader("").play();
    let mut warnings = Vec::new();
    until("it is said", || {
        warnings.extend(reader.messages().warnings());
        !warnings.is_empty()
    });
    thread::sleep(Duration::from_millis(2200));
    warnings.extend(reader.messages().warnings());
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    for word in [line.channel.as_str(), "producer"] {
        assert!(warnings[0].1.contains(word), "{warnings:?}");
    }
    let producer = line.producer(&[("overflow", "block")]);
    producer.push_all(0..1);
    assert_eq!(reader.take(1), [0]);
}

fn a_starved_reader_does_as_told(line: &Line) {
    let begun = Instant::now();
    // Before the first frame, and after it.
    let reader = line.reader("timeout=100000000 on-timeout=eos").play();
    assert_eq!(reader.number(), None);
    assert_eq!(reader.messages().warnings().len(), 1);
    let producer = line.producer(&[("overflow", "block")]);
    let reader = line.reader("timeout=100000000 on-timeout=repeat").play();
    producer.push_all(0..1);
    let mut last = None;
    for _ in 0..3 {
        let sample = reader.sample().unwrap();
        assert_eq!(crate::kit::number(&sample), 0);
        let pts = sample.buffer().unwrap().pts();
        assert!(pts > last);
        last = pts;
    }
    assert!(begun.elapsed() < Duration::from_secs(20));
}

fn a_name_has_one_producer(line: &Line) {
    let producer = line.producer(&[("overflow", "block")]);
    let second = line.stopped(&[]);
    second.pad.set_active(true).unwrap();
    assert!(second.element.set_state(gst::State::Playing).is_err());
    let errors = second.messages().errors();
    assert_eq!(errors.len(), 1);
    for word in ["channel", "producer already", line.channel.as_str()] {
        assert!(errors[0].1.contains(word), "{errors:?}");
    }
    // The first one is not disturbed, and its place is free when it stops.
    let reader = line.reader("").play();
    producer.push_all(0..2);
    assert_eq!(reader.take(2), [0, 1]);
    producer.stop();
    second.element.set_state(gst::State::Null).unwrap();
    second.start();
    second.begin(
        &crate::common::rig::numbered_info(),
        &gst::FormattedSegment::new(),
    );
    second.push_all(0..1);
    assert_eq!(reader.take(1), [0]);
}

fn a_blocked_producer_can_be_stopped(line: &Line) {
    let producer = line.producer(&[("overflow", "block"), ("channel-size", "2")]);
    let pad = producer.pad.clone();
    let pushing = thread::spawn(move || {
        (0..10)
            .map(|number| pad.push(crate::common::rig::numbered(number)))
            .find(Result::is_err)
    });
    until("it waits", || producer.count("pending") == 1);
    for _ in 0..20 {
        producer.element.set_state(gst::State::Paused).unwrap();
        producer.element.set_state(gst::State::Playing).unwrap();
    }
    let begun = Instant::now();
    producer.stop();
    assert!(begun.elapsed() < Duration::from_secs(2));
    assert!(pushing.join().unwrap().is_some());
    check_accounts(&producer.element);
    assert_eq!(producer.count("pending"), 0);
    assert_eq!(producer.count("dropped-flush"), 1);
}

fn an_end_waits_for_its_readers_and_says_if_in_vain(line: &Line) {
    let producer = line.producer(&[("overflow", "block"), ("drain-timeout", "300000000")]);
    let reader = line.reader("").play();
    until("it is there", || counts(&producer.element).readers == 1);
    producer.push_all(0..6);
    let messages = producer.finish();
    assert!(messages.eos());
    let warnings = messages.warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].1.contains("drain-timeout"), "{warnings:?}");
    // They still can be, also when the producer has gone.
    producer.stop();
    assert!(reader.rest().into_iter().eq(0..6));
    check_accounts(&producer.element);
}

fn the_end_after_so_many_captures_waits_for_its_readers(line: &Line) {
    let producer = line.producer(&[
        ("overflow", "block"),
        ("max-captures", "8"),
        ("eos-after-max", "true"),
    ]);
    let reader = line.reader("").play();
    producer.push_all(0..12);
    thread::sleep(Duration::from_millis(100));
    assert!(!producer.messages().eos(), "nobody has received them");
    assert!(reader.rest().into_iter().eq(0..8));
    let messages = crate::common::wait_for_end(&producer.bus);
    assert!(messages.eos());
    assert_eq!(producer.count("captured"), 8);
    assert_eq!(producer.count("not-selected"), 4);
}

fn an_end_is_one_also_for_who_was_too_slow(line: &Line) {
    const FRAMES: u64 = 12;
    let producer = line.producer(&[
        ("overflow", "block"),
        ("channel-size", "20"),
        ("drain-timeout", "200000000"),
    ]);
    let reader = line.reader("").play();
    until("it is there", || counts(&producer.element).readers == 1);
    producer.push_all(0..FRAMES);
    assert!(producer.finish().eos());
    producer.stop();
    check_accounts(&producer.element);
    let warnings = producer.messages().warnings();
    let c = counts(&producer.element);
    let got = reader.rest();
    let expected: u64 = match line.is_shared() {
        false => FRAMES,
        // One is in the sink, one at its door, and four were on their way.
        true => 6,
    };
    assert!(got.into_iter().eq(0..expected));
    assert_eq!(c.dropped, FRAMES - expected);
    let (sent, received, dropped) = crate::kit::reader_counts(&reader.source());
    assert_eq!((sent, received, dropped), (FRAMES, expected, c.dropped));
    let lost = warnings
        .iter()
        .filter(|(_, text)| text.contains("are lost"));
    assert_eq!(lost.count(), usize::from(line.is_shared()), "{warnings:?}");
}
