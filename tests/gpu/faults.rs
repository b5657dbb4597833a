// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What goes wrong with cards and with what others put on them.

use gst::prelude::*;
use gst_video::VideoFormat;
use gstdsframe::mem::sys::Generation;
use tempfile::TempDir;

use crate::card::{self, Context};
use crate::common::*;
use crate::foreign::{Batch, Surface};
use crate::shared::rig::Rig;
use crate::shared::{
    Messages, at, count, files, in_child, is_child, launch, play, play_well, until,
};

const NVMM: &str = "video/x-raw(memory:NVMM),format=RGB,width=640,height=360,framerate=30/1";

#[track_caller]
fn says(messages: &Messages, words: &[&str]) {
    let errors = messages.errors();
    assert!(!errors.is_empty(), "no error");
    let text: String = errors.into_iter().map(|(_, text)| text).collect();
    for word in words {
        assert!(text.contains(word), "no {word:?} in {text:?}");
    }
}

#[test]
fn a_card_that_is_not_there_is_named_with_how_many_there_are() {
    on_card!();
    let count = card::devices();
    for gpu in [count, count + 7, i32::MAX as u32] {
        let messages = play(&launch(&format!(
            "dsframeinject device=gpu gpu-id={gpu} ! {NVMM} ! fakesink"
        )));
        says(&messages, &["gpu-id", &gpu.to_string(), &count.to_string()]);
    }
}

/// Runs the test of this name in a process of its own; it must end well.
#[track_caller]
fn child(test: &str, environment: &[(&str, &str)]) {
    let output = in_child(&format!("faults::{test}"), environment);
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{:?}: {text}", output.status);
    assert!(text.contains("1 passed"), "it did not run: {text}");
}

#[test]
fn without_a_visible_card_the_error_says_so() {
    on_card!();
    if !is_child() {
        // The second is for the stand-in.
        let hidden = [
            ("CUDA_VISIBLE_DEVICES", ""),
            ("DSFRAME_STANDIN_DEVICES", "0"),
        ];
        return child("without_a_visible_card_the_error_says_so", &hidden);
    }
    let messages = play(&launch(&format!(
        "dsframeinject device=gpu ! {NVMM} ! fakesink"
    )));
    says(&messages, &["CUDA_VISIBLE_DEVICES"]);
    // And whoever does not insist has system memory.
    play_well("dsframeinject num-buffers=3 ! video/x-raw;video/x-raw(memory:NVMM) ! fakesink");
}

#[test]
fn a_driver_that_is_too_old_is_named() {
    on_card!(card::is_standin() => "the driver is new enough");
    if !is_child() {
        let old = [("DSFRAME_STANDIN_VERSION", "11080")];
        return child("a_driver_that_is_too_old_is_named", &old);
    }
    let messages = play(&launch(&format!(
        "dsframeinject device=gpu ! {NVMM} ! fakesink"
    )));
    says(&messages, &["11.8", "12.0"]);
}

/// A batch of two: the first to be spoilt, the second good.
fn pair() -> Batch {
    let context = Context::primary(0);
    let surface = |seed| Surface::new(&context, VideoFormat::I420, (64, 32), seed);
    Batch::new(Generation::C, vec![surface(1), surface(2)])
}

/// Pushes a batch whose first surface lies; the second must be captured all the same.
#[track_caller]
fn only_the_liar_fails(what: &str, mut batch: Batch) {
    let folder = TempDir::new().unwrap();
    let location = at(&folder, "{stream}-{frame}.raw");
    let rig = Rig::stopped(&[("interval", "1"), ("location", &location)]);
    rig.start();
    rig.begin_caps(&batch.caps(), &gst::FormattedSegment::new());
    for number in 0..2 {
        rig.pad
            .push(batch.buffer(number))
            .unwrap_or_else(|e| panic!("{what}: {e:?}, {:?}", rig.messages().errors()));
    }
    let messages = rig.end();
    assert!(!messages.warnings().is_empty(), "{what}: not a word");
    assert_eq!(
        (rig.count("captured"), rig.count("failed")),
        (2, 2),
        "{what}"
    );
    assert_eq!(files(folder.path()), ["1-0.raw", "1-1.raw"], "{what}");
    let expected = vec![batch.surfaces[1].pixels.clone(); 2];
    compare(&contents(folder.path()), &expected, 0, what);
}

