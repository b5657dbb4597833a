// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Which files in a folder are captures, and what belongs together. What no template can have named
//! is somebody else's.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::capture::deliver::files::{
    ANNOTATED, HIDDEN_PREFIX, HIDDEN_SUFFIX, beside, companion_path,
};
use crate::capture::name::{Template, with_suffix, without_suffix};

/// The label files that go with pictures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabelFiles {
    None,
    /// The name of the picture with this suffix; `has_suffix` says whether it has one of its own.
    Beside {
        has_suffix: bool,
        suffix: &'static str,
    },
    Named(Template),
}

/// Whose files they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Belonging {
    pub pictures: Template,
    pub labels: LabelFiles,
    /// Files that the template may name as well, and which are no captures: logs and lists. Of a
    /// folder, all that is in it.
    pub others: Vec<PathBuf>,
    pub others_named: Option<Template>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub path: PathBuf,
    pub modified: SystemTime,
    pub bytes: u64,
    /// And no copy or label file.
    pub is_picture: bool,
}

/// Files that come and go together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The picture first: whoever sees it finds the others.
    pub files: Vec<Found>,
}

/// What is there, or the folder that cannot be read.
pub type Scanned = Result<Vec<Group>, (PathBuf, io::Error)>;

impl Belonging {
    fn is_other(&self, path: &Path) -> bool {
        let is_named = |template: &Template| template.read_suffixed(path).is_some();
        self.others.iter().any(|other| path.starts_with(other))
            || self.others_named.as_ref().is_some_and(is_named)
    }

    fn is_picture(&self, path: &Path) -> bool {
        self.pictures.read_suffixed(path).is_some()
    }

    /// The picture that this would be a copy of.
    fn copied(&self, path: &Path) -> Option<PathBuf> {
        let of = |path: &Path| {
            let stem = path.file_stem()?.to_str()?;
            let plain = stem.strip_suffix(ANNOTATED)?.strip_suffix('-')?;
            let mut name = plain.to_owned();
            if let Some(extension) = path.extension() {
                name.push('.');
                name.push_str(extension.to_str()?);
            }
            let picture = path.with_file_name(name);
            (!plain.is_empty() && beside(&picture, ANNOTATED) == path).then_some(picture)
        };
        let picture = match (of(path), without_suffix(path)) {
            (Some(picture), _) => picture,
            (None, Some((path, n))) => with_suffix(&of(&path)?, n),
            (None, None) => return None,
        };
        self.is_picture(&picture).then_some(picture)
    }

    /// The picture whose labels these would be.
    fn labelled(&self, path: &Path) -> Option<PathBuf> {
        let LabelFiles::Beside { has_suffix, suffix } = self.labels else {
            return None;
        };
        if path.extension()? != suffix {
            return None;
        }
        let picture = match has_suffix {
            true => path.with_extension(self.pictures.extension()?),
            false => path.with_extension(""),
        };
        (companion_path(&picture, has_suffix, suffix) == path && self.is_picture(&picture))
            .then_some(picture)
    }

    /// The label file elsewhere that has the same name as a picture, as far as names tell.
    fn named(&self, picture: &Path) -> Option<PathBuf> {
        let LabelFiles::Named(template) = &self.labels else {
            return None;
        };
        let (values, n) = self.pictures.read_suffixed(picture)?;
        let path = template.render_again(&values)?;
        Some(match n {
            1 => path,
            n => with_suffix(&path, n),
        })
    }

    /// All that is there of it.
    pub fn scan(&self) -> Scanned {
        self.walk(&mut |_| ())
    }

    /// The same, and deletes what a killed run was writing. `now` is by the clock of the file
    /// system.
    pub fn clean(&self, now: SystemTime) -> Scanned {
        self.walk(&mut |path| {
            if is_left_behind(path, now) {
                // Should it stay, it is as before.
                let _ = fs::remove_file(path);
            }
        })
    }

    fn walk(&self, left_behind: &mut dyn FnMut(&Path)) -> Scanned {
        let mut found = Vec::new();
        let levels = self.pictures.levels();
        let folder = self.pictures.folder();
        walk(self, &folder, &levels, &mut found, left_behind)?;
        Ok(self.group(found))
    }

