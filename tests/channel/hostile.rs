// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Peers that do not speak the protocol, or lie in it: those that do are not disturbed, and an element
//! that has no other says what was wrong.

use std::fs::File;
use std::io::{IoSlice, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use gst::prelude::*;
use gst_video::{VideoFormat, VideoInfo};
use gstdsframe::channel::Access;
use gstdsframe::channel::unix::socket::{Listener, Received, Sent, Socket};
use gstdsframe::channel::wire::{
    Caps, Frame, FrameHead, Hello, MAX_PACKET, MAX_UNRELEASED, Memory, Message, PlaneAt, Planes,
    Reason, Refuse,
};
use gstdsframe::meta::FrameMeta;
use rustix::fs::{MemfdFlags, SealFlags};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};

use crate::common::rig::{numbered_bytes, numbered_info};
use crate::common::{self, LIMIT, check_accounts, in_child, until};
use crate::kit::{Line, counts, reader_counts};
use crate::peers::{Dice, Usage, check_clean};

/// One end of a connection, which says what it likes.
struct Raw {
    socket: Socket,
    buf: Vec<u8>,
}

impl Raw {
    fn new(socket: Socket) -> Self {
        let buf = vec![0; MAX_PACKET];
        Self { socket, buf }
    }

    /// To a producer, which may be too busy to accept.
    fn connect(path: &Path) -> Self {
        let mut socket = None;
        until("a connection", || {
            socket = Socket::connect(path).unwrap();
            socket.is_some()
        });
        Self::new(socket.unwrap())
    }

    fn accept(listener: &Listener) -> Self {
        let mut socket = None;
        until("a reader", || {
            socket = listener.accept().unwrap();
            socket.is_some()
        });
        Self::new(socket.unwrap())
    }

    fn say_bytes(&self, packet: &[u8], fd: Option<BorrowedFd<'_>>) -> Sent {
        self.socket.send(packet, fd).unwrap_or(Sent::Closed)
    }

    fn say(&self, message: &Message) -> Sent {
        self.say_bytes(&bytes(message), None)
    }

    /// `None`: closed.
    fn hear(&mut self) -> Option<Message> {
        let begun = Instant::now();
        loop {
            match self.socket.recv(&mut self.buf).unwrap() {
                Received::Packet(bytes, _) => {
                    return Some(Message::parse(&self.buf[..bytes]).unwrap());
                }
                Received::Closed => return None,
                Received::WouldBlock => {
                    assert!(begun.elapsed() < LIMIT, "nothing is heard");
                    thread::sleep(Duration::from_micros(200));
                }
            }
        }
    }

    /// As a reader that is well so far.
    fn join(path: &Path) -> Self {
        let mut raw = Self::connect(path);
        raw.say(&hello());
        assert!(matches!(
            raw.hear(),
            Some(Message::Hello(Hello::Producer { .. }))
        ));
        raw
    }
}

fn bytes(message: &Message) -> Vec<u8> {
    let mut packet = Vec::new();
    message.encode(&mut packet);
    packet
}

fn hello() -> Message {
    Message::Hello(Hello::Reader {
        host: true,
        devices: Vec::new(),
    })
}

fn null() -> OwnedFd {
    File::open("/dev/null").unwrap().into()
}

/// More descriptors than any message has.
fn say_with_two(raw: &Raw, packet: &[u8]) {
    let file = null();
    let fds = [file.as_fd(); 2];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(control.push(SendAncillaryMessage::ScmRights(&fds)));
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    let _ = rustix::net::sendmsg(&raw.socket, &[IoSlice::new(packet)], &mut control, flags);
}

/// All at once and one after the other, on a producer that plays.
fn attack(path: &Path) {
    let mut dice = Dice::new();
    // Some come to stay.
    let never_takes = Raw::join(path);
    let mut never_releases = Raw::join(path);
    let mut kept = 0;
    while kept < MAX_UNRELEASED as u64 {
        if let Some(Message::Frame(_)) = never_releases.hear() {
            kept += 1;
            never_releases.say(&Message::Taken(kept));
        }
    }
    // More than are listened to at a time.
    let silent: Vec<_> = (0..30).map(|_| Socket::connect(path)).collect();
    thread::sleep(Duration::from_millis(300));
    drop(silent);
    for _ in 0..60 {
        let garbage: Vec<_> = (0..1 + dice.roll(2_000))
            .map(|_| dice.roll(256) as u8)
            .collect();
        Raw::connect(path).say_bytes(&garbage, None);
        let raw = Raw::join(path);
        raw.say_bytes(&garbage, None);
    }
    let whole = bytes(&hello());
    for length in 1..whole.len() {
        Raw::connect(path).say_bytes(&whole[..length], None);
    }
    Raw::connect(path).say_bytes(&vec![0; MAX_PACKET], None);
    for _ in 0..20 {
        let file = null();
        Raw::connect(path).say_bytes(&whole, Some(file.as_fd()));
        say_with_two(&Raw::connect(path), &whole);
        let raw = Raw::join(path);
        raw.say_bytes(&bytes(&Message::Taken(1)), Some(file.as_fd()));
        say_with_two(&Raw::join(path), &bytes(&Message::Taken(1)));
    }
    for _ in 0..20 {
        for message in [
            hello(),
            Message::Taken(u64::MAX),
            Message::Release(vec![7; 256]),
            Message::End(0),
            Message::Hello(Hello::Producer { session: 1 }),
            Message::Refuse(Refuse {
                reason: Reason(77),
                text: "no".repeat(100),
            }),
        ] {
            Raw::join(path).say(&message);
        }
    }
    // A flood, also of readers that do not wait for an answer.
    for _ in 0..300 {
        let raw = Raw::connect(path);
        raw.say(&hello());
    }
    let many: Vec<_> = (0..100).map(|_| Socket::connect(path)).collect();
    thread::sleep(Duration::from_millis(200));
    drop((many, never_takes, never_releases));
}

