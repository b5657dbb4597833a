// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The producer's end of one connection.

use std::collections::{BTreeMap, VecDeque};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use gst_video::VideoInfo;
use gst_video::prelude::*;
use rustix::event::PollFlags;

pub use super::common::{Common, Trouble};
use super::export::{Copies, Descriptor, Exported, Lent};
use super::socket::{Received, Sent, Socket};
use super::way::{Detour, Takes};
use super::{BUSY, CAT, SocketError};
use crate::channel::wire::{
    Caps, Fields, FrameHead, HELLO_LIMIT, Hello, MAX_UNRELEASED, MAX_UNTAKEN, Message, Reason,
    Refuse, Slots,
};
use crate::channel::{Hub, Last, Notice, Outbox, Parcel, Popped};
use crate::frame::Snapshot;

/// How long a reader may take to see why it was refused.
const LEAVE_LIMIT: Duration = Duration::from_secs(1);

/// Packets of one reader that are looked at before it is the turn of the next.
const TURN: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing was heard of it yet.
    Hello {
        until: Instant,
    },
    Open,
    /// It says nothing any more, and perhaps still reads the pictures that it has.
    Quiet,
    /// It was told why it is not wanted, or that all is over.
    Leaving {
        until: Instant,
    },
    Gone,
}

/// A frame that was sent and not released.
#[derive(Debug)]
struct Held {
    /// How many frames were sent before it.
    nth: u64,
    lent: Lent,
}

/// A message that the socket had no room for.
#[derive(Debug)]
struct Queued {
    packet: Vec<u8>,
    descriptor: Option<Descriptor>,
    is_frame: bool,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    takes: Takes,
    hub: Arc<Hub>,
    outbox: Option<Arc<Outbox>>,
    /// Popped, and to be brought from its card first, which is up to the server.
    pending: Option<(u64, Arc<Parcel>)>,
    /// To be told without the lock.
    notices: Vec<Notice>,
    said_detour: bool,
    /// As they were sent last, and by which number.
    caps: Option<VideoInfo>,
    caps_id: u32,
    slots: Slots<()>,
    /// Frames.
    sent: u64,
    taken: u64,
    held: BTreeMap<u64, Held>,
    /// The frame that was to say so was lost.
    discont: bool,
    /// END, STOP or REFUSE is sent or queued.
    ended: bool,
    /// Frames were, and the writer does not know of it.
    has_lost: bool,
    /// It receives nothing any more.
    deaf: bool,
    /// Detections did not fit into a message.
    said_left_out: bool,
    /// What the socket had no room for.
    queue: VecDeque<Queued>,
    /// When to try again, if not when the socket has room.
    busy_until: Option<Instant>,
    packet: Vec<u8>,
    trouble: Option<Trouble>,
}

/// One reader. Frames are sent by whoever sends into the channel, if there is room; the rest is up
/// to the thread of the server.
#[derive(Debug)]
pub struct Link {
    number: u64,
    socket: Socket,
    common: Arc<Common>,
    state: Mutex<State>,
}

