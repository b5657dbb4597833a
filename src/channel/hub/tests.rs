// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

use std::sync::atomic::{AtomicUsize, Ordering};

use gst_video::{VideoFormat, VideoInfo};

use super::*;
use crate::channel::{Facts, Popped, Receipt};
use crate::frame::{Frame, Snapshot};

/// Counts the parcels that were taken, and those that were let go untaken.
#[derive(Default)]
struct Fates {
    taken: AtomicUsize,
    lost: AtomicUsize,
}

struct Slip {
    fates: Arc<Fates>,
    taken: AtomicUsize,
}

impl Receipt for Slip {
    fn taken(&self) {
        self.taken.store(1, Ordering::SeqCst);
    }

    fn withdrawn(&self) {}
}

impl Drop for Slip {
    fn drop(&mut self) {
        let taken = self.taken.load(Ordering::SeqCst);
        self.fates.taken.fetch_add(taken, Ordering::SeqCst);
        self.fates.lost.fetch_add(1 - taken, Ordering::SeqCst);
    }
}

struct Rig {
    hub: Hub,
    fates: Arc<Fates>,
}

impl Rig {
    fn new(bound: usize) -> Self {
        gst::init().unwrap();
        Self {
            hub: Hub::new(bound, Arc::new(|| ())),
            fates: Arc::default(),
        }
    }

    fn send(&self, frame: u64, full: Full) -> Result<(), NoRoom> {
        let info = VideoInfo::builder(VideoFormat::Gray8, 1, 1).build();
        let picture = Snapshot::Host(Frame {
            info: info.unwrap(),
            buffer: gst::Buffer::new(),
        });
        let mut facts = Facts::default();
        facts.meta.frame_number = Some(frame);
        // The first of a timeline.
        facts.discont = frame >= 100 && frame.is_multiple_of(100);
        let slip = Slip {
            fates: self.fates.clone(),
            taken: AtomicUsize::new(0),
        };
        let parcel = Parcel::new(picture, facts, self.hub.session(), Some(Box::new(slip)));
        self.hub.send(&Arc::new(parcel), full)
    }

    fn reader(&self) -> Arc<Outbox> {
        self.hub.attach(Arc::new(|| ()))
    }

    /// How many were taken, and how many nobody had.
    fn fates(&self) -> (usize, usize) {
        let Fates { taken, lost } = &*self.fates;
        (taken.load(Ordering::SeqCst), lost.load(Ordering::SeqCst))
    }

    fn check(&self) {
        let c = self.hub.counts();
        assert_eq!(c.sent, c.received + c.dropped + c.in_flight);
    }
}

/// Takes all that is there: the frames' numbers, and how it ended.
fn drain(outbox: &Outbox) -> (Vec<u64>, Option<Last>) {
    let mut frames = Vec::new();
    loop {
        match outbox.pop() {
            Some(Popped::Frame(_, parcel)) => {
                assert!(outbox.received(1));
                frames.push(parcel.facts.meta.frame_number.unwrap());
            }
            Some(Popped::Last(last)) => return (frames, Some(last)),
            None => return (frames, None),
        }
    }
}

#[test]
fn who_waits_for_one_reader_sends_to_none() {
    let rig = Rig::new(2);
    assert_eq!(rig.send(0, Full::Refuse), Err(NoRoom { readers: 0 }));
    let (fast, slow) = (rig.reader(), rig.reader());
    for frame in 1..3 {
        rig.send(frame, Full::Refuse).unwrap();
    }
    assert_eq!(drain(&fast).0, [1, 2]);
    assert_eq!(rig.send(3, Full::Refuse), Err(NoRoom { readers: 2 }));
    assert_eq!(drain(&fast).0, [0; 0]);
    assert_eq!(drain(&slow).0, [1, 2]);
    rig.send(4, Full::Refuse).unwrap();
    assert_eq!((drain(&fast).0, drain(&slow).0), (vec![4], vec![4]));
    rig.check();
    // Two were refused.
    assert_eq!(rig.fates(), (3, 2));
}

#[test]
fn each_reader_drops_by_itself_and_counts_it() {
    for (full, want) in [
        (Full::DropOldest, vec![3, 4]),
        (Full::DropNewest, vec![0, 1]),
        (Full::Exceed, vec![0, 1, 2, 3, 4]),
    ] {
        let rig = Rig::new(2);
        let (fast, slow) = (rig.reader(), rig.reader());
        for frame in 0..5 {
            rig.send(frame, full).unwrap();
            assert_eq!(drain(&fast).0, [frame]);
            rig.check();
        }
        assert_eq!(drain(&slow).0, want);
        let dropped = 5 - want.len() as u64;
        assert_eq!(slow.counts().dropped, dropped);
        assert_eq!(rig.hub.counts().dropped, dropped);
        assert_eq!(fast.counts().received, 5);
        assert_eq!(rig.fates(), (5, 0), "somebody had each of them");
    }
}

