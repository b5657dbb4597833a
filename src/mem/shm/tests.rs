// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

#![allow(unsafe_code)]

use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::sync::mpsc;

use gst::prelude::*;
use gst_video::prelude::*;
use gst_video::{VideoAlignment, VideoFormat, VideoInfo, VideoMeta};
use rustix::fs::{MemfdFlags, SealFlags};
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags};

use super::*;

fn memory(size: usize) -> gst::Memory {
    gst::init().unwrap();
    alloc(size, &Bytes::default()).unwrap()
}

fn fd_of(memory: &gst::MemoryRef) -> OwnedFd {
    identify(memory).unwrap().fd.try_clone_to_owned().unwrap()
}

fn map_of(memory: &gst::MemoryRef) -> Arc<Mapping> {
    let size = identify(memory).unwrap().size;
    Arc::new(map(fd_of(memory), size as u64).unwrap())
}

/// How many descriptors and how many mappings of a file this process has.
fn uses((device, inode): (u64, u64)) -> (usize, usize) {
    let is_it = |entry: &std::io::Result<fs::DirEntry>| {
        let file = entry.as_ref().map(|entry| fs::metadata(entry.path()));
        file.is_ok_and(|file| file.is_ok_and(|file| (file.dev(), file.ino()) == (device, inode)))
    };
    let fds = fs::read_dir("/proc/self/fd").unwrap();
    let fds = fds.filter(is_it).count();
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let of = |line: &&str| {
        line.contains("memfd:dsframe")
            && line.split_whitespace().nth(4) == Some(&inode.to_string()[..])
    };
    (fds, maps.lines().filter(of).count())
}

fn inode(memory: &gst::MemoryRef) -> (u64, u64) {
    let shared = identify(memory).unwrap();
    let stat = rustix::fs::fstat(shared.fd).unwrap();
    (stat.st_dev, stat.st_ino)
}

fn remap(fd: BorrowedFd<'_>, prot: ProtFlags) -> Result<(), Errno> {
    // SAFETY: a new mapping at a place that the kernel chooses touches nothing that is there.
    let at = unsafe { rustix::mm::mmap(std::ptr::null_mut(), 4096, prot, MapFlags::SHARED, fd, 0) };
    // SAFETY: nobody else knows of it.
    unsafe { rustix::mm::munmap(at?, 4096) }
}

#[test]
fn the_size_is_sealed_and_only_the_writer_writes() {
    let mut memory = memory(10_000);
    {
        let mut map = memory.get_mut().unwrap().map_writable().unwrap();
        assert!(map.iter().all(|byte| *byte == 0));
        map.as_mut_slice().fill(7);
    }
    let reader = map_of(&memory);
    let shared = identify(&memory).unwrap();
    for size in [0, 4096, 9_999, 20_000] {
        let changed = rustix::fs::ftruncate(shared.fd, size);
        assert_eq!(changed, Err(Errno::PERM));
    }
    let unsealed = rustix::fs::fcntl_add_seals(shared.fd, SealFlags::WRITE);
    assert_eq!(unsealed, Err(Errno::PERM));
    assert_eq!(rustix::io::pwrite(shared.fd, &[1], 0), Err(Errno::PERM));
    assert_eq!(
        remap(shared.fd, ProtFlags::READ | ProtFlags::WRITE),
        Err(Errno::PERM)
    );
    remap(shared.fd, ProtFlags::READ).unwrap();
    // Not by its name in /proc either, for what has a descriptor could open that.
    let again = format!(
        "/proc/self/fd/{}",
        std::os::fd::AsRawFd::as_raw_fd(&shared.fd)
    );
    let again = fs::OpenOptions::new().read(true).write(true).open(again);
    if let Ok(again) = again {
        let writable = remap(again.as_fd(), ProtFlags::READ | ProtFlags::WRITE);
        assert_eq!(writable, Err(Errno::PERM));
    }
    // The writer goes on writing, and it is seen.
    assert!((*reader).as_ref().iter().all(|byte| *byte == 7));
    let mut map = memory.get_mut().unwrap().map_writable().unwrap();
    assert_eq!(map[9_999], 7);
    map.as_mut_slice()[9_999] = 8;
    assert_eq!((*reader).as_ref()[9_999], 8);
}

