// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Conversions on the card against those of GStreamer on the CPU.

use gst_video::{
    VideoChromaSite, VideoColorMatrix, VideoColorRange, VideoColorimetry, VideoFormat, VideoInfo,
};
use gstdsframe::frame::{
    CardConverter, Converter, Frame, HostPool, View, ViewMut, plane_sizes,
};
use gstdsframe::mem::cuda::{CardView, CardViewMut, Gpu, Kind, Memory, Stream, copy};

use super::common;

const RGB: [VideoFormat; 6] = [
    VideoFormat::Rgb,
    VideoFormat::Bgr,
    VideoFormat::Rgba,
    VideoFormat::Rgbx,
    VideoFormat::Bgrx,
    VideoFormat::Bgra,
];
const YUV: [VideoFormat; 5] = [
    VideoFormat::Gray8,
    VideoFormat::Nv12,
    VideoFormat::I420,
    VideoFormat::Y42b,
    VideoFormat::Y444,
];
const INPUT_ONLY: [VideoFormat; 2] = [VideoFormat::Yuy2, VideoFormat::Uyvy];

const MATRICES: [VideoColorMatrix; 5] = [
    VideoColorMatrix::Bt601,
    VideoColorMatrix::Bt709,
    VideoColorMatrix::Bt2020,
    VideoColorMatrix::Smpte240m,
    VideoColorMatrix::Fcc,
];
const RANGES: [VideoColorRange; 2] = [VideoColorRange::Range0_255, VideoColorRange::Range16_235];

fn outputs() -> impl Iterator<Item = VideoFormat> + Clone {
    RGB.into_iter().chain(YUV)
}

fn pairs() -> impl Iterator<Item = (VideoFormat, VideoFormat)> {
    let inputs = outputs().chain(INPUT_ONLY);
    inputs.flat_map(|from| outputs().map(move |to| (from, to)))
}

fn info(format: VideoFormat, width: u32, height: u32) -> VideoInfo {
    VideoInfo::builder(format, width, height).build().unwrap()
}

/// An info with colours of its own, where the format has a choice.
fn coloured(
    format: VideoFormat,
    (width, height): (u32, u32),
    matrix: VideoColorMatrix,
    range: VideoColorRange,
) -> VideoInfo {
    let plain = info(format, width, height);
    if plain.is_rgb() {
        return plain;
    }
    let colours = plain.colorimetry();
    VideoInfo::builder(format, width, height)
        .colorimetry(&VideoColorimetry::new(
            range,
            matrix,
            colours.transfer(),
            colours.primaries(),
        ))
        .build()
        .unwrap()
}

fn sited(format: VideoFormat, (width, height): (u32, u32), site: VideoChromaSite) -> VideoInfo {
    VideoInfo::builder(format, width, height)
        .chroma_site(site)
        .build()
        .unwrap()
}

/// What pictures show.
#[derive(Debug, Clone, Copy)]
enum Content {
    Noise,
    Ramp,
}

/// A frame of the CPU.
fn picture(info: &VideoInfo, content: Content) -> Frame {
    let mut frame = HostPool::new(info).unwrap().acquire().unwrap();
    let mut view = ViewMut::of_frame(&mut frame).unwrap();
    let mut state = 0x2545_f491_u32 ^ info.width() ^ info.height() << 16;
    let sizes = plane_sizes(info.format(), info.width() as usize, info.height() as usize);
    for (plane, size) in sizes.iter().enumerate() {
        for y in 0..size.rows {
            for (x, byte) in view.row_mut(plane, y).iter_mut().enumerate() {
                *byte = match content {
                    Content::Noise => {
                        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        (state >> 24) as u8
                    }
                    Content::Ramp => (x * 255 / size.row_bytes + y * (plane + 1)) as u8,
                };
            }
        }
    }
    frame.into()
}

/// A picture on the card whose rows are `pad` bytes longer than they need be.
struct OnCard {
    memory: Memory,
    info: VideoInfo,
    planes: Vec<(usize, usize)>,
}

