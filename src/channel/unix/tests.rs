// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Servers and clients of one process, and peers that say anything.

mod flow;
mod leaks;
mod producers;
mod readers;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gst::prelude::*;
use gst_video::prelude::*;
use gst_video::{VideoFormat, VideoFrame, VideoInfo};
use rustix::event::{PollFd, PollFlags, poll};

use super::socket::{Listener, Received, Sent, Socket};
use super::*;
use crate::channel::wire::{self, Hello, MAX_PACKET, Message};
use crate::channel::{
    Access, Counts, Facts, Full, Hub, Item, NoRoom, Parcel, ReadOptions, Receive,
};
use crate::frame::{Frame, HostPool, Snapshot, View};
use crate::gate::{Gate, Wait};
use crate::mem::shm::ShmPool;
use crate::meta::{Detection, FrameMeta};

/// Longer than anything takes.
const PATIENCE: Duration = Duration::from_secs(20);

fn dir() -> tempfile::TempDir {
    gst::init().unwrap();
    tempfile::tempdir().unwrap()
}

fn info(width: u32, height: u32) -> VideoInfo {
    gst::init().unwrap();
    let info = VideoInfo::builder(VideoFormat::I420, width, height);
    info.fps(gst::Fraction::new(30, 1)).build().unwrap()
}

/// Where frames come from.
enum Origin {
    Shared(ShmPool),
    Plain(HostPool),
}

impl Origin {
    fn shared(info: &VideoInfo) -> Self {
        let pool = ShmPool::new(info).unwrap();
        pool.set_active(true).unwrap();
        Self::Shared(pool)
    }

    fn plain(info: &VideoInfo) -> Self {
        Self::Plain(HostPool::new(info).unwrap())
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Shared(pool) => pool.bytes(),
            Self::Plain(_) => 0,
        }
    }

    /// A frame that says which one it is in every plane.
    fn parcel(&self, info: &VideoInfo, number: u64) -> Arc<Parcel> {
        let mut frame = match self {
            Self::Shared(pool) => {
                let buffer = pool.acquire_buffer(None).unwrap();
                VideoFrame::from_buffer_writable(buffer, info).unwrap()
            }
            Self::Plain(pool) => pool.acquire().unwrap(),
        };
        for plane in 0..frame.n_planes() {
            for bytes in frame.plane_data_mut(plane).unwrap().chunks_exact_mut(8) {
                bytes.copy_from_slice(&number.to_le_bytes());
            }
        }
        let frame: Frame = frame.into();
        let detection = Detection {
            label: format!("number {number}").into(),
            track_id: Some(number),
            ..Detection::default()
        };
        let facts = Facts {
            pts: Some(number * 1000),
            duration: Some(1000),
            discont: number == 0,
            meta: FrameMeta {
                frame_number: Some(number),
                detections: vec![detection; (number % 3) as usize],
                ..FrameMeta::default()
            },
        };
        let picture = Snapshot::Host(frame);
        Arc::new(Parcel::new(picture, facts, 0, None))
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        if let Self::Shared(pool) = self {
            pool.set_active(false).unwrap();
        }
    }
}

/// Which frame it is, if all of it says the same.
fn number(parcel: &Parcel) -> u64 {
    let Snapshot::Host(frame) = parcel.picture() else {
        panic!("not in host memory");
    };
    let mapped = frame.map().unwrap();
    let view = View::of_frame(&mapped).unwrap();
    let row = view.rows(0).next().unwrap();
    let number = u64::from_le_bytes(row[..8].try_into().unwrap());
    for plane in 0..mapped.n_planes() as usize {
        // The width is a multiple of 16.
        for row in view.rows(plane) {
            for bytes in row.chunks_exact(8) {
                assert_eq!(bytes, number.to_le_bytes());
            }
        }
    }
    number
}

fn check(parcel: &Parcel, want: u64) {
    assert_eq!(number(parcel), want);
    let facts = &parcel.facts;
    assert_eq!(facts.pts, Some(want * 1000));
    assert_eq!(facts.duration, Some(1000));
    assert_eq!(facts.discont, want == 0);
    assert_eq!(facts.meta.frame_number, Some(want));
    assert_eq!(facts.meta.detections.len() as u64, want % 3);
    for detection in &facts.meta.detections {
        assert_eq!(detection.track_id, Some(want));
        assert_eq!(detection.label, format!("number {want}"));
    }
}

struct Producer {
    hub: Arc<Hub>,
    server: Option<Server>,
    room: Arc<Gate>,
    info: VideoInfo,
    origin: Origin,
    next: u64,
}

impl Producer {
    fn open(path: &std::path::Path, bound: usize) -> Self {
        let info = info(64, 48);
        let origin = Origin::shared(&info);
        Self::of(path, bound, info, origin)
    }

    fn of(path: &std::path::Path, bound: usize, info: VideoInfo, origin: Origin) -> Self {
        let room = Arc::<Gate>::default();
        let emptied = room.clone();
        let hub = Arc::new(Hub::new(bound, Arc::new(move || emptied.wake())));
        let server = Server::open(path, Access::User, hub.clone()).unwrap();
        Self {
            hub,
            server: Some(server),
            room,
            info,
            origin,
            next: 0,
        }
    }

