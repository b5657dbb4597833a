// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What the elements do on a card, side by side with what bounds them and what they take the place
//! of. Ours and the peer run in turns; medians of the rounds count.
//!
//! `tests/gpu/pack.sh` packs this for a machine with a card, `run.sh bench` runs it there. Peers are
//! programs that measure for as long as they are told: their start is in no figure. A rate of ours
//! is a difference of the element's own counters over a time in which it had long been running.
//!
//! `DSFRAME_GPU_ROWS` is a regular expression for the rows to run; `DSFRAME_GPU_ROUNDS` their
//! number (3); `DSFRAME_GPU_CAPTURE` and `DSFRAME_GPU_INJECT` set properties of all the elements of
//! ours, as in `workers=4 queue-size=32`, to see what they do.

mod across;
mod card;
mod feed;
#[path = "../../tests/gpu/mail.rs"]
mod mail;
mod material;
mod peer;
mod rows;
mod run;
mod table;

use std::error::Error;

type Res<T> = Result<T, Box<dyn Error>>;

fn main() -> Res<()> {
    gst::init()?;
    if across::is_reader() {
        return across::read();
    }
    gstdsframe::plugin_register_static()?;
    let wanted = std::env::var("DSFRAME_GPU_ROWS").unwrap_or_default();
    let is_wanted = |row: &rows::Row| {
        glib::Regex::match_simple(
            wanted.as_str(),
            row.work,
            glib::RegexCompileFlags::CASELESS,
            glib::RegexMatchFlags::DEFAULT,
        )
    };
    let material = material::Material::new()?;
    let mut table = table::Table::new();
    for row in rows::all(&material).into_iter().filter(is_wanted) {
        table.measure(row);
    }
    table.print();
    if table.failed() {
        return Err("a row did not run".into());
    }
    Ok(())
}
