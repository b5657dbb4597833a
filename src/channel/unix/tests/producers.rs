// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Producers that die, lie or say nonsense: the reader is told, after what was good.

use std::os::fd::{AsFd, OwnedFd};

use super::*;
use crate::channel::wire::{
    Caps, Fields, Frame as WireFrame, FrameHead, Memory, PlaneAt, Planes, Reason, Refuse,
};
use crate::mem::shm::{Bytes, alloc, identify, map};

const SLOT: u64 = 10_000;

/// A producer by hand, and the reader that is to bear it.
struct Rig {
    _dir: tempfile::TempDir,
    listener: Listener,
    reader: Reader,
    memory: gst::Memory,
}

impl Rig {
    fn new() -> Self {
        let dir = dir();
        let listener = Listener::open(&path(&dir), Access::User).unwrap();
        let reader = Reader::open(&path(&dir));
        let memory = alloc(SLOT as usize, &Bytes::default()).unwrap();
        Self {
            _dir: dir,
            listener,
            reader,
            memory,
        }
    }

    fn accept(&self) -> Raw {
        let mut raw = Raw::accept(&self.listener);
        assert!(matches!(
            raw.hear(),
            Some(Message::Hello(Hello::Reader { host: true, .. }))
        ));
        raw
    }

    /// It said HELLO and CAPS.
    fn start(&self) -> Raw {
        let raw = self.accept();
        raw.say(&Message::Hello(Hello::Producer { session: 5 }));
        raw.say(&Message::Caps(caps(1)));
        raw
    }

    fn fd(&self) -> OwnedFd {
        let shared = identify(&self.memory).unwrap();
        shared.fd.try_clone_to_owned().unwrap()
    }

    fn say(&self, raw: &Raw, head: FrameHead) -> Sent {
        let fd = head.new_slot.then(|| self.fd());
        say_frame(raw, head, fd)
    }

    /// The reader says what is wrong, on both sides.
    fn expect_refusal(mut self, mut raw: Raw, frames: u64) {
        for want in 0..frames {
            assert_eq!(self.reader.frame().facts.meta.frame_number, Some(want));
        }
        let text = self.reader.broken();
        let mut heard = Vec::new();
        while let Some(message) = raw.hear() {
            heard.push(message);
        }
        let refused = heard
            .iter()
            .any(|message| matches!(message, Message::Refuse(_)));
        assert!(refused, "{text}: {heard:?}");
        assert!(!self.reader.client.has_producer());
        assert!(self.reader.is_quiet());
    }
}

fn caps(id: u32) -> Caps {
    Caps::new(id, &info(64, 48)).unwrap()
}

fn head(seq: u64) -> FrameHead {
    let planes = [(0, 64), (64 * 48, 32), (64 * 48 + 32 * 24, 32)];
    let planes = planes.map(|(offset, pitch)| PlaneAt { offset, pitch });
    FrameHead {
        seq,
        caps_id: 1,
        new_slot: seq == 0,
        discont: false,
        fields: Fields::default(),
        memory: Memory::Host,
        slot: 7,
        slot_size: SLOT,
        offset: 0,
        planes: Planes::new(&planes).unwrap(),
        pts: Some(seq),
        duration: None,
    }
}

fn say_frame(raw: &Raw, head: FrameHead, fd: Option<OwnedFd>) -> Sent {
    let meta = FrameMeta {
        frame_number: Some(head.seq),
        ..FrameMeta::default()
    };
    let mut packet = Vec::new();
    Message::Frame(Box::new(WireFrame { head, meta })).encode(&mut packet);
    raw.say_bytes(&packet, fd.as_ref().map(|fd| fd.as_fd()))
}

