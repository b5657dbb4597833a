// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! How `dsframecapture` lives: full queues, slow disks, state changes, flushes, the end.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use common::pictures::{self, info};
use common::rig::{Rig, memory, numbered, numbered_info, numbers_in};
use common::stall::{Stall, frames, stalled};
use common::{at, check_accounts, files, in_child, is_child, lines, until};
use gst::prelude::*;
use gst_video::VideoFormat;
use tempfile::{TempDir, tempdir};

/// What a state change may take at most.
const QUICK: Duration = Duration::from_secs(2);

/// Pushes numbered frames from a thread of its own, until one is refused.
fn pushing(
    rig: &Rig,
    numbers: std::ops::Range<u64>,
) -> JoinHandle<Result<gst::FlowSuccess, gst::FlowError>> {
    let pad = rig.pad.clone();
    thread::spawn(move || {
        for number in numbers {
            pad.push(numbered(number))?;
        }
        Ok(gst::FlowSuccess::Ok)
    })
}

fn sending(rig: &Rig, event: gst::Event) -> JoinHandle<bool> {
    let pad = rig.pad.clone();
    thread::spawn(move || pad.push_event(event))
}

/// Waits until a frame of this number has been decided on and found no room.
fn until_blocked(rig: &Rig, number: u64) {
    until("the queue is full", || rig.count("selected") == number + 1);
}

fn set(rig: &Rig, state: gst::State) {
    rig.element.set_state(state).unwrap();
}

#[track_caller]
fn quickly<T>(what: &str, act: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let result = act();
    assert!(begun.elapsed() < QUICK, "{what} took {:?}", begun.elapsed());
    result
}

#[test]
fn block_holds_the_pipeline_and_loses_nothing() {
    let folder = tempdir().unwrap();
    let (rig, stall) = stalled(&folder, &[("queue-size", "2")]);
    let pusher = pushing(&rig, 1..20);
    until_blocked(&rig, 3);
    assert!(!pusher.is_finished());
    assert_eq!((rig.count("pending"), rig.count("captured")), (4, 0));
    check_accounts(&rig.element);
    let reader = stall.release();
    pusher.join().unwrap().unwrap();
    rig.end();
    let all: Vec<u64> = (0..20).collect();
    assert_eq!(frames(&reader.join().unwrap()), all);
    assert_eq!(numbers_in(folder.path()), all);
    assert_eq!((rig.count("captured"), rig.count("dropped")), (20, 0));
}

#[test]
fn drop_newest_and_drop_oldest_do_what_they_say() {
    for (overflow, want) in [("drop-newest", [0, 1, 2]), ("drop-oldest", [0, 8, 9])] {
        let folder = tempdir().unwrap();
        let more = [("queue-size", "2"), ("overflow", overflow)];
        let (rig, stall) = stalled(&folder, &more);
        quickly("pushing", || rig.push_all(1..10));
        assert_eq!(rig.count("dropped-overflow"), 7);
        assert_eq!(rig.count("pending"), 3);
        check_accounts(&rig.element);
        let reader = stall.release();
        rig.end();
        assert_eq!(frames(&reader.join().unwrap()), want, "{overflow}");
        assert_eq!(numbers_in(folder.path()), want);
        let names = want.map(|n| format!("{n:06}.raw"));
        assert_eq!(
            files(folder.path())[..3],
            names,
            "numbers are those of the decision"
        );
        assert_eq!((rig.count("captured"), rig.count("dropped")), (3, 7));
    }
}

/// The encoders run ahead of a commit that is stuck: what they have done is dropped then.
#[test]
fn drop_oldest_keeps_the_newest_when_writing_is_what_is_slow() {
    let folder = tempdir().unwrap();
    let more = [
        ("queue-size", "2"),
        ("overflow", "drop-oldest"),
        ("workers", "3"),
    ];
    let (rig, stall) = stalled(&folder, &more);
    quickly("pushing", || {
        for number in 1..50 {
            rig.push(number).unwrap();
            if number == 4 {
                let staged = || {
                    files(folder.path())
                        .iter()
                        .filter(|f| f.ends_with(".part"))
                        .count()
                };
                until("all are encoded", || staged() == 4);
            }
        }
    });
    assert_eq!(
        (rig.count("dropped-overflow"), rig.count("pending")),
        (45, 5)
    );
    let reader = stall.release();
    rig.end();
    let got = frames(&reader.join().unwrap());
    assert_eq!(got.len(), 5);
    assert_eq!((got[0], got[4]), (0, 49));
    assert!(got.is_sorted());
    assert_eq!(numbers_in(folder.path()), got);
    assert_eq!(
        files(folder.path()).len(),
        6,
        "nothing hidden is left, but the pipe"
    );
}

