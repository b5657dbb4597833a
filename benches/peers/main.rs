// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Side-by-side measurements against what the elements take the place of: every round runs both,
//! in turns, and what counts is the median of the rounds' ratios. Only ratios can be compared
//! between machines.
//!
//! `cargo bench --bench peers [-- WORD]` runs the rows whose text has the word.
//! `benches/peers/setup.sh` installs the peers; rows whose peer is missing say so.
//! `DSFRAME_BENCH_ROUNDS` sets the number of rounds, `DSFRAME_BENCH_SMOKE=1` runs each row once and
//! briefly, to see that it works.

mod material;
mod picture;
mod rows;
mod run;
mod table;

use std::error::Error;

type Res<T> = Result<T, Box<dyn Error>>;

/// How much is measured.
#[derive(Clone, Copy)]
struct Effort {
    rounds: usize,
    smoke: bool,
}

impl Effort {
    fn from_environment() -> Self {
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
    fn frames(self, full: usize) -> usize {
        if self.smoke { full.div_ceil(20) } else { full }
    }
}

fn main() -> Res<()> {
    // cargo adds `--bench`.
    let filter = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    gst::init()?;
    gstdsframe::plugin_register_static()?;

    let effort = Effort::from_environment();
    let material = material::Material::new(effort)?;
    let mut table = table::Table::new(effort);
    for row in rows::all(effort, &material) {
        if filter.as_ref().is_none_or(|word| row.says(word)) {
            table.measure(row);
        }
    }
    table.print();
    if effort.smoke && table.failed() {
        return Err("a row did not run".into());
    }
    Ok(())
}
