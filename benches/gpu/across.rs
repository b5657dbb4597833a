// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! How long a frame takes from one process to another through memory of the card: it is copied
//! into a slot, waited for, announced, copied out of the slot by the other process, and waited for.
//! That process is this program again.

use std::collections::BTreeMap;
use std::env;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use gst_video::{VideoFormat, VideoInfo};
use gstdsframe::frame::CardFrame;
use gstdsframe::frame::card::layout;
use gstdsframe::mem::cuda::{Gpu, Kind, Memory, MemoryPool, Stream, copy};
use rustix::time::{ClockId, clock_gettime};

use super::Res;
use super::mail::{self, Mail};
use super::material::{HEIGHT, WIDTH};

const READER: &str = "DSFRAME_GPU_READER";

const SLOTS: usize = 4;
const WARM: usize = 200;
const FRAMES: usize = 2000;
const PACE: Duration = Duration::from_millis(1);

/// Nanoseconds of a clock that all processes share.
fn now() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

fn info() -> Res<VideoInfo> {
    Ok(VideoInfo::builder(VideoFormat::Rgb, WIDTH, HEIGHT).build()?)
}

/// Whether this process is the other one.
pub fn is_reader() -> bool {
    env::var_os(READER).is_some()
}

/// What the other process does with every frame: answers with the nanoseconds that it took.
pub fn read() -> Res<()> {
    let gpu = Gpu::get(0)?;
    let _bound = gpu.bind()?;
    let (stream, info) = (Stream::independent(gpu)?, info()?);
    let (planes, _) = layout(info.format(), WIDTH as usize, HEIGHT as usize);
    let mut own = CardFrame::acquire(&MemoryPool::new(gpu, Kind::Device), &info)?;
    let mut known = BTreeMap::new();
    let socket = std::io::stdin();
    while let Some(Mail { numbers, fd }) = mail::receive(&socket)? {
        let [slot, begun, size, _] = numbers;
        if let Some(fd) = fd {
            let memory = Memory::import(gpu, fd.as_fd(), size as usize)?;
            known.insert(slot, Arc::new(memory));
        }
        let memory = known.get(&slot).ok_or("an unknown slot")?.clone();
        let frame = CardFrame::of_shared(info.clone(), memory, planes.clone(), Box::new(()))?;
        copy::copy(&frame.view()?, &mut own.view_mut()?, &stream)?;
        stream.synchronize()?;
        mail::send(&socket, [slot, now() - begun, 0, 0], None)?;
    }
    Ok(())
}

struct Reader {
    process: Child,
    socket: Option<OwnedFd>,
}

impl Reader {
    fn start() -> Res<Self> {
        let (socket, theirs) = mail::pair()?;
        let mut command = Command::new(env::current_exe()?);
        let process = command
            .env(READER, "1")
            .stdin(Stdio::from(theirs))
            .spawn()?;
        Ok(Self {
            process,
            socket: Some(socket),
        })
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // The end of its input is its end.
        self.socket = None;
        let _ = self.process.wait();
    }
}

/// Microseconds one way, in order of length.
fn latencies() -> Res<Vec<f64>> {
    let gpu = Gpu::get(0)?;
    gpu.check_export()?;
    let _bound = gpu.bind()?;
    let (stream, info) = (Stream::independent(gpu)?, info()?);
    let shared = MemoryPool::new(gpu, Kind::Exportable);
    let mut slots: Vec<_> = (0..SLOTS)
        .map(|_| CardFrame::acquire(&shared, &info))
        .collect::<Result<_, _>>()?;
    let source = CardFrame::acquire(&MemoryPool::new(gpu, Kind::Device), &info)?;
    let reader = Reader::start()?;
    let socket = reader.socket.as_ref().ok_or("no socket")?;
    let mut spent = Vec::with_capacity(FRAMES);
    let mut next = Instant::now();
    for number in 0..WARM + FRAMES {
        thread::sleep(next.saturating_duration_since(Instant::now()));
        next = Instant::now().max(next) + PACE;
        let slot = &mut slots[number % SLOTS];
        let fd = match number < SLOTS {
            true => Some(slot.memory().export()?),
            false => None,
        };
        let size = slot.memory().shared_size() as u64;
        let begun = now();
        copy::copy(&source.view()?, &mut slot.view_mut()?, &stream)?;
        stream.synchronize()?;
        let numbers = [(number % SLOTS) as u64, begun, size, 0];
        mail::send(socket, numbers, fd.as_ref().map(AsFd::as_fd))?;
        let answer = mail::receive(socket)?.ok_or("the reader has ended")?;
        if number >= WARM {
            spent.push(answer.numbers[1] as f64 / 1e3);
        }
    }
    spent.sort_by(f64::total_cmp);
    Ok(spent)
}

/// One way, for so many of a hundred frames at most.
pub fn one_way(percent: usize) -> Res<f64> {
    let spent = latencies()?;
    Ok(spent[spent.len() * percent / 100])
}
