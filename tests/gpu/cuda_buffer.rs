// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Buffers of `memory:CUDAMemory`: copied out of the context they are in, complete, or refused.

use std::ffi::{c_int, c_uint, c_void};
use std::ptr::null_mut;
use std::sync::atomic::Ordering;

use cudarc::driver::sys;
use gst::prelude::*;
use gst_video::{VideoFormat, VideoFrameFlags, VideoFrameRef, VideoInfo, VideoMeta};
use gstdsframe::frame::{Frame, FrameError, PlaneMut, View, ViewError, ViewMut, plane_sizes};
use gstdsframe::mem::cuda::{CudaBuffer, CudaError, CudaMemoryError, Gpu, Kind, Memory, copy};

use crate::foreign_memory::{Context, Foreign, MAPPED, cu};
use crate::pixels::{OnCard, converted, info, on_card, rgb, tight};

const FORMATS: [VideoFormat; 8] = gstdsframe::frame::FORMATS;

/// Where a picture lies in its memory: offset and stride of each plane, and the bytes of it all.
struct Layout {
    places: Vec<(usize, usize)>,
    size: usize,
}

impl Layout {
    /// As `cuMemAllocPitch` has it, with so much before it.
    fn new(info: &VideoInfo, align: usize, before: usize) -> Self {
        let mut size = before;
        let places = planes(info)
            .map(|plane| {
                let place = (size, plane.row_bytes.next_multiple_of(align));
                size += place.1 * plane.rows;
                place
            })
            .collect();
        Self { places, size }
    }

    /// The pixels in this layout.
    fn bytes(&self, frame: &Frame) -> Vec<u8> {
        let mapped = frame.map().unwrap();
        let view = View::of_frame(&mapped).unwrap();
        let mut bytes = vec![0xee; self.size];
        for (plane, (offset, pitch)) in self.places.iter().enumerate() {
            for (y, row) in view.rows(plane).enumerate() {
                let start = offset + y * pitch;
                bytes[start..start + row.len()].copy_from_slice(row);
            }
        }
        bytes
    }

    fn add_to(&self, buffer: &mut gst::Buffer, info: &VideoInfo) {
        let (offsets, strides): (Vec<_>, Vec<_>) =
            self.places.iter().map(|p| (p.0, p.1 as i32)).unzip();
        VideoMeta::add_full(
            buffer.get_mut().unwrap(),
            VideoFrameFlags::empty(),
            info.format(),
            info.width(),
            info.height(),
            &offsets,
            &strides,
        )
        .unwrap();
    }
}

fn planes(info: &VideoInfo) -> impl Iterator<Item = gstdsframe::frame::PlaneSize> {
    plane_sizes(info.format(), info.width() as usize, info.height() as usize).into_iter()
}

fn buffer_of(memory: gst::Memory) -> gst::Buffer {
    let mut buffer = gst::Buffer::new();
    buffer.get_mut().unwrap().append_memory(memory);
    buffer
}

/// Copies a part of a buffer, and fetches it.
fn fetch(
    buffer: &gst::Buffer,
    info: &VideoInfo,
    at: (usize, usize),
    size: (usize, usize),
) -> Result<Vec<u8>, CudaMemoryError> {
    let gpu = Gpu::get(0).unwrap();
    let part = crate::pixels::info(info.format(), size.0, size.1);
    let mut to = OnCard::new(gpu, &part, 256);
    let mapped = CudaBuffer::map(buffer, info, gpu)?;
    assert_eq!(mapped.gpu(), gpu);
    assert_eq!(
        (mapped.width(), mapped.height()),
        (info.width() as usize, info.height() as usize)
    );
    mapped.copy_to(at, &mut to.view_mut(), gpu.copies().unwrap())?;
    drop(mapped);
    Ok(downloaded(&to))
}

/// Without padding.
fn downloaded(picture: &OnCard) -> Vec<u8> {
    let (width, height) = picture.size;
    let sizes = plane_sizes(picture.format, width, height);
    let mut bytes = vec![0; sizes.iter().map(|p| p.row_bytes * p.rows).sum()];
    let mut rest = bytes.as_mut_slice();
    let mut planes = Vec::new();
    for size in &sizes {
        let (data, behind) = rest.split_at_mut(size.row_bytes * size.rows);
        rest = behind;
        planes.push(PlaneMut {
            data,
            pitch: size.row_bytes,
        });
    }
    let mut to = ViewMut::new(picture.format, width, height, planes).unwrap();
    let stream = picture.memory.gpu().copies().unwrap();
    copy::download(&picture.view(), &mut to, stream).unwrap();
    bytes
}

