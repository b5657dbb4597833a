// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What others put on the card, captured.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use gst::prelude::*;
use gst_video::{VideoFormat, VideoInfo};
use gstdsframe::frame::plane_sizes;
use gstdsframe::mem::sys::Generation;
use tempfile::TempDir;

use crate::card::{self, Context, Memory, Stream};
use crate::common::*;
use crate::cuda_memory::TestCudaAllocator;
use crate::foreign::{self, Batch, Surface};
use crate::shared::pictures::info;
use crate::shared::rig::Rig;
use crate::shared::{at, files, launch, play, play_well};

/// A sink that saves every frame raw, named `STREAM-NUMBER.raw`.
fn rig(folder: &TempDir, caps: &gst::Caps, properties: &[(&str, &str)]) -> Rig {
    let location = at(folder, "{stream}-{frame:03}.raw");
    let mut all = vec![("interval", "1"), ("location", &location)];
    all.extend(properties);
    let rig = Rig::stopped(&all);
    rig.start();
    rig.begin_caps(caps, &gst::FormattedSegment::new());
    rig
}

fn saved(folder: &TempDir, stream: u32, number: u64) -> Vec<u8> {
    let name = format!("{stream}-{number:03}.raw");
    let path = folder.path().join(&name);
    std::fs::read(path).unwrap_or_else(|e| panic!("{name}: {e}; {:?}", files(folder.path())))
}

#[test]
fn hand_built_surfaces_of_every_generation() {
    on_card!();
    let context = Context::primary(0);
    for generation in Generation::ALL {
        for format in [VideoFormat::I420, VideoFormat::Nv12, VideoFormat::Rgba] {
            for size in [(1, 1), (641, 479), (1280, 720)] {
                let folder = TempDir::new().unwrap();
                let mut batch = Batch::one(&context, generation, format, size);
                let rig = rig(&folder, &batch.caps(), &[]);
                push(&rig, batch.buffer(0));
                // 0 is device memory, too.
                batch.header.set("memType", 0);
                push(&rig, batch.buffer(1));
                rig.end();
                for number in 0..2 {
                    let what = format!("{generation:?} {format} {size:?} {number}");
                    let expected = [batch.surfaces[0].pixels.clone()];
                    compare(&[saved(&folder, 0, number)], &expected, 0, &what);
                }
            }
        }
    }
}

#[test]
fn surfaces_of_a_batch_may_differ_in_size() {
    on_card!();
    let context = Context::primary(0);
    let sizes = [(64, 48), (641, 479), (2, 2), (1920, 1080), (33, 100)];
    for format in [VideoFormat::Nv12, VideoFormat::Rgba] {
        let folder = TempDir::new().unwrap();
        let surface = |(seed, size): (u32, (u32, u32))| Surface::new(&context, format, size, seed);
        let surfaces = (1..).zip(sizes).map(surface).collect();
        let mut batch = Batch::new(Generation::C, surfaces);
        let rig = rig(&folder, &batch.caps(), &[]);
        for number in 0..3 {
            push(&rig, batch.buffer(number));
        }
        rig.end();
        for (stream, surface) in (0..).zip(&batch.surfaces) {
            for number in 0..3 {
                let got = [saved(&folder, stream, number)];
                let what = format!("{format} stream {stream}");
                compare(&got, std::slice::from_ref(&surface.pixels), 0, &what);
            }
        }
    }
}

#[test]
fn pictures_come_from_the_moment_of_the_push() {
    on_card!();
    let context = Context::primary(0);
    let folder = TempDir::new().unwrap();
    let (width, height) = (1920, 1080);
    let mut batch = Batch::one(&context, Generation::C, VideoFormat::Rgba, (width, height));
    // Pictures that wait for their encoder are the ones that could be drawn over.
    let rig = rig(
        &folder,
        &batch.caps(),
        &[("queue-size", "64"), ("workers", "1")],
    );
    let picture = |number: u32| foreign::pixels(VideoFormat::Rgba, width, height, number + 100);
    for number in 0..12 {
        batch.surfaces[0].memory.write(&picture(number));
        push(&rig, batch.buffer(u64::from(number)));
        batch.surfaces[0].memory.fill(0xee);
    }
    rig.end();
    for number in 0..12 {
        let got = [saved(&folder, 0, u64::from(number))];
        compare(&got, &[picture(number)], 0, &format!("picture {number}"));
    }
}