#[test]
fn surfaces_that_lie_about_their_layout_fail_alone() {
    on_card!();
    let lies: &[(&str, u32)] = &[
        ("width", 0),
        ("width", 65_537),
        ("height", u32::MAX),
        ("width", 66),
        ("height", 34),
        ("layout", 1),
        ("colorFormat", 9999),
        ("planeParams.num_planes", 0),
        ("planeParams.num_planes", u32::MAX),
        ("planeParams.pitch.0", 63),
        ("planeParams.pitch.1", u32::MAX),
        ("planeParams.offset.2", u32::MAX),
        ("planeParams.psize.2", u32::MAX),
    ];
    for (field, lie) in lies {
        let mut batch = pair();
        batch.params[0].set(field, *lie);
        only_the_liar_fails(&format!("{field} {lie}"), batch);
    }
}

#[test]
fn pointers_that_are_none_of_the_cards_fail_alone() {
    on_card!();
    let host = vec![0u8; 1 << 16];
    let freed = {
        let surface = pair().surfaces.remove(0);
        surface.memory.address()
    };
    let on_host = host.as_ptr().expose_provenance() as u64;
    for (what, address) in [
        ("null", 0),
        ("a small number", 16),
        ("no address", u64::MAX - 4095),
        ("memory of the host", on_host),
        ("memory that was freed", freed),
    ] {
        let mut batch = pair();
        // What was freed must not be what this one has got.
        if batch.surfaces.iter().any(|s| s.memory.address() == address) {
            continue;
        }
        batch.params[0].set_pointer("dataPtr", address);
        only_the_liar_fails(what, batch);
    }
}

#[test]
fn surfaces_larger_than_their_memory_fail_alone() {
    on_card!();
    let mut batch = pair();
    // Consistent in itself, but the memory has less by far: 4096x4096 instead of 64x32.
    let (width, height) = (4096u32, 4096u32);
    let luma = width * height;
    let params = &mut batch.params[0];
    params
        .set("width", width)
        .set("height", height)
        .set("pitch", width)
        .set("dataSize", luma * 3 / 2);
    for (i, (width, height, offset)) in [
        (width, height, 0),
        (width / 2, height / 2, luma),
        (width / 2, height / 2, luma * 5 / 4),
    ]
    .into_iter()
    .enumerate()
    {
        params
            .set(&format!("planeParams.width.{i}"), width)
            .set(&format!("planeParams.height.{i}"), height)
            .set(&format!("planeParams.pitch.{i}"), width)
            .set(&format!("planeParams.offset.{i}"), offset)
            .set(&format!("planeParams.psize.{i}"), width * height);
    }
    only_the_liar_fails("more than there is", batch);
}

#[test]
fn memory_of_a_jetson_is_refused_with_a_way_out() {
    on_card!();
    for mem_type in [4, 5] {
        let folder = TempDir::new().unwrap();
        let mut batch = pair();
        batch.header.set("memType", mem_type);
        let location = at(&folder, "%d.raw");
        let properties = [
            ("interval", "1"),
            ("on-error", "fail"),
            ("location", location.as_str()),
        ];
        let rig = Rig::stopped(&properties);
        rig.start();
        rig.begin_caps(&batch.caps(), &gst::FormattedSegment::new());
        let _ = rig.pad.push(batch.buffer(0));
        let mut messages = rig.messages();
        messages.0.retain(|m| m.type_() == gst::MessageType::Error);
        says(&messages, &["nvvideoconvert ! video/x-raw,format=I420"]);
    }
}

#[test]
fn a_card_that_breaks_down_ends_the_line_with_whole_files() {
    on_card!();
    if !is_child() {
        return child(
            "a_card_that_breaks_down_ends_the_line_with_whole_files",
            &[],
        );
    }
    let context = Context::primary(0);
    let folder = TempDir::new().unwrap();
    let pipeline = launch(&format!(
        "dsframeinject device=gpu ! {NVMM} ! \
         dsframecapture name=sink interval=1 on-error=fail location={}",
        at(&folder, "%05d.raw")
    ));
    let sink = pipeline.by_name("sink").unwrap();
    let (begun, begins) = std::sync::mpsc::channel::<()>();
    let broken = std::thread::spawn(move || {
        // Nobody sends: it waits until the line has ended, or has captured some.
        let ended = || begins.try_recv() == Err(std::sync::mpsc::TryRecvError::Disconnected);
        until("captures", || count(&sink, "captured") > 10 || ended());
        if !ended() {
            card::break_down(&context);
        }
    });
    let messages = play(&pipeline);
    drop(begun);
    broken.join().unwrap();
    says(&messages, &["CUDA_ERROR", "start it again"]);
    let whole = 640 * 360 * 3;
    let written = contents(folder.path());
    assert!(written.len() > 10);
    assert!(written.iter().all(|file| file.len() == whole));
    // A second line in the same process fails as clearly.
    let messages = play(&launch(&format!(
        "dsframeinject device=gpu ! {NVMM} ! fakesink"
    )));
    says(&messages, &["CUDA_ERROR"]);
}

