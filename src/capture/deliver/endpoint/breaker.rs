// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Leaves a server alone that does not answer: pure, with the time passed in.

use std::time::{Duration, Instant};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// Every post is tried.
    Closed = 0,
    /// None is.
    Open = 1,
    /// One is, and what becomes of it decides.
    HalfOpen = 2,
}

impl Phase {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        }
    }

    /// Of its number.
    pub fn of(number: u8) -> Self {
        match number {
            1 => Self::Open,
            2 => Self::HalfOpen,
            _ => Self::Closed,
        }
    }
}

/// Opens after so many attempts that failed in a row, and lets one through when its time is over.
#[derive(Debug)]
pub struct Breaker {
    /// 0: never opens.
    threshold: u32,
    timeout: Duration,
    failures: u32,
    phase: Phase,
    /// While it is open.
    until: Option<Instant>,
}

impl Breaker {
    pub fn new(threshold: u32, timeout: Duration) -> Self {
        Self {
            threshold,
            timeout,
            failures: 0,
            phase: Phase::Closed,
            until: None,
        }
    }

    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Attempts that failed in a row.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// When an open one lets an attempt through.
    pub fn until(&self) -> Option<Instant> {
        self.until
    }

    /// Whether an attempt may be made now, which may half-open it.
    pub fn permits(&mut self, now: Instant) -> bool {
        if self.phase == Phase::Open && self.until.is_some_and(|until| now >= until) {
            self.phase = Phase::HalfOpen;
            self.until = None;
        }
        self.phase != Phase::Open
    }

    /// The server answered.
    pub fn succeeded(&mut self) {
        self.failures = 0;
        self.phase = Phase::Closed;
        self.until = None;
    }

    /// An attempt failed, and the server may have asked for some time.
    pub fn failed(&mut self, now: Instant, asked: Option<Duration>) {
        self.failures = self.failures.saturating_add(1);
        let is_enough = self.threshold > 0 && self.failures >= self.threshold;
        if is_enough || self.phase == Phase::HalfOpen {
            self.phase = Phase::Open;
            let rest = self.timeout.max(asked.unwrap_or_default());
            // For good, where no clock reaches so far.
            self.until = now.checked_add(rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn it_opens_half_opens_and_closes() {
        let start = Instant::now();
        let at = |seconds: u32| start + SECOND * seconds;
        let mut breaker = Breaker::new(3, 60 * SECOND);
        for second in 0..2 {
            assert!(breaker.permits(at(second)));
            breaker.failed(at(second), None);
            assert_eq!(breaker.phase(), Phase::Closed);
        }
        breaker.failed(at(2), None);
        assert_eq!((breaker.phase(), breaker.failures()), (Phase::Open, 3));
        assert_eq!(breaker.until(), Some(at(62)));
        assert!(!breaker.permits(at(2)));
        assert!(!breaker.permits(at(61)));
        assert!(breaker.permits(at(62)));
        assert_eq!((breaker.phase(), breaker.until()), (Phase::HalfOpen, None));
        // The one that was let through fails: the same again, at once.
        breaker.failed(at(63), None);
        assert_eq!(breaker.phase(), Phase::Open);
        assert!(!breaker.permits(at(122)));
        assert!(breaker.permits(at(123)));
        breaker.succeeded();
        assert_eq!((breaker.phase(), breaker.failures()), (Phase::Closed, 0));
        assert!(breaker.permits(at(123)));
    }

    #[test]
    fn only_failures_in_a_row_count() {
        let now = Instant::now();
        let mut breaker = Breaker::new(2, SECOND);
        for _ in 0..10 {
            breaker.failed(now, None);
            breaker.succeeded();
        }
        assert_eq!(breaker.phase(), Phase::Closed);
        breaker.failed(now, None);
        breaker.failed(now, None);
        assert_eq!(breaker.phase(), Phase::Open);
    }

    #[test]
    fn a_threshold_of_0_never_opens() {
        let now = Instant::now();
        let mut breaker = Breaker::new(0, SECOND);
        (0..100).for_each(|_| breaker.failed(now, None));
        assert_eq!(
            (breaker.phase(), breaker.permits(now)),
            (Phase::Closed, true)
        );
    }

    #[test]
    fn a_server_may_ask_for_more_time_and_not_for_less() {
        let start = Instant::now();
        for (asked, expected) in [(1, 60), (600, 600)] {
            let mut breaker = Breaker::new(1, 60 * SECOND);
            breaker.failed(start, Some(asked * SECOND));
            assert_eq!(breaker.until(), Some(start + expected * SECOND));
        }
    }

    #[test]
    fn phases_have_stable_names_and_numbers() {
        for phase in [Phase::Closed, Phase::Open, Phase::HalfOpen] {
            assert_eq!(Phase::of(phase as u8), phase);
        }
        assert_eq!(Phase::HalfOpen.as_str(), "half-open");
    }
}
