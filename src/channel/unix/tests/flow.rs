// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

use std::thread;

use super::socket::BUSY_SENDS;
use super::*;

#[test]
fn ten_thousand_frames_come_in_order_and_are_not_copied() {
    let dir = dir();
    let mut producer = Producer::open(&path(&dir), 8);
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let mut reader = Reader::open(&path(&dir));
            thread::spawn(move || {
                let mut kept = std::collections::VecDeque::new();
                for want in 0..10_000 {
                    let parcel = reader.frame();
                    check(&parcel, want);
                    // Some are let go at once, some later, and by others.
                    kept.push_back((want, parcel));
                    if want % 7 == 0 {
                        let kept: Vec<_> = kept.drain(..).collect();
                        thread::spawn(move || {
                            kept.iter().for_each(|(want, parcel)| check(parcel, *want));
                        });
                    }
                }
                kept.iter().for_each(|(want, parcel)| check(parcel, *want));
                drop(kept);
                assert!(matches!(reader.next(), Item::End));
                assert_eq!(reader.counts(), (10_000, 10_000, 0, 0));
                assert!(!reader.client.has_producer());
            })
        })
        .collect();
    producer.wait_for_readers(3);
    producer.send_all(10_000);
    producer.hub.end();
    readers
        .into_iter()
        .for_each(|reader| reader.join().unwrap());
    producer.wait(|| producer.hub.in_flight() == 0);
    assert_eq!(producer.counts(), (30_000, 30_000, 0, 0));
    assert_eq!(producer.common().copies.bytes(), 0);
    // Reused, and not made anew.
    let most = (3 * 64 + 16) * producer.info.size();
    assert!(producer.origin.bytes() <= most);
}

#[test]
fn plain_memory_is_copied_once_for_all() {
    let dir = dir();
    let info = info(64, 48);
    let origin = Origin::plain(&info);
    let mut producer = Producer::of(&path(&dir), 4, info, origin);
    let mut readers: Vec<_> = (0..4).map(|_| Reader::open(&path(&dir))).collect();
    producer.wait_for_readers(4);
    for want in 0..200 {
        producer.send_all(1);
        for reader in &mut readers {
            check(&reader.frame(), want);
        }
    }
    let copied = producer.common().copies.bytes();
    assert!((1..=6 * producer.info.size()).contains(&copied), "{copied}");
}

#[test]
fn what_a_reader_does_not_take_waits_or_is_dropped_as_asked() {
    for (full, bound, got) in [
        (Full::DropNewest, 6, vec![0, 1, 2, 3, 4, 5]),
        // Four are with the reader already.
        (Full::DropOldest, 6, vec![0, 1, 2, 3, 18, 19]),
        (Full::DropNewest, 2, vec![0, 1]),
        // The newest comes in the end.
        (Full::DropOldest, 2, vec![0, 1, 19]),
        (Full::Exceed, 2, (0..20).collect()),
    ] {
        let dir = dir();
        let mut producer = Producer::open(&path(&dir), bound);
        let mut reader = Reader::open(&path(&dir));
        producer.wait_for_readers(1);
        for _ in 0..20 {
            producer.send(full).unwrap();
        }
        let (received, in_flight) = (got.len() as u64, got.len() as u64);
        let dropped = 20 - received;
        assert_eq!(producer.counts(), (20, 0, dropped, in_flight));
        producer.hub.end();
        for want in got {
            check(&reader.frame(), want);
        }
        assert!(matches!(reader.next(), Item::End));
        producer.wait(|| producer.hub.in_flight() == 0);
        assert_eq!(producer.counts(), (20, received, dropped, 0));
        // The end says what was dropped after the last frame.
        assert_eq!(reader.counts(), (20, received, dropped, 0));
    }
}

