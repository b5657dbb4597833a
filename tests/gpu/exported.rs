// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Memory of the card that processes share.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Stdio};
use std::sync::Arc;

use cudarc::driver::sys::CUresult;
use gst_video::{VideoFormat, VideoInfo};
use gstdsframe::frame::{CardFrame, Frame, HostPool, View, ViewMut, card::layout};
use gstdsframe::mem::cuda::{CudaError, Gpu, Kind, Memory, MemoryPool, Stream, copy};

use crate::common::*;
use crate::mail::{self, Mail};
use crate::shared::{child, is_child};
use crate::{card, pixels};

/// The card, if it exports memory.
pub fn exporting() -> Option<Gpu> {
    let gpu = gpu()?;
    match gpu.check_export() {
        Ok(()) => Some(gpu),
        Err(error) => {
            println!("skipped: {error}");
            None
        }
    }
}

/// A frame that no other number has.
pub fn numbered(info: &VideoInfo, number: u64) -> Frame {
    let mut frame = HostPool::new(info).unwrap().acquire().unwrap();
    let mut view = ViewMut::of_frame(&mut frame).unwrap();
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for plane in view.planes_mut() {
        for chunk in plane.data.chunks_mut(8) {
            state = state
                .wrapping_mul(0x5851_f42d_4c95_7f2d)
                .wrapping_add(number);
            chunk.copy_from_slice(&state.to_le_bytes()[..chunk.len()]);
        }
    }
    frame.into()
}

pub fn fill(to: &mut CardFrame, from: &Frame, stream: &Stream) {
    let mapped = from.map().unwrap();
    let from = View::of_frame(&mapped).unwrap();
    copy::upload(&from, &mut to.view_mut().unwrap(), stream).unwrap();
}

/// The pixels of a frame on the card, without padding.
pub fn fetch(frame: &CardFrame, stream: &Stream) -> Vec<u8> {
    let mut host = HostPool::new(frame.info()).unwrap().acquire().unwrap();
    let mut to = ViewMut::of_frame(&mut host).unwrap();
    copy::download(&frame.view().unwrap(), &mut to, stream).unwrap();
    pixels::tight(&host.into())
}

/// The same memory as another sees it.
pub fn imported(memory: &Memory) -> Memory {
    let fd = memory.export().unwrap();
    Memory::import(memory.gpu(), fd.as_fd(), memory.shared_size()).unwrap()
}

/// A frame in memory of another.
pub fn lent(
    frame: &CardFrame,
    memory: Arc<Memory>,
    guard: impl Send + Sync + 'static,
) -> CardFrame {
    let (info, planes) = (frame.info().clone(), frame.planes().to_vec());
    CardFrame::of_shared(info, memory, planes, Box::new(guard)).unwrap()
}

/// Another's view of a frame.
pub fn seen_by_another(frame: &CardFrame) -> CardFrame {
    lent(frame, Arc::new(imported(frame.memory())), ())
}

/// Descriptors that are open.
fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn memory_is_the_same_for_whoever_imports_it() {
    let Some(gpu) = exporting() else { return };
    let before = card::allocations();
    let mut memory = Memory::new(gpu, Kind::Exportable, 100_000).unwrap();
    let other = Memory::new(gpu, Kind::Exportable, 100_000).unwrap();
    assert_ne!(memory.serial(), other.serial());
    assert_eq!(memory.len(), 100_000);
    assert!(memory.shared_size() >= 100_000);
    memory.write(&[1; 100_000]).unwrap();
    let (first, second) = (imported(&memory), imported(&memory));
    assert_eq!(first.len(), memory.shared_size());
    assert_eq!((first.kind(), first.gpu()), (Kind::Imported, gpu));
    let stream = Stream::independent(gpu).unwrap();
    let read = |memory: &Memory| {
        let planes = [(0, 1000)];
        let view = memory
            .view(VideoFormat::Gray8, (1000, 100), &planes)
            .unwrap();
        let mut out = vec![0; 100_000];
        let planes = vec![gstdsframe::frame::PlaneMut {
            data: &mut out,
            pitch: 1000,
        }];
        let mut to = ViewMut::new(VideoFormat::Gray8, 1000, 100, planes).unwrap();
        copy::download(&view, &mut to, &stream).unwrap();
        out
    };
    assert!(read(&first) == [1; 100_000] && read(&second) == [1; 100_000]);
    memory.write(&[2; 100_000]).unwrap();
    assert!(read(&first) == [2; 100_000] && read(&second) == [2; 100_000]);
    // It lives as long as anybody has it.
    drop((memory, first));
    assert!(read(&second) == [2; 100_000]);
    drop((second, other));
    assert_eq!(card::allocations(), before);
}

