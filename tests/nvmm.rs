// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! NVMM buffers byte by byte, and what GStreamer does with them.

#![allow(unsafe_code)]

mod abi;

use std::time::Duration;

use abi::{Struct, header, header_address, init, params, peek, poke};
use gst::prelude::*;
use gst_video::{VideoFormat, VideoInfo};
use gstdsframe::frame::FORMATS;
use gstdsframe::mem::nvmm::{self, NvmmAllocator, NvmmError, NvmmPool, Place, Spec, Surfaces};
use gstdsframe::mem::sys::Generation;

const SIZES: [(u32, u32); 3] = [(1, 1), (641, 479), (1920, 1080)];

fn info(format: VideoFormat, width: u32, height: u32) -> VideoInfo {
    VideoInfo::builder(format, width, height).build().unwrap()
}

fn pool(info: &VideoInfo, generation: Generation, batch: u32, max_buffers: u32) -> NvmmPool {
    let pool = NvmmPool::new(
        info,
        generation,
        Place::Host { gpu_id: 2 },
        batch,
        max_buffers,
    )
    .unwrap();
    pool.set_active(true).unwrap();
    pool
}

fn fill(buffer: &mut gst::BufferRef, index: usize, seed: u8) {
    let mut writer = nvmm::write(buffer, index).unwrap();
    let mut view = writer.view_mut().unwrap();
    for plane in 0..view.planes_mut().len() {
        let rows = view.planes_mut()[plane].data.len() / view.planes_mut()[plane].pitch;
        for y in 0..rows {
            for (x, byte) in view.row_mut(plane, y).iter_mut().enumerate() {
                *byte = (x + 3 * y + 50 * plane) as u8 ^ seed;
            }
        }
    }
}

fn pixels(buffer: &gst::BufferRef, info: &VideoInfo, index: usize) -> Vec<u8> {
    let surfaces = Surfaces::read(buffer, info).unwrap();
    let mut out = Vec::new();
    let surface = surfaces.surface(index).unwrap();
    surface.host().unwrap().append_tight(&mut out);
    out
}

/// Planes as (width, height, bytes per pixel), and the colour of the default colorimetry.
fn expected_planes(format: VideoFormat, w: u32, h: u32) -> (Vec<(u32, u32, u32)>, &'static str) {
    let (cw, ch) = (w.div_ceil(2), h.div_ceil(2));
    // GStreamer takes pictures of more than 576 lines for BT.709.
    let hd = h > 576;
    match format {
        VideoFormat::Gray8 => (vec![(w, h, 1)], "GRAY8"),
        VideoFormat::Rgb => (vec![(w, h, 3)], "RGB"),
        VideoFormat::Bgr => (vec![(w, h, 3)], "BGR"),
        VideoFormat::Rgba => (vec![(w, h, 4)], "RGBA"),
        VideoFormat::Rgbx => (vec![(w, h, 4)], "RGBx"),
        VideoFormat::Bgrx => (vec![(w, h, 4)], "BGRx"),
        VideoFormat::Nv12 => (
            vec![(w, h, 1), (cw, ch, 2)],
            if hd { "NV12_709" } else { "NV12" },
        ),
        VideoFormat::I420 => (
            vec![(w, h, 1), (cw, ch, 1), (cw, ch, 1)],
            if hd { "YUV420_709" } else { "YUV420" },
        ),
        other => panic!("{other:?}"),
    }
}

