// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The surface structs of DeepStream. Written down from measured sizes and offsets; the assertions
//! at the end hold them, and `tests/nvmm.rs` compares them with `tests/abi/deepstream-abi.json`.
//!
//! Everything up to `surfaceList` and up to `planeParams` is the same in all generations, so it
//! has structs of its own: reading needs only these and the stride between surfaces. Padding is
//! spelled out, so that writing a struct writes every byte of it.

use std::ffi::c_void;
use std::mem::{offset_of, size_of};

/// `NVBUF_MAX_PLANES`
pub const MAX_PLANES: usize = 4;

/// `NvBufSurfaceMemType`. An open set: a newer DeepStream may send values unknown here.
#[repr(transparent)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MemType(pub u32);

impl MemType {
    pub const DEFAULT: Self = Self(0);
    pub const CUDA_PINNED: Self = Self(1);
    pub const CUDA_DEVICE: Self = Self(2);
    pub const CUDA_UNIFIED: Self = Self(3);
    pub const SURFACE_ARRAY: Self = Self(4);
    pub const HANDLE: Self = Self(5);
    pub const SYSTEM: Self = Self(6);
    pub const CUDA_ARRAY: Self = Self(7);
}

/// `NvBufSurfaceLayout`
#[repr(transparent)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Layout(pub u32);

impl Layout {
    pub const PITCH: Self = Self(0);
    pub const BLOCK_LINEAR: Self = Self(1);
}

/// `NvBufSurfaceColorFormat`, as far as it is used here.
#[repr(transparent)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ColorFormat(pub u32);

impl ColorFormat {
    pub const INVALID: Self = Self(0);
    pub const GRAY8: Self = Self(1);
    pub const YUV420: Self = Self(2);
    pub const YUV420_ER: Self = Self(4);
    pub const NV12: Self = Self(6);
    pub const NV12_ER: Self = Self(7);
    pub const RGBA: Self = Self(19);
    pub const RGBX: Self = Self(23);
    pub const BGRX: Self = Self(24);
    pub const RGB: Self = Self(27);
    pub const BGR: Self = Self(28);
    pub const YUV420_709: Self = Self(31);
    pub const YUV420_709_ER: Self = Self(32);
    pub const NV12_709: Self = Self(33);
    pub const NV12_709_ER: Self = Self(34);
    pub const YUV420_2020: Self = Self(35);
    pub const NV12_2020: Self = Self(36);
}

/// `NvBufSurface` up to `surfaceList`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct SurfaceHead {
    pub gpu_id: u32,
    pub batch_size: u32,
    pub num_filled: u32,
    /// A C `bool`, but a foreign one may hold any byte.
    pub is_contiguous: u8,
    pub pad0: [u8; 3],
    pub mem_type: MemType,
    pub pad1: u32,
    /// Points to `batch_size` of [`ParamsA`] or [`ParamsC`].
    pub surface_list: *mut c_void,
}

/// `NvBufSurface` of generation A.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct SurfaceA {
    pub head: SurfaceHead,
    pub reserved: [*mut c_void; 4],
}

/// `NvBufSurface` of generations B and C.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct SurfaceC {
    pub head: SurfaceHead,
    pub is_imported_buf: u8,
    pub pad: [u8; 7],
    pub reserved: [*mut c_void; 4],
}

/// `NvBufSurfacePlaneParams`
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct PlaneParams {
    pub num_planes: u32,
    pub width: [u32; MAX_PLANES],
    pub height: [u32; MAX_PLANES],
    pub pitch: [u32; MAX_PLANES],
    pub offset: [u32; MAX_PLANES],
    pub psize: [u32; MAX_PLANES],
    pub bytes_per_pix: [u32; MAX_PLANES],
    pub pad: u32,
    pub reserved: [*mut c_void; 16],
}

/// `NvBufSurfaceParams` up to `planeParams`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ParamsHead {
    pub width: u32,
    pub height: u32,
    pub pitch: u32,
    pub color_format: ColorFormat,
    pub layout: Layout,
    pub pad0: u32,
    pub buffer_desc: u64,
    pub data_size: u32,
    pub pad1: u32,
    pub data_ptr: *mut c_void,
    pub plane_params: PlaneParams,
}

/// `NvBufSurfaceMappedAddr` of generation A.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct MappedAddrA {
    pub addr: [*mut c_void; MAX_PLANES],
    pub egl_image: *mut c_void,
    pub reserved: [*mut c_void; 4],
}

/// `NvBufSurfaceMappedAddr` of generations B and C.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct MappedAddrC {
    pub addr: [*mut c_void; MAX_PLANES],
    pub egl_image: *mut c_void,
    pub nvmm_ptr: *mut c_void,
    pub cuda_ptr: *mut c_void,
    pub reserved: [*mut c_void; 4],
}

/// `NvBufSurfaceParams` of generation A.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ParamsA {
    pub head: ParamsHead,
    pub mapped_addr: MappedAddrA,
    pub paramex: *mut c_void,
    pub reserved: [*mut c_void; 3],
}

/// `NvBufSurfaceParams` of generations B and C.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ParamsC {
    pub head: ParamsHead,
    pub mapped_addr: MappedAddrC,
    pub paramex: *mut c_void,
    pub cuda_buffer: *mut c_void,
    pub reserved: [*mut c_void; 4],
}

/// What to allocate for each surface, whatever the generation: muxes copy as much as their own
/// struct has.
pub const PARAMS_ROOM: usize = size_of::<ParamsC>();

macro_rules! layout {
    ($type:ty, $size:literal, align $align:literal $(, $($field:ident).+ @ $offset:literal)* $(,)?) => {
        const _: () = {
            assert!(size_of::<$type>() == $size && align_of::<$type>() == $align);
            $(assert!(offset_of!($type, $($field).+) == $offset);)*
        };
    };
}

layout!(MemType, 4, align 4);
layout!(Layout, 4, align 4);
layout!(ColorFormat, 4, align 4);
layout!(SurfaceHead, 32, align 8,
    gpu_id @ 0, batch_size @ 4, num_filled @ 8, is_contiguous @ 12, mem_type @ 16,
    surface_list @ 24);
layout!(SurfaceA, 64, align 8, head @ 0, reserved @ 32);
layout!(SurfaceC, 72, align 8, head @ 0, is_imported_buf @ 32, reserved @ 40);
layout!(PlaneParams, 232, align 8,
    num_planes @ 0, width @ 4, height @ 20, pitch @ 36, offset @ 52, psize @ 68,
    bytes_per_pix @ 84, reserved @ 104);
layout!(ParamsHead, 280, align 8,
    width @ 0, height @ 4, pitch @ 8, color_format @ 12, layout @ 16, buffer_desc @ 24,
    data_size @ 32, data_ptr @ 40, plane_params @ 48);
layout!(MappedAddrA, 72, align 8, addr @ 0, egl_image @ 32, reserved @ 40);
layout!(MappedAddrC, 88, align 8,
    addr @ 0, egl_image @ 32, nvmm_ptr @ 40, cuda_ptr @ 48, reserved @ 56);
layout!(ParamsA, 384, align 8, head @ 0, mapped_addr @ 280, paramex @ 352, reserved @ 360);
layout!(ParamsC, 416, align 8,
    head @ 0, mapped_addr @ 280, paramex @ 368, cuda_buffer @ 376, reserved @ 384);
