// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! COCO: one JSON file with lists of images, annotations and categories.
//!
//! Such a file cannot grow: its lists end at its end. So captures are appended to a hidden journal
//! of JSON lines beside it, and the file is made anew from the journal and put in place of the one
//! before whenever there are twice as many images, now and then, and at the end. It is valid JSON
//! at every moment, and all of the writing is linear in what is captured. A killed run leaves its
//! journal behind, and the next start with the same name puts it into the file.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::capture::deliver::files::replace;
use crate::capture::deliver::lines::LineFile;
use crate::capture::deliver::{DeliverError, failed, folder_of, is_there, make_folder};
use crate::capture::enums::OnExists;
use crate::capture::name::with_suffix;

use super::{Labelled, Objects, name};

/// The file is made anew this often, if there is anything new.
const AT_MOST_EVERY: Duration = Duration::from_secs(10);
/// But not so often that it takes more than one part in so many of the time.
const SHARE: u32 = 50;
/// All of them are in memory. A label that is a text of its own each time makes no more than these.
const MAX_CATEGORIES: usize = 65_536;

#[derive(Debug, Serialize)]
struct Image<'a> {
    id: u64,
    file_name: String,
    width: usize,
    height: usize,
    /// RFC 3339.
    date_captured: String,
    // Ours, as COCO has no word for it.
    frame_number: u64,
    stream: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    sensor: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Annotation {
    id: u64,
    image_id: u64,
    category_id: u64,
    /// Left, top, width, height.
    bbox: [f32; 4],
    area: f32,
    iscrowd: u8,
    segmentation: [(); 0],
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    track_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    class_id: Option<i32>,
}

/// A line of the journal. The file itself can be read as one.
#[derive(Debug, Serialize)]
struct Entry<'a> {
    images: [Image<'a>; 1],
    annotations: Vec<Annotation>,
    categories: Vec<Category>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Category {
    id: u64,
    name: String,
    #[serde(default)]
    supercategory: String,
}

/// A line as it is read: images and annotations as they are, to be copied.
#[derive(Deserialize, Serialize)]
struct Line<'a> {
    #[serde(borrow)]
    images: Vec<&'a RawValue>,
    #[serde(borrow)]
    annotations: Vec<&'a RawValue>,
    categories: Vec<Category>,
}

#[derive(Deserialize)]
struct Id {
    id: u64,
}

/// What there is so far.
#[derive(Debug, Default)]
struct Known {
    images: u64,
    next_image: u64,
    next_annotation: u64,
    categories: Vec<Category>,
    by_name: HashMap<String, u64>,
    next_category: u64,
}

impl Known {
    fn add(&mut self, line: &Line<'_>) -> Result<(), serde_json::Error> {
        let next = |items: &[&RawValue], mut next: u64| {
            for item in items {
                let Id { id } = serde_json::from_str(item.get())?;
                next = next.max(id.saturating_add(1));
            }
            Ok(next)
        };
        let next_image = next(&line.images, self.next_image.max(1))?;
        self.next_annotation = next(&line.annotations, self.next_annotation.max(1))?;
        self.next_image = next_image;
        self.images += line.images.len() as u64;
        for category in &line.categories {
            self.add_category(category.clone());
        }
        Ok(())
    }

    fn add_category(&mut self, category: Category) {
        self.next_category = self.next_category.max(category.id.saturating_add(1));
        if !self.by_name.contains_key(&category.name) {
            self.by_name.insert(category.name.clone(), category.id);
            self.categories.push(category);
        }
    }

    /// By the name alone: class ids of several detectors would mean several things. None where
    /// there are too many already.
    fn category(&mut self, name: &str) -> Option<(u64, Option<Category>)> {
        if let Some(id) = self.by_name.get(name) {
            return Some((*id, None));
        }
        if self.categories.len() >= MAX_CATEGORIES {
            return None;
        }
        let category = Category {
            id: self.next_category.max(1),
            name: name.to_owned(),
            supercategory: String::new(),
        };
        self.add_category(category.clone());
        Some((category.id, Some(category)))
    }
}

/// What came of a capture that is in the journal.
#[derive(Debug, Default)]
pub struct Added {
    /// Objects that the file cannot hold.
    pub left_out: u64,
    pub warning: Option<DeliverError>,
}

/// What became of a killed run's journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repaired {
    /// The file that it was put into.
    pub path: PathBuf,
    /// Lines that could not be read and are left out.
    pub bad_lines: u64,
}

#[derive(Debug)]
pub struct Coco {
    path: PathBuf,
    journal: LineFile,
    sync: bool,
    /// Keeps other elements from the journal.
    _lock: File,
    known: Known,
    /// Images when the file was made last, or was to be.
    published: u64,
    dirty: bool,
    /// Lines of the journal, from 0, that a killed run or a bad disk left unreadable.
    bad_lines: BTreeSet<u64>,
    published_at: Instant,
    took: Duration,
    full_said: bool,
}

fn unreadable(journal: &Path, path: &Path) -> impl Fn(io::Error) -> DeliverError {
    move |error| DeliverError::Journal {
        journal: journal.to_owned(),
        path: path.to_owned(),
        error,
    }
}

