// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Patterns, frame code and statistics on the card against those of the CPU: byte for byte, with
//! all that lies around the picture.

use std::sync::Arc;
use std::time::Duration;

use gst_video::{VideoColorimetry, VideoFormat, VideoInfo};
use gstdsframe::frame::code::{self, CardError};
use gstdsframe::frame::stats::{CardStatistics, PictureStats, statistics};
use gstdsframe::frame::{FORMATS, Plane, PlaneMut, View, ViewMut, plane_sizes};
use gstdsframe::gate::Gate;
use gstdsframe::inject::source::pattern::{Pattern, PatternSource};
use gstdsframe::inject::source::{
    CardPaint, Fetched, Next, Paint, Picture, Report, SourceError, Surroundings, Target,
};
use gstdsframe::mem::cuda::{Gpu, Memory, Stream, copy};

use super::{card, common};

const PATTERNS: [Pattern; 6] = [
    Pattern::Gradient,
    Pattern::Bars,
    Pattern::Checker,
    Pattern::Solid,
    Pattern::Noise,
    Pattern::Objects,
];
const NUMBERS: [u64; 5] = [0, 1, 50, 51, 1_000_000_000];
const SMALL: [(usize, usize); 12] = [
    (1, 1),
    (2, 1),
    (1, 2),
    (3, 5),
    (5, 3),
    (15, 4),
    (16, 4),
    (17, 19),
    (64, 48),
    (129, 73),
    (131, 97),
    (320, 180),
];
/// What is in memory before.
const BEFORE: u8 = 0x5a;

fn formats() -> impl Iterator<Item = VideoFormat> {
    FORMATS.into_iter().chain([VideoFormat::Bgra])
}

/// Where the planes of a picture lie.
#[derive(Debug, Clone, Copy)]
enum Placed {
    /// As in a surface.
    Aligned,
    /// One row after the other, from an odd address on.
    Tight,
    /// Rows at multiples of four, but not of sixteen.
    Words,
}

/// A picture with all that lies around it.
struct Layout {
    info: VideoInfo,
    planes: Vec<(usize, usize)>,
    len: usize,
}

impl Layout {
    fn new(info: &VideoInfo, placed: Placed) -> Self {
        let (align, mut len) = match placed {
            Placed::Aligned => (256, 0),
            Placed::Tight => (1, 3),
            Placed::Words => (4, 4),
        };
        let sizes = plane_sizes(info.format(), info.width() as usize, info.height() as usize);
        let mut planes = Vec::new();
        for size in sizes {
            let mut pitch = size.row_bytes.next_multiple_of(align);
            if matches!(placed, Placed::Words) && pitch.is_multiple_of(16) {
                pitch += 4;
            }
            planes.push((len, pitch));
            // The last row has no padding, so that what is written there is seen.
            len += ((size.rows - 1) * pitch + size.row_bytes).next_multiple_of(align);
        }
        Self {
            info: info.clone(),
            planes,
            len: len + 5,
        }
    }

    fn size(&self) -> (usize, usize) {
        (self.info.width() as usize, self.info.height() as usize)
    }

    fn view_mut<'a>(&self, mut bytes: &'a mut [u8]) -> ViewMut<'a> {
        let mut planes = Vec::new();
        let mut start = 0;
        for (index, (offset, pitch)) in self.planes.iter().enumerate() {
            let end = self.planes.get(index + 1).map_or(self.len, |next| next.0);
            let (plane, rest) = bytes.split_at_mut(end - start);
            planes.push(PlaneMut {
                data: &mut plane[offset - start..],
                pitch: *pitch,
            });
            start = end;
            bytes = rest;
        }
        let (width, height) = self.size();
        ViewMut::new(self.info.format(), width, height, planes).unwrap()
    }

    fn before(&self, gpu: Gpu) -> Memory {
        Memory::of_bytes(gpu, &vec![BEFORE; self.len]).unwrap()
    }

    fn paint(&self, memory: &mut Memory, painter: &dyn CardPaint, number: u64, stream: &Stream) {
        let mut view = memory
            .view_mut(self.info.format(), self.size(), &self.planes)
            .unwrap();
        painter.paint(number, &mut view, stream).unwrap();
    }
}

