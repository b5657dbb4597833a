// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Captures to a server: a bounded queue, one thread that posts in the order of the commits, and a
//! folder for what cannot be posted now.

pub mod breaker;
pub mod client;
pub mod queue;
pub mod request;
pub mod retry;
pub mod secrets;
pub mod spool;
pub mod stats;
mod thread;
mod trouble;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use ureq::http::Uri;

use crate::capture::CAT;
use crate::capture::enums::{EndpointBody, Overflow};
use crate::capture::stats::Fate;
use crate::fault::Fault;

use super::message::Outlet;
use super::report::Reporter;
use breaker::{Breaker, Phase};
use client::Client;
use queue::{Entry, Queue, Slip};
use request::Post;
use retry::Retry;
use secrets::Secrets;
use spool::{Index, Opened, Spool};
use stats::EndpointStats;

/// How long the thread may take to notice that it is to end.
const STUCK: Duration = Duration::from_secs(1);

/// How long one post may take into the spool while others wait for it.
const SILENCE: Duration = Duration::from_secs(3);

/// Where posts go, and how.
#[derive(Debug, Clone)]
pub struct EndpointRules {
    pub uri: Uri,
    /// The address as it may be shown: without its query.
    pub shown: String,
    pub body: EndpointBody,
    /// Of one attempt.
    pub timeout: Duration,
    pub retry: Retry,
    pub breaker_threshold: u32,
    pub breaker_timeout: Duration,
    pub secrets: Secrets,
    pub ca_file: Option<PathBuf>,
    pub spool: Option<PathBuf>,
    pub spool_max_bytes: u64,
    /// What is kept is on the disk before it counts.
    pub fsync: bool,
    /// Jobs whose posts may wait in memory.
    pub queue_size: usize,
}

/// Told, without any lock, when there is less to wait for.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// What is not sent at the end.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// In the spool, for the next run.
    pub kept: u64,
    pub lost: u64,
}

struct State {
    queue: Queue,
    /// Of the spool.
    index: Index,
    /// Bytes of files that are being written to it.
    reserved: u64,
    /// What is in memory is being moved there.
    spilling: bool,
    /// That was waited for in vain, and nothing was written since.
    silent: bool,
    /// Numbers order all posts, in memory and in the spool.
    next: u64,
    /// What is being sent.
    current: Option<u64>,
    breaker: Breaker,
    /// Nothing is tried before.
    pause: Option<Instant>,
    stopping: bool,
    /// No post is waited for beyond.
    deadline: Option<Instant>,
    /// That is over, and what became of the rest is being said.
    ending: bool,
    /// It is said.
    ended: bool,
    /// Whatever an attempt that is still under way brings is nobody's business any more.
    closed: bool,
    running: bool,
}

struct Shared {
    rules: EndpointRules,
    client: Client,
    spool: Option<Spool>,
    state: Mutex<State>,
    changed: Condvar,
    /// What `overflow` means now, as the streaming thread found out.
    policy: AtomicU8,
    stats: Arc<EndpointStats>,
    reporter: Arc<Reporter>,
    outlet: Arc<Outlet>,
    emptied: Wake,
    said_kept: AtomicBool,
}

/// The way to the endpoint, for one run of the element.
pub struct Poster {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Waits for the end of the time there is, if there is one.
    ender: Mutex<Option<JoinHandle<()>>>,
}

/// What became of a post that was to be kept.
enum Stored {
    Kept,
    Gone,
    NoRoom,
    Failed(std::io::Error),
}

