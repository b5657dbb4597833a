// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What is to stay free on a GPU while frames are copied there.

use std::time::{Duration, Instant};

use crate::mem::cuda::{CudaError, Gpu};

use super::SnapshotError;

/// The driver is asked no more often: it takes its time.
const ASK_AGAIN: Duration = Duration::from_millis(100);
/// Where there was too little, so that what is said about it is not said all the time.
const ASK_AGAIN_IF_FULL: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub struct Floor {
    min_free: u64,
    asked: Vec<(Gpu, Instant, u64)>,
}

impl Floor {
    pub fn new(min_free: u64) -> Self {
        Self {
            min_free,
            asked: Vec::new(),
        }
    }

    /// Whether there is enough for another frame.
    pub fn check(&mut self, gpu: Gpu) -> Result<(), SnapshotError> {
        let free = self.free(gpu)?;
        if free >= self.min_free {
            return Ok(());
        }
        Err(SnapshotError::Full {
            gpu: gpu.ordinal(),
            free,
            min_free: self.min_free,
        })
    }

    fn free(&mut self, gpu: Gpu) -> Result<u64, CudaError> {
        let wait = |free| match free < self.min_free {
            true => ASK_AGAIN_IF_FULL,
            false => ASK_AGAIN,
        };
        let known = self.asked.iter_mut().find(|(asked, ..)| *asked == gpu);
        if let Some((_, when, free)) = &known
            && when.elapsed() < wait(*free)
        {
            return Ok(*free);
        }
        let free = gpu.memory()?.0 as u64;
        match known {
            Some(known) => *known = (gpu, Instant::now(), free),
            None => self.asked.push((gpu, Instant::now(), free)),
        }
        Ok(free)
    }
}