#[test]
fn a_card_that_is_lost_fails_its_own_captures_and_holds_up_nobody() {
    on_card!(
        card::is_standin() => "a card is not lost for a test",
        card::devices() > 1 => "there is no second card",
    );
    if !is_child() {
        return child(
            "a_card_that_is_lost_fails_its_own_captures_and_holds_up_nobody",
            &[],
        );
    }
    let folder = TempDir::new().unwrap();
    let mut cards = [0, 1].map(|gpu| {
        let context = Context::primary(gpu);
        let batch = Batch::one(&context, Generation::C, VideoFormat::Rgba, (64, 32));
        let location = at(&folder, &format!("{gpu}-%d.raw"));
        let rig = Rig::stopped(&[("interval", "1"), ("location", &location)]);
        rig.start();
        rig.begin_caps(&batch.caps(), &gst::FormattedSegment::new());
        (rig, batch)
    });
    let system = Rig::new(&[("interval", "1"), ("location", &at(&folder, "cpu-%d.raw"))]);
    for number in 0..30 {
        if number == 10 {
            until("the first", || {
                let captured = |rig: &Rig| rig.count("captured");
                cards.iter().all(|(rig, _)| captured(rig) == 10) && captured(&system) == 10
            });
            // Nothing is on its way, and the first to be pushed to is the one on card 0.
            card::lose_next();
        }
        for (rig, batch) in &mut cards {
            push(rig, batch.buffer(number));
        }
        system.push(number).unwrap();
    }
    let [(lost, gone), (kept, batch)] = cards;
    // A card that is lost takes nothing back.
    std::mem::forget(gone);
    let messages = lost.end();
    let warnings = messages.warnings();
    assert!(
        warnings
            .iter()
            .any(|(_, text)| text.contains("start it again"))
    );
    assert_eq!((lost.count("captured"), lost.count("failed")), (10, 20));
    for rig in [&kept, &system] {
        let messages = rig.end();
        assert!(messages.warnings().is_empty(), "{:?}", messages.warnings());
        assert_eq!(rig.count("captured"), 30);
    }
    assert_eq!(files(folder.path()).len(), 70);
    let expected = batch.surfaces[0].pixels.clone();
    for number in 0..30 {
        let bytes = std::fs::read(folder.path().join(format!("1-{number}.raw"))).unwrap();
        assert!(bytes == expected, "{number}");
    }
}

/// Those that use or measure all of the card's memory.
mod alone {
    use super::*;

    /// Takes all memory but some MiB.
    fn take_all(context: &std::sync::Arc<Context>) -> Vec<card::Memory> {
        let mut taken = Vec::new();
        let mut piece = 16usize << 30;
        while piece >= 1 << 20 {
            match context.try_alloc(piece) {
                Some(memory) => taken.push(memory),
                None => piece /= 2,
            }
        }
        taken
    }

    #[test]
    fn no_memory_for_surfaces_is_an_error() {
        on_card!();
        // What other tests have loaded would hide what is missing.
        if !is_child() {
            return child("alone::no_memory_for_surfaces_is_an_error", &[]);
        }
        let taken = take_all(&Context::primary(0));
        let line = "dsframeinject num-buffers=5 device=gpu ! \
                    video/x-raw(memory:NVMM),format=RGBA,width=1920,height=1080 ! fakesink";
        let messages = play(&launch(line));
        says(&messages, &["memory", "pool-size"]);
        // Given back, the same process goes on.
        drop(taken);
        play_well(line);
    }

    #[test]
    fn no_memory_for_captures_fails_them_and_says_so() {
        on_card!();
        if !is_child() {
            return child("alone::no_memory_for_captures_fails_them_and_says_so", &[]);
        }
        let context = Context::primary(0);
        let folder = TempDir::new().unwrap();
        let size = (3840, 2160);
        let mut batch = Batch::one(&context, Generation::C, VideoFormat::Rgba, size);
        let location = at(&folder, "%d.raw");
        let rig = Rig::stopped(&[("interval", "1"), ("location", &location)]);
        rig.start();
        rig.begin_caps(&batch.caps(), &gst::FormattedSegment::new());
        let taken = take_all(&context);
        push(&rig, batch.buffer(0));
        until("the failure", || rig.count("failed") == 1);
        drop(taken);
        push(&rig, batch.buffer(1));
        let messages = rig.end();
        let warnings = messages.warnings();
        assert!(warnings.iter().any(|(_, text)| text.contains("memory")));
        let expected = [batch.surfaces[0].pixels.clone()];
        compare(&contents(folder.path()), &expected, 0, "after the shortage");
    }

