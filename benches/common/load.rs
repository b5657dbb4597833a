// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What else the machine is doing.

use std::fs;
use std::thread;
use std::time::Instant;

use super::Res;

/// CPU time of the whole machine and of this process with its children, so far.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    at: Instant,
    machine: f64,
    own: f64,
}

impl Load {
    pub fn now() -> Res<Self> {
        // In 1/100 s, both.
        let ticks = |fields: &str, skip, take| {
            fields
                .split_whitespace()
                .skip(skip)
                .take(take)
                .map(str::parse::<f64>)
                .sum::<Result<f64, _>>()
        };
        let stat = fs::read_to_string("/proc/stat")?;
        let cpu = stat.lines().next().unwrap_or_default();
        let own = fs::read_to_string("/proc/self/stat")?;
        // Behind the name, which may have anything in it.
        let own = own.rsplit_once(')').ok_or("no process statistics")?.1;
        Ok(Self {
            at: Instant::now(),
            // All but idle and waiting.
            machine: (ticks(cpu, 1, 3)? + ticks(cpu, 6, 3)?) / 100.0,
            own: ticks(own, 11, 4)? / 100.0,
        })
    }

    /// The part of the machine that others have had since.
    pub fn others(&self) -> Res<f64> {
        let now = Self::now()?;
        let cores = thread::available_parallelism().map_or(1, usize::from) as f64;
        let others = (now.machine - self.machine) - (now.own - self.own);
        Ok(others.max(0.0) / (now.at - self.at).as_secs_f64() / cores)
    }
}
