// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Processes that are killed at any moment: the other end goes on, or says so, and nothing of the dead
//! is left. `DSFRAME_KILLS` is how many there are in all.

use std::time::Duration;

use crate::common::until;
use crate::kit::Line;
use crate::peers::{Dice, Peer, Usage, check_clean};

/// Of each of the three tests that kill at random.
fn rounds() -> u64 {
    let kills = std::env::var("DSFRAME_KILLS").map_or(12, |kills| kills.parse().unwrap());
    u64::div_ceil(kills, 3)
}

/// Compared to when everything was in use once.
#[derive(Default)]
struct Flat {
    before: Option<Usage>,
}

impl Flat {
    const WARM_UP: u64 = 2;

    #[track_caller]
    fn check(&mut self, round: u64, peer: &Peer) {
        if round < Self::WARM_UP {
            // What comes and goes is there, or gone.
            std::thread::sleep(Duration::from_millis(150));
            let now = peer.usage();
            self.before = Some(self.before.map_or(now, |before| before.most(&now)));
        } else if let Some(before) = &self.before {
            let mut now = peer.usage();
            until(&format!("as before: {before:?}"), || {
                now = peer.usage();
                now.fds <= before.fds && now.threads <= before.threads
            });
            now.check(before);
        }
    }
}

/// Kills readers of one producer, which goes on with the next and with those that live.
fn readers_that_are_killed(overflow: &str, survivors: usize) {
    let mut dice = Dice::new();
    let line = Line::unix();
    let producer = Peer::producer(&line.channel, &format!("overflow={overflow}"));
    let alive: Vec<_> = (0..survivors)
        .map(|_| Peer::reader(&line.channel, ""))
        .collect();
    producer.wait_for_readers(survivors as u64);
    alive.iter().for_each(|reader| reader.tell("rest"));
    producer.done("stream 0 200");
    let mut flat = Flat::default();
    // Starts while its forerunner is killed.
    let mut next = Peer::start(&line.channel);
    for round in 0..rounds() {
        let reader = std::mem::replace(&mut next, Peer::start(&line.channel));
        match dice.roll(4) {
            // As soon as it may have come, or not yet.
            0 => reader.tell("read"),
            // While it takes frames.
            1 | 2 => {
                reader.done("read");
                let report = reader.report("take 5");
                assert_eq!(report.count(), 5, "{report:?}");
                assert!(report.is_in_order(), "{report:?}");
                assert!(overflow != "block" || report.frames.len() == 1);
                reader.tell("rest");
            }
            // While it takes none.
            _ => {
                reader.done("read");
                producer.wait_for_readers(survivors as u64 + 1);
            }
        }
        dice.pause(Duration::from_millis(30));
        reader.kill();
        producer.wait_for_readers(survivors as u64);
        flat.check(round, &producer);
        if overflow != "block" || survivors > 0 {
            let so_far = |producer: &Peer| producer.ask("count seen").parse::<u64>().unwrap();
            let before = so_far(&producer);
            until("it goes on", || so_far(&producer) > before + 3);
        }
    }
    if overflow == "block" && survivors == 0 {
        next.done("read");
        let report = next.report("take 50");
        assert_eq!((report.count(), report.frames.len()), (50, 1), "{report:?}");
        next.tell("rest");
    }
    let end: u64 = producer.ask("halt").parse().unwrap();
    producer.done("end");
    for reader in &alive {
        let report = reader.told();
        assert_eq!(report.how, "eos");
        assert!(report.is_in_order(), "{report:?}");
        assert_eq!(reader.stats(), (end, report.count(), end - report.count()));
        if overflow == "block" {
            report.expect(0..end, "eos");
        }
    }
    let c = producer.counts();
    assert_eq!(c.in_flight, 0, "{c:?}");
    assert_eq!(c.sent, c.received + c.dropped, "{c:?}");
    drop(next);
    producer.leave();
    check_clean(line.folder());
}

#[test]
fn readers_of_a_producer_that_waits() {
    readers_that_are_killed("block", 0);
}

#[test]
fn readers_beside_others() {
    readers_that_are_killed("drop-oldest", 1);
}

/// The numbers of each producer begin at a million times its round.
const ROUND: u64 = 1_000_000;

