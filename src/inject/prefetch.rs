// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Work done ahead: jobs are drawn one after another, done in parallel and handed out in order.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::gate::{Gate, Wait};

/// How long a thread may take to notice that it is to end.
const STUCK: Duration = Duration::from_secs(1);

/// Draws the next job. Called by one thread at a time; it may block (a pipe), but must return when
/// the `cancel` of [`Prefetch::spawn`] was called. `None` ends the sequence.
pub type Feed<J> = Box<dyn FnMut() -> Option<J> + Send>;

/// Does one job. Every thread has a worker of its own, so decoders and converters can be reused.
pub trait Work<J, T>: Send {
    fn work(&mut self, job: J) -> T;
}

struct State<T> {
    /// Number of the next job to be drawn.
    drawn: u64,
    /// Number of the next result to be handed out.
    taken: u64,
    done: BTreeMap<u64, T>,
    ended: bool,
    stopping: bool,
    running: usize,
}

struct Shared<J, T> {
    state: Mutex<State<T>>,
    room: Condvar,
    feed: Mutex<Feed<J>>,
    gate: Arc<Gate>,
    bound: u64,
    /// What is handed out for a job whose worker panicked.
    broken: fn() -> T,
}

impl<J, T> Shared<J, T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next job with its number, once there is room for its result.
    fn draw(&self) -> Option<(u64, J)> {
        // Held while drawing: jobs are numbered in the order in which they come.
        let mut feed = self.feed.lock().unwrap_or_else(PoisonError::into_inner);
        let number = {
            let mut state = self.state();
            while !state.stopping && !state.ended && state.drawn - state.taken >= self.bound {
                state = self
                    .room
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            if state.stopping || state.ended {
                return None;
            }
            state.drawn
        };
        let job = catch_unwind(AssertUnwindSafe(&mut *feed)).unwrap_or_default();
        let mut state = self.state();
        match job {
            Some(job) => {
                state.drawn += 1;
                Some((number, job))
            }
            None => {
                state.ended = true;
                drop(state);
                self.room.notify_all();
                self.gate.wake();
                None
            }
        }
    }

    fn run(&self, mut worker: Box<dyn Work<J, T>>) {
        while let Some((number, job)) = self.draw() {
            let result = catch_unwind(AssertUnwindSafe(|| worker.work(job)))
                .unwrap_or_else(|_| (self.broken)());
            self.state().done.insert(number, result);
            self.gate.wake();
        }
        self.state().running -= 1;
        self.room.notify_all();
    }
}

/// Threads that work ahead of the streaming thread by `bound` results at most.
pub struct Prefetch<J, T> {
    shared: Arc<Shared<J, T>>,
    cancel: Box<dyn Fn() + Send>,
    threads: Vec<JoinHandle<()>>,
}

impl<J: Send + 'static, T: Send + 'static> Prefetch<J, T> {
    /// `cancel` ends a `feed` that blocks; it is called once, before the threads are joined.
    pub fn spawn(
        name: &str,
        gate: Arc<Gate>,
        bound: usize,
        feed: Feed<J>,
        workers: Vec<Box<dyn Work<J, T>>>,
        broken: fn() -> T,
        cancel: Box<dyn Fn() + Send>,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                drawn: 0,
                taken: 0,
                done: BTreeMap::new(),
                ended: false,
                stopping: false,
                running: workers.len(),
            }),
            room: Condvar::new(),
            feed: Mutex::new(feed),
            gate,
            bound: bound.max(1) as u64,
            broken,
        });
        let mut prefetch = Self {
            shared,
            cancel,
            threads: Vec::new(),
        };
        for (index, worker) in workers.into_iter().enumerate() {
            let shared = prefetch.shared.clone();
            let thread = thread::Builder::new()
                .name(format!("{name}-{index}"))
                .spawn(move || shared.run(worker))?;
            prefetch.threads.push(thread);
        }
        Ok(prefetch)
    }

    /// The next result in order; `Ready(None)` after the last.
    pub fn next(&self, limit: Option<Duration>) -> Wait<Option<T>> {
        let got = self.shared.gate.wait(limit, || {
            let mut state = self.shared.state();
            let number = state.taken;
            if let Some(result) = state.done.remove(&number) {
                state.taken += 1;
                return Some(Some(result));
            }
            (state.ended && state.taken == state.drawn).then_some(None)
        });
        if matches!(got, Wait::Ready(Some(_))) {
            self.shared.room.notify_all();
        }
        got
    }
}

impl<J, T> Drop for Prefetch<J, T> {
    fn drop(&mut self) {
        self.shared.state().stopping = true;
        self.shared.room.notify_all();
        (self.cancel)();
        let (state, _) = self
            .shared
            .room
            .wait_timeout_while(self.shared.state(), STUCK, |state| state.running > 0)
            .unwrap_or_else(PoisonError::into_inner);
        let stuck = state.running;
        drop(state);
        if stuck > 0 {
            // In a system call that does not return: the thread owns all it touches.
            gst::warning!(
                gst::CAT_RUST,
                "{stuck} reading threads are stuck, left to themselves"
            );
            return;
        }
        for thread in self.threads.drain(..) {
            // The threads catch panics of their workers; nothing is lost with the result.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    struct Jitter;

    impl Work<u64, u64> for Jitter {
        fn work(&mut self, job: u64) -> u64 {
            // Later jobs finish first, so that the order is put to the test.
            thread::sleep(Duration::from_micros((job * 7919) % 300));
            assert_ne!(job, 13, "the unlucky one");
            job
        }
    }

    fn spawn(frames: u64, bound: usize, drawn: Arc<AtomicU64>) -> Prefetch<u64, u64> {
        let mut next = 0;
        let feed = Box::new(move || {
            (next < frames).then(|| {
                next += 1;
                drawn.fetch_add(1, Ordering::SeqCst);
                next - 1
            })
        });
        let workers = (0..4)
            .map(|_| Box::new(Jitter) as Box<dyn Work<u64, u64>>)
            .collect();
        Prefetch::spawn(
            "test",
            Arc::new(Gate::default()),
            bound,
            feed,
            workers,
            || u64::MAX,
            Box::new(|| ()),
        )
        .unwrap()
    }

    #[test]
    fn results_come_in_order_and_a_panic_costs_one() {
        let prefetch = spawn(500, 8, Default::default());
        for n in 0..500 {
            let want = if n == 13 { u64::MAX } else { n };
            assert_eq!(prefetch.next(None), Wait::Ready(Some(want)));
        }
        assert_eq!(prefetch.next(None), Wait::Ready(None));
        assert_eq!(prefetch.next(None), Wait::Ready(None));
    }

    #[test]
    fn never_works_further_ahead_than_the_bound() {
        let drawn = Arc::new(AtomicU64::new(0));
        let prefetch = spawn(500, 3, drawn.clone());
        for n in 0..12 {
            assert!(drawn.load(Ordering::SeqCst) <= n + 3);
            prefetch.next(None);
        }
        // Dropped with jobs left: the threads end.
        drop(prefetch);
    }
}
