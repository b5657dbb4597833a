// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Frames into named channels: on the streaming thread and by reference, as a queue would.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::capture::job::Capture;
use crate::capture::name::Template;
use crate::capture::stats::{Fate, Stats, Ticket};
use crate::channel::{self, Access, Address, Hub, Notice, Parcel, Receipt, Tell, Wake, Writer};
use crate::fault::Fault;

use super::DeliverError;
use super::message::Outlet;

/// Names come from metadata; each channel costs memory, and a socket perhaps.
const MAX_CHANNELS: usize = 1024;
/// Source ids come from metadata too. Beyond so many, what is known of them is found out anew.
const MAX_STREAMS: usize = 4096;
/// How long a channel that could not be opened is not tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Where frames go.
#[derive(Debug, Clone)]
pub struct ChannelRules {
    /// As it was set.
    pub name: String,
    /// Of the channel's name; the same for all frames of a stream.
    pub template: Template,
    /// Frames per reader that it has not received yet, at most.
    pub size: usize,
    pub access: Access,
    /// The frames are for other processes.
    pub is_shared: bool,
}

/// A channel that is open.
pub struct Channel {
    name: String,
    writer: Writer,
    said_waiting: AtomicBool,
}

impl Channel {
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn hub(&self) -> &Hub {
        self.writer.hub()
    }

    /// True once, for the first who is to say that there is no reader.
    pub fn say_waiting(&self) -> bool {
        !self.said_waiting.swap(true, Ordering::AcqRel)
    }
}

/// Where the frames of a stream go.
struct Stream {
    channel: Arc<Channel>,
    pad_index: u32,
    ended: bool,
}

/// What becomes of a frame that is for channels only.
struct Slip {
    ticket: Arc<Ticket>,
    settled: AtomicBool,
}

impl Slip {
    fn settle(&self, fate: Fate) {
        if !self.settled.swap(true, Ordering::AcqRel) {
            self.ticket.settle_one(fate);
        }
    }
}

impl Receipt for Slip {
    fn taken(&self) {
        self.settle(Fate::Captured);
    }

    fn withdrawn(&self) {
        self.settle(Fate::DroppedFlush);
    }
}

impl Drop for Slip {
    fn drop(&mut self) {
        self.settle(Fate::DroppedOverflow);
    }
}

/// Says on the bus what happens to frames: each kind once in a run, whatever the channel.
struct Notices {
    outlet: Arc<Outlet>,
    said_detour: AtomicBool,
    said_failed: AtomicBool,
}

impl Notices {
    fn tell(&self, name: &str, notice: Notice) {
        let (said, text) = match notice {
            Notice::Detour(text) => (&self.said_detour, text),
            Notice::Failed(text) => (&self.said_failed, text),
        };
        if !said.swap(true, Ordering::AcqRel) {
            let text = format!("channel {name}: {text}");
            self.outlet
                .warn(&Fault::resource(gst::ResourceError::Failed, text));
        }
    }
}

/// The channels that an element sends into, for one run of it.
pub struct Channels {
    rules: ChannelRules,
    emptied: Wake,
    stats: Arc<Stats>,
    notices: Arc<Notices>,
    open: Mutex<BTreeMap<String, Arc<Channel>>>,
    streams: Mutex<BTreeMap<u32, Stream>>,
    /// Those that could not be opened: when, and why.
    refused: Mutex<BTreeMap<String, (Instant, String)>>,
}