impl Poster {
    /// Reads the secrets, opens the spool and starts the thread.
    pub fn open(
        rules: EndpointRules,
        stats: Arc<EndpointStats>,
        reporter: Arc<Reporter>,
        outlet: Arc<Outlet>,
        emptied: Wake,
    ) -> Result<Self, Fault> {
        let settings =
            |error: &dyn std::fmt::Display| Fault::resource(gst::ResourceError::Settings, error);
        let credentials = rules.secrets.read().map_err(|error| settings(&error))?;
        if rules.secrets.is_any() && client::is_open_to_others(&rules.uri) {
            let text = format!(
                "{} is not encrypted: token and headers can be read on the way. Use https",
                rules.shown
            );
            outlet.warn(&Fault::resource(gst::ResourceError::Settings, text));
        }
        let client = Client::new(&rules).map_err(|error| {
            settings(&format!(
                "property \"{}\": {}",
                error.property, error.reason
            ))
        })?;
        let mut state = State {
            queue: Queue::default(),
            index: Index::default(),
            reserved: 0,
            spilling: false,
            silent: false,
            next: 0,
            current: None,
            breaker: Breaker::new(rules.breaker_threshold, rules.breaker_timeout),
            pause: None,
            stopping: false,
            deadline: None,
            ending: false,
            ended: false,
            closed: false,
            running: true,
        };
        let mut spool = None;
        if let Some(folder) = &rules.spool {
            let opened =
                Spool::open(folder, rules.spool_max_bytes, rules.fsync).map_err(|error| {
                    let text = format!(
                        "property \"endpoint-spool\": cannot use {}: {error}",
                        folder.display()
                    );
                    Fault::resource(gst::ResourceError::OpenWrite, text)
                })?;
            let Opened {
                spool: open,
                index,
                next,
            } = opened;
            spool = Some(open);
            (state.index, state.next) = (index, next);
        }
        let shared = Arc::new(Shared {
            rules,
            client,
            spool,
            state: Mutex::new(state),
            changed: Condvar::new(),
            policy: AtomicU8::new(Overflow::Block as u8),
            stats,
            reporter,
            outlet,
            emptied,
            said_kept: AtomicBool::new(false),
        });
        shared.show(&shared.state());
        let thread = Builder::new().name("dsframepost".into()).spawn({
            let shared = shared.clone();
            move || shared.run(credentials)
        });
        let thread = thread.map_err(|error| {
            let text = format!("cannot start the thread that posts: {error}");
            Fault::core(gst::CoreError::Thread, text)
        })?;
        Ok(Self {
            shared,
            thread: Mutex::new(Some(thread)),
            ender: Mutex::default(),
        })
    }

    /// What `overflow` means here and now.
    pub fn set_policy(&self, policy: Overflow) {
        self.shared.policy.store(policy as u8, Ordering::Relaxed);
    }

    /// Jobs that wait in memory and are waited for.
    pub fn held(&self) -> usize {
        let blocks = self.shared.spool.is_none() && self.shared.policy() == Overflow::Block;
        match blocks {
            true => self.shared.state().queue.jobs(),
            false => 0,
        }
    }

    /// Takes the posts of a job. Called by one thread at a time.
    pub fn push(&self, posts: Vec<(Post, Arc<Slip>)>) {
        let shared = &self.shared;
        let mut state = shared.state();
        let numbers = state.next..;
        state.next += posts.len() as u64;
        let entry = |((post, slip), number)| Entry {
            number,
            post: Arc::new(post),
            slip,
        };
        let job: VecDeque<_> = posts.into_iter().zip(numbers).map(entry).collect();
        if state.closed {
            drop(state);
            shared.drop_all(job, Fate::DroppedTimeout);
            return;
        }
        let has_room = state.queue.idle_jobs(state.current) < shared.rules.queue_size;
        if let Some(spool) = &shared.spool {
            let flows = state.index.is_empty()
                && state.reserved == 0
                && state.pause.is_none()
                && state.breaker.phase() == Phase::Closed;
            if !(has_room && flows) {
                drop(state);
                job.into_iter().for_each(|entry| shared.keep(spool, entry));
                return;
            }
        }
        let mut dropped = None;
        match shared.policy() {
            _ if has_room => state.queue.push(job),
            Overflow::Block => state.queue.push(job),
            Overflow::DropNewest => dropped = Some(job),
            Overflow::DropOldest | Overflow::Auto => {
                let current = state.current;
                dropped = state.queue.pop_idle(current);
                match dropped {
                    Some(_) => state.queue.push(job),
                    None => dropped = Some(job),
                }
            }
        }
        shared.show(&state);
        drop(state);
        shared.changed.notify_all();
        if let Some(dropped) = dropped {
            let why = format!(
                "as many as queue-size are waiting already{}; endpoint-spool would keep them",
                shared.stats.trouble.words()
            );
            shared.warn_dropped(&why);
            shared.drop_all(dropped, Fate::DroppedOverflow);
        }
    }

