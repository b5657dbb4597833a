// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What becomes of captures that there is no room for.

use std::path::{Component, Path, PathBuf};
use std::sync::atomic::Ordering;

use crate::capture::config::Config;
use crate::capture::deliver::files::{Files, Published};
use crate::capture::deliver::labels::{CLASSES, Form, LabelRules, Place, SUFFIX};
use crate::capture::deliver::quota::{Belonging, LabelFiles, Need, Quota, Room};
use crate::capture::deliver::{DeliverError, OpenError};
use crate::capture::enums::OnFull;
use crate::capture::picture::Saved;
use crate::fault::Fault;

use super::{Delivery, Output};

/// So often a write that failed for want of space is tried again.
const TRIES: u32 = 16;

/// The limits of a run, if it has any.
pub fn quota(config: &Config, files: &Files) -> Result<Option<Quota>, OpenError> {
    let template = config.pictures.as_ref().and_then(|it| it.template.clone());
    let (Some(limits), Some(template)) = (config.limits, template) else {
        return Ok(None);
    };
    let form = config.labels.as_ref().map(|LabelRules { form, .. }| form);
    let mut others: Vec<PathBuf> = config.log.iter().cloned().collect();
    // A folder, with all that is in it.
    let endpoint = config.endpoint.as_ref();
    others.extend(endpoint.and_then(|it| it.spool.clone()));
    let mut rules = Belonging {
        pictures: template,
        labels: LabelFiles::None,
        others: Vec::new(),
        others_named: None,
    };
    match form {
        None => (),
        Some(Form::Text(_, Place::Beside { folder, has_suffix })) => {
            others.push(folder.join(CLASSES));
            rules.labels = LabelFiles::Beside {
                has_suffix: *has_suffix,
                suffix: SUFFIX,
            };
        }
        Some(Form::Text(_, Place::Named(template))) => {
            others.push(template.folder().join(CLASSES));
            rules.labels = LabelFiles::Named(template.clone());
        }
        Some(Form::Coco(path)) => others.push(path.clone()),
        Some(Form::Mot(template)) => rules.others_named = Some(template.clone()),
    }
    rules.others = others.iter().flat_map(|path| spellings(path)).collect();
    Quota::open(limits, rules, files.started()).map(Some)
}

/// A path as it may come up in a folder's list: from the root, and from the current folder.
fn spellings(path: &Path) -> Vec<PathBuf> {
    let plain = |path: &Path| -> PathBuf {
        let parts = path.components();
        parts.filter(|part| *part != Component::CurDir).collect()
    };
    let mut spellings = vec![plain(path)];
    if let (Ok(absolute), Ok(here)) = (std::path::absolute(path), std::env::current_dir()) {
        spellings.extend(absolute.strip_prefix(here).ok().map(plain));
        spellings.push(absolute);
    }
    spellings
}

impl Delivery {
    fn quota(&self) -> Option<&Quota> {
        self.pictures.as_ref()?.quota.as_ref()
    }

    /// Room for the files of a capture, where there are limits.
    pub(super) fn admit(&self, output: &Output) -> Result<Option<Room>, DeliverError> {
        let files = self.pictures.as_ref().and_then(|it| it.files.as_ref());
        let (Some(quota), Some(files)) = (self.quota(), files) else {
            return Ok(None);
        };
        let labels = output.labels.as_ref().map(|labels| &labels.staged);
        let pictures = output.pictures.iter();
        let staged = pictures.filter_map(|picture| picture.staged.as_ref());
        let staged = || staged.clone().chain(labels);
        let replaced = staged().map(|file| file.path());
        let replaced = replaced.filter(|path| files.will_replace(path));
        let need = Need {
            pictures: output.pictures.iter().filter(|p| !p.is_copy).count() as u64,
            bytes: staged().map(|file| file.bytes).sum(),
            names: staged().map(|file| file.path().to_owned()).collect(),
            replaces: replaced.map(Path::to_owned).collect(),
        };
        let room = quota.admit(&need);
        self.say_full(quota);
        room.map(Some)
    }

    /// The capture has its names, and its line.
    pub(super) fn keep(&self, room: Option<Room>, named: &[Published], saved: &[Saved]) {
        if let (Some(quota), Some(room)) = (self.quota(), room) {
            let is_picture = |path| saved.iter().any(|it| !it.is_copy && it.path == path);
            let paths = named.iter().flat_map(Published::paths);
            quota.keep(room, paths.map(|path| (path, is_picture(path))));
            self.say_full(quota);
        }
    }

    /// Writes, and where the disk is full and the oldest may go for it, once more.
    pub(super) fn with_room<T>(
        &self,
        bytes: usize,
        mut write: impl FnMut() -> Result<T, DeliverError>,
    ) -> Result<T, DeliverError> {
        let mut tries = 0;
        loop {
            let written = write();
            let Some(quota) = self.quota() else {
                return written;
            };
            let full = written.as_ref().err().and_then(DeliverError::full_disk);
            let Some(path) = full.filter(|_| tries < TRIES) else {
                return written;
            };
            if !quota.make_way(path, bytes as u64) {
                return written;
            }
            self.say_full(quota);
            tries += 1;
        }
    }

    /// Whether a capture was not delivered for want of room, and limits say what that means.
    pub(super) fn is_full(&self, error: &DeliverError) -> bool {
        let Some(quota) = self.quota() else {
            return false;
        };
        let full = error.full_disk();
        if let Some(path) = full {
            quota.note_full_disk(path, error);
            self.say_full(quota);
        }
        full.is_some() || matches!(error, DeliverError::Full { .. })
    }

    fn say_full(&self, quota: &Quota) {
        let rotated = &self.stats.rotated;
        rotated.fetch_max(quota.rotated(), Ordering::Relaxed);
        for news in quota.take_news() {
            let is_end = matches!(news, DeliverError::Full { .. });
            match quota.on_full() {
                OnFull::Stop if is_end => self.stop_for((&news).into()),
                _ => self.outlet.warn(&(&news).into()),
            }
        }
    }

    /// Ends the capture with an error.
    pub fn stop_for(&self, fault: Fault) {
        self.reporter.stop(fault);
    }
}
