// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Our kernels: loading and launching. Their sources are in `kernels/` at the top of the repository.
//!
//! A kernel takes one struct. The modules below have these structs and safe functions that fill
//! them in from checked views.

#![allow(unsafe_code)]

pub mod annotate;
pub mod convert;
pub mod pattern;
pub mod statistics;

use std::ffi::{CStr, c_void};
use std::marker::PhantomData;
use std::ptr::null_mut;

use cudarc::driver::sys;

use super::driver::check;
use super::{CardPlane, CardView, CardViewMut, CudaError, Gpu, Stream};

/// A compiled source.
pub(super) struct Source {
    pub name: &'static str,
    pub ptx: &'static CStr,
}

/// Embeds `kernels/NAME.ptx`.
macro_rules! source {
    ($name:literal) => {
        $crate::mem::cuda::kernels::Source {
            name: $name,
            ptx: match std::ffi::CStr::from_bytes_with_nul(
                concat!(
                    include_str!(concat!(
                        env!("CARGO_MANIFEST_DIR"),
                        "/kernels/",
                        $name,
                        ".ptx"
                    )),
                    "\0"
                )
                .as_bytes(),
            ) {
                Ok(ptx) => ptx,
                Err(_) => panic!("a zero within the text"),
            },
        }
    };
}
#[allow(unused_imports)]
pub(super) use source;

/// What a kernel is given.
///
/// # Safety
/// The struct must be laid out as the kernel's parameter.
pub(super) unsafe trait KernelArgs: Copy {
    const SOURCE: Source;
    const NAME: &'static CStr;
}

/// A kernel, ready to be launched.
pub(super) struct Kernel<A> {
    gpu: Gpu,
    function: sys::CUfunction,
    args: PhantomData<fn(A)>,
}

// SAFETY: functions can be used by any thread.
unsafe impl<A> Send for Kernel<A> {}
// SAFETY: as above.
unsafe impl<A> Sync for Kernel<A> {}

impl<A> std::fmt::Debug for Kernel<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Kernel({:?})", self.gpu)
    }
}

impl<A: KernelArgs> Kernel<A> {
    pub fn load(gpu: Gpu) -> Result<Self, CudaError> {
        Ok(Self {
            gpu,
            function: gpu.function(A::SOURCE.name, A::SOURCE.ptx, A::NAME)?,
            args: PhantomData,
        })
    }

    /// Queues a launch of `threads` across and down, in blocks of `block`.
    ///
    /// # Safety
    /// The kernel must stay within the memory that its arguments point to.
    pub unsafe fn launch(
        &self,
        stream: &Stream,
        args: &A,
        threads: (usize, usize),
        block: (u32, u32),
    ) -> Result<(), CudaError> {
        let grid = |threads: usize, block: u32| threads.div_ceil(block as usize).max(1) as u32;
        let mut params = [(&raw const *args).cast_mut().cast::<c_void>()];
        let _bound = self.gpu.bind()?;
        // SAFETY: a loaded function; the parameters are read during the call; the rest is up to
        // the caller.
        let result = unsafe {
            sys::cuLaunchKernel(
                self.function,
                grid(threads.0, block.0),
                grid(threads.1, block.1),
                1,
                block.0,
                block.1,
                1,
                0,
                stream.raw(),
                params.as_mut_ptr(),
                null_mut(),
            )
        };
        check("cuLaunchKernel", result)
    }
}

/// `Plane` of `kernels/common.h`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct PlaneArg {
    pub data: u64,
    pub pitch: u32,
    pub pad: u32,
}

/// `Picture` of `kernels/common.h`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct PictureArg {
    pub planes: [PlaneArg; 3],
    pub width: u32,
    pub height: u32,
    pub format: u32,
    pub pad: u32,
}

const _: () = assert!(size_of::<PlaneArg>() == 16 && size_of::<PictureArg>() == 64);

impl From<CardPlane> for PlaneArg {
    fn from(plane: CardPlane) -> Self {
        Self {
            data: plane.address,
            // Pitches are checked to be those of surfaces, which have 32 bits for them.
            pitch: plane.pitch as u32,
            pad: 0,
        }
    }
}

/// The numbers of formats in `kernels/common.h`.
pub(super) fn format_number(format: gst_video::VideoFormat) -> u32 {
    use gst_video::VideoFormat::*;
    match format {
        Rgb => 0,
        Bgr => 1,
        Rgba | Rgbx => 2,
        Bgra | Bgrx => 3,
        Gray8 => 4,
        Nv12 => 5,
        I420 => 6,
        Y42b => 7,
        Y444 => 8,
        Yuy2 => 9,
        // What views are made of has no other.
        _ => 10,
    }
}

macro_rules! picture {
    ($view:ty) => {
        impl From<&$view> for PictureArg {
            fn from(view: &$view) -> Self {
                let mut planes = [PlaneArg::default(); 3];
                for (to, from) in planes.iter_mut().zip(view.planes()) {
                    *to = (*from).into();
                }
                Self {
                    planes,
                    width: view.width() as u32,
                    height: view.height() as u32,
                    format: format_number(view.format()),
                    pad: 0,
                }
            }
        }
    };
}

picture!(CardView<'_>);
picture!(CardViewMut<'_>);
