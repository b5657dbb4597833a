// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Frames into channels, on the streaming thread: what waits for room, and what is said meanwhile.

use std::sync::Arc;
use std::time::Duration;

use gst::prelude::*;
use gst::subclass::prelude::*;

use super::DsFrameCapture;
use crate::capture::deliver::channel::{Channel, Channels};
use crate::capture::enums::Overflow;
use crate::capture::job::Job;
use crate::capture::run::Run;
use crate::capture::stats::Fate;
use crate::channel::{Full, NoRoom, Parcel};
use crate::fault::Fault;
use crate::gate::Wait;

/// How long a channel may be without a reader before that is said.
const PATIENCE: Duration = Duration::from_secs(2);

impl DsFrameCapture {
    pub(super) fn unreceived(run: &Run, frames: u64, then: &str) -> String {
        format!(
            "{frames} frames were not received by readers of channel {} within drain-timeout \
             ({} ms): {then}",
            run.config.channel.as_ref().map_or("", |rules| &rules.name),
            run.config.drain_timeout.as_millis()
        )
    }

    pub(super) fn warn_unreceived(&self, run: &Run, frames: u64, then: &str) {
        let text = Self::unreceived(run, frames, then);
        Fault::resource(gst::ResourceError::Busy, text).post_warning(self.obj().upcast_ref());
    }

    /// Sends the frames of a job into their channels, by `send`, which may be interrupted.
    pub(super) fn send(
        &self,
        run: &Run,
        channels: &Channels,
        job: &Job,
        send: impl Fn(&Channel, &Arc<Parcel>) -> Result<(), gst::FlowError>,
    ) -> Result<(), gst::FlowError> {
        let delivery = run.worker.process();
        // Where nothing else is made of them, a frame is captured when a reader has it.
        let ticket = (!delivery.is_needed()).then_some(&job.ticket);
        let settle = |fate| ticket.map(|ticket| ticket.settle_one(fate));
        let mut outcome = Ok(());
        for capture in &job.captures {
            if outcome.is_err() {
                settle(Fate::DroppedFlush);
                continue;
            }
            if capture.frame.is_none() {
                channels.count_unread(capture.facts.stream);
                settle(Fate::DroppedOverflow);
                continue;
            }
            match channels.parcel(capture, ticket) {
                Ok((channel, parcel)) => {
                    outcome = send(&channel, &parcel);
                    if outcome.is_err() {
                        parcel.withdraw();
                    }
                }
                Err(error) => {
                    settle(Fate::Failed);
                    delivery.report((&error).into());
                }
            }
        }
        outcome
    }

    pub(super) fn send_parcel(
        &self,
        run: &Run,
        channel: &Channel,
        parcel: &Arc<Parcel>,
    ) -> Result<(), gst::FlowError> {
        loop {
            let Err(NoRoom { readers }) = channel.hub().send(parcel, Full::Refuse) else {
                return Ok(());
            };
            if channel.hub().failure().is_some() {
                // Said with the next frame.
                return Ok(());
            }
            let full = match self.overflow(run) {
                Overflow::DropNewest => Full::DropNewest,
                Overflow::DropOldest | Overflow::Auto => Full::DropOldest,
                Overflow::Block => {
                    self.wait_for_room(run, channel, readers)?;
                    continue;
                }
            };
            // Refuses nothing.
            let _ = channel.hub().send(parcel, full);
            return Ok(());
        }
    }

    fn wait_for_room(
        &self,
        run: &Run,
        channel: &Channel,
        readers: usize,
    ) -> Result<(), gst::FlowError> {
        let hub = channel.hub();
        let room = || (hub.has_room() || hub.failure().is_some()).then_some(());
        if readers > 0 {
            return self.wait(run, None, room).map(drop);
        }
        if self.wait(run, Some(PATIENCE), room)? == Wait::TimedOut {
            if channel.say_waiting() {
                let text = format!(
                    "channel {} has no reader: the pipeline waits for one, as property \
                     \"overflow\" is block, or auto without a live source",
                    channel.name()
                );
                Fault::resource(gst::ResourceError::Busy, text)
                    .post_warning(self.obj().upcast_ref());
            }
            return self.wait(run, None, room).map(drop);
        }
        Ok(())
    }
}
