// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! MOTChallenge: a file for each stream, a line for each object:
//! `frame,id,left,top,width,height,confidence,-1,-1,-1`. Frames count from 1, and an object that
//! nothing tracks has the id -1.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::capture::deliver::lines::LineFile;
use crate::capture::deliver::{DeliverError, failed, make_folder};
use crate::capture::enums::OnExists;
use crate::capture::name::{Template, with_suffix};

use super::{Labelled, Objects, score};

/// There may be more names than a process may have files open.
const MAX_OPEN: usize = 64;

#[derive(Debug)]
struct Track {
    stream: u32,
    /// By what `on-exists` made of the name.
    path: PathBuf,
    /// Closed now and then, and opened again under the same name.
    file: Option<LineFile>,
}

#[derive(Debug)]
pub struct Mot {
    template: Template,
    on_exists: OnExists,
    sync: bool,
    /// By the name that the template gives.
    files: BTreeMap<PathBuf, Track>,
    /// The names of the open ones, the one that was used last at the end.
    open: VecDeque<PathBuf>,
}

impl Mot {
    pub fn open(template: Template, on_exists: OnExists, sync: bool) -> Result<Self, DeliverError> {
        make_folder(&template.folder(), sync)?;
        Ok(Self {
            template,
            on_exists,
            sync,
            files: BTreeMap::new(),
            open: VecDeque::new(),
        })
    }

    pub fn append(
        &mut self,
        labelled: &Labelled<'_>,
        objects: &Objects<'_>,
    ) -> Result<u64, DeliverError> {
        let facts = labelled.facts;
        let mut text = String::new();
        for object in &objects.placed {
            let id = match object.detection.track_id {
                Some(id) => id.to_string(),
                None => "-1".to_owned(),
            };
            let (left, top) = (object.left, object.top);
            let (width, height) = (object.width(), object.height());
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "{},{id},{left},{top},{width},{height},{},-1,-1,-1",
                facts.frame.saturating_add(1),
                score(object.detection),
            );
        }
        // Also for a frame without objects: that the file is there says that it was looked at.
        let file = self.file(labelled)?;
        if !text.is_empty() {
            file.append(text.as_bytes())?;
        }
        Ok(objects.left_out)
    }

    fn file(&mut self, labelled: &Labelled<'_>) -> Result<&mut LineFile, DeliverError> {
        let facts = labelled.facts;
        let path = self.template.render(&facts.frame_name());
        if !self.files.contains_key(&path) {
            let file = open(path.clone(), self.on_exists, self.sync)?;
            let track = Track {
                stream: facts.stream,
                path: file.path().to_owned(),
                file: Some(file),
            };
            self.files.insert(path.clone(), track);
        }
        self.touch(&path);
        match self.files.get_mut(&path) {
            Some(track) if track.stream == facts.stream => match &mut track.file {
                Some(file) => Ok(file),
                closed => Ok(closed.insert(LineFile::open(&track.path, self.sync)?.0)),
            },
            _ => Err(DeliverError::Labels {
                path,
                reason: format!(
                    "would hold stream {} besides another: add {{stream}} to it",
                    facts.stream
                ),
            }),
        }
    }

    /// Closes the file that was not used for longest, if too many are open.
    fn touch(&mut self, path: &Path) {
        self.open.retain(|open| open != path);
        self.open.push_back(path.to_owned());
        if self.open.len() > MAX_OPEN
            && let Some(oldest) = self.open.pop_front()
            && let Some(track) = self.files.get_mut(&oldest)
        {
            track.file = None;
        }
    }
}

/// What lies there of an earlier run is repaired, whatever becomes of it.
fn open(path: PathBuf, on_exists: OnExists, sync: bool) -> Result<LineFile, DeliverError> {
    let mut name = path.clone();
    for suffix in 2.. {
        let (mut file, _) = LineFile::open(&name, sync)?;
        if file.is_empty().map_err(failed(&name))? {
            return Ok(file);
        }
        match on_exists {
            OnExists::Continue => return Ok(file),
            OnExists::Overwrite => {
                file.clear().map_err(failed(&name))?;
                return Ok(file);
            }
            OnExists::Fail => return Err(DeliverError::Exists { path }),
            OnExists::Suffix => name = with_suffix(&path, suffix),
        }
    }
    Err(DeliverError::Exists { path })
}
