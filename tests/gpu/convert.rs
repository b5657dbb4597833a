// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Conversions on the card against those of GStreamer on the CPU.

use gst_video::{
    VideoChromaSite, VideoColorMatrix, VideoColorRange, VideoColorimetry, VideoFormat, VideoInfo,
};
use gstdsframe::frame::planar::{Planar, PlanarMap};
use gstdsframe::frame::{
    CardConverter, CardPlanar, Converter, Frame, HostPool, Plane, View, ViewMut, plane_sizes,
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
    let sizes = [(1, 1), (2, 2), (5, 3), (17, 31), (64, 36), (96, 20)];
    for (from, to) in pairs() {
        for (width, height) in sizes {
            for (to_width, to_height) in sizes {
                let from = info(from, width, height);
                let to = info(to, to_width, to_height);
                for (borders, content) in [(false, Content::Noise), (true, Content::Ramp)] {
                    let worst = compare(&stream, &from, &to, borders, content, ALIGNED);
                    limit.check(worst, || {
                        format!("{from:?} -> {to:?}, {content:?}, borders {borders}")
                    });
                }
            }
        }
    }
    limit.finish();
}

#[test]
fn large_pictures_come_out_as_on_the_cpu() {
    use VideoFormat::*;
    let Some(gpu) = common::gpu() else { return };
    let stream = Stream::independent(gpu).unwrap();
    let mut limit = Limit::new(2);
    let (hd, small, uhd) = ((1920, 1080), (640, 384), (3840, 2160));
    for (from, from_size, to, to_size, borders) in [
        (Nv12, hd, Rgb, hd, false),
        (Rgb, hd, I420, hd, false),
        (I420, hd, Rgba, hd, false),
        (Rgba, hd, Nv12, small, true),
        (Nv12, hd, Rgb, (854, 480), false),
        (Nv12, uhd, Nv12, hd, false),
        (Nv12, (1279, 719), Bgrx, hd, true),
        (Gray8, hd, Rgb, small, false),
        (Uyvy, hd, I420, small, false),
    ] {
        let from = info(from, from_size.0, from_size.1);
        let to = info(to, to_size.0, to_size.1);
        let worst = compare(&stream, &from, &to, borders, Content::Noise, ALIGNED);
        limit.check(worst, || format!("{from:?} -> {to:?}, borders {borders}"));
    }
    limit.finish();
}

#[test]
fn a_converter_is_used_again() {
    let Some(gpu) = common::gpu() else { return };
    let stream = Stream::independent(gpu).unwrap();
    let from = info(VideoFormat::Nv12, 64, 48);
    let to = info(VideoFormat::Rgb, 40, 30);
    let converter = CardConverter::new(gpu, &from, &to, false).unwrap();
    let mut source = OnCard::new(gpu, &from, 256, 0);
    let mut results = Vec::new();
    for content in [Content::Noise, Content::Ramp, Content::Noise] {
        source.upload(&picture(&from, content), &stream);
        let mut target = OnCard::new(gpu, &to, 256, 0);
        converter
            .convert(&source.view(), &mut target.view_mut(), &stream)
            .unwrap();
        let mut pixels = Vec::new();
        let frame = target.download(&stream).map().unwrap();
        View::of_frame(&frame).unwrap().append_tight(&mut pixels);
        results.push(pixels);
    }
    assert_eq!(results[0], results[2]);
    assert_ne!(results[0], results[1]);
    // Pictures of another kind than it was made for.
    let mut other = OnCard::new(gpu, &info(VideoFormat::Rgb, 30, 40), 256, 0);
    assert!(
        converter
            .convert(&source.view(), &mut other.view_mut(), &stream)
            .is_err()
    );
}

#[test]
fn what_cannot_be_made_is_refused() {
    let Some(gpu) = common::gpu() else { return };
    let yuy2 = info(VideoFormat::Yuy2, 8, 8);
    let rgb = info(VideoFormat::Rgb, 8, 8);
    assert!(CardConverter::takes(&yuy2, &rgb));
    assert!(!CardConverter::takes(&rgb, &yuy2));
    assert!(CardConverter::new(gpu, &rgb, &yuy2, false).is_err());
}

