// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The bounded queue between the streaming thread and the encoders: jobs are done in parallel and
//! committed one by one, in the order in which they were submitted.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::gate::Gate;

use super::stats::{Fate, Ticket};

/// How long a thread may take to notice that it is to end.
const STUCK: Duration = Duration::from_secs(1);

/// What the threads do. `work` and `commit` may block and may panic.
pub trait Process: Send + Sync + 'static {
    type Job: Send + 'static;
    type Done: Send + 'static;
    /// What a thread keeps from job to job: encoders, converters, memory.
    type Scratch;

    fn scratch(&self) -> Self::Scratch;

    fn ticket<'a>(&self, job: &'a Self::Job) -> &'a Arc<Ticket>;

    /// Runs in parallel. Should let go of the pixels.
    fn work(&self, scratch: &mut Self::Scratch, job: &mut Self::Job) -> Self::Done;

    /// Runs in order, never twice at a time. `None`: `work` panicked. Settles the ticket.
    fn commit(&self, job: Self::Job, done: Option<Self::Done>);

    /// What was committed and still takes up room. Asked with the queue locked.
    fn held(&self) -> usize {
        0
    }

    /// After each commit, with nothing locked; `left` jobs are not committed yet.
    fn committed(&self, left: usize);
}

enum Slot<P: Process> {
    /// In the queue, or being worked on.
    Open(Arc<Ticket>),
    Ready(P::Job, Option<P::Done>),
}

struct State<P: Process> {
    waiting: VecDeque<(u64, P::Job)>,
    /// Everything submitted and not committed, by number.
    open: BTreeMap<u64, Slot<P>>,
    committing: Option<Arc<Ticket>>,
    /// The one that is being committed was abandoned: it is not waited for.
    given_up: bool,
    /// Jobs were abandoned, and nothing was committed since: the disk does not answer.
    silent: bool,
    /// Results nobody wants any more. Letting go of one may touch the disk, so a thread does it.
    unwanted: Vec<P::Done>,
    next: u64,
    stopping: bool,
    running: usize,
}

struct Shared<P: Process> {
    process: P,
    state: Mutex<State<P>>,
    work: Condvar,
    gate: Arc<Gate>,
    /// Jobs accepted and not committed, at most.
    bound: usize,
}

/// Threads that encode, and the queue before them.
pub struct Worker<P: Process> {
    shared: Arc<Shared<P>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl<P: Process> Shared<P> {
    fn state(&self) -> MutexGuard<'_, State<P>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_room(&self, state: &State<P>) -> bool {
        state.uncommitted() + self.process.held() < self.bound
    }

    fn run(&self) {
        let mut scratch = self.process.scratch();
        loop {
            let (unwanted, next) = {
                let mut state = self.state();
                loop {
                    let unwanted = std::mem::take(&mut state.unwanted);
                    let next = state.waiting.pop_front();
                    if next.is_some() || !unwanted.is_empty() {
                        break (unwanted, next);
                    }
                    if state.stopping {
                        state.running -= 1;
                        drop(state);
                        self.work.notify_all();
                        return;
                    }
                    state = self
                        .work
                        .wait(state)
                        .unwrap_or_else(PoisonError::into_inner);
                }
            };
            drop(unwanted);
            let Some((number, mut job)) = next else {
                continue;
            };
            let done = catch_unwind(AssertUnwindSafe(|| {
                self.process.work(&mut scratch, &mut job)
            }));
            if done.is_err() {
                // Whatever it was left in.
                scratch = self.process.scratch();
            }
            // Gone if `abandon` was called meanwhile.
            if let Some(slot) = self.state().open.get_mut(&number) {
                *slot = Slot::Ready(job, done.ok());
            }
            self.commit_ready();
        }
    }

