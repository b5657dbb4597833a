// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Readers that die, lie or say nonsense: the producer and the other readers are unharmed.

use std::os::fd::AsFd;

use super::*;
use crate::channel::wire::{Caps, Reason, Refuse};

/// A producer and a reader that are to go on.
struct Rig {
    dir: tempfile::TempDir,
    producer: Producer,
    reader: Reader,
}

impl Rig {
    fn new() -> Self {
        let dir = dir();
        let producer = Producer::open(&path(&dir), 8);
        let reader = Reader::open(&path(&dir));
        producer.wait_for_readers(1);
        Self {
            dir,
            producer,
            reader,
        }
    }

    fn connect(&self) -> Raw {
        Raw::connect(&path(&self.dir))
    }

    /// One that said HELLO.
    fn join(&self) -> Raw {
        let mut raw = self.connect();
        raw.hello();
        self.producer.wait_for_readers(2);
        raw
    }

    /// Frames go on to the other one.
    fn go_on(&mut self, frames: u64) {
        for _ in 0..frames {
            let want = self.producer.next;
            self.producer.send(Full::DropNewest).unwrap();
            check(&self.reader.frame(), want);
        }
    }

    /// The bad one is out, and what it had is free again.
    fn is_well(&mut self) {
        self.producer.wait_for_readers(1);
        self.go_on(20);
        let hub = self.producer.hub.clone();
        self.producer.wait(|| hub.in_flight() == 0);
        let (sent, received, ..) = self.reader.counts();
        assert_eq!(sent, received);
    }
}

fn taken(frames: u64) -> Message {
    Message::Taken(frames)
}

#[test]
fn readers_that_die_in_any_phase() {
    let mut rig = Rig::new();
    drop(rig.connect());
    rig.is_well();
    let raw = rig.connect();
    raw.say(&Message::Hello(Hello::Reader {
        host: true,
        devices: Vec::new(),
    }));
    drop(raw);
    rig.is_well();
    drop(rig.join());
    rig.is_well();
    let before = rig.producer.counts().2;
    // With frames that it did not read, did not take, did not release.
    let raw = rig.join();
    rig.go_on(10);
    drop(raw);
    rig.is_well();
    let mut raw = rig.join();
    rig.go_on(3);
    raw.frame();
    drop(raw);
    rig.is_well();
    assert_eq!(rig.producer.counts().2 - before, 10 + 3);
    let mut raw = rig.join();
    rig.go_on(3);
    raw.frames(3);
    raw.say(&taken(2));
    raw.say(&Message::Release(vec![1]));
    drop(raw);
    rig.is_well();
    assert_eq!(rig.producer.counts().2 - before, 10 + 3 + 1);
    // While the producer waits for it.
    let mut raw = rig.join();
    for _ in 0..8 {
        let want = rig.producer.next;
        rig.producer.send(Full::Refuse).unwrap();
        check(&rig.reader.frame(), want);
    }
    let refused = rig.producer.send(Full::Refuse);
    assert_eq!(refused, Err(NoRoom { readers: 2 }));
    raw.frame();
    drop(raw);
    rig.producer.wait(|| rig.producer.hub.has_room());
    rig.is_well();
}

#[test]
fn a_reader_that_says_nothing_more_keeps_what_it_has() {
    let mut rig = Rig::new();
    let mut raw = rig.join();
    rig.go_on(3);
    raw.frames(3);
    raw.say(&taken(3));
    raw.socket.finish();
    rig.is_well();
    // Six are in use at most besides these three.
    let size = rig.producer.info.size();
    assert!(rig.producer.origin.bytes() >= 4 * size);
    let held = rig.producer.origin.bytes();
    let many: Vec<_> = (0..held / size)
        .map(|n| rig.producer.origin.parcel(&rig.producer.info, n as u64))
        .collect();
    assert!(rig.producer.origin.bytes() >= held + 3 * size);
    drop(many);
    drop(raw);
    rig.is_well();
}

