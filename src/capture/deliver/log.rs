// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The log: JSON lines, one per capture, one write per line.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use serde::Serialize;

use crate::capture::picture::{Saved, Subject};
use crate::frame::stats::PictureStats;
use crate::meta::Detection;

use super::DeliverError;

/// Version of the line's fields.
const VERSION: u32 = 1;

/// One line of the log. Field names are API.
#[derive(Debug, Serialize)]
pub struct Line<'a> {
    version: u32,
    pub run: &'a str,
    pub unique_id: u32,
    pub frame_number: u64,
    pub stream: u32,
    /// RFC 3339, UTC.
    pub timestamp: String,
    /// ns; null where the buffer had none.
    pub pts: Option<u64>,
    pub reason: &'static str,
    /// Of the frame; null where no picture of it is written.
    pub file: Option<String>,
    /// The same with boxes and labels, where both are written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annotated: Option<String>,
    /// Height, width and channels of the picture.
    pub shape: [usize; 3],
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub statistics: Option<Statistics>,
    pub objects_detected: usize,
    pub object_classes: Vec<&'a str>,
    pub objects: Vec<Object<'a>>,
}

#[derive(Debug, Serialize)]
pub struct Statistics {
    mean_intensity: f64,
    std_intensity: f64,
    sharpness: f64,
}

impl From<&PictureStats> for Statistics {
    fn from(stats: &PictureStats) -> Self {
        Self {
            mean_intensity: stats.mean,
            std_intensity: stats.std,
            sharpness: stats.sharpness,
        }
    }
}

/// A detection, in pixels of the frame.
#[derive(Debug, Serialize)]
pub struct Object<'a> {
    label: &'a str,
    class_id: Option<i32>,
    confidence: Option<f32>,
    track_id: Option<u64>,
    #[serde(rename = "box")]
    bounds: [f32; 4],
    /// The file that shows the object alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    crop: Option<String>,
    /// The same with boxes and labels, where both are written.
    #[serde(skip_serializing_if = "Option::is_none")]
    annotated: Option<String>,
}

impl<'a> From<&'a Detection> for Object<'a> {
    fn from(detection: &'a Detection) -> Self {
        let bounds = detection.bounds;
        Self {
            label: &detection.label,
            class_id: detection.class_id,
            confidence: detection.confidence,
            track_id: detection.track_id,
            bounds: [bounds.left, bounds.top, bounds.width, bounds.height],
            crop: None,
            annotated: None,
        }
    }
}

/// What a line is made from.
pub struct Entry<'a> {
    pub run: &'a str,
    pub unique_id: u32,
    pub facts: &'a crate::capture::process::Facts,
    /// In the order in which they were published.
    pub pictures: &'a [Saved],
    pub shape: [usize; 3],
    pub statistics: Option<&'a PictureStats>,
}

impl<'a> From<Entry<'a>> for Line<'a> {
    fn from(entry: Entry<'a>) -> Self {
        let facts = entry.facts;
        let detections = &facts.meta.detections;
        let mut objects: Vec<Object<'a>> = detections.iter().map(Object::from).collect();
        let (mut file, mut annotated) = (None, None);
        for picture in entry.pictures {
            let name = Some(picture.path.to_string_lossy().into_owned());
            match (picture.subject, picture.is_copy) {
                (Subject::Frame, false) => file = name,
                (Subject::Frame, true) => annotated = name,
                (Subject::Object(index), is_copy) => {
                    if let Some(object) = objects.get_mut(index) {
                        match is_copy {
                            false => object.crop = name,
                            true => object.annotated = name,
                        }
                    }
                }
            }
        }
        Self {
            version: VERSION,
            run: entry.run,
            unique_id: entry.unique_id,
            frame_number: facts.frame,
            stream: facts.stream,
            timestamp: facts.taken_at.to_string(),
            pts: facts.pts,
            reason: facts.reason.as_str(),
            file,
            annotated,
            shape: entry.shape,
            statistics: entry.statistics.map(Statistics::from),
            objects_detected: detections.len(),
            object_classes: detections.iter().map(|d| d.label.as_str()).collect(),
            objects,
        }
    }
}

#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    file: File,
    /// A pipe or a terminal cannot be cut.
    regular: bool,
}

impl Log {
    /// Opens or makes the log. Returns whether a torn last line of an earlier run was cut off.
    pub fn open(path: &Path) -> Result<(Self, bool), DeliverError> {
        let failed = |error| DeliverError::Write {
            path: path.to_owned(),
            error,
        };
        if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let regular = fs::metadata(path).map_or(true, |meta| meta.is_file());
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .read(regular)
            // A FIFO that nobody reads is an error now, not a hanging start.
            .custom_flags(OFlags::NONBLOCK.bits() as i32)
            .open(path)
            .map_err(failed)?;
        let flags = fcntl_getfl(&file).map_err(|error| failed(error.into()))?;
        fcntl_setfl(&file, flags - OFlags::NONBLOCK).map_err(|error| failed(error.into()))?;
        let mut log = Self {
            path: path.to_owned(),
            file,
            regular,
        };
        let repaired = log.cut_torn_line().map_err(failed)?;
        Ok((log, repaired))
    }

    fn cut_torn_line(&mut self) -> io::Result<bool> {
        if !self.regular {
            return Ok(false);
        }
        let length = self.file.metadata()?.len();
        let mut end = length;
        let mut chunk = [0; 4096];
        while end > 0 {
            let size = end.min(chunk.len() as u64);
            let part = &mut chunk[..size as usize];
            self.file.read_exact_at(part, end - size)?;
            if let Some(at) = part.iter().rposition(|byte| *byte == b'\n') {
                end = end - size + at as u64 + 1;
                break;
            }
            end -= size;
        }
        if end < length {
            self.file.set_len(end)?;
        }
        Ok(end < length)
    }

    pub fn append(&mut self, line: &Line<'_>) -> Result<(), DeliverError> {
        self.write_line(line).map_err(|error| DeliverError::Write {
            path: self.path.clone(),
            error,
        })
    }

    fn write_line(&mut self, line: &Line<'_>) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        let written = loop {
            match self.file.write(&text) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                other => break other?,
            }
        };
        if written == text.len() {
            return Ok(());
        }
        // Half a line, on a full disk or into a pipe: finish it, or take it back.
        let rest = self.file.write_all(&text[written..]);
        if rest.is_err() && self.regular {
            self.cut_torn_line()?;
        }
        rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_tail_is_cut_off_and_whole_lines_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/log.jsonl");
        assert!(!Log::open(&path).unwrap().1);
        let whole = format!("{}\n{}\n", "a".repeat(5000), "b".repeat(5000));
        for (content, kept) in [
            (whole.clone(), whole.clone()),
            (format!("{whole}{}", "c".repeat(9000)), whole),
            ("torn".into(), String::new()),
        ] {
            fs::write(&path, &content).unwrap();
            assert_eq!(Log::open(&path).unwrap().1, content != kept);
            assert_eq!(fs::read_to_string(&path).unwrap(), kept);
        }
    }

    #[test]
    fn a_folder_or_an_unread_pipe_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Log::open(folder.path()).is_err());
        let pipe = folder.path().join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        )
        .unwrap();
        assert!(Log::open(&pipe).is_err());
    }
}
