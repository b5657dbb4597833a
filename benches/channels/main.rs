// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Channels side by side with what they take the place of: a queue or a bridge of appsink and
//! appsrc in one process, shmsink and shmsrc across processes. Every round runs both, in turns, and
//! what counts is the median of the rounds' ratios.
//!
//! `cargo bench --bench channels [-- WORD]` runs the rows whose text has the word.
//! `DSFRAME_BENCH_ROUNDS` sets the number of rounds, `DSFRAME_BENCH_SMOKE=1` runs each row once and
//! briefly, to see that it works. Of the peers only the one in Python is to be installed, by
//! `benches/peers/setup.sh`.

mod across;
mod bridge;
#[path = "../common/mod.rs"]
mod common;
mod feed;
mod inproc;
mod latency;
mod python;
mod reader;

use common::table::{Row, Table};
use common::{Effort, Res};

const WIDTH: usize = 1920;
const HEIGHT: usize = 1080;
const SIZE: usize = WIDTH * HEIGHT * 3;
/// Frames that wait for whoever reads, at most.
const WAITING: u32 = 8;

fn caps() -> gst::Caps {
    gst::Caps::builder("video/x-raw")
        .field("format", "RGB")
        .field("width", WIDTH as i32)
        .field("height", HEIGHT as i32)
        .field("framerate", gst::Fraction::new(30, 1))
        .build()
}

/// A row, and the element without which it is left out.
struct Comparison<'a> {
    row: Row<'a>,
    needs: Option<&'static str>,
}

fn main() -> Res<()> {
    gst::init()?;
    gstdsframe::plugin_register_static()?;
    let mut args = std::env::args().skip(1);
    if args.next().as_deref() == Some(reader::WORD) {
        return reader::main(args);
    }
    // cargo adds `--bench`.
    let filter = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));

    let effort = Effort::from_environment();
    let mut table = Table::new(effort);
    let mut rows = inproc::all(effort);
    rows.extend(across::all(effort));
    for Comparison { row, needs } in rows {
        if filter.as_ref().is_some_and(|word| !row.says(word)) {
            continue;
        }
        match needs.filter(|name| gst::ElementFactory::find(name).is_none()) {
            Some(name) => table.leave_out(&row, &format!("there is no {name} here")),
            None => table.measure(row),
        }
    }
    table.print();
    if effort.smoke && table.failed() {
        return Err("a row did not run".into());
    }
    Ok(())
}