#[test]
fn a_reader_that_is_done_before_the_end_keeps_what_it_has() {
    let mut rig = Rig::new();
    let mut raw = rig.join();
    rig.go_on(3);
    raw.frames(3);
    raw.say(&taken(3));
    let hub = rig.producer.hub.clone();
    rig.producer.wait(|| hub.in_flight() == 0);
    hub.end();
    assert!(matches!(rig.reader.next(), Item::End));
    // It did not read that yet.
    raw.socket.finish();
    std::thread::sleep(Duration::from_millis(200));
    let size = rig.producer.info.size();
    let parcels = |rig: &Rig, count: usize| -> Vec<_> {
        let parcel = |n| rig.producer.origin.parcel(&rig.producer.info, n as u64);
        (0..count).map(parcel).collect()
    };
    let made = rig.producer.origin.bytes() / size;
    let many = parcels(&rig, made);
    let more = rig.producer.origin.bytes() / size;
    assert!(more >= made + 3, "{made} {more}");
    drop(many);
    // They come back when it closes.
    drop(raw);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let before = rig.producer.origin.bytes();
        drop(parcels(&rig, before / size));
        if rig.producer.origin.bytes() == before {
            break;
        }
        assert!(Instant::now() < deadline);
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn readers_that_say_nonsense() {
    let mut rig = Rig::new();
    let hello = Message::Hello(Hello::Reader {
        host: true,
        devices: Vec::new(),
    });
    let refuse = |reason, text: &str| {
        let text = text.to_owned();
        Message::Refuse(Refuse { reason, text })
    };
    // As the first message.
    let caps = Caps::new(1, &rig.producer.info).unwrap();
    let producer = Message::Hello(Hello::Producer { session: 1 });
    for message in [
        taken(1),
        Message::Release(vec![0]),
        Message::Caps(caps.clone()),
        Message::End(0),
        Message::Stop(0),
        producer.clone(),
    ] {
        let mut raw = rig.connect();
        raw.say(&message);
        let refused = raw.end().unwrap();
        assert_eq!(refused.reason, Reason::MESSAGE, "{message:?}");
        rig.is_well();
    }
    let mut raw = rig.connect();
    raw.say(&Message::Hello(Hello::Reader {
        host: false,
        devices: vec![[1; 16]],
    }));
    // Frames may yet be on its card; this one is not.
    rig.producer.wait_for_readers(2);
    rig.go_on(1);
    assert_eq!(raw.end().unwrap().reason, Reason::MEMORY);
    rig.is_well();

    // Later, with three frames read of which two are taken.
    for messages in [
        vec![hello.clone()],
        vec![producer],
        vec![Message::Caps(caps)],
        vec![Message::End(0)],
        vec![Message::Stop(0)],
        vec![taken(0)],
        vec![taken(2)],
        vec![taken(4)],
        vec![taken(u64::MAX)],
        vec![Message::Release(vec![2])],
        vec![Message::Release(vec![3])],
        vec![Message::Release(vec![u64::MAX])],
        vec![Message::Release(vec![0, 0])],
        vec![Message::Release(vec![0]), Message::Release(vec![0])],
        vec![Message::Release(vec![0, 1, 2])],
    ] {
        let mut raw = rig.join();
        rig.go_on(3);
        raw.frames(3);
        raw.say(&taken(2));
        for message in &messages {
            raw.say(message);
        }
        let refused = raw.end().unwrap();
        assert_eq!(refused.reason, Reason::MESSAGE, "{messages:?}");
        rig.is_well();
    }

    // A refusal is no error.
    let raw = rig.join();
    rig.go_on(2);
    raw.say(&refuse(Reason::PICTURES, "not these"));
    rig.producer.wait_for_readers(1);
    drop(raw);
    rig.is_well();
    let raw = rig.connect();
    raw.say(&refuse(Reason(99), "whatever"));
    drop(raw);
    rig.is_well();
}

#[test]
fn readers_that_send_garbage() {
    let mut rig = Rig::new();
    let mut packet = Vec::new();
    taken(1).encode(&mut packet);
    let mut packets = vec![
        vec![0; 16],
        vec![0xff; 1000],
        vec![1],
        b"GET / HTTP/1.1".to_vec(),
    ];
    packets.push(vec![0; MAX_PACKET + 8]);
    packets.extend((1..packet.len()).map(|length| packet[..length].to_vec()));
    packets.extend((0..packet.len().min(16)).map(|at| {
        let mut changed = packet.clone();
        changed[at] ^= 0x80;
        changed
    }));
    for packet in packets {
        for is_known in [false, true] {
            let mut raw = match is_known {
                true => rig.join(),
                false => rig.connect(),
            };
            if is_known {
                rig.go_on(1);
                raw.frame();
            }
            raw.say_bytes(&packet, None);
            assert!(raw.end().is_some());
        }
    }
    rig.is_well();
    // Descriptors that nobody asked for.
    for packet in [packet, vec![0; 8]] {
        let mut raw = rig.join();
        rig.go_on(1);
        raw.frame();
        let file = std::fs::File::open("/dev/null").unwrap();
        raw.say_bytes(&packet, Some(file.as_fd()));
        assert!(raw.end().is_some());
    }
    rig.is_well();
}

#[test]
fn readers_that_never_read_fill_nothing_but_their_socket() {
    let mut rig = Rig::new();
    let raws: Vec<_> = (0..10)
        .map(|_| {
            let raw = rig.connect();
            // Answers that nobody reads.
            raw.say(&Message::Hello(Hello::Reader {
                host: true,
                devices: Vec::new(),
            }));
            raw
        })
        .collect();
    rig.producer.wait_for_readers(11);
    rig.go_on(500);
    // Four of each are with them, four wait.
    assert!(rig.producer.origin.bytes() <= 40 * rig.producer.info.size());
    rig.producer.wait(|| rig.producer.hub.in_flight() == 80);
    drop(raws);
    rig.is_well();
    assert_eq!(rig.producer.counts().2, 10 * 500);
}

#[test]
fn floods_of_readers() {
    let mut rig = Rig::new();
    // More than may be silent: the others wait until these are gone.
    let silent: Vec<_> = (0..40).map(|_| rig.connect()).collect();
    rig.go_on(50);
    drop(silent);
    let mut raws: Vec<_> = (0..63)
        .map(|_| {
            let mut raw = rig.connect();
            raw.hello();
            raw
        })
        .collect();
    rig.producer.wait_for_readers(64);
    rig.go_on(3);
    for _ in 0..30 {
        let mut raw = rig.connect();
        raw.say(&Message::Hello(Hello::Reader {
            host: true,
            devices: Vec::new(),
        }));
        assert_eq!(raw.end().unwrap().reason, Reason::READERS);
    }
    rig.go_on(3);
    // Connected and gone, as fast as it goes.
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                drop(Socket::connect(&path(&rig.dir)));
            }
        });
        for raw in &mut raws {
            raw.frames(3);
            raw.say(&taken(3));
            raw.say(&Message::Release(vec![0, 1, 2]));
        }
        for _ in 0..200 {
            let want = rig.producer.next;
            rig.producer.send(Full::DropNewest).unwrap();
            check(&rig.reader.frame(), want);
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    drop(raws);
    rig.is_well();
    // There is room again.
    rig.join();
    // RELEASEs without end.
    let raw = rig.join();
    for number in 0..100_000u64 {
        if raw.say(&Message::Release(vec![number])) == Sent::Closed {
            break;
        }
    }
    drop(raw);
    rig.is_well();
}

#[test]
fn floods_of_readers_that_there_is_no_room_for() {
    let mut rig = Rig::new();
    let raws: Vec<_> = (0..63)
        .map(|_| {
            let mut raw = rig.connect();
            raw.hello();
            raw
        })
        .collect();
    rig.producer.wait_for_readers(64);
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    drop(Socket::connect(&path(&rig.dir)));
                }
            });
        }
        // What the reader says is heard all the same.
        for _ in 0..100 {
            let want = rig.producer.next;
            rig.producer.send(Full::DropNewest).unwrap();
            check(&rig.reader.frame(), want);
        }
        let start = Instant::now();
        rig.producer.server = None;
        let took = start.elapsed();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(took < Duration::from_secs(4), "{took:?}");
    });
    drop(raws);
}

#[test]
fn who_does_not_say_hello_in_time_is_told() {
    let mut rig = Rig::new();
    let mut raws: Vec<_> = (0..3).map(|_| rig.connect()).collect();
    let start = Instant::now();
    rig.go_on(10);
    for raw in &mut raws {
        assert_eq!(raw.end().unwrap().reason, Reason::HELLO);
    }
    assert!(start.elapsed() > Duration::from_secs(4));
    rig.is_well();
}