/// The part of a picture, by the CPU.
fn cut(frame: &Frame, at: (usize, usize), size: (usize, usize)) -> Vec<u8> {
    let mapped = frame.map().unwrap();
    let view = View::of_frame(&mapped).unwrap();
    let mut bytes = Vec::new();
    let format = frame.info.format();
    let (skipped, kept) = (
        plane_sizes(format, at.0, at.1),
        plane_sizes(format, size.0, size.1),
    );
    for plane in 0..kept.len() {
        for row in view
            .rows(plane)
            .skip(skipped[plane].rows)
            .take(kept[plane].rows)
        {
            let start = skipped[plane].row_bytes;
            bytes.extend_from_slice(&row[start..start + kept[plane].row_bytes]);
        }
    }
    bytes
}

#[test]
fn pictures_are_copied_out_of_their_context() {
    if !on_card() {
        return;
    }
    let context = Context::new();
    let allocator = Foreign::new(c"gpu.tests.memory");
    for (width, height) in [(1, 1), (16, 16), (37, 23), (641, 479), (1920, 1080)] {
        let source = rgb(width, height, 3, 9);
        for format in FORMATS {
            let frame = converted(&source, format);
            for (align, before) in [(512, 0), (32, 256)] {
                let layout = Layout::new(&frame.info, align, before);
                let address = context.alloc(layout.size);
                context.write(address, &layout.bytes(&frame));
                let mut buffer = buffer_of(allocator.wrap(address, layout.size));
                layout.add_to(&mut buffer, &frame.info);

                let whole = fetch(&buffer, &frame.info, (0, 0), (width, height)).unwrap();
                assert!(whole == tight(&frame), "{format:?} {width}x{height}");
                if width > 20 {
                    let (at, size) = ((6, 4), (width - 9, height - 7));
                    let part = fetch(&buffer, &frame.info, at, size).unwrap();
                    assert!(part == cut(&frame, at, size), "{format:?} {width}x{height}");
                }
                drop(buffer);
                context.free(address);
            }
        }
    }
}

#[test]
fn without_a_meta_the_caps_say_where_the_planes_are() {
    if !on_card() {
        return;
    }
    let context = Context::new();
    let frame = converted(&rgb(70, 50, 1, 0), VideoFormat::I420);
    let caps = &frame.info;
    let layout = Layout {
        places: (0..3)
            .map(|p| (caps.offset()[p], caps.stride()[p] as usize))
            .collect(),
        size: caps.size(),
    };
    let address = context.alloc(layout.size);
    context.write(address, &layout.bytes(&frame));
    let buffer = buffer_of(Foreign::new(c"gpu.tests.memory").wrap(address, layout.size));
    assert!(fetch(&buffer, caps, (0, 0), (70, 50)).unwrap() == tight(&frame));
    drop(buffer);
    context.free(address);
}

#[test]
fn parts_begin_where_chroma_does_and_end_within_the_picture() {
    if !on_card() {
        return;
    }
    let context = Context::new();
    let allocator = Foreign::new(c"gpu.tests.memory");
    for format in [VideoFormat::Nv12, VideoFormat::I420, VideoFormat::Rgb] {
        let frame = converted(&rgb(64, 48, 1, 0), format);
        let layout = Layout::new(&frame.info, 256, 0);
        let address = context.alloc(layout.size);
        context.write(address, &layout.bytes(&frame));
        let mut buffer = buffer_of(allocator.wrap(address, layout.size));
        layout.add_to(&mut buffer, &frame.info);
        for at in [(1, 0), (0, 1), (7, 3)] {
            let part = fetch(&buffer, &frame.info, at, (20, 20));
            match format {
                VideoFormat::Rgb => assert!(part.unwrap() == cut(&frame, at, (20, 20))),
                _ => {
                    let (x, y) = at;
                    assert_eq!(part, Err(CudaMemoryError::Part { format, x, y }));
                }
            }
        }
        for (at, size) in [
            ((46, 0), (20, 20)),
            ((0, 30), (20, 20)),
            ((usize::MAX - 1, 0), (4, 4)),
        ] {
            let error = fetch(&buffer, &frame.info, at, size).unwrap_err();
            assert!(
                matches!(error, CudaMemoryError::Cuda(CudaError::View(_))),
                "{error}"
            );
        }
        drop(buffer);
        context.free(address);
    }
}