/// Checks every byte of the structs of a buffer that nobody touched yet.
fn check_bytes(buffer: &gst::BufferRef, generation: Generation, info: &VideoInfo, batch: u32) {
    let memory = buffer.peek_memory(0);
    let bytes = abi::size("NvBufSurface", generation);
    assert_eq!(memory.sizes(), (bytes, 0, bytes));
    assert_eq!((buffer.n_memory(), buffer.size()), (1, bytes));
    assert!(buffer.meta::<gst_video::VideoMeta>().is_none());

    let got = header(buffer, generation);
    let list = got.pointer("surfaceList");
    let mut want = Struct::zeroed("NvBufSurface", generation);
    want.set("gpuId", 2)
        .set("batchSize", batch)
        .set("numFilled", batch)
        .set_flag("isContiguous", batch == 1)
        .set(
            "memType",
            abi::value("NvBufSurfaceMemType", "NVBUF_MEM_SYSTEM"),
        )
        .set_pointer("surfaceList", list);
    assert_eq!(got, want);

    let (planes, color) = expected_planes(info.format(), info.width(), info.height());
    let color = format!("NVBUF_COLOR_FORMAT_{color}");
    let mut addresses = Vec::new();
    for index in 0..batch as usize {
        let got = params(buffer, generation, index);
        let data = got.pointer("dataPtr");
        let mut want = Struct::zeroed("NvBufSurfaceParams", generation);
        let mut size = 0;
        for (i, (width, height, bpp)) in planes.iter().enumerate() {
            let pitch = (width * bpp).next_multiple_of(256);
            want.set(&format!("planeParams.width.{i}"), *width)
                .set(&format!("planeParams.height.{i}"), *height)
                .set(&format!("planeParams.pitch.{i}"), pitch)
                .set(&format!("planeParams.offset.{i}"), size)
                .set(&format!("planeParams.psize.{i}"), pitch * height)
                .set(&format!("planeParams.bytesPerPix.{i}"), *bpp);
            size += pitch * height;
        }
        let pitch = want.get("planeParams.pitch.0");
        want.set("width", info.width())
            .set("height", info.height())
            .set("pitch", pitch)
            .set("colorFormat", abi::value("NvBufSurfaceColorFormat", &color))
            .set("dataSize", size)
            .set("planeParams.num_planes", planes.len() as u32)
            .set_pointer("dataPtr", data);
        assert_eq!(got, want, "{generation:?} {:?}", info.format());
        assert_eq!(data % 256, 0);
        assert!(peek(data, size as usize).iter().all(|b| *b == 0));
        addresses.push((data, u64::from(size)));
    }
    addresses.sort_unstable();
    assert!(addresses.windows(2).all(|w| w[0].0 + w[0].1 <= w[1].0));
    // Muxes of a newer release copy their own, larger struct.
    let used = batch as usize * abi::size("NvBufSurfaceParams", generation);
    let room = peek(list, 416 * batch as usize);
    assert!(room[used..].iter().all(|b| *b == 0));
}

#[test]
fn buffers_are_as_measured() {
    init();
    for generation in Generation::ALL {
        for format in FORMATS {
            for (width, height) in SIZES {
                let info = info(format, width, height);
                for batch in if width < 1000 { 1..=3 } else { 1..=1 } {
                    let pool = pool(&info, generation, batch, 2);
                    let mut buffer = pool.acquire_buffer(None).unwrap();
                    check_bytes(&buffer, generation, &info, batch);
                    let filled = buffer.get_mut().unwrap();
                    for index in 0..batch as usize {
                        fill(filled, index, index as u8);
                    }
                    let surfaces = Surfaces::read(&buffer, &info).unwrap();
                    assert_eq!(surfaces.len(), batch as usize);
                    let surface = surfaces.surface(0).unwrap();
                    assert_eq!(surface.colorimetry, info.colorimetry());
                    assert_eq!(surface.gpu_id, 2);
                    drop(surfaces);
                    let first = pixels(&buffer, &info, 0);
                    assert_eq!(first[0], 0);
                    for index in 1..batch as usize {
                        let other = pixels(&buffer, &info, index);
                        let seeded = first.iter().map(|p| p ^ index as u8);
                        assert!(other.into_iter().eq(seeded));
                    }
                    drop(buffer);
                    pool.set_active(false).unwrap();
                }
            }
        }
    }
}

