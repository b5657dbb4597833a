// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `kernels/pattern.cu`: the patterns, and the frame code.

#![allow(unsafe_code)]

use std::ffi::CStr;

use gst_video::VideoFormat;

use super::{Kernel, KernelArgs, PictureArg, PlaneArg, Source, source};
use crate::frame::lanes::{Lanes, lanes};
use crate::frame::{PlaneSize, ViewError, plane_sizes};
use crate::mem::cuda::staging::Staging;
use crate::mem::cuda::{CardViewMut, CudaError, Gpu, Memory, Stream};

/// Threads of a block.
const BLOCK: (u32, u32) = (32, 8);
/// What a thread of `gradient` and `rects` draws.
const ROWS: usize = 4;
const BYTES: usize = 16;
/// Kernels count bytes of a row in 32 bits.
const MAX_SIDE: usize = 1 << 26;
/// Bytes of the largest group.
pub const GROUP: usize = 4;
/// Generators of a row of `noise`, and the numbers that each thread takes from one.
pub const GENERATORS: usize = 16;
pub const STEPS: usize = 8;

#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct GradientArgs {
    plane: PlaneArg,
    column_parts: u64,
    row_parts: u64,
    row_bytes: u32,
    rows: u32,
    group: u32,
    pad: u32,
}

#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct RectsArgs {
    plane: PlaneArg,
    groups: u64,
    bottoms: u64,
    pixels: u64,
    row_bytes: u32,
    rows: u32,
    width: u32,
    shades: u32,
    bands: u32,
    group: u32,
    across: u32,
    down: u32,
}

/// One byte from the sum of some pixels' channels.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MixArg {
    pub red: f32,
    pub green: f32,
    pub blue: f32,
    pub offset: f32,
}

#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct NoiseArgs {
    picture: PictureArg,
    seed: u64,
    jumps: u64,
    /// Luma, Cb, Cr.
    mixes: [MixArg; 3],
}

#[repr(transparent)]
#[derive(Debug, Clone, Copy)]
struct PackedNoiseArgs(NoiseArgs);

#[repr(transparent)]
#[derive(Debug, Clone, Copy)]
struct PlanarNoiseArgs(NoiseArgs);

#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct FrameCodeArgs {
    picture: PictureArg,
    cells: u64,
    right: u32,
    bottom: u32,
    black: u32,
    white: u32,
}

const _: () = assert!(size_of::<GradientArgs>() == 48 && size_of::<RectsArgs>() == 72);
const _: () = assert!(size_of::<NoiseArgs>() == 128 && size_of::<FrameCodeArgs>() == 88);

// SAFETY: laid out as `GradientArgs` of the source.
unsafe impl KernelArgs for GradientArgs {
    const SOURCE: Source = source!("pattern");
    const NAME: &'static CStr = c"gradient";
}

// SAFETY: laid out as `RectsArgs` of the source.
unsafe impl KernelArgs for RectsArgs {
    const SOURCE: Source = source!("pattern");
    const NAME: &'static CStr = c"rects";
}

// SAFETY: laid out as `NoiseArgs` of the source.
unsafe impl KernelArgs for PackedNoiseArgs {
    const SOURCE: Source = source!("pattern");
    const NAME: &'static CStr = c"noise_packed";
}

// SAFETY: laid out as `NoiseArgs` of the source.
unsafe impl KernelArgs for PlanarNoiseArgs {
    const SOURCE: Source = source!("pattern");
    const NAME: &'static CStr = c"noise_planar";
}

// SAFETY: laid out as `FrameCodeArgs` of the source.
unsafe impl KernelArgs for FrameCodeArgs {
    const SOURCE: Source = source!("pattern");
    const NAME: &'static CStr = c"frame_code";
}

fn refuse(format: VideoFormat) -> CudaError {
    ViewError::Format(format).into()
}

/// Whether the bytes of a group all belong to its first pixel. Those of other formats do not, and
/// no surface has them.
fn is_drawn(format: VideoFormat) -> bool {
    let mut bytes = lanes(format).iter().flat_map(|lanes| lanes.bytes).peekable();
    bytes.peek().is_some() && bytes.all(|(_, dx)| *dx == 0)
}