#[test]
fn only_what_may_be_is_exported_or_written() {
    let Some(gpu) = exporting() else { return };
    let planes = [(0, 100)];
    let mut memory = imported(&Memory::new(gpu, Kind::Exportable, 100).unwrap());
    let write = memory.view_mut(VideoFormat::Gray8, (100, 1), &planes);
    assert_eq!(write.err(), Some(CudaError::ReadOnly));
    assert_eq!(memory.write(&[1]), Err(CudaError::ReadOnly));
    assert_eq!(memory.clear(), Err(CudaError::ReadOnly));
    for memory in [memory, Memory::new(gpu, Kind::Device, 100).unwrap()] {
        let error = memory.export().unwrap_err().to_string();
        assert!(error.contains("Exportable"), "{error}");
    }
    assert!(Memory::new(gpu, Kind::Imported, 100).is_err());
}

#[test]
fn what_is_no_memory_of_the_card_is_not_imported() {
    let Some(gpu) = exporting() else { return };
    let memory = Memory::new(gpu, Kind::Exportable, 100).unwrap();
    let size = memory.shared_size();
    let null = OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
    let file = rustix::fs::memfd_create("frames", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
    rustix::fs::ftruncate(&file, size as u64).unwrap();
    let (socket, _other) = mail::pair().unwrap();
    let fails = |fd: &OwnedFd, size, what: &str| {
        let error = Memory::import(gpu, fd.as_fd(), size).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, CudaError::Import { .. }), "{what}: {text}");
        assert!(text.contains(&format!("{size} bytes")), "{what}: {text}");
    };
    // With whatever the first import opens.
    drop(imported(&memory));
    let before = (card::allocations(), descriptors());
    fails(&null, size, "a device");
    fails(&file, size, "a file");
    fails(&socket, size, "a socket");
    let good = memory.export().unwrap();
    fails(&good, 0, "no size");
    fails(&good, size - 1, "an odd size");
    fails(&good, 2 * size, "twice the size");
    fails(
        &good,
        usize::MAX - usize::MAX % size,
        "no size of any memory",
    );
    drop(good);
    assert_eq!((card::allocations(), descriptors()), before);
    imported(&memory);
}

#[test]
fn frames_of_others_are_read_and_given_back() {
    let Some(gpu) = exporting() else { return };
    let stream = Stream::independent(gpu).unwrap();
    let pool = MemoryPool::new(gpu, Kind::Exportable);
    for format in [VideoFormat::Rgb, VideoFormat::Nv12, VideoFormat::I420] {
        let info = pixels::info(format, 322, 182);
        let mut frame = CardFrame::acquire(&pool, &info).unwrap();
        let picture = numbered(&info, 5);
        fill(&mut frame, &picture, &stream);
        stream.synchronize().unwrap();
        let memory = Arc::new(imported(frame.memory()));
        let guard = Arc::new(());
        let mut other = lent(&frame, memory.clone(), guard.clone());
        assert!(fetch(&other, &stream) == pixels::tight(&picture));
        assert_eq!(other.view_mut().err(), Some(CudaError::ReadOnly));
        assert_eq!(Arc::strong_count(&guard), 2);
        drop(other);
        assert_eq!(Arc::strong_count(&guard), 1);
        // Planes that pass the end.
        let (mut planes, _) = layout(format, 322, 182);
        planes.last_mut().unwrap().0 = memory.len() - 100;
        let error = CardFrame::of_shared(info, memory, planes, Box::new(guard)).unwrap_err();
        assert!(matches!(error, CudaError::View(_)), "{error}");
    }
}

#[test]
fn memory_waits_for_the_work_that_uses_it() {
    let Some(gpu) = exporting() else { return };
    let stream = Stream::independent(gpu).unwrap();
    let info = pixels::info(VideoFormat::Rgb, 1920, 1080);
    let own = MemoryPool::new(gpu, Kind::Device);
    let exportable = MemoryPool::new(gpu, Kind::Exportable);
    let mut frame = CardFrame::acquire(&exportable, &info).unwrap();
    fill(&mut frame, &numbered(&info, 1), &stream);
    stream.synchronize().unwrap();
    let mut copied = CardFrame::acquire(&own, &info).unwrap();
    let other = seen_by_another(&frame);
    let mut to = copied.view_mut().unwrap();
    copy::copy(&other.view().unwrap(), &mut to, &stream).unwrap();
    // Nothing was waited for.
    drop((other, frame, exportable));
    assert!(fetch(&copied, &stream) == pixels::tight(&numbered(&info, 1)));
}

