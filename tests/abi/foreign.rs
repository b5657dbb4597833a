// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Surfaces as an application builds them by hand, as NVIDIA's `deepstream-appsrc-cuda-test` does,
//! with every field open to lies.

use gst_video::{VideoFormat, VideoInfo};
use gstdsframe::frame::plane_sizes;
use gstdsframe::mem::nvmm::{NvmmError, SurfaceFault, Surfaces};
use gstdsframe::mem::sys::Generation;
use proptest::prelude::*;

use super::{Struct, init, value};

/// One surface with tight rows, in memory of the application.
pub struct Foreign {
    pub info: VideoInfo,
    pub header: Struct,
    pub params: Struct,
    pub pixels: Vec<u8>,
}

impl Foreign {
    pub fn new(generation: Generation, format: VideoFormat, width: u32, height: u32) -> Self {
        let color = match format {
            VideoFormat::Nv12 => "NVBUF_COLOR_FORMAT_NV12",
            VideoFormat::I420 => "NVBUF_COLOR_FORMAT_YUV420",
            VideoFormat::Rgba => "NVBUF_COLOR_FORMAT_RGBA",
            _ => unreachable!(),
        };
        let info = VideoInfo::builder(format, width, height).build().unwrap();
        let mut params = Struct::zeroed("NvBufSurfaceParams", generation);
        let mut size = 0;
        let planes = plane_sizes(format, width as usize, height as usize);
        for (i, plane) in planes.iter().enumerate() {
            let (pitch, rows) = (plane.row_bytes as u32, plane.rows as u32);
            params
                .set(&format!("planeParams.pitch.{i}"), pitch)
                .set(&format!("planeParams.height.{i}"), rows)
                .set(&format!("planeParams.offset.{i}"), size)
                .set(&format!("planeParams.psize.{i}"), pitch * rows);
            size += pitch * rows;
        }
        params
            .set("width", width)
            .set("height", height)
            .set("pitch", planes[0].row_bytes as u32)
            .set("colorFormat", value("NvBufSurfaceColorFormat", color))
            .set("dataSize", size)
            .set("planeParams.num_planes", planes.len() as u32);
        let pixels: Vec<u8> = (0..size).map(|i| (i * 7 + i / 251) as u8).collect();
        params.set_pointer("dataPtr", pixels.as_ptr().expose_provenance() as u64);
        let mut header = Struct::zeroed("NvBufSurface", generation);
        header
            .set("batchSize", 1)
            .set("numFilled", 1)
            .set_flag("isContiguous", true)
            .set("memType", value("NvBufSurfaceMemType", "NVBUF_MEM_SYSTEM"));
        Self {
            info,
            header,
            params,
            pixels,
        }
    }

    /// A buffer of exactly the header in plain memory. It points into `self`.
    pub fn buffer(&mut self) -> gst::Buffer {
        let list = self.params.bytes.as_ptr().expose_provenance() as u64;
        self.header.set_pointer("surfaceList", list);
        self.raw_buffer()
    }

    fn raw_buffer(&self) -> gst::Buffer {
        gst::Buffer::from_mut_slice(self.header.bytes.clone())
    }

    fn error(&mut self) -> NvmmError {
        let buffer = self.buffer();
        match Surfaces::read(&buffer, &self.info) {
            Err(error) => error,
            Ok(surfaces) => surfaces.surface(0).unwrap_err(),
        }
    }
}

#[test]
fn hand_built_surfaces_are_read() {
    init();
    for generation in Generation::ALL {
        for format in [VideoFormat::I420, VideoFormat::Nv12, VideoFormat::Rgba] {
            for (width, height) in [(1, 1), (641, 479), (1280, 720)] {
                let mut foreign = Foreign::new(generation, format, width, height);
                for data_size in [foreign.params.get("dataSize"), 0] {
                    foreign.params.set("dataSize", data_size);
                    let buffer = foreign.buffer();
                    let surfaces = Surfaces::read(&buffer, &foreign.info).unwrap();
                    assert_eq!((surfaces.len(), surfaces.gpu_id()), (1, 0));
                    let surface = surfaces.surface(0).unwrap();
                    let mut read = Vec::new();
                    surface.host().unwrap().append_tight(&mut read);
                    assert!(read == foreign.pixels, "{generation:?} {format:?} {width}");
                }
            }
        }
    }
}

#[test]
fn pinned_and_unified_memory_is_read_and_the_size_comes_from_the_surface() {
    init();
    for mem_type in ["NVBUF_MEM_CUDA_PINNED", "NVBUF_MEM_CUDA_UNIFIED"] {
        let mut foreign = Foreign::new(Generation::C, VideoFormat::Nv12, 64, 32);
        foreign
            .header
            .set("memType", value("NvBufSurfaceMemType", mem_type))
            .set("gpuId", 3);
        foreign.info = VideoInfo::builder(VideoFormat::Nv12, 1920, 1080)
            .build()
            .unwrap();
        let buffer = foreign.buffer();
        let surfaces = Surfaces::read(&buffer, &foreign.info).unwrap();
        let surface = surfaces.surface(0).unwrap();
        assert_eq!(
            (
                surface.host().unwrap().width(),
                surface.host().unwrap().height()
            ),
            (64, 32)
        );
        assert_eq!(surface.gpu_id, 3);
        assert!(matches!(
            surfaces.surface(1),
            Err(NvmmError::Index { index: 1, len: 1 })
        ));
    }
}

