// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Files that grow line by line, one write per append. After a kill every line but possibly the
//! last is whole, and the next start cuts that one off.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use super::{DeliverError, failed, folder_of, is_there, make_folder, sync_folder};

#[derive(Debug)]
pub struct LineFile {
    path: PathBuf,
    file: File,
    /// A pipe or a terminal cannot be cut.
    regular: bool,
    sync: bool,
}

impl LineFile {
    /// Opens or makes the file, and its folder. Returns whether a torn last line of an earlier run
    /// was cut off.
    ///
    /// `sync`: what is appended is on the disk before more is done.
    pub fn open(path: &Path, sync: bool) -> Result<(Self, bool), DeliverError> {
        let failed = failed(path);
        let is_new = !is_there(path);
        make_folder(folder_of(path), sync)?;
        let regular = fs::metadata(path).map_or(true, |meta| meta.is_file());
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .read(regular)
            // A FIFO that nobody reads is an error now, not a hanging start.
            .custom_flags(OFlags::NONBLOCK.bits() as i32)
            .open(path)
            .map_err(&failed)?;
        let flags = fcntl_getfl(&file).map_err(|error| failed(error.into()))?;
        fcntl_setfl(&file, flags - OFlags::NONBLOCK).map_err(|error| failed(error.into()))?;
        let mut lines = Self {
            path: path.to_owned(),
            file,
            regular,
            sync: sync && regular,
        };
        if sync && is_new {
            sync_folder(folder_of(path))?;
        }
        let repaired = lines.cut_torn_line().map_err(&failed)?;
        Ok((lines, repaired))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn is_empty(&self) -> io::Result<bool> {
        Ok(!self.regular || self.file.metadata()?.len() == 0)
    }

    /// Begins the file anew.
    pub fn clear(&mut self) -> io::Result<()> {
        if self.regular {
            self.file.set_len(0)?;
        }
        Ok(())
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

    /// Appends whole lines. None of them is there if this fails, where the file can be cut.
    pub fn append(&mut self, text: &[u8]) -> Result<(), DeliverError> {
        let written = self.write(text);
        written.map_err(failed(&self.path))
    }

    fn write(&mut self, text: &[u8]) -> io::Result<()> {
        let before = match self.regular {
            true => self.file.metadata()?.len(),
            false => 0,
        };
        let written = loop {
            match self.file.write(text) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                other => break other?,
            }
        };
        // Half of it, on a full disk or into a pipe: finish it, or take it back.
        let mut rest = self.file.write_all(&text[written..]);
        if rest.is_ok() && self.sync {
            rest = self.file.sync_data();
        }
        if rest.is_err() && self.regular {
            self.file.set_len(before)?;
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
        assert!(!LineFile::open(&path, true).unwrap().1);
        let whole = format!("{}\n{}\n", "a".repeat(5000), "b".repeat(5000));
        for (content, kept) in [
            (whole.clone(), whole.clone()),
            (format!("{whole}{}", "c".repeat(9000)), whole),
            ("torn".into(), String::new()),
        ] {
            fs::write(&path, &content).unwrap();
            assert_eq!(LineFile::open(&path, false).unwrap().1, content != kept);
            assert_eq!(fs::read_to_string(&path).unwrap(), kept);
        }
    }

    #[test]
    fn a_folder_or_an_unread_pipe_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(LineFile::open(folder.path(), false).is_err());
        let pipe = folder.path().join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        )
        .unwrap();
        assert!(LineFile::open(&pipe, false).is_err());
    }
}