/// All of some memory.
fn fetch(memory: &Memory, stream: &Stream) -> Vec<u8> {
    let len = memory.len();
    let mut bytes = vec![0; len];
    let plane = PlaneMut {
        data: &mut bytes,
        pitch: len,
    };
    let mut to = ViewMut::new(VideoFormat::Gray8, len, 1, vec![plane]).unwrap();
    let from = memory
        .view(VideoFormat::Gray8, (len, 1), &[(0, len)])
        .unwrap();
    copy::download(&from, &mut to, stream).unwrap();
    bytes
}

fn info(format: VideoFormat, (width, height): (usize, usize)) -> VideoInfo {
    VideoInfo::builder(format, width as u32, height as u32)
        .build()
        .unwrap()
}

struct Silent;

impl Report for Silent {
    fn warn(&self, _error: SourceError) {}
    fn forward(&self, _message: gst::Message) {}
}

fn next(pattern: Pattern, info: &VideoInfo, card: Option<Gpu>, number: u64) -> Fetched {
    let surroundings = Surroundings {
        gate: Arc::<Gate>::default(),
        report: Arc::new(Silent),
        prefetch: 1,
        looping: false,
        card: None,
    };
    let mut source = PatternSource::open(pattern, surroundings);
    let target = Target {
        info: info.clone(),
        add_borders: false,
        card,
    };
    source.set_target(&target).unwrap();
    source.seek(number, gst::ClockTime::ZERO).unwrap();
    let Next::Frame(fetched) = source.next(Some(Duration::ZERO)).unwrap() else {
        panic!("no frame");
    };
    fetched
}

/// The same pattern on the CPU and on the card.
struct Painters {
    cpu: Arc<dyn Paint>,
    card: Arc<dyn CardPaint>,
}

impl Painters {
    fn new(pattern: Pattern, info: &VideoInfo, gpu: Gpu) -> Self {
        let on_cpu = next(pattern, info, None, 7);
        let on_card = next(pattern, info, Some(gpu), 7);
        assert_eq!(on_cpu.detections, on_card.detections);
        match (on_cpu.picture, on_card.picture) {
            (Picture::Paint(cpu, 7), Picture::PaintOnCard(card, 7)) => Self { cpu, card },
            _ => panic!("{pattern:?} is drawn elsewhere"),
        }
    }
}

#[track_caller]
fn assert_same(card: &[u8], cpu: &[u8], what: impl Fn() -> String) {
    if let Some(at) = card.iter().zip(cpu).position(|(card, cpu)| card != cpu) {
        panic!("{}: byte {at} is {} not {}", what(), card[at], cpu[at]);
    }
    assert_eq!(card.len(), cpu.len());
}

fn compare(pattern: Pattern, info: &VideoInfo, placed: Placed, numbers: &[u64], gpu: Gpu) {
    let stream = Stream::ordered(gpu).unwrap();
    let painters = Painters::new(pattern, info, gpu);
    let layout = Layout::new(info, placed);
    for number in numbers {
        let mut want = vec![BEFORE; layout.len];
        painters.cpu.paint(*number, &mut layout.view_mut(&mut want));
        let mut memory = layout.before(gpu);
        layout.paint(&mut memory, &*painters.card, *number, &stream);
        let drawn = fetch(&memory, &stream);
        assert_same(&drawn, &want, || {
            format!("{pattern:?} {placed:?} frame {number} of {info:?}")
        });
    }
}

#[test]
fn kernels_draw_what_the_cpu_draws() {
    let Some(gpu) = common::gpu() else { return };
    let (sizes, numbers) = match common::is_short() {
        true => (&SMALL[8..], &NUMBERS[..1]),
        false => (&SMALL[..], &NUMBERS[..]),
    };
    for pattern in PATTERNS {
        for format in formats() {
            for size in sizes {
                for placed in [Placed::Aligned, Placed::Tight, Placed::Words] {
                    compare(pattern, &info(format, *size), placed, numbers, gpu);
                }
            }
        }
    }
}

