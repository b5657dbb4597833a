// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Pictures as files: written under a hidden name, then renamed, so that a name never shows less
//! than a whole picture.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tempfile::{NamedTempFile, TempPath};

use crate::capture::enums::OnExists;
use crate::capture::name::{NameFacts, Template, with_suffix};

use super::objects::{Bucket, Objects, Uploaded};
use super::{DeliverError, failed, folder_of, is_there, make_folder, sync_folder};

/// File times come in steps; one as long as this is not waited for.
const LONGEST_STEP: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub struct Files {
    template: Template,
    on_exists: OnExists,
    sync: bool,
    objects: Option<Objects>,
    /// By the clock of the file system: what is not younger was there before this run.
    started: SystemTime,
    /// The name that got a suffix last, and which: many pictures of one capture may ask for it.
    last: Mutex<Option<(PathBuf, u64)>>,
}

/// A whole picture under a hidden name; gone when dropped. Closed: a capture may have more pictures
/// than a process may have files open.
#[derive(Debug)]
pub struct Staged {
    place: Hidden,
    path: PathBuf,
    pub bytes: u64,
}

#[derive(Debug)]
enum Hidden {
    File(TempPath),
    /// Objects have their names from the start.
    Object(Uploaded),
}

impl Staged {
    /// Writes a file under a hidden name into the folder that it is for.
    ///
    /// `sync`: what is in it is on the disk then.
    pub fn write(path: PathBuf, bytes: &[u8], sync: bool) -> Result<Self, DeliverError> {
        let folder = folder_of(&path);
        let mut file = match hidden_file(folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                make_folder(folder, sync)?;
                hidden_file(folder)
            }
            other => other,
        }
        .map_err(failed(&path))?;
        file.write_all(bytes).map_err(failed(&path))?;
        if sync {
            file.as_file().sync_all().map_err(failed(&path))?;
        }
        Ok(Self {
            place: Hidden::File(file.into_temp_path()),
            path,
            bytes: bytes.len() as u64,
        })
    }

    fn of_object(object: Uploaded, bytes: &[u8]) -> Self {
        Self {
            path: object.key().to_owned(),
            place: Hidden::Object(object),
            bytes: bytes.len() as u64,
        }
    }

    /// Writes what goes with a picture to where that is.
    pub fn write_beside(
        &self,
        path: PathBuf,
        bytes: &[u8],
        sync: bool,
    ) -> Result<Self, DeliverError> {
        match &self.place {
            Hidden::File(_) => Self::write(path, bytes, sync),
            Hidden::Object(object) => {
                let beside = object.upload_beside(path, bytes)?;
                Ok(Self::of_object(beside, bytes))
            }
        }
    }

    /// The name that it is to get.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// A file that has the name of a picture, with another suffix.
#[derive(Debug)]
pub struct Companion {
    pub staged: Staged,
    /// The picture has a suffix, which this one's stands for.
    pub has_suffix: bool,
    pub suffix: &'static str,
}

impl Companion {
    fn path(&self, picture: &Path) -> PathBuf {
        companion_path(picture, self.has_suffix, self.suffix)
    }
}

/// `name.txt` for `name.jpg`, and for `name` if that has no suffix.
pub fn companion_path(picture: &Path, has_suffix: bool, suffix: &str) -> PathBuf {
    if has_suffix {
        return picture.with_extension(suffix);
    }
    let mut name = picture.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}

/// Puts a file in place of another, whole: whoever reads it sees the one or the other.
pub fn replace(
    path: &Path,
    sync: bool,
    write: impl FnOnce(&mut NamedTempFile) -> io::Result<()>,
) -> Result<(), DeliverError> {
    let folder = folder_of(path);
    make_folder(folder, sync)?;
    let mut file = hidden_file(folder).map_err(failed(path))?;
    write(&mut file).map_err(failed(path))?;
    if sync {
        file.as_file().sync_all().map_err(failed(path))?;
    }
    file.persist(path)
        .map_err(|error| failed(path)(error.error))?;
    match sync {
        true => sync_folder(folder),
        false => Ok(()),
    }
}