    /// Commits what is ready, from the oldest on, unless another thread is at it.
    fn commit_ready(&self) {
        loop {
            let (job, done) = {
                let mut state = self.state();
                if state.committing.is_some() {
                    return;
                }
                let Some(oldest) = state.open.first_entry() else {
                    return;
                };
                if matches!(oldest.get(), Slot::Open(_)) {
                    return;
                }
                let Slot::Ready(job, done) = oldest.remove() else {
                    return;
                };
                state.committing = Some(self.process.ticket(&job).clone());
                (job, done)
            };
            // A panic here must not leave `committing` set; the ticket settles itself when dropped.
            let _ = catch_unwind(AssertUnwindSafe(|| self.process.commit(job, done)));
            let left = {
                let mut state = self.state();
                state.committing = None;
                state.given_up = false;
                state.silent = false;
                state.uncommitted()
            };
            self.gate.wake();
            let _ = catch_unwind(AssertUnwindSafe(|| self.process.committed(left)));
        }
    }
}

impl<P: Process> State<P> {
    fn uncommitted(&self) -> usize {
        self.open.len() + usize::from(self.committing.is_some() && !self.given_up)
    }

    fn pop_oldest(&mut self) -> Option<P::Job> {
        if let Some((number, job)) = self.waiting.pop_front() {
            self.open.remove(&number);
            return Some(job);
        }
        let ready = |slot: &Slot<P>| matches!(slot, Slot::Ready(..));
        let number = *self.open.iter().find(|(_, slot)| ready(slot))?.0;
        let Some(Slot::Ready(job, done)) = self.open.remove(&number) else {
            return None;
        };
        self.unwanted.extend(done);
        Some(job)
    }

    fn push(&mut self, ticket: Arc<Ticket>, job: P::Job) {
        let number = self.next;
        self.next += 1;
        self.open.insert(number, Slot::Open(ticket));
        self.waiting.push_back((number, job));
    }
}

impl<P: Process> Worker<P> {
    /// `queue` jobs may wait besides those that `threads` threads are at. `gate` is woken whenever
    /// a job has been committed.
    pub fn spawn(
        name: &str,
        process: P,
        threads: usize,
        queue: usize,
        gate: Arc<Gate>,
    ) -> std::io::Result<Self> {
        let threads = threads.max(1);
        let worker = Self {
            shared: Arc::new(Shared {
                process,
                state: Mutex::new(State {
                    waiting: VecDeque::new(),
                    open: BTreeMap::new(),
                    committing: None,
                    given_up: false,
                    silent: false,
                    unwanted: Vec::new(),
                    next: 0,
                    stopping: false,
                    running: 0,
                }),
                work: Condvar::new(),
                gate,
                bound: queue.saturating_add(threads),
            }),
            threads: Mutex::default(),
        };
        for index in 0..threads {
            let shared = worker.shared.clone();
            worker.shared.state().running += 1;
            let thread = thread::Builder::new()
                .name(format!("{name}-{index}"))
                .spawn(move || shared.run());
            match thread {
                Ok(thread) => worker.threads().push(thread),
                Err(error) => {
                    worker.shared.state().running -= 1;
                    worker.stop();
                    return Err(error);
                }
            }
        }
        Ok(worker)
    }