    /// No more captures will come: what is not sent in time is given up, and `emptied` told.
    pub fn end_within(&self, limit: Duration) {
        let mut ender = self.ender.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(deadline) = Instant::now().checked_add(limit) else {
            return;
        };
        if ender.is_some() {
            return;
        }
        self.shared.state().deadline = Some(deadline);
        let thread = Builder::new().name("dsframepostend".into()).spawn({
            let shared = self.shared.clone();
            move || shared.end_at(deadline, limit)
        });
        match thread {
            Ok(thread) => *ender = Some(thread),
            Err(error) => {
                gst::warning!(CAT, "cannot start the thread that bounds the end: {error}")
            }
        }
    }

    /// Posts that are waited for: until a time, if that is all the time there is. What is in the
    /// spool is safe, and not waited for in vain.
    pub fn left_by(&self, deadline: Option<Instant>) -> u64 {
        let state = self.shared.state();
        if state.ending && deadline.is_none() {
            return u64::from(!state.ended);
        }
        let deadline = deadline.or(state.deadline);
        let waiting = state.queue.posts() as u64;
        let later = |pause| deadline.is_some_and(|deadline| pause > deadline);
        let is_vain =
            state.ended || state.breaker.phase() == Phase::Open || state.pause.is_some_and(later);
        match is_vain {
            true => waiting,
            false => waiting + state.index.len() as u64,
        }
    }

    /// Gives up waiting: what is in memory is kept, where there is a spool, and else lost.
    pub fn abandon(&self) -> Left {
        self.shared.abandon(false)
    }

    /// What is in the spool now.
    pub fn kept(&self) -> Left {
        Left {
            kept: self.shared.state().index.len() as u64,
            lost: 0,
        }
    }

    /// What is left behind, in words. `None` where that was said already.
    pub fn words(&self, left: Left, timeout: Duration) -> Option<String> {
        self.shared.words(left, timeout)
    }

    /// Before an EOS: what the spool keeps, and what was lost on the way.
    pub fn say_end(&self) {
        self.say_left(self.kept(), Duration::ZERO);
        self.say_lost();
    }

    /// At the end: what was lost on the way, if anything was.
    pub fn say_lost(&self) {
        let shared = &self.shared;
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let stats = &shared.stats;
        let (posted, failed, dropped) = (of(&stats.posted), of(&stats.failed), of(&stats.dropped));
        if failed + dropped > 0 {
            let text = format!(
                "{}: {posted} posts were delivered, {failed} failed and {dropped} were dropped",
                shared.rules.shown
            );
            shared.outlet.info(&text);
        }
    }

    /// The same as a warning.
    pub fn say_left(&self, left: Left, timeout: Duration) {
        self.shared.say_left(left, timeout);
    }

    /// Ends the thread, whatever it is at, and frees the spool for its next user.
    pub fn close(&self) -> Left {
        let shared = &self.shared;
        let Some(thread) = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
        else {
            return Left::default();
        };
        shared.state().stopping = true;
        shared.changed.notify_all();
        // Ends an attempt.
        shared.client.shut_down();
        let deadline = Instant::now() + STUCK;
        let mut state = shared.state();
        while state.running {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = shared.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let is_stuck = state.running;
        drop(state);
        let left = shared.abandon(true);
        if let Some(spool) = &shared.spool {
            spool.unlock();
        }
        // Stuck, it is left to itself: it owns all it touches. And it may be this one that lets go
        // of the run last.
        if !is_stuck && thread.thread().id() != std::thread::current().id() {
            // Panics are caught where they happen.
            let _ = thread.join();
        }
        let ender = {
            let mut ender = self.ender.lock().unwrap_or_else(PoisonError::into_inner);
            ender.take()
        };
        if let Some(ender) = ender.filter(|it| it.thread().id() != std::thread::current().id()) {
            let _ = ender.join();
        }
        left
    }
}

impl Drop for Poster {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn policy(&self) -> Overflow {
        match self.policy.load(Ordering::Relaxed) {
            1 => Overflow::Block,
            3 => Overflow::DropNewest,
            _ => Overflow::DropOldest,
        }
    }