fn compare_large(pattern: Pattern) {
    let Some(gpu) = common::gpu() else { return };
    for format in formats() {
        let (large, larger) = (info(format, (1920, 1080)), info(format, (2049, 1081)));
        compare(pattern, &large, Placed::Aligned, &[0, 1, 50], gpu);
        compare(pattern, &larger, Placed::Aligned, &[51], gpu);
        compare(pattern, &larger, Placed::Tight, &[1_000_000_000], gpu);
    }
}

#[test]
fn large_gradients_are_those_of_the_cpu() {
    compare_large(Pattern::Gradient);
}

#[test]
fn large_bars_are_those_of_the_cpu() {
    compare_large(Pattern::Bars);
}

#[test]
fn large_checkers_are_those_of_the_cpu() {
    compare_large(Pattern::Checker);
}

#[test]
fn large_solids_are_those_of_the_cpu() {
    compare_large(Pattern::Solid);
}

#[test]
fn large_noise_is_that_of_the_cpu() {
    compare_large(Pattern::Noise);
}

#[test]
fn large_objects_are_those_of_the_cpu() {
    compare_large(Pattern::Objects);
}

#[test]
fn colours_follow_the_colorimetry() {
    let Some(gpu) = common::gpu() else { return };
    let yuv = [VideoFormat::Gray8, VideoFormat::Nv12, VideoFormat::I420];
    // The last two are full range: BT.601 and BT.709.
    for colorimetry in ["bt601", "bt709", "bt2020", "1:4:0:0", "1:3:0:0"] {
        let colorimetry: VideoColorimetry = colorimetry.parse().unwrap();
        for format in yuv {
            let info = VideoInfo::builder(format, 257, 130)
                .colorimetry(&colorimetry)
                .build()
                .unwrap();
            for pattern in PATTERNS {
                compare(pattern, &info, Placed::Aligned, &[3, 52], gpu);
            }
        }
    }
}

#[test]
fn extreme_shapes_are_those_of_the_cpu() {
    let Some(gpu) = common::gpu() else { return };
    for pattern in PATTERNS {
        for format in formats() {
            for size in [(2000, 1), (1, 2000), (4099, 15), (15, 4099)] {
                compare(pattern, &info(format, size), Placed::Aligned, &[9], gpu);
            }
        }
    }
}

#[test]
fn frames_under_way_do_not_disturb_each_other() {
    let Some(gpu) = common::gpu() else { return };
    let streams = [(); 2].map(|()| Stream::independent(gpu).unwrap());
    for pattern in PATTERNS {
        let info = info(VideoFormat::Rgb, (321, 243));
        let painters = Painters::new(pattern, &info, gpu);
        let layout = Layout::new(&info, Placed::Aligned);
        let mut pictures: Vec<_> = (0..20).map(|_| layout.before(gpu)).collect();
        // More than are staged at a time, and none is waited for here.
        for (number, memory) in (0..).zip(&mut pictures) {
            let stream = &streams[number as usize % 2];
            layout.paint(memory, &*painters.card, number, stream);
        }
        for (number, memory) in (0..).zip(&pictures) {
            let mut want = vec![BEFORE; layout.len];
            painters.cpu.paint(number, &mut layout.view_mut(&mut want));
            let drawn = fetch(memory, &streams[number as usize % 2]);
            assert_same(&drawn, &want, || format!("{pattern:?} frame {number}"));
        }
    }
}

#[test]
fn threads_share_a_painter() {
    let Some(gpu) = common::gpu() else { return };
    let info = info(VideoFormat::Nv12, (162, 122));
    for pattern in [Pattern::Checker, Pattern::Objects] {
        let painters = Painters::new(pattern, &info, gpu);
        let layout = Layout::new(&info, Placed::Aligned);
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let (painters, layout) = (&painters, &layout);
                scope.spawn(move || {
                    let stream = Stream::independent(gpu).unwrap();
                    for number in (thread..100).step_by(8) {
                        let mut memory = layout.before(gpu);
                        layout.paint(&mut memory, &*painters.card, number, &stream);
                        let mut want = vec![BEFORE; layout.len];
                        painters.cpu.paint(number, &mut layout.view_mut(&mut want));
                        assert_same(&fetch(&memory, &stream), &want, || format!("{number}"));
                    }
                });
            }
        });
    }
}

