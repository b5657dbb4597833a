// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The reader's side: a thread that connects, hears what the producer sends, and tells it what is
//! not needed any more.

use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use gst_video::prelude::*;
use gst_video::{VideoInfo, VideoMeta};
use rustix::event::{PollFd, PollFlags, poll};

use super::socket::{Received, Sent, Socket, SocketError};
use super::{BUSY, Bell, CAT, until};
use crate::channel::wire::{
    self, Caps, FrameHead, HELLO_LIMIT, Hello, MAX_PACKET, MAX_UNRELEASED, MAX_UNTAKEN, Memory,
    Message, PlaneAt, Reason, Refuse, Slots, WireError, encode_release, encode_taken,
};
use crate::channel::{Count, Counts, Facts, Item, Parcel, ReadOptions, Receive};
use crate::frame::{CardFrame, Frame, Snapshot, plane_sizes};
use crate::gate::Gate;
use crate::mem::cuda::{self, CudaError, Gpu};
use crate::mem::shm::{Mapping, ShmError, map};

/// How often to look for a producer.
const RETRY: Duration = Duration::from_millis(100);

/// Bytes of host memory that a connection may have mapped.
const MAX_MAPPED: u64 = 4 << 30;

/// Why nothing more can be understood of a producer.
#[derive(Debug, thiserror::Error)]
enum ClientError {
    #[error(transparent)]
    Socket(#[from] SocketError),
    #[error("the producer sends what makes no sense: {0}")]
    Wire(#[from] WireError),
    #[error("the producer sends what makes no sense: {0}")]
    Nonsense(&'static str),
    #[error("the producer's memory cannot be read: {0}")]
    Shm(#[from] ShmError),
    #[error("a frame on the GPU cannot be read: {0}")]
    Cuda(#[from] CudaError),
    #[error("the producer refuses this reader ({reason}): {text}")]
    Refused { reason: u32, text: String },
    #[error("the producer does not answer")]
    Silent,
    #[error("the producer is gone without an end of its stream")]
    Gone,
    #[error("no buffer for a frame")]
    Buffer,
    #[error("cannot wait for the producer: {0}")]
    Poll(rustix::io::Errno),
}

/// How a connection ended, if not by an error.
enum Over {
    /// We do not want it any more.
    Dropped,
    /// The producer closed before it said anything: it was about to stop.
    Unheard,
    End,
    Stopped,
}

/// What came, until it is polled.
#[derive(Debug, Default)]
struct Inbox {
    items: VecDeque<(Item, Option<Arc<Line>>)>,
    counts: Counts,
    has_producer: bool,
    /// Nothing is connected to before all was polled.
    awaited: bool,
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    options: ReadOptions,
    gate: Arc<Gate>,
    bell: Arc<Bell>,
    stopping: AtomicBool,
    inbox: Mutex<Inbox>,
}

/// Reads a channel of another process. Frames that are still in use when it is dropped stay what
/// they are.
#[derive(Debug)]
pub struct Client {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Client {
    /// Connects when there is a producer. `gate` is woken when there is something to poll.
    pub fn open(path: &Path, options: ReadOptions, gate: Arc<Gate>) -> Result<Self, SocketError> {
        let shared = Arc::new(Shared {
            path: path.into(),
            options,
            gate,
            bell: Arc::new(Bell::new()?),
            stopping: AtomicBool::new(false),
            inbox: Mutex::default(),
        });
        let own = shared.clone();
        let thread = thread::Builder::new()
            .name("dsframechan".into())
            .spawn(move || {
                let run = catch_unwind(AssertUnwindSafe(|| own.run()));
                let broken = match run {
                    Ok(Ok(())) => None,
                    Ok(Err(error)) => Some(error.to_string()),
                    Err(_) => Some("the thread of the channel failed".into()),
                };
                own.inbox().has_producer = false;
                if let Some(text) = broken {
                    own.push(Item::Broken(text), None);
                }
            })?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }
}

#[cfg(test)]
impl Client {
    pub(super) fn ring(&self) {
        self.shared.bell.ring();
    }
}

impl Receive for Client {
    fn has_next(&self) -> bool {
        !self.shared.inbox().items.is_empty()
    }

    fn poll(&mut self) -> Option<Item> {
        let (item, line) = {
            let mut inbox = self.shared.inbox();
            let (item, line) = inbox.items.pop_front()?;
            if let Item::Frame(_) = item {
                inbox.counts.in_flight -= 1;
                inbox.counts.received += 1;
            }
            if inbox.items.is_empty() && std::mem::take(&mut inbox.awaited) {
                self.shared.bell.ring();
            }
            (item, line)
        };
        if let Some(line) = line {
            line.took();
        }
        Some(item)
    }

    fn has_producer(&self) -> bool {
        self.shared.inbox().has_producer
    }

    fn counter(&self) -> Arc<dyn Count> {
        self.shared.clone()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Release);
        self.shared.bell.ring();
        if let Some(thread) = self.thread.take() {
            // Its panics are caught.
            let _ = thread.join();
        }
        let left = {
            let mut inbox = self.shared.inbox();
            let lost = std::mem::take(&mut inbox.counts.in_flight);
            inbox.counts.dropped += lost;
            std::mem::take(&mut inbox.items)
        };
        drop(left);
    }
}

impl Count for Shared {
    fn counts(&self) -> Counts {
        self.inbox().counts
    }
}

impl Shared {
    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        // Changed in single steps that cannot panic.
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, item: Item, line: Option<Arc<Line>>) {
        self.inbox().items.push_back((item, line));
        self.gate.wake();
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    fn run(&self) -> Result<(), ClientError> {
        // Before a producer waits for our HELLO: it may take a while.
        let card = self.options.card.and_then(card);
        while let Some(socket) = self.connect()? {
            let line = Arc::new(Line::new(socket, self.bell.clone()));
            let over = Connection::new(self, line.clone(), card).run();
            self.inbox().has_producer = false;
            // Frames that are in use are kept for us until the last is let go; nothing new comes.
            if !matches!(over, Ok(Over::End | Over::Stopped)) {
                line.finish();
            }
            match over? {
                Over::Dropped => return Ok(()),
                Over::Unheard => self.pause()?,
                Over::Stopped => self.push(Item::Stopped, None),
                Over::End => {
                    self.push(Item::End, None);
                    return self.linger(&line);
                }
            }
        }
        Ok(())
    }

    /// `None`: not wanted any more.
    fn connect(&self) -> Result<Option<Socket>, ClientError> {
        let mut said = false;
        loop {
            if self.is_stopping() {
                return Ok(None);
            }
            let is_read = {
                let mut inbox = self.inbox();
                inbox.awaited = !inbox.items.is_empty();
                !inbox.awaited
            };
            if !is_read {
                self.sleep(None)?;
                continue;
            }
            if let Some(socket) = Socket::connect(&self.path)? {
                socket.check(self.options.access)?;
                return Ok(Some(socket));
            }
            if !std::mem::replace(&mut said, true) {
                gst::info!(CAT, "no producer at {} yet: waiting", self.path.display());
            }
            self.pause()?;
        }
    }

    /// Until it may be tried again, or not at all. The bell also rings for frames that are let go.
    fn pause(&self) -> Result<(), ClientError> {
        let until = Instant::now() + RETRY;
        while !self.is_stopping() && Instant::now() < until {
            self.sleep(Some(until))?;
        }
        Ok(())
    }

    fn sleep(&self, limit: Option<Instant>) -> Result<(), ClientError> {
        let mut fds = [PollFd::new(&*self.bell, PollFlags::IN)];
        wait(&mut fds, limit)?;
        self.bell.hush();
        Ok(())
    }

    /// After the end: tells the producer which frames are not in use any more.
    fn linger(&self, line: &Line) -> Result<(), ClientError> {
        line.words().is_last = true;
        while !self.is_stopping() && !line.is_idle() {
            let mut fds = [
                PollFd::new(&*self.bell, PollFlags::IN),
                PollFd::new(&line.socket, line.interest() & PollFlags::OUT),
            ];
            wait(&mut fds, line.busy_until())?;
            let is_over = fds[1].revents().intersects(PollFlags::HUP | PollFlags::ERR);
            self.bell.hush();
            line.flush();
            if is_over {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// The card with this number, by its UUID, if it reads memory of other processes.
fn card(ordinal: u32) -> Option<(Gpu, [u8; 16])> {
    let card = Gpu::get(ordinal).and_then(|gpu| {
        gpu.check_import()?;
        Ok((gpu, gpu.uuid()?))
    });
    let failed = |error: CudaError| {
        gst::warning!(CAT, "frames are wanted in system memory: {error}");
    };
    card.map_err(failed).ok()
}

fn wait(fds: &mut [PollFd<'_>], limit: Option<Instant>) -> Result<(), ClientError> {
    match poll(fds, limit.map(until).as_ref()) {
        Ok(_) => Ok(()),
        Err(rustix::io::Errno::INTR) => {
            fds.iter_mut().for_each(PollFd::clear_revents);
            Ok(())
        }
        Err(errno) => Err(ClientError::Poll(errno)),
    }
}

/// What is to be said to the producer.
#[derive(Debug, Default)]
struct Words {
    taken: u64,
    said_taken: u64,
    released: Vec<u64>,
    /// Frames that were received and not released.
    in_use: usize,
    /// When to try again, if not when the socket has room.
    busy_until: Option<Instant>,
    /// Nothing can be said any more.
    is_mute: bool,
    /// The thread waits for the last frame to be released.
    is_last: bool,
    packet: Vec<u8>,
}

/// The reader's end of a connection, as frames in use need it.
#[derive(Debug)]
struct Line {
    socket: Socket,
    words: Mutex<Words>,
    bell: Arc<Bell>,
}

impl Line {
    fn new(socket: Socket, bell: Arc<Bell>) -> Self {
        Self {
            socket,
            words: Mutex::default(),
            bell,
        }
    }

    fn words(&self) -> MutexGuard<'_, Words> {
        self.words.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn took(&self) {
        let mut words = self.words();
        words.taken += 1;
        self.say(words);
    }

    fn release(&self, seq: u64) {
        let mut words = self.words();
        words.in_use -= 1;
        words.released.push(seq);
        self.say(words);
    }

    /// Sends what there is to say, without waiting; the rest is up to the thread.
    fn say(&self, mut words: MutexGuard<'_, Words>) {
        words.send(&self.socket);
        let needs_thread = words.has_more() || (words.is_last && words.in_use == 0);
        drop(words);
        if needs_thread {
            self.bell.ring();
        }
    }

    fn flush(&self) {
        self.words().send(&self.socket);
    }

    fn busy_until(&self) -> Option<Instant> {
        let words = self.words();
        words.busy_until.filter(|_| words.has_more())
    }

    fn interest(&self) -> PollFlags {
        let words = self.words();
        match words.has_more() && words.busy_until.is_none() {
            true => PollFlags::IN | PollFlags::OUT,
            false => PollFlags::IN,
        }
    }

    fn is_idle(&self) -> bool {
        let words = self.words();
        words.in_use == 0 && !words.has_more()
    }

    fn untaken(&self, received: u64) -> u64 {
        received - self.words().taken
    }

    /// Says that no more frames are wanted.
    fn finish(&self) {
        self.words().is_mute = true;
        self.socket.finish();
    }

    fn refuse(&self, reason: Reason, text: String) {
        let mut words = self.words();
        Message::Refuse(Refuse { reason, text }).encode(&mut words.packet);
        let Words { packet, .. } = &*words;
        let _ = self.socket.send(packet, None);
    }
}

impl Words {
    fn has_more(&self) -> bool {
        !self.is_mute && (self.taken != self.said_taken || !self.released.is_empty())
    }

    fn send(&mut self, socket: &Socket) {
        if self.busy_until.is_some_and(|until| until > Instant::now()) {
            return;
        }
        self.busy_until = None;
        while self.has_more() {
            let before = self.released.len();
            // What is released was taken before.
            let left = match self.taken == self.said_taken {
                false => {
                    encode_taken(self.taken, &mut self.packet);
                    before
                }
                true => encode_release(&self.released, &mut self.packet).len(),
            };
            match socket.send(&self.packet, None) {
                Ok(Sent::Sent) => {
                    self.said_taken = self.taken;
                    self.released.drain(..before - left);
                }
                Ok(Sent::WouldBlock) => return,
                Ok(Sent::Busy) => {
                    self.busy_until = Some(Instant::now() + BUSY);
                    return;
                }
                // The thread will see.
                Ok(Sent::Closed) | Err(_) => self.is_mute = true,
            }
        }
    }
}

/// Tells the producer when nobody uses a frame any more.
#[derive(Debug)]
struct Release {
    line: Arc<Line>,
    seq: u64,
}

impl Drop for Release {
    fn drop(&mut self) {
        self.line.release(self.seq);
    }
}

/// Memory of the producer.
#[derive(Debug, Clone)]
enum Slot {
    Host(Arc<Mapping>),
    Card(Arc<cuda::Memory>),
}

/// What is known of the producer, as long as it sends.
struct Connection<'a> {
    shared: &'a Shared,
    line: Arc<Line>,
    /// Frames can be on it.
    card: Option<(Gpu, [u8; 16])>,
    session: Option<u64>,
    caps: Option<(Caps, VideoInfo)>,
    slots: Slots<Slot>,
    /// Of slots that are remembered, and of frames that are in use.
    mapped: Vec<Weak<Mapping>>,
    /// Frames.
    received: u64,
    next_seq: u64,
}

impl<'a> Connection<'a> {
    fn new(shared: &'a Shared, line: Arc<Line>, card: Option<(Gpu, [u8; 16])>) -> Self {
        Self {
            shared,
            line,
            card,
            session: None,
            caps: None,
            slots: Slots::default(),
            mapped: Vec::new(),
            received: 0,
            next_seq: 0,
        }
    }

    fn run(&mut self) -> Result<Over, ClientError> {
        let result = self.serve();
        if let Err(error) = &result {
            let reason = match error {
                ClientError::Wire(error) => Some(Reason::from(error)),
                ClientError::Nonsense(_) | ClientError::Shm(_) => Some(Reason::MESSAGE),
                ClientError::Socket(SocketError::Truncated | SocketError::Descriptors) => {
                    Some(Reason::MESSAGE)
                }
                ClientError::Cuda(_) => Some(Reason::MEMORY),
                ClientError::Socket(SocketError::NoDescriptors) => Some(Reason::MEMORY),
                ClientError::Buffer => Some(Reason::PICTURES),
                _ => None,
            };
            if let Some(reason) = reason {
                self.line.refuse(reason, error.to_string());
            }
        }
        result
    }

    fn serve(&mut self) -> Result<Over, ClientError> {
        let hello = Hello::Reader {
            host: true,
            devices: self.card.iter().map(|(_, uuid)| *uuid).collect(),
        };
        let mut packet = Vec::new();
        Message::Hello(hello).encode(&mut packet);
        let mut is_said = false;
        let limit = Instant::now() + HELLO_LIMIT;
        let mut buf = vec![0; MAX_PACKET];
        loop {
            if self.shared.is_stopping() {
                return Ok(Over::Dropped);
            }
            if !is_said {
                // It is the first: there is room for it.
                is_said = self.line.socket.send(&packet, None)? != Sent::Busy;
            }
            self.line.flush();
            let busy = match is_said {
                true => self.line.busy_until(),
                false => Some(Instant::now() + BUSY),
            };
            let limit = self.session.is_none().then_some(limit);
            let mut fds = [
                PollFd::new(&*self.shared.bell, PollFlags::IN),
                PollFd::new(&self.line.socket, self.line.interest()),
            ];
            wait(&mut fds, limit.into_iter().chain(busy).min())?;
            self.shared.bell.hush();
            if limit.is_some_and(|limit| limit <= Instant::now()) {
                return Err(ClientError::Silent);
            }
            loop {
                let (bytes, fd) = match self.line.socket.recv(&mut buf)? {
                    Received::WouldBlock => break,
                    Received::Closed if self.session.is_none() => return Ok(Over::Unheard),
                    Received::Closed => return Err(ClientError::Gone),
                    Received::Packet(bytes, fd) => (bytes, fd),
                };
                if let Some(over) = self.handle(Message::parse(&buf[..bytes])?, fd)? {
                    return Ok(over);
                }
                if self.shared.is_stopping() {
                    return Ok(Over::Dropped);
                }
            }
        }
    }

    fn handle(
        &mut self,
        message: Message,
        fd: Option<OwnedFd>,
    ) -> Result<Option<Over>, ClientError> {
        let is_known = self.session.is_some();
        match (message, fd) {
            (Message::Refuse(Refuse { reason, text }), None) => {
                let Reason(reason) = reason;
                return Err(ClientError::Refused { reason, text });
            }
            (Message::Hello(Hello::Producer { session }), None) if !is_known => {
                self.session = Some(session);
                self.shared.inbox().has_producer = true;
                let path = self.shared.path.display();
                gst::info!(CAT, "connected to the producer at {path}");
                self.shared.gate.wake();
            }
            (Message::Caps(caps), None) if is_known => self.caps(caps)?,
            (Message::Frame(frame), fd) if is_known => self.frame(*frame, fd)?,
            (Message::End(frames), None) if is_known => {
                self.lost(frames)?;
                return Ok(Some(Over::End));
            }
            (Message::Stop(frames), None) if is_known => {
                self.lost(frames)?;
                return Ok(Some(Over::Stopped));
            }
            (_, Some(_)) => return Err(SocketError::Descriptors.into()),
            (message, None) => return Err(message.unexpected().into()),
        }
        Ok(None)
    }

    /// The next frame would have this number: those before it that did not come were dropped.
    fn lost(&self, next: u64) -> Result<(), ClientError> {
        let Some(dropped) = next.checked_sub(self.next_seq) else {
            return Err(ClientError::Nonsense("the numbers of frames do not rise"));
        };
        let mut inbox = self.shared.inbox();
        let counts = &mut inbox.counts;
        counts.dropped = counts.dropped.saturating_add(dropped);
        counts.sent = counts.sent.saturating_add(dropped);
        Ok(())
    }

    fn caps(&mut self, caps: Caps) -> Result<(), ClientError> {
        if self.caps.as_ref().is_some_and(|(old, _)| old.id == caps.id) {
            return Err(ClientError::Nonsense(
                "new caps have the id of the old ones",
            ));
        }
        let info = caps.info()?;
        self.caps = Some((caps, info));
        Ok(())
    }

    fn map(&self, memory: Memory, fd: OwnedFd, size: u64) -> Result<Slot, ClientError> {
        match (memory, self.card) {
            (Memory::Host, _) => Ok(Slot::Host(Arc::new(map(fd, size)?))),
            (Memory::Cuda { device: 0 }, Some((gpu, _))) => {
                let bytes = usize::try_from(size).map_err(|_| ShmError::Size(size))?;
                let memory = cuda::Memory::import(gpu, fd.as_fd(), bytes)?;
                Ok(Slot::Card(Arc::new(memory)))
            }
            _ => Err(ClientError::Nonsense(
                "a frame is on a card that was not offered",
            )),
        }
    }

    fn frame(&mut self, frame: wire::Frame, fd: Option<OwnedFd>) -> Result<(), ClientError> {
        let wire::Frame { head, meta } = frame;
        let Some((caps, info)) = &self.caps else {
            return Err(ClientError::Nonsense("a frame comes before its caps"));
        };
        head.check(caps)?;
        self.lost(head.seq)?;
        if self.line.untaken(self.received) >= MAX_UNTAKEN {
            return Err(ClientError::Nonsense("more frames come than were taken"));
        }
        let slot = match (head.new_slot, fd) {
            (true, Some(fd)) => {
                if self.slots.knows(head.slot) {
                    return Err(WireError::SlotKnown(head.slot).into());
                }
                let is_host = head.memory == Memory::Host;
                if is_host && !has_room(&mut self.mapped, head.slot_size, MAX_MAPPED) {
                    return Err(ClientError::Nonsense(
                        "more memory is to be mapped than the 4 GiB that a connection may",
                    ));
                }
                let slot = self.map(head.memory, fd, head.slot_size)?;
                if let Slot::Host(mapping) = &slot {
                    self.mapped.push(Arc::downgrade(mapping));
                }
                self.slots.add(&head, slot.clone())?;
                slot
            }
            (false, None) => self.slots.find(&head)?.clone(),
            (true, None) => return Err(ClientError::Nonsense("a new slot has no descriptor")),
            (false, Some(_)) => return Err(SocketError::Descriptors.into()),
        };
        {
            let mut words = self.line.words();
            if words.in_use >= MAX_UNRELEASED {
                return Err(ClientError::Nonsense("more frames come than were released"));
            }
            words.in_use += 1;
        }
        let release = Release {
            line: self.line.clone(),
            seq: head.seq,
        };
        let picture = picture(&head, info, slot, release)?;
        let facts = Facts {
            pts: head.pts,
            duration: head.duration,
            discont: head.discont,
            meta,
        };
        let session = self.session.unwrap_or_default();
        let parcel = Arc::new(Parcel::new(picture, facts, session, None));
        {
            let mut inbox = self.shared.inbox();
            let counts = &mut inbox.counts;
            counts.sent = counts.sent.saturating_add(1);
            counts.in_flight += 1;
        }
        self.received += 1;
        // A frame of the last number of all would be the last.
        self.next_seq = head.seq.saturating_add(1);
        self.shared
            .push(Item::Frame(parcel), Some(self.line.clone()));
        Ok(())
    }
}

/// The picture where it is.
fn picture(
    head: &FrameHead,
    info: &VideoInfo,
    slot: Slot,
    release: Release,
) -> Result<Snapshot, ClientError> {
    let info = info.clone();
    match slot {
        Slot::Host(mapping) => {
            let buffer = buffer(head, &info, &mapping, release).ok_or(ClientError::Buffer)?;
            Ok(Snapshot::Host(Frame { info, buffer }))
        }
        Slot::Card(memory) => {
            let place = |plane: &PlaneAt| {
                let offset = head.offset.checked_add(plane.offset)?;
                Some((usize::try_from(offset).ok()?, plane.pitch as usize))
            };
            let planes: Option<Vec<_>> = head.planes.as_slice().iter().map(place).collect();
            let planes = planes.ok_or(ClientError::Buffer)?;
            let frame = CardFrame::of_shared(info, memory, planes, Box::new(release))?;
            Ok(Snapshot::Card(Arc::new(frame)))
        }
    }
}

/// Whether so many bytes more are within `most`. Forgets what is not mapped any more.
pub(super) fn has_room(mapped: &mut Vec<Weak<Mapping>>, more: u64, most: u64) -> bool {
    mapped.retain(|mapping| mapping.strong_count() > 0);
    let sizes = mapped.iter().filter_map(Weak::upgrade);
    let bytes: u64 = sizes.map(|mapping| mapping.size() as u64).sum();
    bytes.saturating_add(more) <= most
}

/// The picture where it is. `None` if it is not within the mapping.
fn buffer(
    head: &FrameHead,
    info: &VideoInfo,
    mapping: &Arc<Mapping>,
    release: Release,
) -> Option<gst::Buffer> {
    let (width, height) = (info.width() as usize, info.height() as usize);
    let sizes = plane_sizes(info.format(), width, height);
    let mut offsets = Vec::with_capacity(sizes.len());
    let mut strides = Vec::with_capacity(sizes.len());
    // With the padding of the last row if there is one: the picture can be mapped as it is then.
    let mut size = info.size();
    for (plane, want) in head.planes.as_slice().iter().zip(&sizes) {
        let offset = usize::try_from(plane.offset).ok()?;
        let pitch = plane.pitch as usize;
        offsets.push(offset);
        strides.push(i32::try_from(plane.pitch).ok()?);
        size = size.max(pitch.checked_mul(want.rows)?.checked_add(offset)?);
    }
    let start = usize::try_from(head.offset).ok()?;
    let end = start.saturating_add(size).min(mapping.size());
    let mut buffer = gst::Buffer::new();
    let writable = buffer.get_mut()?;
    writable.append_memory(mapping.memory(start..end, release)?);
    writable.set_pts(head.pts.map(gst::ClockTime::from_nseconds));
    writable.set_duration(head.duration.map(gst::ClockTime::from_nseconds));
    writable.set_video_flags(head.fields.of_buffer());
    let flags = head.fields.of_frame();
    let (format, width, height) = (info.format(), info.width(), info.height());
    VideoMeta::add_full(writable, flags, format, width, height, &offsets, &strides).ok()?;
    Some(buffer)
}
