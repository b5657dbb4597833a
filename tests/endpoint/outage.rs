// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Ten thousand captures through outages of random length: all arrive, in order, and once unless the
//! server failed after it had received.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use gst::prelude::*;
use gst_video::{VideoFormat, VideoFrame};
use gstdsframe::codec::JpegDecoder;
use gstdsframe::frame::{View, ViewMut, code};

use crate::common::pictures::info;
use crate::common::{LIMIT, Messages, at, count, files, launch, play};
use crate::kit::{all, fates, posts};
use crate::server::{Answer, OK, Request, Server};

const FRAMES: u64 = 10_000;

/// The number that a JPEG spells by its pixels.
fn spelled(jpeg: &[u8]) -> u64 {
    let info = info(VideoFormat::Rgb, 128, 72);
    let buffer = gst::Buffer::with_size(info.size()).unwrap();
    let mut frame = VideoFrame::from_buffer_writable(buffer, &info).unwrap();
    let mut view = ViewMut::of_frame(&mut frame).unwrap();
    JpegDecoder::new().decode(jpeg, &mut view).unwrap();
    let (_, number) = code::read(&View::of_frame(&frame).unwrap()).unwrap();
    number.into()
}

/// The line whose frames spell their numbers, with quick retries.
fn line(url: &str, spool: &str, more: &str) -> String {
    format!(
        "dsframeinject frame-code=true num-buffers={FRAMES} ! video/x-raw,width=128,height=72 ! \
         dsframecapture name=capture interval=1 endpoint={url} endpoint-body=binary \
         endpoint-spool={spool} endpoint-delay=1000000 endpoint-timeout=10000000000 \
         endpoint-breaker-threshold=3 endpoint-breaker-timeout=5000000 {more}"
    )
}

/// After EOS, what is in the spool is still sent.
fn play_out(line: &str) -> (gst::Element, Vec<String>) {
    let pipeline = launch(line);
    let capture = pipeline.by_name("capture").unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let begun = Instant::now();
    let bus = pipeline.bus().unwrap();
    let mut messages = Messages::default();
    while !messages.eos() || posts(&capture, "spooled") > 0 {
        assert!(begun.elapsed() < 3 * LIMIT, "{:?}", fates(&capture));
        messages
            .0
            .extend(bus.timed_pop(gst::ClockTime::from_mseconds(10)));
        assert!(messages.errors().is_empty(), "{:?}", messages.errors());
    }
    pipeline.set_state(gst::State::Null).unwrap();
    crate::common::check_accounts(&capture);
    (capture, messages.warning_texts())
}

/// Says which moments are random, so that they can be had again.
fn random() -> fastrand::Rng {
    let given = std::env::var("DSFRAME_SEED").ok();
    let seed = given.map_or_else(|| fastrand::u64(..), |text| text.parse().unwrap());
    println!("DSFRAME_SEED={seed}");
    fastrand::Rng::with_seed(seed)
}

/// A run of one kind of answer, of random length.
fn weather() -> impl FnMut(&Request) -> Answer {
    let mut random = random();
    let mut left = 0;
    let mut now = OK;
    let mut is_fair = false;
    move |_| {
        if left == 0 {
            is_fair = !is_fair;
            left = if is_fair {
                random.u32(1..400)
            } else {
                random.u32(1..12)
            };
            now = match random.u32(0..4) {
                _ if is_fair => OK,
                0 => Answer::Status(503),
                1 => Answer::CloseWithin,
                2 => Answer::With(429, vec!["Retry-After: 0".into()]),
                _ => Answer::Status(500),
            };
        }
        left -= 1;
        now.clone()
    }
}

