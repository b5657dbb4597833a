// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Our structs and enums against the measured ones.

use std::mem::{offset_of, size_of};

use gstdsframe::mem::sys::Generation;
use gstdsframe::mem::sys::surface::*;

fn field_size<T, F>(_: impl FnOnce(&T) -> &F) -> usize {
    size_of::<F>()
}

/// Compares a struct with the measured one: every field there is, offset and size.
macro_rules! same {
    ($name:literal, $generation:expr, $type:ty { $($measured:literal = $($field:ident).+),* $(,)? }) => {{
        let layout = super::layout($name, $generation);
        assert_eq!(layout["size"], size_of::<$type>(), $name);
        assert_eq!(layout["align"], align_of::<$type>(), $name);
        let mut left: Vec<_> = layout["fields"].as_object().unwrap().keys().collect();
        $(
            let field = &layout["fields"][$measured];
            assert_eq!(field["offset"], offset_of!($type, $($field).+), "{}.{}", $name, $measured);
            let size = field_size(|s: &$type| &s.$($field).+);
            assert_eq!(field["size"], size, "{}.{}", $name, $measured);
            left.retain(|name| *name != $measured);
        )*
        assert!(left.is_empty(), "{}: {left:?}", $name);
    }};
}

#[test]
fn structs_are_as_measured() {
    use Generation::{A, B, C};
    same!("NvBufSurface", A, SurfaceA {
        "gpuId" = head.gpu_id, "batchSize" = head.batch_size, "numFilled" = head.num_filled,
        "isContiguous" = head.is_contiguous, "memType" = head.mem_type,
        "surfaceList" = head.surface_list, "_reserved" = reserved,
    });
    same!("NvBufSurfaceMappedAddr", A, MappedAddrA {
        "addr" = addr, "eglImage" = egl_image, "_reserved" = reserved,
    });
    same!("NvBufSurfaceParams", A, ParamsA {
        "width" = head.width, "height" = head.height, "pitch" = head.pitch,
        "colorFormat" = head.color_format, "layout" = head.layout,
        "bufferDesc" = head.buffer_desc, "dataSize" = head.data_size, "dataPtr" = head.data_ptr,
        "planeParams" = head.plane_params, "mappedAddr" = mapped_addr, "paramex" = paramex,
        "_reserved" = reserved,
    });
    for generation in [B, C] {
        same!("NvBufSurface", generation, SurfaceC {
            "gpuId" = head.gpu_id, "batchSize" = head.batch_size, "numFilled" = head.num_filled,
            "isContiguous" = head.is_contiguous, "memType" = head.mem_type,
            "surfaceList" = head.surface_list, "isImportedBuf" = is_imported_buf,
            "_reserved" = reserved,
        });
        same!("NvBufSurfaceMappedAddr", generation, MappedAddrC {
            "addr" = addr, "eglImage" = egl_image, "nvmmPtr" = nvmm_ptr, "cudaPtr" = cuda_ptr,
            "_reserved" = reserved,
        });
        same!("NvBufSurfaceParams", generation, ParamsC {
            "width" = head.width, "height" = head.height, "pitch" = head.pitch,
            "colorFormat" = head.color_format, "layout" = head.layout,
            "bufferDesc" = head.buffer_desc, "dataSize" = head.data_size,
            "dataPtr" = head.data_ptr, "planeParams" = head.plane_params,
            "mappedAddr" = mapped_addr, "paramex" = paramex, "cudaBuffer" = cuda_buffer,
            "_reserved" = reserved,
        });
    }
    for generation in Generation::ALL {
        same!("NvBufSurfacePlaneParams", generation, PlaneParams {
            "num_planes" = num_planes, "width" = width, "height" = height, "pitch" = pitch,
            "offset" = offset, "psize" = psize, "bytesPerPix" = bytes_per_pix,
            "_reserved" = reserved,
        });
        assert_eq!(
            generation.surface_size(),
            super::size("NvBufSurface", generation)
        );
        assert_eq!(
            generation.params_size(),
            super::size("NvBufSurfaceParams", generation)
        );
        assert_eq!(
            Generation::parse(super::release(generation)),
            Some(generation)
        );
    }
}

#[test]
fn enums_are_as_measured() {
    let mem_types = [
        ("DEFAULT", MemType::DEFAULT),
        ("CUDA_PINNED", MemType::CUDA_PINNED),
        ("CUDA_DEVICE", MemType::CUDA_DEVICE),
        ("CUDA_UNIFIED", MemType::CUDA_UNIFIED),
        ("SURFACE_ARRAY", MemType::SURFACE_ARRAY),
        ("HANDLE", MemType::HANDLE),
        ("SYSTEM", MemType::SYSTEM),
        ("CUDA_ARRAY", MemType::CUDA_ARRAY),
    ];
    for (name, ours) in mem_types {
        let measured = super::value("NvBufSurfaceMemType", &format!("NVBUF_MEM_{name}"));
        assert_eq!(measured, ours.0, "{name}");
    }
    let formats = [
        ("INVALID", ColorFormat::INVALID),
        ("GRAY8", ColorFormat::GRAY8),
        ("YUV420", ColorFormat::YUV420),
        ("YUV420_ER", ColorFormat::YUV420_ER),
        ("NV12", ColorFormat::NV12),
        ("NV12_ER", ColorFormat::NV12_ER),
        ("RGBA", ColorFormat::RGBA),
        ("RGBx", ColorFormat::RGBX),
        ("BGRx", ColorFormat::BGRX),
        ("RGB", ColorFormat::RGB),
        ("BGR", ColorFormat::BGR),
        ("YUV420_709", ColorFormat::YUV420_709),
        ("YUV420_709_ER", ColorFormat::YUV420_709_ER),
        ("NV12_709", ColorFormat::NV12_709),
        ("NV12_709_ER", ColorFormat::NV12_709_ER),
        ("YUV420_2020", ColorFormat::YUV420_2020),
        ("NV12_2020", ColorFormat::NV12_2020),
    ];
    for (name, ours) in formats {
        let name = format!("NVBUF_COLOR_FORMAT_{name}");
        assert_eq!(
            super::value("NvBufSurfaceColorFormat", &name),
            ours.0,
            "{name}"
        );
    }
    let number = |name| super::value("NvBufSurfaceLayout", name);
    assert_eq!(number("NVBUF_LAYOUT_PITCH"), Layout::PITCH.0);
    assert_eq!(number("NVBUF_LAYOUT_BLOCK_LINEAR"), Layout::BLOCK_LINEAR.0);
}
