// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Named channels: frames of one pipeline into others, in the process or across processes.
//!
//! The producer has a [`Writer`], each reader a [`Receive`]. Between them a [`Parcel`] is one frame,
//! an [`Outbox`] what one reader is to get, and the [`Hub`] all outboxes of a channel:
//! writer -> hub -> outbox -> reader. Outboxes are bounded, and counted under one lock, so that
//! `sent = received + dropped + in flight` holds for every reader at every moment.

pub mod address;
pub mod hub;
pub mod inproc;
pub mod outbox;
pub mod parcel;
pub mod unix;
pub mod wire;

use std::sync::Arc;
use std::time::Duration;

use gst_video::VideoInfo;

use crate::gate::Gate;

pub use address::Address;
pub use hub::{Full, Hub, NoRoom};
pub use outbox::{Last, Outbox, Popped, Wake};
pub use parcel::{Facts, Parcel, Receipt};

/// What became of the frames of a channel: `sent = received + dropped + in_flight`. At the
/// producer, summed over all readers that there were.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Counts {
    /// Frames that the reader was to get.
    pub sent: u64,
    pub received: u64,
    /// For want of room, or as the reader left without taking them.
    pub dropped: u64,
    pub in_flight: u64,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.sent += other.sent;
        self.received += other.received;
        self.dropped += other.dropped;
        self.in_flight += other.in_flight;
    }
}

/// Who may be at the other end of a channel across processes. A property of both elements: names
/// and numbers are API.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, glib::Enum)]
#[repr(u32)]
#[enum_type(name = "GstDsFrameChannelAccess")]
pub enum Access {
    #[default]
    #[enum_value(name = "Processes of the same user", nick = "user")]
    User = 0,
    #[enum_value(name = "And of the same group", nick = "group")]
    Group = 1,
    #[enum_value(name = "Any process that reaches the socket", nick = "all")]
    All = 2,
}

/// What happens to frames on their way, and may be worth saying once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// They are copied from their card to host memory for a reader.
    Detour(String),
    /// One is dropped, as it could not be sent.
    Failed(String),
}

/// Told of each [`Notice`], from any thread.
pub type Tell = Arc<dyn Fn(Notice) + Send + Sync>;

/// How a channel is opened for sending.
#[derive(Clone)]
pub struct Options {
    /// Frames per reader that it has not received yet, at most.
    pub size: usize,
    pub access: Access,
    pub tell: Tell,
}

/// How a channel is opened for reading.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReadOptions {
    pub access: Access,
    /// The GPU that frames of other processes are wanted on, if they are on it there.
    pub card: Option<u32>,
}

#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    #[error("it has a producer already, and only one can send into it")]
    Taken,
    #[error(transparent)]
    Socket(#[from] unix::SocketError),
}

/// What comes out of a channel.
#[derive(Debug)]
pub enum Item {
    Frame(Arc<Parcel>),
    /// The producer's stream is over.
    End,
    /// The producer stopped without an end, and may come back.
    Stopped,
    /// The producer is gone without a word, or says what makes no sense.
    Broken(String),
}

/// The reading end of a channel. Whoever has it waits on the gate that it was opened with.
pub trait Receive: Send {
    /// Whether there is a next item. Asked with the gate locked.
    fn has_next(&self) -> bool;

    /// The next item, if there is one. A frame that is handed out counts as received. Not called
    /// with the gate locked, as others get to know.
    fn poll(&mut self) -> Option<Item>;

    /// Whether there is a producer.
    fn has_producer(&self) -> bool;

    /// Asked from any thread.
    fn counter(&self) -> Arc<dyn Count>;
}

/// What [`Receive::counter`] gives.
pub trait Count: Send + Sync {
    fn counts(&self) -> Counts;
}

/// The only producer of a channel.
pub struct Writer {
    hub: Arc<Hub>,
    place: Place,
}

/// What frees the channel for the next producer when it is dropped.
enum Place {
    InProcess { _place: inproc::Place },
    Unix(unix::Server),
}

impl Writer {
    /// Opens a channel. `emptied` is told, without any lock, when there may be room, a reader, or
    /// nothing on its way any more.
    pub fn open(address: &Address, options: Options, emptied: Wake) -> Result<Self, ChannelError> {
        let hub = Arc::new(Hub::new(options.size, emptied));
        hub.set_tell(options.tell);
        let place = match address {
            Address::InProcess(name) => Place::InProcess {
                _place: inproc::Place::take(name, hub.clone())?,
            },
            Address::Unix(path) => {
                Place::Unix(unix::Server::open(path, options.access, hub.clone())?)
            }
        };
        Ok(Self { hub, place })
    }

    /// Nothing is sent any more: no reader is let in, and those that are there get to know after
    /// their last frame. Returns at once.
    pub fn stop(&self) {
        match &self.place {
            Place::InProcess { .. } => self.hub.stop(),
            Place::Unix(server) => server.stop(),
        }
    }

    /// Stops, and waits for readers of other processes to take what was sent, until `limit` is over.
    /// Gives the number of frames that were dropped as they did not. Without it a drop waits a
    /// moment.
    pub fn finish(&self, limit: Duration) -> u64 {
        match &self.place {
            // They get it in any case.
            Place::InProcess { .. } => {
                self.hub.stop();
                0
            }
            Place::Unix(server) => server.finish(limit),
        }
    }

    pub fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }
}

/// Whether pictures like these can be sent to other processes, and why not.
pub fn can_share(info: &VideoInfo) -> Result<(), String> {
    let caps = wire::Caps::new(0, info).and_then(|caps| caps.info());
    caps.map(|_| ()).map_err(|error| error.to_string())
}

/// Opens a channel for reading, whether there is a producer or not. `gate` is woken when there is
/// something to poll.
pub fn read(
    address: &Address,
    options: ReadOptions,
    gate: Arc<Gate>,
) -> Result<Box<dyn Receive>, ChannelError> {
    match address {
        Address::InProcess(name) => Ok(Box::new(inproc::Reader::open(name, gate))),
        Address::Unix(path) => Ok(Box::new(unix::Client::open(path, options, gate)?)),
    }
}
