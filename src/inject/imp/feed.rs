// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! From what a source fetches to the buffer that is pushed: bad frames, time-outs, repetition,
//! timestamps and pacing.

use std::ops::ControlFlow;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::prelude::*;
use gst_video::VideoMeta;

use crate::fault::Fault;
use crate::meta::{origin, roi};

use super::{DsFrameInject, Streaming, lock};
use crate::inject::config::Config;
use crate::inject::enums::{OnError, OnTimeout};
use crate::inject::output::{Code, Launched, OutputError};
use crate::inject::source::recorded::BoxFit;
use crate::inject::source::{Fetched, Next, Provenance, SourceError};

/// What came of asking for a buffer.
pub(super) enum Produced {
    Buffer(gst::Buffer),
    /// None yet: the source has changed, and there is to be a new format.
    Changed,
}

/// Begins a frame that is `ahead` of the one to be pushed next. That one may wait for a surface.
fn launch(
    config: &Config,
    streaming: &mut Streaming,
    fetched: &Fetched,
    ahead: u64,
) -> Result<Launched, OutputError> {
    let frame = streaming.frame + ahead;
    let code = config.frame_code.map(|stream| Code {
        stream,
        frame: frame as u32,
    });
    let output = streaming.output.as_mut().ok_or(OutputError::Map)?;
    output.launch(&fetched.picture, code, ahead == 0)
}

/// Takes off what the pipeline attached that captured the frame. What of it is to travel is
/// attached anew.
fn remove_metas(buffer: &mut gst::BufferRef) {
    buffer.foreach_meta_mut(|mut meta| {
        // Those say where the planes lie, and belong to the memory.
        let stays = meta.downcast_ref::<VideoMeta>().is_some()
            || meta.downcast_ref::<gst::meta::ParentBufferMeta>().is_some()
            || meta.flags().contains(gst::MetaFlags::POOLED);
        ControlFlow::Continue(match stays {
            true => gst::buffer::BufferMetaForeachAction::Keep,
            false => gst::buffer::BufferMetaForeachAction::Remove,
        })
    });
}

/// Where the boxes of a frame are in the picture that is pushed.
fn box_fit(config: &Config, streaming: &Streaming, of: Option<(u32, u32)>) -> Option<BoxFit> {
    let target = streaming.output.as_ref()?.info();
    let native = streaming.source.as_ref().map(|source| source.facts());
    let native = native.and_then(|facts| facts.native.as_ref());
    let size = of.unwrap_or((target.width(), target.height()));
    let borders = native.filter(|_| config.add_borders);
    Some(BoxFit::new(size, target, borders))
}

impl DsFrameInject {
    /// The next buffer, at its time if live.
    pub(super) fn produce(
        &self,
        config: &Config,
        streaming: &mut Streaming,
    ) -> Result<Produced, gst::FlowError> {
        if let Some((fetched, launched)) = streaming.launched.take() {
            let made = self.finish(config, streaming, fetched, launched);
            return made.map(Produced::Buffer);
        }
        if let Some(fetched) = streaming.fetched.take() {
            let made = self.make(config, streaming, fetched);
            return made.map(Produced::Buffer);
        }
        loop {
            let ahead = streaming.ahead.take();
            let Some(source) = &mut streaming.source else {
                return Err(if streaming.ended {
                    gst::FlowError::Eos
                } else {
                    gst::FlowError::Flushing
                });
            };
            let next = ahead.unwrap_or_else(|| {
                let begun = Instant::now();
                let next = source.next(config.timeout);
                self.stats().add_waiting(begun.elapsed());
                next
            });
            let next = match next {
                Ok(next) => next,
                Err(error) => {
                    self.handle_bad(config, &error)?;
                    // Keeps its place in time, so that what follows does not move.
                    streaming.frame += 1;
                    streaming.discont = true;
                    continue;
                }
            };
            match next {
                Next::Frame(fetched) => {
                    let made = self.make(config, streaming, fetched);
                    return made.map(Produced::Buffer);
                }
                Next::Changed => {
                    lock(&self.shown).facts = Some(source.facts().clone());
                    return Ok(Produced::Changed);
                }
                Next::End => return Err(gst::FlowError::Eos),
                Next::Flushing => return Err(gst::FlowError::Flushing),
                Next::TimedOut => {
                    self.handle_timeout(config)?;
                    if let Some(again) = self.repeat(config, streaming)? {
                        return Ok(Produced::Buffer(again));
                    }
                }
            }
        }
    }

