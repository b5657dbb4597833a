// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The producer's side: a thread that lets readers in and hears what they say.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};

use super::link::{Common, Link, Trouble};
use super::socket::{Listener, Socket, SocketError};
use super::{CAT, until};
use crate::channel::wire::{MAX_PACKET, Reason};
use crate::channel::{Access, Hub};

/// Readers of one channel.
const MAX_LINKS: usize = 64;
/// Of those, that have said nothing yet. More wait until they are accepted.
const MAX_SILENT: usize = 16;
/// Connections that are told that there is no room for them.
const MAX_REFUSED: usize = 16;
/// Connections that are accepted before it is the turn of the readers.
const TURN: usize = 16;
/// How long readers may take for the last frames when nobody says how long they may.
const STOP_LIMIT: Duration = Duration::from_secs(1);
/// How long not to accept when there are no descriptors.
const PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug)]
struct Shared {
    common: Arc<Common>,
    access: Access,
}

/// Sends what comes into a hub to other processes. When it is dropped, readers get what is on its
/// way to them, and its path is free.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    /// Gives the number of frames that were dropped in the end.
    thread: Mutex<Option<JoinHandle<u64>>>,
}

impl Server {
    pub fn open(path: &Path, access: Access, hub: Arc<Hub>) -> Result<Self, SocketError> {
        let listener = Listener::open(path, access)?;
        let shared = Arc::new(Shared {
            common: Arc::new(Common::new(hub)?),
            access,
        });
        let own = shared.clone();
        let thread = thread::Builder::new()
            .name("dsframechan".into())
            .spawn(move || {
                let mut links = Vec::new();
                let run = catch_unwind(AssertUnwindSafe(|| own.run(listener, &mut links)));
                if run.is_err() {
                    gst::error!(
                        CAT,
                        "the thread of a channel failed: its readers are let go"
                    );
                    own.common
                        .hub
                        .fail("the thread that serves its readers failed");
                }
                links.iter().map(|link| link.stop()).sum()
            })?;
        Ok(Self {
            shared,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Nobody is let in any more, and readers get to know after their last frame. Returns at once.
    pub fn stop(&self) {
        let common = &self.shared.common;
        common.stopping.store(true, Ordering::Release);
        common.hub.stop();
        common.bell.ring();
    }

    /// Stops, and waits for readers to take what was sent, until `limit` is over. Gives the number
    /// of frames that were dropped as they did not.
    pub fn finish(&self, limit: Duration) -> u64 {
        let common = &self.shared.common;
        common.set_last_call(Instant::now().checked_add(limit));
        self.stop();
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        // Its panics are caught.
        thread.map_or(0, |thread| thread.join().unwrap_or(0))
    }

    #[cfg(test)]
    pub(super) fn common(&self) -> &Arc<Common> {
        &self.shared.common
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.finish(STOP_LIMIT);
    }
}

/// Lets readers in.
struct Door {
    listener: Listener,
    /// There were no descriptors.
    closed_until: Option<Instant>,
    numbers: u64,
}

impl Shared {
    fn run(&self, listener: Listener, links: &mut Vec<Arc<Link>>) {
        let mut buf = vec![0; MAX_PACKET];
        let mut door = Some(Door {
            listener,
            closed_until: None,
            numbers: 0,
        });
        let mut last_call = None;
        loop {
            #[cfg(test)]
            assert!(!self.common.panics.load(Ordering::Acquire));
            if self.common.stopping.load(Ordering::Acquire) {
                // The next producer may have the path at once.
                door = None;
                last_call = self.common.last_call();
                let is_late = last_call.is_some_and(|limit| limit <= Instant::now());
                if is_late || links.iter().all(|link| link.is_done()) {
                    return;
                }
            }
            let (rang, knocked) = self.wait(door.as_ref(), last_call, links, &mut buf);
            if rang {
                links.iter().for_each(|link| link.attend());
            }
            let now = Instant::now();
            for link in links.iter() {
                if link.deadline().is_some_and(|deadline| deadline <= now) {
                    link.attend();
                }
            }
            links.retain(|link| !link.is_gone());
            if let Some(door) = door.as_mut().filter(|_| knocked) {
                self.accept(door, links);
            }
        }
    }

    /// Waits for something to happen, and serves the readers that it happens to. Returns whether
    /// the bell rang, and whether somebody wants in.
    fn wait(
        &self,
        door: Option<&Door>,
        last_call: Option<Instant>,
        links: &[Arc<Link>],
        buf: &mut [u8],
    ) -> (bool, bool) {
        let now = Instant::now();
        let paused = door.and_then(|door| door.closed_until.filter(|until| *until > now));
        let silent = links.iter().filter(|link| link.is_silent()).count();
        let door = door.filter(|_| paused.is_none() && silent < MAX_SILENT);
        let deadlines = links.iter().filter_map(|link| link.deadline());
        let deadline = deadlines.chain(paused).chain(last_call).min();
        let mut fds = Vec::with_capacity(links.len() + 2);
        fds.push(PollFd::new(&self.common.bell, PollFlags::IN));
        fds.extend(
            links
                .iter()
                .map(|link| PollFd::new(&**link, link.interest())),
        );
        fds.extend(door.map(|door| PollFd::new(&door.listener, PollFlags::IN)));
        // Fails by a signal, or for want of memory: all are looked at then.
        let failed = poll(&mut fds, deadline.map(until).as_ref()).is_err();
        let events = |fd: &PollFd<'_>| match failed {
            true => PollFlags::empty(),
            false => fd.revents(),
        };
        let rang = failed || !events(&fds[0]).is_empty();
        if rang {
            self.common.bell.hush();
        }
        for (link, fd) in links.iter().zip(&fds[1..]) {
            let events = events(fd);
            if !events.is_empty() {
                link.serve(events, buf);
            }
        }
        let knocked = door.is_some() && fds.last().is_some_and(|fd| !events(fd).is_empty());
        (rang, knocked)
    }

    fn accept(&self, door: &mut Door, links: &mut Vec<Arc<Link>>) {
        for _ in 0..TURN {
            let silent = links.iter().filter(|link| link.is_silent()).count();
            if silent >= MAX_SILENT || self.common.stopping.load(Ordering::Acquire) {
                return;
            }
            let socket = match door.listener.accept() {
                Ok(Some(socket)) => socket,
                Ok(None) => return,
                Err(errno) => {
                    door.closed_until = Some(Instant::now() + PAUSE);
                    return self
                        .common
                        .complain(&format!("none can be let in: {errno}"));
                }
            };
            door.numbers += 1;
            let trouble = self.trouble(&socket, links);
            let link = Arc::new(Link::new(door.numbers, socket, self.common.clone()));
            match trouble {
                None => links.push(link),
                Some(trouble) => {
                    self.common.complain(&trouble.text);
                    link.refuse(&trouble);
                    if links.len() < MAX_LINKS + MAX_REFUSED {
                        links.push(link);
                    }
                }
            }
        }
    }

    /// Why somebody is not let in.
    fn trouble(&self, socket: &Socket, links: &[Arc<Link>]) -> Option<Trouble> {
        if let Err(error) = socket.check(self.access) {
            return Some(Trouble {
                reason: Reason::USER,
                text: error.to_string(),
            });
        }
        (links.len() >= MAX_LINKS).then(|| Trouble {
            reason: Reason::READERS,
            text: format!("a channel has {MAX_LINKS} readers at most"),
        })
    }
}
