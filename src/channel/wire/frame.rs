// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! FRAME: where a picture lies, and what is known of it.

use gst_video::{VideoBufferFlags, VideoFrameFlags};

use super::bytes::{Packet, Writer, cut};
use super::{
    Caps, FRAME, MAX_DETECTIONS, MAX_DEVICES, MAX_SLOT, MAX_TEXT, MAX_TIME, WireError, objects,
};
use crate::frame::plane_sizes;
use crate::meta::{FrameMeta, Label};

const NEW_SLOT: u32 = 1;
const DISCONT: u32 = 1 << 1;
/// What is said of the fields of a picture, and how GStreamer says it of buffers and of frames.
const FIELDS: [(u32, VideoBufferFlags, VideoFrameFlags); 4] = [
    (
        1 << 2,
        VideoBufferFlags::INTERLACED,
        VideoFrameFlags::INTERLACED,
    ),
    (1 << 3, VideoBufferFlags::TFF, VideoFrameFlags::TFF),
    (1 << 4, VideoBufferFlags::RFF, VideoFrameFlags::RFF),
    (
        1 << 5,
        VideoBufferFlags::ONEFIELD,
        VideoFrameFlags::ONEFIELD,
    ),
];
const ALL_FIELDS: u32 = 0b1111 << 2;
const HOST: u32 = 0;
const CUDA: u32 = 1;
const MAX_PLANES: usize = 4;
const MAX_PITCH: u32 = i32::MAX as u32;
/// Where the number of detections is.
const COUNT_AT: usize = 184;

/// Whether a picture is interlaced, and how its fields follow each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fields(u32);

impl Fields {
    pub fn of(flags: VideoBufferFlags) -> Self {
        let said = FIELDS
            .iter()
            .filter(|(_, of_buffer, _)| flags.contains(*of_buffer));
        Self(said.fold(0, |bits, (bit, ..)| bits | bit))
    }

    pub fn of_buffer(self) -> VideoBufferFlags {
        let said = FIELDS.iter().filter(|(bit, ..)| self.0 & bit != 0);
        said.map(|(_, of_buffer, _)| *of_buffer).collect()
    }

    pub fn of_frame(self) -> VideoFrameFlags {
        let said = FIELDS.iter().filter(|(bit, ..)| self.0 & bit != 0);
        said.map(|(.., of_frame)| *of_frame).collect()
    }
}

/// The memory of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// A memfd.
    Host,
    /// By its place in the reader's HELLO, which may be shorter.
    Cuda { device: u32 },
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PlaneAt {
    /// From the start of the picture.
    pub offset: u64,
    /// Bytes from one row to the next.
    pub pitch: u32,
}

/// One to four planes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Planes {
    count: usize,
    at: [PlaneAt; MAX_PLANES],
}

impl Planes {
    /// `None` if there are none or too many.
    pub fn new(planes: &[PlaneAt]) -> Option<Self> {
        let mut at = [PlaneAt::default(); MAX_PLANES];
        at.get_mut(..planes.len())?.copy_from_slice(planes);
        let count = planes.len();
        (count > 0).then_some(Self { count, at })
    }

    pub fn as_slice(&self) -> &[PlaneAt] {
        &self.at[..self.count]
    }
}

/// A frame without what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameHead {
    pub seq: u64,
    pub caps_id: u32,
    /// A descriptor comes with it: that of its slot.
    pub new_slot: bool,
    pub discont: bool,
    pub fields: Fields,
    pub memory: Memory,
    pub slot: u64,
    pub slot_size: u64,
    /// Of the picture in the slot.
    pub offset: u64,
    pub planes: Planes,
    /// ns, on the producer's timeline.
    pub pts: Option<u64>,
    pub duration: Option<u64>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    pub head: FrameHead,
    /// `slot` is 0, and `pts` that of the head.
    pub meta: FrameMeta,
}

impl FrameHead {
    /// Replaces what is in `out` by the packet, without an allocation once it is large enough. `pts`
    /// and `slot` of `meta` are not sent. Gives the number of detections that did not fit: that one
    /// and those after it are left out.
    pub fn encode(&self, meta: &FrameMeta, out: &mut Vec<u8>) -> usize {
        let mut to = Writer::new(out, FRAME);
        to.u64(self.seq);
        to.u32(self.caps_id);
        let flag = |set, flag| if set { flag } else { 0 };
        to.u32(flag(self.new_slot, NEW_SLOT) | flag(self.discont, DISCONT) | self.fields.0);
        let (memory, device) = match self.memory {
            Memory::Host => (HOST, 0),
            Memory::Cuda { device } => (CUDA, device),
        };
        to.u32(memory);
        to.u32(device);
        to.u64(self.slot);
        to.u64(self.slot_size);
        to.u64(self.offset);
        to.u32(self.planes.count as u32);
        to.u32(0);
        for plane in &self.planes.at {
            to.u64(plane.offset);
            to.u32(plane.pitch);
            to.u32(0);
        }
        for time in [self.pts, self.duration, meta.ntp] {
            to.u64(time.filter(|time| *time <= MAX_TIME).unwrap_or(u64::MAX));
        }
        to.u64(meta.frame_number.unwrap_or(u64::MAX));
        to.u32(meta.source_id);
        to.u32(meta.pad_index);
        let size = meta.source_size.filter(|(w, h)| *w > 0 && *h > 0);
        let (width, height) = size.unwrap_or_default();
        to.u32(width);
        to.u32(height);
        to.u32(0);
        let sensor = cut(meta.sensor.as_deref().unwrap_or_default(), MAX_TEXT);
        to.u32(sensor.len() as u32);
        to.text(sensor);
        let sent = objects::write(&meta.detections, &mut to);
        to.set_u32(COUNT_AT, sent as u32);
        to.end();
        meta.detections.len() - sent
    }