#[test]
fn a_reader_that_keeps_frames_gets_no_more_until_it_lets_one_go() {
    let dir = dir();
    let mut producer = Producer::open(&path(&dir), 8);
    let mut reader = Reader::open(&path(&dir));
    let mut other = Reader::open(&path(&dir));
    producer.wait_for_readers(2);
    let mut kept = Vec::new();
    for want in 0..64 {
        producer.send_all(1);
        kept.push(reader.frame());
        check(&other.frame(), want);
    }
    // All are taken, and yet there is no room.
    producer.wait(|| producer.hub.in_flight() == 0);
    assert!(!producer.hub.has_room());
    assert_eq!(producer.send(Full::Refuse), Err(NoRoom { readers: 2 }));
    producer.send(Full::DropNewest).unwrap();
    check(&other.frame(), 64);
    assert!(reader.is_quiet());
    for (want, parcel) in kept.iter().enumerate() {
        check(parcel, want as u64);
    }
    // Any of them, from any thread.
    let one = kept.swap_remove(17);
    thread::spawn(move || drop(one)).join().unwrap();
    producer.send_all(1);
    let last = reader.frame();
    check(&last, 65);
    check(&other.frame(), 65);
    producer.wait(|| producer.hub.in_flight() == 0);
    assert!(!producer.hub.has_room());
    drop((kept, last));
    producer.wait(|| producer.hub.has_room());
    assert_eq!(reader.counts(), (66, 65, 1, 0));
    assert_eq!(other.counts(), (66, 66, 0, 0));
    assert_eq!(producer.counts(), (132, 131, 1, 0));
}

#[test]
fn the_picture_may_change_within_a_stream() {
    let dir = dir();
    let mut producer = Producer::open(&path(&dir), 4);
    let mut reader = Reader::open(&path(&dir));
    producer.wait_for_readers(1);
    let mut kept = Vec::new();
    for turn in 0..100u32 {
        let info = info(16 + 16 * (turn % 7), 2 + 2 * (turn % 5));
        producer.origin = match turn % 2 {
            0 => Origin::plain(&info),
            _ => Origin::shared(&info),
        };
        producer.info = info.clone();
        producer.send_all(1);
        let parcel = reader.frame();
        check(&parcel, turn.into());
        assert_eq!(parcel.info(), &info);
        kept.push(parcel);
        kept.drain(..kept.len().saturating_sub(20));
    }
    for (parcel, want) in kept.iter().zip(80..) {
        check(parcel, want);
    }
}

#[test]
fn how_fields_follow_each_other_is_told() {
    use gst_video::{VideoBufferFlags as Flags, VideoFrameFlags, VideoMeta};
    gst::init().unwrap();
    let info = VideoInfo::builder(VideoFormat::I420, 64, 48)
        .interlace_mode(gst_video::VideoInterlaceMode::Mixed);
    let info = info.fps(gst::Fraction::new(30, 1)).build().unwrap();
    for origin in [Origin::plain(&info), Origin::shared(&info)] {
        let dir = dir();
        let producer = Producer::of(&path(&dir), 4, info.clone(), origin);
        let mut readers = [(); 2].map(|()| Reader::open(&path(&dir)));
        producer.wait_for_readers(2);
        for (flags, of_frame) in [
            (Flags::empty(), VideoFrameFlags::empty()),
            (Flags::INTERLACED, VideoFrameFlags::INTERLACED),
            (
                Flags::INTERLACED | Flags::TFF | Flags::RFF,
                VideoFrameFlags::INTERLACED | VideoFrameFlags::TFF | VideoFrameFlags::RFF,
            ),
            (
                Flags::INTERLACED | Flags::ONEFIELD,
                VideoFrameFlags::INTERLACED | VideoFrameFlags::ONEFIELD,
            ),
            (Flags::empty(), VideoFrameFlags::empty()),
        ] {
            let parcel = producer.origin.parcel(&info, 0);
            let (picture, facts) = Arc::into_inner(parcel).unwrap().into_parts();
            let Snapshot::Host(mut frame) = picture else {
                panic!("not in host memory");
            };
            frame.buffer.get_mut().unwrap().set_video_flags(flags);
            let parcel = Arc::new(Parcel::new(Snapshot::Host(frame), facts, 0, None));
            producer.wait(|| producer.hub.has_room());
            producer.hub.send(&parcel, Full::Refuse).unwrap();
            for reader in &mut readers {
                let got = reader.frame();
                assert_eq!(got.info().interlace_mode(), info.interlace_mode());
                let Snapshot::Host(frame) = got.picture() else {
                    panic!("not in host memory");
                };
                assert_eq!(frame.buffer.video_flags(), flags);
                let meta = frame.buffer.meta::<VideoMeta>().unwrap();
                assert_eq!(meta.video_frame_flags(), of_frame);
            }
        }
    }
}