#[test]
fn a_producer_by_hand() {
    let mut rig = Rig::new();
    let mut raw = rig.start();
    for seq in 0..4 {
        rig.say(&raw, head(seq));
    }
    let first = rig.reader.frame();
    assert_eq!(first.session, 5);
    assert_eq!(first.info(), &info(64, 48));
    assert_eq!(raw.hear(), Some(Message::Taken(1)));
    drop(first);
    assert_eq!(raw.hear(), Some(Message::Release(vec![0])));
    // A gap is frames that were dropped.
    rig.say(&raw, head(10));
    let kept: Vec<_> = (0..4).map(|_| rig.reader.frame()).collect();
    assert_eq!(rig.reader.counts(), (11, 5, 6, 0));
    let mut heard = 1;
    while heard < 5 {
        match raw.hear() {
            Some(Message::Taken(taken)) => heard = taken,
            message => panic!("{message:?}"),
        }
    }
    // And so are those that the end says were to come.
    raw.say(&Message::End(13));
    assert!(matches!(rig.reader.next(), Item::End));
    assert_eq!(rig.reader.counts(), (13, 5, 8, 0));
    // What is kept is released after the end too, and the connection closed with the last.
    let mut released = Vec::new();
    for parcel in kept {
        drop(parcel);
        match raw.hear() {
            Some(Message::Release(seqs)) => released.extend(seqs),
            message => panic!("{message:?}"),
        }
    }
    assert_eq!(released, [1, 2, 3, 10]);
    assert_eq!(raw.hear(), None);
}

#[test]
fn producers_that_die_in_any_phase() {
    // Before HELLO: it was about to stop.
    let mut rig = Rig::new();
    drop(Raw::accept(&rig.listener));
    drop(rig.accept());
    let raw = rig.start();
    rig.say(&raw, head(0));
    assert_eq!(number(&rig.reader.frame()), 0);
    drop(raw);
    assert!(rig.reader.broken().contains("gone"));
    assert!(rig.reader.is_quiet());

    let mut rig = Rig::new();
    let raw = rig.accept();
    raw.say(&Message::Hello(Hello::Producer { session: 5 }));
    drop(raw);
    assert!(rig.reader.broken().contains("gone"));

    // What it sent before is read first, and stays readable.
    let mut rig = Rig::new();
    let raw = rig.start();
    for seq in 0..4 {
        rig.say(&raw, head(seq));
    }
    drop(raw);
    let kept: Vec<_> = (0..4).map(|_| rig.reader.frame()).collect();
    assert!(rig.reader.broken().contains("gone"));
    assert_eq!(rig.reader.counts(), (4, 4, 0, 0));
    drop(rig);
    kept.iter().for_each(|parcel| assert_eq!(number(parcel), 0));
}

#[test]
fn producers_that_refuse_or_stop() {
    let mut rig = Rig::new();
    let raw = rig.accept();
    raw.say(&Message::Refuse(Refuse {
        reason: Reason::READERS,
        text: "too many".into(),
    }));
    assert!(rig.reader.broken().contains("too many"));

    let mut rig = Rig::new();
    for _ in 0..3 {
        let raw = rig.start();
        rig.say(&raw, head(0));
        raw.say(&Message::Stop(1));
        drop(raw);
        rig.reader.frame();
        assert!(matches!(rig.reader.next(), Item::Stopped));
    }
}

