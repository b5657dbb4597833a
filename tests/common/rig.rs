// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A `dsframecapture` with a pad before it, and frames that say who they are.

use std::path::Path;

use gst::prelude::*;
use gst_video::{VideoFormat, VideoInfo};

use super::{Messages, init, pending, wait_for_end};

/// Of the numbered frames: ten a second.
pub const STEP: u64 = 100_000_000;

/// The sink, fed by hand. Not live.
pub struct Rig {
    pub element: gst::Element,
    pub pad: gst::Pad,
    pub bus: gst::Bus,
}

impl Rig {
    /// The element with these properties, in NULL and without a stream.
    pub fn stopped(properties: &[(&str, &str)]) -> Self {
        init();
        let element = gst::ElementFactory::make("dsframecapture").build().unwrap();
        for (name, value) in properties {
            element.set_property_from_str(name, value);
        }
        let bus = gst::Bus::new();
        element.set_bus(Some(&bus));
        let pad = gst::Pad::builder(gst::PadDirection::Src)
            .query_function(|pad, parent, query| match query.view_mut() {
                gst::QueryViewMut::Latency(latency) => {
                    latency.set(false, gst::ClockTime::ZERO, gst::ClockTime::NONE);
                    true
                }
                _ => gst::Pad::query_default(pad, parent, query),
            })
            .build();
        pad.link(&element.static_pad("sink").unwrap()).unwrap();
        Self { element, pad, bus }
    }

    /// Playing numbered frames.
    pub fn new(properties: &[(&str, &str)]) -> Self {
        let rig = Self::stopped(properties);
        rig.start();
        rig.begin(&numbered_info(), &gst::FormattedSegment::new());
        rig
    }

    /// Playing numbered frames, every one of which is to be saved there.
    pub fn saving(location: &str, more: &[(&str, &str)]) -> Self {
        let mut properties = vec![
            ("interval", "1"),
            ("overflow", "block"),
            ("location", location),
        ];
        properties.extend(more);
        Self::new(&properties)
    }

    /// Playing frames of another kind.
    pub fn of(info: &VideoInfo, properties: &[(&str, &str)]) -> Self {
        let rig = Self::stopped(properties);
        rig.start();
        rig.begin(info, &gst::FormattedSegment::new());
        rig
    }

    pub fn start(&self) {
        self.pad.set_active(true).unwrap();
        let started = self.element.set_state(gst::State::Playing);
        assert!(started.is_ok(), "{:?}", self.messages().errors());
    }

    pub fn begin(&self, info: &VideoInfo, segment: &gst::FormattedSegment<gst::ClockTime>) {
        self.begin_caps(&info.to_caps().unwrap(), segment);
    }

    pub fn begin_caps(&self, caps: &gst::Caps, segment: &gst::FormattedSegment<gst::ClockTime>) {
        assert!(self.pad.push_event(gst::event::StreamStart::new("test")));
        assert!(self.pad.push_event(gst::event::Caps::new(caps)));
        assert!(self.pad.push_event(gst::event::Segment::new(segment)));
    }

    pub fn push(&self, number: u64) -> Result<gst::FlowSuccess, gst::FlowError> {
        self.pad.push(numbered(number))
    }

    #[track_caller]
    pub fn push_all(&self, numbers: std::ops::Range<u64>) {
        for number in numbers {
            self.push(number).unwrap();
        }
    }

    /// Sends EOS and waits until it is through. Returns what was on the bus.
    #[track_caller]
    pub fn finish(&self) -> Messages {
        assert!(self.pad.push_event(gst::event::Eos::new()), "no EOS");
        wait_for_end(&self.bus)
    }

    #[track_caller]
    pub fn stop(&self) {
        self.element.set_state(gst::State::Null).unwrap();
    }

    /// To the end and down.
    #[track_caller]
    pub fn end(&self) -> Messages {
        let messages = self.finish();
        assert!(messages.eos(), "{:?}", messages.errors());
        super::check_accounts(&self.element);
        self.stop();
        messages
    }

    pub fn messages(&self) -> Messages {
        pending(&self.bus)
    }

    #[track_caller]
    pub fn count(&self, name: &str) -> u64 {
        super::count(&self.element, name)
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        // A failed test is not to end in a complaint about the state.
        let _ = self.element.set_state(gst::State::Null);
        // Messages keep the element that keeps the bus.
        self.bus.set_flushing(true);
    }
}

pub fn numbered_info() -> VideoInfo {
    VideoInfo::builder(VideoFormat::Gray8, 32, 2)
        .fps(gst::Fraction::new(10, 1))
        .build()
        .unwrap()
}

pub fn numbered_bytes(number: u64) -> Vec<u8> {
    (0..8u64)
        .flat_map(|i| {
            (number * 8 + i)
                .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .to_le_bytes()
        })
        .collect()
}

/// A frame whose pixels spell its number, and which is due at [`STEP`] times its number.
pub fn numbered(number: u64) -> gst::Buffer {
    let mut buffer = memory(&numbered_bytes(number));
    let time = gst::ClockTime::from_nseconds(number * STEP);
    let buffer_ref = buffer.get_mut().unwrap();
    buffer_ref.set_pts(time);
    buffer_ref.set_duration(gst::ClockTime::from_nseconds(STEP));
    buffer
}

/// A buffer of GStreamer's own memory.
pub fn memory(bytes: &[u8]) -> gst::Buffer {
    let mut buffer = gst::Buffer::with_size(bytes.len()).unwrap();
    buffer.get_mut().unwrap().copy_from_slice(0, bytes).unwrap();
    buffer
}

/// The number of a frame that was captured as raw bytes, all of which are right.
#[track_caller]
pub fn number_in(path: &Path) -> u64 {
    let bytes = std::fs::read(path).unwrap();
    (0..100_000)
        .find(|number| numbered_bytes(*number) == bytes)
        .unwrap_or_else(|| panic!("{} is none of the frames", path.display()))
}

/// The numbers of all raw frames in a folder, in the order of their names.
#[track_caller]
pub fn numbers_in(folder: &Path) -> Vec<u64> {
    super::files(folder)
        .iter()
        .filter(|name| name.ends_with(".raw"))
        .map(|name| number_in(&folder.join(name)))
        .collect()
}