#[test]
fn auto_blocks_unless_live() {
    let folder = tempdir().unwrap();
    let more = [("queue-size", "2"), ("overflow", "auto")];
    let (rig, stall) = stalled(&folder, &more);
    let pusher = pushing(&rig, 1..6);
    until_blocked(&rig, 3);
    assert_eq!(rig.count("dropped"), 0);
    let reader = stall.release();
    pusher.join().unwrap().unwrap();
    rig.end();
    assert_eq!(frames(&reader.join().unwrap()), [0, 1, 2, 3, 4, 5]);

    let folder = tempdir().unwrap();
    let stall = Stall::new(folder.path());
    let rig = Rig::stopped(&[
        ("location", &at(&folder, "%06d.raw")),
        ("log-location", stall.path.to_str().unwrap()),
        ("interval", "1"),
        ("workers", "1"),
        ("queue-size", "2"),
    ]);
    rig.pad
        .unlink(&rig.element.static_pad("sink").unwrap())
        .unwrap();
    // The harness says that it is live.
    let mut harness = gst_check::Harness::with_element(&rig.element, Some("sink"), None);
    harness.set_src_caps(numbered_info().to_caps().unwrap());
    harness.play();
    harness.push(numbered(0)).unwrap();
    let first = folder.path().join("000000.raw");
    until("the first frame is published", || first.exists());
    for number in 1..10 {
        quickly("pushing", || harness.push(numbered(number)).unwrap());
    }
    assert_eq!(rig.count("dropped-overflow"), 7);
    let reader = stall.release();
    assert!(harness.push_event(gst::event::Eos::new()));
    rig.stop();
    assert_eq!(frames(&reader.join().unwrap()), [0, 8, 9]);
}