#[test]
fn producers_that_say_nonsense() {
    let hello = Message::Hello(Hello::Producer { session: 5 });
    // As the first message.
    for message in [
        Message::Caps(caps(1)),
        Message::End(0),
        Message::Stop(0),
        Message::Taken(1),
        Message::Release(vec![1]),
        Message::Hello(Hello::Reader {
            host: true,
            devices: Vec::new(),
        }),
    ] {
        let rig = Rig::new();
        let raw = rig.accept();
        raw.say(&message);
        rig.expect_refusal(raw, 0);
    }
    let rig = Rig::new();
    let raw = rig.accept();
    raw.say(&hello);
    rig.say(&raw, head(0));
    rig.expect_refusal(raw, 0);
    // After a good frame.
    for message in [
        hello,
        Message::Taken(1),
        Message::Release(vec![0]),
        Message::Caps(caps(1)),
        // There was one frame.
        Message::End(0),
        Message::Stop(0),
    ] {
        let rig = Rig::new();
        let raw = rig.start();
        rig.say(&raw, head(0));
        raw.say(&message);
        rig.expect_refusal(raw, 1);
    }
    let mut end = Vec::new();
    Message::End(0).encode(&mut end);
    for packet in [vec![0; 16], vec![1], vec![0; MAX_PACKET + 1], {
        let mut packet = end.clone();
        packet[4] = 2;
        packet
    }] {
        let rig = Rig::new();
        let raw = rig.start();
        rig.say(&raw, head(0));
        raw.say_bytes(&packet, None);
        rig.expect_refusal(raw, 1);
    }
    // With a descriptor that it should not have.
    let rig = Rig::new();
    let raw = rig.start();
    raw.say_bytes(&end, Some(rig.fd().as_fd()));
    rig.expect_refusal(raw, 0);
}

#[test]
fn frames_that_lie() {
    let planes = |planes: &[(u64, u32)]| {
        let at = |(offset, pitch): &(u64, u32)| PlaneAt {
            offset: *offset,
            pitch: *pitch,
        };
        Planes::new(&planes.iter().map(at).collect::<Vec<_>>()).unwrap()
    };
    let good = head(1);
    for bad in [
        // The number does not rise.
        FrameHead {
            seq: 0,
            ..good.clone()
        },
        FrameHead {
            caps_id: 2,
            ..good.clone()
        },
        // A slot that is known, one that is not, one that changes.
        FrameHead {
            new_slot: true,
            ..good.clone()
        },
        FrameHead {
            slot: 8,
            ..good.clone()
        },
        FrameHead {
            slot_size: SLOT - 1,
            ..good.clone()
        },
        FrameHead {
            slot_size: SLOT + 1,
            ..good.clone()
        },
        FrameHead {
            slot: 8,
            new_slot: true,
            slot_size: SLOT + 1,
            ..good.clone()
        },
        FrameHead {
            slot: 8,
            new_slot: true,
            slot_size: 1 << 30,
            ..good.clone()
        },
        FrameHead {
            memory: Memory::Cuda { device: 0 },
            ..good.clone()
        },
        // Beyond the slot.
        FrameHead {
            offset: SLOT - 1,
            planes: planes(&[(0, 64), (0, 32), (0, 32)]),
            ..good.clone()
        },
        FrameHead {
            offset: SLOT - 64 * 48 - 32 * 24,
            ..good.clone()
        },
        FrameHead {
            planes: planes(&[(0, 64)]),
            ..good.clone()
        },
        FrameHead {
            planes: planes(&[(0, 63), (0, 32), (0, 32)]),
            ..good.clone()
        },
        FrameHead {
            planes: planes(&[(0, 64), (0, 32), (SLOT - 100, 32)]),
            ..good.clone()
        },
        FrameHead {
            planes: planes(&[(0, 0x7fff_ffff), (0, 32), (0, 32)]),
            ..good.clone()
        },
    ] {
        let rig = Rig::new();
        let raw = rig.start();
        rig.say(&raw, head(0));
        rig.say(&raw, bad);
        rig.expect_refusal(raw, 1);
    }

    // What is not sealed memory.
    let null = || OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
    let file = || {
        let file = tempfile::tempfile().unwrap();
        file.set_len(SLOT).unwrap();
        OwnedFd::from(file)
    };
    let socket = || OwnedFd::from(std::os::unix::net::UnixDatagram::unbound().unwrap());
    for fd in [null(), file(), socket()] {
        let rig = Rig::new();
        let raw = rig.start();
        say_frame(&raw, head(0), Some(fd));
        rig.expect_refusal(raw, 0);
    }
    // No descriptor where there should be one, and the other way round.
    let rig = Rig::new();
    let raw = rig.start();
    say_frame(&raw, head(0), None);
    rig.expect_refusal(raw, 0);
    let rig = Rig::new();
    let raw = rig.start();
    rig.say(&raw, head(0));
    say_frame(&raw, head(1), Some(rig.fd()));
    rig.expect_refusal(raw, 1);
}

