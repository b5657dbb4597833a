// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! How much there may be at a location, and what makes room for more. Room is made before a capture
//! gets its names, so that the limits hold at every moment for what is to be seen.

mod book;
mod scan;

use std::collections::HashSet;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant, SystemTime};

use rustix::fs::statvfs;

use crate::capture::enums::OnFull;
use crate::capture::name::without_suffix;

use super::{DeliverError, OpenError, failed};
use book::{Amount, Book};
use scan::{Found, Group, Scanned, look};

pub use scan::{Belonging, LabelFiles};

/// The folder is looked into this often, if it matters what others did there.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// But not so often that it takes more than one part in so many of the time.
const SHARE: u32 = 50;
/// A look that takes longer is not waited for.
const QUICK: Duration = Duration::from_millis(5);
/// A capture that got no room is not followed by another attempt before so long.
const HOLD_OFF: Duration = Duration::from_secs(1);
/// File systems may give back late what is deleted. So often is asked again for one capture.
const ROUNDS: u32 = 8;

/// Zero is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub max_files: u64,
    pub max_bytes: u64,
    pub min_free: u64,
    pub on_full: OnFull,
}

/// Why there is no room.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shortage {
    property: &'static str,
    reason: String,
    /// Nothing that is deleted would help.
    is_hopeless: bool,
}

/// What is known of a location, by all elements of the process that write there.
#[derive(Debug, Default)]
struct Place {
    book: Book,
    /// Granted, and not published yet.
    reserved: Amount,
    /// The names that these are to get, as far as they are known: what is found under one is
    /// reserved already.
    publishing: Vec<(u64, Arc<[PathBuf]>)>,
    next: u64,
    looked: Option<(Instant, Duration)>,
    /// While a thread looks into the folder: what came and went since it began.
    since: Option<HashSet<PathBuf>>,
}

impl Place {
    fn is_due(&self) -> bool {
        self.since.is_none()
            && self
                .looked
                .is_none_or(|(when, took)| when.elapsed() >= LOOK_AGAIN.max(took * SHARE))
    }

    fn is_quick(&self) -> bool {
        self.looked.is_none_or(|(_, took)| took < QUICK)
    }

    /// `now`: at the start, by the clock of the file system.
    fn look(&mut self, rules: &Belonging, now: Option<SystemTime>) -> Result<(), DeliverError> {
        let begun = Instant::now();
        let scanned = match now {
            None => rules.scan(),
            Some(now) => rules.clean(now),
        };
        self.learn(begun, scanned, &HashSet::new())
    }

    fn learn(
        &mut self,
        begun: Instant,
        scanned: Scanned,
        since: &HashSet<PathBuf>,
    ) -> Result<(), DeliverError> {
        self.looked = Some((Instant::now(), begun.elapsed()));
        let mut groups = scanned.map_err(|(path, error)| failed(&path)(error))?;
        let is_counted = |path: &Path| {
            !since.contains(path)
                && (self.book.amount_of(path).is_some() || !self.is_being_published(path))
        };
        groups
            .iter_mut()
            .for_each(|group| group.files.retain(|file| is_counted(&file.path)));
        groups.retain(|group| !group.files.is_empty());
        self.book.update(groups, since);
        Ok(())
    }

    /// A file came or went.
    fn note(&mut self, path: &Path) {
        if let Some(since) = &mut self.since {
            since.insert(path.to_owned());
        }
    }

    fn is_being_published(&self, path: &Path) -> bool {
        let mut names = self.publishing.iter().flat_map(|(_, names)| names.iter());
        let plain = without_suffix(path).map(|(plain, _)| plain);
        names.any(|name| *name == *path || Some(name) == plain.as_ref())
    }

    fn release(&mut self, id: u64, reserved: Amount) {
        self.reserved.sub(reserved);
        let published = self.publishing.iter().position(|(known, _)| *known == id);
        if let Some(at) = published {
            let (_, names) = self.publishing.swap_remove(at);
            names.iter().for_each(|name| self.note(name));
        }
    }
}

static PLACES: Mutex<Vec<(Belonging, Weak<Mutex<Place>>)>> = Mutex::new(Vec::new());

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is to be said once.
#[derive(Debug, Default)]
struct Said {
    refused: Option<Instant>,
    too_large: bool,
    unreadable: bool,
    news: Vec<DeliverError>,
}

#[derive(Debug)]
pub struct Quota {
    limits: Limits,
    rules: Belonging,
    folder: PathBuf,
    place: Arc<Mutex<Place>>,
    said: Arc<Mutex<Said>>,
    stopped: AtomicBool,
    /// Pictures that were deleted.
    rotated: AtomicU64,
}