#[test]
fn producers() {
    let mut dice = Dice::new();
    let line = Line::unix();
    let readers: Vec<_> = (0..2).map(|_| Peer::reader(&line.channel, "")).collect();
    readers.iter().for_each(|reader| reader.done("watch"));
    let mut flats = [Flat::default(), Flat::default()];
    let mut next = Peer::start(&line.channel);
    // The last one is not killed.
    for round in 0..=rounds() {
        let producer = std::mem::replace(&mut next, Peer::start(&line.channel));
        let first = round * ROUND;
        let is_last = round == rounds();
        producer.tell("open overflow=block");
        if dice.roll(3) == 0 && !is_last {
            // At any moment: perhaps a reader has come, and got something.
            producer.tell(&format!("stream {first} 100"));
            dice.pause(Duration::from_millis(60));
            producer.kill();
            continue;
        }
        assert_eq!(producer.hear(), "done");
        producer.wait_for_readers(2);
        producer.done(&format!("stream {first} 100"));
        until("some are through", || producer.counts().received > 30);
        dice.pause(Duration::from_millis(30));
        let received = producer.counts().received;
        let how = match is_last {
            false => {
                producer.kill();
                None
            }
            true => {
                producer.ask("halt");
                producer.done("end");
                Some(producer)
            }
        };
        let mut counts = 0;
        for (reader, flat) in readers.iter().zip(&mut flats) {
            let report = loop {
                let report = reader.told();
                match report.frames.as_slice() {
                    [one] if one.start >= first => break report,
                    // Of one that was killed at its start.
                    [] => (),
                    [one] => assert_eq!(one.start / ROUND, one.end / ROUND, "{report:?}"),
                    _ => panic!("not in order: {report:?}"),
                }
                check_text(&report.how, &line);
            };
            assert_eq!(report.frames[0].start, first, "{report:?}");
            counts += report.count();
            match &how {
                None => check_text(&report.how, &line),
                Some(_) => assert_eq!(report.how, "eos"),
            }
            flat.check(round, reader);
        }
        assert!(counts >= received, "{counts} of {received}");
        if let Some(producer) = how {
            producer.leave();
        }
    }
    drop((readers, next));
    check_clean(line.folder());
}

#[track_caller]
fn check_text(text: &str, line: &Line) {
    assert!(text.contains(&line.channel[5..]), "{text}");
    assert!(text.contains("producer is gone"), "{text}");
}

/// What was sent before is not lost, and comes before the error.
#[test]
fn what_is_on_its_way_survives_its_producer() {
    let line = Line::unix();
    let readers: Vec<_> = (0..2).map(|_| Peer::reader(&line.channel, "")).collect();
    let producer = Peer::producer(&line.channel, "overflow=block");
    producer.wait_for_readers(2);
    // One is in the sink, one at its door, and four are on their way.
    for number in 0..2 {
        producer.done(&format!("push {number} {}", number + 1));
        until("they are taken", || {
            producer.counts().received == 2 * (number + 1)
        });
    }
    producer.done("push 2 10");
    assert_eq!(producer.counts().in_flight, 16);
    producer.kill();
    for reader in &readers {
        let report = reader.report("rest");
        check_text(&report.how, &line);
        report.expect(0..6, &report.how);
        assert_eq!(reader.stats(), (6, 6, 0));
    }
}

#[test]
fn a_killed_reader_gives_back_all_that_it_kept() {
    let line = Line::unix();
    let producer = Peer::producer(&line.channel, "overflow=drop-newest");
    producer.done("size 640 480");
    let mut most = 0;
    for round in 0..4 {
        let reader = Peer::start(&line.channel);
        // Keeps all that it gets.
        reader.done("keep");
        producer.wait_for_readers(1);
        producer.done("stream 0 1000");
        until("it has no more room", || {
            producer.counts().dropped > round * 20 + 20
        });
        producer.ask("halt");
        reader.kill();
        producer.wait_for_readers(0);
        let shared = producer.usage().shared;
        assert!((30..=80).contains(&shared), "{shared}");
        if round == 0 {
            most = shared;
        }
        assert!(
            shared <= most + 2,
            "{shared} pieces of memory, {most} before"
        );
        assert_eq!(producer.counts().in_flight, 0);
    }
    producer.leave();
    check_clean(line.folder());
}
