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
    /// theirs, or one of memory of theirs, which then has `most` buffers.
    pub fn proposed_pool(&self, most: u32) -> Res<gst::BufferPool> {
        let mut query = gst::query::Allocation::new(Some(&caps()), true);
        if !self.pad.peer_query(&mut query) {
            return Err("no answer to the question for a pool".into());
        }
        let (allocator, params) = query.allocation_params().next().unwrap_or_default();
        match query.allocation_pools().next() {
            Some((Some(pool), size, least, most)) => {
                start(&pool, size, (least, most), allocator.map(|it| (it, params)))?;
                Ok(pool)
            }
            _ => {
                let allocator = allocator.ok_or("no memory is proposed")?;
                let pool = gst::BufferPool::new();
                start(&pool, SIZE as u32, (0, most), Some((allocator, params)))?;
                Ok(pool)
            }
        }
    }

    /// A pool that nobody downstream knows of. It has as many buffers as are in use.
    pub fn own_pool() -> Res<gst::BufferPool> {
        let pool = gst::BufferPool::new();
        start(&pool, SIZE as u32, (0, 0), None)?;
        Ok(pool)
    }
}

fn start(
    pool: &gst::BufferPool,
    size: u32,
    (least, most): (u32, u32),
    allocator: Option<(gst::Allocator, gst::AllocationParams)>,
) -> Res<()> {
    let mut config = pool.config();
    config.set_params(Some(&caps()), size, least, most);
    if let Some((allocator, params)) = &allocator {
        config.set_allocator(Some(allocator), Some(params));
    }
    pool.set_config(config)?;
    pool.set_active(true)?;
    Ok(())
}