#[test]
fn work_before_the_push_is_waited_for() {
    on_card!();
    let context = Context::primary(0);
    let busy = context.busy();
    let folder = TempDir::new().unwrap();
    let size = (1280, 720);
    let mut batch = Batch::one(&context, Generation::C, VideoFormat::Rgba, size);
    let rig = rig(&folder, &batch.caps(), &[]);
    let mut pictures = Vec::new();
    for number in 0..5 {
        let later = Surface::new(&context, VideoFormat::Rgba, size, 50 + number);
        batch.surfaces[0].memory.fill(0);
        let to = &batch.surfaces[0].memory;
        context.copy_late(&Stream::legacy(), &later.memory, to, &busy);
        push(&rig, batch.buffer(u64::from(number)));
        context.synchronize();
        pictures.push(later.pixels);
    }
    rig.end();
    for (number, picture) in (0..).zip(pictures) {
        let got = [saved(&folder, 0, number)];
        compare(&got, &[picture], 0, &format!("picture {number}"));
    }
}

/// A buffer of `memory:CUDAMemory` with rows as far apart as a decoder's.
struct CudaFrame {
    buffer: gst::Buffer,
    memory: Arc<Memory>,
    /// The whole memory with the picture in it.
    padded: Vec<u8>,
    pixels: Vec<u8>,
}

fn cuda_frame(
    context: &Arc<Context>,
    info: &VideoInfo,
    seed: u32,
    downloads: &Arc<AtomicU32>,
) -> CudaFrame {
    let (format, width, height) = (info.format(), info.width(), info.height());
    let pixels = foreign::pixels(format, width, height, seed);
    let (mut padded, mut offsets, mut strides) = (Vec::new(), Vec::new(), Vec::new());
    let mut rest = pixels.as_slice();
    for plane in plane_sizes(format, width as usize, height as usize) {
        let pitch = (plane.row_bytes + 1).next_multiple_of(512);
        offsets.push(padded.len());
        strides.push(pitch as i32);
        for _ in 0..plane.rows {
            let (row, after) = rest.split_at(plane.row_bytes);
            rest = after;
            padded.extend(row);
            padded.resize(padded.len() + pitch - plane.row_bytes, 0xaa);
        }
        // Rows of padding between the planes.
        padded.resize(padded.len() + 8 * pitch, 0xbb);
    }
    let memory = Arc::new(context.upload(&padded));
    let wrapped = TestCudaAllocator::default().wrap(memory.clone(), downloads.clone());
    let mut buffer = gst::Buffer::new();
    let writable = buffer.get_mut().unwrap();
    writable.append_memory(wrapped);
    let flags = gst_video::VideoFrameFlags::empty();
    gst_video::VideoMeta::add_full(writable, flags, format, width, height, &offsets, &strides)
        .unwrap();
    CudaFrame {
        buffer,
        memory,
        padded,
        pixels,
    }
}