#[test]
fn a_healthy_reader_among_others() {
    if !common::is_child() {
        let begun = Instant::now();
        let name = "hostile::a_healthy_reader_among_others";
        let output = in_child(
            name,
            &[
                ("GST_DEBUG", "dsframechannel:3"),
                ("GST_DEBUG_NO_COLOR", "1"),
            ],
        );
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        let logged = said.lines().filter(|line| line.contains("dsframechannel"));
        // One a second, whatever comes.
        let logged: Vec<_> = logged.collect();
        let bound = begun.elapsed().as_secs() as usize + 2;
        assert!((1..=bound).contains(&logged.len()), "{logged:#?}");
        return;
    }
    let line = Line::unix();
    let path = line.folder().join("a.sock");
    let producer = line.producer(&[("overflow", "drop-newest"), ("channel-size", "64")]);
    let reader = line.reader("").play();
    until("it is there", || counts(&producer.element).readers == 1);
    // Both ends are in use.
    producer.push_all(0..1);
    assert_eq!(reader.number(), Some(0));
    let before = Usage::own();
    let done = AtomicBool::new(false);
    let mut frames = 1;
    thread::scope(|scope| {
        scope.spawn(|| {
            attack(&path);
            done.store(true, Ordering::Release);
        });
        while !done.load(Ordering::Acquire) || frames < 500 {
            producer.push_all(frames..frames + 1);
            assert_eq!(reader.number(), Some(frames));
            frames += 1;
            // Asserts that the sums are right, whoever comes and goes.
            counts(&producer.element);
        }
    });
    until("they are gone", || counts(&producer.element).readers == 1);
    until("nothing of them is left", || {
        let now = Usage::own();
        now.fds <= before.fds && now.threads <= before.threads
    });
    // Who is well now is let in.
    let late = line.reader("").play();
    until("it is there", || counts(&producer.element).readers == 2);
    producer.push_all(frames..frames + 1);
    assert_eq!(late.take(1), [frames]);
    frames += 1;
    assert!(producer.finish().eos());
    assert_eq!(reader.rest(), [frames - 1]);
    assert_eq!(late.number(), None);
    assert_eq!(reader_counts(&reader.source()), (frames, frames, 0));
    assert_eq!(reader_counts(&late.source()), (1, 1, 0));
    assert_eq!(producer.count("captured"), frames);
    check_accounts(&producer.element);
    let c = counts(&producer.element);
    assert_eq!((c.unread, c.in_flight), (0, 0));
    assert!(c.received > frames && c.dropped > 0, "{c:?}");
    assert_eq!(producer.messages().errors().len(), 0);
    producer.stop();
    check_clean(line.folder());
}

/// Of one frame of the usual kind.
const SLOT: u64 = 64;

fn memory(size: u64, seals: SealFlags) -> OwnedFd {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let mut file = File::from(rustix::fs::memfd_create("test", flags).unwrap());
    file.write_all(&numbered_bytes(0)).unwrap();
    file.set_len(size).unwrap();
    rustix::fs::fcntl_add_seals(&file, seals).unwrap();
    file.into()
}

fn sealed(size: u64) -> OwnedFd {
    memory(size, SealFlags::SHRINK | SealFlags::GROW)
}

fn head(seq: u64) -> FrameHead {
    let plane = PlaneAt {
        offset: 0,
        pitch: 32,
    };
    FrameHead {
        fields: Default::default(),
        seq,
        caps_id: 1,
        new_slot: seq == 0,
        discont: false,
        memory: Memory::Host,
        slot: 1,
        slot_size: SLOT,
        offset: 0,
        planes: Planes::new(&[plane]).unwrap(),
        pts: Some(seq * 100),
        duration: None,
    }
}

fn say_frame(raw: &Raw, head: FrameHead, fd: Option<OwnedFd>) {
    let meta = FrameMeta::default();
    let packet = bytes(&Message::Frame(Box::new(Frame { head, meta })));
    raw.say_bytes(&packet, fd.as_ref().map(AsFd::as_fd));
}