/// What a capture is about to publish.
#[derive(Debug, Default)]
pub struct Need {
    pub pictures: u64,
    pub bytes: u64,
    /// The names that its files are to get, unless they are taken.
    pub names: Vec<PathBuf>,
    /// Files that it takes the place of.
    pub replaces: Vec<PathBuf>,
}

/// Room for one capture, given back when dropped.
#[derive(Debug)]
pub struct Room {
    place: Arc<Mutex<Place>>,
    reserved: Amount,
    id: u64,
    is_counted: bool,
    is_kept: bool,
}

impl Room {
    /// The capture has its names. Those that are pictures are said to be.
    fn keep<'a>(mut self, files: impl IntoIterator<Item = (&'a Path, bool)>) {
        if !self.is_counted {
            return;
        }
        let found = files.into_iter().filter_map(|(path, is_picture)| {
            Some(Found {
                is_picture,
                ..look(path)?
            })
        });
        let group = Group {
            files: found.collect(),
        };
        // In one step: others count it as reserved or as there, never as both.
        let mut place = lock(&self.place);
        group.files.iter().for_each(|file| place.note(&file.path));
        place.book.add_newest(group);
        place.release(self.id, self.reserved);
        drop(place);
        self.is_kept = true;
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if !self.is_kept {
            lock(&self.place).release(self.id, self.reserved);
        }
    }
}

fn listed(folder: &Path) -> &Path {
    match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    }
}

impl Quota {
    /// Counts what earlier runs left. The folder is there; `now` is by its clock.
    pub fn open(limits: Limits, rules: Belonging, now: SystemTime) -> Result<Self, OpenError> {
        let folder = listed(&rules.pictures.folder()).to_owned();
        if limits.min_free > 0 {
            let failed = |error: rustix::io::Errno| failed(&folder)(error.into());
            let disk = statvfs(&folder)
                .map_err(failed)
                .map_err(OpenError::of("min-free-bytes"))?;
            let total = disk.f_blocks.saturating_mul(disk.f_frsize);
            if total < limits.min_free {
                let error = DeliverError::Limit {
                    property: "min-free-bytes",
                    reason: format!(
                        "{} bytes are to stay free, and the file system of {} has {total} in all",
                        limits.min_free,
                        folder.display()
                    ),
                };
                return Err(OpenError {
                    property: "min-free-bytes",
                    error,
                });
            }
        }
        let place = Self::place(&rules);
        // Also where nothing is counted, for what a killed run was writing.
        lock(&place)
            .look(&rules, Some(now))
            .map_err(OpenError::of("location"))?;
        Ok(Self {
            limits,
            rules,
            folder,
            place,
            said: Arc::default(),
            stopped: AtomicBool::new(false),
            rotated: AtomicU64::new(0),
        })
    }

    fn place(rules: &Belonging) -> Arc<Mutex<Place>> {
        let mut places = lock(&PLACES);
        places.retain(|(_, place)| place.strong_count() > 0);
        let known = places.iter().find(|(known, _)| known == rules);
        if let Some(place) = known.and_then(|(_, place)| place.upgrade()) {
            return place;
        }
        let place = Arc::<Mutex<Place>>::default();
        places.push((rules.clone(), Arc::downgrade(&place)));
        place
    }

    /// Whether it matters what is there. To keep room free, it need only be known to delete some.
    fn counts(&self) -> bool {
        let limits = &self.limits;
        limits.max_files > 0 || limits.max_bytes > 0 || limits.on_full == OnFull::Rotate
    }

    pub fn on_full(&self) -> OnFull {
        self.limits.on_full
    }

    /// Pictures deleted so far.
    pub fn rotated(&self) -> u64 {
        self.rotated.load(Ordering::Relaxed)
    }

    /// What is to be said since this was asked last.
    pub fn take_news(&self) -> Vec<DeliverError> {
        std::mem::take(&mut lock(&self.said).news)
    }

    /// Room for a capture, made if need be, or why there is none.
    pub fn admit(&self, need: &Need) -> Result<Room, DeliverError> {
        if self.stopped.load(Ordering::Acquire) {
            return Err(refusal("on-full", "stopped already".to_owned()));
        }
        let is_held_off = || {
            let refused = lock(&self.said).refused;
            refused.is_some_and(|since| since.elapsed() < HOLD_OFF)
        };
        if self.limits.on_full != OnFull::Rotate && is_held_off() {
            return Err(refusal("on-full", "still full".to_owned()));
        }
        self.find_room(need).map_err(|shortage| {
            self.note_shortage(&shortage);
            refusal(shortage.property, shortage.reason)
        })
    }

