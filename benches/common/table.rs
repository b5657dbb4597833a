// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Rounds, medians, and the table of them.

use super::load::Load;
use super::{Effort, Res};

/// How a measured time is shown.
#[derive(Debug, Clone, Copy)]
pub enum Unit {
    PerSecond,
    Micros,
    CpuMillis,
}

#[derive(Debug, Clone, Copy)]
pub enum Goal {
    /// Times as fast as the peer, at least.
    TimesFaster(f64),
    /// Microseconds more than the peer, at most.
    MicrosMore(f64),
    /// Times as long as the peer, at most.
    TimesAsLong(f64),
    /// Frames per second, at least, whatever the peer does.
    PerSecond(f64),
    /// Measured to be known.
    None,
}

/// Seconds per frame.
type Measure<'a> = Box<dyn FnMut() -> Res<f64> + 'a>;

pub struct Row<'a> {
    pub work: &'static str,
    pub peer: &'static str,
    pub unit: Unit,
    pub goal: Goal,
    pub ours: Measure<'a>,
    pub theirs: Measure<'a>,
    /// What else is to be known, found out after the rounds.
    pub note: Option<Box<dyn FnOnce() -> Res<String> + 'a>>,
}

impl Row<'_> {
    pub fn says(&self, word: &str) -> bool {
        self.work.contains(word) || self.peer.contains(word)
    }
}

/// The part of the machine that others may have for a round to count as undisturbed.
const QUIET: f64 = 0.03;

/// Seconds per frame of both, and what others had of the machine meanwhile.
struct Round {
    ours: f64,
    theirs: f64,
    others: f64,
}

pub struct Table {
    effort: Effort,
    lines: Vec<String>,
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
    values
        .iter()
        .fold((f64::MAX, f64::MIN), |(low, high), &value| {
            (low.min(value), high.max(value))
        })
}

impl Unit {
    fn show(self, seconds: f64) -> String {
        match self {
            Self::PerSecond => format!("{:.0}/s", 1.0 / seconds),
            Self::Micros => format!("{:.2} µs", seconds * 1e6),
            Self::CpuMillis => format!("{:.2} ms CPU", seconds * 1e3),
        }
    }
}

impl Table {
    pub fn new(effort: Effort) -> Self {
        Self {
            effort,
            lines: Vec::new(),
            notes: Vec::new(),
            failed: false,
        }
    }

    pub fn failed(&self) -> bool {
        self.failed
    }

    /// A row that cannot be measured here, and need not be.
    pub fn leave_out(&mut self, row: &Row, reason: &str) {
        let line = format!(
            "| {} | {} | | | not run: {reason} | | | |",
            row.work, row.peer
        );
        eprintln!("{line}");
        self.lines.push(line);
    }

    pub fn measure(&mut self, mut row: Row) {
        eprintln!("{} / {} ...", row.work, row.peer);
        let (work, peer) = (row.work, row.peer);
        let line = match self.rounds(&mut row) {
            Ok(line) => line,
            Err(error) => {
                self.failed = true;
                let error = error.to_string();
                let reason = error.lines().last().unwrap_or_default();
                format!("| {work} | {peer} | | | not run: {reason} | | | |")
            }
        };
        eprintln!("{line}");
        self.lines.push(line);
        if let Some(note) = row.note {
            match note() {
                Ok(note) => self.notes.push(note),
                Err(error) => self.notes.push(format!("not checked: {error}")),
            }
        }
    }

    fn rounds(&self, row: &mut Row) -> Res<String> {
        if !self.effort.smoke {
            // Files into memory, memory into pools, code into caches.
            (row.ours)()?;
            (row.theirs)()?;
        }
        let rounds = self.effort.rounds.max(1);
        let mut measured: Vec<Round> = Vec::new();
        let is_quiet = |round: &&Round| round.others <= QUIET;
        // Never more than three times as long for want of quiet.
        while measured.len() < rounds
            || (!self.effort.smoke
                && measured.len() < 3 * rounds
                && measured.iter().filter(is_quiet).count() < rounds)
        {
            let load = Load::now()?;
            // Whoever is second finds another machine than the first: take turns.
            let (ours, theirs);
            if measured.len().is_multiple_of(2) {
                ours = (row.ours)()?;
                theirs = (row.theirs)()?;
            } else {
                theirs = (row.theirs)()?;
                ours = (row.ours)()?;
            }
            measured.push(Round {
                ours,
                theirs,
                others: load.others()?,
            });
        }
        measured.sort_by(|a, b| a.others.total_cmp(&b.others));
        measured.truncate(rounds);
        let ours: Vec<f64> = measured.iter().map(|round| round.ours).collect();
        let theirs: Vec<f64> = measured.iter().map(|round| round.theirs).collect();
        let others = median(&measured.iter().map(|r| r.others).collect::<Vec<_>>());
        let pairs = || ours.iter().zip(&theirs);
        let (compared, goal, is_met): (Vec<f64>, _, _) = match row.goal {
            Goal::TimesFaster(times) => {
                let ratios: Vec<f64> = pairs().map(|(ours, theirs)| theirs / ours).collect();
                let is_met = median(&ratios) >= times;
                (ratios, format!("at least {times}x"), Some(is_met))
            }
            Goal::None => {
                let ratios = pairs().map(|(ours, theirs)| theirs / ours).collect();
                (ratios, String::new(), None)
            }
            Goal::PerSecond(least) => {
                let ratios = pairs().map(|(ours, theirs)| theirs / ours).collect();
                let is_met = 1.0 / median(&ours) >= least;
                (ratios, format!("at least {least}/s"), Some(is_met))
            }
            Goal::TimesAsLong(times) => {
                let ratios: Vec<f64> = pairs().map(|(ours, theirs)| ours / theirs).collect();
                let is_met = median(&ratios) <= times;
                (ratios, format!("at most {times}x"), Some(is_met))
            }
            Goal::MicrosMore(most) => {
                let more: Vec<f64> = pairs()
                    .map(|(ours, theirs)| (ours - theirs) * 1e6)
                    .collect();
                let is_met = median(&more) <= most;
                (more, format!("at most {most} µs more"), Some(is_met))
            }
        };
        let unit = match row.goal {
            Goal::MicrosMore(_) => " µs more",
            Goal::TimesAsLong(_) => "x as long",
            _ => "x",
        };
        let (low, high) = spread(&compared);
        Ok(format!(
            "| {} | {} | {} | {} | {:.2}{unit} ({low:.2} to {high:.2}) | {goal} | {} | {:.0} % |",
            row.work,
            row.peer,
            row.unit.show(median(&ours)),
            row.unit.show(median(&theirs)),
            median(&compared),
            match is_met {
                Some(_) if self.effort.smoke => "smoke",
                Some(true) => "met",
                Some(false) => "missed",
                None => "",
            },
            others * 100.0
        ))
    }

    pub fn print(&self) {
        println!("{}\n", machine());
        println!(
            "Medians of {} rounds, those in which other processes had least of the machine (how \
             much: last column); in brackets the least and the greatest of the rounds' ratios.\n",
            self.effort.rounds
        );
        println!("| work | peer | ours | theirs | ratio | goal | | others |");
        println!("|---|---|---|---|---|---|---|---|");
        for line in &self.lines {
            println!("{line}");
        }
        for note in &self.notes {
            println!("\n{note}");
        }
    }
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
    format!("{cores} cores, {model}, {}", gst::version_string())
}
