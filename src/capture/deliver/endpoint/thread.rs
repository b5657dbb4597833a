// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The thread that posts, and what it makes of the answers.

use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use crate::capture::CAT;
use crate::capture::stats::Fate;
use crate::fault::Fault;

use super::breaker::Phase;
use super::client::Outcome;
use super::request::Post;
use super::secrets::Credentials;
use super::spool::{BadFile, Spool};
use super::{Shared, State};

/// Rest when the spool cannot be read for now.
const UNREADABLE: Duration = Duration::from_secs(1);

/// The post that is tried, by its number, and how often it failed in a row.
#[derive(Default)]
struct Head {
    number: Option<u64>,
    failed: u32,
}

/// The post to send next.
struct Pick {
    number: u64,
    /// `None`: in the spool.
    post: Option<Arc<Post>>,
}

impl Shared {
    pub(super) fn run(&self, mut credentials: Credentials) {
        let mut head = Head::default();
        while let Some(pick) = self.pick() {
            let number = pick.number;
            if head.number != Some(number) {
                head = Head {
                    number: Some(number),
                    failed: 0,
                };
            }
            let sent = catch_unwind(AssertUnwindSafe(|| {
                self.send(pick, &mut head, &mut credentials);
            }));
            if sent.is_err() {
                let reason = "posting went wrong; please report this";
                match self.spool {
                    // It may go well another time.
                    Some(_) if head.failed < self.rules.retry.retries => {
                        self.put_off(number, &mut head, reason, None);
                    }
                    _ => self.fail(number, reason),
                }
            }
        }
        self.state().running = false;
        self.changed.notify_all();
    }