    /// Ok: go on with the next frame.
    fn handle_bad(&self, config: &Config, error: &SourceError) -> Result<(), gst::FlowError> {
        if config.on_error == OnError::Fail {
            return Err(self.error(error));
        }
        Fault::from(error).post_warning(self.obj().upcast_ref());
        self.stats().skipped.fetch_add(1, Ordering::Relaxed);
        if config.on_error == OnError::Skip && error.is_one_frame() {
            return Ok(());
        }
        Err(gst::FlowError::Eos)
    }

    /// Ok: push the last frame again.
    pub(super) fn handle_timeout(&self, config: &Config) -> Result<(), gst::FlowError> {
        self.stats().timeouts.fetch_add(1, Ordering::Relaxed);
        let fault = Fault::resource(
            gst::ResourceError::Read,
            format!(
                "no frame came within {} ms (property \"timeout\")",
                config.timeout.unwrap_or_default().as_millis()
            ),
        );
        match config.on_timeout {
            OnTimeout::Fail => Err(self.error(fault)),
            OnTimeout::Eos => {
                fault.post_warning(self.obj().upcast_ref());
                Err(gst::FlowError::Eos)
            }
            OnTimeout::Repeat => Ok(()),
        }
    }

    /// The last frame again, at the next time. `None` before the first.
    fn repeat(
        &self,
        config: &Config,
        streaming: &mut Streaming,
    ) -> Result<Option<gst::Buffer>, gst::FlowError> {
        let Some(mut again) = streaming.last.clone() else {
            return Ok(None);
        };
        let facts = streaming.source.as_ref().map(|source| source.facts());
        let own = facts
            .filter(|facts| facts.own_timestamps)
            .and_then(|_| Some(again.pts()? + again.duration()?));
        if !self.pace(config, streaming, own) {
            return Err(gst::FlowError::Flushing);
        }
        self.stats().repeated.fetch_add(1, Ordering::Relaxed);
        self.stamp(streaming, again.make_mut(), own, None, None);
        let until = again.pts().zip(again.duration());
        if let (Some(source), Some((pts, duration))) = (&mut streaming.source, until) {
            source.repeated(pts.saturating_add(duration));
        }
        streaming.last = Some(again.clone());
        self.count(&again);
        Ok(Some(again))
    }

    fn make(
        &self,
        config: &Config,
        streaming: &mut Streaming,
        fetched: Fetched,
    ) -> Result<gst::Buffer, gst::FlowError> {
        // Paced before it is made: what `unlock()` interrupts is made for the caps that hold then.
        if !self.pace(config, streaming, fetched.pts) {
            streaming.fetched = Some(fetched);
            return Err(gst::FlowError::Flushing);
        }
        match launch(config, streaming, &fetched, 0) {
            Ok(launched) => self.finish(config, streaming, fetched, launched),
            Err(OutputError::Flushing) => {
                streaming.fetched = Some(fetched);
                Err(gst::FlowError::Flushing)
            }
            Err(error) => Err(self.cannot_make(&error)),
        }
    }

    fn cannot_make(&self, error: &OutputError) -> gst::FlowError {
        self.error(Fault::resource(gst::ResourceError::Failed, error))
    }

    /// Begins the frame after the one that the card is at, if that one is there already. What came
    /// of it is for the next call: this one has a frame to push.
    fn launch_ahead(&self, config: &Config, streaming: &mut Streaming) {
        // A live frame is made at its time.
        if config.is_live || self.arrives() {
            return;
        }
        let Some(source) = &mut streaming.source else {
            return;
        };
        let known = streaming.ahead.take();
        match known.unwrap_or_else(|| source.next(Some(Duration::ZERO))) {
            Ok(Next::Frame(fetched)) => match launch(config, streaming, &fetched, 1) {
                Ok(launched) => streaming.launched = Some((fetched, launched)),
                // Tried again, and the error said, when it is this frame's turn.
                Err(_) => streaming.fetched = Some(fetched),
            },
            Ok(Next::TimedOut | Next::Flushing) => (),
            other => streaming.ahead = Some(other),
        }
    }