#[test]
fn memory_that_the_cpu_cannot_read_is_refused_with_a_way_out() {
    init();
    for mem_type in 0..9 {
        let mut foreign = Foreign::new(Generation::A, VideoFormat::I420, 64, 32);
        foreign.header.set("memType", mem_type);
        match mem_type {
            1 | 3 | 6 => continue,
            // Whether there is a GPU or not: these pixels are not in its memory.
            0 | 2 => assert!(matches!(
                foreign.error(),
                NvmmError::Surface {
                    fault: SurfaceFault::Unreachable(_),
                    ..
                }
            )),
            4 | 5 | 7 => assert!(matches!(foreign.error(), NvmmError::Jetson(_))),
            _ => assert!(matches!(foreign.error(), NvmmError::MemType(_))),
        }
        let text = foreign.error().to_string();
        let remedy = "nvvideoconvert ! video/x-raw,format=I420";
        assert!(text.contains(remedy), "{text}");
    }
}

#[test]
fn headers_that_lie_are_refused() {
    init();
    for size in [0usize, 1, 63, 65, 71, 73, 384, 3110400] {
        let foreign = Foreign::new(Generation::C, VideoFormat::I420, 64, 32);
        let buffer = gst::Buffer::from_mut_slice(vec![0u8; size]);
        let error = Surfaces::read(&buffer, &foreign.info).err().unwrap();
        match size {
            0 => assert!(!error.to_string().is_empty()),
            _ => assert_eq!(error, NvmmError::HeaderSize(size)),
        }
    }
    assert!(
        NvmmError::HeaderSize(80)
            .to_string()
            .contains("deepstream-version")
    );

    let mut foreign = Foreign::new(Generation::B, VideoFormat::I420, 64, 32);
    let none = gst::Buffer::new();
    let error = Surfaces::read(&none, &foreign.info).err().unwrap();
    assert_eq!(error, NvmmError::Memories(0));
    let mut two = foreign.buffer();
    two.make_mut().append_memory(gst::Memory::with_size(8));
    let error = Surfaces::read(&two, &foreign.info).err().unwrap();
    assert_eq!(error, NvmmError::Memories(2));

    foreign.header.set_pointer("surfaceList", 0);
    let buffer = foreign.raw_buffer();
    let error = Surfaces::read(&buffer, &foreign.info).err().unwrap();
    assert_eq!(error, NvmmError::NoList);

    for (filled, batch) in [(2, 1), (u32::MAX, 1), (1, 0), (1, 1025), (1, u32::MAX)] {
        foreign
            .header
            .set("numFilled", filled)
            .set("batchSize", batch);
        assert_eq!(foreign.error(), NvmmError::Batch { filled, batch });
    }
    foreign.header.set("numFilled", 0).set("batchSize", 1);
    let buffer = foreign.buffer();
    assert!(Surfaces::read(&buffer, &foreign.info).unwrap().is_empty());
}

