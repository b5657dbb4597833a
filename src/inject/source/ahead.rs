// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! How the sources that read ahead are driven.

use std::time::Duration;

use super::super::gate::Wait;
use super::super::prefetch::{Feed, Prefetch, Work};
use super::{Fetched, Next, Picture, SourceError, Surroundings};
use crate::frame::Frame;

pub type Outcome = Result<Frame, SourceError>;

/// Threads that read and convert ahead: as many as there is work and cores for.
pub fn spawn<J: Send + 'static, W: Work<J, Outcome> + 'static>(
    name: &str,
    around: &Surroundings,
    feed: Feed<J>,
    worker: impl Fn() -> Result<W, SourceError>,
    cancel: Box<dyn Fn() + Send>,
) -> Result<Prefetch<J, Outcome>, SourceError> {
    let bound = around.prefetch.max(1);
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
    let workers = (0..bound.min(cores))
        .map(|_| Ok(Box::new(worker()?) as Box<dyn Work<J, Outcome>>))
        .collect::<Result<Vec<_>, SourceError>>()?;
    let broken = || Err(SourceError::Internal("a reading thread panicked".into()));
    let gate = around.gate.clone();
    Prefetch::spawn(name, gate, bound, feed, workers, broken, cancel)
        .map_err(|error| SourceError::Internal(format!("cannot start a thread: {error}")))
}

/// The next result, as a source hands it out.
pub fn next<J: Send + 'static>(
    ahead: &Prefetch<J, Outcome>,
    limit: Option<Duration>,
) -> Result<Next, SourceError> {
    Ok(match ahead.next(limit) {
        Wait::Ready(Some(frame)) => Next::Frame(bare(frame?)),
        Wait::Ready(None) => Next::End,
        Wait::Flushing => Next::Flushing,
        Wait::TimedOut => Next::TimedOut,
    })
}

/// A frame that nothing else is known of.
pub fn bare(frame: Frame) -> Fetched {
    Fetched {
        picture: Picture::Ready(frame),
        pts: None,
        duration: None,
        number: None,
        detections: Vec::new(),
        boxes_of: None,
        provenance: None,
    }
}