#[test]
fn commits_keep_the_order_whatever_the_frames_cost() {
    let folder = tempdir().unwrap();
    let log = at(&folder, "log");
    let location = at(&folder, "%06d.png");
    let rig = Rig::of(
        &info(VideoFormat::Rgb, 8, 8),
        &[
            ("location", &location),
            ("log-location", &log),
            ("interval", "1"),
            ("workers", "4"),
            ("overflow", "block"),
            ("post-messages", "true"),
        ],
    );
    let sizes = [640, 8, 8, 16, 320, 8, 8, 8, 8];
    let count = 90;
    for number in 0..count {
        let side = sizes[number as usize % sizes.len()];
        let info = info(VideoFormat::Rgb, side, side);
        let caps = info.to_caps().unwrap();
        assert!(rig.pad.push_event(gst::event::Caps::new(&caps)));
        let noise: Vec<u8> = (0..info.size() as u64)
            .map(|i| ((i + number).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u8)
            .collect();
        rig.pad.push(memory(&noise)).unwrap();
    }
    let messages = rig.end();
    let all: Vec<u64> = (0..count).collect();
    assert_eq!(frames(&lines(log.as_ref())), all);
    let told: Vec<u64> = messages
        .elements("dsframecapture-saved")
        .iter()
        .map(|s| s.get("frame").unwrap())
        .collect();
    assert_eq!(told, all);
    for number in 0..count {
        let picture = pictures::read(&folder.path().join(format!("{number:06}.png")));
        assert_eq!(picture.width, sizes[number as usize % sizes.len()] as usize);
    }
}

#[test]
fn every_frame_is_accounted_for_while_things_happen() {
    let folder = tempdir().unwrap();
    let rig = Rig::new(&[
        ("location", &at(&folder, "%06d.raw")),
        ("interval", "2"),
        ("overflow", "drop-oldest"),
        ("queue-size", "1"),
    ]);
    let running = Arc::new(AtomicBool::new(true));
    let reader = thread::spawn({
        let (element, running) = (rig.element.clone(), running.clone());
        move || {
            let mut looks = 0;
            while running.load(Ordering::Relaxed) {
                check_accounts(&element);
                looks += 1;
            }
            looks
        }
    });
    rig.push_all(0..2000);
    rig.end();
    running.store(false, Ordering::Relaxed);
    assert!(reader.join().unwrap() > 10);
    assert_eq!((rig.count("seen"), rig.count("not-selected")), (2000, 1000));
    assert_eq!(rig.count("captured") + rig.count("dropped-overflow"), 1000);
    assert_eq!(files(folder.path()).len() as u64, rig.count("captured"));
    for (name, stat) in ["captured", "dropped", "failed", "pending"].map(|n| (n, rig.count(n))) {
        assert_eq!(u64::from(rig.element.property::<u32>(name)), stat, "{name}");
    }
}

fn pause_and_play(rig: &Rig) {
    for _ in 0..100 {
        quickly("pausing", || set(rig, gst::State::Paused));
        quickly("playing", || set(rig, gst::State::Playing));
    }
}

#[test]
fn pausing_a_blocked_pipeline_loses_nothing() {
    let folder = tempdir().unwrap();
    let (rig, stall) = stalled(&folder, &[("queue-size", "1")]);
    let pusher = pushing(&rig, 1..300);
    until_blocked(&rig, 2);
    pause_and_play(&rig);
    assert!(!pusher.is_finished());
    assert_eq!(rig.count("pending"), 3);
    let reader = stall.release();
    pause_and_play(&rig);
    pusher.join().unwrap().unwrap();
    rig.end();
    let all: Vec<u64> = (0..300).collect();
    assert_eq!(frames(&reader.join().unwrap()), all);
    assert_eq!(numbers_in(folder.path()), all);
    assert_eq!((rig.count("captured"), rig.count("seen")), (300, 300));
}

#[test]
fn pausing_while_eos_drains_loses_nothing() {
    let folder = tempdir().unwrap();
    let (rig, stall) = stalled(&folder, &[]);
    rig.push_all(1..6);
    let eos = sending(&rig, gst::event::Eos::new());
    pause_and_play(&rig);
    assert!(!eos.is_finished());
    assert!(!rig.messages().eos());
    let reader = stall.release();
    assert!(common::wait_for_end(&rig.bus).eos());
    assert!(eos.join().unwrap());
    assert_eq!(numbers_in(folder.path()), [0, 1, 2, 3, 4, 5]);
    rig.stop();
    assert_eq!(frames(&reader.join().unwrap()), [0, 1, 2, 3, 4, 5]);
    assert_eq!((rig.count("captured"), rig.count("pending")), (6, 0));
}

#[test]
fn a_flush_ends_the_wait_and_the_flow_goes_on() {
    let folder = tempdir().unwrap();
    let (rig, stall) = stalled(&folder, &[("queue-size", "1")]);
    let pusher = pushing(&rig, 1..10);
    until_blocked(&rig, 2);
    quickly("flushing", || {
        assert!(rig.pad.push_event(gst::event::FlushStart::new()));
        assert_eq!(pusher.join().unwrap(), Err(gst::FlowError::Flushing));
    });
    assert_eq!(rig.count("dropped-flush"), 1);
    assert_eq!(rig.push(20), Err(gst::FlowError::Flushing));
    assert!(rig.pad.push_event(gst::event::FlushStop::new(true)));
    let segment = gst::FormattedSegment::<gst::ClockTime>::new();
    assert!(rig.pad.push_event(gst::event::Segment::new(&segment)));
    let reader = stall.release();
    rig.push_all(21..25);
    rig.end();
    // What was accepted before the flush is delivered.
    let want = [0, 1, 21, 22, 23, 24];
    assert_eq!(numbers_in(folder.path()), want);
    assert_eq!(reader.join().unwrap().len(), want.len());
    assert_eq!((rig.count("captured"), rig.count("seen")), (6, 7));
}

/// The wait for the disk at EOS ends with a flush, and a second EOS is waited for anew.
#[test]
fn a_flush_ends_the_drain() {
    let folder = tempdir().unwrap();
    let (rig, stall) = stalled(&folder, &[]);
    rig.push_all(1..3);
    let eos = sending(&rig, gst::event::Eos::new());
    quickly("flushing", || {
        assert!(rig.pad.push_event(gst::event::FlushStart::new()));
        eos.join().unwrap();
    });
    assert!(rig.pad.push_event(gst::event::FlushStop::new(true)));
    let segment = gst::FormattedSegment::<gst::ClockTime>::new();
    assert!(rig.pad.push_event(gst::event::Segment::new(&segment)));
    assert!(!rig.messages().eos());
    rig.push(3).unwrap();
    let reader = stall.release();
    rig.end();
    reader.join().unwrap();
    assert_eq!(numbers_in(folder.path()), [0, 1, 2, 3]);
}

#[test]
fn a_seek_starts_the_timers_anew() {
    let folder = tempdir().unwrap();
    let rig = Rig::new(&[
        ("location", &at(&folder, "%06d.raw")),
        ("interval-time", "1000000000"),
        ("overflow", "block"),
    ]);
    rig.push_all(0..40);
    assert!(rig.pad.push_event(gst::event::FlushStart::new()));
    assert!(rig.pad.push_event(gst::event::FlushStop::new(true)));
    let segment = gst::FormattedSegment::<gst::ClockTime>::new();
    assert!(rig.pad.push_event(gst::event::Segment::new(&segment)));
    // Less than a second back, which alone would not be taken for a new beginning.
    rig.push_all(35..60);
    rig.end();
    let want = [0, 10, 20, 30, 35, 45, 55];
    assert_eq!(numbers_in(folder.path()), want);
}

#[test]
fn eos_while_paused_waits_for_playing() {
    let folder = tempdir().unwrap();
    let rig = Rig::stopped(&[("location", &at(&folder, "%06d.raw")), ("interval", "1")]);
    rig.pad.set_active(true).unwrap();
    set(&rig, gst::State::Paused);
    rig.begin(&numbered_info(), &gst::FormattedSegment::new());
    let pad = rig.pad.clone();
    let pusher = thread::spawn(move || {
        for number in 0..3 {
            pad.push(numbered(number)).unwrap();
        }
        pad.push_event(gst::event::Eos::new())
    });
    set(&rig, gst::State::Playing);
    set(&rig, gst::State::Paused);
    set(&rig, gst::State::Playing);
    assert!(common::wait_for_end(&rig.bus).eos());
    assert!(pusher.join().unwrap());
    rig.stop();
    assert_eq!(numbers_in(folder.path()), [0, 1, 2]);
}

#[test]
fn an_empty_stream_ends() {
    let folder = tempdir().unwrap();
    let properties = [("location", &*at(&folder, "%06d.raw")), ("interval", "1")];
    let rig = Rig::new(&properties);
    rig.end();
    assert_eq!(rig.count("seen"), 0);
    // Nor does it need caps, or to be playing.
    let rig = Rig::stopped(&properties);
    rig.pad.set_active(true).unwrap();
    set(&rig, gst::State::Paused);
    assert!(rig.pad.push_event(gst::event::StreamStart::new("test")));
    let eos = sending(&rig, gst::event::Eos::new());
    assert!(!rig.messages().eos());
    set(&rig, gst::State::Playing);
    assert!(common::wait_for_end(&rig.bus).eos());
    assert!(eos.join().unwrap());
    rig.stop();
    assert!(files(folder.path()).is_empty());
}

#[test]
fn eos_means_that_all_is_written() {
    let folder = tempdir().unwrap();
    let info = info(VideoFormat::Rgb, 320, 240);
    let rig = Rig::of(
        &info,
        &[
            ("location", &at(&folder, "%06d.png")),
            ("log-location", &at(&folder, "log")),
            ("interval", "1"),
            ("overflow", "block"),
            ("queue-size", "100"),
        ],
    );
    let (sender, at_eos) = std::sync::mpsc::channel();
    let path = folder.path().to_owned();
    rig.bus.set_sync_handler(move |_, message| {
        if message.type_() == gst::MessageType::Eos {
            sender
                .send((files(&path).len(), lines(&path.join("log")).len()))
                .unwrap();
        }
        gst::BusSyncReply::Pass
    });
    let buffer = pictures::scene(&info);
    for _ in 0..60 {
        rig.pad.push(buffer.clone()).unwrap();
    }
    rig.end();
    rig.bus.unset_sync_handler();
    assert_eq!(at_eos.try_iter().collect::<Vec<_>>(), [(61, 60)]);
}

/// The warning about captures that were not written: how many it names.
#[track_caller]
fn lost(messages: &common::Messages) -> u64 {
    let warnings = messages.warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].0.matches(gst::ResourceError::Write));
    assert!(warnings[0].1.contains("drain-timeout"), "{warnings:?}");
    warnings[0].1.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn eos_comes_when_the_drain_timeout_is_over() {
    for workers in ["1", "3"] {
        let folder = tempdir().unwrap();
        let more = [("drain-timeout", "1200000000"), ("workers", workers)];
        let (rig, stall) = stalled(&folder, &more);
        rig.push_all(1..4);
        let messages = rig.finish();
        assert!(messages.eos());
        assert_eq!(lost(&messages), 4);
        assert_eq!((rig.count("dropped-timeout"), rig.count("pending")), (4, 0));
        check_accounts(&rig.element);
        // The timeout is over and does not begin anew.
        quickly("stopping", || rig.stop());
        assert!(rig.messages().warnings().is_empty());
        drop(stall.release());
    }
}