#[test]
fn what_cannot_be_sent_is_known_before() {
    let can = crate::channel::can_share;
    assert_eq!(can(&info(64, 48)), Ok(()));
    let alternate = VideoInfo::builder(VideoFormat::I420, 64, 48)
        .interlace_mode(gst_video::VideoInterlaceMode::Alternate);
    let why = can(&alternate.build().unwrap()).unwrap_err();
    assert!(why.contains("interlace mode"), "{why}");
    let deep = VideoInfo::builder(VideoFormat::P01010le, 64, 48).build();
    assert!(can(&deep.unwrap()).unwrap_err().contains("P010"));
}

#[test]
fn detections_that_do_not_fit_are_counted() {
    let dir = dir();
    let producer = Producer::open(&path(&dir), 4);
    let mut reader = Reader::open(&path(&dir));
    producer.wait_for_readers(1);
    let mut left_out = 0;
    for _ in 0..3 {
        let parcel = producer.origin.parcel(&producer.info, 0);
        let (picture, mut facts) = Arc::into_inner(parcel).unwrap().into_parts();
        let detection = Detection {
            label: "x".repeat(1000).into(),
            ..Detection::default()
        };
        facts.meta.detections = vec![detection; 200];
        let parcel = Parcel::new(picture, facts, 0, None);
        producer.wait(|| producer.hub.has_room());
        producer.hub.send(&Arc::new(parcel), Full::Refuse).unwrap();
        let got = reader.frame().facts.meta.detections.len();
        assert!(got > 50 && got < 200);
        left_out += 200 - got as u64;
        assert_eq!(producer.hub.left_out(), left_out);
    }
}

#[test]
fn memory_with_rows_apart_and_parts_of_memory_are_read_where_they_are() {
    let dir = dir();
    let mut producer = Producer::open(&path(&dir), 4);
    let mut reader = Reader::open(&path(&dir));
    producer.wait_for_readers(1);
    let mut aligned = ShmPool::new(&producer.info).unwrap();
    let mut config = aligned.config();
    config.add_option(gst_video::BUFFER_POOL_OPTION_VIDEO_ALIGNMENT);
    config.set_video_alignment(&gst_video::VideoAlignment::new(2, 4, 16, 8, &[63; 4]));
    aligned.set_config(config).unwrap();
    aligned.set_active(true).unwrap();
    if let Origin::Shared(pool) = &mut producer.origin {
        std::mem::swap(pool, &mut aligned);
    }
    aligned.set_active(false).unwrap();
    for want in 0..150 {
        producer.send_all(1);
        check(&reader.frame(), want);
    }

    // The second half of a memory.
    let info = info(16, 8);
    let memory = crate::mem::shm::alloc(2 * info.size() + 100, &Default::default()).unwrap();
    let mut buffer = gst::Buffer::new();
    buffer.get_mut().unwrap().append_memory(memory);
    let start = info.size() + 50;
    let part = start..start + info.size();
    buffer
        .get_mut()
        .unwrap()
        .copy_from_slice(start, &vec![9; info.size()])
        .unwrap();
    let buffer = buffer
        .copy_region(gst::BufferCopyFlags::MEMORY, part)
        .unwrap();
    let picture = Snapshot::Host(Frame { info, buffer });
    let parcel = Parcel::new(picture, Facts::default(), 0, None);
    producer.wait(|| producer.hub.has_room());
    producer.hub.send(&Arc::new(parcel), Full::Refuse).unwrap();
    assert_eq!(number(&reader.frame()), 0x0909_0909_0909_0909);
    assert_eq!(producer.common().copies.bytes(), 0);
}

