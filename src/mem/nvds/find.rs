// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Finding the batch among the metas of a buffer.

#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::sync::OnceLock;

use gst::ffi::GstMeta;
use gst::glib;

use super::batch::{Batch, Unknown};
use crate::mem::sys::nvds::{Address, GstNvDsMeta, MetaType, TAG};

/// Finds batches, and remembers which types of metas have none: asking takes a lock each time.
#[derive(Debug)]
pub struct Finder {
    tagged: glib::Type,
    other: [glib::Type; 4],
    next: usize,
}

impl Default for Finder {
    fn default() -> Self {
        Self {
            tagged: glib::Type::INVALID,
            other: [glib::Type::INVALID; 4],
            next: 0,
        }
    }
}

/// The batch of a buffer, not looked at yet.
#[derive(Debug)]
pub struct Found<'a> {
    at: Address,
    buffer: PhantomData<&'a gst::BufferRef>,
}

impl Finder {
    /// The batch of a buffer; the last one if it has several, as DeepStream has it.
    pub fn find<'a>(&mut self, buffer: &'a gst::BufferRef) -> Option<Found<'a>> {
        let metas = buffer.iter_meta::<gst::Meta>();
        let batches = metas.filter_map(|meta| {
            if !self.is_tagged(meta.api()) {
                return None;
            }
            let meta: *const GstMeta = meta.as_ptr();
            // SAFETY: a meta of the buffer, which knows its kind for good.
            let info = unsafe { (*meta).info };
            // SAFETY: as above.
            let size = unsafe { (*info).size };
            if size < size_of::<GstNvDsMeta>() {
                return None;
            }
            // SAFETY: as large as the struct that all metas with DeepStream's tag are of.
            let meta = unsafe { meta.cast::<GstNvDsMeta>().read() };
            (meta.meta_type == MetaType::GST_BATCH).then_some(meta.meta_data)
        });
        batches.last().map(|at| Found {
            at,
            buffer: PhantomData,
        })
    }

    fn is_tagged(&mut self, api: glib::Type) -> bool {
        if api == self.tagged {
            return true;
        }
        if self.other.contains(&api) {
            return false;
        }
        static QUARK: OnceLock<glib::Quark> = OnceLock::new();
        let quark = *QUARK.get_or_init(|| glib::Quark::from_str(TAG));
        let tagged = gst::meta::meta_api_type_has_tag_by_quark(api, quark);
        if tagged {
            self.tagged = api;
        } else {
            self.other[self.next] = api;
            self.next = (self.next + 1) % self.other.len();
        }
        tagged
    }
}

impl<'a> Found<'a> {
    /// Checks that the layout is known, and locks the batch until the result is dropped.
    pub fn lock(self) -> Result<Batch<'a>, Unknown> {
        // SAFETY: the buffer has the meta, and with it the batch, for the lifetime.
        unsafe { Batch::lock(self.at) }
    }
}
