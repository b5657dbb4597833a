// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The best frame of each tracked object within a window of time.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::meta::Detection;

use super::filter::known_confidence;
use super::held::{Budget, Held};
use super::tracks::{LIMIT, Tracks};

/// How good a detection is: by confidence, then by size. None is worse than any.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
struct Score {
    confidence: Option<f32>,
    area: f32,
}

impl Score {
    fn of(detection: &Detection) -> Self {
        Self {
            confidence: known_confidence(detection),
            area: detection.bounds.width * detection.bounds.height,
        }
    }
}

/// A track in its window.
#[derive(Debug)]
struct Search {
    best: Option<Found>,
    /// The last frame that was offered for it, and the place in that offer.
    offered: Option<(u64, usize)>,
}

#[derive(Debug, Clone, Copy)]
struct Found {
    score: Score,
    /// Of the frame, in the stream.
    position: u64,
    /// In the frame's list of detections.
    place: usize,
}

/// A frame that is the best so far of some track.
#[derive(Debug)]
struct Candidate<H> {
    /// `None`: captured already, for another reason.
    held: Option<Held<H>>,
    /// Tracks in their windows that have no better frame.
    undecided: usize,
    /// Those, and tracks that have found a better one since or are decided.
    tracks: Vec<u64>,
    /// Tracks whose best frame it is for good, with their places in its list.
    won: Vec<Win>,
}

/// A track and its place in the frame's list.
#[derive(Debug, Clone, Copy)]
pub struct Win {
    pub track: u64,
    pub place: usize,
}

/// What a frame is better at than all before it.
#[derive(Debug)]
pub struct Offer(Vec<(u64, Score, usize)>);

impl Offer {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A frame that is the best of some tracks for good.
#[derive(Debug)]
pub struct Final<H> {
    pub held: Held<H>,
    pub won: Vec<Win>,
}

/// All tracks of one stream.
#[derive(Debug)]
pub struct BestFrames<H> {
    searches: HashMap<u64, Search>,
    /// When each of them began, and its track.
    starts: BTreeSet<(u64, u64)>,
    /// Frames looked at.
    looks: u64,
    /// By place in the stream.
    candidates: BTreeMap<u64, Candidate<H>>,
    /// Not captured again.
    done: Tracks,
    /// Times of what was captured, those that a cooldown could still matter for.
    captured: Vec<u64>,
    finals: Vec<Final<H>>,
}

impl<H> Default for BestFrames<H> {
    fn default() -> Self {
        Self {
            searches: HashMap::new(),
            starts: BTreeSet::new(),
            looks: 0,
            candidates: BTreeMap::new(),
            done: Tracks::default(),
            captured: Vec::new(),
            finals: Vec::new(),
        }
    }
}

impl<H> BestFrames<H> {
    /// Ends the windows that are over at this time.
    pub fn expire(&mut self, now: u64, window: u64, budget: &mut Budget) {
        while let Some(&(start, _)) = self.starts.first()
            && start.saturating_add(window) <= now
        {
            self.decide_oldest(budget);
        }
    }

    /// Ends all windows.
    pub fn finish(&mut self, budget: &mut Budget) {
        while !self.starts.is_empty() {
            self.decide_oldest(budget);
        }
    }

    /// Lets go of everything, and starts no window anew before a track is seen again.
    pub fn clear(&mut self, budget: &mut Budget) {
        self.searches.clear();
        self.starts.clear();
        self.captured.clear();
        let candidates = std::mem::take(&mut self.candidates);
        let held = candidates.into_values().filter_map(|c| c.held);
        let finals = std::mem::take(&mut self.finals);
        for held in held.chain(finals.into_iter().map(|f| f.held)) {
            budget.take(held);
        }
    }

    /// What is decided, in the order of the frames.
    pub fn take_finals(&mut self) -> Vec<Final<H>> {
        self.finals.sort_unstable_by_key(|f| f.held.position);
        std::mem::take(&mut self.finals)
    }

    /// The best frame of the track that began first stays what it is.
    fn decide_oldest(&mut self, budget: &mut Budget) {
        let Some((_, track)) = self.starts.pop_first() else {
            return;
        };
        let Some(found) = self.searches.remove(&track).and_then(|search| search.best) else {
            // Nothing could be held of it: it may be looked for again.
            return;
        };
        self.done.add(track);
        if let Some(candidate) = self.candidates.get_mut(&found.position) {
            candidate.won.push(Win {
                track,
                place: found.place,
            });
        }
        self.leave(found.position, budget);
    }

    /// One track less has the frame as its best so far.
    fn leave(&mut self, position: u64, budget: &mut Budget) {
        let Some(candidate) = self.candidates.get_mut(&position) else {
            return;
        };
        candidate.undecided = candidate.undecided.saturating_sub(1);
        if candidate.undecided > 0 {
            return;
        }
        if let Some(Candidate {
            held: Some(held),
            won,
            ..
        }) = self.candidates.remove(&position)
        {
            if won.is_empty() {
                budget.take(held);
            } else {
                budget.promise(&held);
                self.finals.push(Final { held, won });
            }
        }
    }