#[test]
fn cuda_memory_of_another_context_is_read_by_its_strides_and_never_downloaded() {
    on_card!();
    let context = Context::own(0);
    for format in FORMATS {
        for (width, height) in [(1, 1), (641, 479), (1280, 720)] {
            let info = info(format.parse().unwrap(), width, height);
            let folder = TempDir::new().unwrap();
            let rig = rig(&folder, &foreign::caps(&info, "memory:CUDAMemory"), &[]);
            let downloads = Arc::default();
            let mut pictures = Vec::new();
            for number in 0..3 {
                let mut frame = cuda_frame(&context, &info, number + 1, &downloads);
                let pts = gst::ClockTime::from_mseconds(100 * u64::from(number));
                frame.buffer.get_mut().unwrap().set_pts(pts);
                push(&rig, frame.buffer);
                // A decoder has its surface back now.
                frame.memory.fill(0xee);
                pictures.push(frame.pixels);
            }
            rig.end();
            assert_eq!(downloads.load(Ordering::Relaxed), 0, "{format}");
            for (number, picture) in (0..).zip(pictures) {
                let what = format!("{format} {width}x{height} {number}");
                compare(&[saved(&folder, 0, number)], &[picture], 0, &what);
            }
        }
    }
}

#[test]
fn cuda_memory_is_waited_for_whatever_stream_writes_it() {
    on_card!();
    let context = Context::own(0);
    let (busy, stream) = (context.busy(), context.stream());
    let info = info(VideoFormat::Nv12, 1280, 720);
    let folder = TempDir::new().unwrap();
    let rig = rig(&folder, &foreign::caps(&info, "memory:CUDAMemory"), &[]);
    let downloads = Arc::default();
    let mut pictures = Vec::new();
    for number in 0..5 {
        let mut frame = cuda_frame(&context, &info, number + 1, &downloads);
        let pts = gst::ClockTime::from_mseconds(100 * u64::from(number));
        frame.buffer.get_mut().unwrap().set_pts(pts);
        let later = context.upload(&frame.padded);
        frame.memory.fill(0);
        context.copy_late(&stream, &later, &frame.memory, &busy);
        push(&rig, frame.buffer);
        context.synchronize();
        pictures.push(frame.pixels);
    }
    rig.end();
    for (number, picture) in (0..).zip(pictures) {
        let got = [saved(&folder, 0, number)];
        compare(&got, &[picture], 0, &format!("picture {number}"));
    }
}

#[test]
fn frames_that_are_not_selected_are_not_touched() {
    on_card!();
    let context = Context::primary(0);
    let folder = TempDir::new().unwrap();
    let size = (320, 180);
    let mut batch = Batch::one(&context, Generation::C, VideoFormat::Nv12, size);
    let rig = rig(&folder, &batch.caps(), &[("interval", "1000")]);
    push(&rig, batch.buffer(0));
    crate::shared::until("the capture", || rig.count("captured") == 1);
    let copies = || {
        [
            c"cuMemcpy2DAsync",
            c"cuMemcpyDtoDAsync",
            c"cuMemcpyDtoHAsync",
            c"cuLaunchKernel",
            c"cuStreamSynchronize",
        ]
        .map(card::calls)
    };
    let before = copies();
    // Any look at such pixels would be an error, or the end of the process.
    batch.params[0].set_pointer("dataPtr", 0xdead_beef_0000);
    for number in 1..1000 {
        push(&rig, batch.buffer(number));
    }
    assert_eq!(copies(), before);
    let messages = rig.end();
    assert!(messages.warnings().is_empty(), "{:?}", messages.warnings());
    assert_eq!((rig.count("captured"), rig.count("not-selected")), (1, 999));
}

#[test]
fn two_pipelines_on_two_cards() {
    on_card!(card::devices() >= 2 => "there is one card only");
    let through = |gpu: u32| {
        let folder = TempDir::new().unwrap();
        let pipeline = launch(&format!(
            "dsframeinject pattern=noise num-buffers=30 frame-code=true device=gpu gpu-id={gpu} \
             frame-code-stream={gpu} ! \
             video/x-raw(memory:NVMM),format=RGB,width=640,height=360,framerate=30/1 ! \
             dsframecapture interval=1 location={}",
            at(&folder, "%05d.raw")
        ));
        (folder, pipeline)
    };
    let lines: Vec<_> = (0..2).map(through).collect();
    std::thread::scope(|scope| {
        for (_, pipeline) in &lines {
            scope.spawn(|| {
                let messages = play(pipeline);
                assert!(messages.eos(), "{:?}", messages.errors());
            });
        }
    });
    for (gpu, (folder, _)) in (0..).zip(&lines) {
        for (number, frame) in (0..).zip(contents(folder.path())) {
            assert_eq!(code_in(&frame, VideoFormat::Rgb, 640, 360), (gpu, number));
        }
        assert_eq!(files(folder.path()).len(), 30);
    }
}