/// The picture that libjpeg-turbo is given, from card and CPU.
#[test]
fn yuv_for_jpeg_comes_out_as_on_the_cpu() {
    let Some(gpu) = common::gpu() else { return };
    let stream = Stream::independent(gpu).unwrap();
    let on_card = CardPlanar::new(gpu).unwrap();
    let mut limit = Limit::new(0);
    for format in YUV {
        for size in [(1, 1), (2, 3), (5, 4), (33, 17), (64, 36), (1920, 1080)] {
            for matrix in MATRICES {
                for range in RANGES {
                    let from = coloured(format, size, matrix, range);
                    let map = PlanarMap::new(&from.colorimetry());
                    let frame = picture(&from, Content::Noise);
                    let mapped = frame.map().unwrap();
                    let mut expected = Planar::default();
                    expected
                        .map(&View::of_frame(&mapped).unwrap(), &map)
                        .unwrap();

                    let planar = match format {
                        VideoFormat::Nv12 => VideoFormat::I420,
                        other => other,
                    };
                    let whole = |side: u32, shared: bool| match shared {
                        true => side.next_multiple_of(2),
                        false => side,
                    };
                    let tall = planar == VideoFormat::I420;
                    let wide = tall || planar == VideoFormat::Y42b;
                    let to = info(planar, whole(size.0, wide), whole(size.1, tall));
                    let mut source = OnCard::new(gpu, &from, 256, 0);
                    source.upload(&frame, &stream);
                    let mut target = OnCard::new(gpu, &to, 256, 0);
                    on_card
                        .map(&source.view(), &mut target.view_mut(), &map, &stream)
                        .unwrap();
                    let got = target.download(&stream).map().unwrap();
                    let planes = (0..to.n_planes() as usize).map(|plane| {
                        let (data, pitch) = expected.plane(plane);
                        Plane { data, pitch }
                    });
                    let size = (to.width() as usize, to.height() as usize);
                    let expected = View::new(planar, size.0, size.1, planes.collect()).unwrap();
                    let (worst, place) = difference(&expected, &View::of_frame(&got).unwrap());
                    limit.check(worst, || format!("{from:?}: {place:?}"));
                }
            }
        }
    }
    limit.finish();
}

/// Whether GStreamer gives what nobody wants, or what is not worth having:
/// - Where it makes several rows of a single one, it applies later stages to its only line again and
///   again.
/// - Where it makes a picture of 4:2:0 lower and yet larger, in another matrix, it mixes lines from
///   before and behind the matrix, most of all in the first row.
/// - Where it makes one row of more than 128, it skips lines, and chroma with them.
/// - It puts UYVY as GRAY8 into the corner instead of between the borders.
/// - Where it changes the width alone of a 4:2:0 picture with an odd height, the row it adds for the
///   sake of chroma has chroma that was not interpolated; ours has.
fn is_odd(from: &VideoInfo, to: &VideoInfo, borders: bool) -> bool {
    let matrix = |info: &VideoInfo| info.colorimetry().matrix();
    let area = |info: &VideoInfo| u64::from(info.width()) * u64::from(info.height());
    let is_420 = |info: &VideoInfo| matches!(info.format(), VideoFormat::Nv12 | VideoFormat::I420);
    let other_matrix = matrix(from) != matrix(to);
    let one_row = from.height() == 1 && to.height() > 6 && (other_matrix || !to.is_rgb());
    let lower_and_larger =
        is_420(from) && other_matrix && from.height() > to.height() && area(to) > area(from);
    let skips = is_420(from) && from.height() / to.height() >= 128;
    let corner = borders && (from.format(), to.format()) == (VideoFormat::Uyvy, VideoFormat::Gray8);
    let last_row = is_420(from)
        && is_420(to)
        && from.height() % 2 == 1
        && (borders || from.height() == to.height());
    one_row || lower_and_larger || skips || corner || last_row
}

/// Whatever comes; `DSFRAME_ROUNDS` of it, from `DSFRAME_SEED` on.
#[test]
fn anything_comes_out_as_on_the_cpu() {
    let Some(gpu) = common::gpu() else { return };
    let number = |name: &str, default: u64| {
        let value = std::env::var(name).ok().and_then(|v| v.parse().ok());
        value.unwrap_or(default)
    };
    let mut state = number("DSFRAME_SEED", 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) as usize % below
    };
    let stream = Stream::independent(gpu).unwrap();
    let mut limit = Limit::new(2);
    let pairs: Vec<_> = pairs().collect();
    let sites = [
        VideoChromaSite::NONE,
        VideoChromaSite::MPEG2,
        VideoChromaSite::COSITED,
        VideoChromaSite::V_COSITED,
    ];
    for _ in 0..number("DSFRAME_ROUNDS", 300) {
        let mut make = |format: VideoFormat, largest: usize| {
            let size = (1 + random(largest) as u32, 1 + random(largest) as u32);
            let plain = coloured(format, size, MATRICES[random(5)], RANGES[random(2)]);
            VideoInfo::builder(format, size.0, size.1)
                .colorimetry(&plain.colorimetry())
                .chroma_site(sites[random(4)])
                .build()
                .unwrap()
        };
        let largest = [8, 40, 200, 500][(limit.count / 7) % 4];
        let pair = pairs[(limit.count * 31) % pairs.len()];
        let (from, to) = (make(pair.0, largest), make(pair.1, largest));
        let borders = random(2) == 1;
        if is_odd(&from, &to, borders) {
            limit.count += 1;
            continue;
        }
        let layout = [ALIGNED, (4, 4), (1, 3)][random(3)];
        let worst = compare(&stream, &from, &to, borders, Content::Noise, layout);
        limit.check(worst, || format!("{from:?} -> {to:?}, borders {borders}"));
    }
    limit.finish();
}