#[test]
fn each_capture_arrives_once_and_in_order() {
    let server = Server::scripted(weather());
    let folder = tempfile::tempdir().unwrap();
    let (capture, said) = play_out(&line(&server.url(), &at(&folder, "spool"), ""));
    let accepted = server.accepted();
    let numbers: Vec<_> = accepted
        .iter()
        .map(|request| spelled(&request.body))
        .collect();
    assert!(numbers == all(FRAMES));
    assert_eq!(fates(&capture), [FRAMES, 0, 0, 0, 0]);
    assert_eq!(count(&capture, "captured"), FRAMES);
    assert!(posts(&capture, "retries") > 0);
    assert!(
        said.iter()
            .all(|it| it.contains("left alone") || it.contains("are kept")),
        "{said:?}"
    );
    let kept = files(&folder.path().join("spool"));
    assert_eq!(kept, [".lock"]);
}

#[test]
fn the_same_beside_files() {
    let server = Server::scripted(weather());
    let folder = tempfile::tempdir().unwrap();
    let more = format!(
        "location={} log-location={}",
        at(&folder, "{frame:05}.jpg"),
        at(&folder, "log.jsonl")
    );
    let (capture, _) = play_out(&line(&server.url(), &at(&folder, "spool"), &more));
    let accepted = server.accepted();
    assert_eq!(accepted.len() as u64, FRAMES);
    for (n, request) in accepted.iter().enumerate() {
        let file = std::fs::read(folder.path().join(format!("{n:05}.jpg"))).unwrap();
        assert!(request.body == file, "{n}");
    }
    assert_eq!(fates(&capture), [FRAMES, 0, 0, 0, 0]);
    assert_eq!(count(&capture, "captured"), FRAMES);
}

#[test]
fn a_server_that_goes_away_and_comes_back_misses_nothing() {
    let server = Server::new();
    let address = server.address();
    let url = server.url();
    let folder = tempfile::tempdir().unwrap();
    let spool = at(&folder, "spool");
    let over = Arc::new(AtomicBool::new(false));
    let coming_and_going = std::thread::spawn({
        let over = over.clone();
        move || {
            let mut random = random();
            let mut received = Vec::new();
            let mut server = server;
            loop {
                std::thread::sleep(Duration::from_millis(random.u64(1..150)));
                let is_over = over.load(Ordering::SeqCst);
                received.extend(server.stop().1);
                if is_over {
                    return received;
                }
                std::thread::sleep(Duration::from_millis(random.u64(0..100)));
                server = Server::at(address);
            }
        }
    });
    let (capture, _) = play_out(&line(&url, &spool, ""));
    over.store(true, Ordering::SeqCst);
    let received = coming_and_going.join().unwrap();
    // Twice where it was gone before it could answer.
    let mut known = HashSet::new();
    let first: Vec<_> = received
        .iter()
        .filter(|it| known.insert(it.key().to_owned()))
        .collect();
    let numbers: Vec<_> = first.iter().map(|request| spelled(&request.body)).collect();
    assert!(numbers == all(FRAMES));
    for pair in received.windows(2) {
        let next = |request: &Request| -> u64 { request.header("Dsframe-Number").parse().unwrap() };
        assert!(next(&pair[1]) <= next(&pair[0]) + 1, "out of order");
    }
    assert_eq!(fates(&capture), [FRAMES, 0, 0, 0, 0]);
}

#[test]
fn without_a_spool_what_is_waited_for_arrives_too() {
    // Fewer failures in a row than there are retries.
    let mut n = 0;
    let server = Server::scripted(move |_| {
        n += 1;
        if n % 7 < 2 { Answer::Status(503) } else { OK }
    });
    let messages = play(&launch(&format!(
        "dsframeinject frame-code=true num-buffers=2000 ! video/x-raw,width=128,height=72 ! \
         dsframecapture queue-size=2 endpoint={} endpoint-body=binary endpoint-delay=1000",
        server.url()
    )));
    assert!(
        messages.eos() && messages.warnings().is_empty(),
        "{:?}",
        messages.warnings()
    );
    let accepted = server.accepted();
    let numbers: Vec<_> = accepted
        .iter()
        .map(|request| spelled(&request.body))
        .collect();
    assert!(numbers == all(2000));
}