/// The COCO file is made anew from its journal, which does not answer: a FIFO that nobody writes.
#[test]
fn eos_and_stopping_do_not_wait_for_a_coco_file_that_is_stuck() {
    for (eos_after_max, max) in [("false", "0"), ("true", "1")] {
        let folder = tempdir().unwrap();
        let rig = Rig::new(&[
            ("labels", "coco"),
            ("labels-location", &at(&folder, "coco.json")),
            ("interval", "1"),
            ("workers", "1"),
            ("drain-timeout", "300000000"),
            ("eos-after-max", eos_after_max),
            ("max-captures", max),
        ]);
        let journal = folder.path().join(".coco.json.part");
        std::fs::remove_file(&journal).unwrap();
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        let fifo = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, &journal, fifo, mode, 0).unwrap();
        rig.push(0).unwrap();
        until("it is decided", || rig.count("selected") == 1);
        let (pad, element) = (rig.pad.clone(), rig.element.clone());
        let (done, is_done) = std::sync::mpsc::channel();
        thread::spawn(move || {
            pad.push_event(gst::event::Eos::new());
            element.set_state(gst::State::Null).unwrap();
            let _ = done.send(());
        });
        let ended = is_done.recv_timeout(Duration::from_secs(10));
        // Lets go of the stuck thread.
        drop(std::fs::OpenOptions::new().write(true).open(&journal));
        assert!(ended.is_ok(), "hangs");
        assert_eq!(lost(&rig.messages()), 1);
        assert_eq!(rig.count("dropped-timeout"), 1);
    }
}

#[test]
fn stopping_in_front_of_a_stalled_disk_takes_as_long_as_it_may() {
    let folder = tempdir().unwrap();
    let (rig, stall) = stalled(&folder, &[("drain-timeout", "300000000")]);
    rig.push_all(1..4);
    quickly("stopping", || rig.stop());
    let messages = rig.messages();
    assert_eq!(lost(&messages), 4);
    assert_eq!(rig.count("dropped-timeout"), 4);
    check_accounts(&rig.element);
    drop(stall.release());
    // The element lives on.
    rig.element.set_property("log-location", None::<&str>);
    rig.element
        .set_property("location", at(&folder, "again/%06d.raw"));
    rig.start();
    rig.begin(&numbered_info(), &gst::FormattedSegment::new());
    rig.push_all(0..3);
    rig.end();
    assert_eq!(numbers_in(&folder.path().join("again")), [0, 1, 2]);
}