#[test]
fn an_end_is_for_those_who_come_later_too() {
    let dir = dir();
    let mut producer = Producer::open(&path(&dir), 8);
    let mut reader = Reader::open(&path(&dir));
    producer.wait_for_readers(1);
    producer.send_all(3);
    producer.hub.end();
    let mut late = Reader::open(&path(&dir));
    assert!(matches!(late.next(), Item::End));
    let kept: Vec<_> = (0..3).map(|_| reader.frame()).collect();
    assert!(matches!(reader.next(), Item::End));
    // What is kept is not written to, and goes back when it is let go.
    let before = producer.origin.bytes();
    let again: Vec<_> = (10..13)
        .map(|n| producer.origin.parcel(&producer.info, n))
        .collect();
    assert!(producer.origin.bytes() > before);
    drop(again);
    for (want, parcel) in kept.iter().enumerate() {
        check(parcel, want as u64);
    }
    drop(kept);
    assert!(reader.is_quiet());
    // A new stream, for those who come from now on.
    producer.send(Full::DropOldest).unwrap();
    let mut next = Reader::open(&path(&dir));
    producer.wait_for_readers(1);
    producer.send_all(1);
    check(&next.frame(), 4);
    assert!(reader.is_quiet() && late.is_quiet());
}

#[test]
fn a_producer_stops_and_comes_back() {
    let dir = dir();
    let mut reader = Reader::open(&path(&dir));
    assert!(!reader.client.has_producer());
    let mut sessions = Vec::new();
    let mut kept = Vec::new();
    for turn in 0..5u64 {
        let mut producer = Producer::open(&path(&dir), 8);
        producer.next = 10 * turn;
        producer.wait_for_readers(1);
        let client = &reader.client;
        let waited = reader
            .gate
            .wait(Some(PATIENCE), || client.has_producer().then_some(()));
        assert_eq!(waited, Wait::Ready(()));
        sessions.push(producer.hub.session());
        producer.send_all(6);
        // The last two are still to be sent when it stops.
        let polling = thread::spawn(move || {
            for want in 10 * turn..10 * turn + 6 {
                let parcel = reader.frame();
                // `check` would want a discontinuity.
                assert_eq!(number(&parcel), want);
                kept.push(parcel);
            }
            assert!(matches!(reader.next(), Item::Stopped));
            (reader, kept)
        });
        let start = Instant::now();
        producer.server = None;
        assert!(start.elapsed() < Duration::from_millis(900));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        (reader, kept) = polling.join().unwrap();
        assert_eq!(kept.last().unwrap().session, sessions[turn as usize]);
        // It need not wait to hear that what it sent was taken.
        let (sent, received, dropped, in_flight) = producer.counts();
        assert_eq!((sent, received + in_flight, dropped), (6, 6, 0));
        // Pictures that are kept are never written to again.
        for number in 0..20 {
            producer.origin.parcel(&producer.info, 1000 + number);
        }
    }
    for (at, parcel) in kept.iter().enumerate() {
        assert_eq!(number(parcel), (10 * (at / 6) + at % 6) as u64);
    }
    sessions.sort_unstable();
    sessions.dedup();
    assert_eq!(sessions.len(), 5);
    assert_eq!(reader.counts(), (30, 30, 0, 0));
}

