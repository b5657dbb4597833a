// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What there is at a location, from the oldest to the newest.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::scan::{Found, Group};

/// By modification time; of equals in the order in which they became known.
type Key = (SystemTime, u64);

/// Pictures, and bytes of all files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    pub pictures: u64,
    pub bytes: u64,
}

impl Amount {
    pub fn add(&mut self, other: Self) {
        self.pictures = self.pictures.saturating_add(other.pictures);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }

    pub fn sub(&mut self, other: Self) {
        self.pictures = self.pictures.saturating_sub(other.pictures);
        self.bytes = self.bytes.saturating_sub(other.bytes);
    }
}

/// The files of one capture.
#[derive(Debug, Default)]
struct Kept(Vec<(Arc<Path>, Amount)>);

impl Kept {
    fn amount(&self) -> Amount {
        let mut sum = Amount::default();
        self.0.iter().for_each(|(_, amount)| sum.add(*amount));
        sum
    }
}

impl Found {
    fn amount(&self) -> Amount {
        Amount {
            pictures: self.is_picture.into(),
            bytes: self.bytes,
        }
    }
}

#[derive(Debug, Default)]
pub struct Book {
    groups: BTreeMap<Key, Kept>,
    by_path: HashMap<Arc<Path>, Key>,
    total: Amount,
    next: u64,
    /// Of the newest there is: what we add is not older, whatever the clock says.
    newest: Option<SystemTime>,
    /// Their files could not be deleted. Not tried again before the next look into the folder.
    stuck: HashSet<Key>,
}

/// A group that is to be deleted.
#[derive(Debug)]
pub struct Oldest {
    key: Key,
    pub files: Vec<Arc<Path>>,
    pub amount: Amount,
}

impl Book {
    pub fn total(&self) -> Amount {
        self.total
    }

    /// A file, if it is known.
    pub fn amount_of(&self, path: &Path) -> Option<Amount> {
        let kept = self.groups.get(self.by_path.get(path)?)?;
        let file = kept.0.iter().find(|(known, _)| **known == *path);
        file.map(|(_, amount)| *amount)
    }

    /// A capture of ours, the newest of all.
    pub fn add_newest(&mut self, group: Group) {
        let modified = group.files.iter().map(|file| file.modified).max();
        let modified = modified.max(self.newest);
        self.add(modified.unwrap_or(SystemTime::UNIX_EPOCH), group);
    }

    fn add(&mut self, modified: SystemTime, group: Group) {
        if group.files.is_empty() {
            return;
        }
        self.newest = self.newest.max(Some(modified));
        let key = (modified, self.next);
        self.next += 1;
        let mut kept = Kept::default();
        for file in group.files {
            // Put in place of one that is known.
            self.forget(&file.path);
            let amount = file.amount();
            let path: Arc<Path> = file.path.into();
            self.by_path.insert(path.clone(), key);
            kept.0.push((path, amount));
        }
        self.total.add(kept.amount());
        self.groups.insert(key, kept);
    }

    /// A file is gone.
    fn forget(&mut self, path: &Path) {
        let Some(key) = self.by_path.remove(path) else {
            return;
        };
        let Some(kept) = self.groups.get_mut(&key) else {
            return;
        };
        self.total.sub(kept.amount());
        kept.0.retain(|(known, _)| **known != *path);
        self.total.add(kept.amount());
        if kept.0.is_empty() {
            self.groups.remove(&key);
            self.stuck.remove(&key);
        }
    }

    /// The oldest that can be deleted, and has no file that is to stay.
    pub fn oldest(&self, is_to_stay: impl Fn(&Path) -> bool) -> Option<Oldest> {
        let is_spared = |kept: &Kept| kept.0.iter().any(|(path, _)| is_to_stay(path));
        let mut groups = self.groups.iter();
        let (key, kept) =
            groups.find(|(key, kept)| !self.stuck.contains(key) && !is_spared(kept))?;
        Some(Oldest {
            key: *key,
            files: kept.0.iter().map(|(path, _)| path.clone()).collect(),
            amount: kept.amount(),
        })
    }

