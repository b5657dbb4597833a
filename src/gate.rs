// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The one place where the streaming thread of an element waits, and what ends the wait.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How a wait ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Wait<T> {
    Ready(T),
    /// `unlock()` was called; the state that was waited for is untouched.
    Flushing,
    TimedOut,
}

/// Waits of the streaming thread that `unlock()` ends, also when it comes before the wait.
#[derive(Debug, Default)]
pub struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    flushing: bool,
    /// How often `unlock()` was called.
    unlocks: u64,
    /// Who sleeps.
    waiting: usize,
}

impl Gate {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Cannot be left half-changed by a panic elsewhere.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn set_flushing(&self, flushing: bool) {
        let mut state = self.lock();
        state.flushing = flushing;
        state.unlocks += u64::from(flushing);
        drop(state);
        self.changed.notify_all();
    }

    pub fn is_flushing(&self) -> bool {
        self.lock().flushing
    }

    /// For [`Gate::wait_since`]. An `unlock()` that is yet to be taken back is still to come.
    pub fn unlocks(&self) -> u64 {
        let state = self.lock();
        state.unlocks - u64::from(state.flushing)
    }

    /// Waits until `unlock()` has been taken back.
    pub fn wait_until_open(&self) {
        let state = self.lock();
        drop(
            self.changed
                .wait_while(state, |state| state.flushing)
                .unwrap_or_else(PoisonError::into_inner),
        );
    }

    /// To be called after what `poll` looks at has changed, without holding its lock.
    pub fn wake(&self) {
        // Taken so that the change cannot fall between a waiter's look and its sleep.
        let waiting = self.lock().waiting;
        if waiting > 0 {
            self.changed.notify_all();
        }
    }

    /// Waits until `poll` has something, for `limit` at most (`None`: as long as it takes).
    /// `poll` may lock what producers lock before they call [`Gate::wake`].
    pub fn wait<T>(&self, limit: Option<Duration>, poll: impl FnMut() -> Option<T>) -> Wait<T> {
        self.wait_unless(|state| state.flushing, limit, poll)
    }

    /// The same for who must not miss an `unlock()` that is taken back before they look: ends if
    /// there was one since [`Gate::unlocks`] gave this number.
    pub fn wait_since<T>(
        &self,
        unlocks: u64,
        limit: Option<Duration>,
        poll: impl FnMut() -> Option<T>,
    ) -> Wait<T> {
        let ended = |state: &State| state.flushing || state.unlocks != unlocks;
        self.wait_unless(ended, limit, poll)
    }

    fn wait_unless<T>(
        &self,
        ended: impl Fn(&State) -> bool,
        limit: Option<Duration>,
        mut poll: impl FnMut() -> Option<T>,
    ) -> Wait<T> {
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        let mut state = self.lock();
        loop {
            if ended(&state) {
                return Wait::Flushing;
            }
            if let Some(ready) = poll() {
                return Wait::Ready(ready);
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Wait::TimedOut;
            }
            state.waiting += 1;
            state = match left {
                None => self
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(left) => {
                    self.changed
                        .wait_timeout(state, left)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
            state.waiting -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::thread;

    #[test]
    fn an_unlock_that_comes_first_wins() {
        let gate = Gate::default();
        gate.set_flushing(true);
        assert_eq!(gate.wait(None, || Some(1)), Wait::Flushing);
        gate.set_flushing(false);
        gate.wait_until_open();
        assert_eq!(gate.wait(None, || Some(1)), Wait::Ready(1));
    }

    #[test]
    fn an_unlock_that_was_taken_back_is_not_missed() {
        let gate = Gate::default();
        let before = gate.unlocks();
        let limit = Some(Duration::from_millis(1));
        assert_eq!(
            gate.wait_since(before, limit, || None::<()>),
            Wait::TimedOut
        );
        gate.set_flushing(true);
        gate.set_flushing(false);
        assert_eq!(gate.wait(limit, || None::<()>), Wait::TimedOut);
        assert_eq!(gate.wait_since(before, None, || None::<()>), Wait::Flushing);
        let ready = gate.wait_since(gate.unlocks(), None, || Some(1));
        assert_eq!(ready, Wait::Ready(1));
        // Nor one that came before and was taken back in between.
        gate.set_flushing(true);
        let before = gate.unlocks();
        gate.set_flushing(false);
        assert_eq!(gate.wait_since(before, None, || None::<()>), Wait::Flushing);
    }

    #[test]
    fn a_wait_ends_by_limit_by_unlock_and_by_news() {
        let gate = Arc::new(Gate::default());
        let limit = Some(Duration::from_millis(1));
        assert_eq!(gate.wait(limit, || None::<()>), Wait::TimedOut);

        let value = Arc::new(AtomicU32::new(0));
        let producer = thread::spawn({
            let (gate, value) = (gate.clone(), value.clone());
            move || {
                value.store(7, Ordering::SeqCst);
                gate.wake();
            }
        });
        let poll = || Some(value.load(Ordering::SeqCst)).filter(|v| *v != 0);
        assert_eq!(gate.wait(None, poll), Wait::Ready(7));
        producer.join().unwrap();

        let unlocker = thread::spawn({
            let gate = gate.clone();
            move || gate.set_flushing(true)
        });
        assert_eq!(gate.wait(None, || None::<()>), Wait::Flushing);
        unlocker.join().unwrap();
    }
}
