// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The meta of a buffer that holds a batch, registered as DeepStream registers it.

use std::sync::{Arc, LazyLock};

use gst::ffi::{GstBuffer, GstMeta, GstMetaInfo};
use gst::glib::ffi::{GFALSE, GQuark, GTRUE, GType, gboolean, gpointer};

use super::BatchBuilder;
use super::arena::Arena;
use crate::abi::{offset, size, value};
use gstdsframe::mem::sys::Generation;

struct Registered {
    api: GType,
    info: *const GstMetaInfo,
}

// SAFETY: registered metas are never changed.
unsafe impl Send for Registered {}
// SAFETY: as above.
unsafe impl Sync for Registered {}

static REGISTERED: LazyLock<Registered> = LazyLock::new(|| {
    let mut tags = [c"nvdsmeta".as_ptr(), std::ptr::null()];
    let name = c"NvDsMetaAPI".as_ptr();
    // SAFETY: a list of strings that ends with null.
    let api = unsafe { gst::ffi::gst_meta_api_type_register(name, tags.as_mut_ptr()) };
    // SAFETY: the functions are those of a meta of this size.
    let info = unsafe {
        gst::ffi::gst_meta_register(
            api,
            c"NvDsMeta".as_ptr(),
            size("NvDsMeta", Generation::A),
            Some(init),
            Some(free),
            Some(transform),
        )
    };
    assert!(!info.is_null());
    Registered { api, info }
});

/// What the meta owns.
struct Owned {
    builder: BatchBuilder,
    arena: Arc<Arena>,
}

fn field<T>(meta: *mut GstMeta, name: &str) -> *mut T {
    let at = offset("NvDsMeta", Generation::A, name);
    meta.cast::<u8>().wrapping_add(at).cast()
}

unsafe extern "C" fn init(meta: *mut GstMeta, _: gpointer, _: *mut GstBuffer) -> gboolean {
    for name in ["meta_data", "user_data"] {
        // SAFETY: within the meta, which is this large.
        unsafe { field::<u64>(meta, name).write(0) };
    }
    // SAFETY: as above.
    unsafe { field::<i32>(meta, "meta_type").write(-1) };
    GTRUE
}

unsafe extern "C" fn free(meta: *mut GstMeta, _: *mut GstBuffer) {
    // SAFETY: within the meta.
    let owned = unsafe { field::<*mut Owned>(meta, "user_data").read() };
    if !owned.is_null() {
        // SAFETY: made by Box::into_raw, and freed once with its meta.
        drop(unsafe { Box::from_raw(owned) });
    }
}

unsafe extern "C" fn transform(
    to: *mut GstBuffer,
    meta: *mut GstMeta,
    _: *mut GstBuffer,
    _: GQuark,
    _: gpointer,
) -> gboolean {
    // SAFETY: within the meta.
    let owned = unsafe { field::<*const Owned>(meta, "user_data").read() };
    if owned.is_null() {
        return GFALSE;
    }
    // SAFETY: the meta owns it and is alive.
    let builder = unsafe { &(*owned).builder };
    add(builder, to);
    GTRUE
}

fn add(builder: &BatchBuilder, to: *mut GstBuffer) -> Arc<Arena> {
    let arena = Arc::new(builder.build());
    let owned = Box::new(Owned {
        builder: builder.clone(),
        arena: arena.clone(),
    });
    // SAFETY: the buffer is writable.
    let meta = unsafe { gst::ffi::gst_buffer_add_meta(to, REGISTERED.info, std::ptr::null_mut()) };
    assert!(!meta.is_null());
    // SAFETY: within the meta.
    unsafe { field::<u64>(meta, "meta_data").write(arena.batch) };
    // SAFETY: as above.
    unsafe { field::<*mut Owned>(meta, "user_data").write(Box::into_raw(owned)) };
    let number = value("GstNvDsMetaType", "NVDS_BATCH_GST_META") as i32;
    // SAFETY: as above.
    unsafe { field::<i32>(meta, "meta_type").write(number) };
    arena
}

pub fn attach(builder: &BatchBuilder, buffer: &mut gst::BufferRef) -> Arc<Arena> {
    add(builder, buffer.as_mut_ptr())
}

/// Attaches a meta of DeepStream with this type and address in place of a batch.
pub fn attach_other(buffer: &mut gst::BufferRef, meta_type: i32, meta_data: u64) {
    let (to, info) = (buffer.as_mut_ptr(), REGISTERED.info);
    // SAFETY: the buffer is writable.
    let meta = unsafe { gst::ffi::gst_buffer_add_meta(to, info, std::ptr::null_mut()) };
    // SAFETY: within the meta.
    unsafe { field::<u64>(meta, "meta_data").write(meta_data) };
    // SAFETY: as above.
    unsafe { field::<i32>(meta, "meta_type").write(meta_type) };
}

/// The batch that a buffer has.
pub fn batch_of(buffer: &gst::BufferRef) -> Option<Arc<Arena>> {
    // SAFETY: a valid buffer.
    let meta = unsafe { gst::ffi::gst_buffer_get_meta(buffer.as_mut_ptr(), REGISTERED.api) };
    if meta.is_null() {
        return None;
    }
    // SAFETY: within the meta.
    let owned = unsafe { field::<*const Owned>(meta, "user_data").read() };
    // SAFETY: the meta owns it and is alive.
    Some(unsafe { &(*owned).arena }.clone())
}