    /// What can be known without the caps is checked.
    fn parse(from: &mut Packet) -> Result<Self, WireError> {
        let seq = from.u64("the frame's seq")?;
        let caps_id = from.u32("the frame's caps")?;
        let flags = from.flags("flags of the frame", NEW_SLOT | DISCONT | ALL_FIELDS)?;
        let memory = match from.u32_within("the kind of memory", HOST, CUDA)? {
            HOST => {
                from.zero("the device of host memory")?;
                Memory::Host
            }
            _ => Memory::Cuda {
                device: from.u32_within("the device", 0, MAX_DEVICES as u32 - 1)?,
            },
        };
        let slot = from.u64("the slot")?;
        let slot_size = from.u64_within("the slot's size", 1, MAX_SLOT)?;
        let offset = from.u64_within("the picture's offset", 0, slot_size - 1)?;
        let count = from.u32_within("the number of planes", 1, MAX_PLANES as u32)? as usize;
        from.zero("a reserved field")?;
        let mut at = [PlaneAt::default(); MAX_PLANES];
        for (place, plane) in at.iter_mut().enumerate() {
            let max = match place < count {
                true => (slot_size - 1 - offset, MAX_PITCH),
                false => (0, 0),
            };
            plane.offset = from.u64_within("the plane's offset", 0, max.0)?;
            plane.pitch = from.u32_within("the plane's pitch", max.1.min(1), max.1)?;
            from.zero("a reserved field")?;
        }
        Ok(Self {
            seq,
            caps_id,
            new_slot: flags & NEW_SLOT != 0,
            discont: flags & DISCONT != 0,
            fields: Fields(flags & ALL_FIELDS),
            memory,
            slot,
            slot_size,
            offset,
            planes: Planes { count, at },
            pts: from.time("the pts")?,
            duration: from.time("the duration")?,
        })
    }

    /// Whether the whole picture is within its slot. To be asked before a byte of it is read.
    pub fn check(&self, caps: &Caps) -> Result<(), WireError> {
        if self.caps_id != caps.id {
            return Err(WireError::CapsId {
                frame: self.caps_id,
                caps: caps.id,
            });
        }
        let sizes = plane_sizes(caps.format(), caps.width as usize, caps.height as usize);
        let planes = self.planes.as_slice();
        if sizes.len() != planes.len() {
            return Err(WireError::PlaneCount {
                frame: planes.len(),
                format: sizes.len(),
            });
        }
        for (plane, (at, size)) in planes.iter().zip(&sizes).enumerate() {
            let (row, rows) = (size.row_bytes as u64, size.rows as u64);
            let pitch = at.pitch;
            if u64::from(pitch) < row {
                return Err(WireError::Pitch { plane, pitch, row });
            }
            let end = || {
                let before = u64::from(pitch).checked_mul(rows.checked_sub(1)?)?;
                let start = self.offset.checked_add(at.offset)?;
                start.checked_add(before)?.checked_add(row)
            };
            if end().is_none_or(|end| end > self.slot_size) {
                let size = self.slot_size;
                return Err(WireError::Beyond { plane, size });
            }
        }
        Ok(())
    }
}

impl Frame {
    pub(super) fn parse(from: &mut Packet) -> Result<Self, WireError> {
        let head = FrameHead::parse(from)?;
        let ntp = from.time("the ntp time")?;
        let frame_number = from.u64_or_none("the frame's number")?;
        let source_id = from.u32("the source id")?;
        let pad_index = from.u32("the pad index")?;
        let size_at = from.at();
        let size = (
            from.u32("the source's width")?,
            from.u32("the source's height")?,
        );
        let source_size = match size {
            (0, 0) => None,
            (0, _) | (_, 0) => {
                return Err(WireError::Value {
                    what: "a side of the source",
                    at: size_at,
                    value: 0,
                    min: 1,
                    max: u32::MAX.into(),
                });
            }
            size => Some(size),
        };
        let count = from.u32_within("the number of detections", 0, MAX_DETECTIONS as u32)?;
        let length = from.u32_within("the sensor's length", 0, MAX_TEXT as u32)?;
        let sensor = from.text("the sensor", length)?;
        let meta = FrameMeta {
            source_id,
            pad_index,
            slot: 0,
            frame_number,
            pts: head.pts,
            ntp,
            source_size,
            sensor: (!sensor.is_empty()).then(|| Label::from(sensor)),
            detections: objects::read(from, count)?,
        };
        Ok(Self { head, meta })
    }
}