impl Link {
    pub fn new(number: u64, socket: Socket, common: Arc<Common>) -> Self {
        let until = Instant::now() + HELLO_LIMIT;
        let hub = common.hub.clone();
        Self {
            number,
            socket,
            common,
            state: Mutex::new(State {
                phase: Phase::Hello { until },
                takes: Takes::default(),
                hub,
                outbox: None,
                pending: None,
                notices: Vec::new(),
                said_detour: false,
                caps: None,
                caps_id: 0,
                slots: Slots::default(),
                sent: 0,
                taken: 0,
                held: BTreeMap::new(),
                discont: false,
                ended: false,
                has_lost: false,
                deaf: false,
                said_left_out: false,
                queue: VecDeque::new(),
                busy_until: None,
                packet: Vec::new(),
                trouble: None,
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something may have come into the outbox. Called by whoever sends.
    fn filled(&self) {
        let (needs_server, notices) = {
            let mut state = self.state();
            state.fill(&self.socket, &self.common.copies);
            (state.needs_server(), std::mem::take(&mut state.notices))
        };
        if needs_server {
            self.common.bell.ring();
        }
        self.tell(notices);
    }

    fn tell(&self, notices: Vec<Notice>) {
        for notice in notices {
            self.common.hub.tell(notice);
        }
    }

    /// Sends what there is room for; what has to leave its card first, is brought meanwhile. Not
    /// called by whoever sends.
    fn fill(&self) {
        loop {
            let (parcel, notices) = {
                let mut state = self.state();
                state.fill(&self.socket, &self.common.copies);
                let pending = state.pending.as_ref();
                let parcel = pending.map(|(_, parcel)| parcel.clone());
                let is_wanted = state.phase == Phase::Open && !state.deaf;
                let notices = std::mem::take(&mut state.notices);
                (parcel.filter(|_| is_wanted), notices)
            };
            self.tell(notices);
            match parcel.filter(|parcel| !parcel.was_in_host()) {
                // The lock is free: frames for other readers are sent meanwhile.
                Some(parcel) => {
                    // What fails, is said by whoever asks again.
                    let _ = parcel.in_host(&self.common.copies);
                }
                None => return,
            }
        }
    }

    /// What to poll for.
    pub fn interest(&self) -> PollFlags {
        let state = self.state();
        match state.phase {
            Phase::Quiet | Phase::Gone => PollFlags::empty(),
            _ if state.queue.is_empty() || state.deaf || state.busy_until.is_some() => {
                PollFlags::IN
            }
            _ => PollFlags::IN | PollFlags::OUT,
        }
    }

    /// When to look after it in any case.
    pub fn deadline(&self) -> Option<Instant> {
        let state = self.state();
        match state.phase {
            Phase::Hello { until } | Phase::Leaving { until } => Some(until),
            Phase::Open if !state.deaf && !state.queue.is_empty() => state.busy_until,
            _ => None,
        }
    }

    pub fn is_gone(&self) -> bool {
        self.state().phase == Phase::Gone
    }

    pub fn is_silent(&self) -> bool {
        matches!(self.state().phase, Phase::Hello { .. })
    }

    /// Whether the reader has all that it is to get.
    pub fn is_done(&self) -> bool {
        let state = self.state();
        let has_all = state.ended && state.queue.is_empty();
        state.phase != Phase::Open || state.deaf || has_all
    }

    /// After a poll: receives and sends what there is.
    pub fn serve(self: &Arc<Self>, events: PollFlags, buf: &mut [u8]) {
        if events.intersects(PollFlags::IN | PollFlags::RDHUP) {
            self.receive(buf);
        }
        if events.intersects(PollFlags::HUP | PollFlags::ERR) {
            let state = self.state();
            let is_over = !events.contains(PollFlags::IN) || state.phase == Phase::Quiet;
            drop(state);
            if is_over {
                self.part(Phase::Gone);
            }
        }
        self.attend();
    }

    /// Looks after what the streaming thread left to the server, and after the time.
    pub fn attend(&self) {
        self.fill();
        let (trouble, leaves, outbox) = {
            let mut state = self.state();
            let lossy = state.outbox.clone().filter(|_| state.has_lost);
            if let Some(outbox) = lossy {
                state.has_lost = false;
                drop(state);
                outbox.received(0);
                state = self.state();
            }
            let now = Instant::now();
            let mut leaves = false;
            match state.phase {
                Phase::Hello { until } if until <= now => {
                    state.trouble.get_or_insert_with(|| Trouble {
                        reason: Reason::HELLO,
                        text: "HELLO did not come in time".into(),
                    });
                }
                Phase::Leaving { until } => leaves = until <= now,
                _ => (),
            }
            let is_over = state.deaf || (state.ended && state.taken == state.sent);
            let outbox = state.outbox.take_if(|_| is_over);
            (state.trouble.take(), leaves, outbox)
        };
        if let Some(outbox) = outbox {
            self.common.hub.detach(&outbox);
        }
        if let Some(trouble) = trouble {
            self.fail(&trouble);
        }
        if leaves {
            self.part(Phase::Gone);
        }
    }

    fn receive(self: &Arc<Self>, buf: &mut [u8]) {
        for _ in 0..TURN {
            let received = match self.socket.recv(buf) {
                Ok(Received::WouldBlock) => return,
                Ok(Received::Closed) => {
                    let quiet = match self.state().phase {
                        Phase::Open => Phase::Quiet,
                        _ => Phase::Gone,
                    };
                    return self.part(quiet);
                }
                Ok(Received::Packet(bytes, fd)) => match self.state().phase {
                    // Nothing of it is wanted any more.
                    Phase::Leaving { .. } => continue,
                    _ => match fd {
                        None => Message::parse(&buf[..bytes]).map_err(Trouble::from),
                        Some(_) => Err(SocketError::Descriptors.into()),
                    },
                },
                Err(error) => match self.state().phase {
                    Phase::Leaving { .. } => continue,
                    _ => Err(error.into()),
                },
            };
            match received.and_then(|message| self.handle(message)) {
                Ok(true) => (),
                Ok(false) => return,
                Err(trouble) => return self.fail(&trouble),
            }
        }
    }

    /// Returns whether to go on.
    fn handle(self: &Arc<Self>, message: Message) -> Result<bool, Trouble> {
        let phase = self.state().phase;
        match (phase, message) {
            (Phase::Hello { .. }, Message::Hello(Hello::Reader { host, devices })) => {
                self.open(Takes { host, devices })?
            }
            (Phase::Open, Message::Taken(taken)) => self.taken(taken)?,
            (Phase::Open, Message::Release(seqs)) => self.release(&seqs)?,
            (_, Message::Refuse(Refuse { reason, text })) => {
                let Reason(reason) = reason;
                let number = self.number;
                self.common
                    .complain(&format!("reader {number} refuses ({reason}): {text}"));
                self.part(Phase::Quiet);
                return Ok(false);
            }
            (_, message) => return Err(message.unexpected().into()),
        }
        Ok(true)
    }

    fn open(self: &Arc<Self>, takes: Takes) -> Result<(), Trouble> {
        if self.common.stopping.load(Ordering::Acquire) {
            // It comes again, for the next producer.
            self.part(Phase::Gone);
            return Ok(());
        }
        let hub = &self.common.hub;
        let link: Weak<Self> = Arc::downgrade(self);
        let outbox = hub.outbox(Arc::new(move || {
            if let Some(link) = link.upgrade() {
                link.filled();
            }
        }));
        {
            let mut state = self.state();
            state.phase = Phase::Open;
            state.takes = takes;
            state.outbox = Some(outbox.clone());
            let session = hub.session();
            Message::Hello(Hello::Producer { session }).encode(&mut state.packet);
            state.send(&self.socket, None, false);
        }
        gst::info!(CAT, "reader {} is there", self.number);
        hub.add(&outbox);
        Ok(())
    }

    fn taken(&self, taken: u64) -> Result<(), Trouble> {
        let (outbox, frames) = {
            let mut state = self.state();
            let (before, sent) = (state.taken, state.sent);
            if taken <= before || taken > sent {
                return Err(Trouble {
                    reason: Reason::MESSAGE,
                    text: format!("{taken} frames are TAKEN, of {sent}, after {before} were"),
                });
            }
            state.taken = taken;
            (state.outbox.clone(), taken - before)
        };
        if let Some(outbox) = outbox {
            outbox.received(frames as usize);
        }
        Ok(())
    }

    fn release(&self, seqs: &[u64]) -> Result<(), Trouble> {
        let mut released = Vec::with_capacity(seqs.len());
        let (outbox, is_free) = {
            let mut state = self.state();
            let taken = state.taken;
            for seq in seqs {
                let held = match state.held.entry(*seq) {
                    std::collections::btree_map::Entry::Occupied(held)
                        if held.get().nth < taken =>
                    {
                        held.remove()
                    }
                    _ => {
                        return Err(Trouble {
                            reason: Reason::MESSAGE,
                            text: format!("frame {seq} is RELEASEd, and not TAKEN or not there"),
                        });
                    }
                };
                released.push(held);
            }
            state.finish(&self.socket);
            (state.outbox.clone(), state.held.len() < MAX_UNRELEASED)
        };
        // Back to its pool without the lock.
        drop(released);
        if let Some(outbox) = outbox.filter(|_| is_free) {
            outbox.set_choked(false);
            let state = self.state();
            if state.held.len() >= MAX_UNRELEASED {
                outbox.set_choked(true);
            }
        }
        Ok(())
    }

    fn fail(&self, trouble: &Trouble) {
        let Self { number, .. } = self;
        self.common
            .complain(&format!("reader {number}: {}", trouble.text));
        self.refuse(trouble);
    }

    /// Says why the connection is closed, and lets go of all.
    pub fn refuse(&self, trouble: &Trouble) {
        let Trouble { reason, text } = trouble;
        {
            let mut state = self.state();
            // After what waits it would be understood, but it cannot be sent without waiting then.
            if !state.ended && state.queue.is_empty() {
                let text = text.clone();
                let refuse = Refuse {
                    reason: *reason,
                    text,
                };
                Message::Refuse(refuse).encode(&mut state.packet);
                state.send(&self.socket, None, false);
            }
        }
        self.leave();
    }

    /// Stops by itself: the reader keeps what it has for as long as it likes. Gives the number of
    /// frames that it did not get.
    pub fn stop(&self) -> u64 {
        let mut dropped = 0;
        {
            let mut state = self.state();
            if state.phase == Phase::Open && !state.ended && state.queue.is_empty() {
                let outbox = state.outbox.as_ref();
                let frames = outbox.map_or(0, |it| it.counts().sent);
                // The end is the end, also for who does not get all that was before it.
                let message = match outbox.and_then(|it| it.last()) {
                    Some(Last::End) => Message::End(frames),
                    _ => Message::Stop(frames),
                };
                message.encode(&mut state.packet);
                state.send(&self.socket, None, false);
            }
            // Not detached: what the reader has still to take stays in flight.
            if let Some(outbox) = state.outbox.take() {
                let unsent = state.queue.iter().filter(|queued| queued.is_frame).count();
                let pending = state.pending.take();
                let lost = unsent + usize::from(pending.is_some());
                (0..lost).for_each(|_| outbox.lost());
                dropped = lost as u64;
                drop(state);
                drop(pending);
                dropped += outbox.leave();
            }
        }
        self.leave();
        dropped
    }

    fn leave(&self) {
        let until = Instant::now() + LEAVE_LIMIT;
        self.part(Phase::Leaving { until });
        self.socket.finish();
    }

    /// No more frames for it. What it did not take is dropped.
    fn part(&self, phase: Phase) {
        let (outbox, held, queue, pending) = {
            let mut state = self.state();
            if state.phase == Phase::Gone {
                return;
            }
            state.phase = phase;
            state.ended = true;
            let keeps = phase == Phase::Quiet;
            let held = match keeps {
                true => BTreeMap::new(),
                false => std::mem::take(&mut state.held),
            };
            let queue = std::mem::take(&mut state.queue);
            (state.outbox.take(), held, queue, state.pending.take())
        };
        if let Some(outbox) = outbox {
            self.common.hub.detach(&outbox);
        }
        if let Phase::Leaving { .. } = phase {
            // The reader may read on, and nobody says until when.
            held.values().for_each(|held| held.lent.retire());
        }
        drop((held, queue, pending));
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl State {
    fn needs_server(&self) -> bool {
        self.trouble.is_some()
            || self.deaf
            || self.has_lost
            || self.pending.is_some()
            || !self.queue.is_empty()
    }

    /// Sends `packet`, or queues it.
    fn send(&mut self, socket: &Socket, descriptor: Option<Descriptor>, is_frame: bool) {
        if !self.queue.is_empty() || !self.try_send(socket, &descriptor) {
            self.queue.push_back(Queued {
                packet: std::mem::take(&mut self.packet),
                descriptor,
                is_frame,
            });
        }
    }

    /// Returns false if the socket is full.
    fn try_send(&mut self, socket: &Socket, descriptor: &Option<Descriptor>) -> bool {
        let fd = descriptor.as_ref().and_then(Descriptor::fd);
        match socket.send(&self.packet, fd) {
            Ok(Sent::Sent) => (),
            Ok(Sent::WouldBlock) => return false,
            Ok(Sent::Busy) => {
                self.busy_until = Some(Instant::now() + BUSY);
                return false;
            }
            // What it still has to say is to be heard first.
            Ok(Sent::Closed) => self.deaf = true,
            Err(error) => {
                self.trouble.get_or_insert(error.into());
            }
        }
        true
    }

    fn flush(&mut self, socket: &Socket) {
        if self.busy_until.is_some_and(|until| until > Instant::now()) {
            return;
        }
        self.busy_until = None;
        while let Some(mut queued) = self.queue.pop_front() {
            std::mem::swap(&mut self.packet, &mut queued.packet);
            if !self.try_send(socket, &queued.descriptor) {
                std::mem::swap(&mut self.packet, &mut queued.packet);
                self.queue.push_front(queued);
                return;
            }
        }
    }

    /// After the last message. Not while the reader has frames: if it shut its half too, the kernel
    /// would say that it closed, and they would be written to while it reads them.
    fn finish(&self, socket: &Socket) {
        if self.ended && self.queue.is_empty() && self.held.is_empty() {
            socket.finish();
        }
    }

    /// Sends what the reader and its socket have room for, up to a frame that is to be brought from
    /// its card first.
    fn fill(&mut self, socket: &Socket, copies: &Copies) {
        if self.phase != Phase::Open || self.trouble.is_some() || self.deaf {
            return;
        }
        let had_queue = !self.queue.is_empty();
        self.flush(socket);
        if self.ended && had_queue {
            self.finish(socket);
        }
        while !self.ended && self.queue.is_empty() && self.trouble.is_none() && !self.deaf {
            let Some(outbox) = self.outbox.clone() else {
                return;
            };
            let window = MAX_UNTAKEN.min(outbox.bound() as u64);
            let is_full = self.sent - self.taken >= window || self.held.len() >= MAX_UNRELEASED;
            let popped = match self.pending.take() {
                Some((seq, parcel)) => Some(Popped::Frame(seq, parcel)),
                None if is_full => outbox.pop_last().map(Popped::Last),
                None => outbox.pop(),
            };
            match popped {
                None => return,
                Some(Popped::Last(last)) => {
                    let frames = outbox.counts().sent;
                    let message = match last {
                        Last::End => Message::End(frames),
                        Last::Stopped => Message::Stop(frames),
                    };
                    message.encode(&mut self.packet);
                    self.send(socket, None, false);
                    self.ended = true;
                    self.finish(socket);
                }
                Some(Popped::Frame(seq, parcel)) => {
                    let exported = match self.export(seq, &parcel, copies) {
                        Ok(Some(exported)) => exported,
                        // Tried again when it was brought.
                        Ok(None) => {
                            self.pending = Some((seq, parcel));
                            return;
                        }
                        Err(Failed::Frame) => {
                            self.discont |= parcel.facts.discont;
                            outbox.lost();
                            self.has_lost = true;
                            continue;
                        }
                        Err(Failed::Reader(trouble)) => {
                            self.trouble.get_or_insert(trouble);
                            return;
                        }
                    };
                    if let Err(trouble) = self.frame(socket, &outbox, seq, &parcel, exported) {
                        self.trouble.get_or_insert(trouble);
                    }
                }
            }
        }
    }

    /// Where this reader can read a frame. `None`: it is to be brought from its card.
    fn export(
        &mut self,
        seq: u64,
        parcel: &Parcel,
        copies: &Copies,
    ) -> Result<Option<Exported>, Failed> {
        if let Snapshot::Card(frame) = &parcel.picture() {
            match self.takes.device(frame) {
                Ok(device) => {
                    let exported = Exported::on_card(frame, device);
                    return exported.map(Some).map_err(|error| self.fail(seq, &error));
                }
                Err(detour) => self.note_detour(frame.gpu().ordinal(), &detour)?,
            }
            if !parcel.was_in_host() {
                return Ok(None);
            }
        } else if !self.takes.host {
            return Err(Failed::Reader(Trouble {
                reason: Reason::MEMORY,
                text: "frames are in host memory, which the reader does not take".into(),
            }));
        }
        match parcel.in_host(copies) {
            Ok(exported) => Ok(Some(exported.clone())),
            Err(error) => Err(self.fail(seq, error)),
        }
    }

    fn note_detour(&mut self, ordinal: u32, detour: &Detour) -> Result<(), Failed> {
        if !self.takes.host {
            return Err(Failed::Reader(Trouble {
                reason: Reason::MEMORY,
                text: format!(
                    "no frames of GPU {ordinal} for a reader without host memory: {detour}"
                ),
            }));
        }
        if !std::mem::replace(&mut self.said_detour, true) {
            self.notices.push(Notice::Detour(format!(
                "frames of GPU {ordinal} are copied to system memory for a reader: {detour}"
            )));
        }
        Ok(())
    }

    fn fail(&mut self, seq: u64, error: &dyn std::fmt::Display) -> Failed {
        gst::warning!(CAT, "frame {seq} cannot be sent: {error}");
        let text = format!("a frame cannot be sent, and is dropped: {error}");
        self.notices.push(Notice::Failed(text));
        Failed::Frame
    }

    fn frame(
        &mut self,
        socket: &Socket,
        outbox: &Outbox,
        seq: u64,
        parcel: &Parcel,
        exported: Exported,
    ) -> Result<(), Trouble> {
        let fields = match parcel.picture() {
            Snapshot::Host(frame) => Fields::of(frame.buffer.video_flags()),
            Snapshot::Card(_) => Fields::default(),
        };
        let new_slot = !self.slots.knows(exported.slot);
        let descriptor = match new_slot.then(|| exported.lent.descriptor()).transpose() {
            Ok(descriptor) => descriptor,
            Err(error) => {
                self.fail(seq, &error);
                self.discont |= parcel.facts.discont;
                outbox.lost();
                self.has_lost = true;
                return Ok(());
            }
        };
        let facts = &parcel.facts;
        let info = parcel.info();
        if self.caps.as_ref() != Some(info) {
            let caps = Caps::new(self.caps_id.wrapping_add(1), info);
            let caps = caps.map_err(|error| Trouble {
                reason: Reason::PICTURES,
                text: error.to_string(),
            })?;
            self.caps_id = caps.id;
            self.caps = Some(info.clone());
            Message::Caps(caps).encode(&mut self.packet);
            self.send(socket, None, false);
        }
        let head = FrameHead {
            seq,
            caps_id: self.caps_id,
            new_slot,
            discont: std::mem::take(&mut self.discont) || facts.discont,
            fields,
            memory: exported.memory,
            slot: exported.slot,
            slot_size: exported.size,
            offset: exported.offset,
            planes: exported.planes,
            pts: facts.pts,
            duration: facts.duration,
        };
        match head.new_slot {
            true => drop(self.slots.add(&head, ())?),
            false => *self.slots.find(&head)?,
        }
        let left_out = head.encode(&facts.meta, &mut self.packet);
        if left_out > 0 {
            self.hub.count_left_out(left_out);
            if !std::mem::replace(&mut self.said_left_out, true) {
                gst::warning!(
                    CAT,
                    "frame {seq}: {left_out} detections do not fit, said once"
                );
            }
        }
        self.send(socket, descriptor, true);
        let nth = self.sent;
        self.sent += 1;
        let lent = exported.lent;
        self.held.insert(seq, Held { nth, lent });
        if self.held.len() >= MAX_UNRELEASED {
            outbox.set_choked(true);
        }
        Ok(())
    }
}

/// Why a frame is not sent.
enum Failed {
    /// It is counted as dropped.
    Frame,
    /// And nothing else can be.
    Reader(Trouble),
}