    fn find_room(&self, need: &Need) -> Result<Room, Shortage> {
        let mut place = lock(&self.place);
        if self.counts() && place.is_due() {
            match place.is_quick() {
                true => note_unreadable(&self.said, place.look(&self.rules, None)),
                false => self.look_aside(&mut place),
            }
        }
        let mut replaced = Amount::default();
        let known = need.replaces.iter();
        known
            .filter_map(|path| place.book.amount_of(path))
            .for_each(|amount| replaced.add(amount));
        let rotates = self.limits.on_full == OnFull::Rotate;
        let mut rounds = 0;
        while let Some((shortage, missing)) = self.shortage(&place, need, replaced) {
            if !rotates || shortage.is_hopeless || rounds == ROUNDS {
                return Err(shortage);
            }
            rounds += u32::from(shortage.property == FREE);
            if self.delete(&mut place, missing, &need.replaces) == Amount::default() {
                return Err(shortage);
            }
        }
        let reserved = Amount {
            pictures: need.pictures,
            bytes: need.bytes,
        };
        let id = place.next;
        place.next += 1;
        place.reserved.add(reserved);
        place.publishing.push((id, need.names.as_slice().into()));
        Ok(Room {
            place: self.place.clone(),
            reserved,
            id,
            is_counted: self.counts(),
            is_kept: false,
        })
    }

    /// Looks into the folder while captures go on. The thread owns what it touches, and is left to
    /// itself at the end: a disk may never answer.
    fn look_aside(&self, place: &mut Place) {
        place.since = Some(HashSet::new());
        let thread = std::thread::Builder::new().name("dsframelook".into());
        let (rules, shared, said) = (self.rules.clone(), self.place.clone(), self.said.clone());
        let started = thread.spawn(move || {
            let begun = Instant::now();
            let scanned = rules.scan();
            let mut place = lock(&shared);
            let since = place.since.take().unwrap_or_default();
            let learned = place.learn(begun, scanned, &since);
            drop(place);
            note_unreadable(&said, learned);
        });
        if started.is_err() {
            place.since = None;
        }
    }

    /// What is missing, if something is: pictures, and bytes.
    fn shortage(&self, place: &Place, need: &Need, replaced: Amount) -> Option<(Shortage, Amount)> {
        let limits = &self.limits;
        let mut there = place.book.total();
        there.add(place.reserved);
        there.sub(replaced);
        let one = |missing: u64| Amount {
            pictures: missing,
            bytes: 0,
        };
        let bytes = |missing: u64| Amount {
            pictures: 0,
            bytes: missing,
        };
        let over = |there: u64, need: u64, max: u64| match max {
            0 => 0,
            max => there.saturating_add(need).saturating_sub(max),
        };
        let location = self.folder.display();
        let files = over(there.pictures, need.pictures, limits.max_files);
        if files > 0 {
            let max = limits.max_files;
            let is_hopeless = need.pictures > max;
            let reason = match is_hopeless {
                true => format!(
                    "a capture has {} pictures, and {max} are allowed",
                    need.pictures
                ),
                false => format!("{} of {max} pictures are in {location}", there.pictures),
            };
            let shortage = Shortage {
                property: "max-files",
                reason,
                is_hopeless,
            };
            return Some((shortage, one(files)));
        }
        let over_bytes = over(there.bytes, need.bytes, limits.max_bytes);
        if over_bytes > 0 {
            let max = limits.max_bytes;
            let is_hopeless = need.bytes > max;
            let reason = match is_hopeless {
                true => format!("a capture has {} bytes, and {max} are allowed", need.bytes),
                false => format!(
                    "{} of {max} bytes are in {location}, and a capture has {}",
                    there.bytes, need.bytes
                ),
            };
            let shortage = Shortage {
                property: "max-bytes",
                reason,
                is_hopeless,
            };
            return Some((shortage, bytes(over_bytes)));
        }
        if limits.min_free == 0 {
            return None;
        }
        // What is staged is on the disk already. Unknown is not too little.
        let disk = statvfs(&self.folder).ok()?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        let missing = limits.min_free.saturating_sub(free);
        (missing > 0).then(|| {
            let shortage = Shortage {
                property: FREE,
                reason: format!(
                    "{free} bytes are free on the file system of {location}, and {} are to stay so",
                    limits.min_free
                ),
                is_hopeless: false,
            };
            (shortage, bytes(missing))
        })
    }