    fn wait(&self, what: impl Fn() -> bool) {
        let waited = self.room.wait(Some(PATIENCE), || what().then_some(()));
        assert_eq!(waited, Wait::Ready(()));
    }

    fn wait_for_readers(&self, readers: usize) {
        self.wait(|| self.hub.readers() == readers);
    }

    fn send(&mut self, full: Full) -> Result<(), NoRoom> {
        let parcel = self.origin.parcel(&self.info, self.next);
        self.hub.send(&parcel, full)?;
        self.next += 1;
        Ok(())
    }

    /// Waits for room.
    fn send_all(&mut self, frames: u64) {
        for _ in 0..frames {
            self.wait(|| self.hub.has_room());
            self.send(Full::Refuse).unwrap();
        }
    }

    fn counts(&self) -> (u64, u64, u64, u64) {
        tuple(self.hub.counts())
    }

    fn common(&self) -> &Arc<link::Common> {
        self.server.as_ref().unwrap().common()
    }
}

fn tuple(counts: Counts) -> (u64, u64, u64, u64) {
    let Counts {
        sent,
        received,
        dropped,
        in_flight,
    } = counts;
    assert_eq!(sent, received + dropped + in_flight);
    (sent, received, dropped, in_flight)
}

struct Reader {
    client: Client,
    gate: Arc<Gate>,
}

impl Reader {
    fn open(path: &std::path::Path) -> Self {
        let gate = Arc::<Gate>::default();
        let client = Client::open(path, ReadOptions::default(), gate.clone()).unwrap();
        Self { client, gate }
    }

    fn next(&mut self) -> Item {
        let client = &mut self.client;
        match self.gate.wait(Some(PATIENCE), || client.poll()) {
            Wait::Ready(item) => item,
            waited => panic!("{waited:?}"),
        }
    }

    fn frame(&mut self) -> Arc<Parcel> {
        match self.next() {
            Item::Frame(parcel) => parcel,
            item => panic!("{item:?}"),
        }
    }

    fn broken(&mut self) -> String {
        match self.next() {
            Item::Broken(text) => text,
            item => panic!("{item:?}"),
        }
    }

    fn is_quiet(&mut self) -> bool {
        let client = &mut self.client;
        let limit = Some(Duration::from_millis(150));
        self.gate.wait(limit, || client.poll().map(|_| ())) == Wait::TimedOut
    }

    fn counts(&self) -> (u64, u64, u64, u64) {
        tuple(self.client.counter().counts())
    }
}

/// A peer that says what it likes.
struct Raw {
    socket: Socket,
    buf: Vec<u8>,
}

impl Raw {
    fn new(socket: Socket) -> Self {
        let buf = vec![0; MAX_PACKET];
        Self { socket, buf }
    }

    fn connect(path: &std::path::Path) -> Self {
        Self::new(Socket::connect(path).unwrap().unwrap())
    }

    fn accept(listener: &Listener) -> Self {
        let mut fds = [PollFd::new(listener, PollFlags::IN)];
        poll(&mut fds, Some(&until(Instant::now() + PATIENCE))).unwrap();
        Self::new(listener.accept().unwrap().expect("nobody came"))
    }

    fn say_bytes(&self, packet: &[u8], fd: Option<std::os::fd::BorrowedFd<'_>>) -> Sent {
        self.socket.send(packet, fd).unwrap()
    }

    fn say(&self, message: &Message) -> Sent {
        let mut packet = Vec::new();
        message.encode(&mut packet);
        self.say_bytes(&packet, None)
    }

    /// `None`: closed.
    fn hear(&mut self) -> Option<Message> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.socket.recv(&mut self.buf).unwrap() {
                Received::Packet(bytes, _) => {
                    return Some(Message::parse(&self.buf[..bytes]).unwrap());
                }
                Received::Closed => return None,
                Received::WouldBlock => {
                    assert!(Instant::now() < deadline, "nothing is heard");
                    let mut fds = [PollFd::new(&self.socket, PollFlags::IN)];
                    poll(&mut fds, Some(&until(deadline))).unwrap();
                }
            }
        }
    }

    fn hello(&mut self) {
        self.say(&Message::Hello(Hello::Reader {
            host: true,
            devices: Vec::new(),
        }));
        assert!(matches!(
            self.hear(),
            Some(Message::Hello(Hello::Producer { .. }))
        ));
    }

    /// The next frame's number, with what comes before it.
    fn frame(&mut self) -> u64 {
        loop {
            match self.hear() {
                Some(Message::Frame(frame)) => return frame.head.seq,
                Some(Message::Caps(_)) => (),
                heard => panic!("{heard:?}"),
            }
        }
    }

    /// The first frames of all.
    fn frames(&mut self, frames: u64) {
        (0..frames).for_each(|seq| assert_eq!(self.frame(), seq));
    }

    /// Hears to the end. Gives the refusal, if there was one.
    fn end(&mut self) -> Option<wire::Refuse> {
        let mut refused = None;
        while let Some(message) = self.hear() {
            if let Message::Refuse(refuse) = message {
                refused = Some(refuse);
            }
        }
        refused
    }
}

fn path(dir: &tempfile::TempDir) -> PathBuf {
    dir.path().join("channel")
}