/// What a producer does that has a reader, and how many good frames it sends before.
type Lie = (&'static str, u64, fn(&Raw));

const LIES: &[Lie] = &[
    ("garbage", 1, |raw| {
        raw.say_bytes(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", None);
    }),
    ("too much", 1, |raw| {
        raw.say_bytes(&vec![0; MAX_PACKET + 8], None);
    }),
    ("half a frame", 1, |raw| {
        let meta = FrameMeta::default();
        let head = head(1);
        let packet = bytes(&Message::Frame(Box::new(Frame { head, meta })));
        raw.say_bytes(&packet[..100], None);
    }),
    ("a frame before its caps", 0, |raw| {
        let caps_id = 2;
        say_frame(raw, FrameHead { caps_id, ..head(0) }, Some(sealed(SLOT)));
    }),
    ("pictures that do not fit their slot", 1, |raw| {
        let info = VideoInfo::builder(VideoFormat::Rgb, 65_535, 65_535);
        // Larger than GStreamer can say.
        if let Ok(info) = info.build() {
            raw.say(&Message::Caps(Caps::new(2, &info).unwrap()));
        }
        say_frame(
            raw,
            FrameHead {
                caps_id: 2,
                ..head(1)
            },
            None,
        );
    }),
    ("a picture beyond its slot", 1, |raw| {
        say_frame(
            raw,
            FrameHead {
                offset: 8,
                ..head(1)
            },
            None,
        );
    }),
    ("an offset that overflows", 1, |raw| {
        let offset = u64::MAX - 16;
        say_frame(raw, FrameHead { offset, ..head(1) }, None);
    }),
    ("a slot larger than its memory", 0, |raw| {
        let slot_size = 1 << 30;
        say_frame(
            raw,
            FrameHead {
                slot_size,
                ..head(0)
            },
            Some(sealed(SLOT)),
        );
    }),
    ("memory that is too small", 0, |raw| {
        say_frame(raw, head(0), Some(sealed(SLOT - 1)));
    }),
    ("memory without seals", 0, |raw| {
        say_frame(raw, head(0), Some(memory(SLOT, SealFlags::empty())));
    }),
    ("memory that can shrink", 0, |raw| {
        say_frame(raw, head(0), Some(memory(SLOT, SealFlags::GROW)));
    }),
    ("no memory", 0, |raw| say_frame(raw, head(0), Some(null()))),
    ("no descriptor", 0, |raw| say_frame(raw, head(0), None)),
    ("a number twice", 1, |raw| say_frame(raw, head(0), None)),
    ("an end before what came", 1, |raw| {
        raw.say(&Message::End(0));
    }),
    ("what readers say", 1, |raw| {
        raw.say(&Message::Taken(1));
    }),
    ("memory of a card", 1, |raw| {
        let memory = Memory::Cuda { device: 0 };
        say_frame(raw, FrameHead { memory, ..head(1) }, None);
    }),
    ("nothing, and closes", 0, |_| ()),
    ("closes after a frame", 1, |_| ()),
    ("closes in the middle of a batch", 3, |_| ()),
];

fn lie(line: &Line, (what, frames, lie): Lie) {
    let path = line.folder().join("a.sock");
    let listener = Listener::open(&path, Access::User).unwrap();
    let reader = line.reader("").play();
    let mut raw = Raw::accept(&listener);
    assert!(matches!(raw.hear(), Some(Message::Hello(_))));
    raw.say(&Message::Hello(Hello::Producer { session: 1 }));
    raw.say(&Message::Caps(Caps::new(1, &numbered_info()).unwrap()));
    for seq in 0..frames {
        say_frame(&raw, head(seq), (seq == 0).then(|| sealed(SLOT)));
    }
    lie(&raw);
    if what.contains("closes") {
        drop(raw);
    }
    for _ in 0..frames {
        assert_eq!(reader.number(), Some(0), "{what}");
    }
    let bus = reader.pipeline.bus().unwrap();
    let limit = gst::ClockTime::try_from(LIMIT).unwrap();
    let error = bus.timed_pop_filtered(limit, &[gst::MessageType::Error]);
    let error = error.unwrap_or_else(|| panic!("no error: {what}"));
    let gst::MessageView::Error(error) = error.view() else {
        unreachable!();
    };
    let text = error.error().message().to_owned();
    assert!(text.contains(path.to_str().unwrap()), "{what}: {text}");
    assert_eq!(
        reader_counts(&reader.source()),
        (frames, frames, 0),
        "{what}"
    );
    // GStreamer adds that the source stopped by an error.
    for (_, text) in reader.messages().errors() {
        assert!(text.starts_with("Internal data stream"), "{what}: {text}");
    }
}

#[test]
fn a_reader_of_producers_that_lie() {
    if !common::is_child() {
        let output = in_child("hostile::a_reader_of_producers_that_lie", &[]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        return;
    }
    let line = Line::unix();
    let all = || LIES.iter().for_each(|it| lie(&line, *it));
    all();
    let before = Usage::own();
    all();
    let mut now = Usage::own();
    until("as before", || {
        now = Usage::own();
        now.threads <= before.threads && now.fds <= before.fds
    });
    now.check(&before);
    assert_eq!(now.shared, 0, "{now:?}");
    // The next one does not lie.
    let producer = line.producer(&[("overflow", "block")]);
    let reader = line.reader("").play();
    producer.push_all(0..3);
    assert_eq!(reader.take(3), [0, 1, 2]);
}
