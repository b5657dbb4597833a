// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Where a frame came from, as it travels with its buffer behind a channel: in a custom meta
//! `DsFrameOrigin`, and the clock time also as GStreamer's reference timestamp.

use std::sync::{LazyLock, Once};

use super::FrameMeta;
use super::roi::c_text;

const NAME: &str = "DsFrameOrigin";

/// The meta's type is registered by whoever comes first, in the process.
fn register() {
    static REGISTER: Once = Once::new();
    REGISTER.call_once(|| {
        // Copied with its buffer, whatever happens to the pixels.
        gst::meta::CustomMeta::register(NAME, &[]);
    });
}

/// ns since 1970.
static UNIX_TIME: LazyLock<gst::Caps> =
    LazyLock::new(|| gst::Caps::new_empty_simple("timestamp/x-unix"));

/// Attaches all that a frame's metadata says, detections aside. `pts` is that of the producer.
pub fn attach(buffer: &mut gst::BufferRef, meta: &FrameMeta, pts: Option<u64>) {
    register();
    if let Some(ntp) = meta.ntp {
        let time = gst::ClockTime::from_nseconds(ntp);
        gst::meta::ReferenceTimestampMeta::add(buffer, &UNIX_TIME, time, gst::ClockTime::NONE);
    }
    // Registered above.
    let Ok(mut origin) = gst::meta::CustomMeta::add(buffer, NAME) else {
        return;
    };
    let fields = origin.mut_structure();
    fields.set("source-id", meta.source_id);
    fields.set("pad-index", meta.pad_index);
    let numbers = [
        ("frame-number", meta.frame_number),
        ("pts", pts),
        ("ntp", meta.ntp),
    ];
    for (name, number) in numbers {
        if let Some(number) = number {
            fields.set(name, number);
        }
    }
    if let Some((width, height)) = meta.source_size {
        fields.set("source-width", width);
        fields.set("source-height", height);
    }
    if let Some(sensor) = &meta.sensor {
        fields.set("sensor", c_text(sensor));
    }
}

/// Reads what [`attach`] wrote; leaves detections as they are. Returns false if there is none.
pub fn read_into(buffer: &gst::BufferRef, meta: &mut FrameMeta) -> bool {
    register();
    let Ok(origin) = gst::meta::CustomMeta::from_buffer(buffer, NAME) else {
        return false;
    };
    let fields = origin.structure();
    let side = |name| fields.get::<u32>(name).ok();
    meta.source_id = side("source-id").unwrap_or_default();
    meta.pad_index = side("pad-index").unwrap_or_default();
    meta.frame_number = fields.get("frame-number").ok();
    meta.ntp = fields.get("ntp").ok();
    meta.source_size = side("source-width").zip(side("source-height"));
    meta.sensor = fields.get::<&str>("sensor").ok().map(Into::into);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_survives_a_buffer_and_its_copy() {
        gst::init().unwrap();
        let full = FrameMeta {
            source_id: 3,
            pad_index: 4,
            frame_number: Some(u64::MAX - 1),
            ntp: Some(1_800_000_000_000_000_001),
            source_size: Some((1920, 1080)),
            sensor: Some("gate".into()),
            ..FrameMeta::default()
        };
        for meta in [full, FrameMeta::default()] {
            let mut buffer = gst::Buffer::with_size(16).unwrap();
            attach(buffer.get_mut().unwrap(), &meta, Some(7));
            let copy = buffer.copy_deep().unwrap();
            let mut read = FrameMeta::default();
            assert!(read_into(&copy, &mut read));
            assert_eq!(read, meta);
            let time = copy.meta::<gst::ReferenceTimestampMeta>();
            assert_eq!(time.map(|time| time.timestamp().nseconds()), meta.ntp);
        }
        assert!(!read_into(&gst::Buffer::new(), &mut FrameMeta::default()));
    }
}