/// Format and size of the pictures that something was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    format: VideoFormat,
    width: usize,
    height: usize,
}

impl Shape {
    fn new(format: VideoFormat, (width, height): (usize, usize)) -> Result<Self, CudaError> {
        let sides = 1..MAX_SIDE;
        if !is_drawn(format) || !sides.contains(&width) || !sides.contains(&height) {
            return Err(refuse(format));
        }
        Ok(Self {
            format,
            width,
            height,
        })
    }

    fn check(&self, view: &CardViewMut<'_>) -> Result<(), CudaError> {
        let (format, width, height) = (view.format(), view.width(), view.height());
        let same = *self
            == Self {
                format,
                width,
                height,
            };
        if same { Ok(()) } else { Err(refuse(format)) }
    }

    fn planes(&self) -> impl Iterator<Item = (PlaneSize, &'static Lanes)> + use<> {
        let sizes = plane_sizes(self.format, self.width, self.height);
        sizes.into_iter().zip(lanes(self.format))
    }
}

fn threads(size: PlaneSize) -> (usize, usize) {
    (size.row_bytes.div_ceil(BYTES), size.rows.div_ceil(ROWS))
}

/// What the bytes of a plane are the sums of, in 1/256: modulo 2^16, then divided.
#[derive(Debug, Clone)]
pub struct Parts {
    /// For every byte of a row.
    pub columns: Vec<u16>,
    /// For every row, those of the bytes of a group; smaller groups again.
    pub rows: Vec<[u16; GROUP]>,
}

/// A picture whose bytes are sums of a part of their column and a part of their row, in as many
/// phases as there are different frames.
#[derive(Debug)]
pub struct GradientPainter {
    shape: Shape,
    planes: Vec<Phases>,
    kernel: Kernel<GradientArgs>,
}

/// The parts of a plane, phase after phase.
#[derive(Debug)]
struct Phases {
    size: PlaneSize,
    group: usize,
    memory: Memory,
    /// Bytes of a phase, and of the columns in it.
    phase_len: usize,
    columns_len: usize,
}

impl Phases {
    fn new(
        gpu: Gpu,
        size: PlaneSize,
        group: usize,
        phases: impl Iterator<Item = Parts>,
    ) -> Result<Self, CudaError> {
        // A thread reads the parts of all its bytes at once.
        let columns_len = 2 * size.row_bytes.next_multiple_of(BYTES);
        let phase_len = columns_len + (2 * GROUP * size.rows).next_multiple_of(2 * BYTES);
        let mut bytes = Vec::new();
        for Parts { columns, rows } in phases {
            assert_eq!((columns.len(), rows.len()), (size.row_bytes, size.rows));
            let start = bytes.len();
            bytes.extend(columns.iter().flat_map(|part| part.to_ne_bytes()));
            bytes.resize(start + columns_len, 0);
            bytes.extend(rows.as_flattened().iter().flat_map(|part| part.to_ne_bytes()));
            bytes.resize(start + phase_len, 0);
        }
        Ok(Self {
            size,
            group,
            memory: Memory::of_bytes(gpu, &bytes)?,
            phase_len,
            columns_len,
        })
    }
}

impl GradientPainter {
    /// Uploads all there will be to add.
    ///
    /// # Panics
    /// If there are not as many parts as bytes and rows.
    pub fn new(
        gpu: Gpu,
        format: VideoFormat,
        size: (usize, usize),
        phases: usize,
        parts: impl Fn(usize, usize) -> Parts,
    ) -> Result<Self, CudaError> {
        let shape = Shape::new(format, size)?;
        let planes = shape.planes().enumerate().map(|(plane, (size, lanes))| {
            let parts = (0..phases).map(|phase| parts(plane, phase));
            Phases::new(gpu, size, lanes.bytes.len(), parts)
        });
        Ok(Self {
            shape,
            planes: planes.collect::<Result<_, _>>()?,
            kernel: Kernel::load(gpu)?,
        })
    }