#[test]
fn frames_without_end() {
    // More than are taken.
    let mut rig = Rig::new();
    let mut raw = rig.start();
    for seq in 0..5 {
        rig.say(&raw, head(seq));
    }
    assert_eq!(raw.end().unwrap().reason, Reason::MESSAGE);
    for want in 0..4 {
        assert_eq!(rig.reader.frame().facts.meta.frame_number, Some(want));
    }
    assert!(rig.reader.broken().contains("taken"));

    // More than are released.
    let mut rig = Rig::new();
    let raw = rig.start();
    let mut kept = Vec::new();
    for seq in 0..64 {
        rig.say(&raw, head(seq));
        kept.push(rig.reader.frame());
    }
    rig.say(&raw, head(64));
    assert!(rig.reader.broken().contains("released"));

    // The number of the last frame of all.
    let mut rig = Rig::new();
    let raw = rig.start();
    rig.say(
        &raw,
        FrameHead {
            new_slot: true,
            ..head(u64::MAX)
        },
    );
    let last = rig.reader.frame();
    let counts = rig.reader.client.counter().counts();
    assert_eq!((counts.received, counts.in_flight), (1, 0));
    drop(last);
    raw.say(&Message::End(u64::MAX));
    assert!(matches!(rig.reader.next(), Item::End));
}

#[test]
fn slots_are_forgotten_in_turn() {
    let mut rig = Rig::new();
    let raw = rig.start();
    let mut seq = 0;
    let mut send = |rig: &mut Rig, slot: u64, new_slot: bool| {
        let head = FrameHead {
            slot,
            new_slot,
            ..head(seq)
        };
        seq += 1;
        rig.say(&raw, head);
        rig.reader.next()
    };
    for slot in 0..64 {
        assert!(matches!(send(&mut rig, slot, true), Item::Frame(_)));
    }
    assert!(matches!(send(&mut rig, 0, false), Item::Frame(_)));
    // Makes it forget 1, not 0.
    assert!(matches!(send(&mut rig, 64, true), Item::Frame(_)));
    assert!(matches!(send(&mut rig, 0, false), Item::Frame(_)));
    assert!(matches!(send(&mut rig, 1, true), Item::Frame(_)));
    assert!(matches!(send(&mut rig, 2, false), Item::Broken(_)));
}

#[test]
fn a_producer_is_not_looked_for_too_often() {
    let rig = Rig::new();
    let start = Instant::now();
    // Gone before they say anything, while the bell rings.
    for _ in 0..5 {
        let raw = rig.accept();
        drop(raw);
        for _ in 0..20 {
            rig.reader.client.ring();
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    assert!(start.elapsed() >= Duration::from_millis(400));
}

#[test]
fn what_is_mapped_is_bounded() {
    let rig = Rig::new();
    let mut kept = Vec::new();
    let mut mapped = Vec::new();
    for _ in 0..3 {
        assert!(client::has_room(&mut mapped, SLOT, 3 * SLOT));
        let mapping = Arc::new(map(rig.fd(), SLOT).unwrap());
        mapped.push(Arc::downgrade(&mapping));
        kept.push(mapping);
    }
    assert!(!client::has_room(&mut mapped, 1, 3 * SLOT));
    kept.pop();
    assert!(client::has_room(&mut mapped, SLOT, 3 * SLOT));
    assert!(!client::has_room(&mut mapped, u64::MAX, 3 * SLOT));
}

#[test]
fn a_producer_that_does_not_answer() {
    let mut rig = Rig::new();
    let raw = rig.accept();
    let start = Instant::now();
    assert!(rig.reader.broken().contains("does not answer"));
    assert!(start.elapsed() > Duration::from_secs(4));
    drop(raw);
}