    #[test]
    fn below_what_is_to_stay_free_captures_are_dropped_until_there_is_room() {
        on_card!();
        if !is_child() {
            return child(
                "alone::below_what_is_to_stay_free_captures_are_dropped_until_there_is_room",
                &[],
            );
        }
        let context = Context::primary(0);
        let folder = TempDir::new().unwrap();
        let mut batch = Batch::one(&context, Generation::C, VideoFormat::Rgba, (64, 32));
        let location = at(&folder, "%d.raw");
        let rig = Rig::stopped(&[
            ("interval", "1"),
            ("location", &location),
            ("min-free-gpu-bytes", "67108864"),
            ("on-full", "drop"),
        ]);
        rig.start();
        rig.begin_caps(&batch.caps(), &gst::FormattedSegment::new());
        push(&rig, batch.buffer(0));
        until("the first", || rig.count("captured") == 1);
        let taken = take_all(&context);
        // What was asked last holds for a moment.
        let mut next = 1;
        until("too little", || {
            push(&rig, batch.buffer(next));
            next += 1;
            rig.count("dropped-full") > 2
        });
        drop(taken);
        let before = rig.count("captured");
        until("room again", || {
            push(&rig, batch.buffer(next));
            next += 1;
            rig.count("captured") + rig.count("pending") > before
        });
        let messages = rig.end();
        let warnings = messages.warnings();
        let texts: Vec<_> = warnings.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts.len(), 2, "{texts:?}");
        for word in ["min-free-gpu-bytes", "67108864", "GPU 0"] {
            assert!(texts[0].contains(word), "{texts:?}");
        }
        assert!(texts[1].contains("again"), "{texts:?}");
        assert_eq!((rig.count("failed"), rig.count("seen")), (0, next));
        assert_eq!(files(folder.path()).len() as u64, rig.count("captured"));
    }

    #[test]
    fn below_what_is_to_stay_free_the_line_ends_if_told_nothing_else() {
        on_card!();
        if !is_child() {
            return child(
                "alone::below_what_is_to_stay_free_the_line_ends_if_told_nothing_else",
                &[],
            );
        }
        let context = Context::primary(0);
        let folder = TempDir::new().unwrap();
        let mut batch = Batch::one(&context, Generation::C, VideoFormat::Rgba, (64, 32));
        let location = at(&folder, "%d.raw");
        let rig = Rig::stopped(&[
            ("interval", "1"),
            ("location", &location),
            ("min-free-gpu-bytes", "67108864"),
        ]);
        rig.start();
        rig.begin_caps(&batch.caps(), &gst::FormattedSegment::new());
        let _taken = take_all(&context);
        assert_eq!(rig.pad.push(batch.buffer(0)), Err(gst::FlowError::Error));
        assert_eq!(rig.pad.push(batch.buffer(1)), Err(gst::FlowError::Error));
        let messages = rig.messages();
        says(&messages, &["min-free-gpu-bytes", "on-full=stop"]);
        assert_eq!(messages.errors().len(), 1);
        assert_eq!((rig.count("dropped-full"), rig.count("captured")), (1, 0));
        rig.stop();
    }

    #[test]
    fn starting_and_stopping_takes_no_memory() {
        on_card!();
        let context = Context::primary(0);
        let folder = TempDir::new().unwrap();
        let mut before = 0;
        let cycles = if is_short() { 12 } else { 110 };
        for cycle in 0..cycles {
            if cycle == 10 {
                before = context.free_bytes();
            }
            let suffix = ["jpg", "raw", "npy"][cycle % 3];
            play_well(&format!(
                "dsframeinject num-buffers=4 device=gpu ! {NVMM} ! \
                 dsframecapture interval=1 width=320 location={}/{cycle}-%d.{suffix}",
                folder.path().display()
            ));
        }
        let lost = before.saturating_sub(context.free_bytes());
        assert!(lost <= 1 << 20, "{lost} bytes are gone");
    }

    #[test]
    fn running_takes_no_memory() {
        on_card!();
        let context = Context::primary(0);
        let folder = TempDir::new().unwrap();
        let pipeline = launch(&format!(
            "dsframeinject num-buffers=3000 device=gpu ! {NVMM} ! \
             dsframecapture name=sink interval=10 max-captures=200 location={}",
            at(&folder, "%d.jpg")
        ));
        let sink = pipeline.by_name("sink").unwrap();
        let measuring = std::thread::spawn(move || {
            until("a start", || count(&sink, "seen") > 500);
            let before = context.free_bytes();
            until("the end", || count(&sink, "seen") > 2900);
            before.saturating_sub(context.free_bytes())
        });
        let messages = play(&pipeline);
        assert!(messages.eos(), "{:?}", messages.errors());
        let lost = measuring.join().unwrap();
        // The queue may fill later than that, and as deep as it is allowed to: some 10 MB. Frames
        // that stay away would be 150.
        assert!(lost <= 16 << 20, "{lost} bytes are gone");
    }
}
