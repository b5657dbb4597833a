// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A reader that speaks the protocol of channels by itself, and takes nothing but memory of a card.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use gst_video::VideoInfo;
use gstdsframe::channel::unix::socket::{Received, Sent, Socket};
use gstdsframe::channel::wire::{FrameHead, Hello, MAX_PACKET, Memory as In, Message};
use gstdsframe::frame::CardFrame;
use gstdsframe::mem::cuda::{Gpu, Memory, Stream};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::exported::fetch;
use crate::shared::until;

/// Descriptors of this process that are open.
pub fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

pub struct Raw {
    socket: Socket,
    gpu: Gpu,
    stream: Stream,
    buf: Vec<u8>,
    info: Option<VideoInfo>,
    slots: BTreeMap<u64, Arc<Memory>>,
    taken: u64,
}

impl Raw {
    #[track_caller]
    pub fn connect(path: &Path, gpu: Gpu) -> Self {
        let mut socket = None;
        until("somebody listens", || {
            socket = Socket::connect(path).unwrap();
            socket.is_some()
        });
        let raw = Self {
            socket: socket.unwrap(),
            gpu,
            stream: Stream::independent(gpu).unwrap(),
            buf: vec![0; MAX_PACKET],
            info: None,
            slots: BTreeMap::new(),
            taken: 0,
        };
        // One that nobody has comes first.
        raw.say(&Message::Hello(Hello::Reader {
            host: false,
            devices: vec![[7; 16], gpu.uuid().unwrap()],
        }));
        raw
    }

    pub fn say(&self, message: &Message) {
        let mut packet = Vec::new();
        message.encode(&mut packet);
        assert!(matches!(self.socket.send(&packet, None), Ok(Sent::Sent)));
    }

    fn hear(&mut self) -> Option<(Message, Option<OwnedFd>)> {
        loop {
            match self.socket.recv(&mut self.buf).unwrap() {
                Received::Packet(bytes, fd) => {
                    return Some((Message::parse(&self.buf[..bytes]).unwrap(), fd));
                }
                Received::Closed => return None,
                Received::WouldBlock => {
                    let mut fds = [PollFd::new(&self.socket, PollFlags::IN)];
                    let limit = Timespec {
                        tv_sec: 30,
                        tv_nsec: 0,
                    };
                    let ready = poll(&mut fds, Some(&limit)).unwrap();
                    assert!(ready > 0, "nothing is heard");
                }
            }
        }
    }

    /// The next frame, which is taken at once; `None` at the end.
    pub fn frame(&mut self) -> Option<FrameHead> {
        loop {
            let head = match self.hear()? {
                (Message::Hello(Hello::Producer { .. }), None) => continue,
                (Message::Caps(caps), None) => {
                    self.info = Some(caps.info().unwrap());
                    continue;
                }
                (Message::Frame(frame), fd) => {
                    let head = frame.head;
                    assert_eq!(head.memory, In::Cuda { device: 1 });
                    assert_eq!(head.new_slot, fd.is_some());
                    if let Some(fd) = fd {
                        let size = head.slot_size as usize;
                        let memory = Memory::import(self.gpu, fd.as_fd(), size).unwrap();
                        let old = self.slots.insert(head.slot, Arc::new(memory));
                        assert!(old.is_none(), "a slot came twice");
                    }
                    head
                }
                (Message::End(frames), None) => {
                    assert_eq!(frames, self.taken);
                    return None;
                }
                heard => panic!("{heard:?}"),
            };
            self.taken += 1;
            self.say(&Message::Taken(self.taken));
            return Some(head);
        }
    }

    /// What is in the memory of a frame now.
    pub fn pixels(&self, head: &FrameHead) -> Vec<u8> {
        let planes = head.planes.as_slice().iter();
        let planes = planes.map(|plane| (plane.offset as usize, plane.pitch as usize));
        let memory = self.slots[&head.slot].clone();
        let info = self.info.clone().unwrap();
        let frame = CardFrame::of_shared(info, memory, planes.collect(), Box::new(())).unwrap();
        fetch(&frame, &self.stream)
    }

    pub fn release(&self, seq: u64) {
        self.say(&Message::Release(vec![seq]));
    }

    pub fn slots(&self) -> usize {
        self.slots.len()
    }
}
