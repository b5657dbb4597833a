// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Frames that are on the card already, pushed in any memory.

use std::sync::Arc;

use cudarc::driver::sys::CUresult;
use gst_video::{VideoFormat, VideoInfo, VideoInterlaceMode};
use gstdsframe::frame::{CardConverter, CardFrame, Converter, Frame, HostPool};
use gstdsframe::inject::output::{Code, Nvmm, Output};
use gstdsframe::inject::source::Picture;
use gstdsframe::mem::cuda::{Gpu, Kind, MemoryPool, Stream};
use gstdsframe::mem::nvmm::{Pixels, Place, Surfaces};
use gstdsframe::mem::sys::Generation;

use crate::common::*;
use crate::exported::{exporting, fetch, fill, imported, lent, numbered, seen_by_another};
use crate::{card, pixels};

const SIZE: (u32, u32) = (322, 182);

fn info(format: VideoFormat, (width, height): (u32, u32)) -> VideoInfo {
    VideoInfo::builder(format, width, height).build().unwrap()
}

/// Where frames are pushed to.
#[derive(Debug, Clone, Copy)]
enum Target {
    System,
    HostSurface,
    Card(Gpu, Kind),
}

impl Target {
    fn output(self, info: &VideoInfo) -> Output {
        let nvmm = |place| {
            Some(Nvmm {
                generation: Generation::C,
                place,
                pool_size: 2,
            })
        };
        let nvmm = match self {
            Self::System => None,
            Self::HostSurface => nvmm(Place::Host { gpu_id: 0 }),
            Self::Card(gpu, kind) => nvmm(Place::Card { gpu, kind }),
        };
        Output::new(info, nvmm, false).unwrap()
    }

    fn all(gpu: Gpu) -> [Self; 5] {
        [
            Self::System,
            Self::HostSurface,
            Self::Card(gpu, Kind::Device),
            Self::Card(gpu, Kind::Unified),
            Self::Card(gpu, Kind::Pinned),
        ]
    }
}

/// What is in a buffer, without padding.
fn pushed(buffer: gst::Buffer, info: &VideoInfo) -> Vec<u8> {
    if buffer.size() >= info.size() {
        let info = info.clone();
        return pixels::tight(&Frame { info, buffer });
    }
    let surfaces = Surfaces::read(&buffer, info).unwrap();
    match surfaces.surface(0).unwrap().pixels {
        Pixels::Host(view) => {
            let mut bytes = Vec::new();
            view.append_tight(&mut bytes);
            bytes
        }
        Pixels::Card(pixels) => {
            let stream = Stream::independent(pixels.gpu()).unwrap();
            let pool = MemoryPool::new(pixels.gpu(), Kind::Device);
            let mut copy = CardFrame::acquire(&pool, info).unwrap();
            pixels
                .copy_to(&mut copy.view_mut().unwrap(), &stream)
                .unwrap();
            fetch(&copy, &stream)
        }
    }
}

/// A frame on the card, complete.
fn given(gpu: Gpu, info: &VideoInfo, number: u64) -> CardFrame {
    let pool = MemoryPool::new(gpu, Kind::Device);
    given_from(&pool, info, number)
}

fn given_from(pool: &MemoryPool, info: &VideoInfo, number: u64) -> CardFrame {
    let stream = Stream::independent(pool.gpu()).unwrap();
    let mut frame = CardFrame::acquire(pool, info).unwrap();
    fill(&mut frame, &numbered(info, number), &stream);
    stream.synchronize().unwrap();
    frame
}

/// Pushes a frame and returns what came of it.
fn through(output: &mut Output, frame: CardFrame) -> Vec<u8> {
    let picture = Picture::Card(Arc::new(frame));
    let launched = output.launch(&picture, None, true).unwrap();
    drop(picture);
    let buffer = output.finish(launched).unwrap();
    let info = output.info().clone();
    pushed(buffer, &info)
}

/// What the card makes of a frame.
fn converted(gpu: Gpu, frame: &CardFrame, to: &VideoInfo) -> Vec<u8> {
    let stream = Stream::independent(gpu).unwrap();
    let mut target = CardFrame::acquire(&MemoryPool::new(gpu, Kind::Device), to).unwrap();
    let converter = CardConverter::new(gpu, frame.info(), to, false).unwrap();
    let view = frame.view().unwrap();
    let mut to = target.view_mut().unwrap();
    converter.convert(&view, &mut to, &stream).unwrap();
    fetch(&target, &stream)
}

