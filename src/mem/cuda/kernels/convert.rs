// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `kernels/convert.cu`: formats, colours and sizes.

#![allow(unsafe_code)]

use std::ffi::CStr;
use std::marker::PhantomData;

use gst_video::VideoFormat;

use super::{Kernel, KernelArgs, PictureArg, PlaneArg, Source, source};
use crate::frame::{ViewError, plane_sizes};
use crate::mem::cuda::{
    CardPlane, CardView, CardViewMut, CudaError, Gpu, MemoryPool, Pooled, Stream,
};

/// Threads of a block.
const BLOCK: (u32, u32) = (32, 8);
/// Kernels count bytes of a row in signed 32 bits.
const MAX_SIDE: usize = 1 << 28;

#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct ConvertArgs {
    from: PictureArg,
    to: PictureArg,
    rows: [[i32; 4]; 3],
    matrix: u32,
    up: [u32; 2],
    down: [u32; 2],
    x: u32,
    y: u32,
    border: u32,
}

#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
struct JobArgs {
    from: PlaneArg,
    to: PlaneArg,
    taps: u64,
    offsets: u64,
    scaling: u32,
    count: u32,
    elements: u32,
    step: u32,
    x: u32,
    y: u32,
    row_bytes: u32,
    rows: u32,
    all_bytes: u32,
    all_rows: u32,
    border: u32,
    first: u32,
}

#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct ScaleArgs {
    jobs: [JobArgs; 3],
    count: u32,
    pad: u32,
}

#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct PlanarArgs {
    from: PictureArg,
    to: PictureArg,
    map: PlanarCoefficients,
}

const _: () = assert!(size_of::<ConvertArgs>() == 208 && size_of::<JobArgs>() == 96);
const _: () = assert!(size_of::<ScaleArgs>() == 296 && size_of::<PlanarArgs>() == 160);

// SAFETY: laid out as `ConvertArgs` of the source.
unsafe impl KernelArgs for ConvertArgs {
    const SOURCE: Source = source!("convert");
    const NAME: &'static CStr = c"convert";
}

// SAFETY: laid out as `ScaleArgs` of the source.
unsafe impl KernelArgs for ScaleArgs {
    const SOURCE: Source = source!("convert");
    const NAME: &'static CStr = c"scale";
}

// SAFETY: laid out as `PlanarArgs` of the source.
unsafe impl KernelArgs for PlanarArgs {
    const SOURCE: Source = source!("convert");
    const NAME: &'static CStr = c"planar";
}

/// The same for the kernel that takes whole blocks.
#[repr(transparent)]
#[derive(Debug, Clone, Copy)]
struct Planar420Args(PlanarArgs);

// SAFETY: laid out as `PlanarArgs` of the source.
unsafe impl KernelArgs for Planar420Args {
    const SOURCE: Source = source!("convert");
    const NAME: &'static CStr = c"planar_420";
}

/// A change of format and colours; numbers are those of the source.
#[derive(Debug, Clone, Copy)]
pub struct Conversion {
    pub rows: [[i32; 4]; 3],
    pub matrix: u32,
    pub up: [u32; 2],
    pub down: [u32; 2],
    pub x: usize,
    pub y: usize,
    pub border: [u8; 4],
}

/// The coefficients of [`PlanarMap`](crate::frame::planar::PlanarMap).
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanarCoefficients {
    pub luma: i32,
    pub luma_offset: i32,
    pub y_u: i32,
    pub y_v: i32,
    pub u_u: i32,
    pub u_v: i32,
    pub v_u: i32,
    pub v_v: i32,
}

/// Scaling coefficients on the card.
#[derive(Debug)]
pub struct Table {
    memory: Pooled,
    /// Elements made, and elements that they are made of.
    to: usize,
    from: usize,
    count: usize,
}