impl Channels {
    /// `emptied` is told, without any lock, when a reader has room, comes or goes. A channel whose
    /// name is known already is opened here, the others with their first frame.
    pub fn open(
        rules: ChannelRules,
        emptied: Wake,
        stats: Arc<Stats>,
        outlet: Arc<Outlet>,
    ) -> Result<Self, DeliverError> {
        let channels = Self {
            rules,
            emptied,
            stats,
            notices: Arc::new(Notices {
                outlet,
                said_detour: AtomicBool::new(false),
                said_failed: AtomicBool::new(false),
            }),
            open: Mutex::default(),
            streams: Mutex::default(),
            refused: Mutex::default(),
        };
        if let Some(name) = channels.rules.template.literal() {
            channels.named(name)?;
        }
        Ok(channels)
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Channel>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn named(&self, name: &str) -> Result<Arc<Channel>, DeliverError> {
        let failed = |reason: String| DeliverError::Channel {
            name: name.to_owned(),
            reason,
        };
        let is_full = {
            let open = self.all();
            if let Some(channel) = open.get(name) {
                return Ok(channel.clone());
            }
            open.len() >= MAX_CHANNELS
        };
        if is_full && !self.close_one() {
            return Err(failed(format!(
                "{MAX_CHANNELS} are open already, and no more are opened"
            )));
        }
        let address = Address::parse(name).map_err(failed)?;
        let (notices, of) = (self.notices.clone(), name.to_owned());
        let tell: Tell = Arc::new(move |notice| notices.tell(&of, notice));
        let options = channel::Options {
            size: self.rules.size,
            access: self.rules.access,
            tell,
        };
        let writer = Writer::open(&address, options, self.emptied.clone())
            .map_err(|error| failed(error.to_string()))?;
        let channel = Arc::new(Channel {
            name: name.to_owned(),
            writer,
            said_waiting: AtomicBool::new(false),
        });
        self.stats.add_channel(name, channel.writer.hub().clone());
        // Nobody else opens channels.
        self.all().insert(name.to_owned(), channel.clone());
        Ok(channel)
    }

    /// Closes a channel that is over: all of its streams are, and its readers have received them.
    fn close_one(&self) -> bool {
        let all: Vec<_> = self.all().values().cloned().collect();
        let is_over =
            |channel: &&Arc<Channel>| self.has_ended(channel) && channel.hub().in_flight() == 0;
        let Some(over) = all.iter().find(is_over) else {
            return false;
        };
        self.streams()
            .retain(|_, stream| !Arc::ptr_eq(&stream.channel, over));
        self.all().remove(over.name());
        true
    }

    fn has_ended(&self, channel: &Arc<Channel>) -> bool {
        let streams = self.streams();
        let of_channel = streams
            .values()
            .filter(|stream| Arc::ptr_eq(&stream.channel, channel));
        let ended = of_channel.map(|stream| stream.ended);
        // What nothing is known of is not over.
        ended.reduce(|all, one| all && one).unwrap_or(false)
    }

    /// [`Self::named`], but one that could not be opened is not tried again at once.
    fn rendered(&self, name: &str) -> Result<Arc<Channel>, DeliverError> {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((since, reason)) = refused.get(name)
            && since.elapsed() < RETRY
        {
            let (name, reason) = (name.to_owned(), reason.clone());
            return Err(DeliverError::Channel { name, reason });
        }
        let opened = self.named(name);
        refused.remove(name);
        if let Err(DeliverError::Channel { reason, .. }) = &opened {
            if refused.len() >= MAX_CHANNELS {
                refused.clear();
            }
            refused.insert(name.to_owned(), (Instant::now(), reason.clone()));
        }
        opened
    }

    /// A frame as it is sent, and where. With a ticket, what becomes of the frame is up to its
    /// readers alone.
    pub fn parcel(
        &self,
        capture: &Capture,
        ticket: Option<&Arc<Ticket>>,
    ) -> Result<(Arc<Channel>, Arc<Parcel>), DeliverError> {
        let facts = &capture.facts;
        let channel = match self.rules.template.literal() {
            Some(name) => self.named(name)?,
            None => {
                let name = self.rules.template.render(&facts.frame_name());
                self.rendered(&name.to_string_lossy())?
            }
        };
        if let Some(reason) = channel.hub().failure() {
            let name = channel.name.clone();
            return Err(DeliverError::Channel { name, reason });
        }
        self.note(facts.stream, facts.meta.pad_index, &channel);
        let Some(picture) = capture.frame.clone() else {
            let reason = format!(
                "frame {} of stream {} has no pixels",
                facts.frame, facts.stream
            );
            let name = channel.name.clone();
            return Err(DeliverError::Channel { name, reason });
        };
        let mut meta = facts.meta.clone();
        meta.source_id = facts.stream;
        meta.frame_number = Some(facts.frame);
        let facts = channel::Facts {
            pts: facts.pts,
            duration: facts.duration,
            discont: facts.discont,
            meta,
        };
        let receipt = ticket.map(|ticket| -> Box<dyn Receipt> {
            Box::new(Slip {
                ticket: ticket.clone(),
                settled: AtomicBool::new(false),
            })
        });
        let session = channel.hub().session();
        let parcel = Arc::new(Parcel::new(picture, facts, session, receipt));
        Ok((channel, parcel))
    }

    fn streams(&self) -> MutexGuard<'_, BTreeMap<u32, Stream>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A frame of a stream goes into a channel.
    fn note(&self, stream: u32, pad_index: u32, channel: &Arc<Channel>) {
        let mut streams = self.streams();
        match streams.get_mut(&stream) {
            Some(known) if Arc::ptr_eq(&known.channel, channel) => {
                known.pad_index = pad_index;
                known.ended = false;
            }
            _ => {
                if streams.len() >= MAX_STREAMS {
                    streams.clear();
                }
                let channel = channel.clone();
                streams.insert(
                    stream,
                    Stream {
                        channel,
                        pad_index,
                        ended: false,
                    },
                );
            }
        }
    }

    /// Whether a channel has no reader now.
    pub fn is_any_unheard(&self) -> bool {
        self.all().values().any(|it| it.hub().readers() == 0)
    }

    /// Whether the next frame of a stream, if it goes where the last one went, has no reader.
    pub fn is_unheard(&self, stream: u32) -> bool {
        let streams = self.streams();
        streams
            .get(&stream)
            .is_some_and(|stream| stream.channel.hub().readers() == 0)
    }

    /// A frame was not even taken, as [`Self::is_unheard`] said so.
    pub fn count_unread(&self, stream: u32) {
        if let Some(stream) = self.streams().get(&stream) {
            stream.channel.hub().count_unread();
        }
    }

    /// All streams are over.
    pub fn end(&self) {
        let all: Vec<_> = self.all().values().cloned().collect();
        all.iter().for_each(|channel| channel.hub().end());
    }

    /// The streams behind a pad of the muxer are over, and with its last stream a channel. What all
    /// streams share is over with the last of them all.
    pub fn end_pad(&self, pad_index: u32) {
        if self.rules.template.literal().is_some() {
            return;
        }
        let mut of_pad = Vec::new();
        for stream in self.streams().values_mut() {
            if stream.pad_index == pad_index && !std::mem::replace(&mut stream.ended, true) {
                of_pad.push(stream.channel.clone());
            }
        }
        for channel in of_pad.iter().filter(|channel| self.has_ended(channel)) {
            channel.hub().end();
        }
    }

    /// Frames that readers have not received.
    pub fn in_flight(&self) -> u64 {
        self.all().values().map(|c| c.hub().in_flight()).sum()
    }

    /// Frees the channels for the next producer. What is in flight reaches readers in this process;
    /// others get so much time to take it. Returns how many frames they did not.
    pub fn close(&self, limit: Duration) -> u64 {
        self.streams().clear();
        // Without the lock: threads are joined.
        let all = std::mem::take(&mut *self.all());
        let deadline = Instant::now() + limit;
        all.values().for_each(|channel| channel.writer.stop());
        let left = || deadline.saturating_duration_since(Instant::now());
        all.values()
            .map(|channel| channel.writer.finish(left()))
            .sum()
    }
}
