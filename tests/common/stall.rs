// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A disk that does not answer: a FIFO that is full and that nobody reads until asked to.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use rustix::fs::{CWD, FileType, Mode, OFlags, fcntl_getfl, fcntl_setfl, mknodat};
use serde_json::Value;

pub struct Stall {
    pub path: PathBuf,
    reader: File,
}

fn nonblocking() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.custom_flags(OFlags::NONBLOCK.bits() as i32);
    options
}

impl Stall {
    pub fn new(folder: &Path) -> Self {
        let path = folder.join("stall");
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let reader = nonblocking().read(true).open(&path).unwrap();
        let stall = Self { path, reader };
        stall.fill();
        stall
    }

    /// With empty lines, to the last byte.
    fn fill(&self) {
        let mut filler = nonblocking().write(true).open(&self.path).unwrap();
        let lines = [b'\n'; 4096];
        for size in [lines.len(), 1] {
            while match filler.write(&lines[..size]) {
                Ok(written) => written > 0,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::WouldBlock);
                    false
                }
            } {}
        }
    }

    /// Reads from now on, until the writer closes the pipe. Gives back the log.
    pub fn release(self) -> JoinHandle<Vec<Value>> {
        let mut reader = self.reader;
        let flags = fcntl_getfl(&reader).unwrap();
        fcntl_setfl(&reader, flags - OFlags::NONBLOCK).unwrap();
        std::thread::spawn(move || {
            let mut text = String::new();
            reader.read_to_string(&mut text).unwrap();
            text.lines()
                .filter(|line| !line.is_empty())
                .map(|line| serde_json::from_str(line).unwrap())
                .collect()
        })
    }
}

/// The frame numbers of a log.
pub fn frames(log: &[Value]) -> Vec<u64> {
    log.iter()
        .map(|line| line["frame_number"].as_u64().unwrap())
        .collect()
}