impl OnCard {
    fn new(gpu: Gpu, info: &VideoInfo, align: usize, pad: usize) -> Self {
        let mut end = 0;
        let sizes = plane_sizes(info.format(), info.width() as usize, info.height() as usize);
        let planes = sizes
            .iter()
            .map(|size| {
                let pitch = size.row_bytes.next_multiple_of(align) + pad;
                let start = end;
                end += pitch * size.rows;
                (start, pitch)
            })
            .collect();
        let mut memory = Memory::new(gpu, Kind::Device, end).unwrap();
        memory.clear().unwrap();
        Self {
            memory,
            info: info.clone(),
            planes,
        }
    }

    fn size(&self) -> (usize, usize) {
        (self.info.width() as usize, self.info.height() as usize)
    }

    fn view(&self) -> CardView<'_> {
        self.memory
            .view(self.info.format(), self.size(), &self.planes)
            .unwrap()
    }

    fn view_mut(&mut self) -> CardViewMut<'_> {
        let size = self.size();
        self.memory
            .view_mut(self.info.format(), size, &self.planes)
            .unwrap()
    }

    fn upload(&mut self, frame: &Frame, stream: &Stream) {
        let mapped = frame.map().unwrap();
        let view = View::of_frame(&mapped).unwrap();
        copy::upload(&view, &mut self.view_mut(), stream).unwrap();
    }

    fn download(&self, stream: &Stream) -> Frame {
        let mut frame = HostPool::new(&self.info).unwrap().acquire().unwrap();
        let mut view = ViewMut::of_frame(&mut frame).unwrap();
        copy::download(&self.view(), &mut view, stream).unwrap();
        frame.into()
    }
}

/// The largest difference, and where it is: plane, column in bytes, row, both values.
fn difference(a: &View<'_>, b: &View<'_>) -> (u8, (usize, usize, usize, u8, u8)) {
    let mut worst = (0, (0, 0, 0, 0, 0));
    for plane in 0..a.planes().len() {
        for (y, (a, b)) in a.rows(plane).zip(b.rows(plane)).enumerate() {
            for (x, (a, b)) in a.iter().zip(b).enumerate() {
                if a.abs_diff(*b) > worst.0 {
                    worst = (a.abs_diff(*b), (plane, x, y, *a, *b));
                }
            }
        }
    }
    worst
}

/// How far the results of card and CPU are apart.
fn compare(
    stream: &Stream,
    from: &VideoInfo,
    to: &VideoInfo,
    borders: bool,
    content: Content,
    (align, pad): (usize, usize),
) -> u8 {
    let gpu = stream.gpu();
    let frame = picture(from, content);
    let mapped = frame.map().unwrap();
    let mut expected = HostPool::new(to).unwrap().acquire().unwrap();
    let on_cpu = Converter::new(from, to, borders).unwrap();
    on_cpu.convert(&mapped, &mut expected);

    let mut source = OnCard::new(gpu, from, align, pad);
    source.upload(&frame, stream);
    let mut target = OnCard::new(gpu, to, align, pad);
    let on_card = CardConverter::new(gpu, from, to, borders).unwrap();
    on_card
        .convert(&source.view(), &mut target.view_mut(), stream)
        .unwrap();
    let got = target.download(stream).map().unwrap();
    let (worst, place) = difference(
        &View::of_frame(&expected).unwrap(),
        &View::of_frame(&got).unwrap(),
    );
    if std::env::var_os("DSFRAME_DIFFERENCES").is_some() && worst > 0 {
        println!(
            "{worst} {} {}x{} -> {} {}x{} {content:?} borders {borders}: {place:?}",
            from.format(),
            from.width(),
            from.height(),
            to.format(),
            to.width(),
            to.height(),
        );
    }
    worst
}

const ALIGNED: (usize, usize) = (256, 0);

/// Conversions within these many levels, and what they are about if not.
struct Limit {
    levels: u8,
    wrong: Vec<String>,
    count: usize,
}

impl Limit {
    fn new(levels: u8) -> Self {
        Self {
            levels,
            wrong: Vec::new(),
            count: 0,
        }
    }

    fn check(&mut self, worst: u8, what: impl FnOnce() -> String) {
        self.count += 1;
        if worst > self.levels {
            self.wrong.push(format!("{worst}: {}", what()));
        }
    }