#[test]
fn the_producer_is_waited_for() {
    if !on_card() {
        return;
    }
    let context = Context::new();
    let allocator = Foreign::new(c"gpu.tests.memory");
    let frame = rgb(640, 480, 2, 5);
    let layout = Layout::new(&frame.info, 512, 0);
    // Work that takes the card a while, on a stream that waits for no other.
    let burden = 64 << 10;
    let (address, final_picture, load) = (
        context.alloc(layout.size),
        context.alloc(layout.size),
        context.alloc(burden),
    );
    context.write(final_picture, &layout.bytes(&frame));
    let mut stream = null_mut();
    let flags = sys::CUstream_flags::CU_STREAM_NON_BLOCKING as u32;
    context.within(|| cu!(cuStreamCreate(&mut stream, flags)));
    for round in 0..3 {
        context.write(address, &vec![round; layout.size]);
        context.within(|| {
            for value in 0..1000 {
                cu!(cuMemsetD8Async(load, value as u8, burden, stream));
            }
            cu!(cuMemcpyDtoDAsync_v2(
                address,
                final_picture,
                layout.size,
                stream
            ));
        });
        let mut buffer = buffer_of(allocator.wrap(address, layout.size));
        layout.add_to(&mut buffer, &frame.info);
        let got = fetch(&buffer, &frame.info, (0, 0), (640, 480)).unwrap();
        assert!(got == tight(&frame), "round {round}");
    }
    context.within(|| cu!(cuStreamDestroy_v2(stream)));
    for address in [address, final_picture, load] {
        context.free(address);
    }
}

#[test]
fn what_is_no_picture_on_a_card_is_refused() {
    if !on_card() {
        return;
    }
    let gpu = Gpu::get(0).unwrap();
    let context = Context::new();
    let allocator = Foreign::new(c"gpu.tests.memory");
    let caps = info(VideoFormat::Nv12, 64, 48);
    let layout = Layout::new(&caps, 256, 0);
    let address = context.alloc(layout.size);
    let refused = |buffer: &gst::Buffer, info: &VideoInfo| {
        let error = CudaBuffer::map(buffer, info, gpu).err().expect("an error");
        assert!(error.to_string().contains(['`', ':']), "{error}");
        error
    };
    let with_meta = |memory: gst::Memory, layout: &Layout| {
        let mut buffer = buffer_of(memory);
        layout.add_to(&mut buffer, &caps);
        buffer
    };
    let good = || allocator.wrap(address, layout.size);
    assert!(CudaBuffer::map(&with_meta(good(), &layout), &caps, gpu).is_ok());

    // None, and two of them.
    assert_eq!(
        refused(&gst::Buffer::new(), &caps),
        CudaMemoryError::Memories(0)
    );
    let mut two = buffer_of(good());
    two.get_mut().unwrap().append_memory(good());
    assert_eq!(refused(&two, &caps), CudaMemoryError::Memories(2));

    // Memory of the CPU, of nobody, and pinned.
    let system = gst::Buffer::with_size(layout.size).unwrap();
    assert_eq!(refused(&system, &caps), CudaMemoryError::NotOnCard);
    for nowhere in [0, 8, 0x7fff_dead_0000, u64::MAX - 7] {
        let error = refused(
            &with_meta(allocator.wrap(nowhere, layout.size), &layout),
            &caps,
        );
        match nowhere {
            // Nothing is mapped there.
            0 => assert_eq!(error, CudaMemoryError::Map),
            _ => assert_eq!(error, CudaMemoryError::NotOnCard),
        }
    }
    let pinned = Memory::new(gpu, Kind::Pinned, layout.size).unwrap();
    let memory = allocator.wrap(pinned.address(), layout.size);
    assert_eq!(
        refused(&with_meta(memory, &layout), &caps),
        CudaMemoryError::NotOnCard
    );

    // Less of it than the meta says, or planes that begin behind its end.
    let short = context.alloc(layout.size - 256);
    let memory = allocator.wrap(short, layout.size);
    let error = refused(&with_meta(memory, &layout), &caps);
    let CudaMemoryError::Cuda(CudaError::View(ViewError::Short { plane: 1, .. })) = error else {
        panic!("{error}");
    };
    for offset in [1 << 20, usize::MAX - 100, usize::MAX] {
        let mut far = Layout::new(&caps, 256, 0);
        far.places[1].0 = offset;
        let error = refused(&with_meta(good(), &far), &caps);
        assert!(
            matches!(error, CudaMemoryError::Cuda(CudaError::View(_))),
            "{error}"
        );
    }
    for stride in [1, 63, usize::MAX] {
        let mut narrow = Layout::new(&caps, 256, 0);
        narrow.places[0].1 = stride;
        let error = refused(&with_meta(good(), &narrow), &caps);
        match stride {
            // -1
            usize::MAX => assert!(matches!(
                error,
                CudaMemoryError::Frame(FrameError::Stride {
                    plane: 0,
                    stride: -1,
                    ..
                })
            )),
            _ => assert!(matches!(error, CudaMemoryError::Cuda(CudaError::View(_)))),
        }
    }

    // Of other pictures than the caps say, and of formats that surfaces do not have.
    let other = info(VideoFormat::Rgb, 64, 48);
    let error = refused(&with_meta(good(), &layout), &other);
    assert!(
        matches!(error, CudaMemoryError::Frame(FrameError::Meta { .. })),
        "{error}"
    );
    let larger = info(VideoFormat::Nv12, 66, 48);
    let error = refused(&with_meta(good(), &layout), &larger);
    assert!(
        matches!(error, CudaMemoryError::Frame(FrameError::Meta { .. })),
        "{error}"
    );
    let error = refused(&buffer_of(good()), &info(VideoFormat::Y444, 16, 16));
    assert!(
        matches!(error, CudaMemoryError::Frame(FrameError::Format(_))),
        "{error}"
    );

    // Called as memory of GStreamer's is, but not of its library: the layout is not known.
    let old = Foreign::new(c"gst.cuda.memory");
    let memory = old.wrap(address, layout.size);
    assert_eq!(
        refused(&with_meta(memory, &layout), &caps),
        CudaMemoryError::Old
    );

    for address in [address, short] {
        context.free(address);
    }
}