#[test]
fn surfaces_that_lie_are_refused() {
    init();
    type Lie = (&'static str, u32, fn(&SurfaceFault) -> bool);
    let lies: &[Lie] = &[
        ("width", 0, |f| matches!(f, SurfaceFault::Size { .. })),
        ("width", 65_537, |f| matches!(f, SurfaceFault::Size { .. })),
        ("height", 0, |f| matches!(f, SurfaceFault::Size { .. })),
        ("height", u32::MAX, |f| {
            matches!(f, SurfaceFault::Size { .. })
        }),
        ("width", 66, |f| {
            matches!(f, SurfaceFault::Pitch { plane: 0, .. })
        }),
        ("height", 34, |f| {
            matches!(f, SurfaceFault::PlaneSize { .. })
        }),
        ("layout", 1, |f| matches!(f, SurfaceFault::Layout(_))),
        ("colorFormat", 0, |f| {
            matches!(f, SurfaceFault::Color { .. })
        }),
        ("colorFormat", 6, |f| {
            matches!(f, SurfaceFault::Color { .. })
        }),
        ("colorFormat", 9999, |f| {
            matches!(f, SurfaceFault::Color { .. })
        }),
        ("planeParams.num_planes", 0, |f| {
            matches!(f, SurfaceFault::Planes { .. })
        }),
        ("planeParams.num_planes", 2, |f| {
            matches!(f, SurfaceFault::Planes { .. })
        }),
        ("planeParams.num_planes", u32::MAX, |f| {
            matches!(f, SurfaceFault::Planes { .. })
        }),
        ("planeParams.pitch.0", 63, |f| {
            matches!(f, SurfaceFault::Pitch { plane: 0, .. })
        }),
        ("planeParams.pitch.2", 0, |f| {
            matches!(f, SurfaceFault::Pitch { plane: 2, .. })
        }),
        ("planeParams.pitch.1", u32::MAX, |f| {
            matches!(f, SurfaceFault::PlaneSize { .. })
        }),
        ("planeParams.offset.1", 0, |f| {
            matches!(f, SurfaceFault::Overlap { plane: 1, .. })
        }),
        ("planeParams.offset.2", u32::MAX, |f| {
            matches!(f, SurfaceFault::Extent { .. })
        }),
        ("planeParams.psize.0", 5, |f| {
            matches!(f, SurfaceFault::PlaneSize { .. })
        }),
        ("planeParams.psize.2", u32::MAX, |f| {
            matches!(f, SurfaceFault::Extent { .. })
        }),
        ("dataSize", 64 * 32 * 3 / 2 - 1, |f| {
            matches!(f, SurfaceFault::Extent { .. })
        }),
    ];
    for generation in Generation::ALL {
        for (field, lie, expected) in lies {
            let mut foreign = Foreign::new(generation, VideoFormat::I420, 64, 32);
            foreign.params.set(field, *lie);
            let error = foreign.error();
            let NvmmError::Surface { index: 0, fault } = &error else {
                panic!("{field} {lie}: {error}");
            };
            assert!(expected(fault), "{field} {lie}: {error}");
            assert!(error.to_string().contains("deepstream-version"), "{error}");
        }
    }
    // Without a size of its own, a surface may not claim more than the field could have said.
    let mut foreign = Foreign::new(Generation::C, VideoFormat::I420, 64, 32);
    foreign
        .params
        .set("dataSize", 0)
        .set("planeParams.psize.0", 0)
        .set("planeParams.pitch.0", u32::MAX);
    let error = foreign.error();
    assert!(
        matches!(
            error,
            NvmmError::Surface {
                fault: SurfaceFault::Extent { .. },
                ..
            }
        ),
        "{error}"
    );
    let mut foreign = Foreign::new(Generation::C, VideoFormat::I420, 64, 32);
    foreign.params.set_pointer("dataPtr", 0);
    assert!(matches!(
        foreign.error(),
        NvmmError::Surface {
            fault: SurfaceFault::NoData,
            ..
        }
    ));
}

/// Bytes that random surfaces may claim.
const REGION: u32 = 1 << 20;

/// Small numbers that may pass, their limits, and anything.
fn number(likely: u32) -> impl Strategy<Value = u32> {
    prop_oneof![
        6 => Just(likely),
        4 => 0..=likely.saturating_mul(2).max(4),
        1 => Just(0),
        1 => Just(u32::MAX),
        1 => any::<u32>(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 4000, ..Default::default() })]

    #[test]
    fn random_surfaces_never_crash(
        generation in 0usize..3,
        (planes, null) in (number(3), prop::bool::weighted(0.05)),
        (width, height, data_size) in (number(64), number(32), 1..=REGION),
        (color, layout) in (number(2), number(0)),
        pitch in prop::array::uniform3(number(64)),
        offset in (number(0), number(2048), number(4096)),
        psize in prop::array::uniform3(number(2048)),
        (filled, batch, mem_type) in (number(1), number(1), number(6)),
    ) {
        init();
        let mut foreign = Foreign::new(Generation::ALL[generation], VideoFormat::I420, 64, 32);
        foreign.pixels = vec![1; REGION as usize];
        let data = foreign.pixels.as_ptr().expose_provenance() as u64;
        let params = &mut foreign.params;
        params
            .set("width", width)
            .set("height", height)
            .set("colorFormat", color)
            .set("layout", layout)
            .set("dataSize", data_size)
            .set("planeParams.num_planes", planes)
            .set_pointer("dataPtr", if null { 0 } else { data });
        for (i, offset) in [offset.0, offset.1, offset.2].into_iter().enumerate() {
            params
                .set(&format!("planeParams.pitch.{i}"), pitch[i])
                .set(&format!("planeParams.offset.{i}"), offset)
                .set(&format!("planeParams.psize.{i}"), psize[i]);
        }
        // The list has one element, which is all that a claim of more can be asked for here.
        foreign
            .header
            .set("numFilled", filled)
            .set("batchSize", batch)
            .set("memType", mem_type);
        let buffer = foreign.buffer();
        if let Ok(surfaces) = Surfaces::read(&buffer, &foreign.info)
            && let Ok(surface) = surfaces.surface(0)
        {
            let mut pixels = Vec::new();
            surface.host().unwrap().append_tight(&mut pixels);
            prop_assert!(pixels.iter().all(|p| *p == 1));
        }
    }
}
