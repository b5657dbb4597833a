// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The messages of a channel as bytes, as docs/channel-protocol.md says. No I/O: a packet that came is
//! parsed, a message is encoded as the packet to send. A packet comes from another process: nothing in
//! it is believed, and what it costs is bounded by its size.

mod bytes;
mod caps;
mod frame;
mod objects;
mod slots;

use std::time::Duration;

pub use caps::Caps;
pub use frame::{Fields, Frame, FrameHead, Memory, PlaneAt, Planes};
pub use slots::Slots;

use bytes::{Packet, Writer};

pub const MAGIC: [u8; 4] = *b"DSFC";
pub const VERSION: u16 = 1;
/// Bytes of the header of every message.
pub const HEADER: usize = 16;
/// Bytes that a message may have.
pub const MAX_PACKET: usize = 128 * 1024;
/// CUDA devices that a reader can name.
pub const MAX_DEVICES: usize = 16;
/// Bytes of the text of a [`Refuse`].
pub const MAX_REASON: usize = 512;
/// Bytes of labels and other texts of a frame.
pub const MAX_TEXT: usize = 1024;
pub const MAX_DETECTIONS: usize = 65_535;
/// Of one detection.
pub const MAX_CLASSIFIERS: usize = 64;
/// Of one classifier.
pub const MAX_LABELS: usize = 64;
/// Bytes of the memory that a slot names.
pub const MAX_SLOT: u64 = 1 << 30;
/// Frames that one RELEASE may name.
pub const MAX_RELEASED: usize = 256;
/// Slots that both sides remember.
pub const MAX_SLOTS: usize = 64;
/// FRAMEs that are sent and not TAKEN.
pub const MAX_UNTAKEN: u64 = 4;
/// FRAMEs that are sent and not RELEASEd.
pub const MAX_UNRELEASED: usize = 64;
/// For each side's HELLO.
pub const HELLO_LIMIT: Duration = Duration::from_secs(5);
const MAX_SIDE: u32 = 65_535;
/// ns.
const MAX_TIME: u64 = i64::MAX as u64;

const HELLO: u16 = 1;
const REFUSE: u16 = 2;
const CAPS: u16 = 3;
const FRAME: u16 = 4;
const TAKEN: u16 = 5;
const RELEASE: u16 = 6;
const END: u16 = 7;
const STOP: u16 = 8;

const READER: u32 = 1;
const PRODUCER: u32 = 2;
const TAKES_HOST: u32 = 1;
const TAKES_CUDA: u32 = 1 << 1;