#[test]
fn a_producer_does_not_wait_long_for_a_reader_that_takes_nothing() {
    let dir = dir();
    let mut producer = Producer::open(&path(&dir), 8);
    let mut reader = Reader::open(&path(&dir));
    producer.wait_for_readers(1);
    let mut parcels = Vec::new();
    for number in 0..8 {
        let parcel = producer.origin.parcel(&producer.info, number);
        producer.hub.send(&parcel, Full::Refuse).unwrap();
        parcels.push(Arc::downgrade(&parcel));
    }
    let start = Instant::now();
    producer.server = None;
    let took = start.elapsed();
    // The counts are kept, and the pixels are not.
    assert!(parcels.iter().all(|parcel| parcel.strong_count() == 0));
    assert!(took > Duration::from_millis(900) && took < Duration::from_secs(3));
    assert_eq!(producer.counts(), (8, 0, 4, 4));
    for want in 0..4 {
        check(&reader.frame(), want);
    }
    assert!(matches!(reader.next(), Item::Stopped));
    assert_eq!(reader.counts(), (8, 4, 4, 0));
}

#[test]
fn a_producer_that_stops_waits_as_long_as_it_is_told() {
    let dir = dir();
    let mut producer = Producer::open(&path(&dir), 8);
    let mut reader = Reader::open(&path(&dir));
    producer.wait_for_readers(1);
    producer.send_all(8);
    let server = producer.server.take().unwrap();
    let start = Instant::now();
    server.stop();
    assert!(start.elapsed() < Duration::from_millis(500));
    producer.wait_for_readers(0);
    let reading = thread::spawn(move || {
        thread::sleep(Duration::from_millis(1500));
        (0..8).for_each(|want| check(&reader.frame(), want));
        assert!(matches!(reader.next(), Item::Stopped));
        assert_eq!(reader.counts(), (8, 8, 0, 0));
    });
    assert_eq!(server.finish(PATIENCE), 0);
    assert!(start.elapsed() > Duration::from_millis(1400));
    assert_eq!(server.finish(PATIENCE), 0);
    reading.join().unwrap();
    let (sent, received, dropped, in_flight) = producer.counts();
    assert_eq!((sent, received + in_flight, dropped), (8, 8, 0));

    // Two at once, and what is dropped is told.
    let dirs = [super::dir(), super::dir()];
    let producers = dirs.each_ref().map(|dir| {
        let mut producer = Producer::open(&path(dir), 8);
        let reader = Reader::open(&path(dir));
        producer.wait_for_readers(1);
        producer.send_all(7);
        (producer, reader)
    });
    let start = Instant::now();
    let servers = producers
        .each_ref()
        .map(|(producer, _)| producer.server.as_ref().unwrap());
    servers.iter().for_each(|server| server.stop());
    for server in servers {
        let left = Duration::from_millis(300).saturating_sub(start.elapsed());
        assert_eq!(server.finish(left), 3);
    }
    assert!(start.elapsed() < Duration::from_millis(900));
}

#[test]
fn frames_that_a_socket_had_no_room_for_are_dropped_by_a_stop() {
    let dir = dir();
    let mut producer = Producer::open(&path(&dir), 8);
    let mut raw = Raw::connect(&path(&dir));
    raw.hello();
    producer.wait_for_readers(1);
    // Four packets are more than it holds. Only the first brings the slot.
    let (picture, mut facts) = Arc::into_inner(producer.origin.parcel(&producer.info, 0))
        .unwrap()
        .into_parts();
    let detection = Detection {
        label: "x".repeat(1000).into(),
        ..Detection::default()
    };
    facts.meta.detections = vec![detection; 120];
    let parcel = Arc::new(Parcel::new(picture, facts, 0, None));
    for _ in 0..6 {
        producer.hub.send(&parcel, Full::Refuse).unwrap();
    }
    let server = producer.server.take().unwrap();
    let dropped = server.finish(Duration::from_millis(100));
    let mut heard = 0;
    while let Some(message) = raw.hear() {
        heard += u64::from(matches!(message, Message::Frame(_)));
    }
    assert!(heard < 4);
    assert_eq!(heard + dropped, 6);
    assert_eq!(producer.counts(), (6, 0, dropped, heard));
    drop(server);
}