/// Hidden, beside the file.
fn journal_of(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".part");
    path.with_file_name(name)
}

fn claim(journal: &Path, path: &Path, sync: bool) -> Result<File, DeliverError> {
    make_folder(folder_of(journal), sync)?;
    // A pipe would hold up the start for ever.
    if fs::metadata(journal).is_ok_and(|meta| !meta.is_file()) {
        let error = io::Error::other("it is no file");
        return Err(unreadable(journal, path)(error));
    }
    let lock = File::options()
        .append(true)
        .create(true)
        .open(journal)
        .map_err(failed(path))?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(lock),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(DeliverError::Labels {
            path: path.to_owned(),
            reason: "is written by another element: give each its own".into(),
        }),
        Err(error) => Err(failed(path)(error.into())),
    }
}

impl Coco {
    /// Also returns what a killed run's journal added to its file.
    pub fn open(
        path: &Path,
        on_exists: OnExists,
        sync: bool,
    ) -> Result<(Self, Option<Repaired>), DeliverError> {
        let mut target = path.to_owned();
        let mut folded = None;
        for suffix in 2.. {
            let journal = journal_of(&target);
            let lock = claim(&journal, &target, sync)?;
            let mut coco = Self::resume(&target, lock, sync)?;
            if coco.dirty {
                let repaired = folded.get_or_insert_with(|| Repaired {
                    path: target.clone(),
                    bad_lines: 0,
                });
                repaired.bad_lines += coco.bad_lines.len() as u64;
                coco.publish()?;
                coco.begin_anew()?;
            }
            let there = is_there(&target);
            match on_exists {
                _ if !there => (),
                OnExists::Overwrite => (),
                OnExists::Continue => coco.take_over()?,
                OnExists::Fail => return Err(DeliverError::Exists { path: target }),
                OnExists::Suffix => {
                    target = with_suffix(path, suffix);
                    continue;
                }
            }
            // Says at the start whether it can be written.
            coco.publish_now()?;
            return Ok((coco, folded));
        }
        Err(DeliverError::Exists { path: target })
    }

    /// With what is in the journal.
    fn resume(path: &Path, lock: File, sync: bool) -> Result<Self, DeliverError> {
        let (journal, _) = LineFile::open(&journal_of(path), sync)?;
        let mut coco = Self {
            path: path.to_owned(),
            journal,
            sync,
            _lock: lock,
            known: Known::default(),
            published: 0,
            // Until all of the journal is known: it is the only copy.
            dirty: true,
            bad_lines: BTreeSet::new(),
            published_at: Instant::now(),
            took: Duration::ZERO,
            full_said: false,
        };
        let mut known = Known::default();
        let mut bad_lines = BTreeSet::new();
        coco.each_text(|number, text| {
            let line = serde_json::from_slice(text);
            if line.and_then(|line| known.add(&line)).is_err() {
                bad_lines.insert(number);
            }
            Ok(())
        })
        .map_err(unreadable(coco.journal.path(), path))?;
        coco.bad_lines = bad_lines;
        coco.dirty = known.images > 0;
        coco.known = known;
        Ok(coco)
    }

    fn begin_anew(&mut self) -> Result<(), DeliverError> {
        self.journal.clear().map_err(failed(self.journal.path()))?;
        self.known = Known::default();
        self.bad_lines.clear();
        Ok(())
    }

    /// Goes on with what an earlier run wrote, or any other COCO file.
    fn take_over(&mut self) -> Result<(), DeliverError> {
        let text = fs::read_to_string(&self.path).map_err(failed(&self.path))?;
        let not_coco = |error: serde_json::Error| DeliverError::Labels {
            path: self.path.clone(),
            reason: format!("cannot be gone on with, as it is no COCO file: {error}"),
        };
        let line: Line<'_> = serde_json::from_str(&text).map_err(not_coco)?;
        let mut known = Known::default();
        known.add(&line).map_err(not_coco)?;
        // One line, whatever line ends its parts have.
        let mut text = serde_json::to_string(&line)
            .map_err(not_coco)?
            .replace(['\n', '\r'], " ");
        text.push('\n');
        self.journal.append(text.as_bytes())?;
        self.known = known;
        Ok(())
    }

