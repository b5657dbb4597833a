// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! One frame on its way through a channel.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use gst_video::VideoInfo;

use super::unix::{Copies, ExportError, Exported};
use crate::frame::Snapshot;
use crate::meta::FrameMeta;

/// What is known about a frame besides its pixels.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// ns, as in the producer's pipeline.
    pub pts: Option<u64>,
    pub duration: Option<u64>,
    /// It does not follow the frame before it.
    pub discont: bool,
    /// Boxes are in pixels of the frame.
    pub meta: FrameMeta,
}

/// Told what became of a parcel. Dropped without a word: no reader took it.
pub trait Receipt: Send + Sync {
    /// A reader has it, or will get it whatever the producer does now. May be told more than once.
    fn taken(&self);

    /// It was not sent, as the producer was interrupted.
    fn withdrawn(&self);
}

/// Pixels, facts, and who is to be told.
pub struct Parcel {
    picture: Mutex<Snapshot>,
    info: VideoInfo,
    pub facts: Facts,
    /// Differs from run to run of the producer.
    pub session: u64,
    /// When it came into this process, or was made in it.
    pub since: Instant,
    receipt: Option<Box<dyn Receipt>>,
    /// Where other processes can read it in host memory; found once for all readers.
    exported: Arc<OnceLock<Result<Exported, ExportError>>>,
}

impl Parcel {
    pub fn new(
        picture: Snapshot,
        facts: Facts,
        session: u64,
        receipt: Option<Box<dyn Receipt>>,
    ) -> Self {
        Self {
            info: picture.info().clone(),
            picture: Mutex::new(picture),
            facts,
            session,
            since: Instant::now(),
            receipt,
            exported: Arc::default(),
        }
    }

    /// The same frame, without what its producer is told.
    pub fn share(&self) -> Self {
        Self {
            picture: Mutex::new(self.picture()),
            info: self.info.clone(),
            facts: self.facts.clone(),
            session: self.session,
            since: self.since,
            receipt: None,
            exported: self.exported.clone(),
        }
    }

    pub fn into_parts(self) -> (Snapshot, Facts) {
        let picture = self.picture.into_inner();
        (picture.unwrap_or_else(PoisonError::into_inner), self.facts)
    }

    fn lock(&self) -> MutexGuard<'_, Snapshot> {
        self.picture.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn picture(&self) -> Snapshot {
        self.lock().clone()
    }

    /// Where other processes can read the picture in host memory. What is copied for them takes the
    /// place of an original in host memory, whose buffer goes back to its pool; one on a card
    /// stays, for readers there.
    pub(super) fn in_host(&self, copies: &Copies) -> Result<&Exported, &ExportError> {
        let exported = self.exported.get_or_init(|| {
            let picture = self.picture();
            let exported = Exported::in_host(&picture, copies)?;
            // Let go without the lock.
            let original = match (&mut *self.lock(), exported.buffer()) {
                (Snapshot::Host(frame), Some(buffer)) => {
                    Some(std::mem::replace(&mut frame.buffer, buffer.clone()))
                }
                _ => None,
            };
            drop((picture, original));
            Ok(exported)
        });
        exported.as_ref()
    }

    /// Whether that was tried.
    pub(super) fn was_in_host(&self) -> bool {
        self.exported.get().is_some()
    }

    /// Format, size, rate and colours.
    pub fn info(&self) -> &VideoInfo {
        &self.info
    }

    /// Instead of sending it.
    pub fn withdraw(&self) {
        if let Some(receipt) = &self.receipt {
            receipt.withdrawn();
        }
    }

    pub(super) fn taken(&self) {
        if let Some(receipt) = &self.receipt {
            receipt.taken();
        }
    }
}

impl fmt::Debug for Parcel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parcel")
            .field("facts", &self.facts)
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}