    fn group(&self, found: Vec<Found>) -> Vec<Group> {
        let mut groups: BTreeMap<PathBuf, Group> = BTreeMap::new();
        // Those that may belong to another, and are on their own if it is not there.
        let mut companions = Vec::new();
        for file in found {
            let of = match self.copied(&file.path) {
                None => self.labelled(&file.path),
                picture => picture,
            };
            match of {
                Some(picture) => companions.push((picture, file)),
                None if self.is_picture(&file.path) => {
                    groups.insert(file.path.clone(), Group::of(file, true));
                }
                None => (),
            }
        }
        for (picture, file) in companions {
            match groups.get_mut(&picture) {
                Some(group) => group.files.push(file),
                None => {
                    let is_picture = self.is_picture(&file.path);
                    groups.insert(file.path.clone(), Group::of(file, is_picture));
                }
            }
        }
        // One that several crops share goes with the newest of them.
        let mut labels: BTreeMap<PathBuf, PathBuf> = BTreeMap::new();
        for (picture, group) in &groups {
            let Some(path) = self.named(picture) else {
                continue;
            };
            let owner = labels.entry(path).or_insert_with(|| picture.clone());
            if groups.get(owner).and_then(Group::order) < group.order() {
                owner.clone_from(picture);
            }
        }
        for (path, picture) in labels {
            if let Some(group) = groups.get_mut(&picture) {
                group.files.extend(look(&path));
            }
        }
        let mut groups: Vec<_> = groups.into_values().collect();
        groups.sort_by(|a, b| a.order().cmp(&b.order()));
        groups
    }
}

impl Group {
    fn of(mut file: Found, is_picture: bool) -> Self {
        file.is_picture = is_picture;
        Self { files: vec![file] }
    }

    /// The oldest first, and of equals by name.
    fn order(&self) -> Option<(SystemTime, &Path)> {
        let first = self.files.first()?;
        Some((first.modified, &first.path))
    }
}

/// A regular file, which a link is not.
pub fn look(path: &Path) -> Option<Found> {
    let meta = fs::symlink_metadata(path)
        .ok()
        .filter(fs::Metadata::is_file)?;
    Some(Found {
        path: path.to_owned(),
        modified: meta.modified().ok()?,
        bytes: meta.len(),
        is_picture: false,
    })
}

/// Of a run that was killed: nobody keeps a picture under its hidden name for so long.
const LEFT_BEHIND: Duration = Duration::from_secs(60 * 60);

fn is_left_behind(path: &Path, now: SystemTime) -> bool {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    let age = |file: Found| now.duration_since(file.modified).unwrap_or_default();
    name.starts_with(HIDDEN_PREFIX.as_bytes())
        && name.ends_with(HIDDEN_SUFFIX.as_bytes())
        && look(path).is_some_and(|file| age(file) > LEFT_BEHIND)
}