#[test]
fn pictures_of_another_shape_are_refused() {
    let Some(gpu) = common::gpu() else { return };
    let stream = Stream::ordered(gpu).unwrap();
    for pattern in PATTERNS {
        let painters = Painters::new(pattern, &info(VideoFormat::Nv12, (64, 48)), gpu);
        for other in [
            info(VideoFormat::Nv12, (63, 48)),
            info(VideoFormat::Nv12, (64, 50)),
            info(VideoFormat::I420, (64, 48)),
        ] {
            let layout = Layout::new(&other, Placed::Aligned);
            let mut memory = layout.before(gpu);
            let mut view = memory
                .view_mut(other.format(), layout.size(), &layout.planes)
                .unwrap();
            assert!(painters.card.paint(0, &mut view, &stream).is_err());
            assert_eq!(fetch(&memory, &stream), vec![BEFORE; layout.len]);
        }
    }
}

#[test]
fn kernels_draw_the_frame_code() {
    let Some(gpu) = common::gpu() else { return };
    let stream = Stream::ordered(gpu).unwrap();
    let sizes = [
        (128, 72),
        (129, 73),
        (131, 97),
        (133, 99),
        (134, 80),
        (641, 479),
        (1920, 1080),
    ];
    let ids = [
        (0, 0),
        (u16::MAX, u32::MAX),
        (0x5555, 0xaaaa_aaaa),
        (4711, 123_456_789),
    ];
    for format in formats() {
        for size in sizes {
            for placed in [Placed::Aligned, Placed::Tight] {
                let layout = Layout::new(&info(format, size), placed);
                for (full_range, id) in [true, false, true, false].into_iter().zip(ids) {
                    let mut want = vec![BEFORE; layout.len];
                    let mut view = layout.view_mut(&mut want);
                    code::draw(&mut view, full_range, id.0, id.1).unwrap();
                    let mut memory = layout.before(gpu);
                    let mut view = memory.view_mut(format, size, &layout.planes).unwrap();
                    code::draw_on_card(&mut view, full_range, id.0, id.1, &stream).unwrap();
                    let drawn = fetch(&memory, &stream);
                    assert_same(&drawn, &want, || format!("{format:?} {size:?} {placed:?}"));
                }
            }
        }
    }
}

#[test]
fn a_code_on_a_pattern_is_that_of_the_cpu() {
    let Some(gpu) = common::gpu() else { return };
    let stream = Stream::ordered(gpu).unwrap();
    for pattern in PATTERNS {
        for format in formats() {
            for size in [(130, 75), (642, 362)] {
                let info = info(format, size);
                let painters = Painters::new(pattern, &info, gpu);
                let layout = Layout::new(&info, Placed::Aligned);
                let mut want = vec![BEFORE; layout.len];
                let mut view = layout.view_mut(&mut want);
                painters.cpu.paint(51, &mut view);
                code::draw(&mut view, false, 3, 51).unwrap();
                let mut memory = layout.before(gpu);
                let mut view = memory.view_mut(format, size, &layout.planes).unwrap();
                painters.card.paint(51, &mut view, &stream).unwrap();
                code::draw_on_card(&mut view, false, 3, 51, &stream).unwrap();
                let drawn = fetch(&memory, &stream);
                assert_same(&drawn, &want, || format!("{pattern:?} {format:?} {size:?}"));
            }
        }
    }
}

#[test]
fn a_picture_too_small_for_a_code_stays_as_it_is() {
    let Some(gpu) = common::gpu() else { return };
    let stream = Stream::ordered(gpu).unwrap();
    for size in [(127, 72), (128, 71)] {
        let layout = Layout::new(&info(VideoFormat::Rgb, size), Placed::Aligned);
        let mut memory = layout.before(gpu);
        let mut view = memory
            .view_mut(VideoFormat::Rgb, size, &layout.planes)
            .unwrap();
        let refused = code::draw_on_card(&mut view, true, 1, 1, &stream);
        assert!(matches!(refused, Err(CardError::TooSmall(_))));
        assert_eq!(fetch(&memory, &stream), vec![BEFORE; layout.len]);
    }
}