#[test]
fn stopping_with_a_full_queue_ends_the_wait() {
    let folder = tempdir().unwrap();
    let more = [("queue-size", "1"), ("drain-timeout", "200000000")];
    let (rig, stall) = stalled(&folder, &more);
    let pusher = pushing(&rig, 1..10);
    until_blocked(&rig, 2);
    quickly("stopping", || rig.stop());
    assert_eq!(pusher.join().unwrap(), Err(gst::FlowError::Flushing));
    assert_eq!(lost(&rig.messages()), 2);
    assert_eq!(rig.count("dropped-flush"), 1);
    assert_eq!(rig.count("dropped-timeout"), 2);
    check_accounts(&rig.element);
    drop(stall.release());
}

/// With a disk that answers, all is written before the state changes.
#[test]
fn stopping_writes_what_was_accepted() {
    let folder = tempdir().unwrap();
    let (rig, stall) = stalled(&folder, &[]);
    rig.push_all(1..8);
    let reader = stall.release();
    rig.stop();
    assert!(rig.messages().warnings().is_empty());
    let all: Vec<u64> = (0..8).collect();
    assert_eq!(numbers_in(folder.path()), all);
    assert_eq!(frames(&reader.join().unwrap()), all);
}

#[test]
fn a_property_changed_in_ready_has_its_effect() {
    let folder = tempdir().unwrap();
    let rig = Rig::new(&[("location", &at(&folder, "a/%06d.raw")), ("interval", "1")]);
    rig.push_all(0..4);
    set(&rig, gst::State::Ready);
    rig.element.set_property("interval", 3u32);
    rig.element
        .set_property("location", at(&folder, "b/%06d.raw"));
    rig.pad.set_active(false).unwrap();
    rig.start();
    rig.begin(&numbered_info(), &gst::FormattedSegment::new());
    rig.push_all(0..7);
    rig.end();
    assert_eq!(numbers_in(&folder.path().join("a")), [0, 1, 2, 3]);
    assert_eq!(numbers_in(&folder.path().join("b")), [0, 3, 6]);
    assert_eq!(rig.count("seen"), 7, "of the last run");
}

fn entries(folder: &str) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

#[test]
fn a_hundred_state_cycles_leave_nothing_behind() {
    if !is_child() {
        let output = in_child("a_hundred_state_cycles_leave_nothing_behind", &[]);
        assert!(output.status.success(), "{output:?}");
        return;
    }
    let folder = tempdir().unwrap();
    let rig = Rig::stopped(&[
        ("location", &at(&folder, "%06d.raw")),
        ("log-location", &at(&folder, "log")),
        ("interval", "1"),
        ("on-exists", "overwrite"),
        ("workers", "4"),
    ]);
    let cycle = || {
        rig.start();
        rig.begin(&numbered_info(), &gst::FormattedSegment::new());
        rig.push_all(0..3);
        rig.stop();
        rig.pad.set_active(false).unwrap();
        assert_eq!(rig.count("captured"), 3);
    };
    cycle();
    let before = (entries("/proc/self/task"), entries("/proc/self/fd"));
    for _ in 0..100 {
        cycle();
    }
    let after = || (entries("/proc/self/task"), entries("/proc/self/fd"));
    until("threads and files are gone", || after() == before);
    assert_eq!(files(folder.path()).len(), 4);
    assert_eq!(lines(&folder.path().join("log")).len(), 303);
}

#[test]
fn a_pipeline_plays_before_the_source_is_linked() {
    let folder = tempdir().unwrap();
    let pipeline = common::launch(&format!(
        "videotestsrc is-live=true ! video/x-raw,width=8,height=8,framerate=100/1 ! tee name=t \
         t. ! queue ! fakesink name=other \
         dsframecapture name=capture interval=1 max-captures=3 location={}",
        at(&folder, "%06d.png")
    ));
    pipeline.set_state(gst::State::Playing).unwrap();
    let limit = gst::ClockTime::from_seconds(10);
    let (reached, state, _) = pipeline.state(limit);
    reached.unwrap();
    assert_eq!(state, gst::State::Playing);
    // It runs without us for half a second of its clock.
    let other = pipeline.by_name("other").unwrap();
    let time = || other.query_position::<gst::ClockTime>().unwrap_or_default();
    until("the other branch plays", || {
        time() > gst::ClockTime::from_mseconds(500)
    });
    let tee = pipeline.by_name("t").unwrap();
    let queue = gst::ElementFactory::make("queue").build().unwrap();
    let capture = pipeline.by_name("capture").unwrap();
    pipeline.add(&queue).unwrap();
    queue.link(&capture).unwrap();
    queue.sync_state_with_parent().unwrap();
    tee.link(&queue).unwrap();
    until("it captures", || common::count(&capture, "captured") == 3);
    pipeline.set_state(gst::State::Null).unwrap();
    assert_eq!(files(folder.path()).len(), 3);
}