#[test]
fn what_cannot_be_a_surface_is_refused() {
    init();
    let new = |format, width, height, batch| {
        Spec::new(
            &info(format, width, height),
            Generation::C,
            Place::Host { gpu_id: 0 },
            batch,
        )
        .map(|_| ())
    };
    assert!(matches!(
        new(VideoFormat::Yuy2, 64, 64, 1),
        Err(NvmmError::Format(_))
    ));
    // The last one has less than 4 GiB only without the padding of its rows.
    for (width, height, batch) in [
        (65_537, 1, 1),
        (64, 64, 0),
        (64, 64, 1025),
        (65_300, 65_536, 1),
    ] {
        let refused = new(VideoFormat::Gray8, width, height, batch);
        assert!(
            matches!(refused, Err(NvmmError::Range { .. })),
            "{width} {batch}"
        );
    }
}

#[test]
fn a_deep_copy_has_pixels_of_its_own_and_survives() {
    init();
    for generation in Generation::ALL {
        let info = info(VideoFormat::Nv12, 64, 48);
        let pool = pool(&info, generation, 2, 1);
        let mut buffer = pool.acquire_buffer(None).unwrap();
        fill(buffer.get_mut().unwrap(), 1, 9);
        let old = pixels(&buffer, &info, 1);
        let copy = buffer.copy_deep().unwrap();
        for index in 0..2 {
            assert_ne!(
                params(&copy, generation, index).pointer("dataPtr"),
                params(&buffer, generation, index).pointer("dataPtr")
            );
        }
        assert_ne!(
            header(&copy, generation).pointer("surfaceList"),
            header(&buffer, generation).pointer("surfaceList")
        );
        fill(buffer.get_mut().unwrap(), 1, 77);
        drop(buffer);
        pool.set_active(false).unwrap();
        drop(pool);
        assert_eq!(pixels(&copy, &info, 1), old);
        let whole = copy.copy_region(
            gst::BufferCopyFlags::MEMORY | gst::BufferCopyFlags::DEEP,
            ..,
        );
        let whole = whole.unwrap();
        drop(copy);
        assert_eq!(pixels(&whole, &info, 1), old);
    }
}

#[test]
fn a_copy_keeps_how_many_surfaces_are_filled() {
    init();
    let info = info(VideoFormat::Rgb, 16, 16);
    let pool = pool(&info, Generation::B, 3, 0);
    let buffer = pool.acquire_buffer(None).unwrap();
    for (filled, kept) in [(1u32, 1), (0, 0), (7, 3)] {
        poke(header_address(&buffer) + 8, &filled.to_le_bytes());
        let copy = buffer.copy_deep().unwrap();
        assert_eq!(header(&copy, Generation::B).get("numFilled"), kept);
    }
}

#[test]
fn shallow_copies_share_until_somebody_writes() {
    init();
    let info = info(VideoFormat::I420, 33, 17);
    let pool = pool(&info, Generation::C, 1, 0);
    let mut buffer = pool.acquire_buffer(None).unwrap();
    fill(buffer.get_mut().unwrap(), 0, 1);
    let old = pixels(&buffer, &info, 0);

    let mut second = buffer.clone();
    let writable = second.make_mut();
    assert!(matches!(nvmm::write(writable, 0), Err(NvmmError::Shared)));
    assert_eq!(header_address(writable), header_address(&buffer));
    // Mapping a shared memory for writing makes GStreamer copy it.
    drop(writable.map_writable().unwrap());
    assert_ne!(header_address(writable), header_address(&buffer));
    assert_eq!(pixels(writable, &info, 0), old);
    fill(writable, 0, 200);
    assert_eq!(pixels(&buffer, &info, 0), old);
    assert_ne!(pixels(&second, &info, 0), old);

    let region = buffer
        .copy_region(gst::BufferCopyFlags::MEMORY, ..)
        .unwrap();
    assert_eq!(header_address(&region), header_address(&buffer));
    // Parts of a header are no surface.
    for range in [0..32, 8..72] {
        assert!(
            buffer
                .copy_region(gst::BufferCopyFlags::MEMORY, range)
                .is_err()
        );
    }
    drop(buffer);
    assert_eq!(pixels(&region, &info, 0), old);
}