#[test]
fn pools_keep_memory_that_is_exported() {
    let Some(gpu) = exporting() else { return };
    let pool = MemoryPool::new(gpu, Kind::Exportable);
    let info = pixels::info(VideoFormat::Rgb, 640, 360);
    let serials = || {
        let frames = [0; 4].map(|_| CardFrame::acquire(&pool, &info).unwrap());
        let mut serials = frames.map(|frame| frame.memory().serial());
        serials.sort();
        serials
    };
    assert_eq!(serials(), serials());
}

#[test]
fn cards_are_found_by_what_they_are() {
    let Some(gpu) = gpu() else { return };
    let uuid = gpu.uuid().unwrap();
    assert_eq!(Gpu::of_uuid(uuid).unwrap(), gpu);
    assert_ne!(uuid, [0; 16]);
    let error = Gpu::of_uuid([0xab; 16]).unwrap_err().to_string();
    assert!(
        error.contains("GPU-abababab-abab-abab-abab-abababababab"),
        "{error}"
    );
}

#[test]
fn a_card_that_may_not_export_says_so() {
    on_card!(card::is_standin() => "only the stand-in can forbid it");
    if !is_child() {
        for forbidden in [
            "cuMemExportToShareableHandle:0:800",
            "cuMemCreate:0:801",
            "cuMemMap:0:1",
        ] {
            let environment = [("DSFRAME_STANDIN_FAIL", forbidden)];
            let test = "exported::a_card_that_may_not_export_says_so";
            let output = crate::shared::in_child(test, &environment);
            assert!(output.status.success(), "{output:?}");
        }
        return;
    }
    let gpu = Gpu::get(0).unwrap();
    assert!(!gpu.can_export());
    let error = gpu.check_export().unwrap_err();
    assert!(matches!(error, CudaError::NoSharing { .. }), "{error}");
    assert!(error.to_string().contains("system memory"), "{error}");
    assert_eq!(card::allocations(), Some(0));
}

#[test]
fn whatever_fails_nothing_is_left() {
    on_card!(card::is_standin() => "only the stand-in fails on demand");
    let gpu = Gpu::get(0).unwrap();
    let good = Memory::new(gpu, Kind::Exportable, 100).unwrap();
    let before = card::allocations();
    let out_of_memory = CUresult::CUDA_ERROR_OUT_OF_MEMORY;
    for function in [
        c"cuMemCreate",
        c"cuMemAddressReserve",
        c"cuMemMap",
        c"cuMemSetAccess",
    ] {
        card::fail(function, 1, out_of_memory);
        let error = Memory::new(gpu, Kind::Exportable, 100).unwrap_err();
        assert!(matches!(error, CudaError::OutOfMemory { bytes: 100, .. }));
        card::fail(function, 0, CUresult::CUDA_SUCCESS);
        assert_eq!(card::allocations(), before, "{function:?}");
    }
    for function in [
        c"cuMemImportFromShareableHandle",
        c"cuMemAddressReserve",
        c"cuMemMap",
    ] {
        card::fail(function, 1, out_of_memory);
        let fd = good.export().unwrap();
        let error = Memory::import(gpu, fd.as_fd(), good.shared_size()).unwrap_err();
        assert!(matches!(error, CudaError::Import { .. }), "{error}");
        card::fail(function, 0, CUresult::CUDA_SUCCESS);
        assert_eq!(card::allocations(), before, "{function:?}");
    }
    // A driver that does not know memory to be read.
    card::fail(c"cuMemSetAccess", 1, CUresult::CUDA_ERROR_NOT_SUPPORTED);
    imported(&good);
    // A shortage is not remembered.
    card::fail(c"cuMemCreate", 1, out_of_memory);
    assert!(!gpu.can_export());
    assert!(gpu.can_export());
}

/// The other process of a test, and the socket to it, which is its standard input.
struct Other {
    process: Child,
    socket: OwnedFd,
}

impl Other {
    fn start(test: &str) -> Self {
        let (socket, theirs) = mail::pair().unwrap();
        let mut command = child(test);
        let process = command.stdin(Stdio::from(theirs)).spawn().unwrap();
        Self { process, socket }
    }

    fn receive(&self) -> Mail {
        let mail = mail::receive(&self.socket).unwrap();
        mail.expect("the other process has ended")
    }

    /// Frames of a slot; its memory goes along the first time.
    fn show(&self, slot: usize, frame: &CardFrame, number: u64, is_new: bool) {
        let memory = frame.memory();
        let fd = is_new.then(|| memory.export().unwrap());
        let numbers = [slot as u64, number, memory.shared_size() as u64, 0];
        mail::send(&self.socket, numbers, fd.as_ref().map(AsFd::as_fd)).unwrap();
    }

