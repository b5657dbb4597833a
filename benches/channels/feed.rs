// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A pad that frames are pushed into, as the source of a pipeline would.

use gst::prelude::*;

use super::{Res, SIZE, caps};

/// A pad before an element.
pub struct Feed {
    pub pad: gst::Pad,
}

impl Feed {
    /// To be begun once the element runs.
    pub fn of(element: &gst::Element) -> Res<Self> {
        let pad = gst::Pad::builder(gst::PadDirection::Src).build();
        pad.link(&element.static_pad("sink").ok_or("no pad")?)?;
        pad.set_active(true)?;
        Ok(Self { pad })
    }

    pub fn begin(&self) {
        let segment = gst::FormattedSegment::<gst::ClockTime>::new();
        self.pad
            .push_event(gst::event::StreamStart::new("channels"));
        self.pad.push_event(gst::event::Caps::new(&caps()));
        self.pad.push_event(gst::event::Segment::new(&segment));
    }

    /// Where whoever is behind the pad wants frames to be made, as a source asks for it: a pool of
    /// theirs, or one of memory of theirs.
    pub fn proposed_pool(&self, most: u32) -> Res<gst::BufferPool> {
        let caps = caps();
        let mut query = gst::query::Allocation::new(Some(&caps), true);
        if !self.pad.peer_query(&mut query) {
            return Err("no answer to the question for a pool".into());
        }
        let pool = query.allocation_pools().next();
        let (pool, size) = match pool {
            Some((Some(pool), size, ..)) => (pool, size),
            _ => (gst::BufferPool::new(), SIZE as u32),
        };
        let (allocator, params) = query.allocation_params().next().unwrap_or_default();
        let mut config = pool.config();
        config.set_params(Some(&caps), size, 0, most);
        if allocator.is_some() {
            config.set_allocator(allocator.as_ref(), Some(&params));
        }
        pool.set_config(config)?;
        pool.set_active(true)?;
        Ok(pool)
    }

    /// A pool that nobody downstream knows of.
    pub fn own_pool(most: u32) -> Res<gst::BufferPool> {
        let pool = gst::BufferPool::new();
        let mut config = pool.config();
        config.set_params(Some(&caps()), SIZE as u32, 0, most);
        pool.set_config(config)?;
        pool.set_active(true)?;
        Ok(pool)
    }
}