#[test]
fn memories_are_shared_whole_or_not_at_all() {
    init();
    let allocator = NvmmAllocator::default();
    let info = info(VideoFormat::Gray8, 20, 10);
    for generation in Generation::ALL {
        let spec = Spec::new(&info, generation, Place::Host { gpu_id: 0 }, 1).unwrap();
        let memory = allocator.alloc_surfaces(spec).unwrap();
        let size = generation.surface_size();
        let child = memory.share(..);
        let grandchild = child.share(..);
        for shared in [&child, &grandchild] {
            assert_eq!(shared.parent().unwrap().as_ptr(), memory.as_ptr());
            assert_eq!(shared.sizes(), (size, 0, size));
        }
        assert_eq!(memory.is_span(&child), None);
        assert_eq!(child.is_span(&grandchild), None);
        for (offset, part) in [(0, 8), (8, -1), (8, 16), (0, size as isize - 1), (-8, 8)] {
            let pointer = memory.as_mut_ptr();
            // SAFETY: the memory is alive; the answer must be that there is none.
            let shared = unsafe { gst::ffi::gst_memory_share(pointer, offset, part) };
            assert!(shared.is_null(), "{offset} {part}");
            // SAFETY: as above.
            let copy = unsafe { gst::ffi::gst_memory_copy(pointer, offset, part) };
            assert!(copy.is_null(), "{offset} {part}");
        }
        drop((memory, child));
        let copy = grandchild.copy();
        assert!(copy.parent().is_none());
        let mut buffer = gst::Buffer::new();
        buffer.get_mut().unwrap().append_memory(grandchild);
        assert_eq!(pixels(&buffer, &info, 0), vec![0; 200]);
        let mut buffer = gst::Buffer::new();
        buffer.get_mut().unwrap().append_memory(copy);
        fill(buffer.get_mut().unwrap(), 0, 5);
        // Two surfaces in one buffer can be joined into plain bytes only, which are none.
        let other = buffer.copy_deep().unwrap();
        buffer.append(other);
        let joined = buffer;
        let error = Surfaces::read(&joined, &info).err().unwrap();
        assert_eq!(error, NvmmError::Memories(2));
        assert_eq!(joined.map_readable().unwrap().len(), 2 * size);
    }
    assert!(allocator.alloc(64, None).is_err());
}

#[test]
fn foreign_memory_is_not_written() {
    init();
    let mut foreign = gst::Buffer::with_size(72).unwrap();
    let error = nvmm::write(foreign.get_mut().unwrap(), 0).err();
    assert_eq!(error, Some(NvmmError::Foreign));
    let info = info(VideoFormat::Gray8, 4, 4);
    let pool = pool(&info, Generation::C, 1, 0);
    let mut buffer = pool.acquire_buffer(None).unwrap();
    let error = nvmm::write(buffer.get_mut().unwrap(), 1).err();
    assert_eq!(error, Some(NvmmError::Index { index: 1, len: 1 }));
    let memory = buffer.memory(0).unwrap();
    let reading = memory.map_readable().unwrap();
    let error = nvmm::write(buffer.get_mut().unwrap(), 0).err();
    assert_eq!(error, Some(NvmmError::Map));
    drop(reading);
}

#[test]
fn a_reused_buffer_is_as_new() {
    init();
    for generation in Generation::ALL {
        let info = info(VideoFormat::Bgrx, 30, 20);
        let pool = pool(&info, generation, 2, 1);
        let mut memories = Vec::new();
        for round in 0..3u8 {
            let mut buffer = pool.acquire_buffer(None).unwrap();
            check_bytes(&buffer, generation, &info, 2);
            memories.push(buffer.peek_memory(0).as_ptr());
            let list = header(&buffer, generation).pointer("surfaceList");
            poke(list, &[0xee; 2 * 416]);
            let size = generation.surface_size();
            poke(header_address(&buffer), &vec![round; size]);
            if round == 1 {
                buffer.get_mut().unwrap().set_size(8);
            }
        }
        assert!(memories.iter().all(|m| *m == memories[0]));
    }
}