#[test]
fn frames_that_fit_come_out_as_they_are() {
    let Some(gpu) = exporting() else { return };
    let exportable = MemoryPool::new(gpu, Kind::Exportable);
    for target in Target::all(gpu) {
        for format in [VideoFormat::Rgb, VideoFormat::Nv12, VideoFormat::I420] {
            let info = info(format, SIZE);
            let mut output = target.output(&info);
            for number in 0..4 {
                let frame = given_from(&exportable, &info, number);
                let frame = match number % 2 {
                    0 => frame,
                    _ => seen_by_another(&frame),
                };
                let expected = pixels::tight(&numbered(&info, number));
                let got = through(&mut output, frame);
                assert!(got == expected, "{target:?} {format} {number}");
            }
        }
    }
}

#[test]
fn other_formats_and_sizes_are_converted_on_the_card() {
    let Some(gpu) = exporting() else { return };
    let exportable = MemoryPool::new(gpu, Kind::Exportable);
    let cases = [
        (info(VideoFormat::Rgb, SIZE), info(VideoFormat::Nv12, SIZE)),
        (
            info(VideoFormat::Rgb, SIZE),
            info(VideoFormat::Nv12, (128, 96)),
        ),
        (
            info(VideoFormat::Nv12, SIZE),
            info(VideoFormat::Rgba, (400, 300)),
        ),
    ];
    for target in Target::all(gpu) {
        for (from, to) in &cases {
            let mut output = target.output(to);
            for number in 0..2 {
                let frame = given_from(&exportable, from, number);
                let expected = converted(gpu, &frame, to);
                let got = through(&mut output, seen_by_another(&frame));
                assert!(got == expected, "{target:?} {to:?} {number}");
            }
        }
    }
}

#[test]
fn colours_are_converted_too() {
    let Some(gpu) = gpu() else { return };
    let coloured = |colours: &str| {
        let (width, height) = SIZE;
        VideoInfo::builder(VideoFormat::Nv12, width, height)
            .colorimetry(&colours.parse().unwrap())
            .build()
            .unwrap()
    };
    let (from, to) = (coloured("bt709"), coloured("bt601"));
    for target in Target::all(gpu) {
        let frame = given(gpu, &from, 1);
        let expected = converted(gpu, &frame, &to);
        assert!(expected != fetch(&frame, &Stream::independent(gpu).unwrap()));
        let got = through(&mut target.output(&to), frame);
        assert!(got == expected, "{target:?}");
    }
}

#[test]
fn what_the_card_cannot_convert_the_cpu_does() {
    let Some(gpu) = gpu() else { return };
    let fields = |format, (width, height): (u32, u32)| {
        VideoInfo::builder(format, width, height)
            .interlace_mode(VideoInterlaceMode::Interleaved)
            .build()
            .unwrap()
    };
    let to = fields(VideoFormat::Rgb, (128, 96));
    let fields = fields(VideoFormat::I420, SIZE);
    assert!(!CardConverter::takes(&fields, &to));
    let expected = {
        let picture = numbered(&fields, 3);
        let mut frame = HostPool::new(&to).unwrap().acquire().unwrap();
        let converter = Converter::new(&fields, &to, false).unwrap();
        converter.convert(&picture.map().unwrap(), &mut frame);
        pixels::tight(&frame.into())
    };
    for target in Target::all(gpu) {
        let got = through(&mut target.output(&to), given(gpu, &fields, 3));
        assert!(got == expected, "{target:?}");
    }
}

#[test]
fn frame_codes_are_drawn_over_them() {
    let Some(gpu) = exporting() else { return };
    let exportable = MemoryPool::new(gpu, Kind::Exportable);
    for target in Target::all(gpu) {
        for format in [VideoFormat::Rgb, VideoFormat::Nv12] {
            let info = info(format, SIZE);
            let mut output = target.output(&info);
            for frame in 0..3 {
                let theirs = given_from(&exportable, &info, 1);
                let before = fetch(&theirs, &Stream::independent(gpu).unwrap());
                let picture = Picture::Card(Arc::new(seen_by_another(&theirs)));
                let code = Some(Code { stream: 5, frame });
                let launched = output.launch(&picture, code, true).unwrap();
                let buffer = output.finish(launched).unwrap();
                let got = pushed(buffer, &info);
                let read = code_in(&got, format, SIZE.0 as usize, SIZE.1 as usize);
                assert_eq!(read, (5, frame), "{target:?} {format}");
                // What others have stays as it was.
                let after = fetch(&theirs, &Stream::independent(gpu).unwrap());
                assert!(after == before, "{target:?} {format}");
            }
        }
    }
}