    /// Waits for a post that may be tried now. `None`: the end.
    fn pick(&self) -> Option<Pick> {
        let mut state = self.state();
        loop {
            state.current = None;
            if state.stopping {
                return None;
            }
            let pick = state.oldest();
            let rest = match &pick {
                None => None,
                Some(_) => self.rest(&state, Instant::now()),
            };
            state = match (pick, rest) {
                (Some(pick), None) => {
                    state.current = Some(pick.number);
                    return Some(pick);
                }
                (Some(_), Some(rest)) => {
                    let waited = self.changed.wait_timeout(state, rest);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                (None, _) => {
                    let waited = self.changed.wait(state);
                    waited.unwrap_or_else(PoisonError::into_inner)
                }
            };
        }
    }

    /// How long nothing is to be tried.
    fn rest(&self, state: &State, now: Instant) -> Option<Duration> {
        // Without a spool what comes while the breaker is open fails at once.
        let open = state.breaker.until().filter(|_| self.spool.is_some());
        let until = state.pause.max(open)?;
        Some(until.saturating_duration_since(now)).filter(|rest| !rest.is_zero())
    }

    fn send(&self, pick: Pick, head: &mut Head, credentials: &mut Credentials) {
        let number = pick.number;
        if !self.change("", |state| {
            state.pause = None;
            state.breaker.permits(Instant::now())
        }) {
            return self.fail(number, "the server is left alone after too many failures");
        }
        let post = match pick.post {
            Some(post) => post,
            None => match self.fetch(number) {
                Some(post) => Arc::new(post),
                None => return,
            },
        };
        if head.failed > 0 {
            self.stats.retries.fetch_add(1, Ordering::Relaxed);
        }
        let mut begun = Instant::now();
        let mut outcome = self.client.post(&post, credentials);
        if matches!(outcome, Outcome::Unauthorised(_)) && self.renew(credentials) {
            self.stats.retries.fetch_add(1, Ordering::Relaxed);
            begun = Instant::now();
            outcome = self.client.post(&post, credentials);
        }
        match outcome {
            Outcome::Accepted => {
                self.stats.record(begun.elapsed());
                self.change("", |state| state.breaker.succeeded());
                self.stats.trouble.end();
                head.failed = 0;
                let bytes = post.body.size() as u64;
                self.finish(number, Fate::Captured, || {
                    self.stats.posted.fetch_add(1, Ordering::Relaxed);
                    self.stats.bytes.fetch_add(bytes, Ordering::Relaxed);
                });
                (self.emptied)();
            }
            Outcome::Refused(reason) => {
                self.change("", |state| state.breaker.succeeded());
                self.stats.trouble.end();
                self.fail(number, &reason);
            }
            Outcome::Unauthorised(reason) => {
                let reason = format!(
                    "{reason}: check what endpoint-token-file and endpoint-headers-file hold"
                );
                // Nothing is wrong with the post, and who keeps it can wait for better ones.
                if self.spool.is_some() && self.rules.secrets.is_any() {
                    self.put_off(number, head, &reason, None);
                } else {
                    self.change("", |state| state.breaker.succeeded());
                    self.stats.trouble.end();
                    self.fail(number, &reason);
                }
            }
            Outcome::Later(reason, asked) => self.put_off(number, head, &reason, asked),
        }
    }

    /// An attempt failed for now.
    fn put_off(&self, number: u64, head: &mut Head, reason: &str, asked: Option<Duration>) {
        head.failed = head.failed.saturating_add(1);
        gst::debug!(CAT, "attempt {} of post {number}: {reason}", head.failed);
        // One that the end breaks off is no trouble.
        let is_news = !self.state().stopping && self.stats.trouble.note(reason, Instant::now());
        if is_news {
            let text = format!("cannot post to {} for now: {reason}", self.rules.shown);
            self.outlet.info(&text);
        }
        let retry = &self.rules.retry;
        let is_last = head.failed > retry.retries;
        let asked = asked.filter(|asked| !asked.is_zero());
        let wait = asked.unwrap_or_else(|| retry.wait(head.failed, fastrand::f64()));
        let gives_up = self.change(reason, |state| {
            if state.stopping {
                // Ended by that, perhaps.
                return false;
            }
            let now = Instant::now();
            state.breaker.failed(now, asked);
            let is_open = state.breaker.phase() == Phase::Open;
            let gives_up = self.spool.is_none() && (is_last || is_open);
            let wait = match (is_open, gives_up) {
                // The breaker says when to try again, and counts in what the server asked for.
                (true, _) => None,
                // The next one need not wait, unless the server said so.
                (false, true) => asked,
                (false, false) => Some(wait),
            };
            state.pause = wait.and_then(|wait| now.checked_add(wait));
            gives_up
        });
        if gives_up {
            return self.fail(number, reason);
        }
        if let Some(spool) = &self.spool {
            if head.failed == retry.retries.saturating_add(1) && self.rules.breaker_threshold == 0 {
                let text = format!(
                    "posts to {} are kept in {} until they can be sent: {reason}",
                    self.rules.shown,
                    spool.folder().display()
                );
                let fault = Fault::resource(gst::ResourceError::Write, text);
                self.outlet.warn_often(&fault);
            }
            self.spill(spool);
        }
        (self.emptied)();
    }

    /// Reads the secrets again. False: they are as before, or cannot be read.
    fn renew(&self, credentials: &mut Credentials) -> bool {
        match self.rules.secrets.read() {
            Ok(read) if read != *credentials => {
                *credentials = read;
                true
            }
            Ok(_) => false,
            Err(error) => {
                let fault = Fault::resource(gst::ResourceError::Read, error);
                self.outlet.warn_often(&fault);
                false
            }
        }
    }

    /// Reads a post that was kept. One that is none is passed over; one that cannot be read may be
    /// another time.
    fn fetch(&self, number: u64) -> Option<Post> {
        let spool = self.spool.as_ref()?;
        let error = match spool.read(number) {
            Ok(post) => return Some(post),
            Err(error) => error,
        };
        let aside = match &error {
            BadFile::Io(error) if error.kind() == ErrorKind::NotFound => None,
            BadFile::Io(_) => {
                self.wait_for_spool(spool, number, &error);
                return None;
            }
            BadFile::Foreign(_) | BadFile::Torn { .. } => spool.set_aside(number).ok(),
        };
        let then = match aside {
            Some(aside) => format!("it is now {}", aside.display()),
            None => "it is passed over".into(),
        };
        let text = format!(
            "property \"endpoint-spool\": cannot read {}: {error}; {then}",
            spool.path(number).display()
        );
        let mut state = self.state();
        state.current = None;
        let is_known = state.index.remove(number);
        if is_known {
            self.stats.failed.fetch_add(1, Ordering::Relaxed);
        }
        self.show(&state);
        drop(state);
        if is_known {
            let fault = Fault::resource(gst::ResourceError::Read, text);
            self.outlet.warn_often(&fault);
        }
        (self.emptied)();
        None
    }

    /// Nothing is wrong with the post: it keeps its place.
    fn wait_for_spool(&self, spool: &Spool, number: u64, error: &BadFile) {
        let mut state = self.state();
        if !state.index.contains(number) {
            // Dropped for a newer one.
            return;
        }
        state.current = None;
        state.pause = Instant::now().checked_add(UNREADABLE);
        drop(state);
        let text = format!(
            "property \"endpoint-spool\": cannot read {} for now, and posts wait: {error}",
            spool.path(number).display()
        );
        let fault = Fault::resource(gst::ResourceError::Read, text);
        self.outlet.warn_often(&fault);
        (self.emptied)();
    }

    /// A post is given up for good.
    fn fail(&self, number: u64, reason: &str) {
        let count = || {
            self.stats.failed.fetch_add(1, Ordering::Relaxed);
        };
        if self.finish(number, Fate::Failed, count) {
            let text = format!("cannot post to {}: {reason}", self.rules.shown);
            let fault = Fault::resource(gst::ResourceError::Write, text);
            self.reporter.report(fault);
        }
        (self.emptied)();
    }

    /// A post ended, wherever it is kept. False: it was given up meanwhile. Who finds that nothing
    /// is left finds it counted.
    fn finish(&self, number: u64, fate: Fate, count: impl FnOnce()) -> bool {
        let mut state = self.state();
        if state.closed {
            return false;
        }
        state.current = None;
        let waiting = state.queue.pop(number);
        let was_kept = state.index.remove(number);
        let is_known = waiting.is_some() || was_kept;
        if is_known {
            count();
        }
        if let Some(waiting) = waiting {
            waiting.slip.say(fate);
            // With its slip, by which the frame is counted.
            drop(waiting);
        }
        self.show(&state);
        drop(state);
        if let Some(spool) = self.spool.as_ref().filter(|_| was_kept)
            && let Err(error) = spool.remove(number)
        {
            let text = format!(
                "property \"endpoint-spool\": cannot remove {}, and the next run sends it again: \
                 {error}",
                spool.path(number).display()
            );
            let fault = Fault::resource(gst::ResourceError::Write, text);
            self.outlet.warn_often(&fault);
        }
        is_known
    }

    /// Changes the state, and tells if that opened or closed the breaker.
    fn change<T>(&self, reason: &str, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state();
        let before = state.breaker.phase();
        let changed = change(&mut state);
        let (after, failures) = (state.breaker.phase(), state.breaker.failures());
        self.show(&state);
        drop(state);
        if before != after {
            self.tell(before, after, failures, reason);
        }
        changed
    }

    fn tell(&self, before: Phase, after: Phase, failures: u32, reason: &str) {
        let shown = &self.rules.shown;
        self.outlet
            .endpoint(after.as_str(), failures, reason, shown);
        match (before, after) {
            (Phase::Closed, Phase::Open) => {
                let then = match &self.spool {
                    Some(spool) => format!("posts are kept in {}", spool.folder().display()),
                    None => "posts fail without being tried".into(),
                };
                let text = format!(
                    "{shown} is left alone for {} ms after {failures} failed attempts in a row, \
                     and {then}: {reason}",
                    self.rules.breaker_timeout.as_millis()
                );
                let fault = Fault::resource(gst::ResourceError::Write, text);
                self.outlet.warn(&fault);
            }
            (_, Phase::Closed) => self.outlet.info(&format!("{shown} answers again")),
            _ => (),
        }
    }
}

impl State {
    /// In memory or in the spool.
    fn oldest(&self) -> Option<Pick> {
        let waiting = self.queue.first();
        let kept = self.index.first();
        match (waiting, kept) {
            (Some(entry), kept) if kept.is_none_or(|kept| entry.number < kept) => Some(Pick {
                number: entry.number,
                post: Some(entry.post.clone()),
            }),
            (_, Some(number)) => Some(Pick { number, post: None }),
            _ => None,
        }
    }
}
