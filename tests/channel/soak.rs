// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! One producer and two readers, three processes, for as long as `DSFRAME_SOAK_SECONDS` says.

use std::time::{Duration, Instant};

use crate::kit::Line;
use crate::peers::{Peer, Usage, check_clean};

const MINUTE: Duration = Duration::from_secs(60);

fn figures(name: &str, before: &Usage, now: &Usage) -> String {
    format!(
        "{name}: descriptors {} -> {}, threads {} -> {}, shared memories {} -> {}, KiB {} -> {}",
        before.fds,
        now.fds,
        before.threads,
        now.threads,
        before.shared,
        now.shared,
        before.resident,
        now.resident
    )
}

#[test]
fn frames_go_on_and_nothing_grows() {
    let seconds = std::env::var("DSFRAME_SOAK_SECONDS").map_or(3, |it| it.parse().unwrap());
    let end = Instant::now() + Duration::from_secs(seconds);
    let turn = MINUTE.min(Duration::from_secs(seconds) / 3);
    let line = Line::unix();
    let producer = Peer::producer(&line.channel, "overflow=block");
    producer.done("size 320 240");
    let readers: Vec<_> = (0..2).map(|_| Peer::reader(&line.channel, "")).collect();
    producer.wait_for_readers(2);
    readers.iter().for_each(|reader| reader.done("watch"));
    producer.done("stream 0 500");
    let processes = [
        ("producer", &producer),
        ("reader", &readers[0]),
        ("reader", &readers[1]),
    ];
    std::thread::sleep(turn);
    let before = processes.map(|(_, peer)| peer.usage());
    let mut sent = 0;
    while Instant::now() < end {
        std::thread::sleep(turn.min(end.saturating_duration_since(Instant::now())));
        for ((_, peer), before) in processes.iter().zip(&before) {
            peer.usage().check(before);
        }
        let c = producer.counts();
        assert!(c.sent > sent, "it stands still");
        assert_eq!(c.dropped, 0);
        sent = c.sent;
    }
    let after = processes.map(|(_, peer)| peer.usage());
    let frames: u64 = producer.ask("halt").parse().unwrap();
    producer.done("end");
    for reader in &readers {
        reader.told().expect(0..frames, "eos");
    }
    let c = producer.counts();
    assert_eq!((c.sent, c.received), (2 * frames, 2 * frames));
    let each = processes.iter().zip(before.iter().zip(&after));
    let each: Vec<_> = each
        .map(|((name, _), (before, after))| figures(name, before, after))
        .collect();
    println!(
        "soak: {seconds} s, {frames} frames to each of 2 readers; {}",
        each.join("; ")
    );
    producer.leave();
    check_clean(line.folder());
}