#[test]
fn nothing_is_left_open_or_mapped() {
    let memory = memory(5_000);
    let inode = inode(&memory);
    assert_eq!(uses(inode), (1, 1));
    let reader = map_of(&memory);
    assert_eq!(uses(inode), (1, 2), "the reader closes its descriptor");
    drop(memory);
    assert_eq!(uses(inode), (0, 1));
    let part = reader.memory(10..20, ()).unwrap();
    drop(reader);
    assert_eq!(uses(inode), (0, 1));
    drop(part);
    assert_eq!(uses(inode), (0, 0));
    for size in [0, MAX_BYTES + 1, usize::MAX] {
        let refused = alloc(size, &Bytes::default());
        assert!(matches!(refused, Err(ShmError::Size(_))));
    }
}

#[test]
fn parts_are_identified_and_strangers_are_not() {
    let whole = memory(1_000);
    let shared = identify(&whole).unwrap();
    assert_eq!((shared.size, shared.offset), (1_000, 0));
    let part = whole.share(100..300);
    let of_part = part.share(50..60);
    for (part, offset) in [(&part, 100), (&of_part, 150)] {
        let found = identify(part).unwrap();
        assert_eq!((found.size, found.offset), (1_000, offset));
        assert_eq!(found.serial, shared.serial);
    }
    let serial = shared.serial;
    drop(whole);
    drop(part);
    assert_eq!(identify(&of_part).unwrap().serial, serial);
    drop(of_part);
    // Likely the same descriptor, but another file.
    assert_ne!(identify(&memory(1_000)).unwrap().serial, serial);

    assert!(identify(&gst::Memory::with_size(8)).is_none());
    assert!(identify(&gst::Memory::from_slice([1, 2, 3])).is_none());
    let foreign = rustix::fs::memfd_create("foreign", MemfdFlags::CLOEXEC).unwrap();
    rustix::fs::ftruncate(&foreign, 100).unwrap();
    let allocator = gst_allocators::FdAllocator::new();
    let flags = gst_allocators::FdMemoryFlags::empty();
    let raw = std::os::fd::IntoRawFd::into_raw_fd(foreign);
    // SAFETY: the descriptor is open, and nobody else has it.
    let foreign = unsafe {
        gst_allocators::prelude::FdAllocatorExtManual::alloc_fd(&allocator, raw, 100, flags)
    };
    assert!(identify(&foreign.unwrap()).is_none());
}

#[test]
fn a_deep_copy_is_plain_memory() {
    gst::init().unwrap();
    let mut buffer = gst::Buffer::new();
    buffer.get_mut().unwrap().append_memory(memory(64));
    buffer
        .get_mut()
        .unwrap()
        .copy_from_slice(0, &[5; 64])
        .unwrap();
    let copy = buffer.copy_deep().unwrap();
    assert!(identify(copy.peek_memory(0)).is_none());
    assert_eq!(copy.map_readable().unwrap().as_slice(), [5; 64]);
    // A copy that shares the memory shares the file.
    let shallow = buffer.copy();
    assert_eq!(
        identify(shallow.peek_memory(0)).unwrap().serial,
        identify(buffer.peek_memory(0)).unwrap().serial
    );
}

#[test]
fn lies_are_refused() {
    let memory = memory(10_000);
    let refused = |fd: OwnedFd, size: u64| map(fd, size).unwrap_err();
    for size in [10_001, 1 << 30] {
        let error = refused(fd_of(&memory), size);
        assert!(
            matches!(error, ShmError::TooSmall { real: 10_000, .. }),
            "{error}"
        );
    }
    for size in [0, (1 << 30) + 1, u64::MAX] {
        let error = refused(fd_of(&memory), size);
        assert!(matches!(error, ShmError::Size(_)), "{error}");
    }
    // Less than all is no lie.
    assert_eq!(map(fd_of(&memory), 5).unwrap().size(), 5);

    // Pages that nobody made yet.
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let fd = rustix::fs::memfd_create("t", flags).unwrap();
    rustix::fs::ftruncate(&fd, 100_000).unwrap();
    rustix::fs::fallocate(&fd, rustix::fs::FallocateFlags::empty(), 0, 50_000).unwrap();
    rustix::fs::fcntl_add_seals(&fd, SealFlags::SHRINK | SealFlags::GROW).unwrap();
    let error = refused(fd.try_clone().unwrap(), 100_000);
    assert!(matches!(error, ShmError::Sparse { .. }), "{error}");
    map(fd, 50_000).unwrap();

    let not_sealed = |fd: OwnedFd| {
        let error = refused(fd, 100);
        assert!(matches!(error, ShmError::NotSealed), "{error}");
    };
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    for seals in [
        SealFlags::empty(),
        SealFlags::SHRINK,
        SealFlags::GROW,
        SealFlags::SEAL,
    ] {
        let fd = rustix::fs::memfd_create("t", flags).unwrap();
        rustix::fs::ftruncate(&fd, 100).unwrap();
        rustix::fs::fcntl_add_seals(&fd, seals).unwrap();
        not_sealed(fd);
    }
    not_sealed(fs::File::open("/dev/null").unwrap().into());
    let file = tempfile::tempfile().unwrap();
    file.set_len(100).unwrap();
    not_sealed(file.into());
    not_sealed(rustix::pipe::pipe().unwrap().0);
    let dir = tempfile::tempdir().unwrap();
    not_sealed(fs::File::open(dir.path()).unwrap().into());
    let event = rustix::event::eventfd(0, rustix::event::EventfdFlags::CLOEXEC);
    not_sealed(event.unwrap());
}