/// Looks only where the template can have put something, and follows no link.
fn walk(
    rules: &Belonging,
    folder: &Path,
    levels: &[Template],
    found: &mut Vec<Found>,
    left_behind: &mut dyn FnMut(&Path),
) -> Result<(), (PathBuf, io::Error)> {
    let Some((level, below)) = levels.split_first() else {
        return Ok(());
    };
    let listed = match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    };
    let failed = |error| (listed.to_owned(), error);
    let entries = match fs::read_dir(listed) {
        // Gone again, or not made yet.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(failed)?,
    };
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        let path = folder.join(entry.file_name());
        if !below.is_empty() {
            if kind.is_dir() && level.read(Path::new(&entry.file_name())).is_some() {
                walk(rules, &path, below, found, left_behind)?;
            }
            continue;
        }
        let is_ours = || {
            !rules.is_other(&path)
                && (rules.is_picture(&path)
                    || rules.copied(&path).is_some()
                    || rules.labelled(&path).is_some())
        };
        if kind.is_file() && is_ours() {
            found.extend(look(&path));
        } else if kind.is_file() {
            left_behind(&path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(pictures: &str, labels: LabelFiles) -> Belonging {
        Belonging {
            pictures: Template::parse(pictures).unwrap(),
            labels,
            others: Vec::new(),
            others_named: None,
        }
    }

    const BESIDE: LabelFiles = LabelFiles::Beside {
        has_suffix: true,
        suffix: "txt",
    };

    fn found(path: &str, seconds: u64) -> Found {
        Found {
            path: path.into(),
            modified: SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds),
            bytes: 1,
            is_picture: false,
        }
    }

    fn names(groups: &[Group]) -> Vec<(String, u64)> {
        let all = |group: &Group| {
            let names = group.files.iter().map(|f| f.path.to_str().unwrap());
            let pictures = group.files.iter().filter(|f| f.is_picture).count();
            (names.collect::<Vec<_>>().join(" "), pictures as u64)
        };
        groups.iter().map(all).collect()
    }

    #[test]
    fn what_belongs_together_is_one_and_the_oldest_comes_first() {
        let rules = rules("o/{label}-%03d.jpg", BESIDE);
        let groups = rules.group(vec![
            found("o/car-007-annotated.jpg", 1),
            found("o/car-007.jpg", 9),
            found("o/car-007.txt", 9),
            found("o/car-007-2.jpg", 9),
            found("o/car-007-annotated-2.jpg", 9),
            found("o/car-007-2.txt", 9),
            found("o/a-001.jpg", 5),
            // Of pictures that are gone.
            found("o/b-002.txt", 3),
            found("o/b-003-annotated.jpg", 4),
            // Nobody's.
            found("o/car-07.jpg", 1),
            found("o/car-007.png", 1),
            found("o/notes.txt", 1),
        ]);
        let expected = [
            ("o/b-002.txt", 0),
            ("o/b-003-annotated.jpg", 0),
            ("o/a-001.jpg", 1),
            (
                "o/car-007-2.jpg o/car-007-annotated-2.jpg o/car-007-2.txt",
                1,
            ),
            ("o/car-007.jpg o/car-007-annotated.jpg o/car-007.txt", 1),
        ];
        let expected = expected.map(|(names, pictures)| (names.to_owned(), pictures));
        assert_eq!(names(&groups), expected);
    }

    #[test]
    fn a_label_that_ends_like_a_copy_is_a_picture_unless_there_is_its_original() {
        let rules = rules("{label}.jpg", LabelFiles::None);
        let alone = rules.group(vec![found("car-annotated.jpg", 1)]);
        assert_eq!(names(&alone), [("car-annotated.jpg".to_owned(), 1)]);
        let both = rules.group(vec![found("car-annotated.jpg", 1), found("car.jpg", 2)]);
        assert_eq!(names(&both), [("car.jpg car-annotated.jpg".to_owned(), 1)]);
    }

    #[test]
    fn only_files_where_the_template_puts_them_are_found() {
        let top = tempfile::tempdir().unwrap();
        let folder = top.path().join("o");
        let write = |name: &str| {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        };
        for name in [
            "cam-1/000001.jpg",
            "cam-1/000002-2.jpg",
            "cam-x/000003.jpg",
            "cam-1/deeper/000004.jpg",
            "000005.jpg",
            "cam-1/5.jpg",
            "cam-1/.dsframe-abc.part",
            "cam-2/000006.jpg",
            "elsewhere/000007.jpg",
        ] {
            write(name);
        }
        let outside = top.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("000008.jpg"), "x").unwrap();
        std::os::unix::fs::symlink(&outside, folder.join("cam-3")).unwrap();
        let link = folder.join("cam-2/000009.jpg");
        std::os::unix::fs::symlink(outside.join("000008.jpg"), link).unwrap();
        fs::create_dir(folder.join("cam-2/000010.jpg")).unwrap();
        let template = folder.join("cam-{stream}/%06d.jpg");
        let mut rules = rules(template.to_str().unwrap(), LabelFiles::None);
        let found = |rules: &Belonging| {
            let groups = rules.scan().unwrap();
            let of = |file: &Found| file.path.strip_prefix(&folder).unwrap().to_owned();
            let mut names: Vec<_> = groups.iter().map(|g| of(&g.files[0])).collect();
            names.sort();
            names
        };
        let expected = ["cam-1/000001.jpg", "cam-1/000002-2.jpg", "cam-2/000006.jpg"];
        assert_eq!(found(&rules), expected.map(PathBuf::from));
        rules.others.push(folder.join("cam-1/000001.jpg"));
        rules.others_named =
            Some(Template::parse(folder.join("cam-2/{frame:06}.jpg").to_str().unwrap()).unwrap());
        assert_eq!(found(&rules), [PathBuf::from("cam-1/000002-2.jpg")]);
    }

    #[test]
    fn what_is_in_a_folder_of_another_use_is_no_capture() {
        let folder = tempfile::tempdir().unwrap();
        let spool = folder.path().join("spool");
        for name in ["spool/00000000000000000042.post", "7/car", "spool-2/car"] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        let template = folder.path().join("{sensor}/{label}");
        let mut rules = rules(template.to_str().unwrap(), LabelFiles::None);
        assert_eq!(rules.scan().unwrap().len(), 3);
        rules.others.push(spool.clone());
        let groups = rules.scan().unwrap();
        let mut files = groups.iter().flat_map(|group| &group.files);
        assert_eq!(groups.len(), 2);
        assert!(files.all(|file| !file.path.starts_with(&spool)));
    }

    #[test]
    fn what_a_killed_run_was_writing_goes_after_an_hour() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str| fs::write(folder.path().join(name), "x").unwrap();
        for name in [".dsframe-1.part", ".dsframe-1.txt", "x.part", "1.jpg"] {
            write(name);
        }
        let template = folder.path().join("%d.jpg");
        let rules = rules(template.to_str().unwrap(), LabelFiles::None);
        let there = || fs::read_dir(folder.path()).unwrap().count();
        let now = SystemTime::now();
        assert_eq!(
            rules.clean(now + Duration::from_secs(3500)).unwrap().len(),
            1
        );
        assert_eq!(there(), 4);
        assert_eq!(
            rules.clean(now + Duration::from_secs(3700)).unwrap().len(),
            1
        );
        assert_eq!(there(), 3);
        assert!(!folder.path().join(".dsframe-1.part").exists());
    }

    #[test]
    fn labels_elsewhere_are_found_by_what_names_have_in_common() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let labels = LabelFiles::Named(Template::parse(&path("{stream}-{frame:04}.txt")).unwrap());
        let rules = rules("o/{stream}/{frame}.jpg", labels);
        for name in ["1-0007.txt", "1-0007-2.txt", "1-7.txt"] {
            fs::write(path(name), "x").unwrap();
        }
        let groups = rules.group(vec![found("o/1/7.jpg", 1), found("o/1/7-2.jpg", 2)]);
        let expected = [
            (format!("o/1/7.jpg {}", path("1-0007.txt")), 1),
            (format!("o/1/7-2.jpg {}", path("1-0007-2.txt")), 1),
        ];
        assert_eq!(names(&groups), expected);
        let unknown = LabelFiles::Named(Template::parse(&path("{pts}.txt")).unwrap());
        let rules = Belonging {
            labels: unknown,
            ..rules
        };
        assert_eq!(rules.named(Path::new("o/1/7.jpg")), None);
    }
    #[test]
    fn labels_that_crops_share_go_with_the_newest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("0007.txt");
        fs::write(&path, "x").unwrap();
        let template = folder.path().join("{frame:04}.txt");
        let labels = LabelFiles::Named(Template::parse(template.to_str().unwrap()).unwrap());
        let rules = rules("o/{frame}-{object}.jpg", labels);
        let crops = [("o/7-0.jpg", 4), ("o/7-1.jpg", 6), ("o/7-2.jpg", 5)];
        let groups = rules.group(crops.map(|(name, time)| found(name, time)).into());
        let expected = [
            "o/7-0.jpg".to_owned(),
            "o/7-2.jpg".to_owned(),
            format!("o/7-1.jpg {}", path.display()),
        ];
        assert_eq!(names(&groups), expected.map(|names| (names, 1)));
    }
}