    /// Into `stats`.
    fn show(&self, state: &State) {
        let set = |counter: &AtomicU64, value| counter.store(value, Ordering::Relaxed);
        set(&self.stats.waiting, state.queue.posts() as u64);
        set(&self.stats.spooled, state.index.len() as u64);
        set(&self.stats.spooled_bytes, state.index.bytes());
        self.stats.set_phase(state.breaker.phase());
    }

    fn end_at(self: &Arc<Self>, deadline: Instant, limit: Duration) {
        let mut state = self.state();
        loop {
            if state.stopping {
                return;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.ending = true;
        drop(state);
        let left = self.abandon(false);
        self.say_left(left, limit);
        self.state().ended = true;
        (self.emptied)();
    }

    fn words(&self, left: Left, timeout: Duration) -> Option<String> {
        let mut parts = Vec::new();
        if left.kept > 0
            && let Some(folder) = &self.rules.spool
            && !self.said_kept.swap(true, Ordering::AcqRel)
        {
            parts.push(format!(
                "{} posts are kept in {} and are sent by the next run",
                left.kept,
                folder.display()
            ));
        }
        if left.lost > 0 {
            parts.push(format!(
                "{} posts were not sent to {} within drain-timeout ({} ms) and are lost",
                left.lost,
                self.rules.shown,
                timeout.as_millis()
            ));
        }
        (!parts.is_empty()).then(|| parts.join("; "))
    }

    fn say_left(&self, left: Left, timeout: Duration) {
        if let Some(text) = self.words(left, timeout) {
            let fault = Fault::resource(gst::ResourceError::Write, text);
            self.outlet.warn(&fault);
        }
    }

    fn drop_all(&self, entries: impl IntoIterator<Item = Entry>, fate: Fate) {
        for entry in entries {
            self.stats.dropped.fetch_add(1, Ordering::Relaxed);
            entry.slip.say(fate);
        }
        (self.emptied)();
    }

    fn warn_dropped(&self, why: &str) {
        let text = format!("posts to {} are dropped: {why}", self.rules.shown);
        let fault = Fault::resource(gst::ResourceError::Busy, text);
        self.outlet.warn_often(&fault);
    }

    /// A post for the spool.
    fn keep(&self, spool: &Spool, entry: Entry) {
        match self.store(spool, entry.number, &entry.post, false) {
            Stored::Kept | Stored::Gone => entry.slip.say(Fate::Captured),
            Stored::NoRoom => {
                self.warn_full();
                self.drop_all([entry], Fate::DroppedOverflow);
            }
            Stored::Failed(error) => {
                self.warn_unkept(spool, &error);
                let mut state = self.state();
                if state.queue.idle_jobs(state.current) < self.rules.queue_size {
                    state.queue.push(VecDeque::from([entry]));
                    self.show(&state);
                } else {
                    drop(state);
                    self.drop_all([entry], Fate::DroppedOverflow);
                }
            }
        }
        self.changed.notify_all();
    }

    fn warn_full(&self) {
        self.warn_dropped("endpoint-spool holds endpoint-spool-max-bytes already");
    }

    fn warn_unkept(&self, spool: &Spool, error: &std::io::Error) {
        let text = format!(
            "property \"endpoint-spool\": cannot keep a post in {}: {error}",
            spool.folder().display()
        );
        let code = match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                gst::ResourceError::NoSpaceLeft
            }
            _ => gst::ResourceError::Write,
        };
        self.outlet.warn_often(&Fault::resource(code, text));
    }