#[test]
fn the_guard_of_a_part_is_dropped_with_its_last_user() {
    struct Guard(mpsc::Sender<()>);
    impl Drop for Guard {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }
    let mut written = memory(16);
    {
        let mut map = written.get_mut().unwrap().map_writable().unwrap();
        map.copy_from_slice(&std::array::from_fn::<u8, 16, _>(|n| n as u8));
    }
    let reader = map_of(&written);
    assert!(reader.memory(10..17, ()).is_none());
    #[allow(clippy::reversed_empty_ranges)]
    let reversed = 10..9;
    assert!(reader.memory(reversed, ()).is_none());
    let (sender, dropped) = mpsc::channel();
    let memory = reader.memory(4..12, Guard(sender)).unwrap();
    assert_eq!(memory.size(), 8);
    let mut buffer = gst::Buffer::new();
    buffer.get_mut().unwrap().append_memory(memory);
    assert_eq!(
        buffer.map_readable().unwrap().as_slice(),
        [4, 5, 6, 7, 8, 9, 10, 11]
    );
    let part = buffer.peek_memory(0).share(2..3);
    let copy = buffer.copy();
    drop(buffer);
    drop(copy);
    assert!(dropped.try_recv().is_err());
    assert_eq!(part.map_readable().unwrap().as_slice(), [6]);
    drop(part);
    assert!(dropped.try_recv().is_ok());

    // Nobody can write into it: they get a copy.
    let memory = reader.memory(0..4, ()).unwrap();
    let mut buffer = gst::Buffer::new();
    buffer.get_mut().unwrap().append_memory(memory);
    buffer
        .get_mut()
        .unwrap()
        .map_writable()
        .unwrap()
        .as_mut_slice()[0] = 99;
    assert_eq!((*reader).as_ref()[0], 0);
}

fn info(format: VideoFormat, width: u32, height: u32) -> VideoInfo {
    gst::init().unwrap();
    VideoInfo::builder(format, width, height).build().unwrap()
}

fn serial(buffer: &gst::BufferRef) -> u64 {
    identify(buffer.peek_memory(0)).unwrap().serial
}

#[test]
fn the_pool_uses_its_memory_again() {
    let info = info(VideoFormat::Nv12, 64, 48);
    let pool = ShmPool::new(&info).unwrap();
    pool.set_active(true).unwrap();
    let buffers: Vec<_> = (0..3).map(|_| pool.acquire_buffer(None).unwrap()).collect();
    assert_eq!(pool.bytes(), 3 * info.size());
    let mut serials: Vec<_> = buffers.iter().map(|buffer| serial(buffer)).collect();
    drop(buffers);
    let again: Vec<_> = (0..3).map(|_| pool.acquire_buffer(None).unwrap()).collect();
    let mut reused: Vec<_> = again.iter().map(|buffer| serial(buffer)).collect();
    serials.sort_unstable();
    reused.sort_unstable();
    assert_eq!(serials, reused);
    // A memory that somebody still has is not given out again.
    let part = again[0].peek_memory(0).share(..);
    let kept = serial(&again[0]);
    drop(again);
    let later: Vec<_> = (0..4).map(|_| pool.acquire_buffer(None).unwrap()).collect();
    assert!(later.iter().all(|buffer| serial(buffer) != kept));
    assert_eq!(pool.bytes(), 5 * info.size());
    drop(part);
    assert_eq!(pool.bytes(), 4 * info.size());
    // Nor is one that somebody outside may read.
    let retired = identify(later[1].peek_memory(0)).unwrap();
    retired.retire();
    let retired = retired.serial;
    drop(later);
    assert_eq!(pool.bytes(), 3 * info.size());
    let last: Vec<_> = (0..4).map(|_| pool.acquire_buffer(None).unwrap()).collect();
    assert!(last.iter().all(|buffer| serial(buffer) != retired));
    pool.set_active(false).unwrap();
    drop(last);
    assert_eq!(pool.bytes(), 0);
}