/// What is wrong with a message, and at which byte of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    #[error("a message has {HEADER} to {MAX_PACKET} bytes, and not {0}")]
    Size(usize),
    #[error("this is no message of a channel: it begins with {0:02x?}")]
    Magic([u8; 4]),
    #[error("version {0} of the protocol is not understood, {VERSION} is")]
    Version(u16),
    #[error("messages of type {0} are not known")]
    Type(u16),
    #[error("the header says that {said} bytes follow, and {has} do")]
    Length { said: u32, has: usize },
    #[error("the message ends before {what}, which is to be at byte {at}")]
    Short { what: &'static str, at: usize },
    #[error("{bytes} bytes follow the end of the message at byte {at}")]
    Rest { at: usize, bytes: usize },
    #[error("{what} at byte {at} is {value}: {min} to {max} are possible")]
    Value {
        what: &'static str,
        at: usize,
        value: u64,
        min: u64,
        max: u64,
    },
    #[error("{what} at byte {at} have bits that mean nothing: {bits:#x}")]
    Flags {
        what: &'static str,
        at: usize,
        bits: u32,
    },
    #[error("{what} at byte {at} is to be 0")]
    NotZero { what: &'static str, at: usize },
    #[error("{what} at byte {at} is not a finite number")]
    NotFinite { what: &'static str, at: usize },
    #[error("{what} at byte {at} is not UTF-8")]
    Text { what: &'static str, at: usize },
    #[error("{what} at byte {at} is not a name: ASCII without blanks, and zeros after it")]
    Name { what: &'static str, at: usize },
    #[error("pictures in format {0} cannot be sent")]
    Format(String),
    #[error("pictures of {width}x{height} in format {format} cannot be sent")]
    Picture {
        format: &'static str,
        width: u32,
        height: u32,
    },
    #[error("{what} \"{value}\" of the pictures is not understood")]
    Property { what: &'static str, value: String },
    #[error("the frame is by caps {frame}, and the last ones were {caps}")]
    CapsId { frame: u32, caps: u32 },
    #[error("the frame has {frame} planes, and its format {format}")]
    PlaneCount { frame: usize, format: usize },
    #[error("plane {plane} has a pitch of {pitch} bytes and rows of {row}")]
    Pitch { plane: usize, pitch: u32, row: u64 },
    #[error("plane {plane} does not end within its slot of {size} bytes")]
    Beyond { plane: usize, size: u64 },
    #[error("slot {0} is not known, and comes without a descriptor")]
    SlotUnknown(u64),
    #[error("slot {0} is known already, and comes with a descriptor")]
    SlotKnown(u64),
    #[error("slot {0} is not the memory that it was")]
    SlotChanged(u64),
    #[error("{0} is not what may come now")]
    Unexpected(&'static str),
}

/// The first message of each side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hello {
    Reader {
        /// Whether it takes frames in host memory.
        host: bool,
        /// The CUDA devices that it takes frames on, [`MAX_DEVICES`] at most. With neither of both
        /// the message is an error.
        devices: Vec<[u8; 16]>,
    },
    Producer {
        /// Another one each time that it starts; not 0.
        session: u64,
    },
}

/// Why a connection was refused. Readers and producers of later versions may have other reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reason(pub u32);

impl Reason {
    pub const VERSION: Self = Self(1);
    pub const MESSAGE: Self = Self(2);
    pub const MEMORY: Self = Self(3);
    pub const READERS: Self = Self(4);
    pub const USER: Self = Self(5);
    pub const HELLO: Self = Self(6);
    pub const PICTURES: Self = Self(7);
}

impl From<&WireError> for Reason {
    fn from(error: &WireError) -> Self {
        match error {
            WireError::Version(_) => Self::VERSION,
            _ => Self::MESSAGE,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refuse {
    pub reason: Reason,
    /// For people. What is beyond [`MAX_REASON`] bytes is not sent.
    pub text: String,
}

/// One packet.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    Hello(Hello),
    Refuse(Refuse),
    Caps(Caps),
    Frame(Box<Frame>),
    /// How many FRAMEs the reader has taken.
    Taken(u64),
    /// The numbers of the frames that the reader does not need any more, [`MAX_RELEASED`] at most.
    Release(Vec<u64>),
    /// With the number that the next frame would have had.
    End(u64),
    Stop(u64),
}

impl Message {
    pub fn parse(packet: &[u8]) -> Result<Self, WireError> {
        if !(HEADER..=MAX_PACKET).contains(&packet.len()) {
            return Err(WireError::Size(packet.len()));
        }
        let mut from = Packet::new(packet);
        let magic = from.bytes("the magic")?;
        if magic != MAGIC {
            return Err(WireError::Magic(magic));
        }
        let version = u16::from_le_bytes(from.bytes("the version")?);
        let kind = u16::from_le_bytes(from.bytes("the type")?);
        // A refusal is the same in all versions: it is how versions are told apart.
        if version != VERSION && kind != REFUSE {
            return Err(WireError::Version(version));
        }
        let said = from.u32("the length")?;
        let has = packet.len() - HEADER;
        if said as usize != has {
            return Err(WireError::Length { said, has });
        }
        from.flags("flags of the header", 0)?;
        let message = match kind {
            HELLO => Self::Hello(Hello::parse(&mut from)?),
            REFUSE => Self::Refuse(Refuse::parse(&mut from)?),
            CAPS => Self::Caps(Caps::parse(&mut from)?),
            FRAME => Self::Frame(Box::new(Frame::parse(&mut from)?)),
            TAKEN => Self::Taken(from.u64("the number of frames taken")?),
            RELEASE => Self::Release(parse_release(&mut from)?),
            END => Self::End(from.u64("the number of frames")?),
            STOP => Self::Stop(from.u64("the number of frames")?),
            _ => return Err(WireError::Type(kind)),
        };
        from.end()?;
        Ok(message)
    }

    /// Replaces what is in `out` by the packet. Says how many detections did not fit.
    pub fn encode(&self, out: &mut Vec<u8>) -> usize {
        match self {
            Self::Hello(hello) => hello.encode(out),
            Self::Refuse(refuse) => refuse.encode(out),
            Self::Caps(caps) => caps.encode(out),
            Self::Frame(frame) => return frame.head.encode(&frame.meta, out),
            Self::Taken(frames) => encode_taken(*frames, out),
            Self::Release(seqs) => {
                encode_release(seqs, out);
            }
            Self::End(frames) => encode_number(END, *frames, out),
            Self::Stop(frames) => encode_number(STOP, *frames, out),
        }
        0
    }

    /// As the protocol calls it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Hello(_) => "HELLO",
            Self::Refuse(_) => "REFUSE",
            Self::Caps(_) => "CAPS",
            Self::Frame(_) => "FRAME",
            Self::Taken(_) => "TAKEN",
            Self::Release(_) => "RELEASE",
            Self::End(_) => "END",
            Self::Stop(_) => "STOP",
        }
    }

    /// Where a message that is not for this side, or not for now, becomes an error.
    pub fn unexpected(&self) -> WireError {
        WireError::Unexpected(self.name())
    }
}

/// TAKEN, of a message that was not made for it.
pub fn encode_taken(frames: u64, out: &mut Vec<u8>) {
    encode_number(TAKEN, frames, out);
}

fn encode_number(kind: u16, number: u64, out: &mut Vec<u8>) {
    let mut to = Writer::new(out, kind);
    to.u64(number);
    to.end();
}

/// RELEASE for the first [`MAX_RELEASED`] of `seqs`; gives those that are left for the next one. There
/// is no RELEASE without any.
pub fn encode_release<'a>(seqs: &'a [u64], out: &mut Vec<u8>) -> &'a [u64] {
    let (now, later) = seqs.split_at(seqs.len().min(MAX_RELEASED));
    let mut to = Writer::new(out, RELEASE);
    to.u32(now.len() as u32);
    to.u32(0);
    for seq in now {
        to.u64(*seq);
    }
    to.end();
    later
}

fn parse_release(from: &mut Packet) -> Result<Vec<u64>, WireError> {
    let count = from.u32_within("the number of frames released", 1, MAX_RELEASED as u32)?;
    from.zero("a reserved field")?;
    let count = from.fitting("frames released", count, size_of::<u64>())?;
    (0..count).map(|_| from.u64("a frame released")).collect()
}

impl Hello {
    fn parse(from: &mut Packet) -> Result<Self, WireError> {
        let role = from.u32_within("the role", READER, PRODUCER)?;
        let at = from.at();
        let takes = from.flags("flags of the reader", TAKES_HOST | TAKES_CUDA)?;
        let session_at = from.at();
        let session = from.u64("the session")?;
        let count_at = from.at();
        let count = from.u32_within("the number of devices", 0, MAX_DEVICES as u32)?;
        from.zero("a reserved field")?;
        let value = |what, at, value, min, max| WireError::Value {
            what,
            at,
            value,
            min,
            max,
        };
        if role == PRODUCER {
            let not_zero = |what, at| Err(WireError::NotZero { what, at });
            return match (takes, count, session) {
                (0, 0, 0) => Err(value("the session", session_at, 0, 1, u64::MAX)),
                (0, 0, session) => Ok(Self::Producer { session }),
                (0, ..) => not_zero("the number of a producer's devices", count_at),
                _ => not_zero("flags of a producer", at),
            };
        }
        if session != 0 {
            let what = "the session of a reader";
            let at = session_at;
            return Err(WireError::NotZero { what, at });
        }
        if takes == 0 {
            return Err(value("flags of the reader", at, 0, 1, 3));
        }
        let (min, max) = match takes & TAKES_CUDA {
            0 => (0, 0),
            _ => (1, MAX_DEVICES as u64),
        };
        if !(min..=max).contains(&u64::from(count)) {
            let count = u64::from(count);
            return Err(value("the number of devices", count_at, count, min, max));
        }
        let count = from.fitting("devices", count, 16)?;
        let devices: Result<_, _> = (0..count).map(|_| from.bytes("a device")).collect();
        Ok(Self::Reader {
            host: takes & TAKES_HOST != 0,
            devices: devices?,
        })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        let mut to = Writer::new(out, HELLO);
        let (role, takes, session, devices) = match self {
            Self::Reader { host, devices } => {
                let cuda = if devices.is_empty() { 0 } else { TAKES_CUDA };
                let host = if *host { TAKES_HOST } else { 0 };
                let count = devices.len().min(MAX_DEVICES);
                (READER, host | cuda, 0, &devices[..count])
            }
            Self::Producer { session } => (PRODUCER, 0, *session, &[][..]),
        };
        to.u32(role);
        to.u32(takes);
        to.u64(session);
        to.u32(devices.len() as u32);
        to.u32(0);
        for device in devices {
            to.bytes(device);
        }
        to.end();
    }
}

impl Refuse {
    fn parse(from: &mut Packet) -> Result<Self, WireError> {
        let reason = Reason(from.u32("the reason")?);
        let length = from.u32_within("the text's length", 0, MAX_REASON as u32)?;
        let text = from.text("the text", length)?.to_owned();
        Ok(Self { reason, text })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        let mut to = Writer::new(out, REFUSE);
        let text = bytes::cut(&self.text, MAX_REASON);
        to.u32(self.reason.0);
        to.u32(text.len() as u32);
        to.text(text);
        to.end();
    }
}

#[cfg(test)]
mod tests;
