// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `kernels/statistics.cu`: sums over a picture.

#![allow(unsafe_code)]

use std::ffi::CStr;

use cudarc::driver::sys;
use gst_video::VideoFormat;

use super::{Kernel, KernelArgs, PlaneArg, Source, source};
use crate::frame::ViewError;
use crate::mem::cuda::driver::check;
use crate::mem::cuda::{CardView, CudaError, Gpu, Kind, Memory, Pinned, Stream};

/// Threads of a block: whole warps.
const BLOCK: (u32, u32) = (32, 8);
/// What a thread sums up.
const PIXELS: usize = 4;
const ROWS: usize = 8;
const MAX_SIDE: usize = 1 << 26;
const SUMS: usize = 5;
const LEN: usize = SUMS * size_of::<u64>();

#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct StatisticsArgs {
    plane: PlaneArg,
    sums: u64,
    width: u32,
    height: u32,
    channels: u32,
    weights: [u32; 3],
}

const _: () = assert!(size_of::<StatisticsArgs>() == 48);

// SAFETY: laid out as `StatisticsArgs` of the source.
unsafe impl KernelArgs for StatisticsArgs {
    const SOURCE: Source = source!("statistics");
    const NAME: &'static CStr = c"statistics";
}

/// What the pixels of a picture sum up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sums {
    pub samples: u64,
    pub squares: u64,
    /// Of the Laplacian of luma, in thousandths.
    pub edges: i64,
    pub edge_squares: u128,
}

/// Sums pictures up, one after the other.
#[derive(Debug)]
pub struct Summer {
    sums: Memory,
    result: Pinned,
    kernel: Kernel<StatisticsArgs>,
}

impl Summer {
    pub fn new(gpu: Gpu) -> Result<Self, CudaError> {
        Ok(Self {
            sums: Memory::new(gpu, Kind::Device, LEN)?,
            result: Pinned::new(gpu, LEN)?,
            kernel: Kernel::load(gpu)?,
        })
    }

    /// The sums of an RGB, BGR or GRAY8 picture, after what the stream has to do before. `weights`
    /// are the thousandths of luma in each channel. Waits for them.
    pub fn sums(
        &mut self,
        view: &CardView<'_>,
        weights: [u32; 3],
        stream: &Stream,
    ) -> Result<Sums, CudaError> {
        let (format, width, height) = (view.format(), view.width(), view.height());
        let channels = match format {
            VideoFormat::Rgb | VideoFormat::Bgr => 3,
            VideoFormat::Gray8 => 1,
            _ => return Err(ViewError::Format(format).into()),
        };
        let [plane] = view.planes() else {
            return Err(ViewError::Format(format).into());
        };
        // Luma is a byte, in thousandths: larger weights would not fit into the kernel's sums.
        if width.max(height) >= MAX_SIDE || weights.iter().sum::<u32>() > 1000 {
            return Err(ViewError::Format(format).into());
        }
        let args = StatisticsArgs {
            plane: (*plane).into(),
            sums: self.sums.address(),
            width: width as u32,
            height: height as u32,
            channels,
            weights,
        };
        let threads = (width.div_ceil(PIXELS), height.div_ceil(ROWS));
        let queued = self.queue(&args, threads, stream);
        // What was queued also after a failure ends before this is used again.
        stream.synchronize()?;
        queued?;
        let mut sums = [0; SUMS];
        let result = self.result.as_ref().as_chunks().0;
        for (sum, bytes) in sums.iter_mut().zip(result) {
            *sum = u64::from_ne_bytes(*bytes);
        }
        let [samples, squares, edges, low, high] = sums;
        Ok(Sums {
            samples,
            squares,
            edges: edges as i64,
            edge_squares: u128::from(low) + (u128::from(high) << 32),
        })
    }

    fn queue(
        &mut self,
        args: &StatisticsArgs,
        threads: (usize, usize),
        stream: &Stream,
    ) -> Result<(), CudaError> {
        let _bound = stream.gpu().bind()?;
        // SAFETY: all of the memory and no more.
        let result =
            unsafe { sys::cuMemsetD8Async(self.sums.address(), 0, LEN, stream.raw()) };
        check("cuMemsetD8Async", result)?;
        // SAFETY: the kernel reads the plane of a checked picture and adds to all of the sums.
        unsafe { self.kernel.launch(stream, args, threads, BLOCK)? };
        let to = self.result.as_mut();
        // SAFETY: both have as many bytes; the caller waits before it looks at them.
        let result = unsafe {
            sys::cuMemcpyDtoHAsync_v2(
                to.as_mut_ptr().cast(),
                self.sums.address(),
                to.len(),
                stream.raw(),
            )
        };
        check("cuMemcpyDtoHAsync", result)
    }
}
