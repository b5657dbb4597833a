// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Frames into the format and size that were negotiated, in memory that is used again.

use std::sync::{Arc, PoisonError, RwLock};

use gst_video::video_frame::Writable;
use gst_video::{VideoFrame, VideoInfo};

use super::{SourceError, Target};
use crate::frame::convert::describe;
use crate::frame::{CardConverter, Converter, Frame, HostPool, PoolError};
use crate::mem::cuda::Gpu;

/// Kinds of frames that a thread is ready to convert at any time; a folder may mix sizes.
const KINDS: usize = 4;

impl From<PoolError> for SourceError {
    fn from(error: PoolError) -> Self {
        Self::Internal(error.to_string())
    }
}

/// A target with the frames that are made for it.
#[derive(Debug)]
pub struct Wanted {
    pub target: Target,
    pub pool: HostPool,
}

impl Wanted {
    /// Whether frames of this kind need no conversion. Where chroma is sited is not looked at:
    /// caps seldom say it, and a picture moved by half a sample would be no better.
    pub fn is_native(&self, native: &VideoInfo) -> bool {
        let info = &self.target.info;
        let key = |i: &VideoInfo| {
            let colors = i.colorimetry();
            let size = (i.format(), i.width(), i.height());
            (size, colors.range(), colors.matrix())
        };
        key(info) == key(native) && (!self.target.add_borders || info.par() == native.par())
    }

    /// Whether frames of this kind are left for the card to convert.
    pub fn is_for_card(&self, native: &VideoInfo) -> bool {
        self.target.card.is_some() && CardConverter::takes(native, &self.target.info)
    }
}

/// Frames that may go to a card from where they are.
fn pool(info: &VideoInfo, card: Option<Gpu>) -> Result<HostPool, PoolError> {
    match card {
        Some(gpu) => HostPool::pinned(info, gpu),
        None => HostPool::new(info),
    }
}

/// The target as the threads see it: it can change while they work.
#[derive(Debug, Clone, Default)]
pub struct Wish(Arc<RwLock<Option<Arc<Wanted>>>>);

impl Wish {
    pub fn set(&self, target: &Target) -> Result<(), SourceError> {
        if self.get().is_ok_and(|wanted| wanted.target == *target) {
            return Ok(());
        }
        let wanted = Wanted {
            target: target.clone(),
            pool: pool(&target.info, target.card)?,
        };
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(wanted));
        Ok(())
    }

    pub fn get(&self) -> Result<Arc<Wanted>, SourceError> {
        let wanted = self.0.read().unwrap_or_else(PoisonError::into_inner);
        wanted
            .clone()
            .ok_or_else(|| SourceError::Internal("frames were asked for before a format".into()))
    }
}

/// Pools of frames that are yet to be converted.
#[derive(Debug, Default)]
pub struct Scratch(Vec<(HostPool, Option<Gpu>)>);

impl Scratch {
    pub fn acquire(
        &mut self,
        wanted: &Wanted,
        info: &VideoInfo,
    ) -> Result<VideoFrame<Writable>, SourceError> {
        let card = wanted.target.card.filter(|_| wanted.is_for_card(info));
        let is_it = |(pool, of): &(HostPool, _)| pool.info() == info && *of == card;
        let found = match self.0.iter().position(is_it) {
            Some(found) => found,
            None => {
                self.0.truncate(KINDS - 1);
                self.0.insert(0, (pool(info, card)?, card));
                0
            }
        };
        Ok(self.0[found].0.acquire()?)
    }
}

/// Makes frames for the target: one for each thread.
#[derive(Debug, Default)]
pub struct Fitter {
    scratch: Scratch,
    /// With the target they are for.
    converters: Vec<(Converter, bool)>,
}

impl Fitter {
    /// A frame of the target, written by `fill` as one of `native`: in place if the two agree, and
    /// left as it is for a card that converts it.
    pub fn make(
        &mut self,
        wanted: &Wanted,
        native: &VideoInfo,
        fill: impl FnOnce(&mut VideoFrame<Writable>) -> Result<(), SourceError>,
    ) -> Result<Frame, SourceError> {
        if wanted.is_native(native) {
            let mut frame = wanted.pool.acquire()?;
            fill(&mut frame)?;
            return Ok(frame.into());
        }
        let mut frame = self.scratch.acquire(wanted, native)?;
        fill(&mut frame)?;
        if wanted.is_for_card(native) {
            return Ok(frame.into());
        }
        self.convert(wanted, frame.into())
    }

    /// The frame itself if it is what is wanted or what the card converts, else the converted one.
    pub fn fit(&mut self, wanted: &Wanted, frame: Frame) -> Result<Frame, SourceError> {
        if wanted.is_native(&frame.info) {
            let info = wanted.target.info.clone();
            return Ok(Frame { info, ..frame });
        }
        if wanted.is_for_card(&frame.info) {
            return Ok(frame);
        }
        self.convert(wanted, frame)
    }

    fn convert(&mut self, wanted: &Wanted, frame: Frame) -> Result<Frame, SourceError> {
        let to = &wanted.target.info;
        let bad = |from: &VideoInfo| SourceError::BadStream {
            what: describe(from),
            reason: format!("cannot be converted to {}", describe(to)),
        };
        let from = frame.info.clone();
        let borders = wanted.target.add_borders;
        let found = self
            .converters
            .iter()
            .position(|(c, b)| *b == borders && *c.from() == from && c.to() == to);
        let found = match found {
            Some(found) => found,
            None => {
                let converter = Converter::new(&from, to, borders).map_err(|_| bad(&from))?;
                self.converters.truncate(KINDS - 1);
                self.converters.insert(0, (converter, borders));
                0
            }
        };
        let mapped = frame.map().map_err(|error| SourceError::BadStream {
            what: describe(&from),
            reason: error.to_string(),
        })?;
        let mut out = wanted.pool.acquire()?;
        self.converters[found].0.convert(&mapped, &mut out);
        Ok(out.into())
    }
}