/// What the samples of a picture are.
#[derive(Debug, Clone, Copy)]
enum Content {
    Noise,
    Ramp,
    /// Black and white in turn, the sharpest there is.
    Checker,
    White,
}

fn fill(content: Content, row: &mut [u8], channels: usize, y: usize) {
    let mut state = 0x1234_5678u32 ^ (y as u32).wrapping_mul(0x9e37_79b9);
    for (x, byte) in row.iter_mut().enumerate() {
        *byte = match content {
            Content::Noise => {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            }
            Content::Ramp => (x / 3 + y) as u8,
            Content::Checker if (x / channels + y).is_multiple_of(2) => 255,
            Content::Checker => 0,
            Content::White => 255,
        };
    }
}

/// Statistics by both.
fn summed(
    info: &VideoInfo,
    placed: Placed,
    content: Content,
    card: &mut CardStatistics,
    stream: &Stream,
) -> (PictureStats, PictureStats) {
    let layout = Layout::new(info, placed);
    let mut bytes = vec![BEFORE; layout.len];
    let mut view = layout.view_mut(&mut bytes);
    let channels = if info.format() == VideoFormat::Gray8 {
        1
    } else {
        3
    };
    for y in 0..layout.size().1 {
        fill(content, view.row_mut(0, y), channels, y);
    }
    let memory = Memory::of_bytes(stream.gpu(), &bytes).unwrap();
    let (offset, pitch) = layout.planes[0];
    let plane = Plane {
        data: &bytes[offset..],
        pitch,
    };
    let (width, height) = layout.size();
    let on_cpu = View::new(info.format(), width, height, vec![plane]).unwrap();
    let on_card = memory
        .view(info.format(), layout.size(), &layout.planes)
        .unwrap();
    (
        card.of(&on_card, stream).unwrap(),
        statistics(&on_cpu).unwrap(),
    )
}

const SUMMED: [VideoFormat; 3] = [VideoFormat::Rgb, VideoFormat::Bgr, VideoFormat::Gray8];