    fn finish(self) {
        let Self { wrong, count, .. } = self;
        let shown = wrong.iter().take(40).cloned().collect::<Vec<_>>();
        assert!(
            wrong.is_empty(),
            "{} of {count} are off:\n{}",
            wrong.len(),
            shown.join("\n")
        );
    }
}

#[test]
fn formats_come_out_as_on_the_cpu() {
    let Some(gpu) = common::gpu() else { return };
    let stream = Stream::independent(gpu).unwrap();
    let mut limit = Limit::new(1);
    for (from, to) in pairs() {
        for (width, height) in [
            (1, 1),
            (1, 4),
            (2, 2),
            (3, 1),
            (3, 3),
            (4, 2),
            (5, 4),
            (7, 9),
            (18, 6),
            (33, 17),
            (64, 48),
            (101, 67),
            (24, 720),
        ] {
            for content in [Content::Noise, Content::Ramp] {
                let (from, to) = (info(from, width, height), info(to, width, height));
                for layout in [ALIGNED, (4, 4), (1, 3)] {
                    let worst = compare(&stream, &from, &to, false, content, layout);
                    limit.check(worst, || {
                        format!("{from:?} -> {to:?}, {content:?}, {layout:?}")
                    });
                }
            }
        }
    }
    limit.finish();
}

#[test]
fn colours_come_out_as_on_the_cpu() {
    let Some(gpu) = common::gpu() else { return };
    let stream = Stream::independent(gpu).unwrap();
    let mut limit = Limit::new(1);
    let colours: Vec<_> = MATRICES
        .iter()
        .flat_map(|matrix| RANGES.map(|range| (*matrix, range)))
        .collect();
    let size = (37, 21);
    for (from, to) in pairs() {
        for (from_matrix, from_range) in &colours {
            for (to_matrix, to_range) in &colours {
                let from = coloured(from, size, *from_matrix, *from_range);
                let to = coloured(to, size, *to_matrix, *to_range);
                let worst = compare(&stream, &from, &to, false, Content::Noise, ALIGNED);
                limit.check(worst, || format!("{from:?} -> {to:?}"));
            }
        }
    }
    limit.finish();
}

#[test]
fn chroma_is_sited_as_on_the_cpu() {
    let Some(gpu) = common::gpu() else { return };
    let stream = Stream::independent(gpu).unwrap();
    let mut limit = Limit::new(1);
    let sites = [
        VideoChromaSite::NONE,
        VideoChromaSite::MPEG2,
        VideoChromaSite::COSITED,
        VideoChromaSite::V_COSITED,
    ];
    for (from, to) in pairs() {
        for from_site in sites {
            for to_site in sites {
                for size in [(1, 1), (2, 3), (3, 2), (4, 4), (37, 21)] {
                    let from = sited(from, size, from_site);
                    let to = sited(to, size, to_site);
                    let worst = compare(&stream, &from, &to, false, Content::Noise, ALIGNED);
                    limit.check(worst, || format!("{from:?} -> {to:?}"));
                }
            }
        }
    }
    limit.finish();
}

#[test]
fn sizes_come_out_as_on_the_cpu() {
    let Some(gpu) = common::gpu() else { return };
    let stream = Stream::independent(gpu).unwrap();
    let mut limit = Limit::new(2);
    let sizes = [
        (1, 1),
        (2, 2),
        (3, 5),
        (5, 3),
        (16, 16),
        (17, 31),
        (64, 36),
        (96, 20),
        (128, 72),
    ];
    for (from, to) in pairs() {
        for (width, height) in sizes {
            for (to_width, to_height) in sizes {
                let from = info(from, width, height);
                let to = info(to, to_width, to_height);
                for borders in [false, true] {
                    for content in [Content::Noise, Content::Ramp] {
                        let worst = compare(&stream, &from, &to, borders, content, ALIGNED);
                        limit.check(worst, || {
                            format!("{from:?} -> {to:?}, {content:?}, borders {borders}")
                        });
                    }
                }
            }
        }
    }
    limit.finish();
}