    /// A frame comes. Starts windows, and tells which tracks have no better frame so far.
    pub fn look<'a>(
        &mut self,
        time: u64,
        tracked: impl Iterator<Item = (u64, usize, &'a Detection)>,
        budget: &mut Budget,
    ) -> Offer {
        self.done.tick();
        self.looks += 1;
        let mut offers: Vec<(u64, Score, usize)> = Vec::new();
        for (track, place, detection) in tracked {
            if self.done.see(track) {
                continue;
            }
            if self.searches.len() >= LIMIT && !self.searches.contains_key(&track) {
                self.decide_oldest(budget);
            }
            let search = match self.searches.entry(track) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => {
                    self.starts.insert((time, track));
                    entry.insert(Search {
                        best: None,
                        offered: None,
                    })
                }
            };
            let score = Score::of(detection);
            match search.offered {
                // Twice in one frame.
                Some((look, index)) if look == self.looks => {
                    if let Some(offer) = offers.get_mut(index)
                        && score > offer.1
                    {
                        *offer = (track, score, place);
                    }
                }
                _ if search.best.is_none_or(|best| score > best.score) => {
                    search.offered = Some((self.looks, offers.len()));
                    offers.push((track, score, place));
                }
                _ => {}
            }
        }
        Offer(offers)
    }

    /// The tracks of an offer give up the frames that were their best so far.
    pub fn give_up(&mut self, offer: &Offer, budget: &mut Budget) {
        for (track, ..) in &offer.0 {
            let search = self.searches.get_mut(track);
            if let Some(found) = search.and_then(|search| search.best.take()) {
                self.leave(found.position, budget);
            }
        }
    }

    /// The bytes of the frames that [`Self::give_up`] would leave to be captured for other tracks.
    pub fn promised_by(&self, offer: &Offer) -> u64 {
        let mut left: HashMap<u64, usize> = HashMap::new();
        for (track, ..) in &offer.0 {
            if let Some(found) = self.searches.get(track).and_then(|search| search.best) {
                *left.entry(found.position).or_default() += 1;
            }
        }
        let finals = left.into_iter().filter_map(|(position, tracks)| {
            let candidate = self.candidates.get(&position)?;
            let is_final = candidate.undecided <= tracks && !candidate.won.is_empty();
            candidate.held.as_ref().filter(|_| is_final)
        });
        finals.map(|held| held.bytes).sum()
    }

    /// After [`Self::give_up`]: the frame is their best so far. `held` is `None` if it was captured
    /// already.
    pub fn accept(&mut self, offer: Offer, position: u64, held: Option<Held<H>>) {
        let mut undecided = 0;
        let mut tracks = Vec::with_capacity(offer.0.len());
        for (track, score, place) in offer.0 {
            if let Some(search) = self.searches.get_mut(&track) {
                // A track that was given up and begun again within one frame is offered twice.
                if let Some(found) = search.best
                    && found.position == position
                {
                    if found.score >= score {
                        continue;
                    }
                } else {
                    undecided += 1;
                    tracks.push(track);
                }
                search.best = Some(Found {
                    score,
                    position,
                    place,
                });
            }
        }
        self.candidates.insert(
            position,
            Candidate {
                held,
                undecided,
                tracks,
                won: Vec::new(),
            },
        );
    }

    pub fn restart_cooldown(&mut self) {
        self.captured.clear();
    }

    /// Whether a frame of this time is far enough from all that were captured.
    pub fn is_cool(&self, time: u64, cooldown: u64) -> bool {
        cooldown == 0
            || self
                .captured
                .iter()
                .all(|captured| captured.abs_diff(time) >= cooldown)
    }

    /// A frame was captured. Later ones are not older than `window` before the newest.
    pub fn set_captured(&mut self, time: u64, newest: u64, window: u64, cooldown: u64) {
        if cooldown > 0 {
            let oldest = newest.saturating_sub(window).saturating_sub(cooldown);
            // Some timestamps may be out of order.
            self.captured
                .retain(|&captured| captured.saturating_add(super::STEP_BACK) >= oldest);
            self.captured.push(time);
        }
    }

    /// The cooldown came in between: the tracks may be captured another time.
    pub fn set_missed(&mut self, won: &[Win]) {
        for win in won {
            self.done.remove(win.track);
        }
    }

    /// For want of room. Its tracks look for another frame. Whether there was such a frame.
    pub fn drop_at(&mut self, position: u64, budget: &mut Budget) -> bool {
        let Some(candidate) = self.candidates.remove(&position) else {
            return false;
        };
        self.set_missed(&candidate.won);
        for track in candidate.tracks {
            if let Some(search) = self.searches.get_mut(&track)
                && search.best.is_some_and(|best| best.position == position)
            {
                search.best = None;
            }
        }
        candidate.held.map(|held| budget.take(held)).is_some()
    }
}