#[test]
fn nobody_needs_to_read_the_bus() {
    let folder = tempdir().unwrap();
    let rig = Rig::new(&[
        ("log-location", "/dev/full"),
        ("location", &at(&folder, "%06d.raw")),
        ("interval", "1"),
        ("post-messages", "true"),
        ("overflow", "block"),
    ]);
    rig.push_all(0..1000);
    assert!(rig.pad.push_event(gst::event::Eos::new()));
    assert_eq!(rig.count("failed"), 1000);
    let warnings = rig.messages().warnings();
    assert!((1..30).contains(&warnings.len()), "{}", warnings.len());
    rig.stop();

    let rig = Rig::new(&[
        ("location", &at(&folder, "b%06d.raw")),
        ("interval", "1"),
        ("post-messages", "true"),
        ("overflow", "block"),
    ]);
    let begun = Instant::now();
    rig.push_all(0..1000);
    assert!(rig.pad.push_event(gst::event::Eos::new()));
    let seconds = begun.elapsed().as_secs() as usize + 1;
    assert_eq!(rig.count("captured"), 1000);
    // The last sums up.
    let saved = rig.messages().elements("dsframecapture-saved").len();
    assert!(saved <= 100 * seconds + 1, "{saved} in {seconds} s");
    rig.stop();
}

#[test]
fn a_full_disk_is_an_error_if_asked_for() {
    let folder = tempdir().unwrap();
    let properties = |policy| {
        [
            ("location", at(&folder, &format!("{policy}/%06d.raw"))),
            ("log-location", "/dev/full".to_owned()),
            ("interval", "1".to_owned()),
            ("on-error", policy),
            ("workers", "1".to_owned()),
        ]
    };
    let run = |policy: &str| {
        let properties = properties(policy.to_owned());
        let pairs: Vec<(&str, &str)> = properties.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let rig = Rig::new(&pairs);
        // It may have failed by the time it is submitted.
        let _ = rig.push(0);
        rig
    };
    let rig = run("fail");
    let errors = common::wait_for_end(&rig.bus).errors();
    assert_eq!(errors.len(), 1);
    assert!(
        errors[0].0.matches(gst::ResourceError::NoSpaceLeft),
        "{errors:?}"
    );
    assert!(errors[0].1.contains("/dev/full"), "{errors:?}");
    assert_eq!(rig.push(1), Err(gst::FlowError::Error));
    // An error is not followed by EOS.
    rig.pad.push_event(gst::event::Eos::new());
    let messages = rig.messages();
    assert!(
        !messages.eos() && messages.errors().is_empty(),
        "{messages:?}"
    );
    rig.stop();
    // A capture without its log line has no picture either.
    assert!(files(&folder.path().join("fail")).is_empty());

    let rig = run("continue");
    rig.push_all(1..5);
    let messages = rig.end();
    assert_eq!((rig.count("captured"), rig.count("failed")), (0, 5));
    let warnings = messages.warnings();
    assert!(!warnings.is_empty());
    assert!(
        warnings[0].0.matches(gst::ResourceError::NoSpaceLeft),
        "{warnings:?}"
    );
    assert!(files(&folder.path().join("continue")).is_empty());
    assert_eq!(rig.count("pictures"), 0);
}

#[test]
fn labels_and_pictures_of_a_capture_that_is_not_logged_do_not_stay() {
    for labels_location in ["", "l/{frame}.txt"] {
        let folder = tempdir().unwrap();
        let labels = match labels_location {
            "" => String::new(),
            name => at(&folder, name),
        };
        let rig = Rig::new(&[
            ("location", &at(&folder, "%06d.raw")),
            ("labels", "kitti"),
            ("labels-location", &labels),
            ("log-location", "/dev/full"),
            ("interval", "1"),
        ]);
        rig.push(0).unwrap();
        rig.end();
        assert_eq!((rig.count("failed"), rig.count("pictures")), (1, 0));
        assert!(files(folder.path()).is_empty());
    }
}

/// A small file system, where that is allowed.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let folder = tempdir().unwrap();
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=256k", "none"])
            .arg(folder.path())
            .output();
        mounted.ok()?.status.success().then_some(Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let folder = self.0.path();
        let _ = std::process::Command::new("umount").arg(folder).status();
    }
}

#[test]
fn pictures_that_find_no_room_are_failures_and_leave_nothing() {
    let Some(disk) = SmallDisk::mount() else {
        eprintln!("not run: mounting is not allowed");
        return;
    };
    let info = info(VideoFormat::Gray8, 256, 256);
    for policy in ["continue", "fail"] {
        let rig = Rig::of(
            &info,
            &[
                ("location", &at(&disk.0, &format!("{policy}/%06d.raw"))),
                ("interval", "1"),
                ("workers", "1"),
                ("overflow", "block"),
                ("on-error", policy),
            ],
        );
        let frame = memory(&vec![7; info.size()]);
        let refused = (0..10).find_map(|_| rig.pad.push(frame.clone()).err());
        if policy == "continue" {
            assert_eq!(refused, None);
            let warnings = rig.end().warnings();
            assert!(
                warnings[0].0.matches(gst::ResourceError::NoSpaceLeft),
                "{warnings:?}"
            );
            assert_eq!(rig.count("captured") + rig.count("failed"), 10);
            assert!((1..=4).contains(&rig.count("captured")));
            let found = files(disk.0.path());
            assert_eq!(found.len() as u64, rig.count("captured"), "{found:?}");
            for file in found {
                let path = disk.0.path().join(file);
                assert_eq!(std::fs::read(path).unwrap(), vec![7; info.size()]);
            }
        } else {
            let errors = common::wait_for_end(&rig.bus).errors();
            assert!(
                errors[0].0.matches(gst::ResourceError::NoSpaceLeft),
                "{errors:?}"
            );
            rig.stop();
        }
    }
}