    /// Deletes the oldest until so much is gone, but for these and what is just put in place of
    /// something older. Returns what is.
    fn delete(&self, place: &mut Place, missing: Amount, spared: &[PathBuf]) -> Amount {
        let mut gone = Amount::default();
        while gone.pictures < missing.pictures || gone.bytes < missing.bytes {
            let publishing = place.publishing.iter().flat_map(|(_, names)| names.iter());
            let is_to_stay = |path: &Path| {
                spared
                    .iter()
                    .chain(publishing.clone())
                    .any(|it| **it == *path)
            };
            let Some(oldest) = place.book.oldest(is_to_stay) else {
                break;
            };
            let is_gone = |path: &Path| match fs::remove_file(path) {
                Err(error) => error.kind() == ErrorKind::NotFound,
                Ok(()) => true,
            };
            let mut deleted = Vec::new();
            for path in &oldest.files {
                // The picture first, and without it gone its labels stay.
                if !is_gone(path) {
                    break;
                }
                deleted.push(path.clone());
            }
            deleted.iter().for_each(|path| place.note(path));
            if deleted.len() == oldest.files.len() {
                place.book.deleted(&oldest);
                gone.add(oldest.amount);
                let pictures = oldest.amount.pictures;
                self.rotated.fetch_add(pictures, Ordering::Relaxed);
            } else {
                place.book.is_stuck(&oldest, &deleted);
            }
        }
        gone
    }

    /// The disk is full on which this was to be written. Deletes the oldest that make up for so many
    /// bytes, if that is wanted and helps there, and there are any.
    pub fn make_way(&self, path: &Path, bytes: u64) -> bool {
        let missing = Amount {
            pictures: 0,
            bytes: bytes.max(1),
        };
        self.limits.on_full == OnFull::Rotate
            && self.is_same_disk(path)
            && self.delete(&mut lock(&self.place), missing, &[]) != Amount::default()
    }

    /// Whether what is deleted here makes room for a file of this name. Unknown is no.
    fn is_same_disk(&self, path: &Path) -> bool {
        // It need not be there yet, nor its folder. A device has no room to be made.
        let there = path.ancestors().map(listed);
        let there = there.filter_map(|path| fs::metadata(path).ok()).next();
        let here = fs::metadata(&self.folder);
        there.is_some_and(|there| {
            (there.is_file() || there.is_dir()) && here.is_ok_and(|here| here.dev() == there.dev())
        })
    }

    /// A write to this failed for want of space.
    pub fn note_full_disk(&self, path: &Path, error: &DeliverError) {
        let elsewhere = match self.is_same_disk(path) {
            true => "",
            false => ", on another file system than the pictures",
        };
        self.note_shortage(&Shortage {
            property: "on-full",
            reason: format!("{error}{elsewhere}"),
            is_hopeless: false,
        });
    }

    /// A capture is delivered, whole.
    pub fn keep<'a>(&self, room: Room, files: impl IntoIterator<Item = (&'a Path, bool)>) {
        room.keep(files);
        let mut said = lock(&self.said);
        if said.refused.take().is_some() {
            said.news.push(DeliverError::Limit {
                property: "on-full",
                reason: format!("there is room in {} again", self.folder.display()),
            });
        }
    }

    fn note_shortage(&self, shortage: &Shortage) {
        let Shortage {
            property,
            reason,
            is_hopeless,
        } = shortage;
        let mut said = lock(&self.said);
        if self.limits.on_full == OnFull::Stop {
            if !self.stopped.swap(true, Ordering::AcqRel) {
                let reason = format!("{reason}; on-full=stop ends the capture here");
                said.news.push(refusal(property, reason));
            }
            return;
        }
        let is_news = match is_hopeless {
            true => !std::mem::replace(&mut said.too_large, true),
            false => said.refused.replace(Instant::now()).is_none(),
        };
        if is_news {
            let then = match (self.limits.on_full, is_hopeless) {
                (_, true) => "such captures are dropped, and counted",
                (OnFull::Rotate, _) => {
                    "there is nothing left that could be deleted for it: captures are dropped, and \
                     counted, until there is room"
                }
                _ => "captures are dropped, and counted, until there is room",
            };
            said.news
                .push(refusal(property, format!("{reason}; {then}")));
        }
    }
}

fn note_unreadable(said: &Mutex<Said>, learned: Result<(), DeliverError>) {
    let Err(error) = learned else { return };
    let mut said = lock(said);
    if !std::mem::replace(&mut said.unreadable, true) {
        said.news.push(error);
    }
}

const FREE: &str = "min-free-bytes";

fn refusal(property: &'static str, reason: String) -> DeliverError {
    DeliverError::Full { property, reason }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