#[test]
fn a_surface_is_captured_on_the_card_that_has_it() {
    on_card!(card::devices() >= 2 => "there is one card only");
    let context = Context::primary(1);
    let folder = TempDir::new().unwrap();
    let size = (641, 479);
    let mut batch = Batch::one(&context, Generation::B, VideoFormat::I420, size);
    batch.header.set("gpuId", 1);
    let rig = rig(&folder, &batch.caps(), &[]);
    push(&rig, batch.buffer(0));
    rig.end();
    let expected = [batch.surfaces[0].pixels.clone()];
    compare(&[saved(&folder, 0, 0)], &expected, 0, "gpuId 1");
}

#[test]
fn another_card_than_gpu_id_is_refused() {
    on_card!(card::devices() >= 2 => "there is one card only");
    let context = Context::primary(1);
    let folder = TempDir::new().unwrap();
    let mut batch = Batch::one(&context, Generation::C, VideoFormat::I420, (64, 48));
    batch.header.set("gpuId", 1);
    let properties = [("gpu-id", "0"), ("on-error", "fail")];
    let rig = rig(&folder, &batch.caps(), &properties);
    let pushed = rig.pad.push(batch.buffer(0));
    let errors = rig.messages().errors();
    assert!(pushed.is_err() || !errors.is_empty());
    let text = errors
        .iter()
        .map(|(_, text)| text.as_str())
        .collect::<String>();
    assert!(text.contains("gpu-id") && text.contains('1'), "{text}");
}

/// Frames of the packed clip, as NV12, decoded by the elements.
fn decoded(decoder: &str, folder: &TempDir, name: &str) {
    let clip = coded_clip().unwrap();
    play_well(&format!(
        "filesrc location={} ! qtdemux ! h264parse ! {decoder} ! \
         dsframecapture interval=3 location={}/{name}",
        clip.display(),
        folder.path().display()
    ));
}

#[test]
fn real_video_is_the_same_as_decoded_by_the_cpu() {
    on_card!(
        has_element("nvh264dec") => "no nvh264dec here",
        has_element("openh264dec") => "no openh264dec here",
        coded_clip().is_some() => "no clip was packed",
    );
    let on_card = "nvh264dec ! video/x-raw(memory:CUDAMemory),format=NV12";
    let on_cpu = "openh264dec ! videoconvert ! video/x-raw,format=NV12";
    let (card, cpu) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    decoded(on_card, &card, "%05d.raw");
    decoded(on_cpu, &cpu, "%05d.raw");
    let got = contents(card.path());
    compare(&got, &contents(cpu.path()), 0, "decoded");
    for (number, frame) in (0..).zip(&got) {
        let code = code_in(frame, VideoFormat::Nv12, 1920, 1080);
        assert_eq!(code, (0, 3 * number));
    }
    assert_eq!(got.len(), 30);
    // As a user sees it.
    decoded(on_card, &card, "%05d.jpg");
    decoded(on_cpu, &cpu, "%05d.jpg");
    for number in 0..30 {
        let name = format!("{number:05}.jpg");
        let read = |folder: &TempDir| crate::shared::pictures::read(&folder.path().join(&name));
        let psnr = crate::shared::pictures::psnr(&read(&card), &read(&cpu));
        assert!(psnr > 35.0, "{name}: {psnr:.1} dB apart");
    }
}