/// The error of an element that does not start.
#[track_caller]
fn refused(properties: &[(&str, &str)]) -> (glib::Error, String) {
    let rig = Rig::stopped(properties);
    assert!(
        rig.element.set_state(gst::State::Playing).is_err(),
        "{properties:?}"
    );
    let mut errors = rig.messages().errors();
    assert_eq!(errors.len(), 1, "{properties:?}: {errors:?}");
    assert!(!rig.element.emit_by_name::<bool>("capture", &[&-1i32]));
    errors.remove(0)
}

#[test]
fn contradictory_properties_are_refused_by_name() {
    let (jpg, log) = (("location", "/tmp/%d.jpg"), ("log-location", "/tmp/log"));
    let cases: &[(&str, &[(&str, &str)])] = &[
        ("location", &[]),
        ("location", &[("location", "/tmp/one.jpg")]),
        ("location", &[("location", "/tmp/{stream}.jpg")]),
        ("location", &[("location", "/tmp/%d-%d.jpg")]),
        ("location", &[("location", "/tmp/{nonsense}.jpg")]),
        ("location", &[("location", "/tmp/%s.jpg")]),
        ("location", &[("location", "/tmp/%d/")]),
        ("location", &[("location", "/tmp/%d.webp")]),
        (
            "interval-time",
            &[jpg, ("interval", "2"), ("interval-time", "2")],
        ),
        ("mode", &[jpg, ("mode", "manual"), ("interval", "2")]),
        ("stop-time", &[jpg, ("start-time", "2"), ("stop-time", "2")]),
        ("eos-after-max", &[jpg, ("eos-after-max", "true")]),
        ("streams", &[jpg, ("streams", "front")]),
        ("streams", &[jpg, ("streams", "-1")]),
        ("statistics", &[jpg, ("statistics", "true")]),
        (
            "on-exists",
            &[
                log,
                ("location", "/tmp/{pts}.jpg"),
                ("on-exists", "continue"),
            ],
        ),
        (
            "log-location",
            &[
                ("location", "/tmp/one.jpg"),
                ("max-captures", "1"),
                ("log-location", "/tmp/one.jpg"),
            ],
        ),
    ];
    for (property, properties) in cases {
        let (error, text) = refused(properties);
        assert!(error.matches(gst::ResourceError::Settings), "{text}");
        assert!(
            text.contains(&format!("\"{property}\"")),
            "{property}: {text}"
        );
    }
}

#[test]
fn a_folder_that_cannot_be_written_to_is_known_at_the_start() {
    let folder = tempdir().unwrap();
    let file = at(&folder, "file");
    std::fs::write(&file, "").unwrap();
    let below = format!("{file}/x/%06d.jpg");
    for (name, value) in [
        ("location", below.as_str()),
        ("location", "/proc/none/%06d.jpg"),
        ("log-location", &format!("{file}/log")),
        ("log-location", folder.path().to_str().unwrap()),
        ("labels-location", &format!("{file}/coco.json")),
    ] {
        let mut properties = vec![(name, value)];
        if name == "labels-location" {
            properties.push(("labels", "coco"));
        }
        let (error, text) = refused(&properties);
        assert!(error.matches(gst::ResourceError::OpenWrite), "{text}");
        assert!(text.contains(&format!("\"{name}\"")), "{text}");
        // Of a file it is the folder that cannot be made.
        let folder = value.split("/%").next().unwrap();
        let named = folder.strip_suffix("/log").unwrap_or(folder);
        let named = named.strip_suffix("/coco.json").unwrap_or(named);
        assert!(text.contains(named), "{text}");
    }
}

#[test]
fn a_picture_that_the_encoding_cannot_hold_is_refused_at_once() {
    let folder = tempdir().unwrap();
    for (location, width, fits) in [
        ("%d.jpg", 70_000, false),
        ("%d.jpg", 65_500, true),
        ("%d.npy", 70_000, true),
    ] {
        let rig = Rig::stopped(&[("location", &at(&folder, location)), ("interval", "1")]);
        rig.start();
        assert!(rig.pad.push_event(gst::event::StreamStart::new("test")));
        let info = info(VideoFormat::Gray8, width, 1);
        let caps = gst::event::Caps::new(&info.to_caps().unwrap());
        // A refusal of caps is known with the first buffer.
        rig.pad.push_event(caps);
        let errors = rig.messages().errors();
        assert_eq!(errors.len(), usize::from(!fits), "{errors:?}");
        for (error, text) in errors {
            assert!(error.matches(gst::StreamError::Format), "{text}");
            assert!(text.contains("JPEG") && text.contains("70000x1"), "{text}");
        }
        let segment = gst::FormattedSegment::<gst::ClockTime>::new();
        rig.pad.push_event(gst::event::Segment::new(&segment));
        let pushed = rig.pad.push(memory(&vec![0; info.size()]));
        let refusal = Err(gst::FlowError::NotNegotiated);
        assert_eq!(pushed == refusal, !fits, "{location} {width}: {pushed:?}");
        rig.stop();
    }
}