    fn threads(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn process(&self) -> &P {
        &self.shared.process
    }

    pub fn has_room(&self) -> bool {
        self.shared.has_room(&self.shared.state())
    }

    /// Jobs accepted and not committed.
    pub fn left(&self) -> usize {
        self.shared.state().uncommitted()
    }

    /// Takes a job whatever the room: for frames that were held already, so that handing them over
    /// needs no more memory.
    pub fn submit_held(&self, job: P::Job) {
        let ticket = self.shared.process.ticket(&job).clone();
        self.shared.state().push(ticket, job);
        self.shared.work.notify_one();
    }

    /// The same for a job that tidies up after all others. Not taken where jobs were given up and
    /// no thread came back since: it would only be waited for once more.
    pub fn submit_last(&self, job: P::Job) {
        if !self.shared.state().silent {
            self.submit_held(job);
        }
    }

    /// Takes the job if there is room, and gives it back if not. Never blocks.
    pub fn submit(&self, job: P::Job) -> Result<(), P::Job> {
        let ticket = self.shared.process.ticket(&job).clone();
        let mut state = self.shared.state();
        if !self.shared.has_room(&state) {
            return Err(job);
        }
        state.push(ticket, job);
        drop(state);
        self.shared.work.notify_one();
        Ok(())
    }

    /// Takes the job in place of the oldest that nobody works on, if there is no room: one that
    /// waits for a thread, or else (commits are what is slow) one that waits to be committed. Gives
    /// back what was dropped: that one, or the new one if all are being worked on.
    pub fn submit_over_oldest(&self, job: P::Job) -> Option<P::Job> {
        let ticket = self.shared.process.ticket(&job).clone();
        let mut state = self.shared.state();
        let mut dropped = None;
        if !self.shared.has_room(&state) {
            let Some(oldest) = state.pop_oldest() else {
                return Some(job);
            };
            dropped = Some(oldest);
        }
        state.push(ticket, job);
        drop(state);
        self.shared.work.notify_one();
        dropped
    }

    /// Gives up what is not committed. Returns how many frames are lost by it.
    pub fn abandon(&self) -> u64 {
        let (waiting, tickets) = {
            let mut state = self.shared.state();
            let mut tickets: Vec<_> = state.committing.iter().cloned().collect();
            state.given_up = !tickets.is_empty();
            for slot in std::mem::take(&mut state.open).into_values() {
                match slot {
                    Slot::Open(ticket) => tickets.push(ticket),
                    Slot::Ready(job, done) => {
                        tickets.push(self.shared.process.ticket(&job).clone());
                        state.unwanted.extend(done);
                    }
                }
            }
            state.silent = true;
            (std::mem::take(&mut state.waiting), tickets)
        };
        let lost = tickets
            .iter()
            .map(|ticket| ticket.settle(Fate::DroppedTimeout))
            .sum();
        drop(waiting);
        self.shared.work.notify_all();
        self.shared.gate.wake();
        lost
    }

    /// Ends the threads; jobs that are still waiting are done first. A thread stuck in a system
    /// call is left to itself: it owns all it touches. Returns how many are.
    pub fn stop(&self) -> usize {
        self.shared.state().stopping = true;
        self.shared.work.notify_all();
        let deadline = Instant::now() + STUCK;
        let mut state = self.shared.state();
        while state.running > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = self
                .shared
                .work
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        let stuck = state.running;
        drop(state);
        let threads = std::mem::take(&mut *self.threads());
        for thread in threads {
            if stuck == 0 {
                // Panics of the work are caught where they happen.
                let _ = thread.join();
            }
        }
        stuck
    }
}

impl<P: Process> Drop for Worker<P> {
    fn drop(&mut self) {
        let running = !self.threads().is_empty();
        if running {
            self.abandon();
            self.stop();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::super::stats::{Hold, Stats};
    use super::*;

    struct Numbers {
        out: Mutex<mpsc::Sender<(u64, bool)>>,
        /// Held by a test to stall every job.
        brake: Arc<Mutex<()>>,
    }

    struct Job {
        number: u64,
        ticket: Arc<Ticket>,
    }

    impl Process for Numbers {
        type Job = Job;
        type Done = u64;
        type Scratch = ();

        fn scratch(&self) {}

        fn ticket<'a>(&self, job: &'a Job) -> &'a Arc<Ticket> {
            &job.ticket
        }

        fn work(&self, (): &mut (), job: &mut Job) -> u64 {
            drop(self.brake.lock());
            thread::sleep(Duration::from_micros((job.number * 7919) % 300));
            assert_ne!(job.number, 13, "the unlucky one");
            job.number
        }

        fn commit(&self, job: Job, done: Option<u64>) {
            let fate = done.map_or(Fate::Failed, |_| Fate::Captured);
            if job.ticket.settle_one(fate) {
                let _ = self.out.lock().unwrap().send((job.number, done.is_some()));
            }
        }

        fn committed(&self, _left: usize) {}
    }

