// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Labels as a text file for each picture, a line for each object.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rustix::fs::{FlockOperation, flock};

use crate::capture::deliver::files::{Files, Published, Staged, companion_path, replace};
use crate::capture::deliver::{DeliverError, failed};
use crate::capture::enums::OnExists;

use super::{
    Labelled, Objects, Outcome, Place, Placed, SUFFIX, StagedLabels, lock, name, score, word,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextFormat {
    /// `label [id] 0.0 0 0.0 left top right bottom` seven times `0.0` `confidence`: the columns of
    /// deepstream-app, with the id where an object is tracked.
    Kitti,
    /// `label 0.0 3 0.0 left top right bottom` and seven times `0.0`: the 15 columns that the
    /// transfer-learning sample writes, where 3 says that nobody knows what hides the object.
    KittiTao,
    /// `class x y width height`: the centre and the size, in fractions of the picture.
    Yolo,
}

/// The list of classes is no longer than this; labels may have any class.
const MAX_CLASSES: usize = 10_000;
pub const CLASSES: &str = "classes.txt";

#[derive(Debug)]
pub struct TextFiles {
    format: TextFormat,
    place: Placing,
    sync: bool,
    classes: Option<Mutex<Classes>>,
}

#[derive(Debug)]
enum Placing {
    Beside { has_suffix: bool },
    Named(Files),
}

impl TextFiles {
    pub fn open(
        format: TextFormat,
        place: &Place,
        on_exists: OnExists,
        sync: bool,
    ) -> Result<Self, DeliverError> {
        let (folder, place) = match place {
            Place::Beside { folder, has_suffix } => {
                let has_suffix = *has_suffix;
                (folder.clone(), Placing::Beside { has_suffix })
            }
            Place::Named(template) => {
                let files = Files::open(template.clone(), on_exists, sync)?;
                (template.folder(), Placing::Named(files))
            }
        };
        let classes = match format {
            TextFormat::Yolo => Some(Mutex::new(Classes::open(&folder, sync)?)),
            _ => None,
        };
        Ok(Self {
            format,
            place,
            sync,
            classes,
        })
    }

    pub fn first_number(&self) -> Result<u64, DeliverError> {
        match &self.place {
            Placing::Named(files) => files.first_number(),
            Placing::Beside { .. } => Ok(0),
        }
    }

    pub fn stage(
        &self,
        labelled: &Labelled<'_>,
        objects: Objects<'_>,
        picture: Option<&Staged>,
    ) -> Result<Outcome, DeliverError> {
        let mut outcome = Outcome {
            left_out: objects.left_out,
            ..Outcome::default()
        };
        let mut text = String::new();
        for object in &objects.placed {
            match self.format {
                TextFormat::Kitti => kitti(&mut text, object),
                TextFormat::KittiTao => kitti_tao(&mut text, object),
                TextFormat::Yolo => match class(object) {
                    Some(class) => yolo(&mut text, class, object, &objects),
                    None => {
                        outcome.left_out += 1;
                        outcome.without_class = true;
                    }
                },
            }
        }
        if let Some(classes) = &self.classes {
            lock(classes).add(&objects.placed)?;
        }
        outcome.staged = match (&self.place, picture) {
            (Placing::Named(files), _) => Some(StagedLabels {
                staged: files.stage(&labelled.facts.frame_name(), text.as_bytes())?,
                beside: None,
            }),
            (Placing::Beside { has_suffix }, Some(picture)) => {
                let path = companion_path(picture.path(), *has_suffix, SUFFIX);
                Some(StagedLabels {
                    staged: picture.write_beside(path, text.as_bytes(), self.sync)?,
                    beside: Some(*has_suffix),
                })
            }
            // There is no picture to be beside of.
            (Placing::Beside { .. }, None) => None,
        };
        Ok(outcome)
    }

    pub fn publish(&self, staged: Staged) -> Result<Option<Published>, DeliverError> {
        match &self.place {
            Placing::Named(files) => files.publish(staged).map(Some),
            Placing::Beside { .. } => Ok(None),
        }
    }
}

fn corners(object: &Placed<'_>) -> String {
    let Placed {
        left,
        top,
        right,
        bottom,
        ..
    } = object;
    format!("{left:.6} {top:.6} {right:.6} {bottom:.6}")
}

// Writing to a string cannot fail.
fn kitti(text: &mut String, object: &Placed<'_>) {
    text.push_str(&word(&name(object.detection)));
    if let Some(id) = object.detection.track_id {
        let _ = write!(text, " {id}");
    }
    let _ = writeln!(
        text,
        " 0.0 0 0.0 {} 0.0 0.0 0.0 0.0 0.0 0.0 0.0 {:.6}",
        corners(object),
        score(object.detection)
    );
}

fn kitti_tao(text: &mut String, object: &Placed<'_>) {
    let _ = writeln!(
        text,
        "{} 0.0 3 0.0 {} 0.0 0.0 0.0 0.0 0.0 0.0 0.0",
        word(&name(object.detection)),
        corners(object)
    );
}

fn class(object: &Placed<'_>) -> Option<u32> {
    object.detection.class_id?.try_into().ok()
}

fn yolo(text: &mut String, class: u32, object: &Placed<'_>, objects: &Objects<'_>) {
    let across = |pixels: f32| f64::from(pixels) / objects.width as f64;
    let down = |pixels: f32| f64::from(pixels) / objects.height as f64;
    let _ = writeln!(
        text,
        "{class} {:.6} {:.6} {:.6} {:.6}",
        (across(object.left) + across(object.right)) / 2.0,
        (down(object.top) + down(object.bottom)) / 2.0,
        across(object.right) - across(object.left),
        down(object.bottom) - down(object.top),
    );
}

/// `classes.txt`: line n is the name of class n. The first label seen for a class is its name; a
/// file of an earlier run is added to.
#[derive(Debug)]
struct Classes {
    path: PathBuf,
    names: BTreeMap<usize, String>,
    /// Some of the names are not in the file yet.
    dirty: bool,
    sync: bool,
}

impl Classes {
    fn open(folder: &Path, sync: bool) -> Result<Self, DeliverError> {
        let mut classes = Self {
            path: folder.join(CLASSES),
            names: BTreeMap::new(),
            dirty: false,
            sync,
        };
        classes.merge()?;
        Ok(classes)
    }

    /// What is in the file comes before what is known here: others write there, too.
    fn merge(&mut self) -> Result<(), DeliverError> {
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(failed(&self.path)(error)),
        };
        let names = text.lines().map(str::to_owned).enumerate();
        // A class that was not seen has a name that stands for none.
        let names = names.filter(|(id, name)| *name != placeholder(*id));
        self.names.extend(names);
        Ok(())
    }

    /// Keeps other elements and processes from the file while it is read and replaced.
    fn claim(&self) -> io::Result<File> {
        loop {
            let file = File::options().append(true).create(true).open(&self.path)?;
            flock(&file, FlockOperation::LockExclusive)?;
            // Another may have replaced it meanwhile, and this is the lock of a file that is gone.
            let claimed = file.metadata()?;
            if fs::metadata(&self.path)
                .is_ok_and(|now| (now.dev(), now.ino()) == (claimed.dev(), claimed.ino()))
            {
                return Ok(file);
            }
        }
    }

    fn add(&mut self, objects: &[Placed<'_>]) -> Result<(), DeliverError> {
        for object in objects {
            let label = object.detection.label.trim();
            if let Some(class) = class(object).map(|class| class as usize)
                && class < MAX_CLASSES
                && !label.is_empty()
                && !self.names.contains_key(&class)
            {
                let line = label.replace(char::is_control, "_");
                self.names.insert(class, line);
                self.dirty = true;
            }
        }
        if !self.dirty {
            return Ok(());
        }
        let _claimed = self.claim().map_err(failed(&self.path))?;
        self.merge()?;
        let count = self.names.keys().next_back().map_or(0, |last| last + 1);
        let mut text = String::new();
        for class in 0..count {
            match self.names.get(&class) {
                Some(name) => text.push_str(name),
                None => text.push_str(&placeholder(class)),
            }
            text.push('\n');
        }
        replace(&self.path, self.sync, |file| {
            io::Write::write_all(file, text.as_bytes())
        })?;
        self.dirty = false;
        Ok(())
    }
}

fn placeholder(class: usize) -> String {
    format!("class{class}")
}