#[test]
fn memory_of_the_primary_context_and_unified_memory_are_copied_too() {
    if !on_card() {
        return;
    }
    let gpu = Gpu::get(0).unwrap();
    let allocator = Foreign::new(c"gpu.tests.memory");
    let frame = converted(&rgb(90, 70, 1, 3), VideoFormat::Nv12);
    let layout = Layout::new(&frame.info, 256, 0);
    let picture = OnCard::upload(gpu, &frame, 256);
    assert_eq!(picture.planes, layout.places);
    let mut buffer = buffer_of(allocator.wrap(picture.memory.address(), layout.size));
    layout.add_to(&mut buffer, &frame.info);
    assert!(fetch(&buffer, &frame.info, (0, 0), (90, 70)).unwrap() == tight(&frame));

    let mut unified = OnCard::upload(gpu, &frame, 256);
    unified.memory = Memory::new(gpu, Kind::Unified, layout.size).unwrap();
    let stream = gpu.copies().unwrap();
    copy::copy(&picture.view(), &mut unified.view_mut(), stream).unwrap();
    stream.synchronize().unwrap();
    let mut buffer = buffer_of(allocator.wrap(unified.memory.address(), layout.size));
    layout.add_to(&mut buffer, &frame.info);
    assert!(fetch(&buffer, &frame.info, (0, 0), (90, 70)).unwrap() == tight(&frame));
}

/// GStreamer's library of CUDA memory.
struct Library(libloading::Library);

impl Library {
    fn open() -> Option<Self> {
        // SAFETY: what the plugin of GStreamer does.
        let library = unsafe { libloading::Library::new("libgstcuda-1.0.so.0") }.ok()?;
        let this = Self(library);
        type Load = unsafe extern "C" fn() -> c_int;
        // SAFETY: that is its type.
        let load = unsafe { this.0.get::<Load>("gst_cuda_load_library") }.unwrap();
        // SAFETY: no arguments.
        if unsafe { load() } == 0 {
            return None;
        }
        type Init = unsafe extern "C" fn();
        // SAFETY: that is its type.
        let init = unsafe { this.0.get::<Init>("gst_cuda_memory_init_once") }.unwrap();
        // SAFETY: no arguments; may be called again.
        unsafe { init() };
        Some(this)
    }