    struct Rig {
        worker: Worker<Numbers>,
        gate: Arc<Gate>,
        stats: Stats,
        out: mpsc::Receiver<(u64, bool)>,
        brake: Arc<Mutex<()>>,
    }

    impl Rig {
        fn new(threads: usize, queue: usize) -> Self {
            let (sender, out) = mpsc::channel();
            let gate = Arc::<Gate>::default();
            let brake = Arc::<Mutex<()>>::default();
            let process = Numbers {
                out: Mutex::new(sender),
                brake: brake.clone(),
            };
            Self {
                worker: Worker::spawn("test", process, threads, queue, gate.clone()).unwrap(),
                gate,
                stats: Stats::default(),
                out,
                brake,
            }
        }

        fn job(&self, number: u64) -> Job {
            Job {
                number,
                ticket: Arc::new(Ticket::new([Hold::new(&self.stats.stream(0))])),
            }
        }

        fn drain(&self) {
            self.gate
                .wait(None, || (self.worker.left() == 0).then_some(()));
        }
    }

    #[test]
    fn commits_come_in_order_and_a_panic_costs_one() {
        let rig = Rig::new(4, 8);
        for number in 0..300 {
            let mut job = rig.job(number);
            while let Err(back) = rig.worker.submit(job) {
                job = back;
                rig.gate.wait(None, || rig.worker.has_room().then_some(()));
            }
        }
        rig.drain();
        let got: Vec<_> = rig.out.try_iter().collect();
        let want: Vec<_> = (0..300).map(|n| (n, n != 13)).collect();
        assert_eq!(got, want);
        let counts = rig.stats.total();
        assert_eq!(
            (counts.captured, counts.failed, counts.pending),
            (299, 1, 0)
        );
    }

    #[test]
    fn the_bound_holds_and_the_oldest_gives_way() {
        let rig = Rig::new(2, 3);
        let brake = rig.brake.clone();
        let held = brake.lock().unwrap();
        for number in 0..5 {
            assert!(rig.worker.submit(rig.job(number)).is_ok());
        }
        assert!(!rig.worker.has_room());
        // Until both threads have taken a job, so that 2 is the oldest in the queue.
        while rig.worker.shared.state().waiting.len() > 3 {
            thread::yield_now();
        }
        assert_eq!(rig.worker.submit(rig.job(5)).unwrap_err().number, 5);
        for (new, old) in [(6, 2), (7, 3), (8, 4), (9, 6)] {
            let dropped = rig.worker.submit_over_oldest(rig.job(new)).unwrap();
            assert_eq!(dropped.number, old);
        }
        drop(held);
        rig.drain();
        let got: Vec<_> = rig.out.try_iter().map(|(number, _)| number).collect();
        assert_eq!(got, [0, 1, 7, 8, 9]);
        assert_eq!(rig.worker.stop(), 0);
    }

    #[test]
    fn what_is_abandoned_is_counted_once_and_not_committed() {
        let rig = Rig::new(2, 3);
        let brake = rig.brake.clone();
        let held = brake.lock().unwrap();
        for number in 0..5 {
            assert!(rig.worker.submit(rig.job(number)).is_ok());
        }
        while rig.worker.shared.state().waiting.len() > 3 {
            thread::yield_now();
        }
        assert_eq!(rig.worker.abandon(), 5);
        assert_eq!(rig.worker.left(), 0);
        assert_eq!(rig.worker.stop(), 2, "both threads hang in their job");
        drop(held);
        drop(rig.worker);
        let counts = rig.stats.total();
        assert_eq!((counts.dropped_timeout, counts.pending), (5, 0));
        assert_eq!(rig.out.try_iter().count(), 0);
    }
}