/// The folder disappears under the running element: what was there before is a failure or not,
/// and the next captures have a folder again.
#[test]
fn a_folder_that_goes_away_costs_at_most_what_it_held() {
    let folder = tempdir().unwrap();
    let inner = folder.path().join("inner");
    let rig = Rig::new(&[
        ("location", inner.join("%06d.raw").to_str().unwrap()),
        ("interval", "1"),
    ]);
    rig.push(0).unwrap();
    until("the first is written", || rig.count("captured") == 1);
    std::fs::remove_dir_all(&inner).unwrap();
    rig.push(1).unwrap();
    until("the second is written", || rig.count("captured") == 2);
    std::fs::remove_dir_all(&inner).unwrap();
    std::fs::write(&inner, "a file").unwrap();
    rig.push(2).unwrap();
    until("the third is not", || rig.count("failed") == 1);
    let warnings = rig.end().warnings();
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].1.contains("000002.raw"), "{warnings:?}");
}

const PIPELINE: &str = "videotestsrc num-buffers=20 ! video/x-raw,format=NV12,width=64,height=48 \
                        ! tee name=t t. ! queue ! dsframecapture interval=2 post-messages=true";

fn run_for_leaks(keep: bool) {
    let folder = tempdir().unwrap();
    common::play_well(&format!(
        "{PIPELINE} location={} log-location={} statistics=true \
         t. ! queue ! dsframecapture interval=3 width=20 location={}",
        at(&folder, "%06d.jpg"),
        at(&folder, "log"),
        at(&folder, "%06d.png"),
    ));
    // A capture that is stopped in the middle, with a wait to be ended.
    let (rig, stall) = stalled(&folder, &[("queue-size", "1")]);
    let pusher = pushing(&rig, 1..10);
    until_blocked(&rig, 2);
    let reader = stall.release();
    rig.stop();
    let _ = pusher.join().unwrap();
    drop(rig);
    reader.join().unwrap();
    if keep {
        std::mem::forget(gst::Buffer::with_size(4711).unwrap());
    }
}

#[test]
#[allow(unsafe_code)]
fn nothing_leaks() {
    const KEEP: &str = "DSFRAME_TEST_KEEP";
    if is_child() {
        run_for_leaks(std::env::var(KEEP).as_deref() == Ok("1"));
        // SAFETY: nothing uses GStreamer afterwards.
        unsafe { gst::deinit() };
        return;
    }
    let leaks = |keep: &str| {
        let output = in_child(
            "nothing_leaks",
            &[
                ("GST_TRACERS", "leaks"),
                ("GST_DEBUG", "GST_TRACER:7"),
                (KEEP, keep),
            ],
        );
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        // Complaints are fatal, those of the tracer too.
        assert_eq!(output.status.success(), keep == "0", "{text}");
        text.lines()
            .filter(|line| line.contains("object-alive, type-name=(string)G"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(leaks("0"), Vec::<String>::new());
    assert_eq!(leaks("1").len(), 2, "a buffer and its memory");
}

#[test]
fn nvmm_can_be_turned_off() {
    let caps = || {
        let rig = Rig::stopped(&[]);
        rig.element.static_pad("sink").unwrap().query_caps(None)
    };
    let of_nvmm = |caps: &gst::Caps| {
        caps.iter_with_features()
            .filter(|(_, features)| features.contains("memory:NVMM"))
            .count()
    };
    if is_child() {
        let caps = caps();
        // CUDA memory of GStreamer is no NVMM.
        assert_eq!((of_nvmm(&caps), caps.size()), (0, 2), "{caps}");
        let folder = tempdir().unwrap();
        let nvmm: gst::Caps = "video/x-raw(memory:NVMM),format=RGB,width=8,height=8,framerate=1/1"
            .parse()
            .unwrap();
        let rig = Rig::stopped(&[("location", &at(&folder, "%d.raw"))]);
        rig.start();
        assert!(rig.pad.push_event(gst::event::StreamStart::new("test")));
        rig.pad.push_event(gst::event::Caps::new(&nvmm));
        let segment = gst::FormattedSegment::<gst::ClockTime>::new();
        rig.pad.push_event(gst::event::Segment::new(&segment));
        assert_eq!(rig.push(0), Err(gst::FlowError::NotNegotiated));
        return;
    }
    assert_eq!(of_nvmm(&caps()), 1);
    let output = in_child("nvmm_can_be_turned_off", &[("DSFRAME_DISABLE_NVMM", "1")]);
    assert!(output.status.success(), "{output:?}");
}