#[test]
fn memory_that_is_still_in_use_is_not_reused() {
    init();
    let info = info(VideoFormat::Rgba, 16, 16);
    let pool = pool(&info, Generation::C, 1, 1);
    let mut buffer = pool.acquire_buffer(None).unwrap();
    fill(buffer.get_mut().unwrap(), 0, 3);
    let old = pixels(&buffer, &info, 0);

    // Held by another buffer.
    let copy = buffer.copy();
    drop(buffer);
    let mut buffer = pool.acquire_buffer(None).unwrap();
    assert_ne!(header_address(&buffer), header_address(&copy));
    fill(buffer.get_mut().unwrap(), 0, 99);
    assert_eq!(pixels(&copy, &info, 0), old);

    // Being read by somebody who holds the memory only.
    let memory = buffer.memory(0).unwrap();
    let reading = memory.map_readable().unwrap();
    let before = reading.as_slice().to_vec();
    drop(buffer);
    let buffer = pool.acquire_buffer(None).unwrap();
    assert_ne!(buffer.peek_memory(0).as_ptr(), memory.as_ptr());
    assert_eq!(reading.as_slice(), before);
    drop((buffer, reading));

    // Buffers outlive the pool.
    let buffer = pool.acquire_buffer(None).unwrap();
    pool.set_active(false).unwrap();
    drop(pool);
    assert_eq!(pixels(&buffer, &info, 0).len(), old.len());
}

#[test]
fn a_full_pool_blocks_until_it_is_flushed() {
    init();
    let info = info(VideoFormat::Gray8, 8, 8);
    let pool = pool(&info, Generation::A, 1, 2);
    let held: Vec<_> = (0..2).map(|_| pool.acquire_buffer(None).unwrap()).collect();
    let (done, result) = std::sync::mpsc::channel();
    let waiting = {
        let pool = pool.clone();
        std::thread::spawn(move || {
            let _ = done.send(pool.acquire_buffer(None).map(|_| ()));
        })
    };
    assert!(result.recv_timeout(Duration::from_millis(100)).is_err());
    pool.set_flushing(true);
    let flushed = result.recv_timeout(Duration::from_secs(5)).unwrap();
    assert_eq!(flushed, Err(gst::FlowError::Flushing));
    waiting.join().unwrap();
    pool.set_flushing(false);
    let addresses: Vec<_> = held.iter().map(|b| header_address(b)).collect();
    drop(held);
    for _ in 0..100 {
        let buffer = pool.acquire_buffer(None).unwrap();
        assert!(addresses.contains(&header_address(&buffer)));
    }
    pool.set_active(false).unwrap();
}

#[test]
fn whoever_configures_the_pool_gets_the_size_of_the_header() {
    init();
    let info = info(VideoFormat::Nv12, 320, 240);
    let pool = NvmmPool::new(&info, Generation::A, Place::Host { gpu_id: 2 }, 1, 4).unwrap();
    let (caps, size, min, max) = pool.config().params().unwrap();
    assert_eq!((size, min, max), (64, 0, 4));
    let caps = caps.unwrap();
    assert!(caps.features(0).unwrap().contains(nvmm::CAPS_FEATURE));
    let mut config = pool.config();
    config.set_params(Some(&caps), info.size() as u32, 1, 3);
    pool.set_config(config).unwrap();
    assert_eq!(pool.config().params().unwrap().1, 64);
    pool.set_active(true).unwrap();
    check_bytes(&pool.acquire_buffer(None).unwrap(), Generation::A, &info, 1);
    pool.set_active(false).unwrap();
}
