// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Posts that wait in memory, and what is held of them: pure but for the tickets they settle.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use crate::capture::stats::{Fate, Ticket};

use super::request::Post;

/// From the best to the worst: a frame ends as its worst post does.
const FATES: [Fate; 4] = [
    Fate::Captured,
    Fate::DroppedOverflow,
    Fate::DroppedTimeout,
    Fate::Failed,
];

/// A frame whose posts are on their way. Settles its ticket with the last of them.
#[derive(Debug)]
pub struct Slip {
    /// Absent where the frame is captured already, as a file or log line.
    ticket: Option<Arc<Ticket>>,
    worst: AtomicU8,
    /// Posts that nothing is said of.
    unsaid: AtomicUsize,
}

impl Slip {
    pub fn new(ticket: Option<Arc<Ticket>>, posts: usize) -> Arc<Self> {
        Arc::new(Self {
            ticket,
            worst: AtomicU8::new(0),
            unsaid: AtomicUsize::new(posts),
        })
    }

    /// A post of the frame ended so.
    pub fn say(&self, fate: Fate) {
        let gravity = FATES.iter().position(|it| *it == fate);
        let gravity = gravity.unwrap_or(FATES.len() - 1);
        self.worst.fetch_max(gravity as u8, Ordering::AcqRel);
        let less = |unsaid: usize| unsaid.checked_sub(1);
        let _ = self
            .unsaid
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
    }
}

impl Drop for Slip {
    fn drop(&mut self) {
        if let Some(ticket) = &self.ticket {
            let worst = usize::from(self.worst.load(Ordering::Acquire));
            // One that went without a word did not arrive.
            let is_whole = self.unsaid.load(Ordering::Acquire) == 0;
            let fate = if is_whole { FATES[worst] } else { Fate::Failed };
            ticket.settle_one(fate);
        }
    }
}

/// A post with its place among all others.
#[derive(Debug, Clone)]
pub struct Entry {
    pub number: u64,
    pub post: Arc<Post>,
    pub slip: Arc<Slip>,
}

/// Jobs, each with its posts that are not sent, in the order of their numbers. A job is dropped
/// whole, or not at all.
#[derive(Debug, Default)]
pub struct Queue {
    jobs: VecDeque<VecDeque<Entry>>,
    posts: usize,
    /// Some posts of the first job are sent, so that it cannot be dropped whole.
    is_begun: bool,
}

impl Queue {
    pub fn push(&mut self, job: VecDeque<Entry>) {
        if !job.is_empty() {
            self.posts += job.len();
            self.jobs.push_back(job);
        }
    }

    pub fn posts(&self) -> usize {
        self.posts
    }

    pub fn jobs(&self) -> usize {
        self.jobs.len()
    }

    pub fn first(&self) -> Option<&Entry> {
        self.jobs.front()?.front()
    }

    /// Those that nobody is at; `current` is being sent.
    pub fn idle_jobs(&self, current: Option<u64>) -> usize {
        self.jobs.len() - usize::from(self.is_first_at_work(current))
    }

    fn is_first_at_work(&self, current: Option<u64>) -> bool {
        let is_current = |first: &Entry| Some(first.number) == current;
        self.is_begun || self.first().is_some_and(is_current)
    }

    /// Takes the oldest job that nobody is at.
    pub fn pop_idle(&mut self, current: Option<u64>) -> Option<VecDeque<Entry>> {
        let at = usize::from(self.is_first_at_work(current));
        let job = self.jobs.remove(at)?;
        self.posts -= job.len();
        Some(job)
    }

    /// The first with a higher number; of all without one.
    pub fn after(&self, number: Option<u64>) -> Option<&Entry> {
        let mut entries = self.jobs.iter().flatten();
        entries.find(|entry| number.is_none_or(|number| entry.number > number))
    }

    /// Takes the post with this number.
    pub fn pop(&mut self, number: u64) -> Option<Entry> {
        let is_it = |entry: &Entry| entry.number == number;
        let at = self.jobs.iter().position(|job| job.iter().any(is_it))?;
        let job = &mut self.jobs[at];
        let entry = job.remove(job.iter().position(is_it)?);
        let is_empty = job.is_empty();
        if at == 0 {
            self.is_begun = !is_empty;
        }
        if is_empty {
            self.jobs.remove(at);
        }
        self.posts -= 1;
        entry
    }

