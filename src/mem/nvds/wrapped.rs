// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Buffers of GStreamer that a frame carries.

#![allow(unsafe_code)]

use std::ptr::with_exposed_provenance_mut;
use std::sync::atomic::{AtomicI32, Ordering};

use gst::ffi::{GstBuffer, GstMiniObject};
use gst::glib::translate::{IntoGlib, from_glib_none};
use gst::prelude::*;

use super::memory::Memory;
use crate::mem::sys::nvds::Address;

/// Another reference on the buffer at an address, or `None` if there is something else.
pub(super) fn buffer(_: Memory<'_>, at: Address) -> Option<gst::Buffer> {
    if !Memory::is_plausible(at) {
        return None;
    }
    let object: *mut GstMiniObject = with_exposed_provenance_mut(at.0);
    // SAFETY: the type of the user meta says that there is an object of GStreamer, which a frame
    // of a locked batch keeps alive.
    let type_ = unsafe { (*object).type_ };
    if type_ != gst::Buffer::static_type().into_glib() {
        return None;
    }
    // SAFETY: as above.
    let references = unsafe { &raw mut (*object).refcount };
    // SAFETY: as above; other threads change it, with atomic operations as well.
    let references = unsafe { AtomicI32::from_ptr(references) };
    if references.load(Ordering::Relaxed) < 1 {
        return None;
    }
    // SAFETY: a buffer that is alive, by its type and its references.
    Some(unsafe { from_glib_none(object.cast::<GstBuffer>()) })
}