    pub fn paint(
        &self,
        phase: usize,
        view: &mut CardViewMut<'_>,
        stream: &Stream,
    ) -> Result<(), CudaError> {
        self.shape.check(view)?;
        for (plane, phases) in view.planes().iter().zip(&self.planes) {
            let Phases { size, memory, .. } = phases;
            let start = phase * phases.phase_len;
            assert!(start + phases.phase_len <= memory.len());
            let column_parts = memory.address() + start as u64;
            let args = GradientArgs {
                plane: (*plane).into(),
                column_parts,
                row_parts: column_parts + phases.columns_len as u64,
                row_bytes: size.row_bytes as u32,
                rows: size.rows as u32,
                group: phases.group as u32,
                pad: 0,
            };
            // SAFETY: the kernel reads the parts of one phase, which are there, and writes the
            // rows of a plane of the checked picture.
            unsafe { self.kernel.launch(stream, &args, threads(*size), BLOCK)? };
        }
        Ok(())
    }
}

/// The bytes of one group in each plane.
pub type Groups = [[u8; GROUP]; 3];

/// Pictures of bands of rows that look the same.
#[derive(Debug)]
pub struct RectsPainter {
    shape: Shape,
    staging: Staging,
    kernel: Kernel<RectsArgs>,
}

impl RectsPainter {
    pub fn new(gpu: Gpu, format: VideoFormat, size: (usize, usize)) -> Result<Self, CudaError> {
        let shape = Shape::new(format, size)?;
        Ok(Self {
            staging: Staging::new(gpu, 16 * shape.width)?,
            kernel: Kernel::load(gpu)?,
            shape,
        })
    }

    /// `bottoms` has the first row beyond each band, rising; the last band goes on to the end.
    /// `draw` writes the shades of a band's pixels: indices of `shades`.
    pub fn paint(
        &self,
        shades: &[Groups],
        bottoms: &[u32],
        mut draw: impl FnMut(usize, &mut [u8]),
        view: &mut CardViewMut<'_>,
        stream: &Stream,
    ) -> Result<(), CudaError> {
        self.shape.check(view)?;
        assert!(!shades.is_empty() && !bottoms.is_empty());
        let width = self.shape.width;
        let plane_len = GROUP * shades.len();
        let groups_len = size_of_val(shades);
        let bands = groups_len + size_of_val(bottoms);
        let len = bands + bottoms.len() * width;
        let fill = |bytes: &mut [u8]| {
            let (groups, rest) = bytes.split_at_mut(groups_len);
            for (plane, groups) in groups.chunks_exact_mut(plane_len).enumerate() {
                for (group, shade) in groups.as_chunks_mut().0.iter_mut().zip(shades) {
                    *group = shade[plane];
                }
            }
            let (to, pixels) = rest.split_at_mut(size_of_val(bottoms));
            for (to, bottom) in to.as_chunks_mut().0.iter_mut().zip(bottoms) {
                *to = bottom.to_ne_bytes();
            }
            for (band, pixels) in pixels.chunks_exact_mut(width).enumerate() {
                draw(band, pixels);
            }
        };
        self.staging.send(len, stream, fill, |sent| {
            let planes = view.planes().iter().zip(self.shape.planes());
            for (index, (plane, (size, lanes))) in planes.enumerate() {
                let args = RectsArgs {
                    plane: (*plane).into(),
                    groups: sent.address() + (index * plane_len) as u64,
                    bottoms: sent.address() + groups_len as u64,
                    pixels: sent.address() + bands as u64,
                    row_bytes: size.row_bytes as u32,
                    rows: size.rows as u32,
                    width: width as u32,
                    shades: shades.len() as u32,
                    bands: bottoms.len() as u32,
                    group: lanes.bytes.len() as u32,
                    across: lanes.across as u32,
                    down: lanes.down as u32,
                };
                // SAFETY: the kernel reads as many shades and bands as were sent, whatever their
                // contents, and writes the rows of a plane of the checked picture.
                unsafe { self.kernel.launch(stream, &args, threads(size), BLOCK)? };
            }
            Ok(())
        })
    }
}