impl Table {
    /// `taps` has all first ones, all second ones, and so on.
    ///
    /// # Panics
    /// If an element would be made of elements that are not there.
    pub fn new(
        pool: &MemoryPool,
        offsets: &[u32],
        taps: &[i16],
        count: usize,
        from: usize,
    ) -> Result<Self, CudaError> {
        let to = offsets.len();
        assert_eq!(taps.len(), to * count);
        assert!(
            offsets
                .iter()
                .all(|offset| *offset as usize + count <= from)
        );
        let mut bytes = Vec::with_capacity(4 * to + 2 * taps.len());
        bytes.extend(offsets.iter().flat_map(|offset| offset.to_ne_bytes()));
        bytes.extend(taps.iter().flat_map(|tap| tap.to_ne_bytes()));
        let mut memory = pool.take(bytes.len().max(1))?;
        memory.write(&bytes)?;
        Ok(Self {
            memory,
            to,
            from,
            count,
        })
    }
}

/// A picture of one plane between two stages.
#[derive(Debug)]
pub struct Scratch {
    memory: Pooled,
    format: VideoFormat,
    size: (usize, usize),
    plane: CardPlane,
}

impl Scratch {
    pub fn new(
        pool: &MemoryPool,
        format: VideoFormat,
        width: usize,
        height: usize,
    ) -> Result<Self, CudaError> {
        let row_bytes = plane_sizes(format, width, height)
            .first()
            .map_or(1, |plane| plane.row_bytes);
        // Rows of whole sectors.
        let pitch = row_bytes.next_multiple_of(32);
        let memory = pool.take(pitch * height)?;
        let plane = CardPlane {
            address: memory.address(),
            pitch,
        };
        Ok(Self {
            memory,
            format,
            size: (width, height),
            plane,
        })
    }

    fn range(&self) -> std::ops::Range<u64> {
        self.memory.address()..self.memory.address() + self.memory.len() as u64
    }

    pub fn view(&self) -> Result<CardView<'_>, CudaError> {
        let planes = [self.plane];
        Ok(CardView::new(
            self.format,
            self.size,
            &planes,
            self.range(),
        )?)
    }

    /// Not exclusive: what is queued in one stream is done one after another, and the CPU does not
    /// get hold of the contents.
    pub fn view_mut(&self) -> Result<CardViewMut<'_>, CudaError> {
        let planes = [self.plane];
        Ok(CardViewMut::new(
            self.format,
            self.size,
            &planes,
            self.range(),
        )?)
    }
}

/// A plane of a checked picture.
#[derive(Debug, Clone, Copy)]
pub struct Area<'a> {
    plane: CardPlane,
    row_bytes: usize,
    rows: usize,
    picture: PhantomData<&'a ()>,
}

macro_rules! area {
    ($name:ident, $view:ty) => {
        /// None where the picture does not have the plane.
        pub fn $name(view: &'a $view, plane: usize) -> Option<Self> {
            let size = *plane_sizes(view.format(), view.width(), view.height()).get(plane)?;
            Some(Self {
                plane: *view.planes().get(plane)?,
                row_bytes: size.row_bytes,
                rows: size.rows,
                picture: PhantomData,
            })
        }
    };
}