    /// Takes all posts.
    pub fn drain(&mut self) -> Vec<Entry> {
        self.posts = 0;
        self.is_begun = false;
        std::mem::take(&mut self.jobs)
            .into_iter()
            .flatten()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::stats::{Hold, Stats};

    fn job(numbers: std::ops::Range<u64>, slip: &Arc<Slip>) -> VecDeque<Entry> {
        let entry = |number| Entry {
            number,
            post: Arc::new(Post {
                key: number.to_string(),
                content_type: None,
                headers: Vec::new(),
                body: Vec::new().into(),
            }),
            slip: slip.clone(),
        };
        numbers.map(entry).collect()
    }

    #[test]
    fn jobs_are_sent_post_by_post_and_dropped_whole() {
        let slip = Slip::new(None, 6);
        let mut queue = Queue::default();
        queue.push(VecDeque::new());
        for numbers in [0..2, 2..3, 3..6] {
            queue.push(job(numbers, &slip));
        }
        assert_eq!((queue.jobs(), queue.posts()), (3, 6));
        assert!(queue.pop(6).is_none());
        assert_eq!(queue.pop(0).map(|entry| entry.number), Some(0));
        // What is being sent is not dropped.
        assert_eq!(queue.idle_jobs(Some(1)), 2);
        let dropped = queue.pop_idle(Some(1)).unwrap();
        assert_eq!((dropped.len(), dropped[0].number), (1, 2));
        // Nor is what is sent in part, between two attempts.
        assert_eq!(queue.idle_jobs(None), 1);
        queue.push(job(6..7, &slip));
        assert_eq!(queue.pop_idle(None).unwrap().len(), 3);
        assert_eq!(queue.pop(1).map(|entry| entry.number), Some(1));
        assert_eq!((queue.jobs(), queue.idle_jobs(None)), (1, 1));
        queue.push(job(7..9, &slip));
        assert_eq!(queue.pop_idle(None).unwrap()[0].number, 6);
        assert_eq!((queue.jobs(), queue.posts()), (1, 2));
        assert_eq!(queue.pop(7).map(|entry| entry.number), Some(7));
        assert_eq!(queue.drain().len(), 1);
        assert_eq!((queue.jobs(), queue.posts()), (0, 0));
        assert!(queue.pop_idle(None).is_none() && queue.first().is_none());
    }

    #[test]
    fn a_post_can_be_taken_from_behind_others() {
        let slip = Slip::new(None, 4);
        let mut queue = Queue::default();
        queue.push(job(0..2, &slip));
        queue.push(job(2..4, &slip));
        let after = |queue: &Queue, number| queue.after(number).map(|entry| entry.number);
        assert_eq!(after(&queue, None), Some(0));
        assert_eq!(after(&queue, Some(1)), Some(2));
        assert_eq!(queue.pop(2).map(|entry| entry.number), Some(2));
        assert_eq!(after(&queue, Some(1)), Some(3));
        assert_eq!(queue.pop(3).map(|entry| entry.number), Some(3));
        assert_eq!((queue.jobs(), queue.posts()), (1, 2));
        assert_eq!(after(&queue, Some(1)), None);
        // Nothing of the first is taken yet.
        assert_eq!(queue.idle_jobs(None), 1);
    }

    #[test]
    fn a_frame_ends_as_its_worst_post() {
        let stats = Stats::default();
        let settled = |fates: &[Fate]| {
            let ticket = Arc::new(Ticket::new([Hold::new(&stats.stream(0))]));
            let slip = Slip::new(Some(ticket.clone()), fates.len());
            let copies: Vec<_> = fates.iter().map(|fate| (slip.clone(), *fate)).collect();
            drop(slip);
            for (slip, fate) in copies {
                assert!(!ticket.is_settled());
                slip.say(fate);
            }
            assert!(ticket.is_settled());
        };
        settled(&[Fate::Captured, Fate::Captured]);
        settled(&[Fate::Captured, Fate::DroppedOverflow, Fate::Captured]);
        settled(&[Fate::Failed, Fate::DroppedTimeout]);
        let total = stats.total();
        assert_eq!(
            (total.captured, total.failed, total.dropped_overflow),
            (1, 1, 1)
        );
    }

    #[test]
    fn a_frame_that_goes_without_a_word_failed() {
        let stats = Stats::default();
        for said in 0..2 {
            let ticket = Arc::new(Ticket::new([Hold::new(&stats.stream(0))]));
            let slip = Slip::new(Some(ticket), 2);
            (0..said).for_each(|_| slip.say(Fate::Captured));
            drop(slip);
        }
        let total = stats.total();
        assert_eq!((total.captured, total.failed), (0, 2));
    }
}