    /// Writes a post into the spool, out of the queue if it is there. The oldest go for it where
    /// `overflow` says so.
    fn store(&self, spool: &Spool, number: u64, post: &Post, is_queued: bool) -> Stored {
        let size = spool::file_size(post);
        if size > spool.max_bytes {
            return Stored::NoRoom;
        }
        loop {
            let mut state = self.state();
            if state.index.bytes() + state.reserved + size <= spool.max_bytes {
                state.reserved += size;
                break;
            }
            let oldest = state.index.first_but(state.current);
            let older = oldest.filter(|oldest| *oldest < number);
            let Some(older) = older.filter(|_| self.policy() == Overflow::DropOldest) else {
                return Stored::NoRoom;
            };
            state.index.remove(older);
            self.show(&state);
            drop(state);
            // Should it stay, the next run sends it.
            let _ = spool.remove(older);
            self.stats.dropped.fetch_add(1, Ordering::Relaxed);
            self.warn_full();
        }
        let written = spool.write(number, post);
        let mut state = self.state();
        state.reserved -= size;
        state.silent = false;
        match written {
            Ok(bytes) => {
                let queued = state.queue.pop(number);
                if is_queued && queued.is_none() {
                    drop(state);
                    // Sent or dropped meanwhile.
                    let _ = spool.remove(number);
                    return Stored::Gone;
                }
                state.index.insert(number, bytes);
                if let Some(queued) = queued {
                    queued.slip.say(Fate::Captured);
                    // With its slip: who finds that nothing is waited for finds it counted.
                    drop(queued);
                }
                self.show(&state);
                Stored::Kept
            }
            Err(error) => Stored::Failed(error),
        }
    }

    /// What is in memory goes to the spool, as far as that takes it in time, and else is lost.
    fn abandon(self: &Arc<Self>, closes: bool) -> Left {
        if self.spool.is_some() {
            self.spill_in_time();
        }
        let mut state = self.state();
        let lost = state.queue.drain();
        let left = Left {
            kept: state.index.len() as u64,
            lost: lost.len() as u64,
        };
        state.closed |= closes;
        self.show(&state);
        drop(state);
        self.changed.notify_all();
        self.drop_all(lost, Fate::DroppedTimeout);
        left
    }

    /// Spills on a thread of its own: a disk may never answer.
    fn spill_in_time(self: &Arc<Self>) {
        if self.state().queue.posts() == 0 {
            return;
        }
        let (ended, end) = mpsc::channel::<()>();
        let thread = Builder::new().name("dsframespill".into()).spawn({
            let shared = self.clone();
            move || {
                if let Some(spool) = &shared.spool {
                    shared.spill(spool);
                }
                drop(ended);
            }
        });
        let thread = match thread {
            Ok(thread) => thread,
            Err(error) => {
                gst::warning!(CAT, "cannot start the thread that keeps posts: {error}");
                return;
            }
        };
        loop {
            let (posts, silent) = {
                let state = self.state();
                (state.queue.posts(), state.silent)
            };
            let limit = if silent { Duration::ZERO } else { SILENCE };
            if end.recv_timeout(limit) == Err(RecvTimeoutError::Disconnected) {
                let _ = thread.join();
                return;
            }
            let mut state = self.state();
            if state.queue.posts() == posts {
                // It is left to itself: it owns all it touches.
                state.silent = true;
                return;
            }
        }
    }

    /// Writes all that is in memory into the spool, as far as it has room.
    fn spill(&self, spool: &Spool) {
        let mut state = self.state();
        while state.spilling {
            if state.closed {
                return;
            }
            // Who is at it does the same.
            let waited = self.changed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
        state.spilling = true;
        drop(state);
        let failed = self.spill_all(spool);
        self.state().spilling = false;
        self.changed.notify_all();
        if let Some(error) = failed {
            self.warn_unkept(spool, &error);
        }
        (self.emptied)();
    }

    fn spill_all(&self, spool: &Spool) -> Option<std::io::Error> {
        let mut passed = None;
        loop {
            let (number, post) = {
                let state = self.state();
                let next = state.queue.after(passed)?;
                (next.number, next.post.clone())
            };
            match self.store(spool, number, &post, true) {
                Stored::Kept | Stored::Gone => (),
                // Smaller ones may fit.
                Stored::NoRoom => passed = Some(number),
                Stored::Failed(error) => return Some(error),
            }
        }
    }
}
