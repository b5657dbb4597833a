// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Detections read back from files: our own log, KITTI labels, or MOTChallenge.
//!
//! Whoever wrote them is not trusted: lines, objects of a frame and objects altogether are bounded,
//! and what is no detection is an error that names its line.

mod log;
mod table;

use std::collections::BTreeMap;
use std::io::{self, BufRead};
use std::path::PathBuf;

use super::{Bounds, Detection};

/// A longer line is an error.
pub const MAX_LINE: usize = 1 << 20;
/// More objects in one frame are an error.
pub const MAX_OBJECTS: usize = 16_384;
/// More objects altogether are an error: some hundred MiB.
pub const MAX_TOTAL: usize = 1 << 21;
/// More classifiers, labels of them and names of pictures altogether are an error.
pub const MAX_CLASSES: usize = 1 << 21;

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct RecordError {
    /// Counted from 1.
    pub line: u64,
    pub reason: String,
}

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JSON lines, as `dsframecapture` logs them.
    Log,
    /// Of one frame.
    Kitti,
    /// Of one stream.
    Mot,
}

/// Frames that have detections, counted from 0.
pub type Frames = BTreeMap<u64, Recorded>;

/// The detections of one frame.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Recorded {
    /// Width and height of the picture that boxes are in pixels of, where the file says it.
    pub size: Option<(u32, u32)>,
    /// The picture of the frame, where the file names it.
    pub file: Option<PathBuf>,
    pub detections: Vec<Detection>,
}

/// Reads files, and counts over all of them.
#[derive(Debug, Default)]
pub struct Reader {
    total: Total,
}

/// How much there is.
#[derive(Debug, Clone, Copy, Default)]
struct Total {
    objects: usize,
    /// Classifiers and their labels.
    classes: usize,
}

impl Total {
    fn of(frame: &Recorded) -> Self {
        let classifiers = frame.detections.iter().flat_map(|it| &it.classifiers);
        let classes: usize = classifiers.map(|it| 1 + it.labels.len()).sum();
        Self {
            objects: frame.detections.len(),
            // The name of a picture takes as much as they do.
            classes: classes + usize::from(frame.file.is_some()),
        }
    }
}

impl Reader {
    /// The frames of a log or of a MOTChallenge file. A single KITTI file is frame 0.
    pub fn read(&mut self, from: &mut impl BufRead) -> io::Result<Result<Frames, RecordError>> {
        let mut lines = Lines::new(from);
        let mut parser = None;
        loop {
            let (number, line) = match lines.next()? {
                Err(error) => return Ok(Err(error)),
                Ok(None) => break,
                Ok(Some(line)) => line,
            };
            let parser = parser.get_or_insert_with(|| Parser::new(format_of(line)));
            if let Err(reason) = parser.add(line, &mut self.total) {
                let line = number;
                return Ok(Err(RecordError { line, reason }));
            }
        }
        let line = lines.number;
        let frames = parser.map_or(Ok(Frames::new()), Parser::finish);
        Ok(frames.map_err(|reason| RecordError { line, reason }))
    }

    /// The detections of one KITTI file.
    pub fn read_kitti(
        &mut self,
        from: &mut impl BufRead,
    ) -> io::Result<Result<Vec<Detection>, RecordError>> {
        let mut lines = Lines::new(from);
        let mut parser = Parser::new(Format::Kitti);
        loop {
            match lines.next()? {
                Err(error) => return Ok(Err(error)),
                Ok(None) => break,
                Ok(Some((line, text))) => {
                    if let Err(reason) = parser.add(text, &mut self.total) {
                        return Ok(Err(RecordError { line, reason }));
                    }
                }
            }
        }
        let line = lines.number;
        let frames = parser
            .finish()
            .map_err(|reason| RecordError { line, reason });
        Ok(frames.map(|mut frames| frames.remove(&0).unwrap_or_default().detections))
    }
}

