// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The events by which DeepStream's muxers tell about single streams.

use glib::translate::IntoGlib;

/// Whether timestamps of a stream end with this event: its pad was released, its last frame was in
/// an earlier batch, or it starts anew. By the number of the event's type; its lowest byte holds
/// flags, which differ between releases.
pub fn ends_stream(event: &gst::EventRef) -> bool {
    const PAD_DELETED: i32 = 401;
    const STREAM_EOS: i32 = 402;
    const STREAM_RESET: i32 = 404;
    matches!(
        event.type_().into_glib() >> 8,
        PAD_DELETED | STREAM_EOS | STREAM_RESET
    )
}

/// The number of the muxer's pad that the stream comes from.
pub fn pad_index(event: &gst::EventRef) -> Option<u32> {
    event.structure()?.get("source-id").ok()
}