impl<'a> Area<'a> {
    area!(of, CardView<'_>);
    area!(of_mut, CardViewMut<'_>);
}

/// How a plane is made from another.
#[derive(Debug, Clone, Copy)]
pub enum Step<'a> {
    Copy,
    /// Border alone.
    Fill,
    Across(&'a Table),
    Down(&'a Table),
    Steps(u32),
    BetweenRows(&'a Table),
    HalveAcross,
    HalveDown,
    HalveBoth,
}

/// A plane that is made from another.
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    pub from: Area<'a>,
    /// Written, and in no other job of the same launch.
    pub to: Area<'a>,
    pub step: Step<'a>,
    /// Bytes of a pixel.
    pub elements: usize,
    /// What is made of `to`, in pixels; the rest becomes border.
    pub x: usize,
    pub y: usize,
    pub width: usize,
    pub height: usize,
    pub border: [u8; 4],
}

impl Job<'_> {
    /// Whether all that is read and written is there.
    fn fits(&self) -> bool {
        let Self {
            from,
            to,
            elements,
            width,
            height,
            ..
        } = *self;
        let to_fits = (1..=4).contains(&elements)
            && [self.x, self.y, width, height, to.row_bytes, to.rows]
                .iter()
                .all(|value| *value < MAX_SIDE)
            && (self.x + width) * elements <= to.row_bytes
            && self.y + height <= to.rows;
        let has = |across: usize, down: usize| {
            across.saturating_mul(elements) <= from.row_bytes && down <= from.rows
        };
        to_fits
            && match self.step {
                Step::Copy => has(width, height),
                Step::Fill => true,
                Step::Across(table) => table.to == width && has(table.from, height),
                Step::Down(table) => table.to == height && has(width, table.from),
                Step::BetweenRows(table) => {
                    table.count == 2 && table.to == height && has(width, table.from)
                }
                Step::Steps(step) => {
                    let last = (width.max(1) as u64 - 1) * u64::from(step);
                    let pixels = (last >> 16) as usize + if step == 0 { 1 } else { 2 };
                    last <= u64::from(u32::MAX) && has(pixels, height)
                }
                Step::HalveAcross => has(2 * width, height),
                Step::HalveDown => has(width, 2 * height),
                Step::HalveBoth => has(2 * width, 2 * height),
            }
    }

    fn args(&self, first: usize) -> JobArgs {
        let table = |table: &Table| {
            let offsets = table.memory.address();
            (offsets, offsets + 4 * table.to as u64, table.count as u32)
        };
        let none = (0, 0, 0);
        let (scaling, (offsets, taps, count), step) = match self.step {
            Step::Copy | Step::Fill => (0, none, 0),
            Step::Across(with) => (1, table(with), 0),
            Step::Down(with) => (2, table(with), 0),
            Step::Steps(step) => (3, none, step),
            Step::BetweenRows(with) => (4, table(with), 0),
            Step::HalveAcross => (5, none, 0),
            Step::HalveDown => (6, none, 0),
            Step::HalveBoth => (7, none, 0),
        };
        let (width, height) = match self.step {
            Step::Fill => (0, 0),
            _ => (self.width, self.height),
        };
        JobArgs {
            from: self.from.plane.into(),
            to: self.to.plane.into(),
            taps,
            offsets,
            scaling,
            count,
            elements: self.elements as u32,
            step,
            x: (self.x * self.elements) as u32,
            y: self.y as u32,
            row_bytes: (width * self.elements) as u32,
            rows: height as u32,
            all_bytes: self.to.row_bytes as u32,
            all_rows: self.to.rows as u32,
            border: u32::from_le_bytes(self.border),
            first: first as u32,
        }
    }
}

/// The kernels, loaded.
#[derive(Debug)]
pub struct ConvertKernels {
    gpu: Gpu,
    convert: Kernel<ConvertArgs>,
    scale: Kernel<ScaleArgs>,
    planar: Kernel<PlanarArgs>,
    planar_420: Kernel<Planar420Args>,
}

fn refuse(format: VideoFormat) -> CudaError {
    ViewError::Format(format).into()
}

impl ConvertKernels {
    pub fn load(gpu: Gpu) -> Result<Self, CudaError> {
        Ok(Self {
            gpu,
            convert: Kernel::load(gpu)?,
            scale: Kernel::load(gpu)?,
            planar: Kernel::load(gpu)?,
            planar_420: Kernel::load(gpu)?,
        })
    }

    pub fn gpu(&self) -> Gpu {
        self.gpu
    }

    /// Puts `from` into `to`, where the rest becomes border.
    pub fn convert(
        &self,
        from: &CardView<'_>,
        to: &mut CardViewMut<'_>,
        conversion: &Conversion,
        stream: &Stream,
    ) -> Result<(), CudaError> {
        let Conversion { x, y, .. } = *conversion;
        let sides = [from.width(), from.height(), to.width(), to.height(), x, y];
        // Not written by the kernel.
        let packed = matches!(to.format(), VideoFormat::Yuy2 | VideoFormat::Uyvy);
        if packed || sides.iter().any(|side| *side >= MAX_SIDE) {
            return Err(refuse(to.format()));
        }
        let args = ConvertArgs {
            from: from.into(),
            to: (&*to).into(),
            rows: conversion.rows,
            matrix: conversion.matrix,
            up: conversion.up,
            down: conversion.down,
            x: x as u32,
            y: y as u32,
            border: u32::from_le_bytes(conversion.border),
        };
        // One block of pixels more where those of the picture do not begin with those of `to`.
        let threads = (to.width().div_ceil(4) + 1, to.height().div_ceil(2) + 1);
        // SAFETY: the kernel reads within the width and height of one checked picture, and writes
        // within those of the other.
        unsafe { self.convert.launch(stream, &args, threads, BLOCK) }
    }

    /// Makes up to three planes. Each is checked; those that do not fit are refused.
    pub fn scale<'a>(
        &self,
        jobs: impl IntoIterator<Item = Job<'a>>,
        stream: &Stream,
    ) -> Result<(), CudaError> {
        let mut args = ScaleArgs {
            jobs: [JobArgs::default(); 3],
            count: 0,
            pad: 0,
        };
        let (mut width, mut rows) = (0, 0);
        for job in jobs {
            let slot = args.jobs.get_mut(args.count as usize);
            let Some(slot) = slot.filter(|_| job.fits()) else {
                return Err(ViewError::Planes {
                    format: VideoFormat::Unknown,
                    got: args.count as usize + 1,
                    want: args.count as usize,
                }
                .into());
            };
            *slot = job.args(rows);
            args.count += 1;
            width = width.max(job.to.row_bytes.div_ceil(4) + 1);
            // Every plane begins with a block.
            rows += job.to.rows.next_multiple_of(BLOCK.1 as usize);
        }
        if args.count == 0 {
            return Ok(());
        }
        // SAFETY: every job was checked to read and write within its planes.
        unsafe { self.scale.launch(stream, &args, (width, rows), BLOCK) }
    }

    /// Maps YUV into full-range BT.601 in planes with the chroma that `from` has. `to` may be
    /// larger by one column and one row, to hold whole samples of chroma.
    pub fn planar(
        &self,
        from: &CardView<'_>,
        to: &mut CardViewMut<'_>,
        map: &PlanarCoefficients,
        stream: &Stream,
    ) -> Result<(), CudaError> {
        let planar = match from.format() {
            VideoFormat::Nv12 => VideoFormat::I420,
            other => other,
        };
        let known = matches!(
            planar,
            VideoFormat::I420 | VideoFormat::Y42b | VideoFormat::Y444 | VideoFormat::Gray8
        );
        let chroma = |width, height| plane_sizes(planar, width, height).get(1).copied();
        let sides = (from.width(), from.height());
        let to_sides = (to.width(), to.height());
        let alike = chroma(sides.0, sides.1) == chroma(to_sides.0, to_sides.1)
            && to_sides.0 >= sides.0
            && to_sides.1 >= sides.1;
        if !known || planar != to.format() || !alike || to_sides.0.max(to_sides.1) >= MAX_SIDE {
            return Err(refuse(to.format()));
        }
        let args = PlanarArgs {
            from: from.into(),
            to: (&*to).into(),
            map: *map,
        };
        if in_blocks(from) && to_sides == sides && in_blocks(&to.as_view()) {
            let threads = (sides.0 / 16, sides.1 / 2);
            // SAFETY: as below; both have whole blocks only, at addresses that suit the kernel.
            return unsafe {
                self.planar_420
                    .launch(stream, &Planar420Args(args), threads, BLOCK)
            };
        }
        let threads = (to_sides.0.div_ceil(4), to_sides.1.div_ceil(2));
        // SAFETY: the kernel reads within the one picture and writes within the other, whose
        // chroma has the same size.
        unsafe { self.planar.launch(stream, &args, threads, BLOCK) }
    }
}

/// Whether a picture is one for `planar_420`.
fn in_blocks(view: &CardView<'_>) -> bool {
    let aligned = |plane: &CardPlane, to: usize| {
        (plane.address as usize).is_multiple_of(to) && plane.pitch.is_multiple_of(to)
    };
    let chroma = match view.format() {
        VideoFormat::Nv12 => 16,
        VideoFormat::I420 => 8,
        _ => return false,
    };
    view.width().is_multiple_of(16)
        && view.height().is_multiple_of(2)
        && view
            .planes()
            .iter()
            .enumerate()
            .all(|(index, plane)| aligned(plane, if index == 0 { 16 } else { chroma }))
}