#[test]
fn a_break_of_the_timeline_is_not_dropped_with_its_frame() {
    let pop = |reader: &Outbox| match reader.pop() {
        Some(Popped::Frame(_, parcel)) => {
            assert!(reader.received(1));
            let number = parcel.facts.meta.frame_number;
            (number.unwrap(), parcel.facts.discont)
        }
        popped => panic!("{popped:?}"),
    };
    let rig = Rig::new(2);
    let reader = rig.reader();
    for frame in [1, 2, 100, 101, 102] {
        rig.send(frame, Full::DropOldest).unwrap();
    }
    assert_eq!([pop(&reader), pop(&reader)], [(101, true), (102, false)]);
    // Also of those that were not dropped yet.
    for frame in [103, 104, 200] {
        rig.send(frame, Full::DropNewest).unwrap();
    }
    assert_eq!(pop(&reader), (103, false));
    rig.send(201, Full::DropNewest).unwrap();
    rig.send(300, Full::DropNewest).unwrap();
    assert_eq!([pop(&reader), pop(&reader)], [(104, false), (201, true)]);
    rig.send(301, Full::DropNewest).unwrap();
    rig.send(302, Full::DropNewest).unwrap();
    assert_eq!([pop(&reader), pop(&reader)], [(301, true), (302, false)]);
    rig.check();
}

#[test]
fn what_is_on_the_way_is_not_taken_back() {
    let rig = Rig::new(2);
    let reader = rig.reader();
    for frame in 0..2 {
        rig.send(frame, Full::DropOldest).unwrap();
        assert!(reader.pop().is_some());
    }
    // Both places are taken by frames that the reader is getting.
    for frame in 2..5 {
        rig.send(frame, Full::DropOldest).unwrap();
    }
    rig.send(5, Full::DropNewest).unwrap();
    assert_eq!(reader.counts().dropped, 3);
    assert!(!reader.received(3), "only two are on the way");
    assert!(reader.received(2));
    assert_eq!(drain(&reader).0, [4], "the newest of its time");
    rig.check();
}

#[test]
fn an_end_comes_after_the_last_frame_and_to_who_comes_later() {
    let rig = Rig::new(4);
    let reader = rig.reader();
    rig.send(0, Full::Refuse).unwrap();
    rig.hub.end();
    assert_eq!(drain(&reader), (vec![0], Some(Last::End)));
    assert_eq!(drain(&rig.reader()), (vec![], Some(Last::End)));
    // A new stream is for those who come from then on.
    assert_eq!(rig.send(1, Full::Refuse), Err(NoRoom { readers: 0 }));
    let next = rig.reader();
    rig.send(2, Full::Refuse).unwrap();
    assert_eq!(drain(&next), (vec![2], None));
    assert_eq!(drain(&reader), (vec![], None));
    rig.check();
}

#[test]
fn who_leaves_drops_what_it_did_not_take() {
    let rig = Rig::new(4);
    let (stays, leaves) = (rig.reader(), rig.reader());
    for frame in 0..3 {
        rig.send(frame, Full::Refuse).unwrap();
    }
    assert!(leaves.pop().is_some());
    rig.hub.detach(&leaves);
    assert_eq!(leaves.counts().dropped, 3);
    assert_eq!(rig.fates(), (0, 0), "the other one has them");
    assert_eq!(drain(&stays).0, [0, 1, 2]);
    rig.send(3, Full::Refuse).unwrap();
    rig.hub.detach(&stays);
    assert_eq!(rig.fates(), (3, 1));
    rig.check();
    assert_eq!(rig.hub.counts().sent, 7);
}

#[test]
fn a_stopped_producer_has_handed_over_what_is_in_flight() {
    let rig = Rig::new(4);
    let reader = rig.reader();
    for frame in 0..3 {
        rig.send(frame, Full::Refuse).unwrap();
    }
    assert!(reader.pop().is_some());
    rig.hub.stop();
    rig.hub.hand_over();
    assert_eq!(rig.hub.counts().in_flight, 3);
    rig.hub.detach(&reader);
    assert_eq!(rig.fates(), (3, 0));
}

#[test]
fn a_choked_reader_has_no_room() {
    let rig = Rig::new(4);
    let reader = rig.reader();
    reader.set_choked(true);
    assert_eq!(rig.send(0, Full::Refuse), Err(NoRoom { readers: 1 }));
    rig.send(1, Full::DropNewest).unwrap();
    rig.send(2, Full::DropOldest).unwrap();
    rig.send(3, Full::DropOldest).unwrap();
    assert_eq!(reader.counts().dropped, 2);
    reader.set_choked(false);
    rig.send(4, Full::Refuse).unwrap();
    assert_eq!(drain(&reader).0, [3, 4]);
    rig.check();
}