    /// A pool on a new context of its own.
    fn pool(&self) -> gst::BufferPool {
        type New = unsafe extern "C" fn(c_uint) -> *mut c_void;
        type Pool = unsafe extern "C" fn(*mut c_void) -> *mut gst::ffi::GstBufferPool;
        // SAFETY: that is its type.
        let context = unsafe { self.0.get::<New>("gst_cuda_context_new") }.unwrap();
        // SAFETY: a number of a GPU.
        let context = unsafe { context(0) };
        assert!(!context.is_null());
        // SAFETY: that is its type.
        let pool = unsafe { self.0.get::<Pool>("gst_cuda_buffer_pool_new") }.unwrap();
        // SAFETY: a context of the library.
        let pool = unsafe { pool(context) };
        // SAFETY: ours, and the pool has a reference of its own.
        unsafe { glib_unref(context) };
        // SAFETY: a new pool, not floating any more.
        unsafe { gst::glib::translate::from_glib_full(pool) }
    }
}

unsafe fn glib_unref(object: *mut c_void) {
    // SAFETY: an object with a reference of the caller's.
    unsafe { gst::glib::gobject_ffi::g_object_unref(object.cast()) };
}

#[test]
fn buffers_of_gstreamers_own_pools_are_copied() {
    if !on_card() {
        return;
    }
    gst::init().unwrap();
    let Some(library) = Library::open() else {
        println!("skipped: libgstcuda-1.0.so.0 is not here, or finds no driver");
        return;
    };
    // It has no GRAY8.
    for format in FORMATS.iter().filter(|f| **f != VideoFormat::Gray8) {
        for (width, height) in [(16, 16), (322, 242), (1920, 1080)] {
            let frame = converted(&rgb(width, height, 4, 4), *format);
            let pool = library.pool();
            let mut config = pool.config();
            let mut caps = frame.info.to_caps().unwrap();
            let feature = gst::CapsFeatures::new(["memory:CUDAMemory"]);
            caps.get_mut().unwrap().set_features(0, Some(feature));
            config.set_params(Some(&caps), frame.info.size() as u32, 0, 0);
            pool.set_config(config).unwrap();
            pool.set_active(true).unwrap();
            let mut buffer = pool.acquire_buffer(None).unwrap();
            {
                // Into its copy in host memory, which goes to the card when that is mapped.
                let buffer = buffer.get_mut().unwrap();
                let mut to = VideoFrameRef::from_buffer_ref_writable(buffer, &frame.info).unwrap();
                let from = VideoFrameRef::from_buffer_ref_readable(&frame.buffer, &frame.info);
                from.unwrap().copy(&mut to).unwrap();
            }
            let size = (width, height);
            let case = format!("{format:?} {width}x{height}");
            let got = fetch(&buffer, &frame.info, (0, 0), size).unwrap();
            assert!(got == tight(&frame), "{case}");

            // The memory knows its layout also without a meta.
            let bare = buffer_of(buffer.peek_memory(0).to_owned());
            let got = fetch(&bare, &frame.info, (0, 0), size).unwrap();
            assert!(got == tight(&frame), "{case} without a meta");
            drop((bare, buffer));
            pool.set_active(false).unwrap();
        }
    }
}

/// Nothing else may use the card meanwhile.
mod alone {
    use super::*;

    #[test]
    fn nothing_stays_mapped_or_allocated() {
        if !on_card() {
            return;
        }
        let gpu = Gpu::get(0).unwrap();
        let context = Context::new();
        let allocator = Foreign::new(c"gpu.tests.memory");
        let frame = converted(&rgb(640, 480, 2, 2), VideoFormat::I420);
        let layout = Layout::new(&frame.info, 512, 0);
        let address = context.alloc(layout.size);
        context.write(address, &layout.bytes(&frame));
        let mut buffer = buffer_of(allocator.wrap(address, layout.size));
        layout.add_to(&mut buffer, &frame.info);
        let wrong = info(VideoFormat::I420, 800, 600);
        let round = || {
            fetch(&buffer, &frame.info, (0, 0), (640, 480)).unwrap();
            fetch(&buffer, &frame.info, (1, 0), (64, 48)).unwrap_err();
            fetch(&buffer, &wrong, (0, 0), (64, 48)).unwrap_err();
        };
        round();
        let free = gpu.memory().unwrap();
        for _ in 0..200 {
            round();
        }
        assert_eq!(gpu.memory().unwrap(), free);
        assert_eq!(MAPPED.load(Ordering::SeqCst), 0);
        // The memory may be written again.
        drop(buffer);
        context.free(address);
    }
}