/// Pictures of random pixels.
#[derive(Debug)]
pub struct NoisePainter {
    shape: Shape,
    mixes: [MixArg; 3],
    jumps: Memory,
    segments: usize,
    kernel: NoiseKernel,
}

#[derive(Debug)]
enum NoiseKernel {
    Packed(Kernel<PackedNoiseArgs>),
    Planar(Kernel<PlanarNoiseArgs>),
}

impl NoisePainter {
    /// `mixes` are those of luma, Cb and Cr. `jump` tells what a state becomes in this many steps.
    pub fn new(
        gpu: Gpu,
        format: VideoFormat,
        size: (usize, usize),
        mixes: [MixArg; 3],
        jump: impl Fn(u32, usize) -> u32,
    ) -> Result<Self, CudaError> {
        let shape = Shape::new(format, size)?;
        let kernel = match format {
            VideoFormat::Gray8 | VideoFormat::Nv12 | VideoFormat::I420 => {
                NoiseKernel::Planar(Kernel::load(gpu)?)
            }
            VideoFormat::Y42b | VideoFormat::Y444 => return Err(refuse(format)),
            _ => NoiseKernel::Packed(Kernel::load(gpu)?),
        };
        let segments = shape.width.div_ceil(STEPS * GENERATORS);
        // Steps are linear: a state becomes the sum of what its bits become.
        let mut bits: [u32; 32] = std::array::from_fn(|bit| 1 << bit);
        let mut jumps = Vec::new();
        for _ in 0..segments {
            jumps.extend(bits.iter().flat_map(|becomes| becomes.to_ne_bytes()));
            bits = bits.map(|state| jump(state, STEPS));
        }
        Ok(Self {
            shape,
            mixes,
            jumps: Memory::of_bytes(gpu, &jumps)?,
            segments,
            kernel,
        })
    }

    pub fn paint(
        &self,
        seed: u64,
        view: &mut CardViewMut<'_>,
        stream: &Stream,
    ) -> Result<(), CudaError> {
        self.shape.check(view)?;
        let args = NoiseArgs {
            picture: (&*view).into(),
            seed,
            jumps: self.jumps.address(),
            mixes: self.mixes,
        };
        let across = self.segments * GENERATORS / 4;
        let height = self.shape.height;
        match &self.kernel {
            NoiseKernel::Packed(kernel) => {
                let args = PackedNoiseArgs(args);
                // SAFETY: the kernel reads the jumps to as many segments as the width has, and
                // writes within the checked picture, which is of a format that it knows.
                unsafe { kernel.launch(stream, &args, (across, height), BLOCK) }
            }
            NoiseKernel::Planar(kernel) => {
                let args = PlanarNoiseArgs(args);
                // SAFETY: as above.
                unsafe { kernel.launch(stream, &args, (across, height.div_ceil(2)), BLOCK) }
            }
        }
    }
}

/// A frame code: 16 columns by 4 rows of cells.
#[derive(Debug, Clone, Copy)]
pub struct CodeCells {
    /// 16 bits for each row, the left column lowest.
    pub cells: u64,
    /// The first column and row beyond it.
    pub right: usize,
    pub bottom: usize,
    pub black: u8,
    pub white: u8,
}

pub fn frame_code(
    code: &CodeCells,
    view: &mut CardViewMut<'_>,
    stream: &Stream,
) -> Result<(), CudaError> {
    let format = view.format();
    let shape = Shape::new(format, (view.width(), view.height()))?;
    let other_chroma = matches!(format, VideoFormat::Y42b | VideoFormat::Y444);
    if other_chroma || code.right > shape.width || code.bottom > shape.height {
        return Err(refuse(format));
    }
    let args = FrameCodeArgs {
        picture: (&*view).into(),
        cells: code.cells,
        right: code.right as u32,
        bottom: code.bottom as u32,
        black: code.black.into(),
        white: code.white.into(),
    };
    let threads = (code.right.div_ceil(2), code.bottom.div_ceil(2));
    let kernel = Kernel::load(stream.gpu())?;
    // SAFETY: the kernel writes within the code's corner of the checked picture, which is of a
    // format that it knows.
    unsafe { kernel.launch(stream, &args, threads, BLOCK) }
}
