// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Rounds, medians, and the table of them.

use std::fs::OpenOptions;
use std::io::Write;

use super::rows::{Goal, Ready, Row, Unit};
use super::{Res, card};

/// Cells of a line: row, ours, peer, ratio, goal, met.
type Cells = [String; 6];

pub struct Table {
    rounds: usize,
    lines: Vec<Cells>,
    notes: Vec<String>,
    failed: bool,
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    if !sorted.len().is_multiple_of(2) {
        sorted[half]
    } else {
        (sorted[half - 1] + sorted[half]) / 2.0
    }
}

fn spread(values: &[f64]) -> (f64, f64) {
    let start = (f64::INFINITY, f64::NEG_INFINITY);
    values.iter().fold(start, |(low, high), &value| {
        (low.min(value), high.max(value))
    })
}

impl Unit {
    fn show(self, value: f64) -> String {
        match self {
            Self::PerSecond => format!("{value:.0}/s"),
            Self::Micros => format!("{value:.2} µs"),
            Self::MiB => format!("{value:+.2} MiB"),
        }
    }
}

impl Goal {
    fn text(self) -> String {
        match self {
            Self::Share(share) if share <= 1.0 => format!("at least {:.0} %", share * 100.0),
            Self::Share(times) => format!("at least {times}x"),
            Self::Rate(rate) => format!("at least {rate:.0}/s"),
            Self::Micros(micros) => format!("at most {micros} µs"),
            Self::MicrosMore(micros) => format!("at most {micros} µs more"),
            Self::Growth(mib) => format!("at most {mib} MiB"),
            Self::None => String::new(),
        }
    }

    /// `compared` is the ratio, or the difference for microseconds.
    fn is_met(self, ours: f64, compared: Option<f64>) -> Option<bool> {
        match self {
            Self::Share(share) => compared.map(|ratio| ratio >= share),
            Self::Rate(rate) => Some(ours >= rate),
            Self::Micros(micros) => Some(ours <= micros),
            Self::MicrosMore(micros) => compared.map(|more| more <= micros),
            Self::Growth(mib) => Some(ours <= mib),
            Self::None => None,
        }
    }
}

impl Table {
    pub fn new() -> Self {
        let rounds = std::env::var("DSFRAME_GPU_ROUNDS");
        Self {
            rounds: rounds.ok().and_then(|n| n.parse().ok()).unwrap_or(3).max(1),
            lines: Vec::new(),
            notes: Vec::new(),
            failed: false,
        }
    }

    pub fn failed(&self) -> bool {
        self.failed
    }

    pub fn measure(&mut self, row: Row<'_>) {
        let (work, unit, goal) = (row.work, row.unit, row.goal);
        let rounds = if row.once { 1 } else { self.rounds };
        eprintln!("{work} ...");
        let result = (row.make)().and_then(|ready| {
            self.notes.extend(ready.note.clone());
            rows(ready, work, unit, goal, rounds)
        });
        let cells = result.unwrap_or_else(|error| {
            self.failed = true;
            // As much of the reason as a line of a table takes; all of it goes to the log.
            eprintln!("  {error}");
            let reason: String = error.to_string().chars().take(80).collect();
            let met = format!("not run: {}", reason.replace(['\n', '\t', '|'], " "));
            [
                work.into(),
                "".into(),
                "".into(),
                "".into(),
                goal.text(),
                met,
            ]
        });
        eprintln!("  {}", cells[1..].join(" | "));
        if let Err(error) = record(&cells) {
            eprintln!("  not recorded: {error}");
        }
        self.lines.push(cells);
    }

    /// As Markdown, as in docs/performance.md.
    pub fn print(&self) {
        println!("\n{}\n", machine());
        println!("| row | ours | peer or ceiling | ratio | goal | met |");
        println!("|---|---|---|---|---|---|");
        for cells in &self.lines {
            println!("| {} |", cells.join(" | "));
        }
        println!(
            "\nMedians of {} rounds, ours and the peer in turns; in brackets the least and the \
             greatest.",
            self.rounds
        );
        for note in &self.notes {
            println!("\n- {note}");
        }
    }
}

fn rows(mut ready: Ready<'_>, work: &str, unit: Unit, goal: Goal, rounds: usize) -> Res<Cells> {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        // Whoever is second finds another machine than the first: take turns.
        if round % 2 == 1
            && let Some(peer) = &mut ready.theirs
        {
            theirs.push(peer()?);
        }
        ours.push((ready.ours)()?);
        if round % 2 == 0
            && let Some(peer) = &mut ready.theirs
        {
            theirs.push(peer()?);
        }
    }
    let compared: Vec<f64> = ours
        .iter()
        .zip(&theirs)
        .map(|(ours, theirs)| match unit {
            Unit::Micros | Unit::MiB => ours - theirs,
            Unit::PerSecond => ours / theirs,
        })
        .collect();
    let difference = (!compared.is_empty()).then(|| median(&compared));
    let show = |values: &[f64]| {
        let (low, high) = spread(values);
        let middle = unit.show(median(values));
        match values.len() {
            1 => middle,
            _ => format!("{middle} ({} to {})", unit.show(low), unit.show(high)),
        }
    };
    Ok([
        work.to_owned(),
        show(&ours),
        match theirs.as_slice() {
            [] => ready.peer,
            _ => format!("{}: {}", ready.peer, show(&theirs)),
        },
        match (difference, unit) {
            (Some(more), Unit::Micros | Unit::MiB) => unit.show(more),
            (Some(ratio), Unit::PerSecond) => format!("{ratio:.2}"),
            (None, _) => String::new(),
        },
        goal.text(),
        match goal.is_met(median(&ours), difference) {
            Some(true) => "yes".into(),
            Some(false) => "no".into(),
            None => String::new(),
        },
    ])
}

/// For the table of `run.sh`.
fn record(cells: &Cells) -> Res<()> {
    if let Some(path) = std::env::var_os("DSFRAME_GPU_RESULTS") {
        let mut file = OpenOptions::new().append(true).create(true).open(path)?;
        writeln!(file, "{}", cells.join("\t"))?;
    }
    Ok(())
}

/// The machine by its parts.
fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find(|line| line.starts_with("model name"))
        .and_then(|line| line.split(": ").nth(1))
        .unwrap_or("unknown CPU");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!(
        "{}, {cores} cores, {model}, {}",
        card::name(),
        gst::version_string()
    )
}