#[derive(Debug)]
pub struct Published {
    pub path: PathBuf,
    /// The name was taken, so this one has a suffix.
    pub renamed: bool,
    /// The file that shares its name.
    companion: Option<PathBuf>,
    /// A file of an earlier run had the name, and is gone.
    replaced: bool,
    objects: Vec<Uploaded>,
}

pub const HIDDEN_PREFIX: &str = ".dsframe-";
pub const HIDDEN_SUFFIX: &str = ".part";

fn hidden_file(folder: &Path) -> io::Result<NamedTempFile> {
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    tempfile::Builder::new()
        .prefix(HIDDEN_PREFIX)
        .suffix(HIDDEN_SUFFIX)
        // Less the umask, like any other file.
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)
}

/// What the copies with boxes are called.
pub const ANNOTATED: &str = "annotated";

/// `name-what.jpg` for `name.jpg`.
pub fn beside(path: &Path, what: &str) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push("-");
    name.push(what);
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

fn modified(file: &NamedTempFile) -> io::Result<SystemTime> {
    file.as_file().metadata()?.modified()
}

/// The file time of now, returned when the next step has begun: a file written from then on is
/// younger.
fn next_step(probe: &mut NamedTempFile) -> io::Result<SystemTime> {
    let began = Instant::now();
    let now = modified(probe)?;
    while began.elapsed() < LONGEST_STEP {
        probe.write_all(b".")?;
        if modified(probe)? > now {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(now)
}

impl Published {
    fn object(mut object: Uploaded, companion: Option<Companion>) -> Self {
        object.keep();
        let mut published = Self {
            path: object.name(),
            renamed: object.is_renamed(),
            companion: None,
            replaced: object.has_replaced(),
            objects: vec![object],
        };
        if let Some(Hidden::Object(mut labels)) = companion.map(|it| it.staged.place) {
            labels.keep();
            published.objects.push(labels);
        }
        published
    }

    /// What is of this name, and of the same with another suffix.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        [Some(&self.path), self.companion.as_ref()]
            .into_iter()
            .flatten()
            .map(PathBuf::as_path)
    }
}

impl Files {
    /// Makes the folder and tries to write there, so that a wrong one is known at the start.
    ///
    /// `sync`: what is written is on the disk before it has its name.
    pub fn open(template: Template, on_exists: OnExists, sync: bool) -> Result<Self, DeliverError> {
        let folder = template.folder();
        make_folder(&folder, sync)?;
        let mut probe = hidden_file(&folder).map_err(failed(&folder))?;
        let asks_for_age = matches!(on_exists, OnExists::Overwrite | OnExists::Fail);
        let started = if asks_for_age {
            next_step(&mut probe)
        } else {
            modified(&probe)
        };
        Ok(Self {
            template,
            on_exists,
            sync,
            objects: None,
            started: started.map_err(failed(&folder))?,
            last: Mutex::default(),
        })
    }

    /// When this run began, by the clock of the file system.
    pub fn started(&self) -> SystemTime {
        self.started
    }

    /// The first capture number: after those of earlier runs with `on-exists=continue`, else 0.
    pub fn first_number(&self) -> Result<u64, DeliverError> {
        if self.on_exists != OnExists::Continue {
            return Ok(0);
        }
        if let Some(objects) = &self.objects {
            return objects.first_number(&self.template);
        }
        let mut next = 0;
        let mut folders = vec![self.template.folder()];
        while let Some(folder) = folders.pop() {
            let listed = if folder.as_os_str().is_empty() {
                Path::new(".")
            } else {
                &folder
            };
            for entry in fs::read_dir(listed).map_err(failed(listed))? {
                let entry = entry.map_err(failed(listed))?;
                let path = folder.join(entry.file_name());
                // Links are not followed: they might lead in circles.
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    folders.push(path);
                } else if let Some(number) = self.template.number_in(&path) {
                    next = next.max(number.saturating_add(1));
                }
            }
        }
        Ok(next)
    }

    /// Writes a picture under a hidden name into the folder that it is for.
    pub fn stage(&self, facts: &NameFacts, bytes: &[u8]) -> Result<Staged, DeliverError> {
        self.stage_as(self.template.render(facts), bytes)
    }

    /// The same for one that stands beside another picture of these facts.
    pub fn stage_beside(
        &self,
        facts: &NameFacts,
        what: &str,
        bytes: &[u8],
    ) -> Result<Staged, DeliverError> {
        self.stage_as(beside(&self.template.render(facts), what), bytes)
    }

    fn stage_as(&self, path: PathBuf, bytes: &[u8]) -> Result<Staged, DeliverError> {
        match &self.objects {
            None => Staged::write(path, bytes, self.sync),
            Some(objects) => Ok(Staged::of_object(objects.upload(path, bytes)?, bytes)),
        }
    }

    /// Gives a staged picture its name.
    pub fn publish(&self, staged: Staged) -> Result<Published, DeliverError> {
        self.publish_with(staged, None)
    }

    /// Gives a picture and the file beside it their names: the same, so both must be free.
    pub fn publish_with(
        &self,
        staged: Staged,
        companion: Option<Companion>,
    ) -> Result<Published, DeliverError> {
        let Staged { place, path, .. } = staged;
        let mut file = match place {
            Hidden::File(file) => file,
            Hidden::Object(object) => return Ok(Published::object(object, companion)),
        };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let mut suffix = match &*last {
            Some((again, suffix)) if *again == path => suffix + 1,
            _ => 1,
        };
        let mut name = match suffix {
            1 => path.clone(),
            _ => with_suffix(&path, suffix),
        };
        loop {
            let beside = companion.as_ref().map(|companion| companion.path(&name));
            let beside_is_taken = beside.as_deref().is_some_and(is_there);
            if !beside_is_taken {
                match file.persist_noclobber(&name) {
                    Ok(_) => {
                        if let Err(error) = publish_beside(companion, beside.as_deref(), false) {
                            let _ = fs::remove_file(&name);
                            return Err(error);
                        }
                        if suffix > 1 {
                            *last = Some((path, suffix));
                        }
                        return Ok(Published {
                            renamed: suffix > 1,
                            path: name,
                            companion: beside,
                            replaced: false,
                            objects: Vec::new(),
                        });
                    }
                    Err(error) if error.error.kind() == ErrorKind::AlreadyExists => {
                        file = error.path;
                    }
                    Err(error) => return Err(failed(&path)(error.error)),
                }
            }
            let is_old = [Some(&name), beside.as_ref()]
                .into_iter()
                .flatten()
                .filter(|path| is_there(path))
                .all(|path| self.is_of_earlier_run(path));
            if suffix == 1 && is_old {
                match self.on_exists {
                    OnExists::Overwrite => {
                        file.persist(&name)
                            .map_err(|error| failed(&path)(error.error))?;
                        publish_beside(companion, beside.as_deref(), true)?;
                        return Ok(Published {
                            path: name,
                            renamed: false,
                            companion: beside,
                            replaced: true,
                            objects: Vec::new(),
                        });
                    }
                    OnExists::Fail => return Err(DeliverError::Exists { path }),
                    OnExists::Suffix | OnExists::Continue => (),
                }
            }
            suffix += 1;
            name = with_suffix(&path, suffix);
        }
    }

    /// Removes what was published with others that could not be. What replaced a file of an earlier
    /// run stays: without it there would be neither.
    pub fn take_back(published: &Published) {
        if published.replaced {
            return;
        }
        if !published.objects.is_empty() {
            return published.objects.iter().for_each(Uploaded::delete);
        }
        for path in [Some(&published.path), published.companion.as_ref()] {
            // Should it be gone, that was the aim.
            let _ = path.map(fs::remove_file);
        }
    }

    /// Of pictures that are objects.
    pub fn open_bucket(
        bucket: &Bucket,
        template: Template,
        on_exists: OnExists,
    ) -> Result<Self, DeliverError> {
        Ok(Self {
            objects: Some(Objects::open(bucket, &template, on_exists)?),
            template,
            on_exists,
            sync: false,
            started: SystemTime::UNIX_EPOCH,
            last: Mutex::default(),
        })
    }

    /// Whether a file is there that a picture of this name takes the place of.
    pub fn will_replace(&self, path: &Path) -> bool {
        self.on_exists == OnExists::Overwrite && self.is_of_earlier_run(path)
    }

    fn is_of_earlier_run(&self, path: &Path) -> bool {
        fs::symlink_metadata(path)
            .and_then(|meta| meta.modified())
            .is_ok_and(|modified| modified <= self.started)
    }
}

