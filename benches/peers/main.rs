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

#[path = "../common/mod.rs"]
mod common;
mod material;
mod picture;
mod rows;
mod run;
mod server;

use common::table::Table;
use common::{Effort, Res};

fn main() -> Res<()> {
    // cargo adds `--bench`.
    let filter = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    gst::init()?;
    gstdsframe::plugin_register_static()?;

    let effort = Effort::from_environment();
    let material = material::Material::new(effort)?;
    let mut table = Table::new(effort);
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