    #[track_caller]
    fn end(mut self) {
        drop(self.socket);
        assert!(self.process.wait().unwrap().success());
    }
}

const FORMATS_SHARED: [VideoFormat; 3] = [VideoFormat::Rgb, VideoFormat::Nv12, VideoFormat::Bgrx];

fn shared_info(number: u64) -> VideoInfo {
    pixels::info(FORMATS_SHARED[number as usize % 3], 320, 180)
}

/// What the other process does: looks at each frame, and gives it back.
fn look(gpu: Gpu, check: bool) {
    let stream = Stream::independent(gpu).unwrap();
    let own = MemoryPool::new(gpu, Kind::Device);
    let socket = std::io::stdin();
    let mut known = BTreeMap::new();
    while let Some(Mail { numbers, fd }) = mail::receive(&socket).unwrap() {
        let [slot, number, size, _] = numbers;
        if let Some(fd) = fd {
            let memory = Memory::import(gpu, fd.as_fd(), size as usize).unwrap();
            known.insert(slot, Arc::new(memory));
        }
        if check {
            let info = shared_info(number);
            let (planes, _) = layout(info.format(), 320, 180);
            let memory = known[&slot].clone();
            let frame = CardFrame::of_shared(info.clone(), memory, planes, Box::new(())).unwrap();
            let mut copied = CardFrame::acquire(&own, &info).unwrap();
            let mut to = copied.view_mut().unwrap();
            copy::copy(&frame.view().unwrap(), &mut to, &stream).unwrap();
            let expected = pixels::tight(&numbered(&info, number));
            assert!(fetch(&copied, &stream) == expected, "frame {number}");
        }
        // The test may have ended.
        let _ = mail::send(&socket, numbers, None);
    }
}

/// Memory for any of the frames.
fn slot_pool(gpu: Gpu) -> MemoryPool {
    MemoryPool::rounding(gpu, Kind::Exportable)
}

#[test]
fn frames_cross_processes_through_memory_that_is_used_again() {
    const SLOTS: usize = 4;
    let Some(gpu) = exporting() else { return };
    if is_child() {
        return look(gpu, true);
    }
    let frames = if is_short() { 20 } else { 200 };
    let other = Other::start("exported::frames_cross_processes_through_memory_that_is_used_again");
    let stream = Stream::independent(gpu).unwrap();
    let pool = slot_pool(gpu);
    let mut slots = BTreeMap::new();
    let mut under_way = std::collections::VecDeque::new();
    for number in 0..frames {
        if under_way.len() == SLOTS {
            drop(under_way.pop_front());
            let back = other.receive().numbers[1];
            assert_eq!(back, number - SLOTS as u64);
        }
        let info = shared_info(number);
        let mut frame = CardFrame::acquire(&pool, &info).unwrap();
        fill(&mut frame, &numbered(&info, number), &stream);
        stream.synchronize().unwrap();
        let count = slots.len();
        let mut is_new = false;
        let slot = *slots.entry(frame.memory().serial()).or_insert_with(|| {
            is_new = true;
            count
        });
        other.show(slot, &frame, number, is_new);
        under_way.push_back(frame);
    }
    assert!(slots.len() <= SLOTS, "{} slots", slots.len());
    for _ in &under_way {
        other.receive();
    }
    other.end();
}

#[test]
fn a_process_that_is_killed_harms_nobody() {
    let Some(gpu) = exporting() else { return };
    if is_child() {
        return look(gpu, false);
    }
    let stream = Stream::independent(gpu).unwrap();
    let info = shared_info(0);
    let pool = slot_pool(gpu);
    let mut frame = CardFrame::acquire(&pool, &info).unwrap();
    fill(&mut frame, &numbered(&info, 7), &stream);
    stream.synchronize().unwrap();
    // With whatever the first export opens.
    drop(frame.memory().export().unwrap());
    let before = (card::allocations(), descriptors());
    for turn in 0..3 {
        let mut other = Other::start("exported::a_process_that_is_killed_harms_nobody");
        other.show(0, &frame, 0, true);
        other.receive();
        other.process.kill().unwrap();
        other.process.wait().unwrap();
        drop(other);
        let mine = fetch(&frame, &stream);
        assert!(mine == pixels::tight(&numbered(&info, 7 + turn)));
        fill(&mut frame, &numbered(&info, 8 + turn), &stream);
        stream.synchronize().unwrap();
    }
    assert_eq!((card::allocations(), descriptors()), before);
}