/// Has the names of files on the disk.
pub fn sync_names(published: &[Published]) -> Result<(), DeliverError> {
    // Few folders, if more than one.
    let files = published.iter().filter(|file| file.objects.is_empty());
    let folders = files.map(|file| folder_of(&file.path));
    let folders: BTreeSet<_> = folders.collect();
    folders.into_iter().try_for_each(sync_folder)
}

fn publish_beside(
    companion: Option<Companion>,
    path: Option<&Path>,
    overwrite: bool,
) -> Result<(), DeliverError> {
    let (Some(companion), Some(path)) = (companion, path) else {
        return Ok(());
    };
    let file = match companion.staged.place {
        Hidden::File(file) => file,
        Hidden::Object(_) => return Ok(()),
    };
    let persisted = match overwrite {
        true => file.persist(path),
        false => file.persist_noclobber(path),
    };
    persisted
        .map(drop)
        .map_err(|error| failed(path)(error.error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_companions_keep_folder_and_suffix() {
        for (path, expected) in [
            ("a/b.jpg", "a/b-annotated.jpg"),
            ("b", "b-annotated"),
            ("a.b/c.d.png", "a.b/c.d-annotated.png"),
        ] {
            assert_eq!(beside(Path::new(path), "annotated"), Path::new(expected));
        }
    }

    fn files(folder: &Path, on_exists: OnExists) -> Files {
        let template = Template::parse(folder.join("a.jpg").to_str().unwrap()).unwrap();
        Files::open(template, on_exists, false).unwrap()
    }

    fn picture_and_labels(folder: &Path) -> (Staged, Companion) {
        let staged = |name: &str| Staged::write(folder.join(name), b"new", false).unwrap();
        let companion = Companion {
            staged: staged("a.txt"),
            has_suffix: true,
            suffix: "txt",
        };
        (staged("a.jpg"), companion)
    }

    fn hidden(staged: &Staged) -> &Path {
        match &staged.place {
            Hidden::File(file) => file,
            Hidden::Object(_) => unreachable!(),
        }
    }

    fn names(folder: &Path) -> Vec<std::ffi::OsString> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_is_taken_back_goes_with_its_labels_unless_it_replaced_something() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let (picture, labels) = picture_and_labels(folder);
        let new = files(folder, OnExists::Overwrite);
        let published = new.publish_with(picture, Some(labels)).unwrap();
        Files::take_back(&published);
        assert!(names(folder).is_empty());
        for name in ["a.jpg", "a.txt"] {
            fs::write(folder.join(name), "old").unwrap();
        }
        let again = files(folder, OnExists::Overwrite);
        let (picture, labels) = picture_and_labels(folder);
        let published = again.publish_with(picture, Some(labels)).unwrap();
        Files::take_back(&published);
        assert_eq!(names(folder), ["a.jpg", "a.txt"]);
        assert_eq!(fs::read(folder.join("a.jpg")).unwrap(), b"new");
    }

    #[test]
    fn a_picture_without_its_labels_does_not_stay() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let (picture, labels) = picture_and_labels(folder);
        fs::remove_file(hidden(&labels.staged)).unwrap();
        let new = files(folder, OnExists::Suffix);
        assert!(new.publish_with(picture, Some(labels)).is_err());
        assert!(names(folder).is_empty());
    }
}