#[test]
fn kernels_sum_up_what_the_cpu_sums_up() {
    let Some(gpu) = common::gpu() else { return };
    let stream = Stream::ordered(gpu).unwrap();
    let mut card = CardStatistics::new(gpu).unwrap();
    let sizes = [
        (2, 9),
        (3, 3),
        (4, 8),
        (5, 9),
        (7, 7),
        (8, 16),
        (9, 17),
        (641, 479),
    ];
    for format in SUMMED {
        for size in SMALL.into_iter().chain(sizes) {
            for placed in [Placed::Aligned, Placed::Tight, Placed::Words] {
                for content in [
                    Content::Noise,
                    Content::Ramp,
                    Content::Checker,
                    Content::White,
                ] {
                    let info = info(format, size);
                    let (on_card, on_cpu) = summed(&info, placed, content, &mut card, &stream);
                    assert_eq!(
                        on_card, on_cpu,
                        "{format:?} {size:?} {placed:?} {content:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn sums_of_large_pictures_do_not_overflow() {
    let Some(gpu) = common::gpu() else { return };
    let stream = Stream::ordered(gpu).unwrap();
    let mut card = CardStatistics::new(gpu).unwrap();
    for format in SUMMED {
        let info = info(format, (1920, 1080));
        let placed = Placed::Aligned;
        let (on_card, on_cpu) = summed(&info, placed, Content::Noise, &mut card, &stream);
        assert_eq!(on_card, on_cpu);
    }
    // The squares of its edges are more than 2^64.
    let info = info(VideoFormat::Gray8, (4608, 4096));
    let placed = Placed::Aligned;
    let (on_card, on_cpu) = summed(&info, placed, Content::Checker, &mut card, &stream);
    assert_eq!(on_card, on_cpu);
    assert!(on_card.sharpness > 1_000_000.0);
}

#[test]
fn other_formats_have_no_statistics() {
    let Some(gpu) = common::gpu() else { return };
    let stream = Stream::ordered(gpu).unwrap();
    let mut card = CardStatistics::new(gpu).unwrap();
    for format in [VideoFormat::Rgba, VideoFormat::Nv12, VideoFormat::I420] {
        let layout = Layout::new(&info(format, (16, 16)), Placed::Aligned);
        let memory = layout.before(gpu);
        let view = memory.view(format, (16, 16), &layout.planes).unwrap();
        assert!(card.of(&view, &stream).is_err());
    }
}

/// What counts calls, or takes times.
mod alone {
    use std::time::Instant;

    use super::*;

    const SIZE: (usize, usize) = (1920, 1080);

    #[test]
    fn nothing_is_allocated_once_warm() {
        let Some(gpu) = common::gpu() else { return };
        let calls = || {
            let functions = [c"cuMemAlloc", c"cuMemHostAlloc", c"cuEventCreate"];
            functions.map(card::calls)
        };
        let stream = Stream::ordered(gpu).unwrap();
        for pattern in PATTERNS {
            let info = info(VideoFormat::I420, (640, 360));
            let painters = Painters::new(pattern, &info, gpu);
            let layout = Layout::new(&info, Placed::Aligned);
            let mut memory = layout.before(gpu);
            let mut paint = |numbers: std::ops::Range<u64>| {
                for number in numbers {
                    layout.paint(&mut memory, &*painters.card, number, &stream);
                }
                stream.synchronize().unwrap();
            };
            paint(0..8);
            let warm = calls();
            paint(8..300);
            assert_eq!(calls(), warm, "{pattern:?}");
        }
        let layout = Layout::new(&info(VideoFormat::Rgb, (640, 360)), Placed::Aligned);
        let memory = layout.before(gpu);
        let view = memory
            .view(VideoFormat::Rgb, layout.size(), &layout.planes)
            .unwrap();
        let mut statistics = CardStatistics::new(gpu).unwrap();
        statistics.of(&view, &stream).unwrap();
        let warm = calls();
        statistics.of(&view, &stream).unwrap();
        assert_eq!(calls(), warm);
    }

    /// Calls `work` often; microseconds for each.
    fn time(stream: &Stream, mut work: impl FnMut(u64)) -> f64 {
        const TIMES: u64 = 2000;
        (0..100).for_each(&mut work);
        stream.synchronize().unwrap();
        let begin = Instant::now();
        (0..TIMES).for_each(&mut work);
        stream.synchronize().unwrap();
        begin.elapsed().as_secs_f64() * 1e6 / TIMES as f64
    }

    #[test]
    fn times_of_frames() {
        let Some(gpu) = common::gpu() else { return };
        if card::is_standin() || common::is_short() {
            println!("skipped: no times of the stand-in, or under a checker");
            return;
        }
        let stream = Stream::ordered(gpu).unwrap();
        for format in [
            VideoFormat::Rgb,
            VideoFormat::Rgba,
            VideoFormat::Nv12,
            VideoFormat::I420,
        ] {
            let info = info(format, SIZE);
            let layout = Layout::new(&info, Placed::Aligned);
            let mut memory = layout.before(gpu);
            for pattern in PATTERNS {
                let painters = Painters::new(pattern, &info, gpu);
                let taken = time(&stream, |number| {
                    layout.paint(&mut memory, &*painters.card, number, &stream);
                });
                println!("{format:?} {pattern:?}: {taken:.1} us");
            }
            let taken = time(&stream, |number| {
                let mut view = memory.view_mut(format, SIZE, &layout.planes).unwrap();
                code::draw_on_card(&mut view, true, 1, number as u32, &stream).unwrap();
            });
            println!("{format:?} frame code: {taken:.1} us");
        }
        for format in SUMMED {
            let layout = Layout::new(&info(format, SIZE), Placed::Aligned);
            let memory = layout.before(gpu);
            let view = memory.view(format, SIZE, &layout.planes).unwrap();
            let mut statistics = CardStatistics::new(gpu).unwrap();
            let taken = time(&stream, |_| {
                statistics.of(&view, &stream).unwrap();
            });
            println!("{format:?} statistics: {taken:.1} us");
        }
    }
}
