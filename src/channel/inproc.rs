// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Channels within the process. Either side may come first, stop and come back.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::outbox::{Last, Outbox, Popped, Wake};
use super::{ChannelError, Count, Counts, Hub, Item, Receive};
use crate::gate::Gate;

/// Those that have a producer or a reader.
static CHANNELS: Mutex<BTreeMap<String, Line>> = Mutex::new(BTreeMap::new());

#[derive(Default)]
struct Line {
    producer: Option<Arc<Hub>>,
    readers: Vec<Weak<Mailbox>>,
}

fn channels() -> MutexGuard<'static, BTreeMap<String, Line>> {
    // Changed in single steps that cannot panic.
    CHANNELS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Forgets a channel that nobody is at.
fn tidy(channels: &mut BTreeMap<String, Line>, name: &str) {
    if let Some(line) = channels.get_mut(name) {
        line.readers.retain(|reader| reader.strong_count() > 0);
        if line.producer.is_none() && line.readers.is_empty() {
            channels.remove(name);
        }
    }
}

/// The place of the only producer of a channel; free again when dropped.
pub struct Place {
    name: String,
    hub: Arc<Hub>,
}

impl Place {
    pub fn take(name: &str, hub: Arc<Hub>) -> Result<Self, ChannelError> {
        let mut channels = channels();
        let line = channels.entry(name.to_owned()).or_default();
        if line.producer.is_some() {
            return Err(ChannelError::Taken);
        }
        line.producer = Some(hub.clone());
        let readers: Vec<_> = line.readers.iter().filter_map(Weak::upgrade).collect();
        drop(channels);
        for reader in readers {
            reader.attach(&hub);
        }
        let name = name.to_owned();
        Ok(Self { name, hub })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut channels = channels();
        if let Some(line) = channels.get_mut(&self.name) {
            line.producer = None;
        }
        tidy(&mut channels, &self.name);
        drop(channels);
        self.hub.stop();
        self.hub.hand_over();
    }
}

/// What a reader gets, of one producer after the other.
struct Mailbox {
    gate: Arc<Gate>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The oldest first. One that is over is taken off when all of it was read.
    outboxes: VecDeque<(Arc<Outbox>, Weak<Hub>)>,
    /// Of those that were taken off.
    gone: Counts,
    closed: bool,
}

impl Mailbox {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn attach(&self, hub: &Arc<Hub>) {
        let gate = self.gate.clone();
        let filled: Wake = Arc::new(move || gate.wake());
        let outbox = hub.attach(filled);
        let mut state = self.state();
        if state.closed {
            drop(state);
            hub.detach(&outbox);
            return;
        }
        state.outboxes.push_back((outbox, Arc::downgrade(hub)));
        drop(state);
        // Something may have come before it was there.
        self.gate.wake();
    }

    fn poll(&self) -> Option<Item> {
        let mut state = self.state();
        let (outbox, hub) = state.outboxes.front()?;
        let item = match outbox.pop()? {
            Popped::Frame(_, parcel) => {
                let outbox = outbox.clone();
                drop(state);
                outbox.received(1);
                return Some(Item::Frame(parcel));
            }
            Popped::Last(Last::End) => Item::End,
            Popped::Last(Last::Stopped) => Item::Stopped,
        };
        let (outbox, hub) = (outbox.clone(), hub.upgrade());
        state.outboxes.pop_front();
        state.gone += outbox.counts();
        drop(state);
        if let Some(hub) = hub {
            hub.detach(&outbox);
        }
        Some(item)
    }
}

impl Count for Mailbox {
    fn counts(&self) -> Counts {
        let state = self.state();
        let mut counts = state.gone;
        for (outbox, _) in &state.outboxes {
            counts += outbox.counts();
        }
        counts
    }
}

/// Reads a channel of this process.
pub struct Reader {
    name: String,
    mailbox: Arc<Mailbox>,
}

impl Reader {
    /// From now on it gets every frame of the channel, whoever sends them. `gate` is woken when
    /// there is something to poll.
    pub fn open(name: &str, gate: Arc<Gate>) -> Self {
        let mailbox = Arc::new(Mailbox {
            gate,
            state: Mutex::default(),
        });
        let mut channels = channels();
        let line = channels.entry(name.to_owned()).or_default();
        line.readers.push(Arc::downgrade(&mailbox));
        let producer = line.producer.clone();
        drop(channels);
        if let Some(hub) = producer {
            mailbox.attach(&hub);
        }
        let name = name.to_owned();
        Self { name, mailbox }
    }
}

impl Receive for Reader {
    fn has_next(&self) -> bool {
        let state = self.mailbox.state();
        let first = state.outboxes.front();
        first.is_some_and(|(outbox, _)| outbox.has_next())
    }

    fn poll(&mut self) -> Option<Item> {
        self.mailbox.poll()
    }

    fn has_producer(&self) -> bool {
        // One that stops is there until that was read.
        !self.mailbox.state().outboxes.is_empty()
    }

    fn counter(&self) -> Arc<dyn Count> {
        self.mailbox.clone()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.mailbox.state().closed = true;
        loop {
            let first = self.mailbox.state().outboxes.front().cloned();
            let Some((outbox, hub)) = first else {
                break;
            };
            match hub.upgrade() {
                Some(hub) => hub.detach(&outbox),
                None => outbox.close(),
            }
            let mut state = self.mailbox.state();
            state.outboxes.pop_front();
            state.gone += outbox.counts();
        }
        let mut channels = channels();
        if let Some(line) = channels.get_mut(&self.name) {
            let own = Arc::downgrade(&self.mailbox);
            line.readers.retain(|reader| !reader.ptr_eq(&own));
        }
        tidy(&mut channels, &self.name);
    }
}