/// By the first line that is not empty. A label of KITTI may have any letters but spaces.
pub fn format_of(line: &str) -> Format {
    if table::has_kitti_columns(line) && !line.contains('"') {
        Format::Kitti
    } else if line.trim_start().starts_with('{') {
        Format::Log
    } else if line.contains(',') {
        Format::Mot
    } else {
        Format::Kitti
    }
}

/// Lines that are not empty, with their numbers.
struct Lines<'a, R> {
    from: &'a mut R,
    number: u64,
    bytes: Vec<u8>,
}

type NextLine<'a> = Result<Option<(u64, &'a str)>, RecordError>;

impl<'a, R: BufRead> Lines<'a, R> {
    fn new(from: &'a mut R) -> Self {
        Self {
            from,
            number: 0,
            bytes: Vec::new(),
        }
    }

    fn next(&mut self) -> io::Result<NextLine<'_>> {
        loop {
            self.bytes.clear();
            // One byte more than is allowed, to tell.
            let mut bounded = io::Read::take(&mut *self.from, MAX_LINE as u64 + 1);
            if bounded.read_until(b'\n', &mut self.bytes)? == 0 {
                return Ok(Ok(None));
            }
            self.number += 1;
            let line = self.number;
            let bad = |reason: &str| {
                Ok(Err(RecordError {
                    line,
                    reason: reason.to_owned(),
                }))
            };
            if self.bytes.len() > MAX_LINE {
                return bad("longer than 1 MiB");
            }
            if !self.bytes.trim_ascii().is_empty() {
                break;
            }
        }
        let line = self.number;
        Ok(match std::str::from_utf8(&self.bytes) {
            Ok(text) => Ok(Some((line, text.trim()))),
            Err(_) => Err(RecordError {
                line,
                reason: "not UTF-8 text".to_owned(),
            }),
        })
    }
}

enum Parser {
    Log(log::Streams),
    Kitti(Recorded),
    Mot(Frames),
}

impl Parser {
    fn new(format: Format) -> Self {
        match format {
            Format::Log => Self::Log(log::Streams::default()),
            Format::Kitti => Self::Kitti(Recorded::default()),
            Format::Mot => Self::Mot(Frames::new()),
        }
    }

    fn add(&mut self, line: &str, total: &mut Total) -> Result<(), String> {
        match self {
            Self::Log(streams) => streams.add(line, total),
            Self::Kitti(frame) => match table::kitti(line)? {
                Some(detection) => push(frame, detection, total),
                None => Ok(()),
            },
            Self::Mot(frames) => {
                let (frame, detection) = table::mot(line)?;
                push(frames.entry(frame).or_default(), detection, total)
            }
        }
    }

    fn finish(self) -> Result<Frames, String> {
        match self {
            Self::Log(streams) => streams.choose(),
            Self::Kitti(frame) => Ok(Frames::from([(0, frame)])),
            Self::Mot(frames) => Ok(frames),
        }
    }
}

fn push(frame: &mut Recorded, detection: Detection, total: &mut Total) -> Result<(), String> {
    check_counts(frame.detections.len() + 1, total.objects + 1)?;
    total.objects += 1;
    frame.detections.push(detection);
    Ok(())
}

fn check_counts(objects: usize, total: usize) -> Result<(), String> {
    if objects > MAX_OBJECTS {
        return Err(format!("more than {MAX_OBJECTS} objects in one frame"));
    }
    if total > MAX_TOTAL {
        return Err(format!("more than {MAX_TOTAL} objects altogether"));
    }
    Ok(())
}

fn bounds(left: f32, top: f32, width: f32, height: f32) -> Result<Bounds, String> {
    if ![left, top, width, height].iter().all(|n| n.is_finite()) {
        return Err("a box with a number that is none".to_owned());
    }
    if width < 0.0 || height < 0.0 {
        return Err(format!("a box of negative size, {width}x{height}"));
    }
    Ok(Bounds {
        left,
        top,
        width,
        height,
    })
}

/// A negative one means that there is none.
fn confidence(value: f32) -> Result<Option<f32>, String> {
    if !value.is_finite() {
        return Err("a confidence that is no number".to_owned());
    }
    Ok((value >= 0.0).then_some(value))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