    pub fn deleted(&mut self, oldest: &Oldest) {
        oldest.files.iter().for_each(|path| self.forget(path));
    }

    /// Some of it is gone, and the rest cannot be deleted.
    pub fn is_stuck(&mut self, oldest: &Oldest, gone: &[Arc<Path>]) {
        gone.iter().for_each(|path| self.forget(path));
        if self.groups.contains_key(&oldest.key) {
            self.stuck.insert(oldest.key);
        }
    }

    /// Others deleted and added files. What is known to belong together stays so, and nothing is
    /// learned of files that came or went since the folder was looked into.
    pub fn update(&mut self, groups: Vec<Group>, since: &HashSet<PathBuf>) {
        self.stuck.clear();
        let files = groups.iter().flat_map(|group| &group.files);
        let there: HashMap<&Path, u64> = files.map(|file| (&*file.path, file.bytes)).collect();
        let gone: Vec<_> = self
            .by_path
            .keys()
            .filter(|path| !there.contains_key(&***path) && !since.contains(&***path))
            .cloned()
            .collect();
        gone.iter().for_each(|path| self.forget(path));
        for kept in self.groups.values_mut() {
            self.total.sub(kept.amount());
            for (path, amount) in &mut kept.0 {
                amount.bytes = there.get(&**path).copied().unwrap_or(amount.bytes);
            }
            self.total.add(kept.amount());
        }
        for mut group in groups {
            // The picture comes first.
            let first = group.files.first().map(|file| file.path.clone());
            let own = first.and_then(|path| self.by_path.get(&*path).copied());
            group
                .files
                .retain(|file| !self.by_path.contains_key(&*file.path));
            match own.and_then(|key| Some((key, self.groups.get_mut(&key)?))) {
                None => {
                    let modified = group.files.first().map(|file| file.modified);
                    self.add(modified.unwrap_or(SystemTime::UNIX_EPOCH), group);
                }
                Some((key, kept)) => {
                    for file in group.files {
                        let amount = file.amount();
                        let path: Arc<Path> = file.path.into();
                        self.by_path.insert(path.clone(), key);
                        kept.0.push((path, amount));
                        self.total.add(amount);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    fn file(name: &str, seconds: u64, bytes: u64) -> Found {
        Found {
            path: name.into(),
            modified: SystemTime::UNIX_EPOCH + Duration::from_secs(seconds),
            bytes,
            is_picture: false,
        }
    }

    /// The first ones are the pictures.
    fn group(files: &[(&str, u64, u64)], pictures: usize) -> Group {
        let of = |&(name, seconds, bytes): &(&str, u64, u64)| file(name, seconds, bytes);
        let mut files: Vec<_> = files.iter().map(of).collect();
        let pictures = files.iter_mut().take(pictures);
        pictures.for_each(|file| file.is_picture = true);
        Group { files }
    }

    fn order(book: &mut Book) -> Vec<String> {
        std::iter::from_fn(|| {
            let oldest = book.oldest(|_| false)?;
            book.deleted(&oldest);
            Some(oldest.files[0].to_str().unwrap().to_owned())
        })
        .collect()
    }

    #[test]
    fn what_is_added_is_the_newest_and_what_is_found_has_its_time() {
        let mut book = Book::default();
        book.update(
            vec![group(&[("b", 5, 1)], 1), group(&[("a", 7, 1)], 1)],
            &HashSet::new(),
        );
        // By a clock that went back.
        book.add_newest(group(&[("c", 9, 1), ("c.txt", 9, 2)], 1));
        book.add_newest(group(&[("d", 8, 1)], 1));
        assert_eq!(
            book.total(),
            Amount {
                pictures: 4,
                bytes: 6
            }
        );
        book.update(
            vec![
                group(&[("a", 7, 3)], 1),
                group(&[("c", 9, 1), ("c-annotated", 9, 5), ("c.txt", 9, 2)], 1),
                group(&[("d", 8, 1)], 1),
                group(&[("e", 6, 1)], 1),
            ],
            &HashSet::new(),
        );
        assert_eq!(
            book.total(),
            Amount {
                pictures: 4,
                bytes: 13
            }
        );
        assert_eq!(order(&mut book), ["e", "a", "c", "d"]);
        assert_eq!(book.total(), Amount::default());
        assert!(book.by_path.is_empty() && book.groups.is_empty());
    }

    #[test]
    fn ours_are_newer_than_what_a_clock_ahead_has_left() {
        let mut book = Book::default();
        book.update(vec![group(&[("a", 900, 1)], 1)], &HashSet::new());
        book.add_newest(group(&[("b", 3, 1)], 1));
        book.add_newest(group(&[("c", 4, 1)], 1));
        assert_eq!(order(&mut book), ["a", "b", "c"]);
    }

    #[test]
    fn what_came_or_went_during_a_look_is_as_it_is_known() {
        let mut book = Book::default();
        for name in ["a", "b", "c"] {
            book.add_newest(group(&[(name, 1, 1)], 1));
        }
        let since = ["b", "d"].map(PathBuf::from).into();
        book.update(vec![group(&[("a", 1, 1)], 1)], &since);
        assert_eq!(order(&mut book), ["a", "b"]);
    }

    #[test]
    fn a_file_that_goes_is_a_picture_only_if_it_was_one() {
        let mut crops = group(&[("p1", 1, 1), ("c1", 1, 1), ("p2", 1, 1), ("c2", 1, 1)], 1);
        crops.files[2].is_picture = true;
        let amount = |pictures, bytes| Amount { pictures, bytes };
        let mut book = Book::default();
        book.add_newest(crops);
        assert_eq!(book.total(), amount(2, 4));
        book.forget(Path::new("c1"));
        assert_eq!(book.total(), amount(2, 3));
        assert_eq!(book.amount_of(Path::new("c2")), Some(amount(0, 1)));
        book.forget(Path::new("p2"));
        assert_eq!(book.total(), amount(1, 2));
    }

    #[test]
    fn what_is_stuck_or_spared_is_passed_over() {
        let mut book = Book::default();
        for (name, copy) in [("a", "a2"), ("b", "b2"), ("c", "c2")] {
            book.add_newest(group(&[(name, 1, 1), (copy, 1, 1)], 1));
        }
        let a = book.oldest(|_| false).unwrap();
        book.is_stuck(&a, &a.files[..1]);
        assert_eq!(
            book.total(),
            Amount {
                pictures: 2,
                bytes: 5
            }
        );
        let spares = |path: &Path| path == Path::new("b2");
        assert_eq!(book.oldest(spares).unwrap().files[0], Path::new("c").into());
        assert_eq!(
            book.oldest(|_| false).unwrap().files[0],
            Path::new("b").into()
        );
    }

    proptest! {
        /// However files come and go, the sums are those of what is there.
        #[test]
        fn the_sums_are_right(steps in prop::collection::vec((0..4u8, 0..8u64, 1..9u64), 0..60)) {
            let mut book = Book::default();
            let mut there: BTreeMap<String, u64> = BTreeMap::new();
            for (step, name, bytes) in steps {
                let name = name.to_string();
                match step {
                    0 => {
                        book.add_newest(group(&[(&name, bytes, bytes)], 1));
                        there.insert(name, bytes);
                    }
                    1 => if let Some(oldest) = book.oldest(|_| false) {
                        book.deleted(&oldest);
                        for file in &oldest.files {
                            there.remove(file.to_str().unwrap());
                        }
                    }
                    2 => {
                        there.remove(&name);
                        let all = there.iter().map(|(n, b)| group(&[(n, 3, *b)], 1)).collect();
                        book.update(all, &HashSet::new());
                    }
                    _ => {
                        there.insert(name, bytes);
                        let all = there.iter().map(|(n, b)| group(&[(n, 3, *b)], 1)).collect();
                        book.update(all, &HashSet::new());
                    }
                }
                let expected = Amount {
                    pictures: there.len() as u64,
                    bytes: there.values().sum(),
                };
                prop_assert_eq!(book.total(), expected);
                for (name, bytes) in &there {
                    let amount = book.amount_of(Path::new(name));
                    prop_assert_eq!(amount.map(|amount| amount.bytes), Some(*bytes));
                }
            }
        }
    }
}
