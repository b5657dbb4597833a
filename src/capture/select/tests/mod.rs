// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

mod best;
mod book;
mod filter;
mod interval;
mod metadata;
mod rolls;

use std::cell::RefCell;
use std::num::NonZeroU64;
use std::rc::Rc;
use std::sync::Arc;

use crate::meta::{Bounds, Label};

use super::*;

const MS: u64 = 1_000_000;

fn some(n: u64) -> NonZeroU64 {
    NonZeroU64::new(n).unwrap()
}

fn frames(n: u64) -> Every {
    Every::Frames(some(n))
}

fn rules(when: When) -> Rules {
    Rules {
        when,
        ..Rules::default()
    }
}

fn frame(stream: u32, time: u64) -> FrameFacts<'static> {
    FrameFacts {
        stream,
        frame: 0,
        time,
        damaged: false,
        size: (1920, 1080),
        detections: &[],
    }
}

fn with(time: u64, detections: &[Detection]) -> FrameFacts<'_> {
    FrameFacts {
        detections,
        ..frame(0, time)
    }
}

fn object(label: &str) -> Detection {
    Detection {
        label: Label::new(label),
        bounds: Bounds {
            left: 100.0,
            top: 100.0,
            width: 10.0,
            height: 10.0,
        },
        ..Detection::default()
    }
}

fn tracked(track: u64, confidence: f32) -> Detection {
    Detection {
        track_id: Some(track),
        confidence: Some(confidence),
        ..object("person")
    }
}

/// What became of one frame that was held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Held,
    Dropped,
    Taken,
}

/// The fates of all frames, and the bytes that are held at the moment.
#[derive(Debug, Default)]
struct Fates {
    fates: BTreeMap<u64, Fate>,
    bytes: u64,
    most: u64,
}

/// A frame that is held, known by its number.
#[derive(Debug)]
struct Token {
    number: u64,
    bytes: u64,
    fates: Rc<RefCell<Fates>>,
}

impl Token {
    fn new(number: u64, bytes: u64, fates: &Rc<RefCell<Fates>>) -> Self {
        let mut all = fates.borrow_mut();
        assert_eq!(all.fates.insert(number, Fate::Held), None, "held twice");
        all.bytes += bytes;
        Self {
            number,
            bytes,
            fates: fates.clone(),
        }
    }

    /// By the caller.
    fn take(self) -> u64 {
        self.fates
            .borrow_mut()
            .fates
            .insert(self.number, Fate::Taken);
        self.number
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        let mut all = self.fates.borrow_mut();
        all.bytes -= self.bytes;
        let fate = all.fates.get_mut(&self.number).unwrap();
        if *fate == Fate::Held {
            *fate = Fate::Dropped;
        }
    }
}

/// One frame that was captured.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Capture {
    number: u64,
    reason: Reason,
    matches: Vec<usize>,
}

/// Does what the caller of a selector has to do. Frames are numbered in the order they come in.
struct Caller {
    selector: Selector<Token>,
    fates: Rc<RefCell<Fates>>,
    next: u64,
    captures: Vec<Capture>,
}

impl Caller {
    fn new(rules: impl Into<RuleBook>) -> Self {
        Self {
            selector: Selector::new(rules),
            fates: Rc::default(),
            next: 0,
            captures: Vec::new(),
        }
    }

    fn frame(&mut self, facts: &FrameFacts<'_>) -> Decision {
        self.frame_of(facts, Some(1))
    }

    /// Of so many bytes; `None` cannot be held.
    fn frame_of(&mut self, facts: &FrameFacts<'_>, bytes: Option<u64>) -> Decision {
        let number = self.next;
        self.next += 1;
        self.selector.begin([facts.stream]);
        let decision = self.selector.decide(facts);
        match &decision {
            Decision::Skip => {}
            Decision::Hold => {
                if let Some(bytes) = bytes {
                    let token = Token::new(number, bytes, &self.fates);
                    self.selector.hold(facts.stream, token, bytes);
                }
            }
            Decision::Take(reason) => {
                for token in self.selector.pre_roll(facts.stream) {
                    self.captures.push(Capture {
                        number: token.take(),
                        reason: Reason::Pre,
                        matches: Vec::new(),
                    });
                }
                self.captures.push(Capture {
                    number,
                    reason: *reason,
                    matches: self.selector.matches(facts),
                });
            }
        }
        {
            let mut fates = self.fates.borrow_mut();
            fates.most = fates.most.max(fates.bytes);
        }
        self.fetch();
        decision
    }

    fn fetch(&mut self) {
        for best in self.selector.ready() {
            self.captures.push(Capture {
                number: best.frame.take(),
                reason: Reason::Best,
                matches: best.matches,
            });
        }
    }

    fn end(&mut self) {
        self.selector.end();
        self.fetch();
    }

    fn numbers(&self) -> Vec<u64> {
        self.captures.iter().map(|capture| capture.number).collect()
    }

    fn of(&self, reason: Reason) -> Vec<u64> {
        let captures = self.captures.iter();
        captures
            .filter(|capture| capture.reason == reason)
            .map(|capture| capture.number)
            .collect()
    }

    /// No frame was captured twice, and each that was held is taken or dropped now.
    fn assert_settled(&mut self) {
        let mut numbers = self.numbers();
        numbers.sort_unstable();
        let all = numbers.len();
        numbers.dedup();
        assert_eq!(numbers.len(), all, "captured twice: {:?}", self.captures);
        self.end();
        assert_eq!(self.selector.budget.used(), 0);
        let fates = self.fates.borrow();
        assert_eq!(fates.bytes, 0);
        for (number, fate) in &fates.fates {
            assert_ne!(*fate, Fate::Held, "frame {number}");
        }
    }
}