#[test]
fn frames_are_kept_until_what_is_made_of_them_is_complete() {
    let Some(gpu) = exporting() else { return };
    let exportable = MemoryPool::new(gpu, Kind::Exportable);
    let from = info(VideoFormat::Rgb, SIZE);
    for to in [from.clone(), info(VideoFormat::Nv12, (128, 96))] {
        let mut output = Target::Card(gpu, Kind::Device).output(&to);
        let frame = given_from(&exportable, &from, 1);
        let guard = Arc::new(());
        let theirs = lent(&frame, Arc::new(imported(frame.memory())), guard.clone());
        let picture = Picture::Card(Arc::new(theirs));
        let launched = output.launch(&picture, None, true).unwrap();
        assert!(launched.is_on_card());
        drop(picture);
        assert_eq!(Arc::strong_count(&guard), 2);
        output.finish(launched).unwrap();
        assert_eq!(Arc::strong_count(&guard), 1);
        // Not finished: let go at once, and the next is right.
        let lost = Picture::Card(Arc::new(given_from(&exportable, &from, 2)));
        drop(output.launch(&lost, None, true).unwrap());
        let expected = match to == from {
            true => pixels::tight(&numbered(&from, 3)),
            false => converted(gpu, &given(gpu, &from, 3), &to),
        };
        assert!(through(&mut output, given(gpu, &from, 3)) == expected);
    }
}

#[test]
fn frames_cost_no_allocation_each() {
    on_card!(card::is_standin() => "only the stand-in counts");
    let Some(gpu) = exporting() else { return };
    let pool = MemoryPool::new(gpu, Kind::Exportable);
    let from = info(VideoFormat::Rgb, SIZE);
    for target in Target::all(gpu) {
        for to in [from.clone(), info(VideoFormat::Nv12, (128, 96))] {
            let mut output = target.output(&to);
            let mut push = |number| {
                let picture = Picture::Card(Arc::new(given_from(&pool, &from, number)));
                let launched = output.launch(&picture, None, true).unwrap();
                output.finish(launched).unwrap();
            };
            let calls = || {
                [
                    c"cuMemAlloc",
                    c"cuMemHostAlloc",
                    c"cuMemAllocManaged",
                    c"cuMemCreate",
                    c"cuCtxCreate",
                    c"cuDevicePrimaryCtxRetain",
                    c"cuModuleLoadData",
                ]
                .map(|function| card::calls(function).unwrap())
            };
            (0..3).for_each(&mut push);
            let before = calls();
            (3..10).for_each(&mut push);
            assert_eq!(calls(), before, "{target:?} {to:?}");
        }
    }
}

#[test]
fn frames_of_another_card_are_carried_over() {
    on_card!(card::devices() > 1 => "there is one card");
    let (here, there) = (Gpu::get(0).unwrap(), Gpu::get(1).unwrap());
    assert_ne!(here.uuid().unwrap(), there.uuid().unwrap());
    let from = info(VideoFormat::Rgb, SIZE);
    for to in [from.clone(), info(VideoFormat::Nv12, (128, 96))] {
        let mut output = Target::Card(here, Kind::Device).output(&to);
        // By turns, so that what is kept for one card is not used for the other.
        for number in 0..6 {
            let gpu = [there, here][number as usize % 2];
            let frame = given(gpu, &from, number);
            let expected = match to == from {
                true => pixels::tight(&numbered(&from, number)),
                false => converted(gpu, &frame, &to),
            };
            assert!(through(&mut output, frame) == expected, "{number}");
        }
    }
}

#[test]
fn no_memory_is_an_error_that_passes() {
    on_card!(card::is_standin() => "only the stand-in fails on demand");
    let Some(gpu) = gpu() else { return };
    let from = info(VideoFormat::Rgb, SIZE);
    let to = info(VideoFormat::Nv12, (128, 96));
    for target in Target::all(gpu) {
        let mut output = target.output(&to);
        let frame = given(gpu, &from, 1);
        let expected = converted(gpu, &frame, &to);
        let picture = Picture::Card(Arc::new(frame));
        card::fail(c"cuMemAlloc", 1, CUresult::CUDA_ERROR_OUT_OF_MEMORY);
        let error = output.launch(&picture, None, true).unwrap_err().to_string();
        assert!(error.contains("no memory for"), "{target:?}: {error}");
        card::fail(c"cuMemAlloc", 0, CUresult::CUDA_SUCCESS);
        let launched = output.launch(&picture, None, true).unwrap();
        let buffer = output.finish(launched).unwrap();
        assert!(pushed(buffer, &to) == expected, "{target:?}");
    }
}