#[test]
fn the_pool_says_where_rows_are_and_aligns_them() {
    let info = info(VideoFormat::I420, 62, 48);
    let caps = info.to_caps().unwrap();
    let pool = ShmPool::new(&info).unwrap();
    assert!(pool.has_option(gst_video::BUFFER_POOL_OPTION_VIDEO_META));
    assert!(pool.has_option(gst_video::BUFFER_POOL_OPTION_VIDEO_ALIGNMENT));
    let mut config = pool.config();
    config.add_option(gst_video::BUFFER_POOL_OPTION_VIDEO_ALIGNMENT);
    config.set_video_alignment(&VideoAlignment::new(2, 4, 8, 0, &[31; 4]));
    let params = gst::AllocationParams::new(gst::MemoryFlags::empty(), 63, 0, 100);
    config.set_allocator(None::<&gst::Allocator>, Some(&params));
    pool.set_config(config).unwrap();
    pool.set_active(true).unwrap();
    let buffer = pool.acquire_buffer(None).unwrap();
    let meta = buffer.meta::<VideoMeta>().unwrap();
    assert_eq!(meta.stride(), [128, 64, 64], "{:?}", meta.offset());
    assert!(meta.offset()[0] > 0 && buffer.size() > info.size());
    assert_eq!(buffer.maxsize(), buffer.size() + 100);
    let shared = identify(buffer.peek_memory(0)).unwrap();
    assert_eq!((shared.offset, shared.size), (0, buffer.maxsize()));
    let kept = shared.serial;
    drop(buffer);
    assert_eq!(serial(&pool.acquire_buffer(None).unwrap()), kept);
    pool.set_active(false).unwrap();

    for (caps, size) in [
        (Some(&caps), 10),
        (None, info.size() as u32),
        (Some(&gst::Caps::new_empty_simple("audio/x-raw")), 1 << 20),
    ] {
        let pool = ShmPool::new(&info).unwrap();
        let mut config = pool.config();
        config.set_params(caps, size, 0, 0);
        assert!(pool.set_config(config).is_err());
    }
}

/// What elements do with a pool that is proposed to them.
#[test]
fn upstream_draws_into_the_pool() {
    gst::init().unwrap();
    for upstream in [
        "videotestsrc num-buffers=8",
        "videotestsrc num-buffers=8 ! video/x-raw,format=BGR ! videoconvert",
        "videotestsrc num-buffers=8 ! video/x-raw,width=32 ! videoscale",
    ] {
        let line = format!(
            "{upstream} ! video/x-raw,format=I420,width=62,height=48 ! \
             appsink name=sink sync=false"
        );
        let pipeline = gst::parse::launch(&line).unwrap();
        let pipeline = pipeline.downcast::<gst::Pipeline>().unwrap();
        let sink = pipeline.by_name("sink").unwrap();
        let pad = sink.static_pad("sink").unwrap();
        pad.add_probe(gst::PadProbeType::QUERY_DOWNSTREAM, |_, info| {
            let Some(query) = info.query_mut() else {
                return gst::PadProbeReturn::Ok;
            };
            let gst::QueryViewMut::Allocation(query) = query.view_mut() else {
                return gst::PadProbeReturn::Ok;
            };
            let info = VideoInfo::from_caps(&query.get_owned().0.unwrap()).unwrap();
            let pool = ShmPool::new(&info).unwrap();
            query.add_allocation_meta::<VideoMeta>(None);
            query.add_allocation_pool(Some(&pool), info.size() as u32, 0, 0);
            gst::PadProbeReturn::Handled
        });
        pipeline.set_state(gst::State::Playing).unwrap();
        let sink = sink.downcast::<gst_app::AppSink>().unwrap();
        let mut serials = Vec::new();
        while let Ok(sample) = sink.pull_sample() {
            let buffer = sample.buffer().unwrap();
            serials.push(serial(buffer));
            assert!(buffer.meta::<VideoMeta>().is_some());
        }
        pipeline.set_state(gst::State::Null).unwrap();
        assert_eq!(serials.len(), 8, "{upstream}");
    }
}
