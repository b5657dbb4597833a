// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What benchmarks against peers share.

#![allow(dead_code, reason = "no benchmark uses all of it")]

pub mod load;
pub mod table;

use std::error::Error;

pub type Res<T> = Result<T, Box<dyn Error>>;

/// How much is measured.
#[derive(Clone, Copy)]
pub struct Effort {
    pub rounds: usize,
    pub smoke: bool,
}

impl Effort {
    pub fn from_environment() -> Self {
        let smoke = std::env::var("DSFRAME_BENCH_SMOKE").is_ok_and(|value| value == "1");
        let rounds = std::env::var("DSFRAME_BENCH_ROUNDS")
            .ok()
            .and_then(|rounds| rounds.parse().ok())
            .unwrap_or(7);
        Self {
            rounds: if smoke { 1 } else { rounds },
            smoke,
        }
    }

    /// A number of frames.
    pub fn frames(self, full: usize) -> usize {
        if self.smoke { full.div_ceil(20) } else { full }
    }
}