#[test]
fn what_the_kernel_has_no_memory_for_is_sent_later() {
    let dir = dir();
    let mut producer = Producer::open(&path(&dir), 8);
    let mut reader = Reader::open(&path(&dir));
    producer.wait_for_readers(1);
    for turn in 0..5 {
        // Of the producer: the rest is sent by its other thread.
        BUSY_SENDS.set(1);
        producer.send_all(4);
        assert_eq!(BUSY_SENDS.get(), 0);
        let kept: Vec<_> = (0..4).map(|_| reader.frame()).collect();
        for (want, parcel) in (4 * turn..).zip(&kept) {
            check(parcel, want);
        }
        producer.wait(|| producer.hub.in_flight() == 0);
        // And of the reader.
        BUSY_SENDS.set(1);
        drop(kept);
        assert_eq!(BUSY_SENDS.get(), 0);
    }
    producer.hub.end();
    assert!(matches!(reader.next(), Item::End));
    assert_eq!(reader.counts(), (20, 20, 0, 0));
}

#[test]
fn a_reader_ends_at_once_and_keeps_what_it_has() {
    let dir = dir();
    // Waiting for a producer.
    let reader = Reader::open(&path(&dir));
    let start = Instant::now();
    drop(reader);
    assert!(start.elapsed() < Duration::from_millis(500));

    let mut producer = Producer::open(&path(&dir), 8);
    let mut reader = Reader::open(&path(&dir));
    producer.wait_for_readers(1);
    producer.send_all(8);
    let kept: Vec<_> = (0..3).map(|_| reader.frame()).collect();
    let counter = reader.client.counter();
    let start = Instant::now();
    drop(reader);
    assert!(start.elapsed() < Duration::from_millis(500));
    let (_, received, _, in_flight) = tuple(counter.counts());
    assert_eq!((received, in_flight), (3, 0));
    // The producer does not wait for it.
    producer.wait_for_readers(0);
    producer.wait(|| producer.counts() == (8, 3, 5, 0));
    let mut next = Reader::open(&path(&dir));
    producer.wait_for_readers(1);
    for _ in 0..100 {
        producer.send_all(1);
        next.frame();
    }
    for (want, parcel) in kept.iter().enumerate() {
        check(parcel, want as u64);
    }
    // Its memory comes back with the last of them.
    let info = producer.info.clone();
    drop(kept);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let before = producer.origin.bytes();
        let many: Vec<_> = (0..3).map(|n| producer.origin.parcel(&info, n)).collect();
        let after = producer.origin.bytes();
        drop(many);
        if before == after {
            break;
        }
        assert!(Instant::now() < deadline);
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_producer_gets_to_know_that_its_thread_failed() {
    let dir = dir();
    let mut producer = Producer::open(&path(&dir), 8);
    let mut reader = Reader::open(&path(&dir));
    producer.wait_for_readers(1);
    producer.send_all(1);
    check(&reader.frame(), 0);
    assert_eq!(producer.hub.failure(), None);
    let common = producer.common().clone();
    common
        .panics
        .store(true, std::sync::atomic::Ordering::Release);
    common.bell.ring();
    producer.wait(|| producer.hub.failure().is_some());
    assert!(matches!(reader.next(), Item::Stopped));
}

#[test]
fn a_channel_has_one_producer() {
    let dir = dir();
    let hub = || Arc::new(Hub::new(1, Arc::new(|| ())));
    let first = Server::open(&path(&dir), Access::User, hub()).unwrap();
    let second = Server::open(&path(&dir), Access::User, hub());
    assert!(matches!(second, Err(SocketError::Taken(_))));
    drop(first);
    Server::open(&path(&dir), Access::User, hub()).unwrap();
}

#[test]
fn what_no_waiting_mends_is_told() {
    let dir = dir();
    std::fs::write(path(&dir), "precious").unwrap();
    let mut reader = Reader::open(&path(&dir));
    assert!(reader.broken().contains("is no socket"));
    assert!(reader.is_quiet());
}
