// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Pictures of objects, boxes and labels: on the card as on the CPU.

use gst_video::VideoFormat;
use gstdsframe::frame::paint::{Rect, paint};
use gstdsframe::frame::{PlaneMut, ViewMut};
use gstdsframe::mem::cuda::kernels::annotate::Annotator;
use gstdsframe::mem::cuda::{Stream, copy};
use tempfile::TempDir;

use crate::card;
use crate::common::*;
use crate::pixels::{OnCard, info, rgb, tight};
use crate::shared::files;
use crate::shared::pictures::{psnr, read};

/// Many rectangles of all kinds, over each other and beyond the edges.
fn rects(width: u32, height: u32, count: usize) -> Vec<Rect> {
    let mut state = 7u32;
    let mut random = |below: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) % below.max(1)
    };
    (0..count)
        .map(|i| {
            let (left, top) = (random(width + 10), random(height + 10));
            let (across, down) = match i % 4 {
                0 => (width, 2),
                1 => (2, height),
                2 => (random(9), random(9)),
                _ => (random(width), random(20)),
            };
            Rect {
                left,
                top,
                right: left + across,
                bottom: top + down,
                rgb: [random(256) as u8, random(256) as u8, random(256) as u8],
            }
        })
        .collect()
}

#[test]
fn annotations_are_painted_as_by_the_cpu() {
    let Some(gpu) = gpu() else { return };
    let annotator = Annotator::new(gpu).unwrap();
    let stream = Stream::independent(gpu).unwrap();
    for (width, height) in [
        (1, 1),
        (31, 33),
        (32, 32),
        (65, 7),
        (641, 479),
        (1920, 1080),
    ] {
        for (count, align) in [(0, 1), (1, 256), (50, 256), (3000, 1)] {
            let count = if is_short() { count.min(50) } else { count };
            let rects = rects(width as u32, height as u32, count);
            let frame = rgb(width, height, 3, 40);
            let mut expected = tight(&frame);
            let plane = PlaneMut {
                data: &mut expected,
                pitch: 3 * width,
            };
            let mut view = ViewMut::new(VideoFormat::Rgb, width, height, vec![plane]).unwrap();
            paint(&rects, &mut view).unwrap();

            let mut on_card = OnCard::upload(gpu, &frame, align);
            annotator
                .paint(&rects, &mut on_card.view_mut(), &stream)
                .unwrap();
            let mut got = vec![0; expected.len()];
            let plane = PlaneMut {
                data: &mut got,
                pitch: 3 * width,
            };
            let mut view = ViewMut::new(VideoFormat::Rgb, width, height, vec![plane]).unwrap();
            copy::download(&on_card.view(), &mut view, &stream).unwrap();
            assert!(got == expected, "{width}x{height}, {count} rectangles");
        }
    }
    // What it cannot draw into is refused.
    let mut gray = OnCard::new(gpu, &info(VideoFormat::Gray8, 8, 8), 1);
    let refused = annotator.paint(&[], &mut gray.view_mut(), &stream);
    assert!(refused.is_err());
}

const OBJECTS: &str = "pattern=objects num-buffers=3";

#[test]
fn annotated_pictures_of_surfaces_are_those_of_the_cpu() {
    on_card!();
    for format in FORMATS {
        for (size, sink) in [
            ("width=640,height=480", "annotate=boxes"),
            ("width=321,height=243", "annotate=both"),
            ("width=640,height=480", "annotate=boxes width=320"),
            ("width=320,height=240", "annotate=boxes height=600"),
        ] {
            for suffix in ["png", "npy"] {
                let through = Through {
                    source: OBJECTS,
                    caps: &format!("format={format},{size}"),
                    sink,
                    suffix,
                };
                through.check(Place::CARD, 0);
            }
        }
    }
}

#[test]
fn crops_of_surfaces_are_those_of_the_cpu() {
    on_card!();
    for format in FORMATS {
        for (sink, suffix) in [
            ("crop=objects", "raw"),
            ("crop=objects", "png"),
            ("crop=objects crop-padding=0.3 crop-square=true", "npy"),
            ("crop=objects crop-min-size=99x77 width=64", "png"),
            ("crop=objects crop-padding=0.3 annotate=boxes", "png"),
        ] {
            for size in ["width=640,height=480", "width=323,height=241"] {
                let through = Through {
                    source: OBJECTS,
                    caps: &format!("format={format},{size}"),
                    sink,
                    suffix,
                };
                through.check(Place::CARD, 0);
            }
        }
    }
}

#[test]
fn crops_in_every_kind_of_memory() {
    on_card!();
    for memory in MEMORY {
        let through = Through {
            source: OBJECTS,
            caps: "format=NV12,width=640,height=480",
            sink: "crop=objects crop-padding=0.1 annotate=both",
            suffix: "png",
        };
        through.check(Place::Nvmm(memory), 0);
    }
}

#[test]
fn jpegs_of_crops_and_annotations_are_made_on_the_card() {
    on_card!(has_nvjpeg() => "no nvJPEG here");
    for format in FORMATS {
        for sink in [
            "annotate=boxes",
            "crop=objects",
            "crop=objects crop-padding=0.2 annotate=boxes",
            "crop=objects crop-square=true width=100 height=100",
        ] {
            let caps = format!("format={format},width=641,height=479");
            let [on_card, on_cpu] = [(); 2].map(|()| TempDir::new().unwrap());
            for (place, folder) in [(Place::CARD, &on_card), (Place::Host, &on_cpu)] {
                let through = Through {
                    source: OBJECTS,
                    caps: &caps,
                    sink: &format!("{sink} quality=95"),
                    suffix: "jpg",
                };
                let before = card::calls(c"cuLaunchKernel");
                through.run_into(place, folder.path());
                if let (Place::Nvmm(_), true, Some(before)) =
                    (place, sink.contains("annotate"), before)
                {
                    assert!(card::calls(c"cuLaunchKernel") > Some(before));
                }
            }
            let names = files(on_cpu.path());
            assert_eq!(files(on_card.path()), names);
            for name in names {
                let read = |folder: &TempDir| read(&folder.path().join(&name));
                let (a, b) = (read(&on_card), read(&on_cpu));
                assert_eq!((a.width, a.height), (b.width, b.height));
                let psnr = psnr(&a, &b);
                assert!(psnr > 34.0, "{format} {sink} {name}: {psnr:.1} dB");
            }
        }
    }
}

/// Crops are of any size: memory is kept for a few sizes, and made no more once it is there.
#[test]
fn crops_of_many_sizes_do_not_ask_for_ever_more_memory() {
    on_card!(card::is_standin() => "a card does not count its allocations");
    let allocations = |frames: u32, sink: &str, suffix: &str| {
        let before = card::calls(c"cuMemAlloc").unwrap();
        let folder = TempDir::new().unwrap();
        let source = format!("pattern=objects num-buffers={frames}");
        let through = Through {
            source: &source,
            caps: "format=NV12,width=640,height=480",
            sink: &format!("crop=objects crop-padding=0.4 workers=1 queue-size=1 {sink}"),
            suffix,
        };
        through.run_into(Place::CARD, folder.path());
        assert_eq!(files(folder.path()).len(), 5 * frames as usize);
        card::calls(c"cuMemAlloc").unwrap() - before
    };
    for (sink, suffix) in [
        ("", "raw"),
        ("width=90", "png"),
        ("annotate=boxes height=70", "png"),
    ] {
        let few = allocations(20, sink, suffix);
        let many = allocations(120, sink, suffix);
        assert!(many <= few + 8, "{sink}: {few} allocations, and {many}");
    }
}