    fn each_line(
        &self,
        mut each: impl FnMut(&Line<'_>) -> io::Result<()>,
    ) -> Result<(), DeliverError> {
        self.each_text(|number, text| match self.bad_lines.contains(&number) {
            true => Ok(()),
            false => each(&serde_json::from_slice(text)?),
        })
        .map_err(failed(self.journal.path()))
    }

    /// Lines with their numbers, from 0. Bytes: a bad disk need not give text.
    fn each_text(&self, mut each: impl FnMut(u64, &[u8]) -> io::Result<()>) -> io::Result<()> {
        let mut from = BufReader::new(File::open(self.journal.path())?);
        let mut text = Vec::new();
        for number in 0.. {
            if from.read_until(b'\n', &mut text)? == 0 {
                break;
            }
            each(number, &text)?;
            text.clear();
        }
        Ok(())
    }

    pub fn append(
        &mut self,
        labelled: &Labelled<'_>,
        objects: &Objects<'_>,
        picture: Option<&Path>,
    ) -> Result<Added, DeliverError> {
        let facts = labelled.facts;
        let known = &mut self.known;
        let image = known.next_image.max(1);
        let first = known.next_annotation.max(1);
        let before = (known.categories.len(), known.next_category);
        let mut categories = Vec::new();
        let named: Vec<_> = objects
            .placed
            .iter()
            .filter_map(|object| {
                let (id, new) = known.category(&name(object.detection))?;
                categories.extend(new);
                Some((object, id))
            })
            .collect();
        let left_out = (objects.placed.len() - named.len()) as u64;
        let annotations: Vec<_> = (first..)
            .zip(named)
            .map(|(id, (object, category_id))| {
                let detection = object.detection;
                let (width, height) = (object.width(), object.height());
                Annotation {
                    id,
                    image_id: image,
                    category_id,
                    bbox: [object.left, object.top, width, height],
                    area: width * height,
                    iscrowd: 0,
                    segmentation: [],
                    score: detection.confidence.filter(|c| c.is_finite()),
                    track_id: detection.track_id,
                    class_id: detection.class_id,
                }
            })
            .collect();
        let count = annotations.len() as u64;
        let entry = Entry {
            images: [Image {
                id: image,
                file_name: file_name(&self.path, picture, facts.stream, facts.frame),
                width: objects.width,
                height: objects.height,
                date_captured: facts.taken_at.to_string(),
                frame_number: facts.frame,
                stream: facts.stream,
                sensor: facts.meta.sensor.as_deref(),
            }],
            annotations,
            categories,
        };
        let mut text =
            serde_json::to_vec(&entry).map_err(|error| failed(&self.path)(error.into()))?;
        text.push(b'\n');
        if let Err(error) = self.journal.append(&text) {
            // Nor are the categories that only this line would have brought.
            for category in &entry.categories {
                known.by_name.remove(&category.name);
            }
            known.categories.truncate(before.0);
            known.next_category = before.1;
            return Err(error);
        }
        known.next_image = image + 1;
        known.next_annotation = first + count;
        known.images += 1;
        self.dirty = true;
        let mut added = Added {
            left_out: objects.left_out + left_out,
            ..Added::default()
        };
        if left_out > 0 && !std::mem::replace(&mut self.full_said, true) {
            added.warning = Some(DeliverError::Labels {
                path: self.path.clone(),
                reason: format!(
                    "has {MAX_CATEGORIES} categories: objects with other labels are left out and \
                     counted in stats as labels-left-out"
                ),
            });
        }
        let due = AT_MOST_EVERY.max(self.took.saturating_mul(SHARE));
        if self.known.images >= self.published * 2 || self.published_at.elapsed() >= due {
            // The capture is safe in the journal, and the next time may be better.
            if let Err(error) = self.publish_now() {
                added.warning = Some(error);
            }
        }
        Ok(added)
    }

    /// Puts everything into the file.
    pub fn publish(&mut self) -> Result<(), DeliverError> {
        match self.dirty {
            true => self.publish_now(),
            false => Ok(()),
        }
    }

    /// A failure counts as a try: it is not repeated with every capture.
    fn publish_now(&mut self) -> Result<(), DeliverError> {
        let begun = Instant::now();
        let made = self.make_file();
        self.dirty &= made.is_err();
        self.published = self.known.images;
        self.published_at = Instant::now();
        self.took = begun.elapsed();
        made
    }

    fn make_file(&self) -> Result<(), DeliverError> {
        let broken = |error: DeliverError| io::Error::other(error.to_string());
        replace(&self.path, self.sync, |file| {
            let mut to = BufWriter::new(file);
            for (key, of_images) in [("images", true), ("annotations", false)] {
                write!(to, "{}\"{key}\":[", if of_images { '{' } else { ',' })?;
                let mut first = true;
                self.each_line(|line| {
                    let items = match of_images {
                        true => &line.images,
                        false => &line.annotations,
                    };
                    for item in items {
                        let comma = if std::mem::take(&mut first) { "" } else { "," };
                        write!(to, "{comma}\n{}", item.get())?;
                    }
                    Ok(())
                })
                .map_err(broken)?;
                write!(to, "]")?;
            }
            write!(to, ",\"categories\":")?;
            serde_json::to_writer(&mut to, &self.known.categories)?;
            writeln!(to, "}}")?;
            to.flush()
        })
    }
}

impl Drop for Coco {
    fn drop(&mut self) {
        // What could not be published is left for the next start.
        if !self.dirty {
            let _ = fs::remove_file(self.journal.path());
        }
    }
}

/// As seen from the folder of the file, where the picture lies below it.
fn file_name(labels: &Path, picture: Option<&Path>, stream: u32, frame: u64) -> String {
    let Some(picture) = picture else {
        return format!("{stream}-{frame:06}");
    };
    let folder = labels.parent().unwrap_or(Path::new(""));
    let below = picture.strip_prefix(folder).unwrap_or(picture);
    below.to_string_lossy().into_owned()
}