    fn finish(
        &self,
        config: &Config,
        streaming: &mut Streaming,
        fetched: Fetched,
        launched: Launched,
    ) -> Result<gst::Buffer, gst::FlowError> {
        // The source may be another one, in effect, when it was asked for the frame ahead.
        let Some(fit) = box_fit(config, streaming, fetched.boxes_of) else {
            return Err(gst::FlowError::NotNegotiated);
        };
        if launched.is_on_card() {
            self.launch_ahead(config, streaming);
        }
        let Some(output) = &mut streaming.output else {
            return Err(gst::FlowError::NotNegotiated);
        };
        let mut buffer = output
            .finish(launched)
            .map_err(|error| self.cannot_make(&error))?;
        let Fetched {
            picture,
            pts,
            duration,
            detections,
            provenance,
            ..
        } = fetched;
        // Its frame may be the very buffer, which is then ours alone and need not be copied.
        drop(picture);
        let writable = buffer.make_mut();
        if let Some(Provenance {
            meta, pts, discont, ..
        }) = provenance.as_deref()
        {
            remove_metas(writable);
            origin::attach(writable, meta, *pts);
            streaming.discont |= discont;
        }
        roi::attach(writable, &fit.apply_all(detections));
        let waited = provenance.map(|it| it.since.elapsed());
        self.stamp(streaming, writable, pts, duration, waited);
        if config.on_timeout == OnTimeout::Repeat && config.timeout.is_some() {
            streaming.last = Some(buffer.clone());
        }
        self.count(&buffer);
        Ok(buffer)
    }

    fn count(&self, buffer: &gst::BufferRef) {
        let stats = self.stats();
        stats.frames.fetch_add(1, Ordering::Relaxed);
        stats
            .bytes
            .fetch_add(buffer.size() as u64, Ordering::Relaxed);
    }

    /// Whether frames come by another clock, when they come.
    pub(super) fn arrives(&self) -> bool {
        lock(&self.shown).facts.as_ref().is_some_and(|f| f.live)
    }

    /// Gives a buffer its number, its time and its flags. `waited` is how long ago it came.
    fn stamp(
        &self,
        streaming: &mut Streaming,
        buffer: &mut gst::BufferRef,
        own_pts: Option<gst::ClockTime>,
        own_duration: Option<gst::ClockTime>,
        waited: Option<Duration>,
    ) {
        let frame = streaming.frame;
        streaming.frame += 1;
        let timeline = streaming.timeline();
        let counted = timeline.pts(frame);
        let pts = if self.arrives() {
            // From another clock: what counts is when it came.
            let waited = waited.and_then(|waited| waited.try_into().ok());
            let now = self.obj().current_running_time();
            now.map(|now| now.saturating_sub(waited.unwrap_or_default()))
                .or(own_pts)
        } else if own_pts.is_some() {
            own_pts
        } else if self.obj().does_timestamp() {
            // The base class stamps what has no time.
            None
        } else {
            Some(counted)
        };
        buffer.set_pts(pts);
        buffer.set_dts(gst::ClockTime::NONE);
        buffer.set_duration(own_duration.or_else(|| timeline.duration(frame)));
        buffer.set_offset(frame);
        buffer.set_offset_end(frame + 1);
        if std::mem::take(&mut streaming.discont) {
            buffer.set_flags(gst::BufferFlags::DISCONT);
        } else {
            buffer.unset_flags(gst::BufferFlags::DISCONT);
        }
    }

    /// Waits for the time of the next frame, if live. False if `unlock()` ended that.
    fn pace(
        &self,
        config: &Config,
        streaming: &Streaming,
        own_pts: Option<gst::ClockTime>,
    ) -> bool {
        let obj = self.obj();
        let paced = config.is_live && !self.arrives();
        let (true, Some(clock), Some(base)) = (paced, obj.clock(), obj.base_time()) else {
            return true;
        };
        let pts = own_pts.unwrap_or_else(|| streaming.timeline().pts(streaming.frame));
        let segment = obj.segment();
        let running = segment
            .downcast_ref::<gst::ClockTime>()
            .and_then(|segment| segment.to_running_time(pts));
        match running {
            Some(running) => self
                .pace
                .wait(&self.gate, &clock, base.saturating_add(running)),
            None => true,
        }
    }
}
